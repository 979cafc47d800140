"""New random tensors: PyTorch's CPU numbers, bit for bit.

The drawing itself is in `core/draws.py`; here are the arguments and their errors.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import dtype as dtypes
from ..core import random as generators
from ..core.beside import computed
from ..core.memory import empty_as
from ..core.random import Generator
from ..core.tensor import Tensor, wrap
from .arguments import need_tensor
from .exposure import EXPOSED, expose, into_out
from .factory import factory, sizes
from .families import composite
from .filling import (
    bernoulli_each,
    bernoulli_values,
    normal_values,
    pour,
    remember,
    uniform_values,
)  # fmt: skip
from .operands import check_broadcast

for _name in ("Generator", "manual_seed", "seed", "initial_seed", "get_rng_state", "set_rng_state"):
    expose(getattr(generators, _name), f"torch.{_name}")
EXPOSED["torch"]["default_generator"] = generators.default_generator  # type: ignore[assignment]


# ---------------------------------------------------------------- uniform and normal


@factory("torch.rand", draws=True)
def rand(*size, dtype=None, generator=None, **kwargs):
    """Uniform numbers in [0, 1).

    >>> import penlight as torch
    >>> _ = torch.manual_seed(0)
    >>> torch.rand(3)
    tensor([0.4963, 0.7682, 0.0885])
    """
    shape = sizes("rand", size, kwargs)
    dtype = dtypes.get_default_dtype() if dtype is None else dtype
    return uniform_values(generator, math.prod(shape), dtype).reshape(shape)


@factory("torch.randn", draws=True)
def randn(*size, dtype=None, generator=None, **kwargs):
    """Normal numbers with mean 0 and variance 1.

    >>> import penlight as torch
    >>> _ = torch.manual_seed(0)
    >>> torch.randn(3)
    tensor([ 1.5410, -0.2934, -2.1788])
    """
    shape = sizes("randn", size, kwargs)
    dtype = dtypes.get_default_dtype() if dtype is None else dtype
    return normal_values(generator, math.prod(shape), dtype).reshape(shape)


@factory("torch.rand_like", draws=True)
def rand_like(input, *, dtype=None, generator=None, memory_format=None):
    """Uniform numbers in [0, 1) in the shape of `input`."""
    need_tensor("rand_like", input)
    dtype = input.dtype if dtype is None else dtype
    array = empty_as(input._array, dtype.np, memory_format)
    pour(array, uniform_values(generator, array.size, dtype))
    return array


@factory("torch.randn_like", draws=True)
def randn_like(input, *, dtype=None, generator=None, memory_format=None):
    """Normal numbers with mean 0 and variance 1 in the shape of `input`."""
    need_tensor("randn_like", input)
    dtype = input.dtype if dtype is None else dtype
    array = empty_as(input._array, dtype.np, memory_format)
    pour(array, normal_values(generator, array.size, dtype, dense=array.flags.c_contiguous))
    return array


@composite(names="torch.normal")
def normal(
    mean: Any, std: Any = 1.0, size: Any = None, *, generator: Generator | None = None,
    out: Tensor | None = None, **options: Any,
) -> Tensor:  # fmt: skip
    """Normal numbers; mean and std are numbers (then `size` is given) or tensors that broadcast.

    >>> import penlight as torch
    >>> torch.normal(torch.tensor([1.0, 10.0]), 0.0)
    tensor([ 1., 10.])
    """
    if not isinstance(mean, Tensor) and not isinstance(std, Tensor):
        if size is None:
            got = ", ".join(type(v).__name__ for v in (mean, std))
            raise TypeError(
                f"normal() received an invalid combination of arguments - got ({got}), but "
                "expected (Tensor mean, Tensor std), (Tensor mean, float std), "
                "(float mean, Tensor std) or (float mean, float std, tuple of ints size)"
            )
        return _normal_of_size(size, mean, std, generator=generator, out=out, **options)
    if isinstance(std, Tensor):
        _check_deviations(std)
        if isinstance(mean, Tensor):
            check_broadcast(mean._array.shape, std._array.shape)
        shape = np.broadcast_shapes(np.shape(getattr(mean, "_array", mean)), std._array.shape)
        like = mean if isinstance(mean, Tensor) else std
        scale = 1.0
    else:
        shape, like, scale = mean._array.shape, mean, std
    values = normal_values(generator, math.prod(shape), like.dtype, 0.0, scale).reshape(shape)
    if isinstance(std, Tensor):
        values *= std._array.astype(values.dtype, copy=False)
    values += mean._array if isinstance(mean, Tensor) else values.dtype.type(mean)
    node = f"NormalBackward{1 + isinstance(std, Tensor) * (1 + isinstance(mean, Tensor))}"
    value = remember(wrap(values), node, mean, std)
    return value if out is None else into_out(out, value)


@factory("", draws=True)
def _normal_of_size(size, mean, std, *, dtype=None, generator=None):
    shape = sizes("normal", (size,), {})
    dtype = dtypes.get_default_dtype() if dtype is None else dtype
    return normal_values(generator, math.prod(shape), dtype, mean, std).reshape(shape)


def _check_deviations(std: Tensor) -> None:
    if std.dtype.is_complex:
        raise RuntimeError("normal expects standard deviation to be non-complex")
    if not (std._array >= 0).all():
        raise RuntimeError("normal expects all elements of std >= 0.0")


# ---------------------------------------------------------------- Bernoulli


@composite(names="torch.bernoulli Tensor.bernoulli")
def bernoulli(
    input: Tensor, p: float | None = None, *, generator: Generator | None = None
) -> Tensor:
    """1 with the probability that `input` gives for each element (or with probability p), else 0.

    >>> import penlight as torch
    >>> torch.bernoulli(torch.tensor([0.0, 1.0]))
    tensor([0., 1.])
    """
    need_tensor("bernoulli", input)
    if input.dtype.is_complex:
        name = input.dtype.scalar_name
        raise NotImplementedError(f"\"bernoulli_tensor_cpu_self_\" not implemented for '{name}'")
    drawn = computed(_bernoulli, np, input, p, generator, pure=False)
    return remember(drawn, "BernoulliBackward0", input)


def _bernoulli(xp: Any, input: np.ndarray, p: float | None, generator: Any) -> np.ndarray:
    drawn = np.empty(input.shape, input.dtype)
    if p is not None:
        pour(drawn, bernoulli_values(generator, drawn, p))
    else:
        pour(drawn, bernoulli_each(generator, drawn, wrap(input)))
    return drawn
