"""Sine, cosine, tangent and their inverses for float32 and float64; see `vector_math`.

float32 is computed in float64. Angles up to 2⁴⁰ are reduced by subtracting multiples of π/2 in
three pieces (Cody and Waite), larger ones by multiplying with the right bits of 2/π (M. Payne and
R. Hanek, SIGNUM Newsletter 18, 1983), in a block that is entered only where a lane needs it.
"""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import numpy as np
from llvmlite import ir

from . import coefficients as c
from .emit import I64
from .scalars import define, same
from .values import F32, F64, Num, any_lane, fma, polynomial, where
from .vector_math import DOUBLE, INF, NAN, code_of

HALF_PI = 1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33
MODERATE = 40  # angles below 2 to this are reduced by subtraction
WORDS = 4  # of 53 bits each, of 2/π


# ------------------------------------------------------------ reduction


def _two_sum(a: Num, b: Num) -> tuple[Num, Num]:
    """a + b rounded, and what rounding took."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def _reduced(x: Num, largest: int) -> tuple[Num, Num, Num]:
    """(q, r, rest) with x = q π/2 + r + rest, |r| <= π/4; q counts modulo 4.

    2 to `largest` bounds the finite x.
    """
    e = x.e
    t = fma(x, 1 / HALF_PI[0], DOUBLE.magic)
    n = t - DOUBLE.magic
    part = n * HALF_PI[1]
    r, rest = _two_sum(fma(n, -HALF_PI[0], x), -part)
    rest = fma(n, -HALF_PI[2], rest - fma(n, HALF_PI[1], -part))
    found = [e.variable(v.v) for v in (t.bits(), r, rest)]
    far = (abs(x) >= 2.0**MODERATE) & (abs(x) < INF)
    with e.guard(any_lane(far), "huge"):
        for variable, value in zip(found, _reduced_huge(x, largest), strict=True):
            variable.set(where(far, value, Num(e, variable.get())).v)
    q, r, rest = (Num(e, v.get()) for v in found)
    return q, r, rest


def _reduced_huge(x: Num, largest: int) -> tuple[Num, Num, Num]:
    """The same for |x| >= 2 to MODERATE, by x · 2/π modulo 4 in pieces of 53 bits."""
    bits = x.bits()
    exponent = ((bits >> 52) & 0x7FF) - (1023 + MODERATE)
    last = largest - 1 - MODERATE
    row = where(exponent < 0, 0, where(exponent > last, last, exponent))
    m = ((bits & ((1 << 52) - 1)) | (1023 << 52)).as_float()
    words = [_lookup(row * WORDS + k, largest) for k in range(WORDS)]
    whole = _rint(m * words[0])
    turns, high, low = whole - _rint(whole * 0.25) * 4.0, m * words[0] - whole, x.like(0.0)
    for k, word in enumerate(words):
        for term in (m * word if k else None, fma(m, word, -(m * word))):
            if term is not None:
                high, lost = _two_sum(high, term)
                low = low + lost
    whole = _rint(high)
    r, rest = _two_sum(high - whole, low)
    turns = turns + whole
    angle = r * HALF_PI[0]
    rest = fma(r, HALF_PI[0], -angle) + fma(r, HALF_PI[1], rest * HALF_PI[0])
    minus = x < 0.0
    q = where(minus, -turns, turns) + DOUBLE.magic
    return q.bits(), where(minus, -angle, angle), where(minus, -rest, rest)


def _rint(x: Num) -> Num:
    return Num(x.e, x.e.call("llvm.rint", x.v))


@cache
def _two_over_pi(largest: int) -> list[float]:
    """For each exponent E from MODERATE on: 2ᴱ · 2/π modulo 2⁵⁴, in WORDS floats of 53 bits.

    What is a multiple of 2⁵⁴ gives a multiple of four quarter turns for every mantissa.
    """
    precision = largest + 53 * WORDS
    inverse = (2 << (2 * precision)) // _pi(precision)
    table = []
    for exponent in range(MODERATE, largest):
        left = (inverse << exponent) % (1 << (54 + precision))
        for k in range(WORDS):
            place = precision + 1 - 53 * k
            word, left = left >> place, left % (1 << place)
            table.append(math.ldexp(word, place - precision))
    return table


def _pi(bits: int) -> int:
    """π · 2**bits, by Machin's formula π/4 = 4 atan(1/5) - atan(1/239)."""

    def arctangent(n: int) -> int:
        term = total = (1 << (bits + 32)) // n
        for k in range(3, bits, 2):
            term //= -n * n
            total += term // k
        return total

    return (4 * (4 * arctangent(5) - arctangent(239))) >> 32


