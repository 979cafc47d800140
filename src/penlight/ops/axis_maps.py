"""Linear maps along single axes: padding by mirroring, up- and downsampling.

A map takes each output entry i from a few entries of its axis:

    y[..., i, ...] = Σ_t  weight[i, t] · x[..., index[i, t], ...]

Its adjoint, the gradient, sends each output entry back to where it came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from .families import op


class AxisMap(NamedTuple):
    """How an axis of length `size` is mapped; index and weight have shape (outputs, taps)."""

    size: int
    index: Any
    weight: Any = None  # None: all ones


Maps = Sequence[AxisMap | None]  # for the last axes, in order; None leaves an axis as it is


def apply_maps(xp: Any, x: Any, maps: Maps) -> Any:
    """x with each of its last axes mapped."""
    for axis, map_ in _cheapest_first(maps):
        x = _apply(xp, x, axis, map_)
    return x


def apply_adjoints(xp: Any, g: Any, maps: Maps) -> Any:
    """The adjoint of `apply_maps`."""
    for axis, map_ in reversed(_cheapest_first(maps)):
        g = _apply_adjoint(xp, g, axis, map_)
    return g


def _cheapest_first(maps: Maps) -> list[tuple[int, AxisMap]]:
    """The axes (negative) with their maps, those that shrink most first."""
    found = [(i - len(maps), map_) for i, map_ in enumerate(maps) if map_ is not None]
    return sorted(found, key=lambda pair: len(pair[1].index) / max(pair[1].size, 1))


def _apply(xp: Any, x: Any, axis: int, map_: AxisMap) -> Any:
    total = None
    for t in range(map_.index.shape[1]):
        part = xp.take(x, map_.index[:, t], axis)
        if map_.weight is not None:
            part *= _along(map_.weight[:, t], axis, x.dtype)
        total = part if total is None else xp.add(total, part, out=total)
    return total


def _apply_adjoint(xp: Any, g: Any, axis: int, map_: AxisMap) -> Any:
    if not g.size:
        shape = list(g.shape)
        shape[axis] = map_.size
        return xp.zeros(shape, g.dtype)
    return _apply(xp, g, axis, _transposed(xp, map_))


def _transposed(xp: Any, map_: AxisMap) -> AxisMap:
    """The adjoint map: per input entry the output entries that took from it, with their weights.

    Entries that fewer outputs took from than others are filled up with weight 0.
    """
    outputs, taps = map_.index.shape
    source = map_.index.reshape(-1)
    order = xp.argsort(source, kind="stable")
    counts = xp.bincount(source, minlength=map_.size)
    column = xp.arange(len(order)) - xp.repeat(xp.cumsum(counts) - counts, counts)
    index = xp.zeros((map_.size, int(counts.max())), xp.int64)
    index[source[order], column] = order // taps
    if map_.weight is None and counts.min() == counts.max():
        return AxisMap(outputs, index)
    weight = xp.zeros(index.shape)
    weight[source[order], column] = 1 if map_.weight is None else map_.weight.reshape(-1)[order]
    return AxisMap(outputs, index, weight)


def _along(weight: Any, axis: int, dtype: Any) -> Any:
    return weight.astype(dtype).reshape(-1, *(1,) * (-axis - 1))


def mapping_op(node: str) -> Any:
    """An op (input, maps) that applies maps and shows itself as `node`."""

    @op(name="_" + node, node=node, grad={"input": lambda g, maps: _adjoint(g, maps)})
    def mapping(xp, input, maps):
        """`apply_maps` as an op."""
        return apply_maps(xp, input, maps)

    @op(name=f"_{node}Adjoint", node=node, grad={"grad": lambda g, maps: mapping(g, maps)})
    def _adjoint(xp, grad, maps):
        """`apply_adjoints` as an op."""
        return apply_adjoints(xp, grad, maps)

    return mapping
