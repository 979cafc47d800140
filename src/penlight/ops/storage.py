"""A tensor's memory: strides, offsets, storages, and changes of form in place."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.formats import contiguous_format, preserve_format, strided
from ..core.memory import address, empty_in, is_laid_out, owner_bytes
from ..core.storage import TypedStorage, UntypedStorage
from ..core.tensor import Tensor, View, check_dim, check_writable, wrap, written
from .arguments import ints, need_tensor
from .axes import as_strided, squeeze
from .exposure import expose
from .views import t, transpose, unsqueeze

# ---------------------------------------------------------------- where the elements lie


def untyped_storage(self: Tensor) -> UntypedStorage:
    """The memory behind the tensor, as bytes."""
    return UntypedStorage(owner_bytes(self._array))


def storage(self: Tensor) -> TypedStorage:
    """The memory behind the tensor, as elements of its type."""
    _warn_typed()
    return TypedStorage(untyped_storage(self), self.dtype)


@functools.cache  # as in PyTorch, once per process
def _warn_typed() -> None:
    warnings.warn(
        "TypedStorage is deprecated. It will be removed in the future and UntypedStorage will be "
        "the only storage class. This should only matter to you if you are using storages "
        "directly.  To access UntypedStorage directly, use tensor.untyped_storage() instead of "
        "tensor.storage()",
        UserWarning,
        stacklevel=4,
    )


def storage_offset(self: Tensor) -> int:
    """How many elements into its storage the tensor begins.

    >>> import penlight as torch
    >>> torch.arange(5)[2:].storage_offset()
    2
    """
    array = self._array
    if array.base is None:
        return 0
    return (address(array) - address(owner_bytes(array))) // array.itemsize


def stride(self: Tensor, dim: int | None = None) -> Any:
    """How many elements lie between neighbours along each axis, or along one.

    >>> import penlight as torch
    >>> torch.zeros(2, 3).stride(), torch.zeros(2, 3).t().stride(0)
    ((3, 1), 1)
    """
    array = self._array
    item = array.itemsize
    if dim is not None:
        return array.strides[check_dim(dim, array.ndim)] // item
    return tuple([s // item for s in array.strides])


def dim_order(self: Tensor) -> tuple[int, ...]:
    """The axes from the one with the largest stride to the one with the smallest."""
    strides = self._array.strides
    return tuple(sorted(range(len(strides)), key=lambda dim: -strides[dim]))


def is_contiguous(self: Tensor, memory_format: Any = contiguous_format) -> bool:
    """Whether the elements lie in row-major order (or that of another format), without gaps."""
    if memory_format is preserve_format:
        return True
    return is_laid_out(self._array, memory_format)


def data_ptr(self: Tensor) -> int:
    """The address of the first element."""
    return address(self._array) if self._array.size else 0


def _is_set_to(self: Tensor, tensor: Tensor) -> bool:
    """Whether both tensors look at the same elements in the same way."""
    a, b = self._array, tensor._array
    return address(a) == address(b) and (a.shape, a.strides) == (b.shape, b.strides)


def share_memory_(self: Tensor) -> Tensor:
    """Moves the elements to memory that processes forked from now on share with this one."""
    if not is_shared(self) and self._array.size:
        import mmap

        memory = mmap.mmap(-1, self._array.nbytes)
        shared = np.frombuffer(memory, self._array.dtype).reshape(self._array.shape)
        shared[...] = self._array
        self._array = shared
    return self


def is_shared(self: Tensor) -> bool:
    """Whether the memory is shared with processes forked from this one."""
    owner: Any = self._array
    while isinstance(owner, (np.ndarray, memoryview)):
        owner = owner.base if isinstance(owner, np.ndarray) else owner.obj
    return type(owner).__name__ == "mmap"


def pin_memory(self: Tensor, device: Any = None) -> Tensor:
    """Page-locked memory, from which an accelerator copies faster; there is none."""
    raise RuntimeError("Cannot access accelerator device when none is available.")


# ---------------------------------------------------------------- another form, in place


def resize_(self: Tensor, *size: Any, memory_format: Any = contiguous_format) -> Tensor:
    """Gives the tensor another shape; elements in memory stay, new ones have any value."""
    if self.requires_grad:
        raise RuntimeError("cannot resize variables that require grad")
    shape = ints("resize_", "size", size)
    if any(n < 0 for n in shape):
        raise RuntimeError("numel: integer multiplication overflow")
    if shape == self._array.shape:
        return self
    kind, memory = self._array.dtype, owner_bytes(self._array)
    start = storage_offset(self) * kind.itemsize
    if start + math.prod(shape) * kind.itemsize > memory.size:
        larger = np.empty(start // kind.itemsize + math.prod(shape), kind).view(np.uint8)
        larger[: memory.size] = memory
        memory = larger
    form = empty_in(shape, np.dtype(np.int8), memory_format)
    strides = [s * kind.itemsize for s in form.strides]
    self._array = np.ndarray(shape, kind, memory, start, strides)
    return written(self)


def resize_as_(self: Tensor, the_template: Tensor, *, memory_format: Any = None) -> Tensor:
    """Gives the tensor the shape of another."""
    return resize_(self, the_template._array.shape)


def set_(
    self: Tensor,
    source: Any = None,
    storage_offset: int = 0,
    size: Any = None,
    stride: Any = None,
) -> Tensor:
    """Makes the tensor look at the memory of another tensor or of a storage."""
    if source is None:
        self._array = np.empty(0, self._array.dtype)
        return written(self)
    if isinstance(source, Tensor):
        if source.dtype is not self.dtype:
            theirs, own = (_C_NAMES.get(x.dtype.name, x.dtype.name) for x in (source, self))
            raise RuntimeError(f"Could not set tensor of type {theirs} to a tensor of type {own}")
        if size is None:
            self._array = source._array
            self._root = source if source._root is None else source._root
            return written(self)
        source = untyped_storage(source)
    if isinstance(source, TypedStorage):
        source = source.untyped()
    flat = wrap(source.bytes.view(self._array.dtype))
    shape = flat._array.shape if size is None else size
    self._array = as_strided(flat, shape, _row_major(shape) if stride is None else stride,
                             storage_offset)._array  # fmt: skip
    return written(self)


_C_NAMES = {"float32": "float", "float64": "double", "int64": "long", "int32": "int"}


def _row_major(shape: Any) -> tuple[int, ...]:
    return tuple(math.prod(shape[i + 1 :]) for i in range(len(shape)))


def _in_place_view(take: Callable, name: str) -> Callable:
    """The form of a view op that changes the tensor itself: x.t_(), x.squeeze_(), ..."""

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        check_writable(self)
        before = wrap(self._array)
        before._requires_grad, before._node, before._root = (
            self._requires_grad, self._node, self._root,
        )  # fmt: skip
        before._view = self._view
        if self._node is not None:
            before._slot = self._slot
        after = take(before, *args, **kwargs)
        self._array, self._node, self._requires_grad = (
            after._array, after._node, after._requires_grad,
        )  # fmt: skip
        if after._node is not None:
            self._slot = after._slot
        if self._view is not None:
            self._view = View(before, lambda parent: take(parent, *args, **kwargs), ())
        return written(self)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"In-place form of :func:`{name[:-1]}`: the tensor takes another form."
    return method


for _name, _take in {
    "t_": t, "transpose_": transpose, "swapaxes_": transpose, "swapdims_": transpose,
    "squeeze_": squeeze, "unsqueeze_": unsqueeze, "as_strided_": as_strided,
}.items():  # fmt: skip
    setattr(Tensor, _name, _in_place_view(_take, _name))

for _method in (
    untyped_storage, storage, storage_offset, stride, dim_order, is_contiguous, data_ptr, resize_,
    resize_as_, set_, share_memory_, is_shared, pin_memory,
):  # fmt: skip
    setattr(Tensor, _method.__name__, _method)
Tensor.is_set_to = _is_set_to  # type: ignore[attr-defined]


# ---------------------------------------------------------------- facts about a tensor

for _name, _fact in {
    "itemsize": lambda self: self._array.itemsize,
    "nbytes": lambda self: self._array.nbytes,
    "layout": lambda self: strided,
    "is_cpu": lambda self: True,
    "is_cuda": lambda self: False,
    "is_meta": lambda self: False,
    "is_mps": lambda self: False,
    "is_xpu": lambda self: False,
    "is_sparse": lambda self: False,
    "is_sparse_csr": lambda self: False,
    "is_quantized": lambda self: False,
    "is_mkldnn": lambda self: False,
    "is_nested": lambda self: False,
    "is_ipu": lambda self: False,
    "is_xla": lambda self: False,
    "is_mtia": lambda self: False,
    "is_maia": lambda self: False,
    "is_vulkan": lambda self: False,
}.items():
    setattr(Tensor, _name, property(_fact))

for _name, _question in {
    "element_size": lambda self: self._array.itemsize,
    "is_complex": lambda self: self.dtype.is_complex,
    "is_floating_point": lambda self: self.dtype.is_floating_point,
    "is_signed": lambda self: self.dtype.is_signed,
    "is_conj": lambda self: False,
    "is_neg": lambda self: False,
    "is_pinned": lambda self: False,
    "get_device": lambda self: -1,
    "is_same_size": lambda self, other: self._array.shape == other._array.shape,
}.items():
    _question.__name__ = _question.__qualname__ = _name
    setattr(Tensor, _name, _question)


def _function(name: str) -> Callable:
    """The function torch.NAME of a method that answers a question."""

    def ask(input: Tensor, *args: Any) -> Any:
        need_tensor(name, input)
        return getattr(input, name)(*args)

    ask.__name__ = ask.__qualname__ = name
    return ask


for _name in ("is_complex", "is_floating_point", "is_signed", "is_conj", "is_neg", "is_same_size",
              "numel", "get_device", "is_inference"):  # fmt: skip
    expose(_function(_name), f"torch.{_name}")


def is_tensor(obj: Any) -> bool:
    """Whether `obj` is a tensor."""
    return isinstance(obj, Tensor)


def is_storage(obj: Any) -> bool:
    """Whether `obj` is a storage."""
    return isinstance(obj, (UntypedStorage, TypedStorage))


expose(resize_as_, "torch.resize_as_")
expose(is_tensor, "torch.is_tensor")
expose(is_storage, "torch.is_storage")
expose(UntypedStorage, "torch.UntypedStorage")
expose(TypedStorage, "torch.TypedStorage")
