"""Numbers of a kernel that are known when it is written, or read when it runs."""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import count
from typing import Any, TypeVar

from llvmlite import ir

from ..emit import I64, Emitter, Index
from ..spec import Operand

Triple = tuple[Index, ...]  # of three
T = TypeVar("T", bound="Numbers")


@dataclass(frozen=True)
class Numbers:
    """A base for dataclasses whose fields are an `Index` or a `Triple`."""

    def flat(self) -> list[int]:
        """All numbers, in the order of the fields."""
        found: list[int] = []
        for f in fields(self):
            value = getattr(self, f.name)
            found += value if isinstance(value, tuple) else (value,)
        return found


NUMBERS_OPERAND = Operand("i64", (1,))


def read_numbers(e: Emitter, form: type[T], position: int) -> tuple[Index, T]:
    """(threads, sizes) of an operand that holds them: a number, then those of `form.flat`."""
    pointer = e.pointer(position)
    numbers = (e.load(pointer, i, "i64") for i in count())

    def read(of: str) -> Any:
        return tuple(next(numbers) for _ in range(3)) if of == "Triple" else next(numbers)

    return next(numbers), form(**{f.name: read(str(f.type)) for f in fields(form)})


def same(index: Index, number: int) -> bool:
    """Whether an index is known to be `number`."""
    return isinstance(index, int) and index == number


def steps_from(e: Emitter, first: Index, step: Index, lanes: int) -> Any:
    """The vector first, first + step, ..."""
    numbers: Any = ir.Constant(ir.VectorType(I64, lanes), list(range(lanes)))
    if not same(step, 1):
        numbers = e.builder.mul(numbers, e.splat(e.value(step), lanes))
    return e.builder.add(numbers, e.splat(e.value(first), lanes))
