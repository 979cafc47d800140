"""Products of matrices, with what follows them: the kernel's spec and the choice of its loops.

    out[b, m, n] = epilogue( sum over k of a[b, m, k] * b[b, k, n] )

Every sum is one chain acc = fma(a, b, acc) from +0.0 with k ascending, whatever the loops are; where
m or n is below `THIN` the order is that of `thin`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from ..emit import Emitter
from ..host import Host
from ..spec import Operand, Step
from ..types import size_of
from .frame import Frame, Walk
from .tiles import Schedule, Tiles

THIN = 4
WORTH_A_THREAD = 2_000_000  # flops: about 20 microseconds


@dataclass(frozen=True)
class Product:
    """A batch of products of known sizes.

    Strides are over (*batch, m, k) for `a`, (*batch, k, n) for `b` and (*batch, m, n) for `extras`.
    The kernel's operands are a, b and the extras: what the epilogue reads and writes. Step 0 of the
    epilogue stands for the finished sum; at least one step is a "store".
    """

    m: int
    n: int
    k: int
    batch: tuple[int, ...]
    a: Operand
    b: Operand
    extras: tuple[Operand, ...]
    epilogue: tuple[Step, ...]

    @property
    def operands(self) -> tuple[Operand, ...]:
        """a, b and what the epilogue reads and writes."""
        return (self.a, self.b, *self.extras)

    @property
    def threads(self) -> int:
        """One for each 20 microseconds of arithmetic."""
        flops = 2 * self.m * self.n * self.k * prod(self.batch)
        return max(1, flops // WORTH_A_THREAD)

    def emit(self, e: Emitter) -> None:
        """Writes the kernel."""
        frame, schedule = self.frame(), self.schedule(e.host)
        Tiles(e, frame.flipped() if schedule.flipped else frame, schedule).write()

    def frame(self) -> Frame:
        """The product with n as the vector axis."""

        def walk(position: int, operand: Operand, rows: int, cols: int) -> Walk:
            *batch, i, j = operand.strides
            i, j = (1 if rows == 1 else i), (1 if cols == 1 else j)
            return Walk(position, operand.kind, tuple(batch), i, j, operand.offset)

        return Frame(
            self.a.kind, self.batch, self.m, self.n, self.k,
            walk(0, self.a, self.m, self.k), walk(1, self.b, self.k, self.n),
            tuple(walk(2 + i, x, self.m, self.n) for i, x in enumerate(self.extras)),
            self.epilogue,
        )  # fmt: skip

    def schedule(self, host: Host) -> Schedule:
        """The cheapest way that `costs` knows."""
        frame = self.frame()
        found = [best_tile(host, f, flipped) for flipped, f in enumerate((frame, frame.flipped()))]
        return min(found, key=lambda pair: pair[0])[1]


DEPTH = 512  # k at a time where strips are packed: 96 KiB, a tenth of L2
BLOCK = 192  # rows whose sums wait


def best_tile(host: Host, frame: Frame, flipped: int) -> tuple[float, Schedule]:
    """(cycles, schedule) of the best tile for a frame."""
    lanes = host.lanes(size_of(frame.kind))
    pack = how_to_pack(frame)
    turned = wants_turn(frame)
    rows, cols, depth = frame.rows, frame.cols, frame.depth
    vectors = -(-cols // lanes)
    best: tuple[float, Schedule] | None = None
    for tv in range(1, 7):
        for tr in range(1, 25):
            if tr * tv + tv + 1 > host.registers or tr > max(rows, 1) or tv > max(vectors, 1):
                continue
            cycles = sum(
                nr * nv * (max(r * v, 4) + 1 + 0.1 * r + 0.3 * v)
                for r, nr in ((tr, rows // tr), (rows % tr, 1))
                for v, nv in ((tv, vectors // tv), (vectors % tv, 1))
                if r and v
            )
            schedule = Schedule(
                bool(flipped), (tr, rows % tr), (tv, vectors % tv), pack,
                DEPTH if pack else 0, BLOCK if turned or (pack and depth > DEPTH) else 0, turned,
            )  # fmt: skip
            if best is None or cycles < best[0]:
                best = cycles, schedule
    cycles, schedule = best
    moved = depth * cols * {"": 0, "rows": 0.12, "turn": 0.35, "any": 2.0}[pack]
    turning = rows * cols * 0.4 if turned else 0
    return depth * cycles + moved + turning, schedule


def how_to_pack(frame: Frame) -> str:
    """Whether strips of `right` are copied, and how."""
    if frame.right.cols == 1:
        return ""
    return "turn" if frame.right.rows == 1 else "any"


def wants_turn(frame: Frame) -> bool:
    """Whether the epilogue's memory runs along the rows."""
    along = sum(x.cols == 1 for x in frame.extras)
    across = sum(x.rows == 1 for x in frame.extras)
    return across > along
