"""Reductions and normalizations that look only at the elements where a mask is true: torch.masked.

Each fills the masked-out elements with the identity of its reduction and leaves the rest to the
ordinary op. Source: https://docs.pytorch.org/docs/stable/masked.html
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import dtype as dtypes
from ..core.tensor import Tensor, wrap
from . import scan, softmax
from .clamp import clamp_min
from .convert import convert
from .exposure import EXPOSED, expose
from .families import composite
from .masks import where

_T = EXPOSED["torch"]
Dims = int | tuple[int, ...] | None


def _lowest(d: dtypes.dtype) -> Any:
    if d.is_floating_point:
        return -math.inf
    return 0 if d is dtypes.uint8 or d is dtypes.bool_ else -(1 << (8 * d.itemsize - 1))


def _highest(d: dtypes.dtype) -> Any:
    if d.is_floating_point:
        return math.inf
    bits = 8 * d.itemsize - (1 if d.is_signed else 0)
    return 1 if d is dtypes.bool_ else (1 << bits) - 1


def _filled(input: Tensor, mask: Tensor | None, identity: Any) -> Tensor:
    """The input with `identity` where the mask is false."""
    if mask is None:
        return input
    return where(mask.expand(input.shape), input, _number_like(identity, input))


def _number_like(value: Any, like: Tensor) -> Tensor:
    """A 0-d tensor of `like`'s type."""
    return wrap(np.asarray(value).astype(like._array.dtype))


def _typed(input: Tensor, dtype: dtypes.dtype | None, sums: bool = False) -> Tensor:
    """The input as `dtype`; without one, integers as int64 where they are summed up."""
    if dtype is None:
        if not sums or input.dtype.category >= dtypes.FLOAT:
            return input
        dtype = dtypes.int64
    return convert(input, dtype)


def _dims(dim: Dims, ndim: int) -> Any:
    """All axes for None; a 0-d tensor has none."""
    if dim is None:
        return tuple(range(ndim))
    return dim


