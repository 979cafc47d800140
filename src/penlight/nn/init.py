"""Initial values of parameters: each function writes them into its tensor, without history.

See https://docs.pytorch.org/docs/stable/nn.init.html
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..autograd import no_grad
from ..core import draws
from ..core.beside import fixed
from ..core.random import Generator, default_generator
from ..core.tensor import Tensor, wrap
from ..ops.creation import empty_like
from ..ops.filling import normal_values

LINEAR = (
    "linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d",
    "conv_transpose3d",
)  # fmt: skip


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """By how much a weight's standard deviation should grow to make up for the function after it.

    >>> round(calculate_gain("relu"), 4), calculate_gain("tanh") == 5 / 3
    (1.4142, True)
    """
    if nonlinearity in LINEAR or nonlinearity == "sigmoid":
        return 1
    if nonlinearity == "tanh":
        return 5.0 / 3
    if nonlinearity == "relu":
        return math.sqrt(2.0)
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, (int, float)):
            raise ValueError(f"negative_slope {param} not a valid number")
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity == "selu":
        return 3.0 / 4
    raise ValueError(f"Unsupported nonlinearity {nonlinearity}")


# ---------------------------------------------------------------- one value or one distribution


@no_grad()
def uniform_(
    tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Uniform in [a, b)."""
    return tensor.uniform_(a, b, generator=generator)  # type: ignore[attr-defined]


@no_grad()
def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Normal with the given mean and standard deviation."""
    return tensor.normal_(mean, std, generator=generator)  # type: ignore[attr-defined]


@no_grad()
def constant_(tensor: Tensor, val: float) -> Tensor:
    """One value everywhere."""
    return tensor.fill_(val)  # type: ignore[attr-defined]


def ones_(tensor: Tensor) -> Tensor:
    """One everywhere."""
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Zero everywhere."""
    return constant_(tensor, 0.0)


@no_grad()
def trunc_normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:  # fmt: skip
    """Normal numbers of which only those in [a, b] are taken.

    >>> import penlight as torch
    >>> x = torch.nn.init.trunc_normal_(torch.empty(1000), std=5.0, a=-1.0, b=3.0)
    >>> bool((x >= -1).all()), bool((x <= 3).all())
    (True, True)
    """
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. "
            "The distribution of values may be incorrect.",
            stacklevel=3,
        )
    likely = _normal_cdf((b - mean) / std) - _normal_cdf((a - mean) / std) > 0.3
    rounds = (_from_normal if likely else _from_uniform)(tensor, mean, std, a, b, generator)
    values, refused = next(rounds)
    while refused.any():
        again, also_refused = next(rounds)
        values = np.where(refused, again, values)
        refused &= also_refused
    return tensor.copy_(wrap(values))  # type: ignore[attr-defined]


def _normal_cdf(x: float) -> float:
    return (1.0 + math.erf(x / math.sqrt(2.0))) / 2.0


Rounds = Iterator[tuple[np.ndarray, np.ndarray]]


def _from_normal(
    tensor: Tensor, mean: float, std: float, a: float, b: float, generator: Generator | None
) -> Rounds:
    """Normal numbers, refused outside of [a, b]: where most are inside."""
    kind = tensor._array.dtype.type
    low, high = kind(a), kind(b)
    while True:
        values = normal_(empty_like(tensor), mean, std, generator)._array
        yield values, (values < low) | (values > high)


def _from_uniform(
    tensor: Tensor, mean: float, std: float, a: float, b: float, generator: Generator | None
) -> Rounds:
    """Uniform numbers in [a, b), each taken with a chance proportional to the density there."""
    kind = tensor._array.dtype.type
    peak = -0.5 * ((max(a, min(mean, b)) - mean) / std) ** 2
    while True:
        values = uniform_(empty_like(tensor), a, b, generator)._array
        chance = uniform_(empty_like(tensor), generator=generator)._array
        distance = (values - kind(mean)) / kind(std)
        with np.errstate(divide="ignore"):
            yield values, np.log(chance) > distance * distance * kind(-0.5) - kind(peak)


# ---------------------------------------------------------------- scaled by the fans


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """How many inputs an output has, and how many outputs an input: weight (O, I, *window)."""
    shape = tensor._array.shape
    if len(shape) < 2:
        raise ValueError(
            "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions"
        )
    window = math.prod(shape[2:])
    return shape[1] * window, shape[0] * window


def _calculate_correct_fan(tensor: Tensor, mode: str) -> int:
    """The fan that `mode` names."""
    mode = mode.lower()
    modes = ["fan_in", "fan_out"]
    if mode not in modes:
        raise ValueError(f"Mode {mode} not supported, please use one of {modes}")
    return _calculate_fan_in_and_fan_out(tensor)[modes.index(mode)]


