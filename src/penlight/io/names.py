"""The closed table of names that a checkpoint may use, and how each value is built.

A constructor gets what the file says and trusts none of it.
"""

import math
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import dtype as dtypes
from ..core.device import device
from ..core.dtype import dtype
from ..core.size import Size
from ..core.tensor import Tensor, wrap
from ..nn.parameter import Parameter
from .storage import Storage, StorageType
from .unpickler import Constructor, Part, call, check_key

# The dtypes that have a storage class of their own; the others are saved as untyped bytes.
STORAGE_NAMES: dict[dtype, str] = {
    element: f"{element.scalar_name}Storage"
    for element in (
        *(dtypes.float64, dtypes.float32, dtypes.float16, dtypes.bfloat16),
        *(dtypes.complex128, dtypes.complex64),
        *(dtypes.int64, dtypes.int32, dtypes.int16, dtypes.int8, dtypes.uint8, dtypes.bool_),
    )
}


class _Class(Part):
    """A class that is named but never called."""

    __slots__ = ("kind",)

    def __init__(self, kind: type) -> None:
        self.kind = kind

    def __repr__(self) -> str:
        return self.kind.__name__


def _expect(value: Any, *kinds: type) -> Any:
    if type(value) not in kinds:
        wanted = " or ".join(kind.__name__ for kind in kinds)
        raise TypeError(f"expected {wanted}, got {type(value).__name__}")
    return value


# Plain Python values


def _ordered_dict(pairs: Any = ()) -> OrderedDict:
    return OrderedDict(_pair(pair) for pair in _expect(pairs, tuple, list))


def _pair(pair: Any) -> tuple[Any, Any]:
    key, value = _expect(pair, tuple, list)
    return check_key(key), value


def _counter(counts: Any = None) -> Counter:
    return Counter(_expect(counts, dict)) if counts is not None else Counter()


def _set_of(kind: type) -> Callable:
    return lambda items=(): kind(map(check_key, _expect(items, list, tuple)))


def _complex(real: Any, imaginary: Any) -> complex:
    return complex(_expect(real, float), _expect(imaginary, float))


def _encode(text: Any, encoding: Any) -> bytes:
    if _expect(encoding, str) not in ("latin1", "latin-1"):
        raise ValueError(f"bytes are written as latin1 text, got {encoding[:40]!r}")
    return _expect(text, str).encode("latin1")


def _bytes() -> bytes:
    return b""  # Python calls it for the empty one only


def _bytearray(data: Any = b"") -> bytearray:
    return bytearray(_expect(data, bytes))


# torch's values


def _size(lengths: Any) -> Size:
    if any(type(length) is not int for length in _expect(lengths, tuple, list)):
        raise TypeError("torch.Size() takes integers")
    return Size(lengths)


def _device(kind: Any, index: Any = None) -> device:
    return device(_expect(kind, str), _expect(index, int, type(None)))


def _tensor(
    storage: Any,
    offset: Any,
    size: Any,
    stride: Any,
    requires_grad: Any = False,
    hooks: Any = None,
    metadata: Any = None,
    *,
    element: dtype | None = None,
) -> Tensor:
    element = element or _expect(storage, Storage).dtype
    if element is None:
        raise TypeError("an untyped storage needs the tensor's dtype")
    array = storage.cut(offset, _expect(size, tuple, Size), _expect(stride, tuple), element)
    for bit, undo in (("conj", np.conjugate), ("neg", np.negative)):
        if metadata and _expect(metadata, dict).get(bit):
            if math.prod(size) * element.itemsize > len(storage.data):
                raise ValueError(f"a tensor with the {bit} bit must not be larger than its storage")
            array = undo(array)
    tensor = wrap(array)
    tensor.requires_grad = _expect(requires_grad, bool)
    return tensor


def _tensor_v3(
    storage: Any,
    offset: Any,
    size: Any,
    stride: Any,
    requires_grad: Any,
    hooks: Any,
    element: Any,
    metadata: Any = None,
) -> Tensor:
    element = _expect(element, dtype)
    storage = _expect(storage, Storage)
    return _tensor(storage, offset, size, stride, requires_grad, hooks, metadata, element=element)


def _parameter(data: Any, requires_grad: Any, hooks: Any = None) -> Parameter:
    if not isinstance(data, Tensor):
        raise TypeError(f"a Parameter is made of a Tensor, got {type(data).__name__}")
    return Parameter(data, _expect(requires_grad, bool))


def _parameter_with_state(data: Any, requires_grad: Any, hooks: Any, state: Any) -> Parameter:
    return _with_attributes(_parameter(data, requires_grad), state)


def _from_type(function: Any, kind: Any, arguments: Any, state: Any) -> Tensor:
    """A tensor with attributes: made by `function(*arguments)`, of class `kind`."""
    made = call(_expect(function, Constructor), _expect(arguments, tuple))
    if type(made) is not _expect(kind, _Class).kind:
        raise TypeError(f"expected {kind}, got {type(made).__name__}")
    return _with_attributes(made, state)


def _with_attributes(tensor: Any, state: Any) -> Any:
    for name, value in _expect(state, dict).items():
        if type(name) is not str or hasattr(type(tensor), name) or name.startswith("__"):
            raise ValueError(f"a tensor may not get an attribute {name!r}")
        tensor.__dict__[name] = value
    return tensor


def _table() -> dict[str, Any]:
    constructors: dict[str, Callable] = {
        "collections.OrderedDict": _ordered_dict,
        "collections.Counter": _counter,
        "builtins.set": _set_of(set),
        "builtins.frozenset": _set_of(frozenset),
        "builtins.complex": _complex,
        "builtins.bytearray": _bytearray,
        "builtins.bytes": _bytes,
        "_codecs.encode": _encode,
        "torch.Size": _size,
        "torch.device": _device,
        "torch._utils._rebuild_tensor": _tensor,
        "torch._utils._rebuild_tensor_v2": _tensor,
        "torch._utils._rebuild_tensor_v3": _tensor_v3,
        "torch._utils._rebuild_parameter": _parameter,
        "torch._utils._rebuild_parameter_with_state": _parameter_with_state,
        "torch._tensor._rebuild_from_type_v2": _from_type,
    }
    table: dict[str, Any] = {name: Constructor(name, build) for name, build in constructors.items()}
    for element in dtypes.ALL:
        table[repr(element)] = element
    for element, name in STORAGE_NAMES.items():
        table[f"torch.{name}"] = StorageType(f"torch.{name}", element)
    untyped = "torch.storage.UntypedStorage"
    table[untyped] = StorageType(untyped, None)
    table["torch.Tensor"] = _Class(Tensor)
    table["torch.nn.parameter.Parameter"] = _Class(Parameter)
    return table


NAMES = _table()

# The classes of these values, for `torch.serialization.add_safe_globals`.
SAFE_GLOBALS = (
    *(OrderedDict, Counter, dict, list, tuple, set, frozenset, complex, bytes, bytearray),
    *(int, float, str, bool, Size, device, dtype, Tensor, Parameter),
)
