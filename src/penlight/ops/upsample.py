"""Resizing images: nearest, linear, cubic, Lanczos and area interpolation.

Each axis is resized by itself, by an `AxisMap` from the weights of the source entries around the
place that an output entry falls on.
https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.interpolate.html
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import dtype as dtypes
from .adaptive_pool import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d
from .arguments import need_tensor
from .axis_maps import AxisMap, mapping_op
from .families import composite

_NODES = {
    ("nearest", 1): "UpsampleNearest1D",
    ("nearest", 2): "UpsampleNearest2D",
    ("nearest", 3): "UpsampleNearest3D",
    ("nearest-exact", 1): "UpsampleNearestExact1D",
    ("nearest-exact", 2): "UpsampleNearestExact2D",
    ("nearest-exact", 3): "UpsampleNearestExact3D",
    ("linear", 1): "UpsampleLinear1D",
    ("bilinear", 2): "UpsampleBilinear2D",
    ("trilinear", 3): "UpsampleTrilinear3D",
    ("bicubic", 2): "UpsampleBicubic2D",
    ("bilinear", 2, "antialias"): "UpsampleBilinear2DAa",
    ("bicubic", 2, "antialias"): "UpsampleBicubic2DAa",
    ("lanczos", 2, "antialias"): "UpsampleLanczos2DAa",
}
_OPS = {key: mapping_op(f"{name}Backward0") for key, name in _NODES.items()}
_RANK_OF = {"linear": 1, "bilinear": 2, "bicubic": 2, "lanczos": 2, "trilinear": 3}
_ALIGNABLE = ("linear", "bilinear", "bicubic", "trilinear")
_AREA = {1: adaptive_avg_pool1d, 2: adaptive_avg_pool2d, 3: adaptive_avg_pool3d}


# ---------------------------------------------------------------- where an output entry falls


def _step(size: int, out: int, align_corners: bool, scale: float | None) -> float:
    """The distance of two output entries, measured in input entries."""
    if align_corners:
        return (size - 1) / (out - 1) if out > 1 else 0.0
    return 1 / scale if scale is not None and scale > 0 else size / out


def _nearest(size: int, out: int, scale: float | None, exact: bool) -> AxisMap:
    step = np.float32(_step(size, out, False, scale))  # PyTorch computes the place in float32
    place = (np.arange(out, dtype=np.float32) + np.float32(0.5 if exact else 0)) * step
    return AxisMap(size, np.minimum(place.astype(np.int64), size - 1)[:, None])


def _places(size: int, out: int, align_corners: bool, scale: float | None) -> np.ndarray:
    step = _step(size, out, align_corners, scale)
    return np.arange(out) * step if align_corners else (np.arange(out) + 0.5) * step - 0.5


def _linear(size: int, out: int, align_corners: bool, scale: float | None) -> AxisMap:
    place = np.maximum(_places(size, out, align_corners, scale), 0)
    left = np.minimum(place.astype(np.int64), size - 1)
    share = (place - left).clip(0, 1)
    index = np.stack([left, np.minimum(left + 1, size - 1)], 1)
    return AxisMap(size, index, np.stack([1 - share, share], 1))


def _cubic(size: int, out: int, align_corners: bool, scale: float | None) -> AxisMap:
    place = _places(size, out, align_corners, scale)
    left = np.floor(place)
    taps = np.arange(-1, 3)
    weight = _cubic_filter(place[:, None] - left[:, None] - taps, -0.75)
    index = (left[:, None] + taps).clip(0, size - 1).astype(np.int64)
    return AxisMap(size, index, weight)


# ---------------------------------------------------------------- filters


def _linear_filter(x: np.ndarray) -> np.ndarray:
    return np.maximum(1 - np.abs(x), 0)


def _cubic_filter(x: np.ndarray, a: float = -0.5) -> np.ndarray:
    """Keys' convolution kernel. https://doi.org/10.1109/TASSP.1981.1163711"""
    x = np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def _lanczos_filter(x: np.ndarray) -> np.ndarray:
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)


