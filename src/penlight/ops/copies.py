"""The views again, each with memory of its own: `torch.view_copy` and its kin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..core.tensor import Tensor
from .axes import as_strided, narrow, permute, squeeze
from .exposure import expose
from .shape import expand, view
from .split import chunk, split, split_with_sizes, unbind
from .views import (
    alias,
    diagonal,
    select,
    slice_along,
    t,
    transpose,
    unfold,
    unsqueeze,
    view_as_complex,
    view_as_real,
)  # fmt: skip


def _copying(take: Callable) -> Callable:
    """A view's results copied; gradients flow through the copy."""

    def copy(*args: Any, **kwargs: Any) -> Any:
        out = kwargs.pop("out", None)
        result = take(*args, **kwargs)
        if isinstance(result, Tensor):
            return result.clone() if out is None else out.copy_(result)
        if out is None:
            return tuple([part.clone() for part in result])
        return tuple([into.copy_(part) for into, part in zip(out, result, strict=True)])

    return copy


for _name, _take in {
    "alias": alias, "as_strided": as_strided, "detach": Tensor.detach, "diagonal": diagonal,
    "expand": expand, "narrow": narrow, "permute": permute, "select": select, "slice": slice_along,
    "split": split, "split_with_sizes": split_with_sizes, "squeeze": squeeze, "t": t,
    "transpose": transpose, "unbind": unbind, "unfold": unfold, "unsqueeze": unsqueeze,
    "view": view, "view_as_complex": view_as_complex, "view_as_real": view_as_real,
}.items():  # fmt: skip
    _copy = _copying(_take)
    _copy.__name__ = _copy.__qualname__ = f"{_name}_copy"
    _copy.__doc__ = f"Like `{_name}`, with memory of its own."
    expose(_copy, f"torch.{_name}_copy")
    if _name == "narrow":
        expose(_copy, "Tensor.narrow_copy")

for _name, _take in {
    "unsafe_split": split, "unsafe_chunk": chunk, "unsafe_split_with_sizes": split_with_sizes,
}.items():  # fmt: skip
    _copy = _copying(_take)
    _copy.__name__ = _copy.__qualname__ = _name
    _copy.__doc__ = f"Like `{_name[7:]}`; in-place writes to the parts are not followed."
    expose(_copy, f"torch.{_name} Tensor.{_name}")
