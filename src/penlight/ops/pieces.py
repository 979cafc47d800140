"""The records behind joining and splitting: each is the gradient of its opposite."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import accumulate, pairwise
from typing import Any

from ..core import dtype as dtypes
from ..core.formats import channels_last
from ..core.memory import is_laid_out
from ..core.tensor import Tensor
from .families import op


def common_np(arrays: Sequence[Any]) -> Any:
    """The NumPy dtype of joined arrays: no operand is weaker than another here."""
    kinds = [a.dtype for a in arrays]
    if all(kind is kinds[0] for kind in kinds):
        return kinds[0]
    return reduce(dtypes.promote_types, map(dtypes.from_np, kinds)).np


def is_void(shape: tuple[int, ...]) -> bool:
    """Whether a tensor has the shape of `tensor([])`, which `cat` passes over."""
    return shape == (0,)


def _cat_grad(g: Tensor, tensors_shape: list[tuple[int, ...]], dim: int) -> Sequence[Tensor]:
    lengths = tuple([0 if is_void(shape) else shape[dim] for shape in tensors_shape])
    parts = _split_with_sizes(g, lengths, dim)
    return [
        part.reshape(0) if is_void(shape) else part
        for part, shape in zip(parts, tensors_shape, strict=True)
    ]


def _is_image_last(array: Any) -> bool:
    """Whether an array (N, C, H, W) surely has its channels last in memory."""
    if array.ndim != 4 or array.shape[1] < 2 or array.shape[2] * array.shape[3] < 2:
        return False
    return is_laid_out(array, channels_last)


@op(grad={"tensors": _cat_grad}, node="CatBackward0")
def _cat(xp, tensors, dim):
    solid = [a for a in tensors if not is_void(a.shape)] or tensors
    joined = xp.concatenate(solid, dim, dtype=common_np(tensors), casting="unsafe")
    # NumPy keeps any order of axes that all parts share; PyTorch only that of images.
    return joined if all(map(_is_image_last, solid)) else xp.ascontiguousarray(joined)


@op(grad={"tensors": lambda g, dim: _unbind(g, dim)}, node="StackBackward0")
def _stack(xp, tensors, dim):
    return xp.ascontiguousarray(xp.stack(tensors, dim, dtype=common_np(tensors), casting="unsafe"))


def _cut(array: Any, lengths: Sequence[int], dim: int) -> tuple:
    """Consecutive parts of the given lengths along an axis."""
    before = (slice(None),) * dim
    edges = accumulate(lengths, initial=0)
    return tuple([array[(*before, slice(low, high))] for low, high in pairwise(edges)])


def _lengths(total: int, size: int) -> list[int]:
    """Parts of `size` elements, the last one of what remains."""
    if total == 0:
        return [0]
    return [size] * (total // size) + [total % size] * (total % size > 0)


def _listed(g: Any) -> list[Tensor]:
    """The gradients of several results; of one result, it comes bare."""
    return [g] if isinstance(g, Tensor) else list(g)


@op(grad={"input": lambda g, dim: _cat(_listed(g), dim)}, view="multiple", node="SplitBackward0")
def _split(xp, input, size, dim):
    return _cut(input, _lengths(input.shape[dim], size), dim)


@op(
    grad={"input": lambda g, dim: _cat(_listed(g), dim)},
    view="multiple",
    node="SplitWithSizesBackward0",
)
def _split_with_sizes(xp, input, sizes, dim):
    return _cut(input, sizes, dim)


@op(grad={"input": lambda g, dim: _stack(_listed(g), dim)}, view="multiple", node="UnbindBackward0")
def _unbind(xp, input, dim):
    before = (slice(None),) * dim
    return tuple([input[(*before, i, ...)] for i in range(input.shape[dim])])


@op(
    grad={"tensors": lambda g, tensors_shape: _blocks(g, tensors_shape)},
    node="BlockDiagBackward0",
)
def _block_diag(xp, tensors):
    blocks = [a.reshape((1,) * (2 - a.ndim) + a.shape) for a in tensors]
    rows, columns = sum(a.shape[0] for a in blocks), sum(a.shape[1] for a in blocks)
    result = xp.zeros((rows, columns), common_np(blocks))
    row = column = 0
    for block in blocks:
        height, width = block.shape
        result[row : row + height, column : column + width] = block
        row, column = row + height, column + width
    return result


def _blocks(g: Tensor, shapes: list[tuple[int, ...]]) -> list[Tensor]:
    """The blocks of the given shapes along a matrix's diagonal."""
    blocks, row, column = [], 0, 0
    for shape in shapes:
        height, width = (1,) * (2 - len(shape)) + shape
        blocks.append(g.narrow(0, row, height).narrow(1, column, width).reshape(shape))
        row, column = row + height, column + width
    return blocks
