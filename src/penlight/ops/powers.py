"""Powers, and the other functions of two and three operands."""

from __future__ import annotations

import cmath
import math
from typing import Any

import numpy as np

from ..core import dtype as dtypes
from ..core.tensor import Tensor
from .arithmetic import Operand, conjugate, no_derivative
from .elementwise import bar, log, sigmoid
from .families import binary, composite, op, to_float
from .kinds import (
    COMPLEX,
    FLOATS,
    INTEGERS,
    name_of,
    need_tensor_first,
    need_tensors,
    only,
    unsupported,
)
from .operands import check_broadcast, result_dtype

# ---------------------------------------------------------------- powers


@op(grad={"input": lambda g, x, exponent: _power_slope(g, x, exponent)}, node="PowBackward0")
def _pow_number(xp: Any, input: Any, exponent: Any, dtype: np.dtype) -> Any:
    """xⁿ for a number n; NumPy's power is slow where a product will do."""
    x = input.astype(dtype, copy=False)
    if exponent == 1:
        return x.copy()
    if exponent == 2:
        return xp.square(x)
    if exponent == 3:
        return x * x * x
    if x.dtype.kind in INTEGERS:
        if exponent < 0:
            raise RuntimeError("Integers to negative integer powers are not allowed.")
        return xp.power(x, np.array(exponent, x.dtype))
    if exponent == 0.5:
        return xp.sqrt(x)
    if exponent == -1:
        return xp.reciprocal(x)
    return xp.power(x, np.array(exponent, x.dtype))


def _power_slope(g: Tensor, input: Tensor, exponent: Any) -> Tensor:
    if exponent == 0:
        return g * 0
    return g * (bar(input ** (exponent - 1)) * conjugate(exponent))


def _power(xp: Any, a: Any, b: Any) -> Any:
    if a.dtype.kind == "b":
        raise unsupported("pow", a)
    if a.dtype.kind in INTEGERS and (negative := b < 0).any():
        # 1/aⁿ rounded towards zero: only ±1 has an integer reciprocal
        power = xp.power(a, xp.where(negative, -b, b))
        return xp.where(negative & (abs(power) != 1), a.dtype.type(0), power)
    return xp.power(a, b)


def _exponent_slope(g: Tensor, a: Operand, b: Tensor, y: Tensor) -> Tensor:
    """∂aᵇ/∂b = aᵇ log a; 0 where a = 0 and b ≥ 0"""
    if isinstance(a, Tensor):
        return (g * bar(y * log(a))).masked_fill((a == 0) & ~(b.real < 0), 0)
    if a == 0:
        return (g * y * -math.inf).masked_fill(~(b.real < 0), 0)
    if isinstance(a, complex) or y._array.dtype.kind == COMPLEX:
        return g * bar(y * cmath.log(a))
    return g * y * (math.log(a) if a > 0 else math.nan)


_pow_tensors = binary(
    "_pow_tensors", "aᵇ", _power,
    (
        lambda g, a, b: (g * bar(b * a ** (b - 1))).masked_fill(b == 0, 0),
        lambda g, a, b, y: _exponent_slope(g, a, b, y),
    ),
    node="PowBackward1", inplace=False,
)  # fmt: skip
_pow_base = binary(
    "_pow_base", "aᵇ for a number a", _power,
    (lambda g: g, lambda g, a, b, y: _exponent_slope(g, a, b, y)),
    node="PowBackward2", inplace=False,
)  # fmt: skip


@composite(names="torch.pow Tensor.pow", inplace=True)
def pow(input: Operand, exponent: Operand) -> Tensor:
    """input to the power exponent

    >>> import penlight as torch
    >>> torch.pow(torch.tensor([1.0, 2.0, 3.0]), 2)
    tensor([1., 4., 9.])
    """
    if isinstance(exponent, Tensor):
        return (_pow_tensors if isinstance(input, Tensor) else _pow_base)(input, exponent)
    need_tensors("pow", "input")(input)
    return _pow_number(input, exponent, result_dtype((input, exponent)).np)


@composite
def float_power(input: Operand, exponent: Operand) -> Tensor:
    """The power in float64 or complex128."""
    wide = _wide(input, exponent)
    return pow(_widened(input, wide), _widened(exponent, wide))


@composite(names="Tensor.float_power_")
def _float_power_in_place(input: Tensor, exponent: Operand) -> Tensor:
    """In-place form of :func:`float_power`, for float64 and complex128."""
    wide = _wide(input, exponent)
    if input.dtype is not wide:
        raise RuntimeError(
            f"the base given to float_power_ has dtype {input.dtype.scalar_name} but the "
            f"operation's result requires dtype {wide.scalar_name}"
        )
    return input.pow_(_widened(exponent, wide))


def _wide(*operands: Operand) -> dtypes.dtype:
    return dtypes.complex128 if result_dtype(operands).is_complex else dtypes.float64


def _widened(value: Operand, wide: dtypes.dtype) -> Operand:
    return value.to(wide) if isinstance(value, Tensor) else value


