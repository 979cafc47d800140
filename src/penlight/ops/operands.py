"""Operands of mixed kinds: tensors, 0-d tensors and numbers brought to one type and shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core import dtype as dtypes
from ..core.tensor import Tensor
from .record import Record


def result_dtype(operands: Sequence[Any]) -> dtypes.dtype:
    """The type that tensors, 0-d tensors and numbers combine to."""
    dimensioned = zero_dim = number = None
    for value in operands:
        if isinstance(value, Tensor):
            d = value.dtype
            if value._array.ndim:
                dimensioned = d if dimensioned is None else dtypes.promote_types(dimensioned, d)
            else:
                zero_dim = d if zero_dim is None else dtypes.promote_types(zero_dim, d)
        else:
            d = dtypes.of_number(value)
            number = d if number is None else dtypes.promote_types(number, d)
    return dtypes.combine(dimensioned, zero_dim, number)


def promote_arrays(record: Record, bound: tuple, arrays: list) -> None:
    """Brings the arguments named by the record's `promote` to their common type."""
    used = [i for i in record.promote if bound[i] is not None]
    common = result_dtype([bound[i] for i in used]).np
    for i in used:
        arrays[i] = np.asarray(arrays[i]).astype(common, copy=False)


def with_number(record: Record, input: Any, other: Any, floats: bool) -> tuple[Any, Any]:
    """The arrays of a tensor and a Python number, in the tensor's or the promoted type."""
    if isinstance(input, Tensor):
        x = input._array
        common = _number_dtype(record, 1, x.dtype, other, floats)
        if common is not x.dtype:
            x = x.astype(common)
        return x, as_scalar(other, common)
    if isinstance(other, Tensor):
        y = other._array
        common = _number_dtype(record, 0, y.dtype, input, floats)
        if common is not y.dtype:
            y = y.astype(common)
        return as_scalar(input, common), y
    raise not_a_tensor(record, 0, input)


def _number_dtype(record: Record, index: int, own: np.dtype, number: Any, floats: bool) -> np.dtype:
    kind = type(number)
    if (kind is float or kind is int) and own.kind == "f":
        return own
    if kind is int and own.kind in "iu" and not floats:
        return own
    if not isinstance(number, (bool, int, float, complex, np.number, np.bool_)):
        raise not_a_tensor(record, index, number)
    found = dtypes.combine(dtypes.from_np(own), None, dtypes.of_number(number)).np
    return dtypes.get_default_dtype().np if floats and found.kind in "iub" else found


def as_scalar(number: Any, to: np.dtype) -> Any:
    """A Python number as a 0-d array; integers wrap as in PyTorch."""
    if to.kind in "iu" and isinstance(number, int):
        bits = 8 * to.itemsize
        number &= (1 << bits) - 1
        if to.kind == "i" and number >> (bits - 1):
            number -= 1 << bits
    return np.array(number, to)


def check_broadcast(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    """RuntimeError, with PyTorch's text, unless the shapes broadcast."""
    rank = max(len(a), len(b))
    for axis in range(rank - 1, -1, -1):
        i, j = axis - rank + len(a), axis - rank + len(b)
        m, n = a[i] if i >= 0 else 1, b[j] if j >= 0 else 1
        if m != n and m != 1 and n != 1:
            raise RuntimeError(
                f"The size of tensor a ({m}) must match the size of tensor b ({n}) at "
                f"non-singleton dimension {axis}"
            )


def not_a_tensor(record: Record, index: int, value: Any) -> TypeError:
    """PyTorch's error for a wrong argument type."""
    return TypeError(
        f"{record.name}(): argument '{record.params[index]}' (position {index + 1}) must be "
        f"Tensor, not {type(value).__name__}"
    )
