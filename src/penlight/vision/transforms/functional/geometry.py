"""Crops, borders, sizes and mirrors: a pixel keeps its value or is averaged with its neighbours."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from PIL import Image, ImageOps

import penlight
import penlight.nn.functional as F
from penlight import Tensor

from .image import (
    InterpolationMode,
    get_dimensions,
    interpolation_mode,
    is_tensor,
    on_batch,
    size_pair,
)

ONE_SIZE = "Please provide only two dimensions (h, w) for size."


def hflip(img: Any) -> Any:
    """Mirrored left to right."""
    return img.flip(-1) if is_tensor(img) else img.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def vflip(img: Any) -> Any:
    """Mirrored top to bottom."""
    return img.flip(-2) if is_tensor(img) else img.transpose(Image.Transpose.FLIP_TOP_BOTTOM)


def crop(img: Any, top: int, left: int, height: int, width: int) -> Any:
    """The box of this size at (top, left); what lies outside the image is 0."""
    if not is_tensor(img):
        return img.crop((left, top, left + width, top + height))
    _, h, w = get_dimensions(img)
    right, bottom = left + width, top + height
    inside = img[..., max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    if left >= 0 and top >= 0 and right <= w and bottom <= h:
        return inside
    border = [
        max(min(0, right) - left, 0),
        max(min(0, bottom) - top, 0),
        max(right - max(w, left), 0),
        max(bottom - max(h, top), 0),
    ]
    return pad(inside, border)


def center_crop(img: Any, output_size: Any) -> Any:
    """The box of this (height, width) in the middle; a smaller image gets a border of 0."""
    crop_height, crop_width = size_pair(output_size, ONE_SIZE)
    _, height, width = get_dimensions(img)
    if crop_width > width or crop_height > height:
        across, down = max(crop_width - width, 0), max(crop_height - height, 0)
        img = pad(img, [across // 2, down // 2, (across + 1) // 2, (down + 1) // 2])
        _, height, width = get_dimensions(img)
    top = round((height - crop_height) / 2)
    left = round((width - crop_width) / 2)
    return crop(img, top, left, crop_height, crop_width)


def five_crop(img: Any, size: Any) -> tuple[Any, ...]:
    """The four corners and the middle: (top left, top right, bottom left, bottom right, centre)."""
    size = size_pair(size, ONE_SIZE)
    _, height, width = get_dimensions(img)
    h, w = size
    if w > width or h > height:
        raise ValueError(f"Requested crop size {size} is bigger than input size {(height, width)}")
    corners = [(0, 0), (0, width - w), (height - h, 0), (height - h, width - w)]
    return (*(crop(img, top, left, h, w) for top, left in corners), center_crop(img, [h, w]))


def ten_crop(img: Any, size: Any, vertical_flip: bool = False) -> tuple[Any, ...]:
    """The five crops of the image, then those of its mirror image."""
    mirrored = vflip(img) if vertical_flip else hflip(img)
    return five_crop(img, size) + five_crop(mirrored, size)


def resize(
    img: Any,
    size: Any,
    interpolation: InterpolationMode | int = InterpolationMode.BILINEAR,
    max_size: int | None = None,
    antialias: bool | None = True,
) -> Any:
    """The image in another size: (height, width), or one number for its shorter edge."""
    mode = interpolation_mode(interpolation)
    size = [size] if isinstance(size, int) else list(size)
    if len(size) not in (1, 2):
        raise ValueError(
            "Size must be an int or a 1 or 2 element tuple/list, "
            f"not a {len(size)} element tuple/list"
        )
    if max_size is not None and len(size) != 1:
        raise ValueError(
            "max_size should only be passed if size specifies the length of the smaller edge, "
            "i.e. size should be an int or a sequence of length 1 in torchscript mode."
        )
    _, height, width = get_dimensions(img)
    new_size = size if len(size) == 2 else _edge_sizes(height, width, size[0], max_size)
    if new_size == [height, width]:
        return img
    if is_tensor(img):
        return _resize_tensor(img, new_size, mode.value, bool(antialias))
    if antialias is False:
        warnings.warn(
            "Anti-alias option is always applied for PIL Image input. "
            "Argument antialias is ignored.",
            stacklevel=2,
        )
    return img.resize((new_size[1], new_size[0]), mode.pil)


def _edge_sizes(height: int, width: int, short: int, max_size: int | None) -> list[int]:
    """[height, width] when the shorter edge becomes `short` and the longer one at most max_size."""
    if max_size is not None and max_size <= short:
        raise ValueError(
            f"max_size = {max_size} must be strictly greater than the requested "
            f"size for the smaller edge size = {short}"
        )
    long = int(short * max(height, width) / min(height, width))
    if max_size is not None and long > max_size:
        short, long = int(max_size * short / long), max_size
    return [long, short] if width <= height else [short, long]


def _resize_tensor(img: Tensor, size: list[int], mode: str, antialias: bool) -> Tensor:
    smooth = mode in ("bilinear", "bicubic")
    top = 255 if img.dtype == penlight.uint8 else None

    def interpolate(batch: Tensor) -> Tensor:
        out = F.interpolate(
            batch,
            size=size,
            mode=mode,
            align_corners=False if smooth else None,
            antialias=antialias and smooth,
        )
        # a cubic may swing past the ends of a byte
        return out.clamp(0, top) if top and mode == "bicubic" else out

    return on_batch(img, interpolate)


def resized_crop(
    img: Any,
    top: int,
    left: int,
    height: int,
    width: int,
    size: Any,
    interpolation: InterpolationMode | int = InterpolationMode.BILINEAR,
    antialias: bool | None = True,
) -> Any:
    """A box of the image, resized."""
    return resize(crop(img, top, left, height, width), size, interpolation, antialias=antialias)


PADDING_MODES = ("constant", "edge", "reflect", "symmetric")


def pad(img: Any, padding: Any, fill: Any = 0, padding_mode: str = "constant") -> Any:
    """A border of one width, (sides, ends) or (left, top, right, bottom); negative widths crop.

    >>> pad(penlight.ones(1, 1), [1, 0])
    tensor([[0., 1., 0.]])
    """
    left, top, right, bottom = _four_sides(padding)
    if padding_mode not in PADDING_MODES:
        raise ValueError("Padding mode should be either constant, edge, reflect or symmetric")
    if is_tensor(img):
        if fill is not None and not isinstance(fill, int | float):
            raise TypeError("Got inappropriate fill arg")
        if padding_mode == "constant":
            return F.pad(img, [left, right, top, bottom], value=0 if fill is None else fill)
        return _pad_by_index(img, (left, top, right, bottom), padding_mode)
    if padding_mode == "constant":
        return _expand(img, (left, top, right, bottom), fill)
    return _pad_picture(img, (left, top, right, bottom), padding_mode)


def _four_sides(padding: Any) -> tuple[int, int, int, int]:
    if isinstance(padding, int):
        padding = [padding]
    if not isinstance(padding, tuple | list):
        raise TypeError("Got inappropriate padding arg")
    if len(padding) not in (1, 2, 4):
        raise ValueError(
            "Padding must be an int or a 1, 2, or 4 element tuple, "
            f"not a {len(padding)} element tuple"
        )
    left, top, right, bottom = list(padding) * (4 // len(padding))
    return left, top, right, bottom


def _source_index(length: int, before: int, after: int, mode: Any) -> np.ndarray:
    """Which pixel stands at each place of a row with a border; a negative border crops."""
    index = np.arange(max(-before, 0), length - max(-after, 0))
    border = (max(before, 0), max(after, 0))
    return np.pad(index, border, mode=mode)


def _pad_by_index(img: Tensor, sides: tuple[int, int, int, int], mode: str) -> Tensor:
    left, top, right, bottom = sides
    height, width = img.shape[-2:]
    rows = penlight.from_numpy(_source_index(height, top, bottom, mode))
    columns = penlight.from_numpy(_source_index(width, left, right, mode))
    return img.index_select(-2, rows).index_select(-1, columns)


def _pad_picture(img: Image.Image, sides: tuple[int, int, int, int], mode: str) -> Image.Image:
    left, top, right, bottom = sides
    rows = _source_index(img.height, top, bottom, mode)
    columns = _source_index(img.width, left, right, mode)
    return _with_palette(img, Image.fromarray(np.asarray(img)[np.ix_(rows, columns)]))


def _expand(img: Image.Image, sides: tuple[int, int, int, int], fill: Any) -> Image.Image:
    return _with_palette(img, ImageOps.expand(img, sides, fill_colour(img, fill)))


def _with_palette(img: Image.Image, changed: Image.Image) -> Image.Image:
    """The changed image in the colours of the first, where these come from a palette."""
    palette = img.getpalette() if img.mode == "P" else None
    if palette is not None:
        changed.putpalette(palette)
    return changed


def fill_colour(img: Image.Image, fill: Any) -> Any:
    """A fill value as Pillow wants it: one number, or one for each band."""
    bands = len(img.getbands())
    values = list(fill) if isinstance(fill, tuple | list) else [0 if fill is None else fill]
    if len(values) == 1:
        values = values * bands
    if len(values) != bands:
        raise ValueError(
            "The number of elements in 'fill' does not match the number of channels of the image "
            f"({len(values)} != {bands})"
        )
    if img.mode != "F":
        values = [int(v) for v in values]
    return tuple(values) if isinstance(fill, tuple | list) or bands > 1 else values[0]
