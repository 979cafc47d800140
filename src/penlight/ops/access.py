"""From tensors to Python and NumPy: item, tolist, numpy, len, bool, int, float, ..."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..core import dtype as dtypes
from ..core.printing import tensor_repr
from ..core.tensor import Tensor, wrap
from ..core.watch import refuse, tracers
from .cast import cast
from .exposure import expose

READ = "a tensor's value becomes a Python number or array"


def item(self: Tensor) -> Any:
    """The only element, as a Python number.

    >>> import penlight as torch
    >>> torch.tensor([[2.5]]).item()
    2.5
    """
    array = self._array
    if tracers:
        refuse(READ)
    if array.size != 1:
        raise RuntimeError(f"a Tensor with {array.size} elements cannot be converted to Scalar")
    return _python(array).item()


def _python(array: np.ndarray) -> np.ndarray:
    """The array in a type whose elements NumPy turns into Python numbers."""
    return cast(array, _COMPLEX64) if array.dtype == dtypes.COMPLEX32_NP else array


_COMPLEX64 = dtypes.complex64.np


def tolist(self: Tensor) -> Any:
    """The elements as nested lists of Python numbers; of a 0-d tensor, its number.

    >>> import penlight as torch
    >>> torch.tensor([[1, 2], [3, 4]]).tolist()
    [[1, 2], [3, 4]]
    """
    refuse(READ)
    return _python(self._array).tolist()


def numpy(self: Tensor, *, force: bool = False) -> np.ndarray:
    """A NumPy array over the same memory; `force` also detaches.

    >>> import penlight as torch
    >>> x = torch.zeros(2)
    >>> x.numpy()[0] = 5
    >>> x
    tensor([5., 0.])
    """
    if self.requires_grad and not force:
        raise RuntimeError(
            "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead."
        )
    refuse(READ)
    array = self._array
    if self.dtype not in NUMPY_TYPES:
        raise TypeError(f"Got unsupported ScalarType {self.dtype.scalar_name}")
    return array.view()


NUMPY_TYPES = frozenset(
    d for d in dtypes.ALL if d.np.type.__module__ == "numpy" and d.np.names is None
)


def _array(self: Tensor, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
    """NumPy's question for an array."""
    array = numpy(self)
    if dtype is None or array.dtype == dtype:
        return array.copy() if copy else array
    if copy is False:
        raise ValueError(
            f"Unable to avoid copy while creating an array of {np.dtype(dtype)} from a tensor of "
            f"{self.dtype}"
        )
    return array.astype(dtype)


def _array_wrap(self: Tensor, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
    """What a NumPy function made of this tensor, as a tensor."""
    array = np.asarray(array)
    return wrap(array.astype(np.uint8) if array.dtype == bool else array)


# ---------------------------------------------------------------- Python's conversions


def _bool(self: Tensor) -> bool:
    size = self._array.size
    if tracers:
        refuse("what happens next depends on a tensor's value")
    if size != 1:
        what = "no values" if size == 0 else "more than one value"
        raise RuntimeError(f"Boolean value of Tensor with {what} is ambiguous")
    return bool(_python(self._array).item())


@functools.cache  # as in PyTorch, once per process
def _warn_history_lost() -> None:
    warnings.warn(
        "Converting a tensor with requires_grad=True to a scalar may lead to unexpected behavior.\n"
        "Consider using tensor.detach() first.",
        UserWarning,
        stacklevel=5,
    )


def _only(self: Tensor) -> Any:
    if tracers:
        refuse(READ)
    if self._array.size != 1:
        raise ValueError("only one element tensors can be converted to Python scalars")
    if self.requires_grad:
        _warn_history_lost()
    return _python(self._array).item()


def _real(self: Tensor, c_name: str) -> Any:
    value = _only(self)
    if isinstance(value, complex):
        if value.imag:
            raise RuntimeError(f"value cannot be converted to type {c_name} without overflow")
        return value.real
    return value


def _int(self: Tensor) -> int:
    return int(_real(self, "int64_t"))


def _float(self: Tensor) -> float:
    return float(_real(self, "double"))


def _complex(self: Tensor) -> complex:
    return complex(_only(self))


def _index(self: Tensor) -> int:
    if self._array.size != 1 or self.dtype.category > dtypes.INTEGER:
        raise TypeError("only integer tensors of a single element can be converted to an index")
    if tracers:
        refuse(READ)
    return int(self._array.item())


def _len(self: Tensor) -> int:
    if self._array.ndim == 0:
        raise TypeError("len() of a 0-d tensor")
    return len(self._array)


def _iter(self: Tensor) -> Iterator[Tensor]:
    if self._array.ndim == 0:
        raise TypeError("iteration over a 0-d tensor")
    return iter(self.unbind(0))


def _contains(self: Tensor, element: Any) -> bool:
    if not isinstance(element, (Tensor, int, float, complex)):
        raise RuntimeError(
            "Tensor.__contains__ only supports Tensor or scalar, but you passed in a "
            f"{type(element)}."
        )
    refuse(READ)
    return bool((self._array == (element._array if isinstance(element, Tensor) else element)).any())


def _reversed(self: Tensor) -> Tensor:
    return self if self._array.ndim == 0 else self.flip(0)


def _format(self: Tensor, spec: str) -> str:
    """A 0-d tensor formats as its number."""
    if self._array.ndim == 0 and type(self) is Tensor:
        return item(self).__format__(spec)
    return object.__format__(self, spec)


def is_nonzero(input: Tensor) -> bool:
    """Whether the only element is not zero."""
    return _bool(input)


for _name, _method in (
    ("item", item), ("tolist", tolist), ("numpy", numpy), ("is_nonzero", is_nonzero),
    ("__array__", _array), ("__array_wrap__", _array_wrap), ("__bool__", _bool), ("__int__", _int),
    ("__float__", _float), ("__complex__", _complex), ("__index__", _index), ("__len__", _len),
    ("__iter__", _iter), ("__contains__", _contains), ("__reversed__", _reversed),
    ("__format__", _format), ("__repr__", tensor_repr),
):  # fmt: skip
    setattr(Tensor, _name, _method)
expose(is_nonzero, "torch.is_nonzero")
