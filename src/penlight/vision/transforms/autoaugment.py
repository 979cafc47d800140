"""Augmentations that choose among a fixed set of changes: Auto-, Rand- and TrivialAugment."""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import Enum
from typing import Any

import penlight
from penlight import Tensor
from penlight.nn.modules import Module

from . import functional as F
from .arguments import fill_for
from .functional import InterpolationMode
from .policies import POLICIES

NEAREST = InterpolationMode.NEAREST
Space = dict[str, tuple[Tensor, bool]]  # name -> (magnitudes, may its sign change?)


def _shear(img: Any, x: float, y: float, look: dict) -> Any:
    degrees = [math.degrees(math.atan(x)), math.degrees(math.atan(y))]
    return F.affine(img, 0.0, [0, 0], 1.0, degrees, center=[0, 0], **look)


def _shift(img: Any, x: float, y: float, look: dict) -> Any:
    return F.affine(img, 0.0, [int(x), int(y)], 1.0, [0.0, 0.0], **look)


# name -> change(img, magnitude, {interpolation, fill})
CHANGES: dict[str, Callable[[Any, float, dict], Any]] = {
    "Identity": lambda img, m, look: img,
    "ShearX": lambda img, m, look: _shear(img, m, 0.0, look),
    "ShearY": lambda img, m, look: _shear(img, 0.0, m, look),
    "TranslateX": lambda img, m, look: _shift(img, m, 0, look),
    "TranslateY": lambda img, m, look: _shift(img, 0, m, look),
    "Rotate": lambda img, m, look: F.rotate(img, m, **look),
    "Brightness": lambda img, m, look: F.adjust_brightness(img, 1.0 + m),
    "Color": lambda img, m, look: F.adjust_saturation(img, 1.0 + m),
    "Contrast": lambda img, m, look: F.adjust_contrast(img, 1.0 + m),
    "Sharpness": lambda img, m, look: F.adjust_sharpness(img, 1.0 + m),
    "Posterize": lambda img, m, look: F.posterize(img, int(m)),
    "Solarize": lambda img, m, look: F.solarize(img, m),
    "AutoContrast": lambda img, m, look: F.autocontrast(img),
    "Equalize": lambda img, m, look: F.equalize(img),
    "Invert": lambda img, m, look: F.invert(img),
}


def _space(
    bins: int, shear: float, shifts: tuple[float, float], turn: float, light: float, bits: tuple
) -> Space:
    """The magnitudes of each change in `bins` steps; `bits` = (most, how many fewer at the end)."""

    def steps(end: float, start: float = 0.0) -> Tensor:
        return penlight.linspace(start, end, bins)

    most, fewer = bits
    posterize = most - (penlight.arange(bins) / ((bins - 1) / fewer)).round().int()
    none = penlight.tensor(0.0)
    return {
        "ShearX": (steps(shear), True),
        "ShearY": (steps(shear), True),
        "TranslateX": (steps(shifts[0]), True),
        "TranslateY": (steps(shifts[1]), True),
        "Rotate": (steps(turn), True),
        "Brightness": (steps(light), True),
        "Color": (steps(light), True),
        "Contrast": (steps(light), True),
        "Sharpness": (steps(light), True),
        "Posterize": (posterize, False),
        "Solarize": (steps(0.0, start=255.0), False),
        "AutoContrast": (none, False),
        "Equalize": (none, False),
    }


def _usual_space(bins: int, img: Any) -> Space:
    """The magnitudes of AutoAugment and RandAugment; shifts go up to 150/331 of the size."""
    width, height = F.get_image_size(img)
    shifts = (150.0 / 331.0 * width, 150.0 / 331.0 * height)
    return _space(bins, 0.3, shifts, 30.0, 0.9, (8, 4))


class AutoAugmentPolicy(Enum):
    """The data sets for which AutoAugment's policies were found."""

    IMAGENET = "imagenet"
    CIFAR10 = "cifar10"
    SVHN = "svhn"


