"""Who watches what is computed: `capture`, while it records a call.

`tracers` is empty nearly always; a page that computes asks `if tracers:` and goes on. What is
told here reaches the recording of the current thread, if there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .tape import changes, modes

shared_hooks: list[Any] = []  # whose attributes are the hooks of all modules
wrappers: list[tuple[type, Callable]] = []  # what `compile` makes of instances of a class
tracers: list[Any] = []  # the recordings now open, of all threads


def note(
    name: str,
    function: Callable,
    operands: Sequence,
    args: Sequence,
    results: Sequence,
    pure: bool = True,
) -> None:
    """`function(xp, *args)` gave the tensors `results`; `operands` are the arguments as tensors."""
    tracer = modes.tracer
    if tracer is not None:
        tracer.called(name, function, operands, args, results, pure)


def note_write(
    name: str,
    function: Callable,
    operands: Sequence,
    args: Sequence,
    targets: Sequence,
    pure: bool = True,
) -> None:
    """The values of `function(xp, *args)` were written into the memory of the tensors `targets`.

    Said before `written(target)`, and after the write.
    """
    tracer = modes.tracer
    if tracer is not None:
        tracer.wrote(name, function, operands, args, targets, pure)


def note_written(target: Any) -> None:
    """`target`'s memory was written: a write that nobody described can not be recorded."""
    tracer = modes.tracer
    if tracer is not None:
        tracer.written(target)


def note_assign(target: Any, value: Any) -> None:
    """The values of a tensor were written, cast, into `target`'s memory."""
    tracer = modes.tracer
    if tracer is not None:
        tracer.assigned(target, value)


def note_step(pace: Any, state: Any, tensors: list, numbers: dict, switches: dict) -> None:
    """An optimizer's formula wrote new values of `tensors` (gradient, parameter, moments)."""
    tracer = modes.tracer
    if tracer is not None:
        tracer.stepped(pace, state, tensors, numbers, switches)


def postpone() -> None:
    """This call sets up what later ones take for granted: one of them is recorded instead."""
    tracer = modes.tracer
    if tracer is not None:
        tracer.postpone()


def unwatched(work: Callable, *args: Any) -> Any:
    """`work(*args)`, of which a recording is told nothing."""
    tracer, modes.tracer = modes.tracer, None
    try:
        return work(*args)
    finally:
        modes.tracer = tracer


def note_fixed(tensor: Any) -> None:
    """The values of a new tensor depend on no other tensor's."""
    tracer = modes.tracer
    if tracer is not None:
        tracer.fixed(tensor)


def host_work(work: Callable[[], Any]) -> Any:
    """Does work of Python's, which is not recorded: each replay does it again at this place."""
    tracer = modes.tracer
    return work() if tracer is None else tracer.host(work)


def note_module(module: Any) -> None:
    """A module is being made."""
    tracer = modes.tracer
    if tracer is not None:
        tracer.made_module(module)


def change_module(module: Any) -> None:
    """A module's attributes, parts or hooks are about to change (None: those of all modules)."""
    changes[0] += 1
    tracer = modes.tracer
    if tracer is not None:
        tracer.changed_module(module)


def note_walk(nodes: Sequence) -> None:
    """A backward walk goes through these nodes, latest first."""
    tracer = modes.tracer
    if tracer is not None:
        tracer.walk(nodes)


def refuse(reason: str) -> None:
    """What is happening can not be recorded."""
    tracer = modes.tracer
    if tracer is not None:
        tracer.refuse(reason)


def know(tensor: Any) -> None:
    """`tensor` is about to be aliased: its memory may have been there before the recording."""
    tracer = modes.tracer
    if tracer is not None:
        tracer.know(tensor)


def know_grad(tensor: Any) -> None:
    """`tensor.grad` is about to be read."""
    tracer = modes.tracer
    if tracer is not None:
        tracer.know_grad(tensor)


def lose_grad(tensor: Any) -> None:
    """`tensor.grad` is about to be replaced."""
    tracer = modes.tracer
    if tracer is not None:
        tracer.lose_grad(tensor)
