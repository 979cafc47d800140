"""Panels: a strip of a matrix copied to where the product's inner loop reads it in one stream.

A panel is [depth][width]: the vectors that one step along k needs lie side by side. Lanes beyond
the matrix hold anything; what is computed from them is never stored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..emit import Emitter, Index
from ..types import size_of
from .frame import Walk
from .memory import shuffled


def pack(
    e: Emitter, how: str, walk: Walk, source: Any, panel: Any,
    depth: tuple[Index, Index], col: Index, cols: Index, width: int,
) -> None:  # fmt: skip
    """Copies rows `depth` = (from, to) and columns col, col + 1, ... (< cols) of a matrix.

    `how` tells where neighbours lie: "rows": along columns, "turn": along depth, "any": nowhere.
    """
    {"rows": _copy, "turn": _turn, "any": _each}[how](
        e, walk, source, panel, depth, col, cols, width
    )


def _copy(e, walk, source, panel, depth, col, cols, width):  # type: ignore[no-untyped-def]
    lanes = e.host.lanes(size_of(walk.kind))
    masks = edge_masks(e, e.sub(cols, col), width, lanes)
    with e.loop(*depth, name="pack") as k:
        for j, mask in enumerate(masks):
            at = e.dot((k, e.add(col, j * lanes)), (walk.rows, walk.cols))
            to = e.add(e.mul(e.sub(k, depth[0]), width), j * lanes)
            e.store(e.load(source, at, walk.kind, lanes, mask), panel, to, walk.kind)


def _turn(e, walk, source, panel, depth, col, cols, width):  # type: ignore[no-untyped-def]
    lanes = e.host.lanes(size_of(walk.kind))
    last = e.sub(cols, 1)
    with (
        e.loop(*depth, lanes, name="pack") as k,
        e.loop(0, width, lanes, name="pack.col") as c,
    ):
        mask = e.first_lanes(e.sub(depth[1], k), lanes)

        def load(i: Index) -> Any:
            at = e.dot((k, e.least(e.add(e.add(col, c), i), last)), (walk.rows, walk.cols))
            return e.load(source, at, walk.kind, lanes, mask)

        def store(i: Index, vector: Any) -> None:
            at = e.add(e.mul(e.add(e.sub(k, depth[0]), i), width), c)
            e.store(vector, panel, at, walk.kind)

        turn(e, walk.kind, load, store)


def _each(e, walk, source, panel, depth, col, cols, width):  # type: ignore[no-untyped-def]
    stop = e.least(width, e.sub(cols, col))
    with e.loop(*depth, name="pack") as k, e.loop(0, stop, name="pack.col") as c:
        at = e.dot((k, e.add(col, c)), (walk.rows, walk.cols))
        to = e.add(e.mul(e.sub(k, depth[0]), width), c)
        e.store(e.load(source, at, walk.kind), panel, to, walk.kind)


def edge_masks(e: Emitter, left: Index, width: int, lanes: int) -> list[Any]:
    """One mask per vector of a strip of `width`, of which `left` columns exist; None: all do."""
    if isinstance(left, int):
        return [
            None if left >= start + lanes else e.first_lanes(left - start, lanes)
            for start in range(0, width, lanes)
        ]
    return [e.first_lanes(e.sub(left, start), lanes) for start in range(0, width, lanes)]


def turn(e: Emitter, kind: str, load: Callable[[Index], Any], store: Callable) -> None:
    """Turns a square: `load` gives its rows, `store` (number, vector) takes its columns.

    First blocks of one quarter (128 bits) of some rows, then the square of those blocks; what is
    between lies in memory, which keeps the code short: LLVM takes long for nets of shuffles.
    """
    lanes, few = e.host.lanes(size_of(kind)), 16 // size_of(kind)
    groups = lanes // few
    between = e.scratch(kind, lanes * lanes, "between")
    with e.loop(0, groups, name="group") as g:
        rows = [load(e.add(e.mul(g, few), i)) for i in range(few)]
        for i, vector in enumerate(exchanged(e, rows, 1)):
            e.store(vector, between, e.mul(e.add(g, i * groups), lanes), kind)
    with e.loop(0, few, name="lane") as i:
        at = e.mul(i, groups * lanes)
        parts = [e.load(between, e.add(at, g * lanes), kind, lanes) for g in range(groups)]
        for g, vector in enumerate(exchanged(e, parts, few)):
            store(e.add(i, g * few), vector)


def exchanged(e: Emitter, vectors: list[Any], unit: int) -> list[Any]:
    """Square blocks of the vectors turned; an element of a block is `unit` lanes."""
    found, lanes = list(vectors), vectors[0].type.count
    half = len(found) // 2
    while half:
        bit = half * unit
        low = [lane + (lanes - bit if lane & bit else 0) for lane in range(lanes)]
        high = [lane + (lanes if lane & bit else bit) for lane in range(lanes)]
        for i in (i for i in range(len(found)) if not i & half):
            a, b = found[i], found[i + half]
            found[i], found[i + half] = shuffled(e, a, b, low), shuffled(e, a, b, high)
        half //= 2
    return found
