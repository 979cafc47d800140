"""What an image is: a PIL image or a tensor (..., C, H, W); its size, its interpolation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any

from PIL import Image

import penlight
from penlight import Tensor


class InterpolationMode(Enum):
    """How values between pixels are found. Box, hamming and lanczos are for PIL images only."""

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"

    @property
    def pil(self) -> Image.Resampling:
        """Pillow's constant for this mode."""
        return Image.Resampling["NEAREST" if self is InterpolationMode.NEAREST_EXACT else self.name]


def interpolation_mode(value: InterpolationMode | int) -> InterpolationMode:
    """The mode itself, also from Pillow's integer constant."""
    if isinstance(value, InterpolationMode):
        return value
    if isinstance(value, int):
        return InterpolationMode[Image.Resampling(value).name]
    raise TypeError(
        "Argument interpolation should be a InterpolationMode or "
        "a corresponding Pillow integer constant"
    )


def is_tensor(img: Any) -> bool:
    """True for a tensor image, False for a PIL image; anything else raises."""
    if isinstance(img, Image.Image):
        return False
    if not isinstance(img, Tensor):
        raise TypeError(f"img should be PIL Image or Tensor. Got {type(img)}")
    if img.ndim < 2:
        raise TypeError("Tensor is not a torch image.")
    return True


def get_dimensions(img: Any) -> list[int]:
    """[channels, height, width]"""
    if is_tensor(img):
        return [1 if img.ndim == 2 else img.shape[-3], *img.shape[-2:]]
    return [len(img.getbands()), img.height, img.width]


def get_image_size(img: Any) -> list[int]:
    """[width, height]"""
    return get_dimensions(img)[:0:-1]


def get_image_num_channels(img: Any) -> int:
    """How many channels the image has."""
    return get_dimensions(img)[0]


def need_channels(img: Tensor, permitted: Sequence[int] = (1, 3), least_ndim: int = 2) -> None:
    """Raise unless the tensor has one of the permitted numbers of channels."""
    if img.ndim < least_ndim:
        raise TypeError(
            f"Input image tensor should have at least {least_ndim} dimensions, but found {img.ndim}"
        )
    channels = get_image_num_channels(img)
    if channels not in permitted:
        raise TypeError(
            f"Input image tensor permitted channel values are {list(permitted)}, "
            f"but found {channels}"
        )


def max_value(dtype: penlight.dtype) -> int:
    """What white is: 1 for a float image, the dtype's greatest number for an integer one."""
    if dtype.is_floating_point or dtype == penlight.bool:
        return 1
    return penlight.iinfo(dtype).max


def float_dtype(img: Tensor) -> penlight.dtype:
    """The dtype to calculate this image in."""
    return img.dtype if img.is_floating_point() else penlight.float32


def on_batch(img: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
    """function over the image as a float batch (N, C, H, W); result in the image's own dtype."""
    channels, height, width = get_dimensions(img)
    batch = img.to(float_dtype(img)).reshape(-1, channels, height, width)
    out = function(batch)
    if not img.is_floating_point():
        out = out.round()
    shape = (*img.shape[:-2], *out.shape[-2:])  # (..., C, H', W')
    return out.reshape(shape).to(img.dtype)


def size_pair(size: Any, message: str) -> Sequence[int]:
    """(height, width) from one number, a sequence of one, or a pair."""
    if isinstance(size, int | float):
        return int(size), int(size)
    if len(size) == 1:
        return size[0], size[0]
    if len(size) != 2:
        raise ValueError(message)
    return size
