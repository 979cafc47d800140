"""Freed memory is kept for the next tensor.

A training step frees the same gradients and intermediate results that the next one asks for.
By default glibc gives large blocks back to the system at once, and every page of them must be
mapped and zeroed anew, which can take longer than the arithmetic of a small network.
"""

from __future__ import annotations

import os

KEPT = 256 << 20  # bytes of freed memory that are not given back
LARGEST = 32 << 20  # blocks up to this size come from kept memory; the most that glibc allows
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # mallopt's numbers, from malloc.h


def keep_freed_memory() -> None:
    """Tells glibc's malloc to keep what is freed, unless the user has set it up otherwise."""
    if any(name in os.environ for name in ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_")):
        return
    import ctypes

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, KEPT)
        mallopt(_MMAP_THRESHOLD, LARGEST)
