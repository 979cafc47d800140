"""Max pooling: fixed, adaptive and fractional windows, and the way back.

https://docs.pytorch.org/docs/stable/nn.functional.html#pooling-functions
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, NamedTuple

import numpy as np

from ..core import dtype as dtypes
from ..core.tape import modes
from ..core.tensor import Tensor
from .families import composite, op
from .pool_size import (
    check_line,
    check_places,
    check_rank,
    check_window,
    overhang,
    per_axis,
    places,
)
from .windows import Ints, embed, has_kernels, taps


class Windows(NamedTuple):
    """How the windows lie in planes of `size`; an entry per spatial axis."""

    size: Ints
    kernel: Ints
    stride: Ints
    padding: Ints
    dilation: Ints
    places: Ints

    @property
    def after(self) -> Ints:
        """How far the windows reach behind the plane."""
        return overhang(*self)

    def taps(self) -> Any:
        """Per element of the kernel the slices of the padded plane that it meets."""
        return (spot for _, spot in taps(self.kernel, self.stride, self.dilation, self.places))

    def positions(self, number: np.ndarray) -> np.ndarray:
        """Where in its plane the element `number` (*B, *count) of each window is."""
        tap = np.indices(self.kernel).reshape(len(self.kernel), -1)
        ahead = [t * d for t, d in zip(tap, self.dilation, strict=True)]
        flat: Any = sum(a * prod(self.size[i + 1 :]) for i, a in enumerate(ahead))
        return flat[number] + _grid(self._starts(), self.size)

    def first_inside(self) -> np.ndarray:
        """Per window the number of its first element behind the padding before the plane."""
        first = [
            -(-np.maximum(-start, 0) // d)
            for start, d in zip(self._starts(), self.dilation, strict=True)
        ]
        return _grid(first, self.kernel)

    def _starts(self) -> list[np.ndarray]:
        return [
            np.arange(n) * s - p
            for n, s, p in zip(self.places, self.stride, self.padding, strict=True)
        ]


def _grid(positions: list[np.ndarray], size: Ints) -> Any:
    """Flat positions of the grid that has these positions per axis."""
    total: Any = 0
    for i, p in enumerate(positions):
        total = total + p.reshape(-1, *(1,) * (len(size) - 1 - i)) * prod(size[i + 1 :])
    return total


def _padded(xp: Any, x: Any, how: Windows) -> Any:
    lowest = xp.iinfo(x.dtype).min if x.dtype.kind in "iu" else -xp.inf
    return embed(xp, x, how.padding, how.after, lowest)


def _maximum(xp: Any, x: Any, how: Windows) -> Any:
    """The maximum of each window."""
    if has_kernels(x):
        return xp.max_pool(x, *how[1:])
    padded = _padded(xp, x, how)
    y: Any = None
    for spot in how.taps():
        part = padded[(..., *spot)]
        y = part.copy() if y is None else xp.maximum(y, part, out=y)
    return y


def _search(xp: Any, x: Any, how: Windows) -> tuple[Any, Any]:
    """The maximum of each window, and which of its elements: the first, but the last NaN."""
    if has_kernels(x):
        return xp.max_pool_numbered(x, *how[1:])
    padded = _padded(xp, x, how)
    may_be_nan = x.dtype.kind not in "iu" and x.size and bool(xp.isnan(xp.max(x)))
    y: Any = None
    number: Any = None
    for i, spot in enumerate(how.taps()):
        part = padded[(..., *spot)]
        if y is None:
            y = part.copy()
            number = xp.zeros(y.shape, xp.uint8 if prod(how.kernel) < 256 else xp.int64)
            if any(how.padding):  # for windows of nothing but -inf
                number += how.first_inside().astype(number.dtype)
            continue
        better = part > y
        if may_be_nan:
            better |= xp.isnan(part)
        # i grows, so that the last improvement is the largest number
        xp.maximum(number, better.astype(number.dtype) * number.dtype.type(i), out=number)
        xp.maximum(y, part, out=y)
    return y, number


# ---------------------------------------------------------------- the op and its adjoint


def _max_op(node: str) -> Any:
    """The record: maxima, and which elements of their windows they are."""

    @op(name="_" + node, node=node, grad={"input": lambda g, y, how: _spread(g[0], y[1], how)})
    def choose(xp, input, how):
        """The maxima and their numbers."""
        return _search(xp, input, how)

    return choose


@op(name="_maxima")
def _maxima(xp, input, how):
    """The maxima, where nobody asks which elements they are."""
    return _maximum(xp, input, how)


@op(name="_positions")
def _positions(xp, number, how):
    """Where in its plane the element with that number is."""
    return how.positions(number)


def _where(mask: Any, values: Any) -> Any:
    """values where mask, else 0: by their bits, several times faster than `where`."""
    bits = values.view(f"i{values.itemsize}")
    return (bits & -mask.astype(bits.dtype)).view(values.dtype)


@op(
    name="_spread",
    node="MaxPoolBackward0",
    grad={"grad": lambda g, number, how: _pick(g, number, how)},
)
def _spread(xp, grad, number, how):
    """Each entry goes to the element of its window that was chosen."""
    if has_kernels(grad):
        return xp.max_pool_backward(grad, number, *how[:5])
    sizes = zip(how.size, how.padding, how.after, strict=True)
    out = xp.zeros(
        (*grad.shape[: -len(how.size)], *(s + p + max(a, 0) for s, p, a in sizes)), grad.dtype
    )
    for i, spot in enumerate(how.taps()):
        out[(..., *spot)] += _where(number == i, grad)
    less = [-max(a, 0) for a in how.after]
    return xp.ascontiguousarray(embed(xp, out, [-p for p in how.padding], less))


@op(
    name="_pick",
    node="MaxPoolBackwardBackward0",
    grad={"input": lambda g, number, how: _spread(g, number, how)},
)
def _pick(xp, input, number, how):
    """The chosen element of each window."""
    padded = embed(xp, input, how.padding, how.after)
    out = xp.zeros(number.shape, input.dtype)
    for i, spot in enumerate(how.taps()):
        out += _where(number == i, padded[(..., *spot)])
    return out


_ops = {
    2: _max_op("MaxPool2DWithIndicesBackward0"),
    3: _max_op("MaxPool3DWithIndicesBackward0"),
}


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
    size = tuple(input._array.shape[-rank:])
    count = places(size, kernel, stride, padding, dilation, ceil_mode)
    check_places(input._array.shape, count)
    how = Windows(size, kernel, stride, padding, dilation, count)
    return _pooled(input, how, return_indices)


def _max_pool_line(
    input: Any, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool,
    return_indices: bool,
) -> Any:  # fmt: skip
    """One axis: as in PyTorch a plane of height 1."""
    check_rank("max_pool1d", input, 1)
    check_line(kernel_size, stride, padding, dilation)
    kernel = per_axis("max_pool1d", "kernel_size", kernel_size, 1)
    unsaid = stride is None or stride == []
    stride = kernel if unsaid else per_axis("max_pool1d", "stride", stride, 1)
    padding = per_axis("max_pool1d", "padding", padding, 1)
    dilation = per_axis("max_pool1d", "dilation", dilation, 1)
    (count,) = places(input.shape[-1:], kernel, stride, padding, dilation, ceil_mode)
    if count < 1:
        raise RuntimeError(f"max_pool1d() Invalid computed output size: {count}")
    found = _max_pool(
        2, input.unsqueeze(-2), (1, *kernel), (1, *stride), (0, *padding), (1, *dilation),
        ceil_mode, return_indices,
    )  # fmt: skip
    return tuple(t.squeeze(-2) for t in found) if return_indices else found.squeeze(-2)


def _pooled(input: Tensor, how: Windows, return_indices: bool) -> Any:
    if not return_indices and not (modes.grad and input.requires_grad):
        return _maxima(input, how)
    y, number = _ops[len(how.size)](input, how)
    return (y, _positions(number, how)) if return_indices else y


def _exposed(rank: int, shapes: str) -> Callable:
    """max_pool{rank}d, as users call it; PyTorch has it as torch.* without `return_indices`."""

    def pool(
        input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False,
        return_indices=False,
    ):  # fmt: skip
        arguments = (input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)
        return _max_pool_line(*arguments) if rank == 1 else _max_pool(rank, *arguments)

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