class _Augment(Module):
    """Base: how the changes look (interpolation, fill), and how a change is drawn."""

    def __init__(self, interpolation: InterpolationMode, fill: Any) -> None:
        super().__init__()
        self.interpolation = interpolation
        self.fill = fill

    def _apply_change(self, img: Any, name: str, magnitude: float) -> Any:
        look = {"interpolation": self.interpolation, "fill": fill_for(img, self.fill)}
        return CHANGES[name](img, magnitude, look)

    def _random_change(self, img: Any, space: Space, pick: Callable[[Tensor], Any]) -> Any:
        """One change of the space; `pick` chooses its magnitude, whose sign may be turned round."""
        name = list(space)[int(penlight.randint(len(space), (1,)).item())]
        magnitudes, signed = space[name]
        magnitude = float(magnitudes[pick(magnitudes)].item()) if magnitudes.ndim > 0 else 0.0
        if signed and penlight.randint(2, (1,)).item():
            magnitude = -magnitude
        return self._apply_change(img, name, magnitude)


class AutoAugment(_Augment):
    """One pair of changes of a learned policy, for uint8 (https://arxiv.org/abs/1805.09501)."""

    def __init__(
        self,
        policy: AutoAugmentPolicy = AutoAugmentPolicy.IMAGENET,
        interpolation: InterpolationMode = NEAREST,
        fill: Any = None,
    ) -> None:
        super().__init__(interpolation, fill)
        if not isinstance(policy, AutoAugmentPolicy):
            raise ValueError(f"The provided policy {policy} is not recognized.")
        self.policy = policy
        self.policies = POLICIES[policy.value]

    @staticmethod
    def get_params(transform_num: int) -> tuple[int, Tensor, Tensor]:
        """(which pair, a random number for each of its changes, a sign for each)"""
        policy = int(penlight.randint(transform_num, (1,)).item())
        return policy, penlight.rand(2), penlight.randint(2, (2,))

    def forward(self, img: Any) -> Any:
        which, chances, signs = self.get_params(len(self.policies))
        space = _usual_space(10, img) | {"Invert": (penlight.tensor(0.0), False)}
        for i, (name, p, level) in enumerate(self.policies[which]):
            if chances[i] > p:
                continue
            magnitudes, signed = space[name]
            magnitude = 0.0 if level is None else float(magnitudes[level].item())
            if signed and signs[i] == 0:
                magnitude = -magnitude
            img = self._apply_change(img, name, magnitude)
        return img

    def extra_repr(self) -> str:
        return f"policy={self.policy}, fill={self.fill}"


class RandAugment(_Augment):
    """`num_ops` random changes, all of one magnitude (https://arxiv.org/abs/1909.13719)."""

    def __init__(
        self,
        num_ops: int = 2,
        magnitude: int = 9,
        num_magnitude_bins: int = 31,
        interpolation: InterpolationMode = NEAREST,
        fill: Any = None,
    ) -> None:
        super().__init__(interpolation, fill)
        self.num_ops = num_ops
        self.magnitude = magnitude
        self.num_magnitude_bins = num_magnitude_bins

    def forward(self, img: Any) -> Any:
        space = {"Identity": (penlight.tensor(0.0), False)}
        space |= _usual_space(self.num_magnitude_bins, img)
        for _ in range(self.num_ops):
            img = self._random_change(img, space, lambda magnitudes: self.magnitude)
        return img

    def extra_repr(self) -> str:
        return (
            f"num_ops={self.num_ops}, magnitude={self.magnitude}, "
            f"num_magnitude_bins={self.num_magnitude_bins}, "
            f"interpolation={self.interpolation}, fill={self.fill}"
        )


class TrivialAugmentWide(_Augment):
    """One random change of a random, possibly large magnitude (https://arxiv.org/abs/2103.10158)."""

    def __init__(
        self,
        num_magnitude_bins: int = 31,
        interpolation: InterpolationMode = NEAREST,
        fill: Any = None,
    ) -> None:
        super().__init__(interpolation, fill)
        self.num_magnitude_bins = num_magnitude_bins

    def forward(self, img: Any) -> Any:
        space = {"Identity": (penlight.tensor(0.0), False)}
        space |= _space(self.num_magnitude_bins, 0.99, (32.0, 32.0), 135.0, 0.99, (8, 6))
        return self._random_change(img, space, lambda m: penlight.randint(len(m), (1,)).item())

    def extra_repr(self) -> str:
        return (
            f"num_magnitude_bins={self.num_magnitude_bins}, "
            f"interpolation={self.interpolation}, fill={self.fill}"
        )
