"""From PIL image or array to tensor and back, between dtypes, and to zero mean, unit deviation."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from PIL import Image

import penlight
from penlight import Tensor
from penlight.core.tensor import wrap

from .image import max_value

I16 = "I;16" if sys.byteorder == "little" else "I;16B"


def pil_to_tensor(pic: Image.Image) -> Tensor:
    """A PIL image (H, W, C) as a tensor (C, H, W) of the same numbers."""
    if not isinstance(pic, Image.Image):
        raise TypeError(f"pic should be PIL Image. Got {type(pic)}")
    array = np.array(pic).reshape(pic.height, pic.width, -1)
    return penlight.from_numpy(array).permute(2, 0, 1)


def to_tensor(pic: Image.Image | np.ndarray) -> Tensor:
    """An image (H, W, C) as a tensor (C, H, W); bytes become floats 0..1, other numbers stay.

    >>> to_tensor(Image.new("L", (2, 1), 51))
    tensor([[[0.2000, 0.2000]]])
    """
    if isinstance(pic, np.ndarray):
        if pic.ndim not in (2, 3):
            raise ValueError(f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.")
        array = pic.reshape(*pic.shape[:2], -1)
    elif isinstance(pic, Image.Image):
        kinds = {"I": np.int32, I16: np.int16, "F": np.float32}
        array = np.asarray(pic, kinds.get(pic.mode, np.uint8)).reshape(pic.height, pic.width, -1)
        if pic.mode == "1":
            array = array * np.uint8(255)
    else:
        raise TypeError(f"pic should be PIL Image or ndarray. Got {type(pic)}")
    planes = array.transpose(2, 0, 1)  # (C, H, W)
    if planes.dtype != np.uint8:
        return wrap(np.array(planes, order="C"))
    values = planes.astype(penlight.get_default_dtype().np, order="C")
    values /= 255
    return wrap(values)


MODES_OF_BANDS = {2: ["LA"], 3: ["RGB", "YCbCr", "HSV"], 4: ["RGBA", "CMYK", "RGBX"]}


def to_pil_image(pic: Tensor | np.ndarray, mode: str | None = None) -> Image.Image:
    """A tensor (C, H, W) or an array (H, W, C) as a PIL image; floats 0..1 become bytes 0..255."""
    if isinstance(pic, Tensor):
        array = (pic.permute(1, 2, 0) if pic.ndim == 3 else pic).numpy(force=True)
    elif isinstance(pic, np.ndarray):
        array = pic
    else:
        raise TypeError(f"pic should be Tensor or ndarray. Got {type(pic)}.")
    if array.ndim not in (2, 3):
        raise ValueError(f"pic should be 2/3 dimensional. Got {array.ndim} dimensions.")
    bands = 1 if array.ndim == 2 else array.shape[-1]
    if bands > 4:
        raise ValueError(f"pic should not have > 4 channels. Got {bands} channels.")
    if np.issubdtype(array.dtype, np.floating) and mode != "F":
        array = (array * 255).astype(np.uint8)
    return image_from_array(array, _pil_mode(array.dtype, bands, mode))


def _pil_mode(dtype: np.dtype, bands: int, mode: str | None) -> str:
    """Pillow's name for an image of this dtype and so many bands; a given mode must fit."""
    if bands == 1:
        names = {"uint8": "L", "int16": I16, "int32": "I", "float32": "F"}
        expected = names.get(dtype.name)
        if mode not in (None, expected):
            raise ValueError(
                f"Incorrect mode ({mode}) supplied for input type {dtype}. Should be {expected}"
            )
        mode = expected
    else:
        permitted = MODES_OF_BANDS[bands]
        if mode is not None and mode not in permitted:
            raise ValueError(f"Only modes {permitted} are supported for {bands}D inputs")
        if mode is None and dtype == np.uint8:
            mode = permitted[0]
    if mode is None:
        raise TypeError(f"Input type {dtype} is not supported")
    return mode


def image_from_array(array: np.ndarray, mode: str) -> Image.Image:
    """A PIL image of this mode over the array's bytes (H, W) or (H, W, bands)."""
    size = (array.shape[1], array.shape[0])
    return Image.frombuffer(mode, size, array.tobytes(), "raw", mode, 0, 1)


def convert_image_dtype(image: Tensor, dtype: Any = None) -> Tensor:
    """The image in another dtype, scaled so that white stays white.

    >>> convert_image_dtype(penlight.tensor([[0, 255]], dtype=penlight.uint8))
    tensor([[0., 1.]])
    """
    dtype = penlight.float32 if dtype is None else dtype
    if not isinstance(image, Tensor):
        raise TypeError("Input img should be Tensor Image")
    if image.dtype == dtype:
        return image
    old, new = max_value(image.dtype), max_value(dtype)
    if image.is_floating_point():
        if dtype.is_floating_point:
            return image.to(dtype)
        # a float tells 24 bits apart, a double 53: these dtypes ask for more
        if new > 2**31 or (new > 2**16 and image.dtype == penlight.float32):
            raise RuntimeError(
                f"The cast from {image.dtype} to {dtype} cannot be performed safely."
            )
        # each integer gets an equal share of 0..1; a little less than one more keeps 1.0 in range
        return image.mul(new + 1.0 - 1e-3).to(dtype)
    if dtype.is_floating_point:
        return image.to(dtype) / old
    if old > new:
        return image.div((old + 1) // (new + 1), rounding_mode="floor").to(dtype)
    return image.to(dtype) * ((new + 1) // (old + 1))


def normalize(tensor: Tensor, mean: Any, std: Any, inplace: bool = False) -> Tensor:
    """(x - mean) / std, a mean and a deviation per channel, for float images (..., C, H, W)."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"img should be Tensor Image. Got {type(tensor)}")
    if not tensor.is_floating_point():
        raise TypeError(f"Input tensor should be a float tensor. Got {tensor.dtype}.")
    if tensor.ndim < 3:
        raise ValueError(
            "Expected tensor to be a tensor image of size (..., C, H, W). "
            f"Got tensor.size() = {tensor.size()}"
        )
    mean = penlight.as_tensor(mean, dtype=tensor.dtype, device=tensor.device)
    std = penlight.as_tensor(std, dtype=tensor.dtype, device=tensor.device)
    if (std == 0).any():
        raise ValueError(
            f"std evaluated to zero after conversion to {tensor.dtype}, "
            "leading to division by zero."
        )
    mean = mean.view(-1, 1, 1) if mean.ndim == 1 else mean
    std = std.view(-1, 1, 1) if std.ndim == 1 else std
    centred = tensor.sub_(mean) if inplace else tensor - mean
    return centred.div_(std)
