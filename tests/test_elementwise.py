"""Elementwise functions, arithmetic and comparisons beside PyTorch's, for all types."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import penlight
from same import assert_same

EDGES = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -3.0, 1.5, 2.5, -2.5, 7.25, 0.1, 1e-3, 30.0]
EDGES += [float("inf"), -float("inf"), float("nan")]
ONE = {
    "float32": EDGES, "float64": EDGES, "float16": EDGES, "bfloat16": EDGES,
    "int64": [0, 1, -1, 2, -3, 7, 100], "uint8": [0, 1, 2, 200, 255, 7], "bool": [True, False],
    "complex64": [1 + 1j, -1 + 0.5j, 0.3 - 0.2j, 2j, -2.0, 0j, 0.5],
}  # fmt: skip
UNARY = """
    abs acos acosh angle asin asinh atan atanh ceil conj_physical cos cosh deg2rad rad2deg exp exp2
    expm1 floor frac frexp isfinite isinf isnan isneginf isposinf isreal log log10 log1p log2
    logical_not nan_to_num neg positive reciprocal round rsqrt sgn sigmoid sign signbit sin sinh
    sqrt square tan tanh trunc bitwise_not absolute fix arcsin negative
""".split()


@pytest.mark.parametrize("dtype", ONE)
def test_unary(dtype):
    def make(T):
        return {"x": T.tensor(ONE[dtype], dtype=getattr(T, dtype))}

    for name in UNARY:
        assert_same(f"T.{name}(x)", make)


LEFT = {
    "float32": [7.5, -2.5, 0.0, float("inf")], "bfloat16": [7.5, -2.5, 0.0, 1.0],
    "int64": [7, -7, 3, -4], "int32": [7, -7, 3, -4], "uint8": [3, 200, 7, 0],
    "bool": [True, False, True, False], "complex64": [1 + 1j, -2j, 0.5, 3.0],
}  # fmt: skip
RIGHT = {
    "float32": [2.0, -0.5, 3.0, float("nan")], "bfloat16": [2.0, -0.5, 3.0, 2.0],
    "int64": [2, 3, -2, 5], "int32": [2, 3, -2, 5], "uint8": [2, 3, 250, 5],
    "bool": [True, True, False, False], "complex64": [1j, 2.0, -1 - 1j, 0.5],
}  # fmt: skip
BINARY = """
    add sub mul div floor_divide remainder fmod pow true_divide maximum minimum fmax fmin eq ne lt
    le gt ge logical_and logical_or logical_xor bitwise_and bitwise_or bitwise_xor atan2
    bitwise_left_shift bitwise_right_shift copysign nextafter hypot gcd lcm heaviside logaddexp
    float_power clamp_min clamp_max max min isclose
