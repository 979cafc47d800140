"""A function whose calls are recorded once and replayed from then on."""

from __future__ import annotations

import functools
import time
import types
import warnings
import weakref
from collections.abc import Callable
from typing import Any

from ..core.tape import modes
from ..core.tensor import Tensor
from .guards import Guards
from .program import Program
from .recording import Failure, record
from .tree import take_apart

LIMIT = 8  # programs per function
EVERY: weakref.WeakSet = weakref.WeakSet()  # all compiled functions, for the report


class Compiled:
    """A function and its programs: one for each way in which it was called."""

    def __init__(self, function: Callable, fullgraph: bool = False, wait: bool = False):
        self.function, self.fullgraph, self.wait = function, fullgraph, wait
        self.forget()
        functools.update_wrapper(self, function, updated=())
        owner = getattr(function, "__self__", None)
        self.name = (
            type(owner).__name__
            if owner is not None
            else str(getattr(function, "__qualname__", type(function).__name__))
        )
        EVERY.add(self)

    def forget(self) -> None:
        """Back to before the first call."""
        self.programs: list[tuple[Guards, Program | None]] = []
        self.calls = self.eager = 0
        self.recompiles: list[str] = []
        self.fallbacks: list[Failure] = []
        self.seconds = 0.0
        self.warned = False

    def __get__(self, owner: Any, kind: type | None = None) -> Any:
        """As a method of a class."""
        return self if owner is None else types.MethodType(self, owner)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The function's result."""
        if modes.tracer is not None or modes.saved_hooks or modes.anomaly:
            return self.function(*args, **kwargs)
        self.calls += 1
        tensors: list[Tensor] = []
        others: list = []
        form = take_apart((args, kwargs) if kwargs else args, tensors, others)
        for guards, program in self.programs:
            if guards.form == form:
                arrays = guards.check(tensors, others)
                if arrays is not None:
                    if program is None:
                        break
                    return program.replay(tensors, arrays)
        else:
            if len(self.programs) < LIMIT:
                return self._record(form, tensors, others, args, kwargs)
            self._warn("", 0, f"it was recorded {LIMIT} times; the last reason: "
                       + (self.recompiles or ["?"])[-1])  # fmt: skip
        self.eager += 1
        return self.function(*args, **kwargs)

    def _record(self, form: Any, tensors: list, others: list, args: tuple, kwargs: dict) -> Any:
        """The call itself, recorded."""
        if self.programs:
            self.recompiles.append(self.programs[0][0].reason(form, tensors, others))
        guards = Guards(form, tensors, others, self._names(args, kwargs))
        started = time.perf_counter()
        result, found = record(self.function, args, kwargs, guards)
        self.seconds += time.perf_counter() - started
        if isinstance(found, Program):
            for runner in found.runners():
                runner.wait = self.wait
            self.programs.insert(0, (guards, found))
            return result
        self.eager += 1
        if found.reason:
            self.fallbacks.append(found)
            self.programs.insert(0, (guards, None))
            if self.fullgraph:
                raise RuntimeError(f"{found.file}:{found.line}: not compiled: {found.reason}")
            self._warn(found.file, found.line, found.reason)
        return result

    def _names(self, args: tuple, kwargs: dict) -> list[str]:
        """What the tensors among the arguments are called."""
        names: list[str] = []
        code = getattr(self.function, "__code__", None)
        known = code.co_varnames[: code.co_argcount] if code is not None else ()
        for i, value in (*enumerate(args), *kwargs.items()):
            found: list = []
            take_apart(value, found, [])
            name = i if isinstance(i, str) else known[i] if i < len(known) else f"number {i}"
            names += [f"argument {name}"] * len(found)
        return names

    def _warn(self, file: str, line: int, reason: str) -> None:
        if not self.warned:
            self.warned = True
            place = f" at {file}:{line}" if file else ""
            warnings.warn(
                f"{self.name} runs uncompiled{place}: {reason}", UserWarning, stacklevel=_depth()
            )


def _depth() -> int:
    """How many frames up the user's code is."""
    import sys

    from .user import runs_users

    depth = 1
    frame = sys._getframe(1)
    while frame.f_back is not None and not runs_users(frame):
        depth, frame = depth + 1, frame.f_back
    return depth
