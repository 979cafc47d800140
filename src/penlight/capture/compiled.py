"""`penlight.compile`: a function whose calls are recorded once and replayed from then on."""

from __future__ import annotations

import functools
import time
import warnings
from collections.abc import Callable
from typing import Any

from ..core.tape import modes
from ..core.tensor import Tensor
from .guards import Guards
from .recording import Failure, entered, record
from .program import Program
from .tree import is_plain, take_apart

LIMIT = 8  # programs per function


class Compiled:
    """A compiled function: its programs, and what became of its calls."""

    def __init__(self, function: Callable, fullgraph: bool = False, wait: bool = False):
        self.function, self.fullgraph, self.wait = function, fullgraph, wait
        self.programs: list[tuple[Guards, Program | None]] = []
        self.calls = self.eager_calls = 0
        self.recompiles: list[str] = []
        self.fallbacks: list[Failure] = []
        self.seconds = 0.0
        self.warned = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The function's result."""
        if modes.tracer is not None or modes.saved_hooks or modes.anomaly:
            return self.function(*args, **kwargs)
        self.calls += 1
        tensors: list[Tensor] = []
        others: list = []
        form = take_apart((args, kwargs), tensors, others)
        for guards, program in self.programs:
            if guards.hold(form, tensors, others):
                if program is None:
                    break
                return program.replay(tensors)
        else:
            return self._record(form, tensors, others, args, kwargs)
        self.eager_calls += 1
        return self.function(*args, **kwargs)

    def _record(self, form: Any, tensors: list, others: list, args: tuple, kwargs: dict) -> Any:
        """The call itself, recorded, if there is room for another program."""
        if len(self.programs) >= LIMIT:
            self.eager_calls += 1
            return self.function(*args, **kwargs)
        if self.programs:
            self.recompiles.append(self.programs[0][0].reason(form, tensors, others))
        guards = Guards(form, tensors, others)
        started = time.perf_counter()
        result, found = record(self.function, args, kwargs)
        self.seconds += time.perf_counter() - started
        if isinstance(found, Failure):
            self.eager_calls += 1
            if found.reason:
                self._note_failure(found)
                self.programs.insert(0, (guards, None))
        else:
            guards.add(found.checks)
            self.programs.insert(0, (guards, found))
        return result

    def _note_failure(self, failure: Failure) -> None:
        self.fallbacks.append(failure)
        if not self.warned:
            self.warned = True
            warnings.warn(
                f"{failure.file}:{failure.line}: not compiled: {failure.reason}", stacklevel=4
            )
