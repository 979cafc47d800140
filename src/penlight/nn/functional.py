"""The names of torch.nn.functional; the ops are on the pages of `penlight.ops`."""

from ..ops import layers as _layers  # noqa: F401
from ..ops.exposure import EXPOSED, lacks

globals().update(EXPOSED["nn.functional"])
__getattr__ = lacks("nn.functional")
