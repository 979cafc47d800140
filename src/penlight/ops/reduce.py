"""Reductions: many elements to one."""

from __future__ import annotations

from ..core.tensor import check_dim
from .record import composite, op


@op(grad={"input": lambda g, input_shape: g.expand(input_shape)}, node="SumBackward0")
def _sum_all(xp, input, dtype=None):
    return xp.sum(input, dtype=dtype)


@op(
    grad={"input": lambda g, input_shape, dim, keepdim: restored(g, input_shape, dim, keepdim)},
    node="SumBackward1",
)
def _sum_dims(xp, input, dim, keepdim, dtype=None):
    return xp.sum(input, dim, keepdims=keepdim, dtype=dtype)


def restored(g, shape, dims, keepdim):
    """A reduced tensor spread again over the reduced axes."""
    if not keepdim:
        for d in sorted(check_dim(d, len(shape)) for d in dims):
            g = g.unsqueeze(d)
    return g.expand(shape)


@composite
def sum(input, dim=None, keepdim=False, *, dtype=None):
    """Sum of all elements or along axes."""
    kind = dtype.np if dtype is not None else None
    if dim is None or dim == ():
        return _sum_all(input, kind)
    return _sum_dims(input, (dim,) if isinstance(dim, int) else tuple(dim), keepdim, kind)