def _times_power_of_two(xp: Any, a: Any, b: Any) -> Any:
    """By exponents where b is whole, so that 2ᵇ itself may overflow."""
    if a.dtype.kind == COMPLEX:
        return a * xp.exp(b * math.log(2)).astype(a.dtype)
    wide = a.astype(np.float32) if a.dtype.itemsize == 2 else a
    whole = xp.rint(b.astype(wide.dtype))
    exponent = xp.clip(xp.nan_to_num(whole), -10000, 10000).astype(np.int32)
    return (xp.ldexp(wide, exponent) * xp.exp2(b.astype(wide.dtype) - whole)).astype(a.dtype)


ldexp = binary(
    "ldexp", "a · 2ᵇ", _times_power_of_two,
    (lambda g, b: g * bar(pow(2.0, b)), lambda g, y: g * bar(y) * math.log(2)),
    dtype=to_float, check=need_tensors("ldexp"),
)  # fmt: skip

# ---------------------------------------------------------------- two operands

hypot = binary(
    "hypot", "√(a² + b²)", only(FLOATS, "hypot_cpu", "hypot"),
    (lambda g, a, y: g * a / y, lambda g, b, y: g * b / y), check=need_tensors("hypot"),
)  # fmt: skip
atan2 = binary(
    "atan2", "The angle of the point (b, a)", only("biu" + FLOATS, "atan2_cpu", "arctan2"),
    (
        lambda g, a, b: g * (b / (a * a + b * b)).nan_to_num(0.0),
        lambda g, a, b: g * (-a / (a * a + b * b)).nan_to_num(0.0),
    ),
    dtype=to_float, also="torch.arctan2 Tensor.arctan2", check=need_tensors("atan2"),
)  # fmt: skip
copysign = binary(
    "copysign", "|a| with the sign of b", only("biu" + FLOATS, "copysign_cpu", "copysign"),
    (lambda g, a, y: g * (y / a).masked_fill(a == 0, 0), lambda g: g * 0), dtype=to_float,
    check=need_tensor_first("copysign"),
)  # fmt: skip
nextafter = binary(
    "nextafter", "The next representable number after a in the direction of b",
    only(FLOATS, "nextafter_cpu", "nextafter"), (lambda g: g, lambda g: g * 0),
    check=need_tensors("nextafter"),
)  # fmt: skip


def log_add(xp: Any, a: Any, b: Any) -> Any:
    """log(eᵃ + eᵇ), without overflow where the result has none."""
    if a.dtype.kind != COMPLEX:
        return xp.logaddexp(a, b)
    first = a.real >= b.real
    large, small = xp.where(first, a, b), xp.where(first, b, a)
    return large + xp.log1p(xp.exp(small - large))


logaddexp = binary(
    "logaddexp", "log(eᵃ + eᵇ)", only(FLOATS + COMPLEX, "logaddexp_cpu", log_add),
    (lambda g, a, b: g * bar(sigmoid(a - b)), lambda g, a, b: g * bar(sigmoid(b - a))),
    inplace=False, check=need_tensors("logaddexp"),
)  # fmt: skip
logaddexp2 = binary(
    "logaddexp2", "log₂(2ᵃ + 2ᵇ)", only(FLOATS, "logaddexp2_cpu", "logaddexp2"),
    (
        lambda g, a, b: g * sigmoid((a - b) * math.log(2)),
        lambda g, a, b: g * sigmoid((b - a) * math.log(2)),
    ),
    inplace=False, check=need_tensors("logaddexp2"),
)  # fmt: skip


def _same_types(a: Tensor, b: Tensor) -> None:
    need_tensors("heaviside", "input values")(a, b)
    if a.dtype.is_complex or b.dtype.is_complex:
        raise RuntimeError("heaviside is not yet implemented for complex tensors.")
    if a.dtype is not b.dtype:
        raise RuntimeError("heaviside is not yet implemented for tensors with different dtypes.")


heaviside = binary(
    "heaviside", "0 below zero, 1 above, b at zero",
    lambda xp, a, b: xp.where(a == 0, b, (a > 0).astype(a.dtype)),
    (no_derivative("heaviside"),) * 2, check=_same_types, node="NotImplemented",
)  # fmt: skip
gcd = binary(
    "gcd", "Greatest common divisor", only(INTEGERS, "gcd_cpu", "gcd"), check=need_tensors("gcd")
)  # fmt: skip
lcm = binary(
    "lcm", "Least common multiple", only(INTEGERS, "lcm_cpu", "lcm"), check=need_tensors("lcm")
)  # fmt: skip

# ---------------------------------------------------------------- three operands


def broadcastable(*operands: Any) -> None:
    """RuntimeError, with PyTorch's text, unless the tensors among the operands broadcast."""
    shapes = {value._array.shape for value in operands if isinstance(value, Tensor)}
    if len(shapes) < 2:
        return
    shape: tuple[int, ...] = ()
    for other in (v._array.shape for v in operands if isinstance(v, Tensor)):
        check_broadcast(shape, other)
        shape = np.broadcast_shapes(shape, other)


