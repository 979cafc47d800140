"""Random whole numbers: randint, randperm, random_."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from ..core import draws
from ..core import dtype as dtypes
from ..core.dtype import dtype as dtype_
from ..core.info import finfo
from ..core.memory import empty_as
from ..core.random import Generator, check_generator
from ..core.tensor import Tensor
from .arguments import need_tensor
from .factory import factory, sizes
from .filling import C_NAMES, fills, need_float, pour

LOWEST = -(2**63)


# ---------------------------------------------------------------- ranges


def between(generator: Any, n: int, dtype: dtype_, low: int, high: int) -> np.ndarray:
    """n whole numbers in [low, high) of a type."""
    source = check_generator(generator)
    if low >= high:
        raise RuntimeError(
            f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}"
        )
    if dtype.np.name in draws.DIGITS:
        low, high = _within(dtype, low, high)
    _check(dtype, low, high - 1)
    return draws.integers(source, n, dtype.np, low, high - low)


def upwards(generator: Any, n: int, dtype: dtype_, low: int) -> np.ndarray:
    """n whole numbers of a type that are at least `low`."""
    source = check_generator(generator)
    if low == LOWEST:
        if (dtype.itemsize < 4 and dtype is not dtypes.bfloat16) or dtype is dtypes.int32:
            raise RuntimeError(
                "random_full_64_bits_range_kernel_cpu handles only int64, double, float and "
                "bfloat16"
            )
        return draws.integers(source, n, dtype.np, 0, 2**64)
    name = dtype.np.name
    top = 2 ** draws.DIGITS[name] if name in draws.DIGITS else _largest(dtype)
    _check(dtype, low, top)
    return draws.integers(source, n, dtype.np, low, top - low + 1)


def _largest(dtype: dtype_) -> int:
    return 1 if dtype is dtypes.bool_ else int(np.iinfo(dtype.np).max)


def _within(dtype: dtype_, low: int, high: int) -> tuple[int, int]:
    """The bounds moved inwards to where rounding to the type keeps a number between them."""
    digits, kind = draws.DIGITS[dtype.np.name], dtype.np.type
    with np.errstate(over="ignore"):
        next_low, last = float(kind(float(low + 1))), float(kind(float(high - 1)))
    if math.isfinite(next_low) and next_low < low:
        low = int(next_low) + (1 << (abs(low + 1).bit_length() - digits))
    if math.isfinite(last) and last >= high:
        high = int(last) - (1 << (abs(high - 1).bit_length() - digits))
    if low >= high:
        raise RuntimeError(
            "random_ expects 'from' casted to dtype to be less than 'to' casted to dtype, but got "
            f"from={low} >= to={high}"
        )
    return low, high


def _check(dtype: dtype_, low: int, last: int) -> None:
    """RuntimeError unless the type holds both numbers; a warning where it has gaps between them."""
    name = dtype.np.name
    if name in draws.DIGITS:
        greatest = int(finfo(dtype).max)
        bounds = -greatest, greatest
    elif dtype.category <= dtypes.INTEGER:
        bounds = 0 if dtype is dtypes.bool_ else int(np.iinfo(dtype.np).min), _largest(dtype)
    else:
        raise RuntimeError(
            "check_random_bounds handles only integral, floating-point and boolean types"
        )
    called = C_NAMES[name]
    for role, value in (("from", low), ("to - 1", last)):
        if not bounds[0] <= value <= bounds[1]:
            raise RuntimeError(f"{role} is out of bounds for {called}")
        if name in draws.DIGITS and abs(value) > 2 ** draws.DIGITS[name]:
            warnings.warn(
                f"{role} is out of bounds [-(2^{draws.DIGITS[name]}), 2^{draws.DIGITS[name]}]. Due "
                f"to precision limitations {called} can support discrete uniform distribution only "
                "within this range. This warning will become an error in version 1.7 release, "
                "please fix the code in advance",
                stacklevel=5,
            )


# ---------------------------------------------------------------- arguments


def _is_integer(value: Any) -> bool:
    return hasattr(value, "__index__") and not (
        isinstance(value, Tensor) and value.dtype.category >= dtypes.FLOAT
    )


def _bounds(name: str, args: tuple, low: Any, high: Any) -> tuple[int, int]:
    """(high) or (low, high), by position or by name."""
    if len(args) == 2 and low is None and high is None:
        low, high = args
    elif len(args) == 1 and high is None:
        (high,) = args
    elif len(args) == 1 and low is None:
        (low,) = args
    low = 0 if low is None else low
    if not (_is_integer(low) and _is_integer(high)):
        got = ", ".join(type(a).__name__ for a in (*args, low, high))
        raise TypeError(
            f"{name}() received an invalid combination of arguments - got ({got}), but expected "
            "(int high, ...) or (int low, int high, ...)"
        )
    return low.__index__(), high.__index__()


@factory("torch.randint", draws=True)
def randint(*args, low=None, high=None, size=None, dtype=None, generator=None):
    """Whole numbers in [low, high): `randint(high, size)` or `randint(low, high, size)`.

    >>> import penlight as torch
    >>> _ = torch.manual_seed(0)
    >>> torch.randint(3, 5, (3,))
    tensor([3, 4, 4])
    """
    if size is None and args:
        *args, size = args
    low, high = _bounds("randint", tuple(args), low, high)
    if not isinstance(size, (tuple, list)):
        raise TypeError(
            f"randint(): argument 'size' (position {len(args) + 1}) must be tuple of ints, "
            f"not {type(size).__name__}"
        )
    shape = sizes("randint", (size,), {})
    dtype = dtypes.int64 if dtype is None else dtype
    return between(generator, math.prod(shape), dtype, low, high).reshape(shape)


@factory("torch.randint_like", draws=True)
def randint_like(input, *args, low=None, high=None, dtype=None, generator=None, memory_format=None):
    """Whole numbers in [low, high) in the shape of `input`."""
    need_tensor("randint_like", input)
    low, high = _bounds("randint_like", args, low, high)
    dtype = input.dtype if dtype is None else dtype
    array = empty_as(input._array, dtype.np, memory_format)
    pour(array, between(generator, array.size, dtype, low, high))
    return array


@factory("torch.randperm", draws=True)
def randperm(n, *, dtype=None, generator=None):
    """The numbers 0 to n - 1 in random order.

    >>> import penlight as torch
    >>> _ = torch.manual_seed(0)
    >>> torch.randperm(4)
    tensor([0, 1, 3, 2])
    """
    if not _is_integer(n):
        raise TypeError(
            f"randperm(): argument 'n' (position 1) must be int, not {type(n).__name__}"
        )
    (n,) = sizes("randperm", (n,), {})
    dtype = dtypes.int64 if dtype is None else dtype
    name = dtype.np.name
    if name in draws.DIGITS:
        most = 2 ** draws.DIGITS[name] + 1
        if n > most:
            raise RuntimeError(f"n cannot be greater than {most} for {dtype.scalar_name} type.")
    elif n - 1 > _largest(dtype):
        raise RuntimeError(f"value cannot be converted to type {name}_t without overflow")
    return draws.permutation(check_generator(generator), n).astype(dtype.np, copy=False)


@fills("RandomBackward0")
def random_(self: Tensor, *bounds: Any, generator: Generator | None = None, **named: Any) -> Any:
    """Fills with whole numbers: random_(from, to) in [from, to), random_(to) in [0, to).

    Without bounds, from 0 to the largest of the type; in a float type, to the largest below which
    it has all whole numbers.
    """
    n, dtype = self._array.size, self.dtype
    if not bounds and not named:
        if dtype.np.kind not in "bi" and dtype is not dtypes.uint8:
            need_float(dtype, "random_kernel_cpu")
        return draws.any_integers(check_generator(generator), n, dtype.np)
    if len(bounds) == 1 and not named:
        named = {"to": bounds[0]}
    else:
        named = dict(zip(("from_", "to"), bounds, strict=False)) | named
    low, high = named.pop("from_", 0), named.pop("to", None)
    if named or not _is_integer(low) or not (high is None or _is_integer(high)):
        got = ", ".join(type(b).__name__ for b in bounds)
        raise TypeError(
            f"random_() received an invalid combination of arguments - got ({got}), but expected "
            "(), (int to) or (int from, int to)"
        )
    if high is None:
        return upwards(generator, n, dtype, low.__index__())
    return between(generator, n, dtype, low.__index__(), high.__index__())
