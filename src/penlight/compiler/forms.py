"""Structured operations at once: planned when a form is first seen, kept, made faster when hot.

A form (an operation on arrays of given shapes) runs on kernels that read their sizes from memory,
until those made for it are compiled, in the background. All add in the same order, so nobody can
tell which one ran, except by the clock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np

_LINE = 64  # bytes
HOT = 3  # calls of a form after which kernels of its own are made


@dataclass(frozen=True)
class Launch:
    """A kernel, the names of its buffers, how many threads are worth waking for it.

    `numbers` are an i64 buffer behind the others, if there are any.
    """

    spec: Any
    buffers: tuple[str, ...]
    threads: int
    numbers: tuple[int, ...] = ()


@dataclass(frozen=True)
class Plan:
    """Kernels to run one after the other, and the elements of workspace that they share.

    Buffers that are no `workspaces` are read or written by whoever asked for the plan.
    """

    launches: tuple[Launch, ...]
    workspaces: tuple[tuple[str, int], ...] = ()


class Form:
    """A function of contiguous arrays, the buffers `inputs` of its plans.

    plan       of True for kernels that read their sizes, of False for kernels of this form alone
    `results`  name, shape and dtype of the buffers that are written
    `dtype`    of workspaces
    """

    def __init__(
        self,
        plan: Callable[[bool], Plan],
        inputs: Sequence[str],
        results: Sequence[tuple[str, tuple[int, ...], Any]],
        dtype: np.dtype,
    ):
        self.plan, self.dtype = plan, dtype
        self.shapes = [(shape, of) for _, shape, of in results]
        self.names = [*inputs, *(name for name, _, _ in results)]
        self.calls = 0
        self.ready = program(plan(True), self.names)

    def __call__(self, *arrays: np.ndarray) -> Any:
        """The result, or a tuple of several."""
        self.calls += 1
        if self.calls == HOT:
            self._specialise()
        found = tuple([np.empty(shape, dtype) for shape, dtype in self.shapes])
        run, workspaces = self.ready
        scratch = aligned(workspaces, self.dtype)
        run(*[np.ascontiguousarray(a) for a in arrays], *found, *scratch)
        return found if len(found) > 1 else found[0]

    def _specialise(self) -> None:
        from . import code

        plan = self.plan(False)

        def take_over(error: Exception | None) -> None:
            if error is not None:
                raise error
            self.ready = program(plan, self.names)

        code.compile_soon([launch.spec for launch in plan.launches], take_over)


def aligned(counts: Sequence[int], dtype: np.dtype) -> list[np.ndarray]:
    """Arrays of so many elements that begin with a line of the cache.

    NumPy's begin 16 bytes behind one: every vector would lie across two lines.
    """
    if not counts:
        return []
    line = _LINE // dtype.itemsize
    starts = [0, *accumulate(-(-n // line) * line for n in counts)]
    memory = np.empty(starts[-1] + line, dtype)
    ahead = -memory.ctypes.data % _LINE // dtype.itemsize
    return [memory[ahead + start : ahead + start + n] for start, n in zip(starts, counts)]


def program(plan: Plan, names: Sequence[str]) -> tuple[Callable[..., int], list[int]]:
    """A function of the buffers `names` and of the workspaces, and the workspaces' elements."""
    from . import code, runtime

    names = [*names, *(name for name, _ in plan.workspaces)]
    slots = {name: i + 1 for i, name in enumerate(names)}  # slot 0 is the runtime's
    fixed: dict[int, int] = {}
    keep, commands = [], []
    for launch in plan.launches:
        at = [slots[name] for name in launch.buffers]
        if launch.numbers:
            keep.append(np.array(launch.numbers, np.int64))
            at.append(len(slots) + len(keep))
            fixed[at[-1]] = keep[-1].ctypes.data
        commands.append(runtime.Command(code.address(launch.spec), tuple(at), launch.threads))
    count = len(slots) + len(keep) + 1
    run = runtime.program(commands, count, fixed, list(slots.values()), keep=keep)
    return run, [n for _, n in plan.workspaces]
