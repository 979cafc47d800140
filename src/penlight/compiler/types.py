"""Element types of programs and kernels, by short names: "f32", "i64", "bool"."""

from __future__ import annotations

from typing import Any

import numpy as np

NUMPY: dict[str, np.dtype[Any]] = {
    "f32": np.dtype(np.float32), "f64": np.dtype(np.float64),
    "i8": np.dtype(np.int8), "i16": np.dtype(np.int16),
    "i32": np.dtype(np.int32), "i64": np.dtype(np.int64),
    "u8": np.dtype(np.uint8), "bool": np.dtype(np.bool_),
}  # fmt: skip
UNSIGNED = ("u8", "bool")
NAMES = {dtype: name for name, dtype in NUMPY.items()}


def name_of(dtype: Any) -> str | None:
    """The short name of a NumPy dtype; None if kernels do not know it."""
    return NAMES.get(np.dtype(dtype))


def size_of(name: str) -> int:
    """Bytes of one element in memory."""
    return NUMPY[name].itemsize


def is_float(name: str) -> bool:
    """Whether elements are floating-point numbers."""
    return name[0] == "f"
