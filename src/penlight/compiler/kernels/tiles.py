"""A square of 16 by 16 points, for bodies whose operands are contiguous along different axes."""

from __future__ import annotations

from typing import Any

from ..emit import Emitter, Index
from ..spec import Step
from .memory import shuffled
from .plan import TILE, Axis, turned_operands
from .points import Evaluator, Point
from .steps import repeated


class Tile:
    """The points [first, first + 16) along the lanes' axis x [top, top + 16) across it."""

    def __init__(self, at: Evaluator, along: Axis, across: Axis, first: Index, top: Index):
        self.at, self.e = at, at.e
        self.along, self.across, self.first, self.top = along, across, first, top
        self.turned = turned_operands(along, across, tuple(at.body))
        self.squares: dict[int, Any] = {}

    def emit(self, point: Point, values: dict[int, Any]) -> None:
        """Turns what is read, evaluates row by row, turns what is written."""
        e = self.e
        for step in self._moves("load"):
            self._turn_in(point, step.attr)
        mask = self._mask(self.along, self.first)
        rows = e.least(e.sub(self.across.extent, self.top), TILE)
        with e.loop(0, rows, name="t") as t:
            here = point.moved(e, self.across, e.add(self.top, t))
            here = here.spread(e, self.along, self.first, TILE, mask)
            self._row(here, dict(values), e.mul(t, TILE))
        for step in self._moves("store"):
            self._turn_out(point, step.attr)

    def _moves(self, op: str) -> list[Step]:
        steps = {s.attr: s for s in self.at.body if s.op == op and s.attr in self.turned}
        return list(steps.values())

    def _mask(self, axis: Axis, start: Index) -> Any:
        """The lanes inside the axis; None where all are."""
        if axis.extent % TILE == 0:
            return None
        return self.e.first_lanes(self.e.sub(axis.extent, start), TILE)

    def _row(self, here: Point, values: dict[int, Any], place: Index) -> None:
        e = self.e
        for n, step in enumerate(self.at.body):
            if step.op == "load" and step.attr in self.turned:
                values[n] = e.load(self._square(step.attr, "load"), place, step.kind, TILE)
            elif step.op == "store" and step.attr in self.turned:
                square = self._square(step.attr, "store")
                e.store(repeated(e, values[step.args[0]], TILE), square, place, step.kind)
            elif step.op == "store":
                self.at.write(here, values, [n])
            elif n not in values:
                self.at.evaluate(here, values, [n])

    def _square(self, operand: int, op: str) -> Any:
        """Memory for 16 rows of 16 elements."""
        key = (operand, op)
        if key not in self.squares:
            kind = self.at.operands[operand].kind
            self.squares[key] = self.e.scratch(kind, TILE * TILE, "square")
        return self.squares[key]

    def _lines(self, point: Point) -> list[Point]:
        """For each position along the lanes' axis, the point with the lanes across it."""
        e = self.e
        inside = self._mask(self.along, self.first)
        lanes = self._mask(self.across, self.top)
        found = []
        for n in range(TILE):
            line = point.moved(e, self.along, e.add(self.first, n))
            mask = lanes
            if inside is not None:
                here = e.splat(e.builder.extract_element(inside, e.value(n)), TILE)
                mask = here if lanes is None else e.builder.and_(here, lanes)
            found.append(line.spread(e, self.across, self.top, TILE, mask))
        return found

    def _turn_in(self, point: Point, operand: int) -> None:
        rows = transposed(self.e, [self.at.load(p, operand) for p in self._lines(point)])
        square, kind = self._square(operand, "load"), self.at.operands[operand].kind
        for n, row in enumerate(rows):
            self.e.store(row, square, n * TILE, kind)

    def _turn_out(self, point: Point, operand: int) -> None:
        square, kind = self._square(operand, "store"), self.at.operands[operand].kind
        rows = [self.e.load(square, n * TILE, kind, TILE) for n in range(TILE)]
        for line, row in zip(self._lines(point), transposed(self.e, rows)):
            self.at.store(line, operand, row)


def transposed(e: Emitter, rows: list[Any]) -> list[Any]:
    """The columns of a square of 16 vectors of 16 lanes, in four rounds of two-vector shuffles.

    The first two turn the 4 x 4 blocks within the quarters of the vectors, the others turn the
    square of quarters: shuffles that x86 has, most of them without an index vector.
    """

    def pairs(some: list[Any], distance: int) -> list[tuple[Any, Any]]:
        return [(some[n], some[n + distance]) for n in range(16) if not n & distance]

    singles = [shuffled(e, a, b, pick) for a, b in pairs(rows, 1) for pick in SINGLES]
    doubles = [shuffled(e, a, b, pick) for a, b in pairs(singles, 2) for pick in DOUBLES]
    columns: list[Any] = [None] * 16
    for n in range(4):
        a, b, c, d = doubles[n::4]
        for quarter, half in enumerate(QUARTERS):
            left, right = shuffled(e, a, b, half), shuffled(e, c, d, half)
            columns[4 * quarter + n] = shuffled(e, left, right, QUARTERS[0])
            columns[4 * quarter + n + 8] = shuffled(e, left, right, QUARTERS[1])
    return columns


def _within(*lanes: int) -> list[int]:
    """A choice among the 4 + 4 lanes of a quarter of two vectors, in each quarter."""
    return [lane % 4 + 4 * q + 16 * (lane // 4) for q in range(4) for lane in lanes]


def _whole(*quarters: int) -> list[int]:
    """A choice among the 4 + 4 quarters of two vectors."""
    return [4 * q + k for q in quarters for k in range(4)]


SINGLES = (_within(0, 4, 1, 5), _within(2, 6, 3, 7))
DOUBLES = (_within(0, 1, 4, 5), _within(2, 3, 6, 7))
QUARTERS = (_whole(0, 2, 4, 6), _whole(1, 3, 5, 7))
