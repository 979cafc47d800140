"""Loops over drawn shapes, strides and bodies against the same program over NumPy, bit for bit."""

from __future__ import annotations

import ctypes
import mmap
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import loops_reference
from penlight.compiler import code
from penlight.compiler.kernels.loops import Loops
from penlight.compiler.spec import At, Operand, Step
from penlight.compiler.types import NUMPY, is_float

LIBC = ctypes.CDLL(None) if os.name == "posix" else None
MARGIN = 80  # elements around every array that no kernel may touch
DRAWN = settings(
    max_examples=int(os.environ.get("PENLIGHT_EXAMPLES", "60")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def padded(array):
    """(memory with a margin at both ends, the array inside it)."""
    memory = np.empty(len(array) + 2 * MARGIN, array.dtype)
    memory.view(np.uint8)[:] = 1 if array.dtype == bool else 0xA5
    memory[MARGIN : MARGIN + len(array)] = array
    return memory, memory[MARGIN : MARGIN + len(array)]


def agree(spec, *arrays, threads=(1, 2, 3)):
    """The kernel leaves in memory what the reference leaves, with any number of threads."""
    want = [a.copy() for a in arrays]
    loops_reference.run(spec, *want)
    for count in threads:
        memory = [padded(a) for a in arrays]
        code.launch(spec, *[inside for _, inside in memory], threads=count)
        for (whole, inside), expected in zip(memory, want, strict=True):
            same_bits(inside, expected)
            untouched = padded(inside)[0]
            assert whole.tobytes() == untouched.tobytes(), "written outside"
    if LIBC is not None:
        stays_inside(spec, *arrays)


def fenced(array, at_end):
    """A copy of an array that ends, or begins, at memory that nobody may touch."""
    page = mmap.PAGESIZE
    size = -(-max(array.nbytes, 1) // page) * page
    block = mmap.mmap(-1, size + 2 * page)
    memory = np.frombuffer(block, np.uint8)
    for fence in (0, size + page):
        assert LIBC.mprotect(ctypes.c_void_p(memory.ctypes.data + fence), page, 0) == 0
    start = page + (size - array.nbytes if at_end else 0)
    inside = memory[start : start + array.nbytes].view(array.dtype)
    inside[:] = array
    return inside


def stays_inside(spec, *arrays):
    """Nothing outside the arrays is even read: the process would end."""
    for at_end in (False, True):
        code.launch(spec, *[fenced(a, at_end) for a in arrays], threads=2)


def same_bits(got, want):
    """Equal bits, any NaN being as good as another."""
    if got.dtype.kind == "f":
        nan = np.isnan(want)
        np.testing.assert_array_equal(np.isnan(got), nan)
        unsigned = f"u{got.itemsize}"
        np.testing.assert_array_equal(got.view(unsigned)[~nan], want.view(unsigned)[~nan])
    else:
        np.testing.assert_array_equal(got, want)


# ------------------------------------------------------------ drawn programs


def numbers(kind, count, seed):
    """Random numbers, a few of them special."""
    rng = np.random.default_rng(seed)
    if kind == "bool":
        return rng.random(count) < 0.5
    if not is_float(kind):
        bounds = np.iinfo(NUMPY[kind])
        small = rng.integers(0 if bounds.min == 0 else -9, 9, count).astype(NUMPY[kind])
        edge = NUMPY[kind].type(rng.choice([bounds.min, bounds.max]))
        return np.where(rng.random(count) < 0.1, edge, small)
    found = rng.standard_normal(count).astype(NUMPY[kind])
    special = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-40, -1e-45, 3e38], NUMPY[kind])
    odd = rng.random(count) < rng.choice([0.0, 0.03])
    return np.where(odd, rng.choice(special, count), found)


@st.composite
def operand(draw, kind, shape, written):
    """Strides of an array over the axes: dense in some order, some repeated, stretched, reversed.

    (operand, number of elements)
    """
    strides, size = [0] * len(shape), 1
    for axis in draw(st.permutations(range(len(shape)))):
        if not written and draw(st.integers(0, 4)) == 0:
            continue
        strides[axis] = size
        size *= shape[axis]
        if draw(st.integers(0, 7)) == 0:
            strides[axis] *= 2
            size *= 2
    offset = 0
    for axis, n in enumerate(shape):
        if n and draw(st.integers(0, 9)) == 0:
            offset += (n - 1) * strides[axis]
            strides[axis] = -strides[axis]
    return Operand(kind, tuple(strides), offset, written), max(size, 1)


UNARY = ("neg", "abs", "sign", "square", "floor", "trunc")
FLOAT_UNARY = (*UNARY, "sqrt", "rint", "ceil")
BINARY = ("add", "sub", "mul", "max", "min", "remainder")  # the last counts as dear: it is kept
FLOAT_BINARY = (*BINARY, "div", "fmax", "copysign")
REDUCTIONS = ("sum", "prod", "max", "min", "argmax", "argmin")


class Program:
    """A body as it grows; the values so far by kind, and which of them are inner."""

    def __init__(self):
        self.steps = []

    def add(self, op, args, kind, attr=None):
        self.steps.append(Step(op, tuple(args), kind, attr))
        return len(self.steps) - 1

    def of(self, *kinds):
        return [n for n, s in enumerate(self.steps) if s.kind in kinds and s.op != "store"]


@st.composite
def program(draw):
    """(spec, arrays)."""
    extent = st.one_of(st.integers(1, 5), st.integers(1, 70))
    outer = tuple(draw(st.lists(extent, max_size=3)))
    inner = tuple(draw(st.lists(extent, max_size=2)))
    while np.prod((*outer, *inner)) > 20_000:
        outer, inner = outer[1:], inner if outer else inner[1:]
    shape = (*outer, *inner)
    kinds = draw(st.lists(st.sampled_from(list(NUMPY)), min_size=1, max_size=3))
    p, operands, arrays = Program(), [], []
    for kind in kinds:
        found, size = draw(operand(kind, shape, False))
        arrays.append(numbers(kind, size, draw(st.integers(0, 2**32 - 1))))
        operands.append(found)
        p.add("load", (), kind, len(operands) - 1)
    if shape and draw(st.booleans()):
        p.add("index", (), "i64", draw(st.integers(0, len(shape) - 1)))
    for _ in range(draw(st.integers(1, 8))):
        draw(one_step(p))
    some = p.of(*NUMPY)
    for _ in range(draw(st.integers(1, 2))):
        value = draw(st.sampled_from([some[-1], *some]))
        kind = p.steps[value].kind
        whole = _is_inner(p, value, operands, len(outer))
        extents = shape if whole or not inner else outer
        found, size = draw(operand(kind, extents, True))
        strides = (*found.strides, *[0] * (len(shape) - len(extents)))
        operands.append(replace(found, strides=strides))
        arrays.append(numbers(kind, size, 0))
        p.add("store", (value,), kind, len(operands) - 1)
    return Loops(outer, inner, tuple(operands), tuple(p.steps)), arrays


@st.composite
def one_step(draw, p):
    """Adds an operation on values that the program has."""
    n = draw(st.sampled_from(p.of(*NUMPY)[-3:]))
    kind = p.steps[n].kind
    alike = p.of(kind)
    sorts = ["unary", "binary", "binary", "compare", "cast", "reduce", "reduce", "where", "const"]
    sort = draw(st.sampled_from(sorts))
    if sort == "reduce":
        names = ("any", "all", "argmax") if kind == "bool" else REDUCTIONS
        name = draw(st.sampled_from(names))
        p.add("reduce", (n,), "i64" if name.startswith("arg") else kind, name)
    elif sort == "cast":
        p.add("cast", (n,), draw(st.sampled_from(list(NUMPY))))
    elif sort == "const":
        p.add("const", (), kind, draw(st.sampled_from([0, 1])))
    elif sort == "compare":
        p.add(draw(st.sampled_from(["lt", "ge", "ne"])), (n, draw(st.sampled_from(alike))), "bool")
    elif sort == "where" and p.of("bool"):
        condition = draw(st.sampled_from(p.of("bool")))
        p.add("where", (condition, draw(st.sampled_from(alike)), n), kind)
    elif kind == "bool":
        p.add("not", (n,), "bool")
    elif sort == "binary":
        names = FLOAT_BINARY if is_float(kind) else BINARY
        p.add(draw(st.sampled_from(names)), (n, draw(st.sampled_from(alike))), kind)
    else:
        p.add(draw(st.sampled_from(FLOAT_UNARY if is_float(kind) else UNARY)), (n,), kind)


def _is_inner(p, n, operands, outer):
    """Whether a value may differ from inner point to inner point."""
    step = p.steps[n]
    if step.op == "load":
        return any(operands[step.attr].strides[outer:])
    if step.op == "index":
        return step.attr >= outer
    return step.op != "reduce" and any(_is_inner(p, a, operands, outer) for a in step.args)


@DRAWN
@given(program())
def test_drawn_programs(drawn):
    spec, arrays = drawn
    agree(spec, *arrays)


@st.composite
def permuted(draw):
    """(spec, arrays): an elementwise body over dense operands whose axes lie in drawn orders."""
    shape = tuple(draw(st.lists(st.integers(2, 40), min_size=2, max_size=3)))
    while np.prod(shape) > 20_000:
        shape = shape[1:]
    kind = draw(st.sampled_from(["f32", "f32", "f64", "u8", "bool"]))
    operands = []
    for written in (False, False, False, True, True):
        strides, size = [0] * len(shape), 1
        for axis in draw(st.permutations(range(len(shape)))):
            if written or draw(st.integers(0, 5)):
                strides[axis], size = size, size * shape[axis]
        operands.append(Operand(kind, tuple(strides), 0, written))
    loads = [Step("load", (), kind, n) for n in range(3)]
    count = draw(st.integers(1, 3))
    steps = loads[:count]
    for n in range(1, count):
        steps.append(Step("add", (n, len(steps) - 1 if n > 1 else 0), kind))
    steps += [Step("store", (len(steps) - 1,), kind, 3), Step("store", (0,), kind, 4)]
    sizes = [1 + sum((n - 1) * s for n, s in zip(shape, o.strides)) for o in operands]
    return Loops(shape, (), tuple(operands), tuple(steps)), [
        numbers(kind, size, n) for n, size in enumerate(sizes)
    ]


@DRAWN
@given(permuted())
def test_drawn_permutations(drawn):
    spec, arrays = drawn
    agree(spec, *arrays)


@st.composite
def normalisation(draw):
    """(spec, arrays): passes that build on each other, over rows of drawn layout."""
    outer, inner = draw(st.integers(1, 70)), tuple(draw(st.lists(st.integers(1, 60), max_size=2)))
    kind = draw(st.sampled_from(["f32", "f64", "i64"]))
    shape = (outer, *inner)
    x, size = draw(operand(kind, shape, False))
    y, written = draw(operand(kind, shape, True))
    steps = [Step("load", (), kind, 0)]
    for _ in range(draw(st.integers(1, 3))):
        last = len(steps) - 1
        name = draw(st.sampled_from(["sum", "max", "min", "prod"]))
        op = draw(st.sampled_from(["sub", "remainder", "add"]))
        steps += [Step("reduce", (last,), kind, name), Step(op, (last, last + 1), kind)]
    steps.append(Step("store", (len(steps) - 1,), kind, 1))
    if draw(st.booleans()):  # an earlier inner value leaves too
        z = replace(y, strides=tuple(-s for s in y.strides), offset=written - 1 - y.offset)
        steps.append(Step("store", (0,), kind, 2))
        return Loops((outer,), inner, (x, y, z), tuple(steps)), [
            numbers(kind, n, n) for n in (size, written, written)
        ]
    return Loops((outer,), inner, (x, y), tuple(steps)), [
        numbers(kind, n, n) for n in (size, written)
    ]


@DRAWN
@given(normalisation())
def test_drawn_normalisations(drawn):
    spec, arrays = drawn
    agree(spec, *arrays)


@st.composite
def lookup(draw):
    """(spec, arrays): values fetched from, or put at, drawn indices."""
    rows, columns = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    n = draw(st.integers(1, 30))
    op = draw(st.sampled_from(["load_at", "add_at", "store_at"]))
    kind = draw(st.sampled_from(["f32", "f64", "i64", "u8"]))
    wrap, astray = draw(st.booleans()), draw(st.integers(0, 3)) == 0
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    index = rng.integers(-n if wrap else 0, n, rows)
    if astray:
        index[rng.integers(rows)] = rng.choice([n, -n - 1, 2**40])
    at = At(1, (n,), (columns,), 3, (7,), wrap)
    steps = [Step("load", (), "i64", 0), Step("load", (), kind, 2)]
    across = draw(st.booleans())  # the lanes lie along the columns, or along the indices
    if op == "load_at":
        shapes = ((rows, columns), ()), ((1, 0), (0, 1), (columns, 1), (0, 0))
        steps = [steps[0], Step(op, (0,), kind, at), Step("store", (1,), kind, 2)]
    else:
        shapes = ((columns,), (rows,)), ((0, 1), (1, 0), (1, columns), (0, 0))
        steps.append(Step(op, (1, 0), kind, at))
    (outer, inner), strides = shapes
    operands = [Operand(k, s) for k, s in zip(("i64", kind, kind, "i64"), strides, strict=True)]
    if op == "load_at" and across:
        outer, operands = outer[::-1], [replace(o, strides=o.strides[::-1]) for o in operands]
    spec = Loops(outer, inner, tuple(operands), tuple(steps))
    table, data = (numbers(kind, m * columns, m) for m in (n, rows))
    return spec, [index, table, data, np.zeros(4, np.int64)], astray


@DRAWN
@given(lookup())
def test_drawn_lookups(drawn):
    spec, arrays, astray = drawn
    agree(spec, *arrays, threads=(1,))
    cells = arrays[3].copy()
    code.launch(spec, *[a.copy() for a in arrays[:3]], cells, threads=3)
    assert cells[0] == astray


def test_index_of_a_vector_of_lanes():
    index = np.array([3, -1, 19, 20, 5] * 9)
    load = Step("load", (), "i64", 0)
    steps = (
        load,
        Step("load_at", (0,), "f32", At(1, (20,), (3,), 3)),
        Step("store", (1,), "f32", 2),
    )
    operands = tuple(Operand(k, (s,)) for k, s in zip(("i64", "f32", "f32", "i64"), (1, 0, 1, 0)))
    spec = Loops((45,), (), operands, steps)
    arrays = [index, numbers("f32", 60, 1), np.zeros(45, "f"), np.zeros(4, np.int64)]
    agree(spec, *arrays, threads=(1,))


# ------------------------------------------------------------ shapes of note


@pytest.mark.parametrize("name", ["sum", "prod", "max", "argmax"])
@pytest.mark.parametrize("count", [1, 15, 16, 17, 8191, 8192, 8193, 20000])
@pytest.mark.parametrize("across", [False, True])
def test_order_of_reductions(name, count, across):
    """The same bits along memory and across it, through chunks too."""
    strides = (1, 3) if across else (count, 1)
    kind = "i64" if name == "argmax" else "f32"
    steps = (
        Step("load", (), "f32", 0),
        Step("reduce", (0,), kind, name),
        Step("store", (1,), kind, 1),
    )
    spec = Loops((3,), (count,), (Operand("f32", strides), Operand(kind, (1, 0))), steps)
    x = np.random.default_rng(count).standard_normal(3 * count).astype("f")
    agree(spec, x, np.zeros(3, NUMPY[kind]), threads=(1, 2))


@pytest.mark.parametrize(("name", "neutral"), [("sum", 0.0), ("prod", 1.0), ("max", -np.inf)])
def test_nothing_to_reduce(name, neutral):
    steps = (
        Step("load", (), "f32", 0), Step("reduce", (0,), "f32", name), Step("store", (1,), "f32", 1)
    )  # fmt: skip
    out = np.full(3, 7, "f")
    for strides in ((1, 3), (0, 1)):
        spec = Loops((3,), (0,), (Operand("f32", strides), Operand("f32", (1, 0))), steps)
        code.launch(spec, np.zeros(1, "f"), out)
        assert (out == neutral).all()
    code.launch(Loops((0, 3), (5,), (Operand("f32", (1, 1, 1)),) * 2, steps), out, out)


def test_chunks_of_several_axes():
    """Chunks of 8192 cut rows of 100 anywhere."""
    steps = (
        Step("load", (), "f32", 0),
        Step("reduce", (0,), "f32", "sum"),
        Step("store", (1,), "f32", 1),
    )
    operands = (Operand("f32", (100, 300, 1)), Operand("f32", (1, 0, 0)))
    spec = Loops((3,), (90, 100), operands, steps)
    assert spec.plan.way == "rows"
    agree(spec, numbers("f32", 27000, 5), np.zeros(3, "f"), threads=(1, 2))


@pytest.mark.parametrize("kind", NUMPY)
@pytest.mark.parametrize("shape", [(16, 16), (48, 32), (17, 33), (3, 100), (64, 5)])
def test_transposed(kind, shape):
    """Turned while read, turned while written."""
    m, n = shape
    for strides in (((1, m), (n, 1)), ((n, 1), (1, m))):
        operands = tuple(Operand(kind, s) for s in strides)
        steps = (Step("load", (), kind, 0), Step("store", (0,), kind, 1))
        agree(Loops(shape, (), operands, steps), numbers(kind, m * n, 1), numbers(kind, m * n, 2))


def test_ragged_square():
    """LLVM 22 read past the end here, with AVX2: a mask constant for some lanes only."""
    strides = ((7, 1, 0), (1, 609, 29), (7, 1, 203))
    operands = tuple(Operand("f32", s) for s in strides)
    steps = (
        Step("load", (), "f32", 0), Step("store", (0,), "f32", 1), Step("store", (0,), "f32", 2)
    )  # fmt: skip
    spec = Loops((29, 7, 21), (), operands, steps)
    assert spec.plan.way == "tiles"
    agree(spec, *[numbers("f32", n, n) for n in (203, 4263, 4263)])


def test_in_place():
    """Stores come last: a row may be written over what was read."""
    steps = (
        Step("load", (), "f32", 0), Step("reduce", (0,), "f32", "sum"), Step("div", (0, 1), "f32"),
        Step("store", (2,), "f32", 0), Step("reduce", (2,), "f32", "max"),
        Step("store", (4,), "f32", 1),
    )  # fmt: skip
    operands = (Operand("f32", (130, 1)), Operand("f32", (1, 0)))
    agree(Loops((7,), (130,), operands, steps), numbers("f32", 910, 4), np.zeros(7, "f"))


def test_threads_are_asked_for_where_they_pay():
    add = (
        Step("load", (), "f32", 0), Step("load", (), "f32", 1), Step("add", (0, 1), "f32"),
        Step("store", (2,), "f32", 2),
    )  # fmt: skip
    small, large = (Loops((n,), (), (Operand("f32", (1,)),) * 3, add) for n in (1000, 10**6))
    assert small.threads == 1
    assert large.threads > 1


@pytest.mark.parametrize("bits", [128, 256])
def test_narrower_vectors(bits):
    """The same bits from narrower vectors."""
    environment = {**os.environ, "PENLIGHT_VECTOR_BITS": str(bits), "PENLIGHT_EXAMPLES": "8"}
    chosen = "drawn or several_axes or lanes or (transposed and f32) or in_place or ragged"
    command = [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", "-k", chosen]
    done = subprocess.run(
        [*command, __file__], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout[-3000:]
