"""Rectifiers: activations made of straight pieces.

Where the input has 16 bits the function is computed in float32 and rounded once, as PyTorch does.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ..core.beside import computed
from ..core.tensor import Tensor
from .exposure import expose, in_place
from .families import binary, composite, op, unary
from .filling import slopes_below_zero
from .kinds import FLOATS, unsupported


def wide(x: Any, kernel: str) -> Any:
    """A float array with at least 32 bits; NotImplementedError, naming the kernel, for others."""
    if x.dtype.kind not in FLOATS:
        raise unsupported(kernel, x)
    return x.astype(np.float32) if x.dtype.itemsize < 4 else x


# ---------------------------------------------------------------- bent lines


@functools.cache
def _zero(dtype: np.dtype) -> np.ndarray:
    """0 as an array of that type, which NumPy takes in half the time that a number costs it."""
    return np.zeros((), dtype)


def _relu(xp: Any, x: Any) -> Any:
    if x.dtype.kind == "b":
        raise RuntimeError("Boolean inputs not supported for relu")
    return xp.relu(x)


passed: Any = binary(
    "_passed",
    "a where not b <= 0, else 0: the gradient of relu, and of itself",
    "passed",
    (lambda g, b: passed(g, b), lambda b: b * 0),
    inplace=False,
    lower=lambda xp, a, b: xp.where(xp.less_equal(b, _zero(b.dtype)), _zero(a.dtype), a),
)

relu = unary(
    "relu", "max(x, 0)", _relu, lambda g, y: passed(g, y),
    lower=lambda xp, x: xp.maximum(x, _zero(x.dtype)),
)  # fmt: skip


def _functional_relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0)"""
    return input.relu_() if inplace else relu(input)


expose(_functional_relu, "nn.functional.relu")
expose(vars(Tensor)["relu_"], "torch.relu_ nn.functional.relu_")


def _inside(x: Tensor, low: float, high: float) -> Tensor:
    """Where x is not kept at a bound."""
    return (x > low) & (x < high)


@op(
    name="_hardtanh",
    node="HardtanhBackward0",
    grad={"input": lambda g, x, low, high: g * _inside(x, low, high)},
)
def _hardtanh(xp: Any, input: Any, low: float, high: float) -> Any:
    if input.dtype.kind == "b":
        raise RuntimeError("Bool inputs not supported for hardtanh")
    kept = xp.clip(input, input.dtype.type(low), input.dtype.type(high))
    return kept.astype(input.dtype, copy=False)


_hardtanh_ = in_place(_hardtanh, "hardtanh_", _hardtanh.record)


@composite(names="nn.functional.hardtanh")
def hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """x kept between min_val and max_val.

    >>> import penlight as torch
    >>> torch.nn.functional.hardtanh(torch.tensor([-3.0, 0.5, 3.0]))
    tensor([-1.0000,  0.5000,  1.0000])
    """
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    return (_hardtanh_ if inplace else _hardtanh)(input, min_val, max_val)


