"""Spread and position of samples: variance, covariance, quantiles, distance."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import dtype as dtypes
from ..core.beside import fixed
from ..core.tensor import Tensor, check_dim, wrap
from ..core.watch import refuse
from .elementwise import bar, complex
from .families import composite, op
from .kinds import COMPLEX, FLOATS, name_of
from .powers import broadcastable
from .reduce import added_up, axes, count, half_in_float32, restored

# ---------------------------------------------------------------- variance


def _square(x: Any) -> Any:
    """|x|²"""
    return (x * x.conj()).real if x.dtype.kind == COMPLEX else x * x


@half_in_float32
def _variance(xp: Any, x: Any, dims: Any, correction: float, keepdim: bool) -> Any:
    """Σ |x - mean|² / (n - correction), with the rounding error of the mean taken out again"""
    n = count(x.shape, dims)
    deviation = x - added_up(xp, x, dims, True) / x.dtype.type(n)
    error = added_up(xp, deviation, dims, keepdim)
    total = added_up(xp, _square(deviation), dims, keepdim)
    total = total - _square(error) / total.dtype.type(n)
    return xp.asarray(total / total.dtype.type(max(n - correction, 0)))


@half_in_float32
def _deviation(xp: Any, x: Any, dims: Any, correction: float, keepdim: bool) -> Any:
    return xp.sqrt(_variance(xp, x, dims, correction, keepdim))


@half_in_float32
def _mean(xp: Any, x: Any, dims: Any, keepdim: bool) -> Any:
    return xp.asarray(added_up(xp, x, dims, keepdim) / x.dtype.type(count(x.shape, dims)))


def _var_slope(g: Tensor, x: Tensor, dims: tuple, correction: float, keepdim: bool) -> Tensor:
    """2 (x - mean) / (n - correction)"""
    shape = x._array.shape
    freedom = count(shape, dims) - correction
    scale = 2 / freedom if freedom > 0 else math.nan
    return restored(g, shape, dims, keepdim) * scale * (x - x.mean(dims, keepdim=True))


def _std_slope(
    g: Tensor, x: Tensor, y: Tensor, dims: tuple, correction: float, keepdim: bool
) -> Tensor:
    return _var_slope((g / (2 * y)).masked_fill(y == 0, 0), x, dims, correction, keepdim)


def _mean_slope(g: Tensor, x: Tensor, dims: tuple, keepdim: bool) -> Tensor:
    shape = x._array.shape
    return restored(g, shape, dims, keepdim) / (count(shape, dims) or math.nan)


@op(grad={"input": lambda g, x, dims, correction, keepdim: (
    _var_slope(g, x, dims, correction, keepdim))}, node="VarBackward0")  # fmt: skip
def _var(xp: Any, input: Any, dims: Any, correction: float, keepdim: bool) -> Any:
    return _variance(xp, input, dims, correction, keepdim)


@op(grad={"input": lambda g, x, y, dims, correction, keepdim: (
    _std_slope(g, x, y, dims, correction, keepdim))}, node="StdBackward0")  # fmt: skip
def _std(xp: Any, input: Any, dims: Any, correction: float, keepdim: bool) -> Any:
    return _deviation(xp, input, dims, correction, keepdim)


@op(grad={"input": lambda g, x, dims, correction, keepdim: (
    _var_slope(g[0], x, dims, correction, keepdim) + _mean_slope(g[1], x, dims, keepdim)
)}, node="VarMeanBackward0")  # fmt: skip
def _var_mean(xp: Any, input: Any, dims: Any, correction: float, keepdim: bool) -> Any:
    return _variance(xp, input, dims, correction, keepdim), _mean(xp, input, dims, keepdim)


@op(grad={"input": lambda g, x, y, dims, correction, keepdim: (
    _std_slope(g[0], x, y[0], dims, correction, keepdim) + _mean_slope(g[1], x, dims, keepdim)
)}, node="StdMeanBackward0")  # fmt: skip
def _std_mean(xp: Any, input: Any, dims: Any, correction: float, keepdim: bool) -> Any:
    return _deviation(xp, input, dims, correction, keepdim), _mean(xp, input, dims, keepdim)


def _spread(name: str, doc: str, record: Any, names: str = "") -> Any:
    """var(x), var(x, unbiased), var(x, dim, unbiased, keepdim), var(x, dim, correction=1)"""

    def function(
        input: Tensor, dim: Any = None, unbiased: bool = True, keepdim: bool = False, *,
        correction: float | None = None,
    ) -> Any:  # fmt: skip
        if dim is True or dim is False:
            dim, unbiased = None, dim
        if input.dtype.category < dtypes.FLOAT:
            what = "std and var" if name in ("std", "var") else name
            raise RuntimeError(f"{what} only support floating point and complex dtypes")
        dims = axes(dim, input._array.ndim)
        correction = int(unbiased) if correction is None else correction
        if count(input._array.shape, dims) <= correction:
            _warn_freedom(name)
        return record(input, dims, correction, keepdim)

    function.__name__, function.__doc__ = name, doc
    return composite(function, names=names) if names else composite(function)


def _warn_freedom(name: str) -> None:
    import warnings

    warnings.warn(
        f"{name}(): degrees of freedom is <= 0. Correction should be strictly less than the "
        "reduction factor (input numel divided by output numel).",
        stacklevel=4,
    )


var = _spread("var", "Variance: Σ |x - mean|² / (n - correction).", _var)
std = _spread("std", "Standard deviation: the root of the variance.", _std)
var_mean = _spread("var_mean", "Variance and mean.", _var_mean, "torch.var_mean")
std_mean = _spread("std_mean", "Standard deviation and mean.", _std_mean, "torch.std_mean")

# ---------------------------------------------------------------- covariance


@composite
def cov(
    input: Tensor, *, correction: int = 1, fweights: Tensor | None = None,
    aweights: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Covariance of variables (rows) over observations (columns), weighted by count and weight."""
    if input._array.ndim > 2:
        raise RuntimeError(
            "cov(): expected input to have two or fewer dimensions but got an input with "
            f"{input._array.ndim} dimensions"
        )
    if input.dtype is dtypes.bool_:
        raise RuntimeError("cov(): bool dtype is not supported for input")
    x = input.reshape(1, -1) if input._array.ndim < 2 else input
    weights, total = _weights(x, fweights, aweights)
    if weights is None:
        total = x._array.shape[1]
        centred, weighted = x - x.sum(1, True) / max(total, 1), None
        freedom: Any = total - correction
    else:
        centred = x - (x * weights).sum(1, True) / total
        weighted = centred * weights
        loss = correction if aweights is None else (weights * aweights).sum() * correction / total
        freedom = total - loss
    if isinstance(freedom, Tensor):
        freedom = freedom.clamp(min=0)
    elif freedom <= 0:
        freedom = 0
    product = (centred if weighted is None else weighted) @ bar(centred).mT
    result = product / freedom
    return result.squeeze()


