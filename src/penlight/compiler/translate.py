"""From a trace to a graph: each call's meaning is read symbolically.

A call that cannot be read so stays a call that Python makes, a `host` value with the reason why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .algebra import Unlowerable
from .ir import NUMPY, Graph, Value
from .symbols import Symbol, kind_of
from .trace import Call, Ref, Trace, filled
from .tracing import Tracer, run

# What a meaning may raise when it asks more of a symbol than it has; it then runs on arrays, where
# it may.
MISFITS = (
    Unlowerable, TypeError, AttributeError, ValueError, IndexError, OverflowError, RuntimeError,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class HostCall:
    """A call that Python makes within a program; `args` holds a `Ref` to each of its inputs."""

    name: str
    function: Any
    args: tuple
    pure: bool
    why: str

    def __repr__(self) -> str:
        return f"{self.name} ({self.why})"


def translate(trace: Trace) -> Graph:
    """The graph of what a trace computes; Unlowerable if an array's dtype is not known here."""
    xp = Tracer(Graph())
    values = _Values(xp)
    for position, number in enumerate(trace.inputs):
        dtype, shape = trace.forms[number]
        values.known[number] = xp.graph.add("input", attr=(position, kind_of(dtype), shape))
    for call in trace.calls:
        found = _translated(trace, call, values)
        values.known.update(zip(call.results, found, strict=True))
    xp.graph.outputs = [values.known[number] for number in trace.outputs]
    xp.graph.stores = [(position, values.known[number]) for position, number in trace.stores]
    return xp.graph


class _Values:
    """The trace's values so far; looked up, each is a symbol of its own."""

    def __init__(self, xp: Tracer):
        self.xp = xp
        self.known: dict[int, Value] = {}

    def __getitem__(self, number: int) -> Symbol:
        return Symbol(self.xp, self.known[number])


def _translated(trace: Trace, call: Call, values: _Values) -> tuple[Value, ...]:
    forms = [trace.forms[number] for number in call.results]
    if not call.pure and not hasattr(call.function, "lower"):
        return _by_python(call, values, forms, "it looks at values, or draws them")
    try:
        found = run(values.xp, call.function, [filled(a, values) for a in call.args])
    except MISFITS as misfit:
        return _by_python(call, values, forms, str(misfit))
    if [(NUMPY[v.kind], v.shape) for v in found] != forms:
        return _by_python(call, values, forms, f"read as {[v.form for v in found]}, it is {forms}")
    return found


def _by_python(call: Call, values: _Values, forms: list, why: str) -> tuple[Value, ...]:
    graph, numbers = values.xp.graph, []

    def renumbered(arg: Any) -> Any:
        if isinstance(arg, Ref):
            if arg.number not in numbers:
                numbers.append(arg.number)
            return Ref(numbers.index(arg.number))
        return type(arg)(map(renumbered, arg)) if type(arg) in (tuple, list) else arg

    made = HostCall(call.name, call.function, renumbered(call.args), call.pure, why)
    kinds = [kind_of(dtype) for dtype, _ in forms]
    inputs = [values.known[n] for n in numbers]
    if not forms:  # called for the error that it may raise
        graph.add("host", *inputs, attr=(made, "bool", (0,)))
        return ()
    first = graph.add("host", *inputs, attr=(made, kinds[0], forms[0][1]))
    rest = [graph.add("pick", first, attr=(i, kinds[i], forms[i][1])) for i in range(1, len(forms))]
    return (first, *rest)
