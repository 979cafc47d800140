"""The scalar operations that kernels know: each with its type rule, its value in NumPy, its code.

One table, three interpreters: `ir` types programs with it, tests evaluate with it, `emit`ters write
code with it. A value is a scalar or a vector; the code is the same. The answers are NumPy's, for
NaN, infinities, -0.0, overflow and division of integers by zero too. Arguments that choose the code
are of one kind, passed as `kind`; the condition of `where` is a bool. "add" and "mul" of bools are
"or" and "and", as in NumPy. Transcendental functions join the table from `vector_math`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir

from .emit import I1, TYPES, Emitter, like
from .types import UNSIGNED, is_float


@dataclass(frozen=True)
class Scalar:
    """One operation. `kind` maps argument kinds to the result's; `code` is (e, kind, *values)."""

    arity: int
    kind: Callable[..., str]
    numpy: Callable[..., Any]
    code: Callable[..., Any]


TABLE: dict[str, Scalar] = {}


def define(name: str, arity: int, kind: Callable, numpy: Callable, code: Callable) -> None:
    """Adds an operation to the table."""
    TABLE[name] = Scalar(arity, kind, numpy, code)


def same(*kinds: str) -> str:
    """The result has the type of the last argument."""
    return kinds[-1]


def truth(*kinds: str) -> str:
    """The result is a bool."""
    return "bool"


def emit_cast(e: Emitter, value: Any, source: str, target: str) -> Any:
    """A value of one type as another, as NumPy converts."""
    b, to = e.builder, like(value.type, TYPES[target])
    if source == target:
        return value
    if target == "bool":
        zero = ir.Constant(value.type, None)
        if is_float(source):
            return b.fcmp_unordered("!=", value, zero)
        return b.icmp_unsigned("!=", value, zero)
    if is_float(source) and is_float(target):
        return b.fpext(value, to) if source == "f32" else b.fptrunc(value, to)
    if is_float(target):
        return b.uitofp(value, to) if source in UNSIGNED else b.sitofp(value, to)
    if is_float(source):
        return _truncated(e, value, source, target)
    width, wanted = TYPES[source].width, TYPES[target].width
    if width == wanted:
        return value
    if width > wanted:
        return b.trunc(value, to)
    return b.zext(value, to) if source in UNSIGNED else b.sext(value, to)


def _truncated(e: Emitter, value: Any, source: str, target: str) -> Any:
    """A float as an integer. What does not fit becomes the least integer, as x86 has it.

    Integers below 32 bits are the low bits of a 32-bit answer.
    """
    b = e.builder
    wide = "i64" if target == "i64" else "i32"
    of = like(value.type, TYPES[wide])
    limit = 2 ** (TYPES[wide].width - 1)
    fits = b.fcmp_ordered("<", e.call("llvm.fabs", value), number(value, float(limit)))
    least = ir.Constant(of, -limit if of is TYPES[wide] else [-limit] * of.count)
    found = b.select(fits, b.fptosi(value, of), least)
    return found if target == wide else b.trunc(found, like(value.type, TYPES[target]))


def number(like_value: Any, n: float) -> Any:
    """A constant of a value's type."""
    of = like_value.type
    return ir.Constant(of, [n] * of.count if isinstance(of, ir.VectorType) else n)


# ------------------------------------------------------------ arithmetic


def _arith(name: str, floats: str, ints: str, bools: str, numpy: Callable) -> None:
    def code(e: Emitter, kind: str, a: Any, b: Any) -> Any:
        name = floats if is_float(kind) else bools if kind == "bool" else ints
        return getattr(e.builder, name)(a, b)

    define(name, 2, same, numpy, code)


_arith("add", "fadd", "add", "or_", np.add)
_arith("sub", "fsub", "sub", "xor", np.subtract)
_arith("mul", "fmul", "mul", "and_", np.multiply)
define("div", 2, same, np.true_divide, lambda e, kind, a, b: e.builder.fdiv(a, b))
define("reciprocal", 1, same, np.reciprocal, lambda e, kind, x: e.builder.fdiv(number(x, 1.0), x))
define("square", 1, same, np.square, lambda e, kind, x: TABLE["mul"].code(e, kind, x, x))
define("sqrt", 1, same, np.sqrt, lambda e, kind, x: e.call("llvm.sqrt", x))
define("neg", 1, same, np.negative,
       lambda e, kind, x: e.builder.fneg(x) if is_float(kind) else e.builder.neg(x))  # fmt: skip


def _abs(e: Emitter, kind: str, x: Any) -> Any:
    if is_float(kind):
        return e.call("llvm.fabs", x)
    if kind in UNSIGNED:
        return x
    return e.builder.select(_less(e, kind, x, number(x, 0)), e.builder.neg(x), x)


