"""Tensor methods that overwrite a tensor with random numbers: uniform_, normal_, bernoulli_, ...

PyTorch fills elements in the order in which they lie in memory; so does `pour`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import draws
from ..core.beside import fixed
from ..core.dtype import dtype as dtype_
from ..core.info import finfo
from ..core.memory import empty_as
from ..core.random import Generator, check_generator
from ..core.tape import Node, modes
from ..core.tensor import Tensor, check_writable, edge_to, wrap, written
from ..core.watch import note_write, refuse, tracers
from .exposure import expose

# What C++ calls the types in the errors of PyTorch's random kernels.
C_NAMES = {
    "float64": "double", "float32": "float", "float16": "c10::Half", "bfloat16": "c10::BFloat16",
    "int64": "long int", "int32": "int", "int16": "short int", "int8": "signed char",
    "uint8": "unsigned char", "uint16": "short unsigned int", "uint32": "unsigned int",
    "uint64": "long unsigned int", "bool": "bool",
    "complex64": "c10::complex<float>", "complex128": "c10::complex<double>",
}  # fmt: skip


# ---------------------------------------------------------------- the order of elements


def memory_order(array: np.ndarray) -> list[int]:
    """The axes of an array, the one with the largest stride first."""
    return sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis]))


def pour(array: np.ndarray, values: np.ndarray) -> None:
    """Writes flat values into an array, first where it begins in memory."""
    if not array.flags.c_contiguous:
        array = array.transpose(memory_order(array))
    array[...] = values.reshape(array.shape)


# ---------------------------------------------------------------- history


class Random(Node):
    """History of random values: the gradient towards what they were drawn with is zero."""

    __slots__ = ()

    def backward(self, grads: list) -> list:
        """Zero for every edge."""
        ((shape, form),) = self.outputs
        return [fixed(np.zeros(shape, form)) for _ in self.edges]


@functools.cache
def _node(name: str) -> type:
    return type(name, (Random,), {"__slots__": ()})


def remember(value: Tensor, node: str, *inputs: Any) -> Tensor:
    """Puts a `Random` node on the tape if an input requires a gradient."""
    edges = [edge_to(t) for t in inputs if isinstance(t, Tensor)]
    if modes.grad and any(edges):
        value._node = _node(node)(edges, (), 0, ((value._array.shape, value._array.dtype),))
        value._slot, value._requires_grad = 0, True
    return value


def _note_fill(self: Tensor, draw: Callable, args: tuple, kwargs: dict) -> None:
    if any(isinstance(a, Tensor) for a in (*args, *kwargs.values())):
        refuse(f"{draw.__name__} draws with probabilities that a tensor gives")
    form = empty_as(self._array, self._array.dtype)

    def filled(xp: Any) -> np.ndarray:
        made = np.empty_like(form)
        pour(made, draw(wrap(form), *args, **kwargs))
        return made

    note_write(draw.__name__, filled, (), (), (self,), pure=False)


def fills(node: str) -> Callable:
    """Makes a method that overwrites a tensor of a function (tensor, ...) -> flat values."""

    def decorate(draw: Callable) -> Callable:
        @functools.wraps(draw)
        def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
            check_writable(self)
            if "from" in kwargs:  # a word of Python, and no name of a parameter there
                kwargs["from_"] = kwargs.pop("from")
            pour(self._array, draw(self, *args, **kwargs))
            if tracers:
                _note_fill(self, draw, args, kwargs)
            return written(self, remember(wrap(self._array), node, self))

        expose(method, f"Tensor.{draw.__name__}")
        return method

    return decorate


# ---------------------------------------------------------------- uniform and normal


def need_float(dtype: dtype_, kernel: str, n: int = 1) -> None:
    """NotImplementedError, as PyTorch words it, if n elements are drawn and are no real floats."""
    if n and dtype.np.name not in draws.DIGITS:
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{dtype.scalar_name}'")


def uniform_values(
    generator: Any, n: int, dtype: dtype_, low: float = 0.0, high: float = 1.0
) -> np.ndarray:
    """n uniform numbers of a type; of a complex type, both parts uniform."""
    generator = check_generator(generator)
    if dtype.is_complex:
        return uniform_values(generator, 2 * n, dtype.to_real(), low, high).view(dtype.np)
    need_float(dtype, "check_uniform_bounds")
    if (low, high) != (0.0, 1.0):
        _check_range(dtype, low, high)
    return draws.uniform(generator, n, dtype.np, low, high)


def _check_range(dtype: dtype_, low: float, high: float) -> None:
    limit = finfo(dtype).max
    for name, value in (("from", low), ("to", high)):
        if not -limit <= value <= limit:
            raise RuntimeError(f"{name} is out of bounds for {C_NAMES[dtype.np.name]}")
    if low > high:
        raise RuntimeError(
            f"uniform_ expects to return a [from, to) range, but found from={low:g} > to={high:g}"
        )
    if high - low > limit:
        raise RuntimeError(
            f"uniform_ expects to-from <= std::numeric_limits<{dtype.scalar_name}>::max(), but "
            f"found to={high:g} and from={low:g} which result in to-from to exceed the limit"
        )


def normal_values(
    generator: Any, n: int, dtype: dtype_, mean: float = 0.0, std: float = 1.0, dense: bool = True
) -> np.ndarray:
    """n normal numbers of a type; of a complex type, std is that of the modulus."""
    generator = check_generator(generator)
    if not std >= 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std:g}")
    if dtype.is_complex:
        parts = normal_values(generator, 2 * n, dtype.to_real(), mean, std / math.sqrt(2), dense)
        return parts.view(dtype.np)
    need_float(dtype, "normal_kernel_cpu", n)
    return draws.normal(generator, n, dtype.np, mean, std, dense)


@fills("UniformBackward0")
def uniform_(
    self: Tensor, from_: float = 0.0, to: float = 1.0, *, generator: Generator | None = None
) -> np.ndarray:
    """Fills with uniform numbers in [from, to)."""
    return uniform_values(generator, self._array.size, self.dtype, from_, to)


@fills("NormalBackward0")
def normal_(
    self: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None
) -> np.ndarray:
    """Fills with normal numbers of the given mean and standard deviation."""
    array = self._array
    return normal_values(generator, array.size, self.dtype, mean, std, array.flags.c_contiguous)


# ---------------------------------------------------------------- other distributions


@fills("LogNormalBackward0")
def log_normal_(
    self: Tensor, mean: float = 1.0, std: float = 2.0, *, generator: Generator | None = None
) -> np.ndarray:
    """Fills with e to the power of normal numbers; mean and std are those of the normal numbers."""
    if not std > 0:
        raise RuntimeError(f"log_normal_ expects std > 0.0, but found std={std:g}")
    array = self._array
    need_float(self.dtype, "log_normal_cpu", array.size)
    return draws.log_normal(check_generator(generator), array.size, array.dtype, mean, std)


@fills("ExponentialBackward0")
def exponential_(
    self: Tensor, lambd: float = 1.0, *, generator: Generator | None = None
) -> np.ndarray:
    """Fills from the exponential density λ exp(-λx), x > 0."""
    if not lambd > 0:
        raise RuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={lambd:g}")
    if self.dtype.np.name not in draws.DIGITS and self._array.size:
        raise RuntimeError(
            "Exponential distribution is a continuous probability distribution. dtype must be a "
            f"floating point but you specified {self.dtype.scalar_name}"
        )
    array = self._array
    return draws.exponential(check_generator(generator), array.size, array.dtype, lambd)


@fills("CauchyBackward0")
def cauchy_(
    self: Tensor, median: float = 0.0, sigma: float = 1.0, *, generator: Generator | None = None
) -> np.ndarray:
    """Fills from the Cauchy density σ / (π ((x - median)² + σ²))."""
    if not sigma > 0:
        raise RuntimeError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma:g}")
    if self.dtype.np.name not in draws.DIGITS:
        raise RuntimeError(
            "Cauchy distribution is a continuous probability distribution. dtype must be a "
            f"floating point but you specified {C_NAMES.get(self.dtype.name, self.dtype.name)}"
        )
    array = self._array
    return draws.cauchy(check_generator(generator), array.size, array.dtype, median, sigma)


@fills("GeometricBackward0")
def geometric_(self: Tensor, p: float, *, generator: Generator | None = None) -> np.ndarray:
    """Fills with k = 1, 2, ... of probability p (1 - p)^(k - 1)."""
    if not 0 < p < 1:
        raise RuntimeError(f"geometric_ expects p to be in (0, 1), but got p={p:g}")
    array = self._array
    if array.dtype.kind not in "iu":
        need_float(self.dtype, "geometric_cpu", array.size)
    return draws.geometric(check_generator(generator), array.size, array.dtype, p)


# ---------------------------------------------------------------- Bernoulli


def bernoulli_values(generator: Any, array: np.ndarray, p: float) -> np.ndarray:
    """True with probability p, for every element of an array, in memory order."""
    if not 0 <= p <= 1:
        raise RuntimeError(f"bernoulli_ expects p to be in [0, 1], but got p={p:g}")
    return draws.bernoulli(check_generator(generator), array.size, float(p))


def bernoulli_each(generator: Any, array: np.ndarray, p: Tensor) -> np.ndarray:
    """True with the probability that a tensor gives for each element, in memory order."""
    need_float(p.dtype, "bernoulli_tensor_cpu_p_")
    chances = p._array
    if not ((chances >= 0) & (chances <= 1)).all():
        raise RuntimeError(
            "Expected p_in >= 0 && p_in <= 1 to be true, but got false.  (Could this error message "
            "be improved?  If so, please report an enhancement request to PyTorch.)"
        )
    if chances.shape != array.shape:
        chances = p.expand(array.shape)._array  # type: ignore[attr-defined]
    flat = chances.transpose(memory_order(array)).reshape(-1)
    return draws.bernoulli(check_generator(generator), array.size, flat)


@fills("BernoulliBackward1")
def bernoulli_(
    self: Tensor, p: float | Tensor = 0.5, *, generator: Generator | None = None
) -> np.ndarray:
    """Fills with 1 with probability p, else 0; p may be a tensor that broadcasts."""
    if self.dtype.is_complex:
        kernel = "tensor_cpu_self" if isinstance(p, Tensor) else "scalar_cpu"
        name = self.dtype.scalar_name
        raise NotImplementedError(f"\"bernoulli_{kernel}_\" not implemented for '{name}'")
    if isinstance(p, Tensor):
        return bernoulli_each(generator, self._array, p)
    return bernoulli_values(generator, self._array, p)


def slopes_below_zero(xp: Any, array: np.ndarray, low: float, high: float) -> np.ndarray:
    """Per element a number in [low, high) where the element is not positive, elsewhere 1."""
    kind = np.float64 if array.dtype == np.float64 else np.float32
    slopes = np.ones(array.shape, kind)
    below = array <= 0
    start, stop = float(kind(low)), float(kind(high))
    drawn = draws.unit64(check_generator(None), int(below.sum()))
    slopes[below] = drawn * (stop - start) + start
    return slopes
