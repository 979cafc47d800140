"""Products with fewer than four rows or columns: memory is the limit, not arithmetic.

    out[b, r, c] = epilogue( sum over k of left[b, r, k] * right[b, k, c] ),    r < THIN

Here k is summed as a reduction: 16 partial sums from +0.0; the product at k goes by fma to partial
k mod 16, in ascending order; then partial j takes partial j + 8, then j + 4, + 2, + 1.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from ..emit import Emitter, Index
from ..types import size_of
from .frame import Bound, Frame
from .memory import load_lanes, shuffled
from .pack import edge_masks
from .runs import Runs, inside

THIN = 4
PARTIALS = 16
WIDEST = 8  # vectors, or columns, that are summed side by side


def write_thin(e: Emitter, frame: Frame) -> None:
    """The kernel of a frame with fewer than `THIN` rows."""
    side_by_side = frame.right.cols == 1 and frame.cols != 1
    deep = frame.right.rows == 1 and frame.depth != 1
    (Across if side_by_side and not deep else Along)(e, frame).write()


class Across:
    """`right` has its columns side by side: vectors along c, one partial after the other."""

    def __init__(self, e: Emitter, frame: Frame):
        self.e, self.frame = e, frame
        self.lanes = e.host.lanes(size_of(frame.kind))
        self.rows = frame.rows
        large, small = min(e.host.registers * 3 // 4 // self.rows, WIDEST), 1
        if isinstance(frame.cols, int):
            vectors = -(-frame.cols // self.lanes)
            large = -(-vectors // -(-vectors // large))
            whole = frame.cols // (large * self.lanes)
            small = vectors - whole * large
        self.strips = Runs.cut(e, frame.cols, large * self.lanes, small * self.lanes)
        self.partials = e.scratch(frame.kind, PARTIALS * large * self.rows * self.lanes, "partials")

    def write(self) -> None:
        """This thread's strips of columns."""
        e, frame = self.e, self.frame
        strips = e.add(self.strips.many, self.strips.few)
        total = strips
        for n in frame.batch:
            total = e.mul(total, n)
        start, stop = e.share(total)
        with e.loop(start, stop, name="strip") as q:
            bound = frame.at(e, e.unravel(e.div(q, strips), frame.batch))
            strip = e.rem(q, strips)
            for width, first, after, whole in self.strips.kinds(e):
                with e.guard(inside(e, strip, first, after), "strip"):
                    self.strip(bound, self.strips.start(e, strip), width, whole)

    def strip(self, bound: Bound, col: Index, width: int, whole: bool) -> None:
        """The sums of `width` columns."""
        e, kind, lanes, vectors = self.e, self.frame.kind, self.lanes, width // self.lanes
        masks = edge_masks(e, self.strips.left(e, self.frame.cols, col, whole), width, lanes)
        grid = [(r, v) for r in range(self.rows) for v in range(vectors)]
        with e.loop(0, PARTIALS, name="partial") as j:
            self.partial(bound, col, masks, j, grid)
        apart = len(grid) * lanes
        for n, (r, v) in enumerate(grid):
            parts = [
                e.load(self.partials, j * apart + n * lanes, kind, lanes) for j in range(PARTIALS)
            ]
            bound.finish(e, tree(e, parts), r, e.add(col, v * lanes), lanes, masks[v], "cols")

    def partial(self, bound: Bound, col: Index, masks: list[Any], j: Index, grid: list) -> None:
        """Partial sum j, of every column of the strip."""
        e, kind, lanes = self.e, self.frame.kind, self.lanes
        left, right = self.frame.left, self.frame.right
        sums = {at: e.variable(e.constant(0.0, kind, lanes), "sum") for at in grid}
        with e.loop(j, self.frame.depth, PARTIALS, name="k") as k:
            line = e.dot((k, col), (right.rows, 1))
            read = [
                e.load(bound.right, e.add(line, v * lanes), kind, lanes, mask)
                for v, mask in enumerate(masks)
            ]
            for r in range(self.rows):
                at = e.dot((r, k), (left.rows, left.cols))
                one = e.splat(e.load(bound.left, at, kind), lanes)
                for v, vector in enumerate(read):
                    sums[r, v].set(e.fma(one, vector, sums[r, v].get()))
        for n, at in enumerate(grid):
            place = e.add(e.mul(j, len(grid) * lanes), n * lanes)
            e.store(sums[at].get(), self.partials, place, kind)


