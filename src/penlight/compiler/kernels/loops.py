"""Elementwise programs and reductions over strided arrays: where all fusion of them goes.

For every point of the outer axes, the body is evaluated at every point of the inner axes; its
reductions are over all inner axes (in the order of `reductions`), and values that depend on a
reduction's result may be inner values again: softmax is two reductions and a store. `plan` chooses
how to walk, `phases` finds the passes; here the loops are written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

from ..emit import Emitter, Index
from ..spec import Operand, Step
from ..types import is_float
from .costs import cheapest, threads_worth
from .memory import strided
from .phases import Pass, Phases
from .plan import NONE, TILE, Axis, Plan, plans
from .points import Evaluator, Point
from .reductions import PARTIALS, Extremum, Lanes, Reduction, Slots, fold
from .steps import repeated
from .tiles import Tile

Visit = Callable[[Point, Index], None]  # an inner point and its flat number


@dataclass(frozen=True)
class Loops:
    """A body over the points of outer x inner axes.

    `outer`    extents of independent axes, in any order
    `inner`    extents of the axes that are reduced over or walked in order, row-major
    `operands` strides over outer then inner axes
    `body`     the steps, with "reduce" over all inner axes
    """

    outer: tuple[int, ...]
    inner: tuple[int, ...]
    operands: tuple[Operand, ...]
    body: tuple[Step, ...]

    @cached_property
    def plan(self) -> Plan:
        """How the axes are walked."""
        return cheapest(plans(self.outer, self.inner, self.operands, self.body))

    @property
    def threads(self) -> int:
        """How many threads are worth waking."""
        return threads_worth(self.plan)

    def emit(self, e: Emitter) -> None:
        """Writes the loops."""
        if 0 in self.outer:
            return
        {"columns": Columns, "rows": Rows, "tiles": Tiles}[self.plan.way](self, e).emit()


class Walk:
    """What the ways to walk share: scopes of values, passes over the inner axes."""

    def __init__(self, spec: Loops, e: Emitter):
        self.e, self.plan = e, spec.plan
        self.phases = Phases(self.plan)
        self.at = Evaluator(e, spec.operands, self.plan.body)
        self.kept: dict[int, Any] = {}

    def emit(self) -> None:
        """Writes all of it."""
        raise NotImplementedError

    def settle(
        self, point: Point, values: dict[int, Any], axes: frozenset[int], phase: int
    ) -> None:
        """Evaluates what depends on these axes only and is known before pass `phase`."""
        known = [
            n for n, step in enumerate(self.plan.body)
            if n not in values and step.op not in ("store", "store_at", "add_at", "reduce")
            and self.phases.axes[n] <= axes and self.phases.phase[n] <= phase
        ]  # fmt: skip
        self.at.evaluate(point, values, known)

    @contextmanager
    def outer_points(
        self, axes: list[int], start: Index, stop: Index
    ) -> Iterator[tuple[Point, dict[int, Any]]]:
        """Stands at the points [start, stop) of some outer axes, row-major."""
        values: dict[int, Any] = {}
        origin = self.at.origin()
        self.settle(origin, values, frozenset(), 0)
        with self.e.loop(start, stop, name="row") as row:
            point, values = origin, dict(values)
            places = self.e.unravel(row, [self.plan.outer[k].extent for k in axes])
            for k, place in zip(axes, places, strict=True):
                point = point.moved(self.e, self.plan.outer[k], place)
            self.settle(point, values, frozenset(axes), 0)
            yield point, values

    def run(self, point: Point, values: dict[int, Any], axes: frozenset[int]) -> None:
        """All passes at one outer point, and the stores that belong to it."""
        for walk in self.phases.passes:
            self.settle(point, values, axes, walk.number)
            self._pass(point, values, walk)
        self.settle(point, values, axes, len(self.phases.passes))
        self.at.write(point, values, self.phases.outer_writes())

    def _pass(self, point: Point, values: dict[int, Any], walk: Pass) -> None:
        body = self.plan.body
        reductions = [
            self.reduction(body[n].attr, body[body[n].args[0]].kind) for n in walk.reduces
        ]

        def over(start: Index, stop: Index, partials: list[Any]) -> None:
            def visit(here: Point, number: Index) -> None:
                local = self._inner_values(here, values, walk, number)
                for n, partial in zip(walk.reduces, partials):
                    found = repeated(self.e, local[body[n].args[0]], here.lanes)
                    parts = partial.reduction.element(found, self.numbers(number, here.lanes))
                    partial.add(number, parts, here.mask)
                self.at.write(here, local, walk.writes)

            self.inner_points(point, start, stop, visit)

        count = self.plan.points
        if not reductions:
            over(0, count, [])
            return
        totals = fold(self.e, reductions, count, point.lanes, self.partials(point), over)
        values.update(zip(walk.reduces, totals))

    def _inner_values(
        self, here: Point, values: dict[int, Any], walk: Pass, number: Index
    ) -> dict[int, Any]:
        """What a pass needs at one inner point: taken from an earlier pass, or computed."""
        e, local = self.e, dict(values)
        place = self.kept_place(number, here.lanes)
        for n in walk.takes:
            kind = self.plan.body[n].kind
            local[n] = e.load(self.kept[n], place, kind, here.lanes, here.mask)
        self.at.evaluate(here, local, walk.computes)
        for n in walk.keeps:
            kind = self.plan.body[n].kind
            if n not in self.kept:
                elements = self.kept_place(-(-self.plan.points // PARTIALS) * PARTIALS, here.lanes)
                self.kept[n] = e.scratch(kind, elements, "kept")
            e.store(repeated(e, local[n], here.lanes), self.kept[n], place, kind, here.mask)
        return local

    # ------------------------------------------------------------ what the ways differ in

    def inner_points(self, point: Point, start: Index, stop: Index, visit: Visit) -> None:
        """Visits the inner points [start, stop)."""
        raise NotImplementedError

    def reduction(self, name: str, kind: str) -> Reduction:
        """A reduction, in the form that suits the partials."""
        return Reduction(self.e, name, kind)

    def partials(self, point: Point) -> Callable[[Reduction], Any]:
        """Makes the partials of a chunk."""
        raise NotImplementedError

    def numbers(self, number: Index, lanes: int) -> Any:
        """The flat number of the inner point in each lane."""
        raise NotImplementedError

    def kept_place(self, number: Index, lanes: int) -> Index:
        """Where the kept value of an inner point lies."""
        raise NotImplementedError


class Columns(Walk):
    """Lanes along an outer axis, or none; the inner axes one point after the other."""

    def emit(self) -> None:
        """Threads share the other outer axes, or the lanes' axis if it is the longer one."""
        e, plan = self.e, self.plan
        rows = [k for k in range(len(plan.outer)) if k != plan.vector]
        count = prod(plan.outer[k].extent for k in rows)
        extent = 1 if plan.vector == NONE else plan.outer[plan.vector].extent
        by_row = count * plan.lanes >= extent
        start, stop = e.share(count) if by_row else (0, count)
        first, last = (0, extent) if by_row else e.share(extent, plan.lanes)
        with self.outer_points(rows, start, stop) as (point, values):
            if plan.vector == NONE:
                self.run(point, values, frozenset(rows))
            else:
                self._along(plan.outer[plan.vector], first, last, point, values)

    def _along(
        self, axis: Axis, first: Index, last: Index, point: Point, values: dict[int, Any]
    ) -> None:
        """Full vectors, then the rest by masked ones."""
        e, lanes = self.e, self.plan.lanes
        axes = frozenset(range(len(self.plan.outer)))
        full = axis.extent // lanes * lanes
        if full:
            with e.loop(first, e.least(last, full), lanes, "v") as v:
                self.run(point.spread(e, axis, v, lanes), dict(values), axes)
        if full < axis.extent:
            with e.loop(full, last, TILE, "rest") as v:
                mask = e.first_lanes(e.sub(axis.extent, v), TILE)
                self.run(point.spread(e, axis, v, TILE, mask), dict(values), axes)

    def inner_points(self, point: Point, start: Index, stop: Index, visit: Visit) -> None:
        """One after the other."""
        with self.e.loop(start, stop, name="k") as k:
            here = point
            places = self.e.unravel(k, [a.extent for a in self.plan.inner])
            for axis, place in zip(self.plan.inner, places, strict=True):
                here = here.moved(self.e, axis, place)
            visit(here, k)

    def partials(self, point: Point) -> Callable[[Reduction], Any]:
        """Vectors in memory."""
        return lambda r: Slots(self.e, r, self.plan.points, point.lanes)

    def numbers(self, number: Index, lanes: int) -> Any:
        """The same in every lane."""
        return self.e.splat(self.e.value(number), lanes)

    def kept_place(self, number: Index, lanes: int) -> Index:
        """A vector for each inner point."""
        return self.e.mul(number, lanes)


