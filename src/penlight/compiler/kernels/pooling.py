"""Pooling: windows over planes, their maxima or averages, and the way back.

Taps are met in order, row by row of the window; those in the padding do not exist. Vectors lie
along the places of a line. The ways back go place by place, in order, and thus add in one order
where windows overlap; averages go tap by tap within a line of places.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any

from llvmlite import ir

from ..emit import I64, TYPES, Emitter, Index
from ..forms import Launch, Plan
from ..spec import Operand
from ..types import size_of
from .memory import gather, scatter, shuffled
from .sizes import NUMBERS_OPERAND, Numbers, Triple, read_numbers, same, steps_from

_UNROLLED_TAPS = 16


@dataclass(frozen=True)
class PoolSizes(Numbers):
    """`planes` of `size`; of every plane `places` windows of `kernel` taps. An entry per axis."""

    planes: Index
    size: Triple
    kernel: Triple
    stride: Triple
    padding: Triple
    dilation: Triple
    places: Triple


@dataclass(frozen=True)
class Pool:
    """The kernel. `what` and its operands, with numbers behind them where sizes are not known:

    "max"             x, y
    "max_number"      x, y, number: which tap it was, the first of equals, but the last NaN
    "max_backward"    g, number, dx: g added to the element that was chosen
    "average"         x, divisors (a plane of places), y
    "average_backward"  g, divisors, dx
    """

    what: str
    kind: str
    threads: int
    number: str = "u8"
    sizes: PoolSizes | None = None

    @property
    def operands(self) -> tuple[Operand, ...]:
        """As `what` says."""

        def form(letter: str, written: bool) -> Operand:
            return Operand(self.number if letter == "n" else self.kind, (1,), written=written)

        letters, outputs = _OPERANDS[self.what]
        found = [form(c, i >= len(letters) - outputs) for i, c in enumerate(letters)]
        return *found, *(() if self.sizes else (NUMBERS_OPERAND,))

    def emit(self, e: Emitter) -> None:
        """Lines of places, or planes, shared out."""
        sizes = self.sizes or read_numbers(e, PoolSizes, len(_OPERANDS[self.what][0]))[1]
        writer = _Writer(self, sizes, e)
        getattr(writer, self.what.removesuffix("_number"))()


# a letter per operand, n for tap numbers; how many of the last ones are written
_OPERANDS = {
    "max": ("xy", 1), "max_number": ("xyn", 2), "max_backward": ("gnx", 1),
    "average": ("xdy", 1), "average_backward": ("gdx", 1),
}  # fmt: skip


class _Writer:
    def __init__(self, spec: Pool, sizes: PoolSizes, e: Emitter):
        self.spec, self.s, self.e, self.kind = spec, sizes, e, spec.kind
        self.lanes = e.host.lanes(size_of(spec.kind))
        s = sizes
        self.lines = e.mul(s.places[0], s.places[1])
        self.plane = e.mul(e.mul(s.size[0], s.size[1]), s.size[2])

    # ------------------------------------------------------------ forward

    def each_vector(self) -> Iterator[tuple]:
        """(plane, place of the line in depth and height, column, position in y) of a share."""
        e, s = self.e, self.s
        start, stop = e.share(e.mul(s.planes, self.lines))
        with e.loop(start, stop, name="line") as line:
            plane, deep, high = e.unravel(line, (s.planes, s.places[0], s.places[1]))
            with e.loop(0, s.places[2], self.lanes, "column") as col:
                yield plane, deep, high, col, e.add(e.mul(line, s.places[2]), col)

    def max(self) -> None:
        """The maximum of each window, and which tap it was."""
        e, b, lanes = self.e, self.e.builder, self.lanes
        numbered = self.spec.what == "max_number"
        count = ir.IntType(8 * size_of(self.kind))  # as wide as the elements: one mask for both
        for plane, deep, high, col, to in self.each_vector():
            best = e.variable(e.constant(float("-inf"), self.kind, lanes))
            number = e.variable(ir.Constant(ir.VectorType(count, lanes), [-1] * lanes))
            for t, value, inside in self.taps(plane, (deep, high), col):
                unset = b.icmp_signed("<", number.get(), ir.Constant(number.type, None))
                more = b.fcmp_unordered("ugt", value, best.get())
                was_nan = b.fcmp_unordered("uno", best.get(), best.get())
                is_nan = b.fcmp_unordered("uno", value, value)
                better = b.or_(b.or_(b.and_(more, b.not_(was_nan)), is_nan), unset)
                better = b.and_(better, inside)
                best.set(b.select(better, value, best.get()))
                this = b.trunc(e.value(t), count) if count.width < 64 else e.value(t)
                number.set(b.select(better, e.splat(this, lanes), number.get()))
            mask = e.first_lanes(e.sub(self.s.places[2], col), lanes)
            e.store(best.get(), e.pointer(1), to, self.kind, mask)
            if numbered:
                found, of = number.get(), TYPES[self.spec.number]
                if of.width != count.width:
                    turn = b.trunc if of.width < count.width else b.sext
                    found = turn(found, ir.VectorType(of, lanes))
                e.store(found, e.pointer(2), to, self.spec.number, mask)

    def average(self) -> None:
        """The sum of each window by its divisor."""
        e, b, lanes = self.e, self.e.builder, self.lanes
        for plane, deep, high, col, to in self.each_vector():
            total = e.variable(e.constant(0.0, self.kind, lanes))
            for _, value, inside in self.taps(plane, (deep, high), col):
                total.set(b.select(inside, b.fadd(total.get(), value), total.get()))
            mask = e.first_lanes(e.sub(self.s.places[2], col), lanes)
            place = e.add(e.mul(e.add(e.mul(deep, self.s.places[1]), high), self.s.places[2]), col)
            divisor = e.load(e.pointer(1), place, self.kind, lanes, mask)
            e.store(b.fdiv(total.get(), divisor), e.pointer(2), to, self.kind, mask)

    def taps(self, plane: Index, lead: tuple, col: Index) -> Iterator[tuple[Index, Any, Any]]:
        """(number, elements of x, which of them exist) of every tap that meets the plane."""
        e, s, lanes = self.e, self.s, self.lanes
        for t, tap in self.each_tap():
            at = [
                e.sub(e.dot((p, k), (s.stride[a], s.dilation[a])), s.padding[a])
                for a, (p, k) in enumerate(zip((*lead, col), tap))
            ]
            with self.line_exists(at):
                line = e.dot((plane, at[0], at[1]), self.strides())
                numbers = steps_from(e, at[2], s.stride[2], lanes)
                inside = e.builder.icmp_unsigned("<", numbers, e.splat(e.value(s.size[2]), lanes))
                inside = e.builder.and_(inside, e.first_lanes(e.sub(s.places[2], col), lanes))
                yield t, self.elements(line, at[2], numbers, inside), inside

    def strides(self) -> tuple[Index, Index, Index]:
        """Of plane, depth and height in x."""
        e, s = self.e, self.s
        return self.plane, e.mul(s.size[1], s.size[2]), s.size[2]

    def elements(self, line: Index, at: Index, numbers: Any, inside: Any) -> Any:
        """The elements of a line of x at `numbers` = at, at + stride, ..."""
        e, kind, lanes, step = self.e, self.kind, self.lanes, self.s.stride[2]
        if same(step, 1):
            return e.load(e.pointer(0), e.add(line, at), kind, lanes, inside)
        if not same(step, 2):
            return gather(e, e.address(e.pointer(0), line, kind), numbers, kind, inside)
        halves = []
        for h in (0, lanes):
            first = e.add(at, h)
            width = e.splat(e.value(self.s.size[2]), lanes)
            mask = e.builder.icmp_unsigned("<", steps_from(e, first, 1, lanes), width)
            halves.append(e.load(e.pointer(0), e.add(line, first), kind, lanes, mask))
        return shuffled(e, halves[0], halves[1], range(0, 2 * lanes, 2))

    def each_tap(self) -> Iterator[tuple[Index, tuple]]:
        """(number, position) of the taps, ascending."""
        e, kernel = self.e, self.s.kernel
        if all(isinstance(n, int) for n in kernel) and prod(kernel) <= _UNROLLED_TAPS:
            for t in range(prod(kernel)):
                yield t, tuple(e.unravel(t, kernel))
            return
        with e.loop(0, kernel[0]) as d, e.loop(0, kernel[1]) as h, e.loop(0, kernel[2]) as w:
            yield e.dot((d, h, w), (e.mul(kernel[1], kernel[2]), kernel[2], 1)), (d, h, w)

    @contextmanager
    def line_exists(self, at: list) -> Iterator[None]:
        """The body runs where depth and height are within the plane."""
        e, s = self.e, self.s
        checks = [
            e.builder.icmp_unsigned("<", e.value(at[axis]), e.value(s.size[axis]))
            for axis in (0, 1)
            if not (same(s.size[axis], 1) and same(at[axis], 0))
        ]
        with ExitStack() as stack:
            for check in checks:
                stack.enter_context(e.guard(check, "inside"))
            yield

    # ------------------------------------------------------------ backward

    def each_plane(self, act: Callable) -> None:
        """act(plane) for this thread's planes of dx, each filled with zeros before."""
        e, lanes = self.e, self.lanes
        start, stop = e.share(self.s.planes)
        with e.loop(start, stop, name="plane") as plane:
            dx = e.address(e.pointer(2), e.mul(plane, self.plane), self.kind)
            with e.loop(0, self.plane, lanes, "clear") as i:
                mask = e.first_lanes(e.sub(self.plane, i), lanes)
                e.store(e.constant(0.0, self.kind, lanes), dx, i, self.kind, mask)
            act(plane)

    def max_backward(self) -> None:
        """dx[plane, chosen] += g, place by place."""
        e, b, s, kind = self.e, self.e.builder, self.s, self.kind

        def back(plane: Index) -> None:
            dx = e.address(e.pointer(2), e.mul(plane, self.plane), kind)
            with (
                e.loop(0, s.places[0], name="deep") as deep,
                e.loop(0, s.places[1], name="high") as high,
                e.loop(0, s.places[2], name="wide") as wide,
            ):
                line = e.dot((plane, deep, high), (self.lines, s.places[1], 1))
                place = e.add(e.mul(line, s.places[2]), wide)
                number = e.load(e.pointer(1), place, self.spec.number)
                if number.type.width < 64:
                    number = b.zext(number, I64)
                to: Index = 0
                for axis, (p, k) in enumerate(zip((deep, high, wide), e.unravel(number, s.kernel))):
                    at = e.dot((p, k), (s.stride[axis], s.dilation[axis]))
                    to = e.add(e.mul(to, s.size[axis]), e.sub(at, s.padding[axis]))
                found = b.fadd(e.load(dx, to, kind), e.load(e.pointer(0), place, kind))
                e.store(found, dx, to, kind)

        self.each_plane(back)

    def average_backward(self) -> None:
        """dx += g / divisor: line of places by line, and there tap by tap."""
        e, s = self.e, self.s

        def back(plane: Index) -> None:
            with (
                e.loop(0, s.places[0], name="deep") as deep,
                e.loop(0, s.places[1], name="high") as high,
            ):
                line = e.mul(e.dot((deep, high), (s.places[1], 1)), s.places[2])
                for _, tap in self.each_tap():
                    at = [
                        e.sub(e.dot((p, k), (s.stride[a], s.dilation[a])), s.padding[a])
                        for a, (p, k) in enumerate(zip((deep, high, 0), tap))
                    ]
                    with self.line_exists(at):
                        self.spread(plane, line, e.dot((plane, *at[:2]), self.strides()), at[2])

        self.each_plane(back)

    def spread(self, plane: Index, line: Index, target: Index, first: Index) -> None:
        """Line `target` of dx += the shares of a line of places, under one tap."""
        e, b, s, kind, lanes = self.e, self.e.builder, self.s, self.kind, self.lanes
        g = e.address(e.pointer(0), e.mul(plane, e.mul(self.lines, s.places[2])), kind)
        dx = e.address(e.pointer(2), target, kind)
        with e.loop(0, s.places[2], lanes, "wide") as wide:
            mask, place = e.first_lanes(e.sub(s.places[2], wide), lanes), e.add(line, wide)
            share = b.fdiv(
                e.load(g, place, kind, lanes, mask),
                e.load(e.pointer(1), place, kind, lanes, mask),
            )
            at = e.add(first, e.mul(wide, s.stride[2]))
            numbers = steps_from(e, at, s.stride[2], lanes)
            inside = b.icmp_unsigned("<", numbers, e.splat(e.value(s.size[2]), lanes))
            inside = b.and_(inside, mask)
            if same(s.stride[2], 1):
                before = e.load(dx, at, kind, lanes, inside)
                e.store(b.fadd(before, share), dx, at, kind, inside)
            else:
                before = gather(e, dx, numbers, kind, inside)
                scatter(e, b.fadd(before, share), dx, numbers, kind, inside)


_WORTH = 1 << 16  # taps that are worth a thread


def pool_plan(what: str, kind: str, sizes: PoolSizes, number: str, generic: bool) -> Plan:
    """The one kernel that a pass takes; its buffers are "a", "b", "c" in its operands' order."""
    work = sizes.planes * prod(sizes.places) * prod(sizes.kernel)
    threads = max(1, min(64, work // _WORTH))
    buffers = tuple("abc"[: len(_OPERANDS[what][0])])
    if not generic:
        return Plan((Launch(Pool(what, kind, threads, number, sizes), buffers, threads),))
    spec = Pool(what, kind, 64, number)
    return Plan((Launch(spec, buffers, threads, (threads, *sizes.flat())),))
