"""Convolution's weight gradient: a product whose left matrix is read where it lies.

    sums[m, o] = sum over (n, p) ascending of  x[n, c, stride p + dilation t] * g[n, o, p]

m = (c, t) counts channels and taps. One chain of fused multiply-adds per weight, starting at 0.0.
Vectors lie along o, so g comes transposed in panels (images, groups, panels, places, width), and x
comes padded. A register tile is a few m by one panel; x is read element by element, which suits
every stride and dilation. The sums (groups, panels, m, width) are transposed by another kernel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..emit import I64, Emitter, Index
from ..spec import Operand
from ..types import size_of
from .sizes import NUMBERS_OPERAND, Numbers, Triple, read_numbers


@dataclass(frozen=True)
class WeightSizes(Numbers):
    """`images`, each of `groups` groups of `depth` channels of planes of `size`, padding included.

    `panels` of output channels a group. `block_images` images, or `block_lines` lines of places of
    one image, are summed at a time.
    """

    images: Index
    groups: Index
    panels: Index
    depth: Index
    size: Triple
    taps: Triple
    places: Triple
    stride: Triple
    dilation: Triple
    block_images: Index
    block_lines: Index


@dataclass(frozen=True)
class WeightGradient:
    """The kernel. Operands: x (padded), g (in panels), sums, numbers.

    `tile`       rows m by vectors of output channels; the width of a panel is that many vectors
    `depthwise`  output channel o has the one input channel o, and x comes in panels as g does
    """

    kind: str
    tile: tuple[int, int]
    threads: int
    depthwise: bool = False
    sizes: WeightSizes | None = None

    @property
    def operands(self) -> tuple[Operand, ...]:
        """x, g, sums, numbers."""
        read, written = Operand(self.kind, (1,)), Operand(self.kind, (1,), written=True)
        return read, read, written, *(() if self.sizes else (NUMBERS_OPERAND,))

    def emit(self, e: Emitter) -> None:
        """Block of places after block; within it, this thread's tiles of weights."""
        _Writer(self, e).blocks()


