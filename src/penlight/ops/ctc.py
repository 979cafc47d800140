"""The loss of connectionist temporal classification: a sequence without its timing.

A path through time visits the labels in order, with blanks between or around them; the loss is
-log of the probability of all paths. With the labels interleaved with blanks to b l₁ b l₂ ... b,
α[t, s] is the log-probability of all beginnings that are at place s at time t, β[t, s] of all ends.

Source: Graves et al., ICML 2006, https://www.cs.toronto.edu/~graves/icml_2006.pdf
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.tensor import Tensor
from .arithmetic import no_derivative
from .families import composite, op
from .loss import reduced, reduction_of


def _places(xp: Any, targets: Any, blank: int) -> tuple[Any, Any]:
    """The label at each place, (N, 2S + 1), and where a path may skip the blank before it."""
    labels = xp.full((targets.shape[0], 2 * targets.shape[1] + 1), blank, targets.dtype)
    labels[:, 1::2] = targets
    skips = xp.zeros(labels.shape, bool)
    skips[:, 3::2] = targets[:, 1:] != targets[:, :-1]
    return labels, skips


def _later(xp: Any, x: Any, by: int) -> Any:
    """x moved `by` places on (or back), with -inf where nothing comes from."""
    moved = xp.full(x.shape, -xp.inf, x.dtype)
    if by > 0:
        moved[:, by:] = x[:, :-by]
    else:
        moved[:, :by] = x[:, -by:]
    return moved


def _alphas(xp: Any, at_places: Any, skips: Any) -> Any:
    """α (T, N, 2S + 1) from the log-probabilities of the labels at the places."""
    alpha = xp.full(at_places.shape, -xp.inf, at_places.dtype)
    alpha[0, :, :2] = at_places[0, :, :2]
    for t in range(1, len(alpha)):
        before = alpha[t - 1]
        arriving = xp.logaddexp(before, _later(xp, before, 1))
        jumping = xp.where(skips, _later(xp, before, 2), -xp.inf)
        alpha[t] = xp.logaddexp(arriving, jumping) + at_places[t]
    return alpha


def _betas(xp: Any, at_places: Any, skips: Any, is_end: Any, lengths: Any) -> Any:
    """β (T, N, 2S + 1); `is_end` are the places where a path may end."""
    beta = xp.full(at_places.shape, -xp.inf, at_places.dtype)
    after = xp.full(at_places.shape[1:], -xp.inf, at_places.dtype)
    for t in range(len(beta) - 1, -1, -1):
        leaving = xp.logaddexp(after, _later(xp, after, -1))
        jumping = _later(xp, xp.where(skips, after, -xp.inf), -2)
        after = xp.logaddexp(leaving, jumping)
        after = xp.where(is_end & (lengths == t + 1)[:, None], 0, after) + at_places[t]
        beta[t] = after
    return beta


def _forward(
    xp: Any, log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any, blank: int
) -> tuple[Any, Any, Any, Any]:
    """Losses (N,), α, the places' labels, and which places may be skipped to."""
    labels, skips = _places(xp, targets, blank)
    at_places = xp.take_along_axis(log_probs, labels[None], 2)
    alpha = _alphas(xp, at_places, skips)
    samples = xp.arange(len(labels))
    last = alpha[input_lengths - 1, samples]  # (N, 2S + 1) at each sample's own end
    end = 2 * target_lengths
    total = last[samples, end]
    before = xp.where(target_lengths > 0, last[samples, xp.maximum(end - 1, 0)], -xp.inf)
    loss = -xp.logaddexp(total, before)
    empty = input_lengths == 0
    if empty.any():
        loss = xp.where(empty, xp.where(target_lengths == 0, 0, xp.inf), loss)
    return loss.astype(log_probs.dtype), alpha, labels, skips


@op(
    name="_ctc_loss",
    node="CtcLossBackward0",
    grad={
        "log_probs": lambda g, x, targets, input_lengths, target_lengths, blank, zero_infinity: (
            _ctc_loss_backward(g, x, targets, input_lengths, target_lengths, blank, zero_infinity)
        )
    },
)
def _ctc_loss(
    xp: Any,
    log_probs: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int,
    zero_infinity: bool,
) -> Any:
    return _forward(xp, log_probs, targets, input_lengths, target_lengths, blank)[0]


_NO_SECOND = no_derivative("_ctc_loss_backward")


