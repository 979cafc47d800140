"""One tensor as several: split, chunk, unbind and their relatives. All results are views."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from ..core import dtype as dtypes
from ..core.tensor import Tensor, check_dim
from ..core.watch import refuse
from .arguments import ints
from .exposure import expose
from .families import composite
from .pieces import _split, _split_with_sizes, _unbind
from .views import slice_along

# ---------------------------------------------------------------- by length


def _checked(input: Tensor, sizes: tuple[int, ...], dim: int) -> int:
    shape = _splittable("split", input)
    dim = check_dim(dim, len(shape))
    if any(n < 0 for n in sizes):
        raise RuntimeError(
            "split_with_sizes expects split_sizes have only non-negative entries, "
            f"but got split_sizes={list(sizes)}"
        )
    if sum(sizes) != shape[dim]:
        raise RuntimeError(
            f"split_with_sizes expects split_sizes to sum exactly to {shape[dim]} (input tensor's "
            f"size at dimension {dim}), but got split_sizes={list(sizes)}"
        )
    return dim


def _splittable(function: str, input: Tensor) -> tuple[int, ...]:
    shape = input._array.shape
    if not shape:
        raise RuntimeError(f"{function} expects at least a 1-dimensional tensor")
    return shape


def _checked_size(input: Tensor, size: int, dim: int) -> int:
    shape = _splittable("split", input)
    if size < 0:
        raise RuntimeError(f"split expects split_size be non-negative, but got split_size={size}")
    dim = check_dim(dim, len(shape))
    if size == 0 and shape[dim]:
        raise RuntimeError(
            "split_size can only be 0 if dimension size is 0, "
            f"but got dimension size of {shape[dim]}"
        )
    return dim


@composite
def split_with_sizes(input, split_sizes, dim=0):
    """Consecutive parts of the given lengths."""
    sizes = ints("split_with_sizes", "split_sizes", (split_sizes,), 2)
    return _split_with_sizes(input, sizes, _checked(input, sizes, dim))


@composite(names="torch.split Tensor.split")
def split(tensor, split_size_or_sections=None, dim=0, *, split_size=None):
    """Consecutive parts of one length, or of the lengths given as a list.

    >>> import penlight as torch
    >>> torch.split(torch.arange(5), 2)
    (tensor([0, 1]), tensor([2, 3]), tensor([4]))
    """
    size = split_size_or_sections if split_size is None else split_size
    if isinstance(size, (list, tuple)):
        return split_with_sizes(tensor, size, dim)
    if not hasattr(size, "__index__"):
        size = ints("split_with_sizes", "split_sizes", (size,), 2)[0]
    return _split(tensor, size, _checked_size(tensor, size, dim))


@composite
def chunk(input, chunks, dim=0):
    """At most `chunks` consecutive parts of one length, the last one of what remains.

    >>> import penlight as torch
    >>> torch.chunk(torch.arange(5), 3)
    (tensor([0, 1]), tensor([2, 3]), tensor([4]))
    """
    shape = _splittable("chunk", input)
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    dim = check_dim(dim, len(shape))
    size = -(-shape[dim] // chunks)
    if size == 0:  # of an empty axis there are as many parts as asked for
        return _split_with_sizes(input, (0,) * chunks, dim)
    return _split(input, size, dim)


@composite
def unbind(input, dim=0):
    """All slices along an axis, without that axis.

    >>> import penlight as torch
    >>> torch.unbind(torch.tensor([[1, 2], [3, 4]]))
    (tensor([1, 2]), tensor([3, 4]))
    """
    if input._array.ndim == 0:
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    return _unbind(input, check_dim(dim, input._array.ndim))


# ---------------------------------------------------------------- at given places


@composite
def tensor_split(input, indices_or_sections=None, dim=0, *, indices=None, sections=None):
    """Parts cut at the given indices, or `sections` parts of nearly one length.

    >>> import penlight as torch
    >>> torch.tensor_split(torch.arange(5), 3)
    (tensor([0, 1]), tensor([2, 3]), tensor([4]))
    >>> torch.tensor_split(torch.arange(5), (1, 3))
    (tensor([0]), tensor([1, 2]), tensor([3, 4]))
    """
    shape = input._array.shape
    if not shape:
        raise RuntimeError(
            "tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims"
        )
    dim = check_dim(dim, len(shape))
    places = indices_or_sections if sections is None else sections
    edges = _edges(places if indices is None else indices, shape[dim])
    return tuple([slice_along(input, dim, low, high) for low, high in edges])


def _edges(places: Any, total: int) -> list[tuple[int, int]]:
    """Where each part begins and ends."""
    if isinstance(places, Tensor):
        places = _plain(places)
    if isinstance(places, (tuple, list)):
        return list(pairwise([0, *ints("tensor_split", "indices", (places,), 2), total]))
    if not hasattr(places, "__index__"):
        raise TypeError(
            "tensor_split() received an invalid combination of arguments - got (Tensor, "
            f"{type(places).__name__}), but expected one of:\n"
            " * (Tensor input, tuple of ints indices, int dim = 0)\n"
            " * (Tensor input, Tensor tensor_indices_or_sections, int dim = 0)\n"
            " * (Tensor input, int sections, int dim = 0)\n"
        )
    sections = places.__index__()
    if sections <= 0:
        raise RuntimeError(f"number of sections must be larger than 0, got {sections}")
    size, longer = divmod(total, sections)
    cuts = [size * i + min(i, longer) for i in range(sections + 1)]
    return list(pairwise(cuts))


def _plain(places: Tensor) -> Any:
    """The ints of a tensor of indices, or its one number of sections."""
    if places.dtype is not dtypes.int64:
        raise RuntimeError(
            "tensor_split expected tensor_indices_or_sections to have dtype of long, "
            f"but got {places.dtype.scalar_name}"
        )
    if places._array.ndim > 1:
        raise RuntimeError(
            "tensor_split expected tensor_indices_or_sections to be a zero-dimensional or "
            f"one-dimensional tensor, but got a tensor with {places._array.ndim} dims"
        )
    refuse("where a tensor is split depends on another's values")
    return places._array.tolist()


def _axis_split(name: str, least: int, dim: int, doc: str) -> Callable:
    """`tensor_split` along a fixed axis, into parts of exactly one length."""

    def along(
        input: Tensor, indices_or_sections: Any = None, *, indices: Any = None, sections: Any = None
    ) -> tuple[Tensor, ...]:
        ndim = input._array.ndim
        if ndim < least:
            raise RuntimeError(
                f"torch.{name} requires a tensor with at least {least} dimension, "
                f"but got a tensor with {ndim} dimensions!"
            )
        at = 0 if name == "hsplit" and ndim == 1 else dim
        places = next(p for p in (indices, sections, indices_or_sections) if p is not None)
        total = input._array.shape[at]
        if isinstance(places, int) and (places == 0 or total % places):
            raise RuntimeError(
                f"torch.{name} attempted to split along dimension {at}, but the size of the "
                f"dimension {total} is not divisible by the split_size {places}!"
            )
        return tensor_split(input, places, at)

    along.__name__ = along.__qualname__ = name
    along.__doc__ = doc
    expose(along, f"torch.{name} Tensor.{name}")
    return along


hsplit = _axis_split("hsplit", 1, 1, "Columns of blocks: split along the second axis.")
vsplit = _axis_split("vsplit", 2, 0, "Rows of blocks: split along the first axis.")
dsplit = _axis_split("dsplit", 3, 2, "Layers of blocks: split along the third axis.")