_FILTERS: dict[str, tuple[Callable, int]] = {
    "bilinear": (_linear_filter, 1),
    "bicubic": (_cubic_filter, 2),
    "lanczos": (_lanczos_filter, 3),
}


def _filtered(mode: str, size: int, out: int, align_corners: bool, scale: float | None) -> AxisMap:
    """When shrinking, the filter widens to all entries that an output entry stands for."""
    filter_, radius = _FILTERS[mode]
    step = _step(size, out, align_corners, scale)
    support = radius * max(step, 1.0)
    centre = step * (np.arange(out) + 0.5)
    first = np.maximum((centre - support + 0.5).astype(np.int64), 0)
    end = np.minimum((centre + support + 0.5).astype(np.int64), size)
    index = first[:, None] + np.arange((end - first).max(initial=1))
    weight = filter_((index - centre[:, None] + 0.5) / max(step, 1.0))
    weight = np.where(index < end[:, None], weight, 0.0)
    return AxisMap(size, np.minimum(index, size - 1), weight / weight.sum(1, keepdims=True))


def _map(
    mode: str, size: int, out: int, align_corners: bool, scale: float | None, antialias: bool
) -> AxisMap:
    if antialias:
        return _filtered(mode, size, out, align_corners, scale)
    if mode in ("nearest", "nearest-exact"):
        return _nearest(size, out, scale, mode == "nearest-exact")
    return (_cubic if mode == "bicubic" else _linear)(size, out, align_corners, scale)


# ---------------------------------------------------------------- arguments


def _per_axis(value: Any, shape: list[int], name: str, letter: str) -> list:
    """One value per spatial axis."""
    spatial = shape[2:]
    if not isinstance(value, (list, tuple)):
        return [value] * len(spatial)
    if len(value) != len(spatial):
        given = "output" if name == "output size" else name
        shown = "output size of" if name == "output size" else "scale_factor of shape"
        raise ValueError(
            f"Input and {given} must have the same number of spatial dimensions, but got "
            f"input with spatial dimensions of {spatial} and {shown} {value}. Please provide input "
            f"tensor in (N, C, d1, d2, ...,dK) format and {name} in "
            f"({letter}1, {letter}2, ...,{letter}K) format."
        )
    return list(value)


def _sizes(
    shape: list[int], size: Any, scale_factor: Any, recompute: bool | None
) -> tuple[list[int], list[float | None]]:
    """Output sizes, and the scales to use instead of the ratio of sizes."""
    unsaid: list[float | None] = [None] * len(shape[2:])
    if size is not None and scale_factor is not None:
        raise ValueError("only one of size or scale_factor should be defined")
    if size is not None:
        if recompute:
            raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
        out = _per_axis(size, shape, "output size", "o")
        for n in out:
            if not hasattr(n, "__index__"):
                raise TypeError(f"interpolate(): size must be ints, not {type(n).__name__}")
        return [n.__index__() for n in out], unsaid
    if scale_factor is None:
        raise ValueError("either size or scale_factor should be defined")
    scales = _per_axis(scale_factor, shape, "scale_factor", "s")
    out = [math.floor(float(n) * s) for n, s in zip(shape[2:], scales, strict=True)]
    return out, unsaid if recompute else scales


def _check_mode(shape: list[int], mode: str, align_corners: bool | None, antialias: bool) -> None:
    rank = len(shape) - 2
    if align_corners is not None and mode not in _ALIGNABLE:
        raise ValueError(
            "align_corners option can only be set with the interpolating modes: "
            "linear | bilinear | bicubic | trilinear"
        )
    if antialias and not (mode in _FILTERS and rank == 2):
        raise ValueError(
            "Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires "
            "a 4-D tensor as input"
        )
    if mode == "lanczos" and not antialias:
        raise ValueError("Lanczos mode requires antialias=True")
    wanted = _RANK_OF.get(mode, rank)
    if (
        rank not in (1, 2, 3)
        or mode not in ("nearest", "nearest-exact", "area", *_RANK_OF)
        or (mode in ("bicubic", "lanczos") and rank != 2)
    ):
        raise NotImplementedError(
            f"Input Error: Only 3D, 4D and 5D input Tensors supported (got {len(shape)}D) for the "
            "modes: nearest | linear | bilinear | bicubic | trilinear | lanczos | area | "
            f"nearest-exact (got {mode})"
        )
    if rank != wanted:
        raise NotImplementedError(
            f"Got {len(shape)}D input, but {mode} mode needs {wanted + 2}D input"
        )