@composite(names="nn.functional.hardtanh_")
def hardtanh_(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """In-place form of :func:`hardtanh`."""
    return hardtanh(input, min_val, max_val, inplace=True)


@composite(names="nn.functional.relu6")
def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """x kept between 0 and 6."""
    return hardtanh(input, 0, 6, inplace)


def below(x: Tensor, slope: Any) -> Tensor:
    """The derivative of max(x, 0) + slope · min(x, 0)."""
    positive = (x > 0).to(x.dtype)
    return positive + (1 - positive) * slope


@op(
    name="_leaky_relu",
    node="LeakyReluBackward0",
    grad={"input": lambda g, x, slope: g * below(x, slope)},
)
def _leaky_relu(xp: Any, input: Any, slope: float) -> Any:
    x = wide(input, "leaky_relu_cpu")
    return (xp.maximum(x, 0) + slope * xp.minimum(x, 0)).astype(input.dtype, copy=False)


_leaky_relu_ = in_place(_leaky_relu, "leaky_relu_", _leaky_relu.record)


@composite(names="nn.functional.leaky_relu")
def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where x > 0, else negative_slope · x."""
    return (_leaky_relu_ if inplace else _leaky_relu)(input, negative_slope)


@composite(names="nn.functional.leaky_relu_")
def leaky_relu_(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """In-place form of :func:`leaky_relu`."""
    return _leaky_relu_(input, negative_slope)


@op(
    name="_prelu_kernel",
    grad={
        "input": lambda g, x, weight: g * below(x, weight),
        "weight": lambda g, x: g * x.clamp(max=0),
    },
)
def _prelu_kernel(xp: Any, input: Any, weight: Any) -> Any:
    x = wide(input, "prelu_cpu")
    return (xp.maximum(x, 0) + weight * xp.minimum(x, 0)).astype(input.dtype, copy=False)


@composite(names="torch.prelu Tensor.prelu nn.functional.prelu")
def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x where x > 0, else weight · x; one weight, or one for each channel (axis 1).

    Raises RuntimeError where the number of weights is neither.
    """
    shape, count = input._array.shape, weight._array.size
    if input.dtype is not weight.dtype:
        raise RuntimeError(
            "prelu: Type promoting not supported. "
            f"Got {input.dtype.scalar_name} and {weight.dtype.scalar_name}"
        )
    if count != 1:
        if not shape:
            raise RuntimeError("Not allow zero-dim input tensor.")
        channels = shape[1] if len(shape) > 1 else 1
        if channels != count:
            raise RuntimeError(
                "Mismatch of parameter numbers and input channel size. Found parameter numbers = "
                f"{count} and channel size = {channels}."
            )
    if weight._array.ndim > 1:
        raise RuntimeError(
            "prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = "
            f"{weight._array.ndim}"
        )
    if len(shape) != 1:
        weight = weight.reshape([count if axis == 1 else 1 for axis in range(len(shape))])
    return _prelu_kernel(input, weight)


@op(
    name="_threshold",
    node="ThresholdBackward0",
    grad={"input": lambda g, x, threshold: g * ~(x <= threshold)},
)
def _threshold(xp: Any, input: Any, threshold: float, value: float) -> Any:
    if input.dtype.kind == "b":
        raise unsupported("threshold_cpu", input)
    return xp.where(input <= threshold, input.dtype.type(value), input)


_threshold_ = in_place(_threshold, "threshold_", _threshold.record)


@composite(names="torch.threshold nn.functional.threshold")
def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where x > threshold, else value."""
    return (_threshold_ if inplace else _threshold)(input, threshold, value)


@composite(names="torch.threshold_ nn.functional.threshold_")
def threshold_(input: Tensor, threshold: float, value: float) -> Tensor:
    """In-place form of :func:`threshold`."""
    return _threshold_(input, threshold, value)


@op(
    name="_rrelu_with_noise",
    node="RreluWithNoiseBackward0",
    grad={"input": lambda g, x, slopes: g * below(x, slopes)},
)
def _rrelu_with_noise(xp: Any, input: Any, slopes: Any) -> Any:
    x = wide(input, "rrelu_with_noise_out_cpu")
    return (xp.maximum(x, 0) + slopes * xp.minimum(x, 0)).astype(input.dtype, copy=False)


_rrelu_with_noise_ = in_place(_rrelu_with_noise, "rrelu_", _rrelu_with_noise.record)


@composite(names="torch.rrelu nn.functional.rrelu")
def rrelu(
    input: Tensor,
    lower: float = 1.0 / 8,
    upper: float = 1.0 / 3,
    training: bool = False,
    inplace: bool = False,
) -> Tensor:
    """`leaky_relu` with a slope drawn from [lower, upper) for each negative element in training.

    Otherwise the slope is the mean of the two.  https://arxiv.org/abs/1505.00853
    """
    if lower > upper:
        raise RuntimeError("Lower bound should be less than or equal to the upper bound")
    slopes: Any = (lower + upper) / 2
    if training:
        slopes = computed(slopes_below_zero, np, input, lower, upper, pure=False)
    return (_rrelu_with_noise_ if inplace else _rrelu_with_noise)(input, slopes)


@composite(names="torch.rrelu_ nn.functional.rrelu_")
def rrelu_(
    input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False
) -> Tensor:
    """In-place form of :func:`rrelu`."""
    return rrelu(input, lower, upper, training, inplace=True)


# ---------------------------------------------------------------- lines in place of curves


@op(
    name="_hardsigmoid",
    node="HardsigmoidBackward0",
    grad={"input": lambda g, x: g * _inside(x, -3, 3) / 6},
)
def _hardsigmoid(xp: Any, input: Any) -> Any:
    x = wide(input, "hardsigmoid_cpu")
    return (xp.clip(x + 3, 0, 6) / 6).astype(input.dtype, copy=False)


_hardsigmoid_ = in_place(_hardsigmoid, "hardsigmoid_", _hardsigmoid.record)


@composite(names="nn.functional.hardsigmoid")
def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x + 3, 0), 6) / 6"""
    return (_hardsigmoid_ if inplace else _hardsigmoid)(input)


@op(
    name="_hardswish",
    node="HardswishBackward0",
    grad={"input": lambda g, x: g * (x / 3 + 0.5).masked_fill(x <= -3, 0).masked_fill(x >= 3, 1)},
)
def _hardswish(xp: Any, input: Any) -> Any:
    x = wide(input, "hardswish_cpu")
    return (x * xp.clip(x + 3, 0, 6) / 6).astype(input.dtype, copy=False)


_hardswish_ = in_place(_hardswish, "hardswish_", _hardswish.record)


@composite(names="nn.functional.hardswish")
def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x min(max(x + 3, 0), 6) / 6.  https://arxiv.org/abs/1905.02244"""
    return (_hardswish_ if inplace else _hardswish)(input)


def _beyond(x: Tensor, lambd: float) -> Tensor:
    """Where x is not shrunk to zero."""
    return ~((x >= -lambd) & (x <= lambd))


def _zeroed(xp: Any, a: Any, drop: Any) -> Any:
    """a, with 0 where `drop`; if it is large by bit masks: `where` branches at every element."""
    if a.size < 4096:
        return xp.where(drop, _zero(a.dtype), a)
    bits = a.view(f"i{a.dtype.itemsize}")
    mask = drop.astype(bits.dtype)
    mask -= 1  # all bits set where a is kept, none where it is dropped
    mask &= bits
    return mask.view(a.dtype)


@op(
    names="torch.hardshrink Tensor.hardshrink nn.functional.hardshrink",
    grad={"input": lambda g, x, lambd: g * _beyond(x, lambd)},
)
def hardshrink(xp: Any, input: Any, lambd: float = 0.5) -> Any:
    """x where |x| > λ, else 0."""
    if input.dtype.kind not in FLOATS:
        raise unsupported("hardshrink_cpu", input)
    return _zeroed(xp, input, (input >= -lambd) & (input <= lambd))


@op(
    names="nn.functional.softshrink",
    grad={"input": lambda g, x, lambd: g * _beyond(x, lambd)},
)
def softshrink(xp: Any, input: Any, lambd: float = 0.5) -> Any:
    """x drawn towards 0 by λ, and 0 between -λ and λ."""
    x = wide(input, "softshrink_check")
    if lambd < 0:
        raise RuntimeError(
            f"lambda must be in range [0, 3.40282e+38] for input dtype Float, but found {lambd:g}"
        )
    return (x - xp.clip(x, -lambd, lambd)).astype(input.dtype, copy=False)
