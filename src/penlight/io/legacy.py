"""PyTorch's file format before version 1.6: five pickles, then the bytes of the storages."""

import struct
from pickle import UnpicklingError
from typing import Any

import numpy as np

from .locations import Locator
from .names import NAMES
from .storage import Storage, StorageType
from .unpickler import Unpickler, type_names

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001


def load_legacy(data: bytes, locate: Locator) -> Any:
    """The value in the bytes of such a file."""
    if not data:
        raise EOFError("Ran out of input: the file is empty, or was read to its end (f.seek(0)?)")
    magic, position = _next(data, 0)
    if magic != _MAGIC:
        raise RuntimeError("Invalid magic number; corrupt file?")
    protocol, position = _next(data, position)
    if protocol != _PROTOCOL:
        raise RuntimeError(f"Invalid protocol version: {protocol}")
    _, position = _next(data, position)  # the byte order and word sizes of the machine
    storages = _Storages(len(data) - position, locate)
    program = Unpickler(data, NAMES, storages.find, position)
    value = program.load()
    keys, position = _next(data, program.position)
    storages.fill(keys, data, position)
    return value


def _next(data: bytes, position: int) -> tuple[Any, int]:
    program = Unpickler(data, {}, None, position)
    return program.load(), program.position


class _Storages:
    """The storages that the pickle names; their bytes come after it."""

    def __init__(self, room: int, locate: Locator) -> None:
        self._room = room  # bytes that the rest of the file can hold
        self._locate = locate
        self._known: dict[str, Storage] = {}
        self._itemsizes: dict[str, int] = {}

    def find(self, identity: Any) -> Storage:
        if (
            type(identity) is not tuple
            or [type(part) for part in identity[:5]] != [str, StorageType, str, str, int]
            or len(identity) != 6
            or identity[0] != "storage"
        ):
            raise UnpicklingError(
                "a storage is named ('storage', type, key, location, count, view); "
                f"the file has {type_names(identity)}"
            )
        _, kind, key, location, count, view = identity
        if kind.dtype is None or view is not None:
            raise UnpicklingError(f"storage {key[:40]} is of a kind that no released PyTorch wrote")
        known = self._known.get(key)
        if known is None:
            size = count * kind.dtype.itemsize
            if not 0 <= size <= self._room:
                raise UnpicklingError(
                    f"storage {key[:40]} has {count} elements: the file is shorter"
                )
            self._room -= size
            known = self._known[key] = Storage(np.zeros(size, np.uint8), kind.dtype)
            self._itemsizes[key] = kind.dtype.itemsize
        if known.dtype is not kind.dtype:
            raise UnpicklingError(f"storage {key[:40]} is used with two different types")
        return self._locate(known, location)

    def fill(self, keys: Any, data: bytes, position: int) -> None:
        """Copy each storage's bytes, in the order of `keys`: a count of elements, then these."""
        if type(keys) is not list or set(keys) != set(self._known) or len(keys) != len(self._known):
            raise UnpicklingError("the list of storages does not fit the tensors")
        for key in keys:
            storage = self._known[key]
            end = position + 8 + len(storage.data)
            if end > len(data):
                raise UnpicklingError(f"the file ends inside storage {key[:40]}")
            (count,) = struct.unpack_from("<q", data, position)
            if count * self._itemsizes[key] != len(storage.data):
                raise UnpicklingError(f"storage {key[:40]} has another size than its tensors say")
            storage.data[:] = np.frombuffer(data, np.uint8, len(storage.data), position + 8)
            position = end
