"""Reductions: many elements to one, along some axes or all of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import dtype as dtypes
from ..core.memory import view_as_strided
from ..core.tape import modes
from ..core.tensor import Tensor, check_dim, wrap
from ..core.watch import refuse, tracers
from .elementwise import bar
from .families import composite, op, unary
from .kinds import FLOATS

Dims = int | tuple[int, ...] | list[int] | None


def axes(dim: Dims, ndim: int) -> tuple[int, ...]:
    """Axis numbers, counted from the front; all of them for None and ()."""
    if dim is None or dim == () or dim == []:
        return tuple(range(ndim))
    if isinstance(dim, (tuple, list)):
        found = tuple(check_dim(d, ndim) for d in dim)
        if len(set(found)) < len(found):
            twice = next(d for d in found if found.count(d) > 1)
            raise RuntimeError(f"dim {twice} appears multiple times in the list of dims")
    else:
        found = (check_dim(dim, ndim),)
    return found if ndim else ()


def restored(g: Tensor, shape: tuple[int, ...], dims: tuple[int, ...], keepdim: bool) -> Tensor:
    """A reduced tensor spread again over the reduced axes."""
    return kept(g, dims, keepdim).expand(shape)


def kept(reduced: Tensor, dims: tuple[int, ...], keepdim: bool) -> Tensor:
    """A reduced tensor with the reduced axes as axes of length 1."""
    if not keepdim:
        for d in sorted(dims):
            reduced = reduced.unsqueeze(d)
    return reduced


def half_in_float32(compute: Callable) -> Callable:
    """Sums of half precision numbers are kept in float32 until the end."""

    def accumulated(xp: Any, x: Any, *args: Any) -> Any:
        if x.dtype.itemsize == 2 and x.dtype.kind in FLOATS:
            return compute(xp, x.astype(np.float32), *args).astype(x.dtype)
        return compute(xp, x, *args)

    return accumulated


def numpy_type(dtype: dtypes.dtype | None) -> np.dtype | None:
    return None if dtype is None else dtype.np


def summable(x: Any, dtype: np.dtype | None) -> Any:
    """x as the type a sum is kept in: as asked, else int64 for integers and bools."""
    if dtype is not None:
        return x.astype(dtype, copy=False)
    return x.astype(np.int64, copy=False) if x.dtype.kind in "bui" else x


# ---------------------------------------------------------------- sum and mean


def added_up(xp: Any, x: Any, dims: Any, keepdim: bool) -> Any:
    """Σ along `dims`, in x's own type."""
    return xp.sum(x, dims, dtype=x.dtype, keepdims=keepdim)


_add_up = half_in_float32(added_up)


@op(
    grad={"value": lambda g: _sum_all(g)},
    lower=lambda xp, value, shape: xp.broadcast_to(value, shape),
)
def _filled(xp: Any, value: Any, shape: tuple[int, ...]) -> Any:
    """A tensor of `shape` all of whose elements are the one 0-d `value`, in one place of memory."""
    return view_as_strided(value, shape, (0,) * len(shape))


def _everywhere(g: Tensor, shape: tuple[int, ...]) -> Tensor:
    """`_filled`; without the road of an op where nobody records it."""
    if tracers or (modes.grad and g.requires_grad):
        return _filled(g, shape)
    return wrap(view_as_strided(g._array, shape, (0,) * len(shape)))


def _total(xp: Any, x: Any) -> Any:
    if x.dtype.char in "fd":  # the common case, by the shortest road
        return xp.sum(x)
    return _add_up(xp, summable(x, None), None, False)


_sum_all: Any = unary(
    "_sum_all", "Σ x", _total, lambda g, input_shape: _everywhere(g, input_shape),
    node="SumBackward0", inplace=False,
)  # fmt: skip


@op(
    grad={"input": lambda g, input_shape: _everywhere(g, input_shape)},
    node="SumBackward0",
    sample=lambda draw: [(draw(3, 4), np.dtype(np.float64))],
)
def _sum_as(xp: Any, input: Any, dtype: Any) -> Any:
    return _add_up(xp, summable(input, dtype), None, False)


@op(
    grad={"input": lambda g, input_shape, dims, keepdim: restored(g, input_shape, dims, keepdim)},
    node="SumBackward1",
)
def _sum_dims(xp: Any, input: Any, dims: Any, keepdim: bool, dtype: Any) -> Any:
    return _add_up(xp, summable(input, dtype), dims, keepdim)


