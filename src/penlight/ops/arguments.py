"""Reading arguments that PyTorch takes in several forms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..core import dtype as dtypes
from ..core.tensor import Tensor
from ..core.watch import refuse

_PYTHON_TYPES = {
    float: dtypes.float64,
    int: dtypes.int64,
    bool: dtypes.bool_,
    complex: dtypes.complex128,
}


def ints(function: str, argument: str, values: Sequence[Any], position: int = 1) -> tuple[int, ...]:
    """Whole numbers given one by one or as one sequence.

    >>> ints("zeros", "size", (2, 3)), ints("zeros", "size", ([2, 3],))
    ((2, 3), (2, 3))
    """
    if len(values) == 1 and type(values[0]) is not int:
        (only,) = values
        if isinstance(only, (tuple, list)):
            values = only
        elif isinstance(only, Tensor) and only._array.ndim == 1:
            refuse("a shape depends on a tensor's values")
            values = only._array.tolist()
        elif not _is_whole(only):
            raise _not_ints(function, argument, position, type(only).__name__)
    for at, value in enumerate(values):
        if type(value) is not int:
            if not _is_whole(value):
                found = f"found element of type {type(value).__name__} at pos {at}"
                raise _not_ints(function, argument, position, found, "but ")
            return tuple([v.__index__() for v in values])
    return tuple(values)


def _is_whole(value: Any) -> bool:
    return hasattr(value, "__index__") and not isinstance(value, bool)


def _not_ints(
    function: str, argument: str, position: int, found: str, but: str = "not "
) -> TypeError:
    return TypeError(
        f"{function}(): argument '{argument}' (position {position}) must be tuple of ints, "
        f"{but}{found}"
    )


def with_keyword(function: Callable, keyword: str) -> Callable:
    """A method of several ints that may also be given under one name: x.permute(dims=(1, 0))."""

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if keyword in kwargs:
            args = (kwargs.pop(keyword),)
        if kwargs:
            unknown = next(iter(kwargs))
            raise TypeError(f"{function.__name__}() got an unexpected keyword argument '{unknown}'")
        if not args:
            raise TypeError(
                f'{function.__name__}() missing 1 required positional arguments: "{keyword}"'
            )
        return function(self, *args)

    method.__name__ = method.__qualname__ = function.__name__
    method.__doc__ = function.__doc__
    return method


def as_dtype(function: str, value: Any) -> dtypes.dtype:
    """A dtype, or the one that a Python number type stands for.

    >>> as_dtype("zeros", float)
    torch.float64
    """
    if isinstance(value, dtypes.dtype):
        return value
    if isinstance(value, type) and value in _PYTHON_TYPES:
        return _PYTHON_TYPES[value]
    raise TypeError(
        f"{function}(): argument 'dtype' must be torch.dtype, not {type(value).__name__}"
    )


def need_tensor(function: str, value: Any, argument: str = "input", position: int = 1) -> None:
    """TypeError unless `value` is a tensor."""
    if not isinstance(value, Tensor):
        raise TypeError(
            f"{function}(): argument '{argument}' (position {position}) must be Tensor, "
            f"not {type(value).__name__}"
        )
