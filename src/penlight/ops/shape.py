"""Other shapes for the same elements: the forms in which users ask for them.

What they stand for is in `views.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..core import dtype as dtypes
from ..core.formats import contiguous_format
from ..core.size import Size
from ..core.tensor import Tensor, check_dim
from .arguments import as_dtype, ints, need_tensor
from .exposure import expose
from .families import composite
from .operands import check_broadcast
from .views import _expand, _unsafe_view, _view, _view_dtype

# ---------------------------------------------------------------- view, reshape, flatten


def filled_shape(shape: tuple[int, ...], size: int) -> tuple[int, ...]:
    """`shape` with its -1 replaced; RuntimeError where it does not hold `size` elements.

    >>> filled_shape((2, -1), 6)
    (2, 3)
    """
    known, missing = 1, None
    for at, length in enumerate(shape):
        if length >= 0:
            known *= length
        elif length < -1:
            raise RuntimeError(
                f"invalid shape dimension {length} at index {at} of shape {list(shape)}"
            )
        elif missing is None:
            missing = at
        else:
            raise RuntimeError("only one dimension can be inferred")
    if missing is None:
        if known == size:
            return shape
    elif known and size % known == 0:
        return (*shape[:missing], size // known, *shape[missing + 1 :])
    elif not known and not size:
        raise RuntimeError(
            f"cannot reshape tensor of 0 elements into shape {list(shape)} because the unspecified "
            "dimension size -1 can be any value and is ambiguous"
        )
    raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {size}")


def view(self: Tensor, *lengths: Any, size: Any = None, dtype: Any = None) -> Tensor:
    """The same memory in another shape, or its bytes read as another dtype.

    >>> import penlight as torch
    >>> torch.arange(6).view(2, -1)
    tensor([[0, 1, 2],
            [3, 4, 5]])
    """
    if lengths:
        if type(lengths[0]) is dtypes.dtype:
            (dtype,) = lengths
    elif size is not None:
        lengths = (size,)
    elif dtype is None:
        raise TypeError(
            "view() received an invalid combination of arguments - got (), but expected one of:\n"
            " * (torch.dtype dtype)\n * (tuple of ints size)\n"
        )
    if dtype is not None:
        return _view_dtype(self, as_dtype("view", dtype).np)
    return _view(self, filled_shape(ints("view", "size", lengths), self._array.size))


def reshape(input: Tensor, *lengths: Any, shape: Any = None) -> Tensor:
    """Another shape: a view where the strides allow it, else a copy.

    >>> import penlight as torch
    >>> torch.arange(6).reshape(3, 2).shape
    torch.Size([3, 2])
    """
    lengths = ints("reshape", "shape", lengths if shape is None else (shape,))
    return reshaped(input, filled_shape(lengths, input._array.size))


def reshaped(input: Tensor, size: tuple[int, ...]) -> Tensor:
    """The tensor in a shape that is known to hold its elements."""
    try:
        return _view(input, size)
    except RuntimeError:
        return _unsafe_view(input.clone(memory_format=contiguous_format), size)


@composite(names="torch.reshape")
def _reshape(input, shape):
    """Another shape: a view where the strides allow it, else a copy."""
    need_tensor("reshape", input)
    if isinstance(shape, int):
        raise TypeError("reshape(): argument 'shape' (position 2) must be tuple of ints, not int")
    return reshape(input, shape)


expose(view, "Tensor.view")
expose(reshape, "Tensor.reshape")


@composite(names="Tensor.view_as")
def view_as(self, other):
    """The same memory in the shape of `other`."""
    need_tensor("view_as", other, "other")
    return _view(self, filled_shape(other._array.shape, self._array.size))


@composite(names="Tensor.reshape_as")
def reshape_as(self, other):
    """The elements in the shape of `other`."""
    need_tensor("reshape_as", other, "other")
    return reshape(self, other._array.shape)


@composite
def flatten(input, start_dim=0, end_dim=-1):
    """The axes from start_dim to end_dim as one.

    >>> import penlight as torch
    >>> torch.flatten(torch.zeros(2, 3, 4), 1).shape
    torch.Size([2, 12])
    """
    shape = input._array.shape
    start, end = check_dim(start_dim, len(shape)), check_dim(end_dim, len(shape))
    if start > end:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    if start == end and shape:
        return input
    return reshaped(input, (*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))


@composite
def ravel(input):
    """All elements along one axis; a copy only where it must be."""
    return _view(input.contiguous(), (input._array.size,))


@composite
def unflatten(input, dim, sizes):
    """One axis split into several.

    >>> import penlight as torch
    >>> torch.unflatten(torch.zeros(2, 12), 1, (3, -1)).shape
    torch.Size([2, 3, 4])
    """
    shape = input._array.shape
    at = check_dim(dim, len(shape))
    sizes = ints("unflatten", "sizes", (sizes,), 3)
    if not sizes:
        raise RuntimeError("unflatten: sizes must be non-empty")
    try:
        parts = filled_shape(sizes, shape[at])
    except RuntimeError as error:
        if sizes.count(-1) > 1:
            raise RuntimeError(f"unflatten got an unexpected error:\n{error}") from None
        raise RuntimeError(
            f"unflatten: Provided sizes {list(sizes)} don't multiply up to the size of dim {at} "
            f"({shape[at]}) in the input tensor"
        ) from None
    return _view(input, (*shape[:at], *parts, *shape[at + 1 :]))


# ---------------------------------------------------------------- expand, broadcast


def expand(self: Tensor, *lengths: Any, size: Any = None, implicit: bool = False) -> Tensor:
    """The tensor repeated along axes of length 1 and new leading ones, without copying.

    >>> import penlight as torch
    >>> torch.tensor([[1], [2]]).expand(-1, 3)
    tensor([[1, 1, 1],
            [2, 2, 2]])
    """
    return _expand(self, ints("expand", "size", lengths if size is None else (size,)))


expose(expand, "Tensor.expand")


@composite(names="Tensor.expand_as")
def expand_as(self, other):
    """The tensor expanded to the shape of `other`."""
    need_tensor("expand_as", other, "other")
    return _expand(self, other._array.shape)


@composite
def broadcast_to(input, size):
    """The tensor expanded to `size`."""
    return _expand(input, ints("broadcast_to", "size", (size,), 2))


@composite(names="torch.broadcast_tensors")
def broadcast_tensors(*tensors):
    """The tensors expanded to their common shape.

    >>> import penlight as torch
    >>> a, b = torch.broadcast_tensors(torch.zeros(3), torch.zeros(2, 1))
    >>> a.shape, b.shape
    (torch.Size([2, 3]), torch.Size([2, 3]))
    """
    tensors = unpacked(tensors)
    shape = common_shape([x._array.shape for x in tensors])
    return tuple(_expand(x, shape) for x in tensors)


def unpacked(tensors: Sequence[Any]) -> Sequence[Tensor]:
    """Tensors given one by one or as one sequence."""
    if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)):
        return tensors[0]
    return tensors


def common_shape(shapes: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """The shape to which all shapes broadcast."""
    common: tuple[int, ...] = ()
    for shape in shapes:
        check_broadcast(common, shape)
        long, short = sorted((common, tuple(shape)), key=len, reverse=True)
        padded = (1,) * (len(long) - len(short)) + short
        common = tuple(n if m == 1 else m for m, n in zip(long, padded, strict=True))
    return common


@composite(names="torch.broadcast_shapes")
def broadcast_shapes(*shapes):
    """The shape to which all shapes broadcast.

    >>> import penlight as torch
    >>> torch.broadcast_shapes((2,), (3, 1), (1, 1, 1))
    torch.Size([1, 3, 2])
    """
    common: tuple[int, ...] = ()
    for at, given in enumerate(shapes):
        shape = (given,) if isinstance(given, int) else tuple(given)
        if any(n < 0 for n in shape):
            raise ValueError("Attempting to broadcast a dimension with negative length!")
        for back in range(1, min(len(shape), len(common)) + 1):
            if shape[-back] != common[-back] and 1 not in (shape[-back], common[-back]):
                raise RuntimeError(
                    f"Attempting to broadcast a dimension of length {shape[-back]} at {-back}! "
                    f"Mismatching argument at index {at} had {shape}; but expected shape should be "
                    f"broadcastable to {list(common)}"
                )
        common = common_shape((common, shape))
    return Size(common)


@composite(names="Tensor.sum_to_size")
def sum_to_size(self, *size):
    """The sum over the axes along which `size` would broadcast to this shape."""
    size = ints("sum_to_size", "size", size)
    if not size:
        return self.sum()
    shape = self._array.shape
    lead = len(shape) - len(size)
    pairs = list(zip(size, shape[max(lead, 0) :], strict=False))
    if lead < 0 or any(n not in (1, m) for n, m in pairs):
        raise RuntimeError(f"size {{{list(size)}}} is not expandable to size {{{list(shape)}}}.")
    dims = (*range(lead), *(lead + i for i, (n, m) in enumerate(pairs) if n != m))
    return reshape(self.sum(dims, True), size) if dims else self
