"""The zip archive of a .pt file: entries stored as they are, each at a multiple of 64 bytes.

The writer lays bytes out as PyTorch does, so that PyTorch can map the file into memory. The reader
believes nothing: every offset and size is checked against the real length of the file before a
byte is allocated.

Source: PKWARE's APPNOTE 6.3.10.
"""

import itertools
import os
import struct
import zlib
from typing import IO, Any, NamedTuple

import numpy as np

ALIGNMENT = 64
_LIMIT16, _LIMIT32 = 0xFFFF, 0xFFFFFFFF  # a field at its limit: the value is in a zip64 record

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_DESCRIPTOR, _DESCRIPTOR64 = struct.Struct("<4s3I"), struct.Struct("<4sI2Q")
_END64, _LOCATOR64 = struct.Struct("<4sQ2H2I4Q"), struct.Struct("<4sIQI")
_END = struct.Struct("<4s4H2IH")

_FLAGS = 0x0008 | 0x0800  # the sizes follow the data, as in PyTorch's files; names are UTF-8
_ENCRYPTED = 0x0001


class Entry(NamedTuple):
    """Where an entry's bytes lie."""

    offset: int
    size: int
    crc: int
    plain: bool  # stored as it is, neither compressed nor encrypted


class ArchiveReader:
    """The entries of a zip archive of the kind that PyTorch writes, in any seekable file.

    The archive begins where the file stands. Raises RuntimeError, in PyTorch's words, where the
    archive is damaged, compressed, encrypted, or where entries overlap or reach out of the file.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._start = file.tell()
        self.length = file.seek(0, os.SEEK_END) - self._start
        self._entries = self._read_directory()
        first = next(iter(self._entries), "")
        self._folder = first[: first.find("/") + 1]  # "model/data.pkl": "model/", whatever it is
        # torch.serialization.set_crc32_options(False) leaves every checksum 0
        self._has_checksums = any(entry.crc for entry in self._entries.values())

    def __contains__(self, name: str) -> bool:
        return self._folder + name in self._entries

    def entry(self, name: str) -> Entry:
        """Where `name` lies; RuntimeError if there is no such entry, stored plain."""
        entry = self._entries.get(self._folder + name)
        if entry is None:
            raise damaged(f"file not found: {self._folder}{name}")
        if not entry.plain:
            raise damaged(
                f"{name} is compressed or encrypted; a checkpoint's entries are stored plain"
            )
        return entry

    def read(self, name: str) -> np.ndarray:
        """The bytes of an entry, new and writable, compared with their checksum."""
        entry = self.entry(name)
        data = np.empty(entry.size, np.uint8)
        self._fill(entry.offset, data.data)
        if self._has_checksums and zlib.crc32(data.data) != entry.crc:
            raise damaged(f"the checksum of {self._folder}{name} is wrong: its bytes changed")
        return data

    def _read_directory(self) -> dict[str, Entry]:
        """The central directory, each entry checked against its local header and its neighbours."""
        start, size, count = self._find_directory()
        directory = self._bytes(start, size)
        entries: dict[str, Entry] = {}
        headers = []  # (start of the local header, end of the data, name)
        position = 0
        for _ in range(count):
            name, header, entry, position = _read_central(directory, position)
            if name in entries:
                raise damaged(f"{name} appears twice")
            offset = self._data_offset(header, name, entry.plain, start)
            if entry.size > start - offset:
                raise damaged(f"{name} is said to have {entry.size} bytes, more than the file has")
            entries[name] = entry._replace(offset=offset)
            headers.append((header, offset + entry.size, name))
        if position != size:
            raise damaged("its directory has another length than it says")
        headers.sort()
        for (_, end, name), (following, _, other) in itertools.pairwise(headers):
            if end > following:
                raise damaged(f"{name} and {other} overlap")
        return entries

    def _find_directory(self) -> tuple[int, int, int]:
        """Start and size in bytes of the central directory, and how many entries it has."""
        tail_start = max(0, self.length - _END.size - _LIMIT16)
        tail = self._bytes(tail_start, self.length - tail_start)
        found = tail.rfind(b"PK\5\6")
        if found < 0 or len(tail) - found < _END.size:
            raise damaged("failed finding central directory")
        _, disk, first_disk, here, count, size, start, comment = _END.unpack_from(tail, found)
        end = tail_start + found
        if end + _END.size + comment != self.length or disk or first_disk or here != count:
            raise damaged("failed finding central directory")
        if _LIMIT16 == count or _LIMIT32 in (size, start):
            start, size, count, end = self._find_directory64(end)
        # The zip64 records, if there are any, stand between the directory and the end record.
        if size > end or start > end - size or count * _CENTRAL.size > size:
            raise damaged("its directory lies outside the file")
        return start, size, count

    def _find_directory64(self, end: int) -> tuple[int, int, int, int]:
        locator = end - _LOCATOR64.size
        signature, disk, record, _ = _LOCATOR64.unpack(self._bytes(locator, _LOCATOR64.size))
        if signature != b"PK\6\7" or disk or record > locator - _END64.size:
            raise damaged("failed finding central directory")
        fields = _END64.unpack(self._bytes(record, _END64.size))
        signature, _, _, _, disk, first_disk, here, count, size, start = fields
        if signature != b"PK\6\6" or disk or first_disk or here != count:
            raise damaged("failed finding central directory")
        return start, size, count, record

    def _data_offset(self, header: int, name: str, plain: bool, limit: int) -> int:
        """Where the data behind a local header begins."""
        if header > limit - _LOCAL.size:
            raise damaged(f"the header of {name} lies outside the file")
        fields = _LOCAL.unpack(self._bytes(header, _LOCAL.size))
        signature, _, flags, method, *_, name_size, extra_size = fields
        offset = header + _LOCAL.size + name_size + extra_size
        agrees = signature == b"PK\3\4" and plain == (not flags & _ENCRYPTED and method == 0)
        if not agrees or offset > limit:
            raise damaged(f"the header of {name} does not fit its directory")
        if self._bytes(header + _LOCAL.size, name_size) != name.encode():
            raise damaged(f"the header of {name} has another name")
        return offset

    def _bytes(self, offset: int, size: int) -> bytes:
        if offset < 0 or size > self.length - offset:
            raise damaged("it ends early")
        data = bytearray(size)
        self._fill(offset, memoryview(data))
        return bytes(data)

    def _fill(self, offset: int, target: memoryview) -> None:
        """Fill `target` with the file's bytes from `offset` on."""
        self._file.seek(self._start + offset)
        readinto = getattr(self._file, "readinto", None)
        while target:
            if readinto is not None:
                taken = readinto(target)
            else:
                chunk = self._file.read(len(target))
                taken = len(chunk)
                target[:taken] = chunk
            if not taken:
                raise damaged("it ends early")
            target = target[taken:]


