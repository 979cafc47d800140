"""All points, all pairs, all powers: meshgrid, cartesian_prod, combinations, vander."""

from __future__ import annotations

import functools
import itertools
import warnings
from typing import Any

import numpy as np

from ..core import dtype as dtypes
from ..core.tensor import Tensor, wrap
from .arguments import ints
from .creation import ones_like
from .exposure import expose
from .families import composite
from .join import stack
from .shape import reshape, unpacked


@functools.cache  # as in PyTorch, once per process
def _warn_indexing() -> None:
    warnings.warn(
        "torch.meshgrid: in an upcoming release, it will be required to pass the indexing "
        "argument.",
        UserWarning,
        stacklevel=4,
    )


def meshgrid(*tensors: Any, indexing: str | None = None) -> tuple[Tensor, ...]:
    """The coordinates of all points of a grid: one tensor per axis.

    >>> import penlight as torch
    >>> x, y = torch.meshgrid(torch.tensor([1, 2]), torch.tensor([3, 4, 5]), indexing="ij")
    >>> y
    tensor([[3, 4, 5],
            [3, 4, 5]])
    """
    axes = list(unpacked(tensors))
    if not axes:
        raise RuntimeError("meshgrid expects a non-empty TensorList")
    for axis in axes:
        if axis._array.ndim > 1:
            raise RuntimeError(
                f"torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: {axis}"
            )
        if axis.dtype is not axes[0].dtype:
            raise RuntimeError("meshgrid expects all tensors to have the same dtype")
    if indexing is None:
        _warn_indexing()
        indexing = "ij"
    if indexing not in ("ij", "xy"):
        raise RuntimeError(
            f'torch.meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}'
        )
    swapped = indexing == "xy" and len(axes) > 1
    if swapped:
        axes[0], axes[1] = axes[1], axes[0]
    shape = tuple(axis._array.size for axis in axes)
    rank = len(axes)
    grids = [
        reshape(axis, (1,) * i + (-1,) + (1,) * (rank - i - 1)).expand(shape)
        for i, axis in enumerate(axes)
    ]
    if swapped:
        grids[0], grids[1] = grids[1], grids[0]
    return tuple(grids)


expose(meshgrid, "torch.meshgrid")


def _check_vector(x: Tensor) -> None:
    if x._array.ndim != 1:
        raise RuntimeError(f"Expect a 1D vector, but got shape {list(x._array.shape)}")


def cartesian_prod(*tensors: Tensor) -> Tensor:
    """All tuples with one element of each vector, as rows.

    >>> import penlight as torch
    >>> torch.cartesian_prod(torch.tensor([1, 2]), torch.tensor([3, 4]))
    tensor([[1, 3],
            [1, 4],
            [2, 3],
            [2, 4]])
    """
    for x in tensors:
        _check_vector(x)
    if len(tensors) == 1:
        return tensors[0]
    return stack([reshape(grid, -1) for grid in meshgrid(*tensors, indexing="ij")], 1)


expose(cartesian_prod, "torch.cartesian_prod")


@composite(names="torch.combinations")
def combinations(input, r=2, with_replacement=False):
    """All subsets of r elements, as rows, in the order of their positions.

    >>> import penlight as torch
    >>> torch.combinations(torch.tensor([1, 2, 3]))
    tensor([[1, 2],
            [1, 3],
            [2, 3]])
    """
    _check_vector(input)
    if r < 0:
        raise RuntimeError(f"Expect a non-negative number, but got {r}")
    if r == 0:
        return wrap(np.empty(0, input._array.dtype))
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    rows = list(choose(range(input._array.size), r))
    positions = wrap(np.array(rows, np.int64).reshape(-1))
    return reshape(input.index_select(0, positions), len(rows), r)


@composite(names="torch.vander")
def vander(x, N=None, increasing=False):
    """The powers of each element along a row: x^(N-1), ..., x, 1, or the other way round.

    >>> import penlight as torch
    >>> torch.vander(torch.tensor([1, 2, 3]))
    tensor([[1, 1, 1],
            [4, 2, 1],
            [9, 3, 1]])
    """
    if x._array.ndim != 1:
        raise RuntimeError("x must be a one-dimensional tensor.")
    count = x._array.size if N is None else N
    if count < 0:
        raise RuntimeError("N must be non-negative.")
    if x.dtype.category < dtypes.FLOAT:
        x = x.to(dtypes.int64)
    length = x._array.size
    if count == 0:
        return x.new_zeros(length, 0)
    powers = stack([x.new_ones(length)] + [x] * (count - 1), 1).cumprod(1)
    return powers if increasing else powers.flip(1)


@composite(names="linalg.vander")
def _rising_powers(x, *, N=None):
    """1, x, x², ... of each element along a new last axis."""
    if x._array.ndim == 0:
        x = reshape(x, 1)
    count = x._array.shape[-1] if N is None else N
    if count <= 1:
        raise RuntimeError("N must be greater than 1.")
    if x.dtype.category < dtypes.FLOAT:
        x = x.to(dtypes.int64)
    return stack([ones_like(x)] + [x] * (count - 1), -1).cumprod(-1)


def unravel_index(indices: Tensor, shape: Any) -> tuple[Tensor, ...]:
    """The position along every axis of `shape` of elements counted in row-major order.

    >>> import penlight as torch
    >>> torch.unravel_index(torch.tensor([1, 5]), (2, 3))
    (tensor([0, 1]), tensor([1, 2]))
    """
    if indices.dtype.category != dtypes.INTEGER:
        raise TypeError(f"expected 'indices' to be integer dtype, but got {indices.dtype}")
    if isinstance(shape, float) or not (hasattr(shape, "__index__") or hasattr(shape, "__iter__")):
        raise TypeError(f"expected 'shape' to be int or sequence of ints, but got {type(shape)}")
    lengths = ints("unravel_index", "shape", (shape,), 2)
    if any(n < 0 for n in lengths):
        raise ValueError(f"'shape' cannot have negative values, but got {lengths}")
    rest, found = indices._array.astype(np.int64), []
    for length in reversed(lengths):
        rest, position = np.divmod(rest, length)
        found.append(wrap(position))
    return tuple(reversed(found))


expose(unravel_index, "torch.unravel_index")
