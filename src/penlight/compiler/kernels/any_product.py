"""Products whose sizes and strides are arguments: eager code runs them, compiled once for all."""

from __future__ import annotations

from dataclasses import dataclass, field

from llvmlite import ir

from ..emit import Emitter, Index
from ..spec import Operand, Step
from ..types import size_of
from .frame import Frame, Walk
from .schedule import AHEAD, BLOCKS, PANEL, Schedule
from .strips import Strips
from .thin import write_thin

NUMBERS = 17


@dataclass(frozen=True)
class AnyProduct:
    """out[b, c, i, j] = sum over k of left[b, c, i, k] * right[b, c, k, j].

    The numbers are the sizes of (b, c, i, j, k), then the strides of left over (b, c, i, k), of
    right over (b, c, k, j) and of out over (b, c, i, j).

    `left`, `right`, `out`  the axis with unit stride, by its letter; "" where there is none
    `rows`                  the size of i where it is below `thin.THIN`, else 0
    `pack`                  how `right` is copied first; see `pack`
    """

    kind: str
    left: str
    right: str
    out: str
    rows: int = 0
    pack: str = ""
    threads: int = field(default=1, compare=False, repr=False)

    @property
    def operands(self) -> tuple[Operand, ...]:
        """left, right, out."""
        strides = (0,) * 4
        read = Operand(self.kind, strides)
        return read, read, Operand(self.kind, strides, written=True)

    @property
    def numbers(self) -> int:
        """How many numbers follow the arrays."""
        return NUMBERS

    def emit(self, e: Emitter) -> None:
        """Writes the kernel."""
        frame = self.frame(e)
        if self.rows:
            write_thin(e, frame)
        else:
            Strips(e, frame, self.schedule(e)).write()

    def frame(self, e: Emitter) -> Frame:
        """The product with what is known of it."""
        numbers = e.pointer(3, "numbers")
        found: list[ir.Value] = [e.load(numbers, n, "i64") for n in range(NUMBERS)]
        b, c, i, j, k = found[:5]

        def walk(position: int, unit: str, axes: str) -> Walk:
            strides: list[Index] = found[5 + 4 * position : 9 + 4 * position]
            if unit:
                strides[2 + axes.index(unit)] = 1
            return Walk(position, self.kind, tuple(strides[:2]), strides[2], strides[3])

        return Frame(
            self.kind, (b, c), self.rows or i, j, k,
            walk(0, self.left, "ik"), walk(1, self.right, "kj"), (walk(2, self.out, "ij"),),
            (Step("sum", (), self.kind), Step("store", (0,), self.kind, 2)),
        )  # fmt: skip

    def schedule(self, e: Emitter) -> Schedule:
        """A tile that suits large products; the rest of the rows one by one, of the columns too."""
        rows, vectors = (8, 3) if e.host.registers == 32 else (6, 2)
        width = vectors * e.host.lanes(size_of(self.kind)) * size_of(self.kind)
        return Schedule(
            False, (rows, 1), (vectors, 1), self.pack, PANEL // width if self.pack else 0,
            BLOCKS[bool(self.pack)] if self.pack or self.out != "j" else 0, self.out == "i", AHEAD,
        )  # fmt: skip
