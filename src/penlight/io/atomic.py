"""Files that are never half written.

A new file grows beside the old one, reaches the disk, and takes the old one's place in one step.
Whoever looks, or comes back after a crash, finds the old file or the new one, whole.
"""

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from typing import IO, Any

try:
    import fcntl
except ImportError:  # Windows: no locks, so leftovers stay until somebody deletes them
    fcntl = None  # type: ignore[assignment]

_NAME_KEPT = (
    40  # characters of the file's name kept in the temporary one: names have a limit of 255 bytes
)


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike, mode: str = "wb", **how: Any) -> Iterator[IO]:
    """Open a file for writing that appears under `path` only when the block ends well.

    `mode` is "wb" or "w", `how` goes to `open` (encoding, newline). If the block raises, or the
    process dies, the file that was there before stays as it was. A leftover of a killed writer is
    removed by the next one.

    >>> import os, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic_write(os.path.join(folder, "notes.txt"), "w") as file:
    ...         _ = file.write("whole or not at all")
    ...     os.listdir(folder)
    ['notes.txt']
    """
    if mode not in ("wb", "w"):
        raise ValueError(f'atomic_write writes new files: mode must be "wb" or "w", got {mode!r}')
    path = os.path.realpath(path)  # through a symbolic link: it is the file that is replaced
    if os.path.exists(path) and not os.path.isfile(path):  # a pipe or a device: nothing to replace
        with open(path, mode, **how) as file:
            yield file
        return
    folder, name = os.path.split(path)
    prefix = f".{name[:_NAME_KEPT]}."
    _sweep(folder, prefix)
    temporary, descriptor = _create(folder, prefix, path)
    try:
        with open(descriptor, mode, **how) as file:
            yield file
            file.flush()
            os.fsync(descriptor)
            if fcntl is not None:  # still locked: no sweeper may take it before it has its name
                os.replace(temporary, path)
        if fcntl is None:
            os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    _sync_folder(folder)


def _create(folder: str, prefix: str, path: str) -> tuple[str, int]:
    """A new, locked file in `folder`, with the rights of the file it will replace."""
    while True:
        temporary = os.path.join(folder, f"{prefix}{secrets.token_hex(4)}.tmp")
        try:
            descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            continue
        except OSError as error:  # name what the caller asked for, not the temporary file
            raise type(error)(error.errno, error.strerror, path) from None
        _lock(descriptor, wait=True)
        if os.fstat(
            descriptor
        ).st_nlink:  # a sweeper may have come between the opening and the lock
            break
        os.close(descriptor)
    with contextlib.suppress(FileNotFoundError):
        os.chmod(temporary, stat.S_IMODE(os.stat(path).st_mode))
    return temporary, descriptor


def _sweep(folder: str, prefix: str) -> None:
    """Remove what killed writers left: a file that nobody holds a lock on."""
    if fcntl is None or not os.path.isdir(folder):
        return
    for name in os.listdir(folder):
        if not (name.startswith(prefix) and name.endswith(".tmp")):
            continue
        leftover = os.path.join(folder, name)
        try:
            descriptor = os.open(leftover, os.O_RDWR)
        except (FileNotFoundError, PermissionError):  # gone already, or somebody else's
            continue
        try:
            if _lock(descriptor, wait=False):
                with contextlib.suppress(FileNotFoundError, PermissionError):
                    os.unlink(leftover)
        finally:
            os.close(descriptor)


def _lock(descriptor: int, wait: bool) -> bool:
    """Lock an open file; False if another process holds it or the file system has no locks."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES, errno.ENOLCK, errno.EOPNOTSUPP):
            return False
        raise
    return True


def _sync_folder(folder: str) -> None:
    """Bring the new name itself to the disk."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
