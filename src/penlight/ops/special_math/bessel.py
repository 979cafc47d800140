"""Bessel and Airy functions, DLMF chapters 9 and 10: a power series near the origin, an integral
away from it.

Every integral is over a Gaussian times an analytic function, where the trapezoidal rule with two
dozen points has float64's accuracy (Trefethen and Weideman, SIAM Review 56, 2014).
"""

import math
from typing import Any

from .common import Array, Function, in_float64, piecewise

_EULER = 0.57721566490153286061
_SQRT_PI = math.sqrt(math.pi)


def _gaussian_rule(step: float) -> list[tuple[float, float]]:
    """(s, w) with Σ w f(s) = ∫ e^(-s²) f(s) ds over s > 0, for even f"""
    points = [(n * step, step * math.exp(-((n * step) ** 2))) for n in range(round(6.2 / step))]
    points[0] = (0.0, step / 2)
    return points


def _integral(xp: Any, order: int, w: Array, step: float) -> Array:
    """F(w) = 1/Γ(ν+½) ∫ e⁻ᵘ u^(ν-½) (1 + w u)^(ν-½) du for ν = 0 or 1, with u = s².

    √(2x/π) eˣ Kᵥ(x) = F(1/2x), DLMF 10.32.8, and by rotation of x the same F is Hankel's
    function and, but for a term in e⁻²ˣ, Iᵥ.
    """
    total = xp.zeros_like(w)
    for s, weight in _gaussian_rule(step):
        root = xp.sqrt(1 + w * (s * s))
        total += weight / root if order == 0 else 2 * weight * s * s * root
    return total * (2 / _SQRT_PI)


def _power_series(order: int, t: Array, terms: int) -> Array:
    """Σ tᵏ / (k! (k + ν)!) = (x/2)⁻ᵛ Iᵥ(x) for t = x²/4, that of Jᵥ for t = -x²/4"""
    total = t / (terms * (terms + order))
    for k in range(terms - 1, 0, -1):
        total += 1
        total *= t / (k * (k + order))
    return total + 1


def _harmonic_series(order: int, t: Array, terms: int) -> Array:
    """Σ (ψ(k + 1) + ψ(k + ν + 1)) tᵏ / (k! (k + ν)!)"""
    psi = [-_EULER]
    for k in range(1, terms + 2):
        psi.append(psi[-1] + 1 / k)
    total = t * 0
    for k in range(terms, -1, -1):
        scale = math.factorial(k) * math.factorial(k + order)
        total = total * t + (psi[k] + psi[k + order]) / scale
    return total


def _of_order(order: int, function: Function, doc: str) -> Function:
    """`function(xp, order, x)` as a function of x alone."""

    @in_float64
    def member(xp: Any, x: Array) -> Array:
        return function(xp, order, x)

    member.__doc__ = doc
    return member


# ---------------------------------------------------------------- I and K


def _scaled_i(xp: Any, order: int, x: Array) -> Array:
    """e^(-|x|) Iᵥ(x)"""

    def near(a: Array) -> Array:
        return xp.exp(-a) * _power_series(order, a * a / 4, 55) * (a / 2) ** order

    def far(a: Array) -> Array:
        w = -0.5 / a
        return _integral(xp, order, w, step=0.4) / xp.sqrt(2 * math.pi * a)

    size = piecewise((abs(x),), (abs(x) < 20, near), otherwise=far)
    return size if order == 0 else xp.copysign(size, x)


def _unscaled_i(xp: Any, order: int, x: Array) -> Array:
    half = xp.exp(abs(x) / 2)  # in two steps, since eˣ overflows before Iᵥ does
    value = _scaled_i(xp, order, x) * half * half
    return xp.where(xp.isinf(x), x if order else xp.inf, value)


i0 = _of_order(0, _unscaled_i, "The modified Bessel function I₀")
i1 = _of_order(1, _unscaled_i, "The modified Bessel function I₁")
i0e = _of_order(0, _scaled_i, "e^(-|x|) I₀(x)")
i1e = _of_order(1, _scaled_i, "e^(-|x|) I₁(x)")


def _scaled_k(xp: Any, order: int, x: Array) -> Array:
    """eˣ Kᵥ(x) for x > 0, ∞ at 0, NaN below; DLMF 10.31.1 near the origin"""

    def near(x: Array) -> Array:
        t = x * x / 4
        first = xp.log(x / 2) * _power_series(order, t, 15) * (x / 2) ** order
        second = (x / 2) ** order / 2 * _harmonic_series(order, t, 15)
        value = second - first if order == 0 else 1 / x + first - second
        return xp.exp(x) * value

    def far(x: Array) -> Array:
        return _integral(xp, order, 0.5 / x, step=0.25) * xp.sqrt(math.pi / 2 / x)

    return piecewise(
        (x,),
        (x < 0, lambda x: xp.full_like(x, xp.nan)),
        (x == 0, lambda x: xp.full_like(x, xp.inf)),
        (x < 2.5, near),
        otherwise=far,
    )


