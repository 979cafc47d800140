"""The names of torch.linalg; the ops are on the pages of `penlight.ops`."""

from .ops.exposure import EXPOSED, lacks

globals().update(EXPOSED["linalg"])
__getattr__ = lacks("linalg")
