"""Losses that compare two tensors element by element.

All take `reduction`: "mean" of the elements, their "sum", or "none" of both.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

from ..compiler import numerics
from ..core.beside import checked
from ..core.teaching import TeachingWarning
from ..core.tensor import Tensor
from .activation import logsigmoid
from .families import composite, op
from .operands import check_broadcast, result_dtype
from .rectifier import wide

# ---------------------------------------------------------------- reductions


def reduction_of(
    reduction: str, size_average: bool | None = None, reduce: bool | None = None
) -> str:
    """The reduction meant, checked; the two old flags come before it.

    >>> reduction_of("sum")
    'sum'
    """
    if size_average is not None or reduce is not None:
        whole = reduce is None or reduce
        average = size_average is None or size_average
        reduction = ("mean" if average else "sum") if whole else "none"
        warnings.warn(
            "size_average and reduce args will be deprecated, "
            f"please use reduction='{reduction}' instead.",
            stacklevel=4,
        )
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return reduction


def reduced(loss: Tensor, reduction: str) -> Tensor:
    """The mean or the sum of a loss, or the loss."""
    if reduction == "mean":
        return loss.mean()
    return loss.sum() if reduction == "sum" else loss


def _total(xp: Any, loss: Any, reduction: str, to: Any) -> Any:
    """`reduced` of an array, in the element type `to`."""
    if reduction == "sum":
        loss = xp.sum(loss)
    elif reduction == "mean":
        loss = xp.sum(loss) / to.type(loss.size or math.nan)
    return loss.astype(to, copy=False)


def _spread(g: Tensor, slope: Tensor, reduction: str) -> Tensor:
    """The gradient of a reduced loss, from the slope of each element."""
    return g * slope * (1 / slope._array.size) if reduction == "mean" else g * slope


def _matched(input: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Both in their common type. Different shapes get a warning, or an error if they do not fit."""
    if input._array.shape != target._array.shape:
        warnings.warn(
            f"Using a target size ({target.size()}) that is different to the input size "
            f"({input.size()}). This will likely lead to incorrect results due to broadcasting. "
            "Please ensure they have the same size.",
            TeachingWarning,
            stacklevel=4,
        )
        check_broadcast(input._array.shape, target._array.shape)
    if input._array.dtype is not target._array.dtype:
        common = result_dtype((input, target))
        input, target = input.to(common), target.to(common)
    return input, target


def _weighted(loss: Tensor, weight: Tensor, reduction: str, by_weight: bool) -> Tensor:
    """A loss whose elements are weighed; the mean is over the weights or over the elements."""
    if weight.size() != loss.size():
        raise ValueError("Weights and input must have the same size.")
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(
            f"Invalid reduction mode: {reduction}. Expected one of 'none', 'mean', 'sum'."
        )
    loss = loss * weight
    if reduction == "mean" and by_weight:
        return loss.sum() / weight.sum()
    return reduced(loss, reduction)


# ---------------------------------------------------------------- distances


@op(
    name="_mse_loss",
    node="MseLossBackward0",
    grad={
        "input": lambda g, a, b, reduction: _spread(g, 2 * (a - b), reduction),
        "target": lambda g, a, b, reduction: _spread(g, 2 * (b - a), reduction),
    },
)
def _mse_loss(xp: Any, input: Any, target: Any, reduction: str) -> Any:
    d = wide(input, "mse_cpu") - target
    d *= d
    return _total(xp, d, reduction, input.dtype)


@composite(names="nn.functional.mse_loss")
def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """Squared error (x - y)²; with `weight` the mean is over the weights.

    >>> import penlight as torch
    >>> torch.nn.functional.mse_loss(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 4.0]))
    tensor(2.)
    """
    input, target = _matched(input, target)
    if weight is not None:
        return _weighted((input - target) ** 2, weight, reduction, by_weight=True)
    return _mse_loss(input, target, reduction_of(reduction, size_average, reduce))


