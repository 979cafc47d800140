"""Where the elements of a view lie: an offset and a stride per axis into the memory of its root."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from .ir import VIEWS, Shape, Value, contiguous

Strides = tuple[int, ...]
Layout = Callable[[Value], Strides]


class Access(NamedTuple):
    """Element (i, j, ...) of a value is element offset + i s₀ + j s₁ + ... of its root's memory."""

    root: Value
    offset: int
    strides: Strides


def row_major(value: Value) -> Strides:
    """The layout of a value that lies in memory in the usual order."""
    return contiguous(value.shape)


def access(value: Value, layout: Layout = row_major) -> Access | None:
    """How a value is read from the memory of what it is a view of; None where a reshape asks for
    an order that strides cannot express.
    """
    if value.op not in VIEWS:
        return Access(value, 0, layout(value))
    inner = access(value.inputs[0], layout)
    if inner is None:
        return None
    root, offset, strides = inner
    shape = value.inputs[0].shape
    if value.op == "permute":
        return Access(root, offset, tuple([strides[axis] for axis in value.attr]))
    if value.op == "expand":
        repeated = [0 if n == 1 else s for n, s in zip(shape, strides)]
        return Access(root, offset, tuple(repeated))
    if value.op == "slice":
        offset += sum(start * s for (start, _, _), s in zip(value.attr, strides))
        kept = [0 if m == 1 else s * step for (_, m, step), s in zip(value.attr, strides)]
        return Access(root, offset, tuple(kept))
    split = reshaped_strides(shape, strides, value.attr)
    return None if split is None else Access(root, offset, split)


def reshaped_strides(shape: Shape, strides: Strides, new: Shape) -> Strides | None:
    """The strides of a reshaped array in the same memory; None where there are none.

    Runs of old axes that lie in memory as one axis are merged, then cut as the new shape asks.
    """
    if 0 in new:
        return (0,) * len(new)
    runs: list[list[int]] = []  # [extent, stride] of merged axes
    for n, s in zip(shape, strides):
        if n == 1:
            continue
        if runs and runs[-1][1] == n * s:
            runs[-1] = [runs[-1][0] * n, s]
        else:
            runs.append([n, s])
    found: list[int] = []
    for n in reversed(new):
        if n == 1:
            found.append(0)
            continue
        if not runs or runs[-1][0] % n:
            return None
        extent, stride = runs[-1]
        found.append(stride)
        if extent == n:
            runs.pop()
        else:
            runs[-1] = [extent // n, stride * n]
    return None if runs else tuple(reversed(found))


def is_dense(shape: Shape, strides: Strides) -> bool:
    """Whether the elements fill their memory without gaps or repetition, in some order of axes."""
    step = 1
    for s, n in sorted((s, n) for n, s in zip(shape, strides) if n != 1):
        if s != step:
            return False
        step *= n
    return True