def _weights(x: Tensor, fweights: Tensor | None, aweights: Tensor | None) -> tuple[Any, Any]:
    for name, w, kind in (("fweights", fweights, "integral"), ("aweights", aweights, "floating")):
        if w is None:
            continue
        if w._array.ndim > 1:
            raise RuntimeError(
                f"cov(): expected {name} to have one or fewer dimensions but got {name} with "
                f"{w._array.ndim} dimensions"
            )
        if (w.dtype.category == dtypes.FLOAT) != (kind == "floating"):
            raise RuntimeError(
                f"cov(): expected {name} to have {kind} dtype but got {name} with "
                f"{w.dtype.scalar_name} dtype"
            )
        if w._array.size != x._array.shape[1]:
            raise RuntimeError(
                f"cov(): expected {name} to have the same numel as there are observations in the "
                f"input but got {w._array.size} != {x._array.shape[1]}"
            )
        refuse("weights are checked")
        if (w._array < 0).any():
            raise RuntimeError(f"cov(): {name} cannot be negative")
    if fweights is None and aweights is None:
        return None, None
    if fweights is None or aweights is None:
        weights: Any = fweights if aweights is None else aweights
    else:
        weights = fweights * aweights
    return weights, weights.sum()


@composite
def corrcoef(input: Tensor) -> Tensor:
    """Correlation coefficients of variables (rows) over observations (columns)."""
    if input._array.ndim > 2:
        raise RuntimeError(
            "corrcoef(): expected input to have two or fewer dimensions but got an input with "
            f"{input._array.ndim} dimensions"
        )
    c = cov(input)
    if c._array.ndim == 0:
        return c / c
    root = c.diagonal().real.sqrt()
    found = c / root.unsqueeze(1) / root.unsqueeze(0)
    if c.dtype.is_complex:
        return complex(found.real.clamp(-1, 1), found.imag.clamp(-1, 1))
    return found.clamp(-1, 1)


# ---------------------------------------------------------------- distance


def _dist_slope(g: Tensor, a: Tensor, b: Tensor, y: Tensor, p: float) -> Tensor:
    """The derivative of (Σ |d|ᵖ)^(1/p); 0 where the distance is 0."""
    d = a - b
    if p == 0:
        return g * 0 * d
    if p == 1:
        return g * d.sgn()
    if math.isinf(p):
        farthest = d.abs() == y
        return g * d.sgn() * farthest / farthest.sum()
    return (g * d.sgn() * (d.abs() / y) ** (p - 1)).masked_fill(y == 0, 0)


