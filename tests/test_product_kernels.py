"""Products against exact arithmetic: right to the last bit, whatever the layout, tile or thread."""

import itertools
import os
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penlight.compiler import code, products
from penlight.compiler.kernels.product import Product
from penlight.compiler.spec import Operand, Step
from penlight.compiler.types import NAMES

MARGIN = 37  # elements around an output that must stay as they are
CANARY = 12345.0


def fma(a, b, c):
    """a b + c for arrays, rounded once: exactly in Fractions where the value is finite."""
    kind = np.result_type(a, b, c).type
    a, b, c = np.broadcast_arrays(a, b, c)
    found = np.empty(a.shape, kind)
    for at in np.ndindex(a.shape):
        x, y, z = (float(v[at]) for v in (a, b, c))
        if not np.isfinite([x, y, z]).all() or 0 in (x, y):
            found[at] = kind(x) * kind(y) + kind(z)
            continue
        exact = Fraction(x) * Fraction(y) + Fraction(z)
        found[at] = rounded(exact, kind) if exact else kind(x * y + z if z else 0.0)
    return found


def rounded(exact, kind):
    """A fraction to the nearest float32 or float64, ties to even."""
    info = np.finfo(kind)
    size = abs(exact)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    exponent -= size < Fraction(2) ** exponent
    ulp = Fraction(2) ** (max(exponent, int(info.minexp)) - int(info.nmant))
    value = round(exact / ulp) * ulp
    if abs(value) >= Fraction(2) ** int(info.maxexp):
        return kind(np.inf if exact > 0 else -np.inf)
    return kind(float(value)) if value else kind(-0.0 if exact < 0 else 0.0)


def defined(a, b):
    """A product in the order that is promised."""
    (m, k), n = a.shape, b.shape[1]
    if min(m, n) >= 4:
        sums = np.zeros((m, n), a.dtype)
        for i in range(k):
            sums = fma(a[:, i, None], b[i], sums)
        return sums
    parts = np.zeros((16, m, n), a.dtype)
    for i in range(k):
        parts[i % 16] = fma(a[:, i, None], b[i], parts[i % 16])
    while len(parts) > 1:
        half = len(parts) // 2
        parts = parts[:half] + parts[half:]
    return parts[0]


def laid_out(values, layout):
    """The same matrices (..., rows, cols) in memory of another order."""
    if layout == "rows":
        return np.ascontiguousarray(values)
    if layout == "cols":
        return np.ascontiguousarray(values.swapaxes(-1, -2)).swapaxes(-1, -2)
    wide = np.zeros((*values.shape[:-2], 2 * values.shape[-2], 3 * values.shape[-1]), values.dtype)
    view = wide[..., ::2, ::-3]
    view[...] = values
    return view


LAYOUTS = ("rows", "cols", "apart")


