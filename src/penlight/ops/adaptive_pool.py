"""Pooling to a given output size, and with windows placed at random.

https://docs.pytorch.org/docs/stable/nn.functional.html#pooling-functions
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..compiler import numerics
from ..core.beside import computed
from ..core.tensor import Tensor, wrap
from .arguments import need_tensor
from .axis_maps import AxisMap, mapping_op
from .choose import choosing_op, take
from .families import composite
from .random import rand
from .windows import Ints

_average = {
    2: mapping_op("AdaptiveAvgPool2DBackward0"),
    3: mapping_op("AdaptiveAvgPool3DBackward0"),
}
_maximum = {
    2: choosing_op("AdaptiveMaxPool2DBackward0", 2),
    3: choosing_op("AdaptiveMaxPool3DBackward0", 3),
}
_fractional = {
    2: choosing_op("FractionalMaxPool2DBackward0", 2),
    3: choosing_op("FractionalMaxPool3DBackward0", 3),
}


# ---------------------------------------------------------------- arguments


def _output_size(function: str, value: Any, size: Ints) -> Ints:
    """One length per axis; None keeps the input's."""
    rank = len(size)
    values = (value,) * rank if value is None or hasattr(value, "__index__") else tuple(value)
    if len(values) != rank:
        if rank == 1:
            raise RuntimeError(
                f"{function}() argument 'output_size' should contain one int (got {len(values)})"
            )
        raise RuntimeError(f"{function}: output_size must be {rank}, got {values}")
    return tuple(n if v is None else v.__index__() for v, n in zip(values, size, strict=True))


def _checked(function: str, input: Any, output_size: Any, rank: int) -> Ints:
    need_tensor(function, input)
    shape = list(input.shape)
    if len(shape) <= rank and rank > 1 and hasattr(output_size, "__len__"):
        raise ValueError(f"Input dimension should be at least {rank + 1}")
    if len(shape) not in (rank + 1, rank + 2):
        if rank == 1:
            raise RuntimeError(
                f"Expected 2 to 3 dimensions, but got {len(shape)}-dimensional tensor for argument "
                f"#1 'self' (while checking arguments for {function})"
            )
        raise RuntimeError(
            f"{function}(): Expected {rank + 1}D or {rank + 2}D tensor, but got {shape}"
        )
    for axis in range(len(shape) - rank, len(shape)):
        if shape[axis] == 0:
            raise RuntimeError(
                f"{function}(): Expected input to have non-zero size for non-batch dimensions, but "
                f"input has sizes {shape} with dimension {axis} being empty"
            )
    out = _output_size(function, output_size, tuple(shape[-rank:]))
    if min(out) < 0:
        raise RuntimeError(
            f"{function}: elements of output_size must be greater than or equal to 0 but received "
            f"{{{', '.join(map(str, out))}}}"
        )
    if input.dtype.category < 2:
        raise NotImplementedError(f"\"{function}\" not implemented for '{input.dtype.scalar_name}'")
    return out