def _read_central(directory: bytes, position: int) -> tuple[str, int, Entry, int]:
    """One record of the directory: name, local header's offset, entry, next record's position."""
    if position + _CENTRAL.size > len(directory):
        raise damaged("its directory ends early")
    fields = _CENTRAL.unpack_from(directory, position)
    signature, _, _, flags, method, _, _, crc, stored, size, name_size, extra_size = fields[:12]
    comment_size, disk, _, _, header = fields[12:]
    name_start = position + _CENTRAL.size
    extra_start = name_start + name_size
    end = extra_start + extra_size + comment_size
    if signature != b"PK\1\2" or disk or end > len(directory):
        raise damaged("its directory is damaged")
    try:
        name = directory[name_start:extra_start].decode()
    except UnicodeDecodeError:
        raise damaged("an entry's name is not UTF-8") from None
    if _LIMIT32 in (size, stored, header):
        extra = directory[extra_start : extra_start + extra_size]
        size, stored, header = _read_zip64(extra, name, [size, stored, header])
    plain = not flags & _ENCRYPTED and method == 0
    if plain and stored != size:
        raise damaged(f"{name} has two sizes: {stored} and {size} bytes")
    return name, header, Entry(0, stored, crc, plain), end


def _read_zip64(extra: bytes, name: str, fields: list[int]) -> list[int]:
    """Replace each field that holds its limit by the next 8 bytes of the zip64 extra record."""
    position = 0
    while position + 4 <= len(extra):
        kind, size = struct.unpack_from("<2H", extra, position)
        position += 4
        if kind == 1:
            wanted = fields.count(_LIMIT32)
            if wanted * 8 > min(size, len(extra) - position):
                break
            large = iter(struct.unpack_from(f"<{wanted}Q", extra, position))
            return [next(large) if field == _LIMIT32 else field for field in fields]
        position += size
    raise damaged(f"the size of {name} is missing")


