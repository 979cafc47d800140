"""The limits of the number types: `finfo` for floats, `iinfo` for integers.

Source: https://docs.pytorch.org/docs/stable/type_info.html
"""

from __future__ import annotations

from math import floor, log2, log10

import ml_dtypes
import numpy as np

from . import dtype as dtypes
from .dtype import dtype


class finfo:
    """Limits of a floating-point type; of a complex type, those of its parts.

    >>> finfo(dtypes.bfloat16).eps, finfo(dtypes.float16).max
    (0.0078125, 65504.0)
    """

    __slots__ = ("bits", "dtype", "eps", "max", "min", "resolution", "smallest_normal", "tiny")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, type: dtype | None = None):
        type = _checked("finfo", dtypes.get_default_dtype() if type is None else type)
        if not (type.is_floating_point or type.is_complex):
            raise TypeError(
                "torch.finfo() requires a floating point input type. "
                "Use torch.iinfo to handle 'torch.finfo'"
            )
        real = type.to_real()
        limits = ml_dtypes.finfo(real.np)
        self.bits = int(limits.bits)
        self.dtype = real.name
        self.eps = float(limits.eps)
        self.max = float(limits.max)
        self.min = float(limits.min)
        self.tiny = self.smallest_normal = float(limits.smallest_normal)
        self.resolution = 10.0 ** -floor(-log2(self.eps) * log10(2))

    def __repr__(self) -> str:
        return (
            f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, "
            f"eps={self.eps:g}, smallest_normal={self.smallest_normal:g}, tiny={self.tiny:g}, "
            f"dtype={self.dtype})"
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, finfo) and self.dtype == other.dtype


class iinfo:
    """Limits of an integer type.

    >>> iinfo(dtypes.int8).min, iinfo(dtypes.int64).max
    (-128, 9223372036854775807)
    """

    __slots__ = ("bits", "dtype", "max", "min")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, type: dtype):
        type = _checked("iinfo", type)
        if type is dtypes.bool_:
            raise TypeError("torch.bool is not supported by torch.iinfo")
        if type.category != dtypes.INTEGER:
            raise TypeError(
                "torch.iinfo() requires an integer input type. "
                "Use torch.finfo to handle 'torch.iinfo'"
            )
        limits = np.iinfo(type.np)
        self.bits, self.min, self.max = limits.bits, int(limits.min), int(limits.max)
        self.dtype = type.name

    def __repr__(self) -> str:
        return f"iinfo(min={self.min:g}, max={self.max:g}, dtype={self.dtype})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, iinfo) and self.dtype == other.dtype


def _checked(name: str, type: object) -> dtype:
    if isinstance(type, dtype):
        return type
    raise TypeError(
        f"{name}(): argument 'type' (position 1) must be torch.dtype, not {type.__class__.__name__}"
    )
