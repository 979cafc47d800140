"""Evaluating steps of a body where a kernel stands: loads, stores, indices, lookups."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from ..emit import I1, I64, Emitter, Index
from ..spec import At, Operand, Step
from .memory import gather, load_lanes, scatter, store_lanes, strided
from .plan import Axis
from .steps import alike, emit_scalar, lanes_of, repeated


@dataclass(frozen=True)
class Point:
    """Where a kernel stands.

    `at`     each operand's element in lane 0
    `along`  each operand's stride from lane to lane
    `places` position along axes of the spec whose index is asked for
    """

    at: tuple[Index, ...]
    along: tuple[int, ...]
    places: dict[int, Any]
    lanes: int = 1
    mask: Any = None

    def moved(self, e: Emitter, axis: Axis, by: Index) -> Point:
        """The point `by` positions further along an axis."""
        at = tuple(e.add(i, e.mul(by, s)) for i, s in zip(self.at, axis.strides))
        places = self.places
        if axis.number is not None:
            places = {**places, axis.number: e.value(by)}
        return Point(at, self.along, places, self.lanes, self.mask)

    def spread(self, e: Emitter, axis: Axis, by: Index, lanes: int, mask: Any = None) -> Point:
        """The point with its lanes along an axis, the first at position `by`."""
        first = self.moved(e, axis, by)
        places = first.places
        if axis.number is not None:
            places = {**places, axis.number: strided(e, by, 1, lanes)}
        return Point(first.at, axis.strides, places, lanes, mask)


class Evaluator:
    """Writes steps of a body at points; `values` are kept by the caller, scope by scope."""

    def __init__(self, e: Emitter, operands: Sequence[Operand], body: Sequence[Step]):
        self.e, self.operands, self.body = e, operands, body
        self.pointers = [e.pointer(n, f"p{n}") for n in range(len(operands))]

    def origin(self) -> Point:
        """The first element of every operand."""
        return Point(tuple(o.offset for o in self.operands), (0,) * len(self.operands), {})

    def evaluate(self, point: Point, values: dict[int, Any], steps: Iterable[int]) -> None:
        """Adds the steps' values to `values`."""
        for n in steps:
            values[n] = self._value(point, values, n)

    def write(self, point: Point, values: dict[int, Any], steps: Iterable[int]) -> None:
        """Makes the stores among the steps."""
        for n in steps:
            step = self.body[n]
            args = [values[a] for a in step.args]
            if step.op == "store":
                self.store(point, step.attr, args[0])
            else:
                self._store_at(point, step, args[0], args[1:])

    def load(self, point: Point, operand: int) -> Any:
        """An operand's element, or its elements lane by lane."""
        o = self.operands[operand]
        return load_lanes(
            self.e, self.pointers[operand], point.at[operand], point.along[operand], o.kind,
            point.lanes, point.mask,
        )  # fmt: skip

    def store(self, point: Point, operand: int, value: Any) -> None:
        """Stores into an operand."""
        e, o = self.e, self.operands[operand]
        value = repeated(e, value, point.lanes)
        store_lanes(
            e, value, self.pointers[operand], point.at[operand], point.along[operand], o.kind,
            point.mask,
        )  # fmt: skip

    def _value(self, point: Point, values: dict[int, Any], n: int) -> Any:
        step = self.body[n]
        if step.op == "load":
            return self.load(point, step.attr)
        if step.op == "index":
            return point.places[step.attr]
        if step.op == "load_at":
            return self._load_at(point, step, [values[a] for a in step.args])
        return emit_scalar(self.e, self.body, n, values)

    # ------------------------------------------------------------ computed indices

    def _load_at(self, point: Point, step: Step, indices: list[Any]) -> Any:
        e, at = self.e, step.attr
        pointer, kind = self.pointers[at.operand], self.operands[at.operand].kind
        moves, _ = self._offsets(point, at, indices)
        start, along = point.at[at.operand], point.along[at.operand]
        if lanes_of(moves) == 1:
            where = e.add(start, moves)
            return load_lanes(e, pointer, where, along, kind, point.lanes, point.mask)
        moves = e.builder.add(moves, strided(e, start, along, point.lanes))
        return gather(e, pointer, moves, kind, point.mask)

    def _store_at(self, point: Point, step: Step, value: Any, indices: list[Any]) -> None:
        """Lanes go first to last; "add_at" must not meet itself within a vector."""
        e, at = self.e, step.attr
        pointer, kind = self.pointers[at.operand], self.operands[at.operand].kind
        moves, good = self._offsets(point, at, indices)
        start, along = point.at[at.operand], point.along[at.operand]
        value = repeated(e, value, point.lanes)
        add = step.op == "add_at"
        if lanes_of(moves) == 1:
            where = e.add(start, moves)
            with e.guard(good):
                if add:
                    old = load_lanes(e, pointer, where, along, kind, point.lanes, point.mask)
                    value = self._sum(kind, old, value)
                store_lanes(e, value, pointer, where, along, kind, point.mask)
            return
        moves = e.builder.add(moves, strided(e, start, along, point.lanes))
        if point.mask is not None:
            good = e.builder.and_(good, point.mask)
        if add:
            value = self._sum(kind, gather(e, pointer, moves, kind, good), value)
        scatter(e, value, pointer, moves, kind, good)

    def _sum(self, kind: str, old: Any, value: Any) -> Any:
        steps = (Step("", (), kind), Step("", (), kind), Step("add", (0, 1), kind))
        return emit_scalar(self.e, steps, 2, {0: old, 1: value})

    def _offsets(self, point: Point, at: At, indices: list[Any]) -> tuple[Any, Any]:
        """The way from indices within their axes, and whether they are."""
        e, b = self.e, self.e.builder
        indices = alike(e, indices)
        of = indices[0].type
        moves = ir.Constant(of, None)
        good = ir.Constant(I1, 1) if of == I64 else e.splat(ir.Constant(I1, 1), of.count)
        for index, n, stride, axis in zip(indices, at.extents, at.strides, at.axes, strict=True):
            size, zero = e.splat(I64(n), lanes_of(index)), ir.Constant(of, None)
            inside = index
            if at.wrap:
                inside = b.select(b.icmp_signed("<", index, zero), b.add(index, size), index)
            fits = b.icmp_unsigned("<", inside, size)
            self._report(point, at, index, fits, n, axis)
            inside = b.select(fits, inside, zero)
            moves = b.add(moves, b.mul(inside, e.splat(I64(stride), lanes_of(index))))
            good = b.and_(good, fits)
        return moves, good

    def _report(self, point: Point, at: At, index: Any, fits: Any, n: int, axis: int) -> None:
        """Writes the first index that does not fit into the error cell, once."""
        e, b = self.e, self.e.builder
        bad = b.not_(fits)
        if lanes_of(index) > 1:
            if point.mask is not None:
                bad = b.and_(bad, point.mask)
            bits = b.bitcast(bad, ir.IntType(lanes_of(index)))
            some = b.icmp_unsigned("!=", bits, ir.Constant(bits.type, 0))
        else:
            some = bad
        cell = self.pointers[at.error]
        with e.guard(some, "astray"):
            if lanes_of(index) > 1:
                count = e.intrinsic(f"llvm.cttz.{bits.type}", bits.type, bits.type, I1)
                index = b.extract_element(index, b.call(count, [bits, I1(1)]))
            none_yet = b.icmp_signed("==", e.load(cell, 0, "i64"), I64(0))
            with e.guard(none_yet):
                for k, value in enumerate((I64(1), index, I64(n), I64(axis))):
                    e.store(value, cell, k, "i64")
