"""The special functions against SciPy: accuracy over their domains, and their special values."""

import numpy as np
import pytest
import scipy.special as scipy

from penlight.compiler import numerics
from penlight.ops.special_math import bessel, error, gamma, polynomials

RNG = np.random.default_rng(0)
REAL = np.concatenate([RNG.normal(size=2000) * 3, RNG.uniform(-40, 40, 2000), [0.0, 1, -1, 6, 8]])
POSITIVE = np.concatenate([RNG.uniform(0, 5, 2000), RNG.uniform(0, 200, 2000), [1.0, 2, 2.5, 20]])
UNIT = np.concatenate([RNG.uniform(0, 1, 2000), 10 ** RNG.uniform(-200, 0, 2000), [0.0, 1]])
SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, -1.0, 1.0])


def check(got, want, rtol=1e-12, atol=0.0):
    np.testing.assert_allclose(got, want, rtol=rtol, atol=atol)


@pytest.mark.parametrize(
    ("ours", "theirs", "domain"),
    [
        (error.erf, scipy.erf, REAL),
        (error.erfc, scipy.erfc, REAL[REAL < 26]),
        (error.erfcx, scipy.erfcx, REAL[REAL > -26]),
        (error.erfinv, scipy.erfinv, 2 * UNIT - 1),
        (error.ndtr, scipy.ndtr, REAL[REAL > -30]),
        (error.ndtri, scipy.ndtri, UNIT),
        (error.log_ndtr, scipy.log_ndtr, REAL[REAL < 30]),
        (gamma.lgamma, scipy.gammaln, POSITIVE[(POSITIVE > 0.5) & (abs(POSITIVE - 1.5) > 0.6)]),
        (bessel.i0, scipy.i0, REAL),
        (bessel.i1, scipy.i1, REAL),
        (bessel.i0e, scipy.i0e, REAL),
        (bessel.i1e, scipy.i1e, REAL),
        (bessel.k0, scipy.k0, POSITIVE),
        (bessel.k1, scipy.k1, POSITIVE),
        (bessel.k0e, scipy.k0e, POSITIVE),
        (bessel.k1e, scipy.k1e, POSITIVE),
        (bessel.airy_ai, lambda x: scipy.airy(x)[0], POSITIVE[POSITIVE < 80]),
    ],
)
def test_relative_accuracy(ours, theirs, domain):
    check(ours(numerics, domain), theirs(domain))


