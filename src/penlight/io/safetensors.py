"""Safetensors files: named tensors, each once, and nothing else.

The names and errors are those of `safetensors.torch`. Reading goes through the safetensors package,
which checks the header against the file's real size; saving to a path is atomic.

Source: https://github.com/huggingface/safetensors#format
"""

import json
import os
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..core import dtype as dtypes
from ..core.device import device as Device
from ..core.device import resolve
from ..core.tensor import Tensor, wrap
from .atomic import atomic_write

_CODES = {
    dtypes.bool_: "BOOL",
    dtypes.uint8: "U8",
    dtypes.int8: "I8",
    dtypes.float8_e5m2: "F8_E5M2",
    dtypes.float8_e4m3fn: "F8_E4M3",
    dtypes.float8_e8m0fnu: "F8_E8M0",
    dtypes.float8_e4m3fnuz: "F8_E4M3FNUZ",
    dtypes.float8_e5m2fnuz: "F8_E5M2FNUZ",
    dtypes.int16: "I16",
    dtypes.uint16: "U16",
    dtypes.float16: "F16",
    dtypes.bfloat16: "BF16",
    dtypes.int32: "I32",
    dtypes.uint32: "U32",
    dtypes.float32: "F32",
    dtypes.complex64: "C64",
    dtypes.float64: "F64",
    dtypes.int64: "I64",
    dtypes.uint64: "U64",
}
_DTYPES = {code: dtype for dtype, code in _CODES.items()}
_RANK = {code: rank for rank, code in enumerate(_CODES.values())}


def save(tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> bytes:
    """The bytes of a safetensors file with these tensors.

    Raises ValueError for what is no contiguous tensor and RuntimeError for tensors that share
    memory, as the format keeps each tensor by itself.

    >>> import penlight as torch
    >>> load(save({"weight": torch.ones(2)}))
    {'weight': tensor([1., 1.])}
    """
    return b"".join(_pieces(tensors, metadata))


def save_file(
    tensors: dict[str, Tensor],
    filename: str | os.PathLike,
    metadata: dict[str, str] | None = None,
) -> None:
    """Save tensors under a path, which holds the old file until the new one is complete."""
    pieces = _pieces(tensors, metadata)
    with atomic_write(filename) as file:
        file.writelines(pieces)


def load(data: bytes) -> dict[str, Tensor]:
    """The tensors in the bytes of a safetensors file; SafetensorError where they are damaged."""
    from safetensors import deserialize

    return {name: wrap(_array(view)) for name, view in deserialize(data)}


def load_file(filename: str | os.PathLike, device: str | int | Device = "cpu") -> dict[str, Tensor]:
    """The tensors of a safetensors file."""
    resolve(device)
    with open(filename, "rb") as file:
        return load(file.read())


def _array(view: dict[str, Any]) -> np.ndarray:
    dtype = _DTYPES.get(view["dtype"])
    if dtype is None:
        raise ValueError(
            f"penlight has no dtype for {view['dtype']}; it reads {', '.join(_DTYPES)}"
        )
    flat = np.frombuffer(bytearray(view["data"]), dtype.np.newbyteorder("<"))
    return flat.astype(dtype.np, copy=False).reshape(view["shape"])


def _pieces(tensors: dict[str, Tensor], metadata: dict[str, str] | None) -> list[bytes]:
    """The header and then the tensors' bytes, widest elements first, as safetensors orders them."""
    _check(tensors)
    header: dict[str, Any] = {} if metadata is None else {"__metadata__": metadata}
    pieces, position = [], 0
    order = sorted(tensors, key=lambda name: (-_RANK[_CODES[tensors[name].dtype]], name))
    for name in order:
        tensor = tensors[name]
        array = tensor._array
        end = position + array.nbytes
        header[name] = {
            "dtype": _CODES[tensor.dtype],
            "shape": list(array.shape),
            "data_offsets": [position, end],
        }
        position = end
        pieces.append(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return [struct.pack("<Q", len(text)), text, *pieces]


def _check(tensors: Any) -> None:
    if not isinstance(tensors, dict):
        raise ValueError(f"Expected a dict of [str, torch.Tensor] but received {type(tensors)}")
    for name, tensor in tensors.items():
        if not isinstance(tensor, Tensor):
            raise ValueError(
                f"Key `{name}` is invalid, expected torch.Tensor but received {type(tensor)}"
            )
        if tensor.dtype not in _CODES:
            raise ValueError(f"Key `{name}` is invalid: safetensors has no dtype {tensor.dtype}")
        if not tensor._array.flags.c_contiguous:
            raise ValueError(
                f"You are trying to save a non contiguous tensor: `{name}` which is not allowed. "
                "It either means you are trying to save tensors which are reference of each other "
                "in which case it's recommended to save only the full tensors, and reslice at load "
                "time, or simply call `.contiguous()` on your tensor to pack it before saving."
            )
    sharing = list(_sharing(tensors))
    if sharing:
        raise RuntimeError(
            "Some tensors share memory, this will lead to duplicate memory on disk and potential "
            f"differences when loading them again: {sharing}. Save one of them, or clone() them."
        )


def _sharing(tensors: dict[str, Tensor]) -> Iterator[set[str]]:
    """Groups of names whose tensors overlap in memory."""
    spans = sorted(
        (*np.lib.array_utils.byte_bounds(tensor._array), name)
        for name, tensor in tensors.items()
        if tensor._array.size
    )
    group: set[str] = set()
    reach = 0
    for start, end, name in spans:
        if start >= reach:
            if len(group) > 1:
                yield group
            group = set()
        group.add(name)
        reach = max(reach, end)
    if len(group) > 1:
        yield group
