"""Sliding windows over the spatial axes of an array (N, C, *S), for convolution, pooling, unfold.

A *kernel* of K positions, `dilation` apart, is moved in steps of `stride` over the axis, padded by
`padding` on both sides. All of them are tuples with an entry per spatial axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from typing import Any

from ..compiler import numerics

Ints = tuple[int, ...]


def has_kernels(x: Any) -> bool:
    """Whether the compiler's kernels take elements of this type; the others are NumPy's work."""
    return x.dtype.char in "fd" and numerics.available()


def positions(size: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints) -> Ints:
    """How many places the kernel has on each axis: floor((S + 2P - D(K - 1) - 1) / stride) + 1.

    >>> positions((5, 6), (3, 3), (1, 2), (0, 1), (1, 1))
    (3, 3)
    """
    return tuple(
        (s + 2 * p - d * (k - 1) - 1) // step + 1
        for s, k, step, p, d in zip(size, kernel, stride, padding, dilation, strict=True)
    )


def embed(xp: Any, x: Any, before: Sequence[int], after: Sequence[int], value: Any = 0) -> Any:
    """x with `before` and `after` more entries on its last axes; negative: fewer, cut off."""
    first = x.ndim - len(before)
    keep = [slice(None)] * first + [
        slice(max(-b, 0), n - max(-a, 0))
        for n, b, a in zip(x.shape[first:], before, after, strict=True)
    ]
    x = x[tuple(keep)]
    before, after = [max(b, 0) for b in before], [max(a, 0) for a in after]
    if not any(before) and not any(after):
        return x
    sizes = x.shape[first:]
    shape = x.shape[:first] + tuple(b + n + a for n, b, a in zip(sizes, before, after, strict=True))
    out = xp.full(shape, value, x.dtype) if value else xp.zeros(shape, x.dtype)
    out[(..., *(slice(b, b + n) for n, b in zip(sizes, before, strict=True)))] = x
    return out


def windows(xp: Any, x: Any, kernel: Ints, stride: Ints, dilation: Ints, places: Ints) -> Any:
    """A view (N, C, *kernel, *places) of x: element k of the window at place p.  No copy."""
    steps = x.strides[2:]
    taps = tuple(s * d for s, d in zip(steps, dilation, strict=True))
    moves = tuple(s * m for s, m in zip(steps, stride, strict=True))
    return xp.lib.stride_tricks.as_strided(
        x, x.shape[:2] + kernel + places, x.strides[:2] + taps + moves
    )


@lru_cache(maxsize=512)
def taps(
    kernel: Ints, stride: Ints, dilation: Ints, places: Ints
) -> tuple[tuple[Ints, tuple], ...]:
    """Per kernel element: its position and the slices of the padded axes that it meets.

    >>> taps((2,), (3,), (1,), (4,))
    (((0,), (slice(0, 10, 3),)), ((1,), (slice(1, 11, 3),)))
    """
    found = []
    for tap in product(*map(range, kernel)):
        starts = [t * d for t, d in zip(tap, dilation, strict=True)]
        spot = tuple(
            slice(start, start + (n - 1) * step + 1, step)
            for start, step, n in zip(starts, stride, places, strict=True)
        )
        found.append((tap, spot))
    return tuple(found)
