"""Sampling images at any places, and the places of an affine map.

https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.grid_sample.html
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from ..core import dtype as dtypes
from ..core.tensor import Tensor, wrap
from .arguments import need_tensor
from .choose import chosen
from .families import composite, op
from .masks import where
from .ranges import linspace

_MODES = ("bilinear", "nearest", "bicubic")
_PADDINGS = ("zeros", "border", "reflection")


def _shown_as(node: str) -> Any:
    """The identity, shown as `node`: the name under which a composition appears."""

    @op(name="_" + node, node=node, grad={"input": lambda g: g})
    def identity(xp, input):
        """The input."""
        return input

    return identity


_samplers = {2: _shown_as("GridSampler2DBackward0"), 3: _shown_as("GridSampler3DBackward0")}
_affine = _shown_as("AffineGridGeneratorBackward0")


# ---------------------------------------------------------------- coordinates


def _to_pixels(x: Tensor, size: int, align_corners: bool) -> Tensor:
    """-1 and 1 are the centres (`align_corners`) or the outer edges of the outermost pixels."""
    if align_corners:
        return (x + 1) * ((size - 1) / 2)
    return ((x + 1) * size - 1) / 2


def _reflected(x: Tensor, low: float, high: float) -> Tensor:
    """x folded back into [low, high] at both ends."""
    span = high - low
    if span == 0:
        return x * 0
    away = (x - low).abs()
    turns = wrap(np.floor(away._array / span))
    rest = away - turns * span
    is_even = wrap(turns._array % 2 == 0)
    return where(is_even, rest + low, high - rest)


def _inside(x: Tensor, size: int, padding_mode: str, align_corners: bool) -> Tensor:
    """Pixel coordinates as the padding mode reads them."""
    if padding_mode == "zeros":
        return x
    if padding_mode == "reflection":
        x = _reflected(x, 0, size - 1) if align_corners else _reflected(x, -0.5, size - 0.5)
    return x.clamp(0, size - 1)


# ---------------------------------------------------------------- weights of the pixels around


def _linear_taps(x: Tensor) -> list[tuple[np.ndarray, Tensor]]:
    left = np.floor(x._array)
    share = x - wrap(left)
    return [(left, 1 - share), (left + 1, share)]


def _nearest_taps(x: Tensor) -> list[tuple[np.ndarray, Tensor]]:
    return [(np.rint(x._array), x * 0 + 1)]  # constant, but its gradient is zeros, not None


def _cubic_taps(x: Tensor) -> list[tuple[np.ndarray, Tensor]]:
    """Keys' kernel with a = -3/4 at the distances 1 + t, t, 1 - t, 2 - t."""
    a = -0.75
    left = np.floor(x._array)
    t = x - wrap(left)

    def near(d: Tensor) -> Tensor:
        return ((a + 2) * d - (a + 3)) * d * d + 1

    def far(d: Tensor) -> Tensor:
        return (((d - 5) * d + 8) * d - 4) * a

    weights = (far(t + 1), near(t), near(1 - t), far(2 - t))
    return [(left + i - 1, weight) for i, weight in enumerate(weights)]


_TAPS = {"bilinear": _linear_taps, "nearest": _nearest_taps, "bicubic": _cubic_taps}


def _sampled(
    input: Tensor, grid: Tensor, mode: str, padding_mode: str, align_corners: bool
) -> Tensor:
    size = tuple(input.shape[2:])
    rank = len(size)
    per_axis = []
    for axis, n in enumerate(size):
        x = _to_pixels(grid[..., rank - 1 - axis], n, align_corners)  # the grid begins with x
        if mode != "bicubic":
            x = _inside(x, n, padding_mode, align_corners)
        taps = _TAPS[mode](x)
        if mode == "bicubic":  # here the padding mode is applied to the pixels, not to the place
            taps = [(_inside(wrap(at), n, padding_mode, align_corners)._array, w) for at, w in taps]
        per_axis.append(taps)
    total: Any = None
    for corner in product(*per_axis):
        index, known = _flat([at for at, _ in corner], size)
        weight = corner[0][1]
        for _, factor in corner[1:]:
            weight = weight * factor
        weight = weight * wrap(known.astype(weight._array.dtype))
        shape = (*input.shape[:2], *index.shape[1:])
        pixels = chosen(input, np.broadcast_to(index[:, None], shape), rank)
        part = pixels * weight.unsqueeze(1)
        total = part if total is None else total + part
    return total


