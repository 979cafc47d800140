"""Arithmetic and elementary functions, element by element."""

from __future__ import annotations

from typing import Any

from ..core.tensor import Tensor
from .record import binary, composite, expose, to_float, unary

neg = unary("neg", "-x", "negative", lambda g: -g, also="torch.negative Tensor.negative Tensor.__neg__")

exp = unary("exp", "e to the power x", "exp", lambda g, y: g * y, dtype=to_float)

log = unary("log", "Natural logarithm", "log", lambda g, x: g / x, dtype=to_float)

sqrt = unary(
    "sqrt", "Square root; NaN below zero", "sqrt", lambda g, y: g / (2 * y), dtype=to_float
)

abs = unary("abs", "Absolute value", "abs", lambda g, x: g * x.sgn(), also="torch.absolute Tensor.absolute Tensor.__abs__")

sgn = unary("sgn", "Sign; of a complex number x/|x|", "sign", lambda g: g * 0)

plain_add = binary("add", "a + b", "add", (lambda g: g, lambda g: g))

plain_sub = binary("sub", "a - b", "subtract", (lambda g: g, lambda g: -g))

mul = binary("mul", "a · b", "multiply", (lambda g, b: g * b, lambda g, a: g * a),
             also="torch.multiply Tensor.multiply")

true_divide = binary("div", "a / b", "true_divide",
                     (lambda g, b: g / b, lambda g, b, y: -g * y / b), dtype=to_float)

pow = binary("pow", "a to the power b", "power",
             (lambda g, a, b: g * b * a ** (b - 1), lambda g, a, y: g * y * a.log()))

for _name, _function, _inplace in (
    ("add", plain_add, "iadd"), ("sub", plain_sub, "isub"), ("mul", mul, "imul"), ("truediv", true_divide, "itruediv"),
    ("pow", pow, "ipow"),
):
    setattr(Tensor, f"__{_name}__", _function)
    setattr(Tensor, f"__r{_name}__", lambda self, other, f=_function: f(other, self))
