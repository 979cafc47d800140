"""Where an array's elements lie: addresses, the memory behind an array, arrays over given strides."""

from __future__ import annotations

from typing import Any

import numpy as np


def address(array: np.ndarray) -> int:
    """The address of the first element."""
    return array.__array_interface__["data"][0]


def owner_bytes(array: np.ndarray) -> np.ndarray:
    """All the memory that `array` looks at a part of, as bytes."""
    owner = array
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    if owner.flags.c_contiguous:
        return np.ndarray((owner.nbytes,), np.uint8, owner)
    if owner.flags.f_contiguous:
        return np.ndarray((owner.nbytes,), np.uint8, owner.T)
    low, high = np.lib.array_utils.byte_bounds(owner)
    flat = np.lib.stride_tricks.as_strided(owner, (1,), (owner.itemsize,))
    return np.lib.stride_tricks.as_strided(flat.view(np.uint8), (high - low,), (1,))


def view_as_strided(array: np.ndarray, shape: tuple, strides: tuple) -> Any:
    """The memory from the array's first element on, with other lengths and strides (in bytes)."""
    if array.size == 1 and array.flags.c_contiguous:  # the gradient of a sum: common, and quick
        return np.ndarray(shape, array.dtype, array, 0, strides)
    return np.lib.stride_tricks.as_strided(array, shape, strides)
