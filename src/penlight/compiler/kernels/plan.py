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
NONE = -1  # of the axes
WIDE = 64  # lanes of a reduction over columns: whole cache lines of each row
ELEMENTWISE = 128  # bytes of the narrowest operand that one step of an elementwise loop takes
CHEAP_OPS = frozenset(
    """load store const index reduce cast add sub mul neg abs sign min max fmin fmax floor ceil
    rint trunc square lt le gt ge eq ne and or xor not lshift rshift copysign isnan isinf isfinite
    where sqrt div reciprocal""".split()
)


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
    vector: int = NONE
    turned: int = NONE
    lanes: int = 1

    @property
    def points(self) -> int:
        """How many inner points there are."""
        return prod(a.extent for a in self.inner)


def plans(
    outer: Sequence[int], inner: Sequence[int], operands: Sequence[Operand], body: Sequence[Step]
) -> list[Plan]:
    """Every way to walk that may be good."""
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
    found = [
        Plan("columns", outside, inside, body, v, lanes=_lanes(outside[v], inside, body))
        for v in range(len(outside))
    ]
    if inside and not any(step.op == "add_at" for step in body):  # lanes would meet
        found.append(Plan("rows", outside, inside, body, lanes=PARTIALS))
    if not inside and not any(s.op == "reduce" or s.op.endswith("_at") for s in body):
        found += [
            Plan("tiles", outside, inside, body, v, t, TILE)
            for v, along in enumerate(outside)
            for t, across in enumerate(outside)
            if v != t and turned_operands(along, across, body)
        ]
    return [*found, Plan("columns", outside, inside, body)]


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


def turned_operands(along: Axis, across: Axis, body: tuple[Step, ...]) -> list[int]:
    """Operands that are contiguous across the lanes and not along them."""
    used = dict.fromkeys(operand for step in body for operand in moved(step))
    return [o for o in used if across.strides[o] == 1 and along.strides[o] not in (0, 1)]


def _lanes(axis: Axis, inner: tuple[Axis, ...], body: tuple[Step, ...]) -> int:
    """How many neighbours go together: more where each has little to do."""
    dear = any(step.op not in CHEAP_OPS or step.attr in ("argmax", "argmin") for step in body)
    near = all(axis.strides[operand] in (0, 1) for step in body for operand in moved(step))
    if dear or not near:
        return TILE
    sizes = [size_of(step.kind) for step in body if step.op in ("load", "store")]
    most = WIDE if inner else max(TILE, min(WIDE, ELEMENTWISE // min(sizes, default=4)))
    while most > axis.extent and most > TILE:
        most //= 2
    return most
