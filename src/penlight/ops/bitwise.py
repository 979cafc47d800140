"""Bits of integers; of bools, logic."""

from __future__ import annotations

from typing import Any

from ..core.tensor import Tensor
from .families import binary, composite, unary
from .kinds import INTEGERS, only

_INTEGRAL = INTEGERS + "b"

bitwise_and = binary(
    "bitwise_and", "Bits set in both", only(_INTEGRAL, "bitwise_and_cpu", "bitwise_and")
)
bitwise_or = binary(
    "bitwise_or", "Bits set in either", only(_INTEGRAL, "bitwise_or_cpu", "bitwise_or")
)
bitwise_xor = binary(
    "bitwise_xor", "Bits set in one of both", only(_INTEGRAL, "bitwise_xor_cpu", "bitwise_xor")
)
bitwise_not = unary("bitwise_not", "Every bit turned", only(_INTEGRAL, "bitwise_not_cpu", "invert"))


@composite(names="Tensor.__invert__")
def invert(input: Tensor) -> Tensor:
    """~x, for integers and bools."""
    if input._array.dtype.kind not in _INTEGRAL:
        raise TypeError(
            "~ (operator.invert) is only implemented on integer and Boolean-type tensors"
        )
    return bitwise_not(input)


def _shift(left: bool) -> Any:
    """a shifted by b bits; further than the width of the type no bit, or the sign, is left."""

    def meaning(xp: Any, a: Any, b: Any) -> Any:
        width = 8 * a.dtype.itemsize
        beyond = (b < 0) | (b >= width)
        inside = xp.where(beyond, 0, b).astype(a.dtype)
        if left:
            return xp.where(beyond, a.dtype.type(0), xp.left_shift(a, inside))
        sign = xp.right_shift(a, a.dtype.type(width - 1)) if a.dtype.kind == "i" else a * 0
        return xp.where(beyond, sign, xp.right_shift(a, inside))

    return meaning


bitwise_left_shift = binary(
    "bitwise_left_shift", "a · 2ᵇ", only(INTEGERS, "lshift_cpu", _shift(left=True))
)
bitwise_right_shift = binary(
    "bitwise_right_shift", "⌊a / 2ᵇ⌋", only(INTEGERS, "rshift_cpu", _shift(left=False))
)
