"""Distances and angles between vectors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core.tensor import Tensor, wrap
from .families import composite, op
from .operands import check_broadcast, result_dtype

# ---------------------------------------------------------------- vector by vector


@composite(names="torch.cosine_similarity nn.functional.cosine_similarity")
def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """x₁ · x₂ / (|x₁| |x₂|) along `dim`; a length below eps counts as eps.

    >>> import penlight as torch
    >>> torch.cosine_similarity(torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 1.0]]))
    tensor([0.7071])
    """
    common = result_dtype((x1, x2))
    if not common.is_floating_point:
        raise RuntimeError(
            f"expected common dtype to be floating point, yet common dtype is {common.scalar_name}"
        )
    check_broadcast(x1._array.shape, x2._array.shape)
    shape = np.broadcast_shapes(x1._array.shape, x2._array.shape)
    directions = []
    for x in (x1.to(common).expand(shape), x2.to(common).expand(shape)):
        length = x.norm(2, dim, keepdim=True).clone()
        length.detach().clamp_(min=eps)  # the gradient is that of the length as it was
        directions.append(x / length)
    return (directions[0] * directions[1]).sum(dim)


@composite(names="torch.pairwise_distance nn.functional.pairwise_distance")
def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """The p-norm of x₁ - x₂ + ε along the last axis.

    >>> import penlight as torch
    >>> torch.pairwise_distance(torch.tensor([[3.0, 4.0]]), torch.zeros(1, 2))
    tensor([5.0000])
    """
    return (x1 - x2 + eps).norm(p, -1, keepdim)


@composite(names="nn.functional.normalize")
def normalize(
    input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: Tensor | None = None
) -> Tensor:
    """x / max(‖x‖ₚ, ε) along `dim`.

    >>> import penlight as torch
    >>> torch.nn.functional.normalize(torch.tensor([[3.0, 4.0]]))
    tensor([[0.6000, 0.8000]])
    """
    length = input.norm(p, dim, keepdim=True).clamp_min(eps)
    return input.div(length, out=out) if out is not None else input / length


# ---------------------------------------------------------------- every vector with every other

_BLOCK = 2**20  # differences held at a time


def _norm(xp: Any, difference: Any, p: float) -> Any:
    """The p-norm along the last axis."""
    size = xp.abs(difference)
    if p == 0:
        return (size != 0).sum(-1).astype(size.dtype)
    if p == 1:
        return xp.sum(size, -1)
    if p == 2:
        return xp.sqrt(xp.sum(size * size, -1))
    if p == math.inf:
        return size.max(-1, initial=0)
    return xp.power(xp.sum(xp.power(size, p), -1), 1 / p)


def _slope(difference: Tensor, distance: Tensor, p: float) -> Tensor:
    """The derivative of the p-norm along the last axis; 0 where the norm is 0."""
    distance = distance.unsqueeze(-1)
    sign, size = difference.sign(), difference.abs()
    if p == 0:
        return difference * 0
    if p == 1:
        return sign
    if p == math.inf:
        return sign * (size == distance)
    zero = (difference if p < 2 else distance) == 0
    ratio = size / distance if p >= 2 else size.masked_fill(zero, 1) / distance
    return (sign * ratio ** (p - 1)).masked_fill(zero, 0)


def _by_products(xp: Any, x1: Any, x2: Any) -> Any:
    """Euclidean distances by |a|² - 2 a·b + |b|²: quick, and less exact for near neighbours."""
    squares = xp.sum(x1 * x1, -1)[..., :, None] + xp.sum(x2 * x2, -1)[..., None, :]
    squares -= 2 * xp.matmul(x1, x2.swapaxes(-1, -2))
    return xp.sqrt(xp.maximum(squares, 0))


def _cdist_grad(g: Tensor, x1: Tensor, x2: Tensor, p: float, y: Tensor, first: bool) -> Tensor:
    """The gradient of `x1`, or of `x2` where not `first`."""
    if not first:
        x1, x2, g, y = x2, x1, g.mT, y.mT
    if p == 2:
        share = (g / y).masked_fill(y == 0, 0)
        return x1 * share.sum(-1, True) - share @ x2
    slope = _slope(x1.unsqueeze(-2) - x2.unsqueeze(-3), y, p)
    return (g.unsqueeze(-1) * slope).sum(-2)


@op(
    name="_cdist",
    node="CdistBackward0",
    grad={
        "x1": lambda g, x1, x2, p, y: _cdist_grad(g, x1, x2, p, y, True),
        "x2": lambda g, x1, x2, p, y: _cdist_grad(g, x1, x2, p, y, False),
    },
)
def _cdist(xp: Any, x1: Any, x2: Any, p: float, products: bool) -> Any:
    if products:
        return _by_products(xp, x1, x2)
    batch = np.broadcast_shapes(x1.shape[:-2], x2.shape[:-2])
    rows, columns = x1.shape[-2], x2.shape[-2]
    result = xp.empty((*batch, rows, columns), x1.dtype)
    step = max(1, _BLOCK // max(1, math.prod(batch) * columns * x1.shape[-1]))
    for i in range(0, rows, step):
        difference = x1[..., i : i + step, None, :] - x2[..., None, :, :]
        result[..., i : i + step, :] = _norm(xp, difference, p)
    return result


@composite
def cdist(
    x1: Tensor,
    x2: Tensor,
    p: float = 2.0,
    compute_mode: str | None = "use_mm_for_euclid_dist_if_necessary",
) -> Tensor:
    """The p-norm distance of each row of x1 (..., P, M) from each row of x2 (..., R, M).

    `compute_mode` says when Euclidean distances come from one matrix product: where P or R is
    above 25 (the default), always ("use_mm_for_euclid_dist") or never ("donot_use_...").

    >>> import penlight as torch
    >>> torch.cdist(torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0], [0.0, 1.0]]))
    tensor([[5., 1.]])
    """
    modes = {
        None: None,
        "use_mm_for_euclid_dist_if_necessary": None,
        "use_mm_for_euclid_dist": True,
        "donot_use_mm_for_euclid_dist": False,
    }
    if compute_mode not in modes:
        raise ValueError(f"{compute_mode} is not a valid value for compute_mode")
    for name, x in (("X1", x1), ("X2", x2)):
        if not x.is_floating_point():
            raise RuntimeError(
                f"cdist only supports floating-point dtypes, {name} got: {x.dtype.scalar_name}"
            )
        if x.dim() < 2:
            raise RuntimeError(f"cdist only supports at least 2D tensors, {name} got: {x.dim()}D")
    if x1.size(-1) != x2.size(-1):
        raise RuntimeError(
            f"X1 and X2 must have the same number of columns. X1: {x1.size(-1)} X2: {x2.size(-1)}"
        )
    if p < 0:
        raise RuntimeError("cdist only supports non-negative p values")
    check_broadcast(x1._array.shape[:-2], x2._array.shape[:-2])
    products = modes[compute_mode]
    if products is None:
        products = x1.size(-2) > 25 or x2.size(-2) > 25
    return _cdist(x1, x2, p, products and p == 2)


def _pairs(x: Any) -> tuple[Any, Any]:
    """The indices of all pairs of rows, each once."""
    return np.triu_indices(x.shape[0], 1)


def _pdist_grad(g: Tensor, x: Tensor, p: float, y: Tensor) -> Tensor:
    first, second = map(wrap, _pairs(x))
    part = g.unsqueeze(-1) * _slope(x[first] - x[second], y, p)
    return (x * 0).index_add(0, first, part).index_add(0, second, -part)


@op(
    name="_pdist",
    node="PdistBackward0",
    grad={"input": lambda g, x, p, y: _pdist_grad(g, x, p, y)},
)
def _pdist(xp: Any, input: Any, p: float) -> Any:
    first, second = _pairs(input)
    return _norm(xp, input[first] - input[second], p)


@composite(names="torch.pdist nn.functional.pdist")
def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """The p-norm distances of all pairs of rows: N (N - 1) / 2 of them.

    >>> import penlight as torch
    >>> torch.pdist(torch.tensor([[0.0], [1.0], [3.0]]))
    tensor([1., 3., 2.])
    """
    if input.dim() != 2:
        raise RuntimeError(f"pdist only supports 2D tensors, got: {input.dim()}D")
    if p < 0:
        raise RuntimeError("pdist only supports non-negative p values")
    return _pdist(input, p)