@composite(names="nn.functional.l1_loss")
def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """Absolute error |x - y|; with `weight` the mean is over the weights."""
    input, target = _matched(input, target)
    loss = (input - target).abs()
    if weight is not None:
        return _weighted(loss, weight, reduction, by_weight=True)
    return reduced(loss, reduction_of(reduction, size_average, reduce))


def _bent(xp: Any, d: Any, bend: float) -> Any:
    """d² / 2 up to |d| = bend, from there on a line."""
    size = xp.abs(d)
    near = xp.minimum(size, bend)
    return near * (size - near / 2)


def _bent_slope(a: Tensor, b: Tensor, bend: float) -> Tensor:
    return (a - b).clamp(-bend, bend)


@op(
    name="_smooth_l1_loss",
    node="SmoothL1LossBackward0",
    grad={
        "input": lambda g, a, b, reduction, beta: _spread(
            g, _bent_slope(a, b, beta) / beta, reduction
        ),
        "target": lambda g, a, b, reduction, beta: _spread(
            g, _bent_slope(b, a, beta) / beta, reduction
        ),
    },
)
def _smooth_l1_loss(xp: Any, input: Any, target: Any, reduction: str, beta: float) -> Any:
    d = wide(input, "smooth_l1_cpu") - target
    return _total(xp, _bent(xp, d, beta) / beta, reduction, input.dtype)


@composite(names="nn.functional.smooth_l1_loss")
def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """(x - y)² / 2β where |x - y| < β, else |x - y| - β / 2.  https://arxiv.org/abs/1504.08083"""
    input, target = _matched(input, target)
    reduction = reduction_of(reduction, size_average, reduce)
    if beta < 0:
        raise RuntimeError("smooth_l1_loss does not support negative values for beta.")
    if beta == 0:
        return reduced((input - target).abs(), reduction)
    return _smooth_l1_loss(input, target, reduction, beta)


@op(
    name="_huber_loss",
    node="HuberLossBackward0",
    grad={
        "input": lambda g, a, b, reduction, delta: _spread(g, _bent_slope(a, b, delta), reduction),
        "target": lambda g, a, b, reduction, delta: _spread(g, _bent_slope(b, a, delta), reduction),
    },
)
def _huber_loss(xp: Any, input: Any, target: Any, reduction: str, delta: float) -> Any:
    d = wide(input, "huber_cpu") - target
    return _total(xp, _bent(xp, d, delta), reduction, input.dtype)


