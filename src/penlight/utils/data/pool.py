"""The worker processes of a loader, seen from the loader's side."""

from __future__ import annotations

import os
import signal
import socket
import time
import warnings
from multiprocessing.connection import wait
from pickle import PicklingError
from typing import Any

from .messages import Answer, Job, Task
from .transport import receive, send, socket_pair
from .worker import WATCH_INTERVAL, work


class WorkerPool:
    """Processes with a socket each, so that no death can leave another one waiting for a lock.

    A worker that reads the end of its socket leaves: closing the sockets is the whole shutdown, and
    it happens by itself when the loader's process dies.
    """

    def __init__(self, job: Job, context: Any) -> None:
        self._owner = os.getpid()
        self._closed = False
        self._ends: list = []
        self._processes: list = []
        try:
            for worker_id in range(job.num_workers):
                self._start(job, worker_id, context)
        except BaseException:
            self.close()
            raise

    def _start(self, job: Job, worker_id: int, context: Any) -> None:
        ours, theirs = socket_pair()
        self._ends.append(ours)
        foreign = tuple(self._ends) if context.get_start_method() == "fork" else ()
        process = context.Process(target=work, args=(job, worker_id, theirs, foreign), daemon=True)
        try:
            process.start()
        except (TypeError, AttributeError, PicklingError):
            warnings.warn(
                "Got pickle error when attempting to start a worker Process. "
                "This might be because the worker Process arguments are not picklable. "
                "Python 3.14+ changed the multiprocessing start method in non-Mac POSIX platforms "
                "to 'forkserver', which requires the worker Process arguments to be picklable. "
                "You can also try multiprocessing.set_start_method('fork').",
                stacklevel=2,
            )
            raise
        finally:
            theirs.close()
        self._processes.append(process)

    def send(self, worker_id: int, task: Task) -> None:
        """Gives a worker its next task."""
        try:
            send(self._ends[worker_id], task)
        except ConnectionError:
            pass  # it is dead: `receive` will say so, after all that it has answered

    def receive(self, timeout: float | None) -> list[Answer]:
        """Answers that have arrived, at least one; none after `timeout` seconds.

        RuntimeError where a worker died.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            left = WATCH_INTERVAL if deadline is None else deadline - time.monotonic()
            sentinels = [process.sentinel for process in self._processes]
            ready = wait([*self._ends, *sentinels], max(0.0, min(left, WATCH_INTERVAL)))
            answers, dead = self._read([end for end in self._ends if end in ready])
            if answers:
                return answers
            dead += [i for i, process in enumerate(self._processes) if not process.is_alive()]
            if dead:
                self._raise_dead(sorted(set(dead)))
            if left <= 0:
                return []

    def _read(self, ready: list) -> tuple[list[Answer], list[int]]:
        """One answer from each end that has one, and whose ends are closed."""
        answers, dead = [], []
        for end in ready:
            try:
                answers.append(receive(end))
            except (EOFError, ConnectionError):
                dead.append(self._ends.index(end))
        return answers, dead

    def _raise_dead(self, dead: list[int]) -> None:
        processes = [self._processes[worker_id] for worker_id in dead]
        for process in processes:
            process.join(timeout=1.0)
        pids = ", ".join(str(process.pid) for process in processes)
        fates = "; ".join(
            f"worker {i} {_fate(p.exitcode)}" for i, p in zip(dead, processes, strict=True)
        )
        raise RuntimeError(f"DataLoader worker (pid(s) {pids}) exited unexpectedly\n{fates}")

    def close(self) -> None:
        """Sends the workers away; those that do not go in time are stopped."""
        if self._closed:
            return
        self._closed = True
        owned = os.getpid() == self._owner  # a forked child only drops its copies
        for end in self._ends:
            if owned:
                _hang_up(end)
            end.close()
        if not owned:
            return
        deadline = time.monotonic() + WATCH_INTERVAL
        for process in self._processes:
            process.join(max(0.0, deadline - time.monotonic()))
        for stop in ("terminate", "kill"):
            for process in self._processes:
                if process.is_alive():
                    getattr(process, stop)()
                    process.join(1.0)


def _hang_up(end: Any) -> None:
    """Ends the connection for all processes that hold a copy of its socket."""
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # the worker has hung up already


def _fate(exitcode: int | None) -> str:
    if exitcode is None:
        return "closed its connection"
    if exitcode >= 0:
        return f"ended with exit code {exitcode}; what it printed says more"
    text = f"was killed by signal: {signal.strsignal(-exitcode) or -exitcode}"
    if -exitcode == getattr(signal, "SIGKILL", None):
        text += " (the system does this when memory runs out)"
    return text
