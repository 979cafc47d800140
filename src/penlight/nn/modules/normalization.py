"""Normalisation of each sample by itself: over its last axes, over groups of channels, locally."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...core.tensor import Tensor
from ...ops.creation import tensor
from .. import functional as F
from .. import init
from ..advice import show
from ..module import Module
from ..parameter import fresh
from .utils import shown


class _Affine(Module):
    """A learned weight and bias that start at 1 and 0, or neither."""

    weight: Tensor | None
    bias: Tensor | None

    def _make_affine(self, shape: Any, weight: bool, bias: bool, device: Any, dtype: Any) -> None:
        self.register_parameter("weight", fresh(shape, device, dtype) if weight else None)
        self.register_parameter("bias", fresh(shape, device, dtype) if weight and bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Starts anew: weight 1, bias 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)


def _last_axes(normalized_shape: Any) -> tuple[int, ...]:
    if hasattr(normalized_shape, "__index__"):
        return (normalized_shape,)
    return tuple(normalized_shape)


def _wants_last_axes(module: Any, input: Any) -> Iterator[str]:
    wanted = module.normalized_shape
    if isinstance(input, Tensor) and tuple(input.shape[-len(wanted) :]) != wanted:
        inside = ", ".join(["*", *map(str, wanted)])
        yield f"wanted ({inside}), got {show(input.shape)}"
        if len(wanted) == 1 and wanted[0] in input.shape:
            axis = tuple(input.shape).index(wanted[0])
            yield f"would fit: axis {axis} last, x.movedim({axis}, -1)"
        elif input.dim() >= len(wanted):
            shape = show(input.shape[-len(wanted) :])
            yield f"would fit: normalized_shape={shape}"


class LayerNorm(_Affine):
    """(x - mean) / √(var + eps) · weight + bias over the last axes (Ba et al. 2016).

    x (*, normalized_shape)    weight, bias (normalized_shape)    https://arxiv.org/abs/1607.06450

    >>> import penlight as torch
    >>> torch.nn.LayerNorm(2)(torch.tensor([1.0, 3.0])).detach()
    tensor([-1.0000,  1.0000])
    """

    def __init__(
        self,
        normalized_shape: Any,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _last_axes(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self._make_affine(self.normalized_shape, elementwise_affine, bias, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        """The normalised input."""
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def _wants(self, input: Any, *_: Any) -> Iterator[str]:
        return _wants_last_axes(self, input)

    def extra_repr(self) -> str:
        """The arguments."""
        text = shown(self, "eps", "elementwise_affine")
        return f"{self.normalized_shape}, {text}, bias={self.bias is not None}"


class RMSNorm(Module):
    """x / √(mean(x²) + eps) · weight over the last axes (Zhang & Sennrich 2019).

    x (*, normalized_shape)    weight (normalized_shape)    https://arxiv.org/abs/1910.07467

    `eps=None` is the smallest step of the type.
    """

    def __init__(
        self,
        normalized_shape: Any,
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _last_axes(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        weight = fresh(self.normalized_shape, device, dtype) if elementwise_affine else None
        self.register_parameter("weight", weight)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Starts anew: weight 1."""
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        """The normalised input."""
        return F.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def _wants(self, input: Any, *_: Any) -> Iterator[str]:
        return _wants_last_axes(self, input)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"{self.normalized_shape}, {shown(self, 'eps', 'elementwise_affine')}"


class GroupNorm(_Affine):
    """(x - mean) / √(var + eps) · weight + bias over groups of channels (Wu & He 2018).

    x (N, C, *)    weight, bias (C)    https://arxiv.org/abs/1803.08494
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_channels % num_groups != 0:
            raise ValueError(
                f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})"
            )
        self.num_groups, self.num_channels = num_groups, num_channels
        self.eps, self.affine = eps, affine
        self._make_affine(num_channels, affine, bias, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        """The normalised input."""
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def _wants(self, input: Any, *_: Any) -> Iterator[str]:
        if isinstance(input, Tensor) and input.dim() > 1 and input.size(1) != self.num_channels:
            yield f"wanted (batch, {self.num_channels}, *), got {show(input.shape)}"
            yield f"would fit: num_channels={input.size(1)}"

    def extra_repr(self) -> str:
        """The arguments."""
        text = shown(self, "eps", "affine")
        bias = self.bias is not None
        return f"{self.num_groups}, {self.num_channels}, {text}, bias={bias}"


class LocalResponseNorm(Module):
    """x / (k + α/n Σ x²)^β, the sum over the n nearest channels (Krizhevsky et al. 2012)."""

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, input: Tensor) -> Tensor:
        """The normalised input."""
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        """The arguments."""
        return f"{self.size}, {shown(self, 'alpha', 'beta', 'k')}"


class CrossMapLRN2d(LocalResponseNorm):
    """`LocalResponseNorm` of (N, C, H, W) with the windows of Lua Torch: (size - 1) / 2 channels on
    either side, and those that were among the first stay in one step longer.
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1) -> None:
        super().__init__(size, alpha, beta, k)

    def forward(self, input: Tensor) -> Tensor:
        """The normalised input."""
        if input.dim() != 4:
            raise ValueError(f"CrossMapLRN2d: Expected input to be 4D, got {input.dim()}D instead.")
        window = tensor(self._windows(input.size(1)), dtype=input.dtype)  # (C, C)
        sums = ((input * input).movedim(1, -1) @ window.t()).movedim(-1, 1)
        return input * (self.k + self.alpha / self.size * sums).pow(-self.beta)

    def _windows(self, channels: int) -> list[list[int]]:
        """For each channel, which ones are summed."""
        reach = (self.size + 1) // 2
        rows = [[int(j < reach) for j in range(channels)]]
        for c in range(1, channels):
            row = rows[-1].copy()
            if c + reach - 1 < channels:
                row[c + reach - 1] += 1
            if c > reach:
                row[c - reach] -= 1
            rows.append(row)
        return rows
