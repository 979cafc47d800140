"""Tensors over memory that is there already: NumPy arrays and buffers."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import numpy as np

from ..core import dtype as dtypes
from ..core.device import resolve
from ..core.tensor import Tensor, wrap
from .arguments import as_dtype
from .convert import convert
from .creation import tensor
from .dlpack import from_dlpack
from .exposure import expose
from .factory import finished
from .families import composite
from .literal import check_foreign


@functools.cache  # as in PyTorch, once per process
def _warn_read_only(what: str) -> None:
    warnings.warn(
        f"The given {what} is not writable, and PyTorch does not support non-writable tensors. "
        f"This means you can write to the underlying (supposedly non-writable) {what} using the "
        f"tensor. You may want to copy the {what} to protect its data or make it writable before "
        "converting it to a tensor. This type of warning will be suppressed for the rest of this "
        "program.\npenlight keeps the memory read-only: writing to the tensor raises.",
        UserWarning,
        stacklevel=4,
    )


@composite(names="torch.from_numpy")
def from_numpy(ndarray):
    """A tensor over the array's memory: writes to one are seen in the other.

    >>> import numpy as np, penlight as torch
    >>> a = np.zeros(2)
    >>> torch.from_numpy(a)[0] = 7
    >>> a
    array([7., 0.])
    """
    if not isinstance(ndarray, np.ndarray):
        kind = type(ndarray)
        name = (
            kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
        )
        raise TypeError(f"expected np.ndarray (got {name})")
    return _over(ndarray)


def _over(array: np.ndarray) -> Tensor:
    check_foreign(array)
    if not array.flags.writeable:
        _warn_read_only("NumPy array")
    return wrap(array.view(np.ndarray))


@composite(names="torch.as_tensor")
def as_tensor(data, dtype=None, device=None):
    """A tensor of `data` that shares its memory where type and place allow it.

    >>> import penlight as torch
    >>> torch.as_tensor([1, 2], dtype=torch.float32)
    tensor([1., 2.])
    """
    if device is not None:
        resolve(device)
    kind = None if dtype is None else as_dtype("as_tensor", dtype)
    if isinstance(data, np.ndarray):
        data = _over(data)
    if isinstance(data, Tensor):
        return data if kind is None else convert(data, kind)
    return tensor(data, dtype=kind)


def asarray(
    obj: Any,
    *,
    dtype: Any = None,
    device: Any = None,
    copy: bool | None = None,
    requires_grad: bool | None = None,
) -> Tensor:
    """A tensor of any array-like object; `copy` says whether memory must or must not be shared.

    >>> import penlight as torch
    >>> torch.asarray(bytearray(b"ab"), dtype=torch.uint8)
    tensor([97, 98], dtype=torch.uint8)
    """
    if device is not None:
        resolve(device)
    kind = None if dtype is None else as_dtype("asarray", dtype)
    shared = _shared(obj, kind)
    if shared is None:
        if copy is False:
            raise ValueError("can't alias arbitrary sequence into a tensor.")
        return tensor(obj, dtype=kind, requires_grad=bool(requires_grad))
    if kind is not None and kind is not shared.dtype and copy is False:
        raise ValueError(
            f"can't alias tensor with dtype '{shared.dtype.scalar_name}' into dtype "
            f"'{kind.scalar_name}'."
        )
    if requires_grad is None and shared.requires_grad:
        _warn_unspecified()
    made = convert(shared, shared.dtype if kind is None else kind)
    if copy and made is shared:
        made = made.clone()
    if requires_grad is None or requires_grad == made.requires_grad:
        return made
    return made.requires_grad_() if requires_grad else made.detach()


@functools.cache
def _warn_unspecified() -> None:
    warnings.warn(
        "torch.asarray: unspecified requires_grad now defaults to obj.requires_grad instead of "
        "False. Pass requires_grad=False explicitly to get the old behavior and silence this "
        "warning.",
        UserWarning,
        stacklevel=4,
    )


def _shared(obj: Any, kind: dtypes.dtype | None) -> Tensor | None:
    """A tensor over the object's memory; None for numbers and sequences."""
    if isinstance(obj, Tensor):
        return obj
    if isinstance(obj, np.generic):
        return None
    if isinstance(obj, np.ndarray):
        return _over(obj)
    if hasattr(obj, "__dlpack__"):
        return from_dlpack(obj)
    if isinstance(obj, (bytes, bytearray, memoryview)) or hasattr(obj, "__buffer__"):
        return frombuffer(obj, dtype=dtypes.get_default_dtype() if kind is None else kind)
    return None


expose(asarray, "torch.asarray")


def frombuffer(
    buffer: Any, *, dtype: Any, count: int = -1, offset: int = 0, requires_grad: bool = False
) -> Tensor:
    """A 1-D tensor over an object with Python's buffer protocol.

    >>> import penlight as torch
    >>> torch.frombuffer(bytearray([1, 0, 2, 0]), dtype=torch.int16)
    tensor([1, 2], dtype=torch.int16)
    """
    kind = as_dtype("frombuffer", dtype)
    try:
        length = memoryview(buffer).nbytes
    except TypeError:
        raise ValueError("object does not implement Python buffer protocol.") from None
    item = kind.itemsize
    if length == 0 or count == 0:
        raise ValueError(f"both buffer length ({length}) and count ({count}) must not be 0")
    if not 0 <= offset < length:
        raise ValueError(
            f"offset ({offset} bytes) must be non-negative and no greater than buffer length "
            f"({length} bytes) minus 1"
        )
    if count > 0 and offset + count * item > length:
        raise ValueError(
            f"requested buffer length ({count} * {item} bytes) after offset ({offset} bytes) must "
            f"not be greater than actual buffer length ({length} bytes)"
        )
    if count < 0 and (length - offset) % item:
        raise ValueError(
            f"buffer length ({length - offset} bytes) after offset ({offset} bytes) must be a "
            f"multiple of element size ({item})"
        )
    array = np.frombuffer(buffer, kind.np, max(count, -1), offset)
    if not array.flags.writeable:
        _warn_read_only("buffer")
    return finished(wrap(array), requires_grad)


expose(frombuffer, "torch.frombuffer")
