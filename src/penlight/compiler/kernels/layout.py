"""Arrays brought into the order in which a kernel reads them: padded, or transposed in panels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..emit import Emitter, Index
from ..spec import Operand
from ..types import size_of
from .memory import shuffled
from .sizes import NUMBERS_OPERAND, Numbers, Triple, read_numbers, steps_from


@dataclass(frozen=True)
class PadSizes(Numbers):
    """`planes` of `size` become planes of `padded`, with `before` zeros in front per axis."""

    planes: Index
    size: Triple
    before: Triple
    padded: Triple


@dataclass(frozen=True)
class Pad:
    """The kernel that copies planes into larger ones. Operands: source, target, numbers."""

    kind: str
    threads: int
    sizes: PadSizes | None = None

    @property
    def operands(self) -> tuple[Operand, ...]:
        """Source, target, numbers."""
        return _operands(self)

    def emit(self, e: Emitter) -> None:
        """Line by line of the target."""
        s, kind, b = _sizes(e, self, PadSizes), self.kind, e.builder
        source, target = e.pointer(0), e.pointer(1)
        lanes = e.host.lanes(size_of(kind))
        start, stop = e.share(e.mul(s.planes, e.mul(s.padded[0], s.padded[1])))
        with e.loop(start, stop, name="line") as line:
            plane, deep, high = e.unravel(line, (s.planes, s.padded[0], s.padded[1]))
            deep, high = e.sub(deep, s.before[0]), e.sub(high, s.before[1])
            inside = b.and_(*(
                b.icmp_unsigned("<", e.value(at), e.value(n))
                for at, n in ((deep, s.size[0]), (high, s.size[1]))
            ))  # fmt: skip
            width = b.select(inside, e.value(s.size[2]), e.value(0))
            lead = e.dot((plane, deep, high), (e.mul(s.size[0], s.size[1]), s.size[1], 1))
            lead = e.mul(lead, s.size[2])
            to = e.mul(line, s.padded[2])
            with e.loop(0, s.padded[2], lanes, "piece") as col:
                at = e.sub(col, s.before[2])
                numbers = steps_from(e, at, 1, lanes)
                mask = b.icmp_unsigned("<", numbers, e.splat(width, lanes))
                value = e.load(source, e.add(lead, at), kind, lanes, mask)
                there = e.first_lanes(e.sub(s.padded[2], col), lanes)
                e.store(value, target, e.add(to, col), kind, there)


@dataclass(frozen=True)
class TransposeSizes(Numbers):
    """`outer` times `inner` matrices of `rows` by `cols`; of those at inner position i only
    min(rows, all_rows - i rows) rows and min(cols, all_cols - i cols) columns are there.
    Missing rows are written as zeros, missing columns are not written.
    """

    outer: Index
    inner: Index
    rows: Index
    cols: Index
    all_rows: Index
    all_cols: Index
    source_outer: Index
    source_inner: Index
    source_row: Index
    target_outer: Index
    target_inner: Index
    target_col: Index


@dataclass(frozen=True)
class Transpose:
    """target[o, i][c, r] = source[o, i][r, c]. Operands: source, target, numbers."""

    kind: str
    threads: int
    sizes: TransposeSizes | None = None

    @property
    def operands(self) -> tuple[Operand, ...]:
        """Source, target, numbers."""
        return _operands(self)

    def emit(self, e: Emitter) -> None:
        """Square by square of as many lines as a vector has lanes."""
        s = _sizes(e, self, TransposeSizes)
        lanes = e.host.lanes(size_of(self.kind))
        grid = [e.div(e.add(n, lanes - 1), lanes) for n in (s.rows, s.cols)]
        extents = (s.outer, s.inner, grid[1], grid[0])
        total: Index = 1
        for n in extents:
            total = e.mul(total, n)
        start, stop = e.share(total)
        with e.loop(start, stop, name="square") as number:
            outer, inner, col, row = e.unravel(number, extents)
            self.square(e, s, outer, inner, e.mul(row, lanes), e.mul(col, lanes), lanes)

    def square(
        self, e: Emitter, s: TransposeSizes, outer: Index, inner: Index, row: Index, col: Index,
        lanes: int,
    ) -> None:  # fmt: skip
        """The square whose first element is (row, col)."""
        kind = self.kind
        rows = e.least(s.rows, e.sub(s.all_rows, e.mul(inner, s.rows)))
        cols = e.least(s.cols, e.sub(s.all_cols, e.mul(inner, s.cols)))
        source = e.address(
            e.pointer(0),
            e.dot((outer, inner, row), (s.source_outer, s.source_inner, s.source_row), col),
            kind,
        )
        target = e.address(
            e.pointer(1),
            e.dot((outer, inner, col), (s.target_outer, s.target_inner, s.target_col), row),
            kind,
        )
        across, down = e.sub(cols, col), e.sub(rows, row)
        lines = []
        for r in range(lanes):
            there = e.builder.icmp_signed("<", e.value(r), e.value(down))
            count = e.builder.select(there, e.value(across), e.value(0))
            mask = e.first_lanes(count, lanes)
            lines.append(e.load(source, e.mul(r, s.source_row), kind, lanes, mask))
        for c, value in enumerate(transposed(e, lines)):
            there = e.builder.icmp_signed("<", e.value(c), e.value(across))
            count = e.builder.select(there, e.value(e.sub(s.rows, row)), e.value(0))
            e.store(value, target, e.mul(c, s.target_col), kind, e.first_lanes(count, lanes))


def transposed(e: Emitter, lines: list[Any]) -> list[Any]:
    """The columns of a square of vectors: blocks off the diagonal change places, at every scale."""
    found, n, half = list(lines), len(lines), 1
    while half < n:
        low = [i if not i & half else n + i - half for i in range(n)]
        high = [i + half if not i & half else n + i for i in range(n)]
        for i in (i for i in range(n) if not i & half):
            a, b = found[i], found[i + half]
            found[i], found[i + half] = shuffled(e, a, b, low), shuffled(e, a, b, high)
        half *= 2
    return found


@dataclass(frozen=True)
class WeightOrder(Numbers):
    """(groups, rows, depth, *taps) elements, of which (g, m, c, t) lies at
    base + g group + m row + c channel + t tap.
    """

    groups: Index
    rows: Index
    depth: Index
    taps: Triple
    base: Index
    group: Index
    row: Index
    channel: Index
    tap: Triple


@dataclass(frozen=True)
class Reorder:
    """The kernel that copies weights into row-major order. Operands: source, target, numbers."""

    kind: str
    threads: int
    sizes: WeightOrder | None = None

    @property
    def operands(self) -> tuple[Operand, ...]:
        """Source, target, numbers."""
        return _operands(self)

    def emit(self, e: Emitter) -> None:
        """Some rows at a time: in the source, neighbours are likely to be rows."""
        s, some = _sizes(e, self, WeightOrder), 16
        tiles = e.div(e.add(s.rows, some - 1), some)
        start, stop = e.share(e.mul(s.groups, tiles))
        count = e.mul(e.mul(s.taps[0], s.taps[1]), s.taps[2])
        with e.loop(start, stop, name="rows") as number, e.loop(0, s.depth, name="channel") as c:
            group, tile = e.unravel(number, (s.groups, tiles))
            last = e.least(s.rows, e.mul(e.add(tile, 1), some))
            with e.loop(e.mul(tile, some), last, name="row") as m:
                at = e.dot((group, m, c), (s.group, s.row, s.channel), s.base)
                to = e.add(e.mul(e.add(e.mul(group, s.rows), m), s.depth), c)
                self.copy(e, s, at, e.mul(to, count), count)

    def copy(self, e: Emitter, s: WeightOrder, at: Index, to: Index, count: Index) -> None:
        """The taps of one pair of channels."""
        kind, source, target = self.kind, e.pointer(0), e.pointer(1)
        if isinstance(count, int) and s.tap == (s.taps[1] * s.taps[2], s.taps[2], 1):
            lanes = e.host.lanes(size_of(kind))
            with e.loop(0, count, lanes, "piece") as t:
                mask = e.first_lanes(e.sub(count, t), lanes)
                value = e.load(source, e.add(at, t), kind, lanes, mask)
                e.store(value, target, e.add(to, t), kind, mask)
            return
        taps = s.taps
        with e.loop(0, taps[0]) as d, e.loop(0, taps[1]) as h, e.loop(0, taps[2]) as w:
            t = e.dot((d, h, w), (e.mul(taps[1], taps[2]), taps[2], 1))
            value = e.load(source, e.dot((d, h, w), s.tap, at), kind)
            e.store(value, target, e.add(to, t), kind)


def _operands(spec: Any) -> tuple[Operand, ...]:
    numbers = () if spec.sizes else (NUMBERS_OPERAND,)
    return Operand(spec.kind, (1,)), Operand(spec.kind, (1,), written=True), *numbers


def _sizes(e: Emitter, spec: Any, form: type) -> Any:
    """The sizes, known or read."""
    if spec.sizes:
        return spec.sizes
    return read_numbers(e, form, 2)[1]
