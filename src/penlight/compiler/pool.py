"""The pool of threads in `pool.ll`: its size, forks, the end of the process.

Threads start at their first task. One that has none looks out for SPIN seconds, then sleeps.
Before a fork all of them end, so that no process has half a pool; the next task starts them again.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import signal
from collections.abc import Callable
from functools import cache
from time import perf_counter

from ..core import threads
from . import native

SPIN = 100e-6  # seconds; dispatch to a thread that looks out takes 0.5 µs, to one asleep 15 to 150


@cache
def connect() -> None:
    """Makes `set_num_threads` steer the pool, and forks and the exit safe."""
    if not native.has_threads():
        return
    _native("configure", ctypes.c_int32, ctypes.c_int32)(signal.SIG_BLOCK, signal.SIG_SETMASK)
    want = _native("want", ctypes.c_int64, ctypes.c_int64)
    patience = max(1, round(SPIN / _pause()))
    cores = threads.usable_cores()
    # with more threads than cores, whoever looks out keeps another from working
    threads.watch(lambda number: want(number, patience if number <= cores else 1))
    halt, resume = _native("halt"), _native("resume", ctypes.c_int64)
    os.register_at_fork(
        before=halt, after_in_parent=lambda: resume(0), after_in_child=lambda: resume(1)
    )

    def end() -> None:
        want(1, 1)
        halt()
        resume(0)

    atexit.register(end)


def started() -> int:
    """How many threads there are, the calling one included."""
    return _native("started")()


def _pause() -> float:
    """Seconds that one pause of a waiting thread takes: processors differ tenfold."""
    pauses, count, times = _native("pauses", ctypes.c_int64), 1000, []
    for _ in range(3):
        start = perf_counter()
        pauses(count)
        times.append(perf_counter() - start)
    return min(times) / count


def _native(name: str, *parameters: type) -> Callable[..., int]:
    return ctypes.CFUNCTYPE(ctypes.c_int64, *parameters)(native.functions()[name])
