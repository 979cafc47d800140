"""Rows of a table by number: read, and added to.

    rows        out[i] = table[index[i]]
    add_at      out = base; then out[index[i]] += part[i], i ascending
    add_rows    the same, from zeros

Each element of `out` is one chain of additions, whatever the threads are: a thread owns columns of
`out`, or rows where there are few columns. An index outside of 0 <= index < rows is written to the
error cell as (1, index, rows, 0) if nothing is there yet, and skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from ..emit import I64, Emitter, Index
from ..scalars import TABLE
from ..spec import Operand
from ..structures import Form, Plan, Stage, Structure, structure
from ..types import size_of

LANES = 16
NARROW = 32  # columns: fewer are not shared among threads
WORTH_BYTES = 1_000_000  # moved: about 20 microseconds
MANY = 64  # threads
Run = tuple[Index, Index]  # from, to
Sizes = tuple[Index, Index, Index]  # rows of the table, indices, columns


@dataclass(frozen=True)
class AddAt:
    """The kernel. Operands: base where it starts from one, index, part, out, error.

    `start`  what `out` holds before: a "base", "zeros", or what is there already ("")
    `sizes`  None: the numbers of the call
    """

    kind: str
    start: str = ""
    threads: int = 1
    sizes: tuple[int, int, int] | None = None

    @property
    def numbers(self) -> int:
        """How many the kernel is called with."""
        return 0 if self.sizes else 3

    @property
    def operands(self) -> tuple[Operand, ...]:
        """One per pointer."""
        read, written = Operand(self.kind, (1,)), Operand(self.kind, (1,), written=True)
        index, error = Operand("i64", (1,)), Operand("i64", (1,), written=True)
        base = (read,) if self.start == "base" else ()
        return (*base, index, read, written, error)

    def emit(self, e: Emitter) -> None:
        """This thread's part of out."""
        sizes = self.sizes or read_sizes(e, len(self.operands))
        rows, count, cols = sizes
        index, part, out, error = (e.pointer(len(self.operands) - 4 + n) for n in range(4))
        down, across = e.share(rows), e.share(cols, LANES)
        narrow = e.builder.icmp_signed("<", e.value(cols), I64(NARROW))
        down, across = (
            (chosen(e, narrow, down[0], 0), chosen(e, narrow, down[1], rows)),
            (chosen(e, narrow, 0, across[0]), chosen(e, narrow, cols, across[1])),
        )
        if self.start:
            self._begin(e, cols, down, across, out)

        def add(n: Index, row: Index) -> None:
            b = e.builder
            mine = b.and_(
                b.icmp_signed(">=", row, e.value(down[0])),
                b.icmp_signed("<", row, e.value(down[1])),
            )
            with e.guard(mine, "mine"):
                self._add(e, cols, across, e.mul(n, cols), e.mul(row, cols), part, out)

        looked_up(e, (0, count), index, rows, error, add)

    def _begin(self, e: Emitter, cols: Index, down: Run, across: Run, out: Any) -> None:
        """What this thread's part of out holds first."""
        base = e.pointer(0) if self.start == "base" else None

        def put(at: Index, mask: Any) -> None:
            zero = e.constant(0, self.kind, LANES)
            value = zero if base is None else e.load(base, at, self.kind, LANES, mask)
            e.store(value, out, at, self.kind, mask)

        if isinstance(cols, int) and cols < NARROW:
            along(e, e.mul(down[0], cols), e.mul(down[1], cols), put)
            return
        with e.loop(*down, name="row") as row:
            start = e.mul(row, cols)
            along(e, e.add(start, across[0]), e.add(start, across[1]), put)

    def _add(
        self, e: Emitter, cols: Index, across: Run, source: Index, target: Index, part: Any,
        out: Any,
    ) -> None:  # fmt: skip
        """One row."""
        plus, kind = TABLE["add"].code, self.kind

        def add(c: Index, mask: Any, lanes: int = LANES) -> None:
            to = e.add(target, c)
            old = e.load(out, to, kind, lanes, mask)
            new = e.load(part, e.add(source, c), kind, lanes, mask)
            e.store(plus(e, kind, old, new), out, to, kind, mask)

        if isinstance(cols, int):
            add(0, None, 1) if cols == 1 else along(e, *across, add)
            return
        single = e.builder.icmp_signed("==", cols, I64(1))
        with e.guard(single, "single"):
            add(0, None, 1)
        with e.guard(e.builder.not_(single), "row"):
            along(e, *across, add)


