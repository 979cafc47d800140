"""New tensors from data, shapes and ranges."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtype as dtypes
from ..core.device import resolve
from ..core.tensor import Tensor, wrap
from .record import composite, expose, op, unary


@composite(names="torch.tensor")
def tensor(data, *, dtype=None, device=None, requires_grad=False, pin_memory=False):
    """A new tensor with a copy of `data`."""
    resolve(device)
    array = np.array(data)
    if dtype is not None:
        array = array.astype(dtype.np)
    elif array.dtype == np.float64 and not isinstance(data, (np.ndarray, np.generic)):
        array = array.astype(dtypes.get_default_dtype().np)
    return wrap(array).requires_grad_(requires_grad)


@composite(names="torch.from_numpy")
def from_numpy(array):
    """A tensor that shares the array's memory."""
    return wrap(array)


def sizes(args: tuple) -> tuple:
    """Sizes given one by one or as one sequence."""
    return tuple(args[0]) if len(args) == 1 and isinstance(args[0], (tuple, list)) else args


def _filled(name, value):
    def make(*size, dtype=None, device=None, requires_grad=False):
        resolve(device)
        d = dtype or dtypes.get_default_dtype()
        return wrap(np.full(sizes(size), value, d.np)).requires_grad_(requires_grad)

    make.__name__ = name
    expose(make, f"torch.{name}")
    return make


zeros, ones, empty = _filled("zeros", 0), _filled("ones", 1), _filled("empty", 0)

clone = op(lambda xp, input, *, memory_format=None: input.copy(), name="clone", grad={"input": lambda g: g})

zero = unary("zero", "Zeros", lambda xp, x: xp.zeros_like(x), lambda g: g * 0, names="Tensor.zero")


@op(grad={"input": lambda g: g}, node="ToCopyBackward0")
def _cast(xp, input, dtype):
    return input.astype(dtype)


@composite(names="Tensor.to")
def to(input, dtype=None, **_):
    """The tensor with another dtype."""
    return input if dtype is None or dtype is input.dtype else _cast(input, dtype.np)


def _numpy(self: Tensor, *, force: bool = False) -> Any:
    """The NumPy array over the same memory."""
    if self.requires_grad and not force:
        raise RuntimeError(
            "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead."
        )
    return self._array


Tensor.numpy = _numpy  # type: ignore[attr-defined]
Tensor.item = lambda self: self._array.item()  # type: ignore[attr-defined]
