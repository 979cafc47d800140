"""Sequences of numbers by rule: arange, linspace, logspace; and what depends on positions only."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import dtype as dtypes
from ..core.exact import fma32, fma64
from ..core.tensor import Tensor
from .cast import cast
from .factory import factory, np_dtype


def _scalar(function: str, argument: str, position: int, value: Any) -> Any:
    """A Python number, given as such or as a tensor of one element."""
    if isinstance(value, Tensor):
        value = value.item()
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, (bool, int, float, complex)):
        raise TypeError(
            f"{function}(): argument '{argument}' (position {position}) must be Number, "
            f"not {type(value).__name__}"
        )
    return value


def _range_dtype(function: str, dtype: dtypes.dtype | None, numbers: list) -> dtypes.dtype:
    """int64 for whole numbers, else the default type."""
    if dtype is None:
        whole = all(isinstance(n, int) for n in numbers)
        return dtypes.int64 if whole else dtypes.get_default_dtype()
    if dtype is dtypes.bool_ or dtype.is_complex:
        raise NotImplementedError(f"\"{function}_cpu\" not implemented for '{dtype.scalar_name}'")
    return dtype


def _check_range(start: Any, end: Any, step: Any) -> None:
    for value in (start, end, step):
        if isinstance(value, complex):
            raise RuntimeError("value cannot be converted to type double without overflow")
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if not (math.isfinite(start) and math.isfinite(end)):
        raise RuntimeError(f"unsupported range: {start} -> {end}")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")


def _progression(start: Any, step: Any, count: int, dtype: dtypes.dtype) -> np.ndarray:
    """start, start + step, ...: in whole numbers, or in float64 before rounding."""
    if dtype.category == dtypes.INTEGER:
        start, step = int(start), int(step)
        return (start + step * np.arange(count)).astype(dtype.np)
    return cast(start + np.arange(count) * float(step), dtype.np)


@factory("torch.arange")
def arange(*args, dtype=None, **kwargs):
    """The numbers start, start + step, ... below end.

    >>> import penlight as torch
    >>> torch.arange(5), torch.arange(1, 2, 0.25)
    (tensor([0, 1, 2, 3, 4]), tensor([1.0000, 1.2500, 1.5000, 1.7500]))
    """
    start, end, step = _bounds("arange", args, kwargs)
    dtype = _range_dtype("arange", dtype, [start, end, step])
    if dtype is dtypes.int64:
        _check_range(start, end, step)
        start, end, step = int(start), int(end), int(step)
        if max(abs(start), abs(end)) >= 2**63:
            raise OverflowError("int too big to convert")
        if step == 0:
            raise ValueError("step must be nonzero")
        return _progression(start, step, max(0, -((start - end) // step)), dtype)
    _check_range(start, end, step)
    return _progression(start, step, math.ceil((end - start) / step), dtype)


def _bounds(function: str, args: tuple, kwargs: dict) -> list:
    """start, end and step from (end), (start, end) or (start, end, step)."""
    names = ("end",) if len(args) == 1 and "end" not in kwargs else ("start", "end", "step")
    given = {"start": 0, "step": 1} | dict(zip(names, args, strict=False)) | kwargs
    if "end" not in given:
        raise TypeError(f'{function}() missing 1 required positional arguments: "end"')
    unknown = [name for name in given if name not in ("start", "end", "step")]
    if unknown or len(args) > 3:
        raise TypeError(
            f"{function}() received an invalid combination of arguments: {unknown or list(args)}"
        )
    return [
        _scalar(function, name, at, given[name])
        for at, name in enumerate(("start", "end", "step"), 0 if len(args) == 1 else 1)
    ]


@factory("torch.range")
def range_(start=0, end=None, step=1, *, dtype=None):
    """Like :func:`arange`, with `end` included. Deprecated."""
    warnings.warn(
        "torch.range is deprecated and will be removed in a future release because its behavior "
        "is inconsistent with Python's range builtin. Instead, use torch.arange, which produces "
        "values in [start, end).",
        UserWarning,
        stacklevel=3,
    )
    if end is None:
        start, end = 0, start
    start, end, step = (_scalar("range", "end", 2, n) for n in (start, end, step))
    dtype = dtypes.get_default_dtype() if dtype is None else dtype
    _check_range(start, end, step)
    return _progression(start, step, math.floor((end - start) / step) + 1, dtype)


def _end_point(function: str, name: str, value: Any) -> Any:
    if isinstance(value, Tensor) and value._array.ndim:
        raise RuntimeError(
            f"{function} only supports 0-dimensional start and end tensors, but got {name} with "
            f"{value._array.ndim} dimension(s)."
        )
    return _scalar(function, name, 1, value)


def _spaced(function: str, start: Any, end: Any, steps: Any, dtype: Any) -> tuple:
    """The points, in float64 or whole, and the type of the result."""
    start, end = _end_point(function, "start", start), _end_point(function, "end", end)
    if isinstance(steps, Tensor):
        steps = steps.item()
    if not hasattr(steps, "__index__"):
        raise TypeError(
            f"{function}() received an invalid combination of arguments - got "
            f"({type(start).__name__}, {type(end).__name__}, {type(steps).__name__}): "
            "steps must be an int"
        )
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    is_complex = isinstance(start, complex) or isinstance(end, complex)
    if dtype is None:
        dtype = dtypes.get_default_dtype()
        dtype = dtype.to_complex() if is_complex else dtype
    if is_complex and not dtype.is_complex:
        inferred = {4: "c10::complex<float>", 8: "c10::complex<double>"}.get(
            dtypes.get_default_dtype().itemsize, "c10::complex<c10::Half>"
        )
        raise RuntimeError(
            f"torch.{function}(): inferred dtype {inferred} can't be safely cast to passed dtype "
            f"{dtype.scalar_name}"
        )
    return _from_both_ends(start, end, steps, dtype), dtype


def _from_both_ends(start: Any, end: Any, steps: int, dtype: dtypes.dtype) -> np.ndarray:
    """The first half counted from the start, the second from the end, so that both are exact.

    PyTorch rounds product and sum together (a fused multiply-add); whole points it computes in
    float64.
    """
    if dtype.category == dtypes.INTEGER:
        start, end, kind = int(start), int(end), np.dtype(np.float64)
    else:
        kind = dtype.np
    first, last = (cast(np.asarray(value), kind) for value in (start, end))
    if steps == 1:
        return first[None]
    step = (last - first) / cast(np.asarray(max(steps - 1, 1)), kind)
    up, down = np.arange(steps // 2), np.arange(steps - steps // 2 - 1, -1, -1)
    up, down = up.astype(first.real.dtype), down.astype(first.real.dtype)
    fused = _FUSED.get(kind)
    if fused is not None:
        parts = fused(up, step, first), fused(down, -step, last)
    else:
        parts = first + step * up, last - step * down
    return np.concatenate(parts)


_FUSED: dict[np.dtype, Callable] = {np.dtype(np.float32): fma32, np.dtype(np.float64): fma64}


@factory("torch.linspace")
def linspace(start, end, steps, *, dtype=None):
    """`steps` numbers from start to end at equal distances.

    >>> import penlight as torch
    >>> torch.linspace(0, 1, 5)
    tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000])
    """
    points, dtype = _spaced("linspace", start, end, steps, dtype)
    return cast(points, dtype.np)


@factory("torch.logspace")
def logspace(start, end, steps, base=10.0, *, dtype=None):
    """base to the powers of `linspace(start, end, steps)`.

    >>> import penlight as torch
    >>> torch.logspace(0, 2, 3)
    tensor([  1.,  10., 100.])
    """
    points, dtype = _spaced("logspace", start, end, steps, dtype)
    wide = np.complex128 if dtype.is_complex else np.float64
    with np.errstate(all="ignore"):
        return cast(np.power(base, points.astype(wide)), dtype.np)


# ---------------------------------------------------------------- positions in a matrix


@factory("torch.eye")
def eye(n, m=None, *, dtype=None):
    """Ones on the diagonal, zeros elsewhere.

    >>> import penlight as torch
    >>> torch.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    m = n if m is None else m
    for name, size in (("n", n), ("m", m)):
        if size < 0:
            raise RuntimeError(f"{name} must be greater or equal to 0, got {size}")
    kind = np_dtype(dtype)
    return cast(np.eye(n, m), kind)