def _sign(e: Emitter, kind: str, x: Any) -> Any:
    b, zero = e.builder, number(x, 0)
    up = b.select(_less(e, kind, zero, x), number(x, 1), zero)
    if not is_float(kind):
        return up if kind in UNSIGNED else b.select(_less(e, kind, x, zero), number(x, -1), up)
    signed = b.select(_less(e, kind, x, zero), number(x, -1.0), up)
    return b.select(_is_nan(e, kind, x), x, signed)


def _less(e: Emitter, kind: str, a: Any, b: Any) -> Any:
    return TABLE["lt"].code(e, kind, a, b)


def _is_nan(e: Emitter, kind: str, x: Any) -> Any:
    return e.builder.fcmp_unordered("uno", x, x) if is_float(kind) else _false(x)


def _false(x: Any) -> Any:
    return ir.Constant(like(x.type, I1), None)


define("abs", 1, same, np.abs, _abs)
define("sign", 1, same, np.sign, _sign)
define("copysign", 2, same, np.copysign, lambda e, kind, a, b: e.call("llvm.copysign", a, b))


def _rounding(name: str, intrinsic: str, numpy: Callable) -> None:
    def code(e: Emitter, kind: str, x: Any) -> Any:
        return e.call(intrinsic, x) if is_float(kind) else x

    define(name, 1, same, numpy, code)


_rounding("floor", "llvm.floor", np.floor)
_rounding("ceil", "llvm.ceil", np.ceil)
_rounding("trunc", "llvm.trunc", np.trunc)
_rounding("rint", "llvm.rint", np.rint)


# ------------------------------------------------------------ comparison and choice


def _compare(name: str, sign: str, numpy: Callable) -> None:
    def code(e: Emitter, kind: str, a: Any, b: Any) -> Any:
        if is_float(kind):
            unlike = e.builder.fcmp_unordered if sign == "!=" else e.builder.fcmp_ordered
            return unlike(sign, a, b)
        unsigned = kind in UNSIGNED
        return (e.builder.icmp_unsigned if unsigned else e.builder.icmp_signed)(sign, a, b)

    define(name, 2, truth, numpy, code)


for _name, _mark, _numpy in (
    ("lt", "<", np.less), ("le", "<=", np.less_equal), ("gt", ">", np.greater),
    ("ge", ">=", np.greater_equal), ("eq", "==", np.equal), ("ne", "!=", np.not_equal),
):  # fmt: skip
    _compare(_name, _mark, _numpy)


def _extremum(name: str, better: str, keeps_nan: bool, numpy: Callable) -> None:
    """The second of two equals (of 0.0 and -0.0); NaN wins, or loses to any number."""

    def code(e: Emitter, kind: str, a: Any, b: Any) -> Any:
        found = e.builder.select(TABLE[better].code(e, kind, a, b), a, b)
        if not is_float(kind):
            return found
        return e.builder.select(_is_nan(e, kind, a if keeps_nan else b), a, found)

    define(name, 2, same, numpy, code)


def _passed(e: Emitter, kind: str, a: Any, b: Any) -> Any:
    zero = number(a, 0.0 if is_float(kind) else 0)
    return e.builder.select(TABLE["le"].code(e, kind, b, zero), zero, a)


# the gradient of relu: a where not b <= 0, else 0
define("passed", 2, same, lambda a, b: np.where(b <= b.dtype.type(0), a.dtype.type(0), a), _passed)
_extremum("max", "gt", True, np.maximum)
_extremum("min", "lt", True, np.minimum)


def _relu(e: Emitter, kind: str, x: Any) -> Any:
    return TABLE["max"].code(e, kind, x, number(x, 0.0 if is_float(kind) else 0))


define("relu", 1, same, lambda x: np.maximum(x, x.dtype.type(0)), _relu)
_extremum("fmax", "gt", False, np.fmax)
_extremum("fmin", "lt", False, np.fmin)


def _is_inf(e: Emitter, kind: str, x: Any) -> Any:
    if not is_float(kind):
        return _false(x)
    return e.builder.fcmp_ordered("==", e.call("llvm.fabs", x), number(x, float("inf")))


def _is_finite(e: Emitter, kind: str, x: Any) -> Any:
    if not is_float(kind):
        return e.builder.not_(_false(x))
    return e.builder.fcmp_ordered("<", e.call("llvm.fabs", x), number(x, float("inf")))


define("isnan", 1, truth, np.isnan, _is_nan)
define("isinf", 1, truth, np.isinf, _is_inf)
define("isfinite", 1, truth, np.isfinite, _is_finite)
define("where", 3, same, np.where, lambda e, kind, c, a, b: e.builder.select(c, a, b))


# ------------------------------------------------------------ bits

