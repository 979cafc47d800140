"""Images together on one page, images to files, and boxes drawn on them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import penlight
from penlight import Tensor


@penlight.no_grad()
def make_grid(
    tensor: Tensor | Sequence[Tensor],
    nrow: int = 8,
    padding: int = 2,
    normalize: bool = False,
    value_range: tuple[float, float] | None = None,
    scale_each: bool = False,
    pad_value: float = 0.0,
) -> Tensor:
    """A batch (N, C, H, W) as one image (3, H', W'), `nrow` images a row, `padding` between them.

    `normalize` brings the values from `value_range`, or from their own range, to 0..1: over the
    batch, or each image alone (`scale_each`).

    >>> make_grid(penlight.ones(6, 1, 4, 4), nrow=3).shape
    torch.Size([3, 14, 20])
    """
    batch = _rgb_batch(tensor)
    if normalize:
        if value_range is not None and not isinstance(value_range, tuple):
            raise TypeError(
                "value_range has to be a tuple (min, max) if specified. min and max are numbers"
            )
        parts = batch if scale_each else [batch]
        stretched = [_stretch(part, value_range) for part in parts]
        batch = penlight.stack(stretched) if scale_each else stretched[0]
    count, channels, height, width = batch.shape
    if count == 1:
        return batch.squeeze(0)
    columns = min(nrow, count)
    rows = math.ceil(count / columns)
    step_y, step_x = height + padding, width + padding
    grid = batch.new_full(
        (channels, rows * step_y + padding, columns * step_x + padding), pad_value
    )
    for k in range(count):
        y, x = (k // columns) * step_y + padding, (k % columns) * step_x + padding
        grid[:, y : y + height, x : x + width] = batch[k]
    return grid


def _rgb_batch(tensor: Any) -> Tensor:
    """(N, C, H, W) from a batch, a list of images or one image (H, W), (C, H, W); grey as RGB."""
    if isinstance(tensor, list | tuple):
        for part in tensor:
            if not isinstance(part, Tensor):
                raise TypeError(
                    f"tensor or list of tensors expected, got a list containing {type(part)}"
                )
        tensor = penlight.stack(list(tensor))
    if not isinstance(tensor, Tensor):
        raise TypeError(f"tensor or list of tensors expected, got {type(tensor)}")
    if tensor.dim() == 2:
        tensor = tensor.unsqueeze(0)
    if tensor.dim() == 3:
        tensor = tensor.unsqueeze(0)
    return penlight.cat([tensor] * 3, 1) if tensor.size(1) == 1 else tensor


def _stretch(part: Tensor, value_range: tuple[float, float] | None) -> Tensor:
    low, high = (float(part.min()), float(part.max())) if value_range is None else value_range
    return part.clamp(low, high).sub(low).div(max(high - low, 1e-5))


@penlight.no_grad()
def save_image(
    tensor: Tensor | Sequence[Tensor],
    fp: str | Path | BinaryIO,
    format: str | None = None,
    **kwargs: Any,
) -> None:
    """make_grid(tensor, **kwargs) as an image file; 0..1 becomes 0..255."""
    grid = make_grid(tensor, **kwargs)
    pixels = grid.mul(255).add(0.5).clamp(0, 255).permute(1, 2, 0).to(penlight.uint8)
    Image.fromarray(pixels.numpy()).save(fp, format=format)


Colour = str | tuple[int, int, int]


@penlight.no_grad()
def draw_bounding_boxes(
    image: Tensor,
    boxes: Tensor,
    labels: Sequence[str | None] | None = None,
    colors: Colour | Sequence[Colour] | None = None,
    fill: bool = False,
    width: int = 1,
    font: str | None = None,
    font_size: int | None = None,
) -> Tensor:
    """The image (C, H, W), uint8 or float, with boxes (N, 4) drawn: (xmin, ymin, xmax, ymax)."""
    if not isinstance(image, Tensor):
        raise TypeError(f"Tensor expected, got {type(image)}")
    if image.dtype != penlight.uint8 and not image.is_floating_point():
        raise ValueError(f"The image dtype must be uint8 or float, got {image.dtype}")
    if image.dim() != 3:
        raise ValueError("Pass individual images, not batches")
    if image.size(0) not in (1, 3):
        raise ValueError("Only grayscale and RGB images are supported")
    count = len(boxes)
    if labels is not None and len(labels) != count:
        raise ValueError(
            f"Number of boxes ({count}) and labels ({len(labels)}) mismatch. "
            "Please specify labels for each box."
        )
    paper = _as_picture(image)
    pen = ImageDraw.Draw(paper, "RGBA" if fill else "RGB")
    letters = (
        ImageFont.load_default() if font is None else ImageFont.truetype(font, font_size or 10)
    )
    shades = _box_colours(colors, count)
    for i, box in enumerate(boxes.tolist()):
        inside = (*shades[i], 100) if fill else None
        pen.rectangle(box, width=width, outline=shades[i], fill=inside)
        label = labels[i] if labels is not None else None
        if label is not None:
            corner = (box[0] + width + 1, box[1] + width + 1)
            pen.text(corner, label, fill=shades[i], font=letters)
    drawn = penlight.from_numpy(np.array(paper)).permute(2, 0, 1)
    return drawn.to(image.dtype) / 255 if image.is_floating_point() else drawn


def _as_picture(image: Tensor) -> Image.Image:
    if image.is_floating_point():
        image = image.mul(255).clamp(0, 255).to(penlight.uint8)
    return Image.fromarray(image.expand(3, -1, -1).permute(1, 2, 0).contiguous().numpy())


def _box_colours(colors: Any, count: int) -> list[tuple[int, ...]]:
    """One colour a box: as given, or spread round the colour circle."""
    from PIL import ImageColor

    if colors is None:
        colors = [f"hsl({360 * i // max(count, 1)}, 90%, 45%)" for i in range(count)]
    if not isinstance(colors, list):
        colors = [colors] * count
    if len(colors) < count:
        raise ValueError(
            f"Number of colors must be equal or larger than the number of objects, "
            f"but got {len(colors)} < {count}."
        )
    return [ImageColor.getrgb(c) if isinstance(c, str) else c for c in colors]
