"""How many threads one operation may use: those of our kernels, and those of NumPy's BLAS."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np

_number: list[int] = []  # the number now, once it is known
_watchers: list[Callable[[int], object]] = []


def get_num_threads() -> int:
    """The number of threads that one operation may use.

    At first OMP_NUM_THREADS, or else as many as this process has cores.
    """
    if not _number:
        text = os.environ.get("OMP_NUM_THREADS", "")
        _number.append(int(text) if text.isdigit() and int(text) else usable_cores())
    return _number[0]


def set_num_threads(int: int) -> None:
    """Let one operation use so many threads from now on.

    >>> before = get_num_threads()
    >>> set_num_threads(1)
    >>> get_num_threads()
    1
    >>> set_num_threads(before)
    """
    if type(int) is not type(1):  # noqa: UP003  the name `int` is the argument's, as in PyTorch
        raise RuntimeError(f"set_num_threads expects an int, but got {type(int).__name__}")
    if int <= 0:
        raise RuntimeError("set_num_threads expects a positive integer")
    _number[:] = [int]
    _set_blas_threads()(int)
    for put in _watchers:
        put(int)


def watch(put: Callable[[int], object]) -> None:
    """Calls `put` with the number now, and again whenever it is set."""
    _watchers.append(put)
    put(get_num_threads())


@cache
def _set_blas_threads() -> Callable[[int], object]:
    """The function of NumPy's OpenBLAS; with another BLAS one that does nothing."""
    import ctypes

    package = Path(np.__file__).parent
    for folder in (package.with_name("numpy.libs"), package / ".dylibs"):
        for path in folder.glob("*openblas*"):
            library = ctypes.CDLL(str(path))  # loaded already: the same one
            for prefix, suffix in (("scipy_", "64_"), ("scipy_", ""), ("", "64_"), ("", "")):
                name = f"{prefix}openblas_set_num_threads{suffix}"
                if hasattr(library, name):
                    return getattr(library, name)
    return lambda number: None


def usable_cores() -> int:
    """How many cores this process may keep busy: by its affinity and its control group's quota."""
    if hasattr(os, "process_cpu_count"):  # Python 3.13
        cores = os.process_cpu_count() or 1
    elif hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return max(1, min([cores, *(int(quota) for quota in quotas(Path("/")))]))


def quotas(root: Path) -> Iterator[float]:
    """The cores that each Linux control group around this process may use, where limited.

    A line of /proc/self/cgroup is `id:controllers:path`; version 2 has id 0. In a container the
    path may be the host's, and then only the top of the mounted tree is there.
    """
    groups = root / "proc/self/cgroup"
    mounts = root / "sys/fs/cgroup"
    for line in groups.read_text().splitlines() if groups.exists() else ():
        number, controllers, path = line.split(":", 2)
        if number == "0":
            top = mounts
        elif "cpu" in controllers.split(","):
            top = mounts / controllers
        else:
            continue
        own = top / path.lstrip("/")
        for folder in {top, own, *(p for p in own.parents if p.is_relative_to(top))}:
            yield from _quota(folder)


def _quota(folder: Path) -> Iterator[float]:
    """Of one group: version 2 has "QUOTA PERIOD" in one file, version 1 two files."""
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text()
            period = (folder / "cpu.cfs_period_us").read_text()
        if quota != "max" and int(quota) > 0:
            yield int(quota) / int(period)
    except (OSError, ValueError):
        return  # no such file, or not one of this kind
