"""The names of torch.masked; the functions are on a page of `penlight.ops`, loaded with this
module.
"""

from .ops import masked as _masked  # noqa: F401
from .ops.exposure import EXPOSED, lacks

globals().update(EXPOSED["masked"])
__getattr__ = lacks("masked")
