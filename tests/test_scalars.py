"""Every scalar operation as code against NumPy, bit for bit, at values easy to get wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from penlight.compiler import code
from penlight.compiler.kernels.steps import emit_steps
from penlight.compiler.scalars import TABLE
from penlight.compiler.spec import Operand, Step
from penlight.compiler.types import NUMPY, is_float

FLOATS, INTS = ("f32", "f64"), ("i8", "i16", "i32", "i64", "u8")
ONLY_FLOATS = {"div", "reciprocal", "sqrt", "copysign", "rint"}
ONLY_INTS = {"and", "or", "xor", "not", "lshift", "rshift"}
BOOLS = ("add", "mul", "max", "min", "and", "or", "xor", "not", "eq", "ne", "lt", "le", "gt", "ge")
EXACT = [
    *("add sub mul div reciprocal square sqrt neg abs sign copysign floor ceil trunc rint").split(),
    *("lt le gt ge eq ne max min fmax fmin isnan isinf isfinite").split(),
    *("and or xor not lshift rshift floor_divide remainder fmod").split(),
]


@dataclass(frozen=True)
class Pointwise:
    """A body over contiguous vectors of 16: the smallest kernel there is."""

    operands: tuple[Operand, ...]
    body: tuple[Step, ...]
    count: int
    threads: int = 1

    def emit(self, e):
        pointers = [e.pointer(n) for n in range(len(self.operands))]
        with e.loop(0, self.count, 16) as i:
            emit_steps(
                e, self.body, {},
                lambda n, kind: e.load(pointers[n], i, kind, 16),
                lambda n, kind, value: e.store(value, pointers[n], i, kind),
                16,
            )  # fmt: skip


def run(op, kind, result, *arrays):
    """`op` over arrays of one kind."""
    arity = len(arrays)
    loads = [Step("load", (), kind, n) for n in range(arity)]
    steps = (*loads, Step(op, tuple(range(arity)), result), Step("store", (arity,), result, arity))
    operands = tuple(Operand(k, (1,)) for k in (*[kind] * arity, result))
    count = -(-len(arrays[0]) // 16) * 16
    padded = [np.resize(a, count) for a in arrays]
    out = np.empty(count, NUMPY[result])
    code.launch(Pointwise(operands, steps, count), *padded, out)
    return out[: len(arrays[0])]


def corners(kind):
    """Values at which an implementation may differ."""
    if kind == "bool":
        return np.array([False, True])
    if not is_float(kind):
        low, high = np.iinfo(NUMPY[kind]).min, np.iinfo(NUMPY[kind]).max
        some = [0, 1, 2, 3, 5, 7, 8, 31, 63, 64, 100, low, low + 1, high - 1, high]
        return np.array(some if low == 0 else [*some, -1, -2, -3, -7, -100], NUMPY[kind])
    info = np.finfo(NUMPY[kind])
    sizes = [
        0.0, info.smallest_subnormal, info.tiny, 0.3, 0.5, 1.0, 1.5, 2.5, 3.0, 7.0, 1e9, 2.0**31,
        2.0**32 + 512, 2.0**63, info.max, np.inf, 255.9, 300.7, 70000.0, 0.49999997,
    ]  # fmt: skip
    return np.array([*sizes, *[-x for x in sizes], np.nan], NUMPY[kind])


def same_bits(got, want):
    """Equal bits, any NaN being as good as another."""
    want = np.ascontiguousarray(want)
    assert got.dtype == want.dtype
    if got.dtype.kind == "f":
        nan = np.isnan(want)
        np.testing.assert_array_equal(np.isnan(got), nan)
        unsigned = f"u{got.itemsize}"
        np.testing.assert_array_equal(got.view(unsigned)[~nan], want.view(unsigned)[~nan])
    else:
        np.testing.assert_array_equal(got, want)


def kinds(op):
    """The kinds that `op` takes."""
    if op in ONLY_FLOATS:
        return FLOATS
    some = INTS if op in ONLY_INTS else FLOATS + INTS
    return (*some, "bool") if op in BOOLS else some


@pytest.mark.parametrize(("op", "kind"), [(op, kind) for op in EXACT for kind in kinds(op)])
def test_as_numpy(op, kind):
    entry = TABLE[op]
    values = corners(kind)
    args = [values]
    if entry.arity == 2:
        args = [a.ravel() for a in np.meshgrid(values, values)]
    with np.errstate(all="ignore"):
        want = entry.numpy(*args)
    same_bits(run(op, kind, entry.kind(*[kind] * entry.arity), *args), want)


@pytest.mark.parametrize("source", NUMPY)
@pytest.mark.parametrize("target", NUMPY)
def test_cast(source, target):
    values = corners(source)
    if is_float(source) and target == "f32":
        values = np.concatenate([values, np.array([1e-39, 1 + 2**-24, 3.4028235e38], values.dtype)])
    with np.errstate(all="ignore"):
        want = values.astype(NUMPY[target])
    same_bits(run("cast", source, target, values), want)


@pytest.mark.parametrize("kind", NUMPY)
def test_where(kind):
    a, b = (x.ravel() for x in np.meshgrid(corners(kind), corners(kind)))
    c = np.arange(len(a)) % 3 == 0
    steps = (
        Step("load", (), "bool", 0), Step("load", (), kind, 1), Step("load", (), kind, 2),
        Step("where", (0, 1, 2), kind), Step("store", (3,), kind, 3),
    )  # fmt: skip
    operands = tuple(Operand(k, (1,)) for k in ("bool", kind, kind, kind))
    count = -(-len(a) // 16) * 16
    out = np.empty(count, NUMPY[kind])
    code.launch(Pointwise(operands, steps, count), *[np.resize(x, count) for x in (c, a, b)], out)
    same_bits(out[: len(a)], np.where(c, a, b))
