"""The error function and its kin, DLMF chapter 7.

The rational functions are those of Cephes (S. L. Moshier, ndtr.c), which follow W. J. Cody,
"Rational Chebyshev approximations for the error function", Math. Comp. 23 (1969).
"""

import math
from functools import partial
from typing import Any

import numpy as np

from ...compiler import numerics
from .common import Array, in_float64, piecewise, polynomial

# erf x = x A(x²) / B(x²) below 1
_ERF = (
    (9.60497373987051638749, 90.0260197203842689217, 2232.00534594684319226,
     7003.32514112805075473, 55592.3013010394962768),
    (1.0, 33.5617141647503099647, 521.357949780152679795, 4594.32382970980127987,
     22629.0000613890934246, 49267.3942608635921086),
)  # fmt: skip
# erfcx x = A(x) / B(x) from 1 to 8
_ERFCX_NEAR = (
    (2.46196981473530512524e-10, 0.564189564831068821977, 7.46321056442269912687,
     48.6371970985681366614, 196.520832956077098242, 526.445194995477358631,
     934.528527171957607540, 1027.55188689515710272, 557.535335369399327526),
    (1.0, 13.2281951154744992508, 86.7072140885989742329, 354.937778887819891062,
     975.708501743205489753, 1823.90916687909736289, 2246.33760818710981792,
     1656.66309194161350182, 557.535340817727675546),
)  # fmt: skip
# erfcx x = A(x) / B(x) beyond 8
_ERFCX_FAR = (
    (0.564189583547755073984, 1.27536670759978104416, 5.01905042251180477414,
     6.16021097993053585195, 7.40974269950448939160, 2.97886665372100240670),
    (1.0, 2.26052863220117276590, 9.39603524938001434673, 12.0489539808096656605,
     17.0814450747565897222, 9.60896809063285878198, 3.36907645100081516050),
)  # fmt: skip

_SQRT2 = math.sqrt(2.0)
_SQRT_PI = math.sqrt(math.pi)


def _ratio(x: Array, coefficients: tuple[tuple[float, ...], tuple[float, ...]]) -> Array:
    above, below = coefficients
    return polynomial(x, above) / polynomial(x, below)


def _erf_near(x: Array) -> Array:
    return x * _ratio(x * x, _ERF)


def _exp_minus_square(xp: Any, x: Array) -> Array:
    """e^(-x²), with the rounding error of x² put right: x = head + rest, head² is exact."""
    head = xp.trunc(x * 2.0**16) * 2.0**-16
    return xp.exp(-head * head) * xp.exp(-(x - head) * (x + head))


def _erfcx_positive(x: Array) -> Array:
    return piecewise(
        (x,), (x < 8, lambda x: _ratio(x, _ERFCX_NEAR)), otherwise=lambda x: _ratio_far(x)
    )


def _ratio_far(x: Array) -> Array:
    huge = x > 1e30  # the polynomials would overflow; erfcx x = 1 / (x √π) there
    near = _ratio(x.clip(max=1e30), _ERFCX_FAR)
    near[huge] = 1 / (x[huge] * _SQRT_PI)
    return near


def erf(xp: Any, x: Array) -> Array:
    """2/√π ∫₀ˣ e^(-t²) dt"""
    return xp.erf(x)


def erfc(xp: Any, x: Array) -> Array:
    """1 - erf x, exact in the tail"""
    return xp.erfc(x)


@in_float64
def _plain_erf(xp: Any, x: Array) -> Array:
    def far(x: Array) -> Array:
        a = abs(x)
        return xp.copysign(1 - _exp_minus_square(xp, a) * _erfcx_positive(a), x)

    return piecewise((x,), (abs(x) < 1, _erf_near), (abs(x) > 6, xp.sign), otherwise=far)


