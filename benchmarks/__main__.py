"""`python -m benchmarks [PATTERN] [--rounds N] [--json FILE]`: penlight beside PyTorch,
interleaved.

Each library runs in its own process with its default number of threads. A round asks each library
once, in turn, so that the machine's noise meets both; the table shows medians over the rounds and
their ratio.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import statistics
import subprocess
import sys
from typing import Any

from .workloads import WORKLOADS

LIBRARIES = ("penlight", "torch")


def start(library: str) -> Any:
    """A worker process for one library."""
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.worker", library],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def ask(worker: Any, name: str) -> float:
    """Seconds per step of a workload, as this worker measures it now."""
    worker.stdin.write(name + "\n")
    worker.stdin.flush()
    answer = worker.stdout.readline()
    if not answer:
        raise SystemExit(f"the worker ended while measuring {name!r}; its error is above")
    return float(answer)


def measure(names: list[str], rounds: int) -> dict[str, dict[str, float]]:
    """Medians per workload and library."""
    workers = {
        name: start(name) for name in LIBRARIES if importlib.util.find_spec(name) is not None
    }
    results = {}
    for name in names:
        times: dict[str, list[float]] = {library: [] for library in workers}
        for _ in range(rounds):
            for library, worker in workers.items():
                times[library].append(ask(worker, name))
        results[name] = {library: statistics.median(t) for library, t in times.items()}
        print(row(name, results[name]), flush=True)
    for worker in workers.values():
        worker.stdin.close()
        worker.wait()
    return results


def row(name: str, medians: dict[str, float]) -> str:
    """One line of the table."""
    cells = [f"{medians[library] * 1e6:,.0f} µs" for library in medians]
    if len(medians) > 1:
        cells.append(f"{medians['torch'] / medians['penlight']:.2f}")
    return f"| {name} | " + " | ".join(cells) + " |"


def main() -> None:
    """Measures, prints the table and writes the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pattern", nargs="?", default="", help="only workloads whose name matches")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    names = [name for name in WORKLOADS if re.search(options.pattern, name)]
    print("| workload | penlight | PyTorch | times as fast |\n| --- | --- | --- | --- |")
    results = measure(names, options.rounds)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(results, file, indent=2)


if __name__ == "__main__":
    main()
