"""Views and rearrangements: the same elements under another shape."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core.tensor import Tensor, check_dim
from .record import composite, op


def int_args(args: tuple) -> tuple:
    """Sizes given one by one or as one sequence."""
    if len(args) == 1 and isinstance(args[0], (tuple, list)):
        return tuple(args[0])
    return args


@op(grad={"input": lambda g: g}, view=True, node="ExpandBackward0")
def _expand(xp, input, sizes):
    """The tensor repeated along axes of length 1 and new leading axes, without copying."""
    lead = len(sizes) - input.ndim
    shape = tuple(
        (input.shape[i - lead] if i >= lead else 1) if n == -1 else n for i, n in enumerate(sizes)
    )
    padded = (1,) * lead + input.shape
    if lead < 0 or any(m != n and m != 1 for m, n in zip(padded, shape)):
        axis = next((i for i, (m, n) in enumerate(zip(padded, shape)) if m != n and m != 1), 0)
        raise RuntimeError(
            f"The expanded size of the tensor ({shape[axis]}) must match the existing size "
            f"({padded[axis]}) at non-singleton dimension {axis}.  Target sizes: {list(shape)}.  "
            f"Tensor sizes: {list(input.shape)}"
        )
    if input.size == 1 and input.ndim == 0:  # the gradient of a sum: the common and quick case
        return np.ndarray(shape, input.dtype, input, 0, (0,) * len(shape))
    strides = (0,) * lead + input.strides
    strides = tuple(0 if m == 1 and n != 1 else s for m, n, s in zip(padded, shape, strides))
    return np.lib.stride_tricks.as_strided(input, shape, strides)


@composite(names="Tensor.expand")
def expand(input, *size):
    """Views the tensor in a larger shape; -1 keeps an axis."""
    return _expand(input, int_args(size))


@op(view=True, grad={"input": lambda g, input_shape: g.reshape(input_shape)}, node="ViewBackward0")
def _view(xp, input, shape):
    try:
        return input.reshape(shape, copy=False)
    except ValueError:
        raise RuntimeError(
            "view size is not compatible with input tensor's size and stride (at least one "
            "dimension spans across two contiguous subspaces). Use .reshape(...) instead."
        ) from None


def filled_shape(shape: tuple, size: int) -> tuple:
    """`shape` with its -1 replaced; RuntimeError where it does not hold `size` elements."""
    known = math.prod(n for n in shape if n != -1)
    if -1 in shape and known and size % known == 0:
        return tuple(size // known if n == -1 else n for n in shape)
    if -1 in shape or known != size:
        raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {size}")
    return shape


@composite(names="Tensor.view")
def view(input, *shape):
    """The same memory in another shape."""
    return _view(input, filled_shape(int_args(shape), input._array.size))


@composite(names="torch.reshape Tensor.reshape")
def reshape(input, *shape):
    """Another shape; a view where strides allow it."""
    shape = filled_shape(int_args(shape), input._array.size)
    try:
        return _view(input, shape)
    except RuntimeError:
        return _view(input.clone(), shape)


@op(grad={"input": lambda g: g.t()}, view=True)
def t(xp, input):
    """Matrix transpose of a 2-D tensor; others up to 1-D unchanged."""
    if input.ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {input.ndim}D")
    return input.T


@op(grad={"input": lambda g, dim0, dim1: g.transpose(dim0, dim1)}, view=True)
def transpose(xp, input, dim0, dim1):
    """Two axes exchanged."""
    dim0, dim1 = check_dim(dim0, input.ndim), check_dim(dim1, input.ndim)
    return xp.swapaxes(input, dim0, dim1) if input.ndim else input.view()


Tensor.mT = property(lambda self: transpose(self, -2, -1))
Tensor.mH = property(lambda self: self.mT.conj() if self._array.dtype.kind == "c" else self.mT)
Tensor.T = property(lambda self: self.t())


@op(grad={"input": lambda g, dim: g.squeeze(dim)}, view=True)
def unsqueeze(xp, input, dim):
    """A new axis of length 1."""
    return xp.expand_dims(input, check_dim(dim, input.ndim + 1))


@op(grad={"input": lambda g, input_shape: g.reshape(input_shape)}, view=True)
def squeeze(xp, input, dim=None):
    """Axes of length 1 removed."""
    dims = range(input.ndim) if dim is None else [check_dim(d, input.ndim) for d in np.atleast_1d(dim).tolist()]
    return xp.squeeze(input, tuple(d for d in dims if input.ndim and input.shape[d] == 1))


@composite
def flatten(input, start_dim=0, end_dim=-1):
    """Axes from start_dim to end_dim as one."""
    shape = input._array.shape
    start, end = check_dim(start_dim, len(shape)), check_dim(end_dim, len(shape))
    if start > end:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    return reshape(input, (*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))


@composite(names="Tensor.sum_to_size")
def sum_to_size(input, *size):
    """Sums the axes along which `size` would broadcast to this shape."""
    size = int_args(size)
    lead = input._array.ndim - len(size)
    dims = tuple(range(lead)) + tuple(
        lead + i for i, n in enumerate(size) if n == 1 and input._array.shape[lead + i] != 1
    )
    return (input.sum(dims, True) if dims else input).reshape(size)
