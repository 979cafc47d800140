"""Element types and the rules by which they combine.

A dtype is one object per NumPy dtype. Promotion follows PyTorch, which differs from NumPy in two
ways: integers never become float64 by themselves, and a 0-d tensor or a Python number only matters
by its *category* (bool < integer < float < complex).  See
https://docs.pytorch.org/docs/stable/tensor_attributes.html
"""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

BOOL, INTEGER, FLOAT, COMPLEX = range(4)  # the categories, in order of promotion


class dtype:
    """The type of a tensor's elements; prints as PyTorch's does.

    >>> import penlight
    >>> penlight.float32, penlight.float32.itemsize, penlight.float32.is_floating_point
    (torch.float32, 4, True)
    """

    __slots__ = (
        "alias", "category", "is_complex", "is_floating_point", "is_signed", "itemsize", "name",
        "np", "scalar_name",
    )  # fmt: skip

    def __init__(self, name: str, numpy: Any, category: int, scalar_name: str, alias: str = ""):
        self.name, self.alias, self.scalar_name = name, alias, scalar_name
        self.np = np.dtype(numpy)
        self.category = category
        self.itemsize = self.np.itemsize
        self.is_floating_point = category == FLOAT
        self.is_complex = category == COMPLEX
        self.is_signed = category >= FLOAT or self.np.kind == "i"

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> str:
        return self.name  # a dtype is a singleton: pickle it by its name in this module

    def to_real(self) -> dtype:
        """The type of the real and imaginary parts."""
        return _REAL.get(self, self)

    def to_complex(self) -> dtype:
        """The complex type whose parts have this type."""
        return _COMPLEX.get(self, self if self.is_complex else complex64)


COMPLEX32_NP = np.dtype([("real", np.float16), ("imag", np.float16)])  # NumPy has no such number

bool_ = dtype("bool", np.bool_, BOOL, "Bool")
uint8 = dtype("uint8", np.uint8, INTEGER, "Byte")
uint16 = dtype("uint16", np.uint16, INTEGER, "UInt16")
uint32 = dtype("uint32", np.uint32, INTEGER, "UInt32")
uint64 = dtype("uint64", np.uint64, INTEGER, "UInt64")
int8 = dtype("int8", np.int8, INTEGER, "Char")
int16 = dtype("int16", np.int16, INTEGER, "Short", "short")
int32 = dtype("int32", np.int32, INTEGER, "Int", "int")
int64 = dtype("int64", np.int64, INTEGER, "Long", "long")
float8_e4m3fn = dtype("float8_e4m3fn", ml_dtypes.float8_e4m3fn, FLOAT, "Float8_e4m3fn")
float8_e5m2 = dtype("float8_e5m2", ml_dtypes.float8_e5m2, FLOAT, "Float8_e5m2")
float8_e4m3fnuz = dtype("float8_e4m3fnuz", ml_dtypes.float8_e4m3fnuz, FLOAT, "Float8_e4m3fnuz")
float8_e5m2fnuz = dtype("float8_e5m2fnuz", ml_dtypes.float8_e5m2fnuz, FLOAT, "Float8_e5m2fnuz")
float8_e8m0fnu = dtype("float8_e8m0fnu", ml_dtypes.float8_e8m0fnu, FLOAT, "Float8_e8m0fnu")
bfloat16 = dtype("bfloat16", ml_dtypes.bfloat16, FLOAT, "BFloat16")
float16 = dtype("float16", np.float16, FLOAT, "Half", "half")
float32 = dtype("float32", np.float32, FLOAT, "Float", "float")
float64 = dtype("float64", np.float64, FLOAT, "Double", "double")
complex32 = dtype("complex32", COMPLEX32_NP, COMPLEX, "ComplexHalf", "chalf")
complex64 = dtype("complex64", np.complex64, COMPLEX, "ComplexFloat", "cfloat")
complex128 = dtype("complex128", np.complex128, COMPLEX, "ComplexDouble", "cdouble")


def __getattr__(name: str) -> dtype:
    """`bool`, so that pickle finds every dtype here by its printed name; the builtin keeps its
    own.
    """
    if name == "bool":
        return bool_
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


ALL = tuple(dict.fromkeys(d for d in list(globals().values()) if isinstance(d, dtype)))
_BY_NP = {d.np: d for d in ALL}
_REAL = {complex32: float16, complex64: float32, complex128: float64}
_COMPLEX = {float16: complex32, float32: complex64, float64: complex128, bfloat16: complex64}
_FLOAT8 = frozenset(d for d in ALL if d.name.startswith("float8"))
_WIDE_UNSIGNED = frozenset((uint16, uint32, uint64))


