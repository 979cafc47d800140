"""Lanes and memory: neighbours, repeated, reversed, strided and scattered elements."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from ..emit import I1, I8, I32, I64, PTR, TYPES, Emitter, Index, like, mangled
from ..types import size_of


def load_lanes(
    e: Emitter, pointer: Any, index: Index, stride: int, kind: str, lanes: int, mask: Any
) -> Any:
    """Elements index, index + stride, ...: a vector, or a scalar where all lanes have the same."""
    if lanes == 1 or stride == 0:
        return e.load(pointer, index, kind)
    if stride == 1:
        return e.load(pointer, index, kind, lanes, mask)
    if stride == -1:
        first, turned = e.sub(index, lanes - 1), reverse(e, mask)
        return reverse(e, e.load(pointer, first, kind, lanes, turned))
    return gather(e, pointer, strided(e, index, stride, lanes), kind, mask)


def store_lanes(
    e: Emitter, value: Any, pointer: Any, index: Index, stride: int, kind: str, mask: Any
) -> None:
    """A vector to elements index, index + stride, ...; a scalar to element index."""
    lanes = value.type.count if isinstance(value.type, ir.VectorType) else 1
    if lanes == 1 or stride == 1:
        e.store(value, pointer, index, kind, mask)
    elif stride == -1:
        first, turned = e.sub(index, lanes - 1), reverse(e, mask)
        e.store(reverse(e, value), pointer, first, kind, turned)
    else:
        scatter(e, value, pointer, strided(e, index, stride, lanes), kind, mask)


def gather(e: Emitter, pointer: Any, indices: Any, kind: str, mask: Any) -> Any:
    """The elements at a vector of indices; zero where not in the mask."""
    of = ir.VectorType(_held(kind), indices.type.count)
    where = _addresses(e, pointer, indices, kind)
    mask = everywhere(indices.type.count) if mask is None else mask
    name = f"llvm.masked.gather.{mangled(of)}.v{of.count}p0"
    function = e.intrinsic(name, of, where.type, I32, mask.type, of)
    found = e.builder.call(function, [where, I32(size_of(kind)), mask, ir.Constant(of, None)])
    if kind == "bool":
        return e.builder.icmp_unsigned("!=", found, ir.Constant(of, None))
    return found


def scatter(e: Emitter, value: Any, pointer: Any, indices: Any, kind: str, mask: Any) -> None:
    """Stores a vector at a vector of indices, the first lane first."""
    if kind == "bool":
        value = e.builder.zext(value, like(value.type, I8))
    where = _addresses(e, pointer, indices, kind)
    mask = everywhere(indices.type.count) if mask is None else mask
    name = f"llvm.masked.scatter.{mangled(value.type)}.v{value.type.count}p0"
    function = e.intrinsic(name, ir.VoidType(), value.type, where.type, I32, mask.type)
    e.builder.call(function, [value, where, I32(size_of(kind)), mask])


def strided(e: Emitter, start: Index, stride: Index, lanes: int) -> Any:
    """The vector start, start + stride, ..."""
    numbers = ir.Constant(ir.VectorType(I64, lanes), [I64(i) for i in range(lanes)])
    steps = e.builder.mul(numbers, e.splat(e.value(stride), lanes))
    return e.builder.add(e.splat(e.value(start), lanes), steps)


def reverse(e: Emitter, vector: Any) -> Any:
    """The lanes in reverse order; None stays None."""
    return vector and shuffled(e, vector, vector, range(vector.type.count - 1, -1, -1))


def shuffled(e: Emitter, a: Any, b: Any, lanes: Any) -> Any:
    """Lanes of a, then of b, picked by number."""
    lanes = list(lanes)
    picks = ir.Constant(ir.VectorType(I32, len(lanes)), [I32(n) for n in lanes])
    return e.builder.shuffle_vector(a, b, picks)


def everywhere(lanes: int) -> Any:
    """The mask of all lanes."""
    return ir.Constant(ir.VectorType(I1, lanes), [I1(1)] * lanes)


def _addresses(e: Emitter, pointer: Any, indices: Any, kind: str) -> Any:
    b, lanes = e.builder, indices.type.count
    size = ir.Constant(indices.type, [size_of(kind)] * lanes)
    start = e.splat(b.ptrtoint(pointer, I64), lanes)
    return b.inttoptr(b.add(start, b.mul(indices, size)), ir.VectorType(PTR, lanes))


def _held(kind: str) -> Any:
    return I8 if kind == "bool" else TYPES[kind]
