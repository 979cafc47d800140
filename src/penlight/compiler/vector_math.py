"""Exponentials, logarithms, powers and the error function for float32 and float64.

Every function takes (x: Num) and writes a formula without branches: the same operations, and so the
same bits, at every vector width. Errors stay below 2 units in the last place; NaN, infinities, -0.0
and denormal numbers are as in IEEE 754. float32 is computed in float32 where it is hot (exp, log,
tanh, erf), else in float64 with shorter polynomials.

Range reductions: J.-M. Muller, "Elementary Functions", 3rd ed., chapter 11; W. J. Cody and
W. Waite, "Software Manual for the Elementary Functions" (1980). Polynomials:
tools/fit_polynomials.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from . import coefficients as c
from .emit import Emitter
from .scalars import define, same
from .values import F32, Num, fma, polynomial, where

INF, NAN = float("inf"), float("nan")


class Format(NamedTuple):
    """A floating-point format.

    `magic`     adding it rounds to an integer, which then stands in the low bits
    `ln2`       log 2 as the sum of two numbers, the first of which loses nothing times an integer
    `lowest`    eˣ is 0 below
    `highest`   eˣ is infinite above
    `minus_one` eˣ - 1 is -1 below
    `one`       tanh x is 1 above
    """

    mantissa: int
    bias: int
    magic: float
    ln2: tuple[float, float]
    lowest: float
    highest: float
    minus_one: float
    one: float
    exp: tuple[float, ...]
    tanh: tuple[float, ...]


SINGLE = Format(
    23, 127, 1.5 * 2**23, (0.693147182464599609375, -1.9046542121259336e-09),
    -104.0, 89.0, -18.0, 10.0, c.EXP_FLOAT, c.TANH_FLOAT,
)  # fmt: skip
DOUBLE = Format(
    52, 1023, 1.5 * 2**52, (0.6931471805599453094, 2.3190468138462996e-17),
    -746.0, 710.0, -38.0, 20.0, c.EXP, c.TANH,
)  # fmt: skip
LOG2_E, LOG2_E_LOW = 1.4426950408889634074, 2.0355273740931033e-17
THIRDS = 0.66666666666666663, 3.7007434154171883e-17  # 2/3
LN2 = DOUBLE.ln2


def format_of(x: Num) -> Format:
    """The format of a value."""
    return SINGLE if x.element == F32 else DOUBLE


# ------------------------------------------------------------ exponentials


def _split(x: Num, form: Format) -> tuple[Num, Num]:
    """(t, r) with x = n log 2 + r, |r| <= log 2 / 2; n is the low bits of t."""
    t = fma(x, LOG2_E, form.magic)
    n = t - form.magic
    return t, fma(n, -form.ln2[1], fma(n, -form.ln2[0], x))


def _exp_less_one(r: Num, form: Format) -> Num:
    """eʳ - 1 for |r| <= log 2 / 2."""
    return fma(r * r, polynomial(r, form.exp), r)


def _power_of_two(n: Num, form: Format) -> Num:
    """2ⁿ of an integer in the range of exponents."""
    return ((n + form.bias) << form.mantissa).as_float()


def _integer(t: Num, form: Format) -> Num:
    """The integer that `magic` put into the low bits."""
    return t.bits() - t.like(form.magic).bits()


def _scaled(p: Num, n: Num, form: Format) -> Num:
    """p 2ⁿ in two steps, so that only the last one can leave the range of normal numbers."""
    half = n >> 1
    return p * _power_of_two(half, form) * _power_of_two(n - half, form)


def _clamped(x: Num, low: float, high: float) -> Num:
    """x between two bounds; NaN stays."""
    x = where(x < low, low, x)
    return where(x > high, high, x)


def exp(x: Num) -> Num:
    """eˣ = 2ⁿ eʳ"""
    form = format_of(x)
    t, r = _split(_clamped(x, form.lowest, form.highest), form)
    return _scaled(_exp_less_one(r, form) + 1.0, _integer(t, form), form)


def exp2(x: Num) -> Num:
    """2ˣ = 2ⁿ e^(f log 2), where f = x - n is exact."""
    form = format_of(x)
    x = _clamped(x, form.lowest * LOG2_E, form.highest * LOG2_E)
    t = x + form.magic
    f = x - (t - form.magic)
    r = f * form.ln2[0]
    rest = fma(f, form.ln2[0], -r) + f * form.ln2[1]
    p = fma(r * r, polynomial(r, form.exp), r + rest)
    return _scaled(p + 1.0, _integer(t, form), form)


def expm1(x: Num) -> Num:
    """eˣ - 1 = 2ⁿ (eʳ - 1) + (2ⁿ - 1)"""
    form = format_of(x)
    t, r = _split(_clamped(x, form.minus_one, form.highest), form)
    p, n = _exp_less_one(r, form), _integer(t, form)
    half = _power_of_two(n - 1, form)  # 2ⁿ may be infinite
    return where(n.equals(0), where(x.equals(0.0), x, p), fma(half, p, half - 0.5) * 2.0)


def sigmoid(x: Num) -> Num:
    """1 / (1 + e⁻ˣ), in these steps."""
    return 1.0 / (exp(-x) + 1.0)


def tanh(x: Num) -> Num:
    """x + x³ P(x²) near 0; 1 - 2 / (e^(2|x|) + 1) beyond."""
    form, a = format_of(x), abs(x)
    far = 1.0 - 2.0 / (exp(where(a > form.one, form.one, a) * 2.0) + 1.0)
    square = x * x
    near = fma(a * square, polynomial(square, form.tanh), a)
    return where(a < 0.7, near, far).signed(x)


def sinh(x: Num) -> Num:
    """x + x³ P(x²) near 0; h - 1 / (4 h) with h = e^|x| / 2 beyond."""
    if x.element == F32:
        return sinh(x.wide()).narrow()
    half = _half_exp(abs(x))
    square = x * x
    near = fma(x * square, polynomial(square, c.SINH), x)
    return where(abs(x) < 1.0, near, (half - 0.25 / half).signed(x))


def cosh(x: Num) -> Num:
    """h + 1 / (4 h) with h = e^|x| / 2"""
    if x.element == F32:
        return cosh(x.wide()).narrow()
    half = _half_exp(abs(x))
    return half + 0.25 / half


def _half_exp(x: Num) -> Num:
    """eˣ / 2, which is finite a little longer than eˣ; x >= 0."""
    t, r = _split(where(x > 712.0, 712.0, x), DOUBLE)
    return _scaled(_exp_less_one(r, DOUBLE) + 1.0, _integer(t, DOUBLE) - 1, DOUBLE)


# ------------------------------------------------------------ logarithms


def _normal(x: Num, form: Format) -> tuple[Num, Num]:
    """(f, e) with x = 2ᵉ (1 + f) and √½ <= 1 + f < √2, for positive finite x."""
    shift = form.mantissa + 2
    tiny = x < 2.0 ** (2 - form.bias)
    root = x.like(0.5**0.5).bits()
    bits = where(tiny, x * 2.0**shift, x).bits() - root
    e = (bits >> form.mantissa).to_float()
    m = ((bits & ((1 << form.mantissa) - 1)) + root).as_float()
    return m - 1.0, where(tiny, e - float(shift), e)


def _edges(x: Num, found: Num) -> Num:
    """A logarithm's values at 0, below, and at infinity."""
    found = where(x < INF, found, x)
    found = where(x.equals(0.0), -INF, found)
    return where(x < 0.0, NAN, found)


