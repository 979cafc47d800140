"""The scalar operations that kernels know: each with its type rule, its value in NumPy, its code.

One table, three interpreters: `ir` types programs with it, tests evaluate with it, `emit`ters write
code with it. A value is a scalar or a vector; the code is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from llvmlite import ir

from .emit import I1, TYPES, Emitter, like
from .types import is_float


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
        return (
            b.fcmp_unordered("!=", value, zero)
            if is_float(source)
            else b.icmp_signed("!=", value, zero)
        )
    if is_float(source) and is_float(target):
        return b.fpext(value, to) if source == "f32" else b.fptrunc(value, to)
    if is_float(target):
        return b.uitofp(value, to) if source in ("bool", "u8") else b.sitofp(value, to)
    if is_float(source):
        return b.fptosi(value, to)
    width, wanted = _bits(source), _bits(target)
    if width == wanted:
        return value
    if width > wanted:
        return b.trunc(value, to)
    return b.zext(value, to) if source in ("bool", "u8") else b.sext(value, to)


def _bits(kind: str) -> int:
    return TYPES[kind].width


def _arith(name: str, floats: str, ints: str, numpy: Callable) -> None:
    def code(e: Emitter, kind: str, a: Any, b: Any) -> Any:
        return getattr(e.builder, floats if is_float(kind) else ints)(a, b)

    define(name, 2, same, numpy, code)


_arith("add", "fadd", "add", np.add)
_arith("sub", "fsub", "sub", np.subtract)
_arith("mul", "fmul", "mul", np.multiply)
define("div", 2, same, np.true_divide, lambda e, kind, a, b: e.builder.fdiv(a, b))


def _compare(name: str, sign: str, numpy: Callable) -> None:
    def code(e: Emitter, kind: str, a: Any, b: Any) -> Any:
        if is_float(kind):
            return (e.builder.fcmp_unordered if sign == "!=" else e.builder.fcmp_ordered)(
                sign, a, b
            )
        unsigned = kind in ("bool", "u8")
        return (e.builder.icmp_unsigned if unsigned else e.builder.icmp_signed)(sign, a, b)

    define(name, 2, truth, numpy, code)


for _name, _sign, _numpy in (
    ("lt", "<", np.less), ("le", "<=", np.less_equal), ("gt", ">", np.greater),
    ("ge", ">=", np.greater_equal), ("eq", "==", np.equal), ("ne", "!=", np.not_equal),
):  # fmt: skip
    _compare(_name, _sign, _numpy)

define("where", 3, same, np.where, lambda e, kind, c, a, b: e.builder.select(c, a, b))
define("neg", 1, same, np.negative,
       lambda e, kind, x: e.builder.fneg(x) if is_float(kind) else e.builder.neg(x))  # fmt: skip
define("sqrt", 1, same, np.sqrt, lambda e, kind, x: e.call("llvm.sqrt", x))