def xavier_uniform_(
    tensor: Tensor, gain: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Uniform in ±gain·√(6 / (fan_in + fan_out)) (Glorot and Bengio, 2010)."""
    bound = math.sqrt(3.0) * _xavier_deviation(tensor, gain)
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal with deviation gain·√(2 / (fan_in + fan_out)) (Glorot and Bengio, 2010)."""
    return normal_(tensor, 0.0, _xavier_deviation(tensor, gain), generator)


def _xavier_deviation(tensor: Tensor, gain: float) -> float:
    return gain * math.sqrt(2.0 / float(sum(_calculate_fan_in_and_fan_out(tensor))))


def kaiming_uniform_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:  # fmt: skip
    """Uniform in ±gain·√(3 / fan) (He et al., 2015); `a` is the slope of a leaky ReLU."""
    if _nothing_to_do(tensor):
        return tensor
    bound = math.sqrt(3.0) * _kaiming_deviation(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:  # fmt: skip
    """Normal with deviation gain / √fan (He et al., 2015); `a` is the slope of a leaky ReLU."""
    if _nothing_to_do(tensor):
        return tensor
    return normal_(tensor, 0.0, _kaiming_deviation(tensor, a, mode, nonlinearity), generator)


def _nothing_to_do(tensor: Tensor) -> bool:
    if 0 not in tensor._array.shape:
        return False
    warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=3)
    return True


def _kaiming_deviation(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    fan = _calculate_correct_fan(tensor, mode)
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


# ---------------------------------------------------------------- structured matrices


@no_grad()
def eye_(tensor: Tensor) -> Tensor:
    """The identity matrix.

    >>> import penlight as torch
    >>> torch.nn.init.eye_(torch.empty(2, 3))
    tensor([[1., 0., 0.],
            [0., 1., 0.]])
    """
    _need_matrix(tensor)
    array = tensor._array
    return tensor.copy_(fixed(np.eye(*array.shape, dtype=array.dtype)))  # type: ignore[attr-defined]


def _need_matrix(tensor: Tensor) -> None:
    if tensor._array.ndim != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")


@no_grad()
def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """A convolution that passes on as many channels as it can, in each group."""
    array = tensor._array
    if array.ndim not in (3, 4, 5):
        raise ValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    if array.shape[0] % groups:
        raise ValueError("dim 0 must be divisible by groups")
    outputs = array.shape[0] // groups
    channel = np.arange(min(outputs, array.shape[1]))
    center = tuple(n // 2 for n in array.shape[2:])
    values = np.zeros_like(array)
    for first in range(0, array.shape[0], max(outputs, 1)):
        values[(first + channel, channel, *center)] = 1
    return tensor.copy_(wrap(values))  # type: ignore[attr-defined]


@no_grad()
def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """gain times a random matrix with orthogonal rows or columns (Saxe et al., 2013).

    A tensor (O, ...) is taken for a matrix with O rows.
    """
    array = tensor._array
    if array.ndim < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    if array.size == 0:
        return tensor
    rows = array.shape[0]
    matrix = normal_values(generator, array.size, tensor.dtype).reshape(rows, -1)
    wide = rows < matrix.shape[1]
    q, r = np.linalg.qr(matrix.T if wide else matrix)
    q *= np.sign(np.diagonal(r))  # makes the distribution uniform: arxiv.org/abs/math-ph/0609050
    q = (q.T if wide else q) * array.dtype.type(gain)
    return tensor.copy_(wrap(q.reshape(array.shape)))  # type: ignore[attr-defined]


@no_grad()
def sparse_(
    tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None
) -> Tensor:
    """Normal with the given deviation, and in each column that share of zeros (Martens, 2010)."""
    _need_matrix(tensor)
    normal_(tensor, 0, std, generator)
    rows, columns = tensor._array.shape
    zeros = math.ceil(sparsity * rows)
    for column in range(columns):
        tensor._array[draws.permutation(default_generator, rows)[:zeros], column] = 0
    return tensor


# ---------------------------------------------------------------- old names


def _deprecated(function: Callable) -> Callable:
    new = function.__name__
    old = new[:-1]

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Tensor:
        warnings.warn(
            f"`nn.init.{old}` is now deprecated in favor of `nn.init.{new}`.",
            FutureWarning,
            stacklevel=2,
        )
        return function(*args, **kwargs)

    call.__name__ = call.__qualname__ = old
    call.__doc__ = f"The old name of `{new}`."
    return call


uniform = _deprecated(uniform_)
normal = _deprecated(normal_)
constant = _deprecated(constant_)
eye = _deprecated(eye_)
dirac = _deprecated(dirac_)
xavier_uniform = _deprecated(xavier_uniform_)
xavier_normal = _deprecated(xavier_normal_)
kaiming_uniform = _deprecated(kaiming_uniform_)
kaiming_normal = _deprecated(kaiming_normal_)
orthogonal = _deprecated(orthogonal_)
sparse = _deprecated(sparse_)
