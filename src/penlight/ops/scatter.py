"""Writing at index tensors along an axis: scatter, scatter_add, scatter_reduce."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.beside import fixed
from ..core.tensor import Tensor, check_dim, wrap
from .families import composite, op
from .gather import along, check_extent, check_index_type, check_range


def _fits_scatter(name: str) -> Any:
    def check(input: Tensor, dim: int, index: Tensor, src: Any, *rest: Any) -> None:
        if index._array.size:
            check_index_type(name, index)
        check_extent(input, dim, index, "self")
        if not isinstance(src, Tensor):
            return
        if src.dtype is not input.dtype:
            raise RuntimeError(f"{name}(): Expected self.dtype to be equal to src.dtype")
        if index._array.size and src._array.ndim != index._array.ndim and src._array.ndim:
            raise RuntimeError("Index tensor must have the same number of dimensions as src tensor")
        if index._array.size and any(m > n for m, n in zip(index._array.shape, src._array.shape)):
            raise RuntimeError(
                f"Expected index {list(index._array.shape)} to be no larger than self "
                f"{list(input._array.shape)} apart from dimension "
                f"{check_dim(dim, input._array.ndim)} "
                f"and to be no larger size than src {list(src._array.shape)}"
            )

    return check


def _aligned(xp: Any, out: Any, dim: int, index: Any, src: Any) -> tuple[Any, tuple, Any]:
    """Where and what to scatter: a view of `out`, a key into it, and the part of `src` that index
    speaks about.
    """
    dim = check_dim(dim, out.ndim)
    if isinstance(index, np.ndarray):
        check_range(index, out.shape[dim] if out.ndim else 1, dim, RuntimeError)
    else:  # what is written in a program checks the upper end itself
        index = xp.assured(index, index >= 0)
    if out.ndim == 0:
        return out.reshape(1), (index.reshape(-1),), np.reshape(src, -1)
    if np.ndim(src):
        src = src[tuple(slice(n) for n in index.shape)]
    return out, along(index, dim), src


def _crop_grad(g: Tensor, dim: int, index: Tensor, shape: tuple) -> Tensor:
    """The gradient of scattered values: gathered, and zero for what was not scattered."""
    part = g.gather(dim, index)
    if part._array.shape == shape:
        return part
    return corner(part, shape)


@op(name="_corner", grad={"part": lambda g, part_shape: g[tuple(slice(n) for n in part_shape)]})
def corner(xp, part, shape):
    """Zeros of `shape` with `part` at the low corner."""
    whole = xp.zeros(shape, part.dtype)
    whole[tuple(slice(n) for n in part.shape)] = part
    return whole


def _written_once(xp, input, dim, index, src):
    """One element per row, in programs: chosen by position, so that the order does not matter."""
    dim = check_dim(dim, input.ndim)
    rows = tuple(1 if axis == dim else n for axis, n in enumerate(input.shape))
    if index.shape != rows or (np.ndim(src) and src.shape != rows):
        return xp.put_along_axis(input, index, src, dim)
    size = input.shape[dim]
    index = xp.assured(index, (index >= 0) & (index < size))
    place = xp.arange(size).reshape([size if axis == dim else 1 for axis in range(input.ndim)])
    return xp.where(place == index, src, input).astype(input.dtype, copy=False)


@op(
    grad={
        "input": lambda g, dim, index: _scatter(g, dim, index, 0),
        "src": lambda g, dim, index, src_shape: _crop_grad(g, dim, index, src_shape),
    },
    check=_fits_scatter("scatter"),
    node="ScatterBackward0",
    lower=_written_once,
    sample=lambda draw: [(draw(3, 4), 0, wrap(np.array([[0, 1], [2, 2]])), draw(2, 2))],
)
def _scatter(xp, input, dim, index, src):
    out = input.copy()
    if index.size:
        target, key, values = _aligned(xp, out, dim, index, src)
        target[key] = values
    return out


@op(
    grad={
        "input": lambda g: g,
        "src": lambda g, dim, index, src_shape: _crop_grad(g, dim, index, src_shape),
    },
    check=_fits_scatter("scatter"),
    inplace=True,
    sample=lambda draw: [(draw(3, 4), 0, wrap(np.array([[0, 1], [2, 1]])), draw(2, 2))],
)
def scatter_add(xp, input, dim, index, src):
    """A copy of `input` with `src` added at `index` along `dim`."""
    out = input.copy()
    if index.size:
        target, key, values = _aligned(xp, out, dim, index, src)
        xp.add.at(target, key, values)
    return out


@composite(inplace=True)
def scatter(input, dim, index, src=None, *, value=None, reduce=None):
    """A copy of `input` with `src` (a tensor or a number) written at `index` along `dim`.

    >>> import penlight as torch
    >>> torch.zeros(2, 3).scatter(1, torch.tensor([[2], [0]]), 1.0)
    tensor([[0., 0., 1.],
            [1., 0., 0.]])
    """
    given = src if value is None else value
    if reduce is None:
        if not isinstance(given, Tensor):
            given = fixed(np.full(index._array.shape, given, input._array.dtype))
        return _scatter(input, dim, index, given)
    if reduce not in ("add", "multiply"):
        raise RuntimeError("reduce argument must be either add or multiply.")
    if not isinstance(given, Tensor):
        given = fixed(np.full(index._array.shape, given, input._array.dtype))
    kind = "sum" if reduce == "add" else "prod"
    return scatter_reduce(input, dim, index, given, kind)


_START = {"sum": 0, "mean": 0, "prod": 1, "amax": "low", "amin": "high"}


def _start_value(reduce: str, kind: np.dtype) -> Any:
    start = _START[reduce]
    if start == "low":
        return -np.inf if kind.kind == "f" else (False if kind.kind == "b" else np.iinfo(kind).min)
    if start == "high":
        return np.inf if kind.kind == "f" else (True if kind.kind == "b" else np.iinfo(kind).max)
    return start


def _check_reduce(reduce: str) -> None:
    if reduce not in _START:
        raise RuntimeError(
            f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}"
        )


def _reduced(xp: Any, out: Any, key: tuple, src: Any, reduce: str, include_self: bool) -> Any:
    """`out` with `src` combined into the positions of `key`."""
    if not include_self:
        out[key] = _start_value(reduce, out.dtype)
    combine = {"prod": xp.multiply, "amax": xp.maximum, "amin": xp.minimum}.get(reduce, xp.add)
    combine.at(out, key, src)
    if reduce == "mean":
        count = xp.zeros(out.shape, np.int64) if not include_self else xp.ones(out.shape, np.int64)
        xp.add.at(count, key, 1)
        count = xp.maximum(count, 1)
        divide = xp.floor_divide if out.dtype.kind in "iu" else xp.true_divide
        out = divide(out, count.astype(out.dtype))
    return out


def _reduce_grad(g, input, dim, index, src, reduce, include_self, y):
    """Gradients of scatter_reduce with respect to input and src; ties of amax and amin share."""
    touched = _scatter(fixed(np.zeros(input.shape, g._array.dtype)), dim, index, 1)
    if reduce in ("sum", "mean"):
        if reduce == "mean":
            ones = fixed(np.ones(index.shape, g._array.dtype))
            zero = fixed(np.full(input.shape, 1.0 if include_self else 0.0, g._array.dtype))
            g = g / zero.scatter_add(dim, index, ones).clamp(min=1)
        own = g if include_self else g * (1 - touched)
        return own, _crop_grad(g, dim, index, tuple(src.shape))
    part = _part(src, index)
    if reduce == "prod":
        return _prod_grad(g, input, dim, index, src, include_self, y, touched)
    hit_self = (input == y).to(g.dtype)
    if not include_self:
        hit_self = hit_self * (1 - touched)
    hit_src = (part == y.gather(dim, index)).to(g.dtype)
    ties = hit_self.scatter_add(dim, index, hit_src).clamp(min=1)
    share = g / ties
    own = share * hit_self
    if not include_self:
        own = g * (1 - touched)
    return own, _padded(share.gather(dim, index) * hit_src, src.shape)


def _part(src: Tensor, index: Tensor) -> Tensor:
    return src[tuple(slice(n) for n in index.shape)] if src.dim() else src


def _padded(part: Tensor, shape: tuple) -> Tensor:
    if tuple(part.shape) == tuple(shape):
        return part
    return corner(part, tuple(shape))


def _prod_grad(g, input, dim, index, src, include_self, y, touched):
    """Products with one zero factor need the product of the others, so it is computed without
    zeros; where one of the others is zero it stays a factor, to be differentiated by.
    """
    part = _part(src, index)
    start = input if include_self else input * (1 - touched) + touched
    zero_self, zero_src = (start == 0).to(g.dtype), (part == 0).to(g.dtype)
    zeros = zero_self.scatter_add(dim, index, zero_src)
    safe_self, safe_src = start + zero_self, part + zero_src
    nonzero = scatter_reduce(safe_self, dim, index, safe_src, "prod")
    null_self, null_src = start * zero_self, part * zero_src
    null = null_self.scatter_add(dim, index, null_src)  # the sum of the zero factors

    def others(factor, is_zero, own_null, product, count, null):
        left = count - is_zero  # zeros among the other factors
        return product / factor * ((left == 0).to(g.dtype) + (left == 1) * (null - own_null))

    own = g * others(safe_self, zero_self, null_self, nonzero, zeros, null)
    if not include_self:
        own = g * (1 - touched)
    there = [t.gather(dim, index) for t in (nonzero, zeros, null)]
    spread = others(safe_src, zero_src, null_src, *there)
    return own, _padded(g.gather(dim, index) * spread, src.shape)


@op(
    grad=_reduce_grad,
    inputs=("input", "src"),
    check=_fits_scatter("scatter"),
    inplace=True,
    sample=lambda draw: [
        (draw(3, 4), 0, wrap(np.array([[0, 1], [2, 1]])), draw(2, 2), kind, include)
        for kind in ("sum", "prod", "mean", "amax", "amin")
        for include in (True, False)
    ],
)
def scatter_reduce(xp, input, dim, index, src, reduce, *, include_self=True):
    """`src` combined into `input` at `index` along `dim` by sum, prod, mean, amax or amin."""
    _check_reduce(reduce)
    out = input.copy()
    if index.size == 0:
        return out
    target, key, values = _aligned(xp, out, dim, index, src)
    return _reduced(xp, target, key, values, reduce, include_self).reshape(input.shape)
