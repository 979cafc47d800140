"""From Python data to arrays: what `torch.tensor([[1, 2], [3, 4]])` means."""

from __future__ import annotations

import functools
import warnings
from collections import deque
from functools import reduce
from typing import Any

import numpy as np

from ..core import dtype as dtypes
from ..core.tensor import Tensor
from .cast import cast

_NUMBERS = frozenset((bool, int, float, complex))
_SEQUENCES = (list, tuple, range, deque)


def as_array(data: Any, dtype: dtypes.dtype | None) -> np.ndarray:
    """A new array of the numbers in `data`; without a dtype, of the type they suggest.

    >>> as_array([[1, 2.5]], None).dtype
    dtype('float32')
    """
    if isinstance(data, (np.ndarray, np.generic)):
        array = np.asarray(data)
        check_foreign(array)
        return array.copy() if dtype is None else cast(array, dtype.np, copy=True)
    if isinstance(data, (str, bytes)):
        raise TypeError(f"new(): invalid data type '{type(data).__name__}'")
    kinds = leaf_types(data)
    if not kinds <= _NUMBERS:
        if np.ndarray in kinds:
            _warn_slow()
        if dtype is None:
            dtype = _inferred(data)
        data = _plain(data)
    shape = _shape_of(data)
    try:
        array = np.array(data)
    except ValueError:
        _explain_ragged(data, shape, 0, kinds)
        raise
    if array.shape != shape:
        _explain_ragged(data, shape, 0, kinds)
    if dtype is None:
        return _natural(array)
    return _converted(array, dtype)


@functools.cache  # as in PyTorch, once per process
def _warn_slow() -> None:
    warnings.warn(
        "Creating a tensor from a list of numpy.ndarrays is extremely slow. Please consider "
        "converting the list to a single numpy.ndarray with numpy.array() before converting to a "
        "tensor.",
        UserWarning,
        stacklevel=6,
    )


def leaf_types(data: Any) -> set[type]:
    """The types of all elements of nested sequences."""
    if not isinstance(data, _SEQUENCES):
        return {type(data)}
    found = set(map(type, data))
    for kind in _SEQUENCES:
        if kind in found:
            found.discard(kind)
            for part in data:
                if type(part) is kind:
                    found |= leaf_types(part)
    return found


def _natural(array: np.ndarray) -> np.ndarray:
    """Python numbers in the types PyTorch gives them."""
    kind = array.dtype.kind
    if kind in "Ou":
        raise ValueError("Overflow when unpacking long long")
    if kind == "f":
        return cast(array, dtypes.get_default_dtype().np)
    if kind == "c":
        return cast(array, dtypes.get_default_dtype().to_complex().np)
    return array


def _converted(array: np.ndarray, dtype: dtypes.dtype) -> np.ndarray:
    """Python numbers in a given type; integers must fit."""
    target, kind = dtype.np, array.dtype.kind
    if kind == "c" and not dtype.is_complex:
        if dtype.category == dtypes.INTEGER:
            raise TypeError("'complex' object cannot be interpreted as an integer")
        raise TypeError("must be real number, not complex")
    if dtype.category == dtypes.INTEGER and array.size:
        check_range(array, target, target.name)
    if kind == "O":  # integers of more than 64 bits
        array = array.astype(np.float64)
    return cast(array, target)


def check_range(array: np.ndarray, target: np.dtype, name: str) -> None:
    """RuntimeError where a number does not fit an integer type; negative ones may wrap."""
    limits = np.iinfo(target)
    low = -limits.max if limits.min == 0 else limits.min
    smallest, largest = array.min(), array.max()
    if not (smallest >= low and largest <= limits.max):  # also where one of them is nan
        raise RuntimeError(f"value cannot be converted to type {name} without overflow")


# ---------------------------------------------------------------- other elements


def _inferred(data: Any) -> dtypes.dtype:
    """The smallest type for all elements, tensors and NumPy numbers among them."""
    if isinstance(data, _SEQUENCES):
        found = [_inferred(part) for part in data]
        return reduce(dtypes.promote_types, found) if found else dtypes.get_default_dtype()
    if isinstance(data, Tensor):
        return data.dtype
    if isinstance(data, (np.ndarray, np.generic)):
        return dtypes.from_np(data.dtype)
    if isinstance(data, str):
        raise ValueError(f"too many dimensions '{type(data).__name__}'")
    if type(data) not in _NUMBERS:
        raise RuntimeError(f"Could not infer dtype of {type(data).__name__}")
    return dtypes.of_number(data)


def _plain(data: Any) -> Any:
    """Nested lists of Python numbers."""
    if isinstance(data, _SEQUENCES):
        return [_plain(part) for part in data]
    if isinstance(data, Tensor):
        if data._array.size != 1:
            raise ValueError("only one element tensors can be converted to Python scalars")
        return data.item()
    if isinstance(data, (np.ndarray, np.generic)):
        return data.tolist()
    return data


# ---------------------------------------------------------------- errors


def _shape_of(data: Any) -> tuple[int, ...]:
    """The shape that the first elements promise."""
    shape = []
    while isinstance(data, _SEQUENCES):
        shape.append(len(data))
        if not data:
            break
        data = data[0]
    return tuple(shape)


def _explain_ragged(data: Any, shape: tuple[int, ...], axis: int, kinds: set[type]) -> None:
    """Raises for the first part of nested sequences that is not of the promised length."""
    if axis == len(shape):
        if isinstance(data, _SEQUENCES):
            real = "must be real number, not " + type(data).__name__
            whole = f"'{type(data).__name__}' object cannot be interpreted as an integer"
            raise TypeError(real if kinds & {float, complex} else whole)
        return
    if not isinstance(data, _SEQUENCES):
        raise TypeError("not a sequence")
    if len(data) != shape[axis]:
        raise ValueError(
            f"expected sequence of length {shape[axis]} at dim {axis} (got {len(data)})"
        )
    for part in data:
        _explain_ragged(part, shape, axis + 1, kinds)


def check_foreign(array: np.ndarray) -> None:
    """Raises where a NumPy array can not be a tensor's memory."""
    kind = array.dtype
    if not kind.isnative:
        raise ValueError(
            "given numpy array has byte order different from the native byte order. "
            "Conversion between byte orders is currently not supported."
        )
    if kind not in dtypes._BY_NP:
        raise TypeError(
            f"can't convert np.ndarray of type numpy.{kind.type.__name__}. The only supported "
            "types are: float64, float32, float16, complex64, complex128, int64, int32, int16, "
            "int8, uint64, uint32, uint16, uint8, and bool."
        )
    if any(stride < 0 for stride in array.strides):
        raise ValueError(
            "At least one stride in the given numpy array is negative, and tensors with negative "
            "strides are not currently supported. (You can probably work around this by making a "
            "copy of your array  with array.copy().) "
        )
