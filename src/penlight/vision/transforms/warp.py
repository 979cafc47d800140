"""Random rotations and other maps of the plane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import penlight
from penlight.nn.modules import Module

from . import functional as F
from .arguments import angle_range, fill_for, fill_value, need_sequence, randint, uniform
from .functional import InterpolationMode
from .functional.image import interpolation_mode

NEAREST, BILINEAR = InterpolationMode.NEAREST, InterpolationMode.BILINEAR


class RandomRotation(Module):
    """Turned by a random angle of `degrees` (a range, or d for -d..d)."""

    def __init__(
        self,
        degrees: Any,
        interpolation: InterpolationMode | int = NEAREST,
        expand: bool = False,
        center: Sequence[float] | None = None,
        fill: Any = 0,
    ) -> None:
        super().__init__()
        self.degrees = angle_range(degrees, "degrees")
        if center is not None:
            need_sequence(center, "center", (2,))
        self.interpolation = interpolation_mode(interpolation)
        self.expand = expand
        self.center = center
        self.fill = fill_value(fill)

    @staticmethod
    def get_params(degrees: Sequence[float]) -> float:
        """A random angle."""
        return uniform(degrees[0], degrees[1])

    def forward(self, img: Any) -> Any:
        angle = self.get_params(self.degrees)
        fill = fill_for(img, self.fill)
        return F.rotate(img, angle, self.interpolation, self.expand, self.center, fill)

    def extra_repr(self) -> str:
        center = "" if self.center is None else f", center={self.center}"
        return (
            f"degrees={self.degrees}, interpolation={self.interpolation.value}, "
            f"expand={self.expand}{center}, fill={self.fill}"
        )


class RandomAffine(Module):
    """Turned, shifted (`translate`: shares of the size), scaled and sheared at random."""

    def __init__(
        self,
        degrees: Any,
        translate: Sequence[float] | None = None,
        scale: Sequence[float] | None = None,
        shear: Any = None,
        interpolation: InterpolationMode | int = NEAREST,
        fill: Any = 0,
        center: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.degrees = angle_range(degrees, "degrees")
        if translate is not None:
            need_sequence(translate, "translate", (2,))
            if not all(0.0 <= t <= 1.0 for t in translate):
                raise ValueError("translation values should be between 0 and 1")
        if scale is not None:
            need_sequence(scale, "scale", (2,))
            if min(scale) <= 0:
                raise ValueError("scale values should be positive")
        if center is not None:
            need_sequence(center, "center", (2,))
        self.translate = translate
        self.scale = scale
        self.shear = None if shear is None else angle_range(shear, "shear", (2, 4))
        self.interpolation = interpolation_mode(interpolation)
        self.fill = fill_value(fill)
        self.center = center

    @staticmethod
    def get_params(
        degrees: Sequence[float],
        translate: Sequence[float] | None,
        scale_ranges: Sequence[float] | None,
        shears: Sequence[float] | None,
        img_size: Sequence[int],
    ) -> tuple[float, tuple[int, int], float, tuple[float, float]]:
        """A random (angle, shift (x, y), scale, shear (x, y)); img_size is (width, height)."""
        angle = uniform(degrees[0], degrees[1])
        shift = (0, 0)
        if translate is not None:
            across, down = (float(t * s) for t, s in zip(translate, img_size, strict=True))
            shift = (round(uniform(-across, across)), round(uniform(-down, down)))
        scale = 1.0 if scale_ranges is None else uniform(scale_ranges[0], scale_ranges[1])
        shear = [0.0, 0.0]
        if shears is not None:  # one range, or one for each direction
            for i in range(len(shears) // 2):
                shear[i] = uniform(shears[2 * i], shears[2 * i + 1])
        return angle, shift, scale, (shear[0], shear[1])

    def forward(self, img: Any) -> Any:
        size = F.get_image_size(img)
        drawn = self.get_params(self.degrees, self.translate, self.scale, self.shear, size)
        fill = fill_for(img, self.fill)
        return F.affine(img, *drawn, self.interpolation, fill, self.center)

    def extra_repr(self) -> str:
        parts = [f"degrees={self.degrees}"]
        for name in ("translate", "scale", "shear"):
            value = getattr(self, name)
            if value is not None:
                parts.append(f"{name}={value}")
        if self.interpolation is not NEAREST:
            parts.append(f"interpolation={self.interpolation.value}")
        if self.fill != 0:
            parts.append(f"fill={self.fill}")
        if self.center is not None:
            parts.append(f"center={self.center}")
        return ", ".join(parts)


class RandomPerspective(Module):
    """With probability p each corner moved inwards by up to distortion_scale / 2 of the size."""

    def __init__(
        self,
        distortion_scale: float = 0.5,
        p: float = 0.5,
        interpolation: InterpolationMode | int = BILINEAR,
        fill: Any = 0,
    ) -> None:
        super().__init__()
        self.distortion_scale = distortion_scale
        self.p = p
        self.interpolation = interpolation_mode(interpolation)
        self.fill = fill_value(fill)

    @staticmethod
    def get_params(
        width: int, height: int, distortion_scale: float
    ) -> tuple[list[list[int]], list[list[int]]]:
        """The corners of the image, and where they go: from top left clockwise, [x, y] each."""
        across = int(distortion_scale * (width // 2))
        down = int(distortion_scale * (height // 2))
        near_left, near_right = (0, across + 1), (width - across - 1, width)
        near_top, near_bottom = (0, down + 1), (height - down - 1, height)
        corners = [
            (near_left, near_top),
            (near_right, near_top),
            (near_right, near_bottom),
            (near_left, near_bottom),
        ]
        start = [[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]]
        return start, [[randint(*x), randint(*y)] for x, y in corners]

    def forward(self, img: Any) -> Any:
        if penlight.rand(1).item() >= self.p:
            return img
        width, height = F.get_image_size(img)
        start, end = self.get_params(width, height, self.distortion_scale)
        return F.perspective(img, start, end, self.interpolation, fill_for(img, self.fill))

    def extra_repr(self) -> str:
        return f"p={self.p}"


class ElasticTransform(Module):
    """Pixels displaced by noise of strength `alpha` and smoothness `sigma`, (x, y) each."""

    def __init__(
        self,
        alpha: Any = 50.0,
        sigma: Any = 5.0,
        interpolation: InterpolationMode | int = BILINEAR,
        fill: Any = 0,
    ) -> None:
        super().__init__()
        self.alpha = _float_pair(alpha, "alpha")
        self.sigma = _float_pair(sigma, "sigma")
        self.interpolation = interpolation_mode(interpolation)
        if not isinstance(fill, int | float | list | tuple):
            raise TypeError(
                f"fill should be int or float or a list or tuple of them. Got {type(fill)}"
            )
        self.fill = [float(f) for f in ([fill] if isinstance(fill, int | float) else fill)]

    @staticmethod
    def get_params(
        alpha: Sequence[float], sigma: Sequence[float], size: Sequence[int]
    ) -> penlight.Tensor:
        """A random displacement (1, H, W, 2)."""
        directions = []
        for strength, smoothness, extent in zip(alpha, sigma, reversed(size), strict=True):
            noise = penlight.rand([1, 1, *size]) * 2 - 1
            if smoothness > 0.0:
                kernel = int(8 * smoothness + 1) | 1  # odd
                noise = F.gaussian_blur(noise, [kernel, kernel], list(sigma))
            directions.append(noise * strength / extent)
        return penlight.cat(directions, 1).permute(0, 2, 3, 1)

    def forward(self, tensor: Any) -> Any:
        _, height, width = F.get_dimensions(tensor)
        displacement = self.get_params(self.alpha, self.sigma, [height, width])
        return F.elastic_transform(tensor, displacement, self.interpolation, self.fill)

    def extra_repr(self) -> str:
        return (
            f"alpha={self.alpha}, sigma={self.sigma}, "
            f"interpolation={self.interpolation}, fill={self.fill}"
        )


def _float_pair(value: Any, name: str) -> Sequence[float]:
    if isinstance(value, float):
        return [value, value]
    if not isinstance(value, Sequence):
        raise TypeError(f"{name} should be float or a sequence of floats. Got {type(value)}")
    if len(value) != 2:
        raise ValueError(f"If {name} is a sequence its length should be 2. Got {len(value)}")
    for element in value:
        if not isinstance(element, float):
            raise TypeError(f"{name} should be a sequence of floats. Got {type(element)}")
    return value
