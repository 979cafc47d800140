"""Smooth activations, and those that are smooth on one side.

Where the input has 16 bits the function is computed in float32 and rounded once, as PyTorch does.
"""

from __future__ import annotations

import math
from typing import Any

from ..core.tensor import Tensor, check_dim
from .elementwise import sigmoid, tanh
from .exposure import expose, in_place
from .families import composite, op
from .join import cat
from .rectifier import below, wide
from .special_math.error import erf

# ---------------------------------------------------------------- exponential below zero


@op(
    name="_elu",
    node="EluBackward0",
    grad={"input": lambda g, x, alpha, scale: g * below(x, alpha * x.clamp(max=0).exp()) * scale},
)
def _elu(xp: Any, input: Any, alpha: float, scale: float) -> Any:
    x = wide(input, "elu_cpu")
    y = scale * xp.maximum(x, 0) + scale * alpha * xp.expm1(xp.minimum(x, 0))
    return y.astype(input.dtype, copy=False)


_elu_ = in_place(_elu, "elu_", _elu.record)
_SELU = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946  # mean 0, variance 1


@composite(names="nn.functional.elu")
def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where x > 0, else α (eˣ - 1).  https://arxiv.org/abs/1511.07289"""
    return (_elu_ if inplace else _elu)(input, alpha, 1.0)


@composite(names="nn.functional.elu_")
def elu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """In-place form of :func:`elu`."""
    return _elu_(input, alpha, 1.0)


@composite(names="torch.selu nn.functional.selu")
def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """Scaled `elu` that keeps mean 0 and variance 1.  https://arxiv.org/abs/1706.02515"""
    return (_elu_ if inplace else _elu)(input, *_SELU)


@composite(names="torch.selu_ nn.functional.selu_")
def selu_(input: Tensor) -> Tensor:
    """In-place form of :func:`selu`."""
    return _elu_(input, *_SELU)


@op(
    name="_celu",
    node="CeluBackward0",
    grad={"input": lambda g, x, alpha: g * (x / alpha).clamp(max=0).exp()},
)
def _celu(xp: Any, input: Any, alpha: float) -> Any:
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    x = wide(input, "elu_cpu")
    y = xp.maximum(x, 0) + alpha * xp.expm1(xp.minimum(x / alpha, 0))
    return y.astype(input.dtype, copy=False)


_celu_ = in_place(_celu, "celu_", _celu.record)


@composite(names="torch.celu nn.functional.celu")
def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """max(x, 0) + min(α (e^(x/α) - 1), 0).  https://arxiv.org/abs/1704.07483"""
    return (_celu_ if inplace else _celu)(input, alpha)


@composite(names="torch.celu_ nn.functional.celu_")
def celu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """In-place form of :func:`celu`."""
    return _celu_(input, alpha)


# ---------------------------------------------------------------- smooth


expose(sigmoid, "nn.functional.sigmoid")
expose(tanh, "nn.functional.tanh")


def _softplus(xp: Any, x: Any) -> Any:
    """log(1 + eˣ) without overflow."""
    return xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.abs(x)))


@op(
    name="_gelu",
    node="GeluBackward0",
    grad={"input": lambda g, x, tanh: g * (_gelu_tanh_slope if tanh else _gelu_slope)(x)},
)
def _gelu(xp: Any, input: Any, tanh: bool) -> Any:
    x = wide(input, "GeluKernelImpl")
    if tanh:
        inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)
        y = 0.5 * x * (1 + xp.tanh(inner))
    else:
        y = 0.5 * x * (1 + erf(xp, x * math.sqrt(0.5)))
    return y.astype(input.dtype, copy=False)


def _gelu_slope(x: Tensor) -> Tensor:
    """Φ(x) + x φ(x)"""
    density = (-0.5 * x * x).exp() / math.sqrt(2 * math.pi)
    return 0.5 * (1 + (x * math.sqrt(0.5)).erf()) + x * density


def _gelu_tanh_slope(x: Tensor) -> Tensor:
    k, c = math.sqrt(2 / math.pi), 0.044715
    t = (k * (x + c * x * x * x)).tanh()
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * (k * (1 + 3 * c * x * x))


@composite(names="nn.functional.gelu")
def gelu(input: Tensor, *, approximate: str = "none") -> Tensor:
    """x Φ(x), Φ the normal distribution; `approximate="tanh"` is a quicker formula for it.

    Source: https://arxiv.org/abs/1606.08415
    """
    if approximate not in ("none", "tanh"):
        raise RuntimeError("approximate argument must be either none or tanh.")
    return _gelu(input, approximate == "tanh")


