"""Pooling of arrays (*B, *S) of float32 or float64, at once.

`size`, `kernel`, `stride`, `padding`, `dilation` and `places` have an entry per spatial axis.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from .forms import Form

_KINDS = {"f": "f32", "d": "f64"}
Ints = tuple[int, ...]


def max_pool(
    x: np.ndarray, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, places: Ints
) -> np.ndarray:
    """The maximum of each window; NaN is the largest."""
    return _form("max", x.dtype.char, x.shape, kernel, stride, padding, dilation, places)(x)


def max_pool_numbered(
    x: np.ndarray, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, places: Ints
) -> tuple[np.ndarray, np.ndarray]:
    """The maximum of each window, and which of its taps has it: the first, but the last NaN."""
    form = _form("max_number", x.dtype.char, x.shape, kernel, stride, padding, dilation, places)
    return form(x)


def max_pool_backward(
    g: np.ndarray, number: np.ndarray, size: Ints, kernel: Ints, stride: Ints, padding: Ints,
    dilation: Ints,
) -> np.ndarray:  # fmt: skip
    """Each g goes to the tap of its window that was chosen."""
    rank = len(size)
    shape, places = g.shape[:-rank] + size, g.shape[-rank:]
    form = _form("max_backward", g.dtype.char, shape, kernel, stride, padding, dilation, places)
    return form(g, number)


def avg_pool(
    x: np.ndarray, kernel: Ints, stride: Ints, padding: Ints, places: Ints, divisor: Any
) -> np.ndarray:
    """The sum of each window by `divisor`, a number or an array of shape `places`."""
    ones = (1,) * len(kernel)
    form = _form("average", x.dtype.char, x.shape, kernel, stride, padding, ones, places)
    return form(x, np.broadcast_to(np.asarray(divisor, x.dtype), places))


def avg_pool_backward(
    g: np.ndarray, size: Ints, kernel: Ints, stride: Ints, padding: Ints, divisor: Any
) -> np.ndarray:
    """The adjoint of `avg_pool` in x (*B, *size)."""
    rank = len(size)
    shape, places = g.shape[:-rank] + size, g.shape[-rank:]
    ones = (1,) * rank
    form = _form("average_backward", g.dtype.char, shape, kernel, stride, padding, ones, places)
    return form(g, np.broadcast_to(np.asarray(divisor, g.dtype), places))


def number_type(kernel: Ints) -> Any:
    """The dtype of tap numbers."""
    return np.uint8 if prod(kernel) < 256 else np.int64


@lru_cache(maxsize=1024)
def _form(
    what: str, char: str, shape: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints,
    places: Ints,
) -> Any:  # fmt: skip
    from .kernels.pooling import PoolSizes, pool_plan

    rank, dtype = len(kernel), np.dtype(char)
    batch, small = shape[:-rank], (*shape[:-rank], *places)
    ones, zeros = (1,) * (3 - rank), (0,) * (3 - rank)
    sizes = PoolSizes(
        prod(batch), ones + shape[-rank:], ones + kernel, ones + stride, zeros + padding,
        ones + dilation, ones + places,
    )  # fmt: skip
    inputs, results = {
        "max": ("a", [("b", small, dtype)]),
        "max_number": ("a", [("b", small, dtype), ("c", small, number_type(kernel))]),
        "average": ("ab", [("c", small, dtype)]),
    }.get(what, ("ab", [("c", shape, dtype)]))
    number = "u8" if number_type(kernel) is np.uint8 else "i64"

    def plan(generic: bool) -> Any:
        return pool_plan(what, _KINDS[char], sizes, number, generic)

    return Form(plan, inputs, results, dtype)
