"""What makers of new tensors share: their options, their sizes, the number they fill with."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core import dtype as dtypes
from ..core.device import resolve
from ..core.formats import strided
from ..core.memory import empty_as
from ..core.tensor import Tensor, wrap
from ..core.watch import note, note_fixed, refuse, tracers
from .arguments import as_dtype, ints
from .cast import cast
from .exposure import expose, into_out
from .literal import check_range


def factory(names: str, sparse: Callable | None = None, draws: bool = False) -> Callable:
    """Exposes a maker of arrays: (*its arguments, dtype) -> array.

    The options all factories share are read here: out, dtype, layout, device, pin_memory,
    requires_grad. `pin_memory` is accepted: without an accelerator all memory is as good.
    `sparse(layout)` gives the error for a layout other than strided. A maker that `draws` random
    numbers asks at most for the form of the tensors it is given.
    """

    def exposed(make: Callable) -> Callable:
        name = make.__name__

        @functools.wraps(make)
        def call(
            *args: Any,
            out: Tensor | None = None,
            dtype: Any = None,
            layout: Any = None,
            device: Any = None,
            pin_memory: bool = False,
            requires_grad: bool = False,
            **kwargs: Any,
        ) -> Tensor:
            if dtype is not None:
                dtype = as_dtype(name, dtype)
            if layout is not None and layout is not strided:
                raise (sparse or _no_sparse)(layout)
            if device is not None:
                resolve(device)
            if out is not None:
                kwargs["dtype"] = out.dtype if dtype is None else dtype
                made = wrap(make(*args, **kwargs))
                if tracers:
                    _noted(made, make, args, kwargs, draws)
                return into_out(out, made).requires_grad_(requires_grad)
            made = wrap(make(*args, dtype=dtype, **kwargs))
            if tracers:
                _noted(made, make, args, kwargs | {"dtype": dtype}, draws)
            return finished(made, requires_grad)

        expose(call, names)
        return call

    return exposed


def _no_sparse(layout: Any) -> Exception:
    return NotImplementedError(f"penlight has strided tensors only, not {layout}")


def _noted(made: Tensor, make: Callable, args: tuple, kwargs: dict, draws: bool) -> None:
    """Tells a recording how the tensor came about."""
    values = [*args, *kwargs.values()]
    if draws:
        args = tuple([_in_form_of(a) for a in args])
        kwargs = {name: _in_form_of(a) for name, a in kwargs.items()}
        note(make.__name__, lambda xp: make(*args, **kwargs), (), (), (made,), pure=False)
    elif not make.__name__.endswith("_like") and any(map(_holds_tensor, values)):
        refuse(f"torch.{make.__name__} reads the values of a tensor")
    else:
        note_fixed(made)


def _in_form_of(value: Any) -> Any:
    if not isinstance(value, Tensor):
        return value
    return wrap(empty_as(value._array, value._array.dtype))


def _holds_tensor(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(map(_holds_tensor, value))
    return isinstance(value, (Tensor, np.ndarray))


def finished(made: Tensor, requires_grad: bool) -> Tensor:
    """A new tensor as a leaf."""
    if requires_grad:
        if made.dtype.category < dtypes.FLOAT:
            raise RuntimeError(
                "Only Tensors of floating point and complex dtype can require gradients"
            )
        made._requires_grad = True
    return made


def sizes(function: str, size: tuple, kwargs: dict) -> tuple[int, ...]:
    """A shape given as ints, as one sequence or by the keyword `size`."""
    if "size" in kwargs:
        size = (kwargs.pop("size"),)
    elif not size:
        raise TypeError(f'{function}() missing 1 required positional arguments: "size"')
    if kwargs:
        raise TypeError(f"{function}() got an unexpected keyword argument '{next(iter(kwargs))}'")
    shape = ints(function, "size", size)
    for n in shape:
        if n < 0:
            raise RuntimeError(
                "zeros: Dimension size must be non-negative."
                if function == "zeros"
                else f"Trying to create tensor with negative dimension {n}: {list(shape)}"
            )
    return shape


def np_dtype(dtype: dtypes.dtype | None) -> np.dtype:
    return (dtypes.get_default_dtype() if dtype is None else dtype).np


# What C++ calls the types in PyTorch's overflow errors.
C_NAMES = {
    "float32": "float", "float64": "double", "float16": "c10::Half", "bfloat16": "c10::BFloat16",
    "int64": "int64_t", "int32": "int", "int16": "int16_t", "int8": "int8_t", "uint8": "uint8_t",
    "uint16": "uint16_t", "uint32": "uint32_t", "uint64": "uint64_t", "bool": "bool",
}  # fmt: skip


def number(value: Any, target: np.dtype) -> Any:
    """A number in a type; RuntimeError where its kind or size does not fit."""
    if type(value) in (int, float) and target in _RANGES:
        low, high = _RANGES[target]
        if low <= value <= high:
            return target.type(value)
    if isinstance(value, Tensor):
        value = value.item()
    array = np.asarray(value)
    name = C_NAMES.get(target.name, target.name)
    if array.dtype.kind == "c" and target.kind in "biufV" and target != dtypes.COMPLEX32_NP:
        if value.imag:
            raise RuntimeError(f"value cannot be converted to type {name} without overflow")
        array = array.real
    if target.kind in "iu":
        check_range(array, target, name)
    elif target.kind in "fV" and array.dtype.kind in "iuf" and np.isfinite(array):
        result = cast(array, target)
        if target.kind == "f" and np.isinf(result):
            raise RuntimeError(f"value cannot be converted to type {name} without overflow")
        return result
    return cast(array, target)


# What surely fits the common types, so that it need not be looked at further.
_RANGES = {
    np.dtype(np.float32): (-1e38, 1e38),
    np.dtype(np.float64): (-1e300, 1e300),
    np.dtype(np.int64): (-(2**62), 2**62),
    np.dtype(np.int32): (-(2**30), 2**30),
    np.dtype(np.bool_): (-1e300, 1e300),
}


def fill_dtype(function: str, value: Any) -> dtypes.dtype:
    """The type that a number, or a 0-d tensor, gives to what it fills."""
    if isinstance(value, Tensor):
        return value.dtype
    try:
        return dtypes.of_number(value)
    except TypeError:
        raise TypeError(
            f"{function}(): argument 'fill_value' (position 2) must be Number, "
            f"not {type(value).__name__}"
        ) from None
