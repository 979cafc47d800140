"""Panels: a strip of a matrix copied to where the product's inner loop reads it in one stream.

A panel is [depth][width]: the vectors that one step along k needs lie side by side. Lanes beyond
the matrix hold anything; what is computed from them is never stored.
"""

from __future__ import annotations

from typing import Any

from ..emit import Emitter, Index
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
    lanes = e.host.lanes(size(walk))
    masks = edge_masks(e, e.sub(cols, col), width, lanes)
    with e.loop(*depth, name="pack") as k:
        for j, mask in enumerate(masks):
            at = e.dot((k, e.add(col, j * lanes)), (walk.rows, walk.cols))
            to = e.add(e.mul(e.sub(k, depth[0]), width), j * lanes)
            e.store(e.load(source, at, walk.kind, lanes, mask), panel, to, walk.kind)


def _turn(e, walk, source, panel, depth, col, cols, width):  # type: ignore[no-untyped-def]
    lanes = e.host.lanes(size(walk))
    last = e.sub(cols, 1)
    with (
        e.loop(*depth, lanes, name="pack") as k,
        e.loop(0, width, lanes, name="pack.col") as c,
    ):
        mask = e.first_lanes(e.sub(depth[1], k), lanes)
        read = []
        for i in range(lanes):
            at = e.dot((k, e.least(e.add(e.add(col, c), i), last)), (walk.rows, walk.cols))
            read.append(e.load(source, at, walk.kind, lanes, mask))
        for i, vector in enumerate(transposed(e, read)):
            to = e.add(e.mul(e.add(e.sub(k, depth[0]), i), width), c)
            e.store(vector, panel, to, walk.kind)


def _each(e, walk, source, panel, depth, col, cols, width):  # type: ignore[no-untyped-def]
    stop = e.least(width, e.sub(cols, col))
    with e.loop(*depth, name="pack") as k, e.loop(0, stop, name="pack.col") as c:
        at = e.dot((k, e.add(col, c)), (walk.rows, walk.cols))
        to = e.add(e.mul(e.sub(k, depth[0]), width), c)
        e.store(e.load(source, at, walk.kind), panel, to, walk.kind)


def size(walk: Walk) -> int:
    """Bytes of an element."""
    return 4 if walk.kind == "f32" else 8


def edge_masks(e: Emitter, left: Index, width: int, lanes: int) -> list[Any]:
    """One mask per vector of a strip of `width`, of which `left` columns exist; None: all do."""
    if isinstance(left, int):
        return [
            None if left >= start + lanes else e.first_lanes(left - start, lanes)
            for start in range(0, width, lanes)
        ]
    return [e.first_lanes(e.sub(left, start), lanes) for start in range(0, width, lanes)]


def transposed(e: Emitter, vectors: list[Any]) -> list[Any]:
    """A square block, given as its rows, as its columns: n log n shuffles of pairs."""
    found, n = list(vectors), len(vectors)
    half = n // 2
    while half:
        for i in (i for i in range(n) if not i & half):
            a, b = found[i], found[i + half]
            low = [lane if not lane & half else n + lane - half for lane in range(n)]
            high = [lane + half if not lane & half else n + lane for lane in range(n)]
            found[i], found[i + half] = shuffled(e, a, b, low), shuffled(e, a, b, high)
        half //= 2
    return found
