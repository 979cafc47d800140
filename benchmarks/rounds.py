"""A row of the table: every column's worker asked in turn, round after round."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .machine import cores
from .peak import measured_peak
from .workloads import Workload

LIBRARIES = ("penlight", "torch", "jax")
TITLES = {"penlight": "penlight", "torch": "PyTorch", "jax": "JAX"}
CACHES = ("PENLIGHT_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR", "XDG_CACHE_HOME")


@dataclass(frozen=True)
class Column:
    """A library in a mode."""

    library: str
    mode: str

    @property
    def title(self) -> str:
        """Its name in results and tables."""
        return f"{TITLES[self.library]} {self.mode}"


def columns(libraries: list[str], modes: list[str]) -> list[Column]:
    """Those of the libraries that are installed; JAX is always compiled."""
    return [
        Column(library, mode)
        for library in LIBRARIES
        if library in libraries and importlib.util.find_spec(library)
        for mode in modes
        if not (library == "jax" and mode == "eager")
    ]


class Worker:
    """A process that runs one workload for one column."""

    def __init__(self, workload: Workload, column: Column, threads: int, cache: str | None):
        caches = {name: os.path.join(cache, name) for name in CACHES} if cache else {}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker",
             column.library, column.mode, str(threads), workload.name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **caches},
        )  # fmt: skip
        self.started = self._answer()

    def ask(self, question: str) -> dict[str, Any]:
        """The worker's answer; {"error": ...} when it has ended."""
        if "error" in self.started:
            return self.started
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(question + "\n")
            self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        self.started = {"error": f"the worker ended with status {self.process.wait()}"}
        return self.started

    def end(self) -> None:
        """Lets the process end."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


@contextlib.contextmanager
def fresh_caches(wanted: list[Column], cold: bool) -> Iterator[dict[Column, str | None]]:
    """An empty folder per column for what compilers keep; None each where caches stay as usual."""
    with tempfile.TemporaryDirectory() as root:
        folders = {column: os.path.join(root, column.title.replace(" ", "-")) for column in wanted}
        yield folders if cold else dict.fromkeys(wanted)


def measure(
    workload: Workload, wanted: list[Column], rounds: int, threads: int = 0, starts: bool = True
) -> dict[str, Any]:
    """What the JSON says about a workload: the peak beside it, and each column's figures.

    `threads`  what the libraries are told to use; 0: nothing
    `starts`   begin with empty caches, and once more with what that run left in them
    """
    threads = workload.threads or threads
    wanted = [column for column in wanted if column.mode in workload.modes]
    with fresh_caches(wanted, starts) as caches:
        workers = {column: Worker(workload, column, threads, caches[column]) for column in wanted}
        times: dict[Column, list[float]] = {column: [] for column in wanted}
        peak = None
        for _ in range(rounds):
            peak = measured_peak(threads or cores())
            for column, worker in workers.items():
                times[column].append(worker.ask("time").get("seconds", float("nan")))
        found = {}
        for column, worker in workers.items():
            found[column.title] = _figures(worker, times[column])
            worker.end()
            if starts and column.mode == "compiled" and "error" not in found[column.title]:
                found[column.title]["warm"] = _warm_start(workload, column, threads, caches[column])
    return {"peak": peak, "columns": found}


def _figures(worker: Worker, times: list[float]) -> dict[str, Any]:
    """Median and start of a column, or why there are none."""
    summary = worker.ask("summary")
    if "error" in summary:
        return {"error": summary["error"]}
    return {"seconds": statistics.median(times), "rounds": times, **worker.started, **summary}


def _warm_start(workload: Workload, column: Column, threads: int, cache: str) -> dict[str, Any]:
    """The start of a second process that finds what the first one compiled."""
    worker = Worker(workload, column, threads, cache)
    times = [worker.ask("time").get("seconds", float("nan")) for _ in range(3)]
    figures = _figures(worker, times)
    worker.end()
    return figures
