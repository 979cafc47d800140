"""Sums, means and maxima of table rows, bag by bag."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.beside import fixed
from ..core.tensor import Tensor, wrap
from .embedding import _embedding_dense_backward, _require_indices, _shrink_rows
from .families import composite, op

MODES = ("sum", "mean", "max")


def _largest(xp: Any, rows: Any, bag: Any, bags: int) -> Any:
    """Which row of each bag is largest, (bags, D), as a place in `bag`; -1 for an empty bag."""
    best = xp.full((bags, rows.shape[1]), -1)
    if bag.size:
        found, starts = xp.unique(bag, return_index=True)
        top = xp.maximum.reduceat(rows, starts, 0)
        place = xp.arange(len(bag))[:, None]
        hit = rows == top[xp.searchsorted(found, bag)]
        best[found] = xp.minimum.reduceat(xp.where(hit, place, len(bag)), starts, 0)
    return best


@op(grad={})
def _chosen(xp: Any, weight: Any, indices: Any, bag: Any, bags: int, padding: int) -> Any:
    """Whether an element of a looked-up row is the maximum of its bag: (indices, D)."""
    kept = xp.flatnonzero(indices != padding)
    best = _largest(xp, weight[indices[kept]], bag[kept], bags)
    chosen = xp.zeros((len(indices), weight.shape[1]), bool)
    full, column = xp.nonzero(best >= 0)
    chosen[kept[best[full, column]], column] = True
    return chosen


def _weight_grad(
    g: Tensor, weight: Any, indices: Any, bag: Any, bags: Any, divisor: Any, per_sample: Any,
    padding: Any, by_freq: Any, largest: Any,
) -> Tensor:  # fmt: skip
    each = (g if divisor is None else g / divisor)[bag]
    if largest:
        each = each * _chosen(weight, indices, bag, bags, padding)
    if per_sample is not None:
        each = each * per_sample.unsqueeze(-1)
    return _embedding_dense_backward(each, indices, weight.size(0), padding, by_freq)


def _sample_grad(g: Tensor, weight: Tensor, indices: Any, bag: Any, padding: Any) -> Tensor:
    return (g[bag] * weight[indices]).sum(-1).masked_fill(indices == padding, 0)


@op(
    name="_embedding_bag",
    node="EmbeddingBagBackward0",
    grad={"weight": _weight_grad, "per_sample": _sample_grad},
)
def _embedding_bag(
    xp: Any,
    weight: Any,
    per_sample: Any,
    indices: Any,
    bag: Any,
    bags: int,
    divisor: Any,
    padding: int,
    by_freq: bool,
    largest: bool,
) -> Any:
    kept = indices != padding
    rows, bag = weight[_checked_bag(indices, len(weight))][kept], bag[kept]
    if largest:
        padded = xp.concatenate([rows, xp.zeros((1, rows.shape[1]), rows.dtype)])
        return xp.take_along_axis(padded, _largest(xp, rows, bag, bags), 0)
    if per_sample is not None:
        rows = rows * per_sample[kept, None]
    sums = xp.add_rows(bag, rows, rows=bags)
    return sums if divisor is None else sums / divisor


def _checked_bag(indices: Any, rows: int) -> Any:
    wrong = np.flatnonzero((indices < 0) | (indices >= rows))
    if wrong.size:
        raise RuntimeError(
            f"Index {wrong[0]} of input takes value {indices[wrong[0]]} which is not in the valid "
            f"range [0, {rows})"
        )
    return indices


def _bag_of_each(offsets: np.ndarray, count: int, include_last: bool) -> np.ndarray:
    """The bag of each index, from where the bags start; the last one goes to the end."""
    if offsets[:1].tolist() != [0]:
        raise RuntimeError(
            "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from "
            f"position 0. However, got {offsets[0] if offsets.size else 'no offsets'}"
        )
    if offsets[-1] > count:
        raise RuntimeError(
            f"offsets[-1] can not be greater than input's length {count} but got offsets[-1] of "
            f"{offsets[-1]}"
        )
    starts = offsets[:-1] if include_last else offsets
    lengths = np.diff(np.append(starts, count))
    if (lengths < 0).any():
        raise RuntimeError(f"offsets must not decrease, got {offsets.tolist()}")
    return np.repeat(np.arange(len(lengths)), lengths)


def _bags(
    weight: Tensor,
    indices: Tensor,
    offsets: Any,
    scale_grad_by_freq: bool,
    mode: str,
    per_sample: Tensor | None,
    include_last: bool,
    padding: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """The bags, the bag of each index, and the bags' sizes."""
    bags = offsets.size(0) - include_last
    bag = _bag_of_each(offsets._array, indices.size(0), include_last)
    kept = indices._array != padding
    sizes = np.bincount(bag[kept], minlength=bags) if bags else np.zeros(0, np.int64)
    divisor = None
    if mode == "mean":
        divisor = wrap(np.maximum(sizes, 1)[:, None].astype(weight._array.dtype))
    result = _embedding_bag(
        weight,
        per_sample,
        indices,
        wrap(bag),
        bags,
        divisor,
        padding,
        scale_grad_by_freq,
        mode == "max",
    )
    return result, wrap(bag), wrap(sizes)


