"""Crops, borders, sizes and mirrors, fixed and random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import penlight
from penlight.nn.modules import Module

from . import functional as F
from .arguments import check_ranges, randint, random_boxes
from .functional import InterpolationMode
from .functional.geometry import ONE_SIZE, PADDING_MODES
from .functional.image import interpolation_mode, size_pair

BILINEAR = InterpolationMode.BILINEAR


class Resize(Module):
    """The image in another size: (height, width), or one number for its shorter edge."""

    def __init__(
        self,
        size: Any,
        interpolation: InterpolationMode | int = BILINEAR,
        max_size: int | None = None,
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        if not isinstance(size, int | Sequence):
            raise TypeError(f"Size should be int or sequence. Got {type(size)}")
        if isinstance(size, Sequence) and len(size) not in (1, 2):
            raise ValueError("If size is a sequence, it should have 1 or 2 values")
        self.size = size
        self.interpolation = interpolation_mode(interpolation)
        self.max_size = max_size
        self.antialias = antialias

    def forward(self, img: Any) -> Any:
        return F.resize(img, self.size, self.interpolation, self.max_size, self.antialias)

    def extra_repr(self) -> str:
        return (
            f"size={self.size}, interpolation={self.interpolation.value}, "
            f"max_size={self.max_size}, antialias={self.antialias}"
        )


class CenterCrop(Module):
    """The box of this (height, width) in the middle."""

    def __init__(self, size: Any) -> None:
        super().__init__()
        self.size = size_pair(size, ONE_SIZE)

    def forward(self, img: Any) -> Any:
        return F.center_crop(img, self.size)

    def extra_repr(self) -> str:
        return f"size={self.size}"


class FiveCrop(CenterCrop):
    """The four corners and the middle, as a tuple of five images."""

    def forward(self, img: Any) -> tuple[Any, ...]:
        return F.five_crop(img, self.size)


class TenCrop(CenterCrop):
    """The five crops of the image, then those of its mirror image."""

    def __init__(self, size: Any, vertical_flip: bool = False) -> None:
        super().__init__(size)
        self.vertical_flip = vertical_flip

    def forward(self, img: Any) -> tuple[Any, ...]:
        return F.ten_crop(img, self.size, self.vertical_flip)

    def extra_repr(self) -> str:
        return f"size={self.size}, vertical_flip={self.vertical_flip}"


class Pad(Module):
    """A border: constant, or continued from the image (edge, reflect, symmetric)."""

    def __init__(self, padding: Any, fill: Any = 0, padding_mode: str = "constant") -> None:
        super().__init__()
        if not isinstance(padding, int | tuple | list):
            raise TypeError("Got inappropriate padding arg")
        if not isinstance(fill, int | float | tuple | list):
            raise TypeError("Got inappropriate fill arg")
        if padding_mode not in PADDING_MODES:
            raise ValueError("Padding mode should be either constant, edge, reflect or symmetric")
        if isinstance(padding, Sequence) and len(padding) not in (1, 2, 4):
            raise ValueError(
                "Padding must be an int or a 1, 2, or 4 element tuple, "
                f"not a {len(padding)} element tuple"
            )
        self.padding = padding
        self.fill = fill
        self.padding_mode = padding_mode

    def forward(self, img: Any) -> Any:
        return F.pad(img, self.padding, self.fill, self.padding_mode)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, fill={self.fill}, padding_mode={self.padding_mode}"


class RandomCrop(Module):
    """A box of this (height, width) at a random place, after a border if wanted."""

    def __init__(
        self,
        size: Any,
        padding: Any = None,
        pad_if_needed: bool = False,
        fill: Any = 0,
        padding_mode: str = "constant",
    ) -> None:
        super().__init__()
        height, width = size_pair(size, ONE_SIZE)
        self.size = (height, width)
        self.padding = padding
        self.pad_if_needed = pad_if_needed
        self.fill = fill
        self.padding_mode = padding_mode

    @staticmethod
    def get_params(img: Any, output_size: tuple[int, int]) -> tuple[int, int, int, int]:
        """A random (top, left, height, width)."""
        _, height, width = F.get_dimensions(img)
        h, w = output_size
        if height < h or width < w:
            raise ValueError(
                f"Required crop size {(h, w)} is larger than input image size {(height, width)}"
            )
        if (height, width) == (h, w):
            return 0, 0, h, w
        top = randint(0, height - h + 1)
        return top, randint(0, width - w + 1), h, w

    def forward(self, img: Any) -> Any:
        if self.padding is not None:
            img = F.pad(img, self.padding, self.fill, self.padding_mode)
        _, height, width = F.get_dimensions(img)
        if self.pad_if_needed:
            down, across = max(self.size[0] - height, 0), max(self.size[1] - width, 0)
            img = F.pad(img, [across, down], self.fill, self.padding_mode)
        return F.crop(img, *self.get_params(img, self.size))

    def extra_repr(self) -> str:
        return f"size={self.size}, padding={self.padding}"


class RandomResizedCrop(Module):
    """A box with a random share of the area (`scale`) and random width / height, resized."""

    def __init__(
        self,
        size: Any,
        scale: Sequence[float] = (0.08, 1.0),
        ratio: Sequence[float] = (3 / 4, 4 / 3),
        interpolation: InterpolationMode | int = BILINEAR,
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        self.size = size_pair(size, ONE_SIZE)
        check_ranges(scale, ratio)
        self.scale = scale
        self.ratio = ratio
        self.interpolation = interpolation_mode(interpolation)
        self.antialias = antialias

    @staticmethod
    def get_params(
        img: Any, scale: Sequence[float], ratio: Sequence[float]
    ) -> tuple[int, int, int, int]:
        """A random (top, left, height, width); after ten misses the largest one in the middle."""
        _, height, width = F.get_dimensions(img)
        for w, h in random_boxes(height * width, scale, ratio):
            if 0 < w <= width and 0 < h <= height:
                top = randint(0, height - h + 1)
                return top, randint(0, width - w + 1), h, w
        w, h = width, height
        if width / height < min(ratio):
            h = round(w / min(ratio))
        elif width / height > max(ratio):
            w = round(h * max(ratio))
        return (height - h) // 2, (width - w) // 2, h, w

    def forward(self, img: Any) -> Any:
        box = self.get_params(img, self.scale, self.ratio)
        return F.resized_crop(img, *box, self.size, self.interpolation, self.antialias)

    def extra_repr(self) -> str:
        scale, ratio = (tuple(round(v, 4) for v in pair) for pair in (self.scale, self.ratio))
        return (
            f"size={self.size}, scale={scale}, ratio={ratio}, "
            f"interpolation={self.interpolation.value}, antialias={self.antialias}"
        )


class RandomHorizontalFlip(Module):
    """Mirrored left to right with probability p."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def forward(self, img: Any) -> Any:
        return F.hflip(img) if penlight.rand(1).item() < self.p else img

    def extra_repr(self) -> str:
        return f"p={self.p}"


class RandomVerticalFlip(RandomHorizontalFlip):
    """Mirrored top to bottom with probability p."""

    def forward(self, img: Any) -> Any:
        return F.vflip(img) if penlight.rand(1).item() < self.p else img