def _reduction(name: str, identity: Callable, sums: bool) -> Callable:
    """masked.NAME of a reduction that takes several axes."""
    reduce = _T[name]

    def call(
        input: Tensor,
        dim: Dims = None,
        *,
        keepdim: bool = False,
        dtype: dtypes.dtype | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        x = _filled(_typed(input, dtype, sums), mask, identity(_typed(input, dtype, sums).dtype))
        return reduce(x, _dims(dim, x.dim()), keepdim)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"`torch.{name}` of the elements where `mask` is true."
    expose(call, f"masked.{name}")
    return call


sum = _reduction("sum", lambda d: 0, True)
amax = _reduction("amax", _lowest, False)
amin = _reduction("amin", _highest, False)


@composite(names="masked.prod")
def prod(input, dim=None, *, keepdim=False, dtype=None, mask=None):
    """`torch.prod` of the elements where `mask` is true, along one axis or several."""
    x = _filled(_typed(input, dtype, True), mask, 1)
    dims = _dims(dim, x.dim())
    for d in sorted((dims,) if isinstance(dims, int) else [d % max(x.dim(), 1) for d in dims]):
        x = x.prod(d, True)
    return x if keepdim else _squeezed(x, dims)


def _squeezed(x: Tensor, dims: Any) -> Tensor:
    return x.squeeze(dims) if dims != () else x


def _count(input: Tensor, dim: Dims, keepdim: bool, mask: Tensor | None) -> Tensor:
    """How many elements the mask leaves, as a float tensor of the reduced shape."""
    ones = _T["ones"](input.shape, dtype=input.dtype)
    return sum(ones, dim, keepdim=keepdim, mask=mask)


@composite(names="masked.mean")
def mean(input, dim=None, *, keepdim=False, dtype=None, mask=None):
    """`torch.mean` of the elements where `mask` is true; NaN where there are none.

    >>> import penlight as torch
    >>> x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> torch.masked.mean(x, 1, mask=x != 2)
    tensor([1.0000, 3.5000])
    """
    x = _typed(input, dtype)
    if x.dtype.category < dtypes.FLOAT and mask is None:
        return x.mean(_dims(dim, x.dim()), keepdim)  # raises, as torch.mean does
    return sum(x, dim, keepdim=keepdim, mask=mask) / _count(x, dim, keepdim, mask)


def _variance(input, dim, unbiased, correction, keepdim, dtype, mask):
    x = _typed(input, dtype)
    if x.dtype.category < dtypes.FLOAT:
        x = convert(x, dtypes.get_default_dtype())
    if correction is None:
        correction = 1 if unbiased is None or unbiased else 0
    count = _count(x, dim, True, mask)
    centre = sum(x, dim, keepdim=True, mask=mask) / count
    spread = x - centre
    total = sum(spread * spread.conj(), dim, keepdim=keepdim, mask=mask)
    if not keepdim:
        count = count.reshape(total.shape)
    return total / clamp_min(count.real - correction, 0)


@composite(names="masked.var")
def var(input, dim=None, unbiased=None, *, correction=None, keepdim=False, dtype=None, mask=None):
    """`torch.var` of the elements where `mask` is true."""
    return _variance(input, dim, unbiased, correction, keepdim, dtype, mask)


@composite(names="masked.std")
def std(input, dim=None, unbiased=None, *, correction=None, keepdim=False, dtype=None, mask=None):
    """`torch.std` of the elements where `mask` is true."""
    return _variance(input, dim, unbiased, correction, keepdim, dtype, mask).sqrt()


@composite(names="masked.median")
def median(input, dim=-1, *, keepdim=False, dtype=None, mask=None):
    """The lower median along an axis of the elements where `mask` is true; NaN where there are
    none.
    """
    x = _typed(input, dtype)
    if mask is None:
        return x.median(dim, keepdim).values
    if x.dtype.category < dtypes.FLOAT:
        x = convert(x, dtypes.get_default_dtype())
    return _filled(x, mask, math.nan).nanmedian(dim, keepdim).values


def _chooser(name: str, identity: Callable) -> Callable:
    choose = _T[name]

    def call(
        input: Tensor,
        dim: int | None = None,
        *,
        keepdim: bool = False,
        dtype: dtypes.dtype | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        x = _typed(input, dtype)
        return convert(choose(_filled(x, mask, identity(x.dtype)), dim, keepdim), x.dtype)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"`torch.{name}` of the elements where `mask` is true."
    expose(call, f"masked.{name}")
    return call


argmax, argmin = _chooser("argmax", _lowest), _chooser("argmin", _highest)


@composite(names="masked.logsumexp")
def logsumexp(input, dim=None, *, keepdim=False, dtype=None, mask=None):
    """log Σ exp(x) over the elements where `mask` is true."""
    x = _typed(input, dtype)
    kind = x.dtype
    if kind.category < dtypes.FLOAT:
        x = convert(x, dtypes.get_default_dtype())
    summed = _T["logsumexp"](_filled(x, mask, -math.inf), _dims(dim, x.dim()), keepdim)
    return convert(summed, kind)


@composite(names="masked.logaddexp")
def logaddexp(input, other, *, dtype=None, input_mask=None, other_mask=None):
    """log(exp(a) + exp(b)), each operand under its mask."""
    a = _filled(_typed(input, dtype), input_mask, -math.inf)
    b = _filled(_typed(other, dtype), other_mask, -math.inf)
    return _T["logaddexp"](a, b)


@composite(names="masked.norm")
def norm(input, ord=2.0, dim=None, *, keepdim=False, dtype=None, mask=None):
    """The vector norm of the elements where `mask` is true."""
    x = _typed(input, dtype)
    identity = math.inf if ord == -math.inf else 0
    filled = _filled(x, mask, identity)
    return EXPOSED["linalg"]["vector_norm"](filled, ord, _dims(dim, x.dim()), keepdim)


@composite(names="masked.normalize")
def normalize(input, ord, dim, *, eps=1e-12, dtype=None, mask=None):
    """x / max(‖x‖, eps) along an axis, over the elements where `mask` is true."""
    x = _typed(input, dtype)
    length = clamp_min(norm(x, ord, dim, keepdim=True, mask=mask), eps)
    return _filled(x, mask, 0) / length


def _normalization(name: str, function: Callable, identity: float) -> None:
    def call(
        input: Tensor, dim: int, *, dtype: dtypes.dtype | None = None, mask: Tensor | None = None
    ) -> Tensor:
        x = _typed(input, dtype)
        if x.dtype.category < dtypes.FLOAT:
            x = convert(x, dtypes.get_default_dtype())
        return function(_filled(x, mask, identity), dim)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"`{name}` along an axis over the elements where `mask` is true."
    expose(call, f"masked.{name}")


_normalization("softmax", softmax.softmax, -math.inf)
_normalization("log_softmax", softmax.log_softmax, -math.inf)
_normalization("softmin", lambda x, dim: softmax.softmax(-x, dim), math.inf)


def _scan(name: str, function: Callable, identity: int) -> None:
    def call(
        input: Tensor, dim: int, *, dtype: dtypes.dtype | None = None, mask: Tensor | None = None
    ) -> Tensor:
        return function(_filled(_typed(input, dtype, True), mask, identity), dim)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"`torch.{name}` along an axis over the elements where `mask` is true."
    expose(call, f"masked.{name}")


_scan("cumsum", scan.cumsum, 0)
_scan("cumprod", scan.cumprod, 1)
