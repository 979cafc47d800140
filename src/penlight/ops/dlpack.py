"""DLPack: memory shared with other array libraries, in both directions.

Source: https://dmlc.github.io/dlpack/latest/
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtype as dtypes
from ..core.device import resolve
from ..core.memory import address
from ..core.tensor import Tensor, wrap
from .exposure import expose

# Types that DLPack knows and NumPy does not, by DLPack's code. They travel as unsigned integers of
# the same size: only the code in the capsule is exchanged.
_CODES = {
    dtypes.bfloat16: 4, dtypes.float8_e4m3fn: 10, dtypes.float8_e4m3fnuz: 11,
    dtypes.float8_e5m2: 12, dtypes.float8_e5m2fnuz: 13, dtypes.float8_e8m0fnu: 14,
}  # fmt: skip
_UNSIGNED = {1: np.dtype(np.uint8), 2: np.dtype(np.uint16)}


def _code_in(capsule: Any) -> Any:
    """The byte of a capsule that tells the type, to be read and written."""
    import ctypes

    api = ctypes.pythonapi
    api.PyCapsule_GetName.restype, api.PyCapsule_GetName.argtypes = (
        ctypes.c_char_p,
        [ctypes.py_object],
    )
    api.PyCapsule_GetPointer.restype = ctypes.c_void_p
    api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    name = api.PyCapsule_GetName(capsule)
    if name not in (b"dltensor", b"dltensor_versioned"):
        raise RuntimeError(
            "from_dlpack received an invalid capsule. Note that DLTensor capsules can be consumed "
            "only once, so you might have already constructed a tensor from it once."
        )
    # before the type: data pointer, device (two ints), rank; before those, if versioned: version,
    # manager context, deleter, flags
    start = 20 + (32 if name == b"dltensor_versioned" else 0)
    return ctypes.c_uint8.from_address(api.PyCapsule_GetPointer(capsule, name) + start)


def _dlpack(
    self: Tensor,
    *,
    stream: Any = None,
    max_version: tuple[int, int] | None = None,
    dl_device: Any = None,
    copy: bool | None = None,
) -> Any:
    """A capsule through which another library reads this memory."""
    if self.requires_grad:
        raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
    if stream not in (None, -1):
        raise AssertionError("stream should be None on cpu.")
    array, code = self._array, _CODES.get(self.dtype)
    if code is not None:
        array = array.view(_UNSIGNED[array.itemsize])
    elif self.dtype is dtypes.complex32:
        raise BufferError("complex32 tensors have no form in NumPy's DLPack")
    options = {} if dl_device is None else {"dl_device": dl_device}
    capsule = array.__dlpack__(max_version=max_version, copy=copy, **options)
    if code is not None:
        _code_in(capsule).value = code
    return capsule


def _dlpack_device(self: Tensor) -> tuple[int, int]:
    return self._array.__dlpack_device__()


class _Carrier:
    """A capsule in the form in which NumPy wants it."""

    def __init__(self, capsule: Any):
        self.capsule = capsule

    def __dlpack__(self, **options: Any) -> Any:
        return self.capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)


def from_dlpack(ext_tensor: Any, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """A tensor over the memory of another library's tensor, or of a DLPack capsule.

    >>> import numpy as np, penlight as torch
    >>> torch.from_dlpack(np.arange(3))
    tensor([0, 1, 2])
    """
    if device is not None:
        resolve(device)
    capsule = ext_tensor
    if hasattr(ext_tensor, "__dlpack__"):
        place = ext_tensor.__dlpack_device__()
        if place[0] != 1:
            raise BufferError(f"penlight reads main memory only, not DLPack device {tuple(place)}")
        try:
            capsule = ext_tensor.__dlpack__(max_version=(1, 0))
        except TypeError:  # a library of before DLPack 1.0
            capsule = ext_tensor.__dlpack__()
    elif type(ext_tensor).__name__ != "PyCapsule":
        raise RuntimeError(
            "from_dlpack received an invalid capsule. Note that DLTensor capsules can be consumed "
            "only once, so you might have already constructed a tensor from it once."
        )
    code = _code_in(capsule)
    kind = next((d for d, number in _CODES.items() if number == code.value), None)
    if kind is not None:
        code.value = 1  # unsigned integer
    array = np.from_dlpack(_Carrier(capsule))
    if kind is not None:
        array = array.view(kind.np)
    array = _writable(array)
    return wrap(array.copy() if copy else array)


def _writable(array: np.ndarray) -> np.ndarray:
    """The same memory for writing: capsules of old form do not say whether it may be written."""
    if array.flags.writeable or not array.size:
        return array
    import ctypes

    low, high = np.lib.array_utils.byte_bounds(array)
    memory = (ctypes.c_char * (high - low)).from_address(low)
    memory.owner = array  # type: ignore[attr-defined]  # kept alive with the memory
    start = address(array) - low
    return np.ndarray(array.shape, array.dtype, memoryview(memory), start, array.strides)


def to_dlpack(tensor: Tensor) -> Any:
    """A DLPack capsule of old form over the tensor's memory."""
    return _dlpack(tensor)


expose(from_dlpack, "torch.from_dlpack utils.dlpack.from_dlpack")
expose(to_dlpack, "torch.to_dlpack utils.dlpack.to_dlpack")
Tensor.__dlpack__ = _dlpack  # type: ignore[attr-defined]
Tensor.__dlpack_device__ = _dlpack_device  # type: ignore[attr-defined]
