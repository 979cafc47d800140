"""Dropout: random elements or channels become zero, the others grow to keep the mean.

Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html; the alpha forms keep mean
and variance under SELU: Klambauer et al. 2017, https://arxiv.org/abs/1706.02515
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from ..compiler import numerics
from ..core.beside import computed, fixed
from ..core.memory import empty_as
from ..core.tensor import Tensor
from .exposure import expose
from .families import composite
from .filling import bernoulli_values, pour

SELU_FLOOR = 1.7580993408473766  # -SELU(-∞)


def _mask(array: np.ndarray, p: float, channels: bool) -> np.ndarray:
    """1 with probability 1 - p, else 0: for each element, or for each of the channels (N, C)."""
    if not channels:
        mask = empty_as(array, array.dtype)
    elif array.ndim < 2:
        raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
    else:
        mask = np.empty(array.shape[:2] + (1,) * (array.ndim - 2), array.dtype)
    pour(mask, bernoulli_values(None, mask, 1 - p))
    return mask


def _drop(
    input: Tensor,
    p: float,
    training: bool,
    inplace: bool,
    channels: bool = False,
    alpha: bool = False,
) -> Tensor:
    """What all forms of dropout share."""
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
    if p == 0 or not training or input._array.size == 0:
        return input
    shift = None
    if p == 1:
        scale = fixed(np.zeros((), input._array.dtype))
    elif alpha:
        scale, shift = computed(_alpha, numerics, input, p, channels, pure=False)
    else:
        scale = computed(_scale, numerics, input, p, channels, pure=False)
    kept = input.mul_(scale) if inplace else input * scale  # type: ignore
    return kept if shift is None else kept.add_(shift)


def _scale(xp: Any, array: np.ndarray, p: float, channels: bool) -> np.ndarray:
    """0 or 1 / (1 - p) for what has the form of `array`."""
    scale = _mask(array, p, channels)
    wide = _wide(scale)
    scale *= scale.dtype.type(wide(1) / wide(1 - p))
    return scale


def _alpha(xp: Any, array: np.ndarray, p: float, channels: bool) -> tuple:
    """What to multiply with and what to add, to keep mean and variance."""
    mask = _mask(array, p, channels)
    shift = _scale_and_shift(mask, p)
    return mask, shift


def _wide(array: np.ndarray) -> type:
    """The type in which PyTorch computes with numbers of the array's type."""
    return np.float64 if array.dtype == np.float64 else np.float32


def _scale_and_shift(mask: np.ndarray, p: float) -> np.ndarray:
    """Kept elements x become a·x + b, dropped ones b - a·SELU_FLOOR.

    Multiplies the mask by a, and returns what is to be added.
    """
    kind, wide = mask.dtype.type, _wide(mask)
    a = 1 / math.sqrt((SELU_FLOOR * SELU_FLOOR * p + 1) * (1 - p))
    b = wide(SELU_FLOOR * a * p)
    floor = wide(kind(wide(-SELU_FLOOR * a)))
    shift = np.where(mask != 0, kind(b), kind(floor + b))
    mask *= kind(wide(a))
    return shift


# ---------------------------------------------------------------- elements


@composite(names="nn.functional.dropout")
def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """In training, each element is zero with probability p, else divided by 1 - p.

    >>> import penlight as torch
    >>> torch.nn.functional.dropout(torch.ones(3), training=False)
    tensor([1., 1., 1.])
    """
    return _drop(input, p, training, inplace)


@composite(names="nn.functional.alpha_dropout")
def alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Dropout to SELU's lower limit instead of zero; keeps mean 0 and variance 1."""
    return _drop(input, p, training, inplace, alpha=True)


# ---------------------------------------------------------------- channels


@composite(names="nn.functional.feature_alpha_dropout")
def feature_alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """`alpha_dropout` of whole channels of (N, C, ...)."""
    return _drop(input, p, training, inplace, channels=True, alpha=True)


def _drop_channels(input: Tensor, p: float, training: bool, inplace: bool, batched: bool) -> Tensor:
    """Drops channels of (N, C, ...), or of (C, ...) where not `batched`."""
    if batched:
        return _drop(input, p, training, inplace, channels=True)
    result = _drop(input.unsqueeze(0), p, training, inplace, channels=True)  # type: ignore[attr-defined]
    return input if inplace else result.squeeze(0)  # type: ignore[attr-defined]


@composite(names="nn.functional.dropout1d")
def dropout1d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """In training, each channel of (N, C, L) or (C, L) is zero with probability p."""
    rank = input._array.ndim
    if rank not in (2, 3):
        raise RuntimeError(
            f"dropout1d: Expected 2D or 3D input, but received a {rank}D input. Note that "
            "dropout1d exists to provide channel-wise dropout on inputs with 1 spatial dimension, "
            "a channel dimension, and an optional batch dimension (i.e. 2D or 3D inputs)."
        )
    return _drop_channels(input, p, training, inplace, rank == 3)


def _warn_rank(name: str, rank: int, space: int) -> None:
    warnings.warn(
        f"{name}: Received a {rank}-D input to {name}, which is deprecated and will result in an "
        "error in a future release. To retain the behavior and silence this warning, please use "
        f"dropout instead. Note that {name} exists to provide channel-wise dropout on inputs with "
        f"{space} spatial dimensions, a channel dimension, and an optional batch dimension (i.e. "
        f"{space + 1}D or {space + 2}D inputs).",
        stacklevel=4,
    )


@composite(names="nn.functional.dropout2d")
def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """In training, each channel of (N, C, H, W) is zero with probability p."""
    rank = input._array.ndim
    if rank not in (3, 4):
        _warn_rank("dropout2d", rank, 2)
    if rank == 3:
        warnings.warn(
            "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D dropout "
            "behavior is desired - input is interpreted as shape (N, C, L), where C is the channel "
            "dim. This behavior will change in a future release to interpret the input as one "
            "without a batch dimension, i.e. shape (C, H, W). To maintain the 1D channel-wise "
            "dropout behavior, please switch to using dropout1d instead.",
            stacklevel=3,
        )
    return _drop_channels(input, p, training, inplace, True)


@composite(names="nn.functional.dropout3d")
def dropout3d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """In training, each channel of (N, C, D, H, W) or (C, D, H, W) is zero with probability p."""
    rank = input._array.ndim
    if rank not in (4, 5):
        _warn_rank("dropout3d", rank, 3)
    return _drop_channels(input, p, training, inplace, rank == 5)


# ---------------------------------------------------------------- torch's own names


def _torch_forms(name: str, channels: bool, alpha: bool) -> None:
    """torch.NAME(input, p, train) and torch.NAME_, where `train` has no default."""

    def plain(input: Tensor, p: float, train: bool) -> Tensor:
        return _drop(input, p, train, False, channels, alpha)

    def in_place(input: Tensor, p: float, train: bool) -> Tensor:
        return _drop(input, p, train, True, channels, alpha)

    plain.__name__, in_place.__name__ = name, name + "_"
    plain.__doc__ = f"See `nn.functional.{name.replace('feature_dropout', 'dropout1d')}`."
    in_place.__doc__ = f"In-place form of `{name}`."
    expose(plain, f"torch.{name}")
    expose(in_place, f"torch.{name}_")


for _name in ("dropout", "alpha_dropout", "feature_dropout", "feature_alpha_dropout"):
    _torch_forms(_name, "feature" in _name, "alpha" in _name)