def _check_sizes(shape: list[int], out: list[int]) -> None:
    letters = "DHW"[-len(out) :]
    if min(*shape[2:], *out) <= 0:
        given, made = (
            ", ".join(f"{k}: {n}" for k, n in zip(letters, sizes, strict=True))
            for sizes in (shape[2:], out)
        )
        raise RuntimeError(
            "Input and output sizes should be greater than 0, "
            f"but got input ({given}) and output ({made})"
        )
    if shape[1] == 0:
        raise RuntimeError(
            f"Non-empty {len(shape)}D data tensor expected but got a tensor with sizes {shape}"
        )


# ---------------------------------------------------------------- what users call


@composite(names="nn.functional.interpolate")
def interpolate(
    input, size=None, scale_factor=None, mode="nearest", align_corners=None,
    recompute_scale_factor=None, antialias=False,
):  # fmt: skip
    """(N, C, *S) resized to `size`, or by `scale_factor`.

    Modes: nearest, nearest-exact, area for all ranks; linear (N, C, L), bilinear, bicubic and,
    with `antialias`, lanczos (N, C, H, W), trilinear (N, C, D, H, W). `align_corners` keeps the
    outermost entries in place; `antialias` filters what is shrunk.

    >>> import penlight as torch
    >>> x = torch.tensor([[[1.0, 3.0]]])
    >>> torch.nn.functional.interpolate(x, scale_factor=2, mode="linear")
    tensor([[[1.0000, 1.5000, 2.5000, 3.0000]]])
    """
    need_tensor("interpolate", input)
    shape = list(input.shape)
    _check_mode(shape, mode, align_corners, antialias)
    out, scales = _sizes(shape, size, scale_factor, recompute_scale_factor)
    rank = len(out)
    if mode == "area":
        return _AREA[rank](input, out)
    _check_sizes(shape, out)
    is_byte = input.dtype is dtypes.uint8
    if input.dtype.category < dtypes.FLOAT and not is_byte:
        raise NotImplementedError(
            f"\"upsample_{mode}{rank}d\" not implemented for '{input.dtype.scalar_name}'"
        )
    maps = [
        _map(mode, n, o, bool(align_corners), s, antialias)
        for n, o, s in zip(shape[2:], out, scales, strict=True)
    ]
    run = _OPS[(mode, rank, "antialias") if antialias else (mode, rank)]
    if is_byte and maps[0].weight is not None:
        return run(input.to(dtypes.float32), maps).round().clamp(0, 255).to(dtypes.uint8)
    return run(input, maps)


def _deprecated(name: str) -> None:
    warnings.warn(
        f"`nn.functional.{name}` is deprecated. Use `nn.functional.interpolate` instead.",
        stacklevel=4,
    )


@composite(names="nn.functional.upsample")
def upsample(input, size=None, scale_factor=None, mode="nearest", align_corners=None):
    """The old name of `interpolate`."""
    _deprecated("upsample")
    return interpolate(input, size, scale_factor, mode, align_corners)


@composite(names="nn.functional.upsample_nearest")
def upsample_nearest(input, size=None, scale_factor=None):
    """The old name of `interpolate` with mode nearest."""
    _deprecated("upsample_nearest")
    return interpolate(input, size, scale_factor, "nearest")


@composite(names="nn.functional.upsample_bilinear")
def upsample_bilinear(input, size=None, scale_factor=None):
    """The old name of `interpolate` with mode bilinear and aligned corners."""
    _deprecated("upsample_bilinear")
    return interpolate(input, size, scale_factor, "bilinear", True)
