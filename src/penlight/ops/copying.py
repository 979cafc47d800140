"""copy, deepcopy and pickle of tensors; views of one memory stay views of one memory."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from ..core.memory import address
from ..core.tensor import Tensor
from .views import alias


def _owner(array: np.ndarray) -> np.ndarray:
    """The array whose memory this one looks at; itself where that is not row-major."""
    owner = array
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    return owner if owner.flags.c_contiguous else array


def _alike(array: np.ndarray, owner: np.ndarray, new_owner: np.ndarray) -> np.ndarray:
    """The view of `new_owner` that `array` is of `owner`."""
    if array is owner:
        return new_owner
    offset = address(array) - address(owner)
    return np.ndarray(array.shape, array.dtype, new_owner, offset, array.strides)


def _deepcopy(self: Tensor, memo: dict) -> Tensor:
    if id(self) in memo:
        return memo[id(self)]
    if not self.is_leaf:
        raise RuntimeError(
            "Only Tensors created explicitly by the user (graph leaves) support the deepcopy "
            "protocol at the moment.  If you were attempting to deepcopy a module, this may be "
            "because of a torch.nn.utils.weight_norm usage, see "
            "https://github.com/pytorch/pytorch/pull/103001"
        )
    owner = _owner(self._array)
    if id(owner) not in memo:
        memo[id(owner)] = owner.copy("K")
    twin = Tensor.__new__(type(self))
    twin._array = _alike(self._array, owner, memo[id(owner)])
    twin._requires_grad = self._requires_grad
    memo[id(self)] = twin
    memo.setdefault(id(memo), []).append(owner)  # ids in the memo stay taken
    if self._grad is not None:
        twin._grad = copy.deepcopy(self._grad, memo)
    twin.__dict__.update(copy.deepcopy(self.__dict__, memo))
    return twin


def _reduce(self: Tensor, protocol: Any) -> tuple:
    owner = _owner(self._array)
    offset = address(self._array) - address(owner) if self._array.size else 0
    if owner is self._array:
        where: tuple = ()
    else:
        where = (self._array.shape, self._array.dtype, offset, self._array.strides)
    return rebuild, (type(self), owner, where, self.requires_grad, dict(self.__dict__))


def rebuild(cls: type, owner: np.ndarray, where: tuple, requires_grad: bool, notes: dict) -> Tensor:
    """What a pickled tensor becomes: a view of its owner's memory, which pickle saves once."""
    self = Tensor.__new__(cls)
    if where:
        shape, kind, offset, strides = where
        self._array = np.ndarray(shape, kind, owner, offset, strides)
    else:
        self._array = owner
    self._requires_grad = requires_grad
    self.__dict__.update(notes)
    return self


def as_subclass(self: Tensor, cls: type) -> Any:
    """The same memory and history as an instance of a subclass."""
    view = alias(self)
    made = Tensor.__new__(cls)
    for slot in ("_array", "_requires_grad", "_node", "_root", "_view"):
        setattr(made, slot, getattr(view, slot))
    if view._node is not None:
        made._slot = view._slot
    return made


def _make_subclass(cls: type, data: Tensor, require_grad: bool = False) -> Any:
    """An instance of a subclass over the memory of `data`, a leaf."""
    made = Tensor.__new__(cls)
    made._array, made._root = data._array, data if data._root is None else data._root
    return made.requires_grad_(require_grad)


for _name, _method in {
    "__deepcopy__": _deepcopy, "__reduce_ex__": _reduce, "as_subclass": as_subclass,
}.items():  # fmt: skip
    setattr(Tensor, _name, _method)
Tensor._make_subclass = staticmethod(_make_subclass)  # type: ignore[attr-defined]
