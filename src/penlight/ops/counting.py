"""Different values and how often they occur: unique, histograms. No gradients."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.tensor import Tensor, check_dim, wrap
from .families import composite
from .kinds import FLOATS, INTEGERS, unsupported
from .return_types import return_type

# ---------------------------------------------------------------- unique


def _selected(parts: Sequence[Any], wanted: Sequence[bool]) -> Any:
    """The values, alone or with the other results that were asked for."""
    chosen = [wrap(p) for p, want in zip(parts, wanted, strict=True) if want]
    return chosen[0] if len(chosen) == 1 else tuple(chosen)


@composite
def unique(
    input: Tensor, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False,
    dim: int | None = None,
) -> Any:  # fmt: skip
    """The different elements (or slices along `dim`), sorted.

    >>> import penlight as torch
    >>> torch.tensor([1, 3, 2, 3]).unique(return_counts=True)
    (tensor([1, 2, 3]), tensor([1, 1, 2]))
    """
    x = input._array
    axis = None if dim is None else check_dim(dim, x.ndim)
    if axis is not None:
        _check_slices(x, axis)
    values, inverse, counts = np.unique(
        x, return_inverse=True, return_counts=True, axis=axis, equal_nan=False
    )
    inverse = inverse.reshape(x.shape if axis is None else -1)
    return _selected((values, inverse, counts), (True, return_inverse, return_counts))


def _check_slices(x: Any, axis: int) -> None:
    if not x.ndim:
        raise IndexError(f"Dimension specified as {axis} but tensor has no dimensions")
    if any(n == 0 for d, n in enumerate(x.shape) if d != axis):
        raise RuntimeError(
            "There are 0 sized dimensions, and they aren't selected, so unique cannot be applied"
        )


@composite
def unique_consecutive(
    input: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """The first of every run of equal elements (or slices along `dim`)."""
    x = input._array
    if dim is None:
        rows = flat = x.reshape(-1)
    else:
        axis = check_dim(dim, x.ndim)
        _check_slices(x, axis)
        rows = np.moveaxis(x, axis, 0)
        flat = rows.reshape(rows.shape[0], math.prod(rows.shape[1:]))
    new = np.ones(flat.shape[0], bool)
    differs = flat[1:] != flat[:-1]
    new[1:] = differs if flat.ndim == 1 else differs.any(1)
    starts = np.flatnonzero(new)
    values = rows[starts]
    if dim is not None:
        values = np.moveaxis(values, 0, axis)
    inverse = np.cumsum(new) - 1
    inverse = inverse.reshape(x.shape) if dim is None else inverse
    counts = np.diff(np.append(starts, flat.shape[0]))
    return _selected((values, inverse, counts), (True, return_inverse, return_counts))


# ---------------------------------------------------------------- histograms


@composite
def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each integer 0, 1, 2, ... occurs, or the sum of its weights."""
    x = input._array
    if minlength < 0:
        raise RuntimeError("minlength should be >= 0")
    if x.dtype.kind not in INTEGERS:
        raise unsupported("bincount_cpu", x)
    if x.ndim != 1 or (x < 0).any():
        raise RuntimeError("bincount only supports 1-d non-negative integral inputs.")
    if weights is None:
        return wrap(np.bincount(x, minlength=minlength))
    w = weights._array
    if w.shape != x.shape:
        raise RuntimeError("weights should be 1-d and have the same length as input")
    keep = w.dtype if w.dtype == np.float32 else np.dtype(np.float64)
    return wrap(np.bincount(x, w.astype(np.float64), minlength).astype(keep))