def operand(x, written=False):
    return Operand(NAMES[x.dtype], tuple(s // x.itemsize for s in x.strides), written=written)


def plain(a, b, out):
    kind = NAMES[a.dtype]
    store = (Step("sum", (), kind), Step("store", (0,), kind, 2))
    (m, k), n = a.shape[-2:], b.shape[-1]
    return Product(m, n, k, a.shape[:-2], operand(a), operand(b), (operand(out, True),), store)


def compiled(a, b, layout="rows", threads=1):
    """The product by a kernel of these sizes; nothing around its output may change."""
    *batch, m, n = (*a.shape[:-1], b.shape[-1])
    memory = np.full(int(np.prod(batch, dtype=int)) * m * n * 6 + 2 * MARGIN, CANARY, a.dtype)
    room = memory[MARGIN:-MARGIN]
    if layout == "rows":
        out = room[: len(room) // 6].reshape(*batch, m, n)
    elif layout == "cols":
        out = room[: len(room) // 6].reshape(*batch, n, m).swapaxes(-1, -2)
    else:
        out = room.reshape(*batch, 2 * m, 3 * n)[..., ::2, ::-3]
    code.launch(plain(a, b, out), a, b, out, threads=threads)
    found = out.copy()
    out[...] = CANARY
    assert (memory == CANARY).all()
    return found


def same(x, y):
    """The same bits; any NaN is as good as another."""
    assert x.shape == y.shape and x.dtype == y.dtype
    np.testing.assert_array_equal(np.isnan(x), np.isnan(y))
    bits = f"u{x.itemsize}"
    keep = ~np.isnan(x)
    np.testing.assert_array_equal(x[keep].view(bits), y[keep].view(bits))


def numbers(shape, dtype, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


SHAPES = [(4, 5, 3), (6, 20, 21), (1, 7, 40), (9, 2, 35), (3, 3, 18), (5, 4, 1), (2, 17, 1)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_order_of_arithmetic_is_the_promised_one(shape, dtype):
    m, n, k = shape
    a, b = numbers((m, k), dtype), numbers((k, n), dtype, 1)
    expected = defined(a, b)
    same(compiled(a, b), expected)
    same(products.matmul(a, b), expected)


@pytest.mark.parametrize("shape", [(5, 6, 40), (2, 6, 40), (6, 1, 40)])
def test_special_values(shape):
    m, n, k = shape
    special = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-45, -1e-45, 1e-38, 3e38, 1e-20, -1e-25]
    rng = np.random.default_rng(2)
    values = np.array([*special, *numbers(6, np.float32)], np.float32)
    a = rng.choice(values, (m, k), p=[0.03] * 11 + [0.67 / 6] * 6)
    b = rng.choice(values[5:], (k, n))
    with np.errstate(all="ignore"):
        expected = defined(a, b)
    same(compiled(a, b), expected)
    same(products.matmul(a, b), expected)
    same(products.matmul(b.T, a.T), np.ascontiguousarray(expected.T))


def test_a_tiny_negative_product_leaves_negative_zero_and_no_padding_hides_it():
    for m, n, k in ((4, 4, 1), (1, 1, 1), (1, 9, 17), (9, 1, 17)):
        a, b = np.full((m, k), -1e-30, np.float32), np.full((k, n), 1e-30, np.float32)
        same(compiled(a, b), defined(a, b))
        same(products.matmul(a, b), defined(a, b))


@pytest.mark.parametrize("shape", [(33, 50, 70), (3, 50, 70), (50, 1, 33), (8, 9, 1)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_layout_and_threads_change_no_bit(shape, dtype):
    m, n, k = shape
    a, b = numbers((m, k), dtype), numbers((k, n), dtype, 1)
    expected = compiled(a, b)
    for x, y in itertools.product(LAYOUTS, LAYOUTS):
        la, lb = laid_out(a, x), laid_out(b, y)
        same(products.matmul(la, lb), expected)
        same(products.matmul(lb.T, la.T).T, expected)
    for x, y, z in (("rows", "cols", "cols"), ("apart",) * 3, ("cols", "apart", "rows")):
        for threads in (1, 2, 3):
            same(compiled(laid_out(a, x), laid_out(b, y), z, threads), expected)


@pytest.mark.parametrize("form", ["rows", "cols"])
def test_depth_in_pieces_changes_no_bit(form):
    """Deep enough that a panel holds a part of a strip only, and wide enough that it is copied."""
    a, b = numbers((70, 1700), np.float32), numbers((1700, 1300), np.float32, 1)
    found = products.matmul(a, laid_out(b, form))
    same(compiled(a, laid_out(b, form), threads=2), found)
    pick = np.s_[3:7], np.s_[640:645]
    with np.errstate(all="ignore"):
        same(found[pick], defined(a[pick[0]], b[:, pick[1]]))


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(*[st.integers(1, 70)] * 3), st.sampled_from(LAYOUTS), st.sampled_from(LAYOUTS),
    st.sampled_from([np.float32, np.float64]),
)  # fmt: skip
def test_matmul_is_near_the_exact_product(sizes, x, y, dtype):
    m, n, k = sizes
    a, b = numbers((m, k), dtype), numbers((k, n), dtype, 1)
    exact = a.astype(np.longdouble) @ b.astype(np.longdouble)
    bound = np.abs(a) @ np.abs(b) * np.finfo(dtype).eps * k
    assert (np.abs(products.matmul(laid_out(a, x), laid_out(b, y)) - exact) <= bound).all()


BATCHES = [((3,), (3,)), ((2, 3), (3,)), ((2, 1), (1, 3)), ((), (4,)), ((2, 3, 2, 2), (2, 1, 2, 1))]


@pytest.mark.parametrize("batches", BATCHES)
@pytest.mark.parametrize("mats", [(5, 6, 7), (1, 6, 20), (6, 2, 20)])
def test_batches_broadcast_as_in_numpy(batches, mats):
    (x, y), (m, n, k) = batches, mats
    a, b = numbers((*x, m, k), np.float64), numbers((*y, k, n), np.float64, 1)
    found = products.matmul(a, b)
    assert found.shape == np.matmul(a, b).shape
    whole = (
        np.broadcast_to(a, (*found.shape[:-2], m, k)),
        np.broadcast_to(b, (*found.shape[:-2], k, n)),
    )
    for at in np.ndindex(found.shape[:-2]):
        same(found[at], products.matmul(whole[0][at], whole[1][at]))
    same(compiled(*map(np.ascontiguousarray, whole), threads=2), found)


@pytest.mark.parametrize(
    "shapes", [((6,), (6,)), ((6,), (6, 5)), ((5, 6), (6,)), ((2, 5, 6), (6,))]
)
def test_vectors(shapes):
    a, b = numbers(shapes[0], np.float32), numbers(shapes[1], np.float32, 1)
    found = products.matmul(a, b)
    assert found.shape == np.matmul(a, b).shape
    np.testing.assert_allclose(found, np.matmul(a, b), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "shapes", [((0, 3), (3, 4)), ((5, 0), (0, 4)), ((2, 0, 3), (3, 4)), ((0,), (0,))]
)
def test_empty_axes(shapes):
    a, b = np.ones(shapes[0], np.float32), np.ones(shapes[1], np.float32)
    same(np.asarray(products.matmul(a, b)), np.asarray(np.matmul(a, b)))


def test_out_is_filled_where_it_lies():
    a, b = numbers((5, 6), np.float32), numbers((6, 7), np.float32, 1)
    expected = products.matmul(a, b)
    for layout in LAYOUTS:
        out = laid_out(np.zeros((5, 7), np.float32), layout)
        assert products.matmul(a, b, out=out) is out
        same(out.copy(), expected)
    square = numbers((6, 6), np.float32)
    expected = products.matmul(square, square)
    products.matmul(square, square, out=square)
    same(square, expected)
    wide = np.zeros((5, 7))
    products.matmul(a, b, out=wide)
    assert (wide == products.matmul(a, b)).all()
    with pytest.raises(ValueError, match=r"out has shape \(7, 5\)"):
        products.matmul(a, b, out=np.zeros((7, 5), np.float32))


def test_matrices_inside_records():
    """Strides that are no whole number of elements."""
    records = np.zeros((6, 5), np.dtype([("x", "f4"), ("flag", "i1")]))
    records["x"] = numbers((6, 5), np.float32)
    a = records["x"]
    same(products.matmul(a, a.T), products.matmul(a.copy(), a.T.copy()))


def test_other_types_are_numpys():
    a = np.arange(6).reshape(2, 3)
    assert (products.matmul(a, a.T) == a @ a.T).all()
    with pytest.raises(ValueError, match="mismatch"):
        products.matmul(np.ones((2, 3)), np.ones((2, 3)))


EPILOGUE = (
    Step("sum", (), "f32"),
    Step("load", (), "f32", 2),  # bias, repeated along m
    Step("add", (0, 1), "f32"),
    Step("const", (), "f32", 0.0),
    Step("gt", (2, 3), "bool"),
    Step("where", (4, 2, 3), "f32"),
    Step("store", (5,), "f32", 3),
    Step("load", (), "f32", 4),  # the old weight
    Step("load", (), "f32", 5),  # a learning rate
    Step("mul", (8, 5), "f32"),
    Step("sub", (7, 9), "f32"),
    Step("store", (10,), "f32", 4),  # the new weight, in place
)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(37, 21, 19), (2, 40, 50), (40, 3, 9), (64, 48, 1)])
def test_an_epilogue_reads_several_operands_and_writes_several(shape, layout):
    m, n, k = shape
    a, b, bias = numbers((m, k), np.float32), numbers((k, n), np.float32, 1), numbers(n, np.float32)
    rate = np.array([0.1], np.float32)
    for threads in (1, 3):
        out = laid_out(np.zeros((m, n), np.float32), layout)
        weight = laid_out(numbers((m, n), np.float32, 3), layout)
        old = weight.copy()
        extras = (
            Operand("f32", (0, 1)), operand(out, True), operand(weight, True),
            Operand("f32", (0, 0)),
        )  # fmt: skip
        spec = Product(m, n, k, (), operand(a), operand(laid_out(b, layout)), extras, EPILOGUE)
        code.launch(spec, a, laid_out(b, layout), bias, out, weight, rate, threads=threads)
        expected = compiled(a, b) + bias
        expected = np.where(expected > 0, expected, np.float32(0))
        same(out.copy(), expected)
        same(weight.copy(), old - rate * expected)


REPORT = """
import sys, zlib
sys.path.insert(0, {folder!r})
from test_product_kernels import *
total = 0
for dtype in (np.float32, np.float64):
    for m, n, k in ((21, 50, 70), (3, 50, 33), (50, 1, 33)):
        a, b = numbers((m, k), dtype), numbers((k, n), dtype, 1)
        for x in LAYOUTS:
            total = zlib.crc32(products.matmul(laid_out(a, x), laid_out(b, x)).tobytes(), total)
        total = zlib.crc32(compiled(a, laid_out(b, "cols"), "cols", 2).tobytes(), total)
print(total)
"""


def test_the_width_of_vectors_changes_no_bit():
    found = set()
    for bits in ("128", "256", "512"):
        env = {**os.environ, "PENLIGHT_VECTOR_BITS": bits}
        command = [sys.executable, "-c", REPORT.format(folder=os.path.dirname(__file__))]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
        found.add(done.stdout)
    assert len(found) == 1
