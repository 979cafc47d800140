"""A square of 16 by 16 points, for bodies whose operands are contiguous along different axes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ..emit import Emitter, Index
from .memory import shuffled
from .plan import TILE, Axis, turned_operands
from .points import Evaluator, Point
from .steps import repeated

SHORT = 4  # steps: more are written once, in a loop


class Tile:
    """The points [first, first + 16) along the lanes' axis x [top, top + 16) across it."""

    def __init__(self, at: Evaluator, along: Axis, across: Axis, first: Index, top: Index):
        self.at, self.e = at, at.e
        self.along, self.across, self.first, self.top = along, across, first, top
        self.turned = turned_operands(along, across, tuple(at.body))

    def emit(self, point: Point, values: dict[int, Any]) -> None:
        """Turns what is read, evaluates row by row, turns what is written.

        A short body is written out for each row and its squares stay in registers; else there is
        one loop over the rows, and the squares are in memory.
        """
        reads, writes = self._moves("load"), self._moves("store")
        short = len(self.at.body) - len(values) <= SHORT
        Square = Registers if short else Memory
        squares = {("load", n): Square(self, n) for n in reads}
        squares |= {("store", n): Square(self, n) for n in writes}
        for n in reads:
            lines = [self.at.load(line, n) for line, _ in self._lines(point)]
            squares["load", n].fill(transposed(self.e, lines))
        with self._rows(short) as rows:
            for t in rows:
                self._row(self._line(point, t), dict(values), squares, t)
        for n in writes:
            rows = transposed(self.e, squares["store", n].rows())
            for (line, inside), row in zip(self._lines(point), rows):
                with self._where(inside):
                    self.at.store(line, n, row)

    @contextmanager
    def _rows(self, short: bool) -> Iterator[Sequence[Index]]:
        """The rows' numbers: all 16, or the number in a loop over those that there are."""
        if short:
            yield range(TILE)
            return
        e = self.e
        with e.loop(0, e.least(e.sub(self.across.extent, self.top), TILE), name="t") as t:
            yield [t]

    def _line(self, point: Point, t: Index) -> Point:
        """Row `t` of the square."""
        at, _ = self._within(self.across, self.top, t)
        mask = self._mask(self.along, self.first)
        here = point.moved(self.e, self.across, at)
        return here.spread(self.e, self.along, self.first, TILE, mask)

    def _within(self, axis: Axis, start: Index, n: Index) -> tuple[Index, Any]:
        """A position kept inside its axis, and whether it was inside; None if it must be.

        What is outside is not stored, by a branch: LLVM 22 reads past the end where a mask is a
        constant for some lanes and not for others (AVX2; `tests/test_loop_kernels.py` fences it).
        """
        e, at = self.e, self.e.add(start, n)
        if axis.extent % TILE == 0:
            return at, None
        inside = e.builder.icmp_signed("<", e.value(at), e.value(axis.extent))
        return e.least(at, axis.extent - 1), inside

    @contextmanager
    def _where(self, inside: Any) -> Iterator[None]:
        if inside is None:
            yield
        else:
            with self.e.guard(inside, "inside"):
                yield

    def _moves(self, op: str) -> list[int]:
        """The operands that are turned while they are read, or written."""
        found = [s.attr for s in self.at.body if s.op == op and s.attr in self.turned]
        return list(dict.fromkeys(found))

    def _mask(self, axis: Axis, start: Index) -> Any:
        """The lanes inside the axis; None where all are."""
        if axis.extent % TILE == 0:
            return None
        return self.e.first_lanes(self.e.sub(axis.extent, start), TILE)

    def _row(
        self, here: Point, values: dict[int, Any], squares: dict[tuple[str, int], Any], t: Index
    ) -> None:
        for n, step in enumerate(self.at.body):
            square = squares.get((step.op, step.attr))
            if step.op == "store":
                if square:
                    square.put(t, repeated(self.e, values[step.args[0]], TILE))
                else:
                    with self._where(self._within(self.across, self.top, t)[1]):
                        self.at.write(here, values, [n])
            elif n not in values:
                if square:
                    values[n] = square.get(t)
                else:
                    self.at.evaluate(here, values, [n])

    def _lines(self, point: Point) -> list[tuple[Point, Any]]:
        """For each position along the lanes' axis, the point with the lanes across it.

        With each, whether it is inside.
        """
        e, lanes, found = self.e, self._mask(self.across, self.top), []
        for n in range(TILE):
            at, inside = self._within(self.along, self.first, n)
            line = point.moved(e, self.along, at)
            found.append((line.spread(e, self.across, self.top, TILE, lanes), inside))
        return found


class Registers:
    """A square as 16 vectors."""

    def __init__(self, tile: Tile, operand: int):
        self.lines: list[Any] = []

    def fill(self, rows: list[Any]) -> None:
        """Sets all rows."""
        self.lines = rows

    def rows(self) -> list[Any]:
        """All rows."""
        return self.lines

    def get(self, t: int) -> Any:
        """A row."""
        return self.lines[t]

    def put(self, t: int, row: Any) -> None:
        """Sets the next row."""
        self.lines.append(row)


class Memory:
    """A square on the stack."""

    def __init__(self, tile: Tile, operand: int):
        self.e, self.kind = tile.e, tile.at.operands[operand].kind
        self.place = self.e.scratch(self.kind, TILE * TILE, "square")

    def fill(self, rows: list[Any]) -> None:
        """Sets all rows."""
        for t, row in enumerate(rows):
            self.put(t, row)

    def rows(self) -> list[Any]:
        """All rows."""
        return [self.get(t) for t in range(TILE)]

    def get(self, t: Index) -> Any:
        """A row."""
        return self.e.load(self.place, self.e.mul(t, TILE), self.kind, TILE)

    def put(self, t: Index, row: Any) -> None:
        """Sets a row."""
        self.e.store(row, self.place, self.e.mul(t, TILE), self.kind)


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
