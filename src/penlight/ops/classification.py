"""Losses of classification: one number per class, and the class that is right.

Shapes: input (N, C) or (C,), target (N,) or (); with further axes (N, C, d₁, ...), (N, d₁, ...).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.dtype import int64, uint8
from ..core.teaching import teach
from ..core.tensor import Tensor
from .families import composite, op
from .loss import reduced, reduction_of
from .rectifier import wide
from .softmax import log_softmax

# ---------------------------------------------------------------- nll_loss


def _sample_weights(
    xp: Any, target: Any, weight: Any, ignore_index: int, classes: int
) -> tuple[Any, Any, Any]:
    """Targets safe to index with, the weight of each (None: all 1), and the sum of the weights.

    An ignored target weighs 0; any other that is no class raises IndexError.
    """
    counts = None
    if target.size and target.view(f"u{target.itemsize}").max() >= classes:  # -1 is huge
        counts = target != ignore_index
        wrong = target[counts & ((target < 0) | (target >= classes))]
        if wrong.size:
            raise IndexError(
                f"Target {wrong[0]} is out of bounds.\n"
                f"the input has {classes} classes, numbered 0 to {classes - 1}"
            )
        target = np.where(counts, target, 0)
    elif 0 <= ignore_index < classes:
        counts = target != ignore_index
    if weight is None:
        return target, counts, target.size if counts is None else counts.sum()
    weights = weight[target] if counts is None else weight[target] * counts
    return target, weights, xp.sum(weights)


def _weights_in_programs(
    xp: Any, target: Any, weight: Any, ignore_index: int, classes: int
) -> tuple[Any, Any, Any]:
    """The same without a look at the targets: the table of losses finds those that are no class."""
    counts = target != ignore_index
    if not 0 <= ignore_index < classes:
        target = xp.where(counts, target, 0)
    if weight is None:
        return target, counts, xp.sum(counts)
    weights = weight[target] * counts
    return target, weights, xp.sum(weights)


def _losses(
    xp: Any, weigh: Any, look_up: Any, input: Any, target: Any, weight: Any, reduction: str,
    ignore_index: int,
) -> Any:  # fmt: skip
    x = wide(input, "nll_loss_out_frame")
    if x.ndim == 1:  # a single sample
        rest = (target.reshape(1), weight, reduction, ignore_index)
        loss = _losses(xp, weigh, look_up, x[None], *rest)
        return loss.reshape(target.shape) if reduction == "none" else loss
    target, weights, total = weigh(xp, target, weight, ignore_index, x.shape[1])
    loss = -look_up(x, target[:, None], 1)[:, 0]
    if weights is not None:
        loss *= weights
    if reduction != "none":
        loss = xp.sum(loss)
        if reduction == "mean":
            loss = loss / xp.asarray(total, x.dtype)
    return loss.astype(input.dtype, copy=False)


def _looked_up(x: Any, index: Any, axis: int) -> Any:
    """`np.take_along_axis`; from a matrix in a fraction of the time."""
    if x.ndim == 2 == index.ndim:
        return x[np.arange(len(x)), index[:, 0]][:, None]
    return np.take_along_axis(x, index, axis)


def _nll(xp: Any, input: Any, target: Any, weight: Any, reduction: str, ignore_index: int) -> Any:
    rest = (input, target, weight, reduction, ignore_index)
    return _losses(xp, _sample_weights, _looked_up, *rest)


def _nll_grad(
    g: Tensor, input_shape: Any, target: Any, weight: Any, reduction: Any, ignore_index: Any
) -> Tensor:
    return _nll_loss_backward(g, target, weight, reduction, ignore_index, input_shape)


def _nll_op(name: str, node: str) -> Any:
    return op(
        _nll, name=name, node=node, grad={"input": _nll_grad},
        lower=lambda xp, *args: _losses(xp, _weights_in_programs, xp.gather, *args),
    )  # fmt: skip


_nll_loss = _nll_op("_nll_loss", "NllLossBackward0")
_nll_loss2d = _nll_op("_nll_loss2d", "NllLoss2DBackward0")


def _spread(
    xp: Any, weigh: Any, write: Any, grad: Any, target: Any, weight: Any, reduction: str,
    ignore_index: int, shape: tuple,
) -> Any:  # fmt: skip
    """The gradient of the losses: each at its target, zero elsewhere."""
    if len(shape) == 1:
        rest = (target.reshape(1), weight, reduction, ignore_index, (1, *shape))
        return _spread(xp, weigh, write, grad, *rest)[0]
    target, weights, total = weigh(xp, target, weight, ignore_index, shape[1])
    values = -grad / xp.asarray(total, grad.dtype) if reduction == "mean" else -grad
    if weights is not None:
        values = values * weights
    return write(xp, shape, target, values)


def _written(xp: Any, shape: tuple, target: Any, values: Any) -> Any:
    result = xp.zeros(shape, values.dtype)
    if len(shape) == 2:
        result[xp.arange(shape[0]), target] = values
    else:
        values = xp.broadcast_to(values, target.shape)
        xp.put_along_axis(result, target[:, None], values[:, None], 1)
    return result


def _chosen(xp: Any, shape: tuple, target: Any, values: Any) -> Any:
    classes = xp.arange(shape[1]).reshape(1, -1, *[1] * (len(shape) - 2))
    values = xp.broadcast_to(values, target.shape)
    return xp.where(classes == target[:, None], values[:, None], values.dtype.type(0))


def _nll_back(
    xp: Any, grad: Any, target: Any, weight: Any, reduction: str, ignore_index: int, shape: tuple
) -> Any:
    rest = (grad, target, weight, reduction, ignore_index, shape)
    return _spread(xp, _sample_weights, _written, *rest)


_nll_loss_backward = op(
    _nll_back,
    name="_nll_loss_backward",
    node="NllLossBackwardBackward0",
    grad={  # nll_loss is linear in its input, so it is the gradient of its gradient
        "grad": lambda g, target, weight, reduction, ignore_index: _nll_loss(
            g, target, weight, reduction, ignore_index
        )
    },
    lower=lambda xp, *args: _spread(xp, _weights_in_programs, _chosen, *args),
)


@composite(names="nn.functional.nll_loss")
def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """-x[target] for log-probabilities x; the mean is over the classes' weights.

    Targets equal to `ignore_index` do not count.

    >>> import penlight as torch
    >>> x = torch.tensor([[-0.5, -1.0], [-2.0, -0.25]])
    >>> torch.nn.functional.nll_loss(x, torch.tensor([0, 1]))
    tensor(0.3750)
    """
    reduction = reduction_of(reduction, size_average, reduce)
    _check_classes(input, target, weight)
    function = _nll_loss if input.dim() <= 2 else _nll_loss2d
    return function(input, target, weight, reduction, ignore_index)


def _check_classes(input: Tensor, target: Tensor, weight: Tensor | None) -> None:
    """Shapes and types of class indices, with PyTorch's errors and what would fit."""
    x, t = input._array.shape, target._array.shape
    if not x:
        raise ValueError("Expected 1 or more dimensions (got 0)")
    if len(x) > 1 and t[:1] != x[:1]:
        raise ValueError(
            f"Expected input batch_size ({x[0]}) to match target batch_size ({t[0] if t else 1})."
        )
    if len(x) <= 2 and len(t) > 1:
        raise RuntimeError(
            "0D or 1D target tensor expected, multi-target not supported\n"
            f"input {x} wants targets {x[:1]}, got {t}" + _column(t)
        )
    if len(x) == 4 and len(t) != 3:
        raise RuntimeError(
            "only batches of spatial targets supported (3D tensors) but got targets of dimension: "
            f"{len(t)}"
        )
    if len(x) == 4 and t[1:] != x[2:]:
        raise RuntimeError(f"size mismatch (got input: {list(x)} , target: {list(t)}")
    if len(x) > 2 and t[1:] != x[2:]:
        raise RuntimeError(f"Expected target size {[x[0], *x[2:]]}, got {list(t)}")
    if target.dtype is not int64 and target.dtype is not uint8:
        raise RuntimeError(
            f"expected target dtype to be Long or Byte, but got {target.dtype.scalar_name}\n"
            "class indices are whole numbers: target.long()"
            + (f"; class probabilities have the input's shape {x}" if len(x) > 1 else "")
        )
    classes = x[0] if len(x) == 1 else x[1]
    if weight is not None:
        _check_weight(input, weight, classes)