class Along:
    """`right` has its depth side by side, or nothing: vectors along k, column by column."""

    def __init__(self, e: Emitter, frame: Frame):
        self.e, self.frame = e, frame
        self.lanes = e.host.lanes(size_of(frame.kind))
        self.rows, self.parts = frame.rows, PARTIALS // self.lanes
        group = WIDEST
        while group > 1 and group * self.rows * self.parts > e.host.registers * 3 // 4:
            group //= 2
        if isinstance(frame.cols, int):
            group = min(group, frame.cols)
        self.groups = (group, 1 if group > 1 else 0)
        self.partials = e.scratch(frame.kind, self.rows * PARTIALS * PARTIALS, "partials")

    def write(self) -> None:
        """This thread's columns, 16 at a time: their partial sums, then the sums of those."""
        e, frame = self.e, self.frame
        blocks = e.div(e.add(frame.cols, PARTIALS - 1), PARTIALS)
        total = blocks
        for n in frame.batch:
            total = e.mul(total, n)
        start, stop = e.share(total)
        with e.loop(start, stop, name="block") as q:
            bound = frame.at(e, e.unravel(e.div(q, blocks), frame.batch))
            col = e.mul(e.rem(q, blocks), PARTIALS)
            cols = e.least(e.sub(frame.cols, col), PARTIALS)
            runs = Runs.cut(e, cols, *self.groups)
            for size, first, after, _ in runs.kinds(e):
                with e.loop(first, after, name="group") as g:
                    self.group(bound, col, runs.start(e, g), size)
            for r in range(self.rows):
                self.finish(bound, r, col, cols)

    def group(self, bound: Bound, col: Index, at: Index, size: int) -> None:
        """The partial sums of columns col + at, ..., `size` of them."""
        e, kind, lanes = self.e, self.frame.kind, self.lanes
        grid = [(r, c, p) for r in range(self.rows) for c in range(size) for p in range(self.parts)]
        sums = {n: e.variable(e.constant(0.0, kind, lanes), "sum") for n in grid}
        depth = self.frame.depth
        whole = e.mul(e.div(depth, PARTIALS), PARTIALS)
        first = e.add(col, at)
        with e.loop(0, whole, PARTIALS, name="k") as k:
            self.step(bound, first, size, k, sums, None)
        with e.loop(whole, depth, PARTIALS, name="k.rest") as k:
            self.step(bound, first, size, k, sums, e.sub(depth, k))
        for (r, c, p), total in sums.items():
            place = e.add(e.mul(e.add(at, c), PARTIALS), r * PARTIALS * PARTIALS + p * lanes)
            e.store(total.get(), self.partials, place, kind)

    def step(self, bound: Bound, col: Index, size: int, k: Index, sums: dict, left: Any) -> None:
        """Sixteen k, or the `left` last ones."""
        e = self.e
        for p in range(self.parts):
            start = e.add(k, p * self.lanes)
            mask = None if left is None else e.first_lanes(e.sub(left, p * self.lanes), self.lanes)
            ones = [
                self.line(bound.left, self.frame.left, r, start, mask) for r in range(self.rows)
            ]
            for c in range(size):
                turned = self.frame.right.turned()
                vector = self.line(bound.right, turned, e.add(col, c), start, mask)
                for r, one in enumerate(ones):
                    total = sums[r, c, p]
                    found = e.fma(one, vector, total.get())
                    if mask is not None:
                        found = e.builder.select(mask, found, total.get())
                    total.set(found)

    def line(self, pointer: Any, walk: Any, row: Index, k: Index, mask: Any) -> Any:
        """A vector of a row of `walk`, from k on."""
        at = self.e.dot((row, k), (walk.rows, walk.cols))
        found = load_lanes(self.e, pointer, at, walk.cols, walk.kind, self.lanes, mask)
        return found if isinstance(found.type, ir.VectorType) else self.e.splat(found, self.lanes)

    def finish(self, bound: Bound, row: int, col: Index, cols: Index) -> None:
        """The sums of row `row` and 16 columns: the tree of all of them at once."""
        e, kind = self.e, self.frame.kind
        lines = [
            e.load(self.partials, (row * PARTIALS + c) * PARTIALS, kind, PARTIALS)
            for c in range(PARTIALS)
        ]
        value = trees(e, lines)
        bound.finish(e, value, row, col, PARTIALS, e.first_lanes(cols, PARTIALS), "cols")


def tree(e: Emitter, parts: list[Any]) -> Any:
    """The sum of 16 partials, by halves."""
    while len(parts) > 1:
        half = len(parts) // 2
        parts = [e.builder.fadd(parts[j], parts[j + half]) for j in range(half)]
    return parts[0]


def trees(e: Emitter, lines: list[Any]) -> Any:
    """Lane c is the tree of the 16 lanes of line c: halving, two lines at a time into one."""
    half = PARTIALS // 2
    while half:
        low = [lane for lane in range(2 * PARTIALS) if not lane & half]
        high = [lane for lane in range(2 * PARTIALS) if lane & half]
        pairs = zip(lines[0::2], lines[1::2], strict=True)
        lines = [e.builder.fadd(shuffled(e, a, b, low), shuffled(e, a, b, high)) for a, b in pairs]
        half //= 2
    return lines[0]
