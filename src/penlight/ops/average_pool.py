"""Average and power-average pooling, and undoing max pooling.

https://docs.pytorch.org/docs/stable/nn.functional.html#pooling-functions
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from ..core import dtype as dtypes
from ..core.tensor import Tensor
from .choose import chosen, planes
from .families import composite, op
from .pool_size import check_places, check_rank, check_window, overhang, per_axis, places
from .windows import Ints, embed, has_kernels

# ---------------------------------------------------------------- sums of windows


def _along(axis: int, ndim: int, part: slice) -> tuple:
    return (*(slice(None),) * (axis % ndim), part)


def _window_sums(xp: Any, x: Any, kernel: Ints, stride: Ints, padding: Ints, count: Ints) -> Any:
    """The sum of each window, axis after axis."""
    rank = len(kernel)
    ones = (1,) * rank
    x = embed(xp, x, padding, overhang(x.shape[-rank:], kernel, stride, padding, ones, count))
    for axis in range(-rank, 0):
        k, step, n = kernel[axis], stride[axis], count[axis]
        parts = [x[_along(axis, x.ndim, slice(t, t + (n - 1) * step + 1, step))] for t in range(k)]
        total = parts[0].copy()
        for part in parts[1:]:
            total += part
        x = total
    return x


def _spread_sums(
    xp: Any, g: Any, size: Ints, kernel: Ints, stride: Ints, padding: Ints, count: Ints
) -> Any:
    """The adjoint of `_window_sums`: each entry goes to its whole window."""
    rank = len(kernel)
    after = overhang(size, kernel, stride, padding, (1,) * rank, count)
    lengths = [s + p + max(a, 0) for s, p, a in zip(size, padding, after, strict=True)]
    for axis in range(-rank, 0):
        k, step, n = kernel[axis], stride[axis], count[axis]
        shape = list(g.shape)
        shape[axis] = lengths[axis]
        out = xp.zeros(shape, g.dtype)
        for t in range(k):
            out[_along(axis, g.ndim, slice(t, t + (n - 1) * step + 1, step))] += g
        g = out
    less = [s + p - n for s, p, n in zip(size, padding, lengths, strict=True)]
    return xp.ascontiguousarray(embed(xp, g, [-p for p in padding], less))


@lru_cache(maxsize=512)
def _divisor(
    size: Ints, kernel: Ints, stride: Ints, padding: Ints, count: Ints, with_padding: bool
) -> np.ndarray | int:
    """How many entries each window has: of the input, or (`with_padding`) of the padded one."""
    result: Any = 1
    for i, (s, k, step, p, n) in enumerate(zip(size, kernel, stride, padding, count, strict=True)):
        start = np.arange(n) * step - p
        end = np.minimum(start + k, s + p)
        if not with_padding:
            start, end = np.maximum(start, 0), np.minimum(end, s)
        result = result * (end - start).reshape(-1, *(1,) * (len(size) - 1 - i))
    return int(result.flat[0]) if (result == result.flat[0]).all() else result


# ---------------------------------------------------------------- averages


def _average_op(node: str) -> Any:
    def rule(g, input_shape, kernel, stride, padding, count, divisor):
        size = tuple(input_shape[-len(kernel) :])
        return adjoint(g, size, kernel, stride, padding, count, divisor)

    @op(name="_" + node, node=node, grad={"input": rule})
    def average(xp, input, kernel, stride, padding, count, divisor):
        """Sums of windows over their divisors; integers are cut off towards zero."""
        if has_kernels(input):
            return xp.avg_pool(input, kernel, stride, padding, count, divisor)
        sums = _window_sums(xp, input, kernel, stride, padding, count)
        if sums.dtype.kind in "iu":
            return xp.trunc(sums / divisor).astype(sums.dtype)
        sums /= xp.asarray(divisor).astype(sums.dtype)
        return sums

    @op(
        name=f"_{node}Adjoint",
        node=node,
        grad={
            "grad": lambda g, kernel, stride, padding, count, divisor: average(
                g, kernel, stride, padding, count, divisor
            )
        },
    )
    def adjoint(xp, grad, size, kernel, stride, padding, count, divisor):
        """Each entry, over its divisor, goes to its window."""
        if has_kernels(grad):
            return xp.avg_pool_backward(grad, size, kernel, stride, padding, divisor)
        share = grad / xp.asarray(divisor).astype(grad.dtype)
        return _spread_sums(xp, share, size, kernel, stride, padding, count)

    return average


_averages = {2: _average_op("AvgPool2DBackward0"), 3: _average_op("AvgPool3DBackward0")}


def _avg_pool(
    rank: int, input: Any, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool,
    count_include_pad: bool, divisor_override: int | None = None,
) -> Tensor:  # fmt: skip
    name = f"avg_pool{rank}d"
    kernel = per_axis(name, "kernel_size", kernel_size, rank)
    empty = stride is None or stride == () or stride == []
    stride = kernel if empty else per_axis(name, "stride", stride, rank)
    padding = per_axis(name, "padding", padding, rank)
    check_window(kernel, stride, padding, (1,) * rank)
    check_rank(name, input, rank)
    if divisor_override == 0:
        raise RuntimeError("divisor must be not zero")
    if input.dtype is dtypes.bool_:
        raise NotImplementedError(f"\"avg_pool{max(rank, 2)}d\" not implemented for 'Bool'")
    if rank == 1:  # as in PyTorch a plane of height 1
        y = _avg_pool(
            2, input.unsqueeze(-2), (1, *kernel), (1, *stride), (0, *padding), ceil_mode,
            count_include_pad,
        )  # fmt: skip
        return y.squeeze(-2)
    size = tuple(input.shape[-rank:])
    count = places(size, kernel, stride, padding, (1,) * rank, ceil_mode)
    check_places(tuple(input.shape), count)
    divisor = divisor_override or _divisor(size, kernel, stride, padding, count, count_include_pad)
    return _averages[rank](input, kernel, stride, padding, count, divisor)


@composite(names="torch.avg_pool1d nn.functional.avg_pool1d")
def avg_pool1d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
    """The average of each window of (N, C, L).

    >>> import penlight as torch
    >>> torch.avg_pool1d(torch.tensor([[1.0, 3.0, 5.0]]), 2, stride=1)
    tensor([[2., 4.]])
    """
    return _avg_pool(1, input, kernel_size, stride, padding, ceil_mode, count_include_pad)


@composite(names="nn.functional.avg_pool2d")
def avg_pool2d(
    input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True,
    divisor_override=None,
):  # fmt: skip
    """The average of each window of (N, C, H, W); padding counts unless said otherwise."""
    return _avg_pool(
        2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


@composite(names="nn.functional.avg_pool3d")
def avg_pool3d(
    input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True,
    divisor_override=None,
):  # fmt: skip
    """The average of each window of (N, C, D, H, W); padding counts unless said otherwise."""
    return _avg_pool(
        3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


# ---------------------------------------------------------------- power averages


def _lp_pool(
    rank: int, input: Tensor, norm_type: Any, kernel_size: Any, stride: Any, ceil_mode: bool
) -> Tensor:
    kernel = per_axis(f"lp_pool{rank}d", "kernel_size", kernel_size, rank)
    mean = _avg_pool(rank, input.pow(norm_type), kernel, stride, 0, ceil_mode, True)
    return (mean.sign() * mean.abs().relu() * prod(kernel)).pow(1.0 / norm_type)


@composite(names="nn.functional.lp_pool1d")
def lp_pool1d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """(Σ x^p)^(1/p) over each window of (N, C, L).

    >>> import penlight as torch
    >>> torch.nn.functional.lp_pool1d(torch.tensor([[3.0, 4.0]]), 2, 2)
    tensor([[5.]])
    """
    return _lp_pool(1, input, norm_type, kernel_size, stride, ceil_mode)


@composite(names="nn.functional.lp_pool2d")
def lp_pool2d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """(Σ x^p)^(1/p) over each window of (N, C, H, W)."""
    return _lp_pool(2, input, norm_type, kernel_size, stride, ceil_mode)


@composite(names="nn.functional.lp_pool3d")
def lp_pool3d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """(Σ x^p)^(1/p) over each window of (N, C, D, H, W)."""
    return _lp_pool(3, input, norm_type, kernel_size, stride, ceil_mode)


# ---------------------------------------------------------------- undoing max pooling


def _unpool_op(rank: int) -> Any:
    node = f"MaxUnpool{rank}DBackward0"

    @op(name="_" + node, node=node, grad={"input": lambda g, indices: chosen(g, indices, rank)})
    def unpool(xp, input, indices, size):
        """Zeros with the inputs at their indices."""
        out = xp.zeros(input.shape[:-rank] + size, input.dtype)
        xp.put_along_axis(planes(out, rank), planes(indices, rank), planes(input, rank), 1)
        return out

    return unpool


_unpools = {2: _unpool_op(2), 3: _unpool_op(3)}


def _max_unpool(
    rank: int, input: Tensor, indices: Tensor, kernel_size: Any, stride: Any, padding: Any,
    output_size: Sequence[int] | None,
) -> Tensor:  # fmt: skip
    name = f"max_unpooling{rank}d"
    kernel = per_axis(name, "kernel_size", kernel_size, rank)
    stride = kernel if stride is None else per_axis(name, "stride", stride, rank)
    padding = per_axis(name, "padding", padding, rank)
    if input.dim() not in (rank + 1, rank + 2):
        raise RuntimeError(
            f"Input to {name} should be a {rank + 1}d or {rank + 2}d Tensor, but got a tensor with "
            f"{input.dim()} dimensions."
        )
    size = _unpooled_size(tuple(input.shape[-rank:]), kernel, stride, padding, output_size)
    if indices.dtype is not dtypes.int64:
        raise RuntimeError(
            f"elements in indices should be type int64 but got: {indices.dtype.scalar_name}"
        )
    if indices.shape != input.shape:
        raise RuntimeError(
            "Expected shape of indices to be same as that of the input tensor "
            f"({list(input.shape)}) but got indices tensor with shape: {list(indices.shape)}"
        )
    if min(stride) <= 0:
        raise RuntimeError(f"strides should be greater than zero, but got stride: {list(stride)}")
    wrong = (indices._array < 0) | (indices._array >= prod(size))
    if wrong.any():
        raise RuntimeError(
            f"Found an invalid max index: {indices._array[wrong][0]} "
            f"(output volumes are of size {'x'.join(map(str, size))})"
        )
    if rank == 1:
        return _unpools[2](input.unsqueeze(-2), indices.unsqueeze(-2), (1, *size)).squeeze(-2)
    return _unpools[rank](input, indices, size)


def _unpooled_size(
    size: Ints, kernel: Ints, stride: Ints, padding: Ints, wanted: Sequence[int] | None
) -> Ints:
    """What max pooling was applied to, as far as can be known; `wanted` may differ by a stride."""
    default = tuple(
        (n - 1) * s + k - 2 * p for n, k, s, p in zip(size, kernel, stride, padding, strict=True)
    )
    if wanted is None:
        return default
    rank = len(size)
    if len(wanted) == rank + 2:
        wanted = wanted[2:]
    if len(wanted) != rank:
        raise ValueError(
            f"output_size should be a sequence containing {rank} or {rank + 2} elements, "
            f"but it has a length of '{len(wanted)}'"
        )
    for d, (n, s) in enumerate(zip(default, stride, strict=True)):
        if not n - s < wanted[d] < n + s:
            raise ValueError(
                f'invalid output_size "{tuple(wanted)}" (dim {d} must be between {n - s} '
                f"and {n + s})"
            )
    return tuple(wanted)


@composite(names="nn.functional.max_unpool1d")
def max_unpool1d(input, indices, kernel_size, stride=None, padding=0, output_size=None):
    """Puts maxima back where `max_pool1d` found them; zeros elsewhere.

    >>> import penlight as torch
    >>> y, at = torch.nn.functional.max_pool1d(torch.tensor([[1.0, 3.0]]), 2, return_indices=True)
    >>> torch.nn.functional.max_unpool1d(y, at, 2)
    tensor([[0., 3.]])
    """
    return _max_unpool(1, input, indices, kernel_size, stride, padding, output_size)


@composite(names="nn.functional.max_unpool2d")
def max_unpool2d(input, indices, kernel_size, stride=None, padding=0, output_size=None):
    """Puts maxima back where `max_pool2d` found them; zeros elsewhere."""
    return _max_unpool(2, input, indices, kernel_size, stride, padding, output_size)


@composite(names="nn.functional.max_unpool3d")
def max_unpool3d(input, indices, kernel_size, stride=None, padding=0, output_size=None):
    """Puts maxima back where `max_pool3d` found them; zeros elsewhere."""
    return _max_unpool(3, input, indices, kernel_size, stride, padding, output_size)
