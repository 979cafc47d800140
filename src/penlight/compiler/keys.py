"""Index keys taken apart: what `x[key]` shows of x, and the index arrays that choose from it."""

from __future__ import annotations

from typing import Any

import numpy as np

from .algebra import Unlowerable

Region = tuple[tuple[int, int, int], ...]  # (start, length, step) per axis


def taken_apart(x: Any, key: Any) -> tuple[Region, tuple[int, ...], dict[int, Any]]:
    """A key for x as (slices per axis, the shape they leave, axis of that shape -> index array)."""
    keys = list(key) if isinstance(key, tuple) else [key]
    used = sum(k is not None and k is not Ellipsis for k in keys)
    if not any(k is Ellipsis for k in keys):
        keys.append(Ellipsis)
    at = next(i for i, k in enumerate(keys) if k is Ellipsis)
    keys[at : at + 1] = [slice(None)] * (x.ndim - used)
    region: list[tuple[int, int, int]] = []
    shape: list[int] = []
    indices: dict[int, Any] = {}
    for k in keys:
        if k is None:
            shape.append(1)
            continue
        n = x.shape[len(region)]
        if isinstance(k, slice):
            start, stop, step = k.indices(n)
            length = len(range(start, stop, step))
            region.append((start if length else 0, length, step if length else 1))
            shape.append(length)
        elif isinstance(k, (int, np.integer)) and not isinstance(k, bool):
            if not -n <= k < n:
                raise Unlowerable(f"the index {k} of an axis of length {n}")
            region.append((int(k) % n, 1, 1))
        elif getattr(k, "dtype", None) is not None and k.dtype.kind in "iu":
            region.append((0, n, 1))
            indices[len(shape)] = k
            shape.append(n)
        else:
            raise Unlowerable(f"an index of type {type(k).__name__}")
    return tuple(region), tuple(shape), indices
