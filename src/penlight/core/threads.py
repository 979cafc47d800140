"""How many threads a matrix product uses: those of the BLAS library that came with NumPy."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np


def get_num_threads() -> int:
    """The number of threads that one operation may use."""
    get, _ = _blas()
    return get()


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
    _, put = _blas()
    put(int)


@cache
def _blas() -> tuple[Callable[[], int], Callable[[int], object]]:
    """(get, set) of NumPy's OpenBLAS; with another BLAS a number that is only remembered."""
    import ctypes

    package = Path(np.__file__).parent
    for folder in (package.with_name("numpy.libs"), package / ".dylibs"):
        for path in folder.glob("*openblas*"):
            library = ctypes.CDLL(str(path))  # loaded already: the same one
            for prefix, suffix in (("scipy_", "64_"), ("scipy_", ""), ("", "64_"), ("", "")):
                name = f"{prefix}openblas_%s_num_threads{suffix}"
                if hasattr(library, name % "get"):
                    return getattr(library, name % "get"), getattr(library, name % "set")
    known = [usable_cores()]
    return lambda: known[0], lambda count: known.__setitem__(0, count)


def usable_cores() -> int:
    """How many cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
