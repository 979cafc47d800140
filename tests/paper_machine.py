"""Runs compiled programs on paper: each kernel by its reference over NumPy.

What a program's threads could do in any order, the kernels between two barriers, is done in a
random one, and the program's memory is full of rubbish before. So programs are tested without a
compiler: reading symbolically, the passes, the choice of kernels, barriers, and who shares memory
with whom.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
from numpy.lib.stride_tricks import as_strided

import loops_reference
from penlight.compiler import code, numerics
from penlight.compiler.kernels.loops import Loops
from penlight.compiler.kernels.product import Product
from penlight.compiler.scalars import TABLE
from penlight.compiler.spec import Operand, Step
from penlight.compiler.types import NUMPY

OURS = {  # the table's name -> that of the namespace, of functions whose last bits are ours
    "asin": "arcsin", "acos": "arccos", "atan": "arctan", "asinh": "arcsinh", "acosh": "arccosh",
    "atanh": "arctanh", "atan2": "arctan2", "pow": "power",
    **{n: n for n in "exp exp2 expm1 log log2 log10 log1p sin cos tan sinh cosh tanh erf erfc "
       "sigmoid".split()},
}  # fmt: skip
SCALARS = dict(TABLE) | {
    op: SimpleNamespace(numpy=getattr(numerics, name)) for op, name in OURS.items()
}


def alike(a: np.ndarray) -> np.ndarray:
    """The array again, with the same strides, in memory of its own."""
    memory, start = flat(a)
    if not a.size:
        return a.copy()
    return np.ndarray(a.shape, a.dtype, memory.copy(), start * a.itemsize, a.strides)


def flat(a: np.ndarray) -> tuple[np.ndarray, int]:
    """The memory from the first to the last element of an array, and where element (0, ...) is."""
    if not a.size:
        return a.reshape(-1), 0
    reach = [(n - 1) * s // a.itemsize for n, s in zip(a.shape, a.strides)]
    low = a[(*(slice(None, None, -1 if r < 0 else 1) for r in reach), ...)]
    length = 1 + sum(map(abs, reach))
    return as_strided(low, (length,), (a.itemsize,)), -sum(r for r in reach if r < 0)


def run(program, arrays, rng) -> list[np.ndarray]:
    """What calling the program does."""
    outputs = [np.empty(v.shape, NUMPY[v.kind]) for v in program.graph.outputs]
    for memory in (program.arena, *outputs):
        memory.reshape(-1).view(np.uint8)[:] = 1 if memory.dtype == bool else 0xA5
    epochs: dict[int, list] = {}
    for step, epoch in zip(program.order.steps, program.order.epochs()):
        epochs.setdefault(epoch, []).append(step)
    for steps in epochs.values():
        for n in rng.permutation(len(steps)):
            if isinstance(steps[n], int):
                program._host(program.hosts[steps[n]])(arrays, outputs)
            else:
                _launch(program, steps[n], arrays, outputs)
    for position, value in program.graph.stores:
        if value.size and program.home.get(("value", value.number), ("",))[0] != "input":
            arrays[position][...] = program._reader(value)(arrays, outputs)
    return outputs


def _launch(program, launch, arrays, outputs) -> None:
    error, memories, operands = np.zeros(4, np.int64), [], []
    for memory, operand in zip(launch.memory, launch.spec.operands, strict=True):
        where, start = _memory(program, memory, operand.kind, arrays, outputs, error)
        memories.append(where)
        operands.append(replace(operand, offset=operand.offset + start))
    spec = launch.spec
    if isinstance(spec, Loops) and 0 not in spec.inner:
        _loops(replace(spec, operands=tuple(operands)), memories)
    elif isinstance(spec, Product):
        _product(spec, operands, memories)
    else:
        code.launch(spec, *memories)
    assert not error[0]


def _memory(program, memory, kind, arrays, outputs, error) -> tuple[np.ndarray, int]:
    place, *which = memory
    if place == "input":
        return flat(arrays[which[0]])
    if place == "output":
        return outputs[which[0]].reshape(-1), 0
    if place == "error":
        return error, 0
    if memory in program.constants:
        return program.constants[memory].reshape(-1), 0
    start = program.addresses[memory] - program.arena.ctypes.data
    end = len(program.arena) - (len(program.arena) - start) % NUMPY[kind].itemsize
    return program.arena[start:end].view(NUMPY[kind]), 0


def _loops(spec: Loops, memories) -> None:
    with patch.object(loops_reference, "TABLE", SCALARS):
        loops_reference.run(spec, *memories)


def _product(spec: Product, operands, memories) -> None:
    """The product as eager code computes it, then the epilogue as a loop over its elements."""
    a, b = (
        as_strided(m[o.offset :], shape, [s * m.itemsize for s in o.strides])
        if 0 not in shape else np.empty(shape, m.dtype)
        for m, o, shape in zip(memories, operands, ((*spec.batch, spec.m, spec.k),
                                                    (*spec.batch, spec.k, spec.n)))
    )  # fmt: skip
    found = numerics.matmul(np.ascontiguousarray(a), np.ascontiguousarray(b))
    strides = tuple(s // found.itemsize for s in found.strides)
    extras = (Operand(spec.a.kind, strides), *operands[2:])
    body = [Step("load", (), spec.a.kind, 0)]
    for step in spec.epilogue[1:]:  # its operands are counted from a and b on
        moved = step.attr - 1 if step.op in ("load", "store") else step.attr
        body.append(replace(step, attr=moved))
    space = (*spec.batch, spec.m, spec.n)
    _loops(Loops(space, (), extras, tuple(body)), [found.reshape(-1), *memories[2:]])