def _lookup(index: Num, largest: int) -> Num:
    """The words of `_two_over_pi` at an index, lane by lane."""
    e, name = index.e, f"two_over_pi_{largest}"
    table = e.module.globals.get(name)
    if table is None:
        numbers = _two_over_pi(largest)
        table = ir.GlobalVariable(e.module, ir.ArrayType(F64, len(numbers)), name)
        table.initializer = ir.Constant(table.value_type, numbers)
        table.global_constant, table.linkage = True, "internal"
    b = e.builder
    if not isinstance(index.v.type, ir.VectorType):
        return Num(
            e, b.load(b.gep(table, [I64(0), index.v], source_etype=table.value_type), typ=F64)
        )
    found = ir.Constant(ir.VectorType(F64, index.v.type.count), ir.Undefined)
    for lane in range(index.v.type.count):
        one = Num(e, b.extract_element(index.v, I64(lane)))
        found = b.insert_element(found, _lookup(one, largest).v, I64(lane))
    return Num(e, found)


# ------------------------------------------------------------ sine, cosine, tangent


class Quarter(NamedTuple):
    """q, sine and cosine of r, where x = q π/2 + r; the `low` parts are what rounding took."""

    q: Num
    sine: Num
    sine_low: Num
    cosine: Num
    cosine_low: Num


def _quarter(x: Num) -> Quarter:
    if x.element == F32:
        q, r, rest = _reduced(x.wide(), 128)
        r = r + rest
        z, none = r * r, r.like(0.0)
        sine = fma(r * z, polynomial(z, c.SIN_NARROW), r)
        cosine = fma(z * z, polynomial(z, c.COS_NARROW), fma(z, -0.5, 1.0))
        return Quarter(q, sine, none, cosine, none)
    q, r, rest = _reduced(x, 1024)
    z = r * r
    half = z * 0.5
    one = 1.0 - half
    small = fma(r * z, polynomial(z, c.SIN), rest * one)
    tiny = ((1.0 - one) - half) + fma(z * z, polynomial(z, c.COS), -(r * rest))
    sine, cosine = r + small, one + tiny
    return Quarter(q, sine, small - (sine - r), cosine, tiny - (cosine - one))


def _wave(x: Num, ahead: int) -> Num:
    """The sine, `ahead` quarter turns later."""
    found = _quarter(x)
    q = found.q + ahead
    wave = where((q & 1).equals(0), found.sine, found.cosine)
    wave = where((q & 2).equals(0), wave, -wave)
    return wave.narrow() if x.element == F32 else wave


def sin(x: Num) -> Num:
    """Sine."""
    return where(x.equals(0.0), x, _wave(x, 0))


def cos(x: Num) -> Num:
    """Cosine."""
    return _wave(x, 1)


def tan(x: Num) -> Num:
    """Tangent: sine by cosine."""
    q, sine, sine_low, cosine, cosine_low = _quarter(x)
    even = (q & 1).equals(0)
    above, below = where(even, sine, -cosine), where(even, cosine, sine)
    found = above / below
    if x.element == F32:
        return where(x.equals(0.0), x, found.narrow())
    above_low, below_low = where(even, sine_low, -cosine_low), where(even, cosine_low, sine_low)
    left = fma(-found, below, above) + fma(-found, below_low, above_low)
    return where(x.equals(0.0), x, found + left / below)


# ------------------------------------------------------------ inverses


def _arcsine_rest(z: Num, narrow: bool) -> Num:
    """(asin(x) - x) / x at x = √z, z <= 1/4."""
    return z * polynomial(z, c.ASIN_NARROW if narrow else c.ASIN)


def asin(x: Num) -> Num:
    """x + x³ P(x²) up to 1/2; π/2 - 2 asin √((1 - |x|) / 2) beyond."""
    if x.element == F32:
        return _asin(x.wide(), True).narrow()
    return _asin(x, False)