@composite
def sum(
    input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: dtypes.dtype | None = None
) -> Tensor:
    """Sum of all elements, or along axes; of integers as int64.

    >>> import penlight as torch
    >>> torch.tensor([[1, 2], [3, 4]]).sum(0)
    tensor([4, 6])
    """
    if dim is None and not keepdim:
        return _sum_all(input) if dtype is None else _sum_as(input, dtype.np)
    return _sum_dims(input, axes(dim, input._array.ndim), keepdim, numpy_type(dtype))


def _check_mean(input: Tensor, dtype: dtypes.dtype | None) -> None:
    chosen = input.dtype if dtype is None else dtype
    if chosen.category < dtypes.FLOAT:
        which = "Input" if dtype is None else "Optional"
        raise RuntimeError(
            f"mean(): could not infer output dtype. {which} dtype must be either a floating "
            f"point or complex dtype. Got: {chosen.scalar_name}"
        )


def count(shape: tuple[int, ...], dims: tuple[int, ...]) -> int:
    """How many elements one result is made of."""
    return math.prod(shape[d] for d in dims)


@half_in_float32
def _average(xp: Any, x: Any, dims: Any, keepdim: bool) -> Any:
    return added_up(xp, x, dims, keepdim) / x.dtype.type(count(x.shape, dims))


def _mean(xp: Any, input: Any, dims: Any, keepdim: bool, dtype: Any) -> Any:
    return _average(xp, summable(input, dtype), dims, keepdim)


_MEAN_RULE = {
    "input": lambda g, input_shape, dims, keepdim: (
        restored(g, input_shape, dims, keepdim) / (count(input_shape, dims) or math.nan)
    )
}
_mean_all = op(_mean, name="_mean_all", grad=_MEAN_RULE, node="MeanBackward0")
_mean_dims = op(_mean, name="_mean_dims", grad=_MEAN_RULE, node="MeanBackward1")


@composite
def mean(
    input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: dtypes.dtype | None = None
) -> Tensor:
    """Average of all elements, or along axes."""
    _check_mean(input, dtype)
    function = _mean_all if dim is None and not keepdim else _mean_dims
    return function(input, axes(dim, input._array.ndim), keepdim, numpy_type(dtype))


@op(
    grad={
        "input": lambda g, x, dims, keepdim: restored(g, x._array.shape, dims, keepdim).masked_fill(
            x.isnan(), 0
        )
    },
    node="NansumBackward0",
)
def _nansum(xp: Any, input: Any, dims: Any, keepdim: bool, dtype: Any) -> Any:
    x = summable(input, dtype)
    return _add_up(xp, xp.where(xp.isnan(x), x.dtype.type(0), x), dims, keepdim)


@composite
def nansum(
    input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: dtypes.dtype | None = None
) -> Tensor:
    """Sum in which NaN counts as 0."""
    if input.dtype.is_complex:
        raise RuntimeError("nansum on CPU does not support complex inputs")
    return _nansum(input, axes(dim, input._array.ndim), keepdim, numpy_type(dtype))


@composite
def nanmean(
    input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: dtypes.dtype | None = None
) -> Tensor:
    """Average of what is not NaN."""
    if input.dtype.category < dtypes.FLOAT:
        raise RuntimeError(
            "nanmean(): expected input to have floating point or complex dtype but got "
            f"{input.dtype.scalar_name}"
        )
    return nansum(input, dim, keepdim, dtype=dtype) / (~input.isnan()).sum(dim, keepdim)


# ---------------------------------------------------------------- product


def _prod_slope(g: Tensor, x: Tensor, y: Tensor, dim: int) -> Tensor:
    """∂Π/∂xₖ = Π / xₖ; with a zero among the factors, the products before and after each one."""
    refuse("the gradient of a product depends on whether a factor is zero")
    if x._array.all():
        return g * bar(y / x)
    after = product_before(x.flip(dim), dim).flip(dim)
    return g * bar(product_before(x, dim) * after)


def product_before(x: Tensor, dim: int) -> Tensor:
    """For each element the product of those before it."""
    shape = [1] * x._array.ndim
    shape[dim] = -1
    first = wrap((np.arange(x._array.shape[dim]) == 0).reshape(shape))
    return x.cumprod(dim).roll(1, dim).masked_fill(first, 1)


