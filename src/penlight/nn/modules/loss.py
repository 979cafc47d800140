"""Losses: how far an answer is from its target, as one number or one per sample.

`reduction` is "mean", "sum" or "none". `size_average` and `reduce` are its old spelling.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from typing import Any

from ...core.tensor import Tensor
from .. import functional as F
from ..advice import show, wants_features
from ..module import Module
from .linear import Linear


def _old_reduction(size_average: bool | None, reduce: bool | None) -> str:
    """`reduction` as the two old flags say it."""
    average = size_average is None or size_average
    reduction = "none" if reduce is False else "mean" if average else "sum"
    warnings.warn(
        "size_average and reduce args will be deprecated, please use "
        f"reduction='{reduction}' instead.",
        stacklevel=5,
    )
    return reduction


class _Loss(Module):
    def __init__(
        self,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__()
        if size_average is not None or reduce is not None:
            reduction = _old_reduction(size_average, reduce)
        self.reduction = reduction


class _WeightedLoss(_Loss):
    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)


def _wants_same(input: Any, target: Any, *_: Any) -> Iterator[str]:
    """Advice of a loss between an input and a target of the same shape and type."""
    if not (isinstance(input, Tensor) and isinstance(target, Tensor)):
        return
    if input.shape != target.shape:
        yield f"wanted a target {show(input.shape)} like the input, got {show(target.shape)}"
        if input.numel() == target.numel():
            if input.dim() == target.dim() + 1 and input.shape[-1] == 1:
                yield "would fit: input.squeeze(-1), or target.unsqueeze(-1)"
            else:
                yield "would fit: target.view_as(input)"
    if input.dtype is not target.dtype and not target.is_floating_point():
        yield f"wanted a target of {input.dtype}, got {target.dtype}: would fit: target.float()"


def _wants_classes(input: Any, target: Any, *_: Any) -> Iterator[str]:
    """Advice of a loss between scores (N, C, *) and class numbers (N, *)."""
    if not (isinstance(input, Tensor) and isinstance(target, Tensor) and input.dim()):
        return
    axis = 0 if input.dim() == 1 else 1
    wanted = (*input.shape[:axis], *input.shape[axis + 1 :])
    classes = input.shape[axis]
    if tuple(target.shape) != wanted and target.shape != input.shape:
        yield f"wanted class numbers {show(wanted)} for an input {show(input.shape)}, got "
        yield f"{show(target.shape)}" + (
            ": would fit: target.squeeze(1)" if tuple(target.shape) == (*wanted, 1) else ""
        )
    elif tuple(target.shape) == wanted and str(target.dtype) not in ("torch.int64", "torch.uint8"):
        yield f"wanted class numbers of torch.int64, got {target.dtype}: would fit: target.long()"
    elif tuple(target.shape) == wanted and target.numel():
        low, high = target.min().item(), target.max().item()
        if not 0 <= low <= high < classes:
            yield f"wanted class numbers from 0 to {classes - 1}, got {low} to {high}"


class L1Loss(_Loss):
    """|x - y|

    >>> import penlight as torch
    >>> torch.nn.L1Loss()(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 4.0]))
    tensor(1.)
    """

    _wants = staticmethod(_wants_same)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.l1_loss(input, target, reduction=self.reduction)


class NLLLoss(_WeightedLoss):
    """-w_y x_y, where x holds log-probabilities and y class numbers.

    input (N, C, *)    target (N, *)    weight (C); "mean" divides by the sum of the weights used
    """

    _wants = staticmethod(_wants_classes)

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.nll_loss(
            input,
            target,
            weight=self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
        )


class PoissonNLLLoss(_Loss):
    """eˣ - y x, or x - y log(x + eps) unless `log_input`; `full` adds Stirling's term."""

    _wants = staticmethod(_wants_same)

    def __init__(
        self,
        log_input: bool = True,
        full: bool = False,
        size_average: bool | None = None,
        eps: float = 1e-8,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_input, self.full, self.eps = log_input, full, eps

    def forward(self, log_input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.poisson_nll_loss(
            log_input,
            target,
            log_input=self.log_input,
            full=self.full,
            eps=self.eps,
            reduction=self.reduction,
        )


class GaussianNLLLoss(_Loss):
    """(log max(var, eps) + (x - y)² / max(var, eps)) / 2; `full` adds log(2π) / 2."""

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.full, self.eps = full, eps

    def forward(self, input: Tensor, target: Tensor, var: Tensor | float) -> Tensor:
        """The loss."""
        return F.gaussian_nll_loss(
            input, target, var, full=self.full, eps=self.eps, reduction=self.reduction
        )


class KLDivLoss(_Loss):
    """y (log y - x), where x holds log-probabilities; with `log_target` so does y."""

    _wants = staticmethod(_wants_same)

    def __init__(
        self,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        log_target: bool = False,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_target = log_target

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.kl_div(input, target, reduction=self.reduction, log_target=self.log_target)


class MSELoss(_Loss):
    """(x - y)²

    >>> import penlight as torch
    >>> torch.nn.MSELoss()(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 4.0]))
    tensor(2.)
    """

    _wants = staticmethod(_wants_same)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.mse_loss(input, target, reduction=self.reduction)


class BCELoss(_WeightedLoss):
    """-w (y log x + (1 - y) log(1 - x)), where x holds probabilities."""

    _wants = staticmethod(_wants_same)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.binary_cross_entropy(input, target, weight=self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(_Loss):
    """`BCELoss` of sigmoid(x), in a form that does not overflow; `pos_weight` weighs y = 1."""

    _wants = staticmethod(_wants_same)

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        pos_weight: Tensor | None = None,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.binary_cross_entropy_with_logits(
            input, target, self.weight, pos_weight=self.pos_weight, reduction=self.reduction
        )


class SmoothL1Loss(_Loss):
    """(x - y)² / 2β where |x - y| < β, else |x - y| - β/2"""

    _wants = staticmethod(_wants_same)

    def __init__(
        self,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        beta: float = 1.0,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.beta = beta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class HuberLoss(_Loss):
    """(x - y)² / 2 where |x - y| < δ, else δ (|x - y| - δ/2)"""

    _wants = staticmethod(_wants_same)

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        if not isinstance(delta, (float, int)):
            raise TypeError(f"delta must be a float or int, got: {type(delta)}")
        super().__init__(reduction=reduction)
        self.delta = delta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.huber_loss(input, target, reduction=self.reduction, delta=self.delta)


class CrossEntropyLoss(_WeightedLoss):
    """-w_y log softmax(x)_y, where x holds scores and y class numbers or class probabilities.

    input (N, C, *)    target (N, *) of class numbers, or (N, C, *) of probabilities

    The scores go in as they are: softmax is part of the loss.

    >>> import penlight as torch
    >>> torch.nn.CrossEntropyLoss()(torch.zeros(2, 4), torch.tensor([1, 3]))
    tensor(1.3863)
    """

    _wants = staticmethod(_wants_classes)

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.cross_entropy(
            input,
            target,
            weight=self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class LinearCrossEntropyLoss(_WeightedLoss):
    """The cross-entropy of a linear layer's scores: `CrossEntropyLoss` of x Wᵀ + b.

    input (*, I)    target (*, *out_features) of class numbers, or (*, C, *out_features)
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        out_features: tuple[int, ...] = (),
        bias: bool = False,
        device: Any = None,
        dtype: Any = None,
        reduction: str = "mean",
        weight: Tensor | None = None,
        ignore_index: int | None = None,
        label_smoothing: float = 0.0,
        options: Any = None,
    ) -> None:
        if weight is not None and weight.shape != (num_classes,):
            raise RuntimeError(
                f"expected weight shape to be {(num_classes,)}, got {tuple(weight.shape)}"
            )
        if not 0 <= label_smoothing <= 1:
            raise RuntimeError(
                f"expected label_smoothing to be in range [0, 1], got {label_smoothing}"
            )
        super().__init__(weight=weight, reduction=reduction)
        self.num_classes, self.out_features = num_classes, out_features
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing
        scores = math.prod(out_features, start=num_classes)
        self.linear = Linear(in_features, scores, bias=bias, device=device, dtype=dtype)
        self.options = options

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        shape = (self.num_classes, *self.out_features)
        bias = self.linear.bias
        return F.linear_cross_entropy(
            input,
            self.linear.weight.reshape((*shape, self.linear.in_features)),
            target,
            linear_bias=None if bias is None else bias.reshape(shape),
            weight=self.weight,
            reduction=self.reduction,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            options=self.options,
        )

    def _wants(self, input: Any, *_: Any) -> Iterator[str]:
        return wants_features(input, self.linear.in_features, "in_features")

    def extra_repr(self) -> str:
        """The arguments."""
        return (
            f"in_features={self.linear.in_features}, num_classes={self.num_classes}, "
            f"out_features={self.out_features}, bias={self.linear.bias is not None}, "
            f"reduction={self.reduction}, ignore_index={self.ignore_index}, "
            f"label_smoothing={self.label_smoothing}, options={self.options}"
        )


class MultiLabelSoftMarginLoss(_WeightedLoss):
    """-Σ_c w_c (y_c log σ(x_c) + (1 - y_c) log σ(-x_c)) / C"""

    _wants = staticmethod(_wants_same)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss."""
        return F.multilabel_soft_margin_loss(
            input, target, weight=self.weight, reduction=self.reduction
        )


class CTCLoss(_Loss):
    """-log of the summed probability of all alignments (Graves et al. 2006).

    log_probs (T, N, C)    targets (N, S) or (Σ target_lengths)    lengths (N)
    """

    def __init__(
        self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False
    ) -> None:
        super().__init__(reduction=reduction)
        self.blank, self.zero_infinity = blank, zero_infinity

    def forward(
        self, log_probs: Tensor, targets: Tensor, input_lengths: Any, target_lengths: Any
    ) -> Tensor:
        """The loss."""
        return F.ctc_loss(
            log_probs,
            targets,
            input_lengths,
            target_lengths,
            self.blank,
            self.reduction,
            self.zero_infinity,
        )
