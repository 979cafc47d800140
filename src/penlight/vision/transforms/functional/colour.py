"""Brightness, contrast, saturation, hue and tone curves: pixels change, places stay."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

import penlight
from penlight import Tensor

from .convert import convert_image_dtype, image_from_array
from .image import float_dtype, is_tensor, max_value, need_channels


def _blend(img: Tensor, other: Tensor, ratio: float) -> Tensor:
    """ratio · img + (1 - ratio) · other, within the image's range."""
    mixed = float(ratio) * img + (1.0 - float(ratio)) * other
    return mixed.clamp(0, max_value(img.dtype)).to(img.dtype)


def _need_factor(name: str, value: float) -> None:
    if value < 0:
        raise ValueError(f"{name} ({value}) is not non-negative.")


def rgb_to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    """0.2989 R + 0.587 G + 0.114 B, in one channel or three times the same."""
    if not is_tensor(img):
        return to_grayscale(img, num_output_channels)
    need_channels(img, least_ndim=3)
    if num_output_channels not in (1, 3):
        raise ValueError("num_output_channels should be either 1 or 3")
    if img.shape[-3] == 3:
        red, green, blue = img.unbind(-3)
        gray = (0.2989 * red + 0.587 * green + 0.114 * blue).to(img.dtype).unsqueeze(-3)
    else:
        gray = img.clone()
    if num_output_channels == 3:
        return gray.expand(*img.shape[:-3], 3, *img.shape[-2:])
    return gray


def to_grayscale(img: Image.Image, num_output_channels: int = 1) -> Image.Image:
    """A PIL image of any mode in grey: mode L, or RGB with three equal bands."""
    if not isinstance(img, Image.Image):
        raise TypeError("Input should be PIL Image")
    if num_output_channels not in (1, 3):
        raise ValueError("num_output_channels should be either 1 or 3")
    gray = img.convert("L")
    return gray if num_output_channels == 1 else Image.merge("RGB", (gray, gray, gray))


def adjust_brightness(img: Any, brightness_factor: float) -> Any:
    """0 gives black, 1 the image, 2 twice its light."""
    if not is_tensor(img):
        return ImageEnhance.Brightness(img).enhance(brightness_factor)
    _need_factor("brightness_factor", brightness_factor)
    need_channels(img)
    return _blend(img, penlight.zeros_like(img), brightness_factor)


def adjust_contrast(img: Any, contrast_factor: float) -> Any:
    """0 gives the image's mean grey, 1 the image, 2 twice the distance from that grey."""
    if not is_tensor(img):
        return ImageEnhance.Contrast(img).enhance(contrast_factor)
    _need_factor("contrast_factor", contrast_factor)
    need_channels(img)
    gray = rgb_to_grayscale(img) if img.ndim > 2 and img.shape[-3] == 3 else img
    axes = (-3, -2, -1) if img.ndim > 2 else (-2, -1)
    return _blend(img, gray.to(float_dtype(img)).mean(axes, keepdim=True), contrast_factor)


def adjust_saturation(img: Any, saturation_factor: float) -> Any:
    """0 gives shades of grey, 1 the image, 2 twice the distance from grey."""
    if not is_tensor(img):
        return ImageEnhance.Color(img).enhance(saturation_factor)
    _need_factor("saturation_factor", saturation_factor)
    need_channels(img)
    if img.ndim == 2 or img.shape[-3] == 1:
        return img
    return _blend(img, rgb_to_grayscale(img), saturation_factor)


def adjust_gamma(img: Any, gamma: float, gain: float = 1) -> Any:
    """gain · xᵞ for x in 0..1; gamma above 1 darkens the shadows."""
    if gamma < 0:
        raise ValueError("Gamma should be a non-negative real number")
    if is_tensor(img):
        need_channels(img)
        x = convert_image_dtype(img, float_dtype(img))
        return convert_image_dtype((gain * x.pow(gamma)).clamp(0, 1), img.dtype)
    # bytes get equal shares of 0..1, as in convert_image_dtype
    table = [int((256 - 1e-3) * gain * (byte / 255) ** gamma) for byte in range(256)]
    return img.convert("RGB").point(table * 3).convert(img.mode)


def adjust_hue(img: Any, hue_factor: float) -> Any:
    """Every colour moved round the colour circle by `hue_factor` of a turn (-0.5 to 0.5)."""
    if not -0.5 <= hue_factor <= 0.5:
        raise ValueError(f"hue_factor ({hue_factor}) is not in [-0.5, 0.5].")
    if not is_tensor(img):
        if img.mode in ("L", "1", "I", "F"):
            return img
        hue, saturation, value = img.convert("HSV").split()
        step = np.int32(hue_factor * 255).astype(np.uint8)
        turned = image_from_array(np.array(hue) + step, "L")  # bytes wrap round the circle
        return Image.merge("HSV", (turned, saturation, value)).convert(img.mode)
    need_channels(img)
    if img.ndim == 2 or img.shape[-3] == 1:
        return img
    hue, saturation, value = _rgb_to_hsv(convert_image_dtype(img, penlight.float32))
    rgb = _hsv_to_rgb((hue + hue_factor) % 1.0, saturation, value)
    return convert_image_dtype(rgb, img.dtype)


