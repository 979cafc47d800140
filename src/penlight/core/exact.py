"""Elementary functions with PyTorch's last bits, for random numbers that equal PyTorch's.

PyTorch's random kernels are compiled with fused multiply-add and use, for float32, the polynomials
of the Cephes library (S. Moshier) in the vector form of avx_mathfun (G. Garberoglio). NumPy has no
fused multiply-add, so the product is formed in float64, where it is exact. All 2^24 arguments that
`log32` and `sincos32` can meet were compared with PyTorch once, without a difference.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray
f32, f64, i32 = np.float32, np.float64, np.int32


# ---------------------------------------------------------------- a*b + c, rounded once


def fma32(a: Array, b: np.float32, c: np.float32) -> Array:
    """a·b + c rounded once to float32.

    The float64 sum is already rounded; rounding it again goes wrong only where it landed halfway
    between two float32 numbers although the exact sum is not there.
    """
    product = a.astype(f64)
    product *= b
    total = product + c
    halfway = (total.view(np.int64) & 0x1FFFFFFF) == 0x10000000
    if halfway.any():
        exact, lost = _two_sum(product[halfway], c)
        total[halfway] = np.where(lost == 0, exact, np.nextafter(exact, np.copysign(np.inf, lost)))
    return total.astype(f32)


def fma64(a: Array, b: float, c: float) -> Array:
    """a·b + c rounded once to float64 (Boldo and Melquiond, Emulation of FMA, 2008).

    >>> fma64(np.array([1 + 2.0**-30]), 1 + 2.0**-30, -1.0) == 2.0**-29 + 2.0**-60
    array([ True])
    """
    if c == 0.0:
        return a * b + c
    if abs(b) > 2.0**900:  # the splitting below would overflow
        return fma64(a, b * 2.0**-100, c * 2.0**-100) * 2.0**100
    high, low = _two_product(a, b)
    top, rest = _two_sum(low, c)
    total, tail = _two_sum(high, top)
    small, lost = _two_sum(rest, tail)
    # Round `small` to odd: then the last addition rounds as if nothing had been lost before.
    bits = small.view(np.int64)
    bits += np.where((lost > 0) == (small > 0), 1, -1) * ((lost != 0) & (bits & 1 == 0))
    return total + small


def _two_sum(a: Array, b: Any) -> tuple[Array, Array]:
    """The rounded sum and what the rounding lost (Knuth)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def _split(a: Any) -> tuple[Any, Any]:
    """Two halves of at most 26 bits (Veltkamp)."""
    scaled = a * 134217729.0  # 2^27 + 1
    high = scaled - (scaled - a)
    return high, a - high


def _two_product(a: Array, b: float) -> tuple[Array, Array]:
    """The rounded product and what the rounding lost (Dekker)."""
    product = a * b
    (a1, a0), (b1, b0) = _split(a), _split(b)
    return product, ((a1 * b1 - product) + a1 * b0 + a0 * b1) + a0 * b0


# ---------------------------------------------------------------- float32: Cephes polynomials


def _coefficients(*numbers: float) -> tuple[np.float64, ...]:
    """Numbers rounded to float32."""
    return tuple(f64(f32(number)) for number in numbers)


LOG = _coefficients(
    7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
    -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
)  # fmt: skip
SIN = _coefficients(-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
COS = _coefficients(2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)
EXPONENT_BIAS, MANTISSA, HALF_BITS = i32(126), i32(0x7FFFFF), i32(0x3F000000)
SQRT_HALF = f32(0.707106781186547524)
LN2_HIGH, LN2_LOW = f32(0.693359375), f32(-2.12194440e-4)
FOUR_OVER_PI = f32(1.27323954473516)
# π/4 in three parts; the first two have few bits: their product with a small integer is exact
QUARTER_PI = f32(-0.78515625), f32(-2.4187564849853515625e-4), f64(f32(-3.77489497744594108e-8))


def _horner(coefficients: tuple[np.float64, ...], x: Array) -> Array:
    """The polynomial at x (float64), each step a multiply-add rounded to float32."""
    step = x * coefficients[0]
    for c in coefficients[1:-1]:
        step += c
        np.multiply(x, step.astype(f32), out=step)
    step += coefficients[-1]
    return step.astype(f32)


def log32(x: Array) -> Array:
    """Natural logarithm of positive, normal float32 numbers."""
    bits = x.view(i32)
    exponent = ((bits >> 23) - EXPONENT_BIAS).astype(f32)
    x = (bits & MANTISSA | HALF_BITS).view(f32)  # x = mantissa in [1/2, 1)
    below = x < SQRT_HALF
    exponent -= below
    doubled = x * below
    x -= 1
    x += doubled  # now √½ - 1 <= x < √2 - 1, and the logarithm is log(1 + x) + exponent·log 2
    wide = x.astype(f64)
    y = _horner(LOG, wide)
    y *= x
    square = x * x
    np.multiply(y, square, out=wide, dtype=f64)
    wide += exponent * LN2_LOW
    y = wide.astype(f32)
    square *= 0.5
    y -= square
    y += x
    exponent *= LN2_HIGH
    y += exponent
    return y


def sincos32(x: Array) -> tuple[Array, Array]:
    """Sine and cosine of float32 numbers in [0, 2π]."""
    octant = (x * FOUR_OVER_PI).astype(i32)
    octant += 1
    octant &= ~1
    k = octant.astype(f32)
    x = x + k * QUARTER_PI[0]
    x += k * QUARTER_PI[1]
    x = (k * QUARTER_PI[2] + x).astype(f32)
    square = x * x
    wide = square.astype(f64)
    cos = _horner(COS, wide)
    cos *= square
    sin = _horner(SIN, wide)
    sin *= square
    wide *= cos
    wide -= square * 0.5
    cos = wide.astype(f32)
    cos += 1
    np.multiply(sin, x, out=wide, dtype=f64)
    wide += x
    sin = wide.astype(f32)
    # Every other quarter turn swaps the two; the half turns decide the signs.
    sin_bits, cos_bits = sin.view(i32), cos.view(i32)
    swap = (sin_bits ^ cos_bits) & -((octant >> 1) & 1)
    sin_bits ^= swap
    cos_bits ^= swap
    sin_bits ^= (octant & 4) << 29
    cos_bits ^= ((octant + 2) & 4) << 29
    return sin, cos


# ---------------------------------------------------------------- float64: the C library


def libm(function: Callable[[float], float], x: Array) -> Array:
    """A function of `math` for every element: the C library's own value, as in PyTorch.

    NumPy's vector versions differ from it in the last bit for a few arguments in a thousand.
    """
    return np.fromiter(map(function, x.tolist()), f64, x.size)


def near_halfway(x: Array) -> Array:
    """Which float64 numbers could round to another float32 if their last few bits were others."""
    distance = (x.view(np.int64) & 0x1FFFFFFF) - 0x10000000
    return (np.abs(distance) < 16) | (np.abs(x) < 1e-30)


def sincos64(x: Array) -> tuple[Array, Array]:
    """The C library's sine and cosine: its complex exponential of an imaginary number."""
    z = np.zeros(x.shape, np.complex128)
    z.imag = x
    np.exp(z, out=z)
    return z.imag, z.real