def _log_float(x: Num) -> Num:
    """e log 2 + f - f²/2 + f³ Q(f)"""
    f, e = _normal(x, SINGLE)
    square = f * f
    low = fma(e, SINGLE.ln2[1], f * square * polynomial(f, c.LOG_FLOAT))
    return fma(e, SINGLE.ln2[0], f + fma(square, -0.5, low))


def _log_rest(f: Num, table: tuple[float, ...]) -> tuple[Num, Num]:
    """(h, q) with log(1 + f) = f - (h - q), h = f²/2.

    With s = f / (2 + f): log(1 + f) = 2 s + s R(s²) and f - 2 s = s f, so q = s (h + R).
    """
    s, h = f / (f + 2.0), f * f * 0.5
    z = s * s
    return h, s * fma(z, polynomial(z, table), h)


def log(x: Num) -> Num:
    """Natural logarithm."""
    if x.element == F32:
        return _edges(x, _log_float(x))
    f, e = _normal(x, DOUBLE)
    h, q = _log_rest(f, c.LOG)
    return _edges(x, fma(e, LN2[0], f - (h - fma(e, LN2[1], q))))


def log1p(x: Num) -> Num:
    """log u + (1 + x - u) / u, where u is 1 + x rounded."""
    if x.element == F32:
        return log1p(x.wide()).narrow()
    u = x + 1.0
    rest = where(abs(x) < 1.0, x - (u - 1.0), 1.0 - (u - x)) / u
    f, e = _normal(u, DOUBLE)
    h, q = _log_rest(f, c.LOG)
    found = fma(e, LN2[0], f - (h - (fma(e, LN2[1], q) + rest)))
    return where(x.equals(0.0), x, _edges(u, found))


