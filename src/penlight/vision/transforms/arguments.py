"""Checks that the transforms share, and their random draws."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import penlight
from penlight import Tensor
from penlight.core import draws
from penlight.core.random import default_generator


def uniform(low: float, high: float) -> float:
    """One number from penlight's generator, uniform in [low, high)."""
    dtype = penlight.get_default_dtype().np
    return draws.uniform(default_generator, 1, dtype, low, high).item()


def randint(low: int, high: int) -> int:
    """One integer from penlight's generator, low <= n < high."""
    return int(penlight.randint(low, high, size=(1,)).item())


def need_sequence(value: Any, name: str, sizes: Sequence[int]) -> None:
    """Raise unless value is a sequence of one of these lengths."""
    wanted = f"{name} should be a sequence of length {' or '.join(map(str, sizes))}."
    if not isinstance(value, Sequence):
        raise TypeError(wanted)
    if len(value) not in sizes:
        raise ValueError(wanted)


def angle_range(value: Any, name: str, sizes: Sequence[int] = (2,)) -> list[float]:
    """A range of angles; one number d stands for (-d, d)."""
    if isinstance(value, int | float):
        if value < 0:
            raise ValueError(f"If {name} is a single number, it must be positive.")
        value = (-value, value)
    need_sequence(value, name, sizes)
    return [float(v) for v in value]


def fill_value(fill: Any) -> Any:
    """The fill as given; None stands for 0."""
    if fill is None:
        return 0
    if not isinstance(fill, Sequence | int | float):
        raise TypeError("Fill should be either a sequence or a number.")
    return fill


def fill_for(img: Any, fill: Any) -> Any:
    """The fill as this image needs it: for a tensor a list of floats."""
    if not isinstance(img, Tensor) or fill is None:
        return fill
    return [float(f) for f in ([fill] if isinstance(fill, int | float) else fill)]


def check_ranges(scale: Any, ratio: Any) -> None:
    """Raise or warn unless both are pairs (min, max)."""
    if not isinstance(scale, Sequence):
        raise TypeError("Scale should be a sequence")
    if not isinstance(ratio, Sequence):
        raise TypeError("Ratio should be a sequence")
    if scale[0] > scale[1] or ratio[0] > ratio[1]:
        warnings.warn("Scale and ratio should be of kind (min, max)", stacklevel=3)


def random_boxes(
    area: int, scale: Sequence[float], ratio: Sequence[float]
) -> Iterator[tuple[int, int]]:
    """Ten random (√(a r), √(a / r)): a uniform in scale · area, log r uniform in log ratio."""
    low, high = penlight.log(penlight.tensor(ratio)).tolist()
    for _ in range(10):
        share = area * uniform(scale[0], scale[1])
        aspect = penlight.exp(penlight.tensor(uniform(low, high))).item()
        yield round(math.sqrt(share * aspect)), round(math.sqrt(share / aspect))