def _range(name: str, x: Any, low: float, high: float) -> tuple[float, float]:
    """The interval of a histogram: as given, else that of the data, never empty."""
    if low == high and x.size:
        low, high = float(x.min()), float(x.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise RuntimeError(f"{name}: range of [{low:g}, {high:g}] is not finite")
    if low > high:
        raise RuntimeError(f"{name}: max must be larger than min")
    return (low, high) if low < high else (low - 1, high + 1)


@composite
def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """Counts in equal bins between min and max; of the data's own range where they are equal."""
    x = input._array
    if x.dtype.kind not in FLOATS:
        raise unsupported("histogram_cpu", x)
    if bins <= 0:
        raise RuntimeError("bins must be > 0")
    low, high = _range("torch.histc", x, min, max)
    position = _bins_of(x.reshape(-1).astype(np.float64), low, high, bins)
    return wrap(np.bincount(position, minlength=bins).astype(x.dtype))


def _bins_of(x: Any, low: float, high: float, bins: int) -> Any:
    """Bin numbers of the elements inside; the last bin is closed."""
    inside = x[(x >= low) & (x <= high)]
    return np.minimum(((inside - low) / (high - low) * bins).astype(np.int64), bins - 1)


_histogram = return_type("histogram", "hist bin_edges")
_histogramdd = return_type("histogramdd", "hist bin_edges")


@composite
def histogram(
    input: Tensor, bins: int | Tensor = 100, *, range: Sequence[float] | None = None,
    weight: Tensor | None = None, density: bool = False,
) -> Any:  # fmt: skip
    """Counts, or sums of weights, in bins, and the edges of the bins."""
    x = input._array
    if x.dtype.kind != "f" or x.dtype.itemsize < 4:
        raise unsupported("histogramdd", x)
    if isinstance(bins, Tensor) and bins.dtype is not input.dtype:
        raise RuntimeError(
            "torch.histogram(): input tensor and bins tensors should have the same dtype, but got "
            f"input {x.dtype.name} and bins {bins._array.dtype.name}"
        )
    spans = None if range is None else [tuple(range)]
    counts, edges = _histogram_nd(x.reshape(-1, 1), [bins], spans, weight, density)
    return _histogram(wrap(counts), wrap(edges[0]))


@composite
def histogramdd(
    input: Tensor, bins: Any, *, range: Sequence[float] | None = None,
    weight: Tensor | None = None, density: bool = False,
) -> Any:  # fmt: skip
    """Counts of points (rows) in boxes, and the edges along each axis."""
    x = input._array
    if x.dtype.kind != "f" or x.dtype.itemsize < 4:
        raise unsupported("histogramdd", x)
    if x.ndim < 2:
        raise RuntimeError(
            "torch.histogramdd: input tensor should have at least 2 dimensions, but got "
            f"{x.ndim} dimensions"
        )
    rank = x.shape[-1]
    bins = [bins] * rank if isinstance(bins, int) else list(bins)
    if len(bins) != rank:
        raise RuntimeError(
            f"torch.histogramdd: expected {rank} sequences of bin edges for a {rank}-dimensional "
            f"histogram but got {len(bins)}"
        )
    spans = None if range is None else list(zip(range[::2], range[1::2], strict=True))
    counts, edges = _histogram_nd(x.reshape(-1, rank), bins, spans, weight, density)
    return _histogramdd(wrap(counts), tuple(wrap(e) for e in edges))


def _histogram_nd(
    points: Any, bins: list, spans: list | None, weight: Tensor | None, density: bool
) -> tuple[Any, list[Any]]:
    edges = []
    for axis, b in enumerate(bins):
        if isinstance(b, Tensor):
            edges.append(b._array)
            continue
        if b <= 0:
            raise RuntimeError("bins must be > 0")
        low, high = (0.0, 0.0) if spans is None else spans[axis]
        if spans is None and points.size == 0:
            low, high = 0.0, 1.0
        elif spans is None or low == high:
            low, high = _edges_around(axis, points[:, axis], low, high, spans is None)
        edges.append(np.linspace(low, high, b + 1).astype(points.dtype))
    w = None if weight is None else weight._array.reshape(-1).astype(np.float64)
    wide = [e.astype(np.float64) for e in edges]
    counts, _ = np.histogramdd(points.astype(np.float64), wide, weights=w, density=density)
    return counts.astype(points.dtype), edges


def _edges_around(
    axis: int, x: Any, low: float, high: float, from_data: bool
) -> tuple[float, float]:
    """The data's range, or a given one, widened by a half to both sides if it is a point."""
    if from_data:
        low, high = float(x.min()), float(x.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise RuntimeError(
            f"torch.histogramdd: dimension {axis}'s range [{low:g}, {high:g}] is not finite"
        )
    return (low, high) if low < high else (low - 0.5, high + 0.5)