def _log_times(x: Num, unit: tuple[float, float], exponent: tuple[float, float]) -> tuple:
    """(high, low) of log(1 + f) unit + e exponent, as sums of two numbers."""
    f, e = _normal(x, DOUBLE)
    h, q = _log_rest(f, c.LOG)
    high = f - h
    low = ((f - high) - h) + q
    scaled = high * unit[0]
    rest = fma(high, unit[0], -scaled) + fma(high, unit[1], low * unit[0])
    whole = e * exponent[0]
    rest = fma(e, exponent[0], -whole) + fma(e, exponent[1], rest)
    total = whole + scaled
    swapped = abs(whole) < abs(scaled)
    large, small = where(swapped, scaled, whole), where(swapped, whole, scaled)
    return total, (large - total) + small + rest


def log2(x: Num) -> Num:
    """Logarithm to base 2."""
    if x.element == F32:
        return log2(x.wide()).narrow()
    return _edges(x, sum(_log_times(x, (LOG2_E, LOG2_E_LOW), (1.0, 0.0))))


def log10(x: Num) -> Num:
    """Logarithm to base 10."""
    if x.element == F32:
        return log10(x.wide()).narrow()
    unit = 0.43429448190325182, 1.098319650216765e-17
    return _edges(x, sum(_log_times(x, unit, (0.30102999566398120, -2.8037281277851704e-18))))


def asinh(x: Num) -> Num:
    """log1p(a + a² / (1 + √(1 + a²))), a = |x|; log(2 a) where a² is too large."""
    if x.element == F32:
        return asinh(x.wide()).narrow()
    a = abs(x)
    far = a > 2.0**28
    b = where(far, 1.0, a)
    near = log1p(b + b * b / ((b * b + 1.0).sqrt() + 1.0))
    return where(far, log(a) + LN2[0], near).signed(x)


def acosh(x: Num) -> Num:
    """log1p(t + √(2 t + t²)), t = x - 1; log(2 x) where t² is too large."""
    if x.element == F32:
        return acosh(x.wide()).narrow()
    far = x > 2.0**28
    t = where(far, 1.0, x - 1.0)
    near = log1p(t + fma(t, t, t + t).sqrt())
    return where(far, log(x) + LN2[0], where(x < 1.0, NAN, near))


def atanh(x: Num) -> Num:
    """log1p(2 a / (1 - a)) / 2, a = |x|"""
    if x.element == F32:
        return atanh(x.wide()).narrow()
    a = abs(x)
    found = log1p((a + a) / (1.0 - a)) * 0.5
    return where(a > 1.0, NAN, where(a < 2.0**-30, a, found)).signed(x)


# ------------------------------------------------------------ powers


def pow(x: Num, y: Num) -> Num:
    """xʸ = 2^(y log2 |x|), and after that the cases of IEEE 754."""
    if x.element == F32:
        a, b = abs(x).wide(), y.wide()
        size = exp2(b * _edges(a, sum(_log_times(a, (LOG2_E, 0.0), (1.0, 0.0))))).narrow()
    else:
        size = _pow_double(abs(x), y)
    whole, even = _is_whole(abs(y)), _is_whole(abs(y) * 0.5)
    odd = whole & ~even
    found = where((x < 0.0) & odd, -size, size)
    found = where((x < 0.0) & (x > -INF) & ~whole, NAN, found)
    found = where(x.equals(0.0) & odd, found.signed(x), found)
    one = y.equals(0.0) | x.equals(1.0) | (x.equals(-1.0) & abs(y).equals(INF))
    return where(one, 1.0, found)


def _pow_double(x: Num, y: Num) -> Num:
    """2^(y log2 x) of x >= 0, with the logarithm and the product as sums of two numbers."""
    high, low = _log2_long(x)
    y = _clamped(y, -(2.0**66), 2.0**66)
    p = y * high
    rest = fma(y, high, -p) + y * low
    p = where(x < INF, where(x.equals(0.0), y * -INF, p), y * x)
    far = abs(p) >= 1100.0
    p, rest = where(far, where(p < 0.0, p.like(-1100.0), p.like(1100.0)), p), where(far, 0.0, rest)
    t = p + DOUBLE.magic
    f = p - (t - DOUBLE.magic)
    whole = f * LN2[0]
    more = fma(f, LN2[0], -whole) + fma(f, LN2[1], rest * LN2[0])
    r = whole + more
    bent = fma(r * r, polynomial(r, c.EXP), more - (r - whole))
    return _scaled(bent + r + 1.0, _integer(t, DOUBLE), DOUBLE)


