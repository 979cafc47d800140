"""Where the inputs of a program come from at each replay."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.tensor import Tensor


class Source:
    """One input."""

    __slots__ = ()


class Argument(Source):
    """The n-th tensor among the arguments."""

    __slots__ = ("position",)

    def __init__(self, position: int):
        self.position = position


class Stored(Source):
    """A tensor that was there before the call: a parameter, a buffer, one in a closure."""

    __slots__ = ("tensor",)

    def __init__(self, tensor: Tensor):
        self.tensor = tensor


class Grad(Source):
    """The `.grad` that a leaf has when the call begins."""

    __slots__ = ("leaf",)

    def __init__(self, leaf: Tensor):
        self.leaf = leaf


class Fixed(Source):
    """A constant that the call makes."""

    __slots__ = ("array",)

    def __init__(self, array: np.ndarray):
        self.array = array


class Number(Source):
    """A number that Python computes before each replay: `action` leaves it under `name`."""

    __slots__ = ("action", "name")

    def __init__(self, action: Any, name: str):
        self.action, self.name = action, name


class Seed(Source):
    """The gradient that arrives at the n-th output."""

    __slots__ = ("position",)

    def __init__(self, position: int):
        self.position = position