@pytest.mark.parametrize(
    ("ours", "theirs", "domain"),
    [
        (gamma.lgamma, scipy.gammaln, REAL),
        (gamma.digamma, scipy.digamma, np.concatenate([POSITIVE, -POSITIVE[:1000].round() - 0.3])),
        (bessel.j0, scipy.j0, REAL * 5),
        (bessel.j1, scipy.j1, REAL * 5),
        (bessel.y0, scipy.y0, POSITIVE),
        (bessel.y1, scipy.y1, POSITIVE),
        (bessel.airy_ai, lambda x: scipy.airy(x)[0], -POSITIVE[POSITIVE < 80]),
        (bessel.spherical_j0, lambda x: scipy.spherical_jn(0, x), REAL),
    ],
)
def test_accuracy_of_functions_with_zeros(ours, theirs, domain):
    check(ours(numerics, domain), theirs(domain), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("order", [0, 1, 2, 5, 20])
def test_polygamma(order):
    check(
        gamma.polygamma(numerics, order, POSITIVE), scipy.polygamma(order, POSITIVE), 1e-12, 1e-13
    )


def test_zeta():
    s, q = RNG.uniform(1, 30, 3000), 10 ** RNG.uniform(-2, 3, 3000)
    check(gamma.zeta(numerics, s, q), scipy.zeta(s, q))
    assert gamma.zeta(numerics, np.array(1.0), np.array(2.0)) == np.inf
    assert np.isnan(gamma.zeta(numerics, np.array(0.5), np.array(2.0)))


@pytest.mark.parametrize("scale", [(-3, 1), (0, 2), (1, 5)])
def test_incomplete_gamma(scale):
    a = 10 ** RNG.uniform(*scale, 4000)
    near = a + np.sqrt(a) * RNG.normal(size=4000) * 3
    x = abs(np.where(RNG.random(4000) < 0.5, near, 10 ** RNG.uniform(*scale, 4000)))
    for ours, theirs in ((gamma.igamma, scipy.gammainc), (gamma.igammac, scipy.gammaincc)):
        want = theirs(a, x)
        seen = want > 1e-200
        check(ours(numerics, a[seen], x[seen]), want[seen], rtol=1e-10)


def test_incomplete_gamma_beyond_scipy():
    # ∫ tᵃ⁻¹ e⁻ᵗ dt / Γ(a) by mpmath with 40 digits
    got = gamma.igamma(numerics, np.array(97040787.73277277), np.array(96995633.53044005))
    assert got == pytest.approx(2.276151142453141e-6, rel=1e-10)


@pytest.mark.parametrize("name", ["t", "u", "v", "w"])
@pytest.mark.parametrize("shifted", ["", "shifted_"])
def test_chebyshev(name, shifted):
    angle, n = RNG.uniform(0.1, 3, 500), RNG.integers(0, 40, 500)
    want = {
        "t": np.cos(n * angle),
        "u": np.sin((n + 1) * angle) / np.sin(angle),
        "v": np.cos((n + 0.5) * angle) / np.cos(angle / 2),
        "w": np.sin((n + 0.5) * angle) / np.sin(angle / 2),
    }[name]
    x = (np.cos(angle) + 1) / 2 if shifted else np.cos(angle)
    check(
        getattr(polynomials, f"{shifted}chebyshev_{name}")(numerics, x, n * 1.0), want, 1e-11, 1e-11
    )


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (polynomials.hermite_h, scipy.eval_hermite),
        (polynomials.hermite_he, scipy.eval_hermitenorm),
        (polynomials.laguerre_l, scipy.eval_laguerre),
        (polynomials.legendre_p, scipy.eval_legendre),
    ],
)
def test_orthogonal_polynomials(ours, theirs):
    x, n = RNG.uniform(-2, 2, 500), RNG.integers(0, 20, 500)
    check(ours(numerics, x, n * 1.0), theirs(n, x), 1e-11, 1e-11)
    assert (ours(numerics, x, np.full(500, -1.0)) == 0).all()


def test_special_values():
    nan, inf = np.nan, np.inf
    expected = {
        error.erf: [nan, 1, -1, 0, -0.0, -0.8427007929497149, 0.8427007929497149],
        error.erfinv: [nan, nan, nan, 0, -0.0, -inf, inf],
        error.ndtri: [nan, nan, nan, -inf, -inf, nan, inf],
        gamma.lgamma: [nan, inf, inf, inf, inf, inf, 0],
        gamma.digamma: [nan, inf, nan, -inf, inf, nan, -0.5772156649015329],
    }
    for f, want in expected.items():
        with np.errstate(all="ignore"):
            got = f(numerics, SPECIAL)
        np.testing.assert_allclose(got, want, rtol=1e-14, err_msg=f.__name__)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtype_and_shape_are_kept(dtype):
    for f in (error.erf, error.ndtri, gamma.lgamma, gamma.digamma, bessel.i0e, bessel.j1):
        for shape in ((), (0,), (2, 3)):
            got = f(numerics, np.full(shape, 0.25, dtype))
            assert (got.dtype, got.shape) == (dtype, shape)


def test_float32_error_function_is_within_two_ulp():
    x = RNG.normal(size=30000).astype(np.float32) * 3
    want = scipy.erf(x.astype(np.float64))
    ulps = abs(error.erf(numerics, x) - want) / np.spacing(abs(want).astype(np.float32))
    assert ulps.max() < 2