def _log2_long(x: Num) -> tuple[Num, Num]:
    """log2 x to about 68 bits, for x > 0; T. J. Dekker's arithmetic, Numer. Math. 18 (1971)."""
    f, e = _normal(x, DOUBLE)
    below = f + 2.0
    s = f / below
    low = (fma(-s, below, f) - s * (f - (below - 2.0))) / below  # f / (2 + f) = s + low
    z = s * s
    z_low = fma(s, s, -z) + s * low * 2.0
    cube = s * z
    cube_low = fma(s, z, -cube) + fma(low, z, s * z_low)
    third = cube * THIRDS[0]
    tail = fma(cube, THIRDS[0], -third) + fma(cube, THIRDS[1], cube_low * THIRDS[0])
    tail = fma(cube * z, polynomial(z, c.LOG_TAIL), tail)
    high = s * 2.0 + third
    rest = (s * 2.0 - high) + third + fma(low, 2.0, tail)
    scaled = high * LOG2_E
    rest = fma(high, LOG2_E, -scaled) + fma(high, LOG2_E_LOW, rest * LOG2_E)
    total = e + scaled
    part = total - e
    rest = (e - (total - part)) + (scaled - part) + rest
    high = total + rest
    return high, rest - (high - total)


def _is_whole(x: Num) -> Num:
    """Whether x >= 0 is an integer; large numbers are."""
    large = 2.0 ** format_of(x).mantissa
    return (x >= large) | ((x + large) - large).equals(x)


# ------------------------------------------------------------ the error function


def erf(x: Num) -> Num:
    """x + x P(x²) near 0; 1 - erfc |x| beyond, from a polynomial for log erfc or for erfcx."""
    a = abs(x)
    if x.element == F32:
        b = where(a > 4.0, 4.0, a)
        far = 1.0 - exp(-polynomial(b, c.ERFC_LOG))
        return where(a < 0.92, _erf_near(x, c.ERF_FLOAT), far.signed(x))
    b = where(a > 6.0, 6.0, a)
    far = 1.0 - _erfc_positive(b, c.ERFCX)
    return where(a < 1.0, _erf_near(x, c.ERF), far.signed(x))


def _erf_near(x: Num, table: tuple[float, ...]) -> Num:
    return fma(x, polynomial(x * x, table), x)


def erfc(x: Num) -> Num:
    """1 - erf x, exact in the tail."""
    narrow = x.element == F32
    x = x.wide() if narrow else x
    a = where(abs(x) > 28.0, 28.0, abs(x))
    tail = _erfc_positive(a, c.ERFCX_NARROW if narrow else c.ERFCX)
    found = where(x < 0.0, 2.0 - tail, tail)
    found = where(abs(x) < 0.5, 1.0 - _erf_near(x, c.ERF), found)
    return found.narrow() if narrow else found


def _erfc_positive(x: Num, table: tuple[float, ...]) -> Num:
    """e^(-x²) erfcx x for x > 0.45; erfcx x = P(t) / (1 + 2 x) with t = (x - k) / (x + k).

    M. M. Shepherd and J. G. Laframboise, Math. Comp. 36 (1981).
    """
    t = (x - 3.75) / (x + 3.75)
    square = x * x
    rest = fma(x, x, -square)  # what rounding took from x²
    scaled = polynomial(t, table) / fma(x, 2.0, 1.0)
    shift, r = _split(-square, DOUBLE)
    power = _exp_less_one(r - rest, DOUBLE) + 1.0
    return _scaled(power * scaled, _integer(shift, DOUBLE), DOUBLE)


# ------------------------------------------------------------ the table


def code_of(formula: Callable[..., Num]) -> Callable[..., Any]:
    """A formula over `Num`s as a function over the emitter's values."""

    def code(e: Emitter, kind: str, *values: Any) -> Any:
        return formula(*[Num(e, v) for v in values]).v

    return code


def _numpy_sigmoid(x: Any) -> Any:
    return np.reciprocal(1 + np.exp(-x))


def _numpy_erf(x: Any) -> Any:
    return np.vectorize(math.erf, otypes=[x.dtype])(x)


def _numpy_erfc(x: Any) -> Any:
    return np.vectorize(math.erfc, otypes=[x.dtype])(x)


for _formula, _numpy in (
    (exp, np.exp), (exp2, np.exp2), (expm1, np.expm1), (log, np.log), (log1p, np.log1p),
    (log2, np.log2), (log10, np.log10), (sinh, np.sinh), (cosh, np.cosh), (tanh, np.tanh),
    (asinh, np.arcsinh), (acosh, np.arccosh), (atanh, np.arctanh), (sigmoid, _numpy_sigmoid),
    (erf, _numpy_erf), (erfc, _numpy_erfc),
):  # fmt: skip
    define(_formula.__name__, 1, same, _numpy, code_of(_formula))
define("pow", 2, same, np.power, code_of(pow))