class _Writer:
    def __init__(self, spec: WeightGradient, e: Emitter):
        self.spec, self.e, self.kind = spec, e, spec.kind
        self.s = s = spec.sizes or read_numbers(e, WeightSizes, 3)[1]
        self.lanes = e.host.lanes(size_of(spec.kind))
        self.width = spec.tile[1] * self.lanes
        self.taps = e.mul(e.mul(s.taps[0], s.taps[1]), s.taps[2])
        self.rows = e.mul(s.depth, self.taps)
        self.lines = e.mul(s.places[0], s.places[1])
        self.plane = e.mul(e.mul(s.size[0], s.size[1]), s.size[2])

    def blocks(self) -> None:
        """The chain is cut where a block of places ends; the sums wait in memory."""
        e, s, rows = self.e, self.s, self.spec.tile[0]
        tiles = e.div(e.add(self.rows, rows - 1), rows)
        extents = (s.groups, s.panels, tiles)
        start, stop = e.share(e.mul(e.mul(s.groups, s.panels), tiles))
        with (
            e.loop(0, s.images, s.block_images, "image") as image,
            e.loop(0, self.lines, s.block_lines, "line") as line,
        ):
            first = e.builder.icmp_signed("==", e.builder.or_(image, line), I64(0))
            images = e.least(s.block_images, e.sub(s.images, image))
            lines = e.least(s.block_lines, e.sub(self.lines, line))
            with e.loop(start, stop, name="tile") as number:
                group, panel, tile = e.unravel(number, extents)
                place = (image, line, images, lines)
                self.either(group, panel, e.mul(tile, rows), place, first)

    def either(self, group: Index, panel: Index, row: Index, place: tuple, first: Any) -> None:
        """A full tile, or what is left of the rows."""
        e, rows = self.e, self.spec.tile[0]
        if not isinstance(self.rows, int) or self.rows % rows == 0:
            self.tile(group, panel, row, rows, place, first)
            return
        if self.rows < rows:
            self.tile(group, panel, row, self.rows, place, first)
            return
        full = e.builder.icmp_signed("<=", e.value(e.add(row, rows)), e.value(self.rows))
        with e.guard(full, "full"):
            self.tile(group, panel, row, rows, place, first)
        with e.guard(e.builder.not_(full), "rest"):
            self.tile(group, panel, row, self.rows % rows, place, first)

    def tile(
        self, group: Index, panel: Index, row: Index, rows: int, place: tuple, first: Any
    ) -> None:
        """sums += x * g over the places of the block."""
        e, s, kind, lanes = self.e, self.s, self.kind, self.lanes
        wide = self.spec.tile[1]
        numbers = [e.add(row, r) for r in range(rows)]
        if not isinstance(self.rows, int):  # behind the last row: the last one again
            numbers = [e.least(m, e.sub(self.rows, 1)) for m in numbers]
        head = e.mul(e.add(e.mul(group, s.panels), panel), self.rows)
        at = [e.mul(e.add(head, m), self.width) for m in numbers]
        zero, sums, target = e.constant(0.0, kind, lanes), [], e.pointer(2)
        for spot in at:
            line = []
            for v in range(wide):
                before = e.load(target, e.add(spot, v * lanes), kind, lanes)
                line.append(e.variable(e.builder.select(first, zero, before)))
            sums.append(line)
        self.accumulate(group, panel, numbers, place, sums)
        for spot, line in zip(at, sums):
            for v, total in enumerate(line):
                e.store(total.get(), target, e.add(spot, v * lanes), kind)

    def accumulate(
        self, group: Index, panel: Index, numbers: list, place: tuple, sums: list
    ) -> None:
        """The places in order: image, line, column."""
        e, s, kind = self.e, self.s, self.kind
        image0, line0, images, lines = place
        ahead = self.ahead(numbers)
        apart = self.width if self.spec.depthwise else 1  # elements of a channel
        places = e.mul(self.lines, s.places[2])
        with e.loop(0, images, name="image") as i:
            nth = e.add(e.mul(e.add(image0, i), s.groups), group)
            pictures = e.add(e.mul(nth, s.panels), panel) if apart > 1 else e.mul(nth, s.depth)
            x0 = e.mul(e.mul(pictures, self.plane), apart)
            g0 = e.mul(e.mul(e.add(e.mul(nth, s.panels), panel), places), self.width)
            pointers = [e.address(e.pointer(0), e.add(x0, e.mul(a, apart)), kind) for a in ahead]
            panel0 = e.address(e.pointer(1), g0, kind)
            with e.loop(0, lines, name="line") as j:
                line = e.add(line0, j)
                deep, high = e.div(line, s.places[1]), e.rem(line, s.places[1])
                x1 = e.dot((deep, high), (e.mul(s.stride[0], s.size[1]), s.stride[1]))
                x1 = e.mul(x1, s.size[2])
                g1 = e.mul(line, s.places[2])
                for col in self.columns():
                    to = e.mul(e.add(g1, col), self.width)
                    vectors = [
                        e.load(panel0, e.add(to, v * self.lanes), kind, self.lanes)
                        for v in range(self.spec.tile[1])
                    ]
                    at = e.mul(e.add(x1, e.mul(col, s.stride[2])), apart)
                    for pointer, line_ in zip(pointers, sums):
                        for vector, total, x in zip(vectors, line_, self.read(pointer, at)):
                            total.set(e.fma(x, vector, total.get()))

    def read(self, pointer: Any, at: Index) -> list[Any]:
        """What the vectors of a panel are multiplied with."""
        e, wide = self.e, range(self.spec.tile[1])
        if self.spec.depthwise:
            return [e.load(pointer, e.add(at, v * self.lanes), self.kind, self.lanes) for v in wide]
        repeated = e.splat(e.load(pointer, at, self.kind), self.lanes)
        return [repeated for _ in wide]

    def ahead(self, numbers: list) -> list[Index]:
        """Where the rows m begin in an image: their channel, their tap's place."""
        e, s = self.e, self.s
        strides = (
            e.mul(s.dilation[0], e.mul(s.size[1], s.size[2])), e.mul(s.dilation[1], s.size[2]),
            s.dilation[2],
        )  # fmt: skip
        together = isinstance(self.taps, int) and len(numbers) % self.taps == 0
        first = e.div(numbers[0], self.taps)
        found = []
        for i, m in enumerate(numbers):
            if together:  # a tile begins with a channel
                channel, tap = e.add(first, i // self.taps), e.unravel(i % self.taps, s.taps)
            else:
                channel, tap = e.div(m, self.taps), e.unravel(e.rem(m, self.taps), s.taps)
            found.append(e.add(e.mul(channel, self.plane), e.dot(tap, strides)))
        return found

    def columns(self) -> Iterator[Index]:
        """The places of a line; several to a turn where their count is known."""
        e, wide = self.e, self.s.places[2]
        turn = next(n for n in (4, 3, 2, 1) if wide % n == 0) if isinstance(wide, int) else 1
        with e.loop(0, wide, turn, "column") as col:
            for i in range(turn):
                yield e.add(col, i)
