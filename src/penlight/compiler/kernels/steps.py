"""A straight-line scalar program, written as code for values that are scalars or vectors.

Every kernel's fused part goes through here: what a product does to its results before they are
stored, what `loops` does at each point.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from llvmlite import ir

from ..emit import TYPES, Emitter
from ..scalars import TABLE, emit_cast
from ..spec import Step

Load = Callable[[int, str], Any]  # (operand's position, kind) -> value
Store = Callable[[int, str, Any], None]  # (operand's position, kind, value)


def emit_steps(
    e: Emitter,
    steps: Sequence[Step],
    given: dict[int, Any],
    load: Load,
    store: Store,
    lanes: int = 1,
) -> dict[int, Any]:
    """Writes the steps that are not `given`; every step's value, by its position.

    Values are scalars, or vectors of `lanes`; a scalar that meets a vector is repeated, and what is
    stored is a vector of `lanes`. `given` holds the steps whose values the kernel makes itself (a
    product's sum, an index); their `op` may be any name.
    """
    values = dict(given)
    for n, step in enumerate(steps):
        if n in given:
            continue
        if step.op == "load":
            values[n] = load(step.attr, step.kind)
        elif step.op == "store":
            store(step.attr, step.kind, repeated(e, values[step.args[0]], lanes))
        else:
            values[n] = emit_scalar(e, steps, n, values)
    return values


def emit_scalar(e: Emitter, steps: Sequence[Step], n: int, values: dict[int, Any]) -> Any:
    """The value of step `n`, a constant or an operation of the table."""
    step = steps[n]
    if step.op == "const":
        return ir.Constant(TYPES[step.kind], step.attr)
    args = alike(e, [values[a] for a in step.args])
    kind = steps[step.args[-1]].kind
    if step.op == "cast":
        return emit_cast(e, args[0], kind, step.kind)
    return TABLE[step.op].code(e, kind, *args)


def alike(e: Emitter, values: Iterable[Any]) -> list[Any]:
    """The values with scalars repeated where any of them is a vector."""
    values = list(values)
    lanes = max(lanes_of(v) for v in values)
    return [repeated(e, v, lanes) for v in values]


def repeated(e: Emitter, value: Any, lanes: int) -> Any:
    """A vector as it is, a scalar in every lane."""
    return value if isinstance(value.type, ir.VectorType) else e.splat(value, lanes)


def lanes_of(value: Any) -> int:
    """How many lanes a value has; 1 for a scalar."""
    return value.type.count if isinstance(value.type, ir.VectorType) else 1
