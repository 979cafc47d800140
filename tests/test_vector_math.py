"""Our elementary functions: within 2 ulp, right at the edges, the same bits at every width."""

from dataclasses import dataclass

import mpmath
import numpy as np
import pytest

from penlight.compiler import code, vector_angles  # noqa: F401  fills the table
from penlight.compiler.scalars import TABLE

mpmath.mp.prec = 130
MATH = {
    "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh, "asin": np.arcsin,
    "acos": np.arccos, "atan": np.arctan, "atan2": np.arctan2, "pow": np.power,
}  # fmt: skip
UNARY = (
    "exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan sinh cosh tanh asinh acosh "
    "atanh erf"
).split()
DTYPES = {"f32": np.float32, "f64": np.float64}


@dataclass(frozen=True)
class Line:
    """out[i] = op(...) for a known number of elements, in vectors of `lanes`."""

    op: str
    kind: str
    size: int
    lanes: int

    def emit(self, e):
        arity = TABLE[self.op].arity
        pointers = [e.pointer(i) for i in range(arity + 1)]
        with e.loop(0, self.size, self.lanes) as i:
            values = [e.load(p, i, self.kind, self.lanes) for p in pointers[:-1]]
            result = TABLE[self.op].code(e, self.kind, *values)
            e.store(result, pointers[-1], i, self.kind)


def computed(op, kind, *arrays, lanes=8):
    size = -(-arrays[0].size // 64) * 64
    given = [np.resize(a, size) for a in arrays]
    out = np.empty(size, DTYPES[kind])
    code.launch(Line(op, kind, size, lanes), *given, out)
    return out[: arrays[0].size]


def edges(kind):
    info = np.finfo(DTYPES[kind])
    half = [0.0, 1, 2, 0.5, np.inf, np.nan, info.max, info.tiny, info.smallest_subnormal, 88.73,
            103.9, 104, 709.8, 745.2, 1e6, 1e-6, 1e30, 3, 10, 1000]  # fmt: skip
    return np.array([*half, *np.negative(half)]).astype(DTYPES[kind])


@np.errstate(all="ignore")
def samples(kind):
    """Bit patterns at equal distances, numbers of every size that matters, the edges."""
    rng = np.random.default_rng(0)
    if kind == "f32":
        bits = np.arange(0, 1 << 32, 7919, np.uint64).astype(np.uint32).view(np.float32)
    else:
        bits = rng.integers(-(2**63), 2**63 - 1, 50000).view(np.float64)
    near = [rng.normal(size=20000) * scale for scale in (1e-3, 0.3, 1, 10, 300)]
    return np.concatenate([bits, *near, rng.uniform(-1.5, 1.5, 50000), edges(kind)]).astype(
        DTYPES[kind]
    )


def errors(got, want):
    """In units in the last place; infinite where NaN, infinities or signs of zero differ."""
    rounded = want.astype(got.dtype)
    special = ~np.isfinite(rounded) | ~np.isfinite(got)
    same = (got == rounded) | (np.isnan(got) & np.isnan(rounded))
    distance = np.abs(got - want) / np.spacing(np.abs(rounded)).astype(want.dtype)
    found = np.where(special, np.where(same, 0, np.inf), distance)
    zero = (got == 0) & (rounded == 0) & (np.signbit(got) != np.signbit(rounded))
    return np.where(zero, np.inf, found)


def exact(op, x):
    """By mpmath: for what NumPy's long double lacks or computes less well."""
    function = {"pow": mpmath.power}.get(op) or getattr(mpmath, op)
    return np.array([np.longdouble(str(function(*map(mpmath.mpf, map(float, v))))) for v in x])


@pytest.mark.parametrize("kind", DTYPES)
@pytest.mark.parametrize("op", UNARY)
def test_within_two_ulp_and_right_at_the_edges(op, kind):
    x = samples(kind)
    with np.errstate(all="ignore"):
        if op == "erf":
            x = x[np.isfinite(x)][:: len(x) // 3000]
            want = exact(op, x[:, None])
        else:
            function = MATH.get(op) or getattr(np, op)
            want = function(x.astype(np.float64 if kind == "f32" else np.longdouble))
        found = errors(computed(op, kind, x), want)
    worst = np.argmax(found)
    assert found[worst] <= 2, (op, x[worst], found[worst])


@pytest.mark.parametrize("kind", DTYPES)
@pytest.mark.parametrize("op", ["atan2", "pow"])
def test_of_two_arguments(op, kind):
    rng = np.random.default_rng(1)
    wide = np.exp(rng.normal(size=2000) * 2) * rng.choice([1, 1, 1, -1], 2000)
    x, y = wide[:1000].astype(DTYPES[kind]), wide[1000:].astype(DTYPES[kind])
    y[:300] = np.rint(y[:300])
    if op == "pow":  # a negative number to a broken power has none
        x = np.where(y != np.rint(y), abs(x), x)
    with np.errstate(all="ignore"):
        found = errors(computed(op, kind, x, y), exact(op, np.stack([x, y], 1)))
    assert found.max() <= 2, (x[np.argmax(found)], y[np.argmax(found)])


@pytest.mark.parametrize("kind", DTYPES)
@pytest.mark.parametrize("op", ["atan2", "pow"])
def test_the_cases_of_the_standard(op, kind):
    some = np.concatenate([edges(kind), np.array([7, -7, 8388609, 0.25, -2.5], DTYPES[kind])])
    x, y = (a.reshape(-1) for a in np.meshgrid(some, some))
    with np.errstate(all="ignore"):
        got, want = computed(op, kind, x, y), MATH[op](x, y)
    special = ~np.isfinite(want) | (want == 0) | (abs(want) == 1)
    np.testing.assert_array_equal(got[special], want[special])
    np.testing.assert_array_equal(np.signbit(got)[want == 0], np.signbit(want)[want == 0])


@pytest.mark.parametrize("kind", DTYPES)
@pytest.mark.parametrize("op", [*UNARY, "sigmoid", "erfc"])
def test_the_same_bits_at_every_width(op, kind):
    """But for a NaN's sign and payload: processors take them from either operand."""
    x = samples(kind)
    one, many = (computed(op, kind, x, lanes=lanes) for lanes in (1, 8))
    np.testing.assert_array_equal(one, many)
    np.testing.assert_array_equal(*(np.signbit(y)[~np.isnan(x)] for y in (one, many)))


def test_sigmoid_takes_its_three_steps():
    x = samples("f32")
    with np.errstate(all="ignore"):
        steps = np.float32(1) / (computed("exp", "f32", -x) + np.float32(1))
    np.testing.assert_array_equal(computed("sigmoid", "f32", x), steps)


def test_the_complementary_error_function_keeps_its_tail():
    x = np.linspace(-5, 26, 600)
    with np.errstate(all="ignore"):
        assert errors(computed("erfc", "f64", x), exact("erfc", x[:, None])).max() < 4
        x = np.linspace(-5, 10, 600, dtype=np.float32)
        assert errors(computed("erfc", "f32", x), exact("erfc", x[:, None])).max() < 1


def test_a_multiple_of_a_quarter_turn_far_away_is_found_exactly():
    x = np.array([2.0**60, 1e22, 6381956970095103 * 2.0**797, 2.0**1000, -1e300])
    for op in ("sin", "cos", "tan"):
        want = exact(op, x[:, None])
        np.testing.assert_allclose(computed(op, "f64", x), want.astype(float), rtol=4e-16)
