"""Sums of run-time sizes and strides: the inner loops of generalised ufuncs.

The order of arithmetic is that of `reductions`. Chunks of 8192 elements are counted up like digits:
sixteen partials per level, a level's result goes on to the next one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from ..emit import I64, Emitter, Index
from ..scalars import TABLE
from ..types import size_of
from .memory import shuffled
from .pointwise import at_byte, loop_numbers
from .reductions import CHUNK, COMBINE, PARTIALS, neutral

LEVELS = 3  # 8192³ elements
WIDTH = 8  # vectors of neighbouring results that are added up together


@dataclass(frozen=True)
class SumLoop:
    """out[i] = the sum (or product) over n or m x n elements; sizes and strides are NumPy's.

    args: x, out; dimensions: outer, (m,) n; strides: of x and out along outer, of x along (m,) n.
    """

    name: str
    kind: str
    axes: int

    def emit(self, e: Emitter) -> None:
        """Neighbouring results in vectors; else neighbouring elements; else through a buffer."""
        Sums(e, self.name, self.kind, self.axes).write()


class Sums:
    """What the ways to add up share."""

    def __init__(self, e: Emitter, name: str, kind: str, axes: int):
        self.e, self.kind, self.size = e, kind, size_of(kind)
        code, turn = TABLE[COMBINE[name]].code, name in ("max", "min")  # as in `reductions`
        self.combine = lambda a, b: code(e, kind, b, a) if turn else code(e, kind, a, b)
        self.start = float(neutral(name, kind))
        self.x, self.out = e.pointer(0), e.pointer(1)
        self.outer, *sizes, self.sx, self.so = loop_numbers(e, 1 + axes, 2)
        (*_, self.sm, self.sn) = (I64(0), *loop_numbers(e, 0, 2 + axes)[2:])
        (*_, self.m, self.n) = (I64(1), *sizes)

    def write(self) -> None:
        """The whole loop."""
        e, b = self.e, self.e.builder
        lanes = e.host.lanes(self.size)
        one = I64(self.size)
        columns = b.and_(
            b.icmp_signed("==", self.m, I64(1)),
            b.and_(b.icmp_signed("==", self.sx, one), b.icmp_signed(">", self.outer, I64(1))),
        )
        wide = b.select(columns, self.outer, I64(0))
        whole = e.sub(wide, e.rem(wide, lanes))
        with e.loop(0, whole, WIDTH * lanes, "column") as i:
            self._columns(i, e.least(e.div(e.sub(whole, i), lanes), WIDTH), lanes, None)
        with e.loop(whole, wide, lanes, "column") as i:
            self._columns(i, 1, lanes, e.first_lanes(e.sub(wide, i), lanes))
        with e.loop(wide, self.outer, 1, "row") as i:
            self._row(i)

    # ------------------------------------------------------------ many results at once

    def _columns(self, i: Index, vectors: Index, lanes: int, mask: Any) -> None:
        """Results i, i + 1, ...: the partials of all of them in memory, row after row."""
        e, b = self.e, self.e.builder
        x = at_byte(e, self.x, e.mul(i, self.size))
        parts = e.scratch(self.kind, PARTIALS * WIDTH * lanes)

        def chunk(first: Index, last: Index, low: Index, high: Index) -> None:
            with e.loop(0, PARTIALS * WIDTH) as k:
                e.store(self._none(lanes), parts, e.mul(k, lanes), self.kind)
            with e.loop(first, last, 1, "k") as k:
                row = at_byte(e, x, e.mul(k, self.sn))
                part = e.address(parts, e.mul(e.rem(k, PARTIALS), WIDTH * lanes), self.kind)
                with e.loop(low, high, lanes, "v") as v:
                    old = e.load(part, v, self.kind, lanes)
                    new = e.load(row, v, self.kind, lanes, mask)
                    e.store(self.combine(old, new), part, v, self.kind)

        def finished(v: Index) -> ir.Value:
            places = [e.add(v, j * WIDTH * lanes) for j in range(PARTIALS)]
            return self._tree([e.load(parts, p, self.kind, lanes) for p in places])

        small = b.icmp_signed("<=", self.n, I64(CHUNK))
        with e.guard(small):
            chunk(0, self.n, 0, e.mul(vectors, lanes))
            with e.loop(0, e.mul(vectors, lanes), lanes, "v") as v:
                self._spread(finished(v), e.add(i, v), lanes, mask)
        with e.guard(b.not_(small)), e.loop(0, e.mul(vectors, lanes), lanes, "one") as v:

            def value(first: Index, last: Index) -> ir.Value:
                chunk(first, last, v, e.add(v, lanes))
                return finished(v)

            self._spread(self._levels(value, self.n, lanes), e.add(i, v), lanes, mask)

    def _spread(self, value: ir.Value, i: Index, lanes: int, mask: Any) -> None:
        """Stores results i, i + 1, ..."""
        e, b = self.e, self.e.builder
        dense = b.icmp_signed("==", self.so, I64(self.size))
        with e.guard(dense):
            e.store(value, at_byte(e, self.out, e.mul(i, self.so)), 0, self.kind, mask)
        with e.guard(b.not_(dense)), e.loop(0, lanes, 1, "lane") as k:
            with e.guard(b.icmp_signed("<", e.add(i, k), self.outer)):
                at = at_byte(e, self.out, e.mul(e.add(i, k), self.so))
                e.store(b.extract_element(value, k), at, 0, self.kind)

    # ------------------------------------------------------------ one result after the other

    def _row(self, i: Index) -> None:
        e, b = self.e, self.e.builder
        x = at_byte(e, self.x, e.mul(i, self.sx))
        count = e.mul(self.m, self.n)
        straight = b.and_(
            b.icmp_signed("==", self.sn, I64(self.size)), b.icmp_signed("==", self.m, I64(1))
        )
        with e.guard(b.icmp_signed("<=", count, I64(CHUNK))):
            near = e.variable(x)
            with e.guard(b.not_(straight)):
                near.set(self._gathered(x, 0, count))
            self._finish(self._line(near.get(), count), i)
        with e.guard(b.icmp_signed(">", count, I64(CHUNK))):

            def chunk(first: Index, last: Index) -> ir.Value:
                here = e.variable(at_byte(e, x, e.mul(first, self.size)))
                with e.guard(b.not_(straight)):
                    here.set(self._gathered(x, first, last))
                return self._line(here.get(), e.sub(last, first))

            self._finish(self._levels(chunk, count, 1), i)

    def _finish(self, value: ir.Value, i: Index) -> None:
        self.e.store(value, at_byte(self.e, self.out, self.e.mul(i, self.so)), 0, self.kind)

    def _gathered(self, x: ir.Value, first: Index, last: Index) -> ir.Value:
        """Elements first to last of the m x n, next to each other."""
        e, b = self.e, self.e.builder
        memory = e.scratch(self.kind, CHUNK)
        n = b.select(b.icmp_signed("==", self.n, I64(0)), I64(1), self.n)  # a divisor
        with e.loop(e.div(first, n), e.div(e.add(last, e.sub(n, 1)), n), 1, "m") as i:
            begin = e.mul(i, n)
            start = e.sub(0, e.least(e.sub(0, first), e.sub(0, begin)))  # the larger of the two
            stop = e.least(last, e.add(begin, n))
            row = at_byte(e, x, e.add(e.mul(i, self.sm), e.mul(e.sub(start, begin), self.sn)))
            self._copy(row, e.address(memory, e.sub(start, first), self.kind), e.sub(stop, start))
        return memory

    def _copy(self, x: ir.Value, to: ir.Value, count: Index) -> None:
        """`count` elements along n: in vectors where they are neighbours."""
        e, b = self.e, self.e.builder
        lanes = e.host.lanes(self.size)
        dense = b.icmp_signed("==", self.sn, I64(self.size))
        whole = b.select(dense, e.sub(count, e.rem(count, lanes)), I64(0))
        with e.loop(0, whole, lanes, "g") as k:
            e.store(e.load(x, k, self.kind, lanes), to, k, self.kind)
        with e.loop(whole, count, 1, "g") as k:
            e.store(e.load(at_byte(e, x, e.mul(k, self.sn)), 0, self.kind), to, k, self.kind)

    def _line(self, x: ir.Value, count: Index) -> ir.Value:
        """Up to a chunk of neighbours: sixteen partials in a vector."""
        e = self.e
        total = e.variable(self._none(PARTIALS))
        whole = e.sub(count, e.rem(count, PARTIALS))
        with e.loop(0, whole, PARTIALS, "k") as k:
            total.set(self.combine(total.get(), e.load(x, k, self.kind, PARTIALS)))
        with e.guard(e.builder.icmp_signed("<", whole, e.value(count))):
            mask = e.first_lanes(e.sub(count, whole), PARTIALS)
            rest = e.load(x, whole, self.kind, PARTIALS, mask)
            sum = self.combine(total.get(), rest)
            total.set(e.builder.select(mask, sum, total.get()))
        value, width = total.get(), PARTIALS
        while width > 1:
            width //= 2
            value = self.combine(
                shuffled(e, value, value, range(width)),
                shuffled(e, value, value, range(width, 2 * width)),
            )
        return e.builder.extract_element(value, I64(0))

    # ------------------------------------------------------------ levels

    def _none(self, lanes: int) -> ir.Value:
        return self.e.constant(self.start, self.kind, lanes)

    def _tree(self, parts: list) -> Any:
        while len(parts) > 1:
            half = len(parts) // 2
            parts = [self.combine(a, b) for a, b in zip(parts[:half], parts[half:])]
        return parts[0]

    def _levels(self, chunk: Any, count: Index, lanes: int) -> ir.Value:
        """The chunks' results, reduced in the same way again."""
        e, b = self.e, self.e.builder
        slots = e.scratch(self.kind, (LEVELS - 1) * PARTIALS * lanes)
        with e.loop(0, (LEVELS - 1) * PARTIALS) as k:
            e.store(self._none(lanes), slots, e.mul(k, lanes), self.kind)

        def put(level: int, value: ir.Value, number: Index) -> None:
            at = e.mul(e.add(e.rem(number, PARTIALS), level * PARTIALS), lanes)
            old = e.load(slots, at, self.kind, lanes)
            e.store(self.combine(old, value), slots, at, self.kind)

        def taken(level: int) -> ir.Value:
            """A level's result; it starts anew."""
            places = [(level * PARTIALS + j) * lanes for j in range(PARTIALS)]
            value = self._tree([e.load(slots, p, self.kind, lanes) for p in places])
            for place in places:
                e.store(self._none(lanes), slots, place, self.kind)
            return value

        with e.loop(0, count, CHUNK, "chunk") as first:
            put(0, chunk(first, e.least(e.add(first, CHUNK), count)), e.div(first, CHUNK))
            full = e.rem(e.add(e.div(first, CHUNK), 1), CHUNK)
            with e.guard(b.icmp_signed("==", full, I64(0))):
                put(1, taken(0), e.div(first, CHUNK * CHUNK))
        rest = e.rem(e.div(e.add(count, CHUNK - 1), CHUNK), CHUNK)
        with e.guard(b.icmp_signed("!=", rest, I64(0))):
            put(1, taken(0), e.div(count, CHUNK * CHUNK))
        return taken(1)