def _asin(x: Num, narrow: bool) -> Num:
    a = abs(x)
    near = a <= 0.5
    z = where(near, x * x, (1.0 - a) * 0.5)
    root = where(near, a, z.sqrt())
    found = fma(root, _arcsine_rest(z, narrow), root)
    lost = fma(-root, root, z) / (root + root)  # √z = root + lost
    low = fma(root, _arcsine_rest(z, narrow), lost)
    far = (HALF_PI[0] - root * 2.0) - (low * 2.0 - HALF_PI[1])
    return where(near, found, where(a.equals(1.0), HALF_PI[0], far)).signed(x)


def acos(x: Num) -> Num:
    """π/2 - asin x up to 1/2; 2 asin √((1 - |x|) / 2), or π less it, beyond."""
    if x.element == F32:
        return _acos(x.wide(), True).narrow()
    return _acos(x, False)


def _acos(x: Num, narrow: bool) -> Num:
    a = abs(x)
    near = a <= 0.5
    z = where(near, x * x, (1.0 - a) * 0.5)
    root = z.sqrt()
    lost = where(z.equals(0.0), 0.0, fma(-root, root, z) / (root + root))
    rest = fma(root, _arcsine_rest(z, narrow), lost)
    inner = HALF_PI[0] - (x - fma(-x, _arcsine_rest(z, narrow), HALF_PI[1]))
    low = (root + rest) * 2.0
    high = 2 * HALF_PI[0] - (root - (HALF_PI[1] - rest)) * 2.0
    return where(near, inner, where(x < 0.0, high, low))


def _arctangent(above: Num, below: Num, narrow: bool) -> Num:
    """The angle from 0 to π/2 whose tangent is above / below, both >= 0 and not both 0 or infinite.

    Turned back by π/4 or π/2 until its tangent t is at most tan π/8.
    """
    swap = above > below * 2.414213562373095
    turn = ~swap & (above > below * 0.4142135623730950)
    t = where(swap, -below, where(turn, above - below, above)) / where(
        swap, above, where(turn, above + below, below)
    )
    z = t * t
    part = t * z * polynomial(z, c.ATAN_NARROW if narrow else c.ATAN)
    high = where(swap, HALF_PI[0], where(turn, t.like(HALF_PI[0] / 2), t.like(0.0)))
    low = where(swap, HALF_PI[1], where(turn, t.like(HALF_PI[1] / 2), t.like(0.0)))
    return high + (t + (part + low))


def atan(x: Num) -> Num:
    """Arc tangent."""
    narrow = x.element == F32
    w = x.wide() if narrow else x
    a = abs(w)
    limit = 2.0**70  # π/2 beyond
    found = _arctangent(where(a > limit, limit, a), w.like(1.0), narrow)
    found = where(a < 2.0**-40, a, found).signed(w)
    return found.narrow() if narrow else found


def atan2(y: Num, x: Num) -> Num:
    """The angle of the point (x, y), by quadrants; 0, ±0 and infinities as in IEEE 754."""
    narrow = x.element == F32
    wy, wx = (y.wide(), x.wide()) if narrow else (y, x)
    above, below = abs(wy), abs(wx)
    both = (above.equals(0.0) & below.equals(0.0)) | (above.equals(INF) & below.equals(INF))
    none = above.equals(0.0)  # (0, 0) lies on the axis, (inf, inf) on the diagonal
    above = where(both, where(none, above.like(0.0), above.like(1.0)), above)
    below = where(both, 1.0, below)
    found = _arctangent(*_moderate(above, below), narrow)
    left = wx.bits() < 0
    found = where(left, 2 * HALF_PI[0] - (found - 2 * HALF_PI[1]), found)
    found = where(wx.is_nan() | wy.is_nan(), NAN, found).signed(wy)
    return found.narrow() if narrow else found


def _moderate(above: Num, below: Num) -> tuple[Num, Num]:
    """Both times a power of two, so that sums do not overflow nor quotients lose digits."""
    large = (above > 2.0**1000) | (below > 2.0**1000)
    factor = where(large, above.like(2.0**-200), above.like(1.0))
    small = (above < 2.0**-900) & (below < 2.0**-900)
    factor = where(small, 2.0**120, factor)
    return above * factor, below * factor


for _formula, _numpy in (
    (sin, np.sin), (cos, np.cos), (tan, np.tan), (asin, np.arcsin), (acos, np.arccos),
    (atan, np.arctan),
):  # fmt: skip
    define(_formula.__name__, 1, same, _numpy, code_of(_formula))
define("atan2", 2, same, np.arctan2, code_of(atan2))
