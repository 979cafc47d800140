"""One library in one process: reads a workload's name, answers with the seconds of a burst of
steps.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable

from .workloads import WORKLOADS

BURST = 0.25  # seconds of work between two answers


def seconds_per_step(step: Callable) -> float:
    """The fastest of five averages over about BURST/5 seconds each."""
    start = time.perf_counter()
    step()
    once = max(time.perf_counter() - start, 1e-7)
    count = max(1, int(BURST / 5 / once))
    found = []
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(count):
            step()
        found.append((time.perf_counter() - start) / count)
    return min(found)


def main() -> None:
    """Answers until the input ends."""
    T = importlib.import_module(sys.argv[1])
    for submodule in ("nn", "optim", "utils.data"):
        importlib.import_module(f"{sys.argv[1]}.{submodule}")
    steps: dict[str, Callable] = {}
    for line in sys.stdin:
        name = line.strip()
        if name not in steps:
            steps[name] = WORKLOADS[name](T)
            for _ in range(3):
                steps[name]()
        print(seconds_per_step(steps[name]), flush=True)


if __name__ == "__main__":
    main()
