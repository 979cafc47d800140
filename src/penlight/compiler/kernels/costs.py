"""What a way to walk costs, about in cycles of one core; the cheapest is taken.

The numbers were measured on an AVX-512 machine, where a vector of 16 float32 is one register; they
only have to put the ways in the right order, and to tell small work from large.
"""

from __future__ import annotations

from math import prod

from ..spec import Step
from ..types import size_of
from .phases import Phases
from .plan import CHEAP_OPS, NONE, TILE, Plan, moved, turned_operands
from .reductions import BETTER, PARTIALS

LOAD, STORE, REPEATED, REVERSED, SCATTERED = 1.0, 3.0, 0.3, 2.0, 24.0
TURNED = 5.0  # a vector's share of turning a square
SIMPLE, DIVIDING, DEAR = 0.5, 8.0, 14.0
SCALAR_DEAR = 40.0  # nothing overlaps with a single one
TREE_OF_LANES, TREE_OF_SLOTS, SLOT = 4.0, 40.0, 3.0
ROW, COLUMN = 6.0, 1.0  # the way from one outer point, or vector of them, to the next
CYCLES_PER_THREAD = 30_000  # about 10 microseconds: for less no thread is woken


def cheapest(plans: list[Plan]) -> Plan:
    """The best plan."""
    return min(plans, key=cost)


def threads_worth(plan: Plan) -> int:
    """How many threads are worth waking."""
    return max(1, int(cost(plan) / CYCLES_PER_THREAD))


def cost(plan: Plan) -> float:
    """Cycles for all of it."""
    phases = Phases(plan)
    points = _outer_points(plan)
    once = sum(_step(plan, n, inner=False) for n in phases.outer_steps())
    each = 0.0
    for walk in phases.passes:
        each += sum(_step(plan, n, inner=True) for n in (*walk.computes, *walk.writes))
        each += LOAD * len(walk.takes) + STORE * len(walk.keeps)
        if plan.way != "rows":
            each += SLOT * len(walk.reduces)
    names = [step.attr for step in plan.body if step.op == "reduce"]
    tree = TREE_OF_LANES if plan.way == "rows" else TREE_OF_SLOTS
    once += sum(tree * (4 if name in BETTER else 1) for name in names)
    way = ROW if plan.way == "rows" or plan.vector == NONE else COLUMN
    return points * (way + once + _inner_vectors(plan) * each)


def _outer_points(plan: Plan) -> int:
    """How often what belongs to an outer point is done: for each vector, where lanes lie there."""
    extents = [axis.extent for axis in plan.outer]
    if plan.vector != NONE:
        extents[plan.vector] = -(-extents[plan.vector] // TILE)
    if plan.turned != NONE:
        extents[plan.turned] = -(-extents[plan.turned] // TILE) * TILE
    return prod(extents)


def _inner_vectors(plan: Plan) -> int:
    if plan.way != "rows":
        return plan.points
    *before, last = plan.inner
    lines = prod(axis.extent for axis in before)
    # a line of several may begin inside a vector
    return lines * (-(-last.extent // PARTIALS) + (bool(before) and last.extent % PARTIALS > 0))


def _step(plan: Plan, n: int, inner: bool) -> float:
    """A step on a vector of 16, or on one element where the lanes lie along the other axes."""
    step = plan.body[n]
    lanes = inner if plan.way == "rows" else plan.vector != NONE
    weight = max(1.0, size_of(_kind(plan, step)) / 4) if lanes else 1.0
    return weight * (
        _arithmetic(step, lanes) + sum(_move(plan, step, o, lanes) for o in moved(step))
    )


def _kind(plan: Plan, step: Step) -> str:
    """The kind that a step works on."""
    return plan.body[step.args[0]].kind if step.args else step.kind


def _arithmetic(step: Step, lanes: bool) -> float:
    if step.op in ("div", "sqrt", "reciprocal"):
        return DIVIDING
    if step.op in CHEAP_OPS or step.op.endswith("_at"):
        return SIMPLE
    return DEAR if lanes else SCALAR_DEAR


def _move(plan: Plan, step: Step, operand: int, lanes: bool) -> float:
    near = LOAD if step.op.startswith("load") else STORE
    if not lanes:
        return near
    axis = plan.inner[-1] if plan.way == "rows" else plan.outer[plan.vector]
    if plan.turned != NONE:
        across = plan.outer[plan.turned]
        if operand in turned_operands(axis, across, (step,)):
            return near + TURNED
    return {1: near, 0: REPEATED, -1: near * REVERSED}.get(axis.strides[operand], SCATTERED)
