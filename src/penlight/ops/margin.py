"""Losses that ask for a margin: between distances, ranks or classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..core.tensor import Tensor
from .distance import pairwise_distance
from .families import composite, op
from .loss import reduced, reduction_of
from .rectifier import wide

# ---------------------------------------------------------------- between pairs


@composite(names="nn.functional.hinge_embedding_loss")
def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """x for like pairs (y = 1), max(0, margin - x) for unlike ones (y = -1); x is a distance."""
    apart = (margin - input).clamp_min(0).where(target != 1, 0.0)
    loss = apart + input.where(target != -1, 0.0)
    return reduced(loss, reduction_of(reduction, size_average, reduce))


@composite(names="nn.functional.margin_ranking_loss")
def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, -y (x₁ - x₂) + margin): y = 1 asks for the first to rank higher, -1 for the second."""
    if not input1.dim() == input2.dim() == target.dim():
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
            f"input1: {input1.size()}, input2: {input2.size()}, target: {target.size()} "
        )
    loss = (-target * (input1 - input2) + margin).clamp_min(0)
    return reduced(loss, reduction_of(reduction, size_average, reduce))


@composite(names="nn.functional.cosine_embedding_loss")
def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """1 - cos(x₁, x₂) for like pairs (y = 1), max(0, cos(x₁, x₂) - margin) for unlike (y = -1).

    Shapes: inputs (N, D) and target (N,), or (D,) and ().
    """
    reduction = reduction_of(reduction, size_average, reduce)
    if target.dim() > 1:
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    ranks = {target.dim() + 1}
    if {input1.dim(), input2.dim()} != ranks:
        raise RuntimeError(
            f"{target.dim()}D target tensor expects {target.dim() + 1}D input tensors, but found "
            f"inputs with sizes {list(input1.shape)} and {list(input2.shape)}."
        )
    least = 1e-12  # keeps the cosine of a zero vector finite
    lengths = ((input1 * input1).sum(-1) + least) * ((input2 * input2).sum(-1) + least)
    cosine = (input1 * input2).sum(-1) / lengths.sqrt()
    alike = (1 - cosine).where(target == 1, 0.0)
    apart = (cosine - margin).clamp_min(0).where(target == -1, 0.0)
    return reduced(alike + apart, reduction)


# ---------------------------------------------------------------- among three


def _check_triplet(anchor: Tensor, positive: Tensor, negative: Tensor, margin: float) -> None:
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    if not anchor.ndim == positive.ndim == negative.ndim:
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of "
            f"dimensions, but got: anchor {anchor.ndim}D, positive {positive.ndim}D, and negative "
            f"{negative.ndim}D inputs"
        )


@composite(names="nn.functional.triplet_margin_with_distance_loss")
def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """max(0, d(a, p) - d(a, n) + margin); `swap` takes the smaller of d(a, n) and d(p, n)."""
    reduction = reduction_of(reduction)
    _check_triplet(anchor, positive, negative, margin)
    distance = pairwise_distance if distance_function is None else distance_function
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = far.minimum(distance(positive, negative))
    return reduced((margin + near - far).clamp_min(0), reduction)


@composite(names="nn.functional.triplet_margin_loss")
def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The triplet loss of distances by the p-norm along the last axis."""
    return triplet_margin_with_distance_loss(
        anchor,
        positive,
        negative,
        distance_function=lambda a, b: pairwise_distance(a, b, p, eps),
        margin=margin,
        swap=swap,
        reduction=reduction_of(reduction, size_average, reduce),
    )


# ---------------------------------------------------------------- between classes


def _multi_margin_slope(
    x: Tensor, target: Tensor, p: int, margin: float, weight: Tensor | None
) -> Tensor:
    """The derivative of each row's loss by its elements."""
    index = target[:, None]
    over = (margin + x - x.gather(1, index)).clamp(min=0).scatter(1, index, 0)
    slope = 2 * over if p == 2 else (over > 0).to(x.dtype)
    if weight is not None:
        slope = slope * weight[index]
    slope = slope / x.size(1)
    return slope.scatter(1, index, -slope.sum(1, True))


def _by_row(g: Tensor, slope: Tensor, reduction: str) -> Tensor:
    if reduction == "none":
        return g[:, None] * slope
    return g * slope / slope.size(0) if reduction == "mean" else g * slope


def _as_rows(input: Tensor) -> Tensor:
    """One sample as a row; RuntimeError for what is neither a sample nor a batch of them."""
    shape = input._array.shape
    if len(shape) > 2 or 0 in shape[-1:]:
        raise RuntimeError(
            "Expected non-empty vector or matrix with optional 0-dim batch size, but got: "
            f"{list(shape)}"
        )
    return input if len(shape) == 2 else input.reshape(1, -1)


