"""Comparisons, tests and logic, which give bools; and the larger and smaller of two operands."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.tensor import Tensor
from ..core.watch import refuse
from .families import binary, composite, op, unary
from .kinds import COMPLEX, need_tensor_first, need_tensors, only
from .powers import broadcastable

_ORDERED = "biufV"


def _comparison(name: str, doc: str, meaning: Any, also: str = "") -> Any:
    also = also and f"torch.{also} Tensor.{also}"
    return binary(name, doc, meaning, also=also, check=need_tensor_first(name))


eq = _comparison("eq", "a = b", "equal")
ne = _comparison("ne", "a ≠ b", "not_equal", "not_equal")
lt = _comparison("lt", "a < b", only(_ORDERED, "lt_cpu", "less"), "less")
le = _comparison("le", "a ≤ b", only(_ORDERED, "le_cpu", "less_equal"), "less_equal")
gt = _comparison("gt", "a > b", only(_ORDERED, "gt_cpu", "greater"), "greater")
ge = _comparison("ge", "a ≥ b", only(_ORDERED, "ge_cpu", "greater_equal"), "greater_equal")

# ---------------------------------------------------------------- logic: everything but 0 is true


def _logic(name: str, doc: str) -> Any:
    return binary(name, doc, name, check=need_tensors(name))


logical_and = _logic("logical_and", "Both")
logical_or = _logic("logical_or", "Either")
logical_xor = _logic("logical_xor", "One of both")
logical_not = unary("logical_not", "Whether x is 0", "logical_not")

# ---------------------------------------------------------------- tests of one number


def _of_floats(test: str) -> Any:
    """A NumPy test; integers have neither NaN nor infinities."""
    compute = getattr(np, test)
    exact = test == "isfinite"

    def meaning(xp: Any, x: Any) -> Any:
        return xp.full(x.shape, exact) if x.dtype.kind in "biu" else compute(x)

    return meaning


def _infinite(sign: int) -> Any:
    name = "isposinf" if sign > 0 else "isneginf"

    def meaning(xp: Any, x: Any) -> Any:
        if x.dtype.kind == COMPLEX:
            raise RuntimeError(f"{name} does not support complex inputs.")
        return xp.full(x.shape, False) if x.dtype.kind in "biu" else x == sign * xp.inf

    return meaning


isnan = unary("isnan", "Whether x is NaN", _of_floats("isnan"), inplace=False)
isinf = unary("isinf", "Whether x is ±∞", _of_floats("isinf"), inplace=False)
isfinite = unary("isfinite", "Whether x is a number", _of_floats("isfinite"), inplace=False)
isposinf = unary("isposinf", "Whether x is ∞", _infinite(1), inplace=False)
isneginf = unary("isneginf", "Whether x is -∞", _infinite(-1), inplace=False)
isreal = unary(
    "isreal", "Whether the imaginary part is 0",
    lambda xp, x: x.imag == 0 if x.dtype.kind == COMPLEX else xp.full(x.shape, True),
    inplace=False,
)  # fmt: skip

# ---------------------------------------------------------------- alike


def _check_isclose(input: Tensor, other: Tensor, rtol: float, atol: float, nan: bool) -> None:
    need_tensors("isclose")(input, other)
    if input.dtype is not other.dtype:
        raise RuntimeError(f"{input.dtype.scalar_name} did not match {other.dtype.scalar_name}")
    if rtol < 0:
        raise RuntimeError(f"rtol must be greater than or equal to zero, but got {rtol:g}")
    if atol < 0:
        raise RuntimeError(f"atol must be greater than or equal to zero, but got {atol:g}")
    broadcastable(input, other)


@op(check=_check_isclose)
def isclose(
    xp: Any, input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08,
    equal_nan: bool = False,
) -> Any:  # fmt: skip
    """|input - other| ≤ atol + rtol |other|, or equal

    >>> import penlight as torch
    >>> torch.isclose(torch.tensor([1.0, 2.0]), torch.tensor([1.000001, 2.1]))
    tensor([ True, False])
    """
    if input.dtype.kind in "biu":
        wide_a, wide_b = input.astype(np.float64), other.astype(np.float64)
    else:
        wide_a, wide_b = input, other
    allowed = atol + rtol * xp.abs(wide_b)
    close = xp.isfinite(wide_a) & xp.isfinite(wide_b) & (xp.abs(wide_a - wide_b) <= allowed)
    close = close | (input == other)
    return close | (xp.isnan(wide_a) & xp.isnan(wide_b)) if equal_nan else close


@composite
def allclose(
    input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> bool:
    """Whether every element is close; see :func:`isclose`."""
    refuse("a comparison of tensors becomes a Python bool")
    return bool(isclose(input, other, rtol, atol, equal_nan)._array.all())


@composite
def equal(input: Tensor, other: Tensor) -> bool:
    """Whether shapes and all elements are the same."""
    refuse("a comparison of tensors becomes a Python bool")
    return bool(np.array_equal(input._array, other._array))


# ---------------------------------------------------------------- the larger, the smaller


def _real_tensors(name: str) -> Any:
    check = need_tensors(name)

    def both(input: Any, other: Any) -> None:
        check(input, other)
        if input.dtype.is_complex or other.dtype.is_complex:
            raise RuntimeError(f"{name} not implemented for complex tensors.")

    return both


def _extreme(name: str, doc: str, loses: Any) -> Any:
    """The gradient goes to the winner; equal operands share it."""

    def share(g: Tensor, beaten: Tensor, tie: Tensor) -> Tensor:
        return g.masked_fill(beaten, 0) - (g / 2).masked_fill(~tie, 0)

    return binary(
        name, doc, name,
        (
            lambda g, a, b: share(g, loses(a, b), a == b),
            lambda g, a, b: share(g, loses(b, a), a == b),
        ),
        inplace=False, check=_real_tensors(name),
    )  # fmt: skip


maximum = _extreme("maximum", "The larger; NaN if either is", lambda a, b: a < b)
minimum = _extreme("minimum", "The smaller; NaN if either is", lambda a, b: a > b)
fmax = binary(
    "fmax", "The larger; a number beats NaN", "fmax",
    (
        lambda g, a, b: g.masked_fill(~((a >= b) | isnan(b)), 0),
        lambda g, a, b: g.masked_fill((a >= b) | isnan(b), 0),
    ),
    inplace=False, check=_real_tensors("fmax"),
)  # fmt: skip
fmin = binary(
    "fmin", "The smaller; a number beats NaN", "fmin",
    (
        lambda g, a, b: g.masked_fill(~((a <= b) | isnan(b)), 0),
        lambda g, a, b: g.masked_fill((a <= b) | isnan(b), 0),
    ),
    inplace=False, check=_real_tensors("fmin"),
)  # fmt: skip
