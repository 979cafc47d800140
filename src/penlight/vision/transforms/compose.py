"""Transforms made of transforms: one after the other, some of them, or one of them."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import penlight
from penlight.nn.modules import Module


def _listing(owner: Any, transforms: Sequence[Callable], head: str = "") -> str:
    """Name(, one transform a line, )"""
    lines = [head] if head else []
    lines += [f"    {t}" for t in transforms]
    return "\n".join([f"{type(owner).__name__}(", *lines, ")"])


class Compose:
    """The transforms one after the other.

    >>> Compose([lambda x: x + 1, lambda x: 2 * x])(3)
    8
    """

    def __init__(self, transforms: Sequence[Callable]) -> None:
        self.transforms = transforms

    def __call__(self, img: Any) -> Any:
        for transform in self.transforms:
            img = transform(img)
        return img

    def __repr__(self) -> str:
        return _listing(self, self.transforms)


class Lambda:
    """Any function as a transform."""

    def __init__(self, lambd: Callable) -> None:
        if not callable(lambd):
            raise TypeError(f"Argument lambd should be callable, got {type(lambd).__name__!r}")
        self.lambd = lambd

    def __call__(self, img: Any) -> Any:
        return self.lambd(img)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class RandomApply(Module):
    """All of the transforms with probability p, else none."""

    def __init__(self, transforms: Sequence[Callable], p: float = 0.5) -> None:
        super().__init__()
        self.transforms = transforms
        self.p = p

    def forward(self, img: Any) -> Any:
        if self.p < penlight.rand(1):
            return img
        for transform in self.transforms:
            img = transform(img)
        return img

    def __repr__(self) -> str:
        return _listing(self, self.transforms, f"    p={self.p}")


class RandomTransforms:
    """Base of the transforms that choose among a list, by Python's own `random`."""

    def __init__(self, transforms: Sequence[Callable]) -> None:
        if not isinstance(transforms, Sequence):
            raise TypeError("Argument transforms should be a sequence")
        self.transforms = transforms

    def __call__(self, *args: Any) -> Any:
        raise NotImplementedError

    def __repr__(self) -> str:
        return _listing(self, self.transforms)


class RandomOrder(RandomTransforms):
    """All of the transforms, in a random order."""

    def __call__(self, img: Any) -> Any:
        order = list(range(len(self.transforms)))
        random.shuffle(order)
        for i in order:
            img = self.transforms[i](img)
        return img


class RandomChoice(RandomTransforms):
    """One of the transforms, chosen with weights p."""

    def __init__(self, transforms: Sequence[Callable], p: Sequence[float] | None = None) -> None:
        super().__init__(transforms)
        if p is not None and not isinstance(p, Sequence):
            raise TypeError("Argument p should be a sequence")
        self.p = p

    def __call__(self, *args: Any) -> Any:
        (transform,) = random.choices(self.transforms, weights=self.p)
        return transform(*args)

    def __repr__(self) -> str:
        return f"{super().__repr__()}(p={self.p})"