@composite(names="nn.functional.huber_loss")
def huber_loss(
    input: Tensor,
    target: Tensor,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:
    """(x - y)² / 2 where |x - y| < δ, else δ (|x - y| - δ / 2)."""
    input, target = _matched(input, target)
    if delta <= 0:
        raise RuntimeError("huber_loss does not support non-positive values for delta.")
    if weight is not None:
        loss = _huber_loss(input, target, "none", delta)
        return _weighted(loss, weight, reduction, by_weight=False)
    return _huber_loss(input, target, reduction_of(reduction), delta)


# ---------------------------------------------------------------- yes or no


def _log_probability(xp: Any, p: Any) -> Any:
    """log p, but not below -100, so that a loss stays finite."""
    return xp.maximum(xp.log(p), -100)


def _bce_slope(x: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
    slope = (x - target) / ((1 - x) * x).clamp(min=1e-12)
    return slope if weight is None else slope * weight


def _bce_target_slope(x: Tensor, weight: Tensor | None) -> Tensor:
    slope = (-x).log1p() - x.log()
    return slope if weight is None else slope * weight


@op(
    name="_binary_cross_entropy",
    node="BinaryCrossEntropyBackward0",
    grad={
        "input": lambda g, x, target, weight, reduction: _spread(
            g, _bce_slope(x, target, weight), reduction
        ),
        "target": lambda g, x, weight, reduction: _spread(
            g, _bce_target_slope(x, weight), reduction
        ),
    },
    lower=lambda xp, x, target, weight, reduction: _bce(
        xp, xp.assured(x, _is_share(x) & _is_share(target)), target, weight, reduction
    ),
)
def _binary_cross_entropy(xp: Any, input: Any, target: Any, weight: Any, reduction: str) -> Any:
    x = wide(input, "binary_cross_entropy")
    for name, values in (("input", x), ("target", target)):
        if not xp.all(_is_share(values)):
            raise RuntimeError(f"all elements of {name} should be between 0 and 1")
    return _bce(xp, x, target, weight, reduction).astype(input.dtype, copy=False)


def _is_share(values: Any) -> Any:
    return (values >= 0) & (values <= 1)


def _bce(xp: Any, x: Any, target: Any, weight: Any, reduction: str) -> Any:
    yes, no = _log_probability(xp, x), _log_probability(xp, 1 - x)
    loss = (target - 1) * no - target * yes
    return _total(xp, loss if weight is None else loss * weight, reduction, x.dtype)


@composite(names="nn.functional.binary_cross_entropy")
def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """-y log x - (1 - y) log(1 - x) for probabilities x and targets y in [0, 1]."""
    reduction = reduction_of(reduction, size_average, reduce)
    if target.size() != input.size():
        raise ValueError(
            f"Using a target size ({target.size()}) that is different to the input size "
            f"({input.size()}) is deprecated. Please ensure they have the same size."
        )
    if target.dtype is not input.dtype:
        raise RuntimeError(
            f"Found dtype {target.dtype.scalar_name} but expected {input.dtype.scalar_name}"
            + _float_targets(target)
        )
    return _binary_cross_entropy(input, target, weight, reduction)


def _float_targets(target: Tensor) -> str:
    if target.is_floating_point():
        return ""
    return "\nthe targets of this loss are probabilities: convert them, target.float()"


def _logits_slope(
    x: Tensor, target: Tensor, weight: Tensor | None, pos_weight: Tensor | None
) -> Tensor:
    if pos_weight is None:
        slope = x.sigmoid() - target
    else:
        yes = pos_weight * target
        slope = (yes + 1 - target) * x.sigmoid() - yes
    return slope if weight is None else slope * weight


def _logits_target_slope(x: Tensor, weight: Tensor | None, pos_weight: Tensor | None) -> Tensor:
    slope = -x if pos_weight is None else logsigmoid(-x) - pos_weight * logsigmoid(x)
    return slope if weight is None else slope * weight


@op(
    name="_binary_cross_entropy_with_logits",
    node="BinaryCrossEntropyWithLogitsBackward0",
    grad={
        "input": lambda g, x, target, weight, pos_weight, reduction: _spread(
            g, _logits_slope(x, target, weight, pos_weight), reduction
        ),
        "target": lambda g, x, weight, pos_weight, reduction: _spread(
            g, _logits_target_slope(x, weight, pos_weight), reduction
        ),
    },
)
def _binary_cross_entropy_with_logits(
    xp: Any, input: Any, target: Any, weight: Any, pos_weight: Any, reduction: str
) -> Any:
    x = wide(input, "binary_cross_entropy_with_logits")
    no = xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.abs(x)))  # -log(1 - σ(x))
    loss = (
        no - x * target
        if pos_weight is None
        else ((1 - target) * no + pos_weight * target * (no - x))
    )
    return _total(xp, loss if weight is None else loss * weight, reduction, input.dtype)


@composite(names="nn.functional.binary_cross_entropy_with_logits")
def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """`binary_cross_entropy` of σ(x), without overflow; `pos_weight` weighs the positive targets.

    >>> import penlight as torch
    >>> F = torch.nn.functional
    >>> F.binary_cross_entropy_with_logits(torch.tensor([0.0]), torch.tensor([1.0]))
    tensor(0.6931)
    """
    reduction = reduction_of(reduction, size_average, reduce)
    if target.size() != input.size():
        raise ValueError(
            f"Target size ({target.size()}) must be the same as input size ({input.size()})"
        )
    if not target.is_floating_point():
        raise RuntimeError(
            f"result type {input.dtype.scalar_name} can't be cast to the desired output type "
            f"{target.dtype.scalar_name}" + _float_targets(target)
        )
    return _binary_cross_entropy_with_logits(input, target, weight, pos_weight, reduction)