def _segments(size: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Where window i of `count` begins and ends: ⌊i·size/count⌋ and ⌈(i + 1)·size/count⌉."""
    i = np.arange(count)
    return i * size // max(count, 1), -(-(i + 1) * size // max(count, 1))


def _positions(size: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(count, taps) positions of each window, its last one repeated, and which of them count."""
    start, end = _segments(size, count)
    taps = start[:, None] + np.arange((end - start).max(initial=1))
    inside = taps < end[:, None]
    return np.where(inside, taps, end[:, None] - 1), inside


# ---------------------------------------------------------------- averages


def _adaptive_average(input: Any, output_size: Any, rank: int) -> Tensor:
    out = _checked(f"adaptive_avg_pool{rank}d", input, output_size, rank)
    if rank == 1:
        return _adaptive_average(input.unsqueeze(-2), (1, *out), 2).squeeze(-2)
    if set(out) == {1} and rank > 1:
        return input.mean(tuple(range(-rank, 0)), keepdim=True)
    maps = []
    for size, count in zip(input.shape[-rank:], out, strict=True):
        index, inside = _positions(size, count)
        maps.append(AxisMap(size, index, inside / inside.sum(1, keepdims=True)))
    return _average[rank](input, [m if len(m.index) != m.size else None for m in maps])


@composite(names="torch.adaptive_avg_pool1d nn.functional.adaptive_avg_pool1d")
def adaptive_avg_pool1d(input, output_size):
    """Averages of `output_size` windows that together cover the axis: (N, C, L) -> (N, C, out).

    >>> import penlight as torch
    >>> torch.adaptive_avg_pool1d(torch.tensor([[1.0, 2.0, 3.0, 4.0]]), 2)
    tensor([[1.5000, 3.5000]])
    """
    return _adaptive_average(input, output_size, 1)


@composite(names="nn.functional.adaptive_avg_pool2d")
def adaptive_avg_pool2d(input, output_size):
    """Averages of windows that together cover (N, C, H, W); None keeps a length."""
    return _adaptive_average(input, output_size, 2)


@composite(names="nn.functional.adaptive_avg_pool3d")
def adaptive_avg_pool3d(input, output_size):
    """Averages of windows that together cover (N, C, D, H, W); None keeps a length."""
    return _adaptive_average(input, output_size, 3)


# ---------------------------------------------------------------- maxima


def _window_maxima(xp: Any, x: Any, positions: list) -> tuple[Any, Any]:
    """The maximum over the product of `positions`, one array (*B or 1s, P, T) per axis of x.

    And its index within the plane.
    """
    rank = len(positions)
    size = x.shape[-rank:]
    index: Any = 0
    for axis, p in enumerate(positions):
        lead = p.shape[:-2]
        form = [1] * (2 * rank)
        form[axis], form[rank + axis] = p.shape[-2:]
        index = index * size[axis] + p.reshape(*lead, *form)  # (*B, *P, *T)
    count = index.shape[-2 * rank : -rank]
    index = xp.broadcast_to(index, x.shape[:-rank] + index.shape[-2 * rank :])
    index = index.reshape(*x.shape[:-rank], *count, prod(index.shape[-rank:]))
    values = take(xp, x, index, rank)
    best = values.argmax(-1)[..., None]
    at = xp.take_along_axis
    return at(values, best, -1)[..., 0], at(index, best, -1)[..., 0]


def _adaptive_maximum(input: Any, output_size: Any, return_indices: bool, rank: int) -> Any:
    out = _checked(f"adaptive_max_pool{rank}d", input, output_size, rank)
    if rank == 1:
        found = _adaptive_maximum(input.unsqueeze(-2), (1, *out), return_indices, 2)
        return tuple(t.squeeze(-2) for t in found) if return_indices else found.squeeze(-2)
    values, index = computed(_largest, numerics, input, out)
    y = _maximum[rank](input, values._array, index._array)
    return (y, index) if return_indices else y


def _largest(xp: Any, x: Any, out: tuple[int, ...]) -> tuple:
    """The largest of each window, and where it is."""
    shape = x.shape[-len(out) :]
    positions = [_positions(size, count)[0] for size, count in zip(shape, out, strict=True)]
    return _window_maxima(xp, x, positions)


@composite(names="torch.adaptive_max_pool1d nn.functional.adaptive_max_pool1d")
def adaptive_max_pool1d(input, output_size, return_indices=False):
    """Maxima of `output_size` windows that together cover the axis: (N, C, L) -> (N, C, out)."""
    return _adaptive_maximum(input, output_size, return_indices, 1)


@composite(names="nn.functional.adaptive_max_pool2d")
def adaptive_max_pool2d(input, output_size, return_indices=False):
    """Maxima of windows that together cover (N, C, H, W); None keeps a length.

    >>> import penlight as torch
    >>> torch.nn.functional.adaptive_max_pool2d(torch.arange(9.0).view(1, 3, 3), 2)
    tensor([[[4., 5.],
             [7., 8.]]])
    """
    return _adaptive_maximum(input, output_size, return_indices, 2)


@composite(names="nn.functional.adaptive_max_pool3d")
def adaptive_max_pool3d(input, output_size, return_indices=False):
    """Maxima of windows that together cover (N, C, D, H, W); None keeps a length."""
    return _adaptive_maximum(input, output_size, return_indices, 3)


# ---------------------------------------------------------------- windows placed at random


def _random_starts(sample: np.ndarray, size: int, count: int, kernel: int) -> np.ndarray:
    """(*B, count) pseudo-random window starts, one sequence per number of `sample` in [0, 1).

    Graham, Fractional Max-Pooling, https://arxiv.org/abs/1412.6071
    """
    starts = np.full((*sample.shape, count), size - kernel)
    if count > 1:
        step = (sample.dtype.type(size) - kernel) / (count - 1)
        i = np.arange(count - 1)
        shift = (sample * step).astype(np.int64)[..., None]
        starts[..., :-1] = ((sample[..., None] + i) * step).astype(np.int64) - shift
    return starts


def _fractional_maximum(
    input: Any, kernel_size: Any, output_size: Any, output_ratio: Any, return_indices: bool,
    samples: Tensor | None, rank: int,
) -> Any:  # fmt: skip
    name = f"fractional_max_pool{rank}d"
    need_tensor(name, input)
    if output_size is None and output_ratio is None:
        raise ValueError(f"{name} requires specifying either an output_size or an output_ratio")
    shape = tuple(input.shape)
    if len(shape) not in (rank + 1, rank + 2):
        raise RuntimeError(
            f"{name}(): Expected {rank + 1}D or {rank + 2}D tensor, but got: {list(shape)}"
        )
    size = shape[-rank:]
    if output_size is None:
        ratios = output_ratio if hasattr(output_ratio, "__len__") else (output_ratio,) * rank
        output_size = [int(n * r) for n, r in zip(size, ratios, strict=True)]
    out = _output_size(name, output_size, size)
    kernel = _output_size(name, kernel_size, size)
    for axis, n, k, c in zip(("time", "height", "width")[-rank:], size, kernel, out, strict=True):
        if c + k - 1 > n:
            raise RuntimeError(f"{name}(): pool {axis} {k} too large relative to input {axis} {n}")
    batch = shape[: -rank - 1]
    if samples is None:
        samples = rand(*(batch or (1,)), shape[-rank - 1], rank, dtype=input.dtype)
    drawn = samples._array[: batch[0] if batch else 1]  # there may be samples to spare
    drawn = drawn.reshape(*batch, shape[-rank - 1], rank)
    order = (1, 0) if rank == 2 else (0, 1, 2)  # in a plane the first number is for the width
    positions = [
        _random_starts(drawn[..., order[axis]], n, c, k)[..., None] + np.arange(k)
        for axis, (n, c, k) in enumerate(zip(size, out, kernel, strict=True))
    ]
    values, index = _window_maxima(numerics, input._array, positions)
    y = _fractional[rank](input, values, index)
    return (y, wrap(index)) if return_indices else y


@composite(names="nn.functional.fractional_max_pool2d")
def fractional_max_pool2d(
    input, kernel_size, output_size=None, output_ratio=None, return_indices=False,
    _random_samples=None,
):  # fmt: skip
    """Maxima of windows of (N, C, H, W) at random steps, to `output_size` or that share."""
    return _fractional_maximum(
        input, kernel_size, output_size, output_ratio, return_indices, _random_samples, 2
    )


@composite(names="nn.functional.fractional_max_pool3d")
def fractional_max_pool3d(
    input, kernel_size, output_size=None, output_ratio=None, return_indices=False,
    _random_samples=None,
):  # fmt: skip
    """Maxima of windows of (N, C, D, H, W) at random steps, to `output_size` or that share."""
    return _fractional_maximum(
        input, kernel_size, output_size, output_ratio, return_indices, _random_samples, 3
    )
