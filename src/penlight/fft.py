"""The names of torch.fft; the ops are on the pages of `penlight.ops`."""

from .ops import fft as _fft  # noqa: F401
from .ops.exposure import EXPOSED, lacks

globals().update(EXPOSED["fft"])
__getattr__ = lacks("fft")
