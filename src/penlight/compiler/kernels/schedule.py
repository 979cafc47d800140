"""Which loops compute a product: the tile, which matrix is read by vectors, what is copied first.

The prices are cycles measured on a Zen 4 core at 512 bits (docs/performance.md); only their ratios
matter, and a wrong one costs time, never a bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from ..host import Host
from ..types import size_of
from .frame import Frame


@dataclass(frozen=True)
class Schedule:
    """How a frame is computed. None of it changes a bit of the result.

    `rows`, `vectors`  the tile, and the smaller tile that the rest of an axis is covered with
    `pack`             strips of `right` are copied first (see `pack`); "": read where they lie
    `depth`            so many k at a time (0: all at once)
    `block`            so many rows' sums wait in memory (0: none, they go from registers on)
    `turned`           the epilogue's vectors lie along the rows
    `ahead`            `left` is called for so many k early (0: the processor does it)
    """

    flipped: bool
    rows: tuple[int, int]
    vectors: tuple[int, int]
    pack: str = ""
    depth: int = 0
    block: int = 0
    turned: bool = False
    ahead: int = 0


PANEL = 128 * 1024  # bytes of a copied strip: with the sums that wait, a fraction of L2
AHEAD = 16  # k; the processor foresees rows of `left`, but not columns that are far apart
BLOCKS = (64, 384)  # rows whose sums wait: where a panel holds all of a strip, and where not
LATENCY = 7  # cycles that a step along k takes at least
MOVED = {"": 0.0, "rows": 0.15, "turn": 0.4, "any": 2.0}  # per element copied to a panel
TURNED = 1.0  # per sum whose vectors are turned
CODE = 10_000  # for code that copies, that turns, or that makes another tile
FAR = 6  # per step along k and strip, where neither L2 nor the TLB hold the matrix
FAR_ROW = 0.12  # per step along k and row of a tile, where that is so of the other matrix
NEAR = 1 << 20  # bytes that they do hold
WIDE = 1 << 23  # bytes from which on a matrix is copied strip by strip
VARIANT = 0.015  # what another tile's code is worth
LONG_EPILOGUE = 12  # steps from which on there is one copy of it, not one per accumulator


def choose(host: Host, frame: Frame) -> Schedule:
    """The cheapest schedule for a frame of known sizes."""
    options = [*candidates(host, frame, False), *candidates(host, frame.flipped(), True)]
    return min(options, key=lambda pair: pair[0])[1]


def candidates(host: Host, frame: Frame, flipped: bool) -> Iterator[tuple[float, Schedule]]:
    """(cycles, schedule) for every tile that fits the registers."""
    lanes = host.lanes(size_of(frame.kind))
    rows, depth, vectors = frame.rows, frame.depth, -(-frame.cols // lanes)
    pack, turned = how_to_pack(frame), wants_turn(frame)
    moved, turning = depth * frame.cols * MOVED[pack], rows * frame.cols * TURNED * turned
    fixed = turning + CODE * (bool(pack) + turned)
    size = size_of(frame.kind)
    far = FAR * (frame.cols * depth * size > NEAR)
    far_row = FAR_ROW * (rows * depth * size > NEAR)
    ahead = AHEAD if far_row and frame.left.cols != 1 else 0
    for v in range(1, min(6, vectors) + 1):
        piece = panel_depth(frame, v * lanes) if pack else 0
        apart = turned or 0 < piece < depth or len(frame.epilogue) > LONG_EPILOGUE
        block = BLOCKS[0 < piece < depth] if apart or scattered(frame) else 0
        times = -(-rows // block) if 0 < piece < depth else 1
        strips, rest = -(-vectors // v), vectors - frame.cols // (v * lanes) * v
        for r in range(1, min((host.registers - v - 1) // v, rows) + 1):
            kinds = (1 + (rows % r > 0)) * (1 + (rest > 0))
            step = cycles(rows, r, vectors, v) * (1 + VARIANT * (kinds - 1))
            step += strips * (far + far_row * rows)
            yield (
                prod(frame.batch) * (depth * step + fixed + times * moved) + CODE * kinds,
                Schedule(flipped, (r, rows % r), (v, rest), pack, piece, block, turned, ahead),
            )


def cycles(rows: int, r: int, vectors: int, v: int) -> float:
    """What one step along k costs, over all tiles."""
    return sum(
        down * across * (max(i * j, LATENCY) + 0.3 + 0.05 * i + 0.3 * j)
        for i, down in ((r, rows // r), (rows % r, 1))
        for j, across in ((v, vectors // v), (vectors % v, 1))
        if i and j
    )


def panel_depth(frame: Frame, width: int) -> int:
    """How many k a panel holds."""
    return min(PANEL // (width * size_of(frame.kind)), -(-frame.depth // 16) * 16)


def how_to_pack(frame: Frame) -> str:
    """Whether strips of `right` are copied, and how."""
    if frame.right.cols == 1:
        far = frame.cols * frame.depth * size_of(frame.kind) > WIDE and frame.rows >= 64
        return "rows" if far else ""
    return "turn" if frame.right.rows == 1 else "any"


def wants_turn(frame: Frame) -> bool:
    """Whether the epilogue's memory runs along the rows."""
    along = sum(x.cols == 1 for x in frame.extras)
    across = sum(x.rows == 1 for x in frame.extras)
    return across > along


def scattered(frame: Frame) -> bool:
    """Whether an epilogue along the columns has to gather."""
    return any(x.cols not in (0, 1) for x in frame.extras)
