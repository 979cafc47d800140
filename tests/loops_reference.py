"""What a `Loops` kernel must compute, read step by step over NumPy arrays."""

from __future__ import annotations

from math import prod

import numpy as np

from penlight.compiler.scalars import TABLE
from penlight.compiler.types import NUMPY, is_float

FOLDS = {
    "sum": np.add, "prod": np.multiply, "max": np.maximum, "min": np.minimum,
    "any": np.logical_or, "all": np.logical_and,
}  # fmt: skip


def run(spec, *arrays):
    """Does to flat arrays what the kernel does."""
    shape = (*spec.outer, *spec.inner)
    places = np.indices(shape, sparse=True)
    values, writes = [], []
    with np.errstate(all="ignore"):
        for step in spec.body:
            args = [values[a] for a in step.args]
            values.append(_value(spec, arrays, places, shape, step, args, writes))
        for write in writes:
            write()


def _value(spec, arrays, places, shape, step, args, writes):
    if step.op == "const":
        return np.full(shape, step.attr, NUMPY[step.kind])
    if step.op == "index":
        return np.broadcast_to(places[step.attr], shape).astype(np.int64)
    if step.op == "reduce":
        flat = args[0].reshape((*spec.outer, prod(spec.inner)))
        found = _reduced(step.attr, flat).astype(NUMPY[step.kind])
        return np.broadcast_to(found.reshape((*spec.outer, *[1] * len(spec.inner))), shape)
    if step.op == "cast":
        return args[0].astype(NUMPY[step.kind])
    if step.op in ("load", "store"):
        at = _elements(spec.operands[step.attr], places, shape)
        if step.op == "load":
            return arrays[step.attr][at]
        writes.append(lambda: _put(arrays[step.attr], at, args[0]))
        return None
    if step.op.endswith("_at"):
        return _looked_up(spec, arrays, places, shape, step, args, writes)
    return TABLE[step.op].numpy(*args)


def _looked_up(spec, arrays, places, shape, step, args, writes):
    at, memory = step.attr, arrays[step.attr.operand]
    element = _elements(spec.operands[at.operand], places, shape)
    indices = args if step.op == "load_at" else args[1:]
    good = np.ones(shape, bool)
    for index, n, stride, axis in zip(indices, at.extents, at.strides, at.axes, strict=True):
        inside = np.where(index < 0, index + n, index) if at.wrap else index
        fits = (inside >= 0) & (inside < n)
        if not fits.all() and not arrays[at.error][0]:
            arrays[at.error][:] = 1, index[~fits][0], n, axis
        element = element + np.where(fits, inside, 0) * stride
        good &= fits
    if step.op == "load_at":
        return memory[element]
    if step.op == "store_at":
        writes.append(lambda: _put(memory, element[good], args[0][good]))
    else:
        writes.append(lambda: np.add.at(memory, element[good], args[0][good]))
    return None


def _put(memory, at, value):
    """In row-major order; the last of several wins."""
    memory[at.ravel()] = value.ravel()


def _elements(operand, places, shape):
    """Which element of an operand each point has."""
    at = operand.offset + sum(p * s for p, s in zip(places, operand.strides, strict=True))
    return np.broadcast_to(at, shape)


def _reduced(name, x):
    """The last axis reduced in the order of `kernels.reductions`."""
    if name in ("argmax", "argmin"):
        return getattr(np, name)(x, axis=-1)
    n = x.shape[-1]
    if n > 8192:
        parts = []
        size = 8192
        while size * 8192 < n:
            size *= 8192
        for start in range(0, n, size):
            parts.append(_reduced(name, x[..., start : start + size]))
        return _reduced(name, np.stack(parts, -1))
    fold = FOLDS[name]
    partials = np.full((*x.shape[:-1], 16), _start(name, x.dtype), x.dtype)
    for start in range(0, n, 16):
        part = x[..., start : start + 16]
        width = part.shape[-1]
        partials[..., :width] = fold(part, partials[..., :width])
    for half in (8, 4, 2, 1):
        partials = fold(partials[..., half : 2 * half], partials[..., :half])
    return partials[..., 0]


def _start(name, dtype):
    if name in ("sum", "any", "prod", "all"):
        return name in ("prod", "all")
    low = name == "max"
    if dtype.kind == "b":
        return not low
    if is_float(dtype.kind):
        return -np.inf if low else np.inf
    return np.iinfo(dtype).min if low else np.iinfo(dtype).max
