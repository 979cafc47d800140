"""The same elements in another order, several times, or only those of a triangle."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtype as dtypes
from ..core.formats import contiguous_format
from ..core.memory import copied
from ..core.tensor import Tensor, check_dim, wrap
from .arguments import ints, need_tensor, with_keyword
from .exposure import expose
from .families import composite, op
from .kinds import unsupported
from .shape import reshape
from .views import distinct

# ---------------------------------------------------------------- reversed, rotated


@op(
    grad={"input": lambda g, dims: _flip(g, dims)}, node="FlipBackward0",
    lower=lambda xp, input, dims: xp.flip(input, dims).copy(),
)  # fmt: skip
def _flip(xp, input, dims):
    return copied(xp.flip(input, dims))


@composite(names="torch.flip")
def flip(input, dims):
    """The order of elements reversed along the given axes.

    >>> import penlight as torch
    >>> torch.flip(torch.tensor([1, 2, 3]), (0,))
    tensor([3, 2, 1])
    """
    need_tensor("flip", input)
    if isinstance(dims, int):
        raise TypeError("flip(): argument 'dims' (position 2) must be tuple of ints, not int")
    dims = distinct(ints("flip", "dims", (dims,), 2), input._array.ndim)
    return _flip(input, dims if input._array.ndim else ())


def _flip_method(self: Tensor, *dims: Any) -> Tensor:
    return flip(self, dims[0] if len(dims) == 1 and not isinstance(dims[0], int) else dims)


_flip_method.__name__ = "flip"
expose(with_keyword(_flip_method, "dims"), "Tensor.flip")


@composite
def fliplr(input):
    """Left and right exchanged: the second axis reversed."""
    if input._array.ndim < 2:
        raise RuntimeError("Input must be >= 2-d.")
    return _flip(input, (1,))


@composite
def flipud(input):
    """Top and bottom exchanged: the first axis reversed."""
    if input._array.ndim < 1:
        raise RuntimeError("Input must be >= 1-d.")
    return _flip(input, (0,))


@op(
    grad={"input": lambda g, shifts, dims: _roll(g, tuple(-s for s in shifts), dims)},
    node="RollBackward0",
)
def _roll(xp, input, shifts, dims):
    dense = xp.ascontiguousarray(input)
    return xp.roll(dense, shifts, dims) if dims else xp.roll(dense, shifts[0])


@composite
def roll(input, shifts, dims=()):
    """Elements moved along axes; those that leave at one end come in at the other.

    >>> import penlight as torch
    >>> torch.roll(torch.tensor([1, 2, 3]), 1)
    tensor([3, 1, 2])
    """
    shifts, dims = ints("roll", "shifts", (shifts,), 2), ints("roll", "dims", (dims,), 3)
    if not shifts:
        raise RuntimeError("`shifts` required")
    if len(shifts) != len(dims) and not (len(shifts) == 1 and not dims):
        raise RuntimeError(
            f"shifts and dimensions must align. shifts: {len(shifts)}, dims:{len(dims)}"
        )
    ndim = input._array.ndim
    if dims and not ndim:
        raise IndexError(f"Dimension specified as {dims[0]} but tensor has no dimensions")
    return _roll(input, shifts, tuple([check_dim(d, ndim) for d in dims]))


@op(grad={"input": lambda g, k, dims: _rot90(g, -k, dims)}, node="Rot90Backward0")
def _rot90(xp, input, k, dims):
    return xp.rot90(input, k, dims).copy()


@composite
def rot90(input, k=1, dims=(0, 1)):
    """A plane turned by k · 90°, from the first towards the second of `dims`.

    >>> import penlight as torch
    >>> torch.rot90(torch.tensor([[1, 2], [3, 4]]))
    tensor([[2, 4],
            [1, 3]])
    """
    dims = ints("rot90", "dims", (dims,), 3)
    ndim = input._array.ndim
    if len(dims) != 2:
        raise RuntimeError(f"expected total rotation dims == 2, but got dims = {len(dims)}")
    if ndim < 2:
        raise RuntimeError(f"expected total dims >= 2, but got total dims = {ndim}")
    first, second = (check_dim(d, ndim) for d in dims)
    if first == second:
        raise RuntimeError(
            f"expected rotation dims to be different, but got dim0 = {dims[0]} and dim1 = {dims[1]}"
        )
    return _rot90(input, k, (first, second))


# ---------------------------------------------------------------- repeated


def _repeat_grad(g: Tensor, input_shape: tuple[int, ...], repeats: tuple[int, ...]) -> Tensor:
    """Every copy's gradient summed: the axes split into (copy, element), the copies summed."""
    padded = (1,) * (len(repeats) - len(input_shape)) + input_shape
    pairs = [n for pair in zip(repeats, padded, strict=True) for n in pair]
    summed = reshape(g, pairs).sum(tuple(range(0, len(pairs), 2))) if pairs else g
    return reshape(summed, input_shape)


@op(grad={"input": _repeat_grad}, node="RepeatBackward0")
def _repeat(xp, input, repeats):
    return xp.tile(input, repeats)