def _prod_rule(g: Tensor, x: Tensor, y: Tensor, dim: int, keepdim: bool) -> Tensor:
    if x._array.ndim == 0:
        return g
    return _prod_slope(kept(g, (dim,), keepdim), x, kept(y, (dim,), keepdim), dim)


@op(
    grad={"input": lambda g, x, y: _prod_slope(g, x.reshape(-1), y, 0).reshape(x._array.shape)},
    node="ProdBackward0",
)
def _prod_all(xp: Any, input: Any, dtype: Any) -> Any:
    return _multiply_up(xp, summable(input, dtype), None, False)


@op(
    grad={"input": lambda g, x, y, dim, keepdim: _prod_rule(g, x, y, dim, keepdim)},
    node="ProdBackward1",
)
def _prod_dim(xp: Any, input: Any, dim: int, keepdim: bool, dtype: Any) -> Any:
    return _multiply_up(xp, summable(input, dtype), dim if input.ndim else None, keepdim)


_multiply_up = half_in_float32(
    lambda xp, x, dim, keepdim: xp.prod(x, dim, keepdims=keepdim, dtype=x.dtype)
)


@composite
def prod(
    input: Tensor, dim: int | None = None, keepdim: bool = False, *,
    dtype: dtypes.dtype | None = None,
) -> Tensor:  # fmt: skip
    """Product of all elements, or along one axis; of integers as int64."""
    if dim is None:
        return _prod_all(input, numpy_type(dtype))
    if not isinstance(dim, int):
        raise TypeError(
            "prod() received an invalid combination of arguments - got (dim="
            f"{type(dim).__name__}, ), but expected one of:\n * (*, torch.dtype dtype = None)\n * "
            "(int dim, bool keepdim = False, *, torch.dtype dtype = None)\n"
        )
    return _prod_dim(input, check_dim(dim, input._array.ndim), keepdim, numpy_type(dtype))


# ---------------------------------------------------------------- log Σ eˣ


@half_in_float32
def _log_sum_exp(xp: Any, x: Any, dims: Any, keepdim: bool) -> Any:
    top = xp.max(x.real, dims, keepdims=True, initial=-np.inf)
    top = xp.where(xp.isfinite(top), top, 0)
    total = xp.log(xp.sum(xp.exp(x - top), dims, keepdims=True)) + top
    return total.astype(x.dtype) if keepdim else total.astype(x.dtype).squeeze(dims)


@op(
    grad={
        "input": lambda g, x, y, dims, keepdim: (
            kept(g, dims, keepdim) * bar((x - kept(y, dims, keepdim)).exp())
        )
    },
    node="LogsumexpBackward0",
)
def _logsumexp(xp: Any, input: Any, dims: Any, keepdim: bool) -> Any:
    if input.dtype.kind in "biu":
        input = input.astype(dtypes.get_default_dtype().np)
    return _log_sum_exp(xp, input, dims, keepdim)


@composite(names="torch.logsumexp Tensor.logsumexp special.logsumexp")
def logsumexp(input: Tensor, dim: Dims, keepdim: bool = False) -> Tensor:
    """log Σ eˣ along axes, without overflow."""
    return _logsumexp(input, axes(dim, input._array.ndim), keepdim)


# ---------------------------------------------------------------- truth


def _truth(name: str, doc: str, ufunc: Any) -> Any:
    @op(name="_" + name)
    def record(xp: Any, input: Any, dims: Any, keepdim: bool) -> Any:
        result = ufunc(input, dims, keepdims=keepdim)
        return result.astype(np.uint8) if input.dtype == np.uint8 else result

    def function(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
        dims = () if dim == () else axes(dim, input._array.ndim)  # no axis at all, unlike in sums
        return record(input, dims, keepdim)

    function.__name__, function.__doc__ = name, doc
    return composite(function)


all = _truth("all", "Whether all elements are nonzero.", np.all)
any = _truth("any", "Whether any element is nonzero.", np.any)


@op
def count_nonzero(xp: Any, input: Any, dim: Any = None) -> Any:
    """How many elements are not 0."""
    return xp.asarray(xp.count_nonzero(input, axes(dim, input.ndim)))
