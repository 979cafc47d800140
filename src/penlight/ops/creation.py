"""New tensors: tensor, zeros, ones, full, empty, their `_like` and `new_` forms, and copies.

`ranges.py` makes sequences of numbers, `sharing.py` tensors over memory that is there already.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.memory import copied, empty_as, empty_in
from ..core.tensor import Tensor
from .arguments import ints, need_tensor
from .exposure import expose
from .factory import factory, fill_dtype, np_dtype, number, sizes
from .families import op
from .literal import as_array


@factory("torch.tensor")
def tensor(data, *, dtype=None):
    """A new tensor with a copy of `data`: a number, nested sequences of numbers, or an array.

    >>> import penlight as torch
    >>> torch.tensor([[1, 2], [3, 4]])
    tensor([[1, 2],
            [3, 4]])
    >>> torch.tensor(2.5, dtype=torch.float64)
    tensor(2.5000, dtype=torch.float64)
    """
    if isinstance(data, Tensor):
        warnings.warn(
            "To copy construct from a tensor, it is recommended to use "
            "sourceTensor.detach().clone() or sourceTensor.detach().clone().requires_grad_(True), "
            "rather than torch.tensor(sourceTensor).",
            UserWarning,
            stacklevel=3,
        )
        data = data._array
    return as_array(data, dtype)


@factory("torch.zeros")
def zeros(*size, dtype=None, **kwargs):
    """A tensor of zeros.

    >>> import penlight as torch
    >>> torch.zeros(2, 3)
    tensor([[0., 0., 0.],
            [0., 0., 0.]])
    """
    return np.zeros(sizes("zeros", size, kwargs), np_dtype(dtype))


@factory("torch.ones")
def ones(*size, dtype=None, **kwargs):
    """A tensor of ones.

    >>> import penlight as torch
    >>> torch.ones(3, dtype=torch.int64)
    tensor([1, 1, 1])
    """
    kind = np_dtype(dtype)
    made = np.empty(sizes("ones", size, kwargs), kind)
    made.fill(number(1, kind))
    return made


@factory("torch.empty")
def empty(*size, dtype=None, memory_format=None, **kwargs):
    """A tensor whose values are whatever was in memory."""
    return empty_in(sizes("empty", size, kwargs), np_dtype(dtype), memory_format)


@factory("torch.full")
def full(size, fill_value, *, dtype=None):
    """A tensor of one value; without a dtype, of the value's type.

    >>> import penlight as torch
    >>> torch.full((2, 2), 7)
    tensor([[7, 7],
            [7, 7]])
    """
    if not isinstance(size, (tuple, list)):
        raise TypeError(
            f"full(): argument 'size' (position 1) must be tuple of ints, not {type(size).__name__}"
        )
    if dtype is None:
        dtype = fill_dtype("full", fill_value)
    made = np.empty(sizes("full", (size,), {}), dtype.np)
    made.fill(number(fill_value, dtype.np))
    return made


@factory("torch.scalar_tensor")
def scalar_tensor(s, *, dtype=None):
    """A 0-d tensor of a number, of the default type."""
    return number(s, np_dtype(dtype))


@factory("torch.empty_strided")
def empty_strided(size, stride, *, dtype=None):
    """Uninitialised memory under the given strides (in elements)."""
    size, stride = (
        ints("empty_strided", "size", (size,)),
        ints("empty_strided", "stride", (stride,)),
    )
    if len(size) != len(stride):
        raise RuntimeError(
            f"dimensionality of sizes ({len(size)}) must match dimensionality of strides "
            f"({len(stride)})"
        )
    if any(n < 0 for n in (*size, *stride)):
        raise RuntimeError(
            f"Storage size calculation overflowed with sizes={list(size)} and "
            f"strides={list(stride)}"
        )
    kind = np_dtype(dtype)
    reach = sum((n - 1) * s for n, s in zip(size, stride, strict=True)) + 1
    memory = np.empty(0 if 0 in size else reach, kind)
    return np.ndarray(size, kind, memory, 0, [s * kind.itemsize for s in stride])


@factory("torch.empty_permuted")
def empty_permuted(size, physical_layout, *, dtype=None):
    """Uninitialised memory whose axes follow each other as `physical_layout` says."""
    size = ints("empty_permuted", "size", (size,))
    order = ints("empty_permuted", "physical_layout", (physical_layout,), 2)
    if len(size) != len(order):
        raise RuntimeError(
            "Number of dimensions in size does not match the length of the physical_layout; i.e. "
            f"len(size) = {len(size)} is not equal to len(physical_layout) = {len(order)}"
        )
    for at, dim in enumerate(order):
        if not 0 <= dim < len(size):
            raise RuntimeError(
                f"Dimension out of range (expected to be between 0 and {len(size) - 1}, but got "
                f"{dim} at index {at}).  NB: negative dims not currently supported; file an issue "
                "if you want it."
            )
        if dim in order[:at]:
            raise RuntimeError("Duplicate dim not allowed")
    dense = np.empty([size[d] for d in order], np_dtype(dtype))
    return dense.transpose(sorted(range(len(order)), key=order.__getitem__))


# ---------------------------------------------------------------- like another tensor


def _like(name: str, fill: Callable[[np.dtype], Any] | None, doc: str) -> Callable:
    """zeros_like and its kin: the shape, type and order of axes of `input`, if not given."""

    def make(input: Tensor, *, dtype: Any = None, memory_format: Any = None) -> np.ndarray:
        need_tensor(name, input)
        array = input._array
        kind = array.dtype if dtype is None else dtype.np
        made = empty_as(array, kind, memory_format)
        if fill is not None:
            made.fill(fill(kind))
        return made

    make.__name__ = make.__qualname__ = name
    make.__doc__ = doc
    return factory(f"torch.{name}")(make)


zeros_like = _like("zeros_like", lambda kind: number(0, kind), "Zeros in the shape of `input`.")
ones_like = _like("ones_like", lambda kind: number(1, kind), "Ones in the shape of `input`.")
empty_like = _like("empty_like", None, "Uninitialised memory in the shape of `input`.")


@factory("torch.full_like")
def full_like(input, fill_value, *, dtype=None, memory_format=None):
    """One value in the shape of `input`.

    >>> import penlight as torch
    >>> torch.full_like(torch.zeros(2), 3)
    tensor([3., 3.])
    """
    need_tensor("full_like", input)
    kind = input._array.dtype if dtype is None else dtype.np
    made = empty_as(input._array, kind, memory_format)
    made.fill(number(fill_value, kind))
    return made


def _new(name: str, make: Callable) -> None:
    """Tensor.new_zeros and its kin: a factory with the tensor's type for a default."""

    def new(self: Tensor, *args: Any, dtype: Any = None, **kwargs: Any) -> Tensor:
        return make(*args, dtype=self.dtype if dtype is None else dtype, **kwargs)

    new.__name__ = new.__qualname__ = name
    new.__doc__ = f"Like `torch.{make.__name__}`, with this tensor's dtype for a default."
    setattr(Tensor, name, new)


