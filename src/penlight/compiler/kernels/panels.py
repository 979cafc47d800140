"""Small products of matrices that lie in a kernel's own workspace, in whole vectors.

Rows there are padded to units of 16 elements, so that no loop needs a mask. Lanes and rows of
padding hold anything: nothing that is kept is computed from them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ..emit import Emitter, Index
from ..host import Host
from ..types import size_of
from .frame import Walk
from .memory import load_lanes
from .pack import pack

UNIT = 16


@dataclass(frozen=True)
class Panel:
    """Element (i, j) of a matrix lies at pointer + i rows + j cols.

    For what is read or written by vectors, j counts units and `cols` is the way between them.
    """

    pointer: Any
    rows: Index
    cols: Index

    def turned(self) -> Panel:
        """The transposed matrix."""
        return Panel(self.pointer, self.cols, self.rows)

    def below(self, e: Emitter, kind: str, row: Index) -> Panel:
        """The matrix from a row on."""
        return replace(self, pointer=e.address(self.pointer, e.mul(row, self.rows), kind))


def rounded(e: Emitter, n: Index, to: int = UNIT) -> Index:
    """The next multiple."""
    return e.mul(e.div(e.add(n, to - 1), to), to)


def tile(host: Host, kind: str) -> tuple[int, int]:
    """(rows, units) summed at a time: half of the registers hold sums."""
    vectors = max(1, UNIT // host.lanes(size_of(kind)))
    units = 2 if vectors == 1 else 1
    return max(1, host.registers // 2 // (vectors * units)), units


def multiply(
    e: Emitter, kind: str, left: Panel, right: Panel, out: Panel,
    rows: Index, units: Index, depth: Index, more: bool = False,
) -> None:  # fmt: skip
    """out = left right, or out += left right: one chain of fma per element, along the depth.

    `left` (rows, depth) is read element by element, `right` (depth, units) and `out` (rows, units)
    by vectors. Rows are covered by whole tiles.
    """
    most, wide = tile(e.host, kind)
    whole = e.mul(e.div(units, wide), wide)
    for size, first, after in ((wide, 0, whole), (1, whole, units)):
        if isinstance(after, int) and first == after:
            continue
        with e.loop(first, after, size, "unit") as unit, e.loop(0, rows, most, name="tile") as row:
            _tile(e, kind, left, right, out, row, unit, (most, size), depth, more)


def _tile(
    e: Emitter, kind: str, left: Panel, right: Panel, out: Panel, row: Index, unit: Index,
    size: tuple[int, int], depth: Index, more: bool,
) -> None:  # fmt: skip
    lanes = min(UNIT, e.host.lanes(size_of(kind)))
    parts = [(u, p) for u in range(size[1]) for p in range(0, UNIT, lanes)]
    zero = e.constant(0.0, kind, lanes)

    def place(i: int, u: int, p: int) -> Index:
        return e.add(e.dot((e.add(row, i), e.add(unit, u)), (out.rows, out.cols)), p)

    sums = {
        (i, u, p): e.variable(
            e.load(out.pointer, place(i, u, p), kind, lanes) if more else zero, "sum"
        )
        for i in range(size[0])
        for u, p in parts
    }
    lines = [e.address(left.pointer, e.mul(e.add(row, i), left.rows), kind) for i in range(size[0])]
    columns = [
        e.address(right.pointer, e.add(e.mul(e.add(unit, u), right.cols), p), kind)
        for u, p in parts
    ]
    with e.loop(0, depth, name="k") as k:
        down = e.mul(k, right.rows)
        vectors = [e.load(column, down, kind, lanes) for column in columns]
        for i in range(size[0]):
            one = e.splat(e.load(lines[i], e.mul(k, left.cols), kind), lanes)
            for (u, p), vector in zip(parts, vectors):
                sums[i, u, p].set(e.fma(one, vector, sums[i, u, p].get()))
    for (i, u, p), total in sums.items():
        e.store(total.get(), out.pointer, place(i, u, p), kind)


def copy_rows(
    e: Emitter, source: Panel, kind: str, step: int, to: Panel, rows: Index, cols: Index,
    scale: Any = None,
) -> None:  # fmt: skip
    """Rows of an array, zeros behind them, to rows of units; `step` is the source's column step."""
    with e.loop(0, rows, name="row") as i, e.loop(0, cols, UNIT, name="col") as c:
        mask = e.first_lanes(e.sub(cols, c), UNIT)
        at = e.dot((i, c), (source.rows, step))
        value = load_lanes(e, source.pointer, at, step, kind, UNIT, mask)
        if step == 0:
            value = e.splat(value, UNIT)
        if scale is not None:
            value = e.builder.fmul(value, e.splat(scale, UNIT))
        e.store(value, to.pointer, e.add(e.mul(i, to.rows), c), kind)


def store_rows(
    e: Emitter, source: Panel, kind: str, to: Panel, rows: Index, cols: Index, change: Any
) -> None:
    """Rows of units to rows of an array; `change(row, vector)` is what becomes of them."""
    with e.loop(0, rows, name="row") as i, e.loop(0, cols, UNIT, name="col") as c:
        mask = e.first_lanes(e.sub(cols, c), UNIT)
        value = e.load(source.pointer, e.add(e.mul(i, source.rows), c), kind, UNIT)
        e.store(change(i, value), to.pointer, e.add(e.mul(i, to.rows), c), kind, mask)


def turn_rows(
    e: Emitter, source: Panel, kind: str, step: int, to: Any, rows: Index, cols: Index
) -> Panel:
    """Rows of an array as columns: per unit of rows a strip [cols][16], with room for one more."""
    walk = Walk(0, kind, (), step, source.rows)
    with e.loop(0, rounded(e, rows), UNIT, name="strip") as row:
        strip = e.address(to, e.mul(row, cols), kind)
        how = "turn" if step == 1 else "any"
        pack(e, how, walk, source.pointer, strip, (0, cols), row, rows, UNIT)
    return Panel(to, UNIT, e.mul(cols, UNIT))


def cleared(e: Emitter, pointer: Any, kind: str, count: Index) -> None:
    """Zeros, a multiple of 16 of them."""
    with e.loop(0, count, UNIT, name="zero") as i:
        e.store(e.constant(0.0, kind, UNIT), pointer, i, kind)
