"""Max pooling: fixed, adaptive and fractional windows, and the way back.

https://docs.pytorch.org/docs/stable/nn.functional.html#pooling-functions
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from ..core import dtype as dtypes
from ..core.device import namespace
from ..core.tape import modes
from ..core.tensor import wrap
from .choose import choosing_op
from .pool_size import (
    check_places,
    check_rank,
    check_window,
    overhang,
    per_axis,
    places,
)
from .record import composite
from .windows import Ints, embed, taps

_choose = {
    2: choosing_op("MaxPool2DWithIndicesBackward0", 2),
    3: choosing_op("MaxPool3DWithIndicesBackward0", 3),
}


def lowest(xp: Any, dtype: Any) -> Any:
    """The number that no other one is below."""
    return xp.iinfo(dtype).min if dtype.kind in "iu" else -xp.inf


def _search(
    xp: Any, x: Any, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, count: Ints
) -> tuple[Any, Any]:
    """The maximum of each window and where in the plane it is: the first, but NaN before all."""
    size = x.shape[-len(kernel) :]
    after = overhang(size, kernel, stride, padding, dilation, count)
    padded = embed(xp, x, padding, after, lowest(xp, x.dtype))
    y = xp.full(x.shape[: -len(kernel)] + count, lowest(xp, x.dtype), x.dtype)
    number = xp.empty(y.shape, xp.uint8 if prod(kernel) < 256 else xp.int64)
    starts = [xp.arange(n) * s - p for n, s, p in zip(count, stride, padding, strict=True)]
    first = [-(-xp.maximum(-a, 0) // d) for a, d in zip(starts, dilation, strict=True)]
    number[...] = _ravel(first, kernel)  # stays where all of a window is the lowest number
    may_be_nan = x.dtype.kind not in "iu" and x.size and bool(xp.isnan(xp.max(x)))
    for i, (_, spot) in enumerate(taps(kernel, stride, dilation, count)):
        part = padded[(..., *spot)]
        better = part > y
        if may_be_nan:
            better |= xp.isnan(part)
        xp.copyto(y, part, where=better)
        xp.copyto(number, i, where=better)
    tap = xp.indices(kernel).reshape(len(kernel), -1)
    ahead = _flat(tap * xp.array(dilation)[:, None], size)
    return y, ahead[number] + _ravel(starts, size)


def _ravel(positions: list, size: Ints) -> Any:
    """Flat positions of a grid given by its positions per axis."""
    total: Any = 0
    for i, p in enumerate(positions):
        total = total + p.reshape(-1, *(1,) * (len(size) - 1 - i)) * prod(size[i + 1 :])
    return total


def _flat(positions: Any, size: Ints) -> Any:
    return sum(p * prod(size[i + 1 :]) for i, p in enumerate(positions))


def _maximum(
    xp: Any, x: Any, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, count: Ints
) -> Any:
    """The maximum of each window."""
    after = overhang(x.shape[-len(kernel) :], kernel, stride, padding, dilation, count)
    padded = embed(xp, x, padding, after, lowest(xp, x.dtype))
    y: Any = None
    for _, spot in taps(kernel, stride, dilation, count):
        part = padded[(..., *spot)]
        y = part.copy() if y is None else xp.maximum(y, part, out=y)
    return y


def _max_pool(
    rank: int, input: Any, kernel_size: Any, stride: Any, padding: Any, dilation: Any,
    ceil_mode: bool, return_indices: bool,
) -> Any:  # fmt: skip
    name = f"max_pool{rank}d"
    kernel = per_axis(name, "kernel_size", kernel_size, rank)
    stride = kernel if stride is None or stride == [] else per_axis(name, "stride", stride, rank)
    padding = per_axis(name, "padding", padding, rank)
    dilation = per_axis(name, "dilation", dilation, rank)
    check_window(kernel, stride, padding, dilation)
    check_rank(name, input, rank)
    if input.dtype is dtypes.bool_:
        raise NotImplementedError(f"\"{name}\" not implemented for 'Bool'")
    if rank == 1:  # as in PyTorch a plane of height 1
        found = _max_pool(
            2, input.unsqueeze(-2), (1, *kernel), (1, *stride), (0, *padding), (1, *dilation),
            ceil_mode, return_indices,
        )  # fmt: skip
        return tuple(t.squeeze(-2) for t in found) if return_indices else found.squeeze(-2)
    x, xp = input._array, namespace(input._array)
    count = places(x.shape[-rank:], kernel, stride, padding, dilation, ceil_mode)
    check_places(x.shape, count)
    if not return_indices and not (modes.grad and input.requires_grad):
        return wrap(_maximum(xp, x, kernel, stride, padding, dilation, count))
    values, index = _search(xp, x, kernel, stride, padding, dilation, count)
    apart = all(s >= d * (k - 1) + 1 for s, k, d in zip(stride, kernel, dilation, strict=True))
    y = _choose[rank](input, values, index, apart)
    return (y, wrap(index)) if return_indices else y


def _exposed(rank: int, shapes: str) -> Callable:
    """max_pool{rank}d, as users call it; PyTorch has it as torch.* without `return_indices`."""

    def pool(
        input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False,
        return_indices=False,
    ):  # fmt: skip
        return _max_pool(
            rank, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices
        )

    pool.__name__ = pool.__qualname__ = f"max_pool{rank}d"
    pool.__doc__ = f"""The maximum of each window of {shapes}.

    `return_indices` adds where it was found, counted within its channel; `ceil_mode` keeps a
    last window that leaves the input.

    >>> import penlight as torch
    >>> torch.nn.functional.max_pool{rank}d(torch.ones(2, *[4] * {rank}), 2).shape[-1]
    2
    """
    return composite(pool, names=f"torch.{pool.__name__} nn.functional.{pool.__name__}")


def _with_indices(pool: Callable, names: str) -> Callable:
    def with_indices(
        input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False,
        return_indices=True,
    ):  # fmt: skip
        return pool(input, kernel_size, stride, padding, dilation, ceil_mode, True)

    with_indices.__name__ = with_indices.__qualname__ = f"{pool.__name__}_with_indices"
    with_indices.__doc__ = f"`{pool.__name__}` with return_indices=True."
    return composite(with_indices, names=names)


max_pool1d = _exposed(1, "(N, C, L)")
max_pool2d = _exposed(2, "(N, C, H, W)")
max_pool3d = _exposed(3, "(N, C, D, H, W)")
_with_indices(max_pool1d, "torch.max_pool1d_with_indices nn.functional.max_pool1d_with_indices")
_with_indices(max_pool2d, "nn.functional.max_pool2d_with_indices")
_with_indices(max_pool3d, "nn.functional.max_pool3d_with_indices")
