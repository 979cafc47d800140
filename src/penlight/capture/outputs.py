"""How a replay hands out its results: tensors, views of one another, gradients.

This is the one place where results are bound to tensors.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..compiler import numerics
from ..core.tensor import Tensor, wrap


class Given:
    """A tensor that was there before: an argument, or another."""

    __slots__ = ("position", "tensor")
    slot = None

    def is_simple(self) -> bool:
        """Whether it is just a tensor over an output."""
        return False

    def __init__(self, position: int | None, tensor: Tensor | None):
        self.position, self.tensor = position, tensor


class Made:
    """A new tensor over an output of the program, or over a view of one."""

    __slots__ = ("chain", "inference", "leaf", "number", "slot")

    def __init__(self, number: int, chain: list[tuple]):
        self.number, self.chain = number, chain
        self.slot: int | None = None
        self.inference = self.leaf = False

    def is_simple(self) -> bool:
        """Whether it is just a tensor over an output."""
        return not self.chain and not self.inference and not self.leaf and self.slot is None

    def tensor(self, arrays: list, results: list) -> Tensor:
        """The tensor."""
        return finish(self, taken(results[self.number], self.chain))


class Shown:
    """A new tensor over the memory of an input, or over a view of it."""

    __slots__ = ("chain", "inference", "leaf", "slot", "source")

    def __init__(self, source: int, chain: list[tuple]):
        self.source, self.chain = source, chain
        self.slot: int | None = None
        self.inference = self.leaf = False

    def is_simple(self) -> bool:
        """Whether it is just a tensor over an output."""
        return False

    def tensor(self, arrays: list, results: list) -> Tensor:
        """The tensor."""
        return finish(self, taken(arrays[self.source], self.chain))


class Bound:
    """A leaf whose `.grad` is another one after the call; `made` is None where there is none."""

    __slots__ = ("leaf", "made", "place")

    def __init__(self, leaf: Tensor, place: int | None, made: Made | None):
        self.leaf, self.place, self.made = leaf, place, made

    def is_simple(self) -> bool:
        """Whether one leaf gets a plain output."""
        return self.place is None and self.made is not None and self.made.is_simple()


def bind(
    gradients: list[tuple[Tensor, int]], others: list[Bound], tensors: list, arrays: list,
    results: list,
) -> None:  # fmt: skip
    """Gives each leaf its gradient: `gradients` are those that are plain outputs."""
    for leaf, number in gradients:
        leaf._grad = wrap(results[number])
    for bound in others:
        leaf = bound.leaf if bound.place is None else tensors[bound.place]
        leaf._grad = None if bound.made is None else bound.made.tensor(arrays, results)


def taken(array: Any, chain: list[tuple]) -> np.ndarray:
    """The view of an array that a chain of view functions takes."""
    for function, args, place, slot in chain:
        array = function(numerics, *args[:place], array, *args[place + 1 :])
        if isinstance(array, tuple):
            array = array[slot]
    return array


def finish(how: Any, array: np.ndarray) -> Tensor:
    """A tensor over an array, as it was made in the recorded call."""
    t = wrap(array)
    if how.inference:
        t._writes = -(1 << 60)
    if how.leaf:
        t._requires_grad = True
    return t