@in_float64
def _plain_erfc(xp: Any, x: Array) -> Array:
    def far(x: Array) -> Array:
        a = abs(x)
        tail = _exp_minus_square(xp, a) * _erfcx_positive(a)
        return xp.where(x < 0, 2 - tail, tail)

    return piecewise(
        (x,),
        (abs(x) < 1, lambda x: 1 - _erf_near(x)),
        (abs(x) > 27, lambda x: xp.where(x < 0, 2.0, 0.0)),
        otherwise=far,
    )


@in_float64
def erfcx(xp: Any, x: Array) -> Array:
    """e^(x²) erfc x"""
    return _erfcx(xp, x)


def _erfcx(xp: Any, x: Array) -> Array:
    return piecewise(
        (x,),
        (abs(x) < 1, lambda x: xp.exp(x * x) * (1 - _erf_near(x))),
        (x < -27, lambda x: xp.full_like(x, xp.inf)),
        (x < 0, lambda x: 2 / _exp_minus_square(xp, x) - _erfcx_positive(-x)),
        otherwise=_erfcx_positive,
    )


@in_float64
def erfinv(xp: Any, y: Array) -> Array:
    """The x with erf x = y; ±∞ at ±1, NaN beyond"""

    def far(y: Array) -> Array:
        return xp.copysign(-_ndtri_tail(xp, (1 - abs(y)) / 2) / _SQRT2, y)

    return piecewise((y,), (abs(y) <= 0.8, lambda y: _erfinv_near(xp, y)), otherwise=far)


def _erfinv_near(xp: Any, y: Array) -> Array:
    """Winitzki's closed form, good to 2e-3, and three steps of Halley's method."""
    a = 0.147
    log = xp.log1p(-y * y)
    half = 2 / (math.pi * a) + log / 2
    x = xp.copysign(xp.sqrt(xp.sqrt(half * half - log / a) - half), y)
    for _ in range(3):
        error = piecewise((x,), (abs(x) < 1, _erf_near), otherwise=lambda x: erf(xp, x)) - y
        step = error * _SQRT_PI / 2 * xp.exp(x * x)
        x = x - step / (1 + x * step)
    return x


@in_float64
def ndtr(xp: Any, x: Array) -> Array:
    """Φ(x) = erfc(-x/√2) / 2, the normal distribution's area left of x"""
    return erfc(xp, -x / _SQRT2) / 2


@in_float64
def log_ndtr(xp: Any, x: Array) -> Array:
    """log Φ(x), exact in the left tail"""
    return _log_ndtr(xp, x)


def _log_ndtr(xp: Any, x: Array) -> Array:
    return piecewise(
        (x,),
        (x < -1, lambda x: xp.log(_erfcx(xp, -x / _SQRT2) / 2) - x * x / 2),
        otherwise=lambda x: xp.log1p(-erfc(xp, x / _SQRT2) / 2),
    )


@in_float64
def ndtri(xp: Any, p: Array) -> Array:
    """The x with Φ(x) = p; ±∞ at 0 and 1, NaN outside"""
    return piecewise(
        (p,),
        (p < 0.1, lambda p: _ndtri_tail(xp, p)),
        (p > 0.9, lambda p: -_ndtri_tail(xp, 1 - p)),
        otherwise=lambda p: _SQRT2 * _erfinv_near(xp, 2 * p - 1),
    )


def _ndtri_tail(xp: Any, p: Array) -> Array:
    """p ≤ 0.1: Newton's method on log Φ(x) = log p, which is concave, hence never overshoots.

    The start is the first term of the tail's asymptotic series, DLMF 7.17.
    """
    log_p = xp.log(p)
    u = -2 * log_p
    x = -xp.sqrt(u - xp.log(xp.maximum(u, 1.0)) - math.log(2 * math.pi))
    for _ in range(6):
        hazard = math.sqrt(2 / math.pi) / _erfcx(xp, -x / _SQRT2)  # Φ'(x) / Φ(x)
        x = x - (_log_ndtr(xp, x) - log_p) / hazard
    return xp.where(p == 0, -xp.inf, xp.where(p < 0, xp.nan, x))


numerics.PLAIN.update(erf=partial(_plain_erf, np), erfc=partial(_plain_erfc, np))
