"""Special functions (torch.special) with their derivatives.

The numbers come from `special_math`; see there for formulas and accuracy.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import dtype as dtypes
from ..core.tensor import Tensor
from .arithmetic import Operand, no_derivative
from .elementwise import bar, cos, exp, log, log1p, sgn, sin
from .families import binary, composite, op, to_float, unary
from .kinds import COMPLEX, FLOATS, need_tensors, only, unsupported
from .special_math import bessel, error, gamma, polynomials

_SQRT_PI = math.sqrt(math.pi)


def _real(kernel: str, meaning: Any) -> Any:
    return only("iub" + FLOATS, kernel, meaning)


def _special(name: str, doc: str, meaning: Any, grad: Any = None, names: str = "") -> Any:
    """A function of one real number that appears in torch.special, or under `names`."""
    short = name.removeprefix("special_")
    kernel = f"{short}_vml_cpu" if names else f"{short}_cpu"
    return unary(
        short, doc, _real(kernel, meaning), grad, dtype=to_float,
        names=names or f"special.{short}", node=_node(name),
    )  # fmt: skip


def _node(name: str) -> str:
    """special_i0e -> SpecialI0EBackward0: a letter after a digit is large as well."""
    large, title = True, ""
    for c in name:
        title += c.upper() if large else c
        large = c == "_" or c.isdigit()
    return title.replace("_", "") + "Backward0"


# ---------------------------------------------------------------- error function

erf = _special(
    "erf", "2/√π ∫₀ˣ e^(-t²) dt", error.erf, lambda g, x: g * (2 / _SQRT_PI * exp(-x * x)),
    "torch.erf Tensor.erf special.erf",
)  # fmt: skip
erfc = _special(
    "erfc", "1 - erf x", error.erfc, lambda g, x: g * (-2 / _SQRT_PI * exp(-x * x)),
    "torch.erfc Tensor.erfc special.erfc",
)  # fmt: skip
erfinv = _special(
    "erfinv", "The y with erf y = x", error.erfinv, lambda g, y: g * (_SQRT_PI / 2 * exp(y * y)),
    "torch.erfinv Tensor.erfinv special.erfinv",
)  # fmt: skip
erfcx = _special(
    "special_erfcx", "e^(x²) erfc x", error.erfcx,
    lambda g, x, y: g * (2 * x * y - 2 / _SQRT_PI),
)  # fmt: skip
ndtr = _special(
    "special_ndtr", "The normal distribution's area left of x", error.ndtr,
    lambda g, x: g * (exp(-x * x / 2) / math.sqrt(2 * math.pi)),
)  # fmt: skip
ndtri = _special(
    "special_ndtri", "The y with ndtr y = x", error.ndtri,
    lambda g, y: g * (math.sqrt(2 * math.pi) * exp(y * y / 2)),
)  # fmt: skip
log_ndtr = _special(
    "special_log_ndtr", "log ndtr x", error.log_ndtr,
    lambda g, x: g / erfcx(x * -math.sqrt(0.5)) * math.sqrt(2 / math.pi),
)  # fmt: skip

# ---------------------------------------------------------------- gamma function

lgamma = _special(
    "lgamma", "log |Γ(x)|", gamma.lgamma, lambda g, x: g * x.digamma(),
    "torch.lgamma Tensor.lgamma special.gammaln",
)  # fmt: skip
digamma = _special(
    "digamma", "The derivative of log Γ(x)", gamma.digamma, lambda g, x: g * _polygamma(x, 1),
    "torch.digamma Tensor.digamma special.digamma special.psi",
)  # fmt: skip


@op(grad={"input": lambda g, x, n: g * _polygamma(x, n + 1)}, node="PolygammaBackward0")
def _polygamma(xp: Any, input: Any, n: int) -> Any:
    if input.dtype.kind == COMPLEX:
        raise unsupported("polygamma", input)
    if input.dtype.kind in "biu":
        input = input.astype(dtypes.get_default_dtype().np)
    return gamma.polygamma(xp, n, input)


@composite(names="torch.polygamma special.polygamma")
def polygamma(n: int, input: Tensor) -> Tensor:
    """The n-th derivative of digamma."""
    if n < 0:
        raise RuntimeError("polygamma(n, x) does not support negative n.")
    return _polygamma(input, n)


@composite(names="Tensor.polygamma", inplace=True)
def _polygamma_method(input: Tensor, n: int) -> Tensor:
    """The n-th derivative of digamma."""
    return polygamma(n, input)


@op(
    grad={"input": lambda g, x, p: g * sum(digamma(x - k / 2) for k in range(p))},
    names="torch.mvlgamma Tensor.mvlgamma special.multigammaln", inplace=True,
)  # fmt: skip
def mvlgamma(xp: Any, input: Any, p: int) -> Any:
    """log of the multivariate gamma function: p (p - 1)/4 log π + Σ lgamma(x - k/2), k < p"""
    if p < 1:
        raise RuntimeError("p has to be greater than or equal to 1")
    x = input.astype(dtypes.get_default_dtype().np) if input.dtype.kind in "biu" else input
    total = sum(gamma.lgamma(xp, x.astype(np.float64) - k / 2) for k in range(p))
    return (total + p * (p - 1) / 4 * math.log(math.pi)).astype(x.dtype)


def _gamma_density(a: Operand, x: Tensor) -> Tensor:
    """x^(a-1) e⁻ˣ / Γ(a)"""
    return exp((a - 1) * log(x) - x - lgamma(a))


igamma = binary(
    "igamma", "The lower incomplete gamma function over Γ",
    only(FLOATS, "igamma_cpu", gamma.igamma),
    (no_derivative("igamma"), lambda g, a, b: g * _gamma_density(a, b)), also="special.gammainc",
    check=need_tensors("igamma"),
)  # fmt: skip
igammac = binary(
    "igammac", "The upper incomplete gamma function over Γ",
    only(FLOATS, "igammac_cpu", gamma.igammac),
    (no_derivative("igammac"), lambda g, a, b: -g * _gamma_density(a, b)),
    also="special.gammaincc", check=need_tensors("igammac"),
)  # fmt: skip


def _zeta_slope(g: Tensor, a: Operand, b: Operand) -> Tensor:
    return g * -a * zeta(a + 1, b)


zeta = binary(
    "zeta", "Hurwitz's zeta function Σ 1/(k + b)ᵃ", _real("zeta", gamma.zeta),
    (no_derivative("special_zeta"), lambda g, a, b: _zeta_slope(g, a, b)),
    dtype=to_float, names="special.zeta", node="SpecialZetaBackward0",
)  # fmt: skip

# ---------------------------------------------------------------- Bessel and Airy functions


def _over(y: Tensor, x: Tensor) -> Tensor:
    """I₁(x)/x, which is ½ at 0"""
    zero = x == 0
    return (y / x.masked_fill(zero, 1)).masked_fill(zero, 0.5)


def _i0_slope(g: Tensor, x: Tensor) -> Tensor:
    return g * i1(x)


def _i0e_slope(g: Tensor, x: Tensor, y: Tensor) -> Tensor:
    return g * (i1e(x) - sgn(x) * y)


i0 = _special(
    "i0", "The modified Bessel function I₀", bessel.i0, lambda g, x: _i0_slope(g, x),
    "torch.i0 Tensor.i0 special.i0",
)  # fmt: skip
i0e = _special("special_i0e", "e^(-|x|) I₀(x)", bessel.i0e, lambda g, x, y: _i0e_slope(g, x, y))
i1 = _special(
    "special_i1", "The modified Bessel function I₁", bessel.i1,
    lambda g, x, y: g * (i0(x) - _over(y, x)),
)  # fmt: skip
i1e = _special(
    "special_i1e", "e^(-|x|) I₁(x)", bessel.i1e,
    lambda g, x, y: g * (i0e(x) - sgn(x) * y - _over(y, x)),
)  # fmt: skip

for _name, _meaning in {
    "airy_ai": bessel.airy_ai, "bessel_j0": bessel.j0, "bessel_j1": bessel.j1,
    "bessel_y0": bessel.y0, "bessel_y1": bessel.y1, "modified_bessel_i0": bessel.i0,
    "modified_bessel_i1": bessel.i1, "modified_bessel_k0": bessel.k0,
    "modified_bessel_k1": bessel.k1, "scaled_modified_bessel_k0": bessel.k0e,
    "scaled_modified_bessel_k1": bessel.k1e, "spherical_bessel_j0": bessel.spherical_j0,
}.items():  # fmt: skip
    _special(f"special_{_name}", _meaning.__doc__ or "", _meaning)

# ---------------------------------------------------------------- orthogonal polynomials

for _name, _meaning in {
    "chebyshev_polynomial_t": polynomials.chebyshev_t,
    "chebyshev_polynomial_u": polynomials.chebyshev_u,
    "chebyshev_polynomial_v": polynomials.chebyshev_v,
    "chebyshev_polynomial_w": polynomials.chebyshev_w,
    "shifted_chebyshev_polynomial_t": polynomials.shifted_chebyshev_t,
    "shifted_chebyshev_polynomial_u": polynomials.shifted_chebyshev_u,
    "shifted_chebyshev_polynomial_v": polynomials.shifted_chebyshev_v,
    "shifted_chebyshev_polynomial_w": polynomials.shifted_chebyshev_w,
    "hermite_polynomial_h": polynomials.hermite_h,
    "hermite_polynomial_he": polynomials.hermite_he,
    "laguerre_polynomial_l": polynomials.laguerre_l,
    "legendre_polynomial_p": polynomials.legendre_p,
}.items():
    binary(
        _name, f"{_meaning.__doc__}, of degree n = other", _real(f"{_name}_cpu", _meaning),
        dtype=to_float, names=f"special.{_name}",
    )  # fmt: skip

# ---------------------------------------------------------------- entropy, log-odds, sinc


def _entropy(xp: Any, x: Any) -> Any:
    value = xp.where(x > 0, -x * xp.log(x), x.dtype.type(-xp.inf))
    return xp.where(x == 0, x.dtype.type(0), xp.where(xp.isnan(x), x, value))


entr = _special(
    "special_entr", "-x log x; 0 at 0, -∞ below", _entropy,
    lambda g, x: g * (-log(x) - 1),
)  # fmt: skip


def _times_log(logarithm: str) -> Any:
    """a · log b, and 0 for a = 0 unless b is NaN"""

    def meaning(xp: Any, a: Any, b: Any) -> Any:
        return xp.where((a == 0) & ~xp.isnan(b), a.dtype.type(0), a * getattr(xp, logarithm)(b))

    return meaning


def _tensor(value: Operand, like: Tensor) -> Tensor:
    return value if isinstance(value, Tensor) else like.new_tensor(value)


def _weight_slope(g: Tensor, weight: Operand, log_b: Operand, undefined: Any) -> Tensor:
    """The gradient of a in a · log b: log b, and 0 where a = 0 and log b is no number."""
    return (g * log_b).masked_fill((weight == 0) & undefined, 0)


xlogy = binary(
    "xlogy", "a log b; 0 for a = 0", _real("xlogy_cpu", _times_log("log")),
    (
        lambda g, a, b: _weight_slope(g, a, log(_tensor(b, g)), b <= 0),
        lambda g, a, b: g * a / b,
    ),
    dtype=to_float, also="special.xlogy",
)  # fmt: skip
xlog1py = binary(
    "xlog1py", "a log(1 + b); 0 for a = 0", _real("xlog1py_cpu", _times_log("log1p")),
    (
        lambda g, a, b: _weight_slope(g, a, log1p(_tensor(b, g)), b <= -1),
        lambda g, a, b: g * a / (b + 1),
    ),
    dtype=to_float, names="special.xlog1py", node="SpecialXlog1PyBackward0",
)  # fmt: skip


@op(
    grad={"input": lambda g, x, eps: _logit_slope(g, x, eps)},
    names="torch.logit Tensor.logit special.logit", node="LogitBackward0", inplace=True,
)  # fmt: skip
def logit(xp: Any, input: Any, eps: float | None = None) -> Any:
    """log(x / (1 - x)), the inverse of sigmoid, with x kept in [eps, 1 - eps]."""
    if input.dtype.kind == COMPLEX:
        raise unsupported("logit_cpu", input)
    if input.dtype.kind in "biu":
        input = input.astype(dtypes.get_default_dtype().np)
    x = input
    if eps is not None:
        x = xp.minimum(xp.maximum(x, x.dtype.type(eps)), x.dtype.type(1 - eps))
    return xp.log(x / (1 - x))


def _logit_slope(g: Tensor, x: Tensor, eps: float | None) -> Tensor:
    slope = g / (x * (1 - x))
    if eps is None:
        return slope.masked_fill((x < 0) | (x > 1), math.nan)
    return slope.masked_fill((x < eps) | (x > 1 - eps), 0)


def _sinc_slope(g: Tensor, x: Tensor) -> Tensor:
    t = x * math.pi
    return g * bar((t * cos(t) - sin(t)) / (t * x)).masked_fill(x == 0, 0)


def _sinc(xp: Any, x: Any) -> Any:
    t = x * x.dtype.type(math.pi)
    return xp.where(x == 0, x.dtype.type(1), xp.sin(t) / t)


sinc = unary(
    "sinc", "sin πx / πx", _sinc, lambda g, x: _sinc_slope(g, x), dtype=to_float,
    also="special.sinc",
)  # fmt: skip
