"""Choosing entries of planes: what every kind of max pooling does once the places are known.

A plane is one channel of one sample, flattened: an array (*B, *S) seen as (*B, |S|). An index
counts the entries of its own plane.
"""

from __future__ import annotations

from math import prod
from typing import Any

from .families import op


def planes(array: Any, rank: int) -> Any:
    """(*B, *S) as (|B|, |S|), for `rank` axes S."""
    cut = array.ndim - rank
    return array.reshape(prod(array.shape[:cut]), prod(array.shape[cut:]))


def take(xp: Any, x: Any, index: Any, rank: int) -> Any:
    """The entries of x's planes at `index` (*B, *P), P of any rank."""
    flat = planes(index, index.ndim - (x.ndim - rank))
    return xp.take_along_axis(planes(x, rank), flat, 1).reshape(index.shape)


def choosing_op(node: str, rank: int) -> Any:
    """An op (input, values, index) whose result is `values` = `take(input, index)`.

    The values come with the search for the index.
    """

    def rule(g, index, input_shape):
        return _put(g, index, tuple(input_shape), rank)

    @op(name=f"_{node}", node=node, grad={"input": rule})
    def choose(xp, input, values, index):
        """The chosen values."""
        return values

    return choose


@op(
    name="_put",
    node="PutBackward0",
    grad={"grad": lambda g, index, rank: chosen(g, index, rank)},
)
def _put(xp, grad, index, shape, rank):
    """Zeros of `shape` with grad's entries added to their planes at `index`."""
    out = xp.zeros(shape, grad.dtype)
    flat = planes(out, rank)
    index, grad = planes(index, rank), planes(grad, rank)
    offsets = xp.arange(len(flat))[:, None] * flat.shape[1]
    xp.add.at(out.reshape(-1), (index + offsets).reshape(-1), grad.reshape(-1))
    return out


@op(
    name="_chosen",
    node="TakeBackward0",
    grad={"input": lambda g, index, input_shape, rank: _put(g, index, tuple(input_shape), rank)},
)
def chosen(xp, input, index, rank):
    """`take` as an op."""
    return take(xp, input, index, rank)
