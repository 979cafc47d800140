"""One scalar operation over whole arrays, of any size and strides: what eager code calls.

`Inner` is the inner loop of a NumPy ufunc, `Flat` the same for large arrays on many threads. Both
compute every element in a vector, whatever is left over in one that is partly filled, so that a
result depends on its arguments only.
"""

from __future__ import annotations

from dataclasses import dataclass

from llvmlite import ir

from .. import vector_angles  # noqa: F401  joins the table of scalar operations
from ..emit import I64, PTR, TYPES, Emitter, Index
from ..scalars import TABLE
from ..spec import Operand
from ..types import size_of

GRAIN = 4096  # elements that one thread takes at a time


@dataclass(frozen=True)
class Flat:
    """out[i] = op(a[i], ...) for contiguous arrays; their size is the number after the arrays."""

    op: str
    kind: str
    threads: int = 64
    numbers: int = 1

    @property
    def operands(self) -> tuple[Operand, ...]:
        """The arguments, then the result."""
        arity = TABLE[self.op].arity
        given = (Operand(self.kind, (1,)),) * arity
        return (*given, Operand(self.kind, (1,), written=True))

    def emit(self, e: Emitter) -> None:
        """Each thread takes a part of the elements."""
        arity = TABLE[self.op].arity
        pointers = [e.pointer(i) for i in range(arity + 1)]
        size = e.load(e.pointer(arity + 1), 0, "i64")
        start, stop = e.share(size, GRAIN)
        lanes = e.host.lanes(size_of(self.kind))
        body = e.sub(stop, e.rem(e.sub(stop, start), lanes))
        with e.loop(start, body, lanes) as i:
            values = [e.load(p, i, self.kind, lanes) for p in pointers[:-1]]
            result = TABLE[self.op].code(e, self.kind, *values)
            e.store(result, pointers[-1], i, self.kind)
        with e.guard(e.builder.icmp_signed("<", body, stop)):
            mask = e.first_lanes(e.sub(stop, body), lanes)
            values = [e.load(p, body, self.kind, lanes, mask) for p in pointers[:-1]]
            result = TABLE[self.op].code(e, self.kind, *values)
            e.store(result, pointers[-1], body, self.kind, mask)


@dataclass(frozen=True)
class Inner:
    """The inner loop of a ufunc: void (char **args, long *dimensions, long *strides, void *).

    Its arguments lie in the registers where a kernel has (args, thread, threads). Strides are in
    bytes. https://numpy.org/doc/stable/reference/c-api/ufunc.html
    """

    op: str
    kind: str

    def emit(self, e: Emitter) -> None:
        """Vectors straight from memory where all strides are an element, else through a buffer."""
        count = TABLE[self.op].arity + 1
        size = size_of(self.kind)
        pointers = [e.pointer(i) for i in range(count)]
        n, *strides = loop_numbers(e, 1, count)
        lanes = e.host.lanes(size)
        dense = None
        for stride in strides:
            same = e.builder.icmp_signed("==", stride, I64(size))
            dense = same if dense is None else e.builder.and_(dense, same)
        body = e.builder.select(dense, e.sub(n, e.rem(n, lanes)), I64(0))
        with e.loop(0, body, lanes) as i:
            values = [e.load(p, i, self.kind, lanes) for p in pointers[:-1]]
            e.store(TABLE[self.op].code(e, self.kind, *values), pointers[-1], i, self.kind)
        buffers = [e.scratch(self.kind, lanes) for _ in pointers]
        for buffer in buffers:
            e.store(e.constant(0, self.kind, lanes), buffer, 0, self.kind)
        with e.loop(body, n, lanes, "block") as i:
            self._block(e, pointers, strides, buffers, i, e.least(e.sub(n, i), lanes))

    def _block(
        self, e: Emitter, pointers: list, strides: list, buffers: list, start: Index, count: Index
    ) -> None:
        lanes = e.host.lanes(size_of(self.kind))
        for pointer, stride, buffer in list(zip(pointers, strides, buffers))[:-1]:
            with e.loop(0, count) as k:
                value = e.load(at_byte(e, pointer, e.mul(e.add(start, k), stride)), 0, self.kind)
                e.store(value, buffer, k, self.kind)
        values = [e.load(b, 0, self.kind, lanes) for b in buffers[:-1]]
        e.store(TABLE[self.op].code(e, self.kind, *values), buffers[-1], 0, self.kind)
        with e.loop(0, count) as k:
            value = e.load(buffers[-1], k, self.kind)
            at = at_byte(e, pointers[-1], e.mul(e.add(start, k), strides[-1]))
            e.store(value, at, 0, self.kind)


def loop_numbers(e: Emitter, dimensions: int, strides: int) -> list[ir.Value]:
    """The dimensions and the strides that a ufunc's inner loop is called with."""
    b = e.builder
    places = [(e.thread, i) for i in range(dimensions)] + [(e.threads, i) for i in range(strides)]
    return [e.load(b.inttoptr(word, PTR), i, "i64") for word, i in places]


def at_byte(e: Emitter, pointer: ir.Value, offset: Index) -> ir.Value:
    """Where the byte at an offset lies."""
    return e.builder.gep(pointer, [e.value(offset)], source_etype=TYPES["u8"])
