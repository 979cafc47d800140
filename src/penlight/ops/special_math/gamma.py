"""The gamma function and its kin, DLMF chapters 5, 8 and 25.

The Bernoulli numbers carry the asymptotic series of all of them; ζ(k) carries log Γ near its zeros.
"""

import math
from functools import cache
from typing import Any

from .common import Array, in_float64, piecewise, polynomial

# B₂, B₄, ... B₂₄
_BERNOULLI = (
    1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798,
    -174611 / 330, 854513 / 138, -236364091 / 2730,
)  # fmt: skip
_EULER = 0.57721566490153286061
_FAR = 10.0  # from here on eight terms of an asymptotic series give float64's accuracy


@in_float64
def lgamma(xp: Any, x: Array) -> Array:
    """log |Γ(x)|; ∞ at 0, -1, -2, ..."""
    return _lgamma(xp, x)


def _lgamma(xp: Any, x: Array) -> Array:
    return piecewise(
        (x,),
        (x < 0.5, lambda x: _lgamma_reflected(xp, x)),
        (x < 1.5, lambda x: _lgamma_series(xp, x - 1) - xp.log(x)),
        (x < 2.5, lambda x: _lgamma_series(xp, x - 2)),
        (x < _FAR, lambda x: _lgamma_shifted(xp, x)),
        otherwise=lambda x: _stirling(xp, x),
    )


@cache
def _lgamma_coefficients() -> tuple[float, ...]:
    """(-1)ᵏ (ζ(k) - 1) / k, highest k first"""
    tail = [sum(n**-k for n in range(40, 1, -1)) + 40.5 ** (1 - k) / (k - 1) for k in range(6, 31)]
    low = [math.pi**2 / 6 - 1, 0.20205690315959428540, math.pi**4 / 90 - 1, 0.03692775514336992633]
    return tuple((-1) ** k * c / k for k, c in reversed(list(enumerate(low + tail, 2))))


def _lgamma_series(xp: Any, e: Array) -> Array:
    """log Γ(2 + e) = (1 - γ) e + Σ (-1)ᵏ (ζ(k) - 1) eᵏ / k for |e| ≤ 1/2, DLMF 5.7.3"""
    return e * ((1 - _EULER) + e * polynomial(e, _lgamma_coefficients()))


def _lgamma_shifted(xp: Any, x: Array) -> Array:
    """Γ(x) = Γ(x + n) / (x (x + 1) ... (x + n - 1))"""
    product = xp.ones_like(x)
    while (low := x < _FAR).any():
        product *= xp.where(low, x, 1)
        x = xp.where(low, x + 1, x)
    return _stirling(xp, x) - xp.log(product)


def _stirling(xp: Any, x: Array) -> Array:
    """DLMF 5.11.1"""
    y = 1 / x
    terms = [b / (2 * k * (2 * k - 1)) for k, b in enumerate(_BERNOULLI[:9], 1)]
    series = y * polynomial(y * y, terms[::-1])
    result = x * (xp.log(x) - 1) - xp.log(x) / 2 + math.log(2 * math.pi) / 2 + series
    return xp.where(xp.isinf(x), xp.inf, result)


def _sin_pi(xp: Any, x: Array) -> Array:
    """sin πx, exact at the integers"""
    return xp.sin(math.pi * (x - xp.rint(x))) * xp.where(xp.rint(x) % 2 == 0, 1, -1)


def _lgamma_reflected(xp: Any, x: Array) -> Array:
    """Γ(x) Γ(1 - x) = π / sin πx; near 0 Γ(x) = Γ(1 + x) / x keeps the digits"""

    def reflect(x: Array) -> Array:
        log = math.log(math.pi) - xp.log(abs(_sin_pi(xp, x))) - _lgamma(xp, 1 - x)
        return xp.where(xp.isinf(x), xp.inf, log)

    near = abs(x) < 0.5
    return piecewise(
        (x,),
        (near, lambda x: _lgamma_series(xp, x) - xp.log1p(x) - xp.log(abs(x))),
        otherwise=reflect,
    )


@in_float64
def digamma(xp: Any, x: Array) -> Array:
    """ψ(x) = Γ'(x) / Γ(x); -∞ and ∞ at ±0, NaN at -1, -2, ..."""

    def reflect(x: Array) -> Array:
        cotangent = math.pi / xp.tan(math.pi * (x - xp.rint(x)))
        return xp.where(x == xp.rint(x), xp.nan, _digamma(xp, 1 - x) - cotangent)

    return piecewise(
        (x,),
        (x == 0, lambda x: xp.copysign(xp.inf, -x)),
        (x < 0, reflect),
        otherwise=lambda x: _digamma(xp, x),
    )


