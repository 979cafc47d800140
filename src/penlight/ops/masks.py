"""Elements named by a mask: where, masked_fill, masked_select, masked_scatter, nonzero."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.beside import fixed
from ..core.tensor import Tensor, wrap
from ..core.watch import refuse
from .families import composite, op
from .matmul import C_NAMES
from .operands import check_broadcast
from .scatter import corner

# ---------------------------------------------------------------- masks


def _check_mask(name: str, mask: Tensor) -> None:
    if mask._array.dtype != bool:
        raise RuntimeError(
            f"{name} only supports boolean masks, but got mask with dtype "
            f"{C_NAMES.get(mask.dtype.name, mask.dtype.name)}"
        )


@op(
    grad={
        "input": lambda g, mask: _masked_fill(g, mask, 0),
    },
    node="MaskedFillBackward0",
    sample=lambda draw: [(draw(3, 4), fixed(np.eye(3, 4) > 0), 2.0)],
)
def _masked_fill(xp, input, mask, value):
    shape = np.broadcast_shapes(input.shape, mask.shape)
    out = xp.broadcast_to(input, shape).copy()
    xp.copyto(out, xp.asarray(value).astype(out.dtype), where=mask)
    return out


@composite(inplace=True)
def masked_fill(input, mask, value):
    """A copy with `value` where `mask` is true.

    >>> import penlight as torch
    >>> torch.zeros(3).masked_fill(torch.tensor([True, False, True]), 7)
    tensor([7., 0., 7.])
    """
    _check_mask("masked_fill_", mask)
    check_broadcast(input._array.shape, mask._array.shape)
    if isinstance(value, Tensor):
        if value._array.ndim:
            raise RuntimeError(
                "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with "
                f"{value._array.ndim} dimension(s)."
            )
        if value.requires_grad:
            return where(mask, value.to(input.dtype), input)
        refuse("a tensor's value becomes a Python number")
        value = value._array.item()
    if isinstance(value, float) and input._array.dtype.kind in "iub" and value != int(value):
        raise RuntimeError(
            f"value cannot be converted to type {C_NAMES[input.dtype.name]} without overflow"
        )
    return _masked_fill(input, mask, value)


@op(
    grad={"input": lambda g, input_shape, mask: _spread(g, input_shape, mask)},
    sample=lambda draw: [(draw(3, 4), fixed(np.eye(3, 4) > 0))],
)
def masked_select(xp, input, mask):
    """The elements where `mask` is true, as a vector."""
    if mask.dtype != bool:
        raise RuntimeError("masked_select: expected BoolTensor for mask")
    check_broadcast(input.shape, mask.shape)
    input, mask = xp.broadcast_arrays(input, mask)
    return input[mask]


def _spread(g: Tensor, shape: tuple, mask: Tensor) -> Tensor:
    full = np.broadcast_shapes(shape, mask._array.shape)
    zeros = fixed(np.zeros(full, g._array.dtype))
    return zeros.masked_scatter(mask, g)


@op(
    grad={
        "input": lambda g, mask: _masked_fill(g, mask, 0),
        "source": lambda g, mask, source_shape: _collected(g, mask, source_shape),
    },
    inplace=True,
    sample=lambda draw: [(draw(3, 4), fixed(np.eye(3, 4) > 0), draw(5))],
)
def masked_scatter(xp, input, mask, source):
    """A copy whose elements where `mask` is true come from `source`, in order."""
    if mask.dtype != bool:
        raise RuntimeError("masked_scatter_ only supports boolean masks, but got mask with dtype "
                           + C_NAMES.get(wrap(mask).dtype.name, ""))  # fmt: skip
    if input.dtype != source.dtype:
        raise RuntimeError(
            "masked_scatter: expected self and source to have same dtypes but got "
            f"{wrap(input).dtype.scalar_name} and {wrap(source).dtype.scalar_name}"
        )
    check_broadcast(input.shape, mask.shape)
    shape = np.broadcast_shapes(input.shape, mask.shape)
    out, mask = xp.broadcast_to(input, shape).copy(), xp.broadcast_to(mask, shape)
    count = int(mask.sum())
    if source.size < count:
        raise RuntimeError(
            "masked_scatter: expected the number of elements in source to be at least the number "
            f"of true elements in mask, got {source.size} and {count}"
        )
    out[mask] = source.reshape(-1)[:count]
    return out


def _collected(g: Tensor, mask: Tensor, shape: tuple) -> Tensor:
    """The gradient of masked_scatter's source: what was taken, then zeros."""
    taken = g.masked_select(mask)
    size = int(np.prod(shape))
    if taken._array.size < size:
        taken = corner(taken, (size,))
    return taken.reshape(shape)


# ---------------------------------------------------------------- where


@op(
    name="_where",
    node="WhereBackward0",
    grad={
        "input": lambda g, condition: _masked_fill(g, condition.logical_not(), 0),
        "other": lambda g, condition: _masked_fill(g, condition, 0),
    },
    promote=("input", "other"),
    sample=lambda draw: [(fixed(np.eye(3, 4) > 0), draw(3, 4), draw(4))],
)
def _where(xp, condition, input, other):
    try:
        return xp.where(condition, input, other)
    except ValueError:
        check_broadcast(condition.shape, input.shape)
        check_broadcast(np.broadcast_shapes(condition.shape, input.shape), other.shape)
        raise


@composite(names="torch.where")
def where(condition, input=None, other=None):
    """`input` where the condition holds, else `other`; alone, the condition's true positions.

    >>> import penlight as torch
    >>> torch.where(torch.tensor([True, False]), torch.tensor([1.0, 2.0]), 0)
    tensor([1., 0.])
    """
    if input is None and other is None:
        return nonzero(condition, as_tuple=True)
    if condition._array.dtype == np.uint8:
        condition = wrap(condition._array != 0)
    if condition._array.dtype != bool:
        raise RuntimeError(
            "where expected condition to be a boolean tensor, but got a tensor with dtype "
            f"{condition.dtype.scalar_name}"
        )
    return _where(condition, input, other)


def _where_method(self: Tensor, condition: Tensor, other: Any) -> Tensor:
    """This tensor where the condition holds, else `other`."""
    return where(condition, self, other)


Tensor.where = _where_method  # type: ignore[attr-defined]


@composite
def nonzero(input, *, as_tuple=False):
    """Positions of the elements that are not zero: one row each, or a tuple of index vectors.

    >>> import penlight as torch
    >>> torch.nonzero(torch.tensor([0, 3, 0, 4]))
    tensor([[1],
            [3]])
    """
    array = input._array
    if as_tuple:
        found = np.nonzero(np.atleast_1d(array))
        return tuple(wrap(i) for i in found)
    if array.ndim == 0:
        return wrap(np.zeros((int(array != 0), 0), np.int64))
    return wrap(np.argwhere(array != 0).astype(np.int64, copy=False).reshape(-1, array.ndim))


@composite
def argwhere(input):
    """Positions of the elements that are not zero, one row each."""
    return nonzero(input)


@composite
def nonzero_static(input, *, size, fill_value=-1):
    """`nonzero` with a fixed number of rows: cut off, or filled up with `fill_value`."""
    if size < 0:
        raise RuntimeError("nonzero_static: 'size' must be an non-negative integer")
    found = nonzero(input)._array[:size]
    missing = np.full((size - len(found), found.shape[1]), fill_value, np.int64)
    return wrap(np.concatenate([found, missing]))
