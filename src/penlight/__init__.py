"""penlight: a pocket torch. `import penlight as torch`, and go on.

The functions come from the op records (`ops.record.EXPOSED`); sub-packages are imported when first
used.
"""

from __future__ import annotations

from importlib import import_module as _import_module
from importlib.util import find_spec as _find_spec
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
from .core.dtype import can_cast, dtype, get_default_dtype, promote_types, set_default_dtype
from .core.formats import (
    channels_last,
    channels_last_3d,
    contiguous_format,
    layout,
    memory_format,
    preserve_format,
    sparse_bsc,
    sparse_bsr,
    sparse_coo,
    sparse_csc,
    sparse_csr,
    strided,
)
from .core.heap import keep_freed_memory as _keep_freed_memory
from .core.info import finfo, iinfo
from .core.printing import get_printoptions, set_printoptions
from .core.settings import (
    are_deterministic_algorithms_enabled,
    get_float32_matmul_precision,
    set_float32_matmul_precision,
    set_flush_denormal,
    use_deterministic_algorithms,
)
from .core.size import Size
from .core.tensor import Tensor
from .ops.exposure import EXPOSED as _EXPOSED

_keep_freed_memory()

__version__ = "0.1.0"

inf, nan, pi, e = float("inf"), float("nan"), 3.141592653589793, 2.718281828459045
newaxis = None

globals().update(_EXPOSED["torch"])
for _d in _dtypes.ALL:
    globals()[_d.name] = _d
    if _d.alias:
        globals()[_d.alias] = _d


def __getattr__(name: str) -> _Any:
    """Sub-packages and what lives in them, when first used."""
    if name == "compiler":  # its names are hung there by capture
        _import_module(f"{__name__}.capture")
        found = _import_module(f"{__name__}.compiler")
    elif name in _LATE:
        found = getattr(_import_module(f"{__name__}.{_LATE[name]}"), name)
    elif not name.startswith("_") and _find_spec(f"{__name__}.{name}") is not None:
        found = _import_module(f"{__name__}.{name}")
    elif not name.startswith("__") and _late_op(name) is not None:
        found = _late_op(name)
    else:
        raise AttributeError(
            f"module '{__name__}' has no attribute '{name}': penlight lacks torch.{name}"
        )
    globals()[name] = found
    return found


def _late_op(name: str) -> _Any:
    """An op of the pages that are loaded when first asked for, or None."""
    for page in _LATE_PAGES:
        _import_module(f"{__name__}.ops.{page}")
    return _EXPOSED["torch"].get(name)


def __dir__() -> list[str]:
    """All names, also those that are loaded when first used."""
    _late_op("")
    return sorted({*globals(), *_EXPOSED["torch"], *_LATE})


globals().pop("compiler", None)  # see __getattr__
_LATE_PAGES = ("layers", "tapers")

# torch.* names whose home is imported only when needed
_LATE = {
    "save": "io",
    "load": "io",
    "autocast": "amp",
    "compile": "capture",
    "GradScaler": "amp",
    "get_num_threads": "core.threads",
    "set_num_threads": "core.threads",
}
