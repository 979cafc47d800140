"""Rows by number, at once: kernels for arrays that lie in order, NumPy for others."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from math import prod
from typing import Any

import numpy as np

from .types import NAMES

LARGE = 1 << 17  # elements from which on several threads are worth waking
KINDS = {dtype: name for dtype, name in NAMES.items() if name in ("f32", "f64", "i32", "i64")}


def rows(table: np.ndarray, index: np.ndarray) -> np.ndarray:
    """table[index] for indices 0 <= index < len(table); IndexError for others."""
    index = index.astype(np.int64, copy=False)
    cols = prod(table.shape[1:])
    kernel = _kernel("TakeRows", table.dtype, index.size * cols)
    if kernel is None or cols == 0:
        return table[_checked(index, len(table))]
    out = np.empty(index.shape + table.shape[1:], table.dtype)
    _call(kernel, (table, index, out), (len(table), index.size, cols))
    return out


def add_rows(index: np.ndarray, part: np.ndarray, *, rows: int) -> np.ndarray:
    """Zeros of so many rows, with part[i] added to row index[i], i ascending."""
    out = np.zeros((rows, *part.shape[index.ndim :]), part.dtype)
    return _added(out, index, part)


def add_at(base: np.ndarray, index: np.ndarray, part: np.ndarray) -> np.ndarray:
    """A copy of base with part[i] added to row index[i], i ascending; IndexError where there is
    none.
    """
    return _added(base.copy("C"), index, part)


def _added(out: np.ndarray, index: np.ndarray, part: np.ndarray) -> np.ndarray:
    index = index.astype(np.int64, copy=False)
    cols = prod(out.shape[1:])
    kernel = _kernel("AddAt", out.dtype, index.size * cols)
    if kernel is None or cols == 0:
        np.add.at(out, _checked(index, len(out)), part)
        return out
    _call(kernel, (index, part, out), (len(out), index.size, cols))
    return out


def _call(kernel: Callable[..., None], arrays: tuple, sizes: tuple[int, int, int]) -> None:
    error = np.zeros(4, np.int64)
    kernel(*[np.ascontiguousarray(a) for a in arrays], error, *sizes)
    if error[0]:
        raise _out_of_range(error[1], error[2])


def _out_of_range(index: Any, rows: Any) -> IndexError:
    return IndexError(f"index {index} is out of bounds for axis 0 with size {rows}")


def _checked(index: np.ndarray, rows: int) -> np.ndarray:
    wrong = (index < 0) | (index >= rows)
    if wrong.any():
        raise _out_of_range(index[wrong].flat[0], rows)
    return index


def _kernel(name: str, dtype: np.dtype, moved: int) -> Callable[..., None] | None:
    """The kernel for one or many threads; None where there is none for these elements."""
    kind = KINDS.get(dtype)
    if kind is None:
        return None
    return _made(name, kind, moved >= LARGE)


@cache
def _made(name: str, kind: str, large: bool) -> Callable[..., None] | None:
    if find_spec("llvmlite") is None:
        return None
    from . import runtime
    from .kernels import scatter

    return runtime.kernel(getattr(scatter, name)(kind, threads=scatter.MANY if large else 1))