@op(
    grad={
        "input": lambda g: g,
        "tensor1": lambda g, tensor2, value: g * bar(tensor2 * value),
        "tensor2": lambda g, tensor1, value: g * bar(tensor1 * value),
    },
    promote=("input", "tensor1", "tensor2"), check=broadcastable, inplace=True,
)  # fmt: skip
def addcmul(xp: Any, input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
    """input + value · tensor1 · tensor2"""
    if input.dtype.kind == "b":
        raise unsupported("addcmul_cpu_out", input)
    return input + np.array(value).astype(input.dtype) * tensor1 * tensor2


def _check_addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, value: Any) -> None:
    broadcastable(input, tensor1, tensor2)
    if max(tensor1.dtype.category, tensor2.dtype.category) < dtypes.FLOAT:
        raise RuntimeError(
            "Integer division with addcdiv is no longer supported, and in a future  release "
            "addcdiv will perform a true division of tensor1 and tensor2. The historic addcdiv "
            "behavior can be implemented as (input + value * torch.trunc(tensor1 / tensor2))"
            ".to(input.dtype) for integer inputs and as (input + value * tensor1 / tensor2) for "
            "float inputs. The future addcdiv behavior is just the latter implementation: "
            "(input + value * tensor1 / tensor2), for all dtypes."
        )


@op(
    grad={
        "input": lambda g: g,
        "tensor1": lambda g, tensor2, value: g * bar(value / tensor2),
        "tensor2": lambda g, tensor1, tensor2, value: (
            -g * bar(value * tensor1 / (tensor2 * tensor2))
        ),
    },
    promote=("input", "tensor1", "tensor2"), check=_check_addcdiv, inplace=True,
)  # fmt: skip
def addcdiv(xp: Any, input: Any, tensor1: Any, tensor2: Any, *, value: Any = 1) -> Any:
    """input + value · tensor1 / tensor2"""
    return input + np.array(value).astype(input.dtype) * (tensor1 / tensor2)


_LERP_NAMES = {np.dtype(np.int64): "long int", np.dtype(np.float64): "double"}


def _check_lerp(input: Tensor, end: Tensor, weight: Any) -> None:
    broadcastable(input, end, weight)
    for name, value in (("end", end), ("weight", weight)):
        if isinstance(value, Tensor) and value.dtype is not input.dtype:
            if name == "weight" and value._array.ndim == 0:
                continue
            raise RuntimeError(
                f"expected dtype {_lerp_name(input)} for `{name}` but got dtype {_lerp_name(value)}"
            )


def _lerp_name(t: Tensor) -> str:
    return _LERP_NAMES.get(t._array.dtype, t._array.dtype.name.rstrip("0123456789"))


def _lerp(xp: Any, input: Any, end: Any, weight: Any) -> Any:
    """From the nearer end, so that both ends are met exactly."""
    if input.dtype.kind not in FLOATS + COMPLEX:
        raise unsupported("lerp_kernel_scalar", input)
    w = xp.asarray(weight).astype(input.dtype, copy=False)
    rest = end - input
    one = input.dtype.type(1)
    return xp.where(abs(w) < 0.5, input + w * rest, end - rest * (one - w))


_lerp_number = op(
    _lerp, name="_lerp_number", node="LerpBackward0", check=_check_lerp,
    grad={
        "input": lambda g, weight: g * (1 - conjugate(weight)),
        "end": lambda g, weight: g * conjugate(weight),
    },
)  # fmt: skip
_lerp_tensor = op(
    _lerp, name="_lerp_tensor", node="LerpBackward1", check=_check_lerp,
    grad={
        "input": lambda g, weight: g * bar(1 - weight),
        "end": lambda g, weight: g * bar(weight),
        "weight": lambda g, x, end: g * bar(end - x),
    },
)  # fmt: skip


@composite(inplace=True)
def lerp(input: Tensor, end: Tensor, weight: Tensor | float) -> Tensor:
    """input + weight · (end - input)"""
    return (_lerp_tensor if isinstance(weight, Tensor) else _lerp_number)(input, end, weight)


@op(names="torch.polar", check=need_tensors("polar", "abs angle"), grad={
    "abs": lambda g, angle: (bar(g) * polar(_ones(angle), angle)).real,
    "angle": lambda g, y: (bar(g) * (1j * y)).real,
})  # fmt: skip
def polar(xp: Any, abs: Any, angle: Any) -> Any:
    """abs · e^(i angle)"""
    if abs.dtype != angle.dtype:
        raise RuntimeError(
            f"Expected object of scalar type {name_of(abs)} but got scalar type {name_of(angle)} "
            "for second argument"
        )
    return abs * xp.cos(angle) + 1j * (abs * xp.sin(angle))


def _ones(like: Tensor) -> Tensor:
    return like * 0 + 1