@op(
    grad={
        "input": lambda g, input, other, y, p: _dist_slope(g, input, other, y, p),
        "other": lambda g, input, other, y, p: -_dist_slope(g, input, other, y, p),
    },
    promote=("input", "other"), check=lambda a, b, p: broadcastable(a, b),
)  # fmt: skip
def dist(xp: Any, input: Any, other: Any, p: float = 2) -> Any:
    """The p-norm of input - other."""
    if input.dtype.kind not in FLOATS + COMPLEX:
        raise RuntimeError(
            "norm(): input dtype should be either floating point or complex. Got "
            f"{name_of(input)} instead."
        )
    size = abs(input - other)
    if p == 0:
        return xp.asarray(xp.count_nonzero(size), size.dtype)
    if math.isinf(p):
        return xp.asarray(size.max(initial=0) if p > 0 else size.min())
    return xp.asarray(xp.power(xp.sum(xp.power(size, p)), 1 / p), size.dtype)


# ---------------------------------------------------------------- quantiles

_INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


def _check_quantile(input: Tensor, q: Tensor, interpolation: str) -> None:
    if input._array.size == 0:
        raise RuntimeError("quantile() input tensor must be non-empty")
    if q._array.ndim > 1:
        raise RuntimeError("quantile() q must be a scalar or 1D tensor")
    if input.dtype not in (dtypes.float32, dtypes.float64):
        raise RuntimeError("quantile() input tensor must be either float or double dtype")
    if q.dtype is not input.dtype:
        raise RuntimeError("quantile() q tensor must be same dtype as the input tensor")
    if interpolation not in _INTERPOLATIONS:
        raise RuntimeError(
            "quantile() interpolation must be one of linear, lower, higher, midpoint or nearest, "
            f"but got {interpolation}"
        )
    if not ((q._array >= 0) & (q._array <= 1)).all():
        raise RuntimeError("quantile() q values must be in the range [0, 1]")


def _quantile(
    skip_nan: bool, input: Tensor, q: Any, dim: int | None, keepdim: bool, interpolation: str
) -> Tensor:
    """Sorted values between whose ranks q (n - 1) is interpolated."""
    if not isinstance(q, Tensor):
        if not 0 <= q <= 1:
            raise RuntimeError(f"quantile() q must be in the range [0, 1] but got {q:g}")
        q = wrap(np.array(q, input._array.dtype))
    _check_quantile(input, q, interpolation)
    rank = input._array.ndim
    if rank == 0 or dim is None:
        rows, axis = input.reshape(-1), None
    else:
        axis = check_dim(dim, rank)
        rows = input.movedim(axis, -1)
    ordered = rows.sort(-1)[0]
    position = _positions(skip_nan, ordered._array, q.reshape(-1))
    result = _interpolated(ordered, position, interpolation).movedim(-1, 0)  # (q, *rows)
    if keepdim:
        kept = tuple(1 if axis in (None, d) else n for d, n in enumerate(input._array.shape))
        result = result.reshape((result._array.shape[0], *kept))
    return result.squeeze(0) if q._array.ndim == 0 else result


def _positions(skip_nan: bool, ordered: Any, q: Tensor) -> Tensor:
    """Fractional positions (*rows, q); in a row with a NaN that of the last element, a NaN."""
    refuse("a quantile's position depends on the values")
    last = ordered.shape[-1] - 1
    numbers = last - np.isnan(ordered).sum(-1, keepdims=True)
    if skip_nan:
        return wrap(np.maximum(numbers, 0).astype(ordered.dtype)) * q
    position = fixed(np.full(numbers.shape, last, ordered.dtype)) * q
    spoilt = wrap(numbers < last)
    return position.masked_fill(spoilt, last) if spoilt._array.any() else position


def _interpolated(ordered: Tensor, position: Tensor, interpolation: str) -> Tensor:
    rounding = {"higher": "ceil", "nearest": "round"}.get(interpolation, "floor")
    below = getattr(position, rounding)()
    low = ordered.gather(-1, wrap(below._array.astype(np.int64)))
    if interpolation not in ("linear", "midpoint"):
        return low
    high = ordered.gather(-1, wrap(np.ceil(position._array).astype(np.int64)))
    half = wrap(np.full_like(position._array, 0.5))
    weight = position - below if interpolation == "linear" else half
    return low.lerp(high, weight)


@composite
def quantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *,
    interpolation: str = "linear",
) -> Tensor:  # fmt: skip
    """The values below which the fractions q of the elements lie; NaN if there is one.

    >>> import penlight as torch
    >>> torch.tensor([1.0, 2.0, 3.0, 4.0]).quantile(0.5)
    tensor(2.5000)
    """
    return _quantile(False, input, q, dim, keepdim, interpolation)


@composite
def nanquantile(
    input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *,
    interpolation: str = "linear",
) -> Tensor:  # fmt: skip
    """Quantiles of what is not NaN."""
    return _quantile(True, input, q, dim, keepdim, interpolation)
