"""Affine, perspective and elastic maps: where each pixel comes from, then a lookup there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

import penlight
import penlight.nn.functional as F
from penlight import Tensor

from .convert import pil_to_tensor, to_pil_image
from .geometry import fill_colour
from .image import (
    InterpolationMode,
    float_dtype,
    get_dimensions,
    interpolation_mode,
    is_tensor,
    on_batch,
)

NEAREST, BILINEAR = InterpolationMode.NEAREST, InterpolationMode.BILINEAR


def rotate(
    img: Any,
    angle: float,
    interpolation: InterpolationMode | int = NEAREST,
    expand: bool = False,
    center: Sequence[float] | None = None,
    fill: Any = None,
) -> Any:
    """Turned counter-clockwise by `angle` degrees about `center`; `expand` keeps the corners."""
    mode = interpolation_mode(interpolation)
    if not isinstance(angle, int | float):
        raise TypeError("Argument angle should be int or float")
    _need_center(center)
    if not is_tensor(img):
        colour = fill_colour(img, fill)
        return img.rotate(angle, mode.pil, expand, center, fillcolor=colour)
    matrix = inverse_affine(_from_middle(img, center), -angle, [0.0, 0.0], 1.0, [0.0, 0.0])
    _, height, width = get_dimensions(img)
    size = _rotated_size(matrix, height, width) if expand else (height, width)
    return _sample(img, _affine_grid(img, matrix, size), mode, fill)


def affine(
    img: Any,
    angle: float,
    translate: Sequence[int],
    scale: float,
    shear: Any,
    interpolation: InterpolationMode | int = NEAREST,
    fill: Any = None,
    center: Sequence[float] | None = None,
) -> Any:
    """Turned clockwise, shifted, scaled and sheared (in degrees); the middle or `center` stays."""
    mode = interpolation_mode(interpolation)
    if not isinstance(angle, int | float):
        raise TypeError("Argument angle should be int or float")
    if not isinstance(translate, list | tuple):
        raise TypeError("Argument translate should be a sequence")
    if len(translate) != 2:
        raise ValueError("Argument translate should be a sequence of length 2")
    if scale <= 0.0:
        raise ValueError("Argument scale should be positive")
    shear = _two_shears(shear)
    _need_center(center)
    _, height, width = get_dimensions(img)
    if not is_tensor(img):
        middle = [width * 0.5, height * 0.5] if center is None else center
        matrix = inverse_affine(middle, angle, translate, scale, shear)
        method, colour = Image.Transform.AFFINE, fill_colour(img, fill)
        return img.transform(img.size, method, matrix, mode.pil, fillcolor=colour)
    matrix = inverse_affine(_from_middle(img, center), angle, translate, scale, shear)
    return _sample(img, _affine_grid(img, matrix, (height, width)), mode, fill)


def perspective(
    img: Any,
    startpoints: Sequence[Sequence[int]],
    endpoints: Sequence[Sequence[int]],
    interpolation: InterpolationMode | int = BILINEAR,
    fill: Any = None,
) -> Any:
    """The plane seen from elsewhere: the four `startpoints` (x, y) come to the `endpoints`."""
    coefficients = _perspective_coefficients(startpoints, endpoints)
    mode = interpolation_mode(interpolation)
    if is_tensor(img):
        return _sample(img, _perspective_grid(img, coefficients), mode, fill)
    method, colour = Image.Transform.PERSPECTIVE, fill_colour(img, fill)
    return img.transform(img.size, method, coefficients, mode.pil, fillcolor=colour)


def elastic_transform(
    img: Any,
    displacement: Tensor,
    interpolation: InterpolationMode | int = BILINEAR,
    fill: Any = None,
) -> Any:
    """Each pixel fetched from its place plus displacement[0, y, x], in units of half the image."""
    mode = interpolation_mode(interpolation)
    if not isinstance(displacement, Tensor):
        raise TypeError("Argument displacement should be a Tensor")
    tensor = img if is_tensor(img) else pil_to_tensor(img)
    height, width = tensor.shape[-2:]
    wanted = (1, height, width, 2)
    if tuple(displacement.shape) != wanted:
        raise ValueError(
            f"Argument displacement shape should be {wanted}, but given {displacement.shape}"
        )
    x = penlight.linspace((1 - width) / width, (width - 1) / width, width)
    y = penlight.linspace((1 - height) / height, (height - 1) / height, height)
    grid_y, grid_x = penlight.meshgrid(y, x, indexing="ij")
    grid = penlight.stack([grid_x, grid_y], -1).unsqueeze(0) + displacement
    out = _sample(tensor, grid.to(float_dtype(tensor)), mode, fill)
    return out if tensor is img else to_pil_image(out, mode=img.mode)


def inverse_affine(
    center: Sequence[float],
    angle: float,
    translate: Sequence[float],
    scale: float,
    shear: Sequence[float],
) -> list[float]:
    """The matrix [a b c; d e f] that takes a pixel of the result to its source.

    It is the inverse of M = T C R S C⁻¹: T shifts by `translate`, C moves the origin to `center`,
    R S turns, scales and shears:

        R S = scale [cos(r-y)/cos y, -cos(r-y) tan x / cos y - sin r]
                    [sin(r-y)/cos y, -sin(r-y) tan x / cos y + cos r]
    """
    r, x, y = (math.radians(v) for v in (angle, *shear))
    a = math.cos(r - y) / math.cos(y)
    b = -math.cos(r - y) * math.tan(x) / math.cos(y) - math.sin(r)
    c = math.sin(r - y) / math.cos(y)
    d = -math.sin(r - y) * math.tan(x) / math.cos(y) + math.cos(r)
    # det [a b; c d] = 1, so that its inverse needs no division
    a, b, c, d = d / scale, -b / scale, -c / scale, a / scale
    cx, cy = center
    dx, dy = -cx - translate[0], -cy - translate[1]
    return [a, b, a * dx + b * dy + cx, c, d, c * dx + d * dy + cy]


def _two_shears(shear: Any) -> list[float]:
    if isinstance(shear, int | float):
        return [shear, 0.0]
    if not isinstance(shear, list | tuple):
        raise TypeError("Shear should be either a single value or a sequence of two values")
    if len(shear) == 1:
        return [shear[0], shear[0]]
    if len(shear) != 2:
        raise ValueError(f"Shear should be a sequence containing two values. Got {shear}")
    return list(shear)


def _need_center(center: Any) -> None:
    if center is not None and not isinstance(center, list | tuple):
        raise TypeError("Argument center should be a sequence")


def _from_middle(img: Tensor, center: Sequence[float] | None) -> list[float]:
    """`center` in coordinates whose origin is the middle of the image."""
    if center is None:
        return [0.0, 0.0]
    _, height, width = get_dimensions(img)
    return [center[0] - width * 0.5, center[1] - height * 0.5]


def _rotated_size(matrix: list[float], height: int, width: int) -> tuple[int, int]:
    """(height, width) of the smallest upright box of whole pixels around the turned image."""
    corners = np.array([[-w, -h, 2.0] for w in (width, -width) for h in (height, -height)]) / 2
    points = corners @ np.array(matrix).reshape(2, 3).T + [width / 2, height / 2]
    points = points.round(4)  # whole numbers must survive rounding errors
    across, down = np.ceil(points.max(0)) - np.floor(points.min(0))
    return int(down), int(across)


def _pixel_centres(height: int, width: int, offset: float, dtype: Any) -> Tensor:
    """(height * width, 3): x, y, 1 of each pixel; the origin is at `offset` times the size."""
    x = penlight.arange(width, dtype=dtype) + (0.5 - offset * width)
    y = penlight.arange(height, dtype=dtype) + (0.5 - offset * height)
    ones = penlight.ones(height, width, dtype=dtype)
    return penlight.stack([ones * x, ones * y[:, None], ones], -1).reshape(-1, 3)


def _affine_grid(img: Tensor, matrix: list[float], size: tuple[int, int]) -> Tensor:
    """(1, H', W', 2): the source of each pixel, in units of half the image from its middle."""
    _, height, width = get_dimensions(img)
    dtype = float_dtype(img)
    theta = penlight.tensor(matrix, dtype=dtype).reshape(2, 3).T
    half = penlight.tensor([0.5 * width, 0.5 * height], dtype=dtype)
    points = _pixel_centres(*size, 0.5, dtype) @ (theta / half)
    return points.reshape(1, *size, 2)


def _perspective_coefficients(startpoints: Any, endpoints: Any) -> list[float]:
    """a..h of (x, y) -> (ax + by + c, dx + ey + f) / (gx + hy + 1), from end to start."""
    if len(startpoints) != 4 or len(endpoints) != 4:
        raise ValueError(
            f"Please provide exactly four corners, got {len(startpoints)} startpoints "
            f"and {len(endpoints)} endpoints."
        )
    rows = []
    for (x, y), (u, v) in zip(endpoints, startpoints, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    start = np.array(startpoints, np.float64).reshape(8)
    solution = np.linalg.lstsq(np.array(rows, np.float64), start, rcond=None)[0]
    return solution.astype(np.float32).tolist()


def _perspective_grid(img: Tensor, coefficients: list[float]) -> Tensor:
    _, height, width = get_dimensions(img)
    dtype = float_dtype(img)
    a, b, c, d, e, f, g, h = coefficients
    above = penlight.tensor([[a, b, c], [d, e, f]], dtype=dtype).T
    below = penlight.tensor([[g, h, 1.0], [g, h, 1.0]], dtype=dtype).T
    half = penlight.tensor([0.5 * width, 0.5 * height], dtype=dtype)
    points = _pixel_centres(height, width, 0.0, dtype)
    grid = points @ (above / half) / (points @ below) - 1.0
    return grid.reshape(1, height, width, 2)


def _sample(img: Tensor, grid: Tensor, mode: InterpolationMode, fill: Any) -> Tensor:
    """The image at the grid's places; beyond its edges `fill`, one number or one a channel."""
    if mode not in (NEAREST, BILINEAR):
        raise ValueError(f"Interpolation mode '{mode.value}' is unsupported with Tensor input")
    channels, _, _ = get_dimensions(img)
    colour = list(fill) if isinstance(fill, tuple | list) else [fill]
    if len(colour) not in (1, channels):
        raise ValueError(
            "The number of elements in 'fill' cannot broadcast to match the number of "
            f"channels of the image ({len(colour)} != {channels})"
        )

    def lookup(batch: Tensor) -> Tensor:
        places = grid.expand(len(batch), *grid.shape[1:])
        if fill is None:
            return F.grid_sample(batch, places, mode=mode.value, align_corners=False)
        # a further channel of ones says how much of each pixel came from inside
        batch = penlight.cat([batch, penlight.ones_like(batch[:, :1])], 1)
        out = F.grid_sample(batch, places, mode=mode.value, align_corners=False)
        out, inside = out[:, :-1], out[:, -1:]
        outside = penlight.tensor(colour, dtype=out.dtype).view(1, -1, 1, 1)
        if mode is NEAREST:
            return penlight.where(inside < 0.5, outside, out)
        return out * inside + (1.0 - inside) * outside

    return on_batch(img, lookup)
