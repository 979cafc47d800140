"""Values kept between bounds, which are numbers or tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.tensor import Tensor
from .families import composite, op
from .kinds import COMPLEX, need_tensors, unsupported
from .operands import result_dtype
from .powers import broadcastable

Bound = Tensor | float | None


def _bounded(xp: Any, input: Any, low: Any, high: Any, dtype: np.dtype) -> Any:
    """The upper bound wins where the bounds cross; a NaN stays, as does a NaN bound."""
    if dtype.kind == COMPLEX:
        raise NotImplementedError("clamp is not supported for complex types")
    if dtype.kind == "b" and not isinstance(high if low is None else low, np.ndarray):
        side = "" if low is not None and high is not None else "_max" if low is None else "_min"
        raise unsupported(f"clamp{side}_scalar_cpu", input)
    result = input.astype(dtype, copy=False)
    if low is not None:
        result = xp.maximum(result, xp.asarray(low).astype(dtype))
    if high is not None:
        result = xp.minimum(result, xp.asarray(high).astype(dtype))
    return result if result is not input else input.copy()


def _inside(g: Tensor, x: Tensor, low: Bound, high: Bound) -> Tensor:
    outside = None
    if low is not None:
        outside = ~(x >= low)
    if high is not None:
        above = ~(x <= high)
        outside = above if outside is None else outside | above
    return g.masked_fill(outside, 0)


def _below(g: Tensor, x: Tensor, low: Tensor, high: Bound) -> Tensor:
    kept = x < low if high is None else (x < low) & (low < high)
    return g.masked_fill(~kept, 0)


def _above(g: Tensor, x: Tensor, low: Bound, high: Tensor) -> Tensor:
    kept = x > high if low is None else (x > high) | (low >= high)
    return g.masked_fill(~kept, 0)


_clamp_numbers = op(
    _bounded, name="_clamp_numbers", node="ClampBackward1",
    grad={"input": lambda g, x, low, high: _inside(g, x, low, high)},
)  # fmt: skip
_clamp_tensors = op(
    _bounded, name="_clamp_tensors", node="ClampBackward0",
    grad={
        "input": lambda g, x, low, high: _inside(g, x, low, high),
        "low": lambda g, x, low, high: _below(g, x, low, high),
        "high": lambda g, x, low, high: _above(g, x, low, high),
    },
)  # fmt: skip


@composite(names="torch.clamp Tensor.clamp torch.clip Tensor.clip", inplace=True)
def clamp(input: Tensor, min: Bound = None, max: Bound = None) -> Tensor:
    """min(max(x, lower bound), upper bound)

    >>> import penlight as torch
    >>> torch.tensor([-1.0, 0.5, 2.0]).clamp(0, 1)
    tensor([0.0000, 0.5000, 1.0000])
    """
    bounds = [b for b in (min, max) if b is not None]
    if not bounds:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    tensors = [isinstance(b, Tensor) for b in bounds]
    if any(tensors) and not all(tensors):
        given = "".join(
            f", {name}={'Tensor' if isinstance(b, Tensor) else type(b).__name__}"
            for name, b in (("max", max), ("min", min))
        )
        raise TypeError(
            f"clamp() received an invalid combination of arguments - got (Tensor{given}), but "
            "expected one of:\n * (Tensor input, Tensor min = None, Tensor max = None, *, Tensor "
            "out = None)\n * (Tensor input, Number min = None, Number max = None, *, Tensor out = "
            "None)\n"
        )
    broadcastable(input, *bounds)
    function = _clamp_tensors if tensors[0] else _clamp_numbers
    return function(input, min, max, result_dtype((input, *bounds)).np)


def _one_sided(name: str, lower: bool) -> Any:
    """clamp_min or clamp_max: a number or a tensor as the only bound."""
    title = "ClampMin" if lower else "ClampMax"

    def meaning(xp: Any, input: Any, bound: Any, dtype: np.dtype) -> Any:
        if dtype.kind == COMPLEX and isinstance(bound, np.ndarray):
            raise unsupported("maximum_cpu" if lower else "minimum_cpu", input.astype(dtype))
        low, high = (bound, None) if lower else (None, bound)
        return _bounded(xp, input, low, high, dtype)

    def inside(g: Tensor, x: Tensor, bound: Any) -> Tensor:
        return g.masked_fill(~(x >= bound if lower else x <= bound), 0)

    def outside(g: Tensor, x: Tensor, bound: Any) -> Tensor:
        return g.masked_fill(~(x < bound if lower else x > bound), 0)

    rule = {"input": lambda g, x, bound: inside(g, x, bound)}
    by_number = op(meaning, name=f"_{name}_number", grad=rule, node=f"{title}Backward0")
    rules = rule | {"bound": lambda g, x, bound: outside(g, x, bound)}
    by_tensor = op(meaning, name=f"_{name}_tensor", grad=rules, node=f"{title}Backward1")

    def function(input: Tensor, bound: Tensor | float) -> Tensor:
        need_tensors(name, "input")(input)
        broadcastable(input, bound)
        record = by_tensor if isinstance(bound, Tensor) else by_number
        return record(input, bound, result_dtype((input, bound)).np)

    return function


_at_least, _at_most = _one_sided("clamp_min", lower=True), _one_sided("clamp_max", lower=False)


@composite(inplace=True)
def clamp_min(input: Tensor, min: Tensor | float) -> Tensor:
    """The larger of x and the bound."""
    return _at_least(input, min)


@composite(inplace=True)
def clamp_max(input: Tensor, max: Tensor | float) -> Tensor:
    """The smaller of x and the bound."""
    return _at_most(input, max)