""".split()


@pytest.mark.parametrize("name", BINARY)
def test_binary(name):
    for left in LEFT:
        for right in RIGHT:

            def make(T, left=left, right=right):
                return {
                    "x": T.tensor(LEFT[left], dtype=getattr(T, left)),
                    "y": T.tensor(RIGHT[right], dtype=getattr(T, right)),
                }

            assert_same(f"T.{name}(x, y)", make, text=name not in ("gcd", "lcm"))


@pytest.mark.parametrize("name", BINARY)
def test_with_numbers(name):
    for dtype in ("float32", "int64", "uint8", "bool", "complex64"):

        def make(T, dtype=dtype):
            return {"x": T.tensor(LEFT[dtype], dtype=getattr(T, dtype))}

        for value in ("2", "-3", "2.5", "True", "0"):
            assert_same(f"T.{name}(x, {value})", make)
            if name in IN_PLACE:
                assert_same(f"x.{name}_({value})", make)


IN_PLACE = ("add", "mul", "div", "pow", "eq", "lt", "sub", "copysign")
OPERATORS = [
    "x + y", "x - 1", "1 - x", "x * 2", "2 / x", "x / 2", "x // y", "7 // x", "x % y", "7 % x",
    "x ** 2", "2 ** x", "i & 6", "6 & i", "i | 1", "1 | i", "i ^ 5", "5 ^ i", "i << 2", "3 << i",
    "i >> 1", "64 >> i", "~i", "~b", "-x", "+x", "abs(x)", "x == y", "x != 2", "x < y", "x >= 0",
    "1 < x", "x == 'a'", "x != None", "x + 'a'", "x < 'a'", "x - None", "-b", "+b", "b - b",
    "b - 1", "~x", "x & 1", "b + b", "b * b", "b / b", "b // b", "b % b", "b ** b", "i / 0",
    "i // 0", "i % 0", "i ** -1", "x // 0", "x % 0", "t([1, -1, 2]) ** t([-1, -1, -2])", "i << 70",
    "i >> 70", "i << -1", "x + T.ones(2)", "T.ones(2, 3) * T.ones(4, 1, 2)",
]  # fmt: skip


def small(T):
    return {
        "x": T.tensor([1.5, -2.0, 4.0]), "y": T.tensor([2.0, 3.0, -1.5]),
        "i": T.tensor([3, -4, 5]), "b": T.tensor([True, False, True]),
    }  # fmt: skip


@pytest.mark.parametrize("code", OPERATORS)
def test_operators(code):
    assert_same(code, small)


CALLS = [
    "T.add(i, 10, alpha=2)", "T.sub(x, 3, alpha=0.5)", "T.add(b, b, alpha=2)",
    "T.add(i, i, alpha=1.5)", "T.add(x, x, alpha=1j)", "T.sub(x, y, alpha=2)",
    "T.add(b, i, alpha=True)", "T.add(x, 'a')", "T.exp(1.0)", "T.rsub(x, i, alpha=2)",
    "T.div(x, y, rounding_mode='x')", "T.div(i, 2, rounding_mode='trunc')",
    "T.div(-i, 2, rounding_mode='floor')", "T.div(x, y, rounding_mode='trunc')",
    "x.add_(y, alpha=3)", "i.add_(1.5)", "i.div_(2)", "x.add_(T.ones(2, 3))", "T.clamp(x)",
    "T.clamp(x, min=T.tensor([0.0]))", "T.clamp(x, min=T.tensor([0.0]), max=1)",
    "T.clamp(i, min=0.5)", "T.clamp(b, 0, 1)", "T.clamp(x, 3, 1)", "x.clamp_(0, 1)",
    "T.clip(x, -1)", "T.clamp(x, min=float('nan'))", "T.round(i, decimals=1)",
    "T.round(x * 1.2345, decimals=2)", "T.round(x * 123, decimals=-2)", "T.frexp(i)",
    "T.heaviside(x, i)", "T.ldexp(i, i)", "T.ldexp(x, i)", "T.lerp(x, y, 0.5)", "T.lerp(i, i, 0.5)",
    "T.lerp(x, i, 0.5)", "T.lerp(x, y, y)", "T.addcmul(i, i, i, value=2)", "T.addcdiv(i, i, i)",
    "T.addcdiv(x, y, x, value=2)", "T.addcmul(x, T.ones(3, 1), y)", "T.gcd(x, x)",
    "T.float_power(2, i)", "x.float_power_(2)", "T.isclose(i, x)", "T.logit(x)",
    "T.isclose(x, x + 1e-9)", "T.isclose(x, y, rtol=-1.0)", "T.allclose(x, x)", "T.equal(x, i)",
    "T.maximum(x, 1)", "T.maximum(t(1j), t(1j))", "t(1j) < t(2j)", "T.eq(1, x)", "T.sign(t(1j))",
    "t(1j).floor()", "T.isposinf(t([1j]))", "T.nan_to_num(x / 0, posinf=1.0)", "T.complex(x, y)",
    "T.polar(x, y)", "T.complex(x, i)", "T.angle(i)", "T.deg2rad(i)", "T.pow(2.5, x)", "x.square()",
    "T.bitwise_and(x, i)", "T.logaddexp(x, y)", "T.logaddexp2(x, y)", "T.copysign(i, -1)",
    "t([200], dtype=T.uint8) / -3", "t([200], dtype=T.uint8) + 100", "t([1], dtype=T.uint8) - 2",
    "t(5) * t([1.5])", "t(2.5) * t([1, 2])", "t(2.5, dtype=T.float64) + x", "x + 1j", "i * 2.5",
]  # fmt: skip


@pytest.mark.parametrize("code", CALLS)
def test_calls(code):
    assert_same(code, small)


def differentiable(T):
    def leaf(values):
        return T.tensor(values, dtype=T.float64, requires_grad=True)

    return {
        "x": leaf([[0.3, -0.4, 0.77], [1.5, -2.1, 0.9]]), "y": leaf([1.2, 0.4, 2.7]),
        "p": leaf([[0.3, 0.4, 0.77], [1.5, 2.1, 0.9]]), "z": leaf([[0.5, 0, 2], [0, 0, 3]]),
        "tie": leaf([[1.0, 1, 0], [2, 1, 2]]), "n": leaf([1.0, float("nan"), 3]), "s": leaf(1.5),
        "i": T.tensor([1, 2, 3]),
    }  # fmt: skip


LEAVES = ("x", "y", "p", "z", "tie", "n", "s")
SMOOTH = [
    "x + y", "x - y", "x * y", "x / y", "T.add(x, y, alpha=2.5)", "T.rsub(x, y, alpha=2)", "1 - x",
    "1 / x", "2 ** x", "x ** 2", "x ** 3", "x ** 0", "x ** -1", "p ** 0.5", "p ** 1.7", "p ** y",
    "p ** i", "T.pow(2.5, y)", "z ** 2", "z ** 0", "x % y", "x % 2", "T.fmod(x, y)",
    "T.div(x, y, rounding_mode='floor')", "T.atan2(x, y)", "T.hypot(x, y)", "T.copysign(x, y)",
    "T.logaddexp(x, y)", "T.logaddexp2(x, y)", "T.ldexp(x, y)", "T.addcmul(x, y, p, value=2)",
    "T.addcdiv(x, p, y, value=-1.5)", "T.lerp(x, y, 0.3)", "T.lerp(x, y, 0.8)", "T.lerp(x, y, p)",
    "T.lerp(x, y, s)", "T.maximum(x, y)", "T.maximum(tie, z)", "T.minimum(tie, z)",
    "T.fmax(tie, z)", "T.fmin(n, y)", "x.clamp(-1, 0.5)", "x.clamp_min(0)", "x.clamp_max(0.3)",
    "T.clamp(x, y - 1, y)", "T.clamp(x, min=y)", "x.round(decimals=1)", "n.nan_to_num(2.0)",
    "T.frexp(x)[0]", "T.polar(p, x)", "T.complex(x, p)", "x.sgn()", "z.abs()", "x.angle()",
    "x.deg2rad()", "p.frac()", "x.reciprocal()", "p.rsqrt()", "p.sqrt()", "x.exp()", "x.exp2()",
    "x.expm1()", "p.log()", "p.log2()", "p.log10()", "p.log1p()", "x.sin()", "x.cos()", "x.tan()",
    "(x / 3).asin()", "(x / 3).acos()", "x.atan()", "x.sinh()", "x.cosh()", "x.tanh()", "x.asinh()",
    "(p + 1).acosh()", "(x / 3).atanh()", "x.sigmoid()", "(x * 1).sin_()", "(x * 1).mul_(y)",
    "(x * 1).add_(y).exp_()",
]  # fmt: skip


@pytest.mark.parametrize("code", SMOOTH)
def test_gradients(code):
    assert_same(code, differentiable, LEAVES)


@pytest.mark.parametrize(
    "name", "exp log sqrt sin tan tanh sigmoid sgn abs square reciprocal".split()
)
def test_complex_gradients(name):
    def make(T):
        values = [1.3 + 0.2j, 2.4 - 1j, -0.77 + 0.3j]
        return {"x": T.tensor(values, dtype=T.complex128, requires_grad=True)}

    assert_same(f"x.{name}()", make, ("x",))


NAMES = {
    "x + 1": "Add", "x - 1": "Sub", "1 - x": "Rsub", "x * x": "Mul", "x / 2": "Div", "1 / x": "Mul",
    "x ** 2": "Pow", "-x": "Neg", "x.abs()": "Abs", "x.exp()": "Exp", "x.log1p()": "Log1P",
    "x.sigmoid()": "Sigmoid", "x.clamp_min(0)": "ClampMin", "T.maximum(x, x)": "Maximum",
}  # fmt: skip


@pytest.mark.parametrize("code", NAMES)
def test_node_names(code):
    names = []
    for T in (torch, penlight):
        x = T.tensor([0.5, 1.5], requires_grad=True)
        names.append(eval(code, {"x": x, "T": T}).grad_fn.name())
    assert names[1] == names[0]
    assert names[1].startswith(NAMES[code])


INTEGERS = st.lists(st.integers(-50, 50), min_size=3, max_size=3)


@settings(max_examples=50, deadline=None)
@given(INTEGERS, INTEGERS)
def test_integer_division(a, b):
    """Quotient and rest belong together, with both roundings, as in PyTorch."""
    b = [v or 1 for v in b]
    for mode, rest in (("floor", "remainder"), ("trunc", "fmod")):
        x, y = penlight.tensor(a), penlight.tensor(b)
        q, r = penlight.div(x, y, rounding_mode=mode), getattr(penlight, rest)(x, y)
        assert penlight.equal(q * y + r, x)
        want = torch.div(torch.tensor(a), torch.tensor(b), rounding_mode=mode)
        assert q.tolist() == want.tolist()
