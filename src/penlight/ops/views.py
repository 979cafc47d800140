"""Views: other ways to look at the same memory.

The records here take plain arguments (tuples of ints); `shape.py` has the forms with which users
call them. The gradient of a view that shows a part is that part's gradient, written where the view
looked, and zero elsewhere: `place` does it for all of them.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from ..compiler import numerics
from ..core import dtype as dtypes
from ..core.memory import address, owner_bytes, view_as_strided
from ..core.tensor import check_dim
from .families import op

# ---------------------------------------------------------------- the gradients of views


@op(name="_place", grad={"part": lambda g, view, args: view(g, *args)})
def place(xp, part, shape, view, args):
    """Zeros of `shape` with `part` where `view(·, *args)` looks; no element twice."""
    base = xp.zeros(shape, part.dtype)
    view.record.meaning(xp, base, *args)[...] = part
    return base


@op(
    name="_gather_flat", grad={"input": lambda g, input_shape, at: scatter_flat(g, input_shape, at)}
)
def gather_flat(xp, input, at):
    """The elements at the flat positions `at` (an array)."""
    return input.reshape(-1)[at]


@op(name="_scatter_flat", grad={"part": lambda g, at: gather_flat(g, at)})
def scatter_flat(xp, part, shape, at):
    """Zeros of `shape` to which each element of `part` is added at its flat position."""
    base = xp.zeros(shape, part.dtype)
    xp.add.at(base.reshape(-1), at, part)
    return base


# ---------------------------------------------------------------- all elements, another shape


@op(grad={"input": lambda g, input_shape: g.reshape(input_shape)}, view=True, node="ViewBackward0")
def _view(xp, input, size):
    if input.flags.c_contiguous:  # common, and without a copy for sure
        return input.reshape(size)
    try:
        return input.reshape(size, copy=False)
    except ValueError:
        raise RuntimeError(
            "view size is not compatible with input tensor's size and stride (at least one "
            "dimension spans across two contiguous subspaces). Use .reshape(...) instead."
        ) from None


@op(grad={"input": lambda g, input_shape: g.reshape(input_shape)}, node="UnsafeViewBackward0")
def _unsafe_view(xp, input, size):
    return input.reshape(size)


def _repeated(xp, input, size):
    own = (1,) * (len(size) - input.ndim) + input.shape
    return xp.broadcast_to(input, tuple(n if m == -1 else m for m, n in zip(size, own)))


@op(grad={"input": lambda g: g}, view=True, node="ExpandBackward0", lower=_repeated)
def _expand(xp, input, size):
    lead = len(size) - input.ndim
    if lead < 0:
        kind = dtypes.from_np(input.dtype).scalar_name
        raise RuntimeError(
            f"expand(torch.{kind}Tensor{{{list(input.shape)}}}, size={list(size)}): the number of "
            f"sizes provided ({len(size)}) must be greater or equal to the number of dimensions in "
            f"the tensor ({input.ndim})"
        )
    shape, strides = list(size), [0] * lead + list(input.strides)
    for axis in range(len(size) - 1, -1, -1):  # PyTorch's errors name the last axis that fails
        wanted = size[axis]
        if axis < lead:
            if wanted < 0:
                raise RuntimeError(
                    f"The expanded size of the tensor ({wanted}) isn't allowed in a leading, "
                    f"non-existing dimension {axis}"
                )
            continue
        present = input.shape[axis - lead]
        if wanted < -1:
            raise RuntimeError("numel: integer multiplication overflow")
        if wanted == -1 or wanted == present:
            shape[axis] = present
        elif present == 1:
            strides[axis] = 0
        else:
            raise RuntimeError(
                f"The expanded size of the tensor ({wanted}) must match the existing size "
                f"({present}) at non-singleton dimension {axis}.  Target sizes: {list(size)}.  "
                f"Tensor sizes: {list(input.shape)}"
            )
    return view_as_strided(input, shape, strides)


@op(grad={"input": lambda g, dims: _permute(g, inverse(dims))}, view=True, node="PermuteBackward0")
def _permute(xp, input, dims):
    return input.transpose(dims)


def inverse(dims: tuple[int, ...]) -> tuple[int, ...]:
    """The permutation that undoes `dims`.

    >>> inverse((2, 0, 1))
    (1, 2, 0)
    """
    return tuple(sorted(range(len(dims)), key=dims.__getitem__))


@op(grad={"input": lambda g, dim0, dim1: transpose(g, dim0, dim1)}, view=True)
def transpose(xp, input, dim0, dim1):
    """Two axes exchanged.

    >>> import penlight as torch
    >>> torch.transpose(torch.zeros(2, 3, 4), 0, 2).shape
    torch.Size([4, 3, 2])
    """
    dim0, dim1 = check_dim(dim0, input.ndim), check_dim(dim1, input.ndim)
    return input.swapaxes(dim0, dim1) if input.ndim else input.view()


@op(grad={"input": lambda g: t(g)}, view=True)
def t(xp, input):
    """The transpose of a matrix; a tensor of fewer axes as it is."""
    if input.ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {input.ndim}D")
    return input.T


@op(grad={"input": lambda g, dim: _squeeze_dim(g, dim)}, view=True)
def unsqueeze(xp, input, dim):
    """A new axis of length 1 at position `dim`.

    >>> import penlight as torch
    >>> torch.unsqueeze(torch.tensor([1, 2]), 1).shape
    torch.Size([2, 1])
    """
    dim = check_dim(dim, input.ndim + 1)
    return input.reshape((*input.shape[:dim], 1, *input.shape[dim:]))


@op(
    grad={"input": lambda g, input_shape: g.reshape(input_shape)},
    view=True,
    node="SqueezeBackward0",
)
def _squeeze_all(xp, input):
    return input.squeeze()


@op(
    grad={"input": lambda g, input_shape: g.reshape(input_shape)},
    view=True,
    node="SqueezeBackward1",
)
def _squeeze_dim(xp, input, dim):
    dim = check_dim(dim, input.ndim)
    return input.squeeze(dim) if input.ndim and input.shape[dim] == 1 else input.view()


@op(
    grad={"input": lambda g, input_shape: g.reshape(input_shape)},
    view=True,
    node="SqueezeBackward2",
)
def _squeeze_dims(xp, input, dims):
    dims = distinct(dims, input.ndim)
    return input.squeeze(tuple(d for d in dims if input.ndim and input.shape[d] == 1))


def distinct(dims: tuple[int, ...], ndim: int) -> tuple[int, ...]:
    """The axes counted from the front; RuntimeError where one is named twice."""
    found = tuple(check_dim(d, ndim) for d in dims)
    for position, dim in enumerate(found):
        if dim in found[:position]:
            raise RuntimeError(f"dim {dim} appears multiple times in the list of dims")
    return found


@op(grad={"input": lambda g: g}, view=True)
def alias(xp, input):
    """The tensor itself as a view."""
    return input.view()


# ---------------------------------------------------------------- a part of the elements


@op(
    grad={"input": lambda g, input_shape, dim, index: place(g, input_shape, select, (dim, index))},
    view=True,
)
def select(xp, input, dim, index):
    """The slice at `index` along `dim`, without that axis.

    >>> import penlight as torch
    >>> torch.select(torch.tensor([[1, 2], [3, 4]]), 1, -1)
    tensor([2, 4])
    """
    if input.ndim == 0:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    dim, index = check_dim(dim, input.ndim), operator.index(index)
    size = input.shape[dim]
    if not -size <= index < size:
        raise IndexError(
            f"select(): index {index} out of range for tensor of size {list(input.shape)} "
            f"at dimension {dim}"
        )
    return input[(slice(None),) * dim + (index, ...)]  # the dots keep a scalar an array


@op(
    name="_slice",
    grad={
        "input": lambda g, input_shape, dim, start, end, step: place(
            g, input_shape, slice_along, (dim, start, end, step)
        )
    },
    view=True,
    node="SliceBackward0",
)
def slice_along(xp, input, dim=0, start=None, end=None, step=1):
    """input[start:end:step] along `dim`."""
    if input.ndim == 0:
        raise RuntimeError("slice() cannot be applied to a 0-dim tensor.")
    if step <= 0:
        raise RuntimeError("slice step must be positive")
    dim = check_dim(dim, input.ndim)
    return input[(slice(None),) * dim + (slice(start, end, step),)]


@op(
    grad={
        "input": lambda g, input_shape, offset, dim1, dim2: place(
            g, input_shape, diagonal, (offset, dim1, dim2)
        )
    },
    view=True,
)
def diagonal(xp, input, offset=0, dim1=0, dim2=1):
    """The diagonals, `offset` above the main one, of the planes of dim1 and dim2, as a last axis.

    >>> import penlight as torch
    >>> torch.diagonal(torch.tensor([[1, 2], [3, 4]]))
    tensor([1, 4])
    """
    first, second = check_dim(dim1, input.ndim), check_dim(dim2, input.ndim)
    if first == second:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    result = input.diagonal(offset, first, second)
    if input.flags.writeable:
        result.flags.writeable = True
    return result


def _windows(shape: tuple, strides: tuple, dim: int, size: int, step: int) -> tuple[tuple, tuple]:
    """Shape and strides of all windows along `dim`, each window along a last axis."""
    length, stride = (shape[dim], strides[dim]) if shape else (1, 1)
    if size < 0:
        raise RuntimeError(f"size is {size} but must be >= 0")
    if size > length:
        raise RuntimeError(
            f"maximum size for tensor at dimension {dim} is {length} but size is {size}"
        )
    if step <= 0:
        raise RuntimeError(f"step is {step} but must be > 0")
    if not shape:
        return (size,), (stride,)
    count = (length - size) // step + 1
    return (
        (*shape[:dim], count, *shape[dim + 1 :], size),
        (*strides[:dim], step * stride, *strides[dim + 1 :], stride),
    )


@op(
    name="_unfold",
    grad={
        "input": lambda g, input_shape, dimension, size, step: scatter_flat(
            g, input_shape, _positions(unfold, input_shape, (dimension, size, step))
        )
    },
    view=True,
    node="UnfoldBackward0",
)
def unfold(xp, input, dimension, size, step):
    """All windows of `size` elements along an axis, `step` apart, as a last axis."""
    dim = check_dim(dimension, input.ndim)
    shape, strides = _windows(input.shape, input.strides, dim, size, step)
    if size == 0:
        return xp.empty(shape, input.dtype)
    return view_as_strided(input, shape, strides)


def _positions(view: Any, shape: tuple[int, ...], args: tuple) -> np.ndarray:
    """The flat position in a tensor of `shape` of every element that a view shows."""
    return view.record.meaning(numerics, np.arange(math.prod(shape)).reshape(shape), *args)


# ---------------------------------------------------------------- any strides


def geometry(array: np.ndarray) -> tuple:
    """An array in its storage: shape, strides, offset, and the size of the storage, in elements."""
    memory, item = owner_bytes(array), array.itemsize
    offset = (address(array) - address(memory)) // item
    return array.shape, tuple([s // item for s in array.strides]), offset, memory.size // item


def _strided_grad(g: Any, size: tuple, stride: tuple, storage_offset: int, origin: tuple) -> Any:
    """Gradients are summed in the storage, from which the input's elements then take theirs."""
    shape, strides, offset, total = origin
    places = np.arange(total)

    def look(shape: tuple, strides: tuple, offset: int) -> np.ndarray:
        item = places.itemsize
        return np.ndarray(shape, places.dtype, places, offset * item, [s * item for s in strides])

    summed = scatter_flat(g, places.shape, look(size, stride, storage_offset))
    return gather_flat(summed, look(shape, strides, offset))


