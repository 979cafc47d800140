"""Soft maxima: numbers along an axis made into probabilities."""

from __future__ import annotations

import math
import warnings
from typing import Any

from ..core.dtype import dtype as Dtype
from ..core.tensor import Tensor, check_dim
from .exposure import expose
from .families import composite, op
from .rectifier import wide


def _shifted(xp: Any, input: Any, dim: int, kernel: str) -> Any:
    """The input less its maximum along `dim`, so that no exponential overflows."""
    x = wide(input, kernel)
    return x - xp.max(x, dim, keepdims=True, initial=-math.inf)


# ---------------------------------------------------------------- softmax


@op(
    name="_softmax",
    node="SoftmaxBackward0",
    grad={"input": lambda g, y, dim: _softmax_backward(g, y, dim)},
)
def _softmax(xp: Any, input: Any, dim: int) -> Any:
    y = xp.exp(_shifted(xp, input, dim, "softmax_lastdim_kernel_impl"))
    y = y / xp.sum(y, dim, keepdims=True)
    return y.astype(input.dtype, copy=False)


def _softmax_second(g: Tensor, grad: Tensor, output: Tensor, dim: int) -> Tensor:
    inner, outer = (grad * output).sum(dim, True), (g * output).sum(dim, True)
    return g * (grad - inner) - grad * outer


@op(
    grad={
        "grad": lambda g, output, dim: _softmax_backward(g, output, dim),
        "output": lambda g, grad, output, dim: _softmax_second(g, grad, output, dim),
    },
    node="SoftmaxBackwardDataBackward0",
)
def _softmax_backward(xp: Any, grad: Any, output: Any, dim: int) -> Any:
    part = grad * output
    return part - output * xp.sum(part, dim, keepdims=True)


@composite(names="torch.softmax Tensor.softmax special.softmax")
def softmax(input: Tensor, dim: int, dtype: Dtype | None = None) -> Tensor:
    """e^x / Σ e^x along `dim`: positive numbers that add up to 1.

    >>> import penlight as torch
    >>> torch.softmax(torch.tensor([0.0, 0.0]), 0)
    tensor([0.5000, 0.5000])
    """
    input = input if dtype is None else input.to(dtype)
    return _softmax(input, check_dim(dim, input._array.ndim))


# ---------------------------------------------------------------- log_softmax


@op(
    name="_log_softmax",
    node="LogSoftmaxBackward0",
    grad={"input": lambda g, y, dim: _log_softmax_backward(g, y, dim)},
)
def _log_softmax(xp: Any, input: Any, dim: int) -> Any:
    y = _shifted(xp, input, dim, "log_softmax_lastdim_kernel_impl")
    y = y - xp.log(xp.sum(xp.exp(y), dim, keepdims=True))
    return y.astype(input.dtype, copy=False)


@op(
    grad={
        "grad": lambda g, output, dim: g - (g * output.exp()).sum(dim, True),
        "output": lambda g, grad, output, dim: -g * output.exp() * grad.sum(dim, True),
    },
    node="LogSoftmaxBackwardDataBackward0",
)
def _log_softmax_backward(xp: Any, grad: Any, output: Any, dim: int) -> Any:
    return grad - xp.exp(output) * xp.sum(grad, dim, keepdims=True)


@composite(names="torch.log_softmax Tensor.log_softmax special.log_softmax")
def log_softmax(input: Tensor, dim: int, dtype: Dtype | None = None) -> Tensor:
    """x - log Σ e^x along `dim`, without overflow.

    >>> import penlight as torch
    >>> torch.log_softmax(torch.tensor([1000.0, 1000.0]), 0)
    tensor([-0.6931, -0.6931])
    """
    input = input if dtype is None else input.to(dtype)
    return _log_softmax(input, check_dim(dim, input._array.ndim))


# ---------------------------------------------------------------- nn.functional's forms


def _implicit_dim(name: str, ndim: int, stacklevel: int) -> int:
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. "
        "Change the call to include dim=X as an argument.",
        stacklevel=stacklevel + 1,
    )
    return 0 if ndim in (0, 1, 3) else 1


def _functional(name: str, doc: str, function: Any) -> None:
    """nn.functional's form, whose `dim` may be left out."""

    def call(
        input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Dtype | None = None
    ) -> Tensor:
        if dim is None:
            dim = _implicit_dim(name, input.dim(), _stacklevel)
        return function(input, dim, dtype)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = doc
    expose(call, f"nn.functional.{name}")


_functional("softmax", softmax.__doc__, softmax)
_functional("log_softmax", log_softmax.__doc__, log_softmax)
_functional("softmin", "e^-x / Σ e^-x along `dim`.", lambda x, *args: softmax(-x, *args))


@composite(names="nn.functional.gumbel_softmax")
def gumbel_softmax(
    logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1
) -> Tensor:
    """A draw from the categories that `logits` weigh, soft with temperature `tau`.

    With `hard` the result is one-hot, and its gradient is that of the soft one.
    Source: https://arxiv.org/abs/1611.01144
    """
    if eps != 1e-10:
        warnings.warn("`eps` parameter is deprecated and has no effect.", stacklevel=2)
    noise = -logits.detach().clone().exponential_().log()
    soft = softmax((logits + noise) / tau, dim)
    if not hard:
        return soft
    index = soft.argmax(dim, keepdim=True)
    one_hot = logits.new_zeros(logits.shape).scatter_(dim, index, 1.0)
    return one_hot - soft.detach() + soft