class ArchiveWriter:
    """Writes the entries of an archive one after the other, and its directory in `finish`.

    `file` needs only `write`. With `folder` "model" the entry "data.pkl" is "model/data.pkl".
    """

    def __init__(self, file: IO[bytes], folder: str) -> None:
        self._file = file
        self._folder = folder
        self._position = 0
        self._directory: list[bytes] = []

    def add(self, name: str, data: Any) -> None:
        """Append an entry with the bytes of `data`, any contiguous buffer."""
        view = memoryview(data).cast("B") if len(data) else memoryview(b"")
        path, size, start = f"{self._folder}/{name}".encode(), len(view), self._position
        crc = zlib.crc32(view)
        large = [value for value in (size, size, start) if value >= _LIMIT32]
        zip64 = struct.pack(f"<2H{len(large)}Q", 1, 8 * len(large), *large) if large else b""
        padding = _padding(start + _LOCAL.size + len(path) + len(zip64))
        extra = zip64 + padding
        sizes = (_LIMIT32, _LIMIT32) if size >= _LIMIT32 else (0, 0)
        self._write(
            _LOCAL.pack(b"PK\3\4", 0, _FLAGS, 0, 0, 0, 0, *sizes, len(path), len(extra)),
            path,
            extra,
            view,
        )
        if size:
            descriptor = _DESCRIPTOR64 if large else _DESCRIPTOR
            self._write(descriptor.pack(b"PK\7\x08", crc, size, size))
        stored, header = min(size, _LIMIT32), min(start, _LIMIT32)
        fixed = (stored, stored, len(path), len(zip64), 0, 0, 0, 0, header)
        self._directory += [
            _CENTRAL.pack(b"PK\1\2", 0, 0, _FLAGS, 0, 0, 0, crc, *fixed),
            path,
            zip64,
        ]

    def finish(self) -> None:
        """Write the directory."""
        start, count = self._position, len(self._directory) // 3
        self._write(*self._directory)
        end = self._position
        size = end - start
        self._write(
            _END64.pack(b"PK\6\6", _END64.size - 12, 0x031E, 45, 0, 0, count, count, size, start),
            _LOCATOR64.pack(b"PK\6\7", 0, end, 1),
            _END.pack(
                b"PK\5\6",
                0,
                0,
                min(count, _LIMIT16),
                min(count, _LIMIT16),
                min(size, _LIMIT32),
                min(start, _LIMIT32),
                0,
            ),
        )

    def _write(self, *pieces: bytes | memoryview) -> None:
        for piece in pieces:
            self._file.write(piece)
            self._position += len(piece)


def _padding(position: int) -> bytes:
    """An extra field after which `position` is a multiple of the alignment."""
    filler = -(position + 4) % ALIGNMENT
    return struct.pack("<2sH", b"FB", filler) + b"Z" * filler


def damaged(what: str) -> RuntimeError:
    """The error of a file that is not the archive it should be."""
    return RuntimeError(f"PytorchStreamReader failed reading zip archive: {what}")
