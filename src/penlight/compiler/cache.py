"""Object files kept on disk, so that a kernel is compiled once per machine.

An entry is named by the digest of its key and holds MAGIC, a digest of name and content, content.
What does not fit its digest is made anew; a disk that cannot be read or written does no harm.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from threading import get_ident

from ..core.folders import cache_folder
from .host import host

MAGIC = b"penlight code 1\n"
HEAD = len(MAGIC) + sha256().digest_size
ABANDONED = 3600  # seconds after which a part was left by a process that was killed
LIMIT = 256 * 2**20  # bytes; the entries written first go first


def keep(key: str, make: Callable[[], bytes]) -> bytes:
    """The object file of a key: from disk, else made and kept."""
    place = folder()
    if place is None:
        return make()
    name = sha256(f"{_version()}\n{host()}\n{key}".encode()).hexdigest()
    content = _read(place / name)
    if content is None:
        content = make()
        _write(place / name, content)
    return content


def folder() -> Path | None:
    """Where the entries lie; None for a user without a home."""
    try:
        return cache_folder() / "code"
    except RuntimeError:
        return None


def usage() -> tuple[int, int]:
    """(number of entries, bytes)."""
    sizes = [entry.st_size for entry, _ in _entries()]
    return len(sizes), sum(sizes)


def clear() -> int:
    """Removes all entries and tells how many there were."""
    paths = [path for _, path in _entries()]
    for path in paths:
        path.unlink(missing_ok=True)
    return len(paths)


@cache
def _version() -> str:
    """Of all that decides which code a key gets: our sources, and LLVM."""
    import llvmlite
    from llvmlite.binding import llvm_version_info

    digest = sha256(f"{llvmlite.__version__} {llvm_version_info}".encode())
    for place, folders, names in os.walk(os.path.dirname(__file__)):
        folders.sort()
        for name in sorted(names):
            if name.endswith((".py", ".ll")):
                with open(os.path.join(place, name), "rb") as file:
                    digest.update(f"\n{name}\n".encode() + file.read())
    return digest.hexdigest()


def _digest(name: str, content: bytes) -> bytes:
    return sha256(name.encode() + content).digest()


def _read(path: Path) -> bytes | None:
    """The content of an entry, if there is one and it is whole."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    content = data[HEAD:]
    whole = data[:HEAD] == MAGIC + _digest(path.name, content)
    return content if whole else None


def _write(path: Path, content: bytes) -> None:
    """Puts an entry in place in one step; gives up if the disk refuses."""
    part = path.with_name(f"{path.name}.{os.getpid()}.{get_ident()}.part")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _trim()
        try:
            part.write_bytes(MAGIC + _digest(path.name, content) + content)
            part.replace(path)
        except OSError:
            part.unlink(missing_ok=True)
            raise
    except OSError:
        return


@cache
def _trim() -> None:
    """Once in a process: removes the oldest entries beyond LIMIT, and parts nobody will finish."""
    total, now = 0, time.time()
    for entry, path in sorted(_entries(), key=lambda pair: pair[0].st_mtime, reverse=True):
        total += entry.st_size
        if total > LIMIT or (path.suffix == ".part" and now - entry.st_mtime > ABANDONED):
            path.unlink(missing_ok=True)


def _entries() -> list[tuple[os.stat_result, Path]]:
    place = folder()
    if place is None or not place.is_dir():
        return []
    found = []
    for path in place.iterdir():
        try:
            found.append((path.stat(), path))
        except FileNotFoundError:
            continue  # another process removed it
    return found