def from_np(np_dtype: np.dtype) -> dtype:
    """The dtype of a NumPy dtype; TypeError where PyTorch has none."""
    found = _BY_NP.get(np_dtype)
    if found is None:
        found = _BY_NP.get(np.dtype(np_dtype).newbyteorder("="))
    if found is None:
        supported = ", ".join(d.name for d in ALL if d.np.type.__module__ == "numpy")
        raise TypeError(
            f"can't convert np.ndarray of type numpy.{np.dtype(np_dtype).name}. "
            f"The only supported types are: {supported}."
        )
    return found


# ---------------------------------------------------------------- the default type

_default = float32


def get_default_dtype() -> dtype:
    """The type of float tensors made without a dtype.

    >>> get_default_dtype()
    torch.float32
    """
    return _default


def set_default_dtype(d: dtype) -> None:
    """Sets the type of float tensors made without a dtype; it must be floating point."""
    global _default
    if not isinstance(d, dtype) or not d.is_floating_point:
        raise TypeError(f"only floating-point types are supported as the default type, got {d}")
    _default = d


def of_number(value: object) -> dtype:
    """The type a Python number stands for.

    >>> of_number(True), of_number(3), of_number(2.5), of_number(1j)
    (torch.bool, torch.int64, torch.float32, torch.complex64)
    """
    if isinstance(value, (bool, np.bool_)):
        return bool_
    if isinstance(value, (int, np.integer)):
        return int64
    if isinstance(value, (float, np.floating)):
        return _default
    if isinstance(value, (complex, np.complexfloating)):
        return _default.to_complex()
    raise TypeError(f"expected a number, got {type(value).__name__}")


# ---------------------------------------------------------------- promotion

_promoted: dict[tuple[dtype, dtype], dtype] = {}


def promote_types(type1: dtype, type2: dtype) -> dtype:
    """The smallest type to which both can be cast without losing their category or range.

    >>> promote_types(uint8, int8), promote_types(int64, float16), promote_types(float16, bfloat16)
    (torch.int16, torch.float16, torch.float32)
    """
    if type1 is type2:
        return type1
    key = (type1, type2)
    found = _promoted.get(key)
    if found is None:
        found = _promoted[key] = _promote(type1, type2)
    return found


def _promote(a: dtype, b: dtype) -> dtype:
    if a in _FLOAT8 or b in _FLOAT8:
        raise RuntimeError(
            "Promotion for Float8 Types is not supported, attempted to promote "
            f"{a.scalar_name} and {b.scalar_name}"
        )
    if a.category != b.category:
        low, high = sorted((a, b), key=lambda d: d.category)
        if high.category == COMPLEX and low.category == FLOAT:
            return _promote_complex(low.to_complex(), high)
        return high
    if a.category == COMPLEX:
        return _promote_complex(a, b)
    if a.category == INTEGER:
        return _promote_integers(a, b)
    if {a, b} == {float16, bfloat16}:
        return float32
    return a if a.itemsize >= b.itemsize else b


def _promote_complex(a: dtype, b: dtype) -> dtype:
    return a if a.itemsize >= b.itemsize else b


def _promote_integers(a: dtype, b: dtype) -> dtype:
    if a.is_signed == b.is_signed:
        return a if a.itemsize >= b.itemsize else b
    unsigned, signed = (b, a) if a.is_signed else (a, b)
    if unsigned in _WIDE_UNSIGNED:
        raise RuntimeError(
            "Promotion for uint16, uint32, uint64 types is not supported, attempted to promote "
            f"{a.scalar_name} and {b.scalar_name}"
        )
    return int16 if signed is int8 else signed


def can_cast(from_: dtype, to: dtype) -> bool:
    """Whether a result of type `from_` may be written to `to`: the category must not go down.

    >>> can_cast(float64, float32), can_cast(float32, int64)
    (True, False)
    """
    return from_.category <= to.category or (from_.category == INTEGER and to.category == INTEGER)


def combine(dimensioned: dtype | None, zero_dim: dtype | None, number: dtype | None) -> dtype:
    """Result type of operands grouped by rank: tensors with axes, 0-d tensors, Python numbers.

    A lower group only raises the result's category, it never widens the type.
    """
    result = dimensioned
    for weaker in (zero_dim, number):
        if weaker is None:
            continue
        if result is None:
            result = weaker
        elif weaker.category > result.category:
            if weaker.category == COMPLEX and result.category == FLOAT:
                result = result.to_complex()
            else:
                result = weaker
    if result is None:
        raise TypeError("no operand to take a type from")
    return result
