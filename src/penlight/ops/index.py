"""Indexing: `x[key]`, `x[key] = value` and the ops behind them.

A key is taken apart as PyTorch does: integers, slices, None and ... are a chain of views; tensors,
lists and bools then index what the views left ("advanced" indexing, a copy).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.beside import fixed
from ..core.tape import modes
from ..core.tensor import Tensor, check_writable, wrap, written
from ..core.watch import note_write, refuse, tracers
from .families import composite, op
from .views import alias, select, slice_along

# ---------------------------------------------------------------- advanced indexing


@op(
    grad={
        "input": lambda g, input_shape, indices: _put_into_zeros(g, input_shape, indices),
    },
    sample=lambda draw: [(draw(4, 3), (wrap(np.array([0, 0, 2])), None))],
)
def _index(xp, input, indices):
    """Elements at the given positions; None stands for a whole axis."""
    try:
        return input[_array_key(indices)]
    except IndexError as error:
        raise index_error(error, input, indices) from None


def _put_into_zeros(g: Tensor, shape: tuple, indices: tuple) -> Tensor:
    zeros = fixed(np.zeros(shape, g._array.dtype))
    return index_put(zeros, indices, g, True)


def _array_key(indices: tuple) -> tuple:
    return tuple(slice(None) if i is None else i for i in indices)


def index_error(error: IndexError, array: Any, indices: tuple) -> IndexError:
    """NumPy's indexing error in PyTorch's words."""
    text = str(error)
    if "broadcast" in text:
        shapes = ", ".join(str(list(np.shape(i))) for i in indices if i is not None)
        return IndexError(
            "shape mismatch: indexing tensors could not be broadcast together with shapes " + shapes
        )
    return IndexError(text.replace("for axis", "for dimension"))


@op(
    grad={
        "input": lambda g, values_shape, indices, accumulate: (
            g if accumulate else index_put(g, indices, fixed(np.zeros((), g._array.dtype)))
        ),
        "values": lambda g, indices: _index(g, indices),
    },
    inplace=True,
    sample=lambda draw: [
        (draw(4, 3), (wrap(np.array([0, 2])),), draw(2, 3), False),
        (draw(4, 3), (wrap(np.array([0, 0])),), draw(2, 3), True),
    ],
)
def index_put(xp, input, indices, values, accumulate=False):
    """A copy of `input` with `values` written (or added) at the given positions."""
    if input.dtype != values.dtype:
        raise RuntimeError(
            "Index put requires the source and destination dtypes match, got "
            f"{wrap(input).dtype.scalar_name} for the destination and "
            f"{wrap(values).dtype.scalar_name} for the source."
        )
    out, key = input.copy(), _array_key(indices)
    try:
        if accumulate:
            xp.add.at(out, key, values)
        else:
            out[key] = values
    except IndexError as error:
        raise index_error(error, input, indices) from None
    except ValueError:
        raise RuntimeError(
            f"shape mismatch: value tensor of shape {list(values.shape)} cannot be broadcast to "
            f"indexing result of shape {list(out[key].shape)}"
        ) from None
    return out


# ---------------------------------------------------------------- keys


def as_index(item: Any) -> Tensor:
    """A tensor, list or array as an index tensor (integers or bools)."""
    if not isinstance(item, Tensor):
        item = fixed(np.asarray(unlisted(item)))
        if item._array.size == 0:
            item = fixed(item._array.astype(np.int64))
    kind = item._array.dtype
    if kind == np.uint8:
        return item.bool()
    if kind.kind not in "biu":
        raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
    return item


def unlisted(value: Any) -> Any:
    """Nested lists with their tensors replaced by arrays."""
    if isinstance(value, Tensor):
        refuse("a list of tensors is an index")
        return value._array
    return [unlisted(v) for v in value] if isinstance(value, (list, tuple)) else value


def _axes_used(item: Any) -> int:
    """How many axes of the tensor an item of a key speaks about."""
    if item is None or item is Ellipsis or isinstance(item, (bool, np.bool_)):
        return 0
    if isinstance(item, Tensor) and item._array.dtype in (np.bool_, np.uint8):
        return item._array.ndim
    return 1


def _is_integer(item: Any) -> bool:
    if isinstance(item, Tensor):
        return (
            item._array.ndim == 0
            and item._array.dtype.kind in "iu"
            and item._array.dtype != np.uint8
        )
    return hasattr(item, "__index__") and not isinstance(item, (bool, np.bool_, np.ndarray))


def _normal(item: Any) -> Any:
    """Lists and arrays of a key become tensors."""
    if isinstance(item, (list, np.ndarray, range, tuple)):
        return as_index(item)
    if isinstance(item, Tensor):
        return item if _is_integer(item) else as_index(item)
    return item


def split_key(input: Tensor, key: Any) -> tuple[Tensor, tuple]:
    """The view that a key's integers, slices, None and ... take, and the index tensors left for
    it.
    """
    items = [_normal(i) for i in (key if isinstance(key, tuple) else (key,))]
    ndim = input._array.ndim
    used = sum(_axes_used(i) for i in items)
    if used > ndim:
        raise IndexError(f"too many indices for tensor of dimension {ndim}")
    out, dim = input, 0
    indices: list = []
    for item in items:
        if item is Ellipsis:
            dim += ndim - used
        elif item is None:
            out, dim = out.unsqueeze(dim), dim + 1
        elif isinstance(item, (bool, np.bool_)):
            out = out.unsqueeze(dim)
            _place(indices, dim, fixed(np.array([item])))
            dim += 1
        elif isinstance(item, slice):
            out, dim = _take_slice(out, dim, item), dim + 1
        elif _is_integer(item):
            out = _take_integer(out, dim, int(item))
        elif isinstance(item, Tensor):
            _check_mask(out, dim, item)
            _place(indices, dim, item)
            dim += max(_axes_used(item), 0 if item._array.dtype == bool else 1)
        else:
            raise IndexError(
                "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables "
                f"are valid indices (got {type(item).__name__})"
            )
    return out, tuple(indices)


def _place(indices: list, dim: int, item: Tensor) -> None:
    """Puts `item` at axis `dim`; axes in between are whole. A mask of k axes becomes k index
    arrays.
    """
    indices.extend([None] * (dim - len(indices)))
    if item._array.dtype == bool and item._array.ndim != 1:
        found = np.nonzero(np.atleast_1d(item._array))
        indices.extend(wrap(i) for i in found)
    else:
        indices.append(item)


def _check_mask(out: Tensor, dim: int, mask: Tensor) -> None:
    if mask._array.dtype != bool:
        return
    refuse("a mask is an index: how many elements it takes depends on its values")
    shape, own = out._array.shape, mask._array.shape
    for axis, length in enumerate(own):
        if shape[dim + axis] != length:
            raise IndexError(
                f"The shape of the mask {list(own)} at index {axis} does not match the shape of "
                f"the indexed tensor {list(shape)} at index {dim + axis}"
            )


def _take_slice(out: Tensor, dim: int, item: slice) -> Tensor:
    start, stop, step = (None if v is None else int(v) for v in (item.start, item.stop, item.step))
    if step is not None and step <= 0:
        raise ValueError("step must be greater than zero")
    return slice_along(out, dim, start, stop, 1 if step is None else step)


def _take_integer(out: Tensor, dim: int, index: int) -> Tensor:
    length = out._array.shape[dim]
    if not -length <= index < length:
        raise IndexError(f"index {index} is out of bounds for dimension {dim} with size {length}")
    return select(out, dim, index)


def getitem(self: Tensor, key: Any) -> Tensor:
    """x[key]: a view for integers, slices, None and ...; a copy where tensors or lists are in the
    key.
    """
    if type(key) is int:
        if self._array.ndim == 0:
            raise IndexError(
                "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or "
                "`tensor.item<T>()` in C++ to convert a 0-dim tensor to a number"
            )
        return _take_integer(self, 0, key)
    out, indices = split_key(self, key)
    if indices:
        return _index(out, indices)
    return alias(self) if out is self else out


def setitem(self: Tensor, key: Any, value: Any) -> None:
    """x[key] = value: written in place, broadcast and cast to x's dtype."""
    if not isinstance(value, Tensor):
        value = fixed(np.asarray(value).astype(self._array.dtype))
    with_history = modes.grad and (self.requires_grad or value.requires_grad)
    if not with_history:  # the views below are only a way to the memory
        modes.grad, before = False, modes.grad
        try:
            _write(self, key, value)
        finally:
            modes.grad = before
        return
    _write(self, key, value)