@dataclass(frozen=True)
class TakeRows:
    """The kernel. Operands: table, index, out, error; numbers: rows, indices, columns."""

    kind: str
    threads: int = 1
    numbers: int = 3

    @property
    def operands(self) -> tuple[Operand, ...]:
        """One per pointer."""
        read, written = Operand(self.kind, (1,)), Operand(self.kind, (1,), written=True)
        return read, Operand("i64", (1,)), written, Operand("i64", (1,), written=True)

    def emit(self, e: Emitter) -> None:
        """This thread's rows of out."""
        rows, count, cols = read_sizes(e, 4)
        table, index, out, error = (e.pointer(n) for n in range(4))

        def copy(n: Index, row: Index) -> None:
            source, target = e.mul(row, cols), e.mul(n, cols)

            def move(c: Index, mask: Any) -> None:
                value = e.load(table, e.add(source, c), self.kind, LANES, mask)
                e.store(value, out, e.add(target, c), self.kind, mask)

            along(e, 0, cols, move)

        looked_up(e, e.share(count), index, rows, error, copy)


def read_sizes(e: Emitter, position: int) -> Sizes:
    """Rows, indices and columns from the numbers of a call."""
    numbers = e.pointer(position)
    rows, count, cols = (e.load(numbers, n, "i64") for n in range(3))
    return rows, count, cols


def chosen(e: Emitter, condition: Any, a: Index, b: Index) -> Index:
    """a where the condition holds, else b."""
    return e.builder.select(condition, e.value(a), e.value(b))


def along(e: Emitter, start: Index, stop: Index, visit: Callable[[Index, Any], None]) -> None:
    """Visits a run of elements by vectors; the last one has a mask."""
    whole = e.add(start, e.mul(e.div(e.sub(stop, start), LANES), LANES))
    with e.loop(start, whole, LANES, "c") as c:
        visit(c, None)
    with e.loop(whole, stop, LANES, "c.rest") as c:
        visit(c, e.first_lanes(e.sub(stop, c), LANES))


def looked_up(
    e: Emitter, run: tuple[Index, Index], index: Any, rows: Index, error: Any,
    visit: Callable[[Index, Index], None],
) -> None:  # fmt: skip
    """Visits (n, index[n]) for n in a run; an index that is out of range is reported instead."""
    b = e.builder
    with e.loop(*run, name="n") as n:
        row = e.load(index, n, "i64")
        fits = b.icmp_unsigned("<", row, e.value(rows))
        with e.guard(fits, "fits"):
            visit(n, row)
        with e.guard(b.not_(fits), "astray"):
            nothing = b.icmp_signed("==", e.load(error, 0, "i64"), I64(0))
            with e.guard(nothing, "first"):
                for place, value in enumerate((I64(1), row, e.value(rows), I64(0))):
                    e.store(value, error, place, "i64")


def threads_worth(rows: int, count: int, cols: int, kind: str) -> int:
    """How many threads have enough to move."""
    moved = (rows + 3 * count) * cols * size_of(kind)
    shares = rows if cols < NARROW else cols // LANES
    return max(1, min(MANY, moved // WORTH_BYTES, shares))


# ---------------------------------------------------------------- structures


def _base_rule(forms: Sequence[Form], attr: Any) -> list[Form]:
    (kind, base), *rest = forms
    return _fitting(kind, base, rest)


def _rows_rule(forms: Sequence[Form], attr: Any) -> list[Form]:
    (_, index), (kind, part) = forms
    return _fitting(kind, (dict(attr)["rows"], *part[len(index) :]), forms)


def _fitting(kind: str, out: tuple[int, ...], forms: Sequence[Form]) -> list[Form]:
    """The result, if index and part go with it."""
    (of, index), (other, part) = forms
    if of != "i64" or other != kind or kind == "bool" or part != (*index, *out[1:]):
        raise ValueError(f"rows {list(forms)} added to {kind} {out}")
    return [(kind, out)]


def _plan(forms: Sequence[Form], out: Form, start: str) -> Plan:
    kind, shape = out
    index = forms[-2][1]
    sizes = shape[0], prod(index), prod(shape[1:])
    spec = AddAt(kind, start, threads_worth(*sizes, kind), sizes)
    inputs = [("in", n) for n in range(len(forms))]
    return Plan((Stage(spec, (*inputs, ("out", 0), ("error", 0))),))


def _base_plan(forms: Sequence[Form], operands: Sequence[Operand], attr: Any) -> Plan:
    return _plan(forms, _base_rule(forms, attr)[0], "base")


def _rows_plan(forms: Sequence[Form], operands: Sequence[Operand], attr: Any) -> Plan:
    return _plan(forms, _rows_rule(forms, attr)[0], "zeros")


structure(Structure("add_at", _base_rule, _base_plan))
structure(Structure("add_rows", _rows_rule, _rows_plan, ("rows",)))
