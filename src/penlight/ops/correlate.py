"""Correlation of arrays and its two adjoints, in 1 to 3 dimensions: the arithmetic of convolution.

    y[n, o, p] = Σ_ck  x[n, c, stride·p + dilation·k - padding] · w[o, c, k]

x (N, C, *S)   w (O, C/groups, *K)   y (N, O, *P).   The three functions are the sum over k, over p
and over o of the same product, so they are each other's derivatives.

Windows of a few samples at a time are copied into the columns of a matrix that fits the processor's
cache, and a matrix product does the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any, NamedTuple

from .depthwise import (
    correlate_depthwise,
    correlate_depthwise_input,
    correlate_depthwise_weight,
    runs_of,
)
from .windows import Ints, embed, positions, taps, windows

_FORWARD_COLUMNS = 256  # a product with fewer columns than this takes several samples at once
_WEIGHT_COLUMNS = 1024


class Geometry(NamedTuple):
    """How the kernel moves; an entry per spatial axis."""

    stride: Ints
    padding: Ints
    dilation: Ints
    groups: int


def correlate(xp: Any, x: Any, w: Any, how: Geometry) -> Any:
    """y, as above."""
    n, c = x.shape[:2]
    o, kernel = w.shape[0], w.shape[2:]
    places = positions(x.shape[2:], kernel, how.stride, how.padding, how.dilation)
    y = xp.empty((n, o, *places), x.dtype)
    x = embed(xp, x, how.padding, how.padding)
    if _depthwise(c, w, how):
        correlate_depthwise(xp, x, w, runs_of(kernel, how.stride, how.dilation, places), y)
        return y
    w = _by_group(w, how.groups)
    grouped = y.reshape(n, how.groups, o // how.groups, prod(places))
    for first, last, columns in _columns(xp, x, kernel, places, how, _FORWARD_COLUMNS):
        if last - first == 1:
            xp.matmul(w, columns, out=grouped[first])
        else:
            product = xp.matmul(w, columns)
            split = product.reshape(*product.shape[:2], last - first, prod(places))
            grouped[first:last] = xp.moveaxis(split, 2, 0)
    return y


def correlate_input(xp: Any, g: Any, w: Any, size: Ints, how: Geometry) -> Any:
    """Σ over o and p: the adjoint in x (N, C, *size). It is the transposed convolution."""
    o, kernel = w.shape[0], w.shape[2:]
    c = w.shape[1] * how.groups
    reach = [d * (k - 1) for d, k in zip(how.dilation, kernel, strict=True)]
    if set(how.stride) == {1} and w.shape[1] > 1 and o <= 2 * c:
        before = [r - p for r, p in zip(reach, how.padding, strict=True)]
        after = [s + r - n - b for s, r, n, b in zip(size, reach, g.shape[2:], before, strict=True)]
        still = Geometry(how.stride, (0,) * len(size), how.dilation, how.groups)
        return correlate(xp, embed(xp, g, before, after), _mirrored(xp, w, how.groups), still)
    out = xp.zeros(
        (g.shape[0], c, *(s + 2 * p for s, p in zip(size, how.padding, strict=True))), g.dtype
    )
    if _depthwise(c, w, how):
        runs = runs_of(kernel, how.stride, how.dilation, g.shape[2:])
        correlate_depthwise_input(xp, g, w, runs, out)
    else:
        _add_columns(xp, g, w, how, out)
    less = [-p for p in how.padding]
    return xp.ascontiguousarray(embed(xp, out, less, less))


def correlate_weight(xp: Any, g: Any, x: Any, kernel: Ints, how: Geometry) -> Any:
    """Σ over n and p: the adjoint in w, an array (O, C/groups, *kernel)."""
    (n, o), c, groups = g.shape[:2], x.shape[1], how.groups
    places = g.shape[2:]
    x = embed(xp, x, how.padding, how.padding)
    w = xp.zeros((o, c // groups, *kernel), g.dtype)
    if _depthwise(c, w, how):
        runs = runs_of(kernel, how.stride, how.dilation, places)
        correlate_depthwise_weight(xp, g, x, runs, w)
        return w
    grouped = _by_group(w, groups)
    g = xp.moveaxis(
        g.reshape(n, groups, o // groups, prod(places)), 0, 2
    )  # (groups, O/groups, N, P)
    for first, last, columns in _columns(xp, x, kernel, places, how, _WEIGHT_COLUMNS):
        rows = g[:, :, first:last].reshape(groups, o // groups, columns.shape[2])
        grouped += xp.matmul(rows, columns.swapaxes(1, 2))
    return w


def _columns(
    xp: Any, x: Any, kernel: Ints, places: Ints, how: Geometry, least: int
) -> Iterator[tuple[int, int, Any]]:
    """(first, last, matrix) per block of samples; matrix (groups, C/groups·|K|, samples·|P|)."""
    n, c = x.shape[:2]
    rank, pixels = len(kernel), prod(places)
    if pixels == 0 or n == 0:
        return
    samples = min(n, -(-least // pixels))
    view = xp.moveaxis(windows(xp, x, kernel, how.stride, how.dilation, places), 0, rank + 1)
    if prod(kernel) == 1 and samples == 1 and x.shape[2:] == places and x.flags.c_contiguous:
        for i, matrix in enumerate(x.reshape(n, how.groups, c // how.groups, pixels)):
            yield i, i + 1, matrix
        return
    buffer = xp.empty((c, *kernel, samples, *places), x.dtype)
    at = (slice(None),) * (rank + 1)
    for first in range(0, n, samples):
        last = min(first + samples, n)
        part = buffer if last - first == samples else xp.empty_like(buffer[(*at, slice(n - first))])
        part[...] = view[(*at, slice(first, last))]
        rows = c // how.groups * prod(kernel)
        yield first, last, part.reshape(how.groups, rows, (last - first) * pixels)


def _by_group(w: Any, groups: int) -> Any:
    """A kernel (O, C/groups, *K) as matrices (groups, O/groups, C/groups·|K|)."""
    return w.reshape(groups, w.shape[0] // groups, prod(w.shape[1:]))


def _mirrored(xp: Any, w: Any, groups: int) -> Any:
    """The kernel of the adjoint: mirrored in space, in and out channels swapped within a group."""
    split = w.reshape(groups, w.shape[0] // groups, *w.shape[1:])
    split = xp.flip(split.swapaxes(1, 2), tuple(range(3, split.ndim)))
    return split.reshape(groups * w.shape[1], *split.shape[2:])


def _add_columns(xp: Any, g: Any, w: Any, how: Geometry, out: Any) -> None:
    """out += the columns that each pixel of g stands for, sample by sample."""
    n, o, *places = g.shape
    kernel = w.shape[2:]
    c = out.shape[1]
    w = _by_group(w, how.groups).swapaxes(1, 2)
    g = g.reshape(n, how.groups, o // how.groups, prod(places))
    columns = xp.empty((how.groups, w.shape[1], prod(places)), g.dtype)
    by_tap = columns.reshape(c, *kernel, *places)
    spots = taps(kernel, how.stride, how.dilation, tuple(places))
    for sample, target in zip(g, out, strict=True):
        xp.matmul(w, sample, out=columns)
        for tap, spot in spots:
            target[(slice(None), *spot)] += by_tap[(slice(None), *tap)]


def _depthwise(c: int, w: Any, how: Geometry) -> bool:
    return w.shape[1] == 1 and c == how.groups and c > 1