def _check_weight(input: Tensor, weight: Tensor, classes: int, name: str = "") -> None:
    if weight._array.shape != (classes,):
        raise RuntimeError(
            f"{name}weight tensor should be defined either for all {classes} classes or no classes "
            f"but got weight tensor of shape: {list(weight._array.shape)}"
        )
    if weight.dtype is not input.dtype:
        raise RuntimeError(
            f"expected scalar type {input.dtype.scalar_name} but found {weight.dtype.scalar_name}"
        )


def _column(shape: tuple) -> str:
    return ": try target.squeeze(1)" if shape[1:] == (1,) else ""


# ---------------------------------------------------------------- cross_entropy


@composite(names="nn.functional.cross_entropy")
def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """-log of the probability that softmax(input) gives to the target.

    Targets are class indices, or probabilities in the input's shape. `label_smoothing` mixes them
    with an equal share for every class.

    >>> import penlight as torch
    >>> logits = torch.tensor([[0.0, 0.0], [0.0, 9.0]])
    >>> torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1]))
    tensor(0.3466)
    """
    reduction = reduction_of(reduction, size_average, reduce)
    for position, (name, value) in enumerate((("input", input), ("target", target)), 1):
        if not isinstance(value, Tensor):
            raise TypeError(
                f"cross_entropy_loss(): argument '{name}' (position {position}) must be Tensor, "
                f"not {type(value).__name__}"
            )
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing:g}")
    if input._node is not None and type(input._node).__name__ == "SoftmaxBackward0":
        teach(
            "softmax before cross_entropy",
            "cross_entropy takes the numbers before softmax (logits) and does the softmax itself; "
            "it was given the result of a softmax, which makes learning slow.",
        )
    class_dim = 0 if input.dim() <= 1 else 1
    if input._array.shape == target._array.shape:
        _check_probabilities(input, target, weight, ignore_index)
        x = log_softmax(input, class_dim)
        return _with_probabilities(x, target, weight, reduction, label_smoothing, class_dim)
    x = log_softmax(input, class_dim)
    loss = nll_loss(x, target, weight, None, ignore_index, None, reduction)
    if label_smoothing == 0:
        return loss
    smooth = _uniform_loss(x, target, weight, ignore_index, reduction, class_dim)
    return (1 - label_smoothing) * loss + smooth * (label_smoothing / x.size(class_dim))