@op(grad=dict.fromkeys(("grad", "log_probs"), _NO_SECOND), node="NotImplemented")
def _ctc_loss_backward(
    xp: Any,
    grad: Any,
    log_probs: Any,
    targets: Any,
    input_lengths: Any,
    target_lengths: Any,
    blank: int,
    zero_infinity: bool,
) -> Any:
    loss, alpha, labels, skips = _forward(
        xp, log_probs, targets, input_lengths, target_lengths, blank
    )
    at_places = xp.take_along_axis(log_probs, labels[None], 2)
    place, end = xp.arange(labels.shape[1]), 2 * target_lengths[:, None]
    is_end = (place == end) | (place == end - 1)
    beta = _betas(xp, at_places, skips, is_end, input_lengths)
    posterior = xp.exp(alpha + beta - at_places + loss[:, None])  # of being at a place at a time
    is_label = (labels[:, :, None] == xp.arange(log_probs.shape[2])).astype(log_probs.dtype)
    visits = (posterior.swapaxes(0, 1) @ is_label).swapaxes(0, 1)
    result = (xp.exp(log_probs) - visits) * grad[:, None]
    if zero_infinity:
        result[:, xp.isinf(loss)] = 0
    result[xp.arange(len(result))[:, None] >= input_lengths] = 0
    return result


# ---------------------------------------------------------------- arguments


def _lengths(given: Any, name: str, batch: int) -> np.ndarray:
    values = given._array if isinstance(given, Tensor) else np.asarray(given)
    if values.dtype.kind not in "iu":
        raise RuntimeError(f"{name} must be integral")
    if values.size != batch:
        raise RuntimeError(f"{name} must be of size batch_size")
    return values.reshape(-1).astype(np.int64)


def _padded(targets: np.ndarray, lengths: np.ndarray, blank: int) -> np.ndarray:
    """Targets (N, S), from that form or from one row with all of them."""
    where = "(while checking arguments for ctc_loss_allocate_outputs)"
    longest = int(lengths.max(initial=0))
    if targets.ndim == 2:
        if targets.shape[1] < longest:
            raise RuntimeError(
                f"Expected tensor to have size at least {longest} at dimension 1, but got size "
                f"{targets.shape[1]} for argument #2 'targets' {where}"
            )
        rows = targets[:, :longest].copy()
    else:
        if targets.size != lengths.sum():
            raise RuntimeError(
                f"Expected tensor to have size {lengths.sum()} at dimension 0, but got size "
                f"{targets.size} for argument #2 'targets' {where}"
            )
        rows = np.full((len(lengths), longest), blank, targets.dtype)
        rows[np.arange(longest) < lengths[:, None]] = targets
    rows[np.arange(longest) >= lengths[:, None]] = blank
    return rows.astype(np.int64)


@composite(names="nn.functional.ctc_loss")
def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Tensor | Sequence[int],
    target_lengths: Tensor | Sequence[int],
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """-log of the probability of the targets, at any timing.

    log_probs (T, N, C) or (T, C), from `log_softmax`; targets (N, S), or all in one row; lengths
    (N,). The mean divides each loss by its target length first. A sequence too short for its
    target has an infinite loss, or none with `zero_infinity`.

    >>> import penlight as torch
    >>> even = torch.zeros(2, 1, 2).log_softmax(2)
    >>> loss = torch.nn.functional.ctc_loss(even, torch.tensor([[1]]), [2], [1])
    >>> loss.exp()  # of the four paths bb b1 1b 11 three say "1"
    tensor(1.3333)
    """
    reduction = reduction_of(reduction)
    single = log_probs.dim() == 2
    if single:
        log_probs = log_probs.unsqueeze(1)
    steps, batch, classes = log_probs._array.shape
    if not 0 <= blank < classes:
        raise RuntimeError("blank must be in label range")
    steps_of = _lengths(input_lengths, "input_lengths", batch)
    labels_of = _lengths(target_lengths, "target_lengths", batch)
    longest = int(steps_of.max(initial=0))
    if longest > steps:
        raise RuntimeError(
            f"Expected input_lengths to have value at most {steps}, but got value {longest} "
            "(while checking arguments for ctc_loss_allocate_outputs)"
        )
    rows = _padded(targets._array, labels_of, blank)
    if rows.size and not 0 <= rows.min() <= rows.max() < classes:
        raise IndexError(
            f"targets must be classes, 0 to {classes - 1}, got {rows.min()} to {rows.max()}"
        )
    loss = _ctc_loss(log_probs, rows, steps_of, labels_of, blank, zero_infinity)
    if zero_infinity:
        loss = loss.masked_fill(loss == float("inf"), 0)
    if reduction == "mean":
        loss = loss / log_probs.new_tensor(np.maximum(labels_of, 1))
    return loss.squeeze(0) if single and reduction == "none" else reduced(loss, reduction)
