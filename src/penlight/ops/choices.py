"""Random choices and counts: multinomial, poisson, binomial."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..compiler import numerics
from ..core import counts, draws
from ..core import dtype as dtypes
from ..core.beside import computed
from ..core.memory import empty_as
from ..core.random import Generator, check_generator
from ..core.tensor import Tensor, wrap
from .arguments import need_tensor
from .exposure import into_out
from .families import composite
from .filling import need_float, pour, remember
from .operands import check_broadcast


@composite(names="torch.multinomial Tensor.multinomial")
def multinomial(
    input: Tensor, num_samples: int, replacement: bool = False, *,
    generator: Generator | None = None, out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Columns drawn with probabilities proportional to the weights in each row of `input`.

    input (C,) or (N, C); result (num_samples,) or (N, num_samples), int64.

    >>> import penlight as torch
    >>> torch.multinomial(torch.tensor([0.0, 3.0, 0.0]), 4, replacement=True)
    tensor([1, 1, 1, 1])
    """
    need_tensor("multinomial", input)
    _check_multinomial(input, num_samples, replacement, out)
    source = check_generator(generator)
    value = computed(_chosen, numerics, input, num_samples, replacement, source, pure=False)
    return value if out is None else into_out(out, value)


def _chosen(xp: Any, weights: Any, num_samples: int, replacement: bool, source: Any) -> Any:
    rows = weights if weights.ndim == 2 else weights[None]
    if not len(rows):
        found = np.empty((0, num_samples), np.int64)
    elif replacement and num_samples > 1:
        _check_rows(rows)
        found = counts.choose_with_replacement(source, rows, num_samples)
    else:
        _check_weights(rows)
        noise = empty_as(rows, rows.dtype)
        pour(noise, draws.exponential(source, rows.size, rows.dtype, 1.0))
        found = counts.choose(rows, noise, num_samples)
    found = np.ascontiguousarray(found)
    return found if weights.ndim == 2 else found[0]


def _check_multinomial(input: Tensor, n: int, replacement: bool, out: Tensor | None) -> None:
    if input._array.ndim not in (1, 2):
        raise RuntimeError("prob_dist must be 1 or 2 dim")
    if input.dtype.np.name not in draws.DIGITS:
        raise RuntimeError(
            "multinomial only supports floating-point dtypes for input, got: "
            f"{input.dtype.scalar_name}"
        )
    if out is not None and out.dtype is not dtypes.int64:
        raise RuntimeError(f"multinomial expects Long tensor out, got: {out.dtype.scalar_name}")
    if n <= 0:
        raise RuntimeError("cannot sample n_sample <= 0 samples")
    categories = input._array.shape[-1]
    if not replacement and n > categories:
        raise RuntimeError(
            "cannot sample n_sample > prob_dist.size(-1) samples without replacement"
        )
    if categories > 2**24:
        raise RuntimeError("number of categories cannot exceed 2^24")


def _check_weights(rows: np.ndarray) -> None:
    if not ((rows >= 0) & np.isfinite(rows)).all():
        raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
    if not rows.any(axis=1).all():
        raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")


def _check_rows(rows: np.ndarray) -> None:
    if not (rows >= 0).all():
        raise RuntimeError("invalid multinomial distribution (encountering probability entry < 0)")
    if not np.isfinite(rows).all():
        raise RuntimeError(
            "invalid multinomial distribution (encountering probability entry = infinity or NaN)"
        )
    if not rows.any(axis=1).all():
        raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")


# ---------------------------------------------------------------- counts


@composite(names="torch.poisson")
def poisson(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Poisson numbers with the rates in `input`.

    >>> import penlight as torch
    >>> torch.poisson(torch.zeros(2))
    tensor([0., 0.])
    """
    need_tensor("poisson", input)
    need_float(input.dtype, "poisson_cpu")
    return _drawn(lambda rates: counts.poisson(check_generator(generator), rates), input)


@composite(names="torch.binomial")
def binomial(count: Tensor, prob: Tensor, generator: Generator | None = None) -> Tensor:
    """How many of `count` trials succeed, each with probability `prob`; the two broadcast.

    >>> import penlight as torch
    >>> torch.binomial(torch.tensor([0.0, 3.0]), torch.tensor([0.5, 1.0]))
    tensor([0., 3.])
    """
    for value, name in ((count, "count"), (prob, "prob")):
        need_tensor("binomial", value, name)
        if value.dtype.np.name not in draws.DIGITS:
            raise ValueError(
                f"binomial only supports floating-point dtypes for {name}, "
                f"got: {value.dtype.scalar_name}"
            )
    if count.dtype is not prob.dtype:
        raise RuntimeError(
            f"Found dtype {prob.dtype.scalar_name} but expected {count.dtype.scalar_name}"
        )
    check_broadcast(count._array.shape, prob._array.shape)
    return _drawn(lambda n, p: counts.binomial(check_generator(generator), n, p), count, prob)


def _drawn(draw: Callable[..., np.ndarray], *parameters: Tensor) -> Tensor:
    """draw(*flat parameters) in the broadcast shape, of the first parameter's type."""
    first, *rest = np.broadcast_arrays(*(t._array for t in parameters))
    drawn = draw(first.reshape(-1), *(a.reshape(-1) for a in rest))
    node = "PoissonBackward0" if len(parameters) == 1 else "BinomialBackward0"
    values = draws.round_to(drawn, first.dtype).reshape(first.shape)
    return remember(wrap(values), node, *parameters)
