"""Convolution forward and its input gradient: a product whose right matrix is made on the way.

    y[n, m, out(j)] = epilogue( sum over (c, t) ascending of
                                w[m, c, t] * x[n, c, step j + base + t tap_step] )

Per axis, j counts the places, out(j) = out_step j + out_base is where the result goes, and t counts
the taps. An x outside of its array counts as 0, like padding. One chain of fused multiply-adds per
result, starting at +0.0. The windows of a block of places are copied into the rows of a *panel*
that stays in the cache; tiles of a few channels by a few vectors of places are then summed in
registers. Sizes are numbers, or read when the kernel runs: the same pages write both kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

from llvmlite import ir

from ..emit import I1, I32, I64, Emitter, Index
from ..spec import Operand, Step
from ..types import size_of
from .memory import gather, shuffled
from .sizes import NUMBERS_OPERAND, Numbers, Triple, read_numbers, same, steps_from
from .sweep_tiles import Block, Place, Tiles

X, W, Y, PANELS, NUMBERS = range(5)  # the operands' positions
_UNROLLED_TAPS = 27


@dataclass(frozen=True)
class Sizes(Numbers):
    """Numbers of a sweep; of tuples an entry per axis: depth, height, width.

    `images` pictures in `groups` groups of `depth` channels, which become `rows` channels each;
    `size`, `out_size` of a plane of x and of y. w is (groups, rows, depth, *taps). A block is
    `block_images` whole planes of places, or `block_rows` by `block_cols` places of one plane; in a
    row of the panel it takes `slot` elements a plane, and the next row begins `pitch` further.
    `block_depth` channels are copied at a time; the panel of a thread has `panel` elements.
    """

    images: Index
    groups: Index
    rows: Index
    depth: Index
    taps: Triple
    size: Triple
    places: Triple
    step: Triple
    base: Triple
    tap_step: Triple
    out_size: Triple
    out_step: Triple
    out_base: Triple
    block_images: Index
    block_rows: Index
    block_cols: Index
    block_depth: Index
    slot: Index
    pitch: Index
    panel: Index


@dataclass(frozen=True)
class Sweep:
    """The kernel. Operands: x, w, y, panels (one a thread), then `extras` or numbers.

    `unit`      places that are neighbours along the width are neighbours in x
    `dense`     places are all of y's plane, in order
    `tile`      channels by vectors that are summed at a time; None: no panels, every result is
                summed on its own. For one channel in, one channel out, and `dense`
    `threads`   at most so many work, and have panels
    `sizes`     None: the last operand holds the number of threads, then the sizes
    `epilogue`  steps; value 0 is the sum; it stores to operand 2. (): the sum is stored
    `extras`    operands that it loads, with strides along (image, channel, flat position in y);
                the last is 0 or 1
    """

    kind: str
    unit: bool
    dense: bool
    tile: tuple[int, int] | None
    threads: int
    sizes: Sizes | None = None
    epilogue: tuple[Step, ...] = ()
    extras: tuple[Operand, ...] = ()

    @property
    def operands(self) -> tuple[Operand, ...]:
        """x, w, y, panels, extras or numbers."""
        read, written = Operand(self.kind, (1,)), Operand(self.kind, (1,), written=True)
        return read, read, written, written, *(self.extras if self.sizes else (NUMBERS_OPERAND,))

    def emit(self, e: Emitter) -> None:
        """Blocks of places times tiles of channels, shared out in that order."""
        threads, sizes = self.threads, self.sizes
        if sizes is None:
            threads, sizes = read_numbers(e, Sizes, NUMBERS)
        with e.guard(e.builder.icmp_signed("<", e.thread, e.value(threads)), "working"):
            e.threads = e.least(e.threads, threads)
            writer = _Writer(self, sizes, e)
            writer.blocks(self.tile[0]) if self.tile else writer.lines_directly()


class _Writer:
    """Writes one sweep."""

    def __init__(self, spec: Sweep, s: Sizes, e: Emitter):
        self.spec, self.e, self.s = spec, e, s
        self.lanes = e.host.lanes(size_of(spec.kind))
        self.x = e.pointer(X)
        self.panel = e.address(e.pointer(PANELS), e.mul(e.thread, s.panel), spec.kind)
        self.taps = e.mul(e.mul(s.taps[0], s.taps[1]), s.taps[2])
        self.lines = e.mul(s.places[0], s.places[1])  # rows of places in a plane
        self.x_plane = e.mul(e.mul(s.size[0], s.size[1]), s.size[2])
        self.tiles = Tiles(spec, s, e, self.panel)

    def blocks(self, rows: int) -> None:
        """This thread's share of (block, tile of channels)."""
        e, s = self.e, self.s
        tiles = self.over(s.rows, rows)
        counts = (
            s.groups, self.over(s.images, s.block_images),
            self.over(self.lines, s.block_rows), self.over(s.places[2], s.block_cols),
        )  # fmt: skip
        total = tiles
        for n in counts:
            total = e.mul(total, n)
        start, stop = e.share(total)
        last = e.div(e.add(stop, e.sub(tiles, 1)), tiles)
        with e.loop(e.div(start, tiles), last, name="block") as number:
            block = self.block(*e.unravel(number, counts))
            before = e.sub(start, e.mul(number, tiles))
            before = e.sub(0, e.least(0, e.sub(0, before)))  # max(before, 0)
            end = e.least(e.sub(stop, e.mul(number, tiles)), tiles)
            with e.loop(0, s.depth, s.block_depth, "depth") as c:
                depth = self.part(c, s.depth, s.block_depth)
                self.pack(block, c, depth)
                self.tiles.write(block, c, depth, before, end)

    def block(self, group: Index, images: Index, lines: Index, pieces: Index) -> Block:
        """The block with these numbers."""
        e, s = self.e, self.s
        image, row = e.mul(images, s.block_images), e.mul(lines, s.block_rows)
        col = e.mul(pieces, s.block_cols)
        return Block(
            0 if same(s.groups, 1) else group, image, row, col,
            self.part(image, s.images, s.block_images),
            self.part(row, self.lines, s.block_rows),
            self.part(col, s.places[2], s.block_cols),
        )  # fmt: skip

    def over(self, total: Index, part: Index) -> Index:
        """How many parts make the total."""
        return self.e.div(self.e.add(total, self.e.sub(part, 1)), part)

    def part(self, start: Index, total: Index, part: Index) -> Index:
        """How much of the part that begins at `start` there is."""
        known = isinstance(total, int) and isinstance(part, int)
        if same(part, 1) or (known and total % part == 0):
            return part
        return self.e.least(self.e.sub(total, start), part)

    # ------------------------------------------------------------ without a panel

    def lines_directly(self) -> None:
        """This thread's share of the lines of places, vector by vector."""
        e, s = self.e, self.s
        counts = (s.images, s.groups, self.lines)
        start, stop = e.share(e.mul(e.mul(s.images, s.groups), self.lines))
        with e.loop(start, stop, name="line") as number:
            image, group, line = e.unravel(number, counts)
            place = (image, group, e.div(line, s.places[1]), e.rem(line, s.places[1]))
            for inside in self.inside_or_not(place[2:]):
                for col in self.columns():
                    total = self.sum_directly(place, col, inside)
                    self.finish_directly(total, place, line, col)

    def inside_or_not(self, place: tuple) -> Iterator[bool]:
        """True where no tap of a line of places meets a line of padding, else False.

        Two versions of code, if sizes are known.
        """
        e, b, s = self.e, self.e.builder, self.s
        if not isinstance(s.size[0], int):
            yield False
            return
        checks = []
        for axis in (0, 1):
            reach = s.tap_step[axis] * (s.taps[axis] - 1)
            first = e.add(e.mul(place[axis], s.step[axis]), s.base[axis] + min(reach, 0))
            room = I64(max(s.size[axis] - abs(reach), 0))
            checks.append(b.icmp_unsigned("<", e.value(first), room))
        inside = b.and_(*checks)
        with e.guard(inside, "inside"):
            yield True
        with e.guard(b.not_(inside), "edge"):
            yield False

    def columns(self) -> Iterator[Index]:
        """The first places of the vectors of a line."""
        wide = self.s.places[2]
        if isinstance(wide, int) and wide <= 4 * self.lanes:
            yield from range(0, wide, self.lanes)
            return
        with self.e.loop(0, wide, self.lanes, "column") as col:
            yield col

    def sum_directly(self, place: tuple, col: Index, inside: bool) -> Any:
        """The sums of a vector of places."""
        e, s, kind = self.e, self.s, self.spec.kind
        image, group, *lines = place
        plane = e.mul(e.add(e.mul(image, s.groups), group), s.size[0])
        total = e.variable(e.constant(0.0, kind, self.lanes))
        for t, tap in self.each_tap():
            *lead, at = (
                e.dot((p, k), (s.step[axis], s.tap_step[axis]), s.base[axis])
                for axis, (p, k) in enumerate(zip((*lines, col), tap))
            )
            start = e.add(e.mul(e.add(plane, lead[0]), s.size[1]), lead[1])
            limit = s.size[2] if inside else self.readable(lead)
            value = self.reader(at, limit, self.lanes, False)(e.add(e.mul(start, s.size[2]), at))
            weight = e.load(self.tiles.w, e.add(e.mul(group, self.taps), t), kind)
            total.set(e.fma(e.splat(weight, self.lanes), value, total.get()))
        return total.get()

    def finish_directly(self, total: Any, place: tuple, line: Index, col: Index) -> None:
        """The epilogue for a vector of sums."""
        e, s = self.e, self.s
        left = e.sub(s.places[2], col)
        whole = isinstance(left, int) and left >= self.lanes
        mask = None if whole else e.first_lanes(left, self.lanes)
        image, group, *_ = place
        first = e.mul(e.add(e.mul(image, s.groups), group), self.tiles.y_plane)
        flat = e.add(e.mul(line, s.places[2]), col)
        self.tiles.finish(total, Place(image, group, first, flat, None, mask))

    def each_tap(self) -> Iterator[tuple[Index, tuple[Index, ...]]]:
        """(number, position) of every tap, ascending; in a loop where they are many or unknown."""
        e, taps = self.e, self.s.taps
        if all(isinstance(n, int) for n in taps) and prod(taps) <= _UNROLLED_TAPS:
            for t in range(prod(taps)):
                yield t, tuple(e.unravel(t, taps))
            return
        with e.loop(0, taps[0]) as d, e.loop(0, taps[1]) as h, e.loop(0, taps[2]) as w:
            yield e.dot((d, h, w), (e.mul(taps[1], taps[2]), taps[2], 1)), (d, h, w)

    # ------------------------------------------------------------ windows into the panel

    def pack(self, block: Block, first: Index, depth: Index) -> None:
        """panel[(c, t), place] = x under that tap, row of places by row of places."""
        e, s = self.e, self.s
        with e.loop(0, e.mul(block.images, block.rows), name="line") as line:
            i, row = e.div(line, block.rows), e.rem(line, block.rows)
            at = e.add(e.mul(i, s.slot), e.mul(row, s.block_cols))
            row = e.add(block.row, row)
            deep, high = e.div(row, s.places[1]), e.rem(row, s.places[1])
            image = e.mul(e.add(block.image, i), s.groups)
            channel = e.add(e.mul(e.add(image, block.group), s.depth), first)
            start = e.mul(channel, self.x_plane)
            taps = s.taps
            with e.loop(0, taps[0]) as d, e.loop(0, taps[1]) as h:
                lead = [
                    e.dot((p, k), (s.step[axis], s.tap_step[axis]), s.base[axis])
                    for axis, p, k in ((0, deep, d), (1, high, h))
                ]
                to = e.add(at, e.mul(e.mul(e.add(e.mul(d, taps[1]), h), taps[2]), s.pitch))
                self.pack_line(block, start, depth, lead, to)

    def pack_line(self, block: Block, plane: Index, depth: Index, lead: list, to: Index) -> None:
        """One row of places under the taps of a row, of every channel: `block_cols` elements each.

        Taps are the inner loop where they are known: they read the same lines.
        """
        e, s, wide = self.e, self.s, self.s.taps[2]
        line = e.add(plane, e.mul(e.add(e.mul(lead[0], s.size[1]), lead[1]), s.size[2]))
        limit = self.readable(lead)

        def part(w: Index, start: Index, lanes: int) -> tuple:
            """A piece of the row under one tap: where it begins, how it is read, where it goes."""
            at = e.dot((block.col, w, start), (s.step[2], s.tap_step[2], s.step[2]), s.base[2])
            read = self.reader(at, limit, lanes, self.all_inside(start, lanes))
            return e.add(line, at), read, e.add(e.add(to, start), e.mul(w, s.pitch))

        def copy(parts: list) -> None:
            with e.loop(0, depth, name="channel") as c:
                from_, down = e.mul(c, self.x_plane), e.mul(e.mul(c, self.taps), s.pitch)
                for first, read, target in parts:
                    value = read(e.add(first, from_))
                    e.store(value, self.panel, e.add(target, down), self.spec.kind)

        if isinstance(wide, int) and isinstance(s.block_cols, int) and wide * s.block_cols <= 128:
            copy([part(w, *piece) for w in range(wide) for piece in self.pieces()])
            return
        with e.loop(0, wide) as w:
            for piece in self.pieces():
                copy([part(w, *piece)])

    def all_inside(self, start: Index, lanes: int) -> bool:
        """Whether no lane of a piece of a row can meet padding or the row's end."""
        wide, cols = self.s.places[2], self.s.block_cols
        if not isinstance(start, int) or not isinstance(wide, int) or wide % cols:
            return False
        return start + lanes <= cols and all(map(self.always_inside, range(3)))

    def pieces(self) -> Iterator[tuple[Index, int]]:
        """(start, lanes) of the vectors that cover a row; the last may reach behind it."""
        cols, start = self.s.block_cols, 0
        if isinstance(cols, int) and cols <= 32 * self.lanes:
            while start < cols:
                lanes = max(2, min(self.lanes, 1 << (cols - start - 1).bit_length()))
                yield start, lanes
                start += lanes
            return
        with self.e.loop(0, cols, self.lanes, "piece") as at:
            yield at, self.lanes

    def readable(self, lead: list) -> Index:
        """How many elements of a line may be read: none of a line of padding."""
        e, s, b = self.e, self.s, self.e.builder
        checks = [
            b.icmp_unsigned("<", e.value(lead[axis]), e.value(s.size[axis]))
            for axis in (0, 1)
            if not self.always_inside(axis)
        ]
        if not checks:
            return s.size[2]
        inside = checks[0] if len(checks) == 1 else b.and_(*checks)
        return b.select(inside, e.value(s.size[2]), I64(0))

    def always_inside(self, axis: int) -> bool:
        """Whether no tap of any place meets padding on an axis, as far as is known."""
        s = self.s
        size, places, taps = s.size[axis], s.places[axis], s.taps[axis]
        base, step, tap_step = s.base[axis], s.step[axis], s.tap_step[axis]
        if not isinstance(size, int):
            return False
        reach = tap_step * (taps - 1)
        return base + min(reach, 0) >= 0 and step * (places - 1) + base + max(reach, 0) < size

    def reader(self, at: Index, limit: Index, lanes: int, safe: bool) -> Callable[[Index], Any]:
        """A function of a position in x: the elements of `lanes` places from there on.

        They are at, at + step, ... of their line; those not within [0, limit) are 0.
        """
        e, kind, step = self.e, self.spec.kind, self.s.step[2]
        if self.spec.unit:
            mask = None if safe else self.within(at, 1, limit, lanes)
            return lambda index: e.load(self.x, index, kind, lanes, mask)
        if not same(step, 2):
            mask = self.within(at, step, limit, lanes)
            return lambda index: gather(e, self.x, steps_from(e, index, step, lanes), kind, mask)
        halves = [(h, self.within(e.add(at, h), 1, limit, lanes)) for h in (0, lanes)]

        def even(index: Index) -> Any:
            both = [e.load(self.x, e.add(index, h), kind, lanes, mask) for h, mask in halves]
            return shuffled(e, both[0], both[1], range(0, 2 * lanes, 2))

        return even

    def within(self, at: Index, step: Index, limit: Index, lanes: int) -> Any:
        """Which of at, at + step, ... are in [0, limit); None: all."""
        e, b = self.e, self.e.builder
        of = ir.VectorType(I32, lanes)  # lines are short: half as many instructions as with i64
        if isinstance(at, int) and isinstance(step, int) and isinstance(limit, int):
            inside = [0 <= at + i * step < limit for i in range(lanes)]
            return None if all(inside) else ir.Constant(ir.VectorType(I1, lanes), inside)
        numbers: Any = ir.Constant(of, list(range(lanes)))
        if not same(step, 1):
            numbers = b.mul(numbers, e.splat(b.trunc(e.value(step), I32), lanes))
        numbers = b.add(numbers, e.splat(b.trunc(e.value(at), I32), lanes))
        return b.icmp_unsigned("<", numbers, e.splat(b.trunc(e.value(limit), I32), lanes))
