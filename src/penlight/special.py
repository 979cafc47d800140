"""The names of torch.special; the ops are on the pages of `penlight.ops`."""

from .ops.exposure import EXPOSED, lacks

globals().update(EXPOSED["special"])
__getattr__ = lacks("special")
