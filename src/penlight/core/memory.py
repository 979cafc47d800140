"""How elements lie in memory: memory formats, strided views, and the storage behind a tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .formats import channels_last, channels_last_3d, contiguous_format, preserve_format

_CHANNELS_LAST = {channels_last: 4, channels_last_3d: 5}  # and the rank they are for


def empty_in(shape: tuple[int, ...], dtype: np.dtype, form: Any = None) -> np.ndarray:
    """Uninitialised memory in a memory format; None means row-major.

    >>> empty_in((2, 3, 4, 5), np.dtype(np.int8), channels_last).strides
    (60, 1, 15, 3)
    """
    if form is None or form is contiguous_format:
        return np.empty(shape, dtype)
    rank = _CHANNELS_LAST.get(form)
    if rank is None:
        raise RuntimeError(f"unsupported memory format option {_printed(form)}")
    if len(shape) != rank:
        raise RuntimeError(f"required rank {rank} tensor to use {form.name} format")
    batch, channels, *space = shape
    return np.moveaxis(np.empty((batch, *space, channels), dtype), -1, 1)


def _printed(form: Any) -> str:
    return "Preserve" if form is preserve_format else str(form)


def empty_as(array: np.ndarray, dtype: np.dtype, form: Any = None) -> np.ndarray:
    """Uninitialised memory of an array's shape, by default with its order of axes."""
    if form is not None and form is not preserve_format:
        return empty_in(array.shape, dtype, form)
    if array.flags.c_contiguous:
        return np.empty(array.shape, dtype)
    if 0 not in array.strides:
        return np.empty_like(array, dtype, order="K", subok=False)
    order = _axes_by_stride(array)
    dense = np.empty([array.shape[axis] for axis in order], dtype)
    return dense.transpose(sorted(range(array.ndim), key=order.__getitem__))


def _axes_by_stride(array: np.ndarray) -> list[int]:
    """The axes, largest stride first; one of stride 0 (expanded) stays between its neighbours."""
    order: list[int] = []
    for axis in range(array.ndim):
        at, stride = len(order), array.strides[axis]
        for place in range(len(order) - 1, -1, -1):
            other = array.strides[order[place]]
            if stride and other:
                if other >= stride:
                    break
                at = place
        order.insert(at, axis)
    return order


def copied(array: np.ndarray, form: Any = None) -> np.ndarray:
    """A copy of an array, by default with its order of axes."""
    if (form is None or form is preserve_format) and 0 not in array.strides:
        return array.copy("K")
    copy = empty_as(array, array.dtype, form)
    copy[...] = array
    return copy


def is_laid_out(array: np.ndarray, form: Any = contiguous_format) -> bool:
    """Whether the elements lie in memory without gaps, in the order of `form`."""
    if form is contiguous_format:
        return array.flags.c_contiguous
    if form not in _CHANNELS_LAST:
        raise RuntimeError(f"is_contiguous(): unsupported memory format {_printed(form)}")
    return array.ndim == _CHANNELS_LAST[form] and np.moveaxis(array, 1, -1).flags.c_contiguous


# ---------------------------------------------------------------- strides and storage


def view_as_strided(
    array: np.ndarray, shape: Sequence[int], strides: Sequence[int], offset: int = 0
) -> np.ndarray:
    """A view of an array's elements; strides and offset (from the first element) in bytes."""
    if array.flags.forc:
        return np.ndarray(shape, array.dtype, array, offset, strides)
    memory = owner_bytes(array)
    return np.ndarray(
        shape, array.dtype, memory, address(array) - address(memory) + offset, strides
    )


def owner_bytes(array: np.ndarray) -> np.ndarray:
    """All of the memory that `array` looks at, as bytes: its tensor's storage."""
    owner = array
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    if not owner.flags.forc:  # dense but permuted, or a foreign array with gaps
        order = sorted(range(owner.ndim), key=lambda axis: -abs(owner.strides[axis]))
        owner = owner.transpose(order)
        if not owner.flags.c_contiguous:
            return _span(owner)
    return np.ndarray((owner.nbytes,), np.uint8, owner)


def _span(array: np.ndarray) -> np.ndarray:
    """The bytes from an array's first element to its last, gaps included."""
    low, high = np.lib.array_utils.byte_bounds(array)
    flat = np.lib.stride_tricks.as_strided(array, (1,), (array.itemsize,)).view(np.uint8)
    return np.lib.stride_tricks.as_strided(flat, (high - low,), (1,))


def address(array: np.ndarray) -> int:
    """Where an array's first element is in memory."""
    return array.__array_interface__["data"][0]
