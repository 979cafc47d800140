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

from ..emit import I1, I32, I64, PTR, TYPES, Emitter, Index, mangled
from ..spec import Step
from ..types import size_of
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
            pointer, index, stride = place(position)
            if lanes == 1 or same(stride, 0):
                return e.load(pointer, index, kind)
            if same(stride, 1):
                return e.load(pointer, index, kind, lanes, mask)
            return gather(e, pointer, index, stride, kind, lanes, mask)

        def store(position: int, kind: str, found: Any) -> None:
            pointer, index, stride = place(position)
            if lanes == 1 or same(stride, 1):
                e.store(found, pointer, index, kind, mask)
            else:
                scatter(e, found, pointer, index, stride, kind, mask)

        emit_steps(e, self.frame.epilogue, {0: value}, load, store, lanes)


def same(index: Index, number: int) -> bool:
    """Whether an index is known to be `number`."""
    return isinstance(index, int) and index == number


def gather(
    e: Emitter, pointer: Any, index: Index, stride: Index, kind: str, lanes: int, mask: Any
) -> Any:
    """`lanes` elements that lie `stride` apart."""
    held = "u8" if kind == "bool" else kind
    at = places(e, pointer, index, stride, held, lanes)
    of = ir.VectorType(TYPES[held], lanes)
    mask = all_lanes(lanes) if mask is None else mask
    load = e.intrinsic(
        f"llvm.masked.gather.{mangled(of)}.v{lanes}p0", of, at.type, I32, mask.type, of
    )
    found = e.builder.call(load, [at, I32(size_of(kind)), mask, ir.Constant(of, None)])
    return e.builder.icmp_unsigned("!=", found, ir.Constant(of, None)) if kind == "bool" else found


def scatter(
    e: Emitter, value: Any, pointer: Any, index: Index, stride: Index, kind: str, mask: Any
) -> None:
    """Stores a vector's elements `stride` apart."""
    held, lanes = "u8" if kind == "bool" else kind, value.type.count
    if kind == "bool":
        value = e.builder.zext(value, ir.VectorType(TYPES[held], lanes))
    at = places(e, pointer, index, stride, held, lanes)
    mask = all_lanes(lanes) if mask is None else mask
    store = e.intrinsic(
        f"llvm.masked.scatter.{mangled(value.type)}.v{lanes}p0",
        ir.VoidType(), value.type, at.type, I32, mask.type,
    )  # fmt: skip
    e.builder.call(store, [value, at, I32(size_of(kind)), mask])


def places(e: Emitter, pointer: Any, index: Index, stride: Index, kind: str, lanes: int) -> Any:
    """A vector of the addresses of elements index, index + stride, ..."""
    b = e.builder
    bytes_apart = e.splat(e.value(e.mul(stride, size_of(kind))), lanes)
    numbers = ir.Constant(ir.VectorType(I64, lanes), [I64(i) for i in range(lanes)])
    first = b.ptrtoint(e.address(pointer, index, kind), I64)
    steps = b.add(e.splat(first, lanes), b.mul(numbers, bytes_apart))
    return b.inttoptr(steps, ir.VectorType(PTR, lanes))


def all_lanes(lanes: int) -> ir.Value:
    """The mask that lets every lane pass."""
    return ir.Constant(ir.VectorType(I1, lanes), [I1(1)] * lanes)
