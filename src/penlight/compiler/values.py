"""Formulas over the values of a kernel, written with operators.

A `Num` is a scalar or a vector; a Python number that meets it takes its type. The code is the same
at every width, so the bits are too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from .emit import I1, I32, I64, Emitter, like

F32, F64 = ir.FloatType(), ir.DoubleType()


class Num:
    """A float, an integer or a truth value, with operators that write code."""

    __slots__ = ("e", "v")

    def __init__(self, e: Emitter, v: ir.Value):
        self.e, self.v = e, v

    @property
    def element(self) -> ir.Type:
        """The type of one lane."""
        return self.v.type.element if isinstance(self.v.type, ir.VectorType) else self.v.type

    @property
    def is_float(self) -> bool:
        """Whether it is a floating-point number."""
        return self.element in (F32, F64)

    def like(self, other: Any) -> Num:
        """`other` as a value of this type."""
        if isinstance(other, Num):
            return other
        of = self.v.type
        lanes = [other] * of.count if isinstance(of, ir.VectorType) else other
        return Num(self.e, ir.Constant(of, lanes))

    def _do(self, floats: str, ints: str, a: Num, b: Num) -> Num:
        return Num(self.e, getattr(self.e.builder, floats if self.is_float else ints)(a.v, b.v))

    def __add__(self, other: Any) -> Num:
        return self._do("fadd", "add", self, self.like(other))

    def __sub__(self, other: Any) -> Num:
        return self._do("fsub", "sub", self, self.like(other))

    def __rsub__(self, other: Any) -> Num:
        return self._do("fsub", "sub", self.like(other), self)

    def __mul__(self, other: Any) -> Num:
        return self._do("fmul", "mul", self, self.like(other))

    def __truediv__(self, other: Any) -> Num:
        return Num(self.e, self.e.builder.fdiv(self.v, self.like(other).v))

    def __rtruediv__(self, other: Any) -> Num:
        return self.like(other) / self

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> Num:
        return Num(self.e, self.e.builder.fneg(self.v))

    def __abs__(self) -> Num:
        return Num(self.e, self.e.call("llvm.fabs", self.v))

    def __and__(self, other: Any) -> Num:
        return Num(self.e, self.e.builder.and_(self.v, self.like(other).v))

    def __or__(self, other: Any) -> Num:
        return Num(self.e, self.e.builder.or_(self.v, self.like(other).v))

    def __invert__(self) -> Num:
        return Num(self.e, self.e.builder.not_(self.v))

    def __lshift__(self, count: int) -> Num:
        return Num(self.e, self.e.builder.shl(self.v, self.like(count).v))

    def __rshift__(self, count: int) -> Num:
        """The sign bit comes in from the left."""
        return Num(self.e, self.e.builder.ashr(self.v, self.like(count).v))

    def _compare(self, sign: str, other: Any) -> Num:
        b, other = self.e.builder, self.like(other)
        compare = b.fcmp_ordered if self.is_float else b.icmp_signed
        return Num(self.e, compare(sign, self.v, other.v))

    def __lt__(self, other: Any) -> Num:
        return self._compare("<", other)

    def __le__(self, other: Any) -> Num:
        return self._compare("<=", other)

    def __gt__(self, other: Any) -> Num:
        return self._compare(">", other)

    def __ge__(self, other: Any) -> Num:
        return self._compare(">=", other)

    def equals(self, other: Any) -> Num:
        """Where both are the same number."""
        return self._compare("==", other)

    def is_nan(self) -> Num:
        """Where it is not a number."""
        return Num(self.e, self.e.builder.fcmp_unordered("uno", self.v, self.v))

    def sqrt(self) -> Num:
        """√x, exact by IEEE 754."""
        return Num(self.e, self.e.call("llvm.sqrt", self.v))

    def signed(self, other: Num) -> Num:
        """With the sign of `other`."""
        return Num(self.e, self.e.call("llvm.copysign", self.v, other.v))

    def bits(self) -> Num:
        """The bits of a float as an integer."""
        of = like(self.v.type, I32 if self.element == F32 else I64)
        return Num(self.e, self.e.builder.bitcast(self.v, of))

    def as_float(self) -> Num:
        """The float whose bits an integer holds."""
        of = like(self.v.type, F32 if self.element == I32 else F64)
        return Num(self.e, self.e.builder.bitcast(self.v, of))

    def to_float(self) -> Num:
        """An integer's value as a float of its width."""
        of = like(self.v.type, F32 if self.element == I32 else F64)
        return Num(self.e, self.e.builder.sitofp(self.v, of))

    def wide(self) -> Num:
        """A float32 as float64."""
        return Num(self.e, self.e.builder.fpext(self.v, like(self.v.type, F64)))

    def narrow(self) -> Num:
        """A float64 rounded to float32."""
        return Num(self.e, self.e.builder.fptrunc(self.v, like(self.v.type, F32)))


def fma(a: Num, b: Any, c: Any) -> Num:
    """a b + c, rounded once."""
    return Num(a.e, a.e.fma(a.v, a.like(b).v, a.like(c).v))


def where(condition: Num, a: Any, b: Any) -> Num:
    """a where the condition holds, else b; one of them is a `Num`."""
    a = b.like(a) if isinstance(b, Num) else a
    return Num(a.e, a.e.builder.select(condition.v, a.v, a.like(b).v))


def polynomial(x: Num, coefficients: Sequence[float]) -> Num:
    """Σ cₖ xᵏ, the lowest power first, by Horner's rule."""
    *rest, last = coefficients
    total = x.like(last)
    for c in reversed(rest):
        total = fma(total, x, c)
    return total


def any_lane(condition: Num) -> ir.Value:
    """Whether a condition holds in any lane."""
    of = condition.v.type
    if not isinstance(of, ir.VectorType):
        return condition.v
    reduce = condition.e.intrinsic(f"llvm.vector.reduce.or.v{of.count}i1", I1, of)
    return condition.e.builder.call(reduce, [condition.v])
