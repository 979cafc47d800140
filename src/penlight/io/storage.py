"""The memory behind tensors, as a checkpoint sees it: bytes that several tensors may share."""

import math
from bisect import bisect_right
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from ..core.dtype import dtype
from ..core.memory import address
from ..core.tensor import Tensor
from .unpickler import Part


class StorageType(Part):
    """The class a storage is saved under; `dtype` is None where only the tensor knows it."""

    __slots__ = ("dtype", "name")

    def __init__(self, name: str, dtype: dtype | None) -> None:
        self.name = name
        self.dtype = dtype

    def __repr__(self) -> str:
        return self.name


class Storage(Part):
    """Bytes read from a checkpoint, from which tensors are cut."""

    __slots__ = ("data", "dtype")

    def __init__(self, data: np.ndarray, dtype: dtype | None) -> None:
        self.data = data
        self.dtype = dtype

    def __repr__(self) -> str:
        return "a storage"

    def cut(self, offset: int, size: tuple, stride: tuple, dtype: dtype) -> np.ndarray:
        """The array of this size and stride (in elements) that begins at element `offset`."""
        numbers = (offset, *size, *stride)
        if any(type(number) is not int or number < 0 for number in numbers):
            raise ValueError("offset, size and stride must be integers, none negative")
        if len(size) != len(stride):
            raise ValueError(f"mismatch in length of strides and shape: {stride} and {size}")
        last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
        wanted = dtype.itemsize * (last + 1 if math.prod(size) else 0)
        if wanted > len(self.data):
            raise RuntimeError(
                f"setStorage: sizes {list(size)}, strides {list(stride)}, storage offset {offset}, "
                f"and itemsize {dtype.itemsize} requiring a storage size of {wanted} are out of "
                f"bounds for storage of size {len(self.data)}"
            )
        if not math.prod(size):
            return np.empty(size, dtype.np)
        steps = [step * dtype.itemsize for step in stride]
        return np.ndarray(size, dtype.np, self.data, offset * dtype.itemsize, steps)


class Saved(NamedTuple):
    """A run of memory that is saved as one storage."""

    key: int
    start: int  # addresses
    end: int
    dtype: dtype

    def data(self) -> np.ndarray:
        """Its bytes, not copied. The tensors keep the memory alive."""
        interface = {
            "data": (self.start, True),
            "shape": (self.end - self.start,),
            "typestr": "|u1",
            "version": 3,
        }
        return np.asarray(SimpleNamespace(__array_interface__=interface))


class StoragePlan:
    """Which bytes are saved for `tensors`: every shared byte once.

    A tensor brings the whole memory of the tensor that it is a view of, as in PyTorch.
    """

    def __init__(self, tensors: list[Tensor]) -> None:
        self.storages: dict[int, Saved] = {}  # by the address, or the id of an empty tensor
        self._copies: dict[int, np.ndarray] = {}
        self._starts: list[int] = []
        self._ends: list[int] = []
        arrays = [(self._array(t), t if t._root is None else t._root) for t in tensors]
        spans = [_span(array) for array, _ in arrays] + [_span(root._array) for _, root in arrays]
        for start, end in sorted(spans):
            if self._ends and start < self._ends[-1]:  # memory that the one before reaches into
                self._ends[-1] = max(end, self._ends[-1])
            elif start < end:
                self._starts.append(start)
                self._ends.append(end)

    def place(self, tensor: Tensor) -> tuple[Saved, int, tuple[int, ...]]:
        """The storage that holds `tensor`, and its offset and stride there in elements."""
        array = self._array(tensor)
        first = _span(array)[0]
        identity, start, end = id(tensor), first, first
        if array.size:
            run = bisect_right(self._starts, first) - 1
            identity = start = self._starts[run]
            end = self._ends[run] - (self._ends[run] - start) % array.itemsize
        new = Saved(len(self.storages), start, end, tensor.dtype)
        saved = self.storages.setdefault(identity, new)
        if saved.dtype is not tensor.dtype:
            raise RuntimeError(
                "Cannot save multiple tensors or storages that view the same data as different "
                "types"
            )
        stride = tuple(step // array.itemsize for step in array.strides)
        return saved, (first - start) // array.itemsize, stride

    def _array(self, tensor: Tensor) -> np.ndarray:
        """The tensor's array, copied where its strides are such as no PyTorch tensor has."""
        array = tensor._array
        if any(step < 0 or step % array.itemsize for step in array.strides):
            array = self._copies.setdefault(id(tensor), np.ascontiguousarray(array))
        return array


def _span(array: np.ndarray) -> tuple[int, int]:
    """First address of an array, and the first behind it."""
    if array.size:
        return np.lib.array_utils.byte_bounds(array)
    return address(array), address(array)