def _rgb_to_hsv(img: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Hue, saturation and value, each 0..1. Grey has no hue: 0."""
    red, green, blue = img.unbind(-3)
    value, darkest = img.amax(-3), img.amin(-3)
    chroma = value - darkest
    gray = chroma == 0
    saturation = chroma / penlight.where(gray, 1.0, value)
    r, g, b = ((value - c) / penlight.where(gray, 1.0, chroma) for c in (red, green, blue))
    sixths = penlight.where(
        value == red, b - g, penlight.where(value == green, 2.0 + r - b, 4.0 + g - r)
    )
    hue = (sixths / 6.0 + 1.0).fmod(1.0)
    return penlight.where(gray, 0.0, hue), saturation, value


def _hsv_to_rgb(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """In each sixth of the circle one of R, G, B is `value`, one is lowest, one moves between."""
    sixth = (hue * 6.0).floor()
    part = hue * 6.0 - sixth
    sixth = (sixth.to(penlight.int64) % 6).unsqueeze(-3)
    low = (value * (1.0 - saturation)).clamp(0.0, 1.0)
    falling = (value * (1.0 - saturation * part)).clamp(0.0, 1.0)
    rising = (value * (1.0 - saturation * (1.0 - part))).clamp(0.0, 1.0)
    red = [value, falling, low, low, rising, value]
    green = [rising, value, value, falling, low, low]
    blue = [low, low, rising, value, value, falling]
    bands = [penlight.stack(band, -3).gather(-3, sixth) for band in (red, green, blue)]
    return penlight.cat(bands, -3)


def invert(img: Any) -> Any:
    """White minus each value."""
    if not is_tensor(img):
        return ImageOps.invert(img)
    need_channels(img, least_ndim=3)
    return max_value(img.dtype) - img


def posterize(img: Any, bits: int) -> Any:
    """Only the `bits` highest bits of each byte."""
    if not 0 <= bits <= 8:
        raise ValueError(f"The number if bits should be between 0 and 8. Got {bits}")
    if not is_tensor(img):
        return ImageOps.posterize(img, bits)
    need_channels(img, least_ndim=3)
    _need_bytes(img)
    return img & (256 - 2 ** (8 - bits))


def solarize(img: Any, threshold: Any) -> Any:
    """Values from the threshold upwards are inverted."""
    if not is_tensor(img):
        return ImageOps.solarize(img, threshold)
    need_channels(img, least_ndim=3)
    if threshold > max_value(img.dtype):
        raise TypeError("Threshold should be less than bound of img.")
    return penlight.where(img >= threshold, invert(img), img)


def autocontrast(img: Any) -> Any:
    """Each channel stretched so that its darkest value becomes 0 and its lightest white."""
    if not is_tensor(img):
        return ImageOps.autocontrast(img)
    need_channels(img, least_ndim=3)
    white = max_value(img.dtype)
    darkest = img.amin((-2, -1), keepdim=True).to(float_dtype(img))
    span = img.amax((-2, -1), keepdim=True).to(float_dtype(img)) - darkest
    flat = span == 0
    scale = white / penlight.where(flat, float(white), span)
    darkest = penlight.where(flat, 0.0, darkest)
    return ((img - darkest) * scale).clamp(0, white).to(img.dtype)


def equalize(img: Any) -> Any:
    """Bytes remapped so that every part of 0..255 is used about equally often."""
    if not is_tensor(img):
        return ImageOps.equalize(img)
    if not 3 <= img.ndim <= 4:
        raise TypeError(f"Input image tensor should have 3 or 4 dimensions, but found {img.ndim}")
    _need_bytes(img)
    need_channels(img)
    planes = img.reshape(-1, *img.shape[-2:])
    return penlight.stack([_equalize_plane(plane) for plane in planes]).reshape(img.shape)


def _equalize_plane(plane: Tensor) -> Tensor:
    counts = penlight.bincount(plane.reshape(-1), minlength=256)
    step = int(counts[counts != 0][:-1].sum()) // 255
    if step == 0:
        return plane
    below = counts.cumsum(0) - counts  # pixels darker than each value
    table = ((below + step // 2) // step).clamp(0, 255).to(penlight.uint8)
    return table[plane.to(penlight.int64)]


def _need_bytes(img: Tensor) -> None:
    if img.dtype != penlight.uint8:
        raise TypeError(f"Only torch.uint8 image tensors are supported, but found {img.dtype}")
