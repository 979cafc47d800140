"""Reductions in the one order that all kernels share.

Element i of at most 8192 goes to partial i mod 16, in ascending order; the partials start at the
neutral element and end in a fixed tree: p[j] with p[j+8], then +4, +2, +1. More elements are cut
into chunks of 8192 and the chunks' results reduced in the same way again. So the bits of a sum
depend on the number of elements only: not on threads, layout or the width of vectors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from ..emit import TYPES, Emitter, Index
from ..scalars import TABLE
from ..types import NUMPY, is_float
from .memory import shuffled

PARTIALS = 16
CHUNK = 8192
COMBINE = {"sum": "add", "prod": "mul", "max": "max", "min": "min", "any": "or", "all": "and"}
BETTER = {"argmax": "gt", "argmin": "lt"}
Parts = list  # what a reduction carries along: a value; for argmax a value and its index


def neutral(name: str, kind: str) -> Any:
    """The number that a reduction starts from."""
    if name in ("sum", "any"):
        return 0
    if name in ("prod", "all"):
        return 1
    low = name in ("max", "argmax")
    if is_float(kind):
        return -np.inf if low else np.inf
    if kind == "bool":
        return 0 if low else 1
    bounds = np.iinfo(NUMPY[kind])
    return int(bounds.min if low else bounds.max)


class Reduction:
    """A reduction of values of one kind: what it carries, how two of that become one."""

    def __init__(self, e: Emitter, name: str, kind: str):
        self.e, self.name, self.kind = e, name, kind
        self.kinds: tuple[str, ...] = (kind, "i64") if name in BETTER else (kind,)

    def start(self, lanes: int) -> Parts:
        """The neutral element; its index is behind every other."""
        first = self.e.splat(ir.Constant(TYPES[self.kind], neutral(self.name, self.kind)), lanes)
        last = self.e.constant(2**63 - 1, "i64", lanes)
        return [first, last][: len(self.kinds)]

    def element(self, value: Any, number: Any) -> Parts:
        """What one element brings along."""
        return [value, number][: len(self.kinds)]

    def combine(self, a: Parts, b: Parts) -> Parts:
        """Two partials as one; of two equals `a` stays, the one that has waited longer."""
        if self.name in COMBINE:
            first, second = (b, a) if self.name in ("max", "min") else (a, b)
            return [TABLE[COMBINE[self.name]].code(self.e, self.kind, first[0], second[0])]
        keep, e = self._before(a, b), self.e.builder
        return [e.select(keep, x, y) for x, y in zip(a, b)]

    def result(self, parts: Parts) -> Any:
        """The value or the index that is asked for."""
        return parts[-1]

    def _before(self, a: Parts, b: Parts) -> Any:
        """Whether a is the better one, or as good and found earlier; NaN is the best."""
        e, kind = self.e.builder, self.kind
        better = TABLE[BETTER[self.name]].code(self.e, kind, a[0], b[0])
        tied = TABLE["eq"].code(self.e, kind, a[0], b[0])
        if is_float(kind):
            nan_a, nan_b = (TABLE["isnan"].code(self.e, kind, p[0]) for p in (a, b))
            better = e.or_(better, e.and_(nan_a, e.not_(nan_b)))
            tied = e.or_(tied, e.and_(nan_a, nan_b))
        return e.or_(better, e.and_(tied, e.icmp_signed("<", a[1], b[1])))


class Extremum(Reduction):
    """The greatest or least float, whether one was NaN kept apart from it.

    So the chain from element to element is one instruction long, where x86 needs three for both.
    """

    def __init__(self, e: Emitter, name: str, kind: str):
        super().__init__(e, name, kind)
        self.kinds = (kind, "bool")

    def start(self, lanes: int) -> Parts:
        """No NaN so far."""
        return [super().start(lanes)[0], self.e.constant(0, "bool", lanes)]

    def element(self, value: Any, number: Any) -> Parts:
        """The value, and whether it is NaN."""
        return [value, TABLE["isnan"].code(self.e, self.kind, value)]

    def combine(self, a: Parts, b: Parts) -> Parts:
        """The newcomer if it is better."""
        better = TABLE["gt" if self.name == "max" else "lt"].code(self.e, self.kind, b[0], a[0])
        return [self.e.builder.select(better, b[0], a[0]), self.e.builder.or_(a[1], b[1])]

    def result(self, parts: Parts) -> Any:
        """NaN if there was one."""
        nan = ir.Constant(TYPES[self.kind], float("nan"))
        return self.e.builder.select(parts[1], nan, parts[0])


class Slots:
    """The partials as elements (scalars or vectors) of an array in memory."""

    def __init__(self, e: Emitter, reduction: Reduction, count: int, lanes: int):
        self.e, self.reduction, self.lanes = e, reduction, lanes
        self.count = max(1, min(count, PARTIALS))
        self.arrays = [e.scratch(kind, self.count * lanes, "partials") for kind in reduction.kinds]
        with e.loop(0, self.count, name="slot") as slot:
            self._put(slot, reduction.start(lanes))

    def add(self, number: Index, parts: Parts, mask: Any = None) -> None:
        """Element `number` joins its partial."""
        slot = self.e.builder.and_(self.e.value(number), ir.Constant(ir.IntType(64), PARTIALS - 1))
        self._put(slot, self.reduction.combine(self._get(slot), parts))

    def total(self) -> Parts:
        """The tree over the partials."""
        partials = [self._get(slot) for slot in range(self.count)]
        half = PARTIALS // 2
        while half:
            low, high = partials[:half], partials[half:]
            partials = [
                self.reduction.combine(p, high[j]) if j < len(high) else p
                for j, p in enumerate(low)
            ]
            half //= 2
        return partials[0]

    def _get(self, slot: Index) -> Parts:
        at = self.e.mul(slot, self.lanes)
        kinds = self.reduction.kinds
        return [self.e.load(a, at, k, self.lanes) for a, k in zip(self.arrays, kinds)]

    def _put(self, slot: Index, parts: Parts) -> None:
        at = self.e.mul(slot, self.lanes)
        for array, kind, part in zip(self.arrays, self.reduction.kinds, parts):
            self.e.store(part, array, at, kind)


class Lanes:
    """The partials as the 16 lanes of one vector."""

    def __init__(self, e: Emitter, reduction: Reduction):
        self.e, self.reduction = e, reduction
        self.variables = [e.variable(part, "partials") for part in reduction.start(PARTIALS)]

    def add(self, number: Index, parts: Parts, mask: Any = None) -> None:
        """16 neighbouring elements join their partials, those in the mask."""
        if mask is not None:
            start = self.reduction.start(PARTIALS)
            parts = [self.e.builder.select(mask, p, s) for p, s in zip(parts, start)]
        found = self.reduction.combine([v.get() for v in self.variables], parts)
        for variable, part in zip(self.variables, found):
            variable.set(part)

    def total(self) -> Parts:
        """The tree over the lanes."""
        parts, half = [v.get() for v in self.variables], PARTIALS // 2
        while half:
            low = [shuffled(self.e, p, p, range(half)) for p in parts]
            high = [shuffled(self.e, p, p, range(half, 2 * half)) for p in parts]
            parts, half = self.reduction.combine(low, high), half // 2
        return [self.e.builder.extract_element(p, ir.IntType(32)(0)) for p in parts]


def fold(
    e: Emitter,
    reductions: Sequence[Reduction],
    count: int,
    lanes: int,
    innermost: Callable[[Reduction], Any],
    walk: Callable[[Index, Index, list], None],
) -> list[Any]:
    """The reductions of `count` elements that `walk(start, stop, partials)` adds to partials.

    `innermost` makes the partials of a chunk; those of chunks of chunks are slots of `lanes`.
    """

    def level(depth: int, start: Index, stop: Index) -> list[Parts]:
        if depth == 0:
            partials = [innermost(r) for r in reductions]
            walk(start, stop, partials)
            return [p.total() for p in partials]
        size = CHUNK**depth
        outer = [Slots(e, r, PARTIALS, lanes) for r in reductions]
        with e.loop(start, stop, size, "chunk") as first:
            found = level(depth - 1, first, e.least(e.add(first, size), stop))
            number = e.div(e.sub(first, start), size)
            for slots, parts in zip(outer, found):
                slots.add(number, parts)
        return [slots.total() for slots in outer]

    depth = 0
    while count > CHUNK ** (depth + 1):
        depth += 1
    return [r.result(parts) for r, parts in zip(reductions, level(depth, 0, count))]