define("and", 2, same, np.bitwise_and, lambda e, kind, a, b: e.builder.and_(a, b))
define("or", 2, same, np.bitwise_or, lambda e, kind, a, b: e.builder.or_(a, b))
define("xor", 2, same, np.bitwise_xor, lambda e, kind, a, b: e.builder.xor(a, b))
define("not", 1, same, np.invert, lambda e, kind, x: e.builder.not_(x))


def _shift(name: str, numpy: Callable) -> None:
    """Shifts by the width or more push every bit out; a negative count is such a shift."""

    def code(e: Emitter, kind: str, a: Any, n: Any) -> Any:
        b, width = e.builder, TYPES[kind].width
        inside = b.icmp_unsigned("<", n, number(n, width))
        if name == "lshift":
            return b.select(inside, b.shl(a, b.select(inside, n, number(n, 0))), number(a, 0))
        count = b.select(inside, n, number(n, width - 1))
        if kind not in UNSIGNED:
            return b.ashr(a, count)
        return b.select(inside, b.lshr(a, count), number(a, 0))

    define(name, 2, same, numpy, code)


_shift("lshift", np.left_shift)
_shift("rshift", np.right_shift)


# ------------------------------------------------------------ division with a remainder


def _int_divmod(e: Emitter, kind: str, a: Any, d: Any) -> tuple[Any, Any, Any]:
    """Quotient towards zero, remainder, and whether the divisor is zero; nothing traps."""
    b = e.builder
    zero = b.icmp_unsigned("==", d, number(d, 0))
    if kind in UNSIGNED:
        safe = b.select(zero, number(d, 1), d)
        return b.udiv(a, safe), b.urem(a, safe), zero
    least = b.icmp_unsigned("==", a, number(a, -(2 ** (TYPES[kind].width - 1))))
    minus = b.icmp_unsigned("==", d, number(d, -1))
    safe = b.select(b.or_(zero, b.and_(least, minus)), number(d, 1), d)
    return b.sdiv(a, safe), b.srem(a, safe), zero


def _astray(e: Emitter, kind: str, rest: Any, d: Any) -> Any:
    """Whether a remainder is not zero and has not its divisor's sign."""
    b = e.builder
    if is_float(kind):
        some = b.fcmp_unordered("!=", rest, number(rest, 0.0))
    else:
        some = b.icmp_unsigned("!=", rest, number(rest, 0))
    below = [_less(e, kind, v, number(v, 0)) for v in (rest, d)]
    return b.and_(some, b.xor(*below))


def _floor_divide(e: Emitter, kind: str, a: Any, d: Any) -> Any:
    if is_float(kind):
        return _float_floor_divide(e, kind, a, d)
    b = e.builder
    quotient, rest, zero = _int_divmod(e, kind, a, d)
    if kind not in UNSIGNED:
        down = b.zext(_astray(e, kind, rest, d), quotient.type)
        quotient = b.sub(quotient, down)
    return b.select(zero, number(a, 0), quotient)


def _float_floor_divide(e: Emitter, kind: str, a: Any, d: Any) -> Any:
    """From the exact remainder, as Python does; a / 0.0 where the divisor is zero."""
    b = e.builder
    rest = b.frem(a, d)
    quotient = b.fdiv(b.fsub(a, rest), d)
    quotient = b.select(_astray(e, kind, rest, d), b.fsub(quotient, number(a, 1.0)), quotient)
    low = e.call("llvm.floor", quotient)
    short = b.fcmp_ordered(">", b.fsub(quotient, low), number(a, 0.5))
    low = b.select(short, b.fadd(low, number(a, 1.0)), low)
    plain = b.fdiv(a, d)
    none = b.fcmp_ordered("==", quotient, number(a, 0.0))
    low = b.select(none, e.call("llvm.copysign", number(a, 0.0), plain), low)
    return b.select(b.fcmp_ordered("==", d, number(d, 0.0)), plain, low)


def _remainder(e: Emitter, kind: str, a: Any, d: Any) -> Any:
    b = e.builder
    if is_float(kind):
        rest = b.frem(a, d)
        found = b.select(_astray(e, kind, rest, d), b.fadd(rest, d), rest)
        none = b.fcmp_ordered("==", rest, number(rest, 0.0))
        return b.select(none, e.call("llvm.copysign", number(a, 0.0), d), found)
    _, rest, zero = _int_divmod(e, kind, a, d)
    if kind not in UNSIGNED:
        rest = b.select(_astray(e, kind, rest, d), b.add(rest, d), rest)
    return b.select(zero, number(a, 0), rest)


def _fmod(e: Emitter, kind: str, a: Any, d: Any) -> Any:
    if is_float(kind):
        return e.builder.frem(a, d)
    _, rest, zero = _int_divmod(e, kind, a, d)
    return e.builder.select(zero, number(a, 0), rest)


define("floor_divide", 2, same, np.floor_divide, _floor_divide)
define("remainder", 2, same, np.remainder, _remainder)
define("fmod", 2, same, np.fmod, _fmod)
