"""Convolutions and their transposes over one, two or three axes.

One class says everything for every rank; the numbered classes only fix the rank.
Arithmetic of the sizes: Dumoulin & Visin 2016, https://arxiv.org/abs/1603.07285
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from ...core.tensor import Tensor
from .. import functional as F
from .. import init
from ..advice import wants_channels
from ..module import Module
from ..parameter import UninitializedParameter, fresh
from .lazy import LazyModuleMixin
from .utils import _ntuple

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _ConvNd(Module):
    """The arguments, weight and text of a convolution over `_rank` axes.

    The weight is (O, I / groups, *kernel), of a transposed convolution (I, O / groups, *kernel).
    Weight and bias start uniform in ±1/√(weight.size(1) ∏kernel).
    """

    _rank: int
    transposed = False
    weight: Any
    bias: Any
    padding: Any

    def _setup(
        self,
        channels: tuple[int, int],
        kernel_size: Any,
        stride: Any,
        padding: Any,
        output_padding: Any,
        dilation: Any,
        groups: int,
        padding_mode: str,
    ) -> None:
        spread = _ntuple(self._rank)
        self.in_channels, self.out_channels = channels
        self.kernel_size, self.stride = spread(kernel_size), spread(stride)
        self.padding = padding if isinstance(padding, str) else spread(padding)
        self.dilation, self.output_padding = spread(dilation), spread(output_padding)
        self.transposed = type(self).transposed
        self.groups, self.padding_mode = groups, padding_mode
        self._check()
        # the border for F.pad: last axis first, both sides of each
        self._reversed_padding_repeated_twice = [
            width for sides in reversed(self._border()) for width in sides
        ]

    def _check(self) -> None:
        if self.groups <= 0:
            raise ValueError(f"groups must be a positive integer, got groups={self.groups}")
        for name in ("in_channels", "out_channels"):
            channels = getattr(self, name)
            if channels % self.groups:
                raise ValueError(
                    f"{name} must be divisible by groups, got {name}={channels} and "
                    f"groups={self.groups}"
                )
        if isinstance(self.padding, str):
            if self.padding not in ("same", "valid"):
                raise ValueError(
                    f"Invalid padding string {self.padding!r}, should be one of {{'same', 'valid'}}"
                )
            if self.padding == "same" and any(step != 1 for step in self.stride):
                raise ValueError("padding='same' is not supported for strided convolutions")
        if self.padding_mode not in PADDING_MODES:
            raise ValueError(
                f"padding_mode must be one of {set(PADDING_MODES)}, but got "
                f"padding_mode='{self.padding_mode}'"
            )

    def _border(self) -> list[tuple[int, int]]:
        """The widths (before, after) of the border of each axis."""
        if self.padding == "valid":
            return [(0, 0)] * self._rank
        if self.padding == "same":
            totals = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size, strict=True)]
            return [(total // 2, total - total // 2) for total in totals]
        return [(width, width) for width in self.padding]

    def _weight_shape(self) -> tuple[int, ...]:
        first, second = self.out_channels, self.in_channels
        if self.transposed:
            first, second = second, first
        return (first, second // self.groups, *self.kernel_size)

    def _make_parameters(self, bias: bool, device: Any, dtype: Any) -> None:
        self.weight = fresh(self._weight_shape(), device, dtype)
        self.register_parameter("bias", fresh(self.out_channels, device, dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws new values."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in = math.prod(self.weight.shape[1:])
            if fan_in:
                init.uniform_(self.bias, -1 / math.sqrt(fan_in), 1 / math.sqrt(fan_in))

    def _wants(self, input: Any, *_: Any) -> Iterator[str]:
        return wants_channels(input, self.in_channels, self._rank, "in_channels")

    def extra_repr(self) -> str:
        """The arguments that differ from their defaults."""
        none, ones = (0,) * self._rank, (1,) * self._rank
        text = (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}"
        )
        if self.padding != none:
            text += f", padding={self.padding}"
        if self.dilation != ones:
            text += f", dilation={self.dilation}"
        if self.output_padding != none:
            text += f", output_padding={self.output_padding}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text


class _Conv(_ConvNd):
    """y[n, o] = b[o] + Σ_i w[o, i] ⋆ x[n, i], where ⋆ slides the kernel over the input."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        channels = (in_channels, out_channels)
        self._setup(channels, kernel_size, stride, padding, 0, dilation, groups, padding_mode)
        self._make_parameters(bias, device, dtype)

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        padding = self.padding
        if self.padding_mode != "zeros":
            input = F.pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode)
            padding = (0,) * self._rank
        convolve = getattr(F, f"conv{self._rank}d")
        return convolve(input, weight, bias, self.stride, padding, self.dilation, self.groups)

    def forward(self, input: Tensor) -> Tensor:
        """The convolved input."""
        return self._conv_forward(input, self.weight, self.bias)


class Conv1d(_Conv):
    """Convolution of (N, I, L) or (I, L) to (N, O, L') or (O, L').

    L' = ⌊(L + 2 padding - dilation (kernel - 1) - 1) / stride⌋ + 1    weight (O, I / groups, k)
    """

    _rank = 1


class Conv2d(_Conv):
    """Convolution of (N, I, H, W) or (I, H, W) to (N, O, H', W') or (O, H', W').

    H' = ⌊(H + 2 padding - dilation (kernel - 1) - 1) / stride⌋ + 1    weight (O, I / groups, k, k)

    >>> import penlight as torch
    >>> torch.nn.Conv2d(3, 8, 3, padding=1)(torch.zeros(2, 3, 16, 16)).shape
    torch.Size([2, 8, 16, 16])
    """

    _rank = 2


