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
    "store"   args: (value,), attr: the operand's position; kind: the value's
    "const"   attr: the number
    "index"   attr: the axis; the position along it, an i64
    "reduce"  args: (value,), attr: "sum", "prod", "max", "min", "any", "all", "argmax", "argmin":
              over all of the kernel's inner axes
    "load_at", "store_at", "add_at"  at indices that were computed: see `At`
    """

    op: str
    args: tuple[int, ...]
    kind: str
    attr: Any = None


@dataclass(frozen=True)
class At:
    """Where "load_at" (args: the indices), "store_at" and "add_at" (args: value, *indices) go.

    The element is that of `operand` where the kernel stands, moved by each index (an i64) times its
    stride. An index i of an axis of n elements must lie in 0 <= i < n, or in -n <= i < n where
    indices `wrap`. One that does not is written to the operand `error` as (1, index, n, axis) if
    nothing is there yet; then "load_at" reads index 0 and nothing is stored.

    Stores happen in the order of the inner axes. Points of different outer position must not meet.
    """

    operand: int
    extents: tuple[int, ...]
    strides: tuple[int, ...]
    error: int
    axes: tuple[int, ...] = (0,)
    wrap: bool = False


class Spec(Protocol):
    """A kernel's description: hashable, with a repr that says everything about it.

    It may have `numbers`, how many numbers a call takes after the arrays: the kernel gets one more
    pointer, to an i64 for each (of a float, the bits of the f64).
    """

    @property
    def operands(self) -> tuple[Operand, ...]:
        """One per pointer that the kernel takes, in order."""

    @property
    def threads(self) -> int:
        """How many threads are worth waking for it (1: it is small)."""

    def emit(self, e: Emitter) -> None:
        """Writes the body."""