def _digamma(xp: Any, x: Array) -> Array:
    """x > 0: upwards by ψ(x) = ψ(x + 1) - 1/x, then DLMF 5.11.2"""
    below = xp.zeros_like(x)
    while (low := x < _FAR).any():
        below = xp.where(low, below + 1 / x, below)
        x = xp.where(low, x + 1, x)
    terms = [b / (2 * k) for k, b in enumerate(_BERNOULLI[:9], 1)]
    y = 1 / (x * x)
    return xp.log(x) - 0.5 / x - y * polynomial(y, terms[::-1]) - below


def polygamma(xp: Any, n: int, x: Array) -> Array:
    """The n-th derivative of ψ"""
    if n == 0:
        return digamma(xp, x)

    @in_float64
    def derivative(xp: Any, x: Array) -> Array:
        return piecewise(
            (x,),
            (x < 0, lambda x: _polygamma_reflected(xp, n, x)),
            otherwise=lambda x: _polygamma(xp, n, x),
        )

    return derivative(xp, x)


def _polygamma(xp: Any, n: int, x: Array) -> Array:
    """(-1)ⁿ⁺¹ n! ζ(n + 1, x), DLMF 5.15"""
    factor = (-1.0) ** (n + 1) * math.exp(math.lgamma(n + 1.0))
    return factor * zeta(xp, xp.float64(n + 1), x)


def _polygamma_reflected(xp: Any, n: int, x: Array) -> Array:
    """ψₙ(x) = (-1)ⁿ ψₙ(1 - x) - π dⁿ/dxⁿ cot πx, DLMF 5.15.6; the derivatives are polynomials in
    c = cot πx, since c' = -π (1 + c²)."""
    derivative = xp.polynomial.Polynomial([0.0, 1.0])
    for _ in range(n):
        derivative = derivative.deriv() * xp.polynomial.Polynomial([-1.0, 0.0, -1.0])
    cotangent = 1 / xp.tan(math.pi * (x - xp.rint(x)))
    value = (-1.0) ** n * _polygamma(xp, n, 1 - x) - math.pi ** (n + 1) * derivative(cotangent)
    return xp.where(x == xp.rint(x), (-1.0) ** (n + 1) * xp.inf, value)


@in_float64
def zeta(xp: Any, s: Array, q: Array) -> Array:
    """Hurwitz's ζ(s, q) = Σ 1 / (k + q)ˢ for s > 1; ∞ at s = 1, NaN below"""
    return piecewise(
        (s, q),
        (s == 1, lambda s, q: xp.full_like(s, xp.inf)),
        ((s < 1) | ((q <= 0) & (q != xp.floor(q)) & (s != xp.floor(s))), _no_number(xp)),
        ((q <= 0) & (q == xp.floor(q)), lambda s, q: xp.full_like(s, xp.inf)),
        otherwise=lambda s, q: _zeta(xp, s, q),
    )


def _no_number(xp: Any) -> Any:
    return lambda s, q: xp.full_like(s, xp.nan)


def _zeta(xp: Any, s: Array, q: Array) -> Array:
    """Euler and Maclaurin's formula, DLMF 25.11.7, once k + q is large beside s"""
    total, power = xp.zeros_like(s), q**-s
    first = power
    while (low := (q <= 0) | ((q < _FAR + s) & (power > total * 1e-17))).any():
        total = xp.where(low, total + power, total)
        q = xp.where(low, q + 1, q)
        power = q**-s
    rest = q ** (1 - s) / (s - 1) + power / 2
    factor = s / q  # s (s + 1) ... (s + 2k - 2) / q²ᵏ⁻¹
    for k, b in enumerate(_BERNOULLI, 1):
        rest += b / math.factorial(2 * k) * factor * power
        factor = factor * ((s + 2 * k - 1) / q) * ((s + 2 * k) / q)
    rest = xp.where(q < _FAR + s, power, rest)
    return xp.where(xp.isinf(q) | xp.isinf(s), first, total + rest)


def igamma(xp: Any, a: Array, x: Array) -> Array:
    """P(a, x) = γ(a, x) / Γ(a)"""
    return _incomplete(xp, a, x, lower=True)


def igammac(xp: Any, a: Array, x: Array) -> Array:
    """Q(a, x) = 1 - P(a, x)"""
    return _incomplete(xp, a, x, lower=False)


