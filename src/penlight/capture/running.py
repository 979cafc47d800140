"""A trace is run call by call at first, and as machine code as soon as that is ready."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from ..compiler import numerics
from ..compiler.trace import Trace, interpret


class Runner:
    """A function of the trace's inputs. Both ways of running it have the same bits.

    `wait`     whether the first run waits for the machine code
    `program`  the machine code, when it is ready
    `reason`   why there is none, where there will be none
    """

    def __init__(self, trace: Trace, wait: bool = False):
        self.trace, self.wait = trace, wait
        self.program: Any = None
        self.reason = ""
        self.seconds = 0.0
        self.strides: list | None = None

    def __call__(self, arrays: list[np.ndarray]) -> list[np.ndarray]:
        """The outputs; inputs that the trace stores to are changed."""
        if self.strides is None:
            self._start(arrays)
        program = self.program
        if program is None or self.strides != [a.strides for a in arrays]:
            return interpret(self.trace, numerics, arrays)
        from ..compiler.program import Fault

        try:
            return program(arrays)
        except Fault:  # an index out of range: the op itself says which
            return interpret(self.trace, numerics, arrays)

    def _start(self, arrays: list[np.ndarray]) -> None:
        self.strides = [a.strides for a in arrays]
        if not numerics.available():
            self.reason = "llvmlite is not installed"
            return
        from ..compiler import program

        if self.wait:
            started = time.perf_counter()
            try:
                found: Any = program.compile(self.trace, arrays)
            except program.Unlowerable as reason:
                found = reason
            self._ready(found, time.perf_counter() - started)
        else:
            program.compile_soon(self.trace, arrays, self._ready)

    def _ready(self, found: object, seconds: float) -> None:
        self.seconds = seconds
        if isinstance(found, Exception):
            self.reason = f"{type(found).__name__}: {found}"
        else:
            self.program = found
