"""Jacobians, Hessians and products with them: the names of torch.autograd.functional."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.beside import fixed
from ..core.tensor import Tensor, wrap
from .engine import grad
from .grad_mode import enable_grad


def _checked(given: Any, name: str, function: str) -> tuple[Tensor, ...]:
    """One tensor or a tuple of tensors as a tuple; TypeError for anything else."""
    listed = given if isinstance(given, tuple) else (given,)
    for i, item in enumerate(listed):
        if not isinstance(item, Tensor):
            where = f"value at index {i}" if listed is given else f"given {name}"
            raise TypeError(
                f"The {name} given to {function} must be either a Tensor or a tuple of Tensors but "
                f"the {where} has type {type(item)}."
            )
    return listed


def _results(out: Any, function: str) -> tuple[Tensor, ...]:
    return _checked(out, "outputs of the user-provided function", function)


def _vector(v: Any, function: str, like: tuple[Tensor, ...], several: bool) -> tuple | None:
    """`v` as a tuple of tensors, each of the form of its partner in `like`.

    Where there is none, `like` must be one number: it is weighted by 1.
    """
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            where = "function returns" if function == "vjp" else "function is"
            raise RuntimeError(
                "The vector v can only be None if the "
                + ("" if function == "vjp" else "input to the ")
                + f"user-provided {where} a single Tensor with a single element."
            )
        return None
    vectors = _checked(v, "v", function)
    if len(vectors) != len(like):
        raise RuntimeError(
            f"v is a tuple of invalid length: should be {len(like)} but got {len(vectors)}."
            if several
            else "The given v should contain a single Tensor."
        )
    for i, (one, other) in enumerate(zip(vectors, like)):
        if one.shape != other.shape:
            raise RuntimeError(
                (f"Entry {i} in " if several else "")
                + f"v has invalid size: should be {other.shape} but got {one.shape}."
            )
    return vectors


def _leaves(inputs: Any, function: str, create_graph: bool, strict: bool) -> tuple[Tensor, ...]:
    """Inputs to differentiate by: as they are for a graph, else detached copies."""
    if strict:
        raise NotImplementedError(
            f"penlight's {function} has no strict mode: leave strict=False, where an input that "
            "the outputs do not depend on gets zeros"
        )
    listed = _checked(inputs, "inputs", function)
    if create_graph:
        return tuple(t if t.requires_grad else t.detach().requires_grad_() for t in listed)
    return tuple(t.detach().clone().requires_grad_() for t in listed)


def _like(given: Any, found: tuple) -> Any:
    return found[0] if isinstance(given, Tensor) else found


def _zeros(t: Tensor) -> Tensor:
    return fixed(np.zeros(t._array.shape, t._array.dtype))


def _row(shape: tuple, dtype: Any, k: int) -> Tensor:
    unit = np.zeros(shape, dtype)
    unit.reshape(-1)[k] = 1
    return wrap(unit)


@enable_grad()
def vjp(
    func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple:
    """(func(inputs), vᵀ J): the Jacobian's product with a vector on its output side."""
    leaves = _leaves(inputs, "vjp", create_graph, strict)
    out = func(*leaves)
    outs = _results(out, "vjp")
    weights = _vector(v, "vjp", outs, isinstance(out, tuple)) or (None,)
    found = grad(outs, leaves, weights, create_graph=create_graph, allow_unused=True)
    filled = tuple(_zeros(t) if g is None else g for t, g in zip(leaves, found))
    outs = outs if create_graph else tuple(o.detach() for o in outs)
    return _like(out, outs), _like(inputs, filled)


