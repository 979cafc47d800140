"""Whole slices named by an index vector: index_select, index_add, index_copy, index_fill."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..compiler import numerics
from ..core.beside import checked, fixed
from ..core.tensor import Tensor, check_dim, wrap
from .families import composite, op
from .gather import check_range
from .masks import where
from .scatter import scatter_reduce

# ---------------------------------------------------------------- whole slices at an index vector


def _vector_key(input: Any, dim: int, index: Any) -> tuple:
    return (slice(None),) * dim + (index,)


def _fits_index_select(input: Tensor, dim: int, index: Tensor) -> None:
    if index._array.ndim > 1:
        raise IndexError("index_select(): Index is supposed to be a vector")
    if index._array.dtype not in (np.int64, np.int32):
        raise RuntimeError("index_select(): Expected dtype int32 or int64 for index")
    dim = check_dim(dim, input._array.ndim)
    size = input._array.shape[dim] if input._array.ndim else 1
    checked(_within, numerics, index, size)


def _within(xp: Any, index: Any, size: int) -> tuple:
    if index.size and not (0 <= index.min() and index.max() < size):
        raise IndexError("index out of range in self")
    return ()


_within.lower = lambda xp, index, size: ()  # type: ignore[attr-defined]
# a lookup in a program checks its indices itself


@op(
    grad={
        "input": lambda g, input_shape, dim, index: fixed(
            np.zeros(input_shape, g._array.dtype)
        ).index_add(dim, index, g)
    },
    check=_fits_index_select,
    lower=lambda xp, input, dim, index: (
        xp.rows(input, xp.atleast_1d(index), check_dim(dim, input.ndim)) if input.ndim else input
    ),
    sample=lambda draw: [(draw(3, 4), 1, wrap(np.array([0, 0, 3])))],
)
def index_select(xp, input, dim, index):
    """The slices along `dim` that `index` names."""
    if input.ndim == 0:
        return input.copy()
    return xp.take(input, xp.atleast_1d(index), check_dim(dim, input.ndim))


def _check_slices(name: str, input: Tensor, dim: int, index: Tensor, source: Tensor) -> int:
    """The axis; raises unless `source` holds one slice of `input` per index."""
    if index._array.ndim > 1:
        raise IndexError(f"{name}(): Index is supposed to be a vector, but got dim: "
                         f"{index.dim()} with type: "
                         f"{index.dtype.scalar_name} and size: {list(index.shape)}")  # fmt: skip
    if index._array.dtype not in (np.int64, np.int32):
        raise RuntimeError(
            f"{name}(): Expected dtype int32/int64 for index but got: {index.dtype.scalar_name}"
        )
    if input.dtype is not source.dtype:
        raise RuntimeError(
            f"{name}(): self ({input.dtype.scalar_name}) and source ({source.dtype.scalar_name}) "
            "must have the same scalar type"
        )
    own, given = input._array.shape, source._array.shape
    dim = check_dim(dim, len(own))
    count = given[dim] if given else 1
    if index._array.size != count:
        raise RuntimeError(
            f"{name}(): Number of indices ({index._array.size}) should be equal to "
            f"source.size(dim): ({count}), for dim: {dim}"
        )
    rest, others = list(own), list(given)
    if rest and others:
        rest[dim : dim + 1], others[dim : dim + 1] = [], []
    if rest != others:
        raise RuntimeError(
            f"{name}(): Source/destination tensor must have same slice shapes. Destination slice "
            f"shape: {rest} at dimension {dim} and source slice shape: {others} at dimension 0."
        )
    size = own[dim] if own else 1
    if index._array.size:
        check_range(index._array, size, dim, IndexError, f"{name}(): ")
    return dim


@op(
    grad={
        "input": lambda g: g,
        "source": lambda g, dim, index, alpha, source_shape: (
            g.index_select(dim, index) * alpha.conjugate()
        ).reshape(source_shape),
    },
    check=lambda input, dim, index, source, alpha: _check_slices(
        "index_add_", input, dim, index, source
    ),
    inplace=True,
    sample=lambda draw: [(draw(3, 4), 0, wrap(np.array([0, 0])), draw(2, 4), 2.0)],
)
def index_add(xp, input, dim, index, source, *, alpha=1):
    """A copy of `input` with alpha · (slices of `source`) added where `index` says."""
    out = input.copy()
    scaled = source if alpha == 1 else source * source.dtype.type(alpha)
    if input.ndim == 0:
        return out + scaled.sum().astype(out.dtype)
    dim = check_dim(dim, input.ndim)
    xp.add.at(out, _vector_key(input, dim, xp.atleast_1d(index)), scaled)
    return out


@op(
    grad={
        "input": lambda g, dim, index: g.index_fill(dim, index, 0),
        "source": lambda g, dim, index, source_shape: g.index_select(dim, index).reshape(
            source_shape
        ),
    },
    check=lambda input, dim, index, source: _check_slices("index_copy_", input, dim, index, source),
    inplace=True,
    sample=lambda draw: [(draw(3, 4), 0, wrap(np.array([2, 0])), draw(2, 4))],
)
def index_copy(xp, input, dim, index, source):
    """A copy of `input` with slices of `source` written where `index` says."""
    out = input.copy()
    if input.ndim == 0:
        return source.reshape(()).copy()
    out[_vector_key(input, check_dim(dim, input.ndim), np.atleast_1d(index))] = source
    return out


@op(
    grad={"input": lambda g, dim, index: _index_fill(g, dim, index, 0)},
    sample=lambda draw: [(draw(3, 4), 0, wrap(np.array([2, 0])), 1.5)],
)
def _index_fill(xp, input, dim, index, value):
    out = input.copy()
    if input.ndim == 0:
        out[...] = value
        return out
    dim = check_dim(dim, input.ndim)
    check_range(index, input.shape[dim], dim, IndexError, low=-input.shape[dim])
    out[_vector_key(input, dim, np.atleast_1d(index))] = value
    return out


@composite(inplace=True)
def index_fill(input, dim, index, value):
    """A copy of `input` with the slices that `index` names set to `value`."""
    if index._array.dtype not in (np.int64, np.int32):
        raise IndexError("index_fill_(): Expected dtype int64 for index.")
    if index._array.ndim > 1:
        raise IndexError("Index has to be a vector/scalar")
    if isinstance(value, Tensor):
        if value._array.ndim:
            raise RuntimeError(
                "index_fill_ only supports a 0-dimensional value tensor, but got tensor with "
                f"{value._array.ndim} dimension(s)."
            )
        if value.requires_grad:
            mask = _index_fill(fixed(np.zeros(input._array.shape, bool)), dim, index, True)
            return where(mask, value.to(input.dtype), input)
        value = value._array
    return _index_fill(input, dim, index, value)


@composite(inplace=True)
def index_reduce(input, dim, index, source, reduce, *, include_self=True):
    """Slices of `source` combined into `input` where `index` says: prod, mean, amax or amin."""
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise RuntimeError(
            "index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got "
            f"{reduce}."
        )
    dim = _check_slices("index_reduce", input, dim, index, source)
    if input._array.ndim == 0:
        whole = index_reduce(input.unsqueeze(0), 0, index.reshape(-1), source.reshape(1), reduce,
                             include_self=include_self)  # fmt: skip
        return whole.squeeze(0)
    shape = [1] * input._array.ndim
    shape[dim] = -1
    spread = wrap(index._array.astype(np.int64)).reshape(shape).expand(source._array.shape)
    return scatter_reduce(input, dim, spread, source, reduce, include_self=include_self)
