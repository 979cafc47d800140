"""Elementary functions of one tensor, element by element.

The derivative of a complex function is conjugated, as everywhere in PyTorch: a gradient points
uphill, so that `x -= lr * x.grad` descends for complex x as well.
"""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np

from ..core.tensor import Tensor
from .families import composite, op, to_float, unary
from .kinds import COMPLEX, FLOATS, name_of, need_tensors, only, unchanged_integers, unsupported
from .return_types import return_type

# ---------------------------------------------------------------- conjugate

_conj = unary("_conj", "Complex conjugate", "conjugate", lambda g: bar(g), node="ConjBackward0")
_conj_physical = unary(
    "_conj_physical", "Complex conjugate", "conjugate", lambda g: bar(g),
    node="ConjPhysicalBackward0",
)  # fmt: skip


def bar(t: Tensor) -> Tensor:
    """The complex conjugate; a real tensor itself."""
    return _conj(t) if t._array.dtype.kind == COMPLEX else t


@composite
def conj(input: Tensor) -> Tensor:
    """The complex conjugate; a real tensor itself."""
    return bar(input)


@composite(inplace=True)
def conj_physical(input: Tensor) -> Tensor:
    """Complex conjugate, written to memory; a real tensor itself."""
    return _conj_physical(input) if input._array.dtype.kind == COMPLEX else input


@composite(names="torch.resolve_conj Tensor.resolve_conj torch.resolve_neg Tensor.resolve_neg")
def resolve_conj(input: Tensor) -> Tensor:
    """The tensor itself: conjugates and negatives are never delayed here."""
    return input


# ---------------------------------------------------------------- sign and size


def _negative(xp: Any, x: Any) -> Any:
    if x.dtype.kind == "b":
        raise RuntimeError(
            "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to "
            "invert a mask, use the `~` or `logical_not()` operator instead."
        )
    return xp.negative(x)


neg = unary(
    "neg", "-x", _negative, lambda g: -g,
    names="torch.neg Tensor.neg torch.negative Tensor.negative",
)  # fmt: skip


@composite(names="torch.positive Tensor.positive Tensor.__pos__")
def positive(input: Tensor) -> Tensor:
    """+x, the tensor itself."""
    if input._array.dtype.kind == "b":
        raise RuntimeError("The `+` operator, on a bool tensor is not supported.")
    return input


abs = unary(
    "abs", "|x|", only("iufcV", "abs_cpu", "abs"), lambda g, x: g * x.sgn(),
    names="torch.abs Tensor.abs torch.absolute Tensor.absolute",
)  # fmt: skip


def _real_sign(xp: Any, x: Any) -> Any:
    if x.dtype.kind == COMPLEX:
        raise NotImplementedError(
            "Unlike NumPy, torch.sign is not intended to support complex numbers. Please use "
            "torch.sgn instead."
        )
    return x.copy() if x.dtype.kind == "b" else _nan_to_zero(xp, x, xp.sign(x))


def _nan_to_zero(xp: Any, x: Any, sign: Any) -> Any:
    return xp.where(xp.isnan(x), x.dtype.type(0), sign) if x.dtype.kind in FLOATS else sign


sign = unary("sign", "-1, 0 or 1; 0 for NaN", _real_sign, lambda g: g * 0)


