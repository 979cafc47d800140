"""torch.special and its aliases: values, types, gradients and refusals beside PyTorch's."""

import pytest
import torch

import penlight
from same import assert_same

NAMES = """
    erf erfc erfinv lgamma digamma i0 sinc special.erfcx special.ndtr special.ndtri special.log_ndtr
    special.entr special.i0e special.i1 special.i1e special.modified_bessel_k0 special.expit
    special.modified_bessel_k1 special.scaled_modified_bessel_k0 special.scaled_modified_bessel_k1
    special.spherical_bessel_j0 special.modified_bessel_i0 special.modified_bessel_i1 special.psi
    special.gammaln special.exp2 special.expm1 special.log1p special.sinc logit
""".split()
POINTS = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.5, 7.25, 0.1, 1e-3, 30.0, float("nan")]


@pytest.mark.parametrize("name", NAMES)
def test_values(name):
    for dtype in ("float32", "float64", "int64", "bool"):
        points = POINTS if dtype.startswith("float") else [1, 0]

        def make(T, dtype=dtype, points=points):
            return {"x": T.tensor(points, dtype=getattr(T, dtype))}

        assert_same(f"T.{name}(x)", make)


@pytest.mark.parametrize("name", ["airy_ai", "bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1"])
def test_oscillating_functions(name):
    """PyTorch's coefficients are good to seven digits here: compared in float32."""

    def make(T):
        return {"x": T.tensor([0.0, 0.5, 1.0, 2.0, 3.5, 7.25, 30.0, float("nan")])}

    assert_same(f"T.special.{name}(x)", make)


POLYNOMIALS = [
    "chebyshev_polynomial_t", "chebyshev_polynomial_u", "chebyshev_polynomial_v",
    "chebyshev_polynomial_w", "shifted_chebyshev_polynomial_t", "shifted_chebyshev_polynomial_u",
    "shifted_chebyshev_polynomial_v", "shifted_chebyshev_polynomial_w", "hermite_polynomial_h",
    "hermite_polynomial_he", "laguerre_polynomial_l", "legendre_polynomial_p",
]  # fmt: skip


@pytest.mark.parametrize("name", POLYNOMIALS)
def test_polynomials(name):
    def make(T):
        return {
            "x": T.tensor([0.0, 0.3, 0.9, 1.0], dtype=T.float64).reshape(-1, 1),
            "n": T.tensor([-1, 0, 1, 2, 5, 12]),
        }

    for code in ("(x, n)", "(x, 3)", "(2.0, n)"):
        assert_same(f"T.special.{name}{code}", make)


def leaves(T):
    def leaf(values):
        return T.tensor(values, dtype=T.float64, requires_grad=True)

    return {
        "x": leaf([0.3, -0.4, 0.77, -0.9]), "p": leaf([0.3, 1.4, 2.7, 5.5]),
        "z": leaf([0.0, 0, 1, 2]), "a": T.tensor([0.5, 2.0, 3.0, 120.0], dtype=T.float64),
    }  # fmt: skip


SMOOTH = [
    "T.erf(x)", "T.erfc(x)", "T.erfinv(x)", "T.special.erfcx(x)", "T.special.ndtri(p / 6)",
    "T.special.log_ndtr(x * 3)", "T.lgamma(p)", "T.digamma(p)", "T.polygamma(1, p)",
    "p.polygamma(2)", "T.mvlgamma(p + 2, 3)", "T.i0(x)", "T.special.i0e(x)", "T.special.i1(z)",
    "T.special.i1e(z)", "T.special.entr(p)", "T.xlogy(x, p)", "T.xlogy(z, p)", "T.xlogy(2.0, p)",
    "T.xlogy(x, 2.0)", "T.special.xlog1py(x, p)", "T.special.zeta(a + 1, p)", "T.igamma(a, p)",
    "T.igammac(a, p)", "T.logit(p / 6)", "T.logit(p / 6, 0.2)", "T.sinc(x)", "(x * 1).erf_()",
    "T.special.ndtr(x)",
]  # fmt: skip


@pytest.mark.parametrize("code", SMOOTH)
def test_gradients(code):
    assert_same(code, leaves, ("x", "p", "z"))


CALLS = [
    "T.polygamma(-1, p)", "T.mvlgamma(p, 0)", "T.erf(t(1j))", "T.lgamma(t(1j))",
    "T.special.erfcx(t(1j))", "T.igamma(t([1]), t([2]))", "T.special.zeta(t([1.0, 0.5, 2.0]), 2.0)",
    "T.logit(t([2.0, -1.0]))", "T.xlogy(t([0.0, 0.0]), t([float('nan'), 0.0]))",
    "T.xlogy(t([0, 1]), t([2, 3]))", "T.erf(1.0)", "T.special.gammainc(a, p)",
    "T.special.gammaincc(a, p)", "T.special.multigammaln(p + 1, 2)", "T.special.logsumexp(p, 0)",
    "t([0.5]).erfinv_()", "t([1, 2]).erf_()", "T.special.entr(t([-1.0, 0.0]))",
]  # fmt: skip


@pytest.mark.parametrize("code", CALLS)
def test_calls(code):
    assert_same(code, leaves)


def test_every_name_of_torch_special_is_there():
    ours = set(dir(penlight.special))
    theirs = {n for n in dir(torch.special) if callable(getattr(torch.special, n)) and n[0] != "_"}
    assert theirs - ours <= {"Tensor"}


def test_infinity_where_pytorch_overflows():
    """I₀(∞) = ∞, which PyTorch computes as ∞ / ∞."""
    assert penlight.special.i0(penlight.tensor(float("inf"))).item() == float("inf")
