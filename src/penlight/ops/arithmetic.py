"""Sums, products and quotients of two operands that broadcast."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from ..core import dtype as dtypes
from ..core.tensor import Tensor
from .elementwise import bar
from .families import binary, composite, to_float
from .kinds import COMPLEX, FLOATS, INTEGERS, need_tensor_first, need_tensors, unsupported
from .operands import result_dtype
from .quiet import quiet

Operand = Tensor | int | float | builtins.complex


def no_derivative(name: str) -> Any:
    """A gradient rule for an op that PyTorch records but cannot differentiate."""

    def rule(g: Tensor) -> Tensor:
        raise NotImplementedError(f"derivative for aten::{name} is not implemented")

    return rule


# ---------------------------------------------------------------- + - * /

# The forms without alpha; `add` and `sub` below are what users see.
plain_add = binary(
    "add", "a + b", "add", (lambda g: g, lambda g: g), names="Tensor.__add__", inplace=False
)


def _check_sub(a: Operand, b: Operand) -> None:
    if isinstance(a, Tensor) and isinstance(b, Tensor) and a._array.dtype is b._array.dtype:
        if a._array.dtype.char != "?":
            return
    bools = [
        v._array.dtype.kind == "b" if isinstance(v, Tensor) else isinstance(v, bool) for v in (a, b)
    ]
    if bools[0] and bools[1]:
        raise RuntimeError(
            "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or "
            "`logical_xor()` operator instead."
        )
    if bools[0] or bools[1]:
        raise RuntimeError(
            "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying "
            "to invert a mask, use the `~` or `logical_not()` operator instead."
        )


plain_sub = binary(
    "sub", "a - b", "subtract", (lambda g: g, lambda g: -g),
    names="Tensor.__sub__", inplace=False, check=_check_sub,
)  # fmt: skip
plain_rsub = binary(
    "rsub", "b - a", lambda xp, a, b: xp.subtract(b, a), (lambda g: -g, lambda g: g),
    names="Tensor.__rsub__", inplace=False, check=_check_sub, node="RsubBackward1",
)  # fmt: skip


def scaled(value: Operand, alpha: Any, operands: tuple[Operand, Operand]) -> Operand:
    """alpha · value; RuntimeError where alpha does not fit the type the operands combine to."""
    if type(alpha) is int and alpha == 1:
        return value
    result = result_dtype(operands)
    if alpha is True or alpha is False:
        if result is not dtypes.bool_:
            raise RuntimeError("Boolean alpha only supported for Boolean results.")
    elif isinstance(alpha, builtins.complex) and result.category < dtypes.COMPLEX:
        raise RuntimeError(
            "For non-complex input tensors, argument alpha must not be a complex number."
        )
    elif isinstance(alpha, float) and result.category < dtypes.FLOAT:
        raise RuntimeError(
            "For integral input tensors, argument alpha must not be a floating point number."
        )
    return value * (bool(alpha) if result is dtypes.bool_ else alpha)


def _directly(sign: int) -> Any:
    """add_ and sub_ without a temporary, where both tensors lie alike in memory."""

    @quiet
    def direct(self: Tensor, other: Operand, alpha: Any = 1) -> bool:
        x = self._array
        if not isinstance(other, Tensor) or type(alpha) not in (int, float):
            return False
        y = other._array
        if y.dtype is not x.dtype or y.shape != x.shape:
            return False
        if alpha == 1 or alpha == -1:
            (np.add if alpha == sign else np.subtract)(x, y, out=x)
        else:
            np.add(x, y * x.dtype.type(sign * alpha), out=x)
        return True

    return direct


@composite(inplace=_directly(1))
def add(input: Operand, other: Operand, *, alpha: Any = 1) -> Tensor:
    """input + alpha · other

    >>> import penlight as torch
    >>> torch.add(torch.tensor([1, 2]), 10, alpha=2)
    tensor([21, 22])
    """
    return plain_add(input, scaled(other, alpha, (input, other)))


@composite(names="torch.sub Tensor.sub torch.subtract Tensor.subtract", inplace=_directly(-1))
def sub(input: Operand, other: Operand, *, alpha: Any = 1) -> Tensor:
    """input - alpha · other"""
    return plain_sub(input, scaled(other, alpha, (input, other)))


@composite
def rsub(input: Tensor, other: Operand, *, alpha: Any = 1) -> Tensor:
    """other - alpha · input"""
    need_tensors("rsub", "input")(input)
    return plain_rsub(scaled(input, alpha, (input, other)), other)


def conjugate(value: Operand) -> Operand:
    """The complex conjugate of an operand."""
    if isinstance(value, Tensor):
        return bar(value) if value._array.dtype.kind == COMPLEX else value
    return value.conjugate()


mul = binary(
    "mul", "a · b", "multiply", (lambda g, b: g * conjugate(b), lambda g, a: g * conjugate(a)),
    also="torch.multiply Tensor.multiply",
)  # fmt: skip

true_divide = binary(
    "div", "a / b", "true_divide",
    (lambda g, b: g / conjugate(b), lambda g, b, y: -g * conjugate(y / b)),
    dtype=to_float, names="torch.true_divide Tensor.true_divide",
)  # fmt: skip

# ---------------------------------------------------------------- quotient and rest


def _whole_division(kernel: str, compute: Any) -> dict[str, Any]:
    """`compute` for integers and floats, as meaning and lowering of an op; integers refuse to be
    divided by zero.
    """

    def guarded(xp: Any, a: Any, b: Any) -> Any:
        if a.dtype.kind not in INTEGERS + FLOATS:
            raise unsupported(kernel, a)
        if a.dtype.kind in INTEGERS and not b.all():
            raise RuntimeError("ZeroDivisionError")
        return compute(xp, a, b)

    def lower(xp: Any, a: Any, b: Any) -> Any:
        if a.dtype.kind in INTEGERS:
            b = xp.assured(b, b != 0)
        return compute(xp, a, b)

    return {"meaning": guarded, "lower": lower}


def _truncated(xp: Any, a: Any, b: Any) -> Any:
    if a.dtype.kind in FLOATS:
        return xp.trunc(xp.true_divide(a, b))
    return xp.floor_divide(a - xp.fmod(a, b), b)


_NO_SLOPE = (lambda g: g * 0, lambda g: g * 0)
_floored = _whole_division("div_floor_cpu", lambda xp, a, b: xp.floor_divide(a, b))

_div_floor = binary("_div_floor", "⌊a / b⌋", grad=_NO_SLOPE, node="DivBackward2", **_floored)
_div_trunc = binary(
    "_div_trunc", "a / b towards zero", grad=_NO_SLOPE, node="DivBackward2",
    **_whole_division("div_trunc_cpu", _truncated),
)  # fmt: skip


@composite(names="torch.div Tensor.div torch.divide Tensor.divide", inplace=True)
def div(input: Operand, other: Operand, *, rounding_mode: str | None = None) -> Tensor:
    """a / b; rounded towards zero ("trunc") or down ("floor")

    >>> import penlight as torch
    >>> torch.div(torch.tensor([-7, 7]), 2, rounding_mode="trunc")
    tensor([-3,  3])
    """
    if rounding_mode is None:
        return true_divide(input, other)
    if rounding_mode == "floor":
        return _div_floor(input, other)
    if rounding_mode == "trunc":
        return _div_trunc(input, other)
    raise RuntimeError(
        "div expected rounding_mode to be one of None, 'trunc', or 'floor' but found "
        f"'{rounding_mode}'"
    )


floor_divide = binary(
    "floor_divide", "⌊a / b⌋", grad=(no_derivative("floor_divide"),) * 2, node="NotImplemented",
    **_floored,
)  # fmt: skip
remainder = binary(
    "remainder", "a - b ⌊a / b⌋, with the sign of b",
    grad=(lambda g: g, lambda g, a, b: -g * _div_floor(a, b)), node="RemainderBackward1",
    **_whole_division("remainder_cpu", lambda xp, a, b: xp.remainder(a, b)),
)  # fmt: skip
fmod = binary(
    "fmod", "a - b trunc(a / b), with the sign of a",
    grad=(lambda g: g, lambda g, a, b: -g * _div_trunc(a, b)), node="FmodBackward1",
    check=need_tensor_first("fmod"), **_whole_division("fmod_cpu", lambda xp, a, b: xp.fmod(a, b)),
)  # fmt: skip


@composite(names="torch.result_type")
def result_type(tensor1: Operand, tensor2: Operand) -> dtypes.dtype:
    """The type that arithmetic on the two operands would have.

    >>> import penlight as torch
    >>> torch.result_type(torch.tensor([1, 2]), 1.0)
    torch.float32
    """
    return result_dtype((tensor1, tensor2))
