"""Which element types an op is for, and the words with which it refuses the others."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..core import dtype as dtypes
from ..core.tensor import Tensor

INTEGERS, FLOATS, COMPLEX = "iu", "fV", "c"  # kinds of NumPy dtypes; V: bfloat16 and float8


def name_of(array: Any) -> str:
    """The element type's name in PyTorch's errors: Float, Long, ..."""
    return dtypes.from_np(array.dtype).scalar_name


def unsupported(kernel: str, array: Any) -> NotImplementedError:
    """PyTorch's error for an op that has no kernel for the element type."""
    return NotImplementedError(f"\"{kernel}\" not implemented for '{name_of(array)}'")


def refuse(kinds: str, kernel: str, array: Any) -> None:
    """NotImplementedError for arrays of the given kinds."""
    if array.dtype.kind in kinds:
        raise unsupported(kernel, array)


def need_tensors(name: str, arguments: str = "input other") -> Callable:
    """A check that the named arguments are tensors, not numbers."""
    names = arguments.split()

    def check(*values: Any) -> None:
        for position, (argument, value) in enumerate(zip(names, values, strict=False), 1):
            if not isinstance(value, Tensor):
                raise TypeError(
                    f"{name}(): argument '{argument}' (position {position}) must be Tensor, not "
                    f"{type(value).__name__}"
                )

    return check


def need_tensor_first(name: str) -> Callable:
    """A check that the first operand is a tensor; the second may be a number."""

    def check(input: Any, other: Any) -> None:
        if not isinstance(input, Tensor):
            raise TypeError(
                f"{name}() received an invalid combination of arguments - got "
                f"({type(input).__name__}, {type(other).__name__}), but expected one of:\n * "
                "(Tensor input, Tensor other, *, Tensor out = None)\n * (Tensor input, Number "
                "other, *, Tensor out = None)\n"
            )

    return check


def only(kinds: str, kernel: str, meaning: str | Callable) -> Callable:
    """`meaning` for arrays of the given kinds; `kernel` is the name in the error for others."""

    def guarded(xp: Any, *arrays: Any) -> Any:
        if arrays[0].dtype.kind not in kinds:
            raise unsupported(kernel, arrays[0])
        return (getattr(xp, meaning) if isinstance(meaning, str) else partial(meaning, xp))(*arrays)

    return guarded


def unchanged_integers(kernel: str, meaning: str) -> Callable:
    """A rounding function: integers are as they are, bools and complex numbers are refused."""
    compute = getattr(np, meaning)

    def guarded(xp: Any, x: Any) -> Any:
        kind = x.dtype.kind
        if kind in INTEGERS:
            return x.copy()
        if kind == COMPLEX and compute is not np.rint:
            raise NotImplementedError(f"{kernel.split('_')[0]} is not supported for complex inputs")
        if kind not in FLOATS:
            raise unsupported(kernel, x)
        return compute(x)

    return guarded