def _silu_slope(x: Tensor) -> Tensor:
    s = x.sigmoid()
    return s * (1 + x * (1 - s))


@op(name="_silu", node="SiluBackward0", grad={"input": lambda g, x: g * _silu_slope(x)})
def _silu(xp: Any, input: Any) -> Any:
    x = wide(input, "silu_cpu")
    return (x * xp.sigmoid(x)).astype(input.dtype, copy=False)


_silu_ = in_place(_silu, "silu_", _silu.record)


@composite(names="nn.functional.silu")
def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x σ(x), also called swish.  https://arxiv.org/abs/1702.03118"""
    return (_silu_ if inplace else _silu)(input)


def _mish_slope(x: Tensor) -> Tensor:
    t = softplus(x).tanh()
    return t + x * (1 - t * t) * x.sigmoid()


@op(name="_mish", node="MishBackward0", grad={"input": lambda g, x: g * _mish_slope(x)})
def _mish(xp: Any, input: Any) -> Any:
    x = wide(input, "mish_cpu")
    return (x * xp.tanh(_softplus(xp, x))).astype(input.dtype, copy=False)


_mish_ = in_place(_mish, "mish_", _mish.record)


@composite(names="nn.functional.mish")
def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x tanh(log(1 + eˣ)).  https://arxiv.org/abs/1908.08681"""
    return (_mish_ if inplace else _mish)(input)


def _softplus_slope(x: Tensor, threshold: float) -> Tensor:
    slope = x.sigmoid()
    return slope if threshold >= 20 else slope.masked_fill(x > threshold, 1)


@op(
    name="_softplus",
    node="SoftplusBackward0",
    grad={"input": lambda g, x, beta, threshold: g * _softplus_slope(x * beta, threshold)},
)
def _softplus_op(xp: Any, input: Any, beta: float, threshold: float) -> Any:
    x = wide(input, "softplus_cpu")
    y = _softplus(xp, x * beta) / beta
    if threshold < 20:  # above 20 the curve and the line are the same number
        y = xp.where(x * beta > threshold, x, y)
    return y.astype(input.dtype, copy=False)


@composite(names="nn.functional.softplus")
def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + e^(βx)) / β, and x where βx > threshold."""
    return _softplus_op(input, beta, threshold)


@op(
    name="logsigmoid",
    names="nn.functional.logsigmoid",
    node="LogSigmoidBackward0",
    grad={"input": lambda g, x: g * (-x).sigmoid()},
)
def logsigmoid(xp: Any, input: Any) -> Any:
    """log σ(x) = -log(1 + e⁻ˣ)"""
    x = wide(input, "log_sigmoid_cpu")
    return (-_softplus(xp, -x)).astype(input.dtype, copy=False)


@composite(names="nn.functional.softsign")
def softsign(input: Tensor) -> Tensor:
    """x / (1 + |x|)"""
    return input / (input.abs() + 1)


@composite(names="nn.functional.tanhshrink")
def tanhshrink(input: Tensor) -> Tensor:
    """x - tanh(x)"""
    return input - input.tanh()


# ---------------------------------------------------------------- gated


@op(
    name="_glu",
    node="GluBackward0",
    grad={"input": lambda g, x, dim: _glu_grad(g, x, dim)},
)
def _glu(xp: Any, input: Any, dim: int) -> Any:
    x, gate = xp.split(wide(input, "glu_cpu"), 2, dim)
    return (x * xp.sigmoid(gate)).astype(input.dtype, copy=False)


def _glu_grad(g: Tensor, input: Tensor, dim: int) -> Tensor:
    x, gate = input.chunk(2, dim)
    s = gate.sigmoid()
    return cat([g * s, g * x * s * (1 - s)], dim)


@composite(names="nn.functional.glu")
def glu(input: Tensor, dim: int = -1) -> Tensor:
    """a σ(b) for the two halves a, b along `dim`.  https://arxiv.org/abs/1612.08083"""
    if input.dim() == 0:
        raise RuntimeError("glu does not support scalars because halving size must be even")
    dim = check_dim(dim, input.dim())
    if input.size(dim) % 2:
        raise RuntimeError(
            f"Halving dimension must be even, but dimension {dim} is size {input.size(dim)}"
        )
    return _glu(input, dim)
