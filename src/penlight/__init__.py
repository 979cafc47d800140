"""penlight: a pocket torch. `import penlight as torch`, and go on.

The functions come from the op records (`ops.record.EXPOSED`); the sub-packages are imported when first used.
"""

from __future__ import annotations

from importlib import import_module as _import_module
from typing import Any as _Any

from . import autograd, ops
from .autograd import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from .core import dtype as _dtypes
from .core.device import device
from .core.dtype import can_cast, get_default_dtype, promote_types, set_default_dtype
from .core.size import Size
from .core.tensor import Tensor
from .ops.record import EXPOSED as _EXPOSED

__version__ = "0.1.0"

globals().update(_EXPOSED["torch"])
for _d in _dtypes.ALL:
    globals()[_d.name] = _d
    if _d.alias:
        globals()[_d.alias] = _d

_SUBMODULES = frozenset(("nn", "optim", "utils", "vision", "io", "compat", "cli"))


def __getattr__(name: str) -> _Any:
    if name in _SUBMODULES:
        return _import_module(f"{__name__}.{name}")
    raise AttributeError(f"module 'penlight' has no attribute {name!r}")