@composite(names="nn.functional.embedding_bag")
def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """The "sum", "mean" or "max" of the rows of `weight` (rows, D) in each bag of indices.

    input (B, n): B bags of n indices; or (n,), and `offsets` (B,) says where each bag starts.
    `per_sample_weights` weigh the rows of a sum; `padding_idx` does not count.

    >>> import penlight as torch
    >>> table, bags = torch.eye(3), torch.tensor([[0, 1], [2, 2]])
    >>> torch.nn.functional.embedding_bag(bags, table, mode="sum")
    tensor([[1., 1., 0.],
            [0., 0., 2.]])
    """
    _check_arguments(input, weight, offsets, per_sample_weights)
    if mode not in MODES:
        raise ValueError("mode has to be one of sum, mean or max")
    if mode == "max" and scale_grad_by_freq:
        raise ValueError("max mode does not support scaling the gradient by the frequency")
    if sparse:
        if mode == "max":
            raise ValueError("max mode does not support sparse weights")
        raise NotImplementedError("sparse=True: penlight has no sparse gradients; leave it False")
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only supported "
            f"for mode='sum' (got mode='{mode}'). Please open a feature request on GitHub."
        )
    _require_indices(input, "embedding_bag")
    if input.dim() == 2:
        offsets = fixed(np.arange(input.size(0)) * input.size(1))
        include_last_offset = False
        input = input.reshape(-1)
        if per_sample_weights is not None:
            per_sample_weights = per_sample_weights.reshape(-1)
    if max_norm is not None:
        _shrink_rows(weight, input, max_norm, norm_type)
    padding = -1 if padding_idx is None else padding_idx % weight.size(0)
    return _bags(
        weight, input, offsets, scale_grad_by_freq, mode, per_sample_weights,
        include_last_offset, padding,
    )[0]  # fmt: skip


def _check_arguments(
    input: Tensor, weight: Tensor, offsets: Tensor | None, per_sample: Tensor | None
) -> None:
    if per_sample is not None:
        if input.size() != per_sample.size():
            raise ValueError(
                f"embedding_bag: If per_sample_weights ({per_sample.shape}) is not None, then it "
                f"must have the same shape as the input ({input.shape})"
            )
        if per_sample.dtype is not weight.dtype:
            raise RuntimeError(
                "Expected tensor for argument #1 'weight' to have the same type as tensor for "
                "argument #1 'per_sample_weights'; but type "
                f"torch.{weight.dtype.scalar_name}Tensor does not equal "
                f"torch.{per_sample.dtype.scalar_name}Tensor "
                "(while checking arguments for embedding_bag)"
            )
    if weight.dim() != 2:
        raise ValueError(
            f"weight has to be a 2D Tensor, but got Tensor of dimension {weight.dim()}"
        )
    if input.dim() == 2:
        if offsets is not None:
            raise ValueError(
                "if input is 2D, then offsets has to be None, as input is treated is a mini-batch "
                f"of fixed length sequences. However, found offsets of type {type(offsets)}"
            )
    elif input.dim() != 1:
        raise ValueError(
            f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.dim()}"
        )
    elif offsets is None:
        raise ValueError("offsets has to be a 1D Tensor but got None")
    elif offsets.dim() != 1:
        raise ValueError("offsets has to be a 1D Tensor")