def _flat(at: list[np.ndarray], size: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Flat positions, and which of them lie in the image (the others are set to 0)."""
    known: Any = True
    flat: Any = 0
    for x, n in zip(at, size, strict=True):
        known = known & (x >= 0) & (x < n)
        flat = flat * n + np.nan_to_num(x).clip(0, n - 1).astype(np.int64)
    return np.where(known, flat, 0), known


# ---------------------------------------------------------------- what users call


def _check(input: Tensor, grid: Tensor, mode: str) -> None:
    shape, places = list(input.shape), list(grid.shape)
    if input.dtype is not grid.dtype:
        raise RuntimeError(
            f"expected scalar type {input.dtype.scalar_name} but found {grid.dtype.scalar_name}"
        )
    if places[0] != shape[0]:
        raise RuntimeError(
            "grid_sampler(): expected grid and input to have same batch size, but got input with "
            f"sizes {shape} and grid with sizes {places}"
        )
    if places[-1] != len(shape) - 2:
        raise RuntimeError(
            f"grid_sampler(): expected grid to have size {len(shape) - 2} in last dimension, but "
            f"got grid with sizes {places}"
        )
    if len(shape) not in (4, 5) or len(places) != len(shape):
        raise RuntimeError(
            f"grid_sampler(): expected {len(shape)}D input and grid with same number of "
            f"dimensions, but got input with sizes {shape} and grid with sizes {places}"
        )
    for axis in range(2, len(shape)):
        if shape[axis] == 0:
            raise RuntimeError(
                "grid_sampler(): expected input to have non-empty spatial dimensions, but input "
                f"has sizes {shape} with dimension {axis} being empty"
            )
    if mode == "bicubic" and len(shape) != 4:
        raise RuntimeError("grid_sampler(): bicubic interpolation only supports 4D input")


_ALIGN_WARNING = (
    "Default grid_sample and affine_grid behavior has changed to align_corners=False since 1.3.0. "
    "Please specify align_corners=True if the old behavior is desired. See the documentation of "
    "{} for details."
)


@composite(names="nn.functional.grid_sample")
def grid_sample(input, grid, mode="bilinear", padding_mode="zeros", align_corners=None):
    """The values of images (N, C, H, W) at the places grid (N, H', W', 2); also with a depth.

    A place is (x, y), each from -1 to 1 over the image. Modes: bilinear, nearest, bicubic; outside
    there are zeros, the border's values, or (`reflection`) the mirrored image.

    >>> import penlight as torch
    >>> x = torch.tensor([[[[1.0, 3.0]]]])
    >>> torch.nn.functional.grid_sample(x, torch.zeros(1, 1, 1, 2), align_corners=True)
    tensor([[[[2.]]]])
    """
    need_tensor("grid_sampler", input)
    need_tensor("grid_sampler", grid, "grid", 2)
    if mode not in _MODES:
        raise ValueError(
            "nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', "
            f"but got: '{mode}'"
        )
    if padding_mode not in _PADDINGS:
        raise ValueError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or "
            f"'reflection', but got: '{padding_mode}'"
        )
    if align_corners is None:
        warnings.warn(_ALIGN_WARNING.format("grid_sample"), stacklevel=3)
        align_corners = False
    _check(input, grid, mode)
    sampled = _sampled(input, grid, mode, padding_mode, align_corners)
    return _samplers[input.dim() - 2](sampled)


@composite(names="torch.grid_sampler")
def grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners):
    """`grid_sample` with its modes as numbers."""
    return grid_sample(
        input, grid, _MODES[interpolation_mode], _PADDINGS[padding_mode], align_corners
    )


def _check_affine(theta: Tensor, size: Sequence[int]) -> None:
    if theta.dtype.category < dtypes.FLOAT:
        raise ValueError(f"Expected theta to have floating point type, but got {theta.dtype}")
    if len(size) not in (4, 5):
        raise NotImplementedError(
            "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, "
            f"respectively. Got size {size}."
        )
    rank = len(size) - 2
    if theta.dim() != 3 or tuple(theta.shape[1:]) != (rank, rank + 1):
        raise ValueError(
            f"Expected a batch of {rank}D affine matrices of shape Nx{rank}x{rank + 1} for size "
            f"{size}. Got {theta.shape}."
        )
    if min(size) <= 0:
        raise ValueError(f"Expected non-zero, positive output size. Got {size}")


@composite(names="nn.functional.affine_grid")
def affine_grid(theta, size, align_corners=None):
    """Where the pixels of an image of `size` (N, C, H, W) come from under the affine maps theta.

    theta (N, 2, 3) -> grid (N, H, W, 2), or (N, 3, 4) -> (N, D, H, W, 3).

    >>> import penlight as torch
    >>> same = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    >>> torch.nn.functional.affine_grid(same, (1, 1, 1, 2), align_corners=False)
    tensor([[[[-0.5000,  0.0000],
              [ 0.5000,  0.0000]]]])
    """
    need_tensor("affine_grid", theta)
    size = tuple(size)
    _check_affine(theta, size)
    if align_corners is None:
        warnings.warn(_ALIGN_WARNING.format("grid_sample"), stacklevel=3)
        align_corners = False
    spatial = size[2:]
    lines = []
    for n in spatial:
        # rounded where PyTorch rounds: a gradient jumps where a point crosses a pixel's centre
        line = linspace(-1, 1, n, dtype=theta.dtype)._array if n > 1 else np.zeros(1)
        lines.append(line if align_corners else line * (n - 1) / n)
    grids = np.meshgrid(*lines, indexing="ij")
    base = np.stack([*reversed(grids), np.ones(spatial)], -1).reshape(1, -1, len(spatial) + 1)
    points = wrap(base.astype(theta._array.dtype)).expand(size[0], -1, -1).bmm(theta.mT)
    return _affine(points.reshape(size[0], *spatial, len(spatial)))


@composite(names="torch.affine_grid_generator")
def affine_grid_generator(theta, size, align_corners):
    """`affine_grid`."""
    return affine_grid(theta, size, align_corners)
