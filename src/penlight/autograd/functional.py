"""Jacobians, Hessians and products with them: the names of torch.autograd.functional."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.tensor import Tensor, wrap
from .engine import grad
from .grad_mode import enable_grad


def _tuple(x: Any) -> tuple:
    return (x,) if isinstance(x, Tensor) else tuple(x)


def _leaves(inputs: Any, create_graph: bool) -> tuple[Tensor, ...]:
    """Inputs to differentiate by: as they are for a graph, else detached copies."""
    if create_graph:
        return tuple(t if t.requires_grad else t.detach().requires_grad_() for t in _tuple(inputs))
    return tuple(t.detach().clone().requires_grad_() for t in _tuple(inputs))


def _like(given: Any, found: tuple) -> Any:
    return found[0] if isinstance(given, Tensor) else found


def _zeros(t: Tensor) -> Tensor:
    return wrap(np.zeros(t._array.shape, t._array.dtype))


def _row(shape: tuple, dtype: Any, k: int) -> Tensor:
    unit = np.zeros(shape, dtype)
    unit.reshape(-1)[k] = 1
    return wrap(unit)


@enable_grad()
def vjp(
    func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple:
    """(func(inputs), vᵀ J): the Jacobian's product with a vector on its output side."""
    leaves = _leaves(inputs, create_graph)
    out = func(*leaves)
    outs = _tuple(out)
    if v is None and (len(outs) != 1 or outs[0].numel() != 1):
        raise RuntimeError(
            "The vector v can only be None if the user-provided function returns a single Tensor "
            "with a single element."
        )
    weights = (None,) if v is None else _tuple(v)
    found = grad(outs, leaves, weights, create_graph=create_graph, allow_unused=True)
    filled = tuple(_zeros(t) if g is None else g for t, g in zip(leaves, found))
    outs = outs if create_graph else tuple(o.detach() for o in outs)
    return _like(out, outs), _like(inputs, filled)


@enable_grad()
def jvp(
    func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple:
    """(func(inputs), J v), by differentiating vᵀJ once more."""
    leaves = _leaves(inputs, create_graph)
    out = func(*leaves)
    outs = _tuple(out)
    weights = tuple(_zeros(o).requires_grad_() for o in outs)
    first = grad(outs, leaves, weights, create_graph=True, allow_unused=True)
    pairs = [
        (g, wrap(np.ones(t._array.shape, t._array.dtype)) if v is None else w)
        for g, t, w in zip(first, leaves, _tuple(v) if v is not None else leaves)
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
    leaves = _leaves(inputs, create_graph)
    out = func(*leaves)
    tables = []
    for o in _tuple(out):
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

    return jacobian(slope, inputs, create_graph=create_graph)


def vhp(
    func: Callable, inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple:
    """(func(inputs), vᵀ H) of a function with one scalar result."""
    with enable_grad():
        leaves = _leaves(inputs, create_graph)
        out = func(*leaves)
        first = grad(out, leaves, create_graph=True, allow_unused=True)
        weights = (None,) * len(leaves) if v is None else _tuple(v)
        pairs = [(g, w) for g, w in zip(first, weights)
                 if g is not None and g.requires_grad]  # fmt: skip
        found = (
            grad([g for g, _ in pairs], leaves, [w for _, w in pairs],
                 create_graph=create_graph, allow_unused=True)
            if pairs else (None,) * len(leaves)
        )  # fmt: skip
    filled = tuple(_zeros(t) if g is None else g for t, g in zip(leaves, found))
    return (out if create_graph else out.detach()), _like(inputs, filled)


hvp = vhp  # a Hessian is symmetric
