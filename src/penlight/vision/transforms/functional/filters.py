"""Blur, sharpness and erased boxes: a pixel from those around it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PIL import Image, ImageEnhance

import penlight
import penlight.nn.functional as F
from penlight import Tensor

from .colour import _blend, _need_factor
from .convert import pil_to_tensor, to_pil_image
from .image import is_tensor, need_channels, on_batch


def gaussian_blur(img: Any, kernel_size: Any, sigma: Any = None) -> Any:
    """Convolved with a Gauss bell of odd `kernel_size` and deviation `sigma`, (x, y) each."""
    kernel_size = _odd_sizes(kernel_size)
    sigma = _deviations(kernel_size, sigma)
    if not is_tensor(img):
        blurred = gaussian_blur(pil_to_tensor(img), kernel_size, sigma)
        return to_pil_image(blurred, mode=img.mode)
    across, down = kernel_size
    border = [across // 2, across // 2, down // 2, down // 2]

    def blur(batch: Tensor) -> Tensor:
        bell_x = _bell(across, sigma[0], batch.dtype)
        bell_y = _bell(down, sigma[1], batch.dtype)
        return _convolve(F.pad(batch, border, mode="reflect"), bell_y[:, None] * bell_x)

    return on_batch(img, blur)


def _bell(size: int, sigma: float, dtype: Any) -> Tensor:
    half = (size - 1) * 0.5
    x = penlight.linspace(-half, half, size, dtype=dtype)
    bell = (-0.5 * (x / sigma).square()).exp()
    return bell / bell.sum()


def _convolve(batch: Tensor, kernel: Tensor) -> Tensor:
    """Each channel of (N, C, H, W) with the same kernel (h, w)."""
    channels = batch.shape[1]
    return F.conv2d(batch, kernel.expand(channels, 1, *kernel.shape), groups=channels)


def _odd_sizes(kernel_size: Any) -> Sequence[int]:
    if not isinstance(kernel_size, int | list | tuple):
        raise TypeError(
            f"kernel_size should be int or a sequence of integers. Got {type(kernel_size)}"
        )
    sizes = [kernel_size] * 2 if isinstance(kernel_size, int) else kernel_size
    if len(sizes) != 2:
        raise ValueError(f"If kernel_size is a sequence its length should be 2. Got {len(sizes)}")
    if any(size % 2 == 0 or size < 0 for size in sizes):
        raise ValueError(f"kernel_size should have odd and positive integers. Got {sizes}")
    return sizes


def _deviations(kernel_size: Sequence[int], sigma: Any) -> Sequence[float]:
    if sigma is None:
        return [0.15 * size + 0.35 for size in kernel_size]
    if not isinstance(sigma, int | float | list | tuple):
        raise TypeError(f"sigma should be either float or sequence of floats. Got {type(sigma)}")
    sigmas = [float(sigma)] * 2 if isinstance(sigma, int | float) else sigma
    if len(sigmas) == 1:
        sigmas = [sigmas[0]] * 2
    if len(sigmas) != 2:
        raise ValueError(f"If sigma is a sequence, its length should be 2. Got {len(sigmas)}")
    if any(s <= 0 for s in sigmas):
        raise ValueError(f"sigma should have positive values. Got {sigmas}")
    return sigmas


def adjust_sharpness(img: Any, sharpness_factor: float) -> Any:
    """0 gives a blurred image, 1 the image, 2 twice the distance from the blurred one."""
    if not is_tensor(img):
        return ImageEnhance.Sharpness(img).enhance(sharpness_factor)
    _need_factor("sharpness_factor", sharpness_factor)
    need_channels(img)
    if min(img.shape[-2:]) <= 2:
        return img
    kernel = penlight.tensor([[1.0, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13
    blurred = img.clone()  # the outermost pixels stay
    blurred[..., 1:-1, 1:-1] = on_batch(img, lambda x: _convolve(x, kernel.to(x.dtype)))
    return _blend(img, blurred, sharpness_factor)


def erase(img: Tensor, i: int, j: int, h: int, w: int, v: Tensor, inplace: bool = False) -> Tensor:
    """The box (h, w) at row i, column j of a tensor image set to v."""
    if isinstance(img, Image.Image) or not is_tensor(img):
        raise TypeError(f"img should be Tensor Image. Got {type(img)}")
    out = img if inplace else img.clone()
    out[..., i : i + h, j : j + w] = v
    return out
