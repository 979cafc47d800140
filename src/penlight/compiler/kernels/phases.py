"""Which step of a body belongs where: on which axes it depends, and in which pass it is needed.

A reduction needs a pass over the inner axes; what depends on its result and on an inner axis needs
another pass after it. Inner values that several passes need are computed anew where that is cheap,
and kept for the row where it is not. Stores are made in the last pass, so that a kernel may write
over what it reads.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..spec import Step
from ..types import size_of
from .plan import CHEAP_OPS, Axis, Plan, moved

INNER = -1  # stands for every inner axis
KEPT_BYTES = 32 * 1024  # of stack, for values kept from pass to pass
WRITES = ("store", "store_at", "add_at")


@dataclass
class Pass:
    """One walk over the inner axes.

    `reduces`  the reductions that it makes
    `writes`   the stores that it makes
    `computes` the inner steps it needs, in order; those of `keeps` it leaves for later passes
    `takes`    inner steps that an earlier pass has left
    """

    number: int
    reduces: list[int] = field(default_factory=list)
    writes: list[int] = field(default_factory=list)
    computes: list[int] = field(default_factory=list)
    keeps: list[int] = field(default_factory=list)
    takes: list[int] = field(default_factory=list)


class Phases:
    """`axes[n]`: the axes that step n depends on; `phase[n]`: the pass before which it is known."""

    def __init__(self, plan: Plan):
        self.body = plan.body
        self.axes: list[frozenset[int]] = []
        self.phase: list[int] = []
        for step in plan.body:
            axes = _own_axes(plan, step).union(*[self.axes[a] for a in step.args])
            phase = max((self.phase[a] for a in step.args), default=0)
            reduces = step.op == "reduce"
            self.axes.append(axes - {INNER} if reduces else axes)
            self.phase.append(phase + reduces)
        self.passes = self._passes(plan)

    def is_inner(self, n: int) -> bool:
        """Whether a step has a value at each inner point."""
        return INNER in self.axes[n]

    def outer_writes(self) -> list[int]:
        """The stores made once for an outer point."""
        return [n for n in self.outer_steps() if self.body[n].op in WRITES]

    def outer_steps(self) -> list[int]:
        """What is done once for an outer point."""
        return [n for n in range(len(self.body)) if not self.is_inner(n)]

    def _passes(self, plan: Plan) -> list[Pass]:
        reduces = [n for n, step in enumerate(self.body) if step.op == "reduce"]
        writes = [n for n, s in enumerate(self.body) if s.op in WRITES and self.is_inner(n)]
        last = max([self.phase[n] for n in writes] + [self.phase[n] - 1 for n in reduces] + [-1])
        passes = [Pass(number) for number in range(last + 1)]
        for n in reduces:
            passes[self.phase[n] - 1].reduces.append(n)
        if writes:
            passes[last].writes = writes
        kept = plan.points * (1 if plan.way == "rows" else plan.lanes)
        self._find_needs(passes, KEPT_BYTES // max(1, kept))
        return passes

    def _find_needs(self, passes: list[Pass], room: int) -> None:
        """What each pass computes, keeps and takes; `room`: bytes for each element kept."""
        maker: dict[int, Pass] = {}
        for walk in passes:
            self._need(walk, maker)
            for n in walk.takes:
                if n not in maker[n].keeps:
                    maker[n].keeps.append(n)
            for n in walk.computes:
                size = size_of(self.body[n].kind)
                if self.body[n].op not in CHEAP_OPS and size <= room:
                    maker[n], room = walk, room - size

    def _need(self, walk: Pass, maker: dict[int, Pass]) -> None:
        """The inner steps that a pass needs, back to what earlier passes can leave."""
        needed: set[int] = set()
        stack = [a for n in (*walk.reduces, *walk.writes) for a in self.body[n].args]
        while stack:
            n = stack.pop()
            if n in needed or not self.is_inner(n):
                continue
            needed.add(n)
            if n not in maker:
                stack += self.body[n].args
        walk.takes = sorted(n for n in needed if n in maker)
        walk.computes = sorted(n for n in needed if n not in maker)


def _own_axes(plan: Plan, step: Step) -> frozenset[int]:
    """The axes along which a step itself moves."""

    def moves(axis: Axis) -> bool:
        if step.op == "index":
            return axis.number == step.attr
        return any(axis.strides[operand] for operand in moved(step))

    outer = {k for k, axis in enumerate(plan.outer) if moves(axis)}
    return frozenset(outer | ({INNER} if any(map(moves, plan.inner)) else set()))
