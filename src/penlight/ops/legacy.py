"""The constructors of old: Tensor(2, 3), FloatTensor([1, 2]), x.new(3), and element-wise Python."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import dtype as dtypes
from ..core.size import Size
from ..core.tensor import Tensor, wrap
from .arguments import ints
from .convert import TENSOR_TYPES
from .exposure import expose
from .literal import as_array

_bare = Tensor.__new__


def _legacy_array(args: tuple, kind: dtypes.dtype) -> np.ndarray:
    """Of sizes, uninitialised memory; of a sequence, its numbers; of a tensor, its memory."""
    if not args:
        return np.empty(0, kind.np)
    (first,) = args[:1]
    if len(args) > 1 or isinstance(first, (int, Size)):
        return np.empty(ints("new", "size", args), kind.np)
    if isinstance(first, Tensor):
        if first.dtype is not kind:
            raise TypeError(
                f"expected a tensor of {kind} (got one of {first.dtype}): "
                f"convert it with .to({kind})"
            )
        return first._array
    if isinstance(first, (float, complex)):
        raise TypeError(f"new(): data must be a sequence (got {type(first).__name__})")
    return as_array(first, kind)


def _new_tensor(cls: type, *args: Any, device: Any = None, **kwargs: Any) -> Tensor:
    self = _bare(cls)
    if args:
        self._array = _legacy_array(args, dtypes.get_default_dtype())
    return self


Tensor.__new__ = _new_tensor  # type: ignore[assignment]


def _new_like(self: Tensor, *args: Any, device: Any = None) -> Tensor:
    """Sizes or data to a tensor of this one's type."""
    return wrap(_legacy_array(args, self.dtype))


Tensor.new = _new_like  # type: ignore[attr-defined]


class _TypeOfOld(type):
    """The class of FloatTensor, LongTensor, ...: makes and recognises tensors of one dtype."""

    dtype: dtypes.dtype

    def __call__(cls, *args: Any, **kwargs: Any) -> Tensor:
        return wrap(_legacy_array(args, cls.dtype))

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor) and instance.dtype is cls.dtype


for _kind in dtypes.ALL:
    if not _kind.name.startswith(("float8", "uint16", "uint32", "uint64", "complex")):
        _name = f"{_kind.scalar_name}Tensor"
        _facts = {"dtype": _kind, "is_cuda": False, "__module__": "torch"}
        expose(_TypeOfOld(_name, (), _facts), f"torch.{_name}")


def set_default_tensor_type(t: Any) -> None:
    """Sets the type of float tensors made without a dtype, by the name of its old class."""
    warnings.warn(
        "torch.set_default_tensor_type() is deprecated as of PyTorch 2.1, please use "
        "torch.set_default_dtype() and torch.set_default_device() as alternatives.",
        UserWarning,
        stacklevel=2,
    )
    name = t if isinstance(t, str) else t.__name__
    kind = TENSOR_TYPES.get(name.removeprefix("torch.").removesuffix("Tensor"))
    if kind is None or not name.endswith("Tensor"):
        raise TypeError(f"invalid type object: {t!r} is no class of tensors")
    if not kind.is_floating_point:
        raise TypeError("only floating-point types are supported as the default type")
    dtypes.set_default_dtype(kind)


expose(set_default_tensor_type, "torch.set_default_tensor_type")


def typename(obj: Any) -> str:
    """The name of an object's type; of a tensor, with that of its elements."""
    if isinstance(obj, Tensor):
        return obj.type()
    kind = obj if hasattr(obj, "__qualname__") else type(obj)
    module = getattr(kind, "__module__", "")
    return kind.__qualname__ if module in ("", "builtins") else f"{module}.{kind.__qualname__}"


expose(typename, "torch.typename")


# ---------------------------------------------------------------- Python functions over elements


def apply_(self: Tensor, callable: Callable[[Any], Any]) -> Tensor:
    """Replaces every element by what a Python function makes of it. Slow."""
    made = [callable(value) for value in self._array.ravel().tolist()]
    return self.copy_(wrap(np.array(made, self._array.dtype).reshape(self._array.shape)))


def map_(self: Tensor, tensor: Tensor, callable: Callable[[Any, Any], Any]) -> Tensor:
    """Replaces every element by what a Python function makes of it and its partner. Slow."""
    pairs = zip(self._array.ravel().tolist(), tensor._array.ravel().tolist(), strict=True)
    made = [callable(*pair) for pair in pairs]
    return self.copy_(wrap(np.array(made, self._array.dtype).reshape(self._array.shape)))


expose(apply_, "Tensor.apply_")
expose(map_, "Tensor.map_")