class Rows(Walk):
    """Lanes along the last inner axis: lane j holds the elements whose number is j modulo 16."""

    def emit(self) -> None:
        """Threads share the outer points."""
        axes = list(range(len(self.plan.outer)))
        start, stop = self.e.share(prod(a.extent for a in self.plan.outer))
        with self.outer_points(axes, start, stop) as (point, values):
            self.run(point, values, frozenset(axes))

    def inner_points(self, point: Point, start: Index, stop: Index, visit: Visit) -> None:
        """Vector by vector, row by row of the last axis."""
        *before, last = self.plan.inner
        if not before:
            self._one_row(point, last, start, stop, visit)
            return
        e, width = self.e, last.extent
        end = e.div(e.add(stop, width - 1), width)
        with e.loop(e.div(start, width), end, name="line") as line:
            here = point
            for axis, place in zip(before, e.unravel(line, [a.extent for a in before])):
                here = here.moved(e, axis, place)
            self._part_of_row(here, last, line, start, stop, visit)

    def _one_row(self, point: Point, axis: Axis, start: Index, stop: Index, visit: Visit) -> None:
        """Full vectors, then a masked one; `start` is a multiple of 16."""
        e, full = self.e, axis.extent // PARTIALS * PARTIALS
        if full:
            with e.loop(start, e.least(stop, full), PARTIALS, "j") as j:
                visit(point.spread(e, axis, j, PARTIALS), j)
        if full < axis.extent:
            with e.loop(full, stop, PARTIALS, "rest") as j:
                mask = e.first_lanes(axis.extent - full, PARTIALS)
                visit(point.spread(e, axis, j, PARTIALS, mask), j)

    def _part_of_row(
        self, point: Point, axis: Axis, line: Index, start: Index, stop: Index, visit: Visit
    ) -> None:
        """The vectors of one row that begin at multiples of 16 of the flat number."""
        e, b = self.e, self.e.builder
        number = e.mul(line, axis.extent)
        low, high = e.sub(start, number), e.least(e.sub(stop, number), axis.extent)
        low = b.select(b.icmp_signed("<", e.value(low), e.value(0)), e.value(0), e.value(low))
        if axis.extent % PARTIALS == 0:
            with e.loop(low, high, PARTIALS, "j") as j:
                visit(point.spread(e, axis, j, PARTIALS), e.add(number, j))
            return
        early = b.and_(b.add(number, low), e.value(PARTIALS - 1))
        with e.loop(e.sub(low, early), high, PARTIALS, "j") as j:
            late = b.not_(e.first_lanes(e.sub(low, j), PARTIALS))
            mask = b.and_(late, e.first_lanes(e.sub(high, j), PARTIALS))
            visit(point.spread(e, axis, j, PARTIALS, mask), e.add(number, j))

    def reduction(self, name: str, kind: str) -> Reduction:
        """Those of floats with NaN kept apart."""
        apart = name in ("max", "min") and is_float(kind)
        return (Extremum if apart else Reduction)(self.e, name, kind)

    def partials(self, point: Point) -> Callable[[Reduction], Any]:
        """The lanes of a vector."""
        return lambda r: Lanes(self.e, r)

    def numbers(self, number: Index, lanes: int) -> Any:
        """Neighbours."""
        return strided(self.e, number, 1, lanes)

    def kept_place(self, number: Index, lanes: int) -> Index:
        """Elements in their order."""
        return number


class Tiles(Walk):
    """Squares of 16 by 16 points; operands that lie across the lanes are turned in registers."""

    def emit(self) -> None:
        """Threads share the squares."""
        e, plan = self.e, self.plan
        v, t = plan.vector, plan.turned
        rows = [k for k in range(len(plan.outer)) if k not in (v, t)]
        along, across = plan.outer[v], plan.outer[t]
        wide, high = (-(-a.extent // TILE) for a in (along, across))
        count = prod(plan.outer[k].extent for k in rows)
        start, stop = e.share(count * wide * high)
        values: dict[int, Any] = {}
        origin = self.at.origin()
        self.settle(origin, values, frozenset(), 0)
        with e.loop(start, stop, name="square") as square:
            row, down, right = e.unravel(square, (count, high, wide))
            point = origin
            for k, place in zip(rows, e.unravel(row, [plan.outer[k].extent for k in rows])):
                point = point.moved(e, plan.outer[k], place)
            here = dict(values)
            self.settle(point, here, frozenset(rows), 0)
            tile = Tile(self.at, along, across, e.mul(right, TILE), e.mul(down, TILE))
            tile.emit(point, here)
