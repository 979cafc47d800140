"""The shape of a tensor."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any


class Size(tuple[int, ...]):
    """A tuple of axis lengths.

    >>> Size([2, 3]), Size([2, 3]).numel(), Size([2]) + Size([3])
    (torch.Size([2, 3]), 6, torch.Size([2, 3]))
    """

    __slots__ = ()

    def __new__(cls, lengths: Iterable[Any] = ()) -> Size:
        lengths = tuple(lengths)
        for position, length in enumerate(lengths):
            if type(length) is not int and not hasattr(length, "__index__"):
                raise TypeError(
                    f"torch.Size() takes an iterable of 'int' "
                    f"(item {position} is '{type(length).__name__}')"
                )
        return tuple.__new__(cls, (n if type(n) is int else n.__index__() for n in lengths))

    def numel(self) -> int:
        """The number of elements of a tensor of this shape."""
        return math.prod(self)

    def __repr__(self) -> str:
        return f"torch.Size([{', '.join(map(str, self))}])"

    def __add__(self, other: tuple) -> Size:  # type: ignore[override]
        return Size(tuple.__add__(self, tuple(other)))

    def __radd__(self, other: tuple) -> Size:
        return Size(tuple(other) + tuple(self))

    def __mul__(self, times: Any) -> Size:
        return Size(tuple.__mul__(self, times))

    __rmul__ = __mul__

    def __getitem__(self, key: Any) -> Any:  # type: ignore[override]
        item = tuple.__getitem__(self, key)
        return Size(item) if isinstance(key, slice) else item

    def __reduce__(self) -> tuple:
        return Size, (tuple(self),)