@op(
    name="_soft_margin_loss",
    node="SoftMarginLossBackward0",
    grad={
        "input": lambda g, x, target, reduction: _spread(
            g, -target * (-target * x).sigmoid(), reduction
        )
    },
)
def _soft_margin_loss(xp: Any, input: Any, target: Any, reduction: str) -> Any:
    z = -wide(input, "soft_margin_loss") * target
    loss = xp.maximum(z, 0) + xp.log1p(xp.exp(-xp.abs(z)))
    return _total(xp, loss, reduction, input.dtype)


@composite(names="nn.functional.soft_margin_loss")
def soft_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """log(1 + e^(-xy)) for targets y = ±1."""
    check_broadcast(input._array.shape, target._array.shape)
    return _soft_margin_loss(input, target, reduction_of(reduction, size_average, reduce))


# ---------------------------------------------------------------- distributions


@composite(names="nn.functional.kl_div")
def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """Kullback and Leibler's divergence  y (log y - x)  for log-probabilities x.

    `reduction="batchmean"` (the definition's) divides the sum by the batch size.
    """
    if reduction == "mean" and size_average is None and reduce is None:
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size."
            "'batchmean' divides only by the batch size, and aligns with the KL div math "
            "definition.'mean' will be changed to behave the same as 'batchmean' in the next major "
            "release.",
            stacklevel=3,
        )
    by_batch = reduction == "batchmean" and size_average is None and reduce is None
    reduction = reduction_of("sum" if by_batch else reduction, size_average, reduce)
    if log_target:
        loss = target.exp() * (target - input)
    else:
        loss = target.xlogy(target) - target * input
    loss = reduced(loss, reduction)
    return loss / input.size(0) if by_batch and input.dim() else loss


@composite(names="nn.functional.poisson_nll_loss")
def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """-log of Poisson's probability of counts y:  eˣ - y x  for log rates x.

    Without `log_input` it is  x - y log(x + ε)  for rates x. `full` adds Stirling's
    approximation of log y! for counts above 1.
    """
    reduction = reduction_of(reduction, size_average, reduce)
    if log_input:
        loss = input.exp() - target * input
    else:
        loss = input - target * (input + eps).log()
    if full:
        stirling = target * target.log() - target + 0.5 * (2 * math.pi * target).log()
        loss = loss + stirling.masked_fill(target <= 1, 0)
    return reduced(loss, reduction)


def _no_negative(xp: Any, v: Any) -> tuple:
    if (v < 0).any():
        raise ValueError("var has negative entry/entries")
    return ()


@composite(names="nn.functional.gaussian_nll_loss")
def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Tensor | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """½ (log v + (x - y)² / v)  for variances v, kept above ε; `full` adds ½ log 2π."""
    v: Tensor = input.new_full(input.shape, var) if isinstance(var, float) else var
    checked(_no_negative, numerics, v)
    if v.size() != input.size():
        differing = [n for m, n in zip(input.shape, v.shape, strict=False) if m != n]
        if input.shape[:-1] == v.shape:
            v = v.unsqueeze(-1)
        elif input.ndim != v.ndim or sum(differing) != 1:
            raise ValueError("var is of incorrect size")
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not valid")
    v = v.clone()
    v.detach().clamp_(min=eps)  # the gradient is that of the variance as it was
    loss = 0.5 * (v.log() + (input - target) ** 2 / v)
    return reduced(loss + 0.5 * math.log(2 * math.pi) if full else loss, reduction)


@composite(names="nn.functional.multilabel_soft_margin_loss")
def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The mean over classes of the binary cross-entropy of σ(x) and targets 0 or 1."""
    reduction = reduction_of(reduction, size_average, reduce)
    loss = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    if weight is not None:
        loss = loss * weight
    return reduced(loss.sum(-1) / input.size(-1), reduction)
