"""A tensor's memory by itself: as bytes, or as elements of one type."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from . import dtype as dtypes
from .device import CPU
from .memory import address


class UntypedStorage:
    """A tensor's memory as bytes.

    >>> import penlight as torch
    >>> torch.zeros(3).untyped_storage().nbytes()
    12
    """

    def __init__(self, size: int | np.ndarray = 0):
        self.bytes = np.zeros(size, np.uint8) if isinstance(size, int) else size

    device = CPU
    is_cuda = False

    def nbytes(self) -> int:
        """The number of bytes."""
        return self.bytes.size

    size = __len__ = nbytes

    def data_ptr(self) -> int:
        """The address of the first byte."""
        return address(self.bytes) if self.bytes.size else 0

    def element_size(self) -> int:
        """1: the elements are bytes."""
        return 1

    def tolist(self) -> list[int]:
        """The bytes as ints."""
        return self.bytes.tolist()

    def clone(self) -> UntypedStorage:
        """A copy."""
        return UntypedStorage(self.bytes.copy())

    def copy_(self, source: UntypedStorage) -> UntypedStorage:
        """Overwrites the bytes with those of `source`."""
        self.bytes[...] = source.bytes
        return self

    def fill_(self, value: int) -> UntypedStorage:
        """Overwrites every byte."""
        self.bytes[...] = value
        return self

    def cpu(self) -> UntypedStorage:
        """The storage itself."""
        return self

    def __getitem__(self, at: Any) -> Any:
        part = self.bytes[at]
        return UntypedStorage(part) if isinstance(at, slice) else int(part)

    def __setitem__(self, at: Any, value: Any) -> None:
        self.bytes[at] = value.bytes if isinstance(value, UntypedStorage) else value

    def __iter__(self) -> Iterator[int]:
        return iter(self.bytes.tolist())

    def __repr__(self) -> str:
        rows = "".join(f" {byte}\n" for byte in self.bytes.tolist())
        return f"{rows}[torch.storage.UntypedStorage(device=cpu) of size {self.bytes.size}]"


class TypedStorage:
    """A tensor's memory as elements of one type."""

    def __init__(self, untyped: UntypedStorage, dtype: dtypes.dtype):
        self._untyped, self.dtype = untyped, dtype

    device = CPU
    is_cuda = False

    @property
    def _elements(self) -> np.ndarray:
        return self._untyped.bytes.view(self.dtype.np)

    def untyped(self) -> UntypedStorage:
        """The same memory as bytes."""
        return self._untyped

    def size(self) -> int:
        """The number of elements."""
        return self._elements.size

    __len__ = size

    def nbytes(self) -> int:
        """The number of bytes."""
        return self._untyped.nbytes()

    def element_size(self) -> int:
        """The bytes of one element."""
        return self.dtype.itemsize

    def data_ptr(self) -> int:
        """The address of the first element."""
        return self._untyped.data_ptr()

    def tolist(self) -> list:
        """The elements as Python numbers."""
        return self._elements.tolist()

    def __getitem__(self, at: int) -> Any:
        return self._elements[at].item()

    def __setitem__(self, at: Any, value: Any) -> None:
        self._elements[at] = value

    def __iter__(self) -> Iterator:
        return iter(self.tolist())

    def __repr__(self) -> str:
        rows = "".join(f" {value}\n" for value in self.tolist())
        name = "torch.storage.TypedStorage"
        return f"{rows}[{name}(dtype={self.dtype}, device=cpu) of size {len(self)}]"
