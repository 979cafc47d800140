"""The names of torch.special; the ops are on the pages of `penlight.ops`."""

from .ops.record import EXPOSED

globals().update(EXPOSED.get("special", {}))