@op(grad={"input": _strided_grad}, view=True, node="AsStridedBackward0")
def _as_strided(xp, input, size, stride, storage_offset, origin=None):
    item = input.itemsize
    memory = owner_bytes(input)
    last = sum((n - 1) * s for n, s in zip(size, stride, strict=True))
    needed = 0 if 0 in size else (storage_offset + last + 1) * item
    if needed > memory.size:
        raise RuntimeError(
            f"setStorage: sizes {list(size)}, strides {list(stride)}, storage offset "
            f"{storage_offset}, and itemsize {item} requiring a storage size of {needed} are out "
            f"of bounds for storage of size {memory.size}"
        )
    return np.ndarray(size, input.dtype, memory, storage_offset * item, [s * item for s in stride])


# ---------------------------------------------------------------- complex numbers as pairs


@op(
    grad={"input": lambda g: view_as_complex(g.contiguous())}, view=True, names="torch.view_as_real"
)
def view_as_real(xp, input):
    """A complex tensor as pairs (real part, imaginary part) along a new last axis."""
    kind = dtypes.from_np(input.dtype)
    if not kind.is_complex:
        raise RuntimeError("view_as_real is only supported for complex tensors")
    return input[..., None].view(kind.to_real().np)


@op(grad={"input": lambda g: view_as_real(g)}, view=True, names="torch.view_as_complex")
def view_as_complex(xp, input):
    """Pairs along the last axis as complex numbers."""
    kind = dtypes.from_np(input.dtype)
    if kind not in (dtypes.float16, dtypes.float32, dtypes.float64):
        raise RuntimeError(
            "view_as_complex is only supported for half, float and double tensors, but got a "
            f"tensor of scalar type: {kind.scalar_name}"
        )
    if input.ndim == 0 or input.shape[-1] != 2:
        raise RuntimeError("Tensor must have a last dimension of size 2")
    if input.size and input.strides[-1] != input.itemsize:
        raise RuntimeError("Tensor must have a last dimension with stride 1")
    if any(s % (2 * input.itemsize) for s in input.strides[:-1]):
        raise RuntimeError("Tensor must have a stride divisible by 2 for all but last dimension")
    if not input.size:
        return xp.empty(input.shape[:-1], kind.to_complex().np)
    return input.view(kind.to_complex().np)[..., 0]


@op(view=True)
def _view_dtype(xp, input, dtype):
    source, target = dtypes.from_np(input.dtype), dtypes.from_np(dtype)
    if source.itemsize == target.itemsize:
        return input.view(dtype)
    if input.ndim == 0:
        raise RuntimeError(
            f"self.dim() cannot be 0 to view {source.scalar_name} as {target.scalar_name} "
            "(different element sizes)"
        )
    ratio, reason = target.itemsize // source.itemsize, ""
    step = input.strides[-1] // input.itemsize
    if step != 1 and input.shape[-1] != 1:
        reason = f"self.stride(-1) must be 1 to view {{}}, but got {step}"
    elif ratio > 1 and input.shape[-1] % ratio:
        reason = (
            f"self.size(-1) must be divisible by {ratio} to view {{}}, but got {input.shape[-1]}"
        )
    if reason:
        what = f"{source.scalar_name} as {target.scalar_name} (different element sizes)"
        raise RuntimeError(reason.format(what))
    return input.view(dtype)
