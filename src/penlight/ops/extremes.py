"""The largest and the smallest, and where they are.

A NaN beats every number; among equals the first one counts.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.tensor import Tensor, check_dim
from . import compare
from .families import composite, op
from .kinds import COMPLEX, need_tensors, unsupported
from .reduce import Dims, axes, restored
from .return_types import return_type


def need_elements(name: str, shape: tuple[int, ...], dims: tuple[int, ...]) -> None:
    """IndexError where an axis to be reduced is empty."""
    for d in dims:
        if shape[d] == 0:
            raise IndexError(f"{name}(): Expected reduction dim {d} to have non-zero size.")


def _need_dim(name: str, input: Tensor, error: type[Exception] = RuntimeError) -> None:
    if input._array.size == 0:
        hint = "" if error is IndexError else (
            " Specify the reduction dim with the 'dim' argument."
        )  # fmt: skip
        raise error(
            f"{name}(): Expected reduction dim to be specified for input.numel() == 0.{hint}"
        )


def _shared(g: Tensor, x: Tensor, y: Tensor, dims: tuple[int, ...], keepdim: bool) -> Tensor:
    """The gradient of an extreme value, in equal parts to the elements that have it."""
    shape = x._array.shape
    best = restored(y, shape, dims, keepdim)
    winners = (x == best) | (x.isnan() & best.isnan())
    return restored(g, shape, dims, keepdim) * winners / winners.sum(dims, True)


def placed(g: Tensor, indices: Tensor, dim: int, keepdim: bool, shape: tuple[int, ...]) -> Tensor:
    """The gradient of elements taken at `indices` along `dim`: zero elsewhere."""
    if not shape:
        return g
    if not keepdim:
        g, indices = g.unsqueeze(dim), indices.unsqueeze(dim)
    return g.new_zeros(shape).scatter(dim, indices, g)


# ---------------------------------------------------------------- values


def _extreme_value(name: str) -> tuple[Any, Any]:
    """amax-like reduction over axes, and the form over everything."""
    rule = {"input": lambda g, x, y, dims, keepdim: _shared(g, x, y, dims, keepdim)}
    whole_rule = {"input": lambda g, x, y: _shared(g, x, y, tuple(range(x._array.ndim)), False)}
    plain, title = name[1:], name[1:].capitalize()

    @op(name=f"_{name}", grad=rule, node=f"A{plain}Backward0")
    def over_axes(xp: Any, input: Any, dims: Any, keepdim: bool) -> Any:
        if input.dtype.kind == COMPLEX:
            raise unsupported(f"{plain}_values_cpu", input)
        return getattr(xp, plain)(input, dims, keepdims=keepdim) if input.ndim else input.copy()

    @op(name=f"_{plain}_all", grad=whole_rule, node=f"{title}Backward1")
    def over_all(xp: Any, input: Any) -> Any:
        if input.dtype.kind == COMPLEX:
            raise unsupported(f"{plain}_all", input)
        return getattr(xp, plain)(input)

    def function(input: Tensor, dim: Dims = (), keepdim: bool = False) -> Tensor:
        dims = axes(dim, input._array.ndim)
        if dim is None or dim == ():
            _need_dim(name, input)
        need_elements(name, input._array.shape, dims)
        return over_axes(input, dims, keepdim)

    function.__name__ = name
    function.__doc__ = f"The {title}imum along axes; equal elements share the gradient."
    return composite(function), over_all


amax, _max_all = _extreme_value("amax")
amin, _min_all = _extreme_value("amin")

# ---------------------------------------------------------------- values and indices


def _along(name: str, doc: str, arg: Any, whole: Any, pair: Any) -> Any:
    """max and min: of everything, along an axis with indices, or of two tensors."""

    @op(
        name=f"_{name}_dim", result=return_type(name, "values indices"),
        node=f"{name.capitalize()}Backward0",
        grad={
            "input": lambda g, y, dim, keepdim, input_shape: placed(
                g[0], y[1], dim, keepdim, input_shape
            )
        },
    )  # fmt: skip
    def with_indices(xp: Any, input: Any, dim: int, keepdim: bool) -> Any:
        if input.ndim == 0:
            return input.copy(), np.zeros((), np.int64)
        if input.dtype.kind == COMPLEX:
            raise RuntimeError(f"{name}(): does not support complex input")
        where = arg(input, dim, keepdims=True)
        values = xp.take_along_axis(input, where, dim)
        return (values, where) if keepdim else (values.squeeze(dim), where.squeeze(dim))

    def function(input: Tensor, dim: Any = None, keepdim: bool = False, **other: Any) -> Any:
        if "other" in other or isinstance(dim, Tensor):
            return pair(input, other.pop("other", dim), **other)
        if other:
            raise TypeError(f"{name}() got an unexpected keyword argument '{next(iter(other))}'")
        need_tensors(name, "input")(input)
        if dim is None:
            _need_dim(name, input)
            return whole(input)
        if isinstance(dim, bool) or not hasattr(dim, "__index__"):
            raise TypeError(
                f"{name}() received an invalid combination of arguments - got (Tensor, "
                f"{type(dim).__name__}), but expected one of:\n * (Tensor input, *, Tensor out = "
                "None)\n * (Tensor input, Tensor other, *, Tensor out = None)\n * (Tensor input, "
                "int dim, bool keepdim = False, *, tuple of Tensors out = None)\n"
            )
        dim = check_dim(dim, input._array.ndim)
        if input._array.ndim:
            need_elements(name, input._array.shape, (dim,))
        return with_indices(input, dim, keepdim)

    function.__name__, function.__doc__ = name, doc
    return composite(function)


max = _along(
    "max", "The largest element; along `dim` with its index; or the larger of two tensors.",
    np.argmax, _max_all, compare.maximum,
)  # fmt: skip
min = _along(
    "min", "The smallest element; along `dim` with its index; or the smaller of two tensors.",
    np.argmin, _min_all, compare.minimum,
)  # fmt: skip


def _position(name: str, arg: Any) -> Any:
    @op(name="_" + name)
    def record(xp: Any, input: Any, dim: int | None, keepdim: bool) -> Any:
        if input.dtype.kind in "bc":
            kind = "bool" if input.dtype.kind == "b" else "complex"
            raise RuntimeError(f"{name}(): does not support {kind} input")
        if input.ndim == 0:
            return np.zeros((), np.int64)
        return xp.asarray(arg(input, dim, keepdims=keepdim))

    def function(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
        if dim is None:
            _need_dim(name, input, IndexError)
            return record(input, None, keepdim)
        dim = check_dim(dim, input._array.ndim)
        if input._array.ndim:
            need_elements(name, input._array.shape, (dim,))
        return record(input, dim, keepdim)

    function.__name__ = name
    function.__doc__ = f"The index of the {name[3:]}imum, in the flattened tensor or along `dim`."
    return composite(function)


argmax = _position("argmax", np.argmax)
argmin = _position("argmin", np.argmin)


@op(
    grad={
        "input": lambda g, x, y, dims, keepdim: (
            _shared(g[0], x, y[0], dims, keepdim) + _shared(g[1], x, y[1], dims, keepdim)
        )
    },
    result=return_type("aminmax", "min max"), node="AminmaxBackward0",
)  # fmt: skip
def _aminmax(xp: Any, input: Any, dims: Any, keepdim: bool) -> Any:
    if input.dtype.kind == COMPLEX:
        raise unsupported("aminmax_cpu", input)
    return xp.min(input, dims, keepdims=keepdim), xp.max(input, dims, keepdims=keepdim)


@composite
def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False) -> Any:
    """Minimum and maximum in one pass."""
    shape = input._array.shape
    if dim is None and input._array.size == 0:
        raise RuntimeError(
            "aminmax(): cannot compute aminmax over an empty dimension as the operation has no "
            "identity."
        )
    dims = axes(dim, len(shape))
    need_elements("aminmax", shape, dims)
    return _aminmax(input, dims, keepdim)


# ---------------------------------------------------------------- a fingerprint of all elements


@op
def _hash(xp: Any, input: Any, dims: Any, keepdim: bool) -> Any:
    if input.dtype.kind == COMPLEX:
        raise unsupported("xor_sum_cpu", input)
    wide = input.astype(np.int64 if input.dtype.kind in "biu" else np.float64)
    return xp.asarray(xp.bitwise_xor.reduce(wide.view(np.uint64), dims, keepdims=keepdim))


@composite
def hash_tensor(input: Tensor, dim: Dims = (), *, keepdim: bool = False, mode: int = 0) -> Tensor:
    """The exclusive or of the elements' 64-bit patterns, as uint64."""
    if mode != 0:
        raise RuntimeError(f"Unknown hash_tensor mode: {mode}")
    if dim is None or dim == ():
        _need_dim("hash_tensor", input)
    dims = axes(dim, input._array.ndim)
    need_elements("hash_tensor", input._array.shape, dims)
    return _hash(input, dims, keepdim)
