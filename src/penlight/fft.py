"""The names of torch.fft; the ops are on the pages of `penlight.ops`."""

from .ops.record import EXPOSED

globals().update(EXPOSED.get("fft", {}))
