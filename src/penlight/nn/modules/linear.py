"""Affine maps."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from ...core.tensor import Tensor
from .. import functional as F
from .. import init
from ..advice import wants_features
from ..module import Module
from ..parameter import UninitializedParameter, fresh
from .lazy import LazyModuleMixin


class Identity(Module):
    """Gives its input back; takes any arguments and ignores them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        """input"""
        return input


class Linear(Module):
    """Affine map of the last axis: y = x Wᵀ + b.

    x (*, I)    weight (O, I)    bias (O,)    y (*, O)

    Weight and bias start uniform in ±1/√I.

    >>> import penlight as torch
    >>> torch.nn.Linear(3, 2)(torch.ones(5, 3)).shape
    torch.Size([5, 2])
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight = fresh((out_features, in_features), device, dtype)
        self.register_parameter("bias", fresh(out_features, device, dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws new values."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features > 0 else 0
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        """x Wᵀ + b"""
        return F.linear(input, self.weight, self.bias)

    def _wants(self, input: Any, *_: Any) -> Iterator[str]:
        return wants_features(input, self.in_features, "in_features", self.out_features)

    def extra_repr(self) -> str:
        """The arguments."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


class NonDynamicallyQuantizableLinear(Linear):
    """The output projection of `MultiheadAttention`, under the name that its text shows."""


class LazyLinear(LazyModuleMixin, Linear):
    """`Linear` whose `in_features` is the last axis of its first input."""

    cls_to_become = Linear

    def __init__(
        self, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(0, 0, False)
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        self.out_features = out_features
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)

    def reset_parameters(self) -> None:
        """Draws new values, once the shapes are known."""
        if not self.has_uninitialized_params() and self.in_features != 0:
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor) -> None:
        """Takes `in_features` from `input`."""
        if self.has_uninitialized_params():
            self.in_features = input.shape[-1]
            self.weight.materialize((self.out_features, self.in_features))
            if self.bias is not None:
                self.bias.materialize((self.out_features,))
            self.reset_parameters()
        if self.in_features == 0:  # a loaded state dict gave the shapes
            if input.shape[-1] != self.weight.shape[-1]:
                raise AssertionError(
                    f"The in_features inferred from input: {input.shape[-1]} is not equal to "
                    f"in_features from self.weight: {self.weight.shape[-1]}"
                )
            self.in_features = input.shape[-1]


class Bilinear(Module):
    """Bilinear map of two inputs: y_o = x₁ᵀ W_o x₂ + b_o.

    x₁ (*, I₁)    x₂ (*, I₂)    weight (O, I₁, I₂)    bias (O,)    y (*, O)

    Weight and bias start uniform in ±1/√I₁.
    """

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if in1_features <= 0:
            raise ValueError(f"in1_features must be > 0, but got (in1_features={in1_features})")
        self.in1_features, self.in2_features = in1_features, in2_features
        self.out_features = out_features
        self.weight = fresh((out_features, in1_features, in2_features), device, dtype)
        self.register_parameter("bias", fresh(out_features, device, dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws new values."""
        bound = 1 / math.sqrt(self.in1_features)
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        """x₁ᵀ W x₂ + b"""
        return F.bilinear(input1, input2, self.weight, self.bias)

    def _wants(self, input1: Any, input2: Any, *_: Any) -> Iterator[str]:
        yield from wants_features(input1, self.in1_features, "in1_features")
        yield from wants_features(input2, self.in2_features, "in2_features")

    def extra_repr(self) -> str:
        """The arguments."""
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
            f"out_features={self.out_features}, bias={self.bias is not None}"
        )
