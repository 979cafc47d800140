"""Several tensors as one: cat, stack and their relatives."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtype as dtypes
from ..core.tensor import Tensor, check_dim, wrap
from .axes import atleast_1d, atleast_2d, atleast_3d
from .exposure import expose, into_out
from .families import composite
from .pieces import _block_diag, _cat, _stack, is_void
from .shape import reshape


@composite(names="torch.cat torch.concat torch.concatenate")
def cat(tensors, dim=0, *, axis=None, out=None):
    """The tensors one after the other along an existing axis.

    >>> import penlight as torch
    >>> torch.cat([torch.ones(1, 2), torch.zeros(2, 2)])
    tensor([[1., 1.],
            [0., 0.],
            [0., 0.]])
    """
    tensors = checked_list("cat", tensors)
    if not tensors:
        raise ValueError("torch.cat(): expected a non-empty list of Tensors")
    shapes = [x._array.shape for x in tensors]
    for at, shape in enumerate(shapes):
        if not shape:
            raise RuntimeError(f"zero-dimensional tensor (at position {at}) cannot be concatenated")
    dim = dim if axis is None else axis
    solid = [(at, shape) for at, shape in enumerate(shapes) if not is_void(shape)]
    dim = check_dim(dim, len(solid[0][1]) if solid else 1)
    for at, shape in solid[1:]:
        _check_fits(solid[0][1], at, shape, dim)
    if out is None:
        return _cat(tensors, dim)
    if any(x is out or np.shares_memory(out._array, x._array) for x in tensors):
        raise RuntimeError(
            "unsupported operation: some elements of the input tensor and the written-to tensor "
            "refer to a single memory location. Please clone() the tensor before performing the "
            "operation."
        )
    return into_out(out, _cat(tensors, dim))


def _check_fits(first: tuple[int, ...], at: int, shape: tuple[int, ...], dim: int) -> None:
    if len(shape) != len(first):
        raise RuntimeError(
            f"Tensors must have same number of dimensions: got {len(first)} and {len(shape)}"
        )
    for axis, (expected, got) in enumerate(zip(first, shape, strict=True)):
        if axis != dim and expected != got:
            raise RuntimeError(
                f"Sizes of tensors must match except in dimension {dim}. Expected size {expected} "
                f"but got size {got} for tensor number {at} in the list."
            )


def checked_list(function: str, tensors: Any) -> list[Tensor]:
    """The tensors of a list or tuple; TypeError where something else is among them."""
    if not isinstance(tensors, (list, tuple)):
        raise TypeError(
            f"{function}(): argument 'tensors' (position 1) must be tuple of Tensors, "
            f"not {type(tensors).__name__}"
        )
    for at, x in enumerate(tensors):
        if not isinstance(x, Tensor):
            raise TypeError(
                f"expected Tensor as element {at} in argument 0, but got {type(x).__name__}"
            )
    return list(tensors)


@composite(names="torch.stack")
def stack(tensors, dim=0):
    """Tensors of one shape along a new axis.

    >>> import penlight as torch
    >>> torch.stack([torch.tensor([1, 2]), torch.tensor([3, 4])], 1)
    tensor([[1, 3],
            [2, 4]])
    """
    tensors = checked_list("stack", tensors)
    if not tensors:
        raise RuntimeError("stack expects a non-empty TensorList")
    first = tensors[0]._array.shape
    for at, x in enumerate(tensors):
        if x._array.shape != first:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(first)} at entry 0 "
                f"and {list(x._array.shape)} at entry {at}"
            )
    return _stack(tensors, check_dim(dim, len(first) + 1))


def _non_empty(function: str, tensors: Any) -> list[Tensor]:
    tensors = checked_list(function, tensors)
    if not tensors:
        raise RuntimeError(f"{function} expects a non-empty TensorList")
    return tensors


@composite(names="torch.hstack")
def hstack(tensors):
    """Side by side: along the second axis, 1-D tensors along their only one."""
    parts = [atleast_1d(x) for x in _non_empty("hstack", tensors)]
    return cat(parts, 0 if parts[0]._array.ndim == 1 else 1)


@composite(names="torch.vstack torch.row_stack")
def vstack(tensors):
    """One above the other: along the first axis, 1-D tensors as rows."""
    return cat([atleast_2d(x) for x in _non_empty("vstack", tensors)], 0)


@composite(names="torch.dstack")
def dstack(tensors):
    """One behind the other: along the third axis."""
    return cat([atleast_3d(x) for x in _non_empty("dstack", tensors)], 2)


@composite(names="torch.column_stack")
def column_stack(tensors):
    """Like :func:`hstack`, but 1-D tensors become columns."""
    parts = _non_empty("column_stack", tensors)
    return hstack([reshape(x, x._array.size, 1) if x._array.ndim < 2 else x for x in parts])


def block_diag(*tensors: Tensor) -> Tensor:
    """A matrix with the given matrices along its diagonal, zero elsewhere.

    >>> import penlight as torch
    >>> torch.block_diag(torch.tensor([[1, 2]]), torch.tensor(3))
    tensor([[1, 2, 0],
            [0, 0, 3]])
    """
    for at, x in enumerate(tensors):
        if x._array.ndim > 2:
            raise RuntimeError(
                "torch.block_diag: Input tensors must have 2 or fewer dimensions. "
                f"Input {at} has {x._array.ndim} dimensions"
            )
    if not tensors:
        return wrap(np.empty((1, 0), dtypes.get_default_dtype().np))
    return _block_diag(list(tensors))


expose(block_diag, "torch.block_diag")
