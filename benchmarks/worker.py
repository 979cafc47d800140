"""One workload on one library in one mode, in a process of its own.

`python -m benchmarks.worker LIBRARY MODE THREADS WORKLOAD` builds the step, warms it up and says
{"first": seconds}; then it answers each line of its input: "time" with {"seconds": ...} of a step
now, "summary" with what is known at the end. Where it cannot, it says {"error": why} and ends.
"""

from __future__ import annotations

import importlib
import json
import os
import statistics
import sys
import time
import traceback
from typing import Any

from .steps import Missing, Step
from .workloads import WORKLOADS

BURST = 0.25  # seconds of work between two answers
WARM_UP = {"eager": 0.5, "compiled": 2.5}  # seconds after the first step
FULL_SPEED = 1.2  # a step at most so many times as long as the final median


def build(library: str, mode: str, threads: int, name: str) -> Step:
    """The step of a workload; a model's weights and its random stream start from seed 0."""
    if library == "jax":
        if threads:
            raise Missing("JAX has no setting for the number of threads")
        from .jax_tutorial import step_of as translated

        return translated(name)
    from .steps import step_of

    T = importlib.import_module(library)
    for submodule in ("nn", "optim", "utils.data"):
        importlib.import_module(f"{library}.{submodule}")
    if threads:
        T.set_num_threads(threads)
    T.manual_seed(0)
    return step_of(WORKLOADS[name].make(T), T, mode)


def seconds_per_step(step: Step) -> float:
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


def warm_up(step: Step, seconds: float) -> list[tuple[float, float]]:
    """Steps, at least three, until `seconds` after the first: (when it ended, how long it took)."""
    steps: list[tuple[float, float]] = []
    begin = time.perf_counter()
    while len(steps) < 3 or steps[-1][0] < steps[0][0] + seconds:
        start = time.perf_counter()
        step()
        end = time.perf_counter()
        steps.append((end - begin, end - start))
    return steps


def time_to_full_speed(steps: list[tuple[float, float]], median: float) -> float | None:
    """When the first step ended that was about as fast as they finally are; None: not yet."""
    return next((end for end, took in steps if took <= FULL_SPEED * median), None)


def peak_memory() -> int:
    """The most memory that was resident at once in this process, in bytes."""
    try:
        with open("/proc/self/status") as status:
            line = next(line for line in status if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    except FileNotFoundError:  # not Linux
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def serve(answers: Any, library: str, mode: str, threads: str, name: str) -> None:
    """Builds, warms up, and answers until the input ends."""

    def say(**answer: Any) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    try:
        step = build(library, mode, int(threads), name)
        steps = warm_up(step, WARM_UP[mode])
    except Missing as reason:
        return say(error=str(reason))
    except Exception as error:  # a cell that stays empty, with its reason
        traceback.print_exc()
        return say(error=f"{type(error).__name__}: {error}".splitlines()[0])
    say(first=steps[0][1])
    times: list[float] = []
    for line in sys.stdin:
        if line == "time\n":
            times.append(seconds_per_step(step))
            say(seconds=times[-1])
        else:
            median = statistics.median(times or [took for _, took in steps])
            say(full_speed=time_to_full_speed(steps, median), memory=peak_memory())


def main() -> None:
    """What a library prints goes to the error stream: the output is for answers."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    serve(answers, *sys.argv[1:])


if __name__ == "__main__":
    main()
