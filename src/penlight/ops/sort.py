"""Order: sorting, the k largest, the k-th, the middle, the most frequent."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtype as dtypes
from ..core.tensor import Tensor, check_dim
from .extremes import need_elements, placed
from .families import composite, op
from .kinds import COMPLEX, FLOATS, refuse
from .return_types import return_type


def order(xp: Any, x: Any, dim: int, descending: bool = False) -> Any:
    """Indices that sort along `dim`, equal elements in their order, NaN as the largest."""
    if x.ndim == 0:
        return np.zeros((), np.int64)
    if not descending:
        return xp.argsort(x, dim, kind="stable")
    backwards = xp.flip(xp.argsort(xp.flip(x, dim), dim, kind="stable"), dim)
    return x.shape[dim] - 1 - backwards


def taken(xp: Any, x: Any, where: Any, dim: int) -> Any:
    """Elements of x at the indices `where` along `dim`."""
    return xp.take_along_axis(x, where, dim) if x.ndim else x.copy()


@op(
    grad={
        "input": lambda g, y, dim, input_shape: placed(g[0], y[1], dim, True, input_shape)
    },
    result=return_type("sort", "values indices"), node="SortBackward0",
)  # fmt: skip
def _sort(xp: Any, input: Any, dim: int, descending: bool) -> Any:
    if input.dtype.kind == COMPLEX:
        raise RuntimeError(" Sort does not support complex dtypes on CPU")
    where = order(xp, input, dim, descending)
    return taken(xp, input, where, dim), where


@composite
def sort(
    input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False
) -> tuple[Tensor, Tensor]:
    """Sorted values and their former indices; always stable.

    >>> import penlight as torch
    >>> torch.sort(torch.tensor([3, 1, 2])).indices
    tensor([1, 2, 0])
    """
    return _sort(input, check_dim(dim, input._array.ndim), bool(descending))


@composite
def argsort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Tensor:
    """The indices that sort along an axis."""
    return sort(input, dim, descending)[1]


@composite
def msort(input: Tensor) -> Tensor:
    """Sorted along the first axis."""
    return sort(input, 0)[0]


@op(
    grad={"input": lambda g, y, dim, input_shape: placed(g[0], y[1], dim, True, input_shape)},
    result=return_type("topk", "values indices"), node="TopkBackward0",
)  # fmt: skip
def _topk(xp: Any, input: Any, k: int, dim: int, largest: bool) -> Any:
    n = input.shape[dim] if input.ndim else 1
    if 8 * k >= n:
        where = order(xp, input, dim, largest)
    else:  # few of many: separate them first, then sort only those
        found = xp.argpartition(input, n - 1 - k if largest else k, dim)
        where = xp.take(found, np.arange(n - k, n) if largest else np.arange(k), dim)
        where.sort(dim)
        inner = order(xp, xp.take_along_axis(input, where, dim), dim, largest)
        where = xp.take_along_axis(where, inner, dim)
    if input.ndim:
        where = xp.take(where, np.arange(k), dim)
    return taken(xp, input, where, dim), where


@composite
def topk(
    input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
) -> tuple[Tensor, Tensor]:
    """The k largest (or smallest) elements along an axis, in order, with their indices."""
    shape = input._array.shape
    dim = check_dim(dim, len(shape))
    if not 0 <= k <= (shape[dim] if shape else 1):
        raise RuntimeError("selected index k out of range")
    if input.dtype is dtypes.bool_:
        raise RuntimeError("topk does not support bool dtypes on CPU")
    if input.dtype.is_complex:
        raise RuntimeError(" topk does not support complex dtypes on CPU")
    return _topk(input, k, dim, largest)


def _kth_rule() -> dict[str, Any]:
    return {
        "input": lambda g, y, dim, keepdim, input_shape: placed(
            g[0], y[1], dim, keepdim, input_shape
        )
    }


def one_index(xp: Any, x: Any, where: Any, dim: int, keepdim: bool) -> Any:
    """(value, index) at one index along `dim`, which `where` keeps as an axis of length 1."""
    values = taken(xp, x, where, dim)
    return (values, where) if keepdim or not x.ndim else (values.squeeze(dim), where.squeeze(dim))


@op(grad=_kth_rule(), result=return_type("kthvalue", "values indices"), node="KthvalueBackward0")
def _kthvalue(xp: Any, input: Any, k: int, dim: int, keepdim: bool) -> Any:
    refuse("bc", "kthvalue_cpu", input)
    where = order(xp, input, dim)
    if input.ndim:
        where = xp.take(where, [k - 1], dim)
    return one_index(xp, input, where, dim, keepdim)


@composite
def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    """The k-th smallest element along an axis, counted from 1, with its index."""
    shape = input._array.shape
    dim = check_dim(dim, len(shape))
    if shape:
        need_elements("kthvalue", shape, (dim,))
    if not 1 <= k <= (shape[dim] if shape else 1):
        raise RuntimeError(f"kthvalue(): selected number k out of range for dimension {dim}")
    return _kthvalue(input, k, dim, keepdim)


def _median_index(xp: Any, x: Any, dim: int, skip_nan: bool) -> Any:
    """The index of the lower median along `dim`; of the first NaN if NaN is not skipped."""
    if not x.ndim:
        return np.zeros((), np.int64)
    sorted_indices = order(xp, x, dim)
    nan = xp.isnan(x) if x.dtype.kind in FLOATS else xp.zeros(x.shape, bool)
    numbers = x.shape[dim] - nan.sum(dim, keepdims=True)
    middle = (xp.maximum(numbers, 1) - 1) // 2
    where = xp.take_along_axis(sorted_indices, middle, dim)
    if skip_nan:
        return where
    return xp.where(nan.any(dim, keepdims=True), nan.argmax(dim, keepdims=True), where)


def _median(name: str, doc: str, skip_nan: bool) -> Any:
    @op(
        name=f"_{name}_dim", grad=_kth_rule(), result=return_type(name, "values indices"),
        node=f"{name.capitalize()}Backward1",
    )  # fmt: skip
    def along(xp: Any, input: Any, dim: int, keepdim: bool) -> Any:
        refuse("bc", "median_out", input)
        where = _median_index(xp, input, dim, skip_nan)
        return one_index(xp, input, where, dim, keepdim)

    @op(
        name=f"_{name}_all", node=f"{name.capitalize()}Backward0",
        grad={
            "input": lambda g, x, y: (
                g * (winners := (x == y) | (x.isnan() & y.isnan())) / winners.sum()
            )
        },
    )  # fmt: skip
    def whole(xp: Any, input: Any) -> Any:
        refuse("bc", "median_cpu", input)
        flat = input.reshape(-1)
        if not flat.size:
            return np.array(np.nan, input.dtype)
        return flat[_median_index(xp, flat, 0, skip_nan)[0]]

    def function(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
        if dim is None:
            return whole(input)
        dim = check_dim(dim, input._array.ndim)
        if input._array.ndim:
            need_elements("median", input._array.shape, (dim,))
        return along(input, dim, keepdim)

    function.__name__, function.__doc__ = name, doc
    return composite(function)


median = _median("median", "The lower of the middle elements; NaN if there is one.", False)
nanmedian = _median("nanmedian", "The lower of the middle elements that are not NaN.", True)


@op(grad=_kth_rule(), result=return_type("mode", "values indices"), node="ModeBackward0")
def _mode(xp: Any, input: Any, dim: int, keepdim: bool) -> Any:
    """In sorted order equal elements make runs: the end of the first of the longest runs."""
    refuse(COMPLEX, "mode_cpu", input)
    if not input.ndim:
        return input.copy(), np.zeros((), np.int64)
    rows = xp.moveaxis(input, dim, -1)
    where = order(xp, rows, -1)
    values = xp.take_along_axis(rows, where, -1)
    position = xp.arange(rows.shape[-1])
    starts = xp.zeros(values.shape, np.int64)
    starts[..., 1:] = xp.where(values[..., 1:] != values[..., :-1], position[1:], 0)
    length = position - xp.maximum.accumulate(starts, -1)
    found = xp.take_along_axis(where, length.argmax(-1, keepdims=True), -1)
    return one_index(xp, input, xp.moveaxis(found, -1, dim), dim, keepdim)


@composite
def mode(input: Tensor, dim: int = -1, keepdim: bool = False) -> Any:
    """The most frequent element along an axis, the smallest of several, and its last index."""
    dim = check_dim(dim, input._array.ndim)
    if input._array.ndim:
        need_elements("mode", input._array.shape, (dim,))
    return _mode(input, dim, keepdim)
