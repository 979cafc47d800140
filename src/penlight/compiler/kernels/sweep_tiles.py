"""The register tiles of a sweep: sums over the rows of a panel, and where the results go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from ..emit import I32, I64, Emitter, Index
from ..types import size_of
from .memory import gather, scatter
from .sizes import same, steps_from
from .steps import emit_steps

W, Y = 1, 2  # positions of operands


@dataclass
class Block:
    """A block of places: its group, first image, row and column, and how many of them there are."""

    group: Index
    image: Index
    row: Index
    col: Index
    images: Index
    rows: Index
    cols: Index


@dataclass
class Place:
    """Where a vector of results goes: behind `start` at `flat` on, or at a vector of indices."""

    image: Index
    channel: Index
    start: Index
    flat: Index | None
    where: Any
    mask: Any


class Tiles:
    """Writes the tiles of a sweep."""

    def __init__(self, spec: Any, sizes: Any, e: Emitter, panel: ir.Value):
        self.spec, self.s, self.e, self.panel = spec, sizes, e, panel
        self.kind = spec.kind
        self.lanes = e.host.lanes(size_of(spec.kind))
        self.w, self.y = e.pointer(W), e.pointer(Y)
        s = sizes
        self.taps = e.mul(e.mul(s.taps[0], s.taps[1]), s.taps[2])
        self.y_plane = e.mul(e.mul(s.out_size[0], s.out_size[1]), s.out_size[2])

    def write(self, block: Block, first: Index, depth: Index, begin: Index, end: Index) -> None:
        """The block's sums of the panel's channels, for the tiles [begin, end) of results."""
        e, total, rows = self.e, self.s.rows, self.spec.tile[0]
        vectors = self.vectors(block)
        known = isinstance(total, int)
        full = total // rows if known else None
        with e.loop(begin, e.least(end, full) if known else end, name="tile") as tile:
            self.strip(block, first, depth, e.mul(tile, rows), rows, vectors)
        if known and total % rows:
            with e.guard(e.builder.icmp_signed(">", e.value(end), I64(full)), "rest"):
                self.strip(block, first, depth, full * rows, total % rows, vectors)

    def vectors(self, block: Block) -> Index:
        """How many vectors of places a block has."""
        e, lanes = self.e, self.lanes
        if same(self.s.block_images, 1):
            return e.div(e.add(e.mul(block.rows, block.cols), lanes - 1), lanes)
        return e.mul(block.images, e.div(self.s.slot, lanes))

    def strip(
        self, block: Block, first: Index, depth: Index, row: Index, rows: int, vectors: Index
    ) -> None:
        """`rows` channels at all places of the block."""
        e, wide = self.e, self.spec.tile[1]
        known = isinstance(vectors, int)
        whole = vectors // wide * wide if known else vectors
        with e.loop(0, whole, wide, "vectors") as v:
            self.tile(block, first, depth, row, rows, v, wide)
        if known and vectors % wide:
            self.tile(block, first, depth, row, rows, whole, vectors % wide)

    def tile(
        self, block: Block, first: Index, depth: Index, row: Index, rows: int, v: Index, wide: int
    ) -> None:
        """Sums so far, plus the panel's channels; kept for the next panel or finished."""
        e, s, b = self.e, self.s, self.e.builder
        zero = e.constant(0.0, self.kind, self.lanes)
        sums = [[e.variable(zero) for _ in range(wide)] for _ in range(rows)]
        if isinstance(s.depth, int) and same(s.block_depth, s.depth):
            self.accumulate(block, first, depth, row, v, sums)
            self.visit(block, row, v, sums, self.finish)
            return
        with e.guard(b.icmp_signed(">", e.value(first), I64(0)), "more"):
            self.visit(block, row, v, sums, lambda _, place: self.read(place))
        self.accumulate(block, first, depth, row, v, sums)
        partial = b.icmp_signed("<", e.value(e.add(first, depth)), e.value(s.depth))
        with e.guard(partial, "partial"):
            self.visit(block, row, v, sums, self.store)
        with e.guard(b.not_(partial), "finished"):
            self.visit(block, row, v, sums, self.finish)

    def visit(self, block: Block, row: Index, v: Index, sums: list, act: Callable) -> None:
        """act(sum, place) of every vector; what it gives back, if anything, is the new sum."""
        e, kind, lanes = self.e, self.kind, self.lanes
        if self.spec.dense:
            spots = [self.spot(block, e.add(v, i)) for i in range(len(sums[0]))]
            for r, totals in enumerate(sums):
                for spot, total in zip(spots, totals):
                    found = act(total.get(), self.place(block, self.channel(e.add(row, r)), *spot))
                    if found is not None:
                        total.set(found)
            return
        # scattered results are much code: once for all vectors, which wait in memory
        flat = [total for totals in sums for total in totals]
        memory = e.scratch(kind, len(flat) * lanes)
        for i, total in enumerate(flat):
            e.store(total.get(), memory, i * lanes, kind)
        with e.loop(0, len(sums[0]), name="vector") as i, e.loop(0, len(sums), name="row") as r:
            at = e.mul(e.add(e.mul(r, len(sums[0])), i), lanes)
            place = self.place(block, self.channel(e.add(row, r)), *self.spot(block, e.add(v, i)))
            found = act(e.load(memory, at, kind, lanes), place)
            if found is not None:
                e.store(found, memory, at, kind)
        for i, total in enumerate(flat):
            total.set(e.load(memory, i * lanes, kind, lanes))

    def channel(self, row: Index) -> Index:
        """The row; behind the last one the last one again."""
        return (
            row if isinstance(self.s.rows, int) else self.e.least(row, self.e.sub(self.s.rows, 1))
        )

    def accumulate(
        self, block: Block, first: Index, depth: Index, row: Index, v: Index, sums: list
    ) -> None:
        """sums += w * panel, over the panel's channels and taps."""
        e, s, kind = self.e, self.s, self.kind
        channels = [self.channel(e.add(row, r)) for r in range(len(sums))]
        length = e.mul(s.depth, self.taps)  # of a result's weights
        head = e.mul(block.group, s.rows)
        weights = [
            e.address(self.w, e.add(e.mul(e.add(head, c), length), e.mul(first, self.taps)), kind)
            for c in channels
        ]
        panel = e.address(self.panel, e.mul(v, self.lanes), kind)
        with e.loop(0, e.mul(depth, self.taps), name="term") as k:
            at = e.mul(k, s.pitch)
            vectors = [
                e.load(panel, e.add(at, i * self.lanes), kind, self.lanes)
                for i in range(len(sums[0]))
            ]
            for weight, totals in zip(weights, sums):
                repeated = e.splat(e.load(weight, k, kind), self.lanes)
                for vector, total in zip(vectors, totals):
                    total.set(e.fma(repeated, vector, total.get()))

    # ------------------------------------------------------------ results

    def spot(self, block: Block, v: Index) -> tuple[Index, Index, Any]:
        """Of a vector of places: its image, its first place in the plane, which lanes exist."""
        e, s, lanes = self.e, self.s, self.lanes
        pixel = e.mul(v, lanes)
        image, inside, total = block.image, pixel, e.mul(block.rows, block.cols)
        if not same(s.block_images, 1):
            nth, inside = e.div(pixel, s.slot), e.rem(pixel, s.slot)
            image = e.add(block.image, nth)
            if not isinstance(block.images, int):  # a tile may reach behind the block
                exists = e.builder.icmp_signed("<", e.value(nth), e.value(block.images))
                total = e.builder.select(exists, e.value(total), I64(0))
        exact = isinstance(self.vectors(block), int) and same(e.rem(total, lanes), 0)
        mask = None if exact else e.first_lanes(e.sub(total, inside), lanes)
        first = e.add(e.mul(block.row, s.places[2]), block.col)
        return image, e.add(first, inside), mask

    def place(self, block: Block, row: Index, image: Index, first: Index, mask: Any) -> Place:
        """Where the results of a vector of places go."""
        e, s, b, lanes = self.e, self.s, self.e.builder, self.lanes
        channel = e.add(e.mul(block.group, s.rows), row)
        plane = e.add(e.mul(image, e.mul(s.groups, s.rows)), channel)
        start = e.mul(plane, self.y_plane)
        if self.spec.dense:
            return Place(image, channel, start, first, None, mask)
        numbers = steps_from(e, first, 1, lanes)
        where: Any = None
        for axis, at in enumerate(self.positions(numbers)):
            step, base, size = (
                e.splat(e.value(n[axis]), lanes) for n in (s.out_step, s.out_base, s.out_size)
            )
            at = b.add(b.mul(at, step), base)
            where = at if where is None else b.add(b.mul(where, size), at)
        return Place(image, channel, start, None, where, mask)

    def positions(self, numbers: Any) -> Iterator[Any]:
        """Along each axis, where the places with these numbers in their plane are."""
        b, of = self.e.builder, ir.VectorType(I32, self.lanes)  # i64 has no division of vectors
        numbers = b.trunc(numbers, of)
        high, wide = (
            self.e.splat(b.trunc(self.e.value(n), I32), self.lanes) for n in self.s.places[1:]
        )
        line = b.udiv(numbers, wide)
        for at in (b.udiv(line, high), b.urem(line, high), b.urem(numbers, wide)):
            yield b.zext(at, ir.VectorType(I64, self.lanes))

    def read(self, place: Place) -> Any:
        """The sums so far."""
        return self.fetch(self.y, self.kind, place.start, place)

    def fetch(self, pointer: Any, kind: str, start: Index, place: Place) -> Any:
        """A vector of an array that has y's planes, this one from `start` on."""
        e = self.e
        if place.flat is not None:
            return e.load(pointer, e.add(start, place.flat), kind, self.lanes, place.mask)
        return gather(e, e.address(pointer, start, kind), place.where, kind, place.mask)

    def store(self, value: Any, place: Place) -> None:
        """Sums or results into y."""
        e = self.e
        if place.flat is not None:
            e.store(value, self.y, e.add(place.start, place.flat), self.kind, place.mask)
            return
        pointer = e.address(self.y, place.start, self.kind)
        scatter(e, value, pointer, place.where, self.kind, place.mask)

    def finish(self, value: Any, place: Place) -> None:
        """The epilogue."""
        if not self.spec.epilogue:
            self.store(value, place)
            return
        emit_steps(
            self.e, self.spec.epilogue, {0: value},
            lambda position, kind: self.extra(position, kind, place),
            lambda position, kind, result: self.store(result, place), self.lanes,
        )  # fmt: skip

    def extra(self, position: int, kind: str, place: Place) -> Any:
        """What the epilogue loads: one number for all lanes, or a vector."""
        image, channel, pixel = self.spec.operands[position].strides
        start = self.e.dot((place.image, place.channel), (image, channel))
        pointer = self.e.pointer(position)
        if pixel == 0:
            return self.e.load(pointer, start, kind)
        return self.fetch(pointer, kind, start, place)
