"""A product as its loops see it: one operand is read element by element, one vector by vector.

    out[b, r, c] = epilogue( sum over k, ascending, of left[b, r, k] * right[b, k, c] )

Vectors lie along c. Which of the matrices plays `right` is free: a product is commutative, so the
flipped frame has the same bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from llvmlite import ir

from ..emit import Emitter, Index
from ..spec import Step
from .memory import load_lanes, store_lanes
from .steps import emit_steps


@dataclass(frozen=True)
class Walk:
    """Where the elements of a batch of matrices lie: strides along the batch, rows and columns."""

    position: int
    kind: str
    batch: tuple[Index, ...]
    rows: Index
    cols: Index
    offset: Index = 0

    def turned(self) -> Walk:
        """The transposed matrices."""
        return replace(self, rows=self.cols, cols=self.rows)


@dataclass(frozen=True)
class Frame:
    """The product of `left` (rows, depth) and `right` (depth, cols), and what becomes of it."""

    kind: str
    batch: tuple[Index, ...]
    rows: Index
    cols: Index
    depth: Index
    left: Walk
    right: Walk
    extras: tuple[Walk, ...]
    epilogue: tuple[Step, ...]

    def flipped(self) -> Frame:
        """The transposed product: the roles of the matrices swapped."""
        return replace(
            self, rows=self.cols, cols=self.rows, left=self.right.turned(),
            right=self.left.turned(), extras=tuple(x.turned() for x in self.extras),
        )  # fmt: skip

    def at(self, e: Emitter, batch: Sequence[Index]) -> Bound:
        """The frame at one position of the batch."""
        return Bound(
            self,
            base(e, self.left, batch),
            base(e, self.right, batch),
            {x.position: (x, base(e, x, batch)) for x in self.extras},
        )


def base(e: Emitter, walk: Walk, batch: Sequence[Index]) -> ir.Value:
    """Where the matrix of one batch position begins."""
    return e.address(e.pointer(walk.position), e.dot(batch, walk.batch, walk.offset), walk.kind)


@dataclass(frozen=True)
class Bound:
    """A frame with its pointers; `extras` by position among the kernel's operands."""

    frame: Frame
    left: ir.Value
    right: ir.Value
    extras: dict[int, tuple[Walk, ir.Value]]

    def finish(
        self, e: Emitter, value: Any, row: Index, col: Index, lanes: int, mask: Any, along: str
    ) -> None:
        """The epilogue for finished sums: `lanes` of them from (row, col) on, `along` an axis."""

        def place(position: int) -> tuple[ir.Value, Index, Index]:
            walk, pointer = self.extras[position]
            stride = walk.cols if along == "cols" else walk.rows
            return pointer, e.dot((row, col), (walk.rows, walk.cols)), stride

        def load(position: int, kind: str) -> Any:
            return load_lanes(e, *place(position), kind, lanes, mask)

        def store(position: int, kind: str, found: Any) -> None:
            store_lanes(e, found, *place(position), kind, mask)

        emit_steps(e, self.frame.epilogue, {0: value}, load, store, lanes)