def _per_class(weight: Tensor, x: Tensor, class_dim: int) -> Tensor:
    """Class weights in a shape that broadcasts to x."""
    return weight.reshape([-1 if axis == class_dim else 1 for axis in range(x.dim())])


def _check_probabilities(
    input: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int
) -> None:
    if not target.is_floating_point():
        raise RuntimeError(
            "Expected floating point type for target with class probabilities, got "
            f"{target.dtype.scalar_name}\n"
            "a target in the input's shape holds probabilities: convert it, target.float(), or "
            "take the class indices, target.argmax(1)"
        )
    if ignore_index >= 0:
        raise RuntimeError("ignore_index is not supported for floating point target")
    if weight is not None:
        classes = input.size(0 if input.dim() == 1 else 1)
        _check_weight(input, weight, classes, "cross_entropy: ")


def _with_probabilities(
    x: Tensor,
    target: Tensor,
    weight: Tensor | None,
    reduction: str,
    label_smoothing: float,
    class_dim: int,
) -> Tensor:
    """-Σ p log q, for targets p that are probabilities."""
    classes = x.size(class_dim)
    if label_smoothing > 0:
        target = target * (1 - label_smoothing) + label_smoothing / classes
    loss = x * target
    if weight is not None:
        loss = loss * _per_class(weight, x, class_dim)
    if reduction == "none":
        return -loss.sum(class_dim)
    loss = -loss.sum()
    return loss / (x.numel() / classes) if reduction == "mean" else loss


def _uniform_loss(
    x: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
    class_dim: int,
) -> Tensor:
    """-Σ log q over the classes: what label smoothing mixes in."""
    each = -(x if weight is None else x * _per_class(weight, x, class_dim)).sum(class_dim)
    ignored = target.eq(ignore_index)
    each = each.masked_fill(ignored, 0)
    if reduction != "mean":
        return reduced(each, reduction)
    if weight is None:
        return each.sum() / (~ignored).sum()
    return each.sum() / (weight[target.masked_fill(ignored, 0)] * ~ignored).sum()


@composite(names="nn.functional.linear_cross_entropy")
def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: Any = None,
) -> Tensor:
    """`cross_entropy` of input · linear_weightᵀ + linear_bias.

    input (N, in), linear_weight (C, d..., in), linear_bias (C, d...), target as for
    `cross_entropy` of (N, C, d...). `options` choose how PyTorch cuts the work into pieces.
    """
    if not 1 <= input.dim() <= 2:
        raise RuntimeError(f"expected input with dimensionality 1 or 2, got {input.dim()}")
    if linear_weight.dim() < 2:
        raise RuntimeError(
            f"expected linear_weight with dimensionality at least 2, got {linear_weight.dim()}"
        )
    (*batch, features), (*out, wanted) = input._array.shape, linear_weight._array.shape
    if features != wanted:
        raise RuntimeError(
            "expected equal input and linear_weight last dimensions (in_features), got "
            f"{features} and {wanted}, respectively"
        )
    if linear_bias is not None and linear_bias._array.shape != tuple(out):
        raise RuntimeError(
            f"expected linear_bias shape {tuple(out)}, got {linear_bias._array.shape}"
        )
    if len(out) > 1 and not batch:
        raise RuntimeError(
            "K-dimensional loss defined by linear_weight shape "
            f"{linear_weight._array.shape} requires batched input, (N, {features}), got unbatched "
            f"input with shape {input._array.shape}"
        )
    if target._array.shape == (*batch, *out) and ignore_index is not None:
        raise RuntimeError("ignore_index cannot be specified when target contains probabilities")
    logits = input @ linear_weight.reshape(-1, features).t()
    if linear_bias is not None:
        logits = logits + linear_bias.reshape(-1)
    return cross_entropy(
        logits.reshape(*batch, *out),
        target,
        weight=weight,
        reduction=reduction,
        ignore_index=-100 if ignore_index is None else ignore_index,
        label_smoothing=label_smoothing,
    )