def repeat(self: Tensor, *repeats: Any) -> Tensor:
    """The tensor laid side by side, `repeats` times along each axis.

    >>> import penlight as torch
    >>> torch.tensor([1, 2]).repeat(2, 2)
    tensor([[1, 2, 1, 2],
            [1, 2, 1, 2]])
    """
    repeats = ints("repeat", "repeats", repeats)
    shape = self._array.shape
    if len(repeats) < len(shape):
        raise RuntimeError(
            "Number of dimensions of repeat dims can not be smaller than number of dimensions of "
            "tensor"
        )
    if any(n < 0 for n in repeats):
        padded = (1,) * (len(repeats) - len(shape)) + shape
        sizes = [n * m for n, m in zip(repeats, padded, strict=True)]
        raise RuntimeError(
            "Trying to create tensor with negative dimension "
            f"{next(n for n in sizes if n < 0)}: {sizes}"
        )
    return _repeat(self, repeats)


expose(with_keyword(repeat, "repeats"), "Tensor.repeat")


@composite(names="torch.tile")
def tile(input, dims):
    """Like `Tensor.repeat`; fewer repeats than axes belong to the last axes.

    >>> import penlight as torch
    >>> torch.tile(torch.tensor([[1], [2]]), (2,))
    tensor([[1, 1],
            [2, 2]])
    """
    if isinstance(dims, int):
        raise TypeError("tile(): argument 'dims' (position 2) must be tuple of ints, not int")
    dims = ints("tile", "dims", (dims,), 2)
    return repeat(input, (1,) * (input._array.ndim - len(dims)) + dims)


def _tile_method(self: Tensor, *dims: Any) -> Tensor:
    return tile(self, ints("tile", "dims", dims))


_tile_method.__name__ = "tile"
expose(with_keyword(_tile_method, "dims"), "Tensor.tile")


@composite
def repeat_interleave(input, repeats=None, dim=None, *, output_size=None):
    """Every element (or slice along `dim`) several times in a row.

    >>> import penlight as torch
    >>> torch.repeat_interleave(torch.tensor([1, 2]), torch.tensor([1, 2]))
    tensor([1, 2, 2])
    """
    if repeats is None:
        return _counted(input, output_size)
    if dim is None:
        input, dim = input.reshape(-1), 0
    dim = check_dim(dim, input._array.ndim)
    if isinstance(repeats, Tensor):
        return _interleave_by(input, repeats, dim, output_size)
    if not hasattr(repeats, "__index__"):
        raise TypeError(
            "repeat_interleave() received an invalid combination of arguments - got "
            f"(Tensor, {type(repeats).__name__}), but expected one of:\n"
            " * (Tensor input, Tensor repeats, int dim = None, *, int output_size = None)\n"
            " * (Tensor repeats, *, int output_size = None)\n"
            " * (Tensor input, int repeats, int dim = None, *, int output_size = None)\n"
        )
    if repeats < 0:
        raise RuntimeError("Repeats must be non-negative")
    spread, shape = input.unsqueeze(dim + 1), input._array.shape
    wide = (*shape[: dim + 1], repeats, *shape[dim + 1 :])
    whole = (*shape[:dim], shape[dim] * repeats, *shape[dim + 1 :])
    return spread.expand(wide).clone(memory_format=contiguous_format).view(whole)


def _counted(repeats: Tensor, output_size: int | None) -> Tensor:
    """Position i, repeats[i] times, for every i."""
    counts = repeats._array
    if counts.ndim > 1:
        raise RuntimeError("repeat_interleave only accept 1D vector as repeat")
    if repeats.dtype not in (dtypes.int64, dtypes.int32):
        raise unsupported("repeat_interleave_cpu", counts)
    if counts.size and counts.min() < 0:
        raise RuntimeError("repeats can not be negative")
    if output_size is not None and output_size != counts.sum():
        raise RuntimeError("allocated size does not match required size")
    return wrap(np.repeat(np.arange(counts.size, dtype=counts.dtype), counts))


def _interleave_by(input: Tensor, repeats: Tensor, dim: int, output_size: int | None) -> Tensor:
    counts, length = repeats._array, input._array.shape[dim]
    if counts.ndim > 1:
        raise RuntimeError("repeats must be 0-dim or 1-dim tensor")
    if counts.size == 1:
        repeats = repeats.reshape(1).expand(length)
    elif counts.size != length:
        raise RuntimeError(
            "repeats must have the same size as input along dim, but got "
            f"repeats.size(0) = {counts.size} and input.size({dim}) = {length}"
        )
    return input.index_select(dim, _counted(repeats, output_size))


# ---------------------------------------------------------------- triangles


def _check_matrices(name: str, input: Any) -> None:
    if input.ndim < 2:
        raise RuntimeError(f"{name}: input tensor must have at least 2 dimensions")


@op(grad={"input": lambda g, diagonal: tril(g, diagonal)}, inplace=True)
def tril(xp, input, diagonal=0):
    """The elements on and below a diagonal of each matrix, zeros above.

    >>> import penlight as torch
    >>> torch.tril(torch.ones(2, 2))
    tensor([[1., 0.],
            [1., 1.]])
    """
    _check_matrices("tril", input)
    result = xp.zeros(input.shape, input.dtype)
    xp.copyto(result, input, where=xp.tri(*input.shape[-2:], diagonal, dtype=bool))
    return result


@op(grad={"input": lambda g, diagonal: triu(g, diagonal)}, inplace=True)
def triu(xp, input, diagonal=0):
    """The elements on and above a diagonal of each matrix, zeros below."""
    _check_matrices("triu", input)
    result = input.copy()
    drop = xp.tri(*input.shape[-2:], diagonal - 1, dtype=bool)
    xp.copyto(result, xp.zeros((), input.dtype), where=drop)
    return result