def _unscaled_k(xp: Any, order: int, x: Array) -> Array:
    return _scaled_k(xp, order, x) * xp.exp(-x)


k0 = _of_order(0, _unscaled_k, "The modified Bessel function K₀")
k1 = _of_order(1, _unscaled_k, "The modified Bessel function K₁")
k0e = _of_order(0, _scaled_k, "eˣ K₀(x)")
k1e = _of_order(1, _scaled_k, "eˣ K₁(x)")


# ---------------------------------------------------------------- J and Y


def _hankel(xp: Any, order: int, x: Array) -> Array:
    """J + iY = √(2/πx) e^(i(x - νπ/2 - π/4)) F(i/2x), from Kᵥ(-ix) by DLMF 10.27.8"""
    turned = (xp.cos(x) + 1j * xp.sin(x)) * ((1 - 1j) / math.sqrt(2))
    if order:
        turned = turned * -1j
    return turned * _integral(xp, order, 0.5j / x, step=0.3) * xp.sqrt(2 / math.pi / x)


def _j_near(order: int, x: Array) -> Array:
    return _power_series(order, -x * x / 4, 28) * (x / 2) ** order


def _j(xp: Any, order: int, x: Array) -> Array:
    size = piecewise(
        (abs(x),),
        (abs(x) < 6, lambda a: _j_near(order, a)),
        otherwise=lambda a: _hankel(xp, order, a).real,
    )
    return xp.where(x < 0, -size, size) if order else size


def _y(xp: Any, order: int, x: Array) -> Array:
    """-∞ at 0, NaN below; DLMF 10.8.1 near the origin"""

    def near(x: Array) -> Array:
        series = (x / 2) ** order * _harmonic_series(order, -x * x / 4, 28)
        pole = 2 / x if order else 0
        return (2 * xp.log(x / 2) * _j_near(order, x) - series - pole) / math.pi

    return piecewise(
        (x,),
        (x < 0, lambda x: xp.full_like(x, xp.nan)),
        (x == 0, lambda x: xp.full_like(x, -xp.inf)),
        (x < 6, near),
        otherwise=lambda x: _hankel(xp, order, x).imag,
    )


j0 = _of_order(0, _j, "The Bessel function J₀")
j1 = _of_order(1, _j, "The Bessel function J₁")
y0 = _of_order(0, _y, "The Bessel function Y₀")
y1 = _of_order(1, _y, "The Bessel function Y₁")


@in_float64
def spherical_j0(xp: Any, x: Array) -> Array:
    """sin x / x; 0 at ±∞"""
    value = xp.where(x == 0, 1.0, xp.sin(x) / x)
    return xp.where(xp.isinf(x), 0.0, value)


# ---------------------------------------------------------------- Airy


@in_float64
def airy_ai(xp: Any, x: Array) -> Array:
    """Airy's Ai: Maclaurin's series DLMF 9.4.1 near the origin, else an integral"""

    def negative(x: Array) -> Array:
        turn = complex(0.5, math.sqrt(0.75))  # Ai(x) = 2 Re e^(iπ/3) Ai(|x| e^(iπ/3)), DLMF 9.2.14
        root = xp.sqrt(-x)
        return 2 * (turn * _airy_integral(xp, root * xp.sqrt(turn))).real

    return piecewise(
        (x,),
        (abs(x) < 2.5, _airy_series),
        (x < 0, negative),
        (x > 110, xp.zeros_like),
        otherwise=lambda x: _airy_integral(xp, xp.sqrt(x)),
    )


def _airy_series(x: Array) -> Array:
    cube = x * x * x
    even, odd = 0 * x + 1, 0 * x + 1
    for k in range(20, 0, -1):
        even = 1 + even * cube / ((3 * k - 1) * (3 * k))
        odd = 1 + odd * cube / ((3 * k) * (3 * k + 1))
    at_zero = 1 / (3 ** (2 / 3) * math.gamma(2 / 3))
    slope = 1 / (3 ** (1 / 3) * math.gamma(1 / 3))
    return at_zero * even - slope * x * odd


def _airy_integral(xp: Any, root: Array) -> Array:
    """Ai(z) = e^(-2/3 z√z)/π ∫ e^(-√z t²) cos(t³/3) dt over t > 0, DLMF 9.5.7, t = s / √c"""
    c = root.real
    turn, cube = 1 - root / c, 3 * c**1.5
    total = xp.zeros_like(root)
    for s, weight in _gaussian_rule(0.2):
        total += weight * xp.exp(turn * s * s) * xp.cos(s**3 / cube)
    return xp.exp(-2 / 3 * root**3) * total / (math.pi * xp.sqrt(c))
