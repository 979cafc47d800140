"""Running results along an axis: sums, products, extremes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtype as dtypes
from ..core.tape import modes
from ..core.tensor import Tensor, check_dim
from ..core.watch import refuse
from .elementwise import bar
from .families import composite, op
from .join import cat
from .kinds import COMPLEX, FLOATS, unsupported
from .powers import log_add
from .reduce import numpy_type, product_before, summable
from .return_types import return_type


def _backwards_sum(g: Tensor, dim: int) -> Tensor:
    """Σ over the elements from each one on."""
    if g._array.ndim == 0:
        return g
    return g.flip(dim).cumsum(dim).flip(dim)


def _running(ufunc: Any) -> Any:
    """Accumulated in double precision, since every result carries the errors of all before it."""

    def compute(xp: Any, x: Any, dim: int) -> Any:
        if not x.ndim:
            return x.copy()
        if x.dtype.kind in FLOATS + COMPLEX:
            wide = np.complex128 if x.dtype.kind == COMPLEX else np.float64
            return ufunc.accumulate(x.astype(wide, copy=False), dim).astype(x.dtype, copy=False)
        return ufunc.accumulate(x, dim)

    return compute


_running_sum, _running_product = _running(np.add), _running(np.multiply)


# ---------------------------------------------------------------- sums and products


@op(grad={"input": lambda g, dim: _backwards_sum(g, dim)}, node="CumsumBackward0")
def _cumsum(xp: Any, input: Any, dim: int, dtype: Any) -> Any:
    return _running_sum(xp, summable(input, dtype), dim)


def _cumprod_rule(g: Tensor, x: Tensor, y: Tensor, dim: int) -> Tensor:
    """Σ over i ≥ k of gᵢ yᵢ / xₖ; at the first zero the products without it; after it nothing."""
    if x._array.ndim == 0:
        return g
    refuse("the gradient of a product depends on whether a factor is zero")
    if x._array.all():
        return _backwards_sum(g * bar(y), dim) / bar(x)
    if modes.grad:
        return _cumprod_recurrence(g, bar(x), dim)
    slope = _backwards_sum(g * bar(y), dim) / bar(x)
    zero: Any = x == 0
    zeros = zero.cumsum(dim)
    first = zero & (zeros == 1)
    without = x.masked_fill(first, 1).cumprod(dim)
    at_first = _backwards_sum(g * bar(without), dim)
    return slope.masked_fill(zeros > 0, 0) + at_first.masked_fill(~first, 0)


def _cumprod_recurrence(g: Tensor, x: Tensor, dim: int) -> Tensor:
    """Division-free, so that it can be differentiated at zeros: the product before k times
    Sₖ = gₖ + xₖ₊₁ Sₖ₊₁."""
    n = x._array.shape[dim]
    sums = [g.narrow(dim, n - 1, 1)]
    for k in range(n - 2, -1, -1):
        sums.append(g.narrow(dim, k, 1) + x.narrow(dim, k + 1, 1) * sums[-1])
    return product_before(x, dim) * cat(sums[::-1], dim)


@op(grad={"input": lambda g, x, y, dim: _cumprod_rule(g, x, y, dim)}, node="CumprodBackward0")
def _cumprod(xp: Any, input: Any, dim: int, dtype: Any) -> Any:
    return _running_product(xp, summable(input, dtype), dim)


@composite(inplace=True)
def cumsum(input: Tensor, dim: int, *, dtype: dtypes.dtype | None = None) -> Tensor:
    """Running sum along an axis; of integers as int64.

    >>> import penlight as torch
    >>> torch.tensor([1, 2, 3]).cumsum(0)
    tensor([1, 3, 6])
    """
    return _cumsum(input, check_dim(dim, input._array.ndim), numpy_type(dtype))


@composite(inplace=True)
def cumprod(input: Tensor, dim: int, *, dtype: dtypes.dtype | None = None) -> Tensor:
    """Running product along an axis; of integers as int64."""
    return _cumprod(input, check_dim(dim, input._array.ndim), numpy_type(dtype))


def _logcumsumexp_rule(g: Tensor, x: Tensor, y: Tensor, dim: int) -> Tensor:
    """Σ over i ≥ k of gᵢ e^(xₖ - yᵢ); the logarithm of g has no derivative where it is 0."""
    if x._array.ndim == 0:
        return g
    if modes.grad or x.dtype.is_complex:
        top = x.detach().real.amax(dim, keepdim=True)
        return bar((x - top).exp()) * _backwards_sum(g * bar((top - y).exp()), dim)
    up, down = g.clamp(min=0), (-g).clamp(min=0)
    return _log_weighted(up, x, y, dim) - _log_weighted(down, x, y, dim)


@op(
    grad={"input": lambda g, x, y, dim: _logcumsumexp_rule(g, x, y, dim)},
    node="LogcumsumexpBackward0",
)
def _logcumsumexp(xp: Any, input: Any, dim: int) -> Any:
    if input.dtype.kind not in FLOATS + COMPLEX:
        raise unsupported("logcumsumexp_out_cpu", input)
    if not input.ndim:
        return input.copy()
    if input.dtype.kind in FLOATS:
        return xp.logaddexp.accumulate(input, dim)
    result = input.copy()
    along = xp.moveaxis(result, dim, 0)
    for k in range(1, len(along)):
        along[k] = log_add(xp, along[k - 1], along[k])
    return result


def _log_weighted(weight: Tensor, x: Tensor, y: Tensor, dim: int) -> Tensor:
    """eˣ Σ over i ≥ k of weightᵢ e⁻ʸ, in logarithms so that nothing overflows."""
    return (x + (weight.log() - y).flip(dim).logcumsumexp(dim).flip(dim)).exp()


@composite
def logcumsumexp(input: Tensor, dim: int) -> Tensor:
    """log of the running sum of eˣ."""
    return _logcumsumexp(input, check_dim(dim, input._array.ndim))


# ---------------------------------------------------------------- extremes


def _running_extreme(name: str, doc: str, beats: Any) -> Any:
    @op(
        name="_" + name, result=return_type(name, "values indices"),
        node=f"{name.capitalize()}Backward0",
        grad={
            "input": lambda g, y, dim, input_shape: (
                g[0].new_zeros(input_shape).scatter_add(dim, y[1], g[0]) if input_shape else g[0]
            )
        },
    )  # fmt: skip
    def record(xp: Any, input: Any, dim: int) -> Any:
        """The last of equal elements counts, and a NaN stays."""
        if input.dtype.kind == COMPLEX:
            raise unsupported(f"{name}_cpu", input)
        if not input.ndim:
            return input.copy(), np.zeros((), np.int64)
        best = beats.accumulate(input, dim)
        shape = [1] * input.ndim
        shape[dim] = input.shape[dim]
        here = np.arange(input.shape[dim]).reshape(shape)
        new = (input == best) | xp.isnan(input)
        return best, xp.maximum.accumulate(xp.where(new, here, 0), dim)

    def function(input: Tensor, dim: int) -> Any:
        return record(input, check_dim(dim, input._array.ndim))

    function.__name__, function.__doc__ = name, doc
    return composite(function)


cummax = _running_extreme("cummax", "Running maximum and where it was reached.", np.maximum)
cummin = _running_extreme("cummin", "Running minimum and where it was reached.", np.minimum)
