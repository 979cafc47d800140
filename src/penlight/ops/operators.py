"""Python's operators on tensors: a + b, a += b, 2 * a, ~a, a < b, ..."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.tensor import Tensor, wrap
from . import arithmetic, bitwise, compare, elementwise, powers
from .exposure import in_place
from .families import OPERANDS


def _operator(function: Callable) -> Callable:
    """`function` as a binary operator: foreign operands are left to their own class."""
    if hasattr(function, "operator"):
        return function.operator

    def method(self: Tensor, other: Any) -> Any:
        try:
            return function(self, other)
        except TypeError:
            if isinstance(other, OPERANDS):
                raise
            if isinstance(other, np.ndarray):
                return function(self, wrap(other))
            return NotImplemented

    return method


def _reflected(function: Callable) -> Callable:
    return _operator(lambda self, other: function(other, self))


def _quotient(self: Tensor, other: Any) -> Tensor:
    return elementwise.reciprocal(self) * other


_BINARY = {
    "add": (arithmetic.plain_add, arithmetic.plain_add),
    "sub": (arithmetic.plain_sub, arithmetic.plain_rsub),
    "mul": (arithmetic.mul, arithmetic.mul),
    "truediv": (arithmetic.true_divide, _quotient),
    "floordiv": (arithmetic.floor_divide, None),
    "mod": (arithmetic.remainder, None),
    "pow": (powers.pow, None),
    "and": (bitwise.bitwise_and, bitwise.bitwise_and),
    "or": (bitwise.bitwise_or, bitwise.bitwise_or),
    "xor": (bitwise.bitwise_xor, bitwise.bitwise_xor),
    "lshift": (bitwise.bitwise_left_shift, None),
    "rshift": (bitwise.bitwise_right_shift, None),
}
for _name, (_function, _reverse) in _BINARY.items():
    setattr(Tensor, f"__{_name}__", _operator(_function))
    _back = _reflected(_function) if _reverse is None else _operator(_reverse)
    setattr(Tensor, f"__r{_name}__", _back)
    _record = getattr(_function, "record", None)
    setattr(Tensor, f"__i{_name}__", _operator(in_place(_function, f"__i{_name}__", _record)))

for _name, _function in {
    "eq": compare.eq, "ne": compare.ne, "lt": compare.lt, "le": compare.le, "gt": compare.gt,
    "ge": compare.ge,
}.items():  # fmt: skip
    setattr(Tensor, f"__{_name}__", _operator(_function))

for _name, _function in {
    "neg": elementwise.neg, "abs": elementwise.abs, "invert": bitwise.invert,
}.items():  # fmt: skip
    setattr(Tensor, f"__{_name}__", _function)

Tensor.__hash__ = object.__hash__  # type: ignore[method-assign]  # defining == would remove it
Tensor.__rdiv__ = Tensor.__rtruediv__  # type: ignore[attr-defined]
Tensor.__div__ = Tensor.__truediv__  # type: ignore[attr-defined]
Tensor.__idiv__ = Tensor.__itruediv__  # type: ignore[attr-defined]