def _sgn_grad(g: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Of z/|z|: (g/|z| - (Re(g·conj y)) y/|z|), and 0 at 0; of a real sign 0"""
    if x._array.dtype.kind != COMPLEX:
        return g * 0
    size = abs(x)
    inner = (g * bar(y)).real
    return ((g - inner * y) / size).masked_fill(size == 0, 0)


sgn = unary(
    "sgn", "x/|x|; 0 at 0",
    lambda xp, x: xp.sign(x) if x.dtype.kind == COMPLEX else _real_sign(xp, x),
    _sgn_grad,
)  # fmt: skip


def _sign_bit(xp: Any, x: Any) -> Any:
    if x.dtype.kind == COMPLEX:
        raise NotImplementedError("signbit is not implemented for complex tensors.")
    return xp.signbit(x) if x.dtype.kind in FLOATS else x < 0


signbit = unary("signbit", "Whether the sign bit is set: True for -0.0", _sign_bit, inplace=False)

angle = unary(
    "angle", "The argument of x: atan2(Im x, Re x)",
    lambda xp, x: xp.angle(x) if x.dtype.kind == COMPLEX
    else xp.where(xp.isnan(x), x, xp.where(x < 0, math.pi, 0).astype(x.dtype)),
    lambda g, x: _angle_grad(g, x),
    dtype=to_float, inplace=False,
)  # fmt: skip


def _angle_grad(g: Tensor, x: Tensor) -> Tensor:
    if x._array.dtype.kind != COMPLEX:
        return g * 0
    size = abs(x)
    return (g * (x / size) * (1j / size)).masked_fill(size == 0, 0)


# ---------------------------------------------------------------- powers and logarithms

exp = unary("exp", "eˣ", "exp", lambda g, y: g * bar(y), dtype=to_float)
exp2 = unary(
    "exp2", "2ˣ", lambda xp, x: xp.exp(x * math.log(2)) if x.dtype.kind == COMPLEX else xp.exp2(x),
    lambda g, y: g * bar(y) * math.log(2), dtype=to_float, also="special.exp2",
)  # fmt: skip
expm1 = unary(
    "expm1", "eˣ - 1, exact near 0", "expm1", lambda g, y: g * bar(y + 1),
    dtype=to_float, also="special.expm1",
)  # fmt: skip
log = unary("log", "Natural logarithm", "log", lambda g, x: g / bar(x), dtype=to_float)
log2 = unary(
    "log2", "Logarithm to base 2", "log2", lambda g, x: g / (bar(x) * math.log(2)), dtype=to_float
)
log10 = unary(
    "log10", "Logarithm to base 10", "log10", lambda g, x: g / (bar(x) * math.log(10)),
    dtype=to_float,
)  # fmt: skip
log1p = unary(
    "log1p", "log(1 + x), exact near 0", "log1p", lambda g, x: g / bar(x + 1),
    dtype=to_float, also="special.log1p", node="Log1PBackward0",
)  # fmt: skip
sqrt = unary(
    "sqrt", "Square root; NaN below zero", "sqrt", lambda g, y: g / (2 * bar(y)), dtype=to_float
)
rsqrt = unary(
    "rsqrt", "1/√x", lambda xp, x: xp.reciprocal(xp.sqrt(x)), lambda g, y: -0.5 * g * bar(y**3),
    dtype=to_float,
)  # fmt: skip
reciprocal = unary("reciprocal", "1/x", "reciprocal", lambda g, y: -g * bar(y * y), dtype=to_float)


@composite(inplace=True)
def square(input: Tensor) -> Tensor:
    """x²"""
    return input**2


# ---------------------------------------------------------------- angles and hyperbolas

sin = unary("sin", "Sine", "sin", lambda g, x: g * bar(x.cos()), dtype=to_float)
cos = unary("cos", "Cosine", "cos", lambda g, x: -g * bar(x.sin()), dtype=to_float)
tan = unary("tan", "Tangent", "tan", lambda g, y: g * bar(1 + y * y), dtype=to_float)
asin = unary(
    "asin", "Arc sine", "arcsin", lambda g, x: g * bar(rsqrt(1 - x * x)),
    dtype=to_float, also="torch.arcsin Tensor.arcsin",
)  # fmt: skip
acos = unary(
    "acos", "Arc cosine", "arccos", lambda g, x: -g * bar(rsqrt(1 - x * x)),
    dtype=to_float, also="torch.arccos Tensor.arccos",
)  # fmt: skip
atan = unary(
    "atan", "Arc tangent", "arctan", lambda g, x: g / bar(1 + x * x),
    dtype=to_float, also="torch.arctan Tensor.arctan",
)  # fmt: skip
sinh = unary("sinh", "Hyperbolic sine", "sinh", lambda g, x: g * bar(x.cosh()), dtype=to_float)
cosh = unary("cosh", "Hyperbolic cosine", "cosh", lambda g, x: g * bar(x.sinh()), dtype=to_float)
tanh = unary(
    "tanh", "Hyperbolic tangent", "tanh", lambda g, y: g * bar(1 - y * y),
    dtype=to_float, also="nn.functional.tanh",
)  # fmt: skip
asinh = unary(
    "asinh", "Area hyperbolic sine", "arcsinh", lambda g, x: g * bar(rsqrt(1 + x * x)),
    dtype=to_float, also="torch.arcsinh Tensor.arcsinh",
)  # fmt: skip
acosh = unary(
    "acosh", "Area hyperbolic cosine", "arccosh",
    lambda g, x: g * bar(rsqrt(x - 1) * rsqrt(x + 1)),
    dtype=to_float, also="torch.arccosh Tensor.arccosh",
)  # fmt: skip
atanh = unary(
    "atanh", "Area hyperbolic tangent", "arctanh", lambda g, x: g / bar(1 - x * x),
    dtype=to_float, also="torch.arctanh Tensor.arctanh",
)  # fmt: skip

sigmoid = unary(
    "sigmoid", "1 / (1 + e⁻ˣ)", "sigmoid",
    lambda g, y: g * bar((1 - y) * y), dtype=to_float,
    also="special.expit nn.functional.sigmoid",
)  # fmt: skip


def _scaled(name: str, factor: float) -> Any:
    def meaning(xp: Any, x: Any) -> Any:
        if x.dtype.kind == COMPLEX:
            raise RuntimeError(f"{name} is not supported for complex tensors.")
        return x * x.dtype.type(factor)

    return meaning


deg2rad = unary(
    "deg2rad", "x π/180", _scaled("deg2rad", math.pi / 180),
    lambda g: g * (math.pi / 180), dtype=to_float, node="Deg2RadBackward0",
)  # fmt: skip
rad2deg = unary(
    "rad2deg", "x 180/π", _scaled("rad2deg", 180 / math.pi),
    lambda g: g * (180 / math.pi), dtype=to_float, node="Rad2DegBackward0",
)  # fmt: skip

# ---------------------------------------------------------------- rounding: gradient 0

ceil = unary("ceil", "⌈x⌉", unchanged_integers("ceil_vml_cpu", "ceil"), lambda g: g * 0)
floor = unary("floor", "⌊x⌋", unchanged_integers("floor_vml_cpu", "floor"), lambda g: g * 0)
trunc = unary(
    "trunc", "Towards zero", unchanged_integers("trunc_vml_cpu", "trunc"), lambda g: g * 0,
    names="torch.trunc Tensor.trunc torch.fix Tensor.fix",
)  # fmt: skip
frac = unary(
    "frac", "x - trunc x", only(FLOATS, "frac_cpu", lambda xp, x: x - xp.trunc(x)), lambda g: g
)
_rint = unary(
    "_round", "To the nearest integer, ties to even",
    unchanged_integers("round_vml_cpu", "rint"), lambda g: g * 0, node="RoundBackward0",
)  # fmt: skip


@op(grad={"input": lambda g: g * 0}, node="RoundBackward1")
def _round_decimals(xp: Any, input: Any, decimals: int) -> Any:
    if input.dtype.kind not in FLOATS:
        raise unsupported("round_cpu", input)
    scale = input.dtype.type(10.0 ** builtins.abs(decimals))
    return xp.rint(input * scale) / scale if decimals > 0 else xp.rint(input / scale) * scale


@composite(names="torch.round Tensor.round special.round", inplace=True)
def round(input: Tensor, *, decimals: int = 0) -> Tensor:
    """The nearest number with `decimals` digits after the point, ties to even.

    >>> import penlight as torch
    >>> torch.round(torch.tensor([0.5, 1.5, 2.345]))
    tensor([0., 2., 2.])
    """
    return _rint(input) if decimals == 0 else _round_decimals(input, decimals)


# ---------------------------------------------------------------- other


@op(grad={"input": lambda g, x: g * x.isfinite()}, inplace=True)
def nan_to_num(xp: Any, input: Any, nan: Any = None, posinf: Any = None, neginf: Any = None) -> Any:
    """NaN, ∞ and -∞ replaced; by default by 0 and the largest and smallest finite numbers."""
    if input.dtype.kind not in FLOATS + COMPLEX:
        return input.copy()
    if input.dtype.kind == COMPLEX:
        parts = [
            nan_to_num.record.meaning(xp, p, nan, posinf, neginf) for p in (input.real, input.imag)
        ]
        return (parts[0] + 1j * parts[1]).astype(input.dtype)
    limits = _finite_limits(input.dtype)
    result = xp.where(xp.isnan(input), 0.0 if nan is None else nan, input)
    result = xp.where(input == xp.inf, limits[1] if posinf is None else posinf, result)
    result = xp.where(input == -xp.inf, limits[0] if neginf is None else neginf, result)
    return result.astype(input.dtype)


def _finite_limits(dtype: np.dtype) -> tuple[float, float]:
    from ml_dtypes import finfo

    info = finfo(dtype)
    return float(info.min), float(info.max)


@op(
    grad={"input": lambda g, y: g[0] / 2.0 ** y[1]},
    result=return_type("frexp", "mantissa exponent"),
)
def frexp(xp: Any, input: Any) -> Any:
    """x = mantissa · 2^exponent with ½ ≤ |mantissa| < 1."""
    if input.dtype.kind not in FLOATS:
        raise RuntimeError("torch.frexp() only supports floating-point dtypes")
    mantissa, exponent = xp.frexp(input)
    return mantissa, exponent.astype(np.int32)


@op(
    grad={"real": lambda g: g.real, "imag": lambda g: g.imag}, names="torch.complex",
    check=need_tensors("complex", "real imag"),
)  # fmt: skip
def complex(xp: Any, real: Any, imag: Any) -> Any:
    """real + i imag"""
    if any(t.dtype not in (np.float16, np.float32, np.float64) for t in (real, imag)):
        raise RuntimeError(
            "Expected both inputs to be Half, Float or Double tensors but got "
            f"{name_of(real)} and {name_of(imag)}"
        )
    if real.dtype != imag.dtype:
        raise RuntimeError(
            f"Expected object of scalar type {name_of(real)} but got scalar type "
            f"{name_of(imag)} for second argument"
        )
    result = xp.empty(xp.broadcast_shapes(real.shape, imag.shape), xp.result_type(real, 1j))
    result.real, result.imag = real, imag
    return result
