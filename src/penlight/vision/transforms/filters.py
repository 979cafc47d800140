"""Blur of random width, and boxes erased at random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import penlight
from penlight import Tensor
from penlight.nn.modules import Module

from . import functional as F
from .arguments import check_ranges, randint, random_boxes, uniform
from .functional.image import size_pair


class GaussianBlur(Module):
    """Blurred by a Gauss bell of odd `kernel_size`, its deviation random in the range `sigma`."""

    def __init__(self, kernel_size: Any, sigma: Any = (0.1, 2.0)) -> None:
        super().__init__()
        self.kernel_size = size_pair(
            kernel_size, "Kernel size should be a tuple/list of two integers"
        )
        if any(k <= 0 or k % 2 == 0 for k in self.kernel_size):
            raise ValueError("Kernel size value should be an odd and positive number.")
        if isinstance(sigma, int | float):
            if sigma <= 0:
                raise ValueError("If sigma is a single number, it must be positive.")
            sigma = (sigma, sigma)
        if not isinstance(sigma, Sequence) or len(sigma) != 2:
            raise ValueError("sigma should be a single number or a list/tuple with length 2.")
        if not 0.0 < sigma[0] <= sigma[1]:
            raise ValueError("sigma values should be positive and of the form (min, max).")
        self.sigma = sigma

    @staticmethod
    def get_params(sigma_min: float, sigma_max: float) -> float:
        """A random deviation."""
        return uniform(sigma_min, sigma_max)

    def forward(self, img: Any) -> Any:
        sigma = self.get_params(self.sigma[0], self.sigma[1])
        return F.gaussian_blur(img, self.kernel_size, [sigma, sigma])

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, sigma={self.sigma}"


class RandomErasing(Module):
    """With probability p a box of a tensor image overwritten by `value`, or by noise ("random")."""

    def __init__(
        self,
        p: float = 0.5,
        scale: Sequence[float] = (0.02, 0.33),
        ratio: Sequence[float] = (0.3, 3.3),
        value: Any = 0,
        inplace: bool = False,
    ) -> None:
        super().__init__()
        if not isinstance(value, int | float | str | tuple | list):
            raise TypeError("Argument value should be either a number or str or a sequence")
        if isinstance(value, str) and value != "random":
            raise ValueError("If value is str, it should be 'random'")
        check_ranges(scale, ratio)
        if scale[0] < 0 or scale[1] > 1:
            raise ValueError("Scale should be between 0 and 1")
        if p < 0 or p > 1:
            raise ValueError("Random erasing probability should be between 0 and 1")
        self.p = p
        self.scale = scale
        self.ratio = ratio
        self.value = value
        self.inplace = inplace

    @staticmethod
    def get_params(
        img: Tensor,
        scale: Sequence[float],
        ratio: Sequence[float],
        value: Sequence[float] | None = None,
    ) -> tuple[int, int, int, int, Tensor]:
        """A random (top, left, height, width, content); after ten misses the image as it is."""
        channels, height, width = img.shape[-3:]
        for h, w in random_boxes(height * width, scale, ratio):
            if h >= height or w >= width:
                continue
            if value is None:
                content = penlight.empty(channels, h, w).normal_()
            else:
                content = penlight.tensor(value)[:, None, None]
            top = randint(0, height - h + 1)
            return top, randint(0, width - w + 1), h, w, content
        return 0, 0, height, width, img

    def forward(self, img: Tensor) -> Tensor:
        if penlight.rand(1).item() >= self.p:
            return img
        box = self.get_params(img, self.scale, self.ratio, self._content(img.shape[-3]))
        return F.erase(img, *box, self.inplace)

    def _content(self, channels: int) -> list[float] | None:
        """One value, or one for each channel; None for noise."""
        if isinstance(self.value, str):
            return None
        values = [self.value] if isinstance(self.value, int | float) else self.value
        if len(values) not in (1, channels):
            raise ValueError(
                "If value is a sequence, it should have either a single value or "
                f"{channels} (number of input channels)"
            )
        return [float(v) for v in values]

    def extra_repr(self) -> str:
        return (
            f"p={self.p}, scale={self.scale}, ratio={self.ratio}, "
            f"value={self.value}, inplace={self.inplace}"
        )