class Conv3d(_Conv):
    """Convolution of (N, I, D, H, W) or (I, D, H, W); sizes as in `Conv2d`."""

    _rank = 3


class _ConvTransposeNd(_ConvNd):
    """The gradient of a convolution with respect to its input, as a layer."""

    transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if padding_mode != "zeros":
            raise ValueError(f'Only "zeros" padding mode is supported for {type(self).__name__}')
        channels = (in_channels, out_channels)
        self._setup(
            channels, kernel_size, stride, padding, output_padding, dilation, groups, padding_mode
        )
        self._make_parameters(bias, device, dtype)

    def _output_padding(self, input: Tensor, output_size: Sequence[int] | None) -> tuple[int, ...]:
        """What to add at the end of each axis so that the output has `output_size`."""
        if output_size is None:
            return self.output_padding
        rank, plain = self._rank, self._rank + 1
        skipped = input.dim() - rank
        if len(output_size) == input.dim():
            output_size = output_size[skipped:]
        if len(output_size) != rank:
            raise ValueError(
                f"ConvTranspose{rank}D: for {input.dim()}D input, output_size must have {rank} or "
                f"{plain if input.dim() == plain else plain + 1} elements (got {len(output_size)})"
            )
        least = [
            (input.size(d + skipped) - 1) * self.stride[d]
            - 2 * self.padding[d]
            + self.dilation[d] * (self.kernel_size[d] - 1)
            + 1
            for d in range(rank)
        ]
        most = [low + step - 1 for low, step in zip(least, self.stride, strict=True)]
        if any(not low <= n <= high for low, n, high in zip(least, output_size, most, strict=True)):
            raise ValueError(
                f"requested an output size of {list(output_size)}, but valid sizes range from "
                f"{least} to {most} (for an input of {input.size()[2:]})"
            )
        return tuple(n - low for n, low in zip(output_size, least, strict=True))

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """The transposed convolution; `output_size` chooses among the sizes that are possible."""
        convolve = getattr(F, f"conv_transpose{self._rank}d")
        return convolve(
            input,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            self._output_padding(input, output_size),
            self.groups,
            self.dilation,
        )


class ConvTranspose1d(_ConvTransposeNd):
    """Transposed convolution of (N, I, L) or (I, L).

    L' = (L - 1) stride - 2 padding + dilation (kernel - 1) + output_padding + 1
    """

    _rank = 1


class ConvTranspose2d(_ConvTransposeNd):
    """Transposed convolution of (N, I, H, W) or (I, H, W); sizes as in `ConvTranspose1d`.

    >>> import penlight as torch
    >>> torch.nn.ConvTranspose2d(8, 3, 2, stride=2)(torch.zeros(2, 8, 4, 4)).shape
    torch.Size([2, 3, 8, 8])
    """

    _rank = 2


class ConvTranspose3d(_ConvTransposeNd):
    """Transposed convolution of (N, I, D, H, W) or (I, D, H, W); sizes as in `ConvTranspose1d`."""

    _rank = 3


class _LazyConvNd(LazyModuleMixin, _ConvNd):
    """A convolution whose `in_channels` are those of its first input."""

    def _await_channels(self, out_channels: int, bias: bool, device: Any, dtype: Any) -> None:
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        self.out_channels = out_channels
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)

    def reset_parameters(self) -> None:
        """Draws new values, once the shapes are known."""
        if not self.has_uninitialized_params() and self.in_channels != 0:
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor, *args: Any, **kwargs: Any) -> None:
        """Takes `in_channels` from `input`."""
        if not self.has_uninitialized_params():
            return
        plain = self._rank + 1
        if input.dim() not in (plain, plain + 1):
            raise RuntimeError(
                f"Expected {plain}D (unbatched) or {plain + 1}D (batched) input to "
                f"{type(self).__name__}, but got input of size: {input.shape}"
            )
        self.in_channels = input.shape[-plain]
        self._check()
        self.weight.materialize(self._weight_shape())
        if self.bias is not None:
            self.bias.materialize((self.out_channels,))
        self.reset_parameters()


class _LazyConv(_LazyConvNd):
    def __init__(
        self,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(0, 0, kernel_size, stride, padding, dilation, groups, False, padding_mode)
        self._await_channels(out_channels, bias, device, dtype)


class LazyConv1d(_LazyConv, Conv1d):
    """`Conv1d` that takes `in_channels` from its first input."""

    cls_to_become = Conv1d


class LazyConv2d(_LazyConv, Conv2d):
    """`Conv2d` that takes `in_channels` from its first input."""

    cls_to_become = Conv2d


class LazyConv3d(_LazyConv, Conv3d):
    """`Conv3d` that takes `in_channels` from its first input."""

    cls_to_become = Conv3d


class _LazyConvTranspose(_LazyConvNd):
    def __init__(
        self,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            0, 0, kernel_size, stride, padding, output_padding, groups, False, dilation,
            padding_mode,
        )  # fmt: skip
        self._await_channels(out_channels, bias, device, dtype)


class LazyConvTranspose1d(_LazyConvTranspose, ConvTranspose1d):
    """`ConvTranspose1d` that takes `in_channels` from its first input."""

    cls_to_become = ConvTranspose1d


class LazyConvTranspose2d(_LazyConvTranspose, ConvTranspose2d):
    """`ConvTranspose2d` that takes `in_channels` from its first input."""

    cls_to_become = ConvTranspose2d


class LazyConvTranspose3d(_LazyConvTranspose, ConvTranspose3d):
    """`ConvTranspose3d` that takes `in_channels` from its first input."""

    cls_to_become = ConvTranspose3d
