"""What a kernel is asked to do: operands, and a straight-line program over scalars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from .emit import Emitter


@dataclass(frozen=True)
class Operand:
    """An array as a kernel walks it: element strides along the kernel's axes (0: repeated)."""

    kind: str
    strides: tuple[int, ...]
    offset: int = 0
    written: bool = False


@dataclass(frozen=True)
class Step:
    """One line of a scalar program; its value is named by its position.

    `op` is a name of `scalars.TABLE`, or one of
    "load"    attr: the operand's position
    "store"   args: (value,), attr: the operand's position
    "const"   attr: the number
    "index"   attr: the axis; the position along it, an i64
    "reduce"  args: (value,), attr: "sum", "max", "min", ...: over the kernel's inner axes
    """

    op: str
    args: tuple[int, ...]
    kind: str
    attr: Any = None


class Spec(Protocol):
    """A kernel's description: hashable, with a repr that says everything about it."""

    @property
    def operands(self) -> tuple[Operand, ...]:
        """One per pointer that the kernel takes, in order."""

    @property
    def threads(self) -> int:
        """How many threads are worth waking for it (1: it is small)."""

    def emit(self, e: Emitter) -> None:
        """Writes the body."""