def _incomplete(xp: Any, a: Array, x: Array, lower: bool) -> Array:
    @in_float64
    def compute(xp: Any, a: Array, x: Array) -> Array:
        zero, one = (0.0, 1.0) if lower else (1.0, 0.0)
        invalid = (x < 0) | (a < 0) | ((a == 0) & (x == 0)) | (xp.isinf(a) & xp.isinf(x))

        def constant(value: float) -> Any:
            return lambda a, x: xp.full_like(a, value)

        def of(formula: Any, gives_lower: bool) -> Any:
            wanted = lower == gives_lower
            return lambda a, x: formula(xp, a, x) if wanted else 1 - formula(xp, a, x)

        return piecewise(
            (a, x),
            (invalid | xp.isnan(a) | xp.isnan(x), constant(xp.nan)),
            ((a == 0) | xp.isinf(x), constant(one)),
            ((x == 0) | xp.isinf(a), constant(zero)),
            ((a > 100) & (abs(x - a) < 0.4 * a) & (x < a), of(_lower_integral, True)),
            ((a > 100) & (abs(x - a) < 0.4 * a), of(_upper_integral, False)),
            ((x <= 1.1) & (x < a + 1) & (x > 0.5 * a), of(_upper_small, False)),
            (x < a + 1, of(_lower_series, True)),
            otherwise=of(_upper_fraction, False),
        )

    return compute(xp, a, x)


def _prefactor(xp: Any, a: Array, x: Array) -> Array:
    """xᵃ e⁻ˣ / Γ(a + 1), near a = x by the deviation u = (x - a) / a instead of by differences"""

    def close(a: Array, x: Array) -> Array:
        y = 1 / a
        terms = [b / (2 * k * (2 * k - 1)) for k, b in enumerate(_BERNOULLI[:9], 1)]
        series = y * polynomial(y * y, terms[::-1])
        return xp.exp(a * _log1p_minus(xp, (x - a) / a) - series) / xp.sqrt(2 * math.pi * a)

    return piecewise(
        (a, x),
        (a > _FAR, close),
        otherwise=lambda a, x: xp.exp(a * xp.log(x) - x - _lgamma(xp, a + 1)),
    )


def _log1p_minus(xp: Any, u: Array) -> Array:
    """log(1 + u) - u"""
    terms = [(-1) ** (k + 1) / k for k in range(2, 20)]
    return piecewise(
        (u,),
        (abs(u) < 0.1, lambda u: u * u * polynomial(u, terms[::-1])),
        otherwise=lambda u: xp.log1p(u) - u,
    )


def _lower_series(xp: Any, a: Array, x: Array) -> Array:
    """P = xᵃ e⁻ˣ / Γ(a + 1) Σ xⁿ / ((a + 1) ... (a + n)), DLMF 8.11.4"""
    term = total = xp.ones_like(a)
    n = 0
    while (term > total * 1e-17).any():
        n += 1
        term = term * (x / (a + n))
        total = total + term
    return _prefactor(xp, a, x) * total


def _upper_small(xp: Any, a: Array, x: Array) -> Array:
    """Q = 1 - xᵃ/Γ(a + 1) - xᵃ/Γ(a) Σ (-x)ⁿ / (n! (a + n)) for small x, DLMF 8.7.3"""
    log_power = a * xp.log(x) - _lgamma(xp, 1 + a)
    total, power = xp.zeros_like(a), xp.ones_like(a)
    for n in range(1, 25):
        power = power * (-x / n)
        total = total + power / (a + n)
    return -xp.expm1(log_power) - xp.exp(log_power) * a * total


def _upper_fraction(xp: Any, a: Array, x: Array) -> Array:
    """Legendre's continued fraction DLMF 8.9.2 by Lentz's method"""
    b = x + 1 - a
    c = xp.full_like(b, 1e300)
    d = 1 / b
    total = d
    n = 0
    change = xp.full_like(b, 2.0)
    while n < 2000 and (abs(change - 1) > 1e-16).any():
        n += 1
        step = n * (a - n)
        b = b + 2
        d = 1 / (step * d + b)
        c = b + step / c
        change = c * d
        total = total * change
    return _prefactor(xp, a, x) * a * total


@cache
def _gauss_legendre(xp: Any) -> tuple[Array, Array]:
    nodes, weights = xp.polynomial.legendre.leggauss(60)
    return (nodes + 1) / 2, weights / 2


def _tail_integral(xp: Any, a: Array, x: Array, far: Array) -> Array:
    """∫ tᵃ⁻¹ e⁻ᵗ dt / Γ(a) from x to far, as multiples of the peak's height (a - 1 > 99)"""
    peak = a - 1
    total = xp.zeros_like(a)
    for node, weight in zip(*_gauss_legendre(xp), strict=True):
        t = x + (far - x) * node
        total += weight * xp.exp(peak * _log1p_minus(xp, (t - peak) / peak))
    return total * (far - x) * _prefactor(xp, peak, peak)


def _upper_integral(xp: Any, a: Array, x: Array) -> Array:
    width = xp.sqrt(a)
    return _tail_integral(xp, a, x, xp.maximum(a + 12 * width, x + 8 * width))


def _lower_integral(xp: Any, a: Array, x: Array) -> Array:
    width = xp.sqrt(a)
    return -_tail_integral(xp, a, x, xp.maximum(xp.minimum(a - 9 * width, x - 6 * width), 0))