@enable_grad()
def jvp(
    func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple:
    """(func(inputs), J v), by differentiating vᵀJ once more."""
    leaves = _leaves(inputs, "jvp", create_graph, strict)
    vector = _vector(v, "jvp", leaves, isinstance(inputs, tuple))
    out = func(*leaves)
    outs = _results(out, "jvp")
    weights = tuple(_zeros(o).requires_grad_() for o in outs)
    first = grad(outs, leaves, weights, create_graph=True, allow_unused=True)
    pairs = [
        (g, fixed(np.ones(t._array.shape, t._array.dtype)) if vector is None else w)
        for g, t, w in zip(first, leaves, vector or leaves)
        if g is not None
    ]
    found = grad([g for g, _ in pairs], weights, [w for _, w in pairs],
                 create_graph=create_graph, allow_unused=True)  # fmt: skip
    filled = tuple(_zeros(o) if g is None else g for o, g in zip(outs, found))
    outs = outs if create_graph else tuple(o.detach() for o in outs)
    return _like(out, outs), _like(out, filled)


@enable_grad()
def jacobian(
    func: Callable,
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """d output / d input of shape (*output shape, *input shape); nested tuples for several.

    >>> import penlight as torch
    >>> torch.autograd.functional.jacobian(lambda x: x**2, torch.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    leaves = _leaves(inputs, "jacobian", create_graph, strict)
    out = func(*leaves)
    tables = []
    for o in _results(out, "jacobian"):
        rows: list[list[Tensor]] = [[] for _ in leaves]
        for k in range(o.numel()):
            unit = _row(o._array.shape, o._array.dtype, k)
            found = (
                grad(
                    o, leaves, unit, retain_graph=True, create_graph=create_graph, allow_unused=True
                )
                if o.requires_grad
                else (None,) * len(leaves)
            )
            for row, t, g in zip(rows, leaves, found):
                row.append(_zeros(t) if g is None else g)
        tables.append(
            tuple(
                _stacked(row).reshape((*o._array.shape, *t._array.shape))
                for row, t in zip(rows, leaves)
            )
        )
    per_output = tuple(_like(inputs, table) for table in tables)
    return _like(out, per_output)


def _stacked(rows: list[Tensor]) -> Any:
    from ..ops.exposure import EXPOSED

    return EXPOSED["torch"]["stack"](rows)


def hessian(
    func: Callable,
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """The second derivatives of a function with one scalar result."""

    def slope(*args: Tensor) -> Any:
        out = func(*args)
        if not isinstance(out, Tensor) or out.numel() != 1:
            raise RuntimeError(
                "The Tensor returned by the function given to hessian should contain a single "
                "element"
            )
        found = grad(out, args, create_graph=True, allow_unused=True)
        filled = tuple(_zeros(t) if g is None else g for t, g in zip(args, found))
        return _like(inputs, filled)

    _checked(inputs, "inputs", "hessian")
    return jacobian(slope, inputs, create_graph=create_graph, strict=strict)


def vhp(
    func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple:
    """(func(inputs), vᵀ H) of a function with one scalar result."""
    return _hessian_product("vhp", func, inputs, v, create_graph, strict)


def hvp(
    func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple:
    """(func(inputs), H v) of a function with one scalar result."""
    return _hessian_product("hvp", func, inputs, v, create_graph, strict)


def _hessian_product(
    function: str, func: Callable, inputs: Any, v: Any, create_graph: bool, strict: bool
) -> tuple:
    """Both products: a Hessian is symmetric."""
    with enable_grad():
        leaves = _leaves(inputs, function, create_graph, strict)
        vector = _vector(v, function, leaves, isinstance(inputs, tuple))
        out = func(*leaves)
        first = grad(out, leaves, create_graph=True, allow_unused=True)
        weights = vector or (None,) * len(leaves)
        pairs = [(g, w) for g, w in zip(first, weights)
                 if g is not None and g.requires_grad]  # fmt: skip
        found = (
            grad([g for g, _ in pairs], leaves, [w for _, w in pairs],
                 create_graph=create_graph, allow_unused=True)
            if pairs else (None,) * len(leaves)
        )  # fmt: skip
    filled = tuple(_zeros(t) if g is None else g for t, g in zip(leaves, found))
    return (out if create_graph else out.detach()), _like(inputs, filled)
