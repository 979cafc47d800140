"""Elements at a vector of indices."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from ..emit import I32, I64, PTR, Emitter, mangled
from ..types import size_of
from .frame import all_lanes


def gather_at(e: Emitter, pointer: Any, where: Any, of: ir.Type, kind: str, mask: Any) -> Any:
    """The elements of `kind` at the indices `where` (a vector of i64) as a vector `of`."""
    at = _addresses(e, pointer, where, kind)
    mask = all_lanes(of.count) if mask is None else mask
    name = f"llvm.masked.gather.{mangled(of)}.v{of.count}p0"
    load = e.intrinsic(name, of, at.type, I32, mask.type, of)
    return e.builder.call(load, [at, I32(size_of(kind)), mask, ir.Constant(of, None)])


def scatter_at(e: Emitter, value: Any, pointer: Any, where: Any, kind: str, mask: Any) -> None:
    """Stores a vector's elements at the indices `where`."""
    at = _addresses(e, pointer, where, kind)
    mask = all_lanes(value.type.count) if mask is None else mask
    name = f"llvm.masked.scatter.{mangled(value.type)}.v{value.type.count}p0"
    store = e.intrinsic(name, ir.VoidType(), value.type, at.type, I32, mask.type)
    e.builder.call(store, [value, at, I32(size_of(kind)), mask])


def _addresses(e: Emitter, pointer: Any, where: Any, kind: str) -> Any:
    lanes = where.type.count
    first = e.splat(e.builder.ptrtoint(pointer, I64), lanes)
    apart = e.splat(I64(size_of(kind)), lanes)
    return e.builder.inttoptr(
        e.builder.add(first, e.builder.mul(where, apart)), ir.VectorType(PTR, lanes)
    )
