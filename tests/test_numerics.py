"""The array namespace: NumPy's answers and forms, our order of arithmetic, nothing else touched."""

import itertools
import subprocess
import sys

import numpy as np
import pytest

from penlight.compiler import numerics as xp

pytestmark = pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")  # ops are quiet
RNG = np.random.default_rng(0)
ELEMENTWISE = (
    "exp exp2 expm1 log log2 log10 log1p sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh "
    "arccosh arctanh"
).split()


def in_order(x):
    """The sum of a flat array in the order that all kernels share."""
    if x.size > 8192:
        parts = [in_order(x[i : i + 8192]) for i in range(0, x.size, 8192)]
        return in_order(np.array(parts, x.dtype))
    parts = np.zeros(16, x.dtype)
    for i in range(0, x.size, 16):
        parts[: x.size - i] += x[i : i + 16]
    while parts.size > 1:
        parts = parts[: parts.size // 2] + parts[parts.size // 2 :]
    return parts[0]


def forms(x):
    """The same numbers in other memory."""
    yield x
    yield x.T.copy().T
    yield np.repeat(x, 2, -1)[..., ::2]
    yield np.flip(np.ascontiguousarray(np.flip(x)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_functions_have_the_same_bits_in_any_memory(name, dtype):
    x = RNG.uniform(1.01, 3, (5, 7, 9)).astype(dtype)
    if name in ("arcsin", "arccos", "arctanh"):
        x = (1 / x).astype(dtype)
    want = getattr(xp, name)(x)
    np.testing.assert_allclose(want, getattr(np, name)(x), rtol=4 * np.finfo(dtype).eps)
    for form in forms(x):
        np.testing.assert_array_equal(getattr(xp, name)(form), want)
        out = np.empty_like(form)
        assert getattr(xp, name)(form, out=out) is out
        np.testing.assert_array_equal(out, want)
    large = np.resize(x, 100_003)
    np.testing.assert_array_equal(getattr(xp, name)(large)[: x.size], want.reshape(-1))
    assert type(getattr(xp, name)(dtype(1))) is dtype


def test_other_types_are_numpys():
    for dtype in (np.float16, np.int32, np.complex64, bool):
        x = np.ones(3, dtype)
        got, want = xp.exp(x), np.exp(x)
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want)
        assert xp.sum(x).dtype == np.sum(x).dtype
    assert xp.exp(1.0) == np.exp(1.0)
    assert xp.arange is np.arange
    assert not hasattr(xp, "no_such_function")


def test_two_arguments_broadcast():
    x, y = RNG.uniform(0.1, 4, (4, 1, 3)).astype(np.float32), RNG.normal(size=(5, 1))
    narrow = y.astype(np.float32)
    np.testing.assert_allclose(xp.power(x, narrow), np.power(x, narrow), rtol=1e-6)
    np.testing.assert_allclose(xp.arctan2(narrow, x), np.arctan2(narrow, x), rtol=1e-6)
    np.testing.assert_array_equal(xp.power(x, 2), x * x)
    assert xp.power(x, 2).dtype == xp.power(2.0, x).dtype == np.float32
    assert xp.power(x, y).dtype == np.float64


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("count", [0, 1, 15, 16, 100, 8192, 8193, 20000, 3 * 8192, 70001])
def test_sums_have_one_order_in_any_memory(count, dtype):
    x = RNG.normal(size=(count, 3)).astype(dtype)
    want = [in_order(x[:, j]) for j in range(3)]
    for form in forms(x):
        np.testing.assert_array_equal(xp.sum(form, 0), want)
        np.testing.assert_array_equal(xp.sum(form.T, 1), want)
        assert xp.sum(form[:, 0]) == want[0]
    wide = np.concatenate([x] * 50, 1)
    np.testing.assert_array_equal(xp.sum(wide, 0), want * 50)
    np.testing.assert_array_equal(xp.sum(x), in_order(x.reshape(-1)))


def test_rows_and_columns_are_one_sequence():
    x = RNG.normal(size=(30, 7, 400)).astype(np.float32)
    want = [in_order(np.ascontiguousarray(x[:, j]).reshape(-1)) for j in range(7)]
    np.testing.assert_array_equal(xp.sum(x, (0, 2)), want)
    np.testing.assert_array_equal(xp.sum(x.transpose(1, 0, 2), (1, 2)), want)


@pytest.mark.parametrize("shape", [(), (5,), (3, 4), (0, 3), (2, 3, 4, 5), (4, 1, 3, 2, 2)])
@pytest.mark.parametrize("name", ["sum", "prod", "mean", "max"])
def test_reductions_have_numpys_shapes(name, shape):
    x = RNG.normal(size=shape).astype(np.float32)
    if name in ("mean", "max") and not x.size:
        return
    of, reference = getattr(xp, name), getattr(np, name)
    every = itertools.chain.from_iterable(
        itertools.combinations(range(len(shape)), k) for k in range(len(shape) + 1)
    )
    for axes in [None, *every]:
        one = [axes[0], axes[0] - len(shape)] if axes and len(axes) == 1 else []
        for axis, keep in itertools.product([axes, *one], [False, True]):
            got, want = of(x, axis, keepdims=keep), reference(x, axis, keepdims=keep)
            assert (np.shape(got), got.dtype) == (np.shape(want), want.dtype)
            np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_nan_and_infinity_reach_the_result():
    x = np.ones((20, 20), np.float32)
    x[3, 4], x[5, 6] = np.nan, np.inf
    for axis in (0, 1, None):
        np.testing.assert_array_equal(xp.max(x, axis), np.max(x, axis))
        np.testing.assert_array_equal(np.isnan(xp.sum(x, axis)), np.isnan(np.sum(x, axis)))
    assert not np.signbit(xp.sum(np.full(5, -0.0, np.float32)))
    assert xp.max(np.zeros((0, 2), np.float32), 0, initial=-np.inf).tolist() == [-np.inf] * 2
    with pytest.raises(ValueError, match="zero-size array"):
        xp.max(np.zeros((0, 2), np.float32), 0)


def test_without_llvmlite_everything_is_numpys():
    code = """
import sys
sys.modules["llvmlite"] = None
import numpy as np
from penlight.compiler import numerics as xp
x = np.linspace(-1, 1, 5, dtype=np.float32)
assert not xp.available()
for name in ("exp", "tanh", "sum", "prod", "mean", "max"):
    np.testing.assert_array_equal(getattr(xp, name)(x), getattr(np, name)(x))
np.testing.assert_array_equal(xp.matmul(x, x), x @ x)
np.testing.assert_array_equal(xp.power(abs(x), x), np.power(abs(x), x))
import penlight as torch
assert torch.nn.functional.gelu(torch.ones(3)).sum().item() > 2.5
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
