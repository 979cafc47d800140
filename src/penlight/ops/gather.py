"""Reading at index tensors: gather, take, take_along_dim; and put, which writes.

`dim` is the axis that the index speaks about. Every index is checked: nothing is read or written
out of bounds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..compiler import numerics
from ..core.beside import checked, fixed
from ..core.tensor import Tensor, check_dim, wrap
from .families import composite, op
from .operands import check_broadcast

# ---------------------------------------------------------------- checks and keys


def check_index_type(name: str, index: Tensor, both: bool = True) -> None:
    if index._array.dtype not in ((np.int64, np.int32) if both else (np.int64,)):
        kinds = "int32/int64" if both else "int64"
        raise RuntimeError(f"{name}(): Expected dtype {kinds} for index")


def check_range(
    index: Any, size: int, dim: int, error: type, prefix: str = "", low: int = 0
) -> None:
    if index.size:
        smallest, largest = int(index.min()), int(index.max())
        if largest >= size or smallest < low:
            worst = largest if largest >= size else smallest
            raise error(
                f"{prefix}index {worst} is out of bounds for dimension {dim} with size {size}"
            )


def along(index: Any, dim: int) -> tuple:
    """A key that takes, at each position of `index`, the element index names along `dim`."""
    key = list(np.ogrid[tuple(slice(n) for n in index.shape)]) if index.ndim else []
    if key:
        key[dim] = index
    return tuple(key) if key else (index,)


def _fits_gather(input: Tensor, dim: int, index: Tensor, sparse_grad: bool = False) -> None:
    if index._array.size:
        check_index_type("gather", index)
    check_extent(input, dim, index, "self")


def check_extent(input: Tensor, dim: int, index: Tensor, whose: str) -> None:
    own, ind = input._array.shape, index._array.shape
    dim = check_dim(dim, len(own))
    if index._array.size == 0:
        return
    if max(len(own), 1) != max(len(ind), 1):
        raise RuntimeError("Index tensor must have the same number of dimensions as input tensor")
    for axis, (n, m) in enumerate(zip(own, ind)):
        if axis != dim and m > n:
            raise RuntimeError(
                f"Size does not match at dimension {axis} expected index {list(ind)} to be no "
                f"larger than {whose} {list(own)} apart from dimension {dim}"
            )


# ---------------------------------------------------------------- gather and scatter


def _looked_up(xp, input, dim, index, sparse_grad=False):
    if not index.size:
        return xp.empty(index.shape, input.dtype)
    flat = index.reshape(1) if index.ndim == 0 else index
    input = input.reshape((1,) * flat.ndim) if input.ndim == 0 else input
    return xp.gather(input, flat, check_dim(dim, input.ndim)).reshape(index.shape)


@op(
    grad={
        "input": lambda g, input_shape, dim, index: fixed(
            np.zeros(input_shape, g._array.dtype)
        ).scatter_add(dim, index, g)
    },
    check=_fits_gather,
    lower=_looked_up,
    sample=lambda draw: [(draw(3, 4), 1, wrap(np.array([[0, 3], [1, 1], [2, 0]])))],
)
def gather(xp, input, dim, index, *, sparse_grad=False):
    """out[i][j] = input[index[i][j]][j] for dim 0, and so on.

    >>> import penlight as torch
    >>> torch.tensor([[1, 2], [3, 4]]).gather(1, torch.tensor([[0, 0], [1, 0]]))
    tensor([[1, 1],
            [4, 3]])
    """
    dim = check_dim(dim, input.ndim)
    if index.size == 0:
        return xp.empty(index.shape, input.dtype)
    check_range(index, input.shape[dim] if input.ndim else 1, dim, RuntimeError)
    if input.ndim == 0:
        return xp.broadcast_to(input, index.shape).copy()
    return input[along(index, dim)]


# ---------------------------------------------------------------- by the flat position


def _check_flat(name: str, input: Tensor, index: Tensor) -> None:
    if index._array.dtype not in (np.int64,):
        raise RuntimeError(
            f"{name}(): Expected a long tensor for index, but got {index.dtype.scalar_name}"
        )
    size = input._array.size
    if index._array.size:
        if size == 0:
            raise IndexError(f"{name}(): tried to {name} from an empty tensor" if name == "take"
                             else "put_(): tried to put elements into an empty tensor")  # fmt: skip
        checked(_within, numerics, index, size)


def _within(xp: Any, index: Any, size: int) -> tuple:
    low, high = int(index.min()), int(index.max())
    if high >= size or low < -size:
        worst = high if high >= size else low
        raise IndexError(
            f"out of range: tried to access index {worst} on a tensor of {size} elements."
        )
    return ()


_within.lower = lambda xp, index, size: ()  # type: ignore[attr-defined]
# a lookup in a program checks its indices itself


@op(
    grad={
        "input": lambda g, input_shape, index: fixed(np.zeros(input_shape, g._array.dtype)).put(
            index, g, True
        )
    },
    check=lambda input, index: _check_flat("take", input, index),
    sample=lambda draw: [(draw(3, 4), wrap(np.array([0, 5, -1])))],
)
def take(xp, input, index):
    """Elements by their position in the flattened tensor."""
    return input.reshape(-1)[index]


def _fits_put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool) -> None:
    if input.dtype is not source.dtype:
        raise RuntimeError(
            f"put_(): self and source expected to have the same dtype, but got self.dtype = "
            f"{input.dtype.scalar_name} and source.dtype = {source.dtype.scalar_name}"
        )
    _check_flat("put_", input, index)
    if source._array.size != index._array.size:
        raise IndexError(
            "put_(): Expected source and index to have the same number of elements, but got "
            f"source.numel() = {source._array.size}, index.numel() = {index._array.size}"
        )


@op(
    grad={
        "input": lambda g, index, accumulate: (
            g if accumulate else g.put(index, fixed(np.zeros(index.shape, g._array.dtype)))
        ),
        "source": lambda g, index, source_shape: g.take(index).reshape(source_shape),
    },
    check=_fits_put,
    inplace=True,
    sample=lambda draw: [(draw(3, 4), wrap(np.array([0, 5])), draw(2), True)],
)
def put(xp, input, index, source, accumulate=False):
    """A copy with `source` written (or added) at flat positions."""
    flat = input.flatten()  # always a copy
    if accumulate:
        xp.add.at(flat, index.reshape(-1), source.reshape(-1))
    else:
        flat[index.reshape(-1)] = source.reshape(-1)
    return flat.reshape(input.shape)


@composite
def take_along_dim(input, indices, dim=None):
    """Like gather, with input and indices broadcast along the other axes."""
    if indices._array.dtype not in (np.int64, np.int32):
        raise RuntimeError(
            "torch.take_along_dim(): dtype of indices should be Long but got "
            f"{indices.dtype.scalar_name}"
        )
    if dim is None:
        return input.reshape(-1).gather(0, _from_front(indices.reshape(-1), input._array.size))
    if input._array.ndim != indices._array.ndim:
        raise RuntimeError(
            "torch.take_along_dim(): input and indices should have the same number of dimensions, "
            f"but got {input._array.ndim} dimensions for input, and {indices._array.ndim} "
            "dimensions for indices"
        )
    dim = check_dim(dim, input._array.ndim)
    own, ind = list(input._array.shape), list(indices._array.shape)
    own[dim], ind[dim] = 1, 1
    check_broadcast(tuple(own), tuple(ind))
    both = [max(m, n) if 0 not in (m, n) else 0 for m, n in zip(own, ind)]
    size, count = list(both), list(both)
    size[dim], count[dim] = input._array.shape[dim], indices._array.shape[dim]
    return input.expand(size).gather(dim, _from_front(indices.expand(count), size[dim]))


def _from_front(indices: Tensor, size: int) -> Tensor:
    """Negative indices counted from the front."""
    array = indices._array
    return wrap(np.where(array < 0, array + size, array))
