"""How batches travel between processes: over a socket pair, large ones in shared memory.

The memory is a file without a name (memfd). Its descriptor is sent over the socket, the receiver
maps it, and the kernel frees it with the last reference. So nothing can be left behind, whoever
dies at whatever moment, and nothing is limited by the size of /dev/shm.
"""

from __future__ import annotations

import errno
import io
import mmap
import os
import pickle
import socket
import struct
import time
from typing import Any

import numpy as np

from ...core.tensor import Tensor, wrap

_HEAD = struct.Struct("<qq")  # length of the body; whether it lies in shared memory
_INLINE = 1024  # up to this many bytes, a body travels through the socket itself
_ALIGN = 64  # arrays begin at multiples of this
_BUFFER = 1 << 20  # bytes a socket should be able to hold
_SHARES_MEMORY = hasattr(socket, "send_fds")  # False on Windows: there all goes through the socket

_TOO_MANY_FILES = (
    "Too many open files. Communication with the workers is no longer possible. Please increase "
    "the limit using `ulimit -n` in the shell."
)


def socket_pair() -> tuple[socket.socket, socket.socket]:
    """Two connected sockets with room for many small messages."""
    pair = socket.socketpair()
    for end in pair:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
    return pair


def send(end: socket.socket, message: Any) -> None:
    """Sends any picklable object; the arrays in it are not pickled but copied as they lie."""
    parts = _encode(message)
    size = sum(_padded(len(part)) for part in parts)
    if size <= _INLINE or not _SHARES_MEMORY:
        body = b"".join(bytes(part).ljust(_padded(len(part)), b"\0") for part in parts)
        end.sendall(_HEAD.pack(size, False) + body)
        return
    memory = _anonymous_file()
    try:
        offset = 0
        for part in parts:
            _write(memory, part, offset)
            offset += _padded(len(part))
        os.ftruncate(memory, size)
        _send_descriptor(end, _HEAD.pack(size, True), memory)
    finally:
        os.close(memory)


def receive(end: socket.socket) -> Any:
    """The next message; EOFError once the other end is closed."""
    if not _SHARES_MEMORY:
        size, _ = _HEAD.unpack(_read(end, _HEAD.size))
        return _decode(memoryview(bytearray(_read(end, size))))
    head, descriptors, _, _ = socket.recv_fds(end, _HEAD.size, 1)
    head += _read(end, _HEAD.size - len(head)) if head else b""
    if not head:
        raise EOFError("the other process is gone")
    size, shared = _HEAD.unpack(head)
    if not shared:
        return _decode(memoryview(bytearray(_read(end, size))))
    if not descriptors:
        raise RuntimeError(_TOO_MANY_FILES)
    try:
        return _decode(_map(descriptors[0], size))
    finally:
        os.close(descriptors[0])


# ---------------------------------------------------------------- messages as bytes
# A body is a table of lengths, the pickle and then the arrays that the pickle leaves out, each
# padded to _ALIGN bytes.


class _Pickler(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        if type(value) is not Tensor:
            return NotImplemented
        if value.requires_grad and not value.is_leaf:
            raise RuntimeError(
                "Cowardly refusing to serialize non-leaf tensor which requires_grad, since "
                "autograd does not support crossing process boundaries.  If you just want to "
                "transfer the data, call detach() on the tensor before serializing (e.g., "
                "putting it on the queue)."
            )
        array = value._array
        if not array.flags.c_contiguous:
            array = array.copy(order="C")
        return _tensor, (array, value.requires_grad)


def _tensor(array: np.ndarray, requires_grad: bool) -> Tensor:
    return wrap(array).requires_grad_(requires_grad)


def _encode(message: Any) -> list[memoryview]:
    buffers: list[memoryview] = []

    def leave_out(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes < _INLINE:
            return True  # "in band": pickled like everything else
        buffers.append(raw)
        return False

    stream = io.BytesIO()
    _Pickler(stream, protocol=5, buffer_callback=leave_out).dump(message)
    parts = [stream.getbuffer(), *buffers]
    table = struct.pack(f"<{len(parts) + 1}q", len(parts), *map(len, parts))
    return [memoryview(table), *parts]


def _decode(body: memoryview) -> Any:
    (count,) = struct.unpack_from("<q", body)
    lengths = struct.unpack_from(f"<{count}q", body, 8)
    parts = []
    offset = _padded(8 * (count + 1))
    for length in lengths:
        parts.append(body[offset : offset + length])
        offset += _padded(length)
    return pickle.loads(parts[0], buffers=parts[1:])


def _padded(length: int) -> int:
    return -(-length // _ALIGN) * _ALIGN


# ---------------------------------------------------------------- files, maps, sockets


def _anonymous_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("penlight-batch", os.MFD_CLOEXEC)
    import tempfile

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _write(file: int, part: memoryview, offset: int) -> None:
    while len(part):  # one call writes at most 2 GiB
        written = os.pwrite(file, part, offset)
        part, offset = part[written:], offset + written


def _map(file: int, size: int) -> memoryview:
    """The file's contents: mapped, or copied where descriptors run short.

    A map holds a descriptor as long as it lives; whoever keeps thousands of batches would run out.
    """
    if _descriptors_run_short(file):
        copy = memoryview(bytearray(size))
        offset = 0
        while offset < size:
            offset += os.preadv(file, [copy[offset:]], offset)
        return copy
    populate = getattr(mmap, "MAP_POPULATE", 0)
    return memoryview(mmap.mmap(file, size, flags=mmap.MAP_SHARED | populate))


def _descriptors_run_short(file: int) -> bool:
    import resource

    lowest_free = os.dup(file)
    os.close(lowest_free)
    return lowest_free > resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2


def _read(end: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        more = end.recv(size - len(data))
        if not more:
            raise EOFError("the other process is gone")
        data += more
    return bytes(data)


def _send_descriptor(end: socket.socket, head: bytes, file: int) -> None:
    while True:
        try:
            socket.send_fds(end, [head], [file])
            return
        except OSError as error:
            if error.errno != errno.ETOOMANYREFS:
                raise
        time.sleep(0.01)  # too many descriptors are under way: let the receiver take some
