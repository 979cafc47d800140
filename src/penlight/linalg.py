"""The names of torch.linalg; the ops are on the pages of `penlight.ops`."""

from .ops.record import EXPOSED, lacks

globals().update(EXPOSED["linalg"])
__getattr__ = lacks("linalg")
