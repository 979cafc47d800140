"""The names of torch.fft; the ops are on the pages of `penlight.ops`."""

from .ops.exposure import EXPOSED, lacks

globals().update(EXPOSED["fft"])
__getattr__ = lacks("fft")
