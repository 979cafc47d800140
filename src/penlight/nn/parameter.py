"""Tensors that a module registers by being given them: parameters (learned) and buffers (not)."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np

from ..core.device import CPU
from ..core.dtype import FLOAT
from ..core.dtype import dtype as dtype_type
from ..core.printing import plain_types, tensor_repr
from ..core.tensor import Tensor, wrap
from ..ops.creation import empty


def _adopt(cls: type, data: Tensor | None, requires_grad: bool) -> Any:
    """A `cls` over the memory of `data`, without its history."""
    if data is None:
        data = empty(0)
    self = Tensor.__new__(cls)
    self._array = data._array
    self._root = data if data._root is None else data._root
    if requires_grad:
        if data.dtype.category < FLOAT:
            raise RuntimeError(
                "Only Tensors of floating point and complex dtype can require gradients"
            )
        self.requires_grad = True
    return self


class Parameter(Tensor):
    """A tensor that a module learns: set as a module's attribute, it appears in `parameters()`.

    >>> import penlight as torch
    >>> torch.nn.Parameter(torch.zeros(2))
    Parameter containing:
    tensor([0., 0.], requires_grad=True)
    """

    __slots__ = ()

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True) -> Parameter:
        return _adopt(cls, data, requires_grad)

    def __repr__(self, **options: Any) -> str:  # type: ignore[override]
        return "Parameter containing:\n" + tensor_repr(self, **options)

    def __deepcopy__(self, memo: dict) -> Any:
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.data.clone(), self.requires_grad)
        return memo[id(self)]

    def __reduce_ex__(self, protocol: Any) -> tuple:
        return rebuild_parameter, (self.data, self.requires_grad, OrderedDict())


def rebuild_parameter(data: Tensor, requires_grad: bool, hooks: Any) -> Parameter:
    """What a pickled parameter becomes; hooks are never saved."""
    return Parameter(data, requires_grad)


class Buffer(Tensor):
    """A tensor that a module keeps but does not learn: set as an attribute, it is a buffer."""

    __slots__ = ()

    def __new__(cls, data: Tensor | None = None, *, persistent: bool = True) -> Buffer:
        self = _adopt(cls, data, data is not None and data.requires_grad)
        self.persistent = persistent
        return self

    def __deepcopy__(self, memo: dict) -> Any:
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.data.clone(), persistent=self.persistent)
        return memo[id(self)]


class UninitializedTensorMixin(Tensor):
    """A tensor whose shape is known only after the first forward: a dtype without elements."""

    __slots__ = ()
    cls_to_become: type = Tensor

    def materialize(self, shape: Any, device: Any = None, dtype: dtype_type | None = None) -> None:
        """Becomes an ordinary tensor with uninitialised values of this shape."""
        array = np.empty(tuple(shape), (dtype or self.dtype).np)
        self.__class__ = self.cls_to_become
        self._array = array

    @property
    def _array(self) -> Any:
        kind = type(self).__name__
        raise ValueError(
            "Attempted to use an uninitialized parameter. This error happens when you are using a "
            f"`LazyModule` or explicitly manipulating `torch.nn.parameter.{kind}` objects. When "
            "using LazyModules Call `forward` with a dummy batch to initialize the parameters "
            "before calling torch functions"
        )

    @_array.setter
    def _array(self, array: Any) -> None:
        Tensor._array.__set__(self, array)

    @property
    def data(self) -> Tensor:
        """An empty tensor of this dtype."""
        return wrap(Tensor._array.__get__(self))

    @data.setter
    def data(self, value: Tensor) -> None:
        self._array = value._array

    @property
    def dtype(self) -> dtype_type:
        """The type the elements will have."""
        return self.data.dtype

    @property
    def device(self) -> Any:
        """Where the memory will be."""
        return CPU

    @property
    def shape(self) -> Any:
        """Not known yet: RuntimeError."""
        raise RuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer. This error usually "
            "happens in `load_state_dict` when trying to load an uninitialized parameter into an "
            "initialized one. Call `forward` to initialize the parameters before accessing their "
            "attributes."
        )

    def share_memory_(self) -> Tensor:
        """Nothing to share yet: RuntimeError."""
        raise RuntimeError(
            "Can't share memory on an uninitialized parameter or buffer. Call `forward` to "
            "initialize the parameters before calling `module.share_memory()`."
        )

    def __repr__(self, **options: Any) -> str:  # type: ignore[override]
        return f"<{type(self).__name__}>"

    def __deepcopy__(self, memo: dict) -> Any:
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.requires_grad, self.device, self.dtype)
        return memo[id(self)]

    def __reduce_ex__(self, protocol: Any) -> tuple:
        return type(self), (self.requires_grad, None, self.dtype)


class UninitializedParameter(UninitializedTensorMixin, Parameter):
    """A parameter whose shape the first forward decides."""

    __slots__ = ()
    cls_to_become = Parameter

    def __new__(
        cls, requires_grad: bool = True, device: Any = None, dtype: dtype_type | None = None
    ) -> UninitializedParameter:
        self: Any = Tensor.__new__(cls)
        self._array = empty(0, dtype=dtype, device=device)._array
        self.requires_grad = requires_grad
        return self


class UninitializedBuffer(UninitializedTensorMixin):
    """A buffer whose shape the first forward decides."""

    __slots__ = ()

    def __new__(
        cls,
        requires_grad: bool = False,
        device: Any = None,
        dtype: dtype_type | None = None,
        persistent: bool = True,
    ) -> UninitializedBuffer:
        self: Any = Tensor.__new__(cls)
        self._array = empty(0, dtype=dtype, device=device)._array
        self.requires_grad = requires_grad
        self.persistent = persistent
        return self


def is_lazy(param: Any) -> bool:
    """Whether a tensor still waits for its shape."""
    return isinstance(param, UninitializedTensorMixin)


def fresh(shape: Any, device: Any = None, dtype: dtype_type | None = None) -> Parameter:
    """A parameter of this shape whose values its layer is about to draw."""
    return Parameter(empty(shape, dtype=dtype, device=device))


plain_types.update((Parameter, Buffer))  # print as tensors do
