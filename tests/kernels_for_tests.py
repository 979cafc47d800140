"""Small kernel specs, for the tests of what runs kernels."""

from __future__ import annotations

from dataclasses import dataclass

from llvmlite import ir

from penlight.compiler.emit import I64, Emitter
from penlight.compiler.spec import Operand

READ, WRITTEN = Operand("f32", (1,)), Operand("f32", (1,), written=True)


@dataclass(frozen=True)
class Add:
    """c = a + b, n elements, shared among threads."""

    n: int
    threads: int = 1
    operands = (READ, READ, WRITTEN)

    def emit(self, e: Emitter) -> None:
        """One element at a time."""
        a, b, c = (e.pointer(i) for i in range(3))
        with e.loop(*e.share(self.n)) as i:
            e.store(e.builder.fadd(e.load(a, i, "f32"), e.load(b, i, "f32")), c, i, "f32")


@dataclass(frozen=True)
class Mirror:
    """c[i] = a[n - 1 - i] + b[i]: threads read what others wrote."""

    n: int
    threads: int = 1
    operands = (READ, READ, WRITTEN)

    def emit(self, e: Emitter) -> None:
        """One element at a time."""
        a, b, c = (e.pointer(i) for i in range(3))
        with e.loop(*e.share(self.n)) as i:
            mirrored = e.load(a, e.sub(self.n - 1, i), "f32")
            e.store(e.builder.fadd(mirrored, e.load(b, i, "f32")), c, i, "f32")


@dataclass(frozen=True)
class Team:
    """out[thread] = how many threads there are."""

    threads: int
    operands = (Operand("i64", (1,), written=True),)

    def emit(self, e: Emitter) -> None:
        """One store."""
        e.store(e.threads, e.pointer(0), e.thread, "i64")


@dataclass(frozen=True)
class Fill:
    """out[0:count] = value; count and value are numbers of the call."""

    numbers: int = 2
    threads: int = 1
    operands = (Operand("f64", (1,), written=True),)

    def emit(self, e: Emitter) -> None:
        """The count is an i64, the value the bits of an f64."""
        out, numbers = e.pointer(0), e.pointer(1)
        with e.loop(0, e.load(numbers, 0, "i64")) as i:
            e.store(e.load(numbers, 1, "f64"), out, i, "f64")


@dataclass(frozen=True)
class Fail:
    """Writes a code into the error cell."""

    code: int
    threads: int = 1
    operands = (Operand("i64", (1,), written=True),)

    def emit(self, e: Emitter) -> None:
        """error = {code, code + 1, ...}."""
        for i in range(4):
            e.store(I64(self.code + i), e.pointer(0), i, "i64")


@dataclass(frozen=True)
class Slow:
    """out[0] += 1, after `turns` dependent additions."""

    turns: int
    threads: int = 1
    operands = (Operand("f64", (1,), written=True),)

    def emit(self, e: Emitter) -> None:
        """A chain that nothing shortens: each addition waits for the one before."""
        out = e.pointer(0)
        sum_ = e.variable(e.constant(0.0, "f64"))
        with e.loop(0, self.turns):
            sum_.set(e.builder.fadd(sum_.get(), ir.Constant(ir.DoubleType(), 0.1)))
        grown = e.builder.fcmp_ordered(">", sum_.get(), e.constant(0.0, "f64"))
        one = e.builder.uitofp(grown, ir.DoubleType())
        e.store(e.builder.fadd(e.load(out, 0, "f64"), one), out, 0, "f64")


@dataclass(frozen=True)
class Constant:
    """out[0] = value."""

    value: float
    threads: int = 1
    operands = (Operand("f64", (1,), written=True),)

    def emit(self, e: Emitter) -> None:
        """One store."""
        e.store(e.constant(self.value, "f64"), e.pointer(0), 0, "f64")
