"""Diagonals: read, embedded in a matrix, written; and parts replaced: the `_scatter` family.

`select_scatter(x, src, ...)` is a copy of x in which `x.select(...)` is `src`: a view written
without touching the original, so that gradients flow to both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..core.tensor import Tensor, check_dim
from .arguments import ints
from .axes import as_strided
from .families import composite, op
from .shape import reshape
from .views import _as_strided, diagonal, place, select, slice_along

# ---------------------------------------------------------------- diagonals


@op(
    grad={"input": lambda g, offset, dim1, dim2: diagonal(g, offset, dim1, dim2)},
)
def diag_embed(xp, input, offset=0, dim1=-2, dim2=-1):
    """Matrices, along the axes dim1 and dim2, with the last axis of `input` for a diagonal.

    >>> import penlight as torch
    >>> torch.diag_embed(torch.tensor([1, 2]))
    tensor([[1, 0],
            [0, 2]])
    """
    ndim = input.ndim + 1
    first, second = check_dim(dim1, ndim), check_dim(dim2, ndim)
    if first == second:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    side = input.shape[-1] + abs(offset)
    shape = list(input.shape[:-1])
    for axis in sorted((first, second)):
        shape.insert(axis, side)
    base = xp.zeros(shape, input.dtype)
    diagonal.record.meaning(xp, base, offset, first, second)[...] = input
    return base


@op(
    grad={"input": lambda g, input_shape, offset: place(g, input_shape, diagonal, (offset, 0, 1))},
    node="DiagonalBackward0_copy",
)
def _diagonal_copy(xp, input, offset):
    return diagonal.record.meaning(xp, input, offset, 0, 1).copy()


@composite
def diag(input, diagonal=0):
    """The diagonal of a matrix; of a vector, the matrix with that diagonal.

    >>> import penlight as torch
    >>> torch.diag(torch.tensor([[1, 2], [3, 4]])), torch.diag(torch.tensor([1, 2]), 1).shape
    (tensor([1, 4]), torch.Size([3, 3]))
    """
    ndim = input._array.ndim
    if ndim not in (1, 2):
        raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {ndim}D")
    return diag_embed(input, diagonal) if ndim == 1 else _diagonal_copy(input, diagonal)


@composite(names="linalg.diagonal")
def _matrix_diagonal(A, *, offset=0, dim1=-2, dim2=-1):
    """The diagonals of matrices, by default of the last two axes."""
    return diagonal(A, offset, dim1, dim2)


@composite
def diagflat(input, offset=0):
    """A matrix with all elements of `input` along its diagonal."""
    return diag_embed(reshape(input, -1), offset)


# ---------------------------------------------------------------- a view replaced


def _replaced(view: Callable, input: Any, src: Any, args: tuple) -> Any:
    """A copy of `input` in which the view shows `src`."""
    result = input.copy()
    part = view.record.meaning(None, result, *args)  # type: ignore[attr-defined]
    if part.shape != src.shape:
        raise RuntimeError(
            "expected src to have a size equal to the slice of self. "
            f"src size = {list(src.shape)}, slice size = {list(part.shape)}"
        )
    part[...] = src
    return result


@op(
    grad={
        "input": lambda g, src_shape, dim, index: select_scatter(
            g, g.new_zeros(src_shape), dim, index
        ),
        "src": lambda g, dim, index: select(g, dim, index),
    }
)
def select_scatter(xp, input, src, dim, index):
    """A copy in which the slice at `index` along `dim` is `src`.

    >>> import penlight as torch
    >>> torch.select_scatter(torch.zeros(2, 2), torch.ones(2), 0, 1)
    tensor([[0., 0.],
            [1., 1.]])
    """
    return _replaced(select, input, src, (dim, index))


@op(
    grad={
        "input": lambda g, src_shape, dim, start, end, step: slice_scatter(
            g, g.new_zeros(src_shape), dim, start, end, step
        ),
        "src": lambda g, dim, start, end, step: slice_along(g, dim, start, end, step),
    }
)
def slice_scatter(xp, input, src, dim=0, start=None, end=None, step=1):
    """A copy in which the elements start:end:step along `dim` are `src`."""
    return _replaced(slice_along, input, src, (dim, start, end, step))


@op(
    grad={
        "input": lambda g, src_shape, offset, dim1, dim2: diagonal_scatter(
            g, g.new_zeros(src_shape), offset, dim1, dim2
        ),
        "src": lambda g, offset, dim1, dim2: diagonal(g, offset, dim1, dim2),
    }
)
def diagonal_scatter(xp, input, src, offset=0, dim1=0, dim2=1):
    """A copy in which a diagonal is `src`."""
    return _replaced(diagonal, input, src, (offset, dim1, dim2))


@op(
    grad={
        "input": lambda g, src_shape, size, stride, storage_offset: _as_strided_scatter(
            g.contiguous(), g.new_zeros(src_shape), size, stride, storage_offset
        ),
        "src": lambda g, size, stride, storage_offset: as_strided(
            g.contiguous(), size, stride, storage_offset
        ),
    },
    node="AsStridedScatterBackward0",
)
def _as_strided_scatter(xp, input, src, size, stride, storage_offset):
    return _replaced(_as_strided, input, src, (size, stride, storage_offset))


@composite
def as_strided_scatter(input, src, size, stride, storage_offset=None):
    """A copy in which `as_strided(size, stride, storage_offset)` is `src`."""
    size = ints("as_strided_scatter", "size", (size,), 3)
    stride = ints("as_strided_scatter", "stride", (stride,), 4)
    offset = input.storage_offset() if storage_offset is None else storage_offset
    return _as_strided_scatter(input, src, size, stride, offset)


# ---------------------------------------------------------------- in place


def _fill_diagonal(self: Tensor, fill_value: Any, wrap: bool = False) -> Tensor:
    """Writes a number along the main diagonal; `wrap`: and again below it in a tall matrix."""
    shape = self._array.shape
    if len(shape) < 2:
        raise RuntimeError("dimensions must larger than 1")
    if len(shape) > 2 and len(set(shape)) > 1:
        raise RuntimeError("all dimensions of input must be of equal length")
    count = min(shape)
    strides = self.stride()
    if wrap and len(shape) == 2 and shape[0] > shape[1] + 1:
        count = len(range(0, shape[0] * shape[1], shape[1] + 1))
    self.as_strided((count,), (sum(strides),)).fill_(fill_value)
    return self


Tensor.fill_diagonal_ = _fill_diagonal  # type: ignore[attr-defined]
