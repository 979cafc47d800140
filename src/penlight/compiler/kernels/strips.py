"""The loops of a product: strips of vectors, cut into tiles that stay in registers.

A tile is `rows` x `vectors` accumulators. For each k it reads its vectors of `right`, one element
of `left` per row, and does one fma per accumulator. Tiles are numbered strip by strip; a thread
takes a run of them, so shares differ by at most one tile.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from ..emit import I32, PTR, Emitter, Index
from ..types import size_of
from .frame import Bound, Frame
from .pack import edge_masks, pack, turn
from .runs import Runs, inside, most
from .schedule import Schedule


class Strips:
    """Writes the code of one frame."""

    def __init__(self, e: Emitter, frame: Frame, schedule: Schedule):
        self.e, self.frame, self.s = e, frame, schedule
        self.lanes = e.host.lanes(size_of(frame.kind))
        self.rows = Runs.cut(e, frame.rows, *schedule.rows)
        self.strips = Runs.cut(e, frame.cols, *(v * self.lanes for v in schedule.vectors))
        self.sums = self.panel = None
        width = self.strips.large
        if schedule.block:
            block = -(-schedule.block // self.lanes) * self.lanes
            self.sums = e.scratch(frame.kind, block * width, "sums")
        if schedule.pack:
            depth = -(-schedule.depth // self.lanes) * self.lanes
            self.panel = e.scratch(frame.kind, depth * width, "panel")

    def write(self) -> None:
        """Every strip of this thread's share."""
        e, frame = self.e, self.frame
        tiles, strips = (
            e.add(self.rows.many, self.rows.few),
            e.add(self.strips.many, self.strips.few),
        )
        total = e.mul(tiles, strips)
        for n in frame.batch:
            total = e.mul(total, n)
        start, stop = e.share(total)
        with e.loop(
            e.div(start, tiles), e.div(e.add(stop, e.sub(tiles, 1)), tiles), name="strip"
        ) as q:
            first = e.mul(q, tiles)
            run = (most(e, e.sub(start, first), 0), e.least(e.sub(stop, first), tiles))
            bound = frame.at(e, e.unravel(e.div(q, strips), frame.batch))
            p = e.rem(q, strips)
            for width, begin, end, whole in self.strips.kinds(e):
                with e.guard(inside(e, p, begin, end), "strip"):
                    self.strip(bound, self.strips.start(e, p), width, whole, run)

    def strip(
        self, bound: Bound, col: Index, width: int, whole: bool, run: tuple[Index, Index]
    ) -> None:
        """Tiles run[0] to run[1] of the strip that begins at `col`."""
        e, s, depth = self.e, self.s, self.frame.depth
        left = self.strips.left(self.e, self.frame.cols, col, whole)
        masks = edge_masks(self.e, left, width, self.lanes)
        if not s.block:
            if s.pack:
                self.fill(bound, (0, depth), col, width)
            self.tiles(bound, col, width, masks, run, (0, depth), None)
            return
        tiles = max(s.block // s.rows[0], 1)
        with e.loop(run[0], run[1], tiles, name="block") as begin:
            end = e.least(e.add(begin, tiles), run[1])
            top, bottom = self.rows.start(e, begin), self.bottom(end)
            self.clear(e.mul(e.sub(bottom, top), width))
            with e.loop(0, depth, s.depth or depth, name="depth") as k:
                ks = (k, e.least(e.add(k, s.depth or depth), depth))
                if s.pack:
                    with e.guard(self.stale(begin, run[0]), "fill"):
                        self.fill(bound, ks, col, width)
                self.tiles(bound, col, width, masks, (begin, end), ks, top)
            (self.flush_turned if s.turned else self.flush)(bound, col, width, top, bottom)

    def clear(self, count: Index) -> None:
        """The first `count` waiting sums are zero."""
        e, kind = self.e, self.frame.kind
        with e.loop(0, count, self.lanes, name="zero") as i:
            e.store(e.constant(0.0, kind, self.lanes), self.sums, i, kind)

    def stale(self, begin: Index, first: Index) -> ir.Value:
        """Whether the panel has to be filled: always, unless it holds the whole strip already."""
        e, b = self.e, self.e.builder
        partial = b.icmp_signed(">", e.value(self.frame.depth), e.value(self.s.depth))
        return b.or_(partial, b.icmp_signed("==", begin, e.value(first)))

    def bottom(self, end: Index) -> Index:
        """The row after those of the tiles before `end`."""
        return self.e.least(self.rows.start(self.e, end), self.frame.rows)

    def fill(self, bound: Bound, ks: tuple[Index, Index], col: Index, width: int) -> None:
        """Copies a strip's part to the panel."""
        pack(
            self.e, self.s.pack, self.frame.right, bound.right, self.panel, ks, col,
            self.frame.cols, width,
        )  # fmt: skip

    def tiles(
        self, bound: Bound, col: Index, width: int, masks: list[Any],
        run: tuple[Index, Index], ks: tuple[Index, Index], top: Index | None,
    ) -> None:  # fmt: skip
        """The tiles of a run for k in `ks`; `top`: the row where the waiting sums begin."""
        e = self.e
        for rows, first, after, _ in self.rows.kinds(e):
            with e.loop(most(e, run[0], first), e.least(run[1], after), name="tile") as t:
                self.tile(bound, self.rows.start(e, t), rows, col, width, masks, ks, top)

    def tile(
        self, bound: Bound, row: Index, rows: int, col: Index, width: int, masks: list[Any],
        ks: tuple[Index, Index], top: Index | None,
    ) -> None:  # fmt: skip
        """One tile: the sums over `ks`, kept in registers."""
        e, kind, left = self.e, self.frame.kind, self.frame.left
        vectors = width // self.lanes
        grid = [(i, j) for i in range(rows) for j in range(vectors)]

        def waiting(i: int, j: int) -> Index:
            return e.dot((e.add(e.sub(row, top), i), j * self.lanes), (width, 1))

        zero = e.constant(0.0, kind, self.lanes)
        sums = {
            (i, j): e.variable(
                zero if top is None else e.load(self.sums, waiting(i, j), kind, self.lanes),
                f"sum.{i}.{j}",
            )
            for i, j in grid
        }
        lines = [e.address(bound.left, e.mul(e.add(row, i), left.rows), kind) for i in range(rows)]
        with e.loop(*ks, name="k") as k:
            right = self.vectors(bound, k, ks[0], col, width, masks)
            for line in (lines[0], lines[-1])[: 2 * bool(self.s.ahead)]:
                later = e.mul(e.add(k, self.s.ahead), left.cols)
                call_for(e, e.address(line, later, kind))
            for i in range(rows):
                one = e.splat(e.load(lines[i], e.mul(k, left.cols), kind), self.lanes)
                for j in range(vectors):
                    sums[i, j].set(e.fma(one, right[j], sums[i, j].get()))
        for i, j in grid:
            if top is None:
                bound.finish(
                    e, sums[i, j].get(), e.add(row, i), e.add(col, j * self.lanes), self.lanes,
                    masks[j], "cols",
                )  # fmt: skip
            else:
                e.store(sums[i, j].get(), self.sums, waiting(i, j), kind)

    def vectors(
        self, bound: Bound, k: Index, first: Index, col: Index, width: int, masks: list[Any]
    ) -> list[Any]:
        """What `right` holds at depth k."""
        e, kind = self.e, self.frame.kind
        starts = range(0, width, self.lanes)
        if self.panel is not None:
            at = e.mul(e.sub(k, first), width)
            return [e.load(self.panel, e.add(at, s), kind, self.lanes) for s in starts]
        at = e.dot((k, col), (self.frame.right.rows, 1))
        return [
            e.load(bound.right, e.add(at, s), kind, self.lanes, mask)
            for s, mask in zip(starts, masks, strict=True)
        ]

    def flush(self, bound: Bound, col: Index, width: int, top: Index, bottom: Index) -> None:
        """The epilogue for the waiting sums, row by row."""
        e, lanes = self.e, self.lanes
        with e.loop(top, bottom, name="row") as row, e.loop(0, width, lanes, name="vector") as c:
            at = e.add(e.mul(e.sub(row, top), width), c)
            value = e.load(self.sums, at, self.frame.kind, lanes)
            mask = e.first_lanes(e.sub(e.sub(self.frame.cols, col), c), lanes)
            bound.finish(e, value, row, e.add(col, c), lanes, mask, "cols")

    def flush_turned(self, bound: Bound, col: Index, width: int, top: Index, bottom: Index) -> None:
        """The epilogue for the waiting sums, with vectors along the rows."""
        e, lanes, kind = self.e, self.lanes, self.frame.kind
        square = e.scratch(kind, lanes * lanes, "square")
        steps = e.loop(top, bottom, lanes, name="row"), e.loop(0, width, lanes, name="col")
        with steps[0] as row, steps[1] as c:
            at = e.add(e.mul(e.sub(row, top), width), c)

            def load(i: Index, at: Index = at) -> Any:
                return e.load(self.sums, e.add(at, e.mul(i, width)), kind, lanes)

            def store(i: Index, vector: Any) -> None:
                e.store(vector, square, e.mul(i, lanes), kind)

            turn(e, kind, load, store)
            mask, first = e.first_lanes(e.sub(bottom, row), lanes), e.add(col, c)
            with e.loop(0, e.least(e.sub(self.frame.cols, first), lanes), name="line") as i:
                value = e.load(square, e.mul(i, lanes), kind, lanes)
                bound.finish(e, value, row, e.add(first, i), lanes, mask, "rows")


def call_for(e: Emitter, pointer: Any) -> None:
    """Has a line, if it exists, brought to L2: lines that lie 4 KiB apart oust each other in L1."""
    hint = e.intrinsic("llvm.prefetch.p0", ir.VoidType(), PTR, I32, I32, I32)
    e.builder.call(hint, [pointer, I32(0), I32(2), I32(1)])
