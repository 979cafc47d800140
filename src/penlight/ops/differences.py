"""Differences of neighbours, areas under samples and their slopes."""

from __future__ import annotations

from typing import Any

from ..core import dtype as dtypes
from ..core.tensor import Tensor, check_dim
from .families import composite
from .join import cat
from .reduce import axes


@composite
def diff(
    input: Tensor, n: int = 1, dim: int = -1, prepend: Tensor | None = None,
    append: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """n-th differences of neighbours along an axis."""
    if input._array.ndim == 0:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    dim = check_dim(dim, input._array.ndim)
    if n == 0:
        return input.clone()
    ends = [t for t in (prepend, input, append) if t is not None]
    for t in ends:
        if t._array.ndim != input._array.ndim:
            raise RuntimeError("diff expects prepend or append to be the same dimension as input")
    x = cat(ends, dim) if len(ends) > 1 else input
    for _ in range(n):
        length = max(x._array.shape[dim] - 1, 0)
        after, before = (
            x.narrow(dim, x._array.shape[dim] - length, length),
            x.narrow(dim, 0, length),
        )
        x = after.logical_xor(before) if x.dtype is dtypes.bool_ else after - before
    return x


def _check_samples(name: str, y: Tensor, x: Tensor | None, dim: int) -> None:
    if y._array.ndim == 0:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    for label, t in (("y", y), ("x", x)):
        if t is not None and t.dtype is dtypes.bool_:
            raise RuntimeError(
                f"{name}: received a bool input for `{label}`, but bool is not supported"
            )
    if x is not None and x._array.ndim == 1 and x._array.size != y._array.shape[dim]:
        raise RuntimeError(f"{name}: There must be one `x` value for each sample point")


def _neighbours(y: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """All elements but the last, and all but the first."""
    n = max(y._array.shape[dim] - 1, 0)
    return y.narrow(dim, 0, n), y.narrow(dim, y._array.shape[dim] - n, n)


def _panels(y: Tensor, x: Tensor, dim: int) -> Tensor:
    """(yₖ + yₖ₊₁) Δx between neighbours along `dim`."""
    left, right = _neighbours(y, dim)
    if x._array.ndim == 1:
        return (left + right) * along(diff(x), dim, y._array.ndim)
    axis = dim if x._array.ndim == y._array.ndim else dim - y._array.ndim
    return (left + right) * diff(x, dim=axis)


def along(t: Tensor, dim: int, rank: int) -> Tensor:
    """A vector as the axis `dim` of a tensor with `rank` axes."""
    shape = [1] * rank
    shape[dim] = -1
    return t.reshape(shape)


@composite(names="torch.trapezoid torch.trapz")
def trapezoid(
    y: Tensor, x: Tensor | None = None, *, dx: float | None = None, dim: int = -1
) -> Tensor:
    """Area under the straight lines between the points: Σ (yₖ + yₖ₊₁) / 2 · Δx."""
    _check_samples("trapezoid", y, x, dim)
    dim = check_dim(dim, y._array.ndim)
    if y._array.shape[dim] == 0:
        return y.sum(dim) * 0.0
    if x is not None:
        return _panels(y, x, dim).sum(dim) / 2.0
    ends = y.select(dim, 0) + y.select(dim, -1)
    return (y.sum(dim) - ends * 0.5) * (1 if dx is None else dx)


@composite(names="torch.cumulative_trapezoid")
def cumulative_trapezoid(
    y: Tensor, x: Tensor | None = None, *, dx: float | None = None, dim: int = -1
) -> Tensor:
    """Running area under the straight lines between the points."""
    _check_samples("cumulative_trapezoid", y, x, dim)
    dim = check_dim(dim, y._array.ndim)
    if x is not None:
        return _panels(y, x, dim).cumsum(dim) / 2.0
    left, right = _neighbours(y, dim)
    return (left + right).cumsum(dim) * ((1 if dx is None else dx) / 2.0)


# ---------------------------------------------------------------- gradient of samples


def _slopes(f: Tensor, dim: int, spacing: Any, edge_order: int) -> Tensor:
    """Central differences inside, one-sided ones of the given order at both ends."""
    n = f._array.shape[dim]

    def at(start: int, count: int = 1) -> Tensor:
        return f.narrow(dim, start, count)

    if isinstance(spacing, Tensor):
        width = along(diff(spacing), dim, f._array.ndim)
        a, b = _neighbours(width, dim)
        inner = (
            at(2, n - 2) * (a / (b * (a + b)))
            + at(1, n - 2) * ((b - a) / (a * b))
            - at(0, n - 2) * (b / (a * (a + b)))
        )
        first, last = width.narrow(dim, 0, 1), width.narrow(dim, n - 2, 1)
        second, before = width.narrow(dim, 1 % (n - 1), 1), width.narrow(dim, max(n - 3, 0), 1)
    else:
        inner = (at(2, n - 2) - at(0, n - 2)) / (2 * spacing)
        first = second = before = last = spacing
    if edge_order == 1:
        ends = (at(1) - at(0)) / first, (at(n - 1) - at(n - 2)) / last
    else:
        ends = (
            _one_sided((at(0), at(1), at(2)), first, second),
            -_one_sided((at(n - 1), at(n - 2), at(n - 3)), last, before),
        )
    return cat([ends[0], inner, ends[1]], dim)


def _one_sided(f: tuple[Tensor, Tensor, Tensor], h: Any, k: Any) -> Tensor:
    """The slope at the first of three points with the distances h and k, to second order."""
    near, at, far = (h + k) / (h * k), (2 * h + k) / (h * (h + k)), h / (k * (h + k))
    return f[1] * near - f[0] * at - f[2] * far


def _lengths(spacing: int, dims: int, rank: int | None) -> str:
    """PyTorch's words for a wrong number of spacings; `rank` where no dim was given."""
    if rank is not None:
        return (
            "torch.gradient expected spacing to be unspecified, a scalar, or a list of length "
            f"equal to 'self.dim() = {rank}', since dim argument was not given, but got a list of "
            f"length {spacing}"
        )
    return (
        "torch.gradient expected spacing to be unspecified, a scalar or it's spacing and dim "
        "arguments to have the same length, but got a spacing argument of length "
        f"{spacing} and a dim argument of length {dims}."
    )


@composite(names="torch.gradient")
def gradient(
    input: Tensor,
    *,
    spacing: Any = None,
    dim: int | tuple[int, ...] | list[int] | None = None,
    edge_order: int = 1,
) -> tuple[Tensor, ...]:
    """Slopes of sampled values along axes, one tensor per axis, exact to second order inside.

    `spacing` is a step width, one per axis, or the coordinates along each axis.
    """
    rank = input._array.ndim
    many = isinstance(spacing, (tuple, list))
    dims = axes(dim, rank)
    if edge_order not in (1, 2):
        raise RuntimeError("torch.gradient only supports edge_order=1 and edge_order=2.")
    if many and len(spacing) != len(dims):
        raise RuntimeError(_lengths(len(spacing), len(dims), rank if dim is None else None))
    for d in dims:
        if input._array.shape[d] < edge_order + 1:
            raise RuntimeError(
                "torch.gradient expected each dimension size to be at least edge_order+1"
            )
    if spacing is None:
        spacing = 1
    if input.dtype is dtypes.uint8:
        raise RuntimeError("torch.gradient does not support uint8 input.")
    steps = spacing if many else [spacing] * len(dims)
    return tuple(_slopes(input, d, s, edge_order) for d, s in zip(dims, steps, strict=True))