def _write(self: Tensor, key: Any, value: Tensor) -> None:
    out, indices = split_key(self, key)
    if not indices:
        while value._array.ndim > out._array.ndim and value._array.shape[0] == 1:
            value = value.squeeze(0)
        copy_(out, value)
        return
    if value._array.dtype != out._array.dtype:
        value = value.to(out.dtype)
    out.index_put_(indices, value)


@op(node="CopyBackwards", grad={"src": lambda g: g})
def _copied(xp, src, shape, dtype):
    """`src` broadcast and cast: what copy_ writes."""
    return xp.broadcast_to(src, shape).astype(dtype)


def _spread(xp: Any, src: Any, shape: tuple, dtype: Any) -> Any:
    return xp.broadcast_to(src, shape).astype(dtype)


@composite(names="Tensor.copy_")
def copy_(input, src, non_blocking=False):
    """Overwrites the tensor with `src`, broadcast and cast.

    >>> import penlight as torch
    >>> torch.zeros(3).copy_(torch.tensor(2))
    tensor([2., 2., 2.])
    """
    check_writable(input)
    own, given = input._array, src._array
    lead = own.ndim - given.ndim
    if lead < 0 or any(m != n and m != 1 for m, n in zip(given.shape, own.shape[lead:])):
        src = src.expand(own.shape)  # raises
    if modes.grad and (src.requires_grad or input.requires_grad):
        src = _copied(src, own.shape, own.dtype)
    own[...] = src._array
    if tracers:
        note_write("copy_", _spread, (src,), (src._array, own.shape, own.dtype), (input,))
    return written(input, src)


Tensor.__getitem__ = getitem  # type: ignore[assignment, method-assign]
Tensor.__setitem__ = setitem  # type: ignore[method-assign]
