"""Writing one kernel: a typed layer over llvmlite's builder.

Only `loop` and `guard` make basic blocks; a kernel's Python is indented as its loops are. An index
is a Python int where it is known and an i64 value where it is not; the arithmetic here folds what
is known, so one emitter serves kernels of fixed and of run-time sizes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from llvmlite import ir

from .host import Host
from .types import size_of

I1, I8, I32, I64 = (ir.IntType(n) for n in (1, 8, 32, 64))
PTR = ir.PointerType()
TYPES = {
    "f32": ir.FloatType(), "f64": ir.DoubleType(), "i8": I8, "i16": ir.IntType(16), "i32": I32,
    "i64": I64, "u8": I8, "bool": I1,
}  # fmt: skip
Index = Any  # int | ir.Value


class Variable:
    """A value that a loop changes; LLVM keeps it in a register."""

    def __init__(self, e: Emitter, initial: Any, name: str):
        self.e = e
        with e.builder.goto_entry_block():
            self.slot = e.builder.alloca(initial.type, name=name)
        self.type = initial.type
        self.set(initial)

    def get(self) -> Any:
        """The value now."""
        return self.e.builder.load(self.slot, typ=self.type)

    def set(self, value: Any) -> None:
        """The value from now on."""
        self.e.builder.store(value, self.slot)


class Emitter:
    """One function `void NAME(ptr* args, i64 thread, i64 threads)` in a module of its own."""

    def __init__(self, host: Host, name: str = "kernel"):
        self.host = host
        self.module = ir.Module(name)
        self.module.triple = host.triple
        self.function = ir.Function(
            self.module, ir.FunctionType(ir.VoidType(), [PTR, I64, I64]), name
        )
        self.args, self.thread, self.threads = self.function.args
        for arg, label in zip(self.function.args, ("args", "thread", "threads")):
            arg.name = label
        self.builder = ir.IRBuilder(self.function.append_basic_block("entry"))

    def finish(self) -> str:
        """The module's text."""
        self.builder.ret_void()
        return str(self.module)

    # ------------------------------------------------------------ blocks

    @contextmanager
    def loop(
        self, start: Index, stop: Index, step: Index = 1, name: str = "i"
    ) -> Iterator[ir.Value]:
        """The body runs for start, start + step, ... while less than stop."""
        b = self.builder
        before, head, body, after = (
            b.block, *(b.append_basic_block(f"{name}.{part}") for part in ("head", "body", "end")),
        )  # fmt: skip
        first, last, by = self.value(start), self.value(stop), self.value(step)
        b.branch(head)
        b.position_at_end(head)
        i = b.phi(I64, name=name)
        i.add_incoming(first, before)
        b.cbranch(b.icmp_signed("<", i, last), body, after)
        b.position_at_end(body)
        yield i
        i.add_incoming(b.add(i, by, name=f"{name}.next"), b.block)
        b.branch(head)
        b.position_at_end(after)

    @contextmanager
    def guard(self, condition: ir.Value, name: str = "if") -> Iterator[None]:
        """The body runs where the condition holds."""
        b = self.builder
        body, after = b.append_basic_block(name), b.append_basic_block(f"{name}.end")
        b.cbranch(condition, body, after)
        b.position_at_end(body)
        yield
        b.branch(after)
        b.position_at_end(after)

    def variable(self, initial: ir.Value, name: str = "v") -> Variable:
        """A value that loops may change."""
        return Variable(self, initial, name)

    def scratch(self, kind: str, count: int, name: str = "scratch") -> ir.Value:
        """Aligned stack memory for `count` elements; keep it small (a few KiB)."""
        with self.builder.goto_entry_block():
            memory = self.builder.alloca(ir.ArrayType(I8, count * size_of(kind)), name=name)
            memory.align = self.host.bits // 8
        memory.type = PTR  # llvmlite types it by what it holds
        return memory

    # ------------------------------------------------------------ index arithmetic

    def value(self, index: Index) -> ir.Value:
        """An index as an i64 value."""
        return I64(index) if isinstance(index, int) else index

    def add(self, a: Index, b: Index) -> Index:
        """a + b."""
        if isinstance(a, int) and isinstance(b, int):
            return a + b
        if isinstance(a, int) and a == 0:
            return b
        if isinstance(b, int) and b == 0:
            return a
        return self.builder.add(self.value(a), self.value(b), flags=("nsw",))

    def sub(self, a: Index, b: Index) -> Index:
        """a - b."""
        if isinstance(a, int) and isinstance(b, int):
            return a - b
        if isinstance(b, int) and b == 0:
            return a
        return self.builder.sub(self.value(a), self.value(b), flags=("nsw",))

    def mul(self, a: Index, b: Index) -> Index:
        """a * b."""
        if isinstance(a, int) and isinstance(b, int):
            return a * b
        for x, y in ((a, b), (b, a)):
            if isinstance(x, int) and x in (0, 1):
                return y if x else 0
        return self.builder.mul(self.value(a), self.value(b), flags=("nsw",))

    def div(self, a: Index, b: Index) -> Index:
        """a // b for a >= 0, b > 0."""
        if isinstance(a, int) and isinstance(b, int):
            return a // b
        if isinstance(b, int) and b == 1:
            return a
        return self.builder.udiv(self.value(a), self.value(b))

    def rem(self, a: Index, b: Index) -> Index:
        """a % b for a >= 0, b > 0."""
        if isinstance(a, int) and isinstance(b, int):
            return a % b
        if isinstance(b, int) and b == 1:
            return 0
        return self.builder.urem(self.value(a), self.value(b))

    def least(self, a: Index, b: Index) -> Index:
        """min(a, b)."""
        if isinstance(a, int) and isinstance(b, int):
            return min(a, b)
        a, b = self.value(a), self.value(b)
        return self.builder.select(self.builder.icmp_signed("<", a, b), a, b)

    def dot(self, indices: Sequence[Index], strides: Sequence[Index], offset: Index = 0) -> Index:
        """offset + the sum of index times stride."""
        for i, s in zip(indices, strides, strict=True):
            offset = self.add(offset, self.mul(i, s))
        return offset

    def unravel(self, flat: Index, extents: Sequence[Index]) -> list[Index]:
        """The row-major multi-index of a flat index."""
        found: list[Index] = []
        for n in reversed(extents[1:]):
            found.append(self.rem(flat, n))
            flat = self.div(flat, n)
        return [flat, *reversed(found)] if extents else []

    def share(self, total: Index, grain: int = 1) -> tuple[Index, Index]:
        """This thread's part [start, stop) of `total` items, cut at multiples of `grain`."""
        pieces = self.div(self.add(total, grain - 1), grain)
        start = self.div(self.mul(pieces, self.thread), self.threads)
        stop = self.div(self.mul(pieces, self.add(self.thread, 1)), self.threads)
        return self.mul(start, grain), self.least(self.mul(stop, grain), total)

    # ------------------------------------------------------------ memory

    def pointer(self, position: int, name: str = "p") -> ir.Value:
        """The pointer at `position` of the arguments."""
        at = self.builder.gep(self.args, [I64(position)], source_etype=PTR)
        return self.builder.load(at, name=name, typ=PTR)

    def address(self, pointer: ir.Value, index: Index, kind: str) -> ir.Value:
        """Where element `index` of memory that holds `kind` lies."""
        if isinstance(index, int) and index == 0:
            return pointer
        etype = I8 if kind == "bool" else TYPES[kind]
        return self.builder.gep(pointer, [self.value(index)], source_etype=etype)

    def load(
        self, pointer: ir.Value, index: Index, kind: str, lanes: int = 1, mask: Any = None
    ) -> ir.Value:
        """One element, or `lanes` neighbours as a vector; those not in `mask` are zero."""
        at = self.address(pointer, index, kind)
        held = I8 if kind == "bool" else TYPES[kind]
        if lanes == 1:
            found = self.builder.load(at, typ=held, align=size_of(kind))
        elif mask is None:
            found = self.builder.load(at, typ=ir.VectorType(held, lanes), align=size_of(kind))
        else:
            of = ir.VectorType(held, lanes)
            load = self.intrinsic(f"llvm.masked.load.{mangled(of)}.p0", of, PTR, I32, mask.type, of)
            found = self.builder.call(load, [at, I32(size_of(kind)), mask, ir.Constant(of, None)])
        if kind == "bool":
            return self.builder.icmp_unsigned("!=", found, ir.Constant(found.type, None))
        return found

    def store(
        self, value: ir.Value, pointer: ir.Value, index: Index, kind: str, mask: Any = None
    ) -> None:
        """Stores an element or a vector of neighbours."""
        at = self.address(pointer, index, kind)
        if kind == "bool":
            value = self.builder.zext(value, like(value.type, I8))
        if mask is None:
            self.builder.store(value, at, align=size_of(kind))
            return
        store = self.intrinsic(
            f"llvm.masked.store.{mangled(value.type)}.p0",
            ir.VoidType(), value.type, PTR, I32, mask.type,
        )  # fmt: skip
        self.builder.call(store, [value, at, I32(size_of(kind)), mask])

    # ------------------------------------------------------------ vectors

    def splat(self, scalar: ir.Value, lanes: int) -> ir.Value:
        """A vector with `scalar` in every lane; the scalar itself for one lane."""
        if lanes == 1:
            return scalar
        of = ir.VectorType(scalar.type, lanes)
        if isinstance(scalar, ir.Constant):
            return ir.Constant(of, [scalar] * lanes)
        one = self.builder.insert_element(ir.Constant(of, ir.Undefined), scalar, I32(0))
        zeros = ir.Constant(ir.VectorType(I32, lanes), None)
        return self.builder.shuffle_vector(one, ir.Constant(of, ir.Undefined), zeros)

    def constant(self, value: float, kind: str, lanes: int = 1) -> ir.Value:
        """A number of type `kind`."""
        return self.splat(ir.Constant(TYPES[kind], value), lanes)

    def first_lanes(self, count: Index, lanes: int) -> ir.Value:
        """The mask of the first `count` lanes; count may exceed `lanes`."""
        numbers = ir.Constant(ir.VectorType(I64, lanes), [I64(i) for i in range(lanes)])
        return self.builder.icmp_signed("<", numbers, self.splat(self.value(count), lanes))

    def fma(self, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
        """a b + c, rounded once."""
        return self.call("llvm.fma", a, b, c)

    def call(self, intrinsic: str, *values: ir.Value) -> ir.Value:
        """An LLVM intrinsic whose result and arguments have one type."""
        of = values[0].type
        function = self.intrinsic(f"{intrinsic}.{mangled(of)}", of, *[v.type for v in values])
        return self.builder.call(function, list(values))

    def intrinsic(self, name: str, result: ir.Type, *parameters: ir.Type) -> ir.Function:
        """The declaration of an LLVM function."""
        found = self.module.globals.get(name)
        return found or ir.Function(self.module, ir.FunctionType(result, parameters), name)


def like(of: ir.Type, element: ir.Type) -> ir.Type:
    """`element`, or a vector of it where `of` is a vector."""
    return ir.VectorType(element, of.count) if isinstance(of, ir.VectorType) else element


def mangled(of: ir.Type) -> str:
    """How a type is written in the name of an intrinsic: v16f32."""
    if isinstance(of, ir.VectorType):
        return f"v{of.count}{mangled(of.element)}"
    return {"float": "f32", "double": "f64", "ptr": "p0"}.get(str(of), str(of))
