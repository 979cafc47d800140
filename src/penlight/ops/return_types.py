"""Named tuples for ops with several results, printed as PyTorch prints its own."""

from __future__ import annotations

from operator import itemgetter
from typing import Any


class ReturnType(tuple):
    """A tuple whose entries have names."""

    __slots__ = ()
    _fields: tuple[str, ...] = ()

    def __new__(cls, *values: Any) -> ReturnType:
        """From its entries, or from one sequence of them."""
        if len(values) == 1 and len(cls._fields) > 1:
            values = tuple(values[0])
        if len(values) != len(cls._fields):
            raise TypeError(
                f"torch.return_types.{cls.__name__}() takes a {len(cls._fields)}-sequence "
                f"({len(values)}-sequence given)"
            )
        return tuple.__new__(cls, values)

    def __getnewargs__(self) -> tuple:
        return tuple(self)

    def __repr__(self) -> str:
        lines = ",\n".join(
            f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True)
        )
        return f"torch.return_types.{type(self).__name__}(\n{lines})"


def return_type(name: str, fields: str) -> type[ReturnType]:
    """The class `torch.return_types.NAME` with the given field names.

    >>> return_type("pair", "first second")(1, 2)
    torch.return_types.pair(
    first=1,
    second=2)
    """
    names = tuple(fields.split())
    body = {field: property(itemgetter(n)) for n, field in enumerate(names)}
    made = type(name, (ReturnType,), {"__slots__": (), "_fields": names, **body})
    made.__module__ = __name__  # where pickle finds it
    globals()[name] = made
    return made