for _maker in (tensor, zeros, ones, empty, full, empty_strided):
    _new(f"new_{_maker.__name__}", _maker)


# ---------------------------------------------------------------- copies and fills


@op(grad={"input": lambda g: g}, lower=lambda xp, input, memory_format: input.copy())
def clone(xp, input, *, memory_format=None):
    """A copy that gradients flow through.

    >>> import penlight as torch
    >>> torch.clone(torch.tensor([1, 2]))
    tensor([1, 2])
    """
    return copied(input, memory_format)


@op(grad={"input": lambda g: zeros_like(g)}, names="Tensor.zero", inplace=True)
def zero(xp, input):
    """Zeros in the shape of `input`."""
    return xp.zeros_like(input)


def _check_fill(input: Tensor, value: Any) -> None:
    if isinstance(value, Tensor) and value._array.ndim:
        raise RuntimeError(
            "fill_ only supports 0-dimension value tensor but got tensor with "
            f"{value._array.ndim} dimensions."
        )


@op(
    grad={"input": lambda g: zeros_like(g), "value": lambda g: g.sum()},
    check=_check_fill,
    inplace=True,
)
def fill(xp, input, value):
    """A tensor of one value in the shape of `input`.

    >>> import penlight as torch
    >>> torch.zeros(3).fill_(2)
    tensor([2., 2., 2.])
    """
    made = empty_as(input, input.dtype)
    made.fill(number(value, input.dtype))
    return made


for _name in ("fill_", "zero_", "detach", "detach_"):
    expose(getattr(Tensor, _name), f"torch.{_name}")