@op(
    name="_multi_margin_loss",
    node="MultiMarginLossBackward0",
    grad={
        "input": lambda g, x, target, p, margin, weight, reduction: _by_row(
            g, _multi_margin_slope(x, target, p, margin, weight), reduction
        )
    },
)
def _multi_margin_loss(
    xp: Any, input: Any, target: Any, p: int, margin: float, weight: Any, reduction: str
) -> Any:
    x = wide(input, "multi_margin_loss")
    if ((target < 0) | (target >= x.shape[1])).any():
        raise RuntimeError("target out of range")
    index = target[:, None]
    over = xp.maximum(margin + x - xp.take_along_axis(x, index, 1), 0)
    xp.put_along_axis(over, index, 0, 1)
    loss = xp.sum(over if p == 1 else over * over, 1) / x.shape[1]
    return _reduced_rows(xp, loss if weight is None else loss * weight[target], reduction, input)


def _reduced_rows(xp: Any, loss: Any, reduction: str, input: Any) -> Any:
    if reduction != "none":
        loss = xp.mean(loss) if reduction == "mean" else xp.sum(loss)
    return loss.astype(input.dtype, copy=False)


@composite(names="nn.functional.multi_margin_loss")
def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Σ max(0, margin - x[target] + x[i])ᵖ / C over the classes i that are not the target."""
    reduction = reduction_of(reduction, size_average, reduce)
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    if weight is not None and weight.dim() != 1:
        raise ValueError("weight must be one-dimensional")
    rows = _as_rows(input)
    if target.dim() > 1 or target.numel() != rows.size(0):
        raise RuntimeError(
            "multi_margin_loss: target tensor should be 1-D with size equal to the number of input "
            f"samples (batch size). Expected target size [{rows.size(0)}], but got "
            f"{list(target.shape)}. Input has shape {list(input.shape)}."
        )
    if weight is not None and weight.numel() != rows.size(1):
        raise RuntimeError(
            f"inconsistent weight size, expected {rows.size(1)} but got {list(weight.shape)}"
        )
    loss = _multi_margin_loss(rows, target.reshape(-1), p, margin, weight, reduction)
    return loss[0] if reduction == "none" and not target.dim() else loss


def _multilabel_over(xp: Any, x: Any, target: Any) -> tuple[Any, Any]:
    """How far class i comes within 1 of target class j, (N, j, i); the target indices made safe."""
    valid = xp.cumprod(target >= 0, 1).astype(bool)  # targets end at the first negative one
    index = xp.where(valid, target, 0)
    is_target = xp.zeros(x.shape, bool)
    rows = xp.broadcast_to(xp.arange(len(x))[:, None], x.shape)
    is_target[rows[valid], target[valid]] = True
    chosen = xp.take_along_axis(x, index, 1)
    over = xp.maximum(1 - chosen[:, :, None] + x[:, None, :], 0)
    over *= valid[:, :, None] & ~is_target[:, None, :]
    return over, index


@op(
    name="_multilabel_margin_loss",
    node="MultilabelMarginLossBackward0",
    grad={
        "input": lambda g, x, target, reduction: _by_row(
            g, _multilabel_margin_slope(x, target), reduction
        )
    },
)
def _multilabel_margin_loss(xp: Any, input: Any, target: Any, reduction: str) -> Any:
    x = wide(input, "multilabel_margin_loss_forward_out_frame")
    if ((target < -1) | (target >= x.shape[1])).any():
        raise RuntimeError("argument #2 'target' is out of range")
    over, _ = _multilabel_over(xp, x, target)
    return _reduced_rows(xp, xp.sum(over, (1, 2)) / x.shape[1], reduction, input)


@op(grad={})
def _multilabel_margin_slope(xp: Any, input: Any, target: Any) -> Any:
    over, index = _multilabel_over(xp, input, target)
    active = (over > 0) / input.dtype.type(input.shape[1])
    slope = xp.sum(active, 1)
    rows = xp.arange(len(input))[:, None]
    xp.subtract.at(slope, (rows, index), xp.sum(active, 2))
    return slope.astype(input.dtype, copy=False)


@composite(names="nn.functional.multilabel_margin_loss")
def multilabel_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Σ max(0, 1 - x[j] + x[i]) / C over the target classes j and all other classes i.

    Each row of targets lists class indices and ends at the first -1.
    """
    reduction = reduction_of(reduction, size_average, reduce)
    if input._array.shape != target._array.shape:
        raise RuntimeError(
            f"inconsistent target size: {list(target.shape)} for input of size: {list(input.shape)}"
        )
    rows = _as_rows(input)
    loss = _multilabel_margin_loss(rows, target.reshape(rows.shape), reduction)
    return loss[0] if reduction == "none" and input.dim() < 2 else loss
