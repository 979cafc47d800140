"""What happened: a list of calls of array functions, as capture writes it down.

A trace is the compiler's input. Its values are numbered; a call names the values it read and made.
A trace is functional: what was written in place appears as a new value, and `stores` says which
input's memory must hold which value at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Ref:
    """A value of the trace, among the arguments of a call."""

    number: int


@dataclass(slots=True)
class Call:
    """One call `function(xp, *args)` -> array or tuple of arrays.

    `args` are plain Python values; arrays are `Ref`s, also inside tuples and lists. A call that is
    not `pure` (it draws random numbers) runs as it is, at its place in the order.
    """

    name: str
    function: Callable[..., Any]
    args: tuple
    results: tuple[int, ...]
    pure: bool = True


@dataclass(slots=True)
class Trace:
    """A program as it was seen: from `inputs` through `calls` to `outputs` and `stores`.

    `forms`   (NumPy dtype, shape) of every value, by number
    `stores`  (position among the inputs, value): what that input's memory holds at the end
    """

    forms: list[tuple[np.dtype, tuple[int, ...]]] = field(default_factory=list)
    inputs: list[int] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    stores: list[tuple[int, int]] = field(default_factory=list)

    def value(self, dtype: np.dtype, shape: tuple[int, ...]) -> int:
        """A new value's number."""
        self.forms.append((dtype, shape))
        return len(self.forms) - 1


def interpret(trace: Trace, xp: Any, arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Runs the calls one by one: what a compiled program must equal, bit for bit."""
    values: dict[int, Any] = dict(zip(trace.inputs, arrays, strict=True))
    for call in trace.calls:
        found = call.function(xp, *[filled(a, values) for a in call.args])
        if not isinstance(found, tuple):
            found = (found,)
        values.update(zip(call.results, found, strict=True))
    outputs = [values[number] for number in trace.outputs]
    for position, number in trace.stores:
        arrays[position][...] = values[number]
    return outputs


def filled(arg: Any, values: Any) -> Any:
    """An argument with its `Ref`s replaced by values."""
    if isinstance(arg, Ref):
        return values[arg.number]
    if type(arg) in (tuple, list):
        return type(arg)(filled(a, values) for a in arg)
    return arg