def _triangle(function: str, row: int, col: int, dtype: Any, keep: Any) -> np.ndarray:
    for name, size in (("row", row), ("col", col)):
        if size < 0:
            raise RuntimeError(f"{name} must be non-negative, got{size}")
    dtype = dtypes.int64 if dtype is None else dtype
    if dtype not in (dtypes.int64, dtypes.int32):
        raise NotImplementedError(f"\"{function}\" not implemented for '{dtype.scalar_name}'")
    return np.stack(np.nonzero(keep)).astype(dtype.np)


@factory("torch.tril_indices")
def tril_indices(row, col, offset=0, *, dtype=None):
    """The positions (rows; columns) on and below the diagonal `offset`, row by row.

    >>> import penlight as torch
    >>> torch.tril_indices(2, 2)
    tensor([[0, 1, 1],
            [0, 0, 1]])
    """
    keep = np.tri(max(row, 0), max(col, 0), offset, dtype=bool)
    return _triangle("tril_indices", row, col, dtype, keep)


@factory("torch.triu_indices")
def triu_indices(row, col, offset=0, *, dtype=None):
    """The positions (rows; columns) on and above the diagonal `offset`, row by row."""
    keep = ~np.tri(max(row, 0), max(col, 0), offset - 1, dtype=bool)
    return _triangle("triu_indices", row, col, dtype, keep)
