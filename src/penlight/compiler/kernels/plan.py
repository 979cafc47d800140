"""How a `Loops` kernel walks its axes: merged, ordered, and which of them lies along the lanes.

Ways to walk:
"columns"  lanes along an outer axis (or single elements); inner axes one point after the other
"rows"     lanes along the last inner axis: a reduction's partials are the lanes of one vector
"tiles"    lanes along an outer axis; operands that lie along another one are turned, 16 by 16
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from ..spec import Operand, Step
from ..types import size_of
from .reductions import PARTIALS

TILE = 16
WIDE = 64  # lanes of a reduction over columns: whole cache lines of each row
ELEMENTWISE = 128  # bytes of the narrowest operand that one step of an elementwise loop takes

# Costs of a vector of 16 elements, about in cycles
NEIGHBOURS, REPEATED, REVERSED, TURNED, SCATTERED = 1.0, 0.5, 2.0, 6.0, 16.0
TREE, CHEAP, DEAR = 16.0, 0.5, 12.0
CHEAP_OPS = frozenset(
    """load store const index reduce cast add sub mul neg abs sign min max fmin fmax floor ceil
    rint trunc square lt le gt ge eq ne and or xor not lshift rshift copysign isnan isinf isfinite
    where sqrt div reciprocal""".split()
)
CYCLES_PER_THREAD = 30_000  # about 10 microseconds: less is not worth waking a thread for


@dataclass(frozen=True)
class Axis:
    """An axis: its extent, each operand's stride, and which of the spec's it is if that matters."""

    extent: int
    strides: tuple[int, ...]
    number: int | None = None


@dataclass(frozen=True)
class Plan:
    """What the emitters follow. `vector` and `turned` are axes among `outer`."""

    way: str
    outer: tuple[Axis, ...]
    inner: tuple[Axis, ...]
    body: tuple[Step, ...]
    vector: int | None = None
    turned: int | None = None
    lanes: int = 1
    cost: float = 0.0

    @property
    def points(self) -> int:
        """How many inner points there are."""
        return prod(a.extent for a in self.inner)


def plan_of(
    outer: Sequence[int], inner: Sequence[int], operands: Sequence[Operand], body: Sequence[Step]
) -> Plan:
    """The cheapest way to walk."""
    asked = {step.attr for step in body if step.op == "index"}
    axes = [
        Axis(n, tuple(o.strides[k] for o in operands), k if k in asked else None)
        for k, n in enumerate((*outer, *inner))
    ]
    single = {a.number for a in axes if a.extent == 1}
    body = tuple(
        Step("const", (), "i64", 0) if s.op == "index" and s.attr in single else s for s in body
    )
    far = sorted(axes[: len(outer)], key=_reach, reverse=True)
    outside, inside = merged(far), merged(axes[len(outer) :])
    found = [_columns(outside, inside, body, v) for v in (None, *range(len(outside)))]
    found += [_rows(outside, inside, body)] if _may_go_along_rows(inside, body) else []
    found += _tiles(outside, inside, body, operands)
    return min(found, key=lambda plan: plan.cost)


def merged(axes: Sequence[Axis]) -> tuple[Axis, ...]:
    """Axes of extent 1 dropped, neighbours that every operand walks as one made one."""
    found: list[Axis] = []
    for axis in axes:
        if axis.extent == 1:
            continue
        last = found[-1] if found else None
        if last and last.number is None and axis.number is None:
            whole = tuple(s * axis.extent for s in axis.strides)
            if last.strides == whole:
                found[-1] = Axis(last.extent * axis.extent, axis.strides)
                continue
        found.append(axis)
    return tuple(found)


def _reach(axis: Axis) -> tuple[int, ...]:
    """Sorts axes so that the one along which memory is contiguous comes last."""
    return (sum(abs(s) for s in axis.strides), axis.extent)


def moved(step: Step) -> list[int]:
    """The operands that a step reads or writes."""
    if step.op in ("load", "store"):
        return [step.attr]
    return [step.attr.operand] if step.op.endswith("_at") else []


def _may_go_along_rows(inner: tuple[Axis, ...], body: tuple[Step, ...]) -> bool:
    """Lanes along an inner axis would add to one place at once."""
    return bool(inner) and not any(step.op == "add_at" for step in body)


# ------------------------------------------------------------ costs


def _work(body: tuple[Step, ...], axis: Axis | None) -> float:
    """Cycles that one vector of 16 (or one element where there is no axis) takes."""
    cycles = 0.0
    for step in body:
        cycles += CHEAP if step.op in CHEAP_OPS or step.op.endswith("_at") else DEAR
        for operand in moved(step):
            cycles += _move(0 if axis is None else axis.strides[operand], step)
    return cycles


def _move(stride: int, step: Step) -> float:
    if step.op.endswith("_at"):
        return SCATTERED if stride != 1 else REVERSED
    return {1: NEIGHBOURS, 0: REPEATED, -1: REVERSED}.get(stride, SCATTERED)


def _vectors(axis: Axis | None) -> int:
    return 1 if axis is None else -(-axis.extent // TILE)


def _extent(axes: Sequence[Axis]) -> int:
    return prod(a.extent for a in axes)


def _reduces(body: tuple[Step, ...]) -> int:
    return sum(step.op == "reduce" for step in body)


def _columns(
    outer: tuple[Axis, ...], inner: tuple[Axis, ...], body: tuple[Step, ...], vector: int | None
) -> Plan:
    axis = None if vector is None else outer[vector]
    others = [a for k, a in enumerate(outer) if k != vector]
    count = _extent(others) * _vectors(axis) * _extent(inner)
    cost = count * (_work(body, axis) + 2 * NEIGHBOURS * _reduces(body))
    cost += _extent(others) * _vectors(axis) * TREE * _reduces(body)
    return Plan("columns", outer, inner, body, vector, None, _lanes(axis, inner, body), cost)


def _rows(outer: tuple[Axis, ...], inner: tuple[Axis, ...], body: tuple[Step, ...]) -> Plan:
    last = inner[-1]
    vectors = _extent(inner[:-1]) * _vectors(last)
    if inner[:-1] and last.extent % PARTIALS:
        vectors += _extent(inner[:-1])  # a row may begin inside a vector
    cost = _extent(outer) * (vectors * _work(body, last) + 2 * TREE * _reduces(body))
    return Plan("rows", outer, inner, body, None, None, PARTIALS, cost)


def _tiles(
    outer: tuple[Axis, ...],
    inner: tuple[Axis, ...],
    body: tuple[Step, ...],
    operands: Sequence[Operand],
) -> list[Plan]:
    if inner or any(step.op == "reduce" or step.op.endswith("_at") for step in body):
        return []
    found = []
    for v, along in enumerate(outer):
        for t, across in enumerate(outer):
            turned = turned_operands(along, across, body)
            if v == t or not turned:
                continue
            others = _extent([a for k, a in enumerate(outer) if k not in (v, t)])
            cycles = _work(body, along) - (SCATTERED - TURNED) * len(turned)
            cost = others * _vectors(along) * _vectors(across) * TILE * cycles
            found.append(Plan("tiles", outer, inner, body, v, t, TILE, cost))
    return found


def turned_operands(along: Axis, across: Axis, body: tuple[Step, ...]) -> list[int]:
    """Operands that are contiguous across the lanes and not along them."""
    used = dict.fromkeys(operand for step in body for operand in moved(step))
    return [o for o in used if across.strides[o] == 1 and along.strides[o] not in (0, 1)]


def _lanes(axis: Axis | None, inner: tuple[Axis, ...], body: tuple[Step, ...]) -> int:
    """How many neighbours go together: more where each has little to do."""
    if axis is None:
        return 1
    dear = any(step.op not in CHEAP_OPS for step in body)
    if inner:
        return TILE if dear or axis.extent < WIDE else WIDE
    sizes = [size_of(step.kind) for step in body if step.op in ("load", "store")]
    most = TILE if dear else max(TILE, min(WIDE, ELEMENTWISE // min(sizes, default=4)))
    while most > axis.extent and most > TILE:
        most //= 2
    return most


def threads_worth(plan: Plan) -> int:
    """How many threads are worth waking."""
    return max(1, int(plan.cost / CYCLES_PER_THREAD))
