"""Flat arrays of random numbers, bit for bit those of PyTorch's CPU kernels.

Every function takes a generator and the number of elements, and consumes the stream as PyTorch
does. Where PyTorch computes in float64 and rounds at the end, so do these.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from .exact import Array, f32, f64, fma32, fma64, libm, log32, near_halfway, sincos32, sincos64
from .random import Generator

BLOCK = 1 << 13  # elements at a time: what they need then stays in the cache
DIGITS = {"float64": 53, "float32": 24, "float16": 11, "bfloat16": 8}  # bits of a significand


def round_to(values: Array, dtype: np.dtype) -> Array:
    """C++'s cast: to a 16-bit float by way of float32."""
    if values.dtype == dtype:
        return values
    with np.errstate(over="ignore"):
        if dtype.itemsize == 2 and dtype.name in DIGITS:
            values = values.astype(f32)
        return values.astype(dtype)


def blocks(n: int) -> Iterator[slice]:
    """Consecutive slices of at most BLOCK elements that cover range(n)."""
    return (slice(i, min(i + BLOCK, n)) for i in range(0, n, BLOCK))


# ---------------------------------------------------------------- uniform


def unit32(generator: Generator, n: int) -> Array:
    """Multiples of 2^-24 in [0, 1), as float32."""
    if n > BLOCK:
        return np.concatenate([unit32(generator, part.stop - part.start) for part in blocks(n)])
    words = generator.words(n)
    words &= np.uint64(0xFFFFFF)
    return words.view(np.int64).astype(f32) * f32(2.0**-24)


def unit64(generator: Generator, n: int) -> Array:
    """Multiples of 2^-53 in [0, 1)."""
    if n > BLOCK:
        return np.concatenate([unit64(generator, part.stop - part.start) for part in blocks(n)])
    words = generator.long_words(n)
    words &= np.uint64(0x1FFFFFFFFFFFFF)
    return words.view(np.int64) * 2.0**-53


def uniform(
    generator: Generator, n: int, dtype: np.dtype, low: float = 0.0, high: float = 1.0
) -> Array:
    """Uniform in [low, high)."""
    wide = dtype == f64
    values = unit64(generator, n) if wide else unit32(generator, n)
    if low == 0.0 and high == 1.0:
        if dtype.itemsize > 2:
            return values
    elif wide:
        for part in blocks(n):
            values[part] = fma64(values[part], high - low, low)
    else:
        a, b = f32(low), f32(high)
        for part in blocks(n):
            values[part] = fma32(values[part], b - a, a)
    values = values.astype(dtype, copy=False)
    values[values == dtype.type(high)] = dtype.type(low)  # rounding may reach the excluded end
    return values


# ---------------------------------------------------------------- normal


def normal(
    generator: Generator, n: int, dtype: np.dtype, mean: float, std: float, dense: bool = True
) -> Array:
    """Normal with mean and standard deviation, by the method of Box and Muller (1958).

    Like PyTorch, 16 elements or more with `dense` memory are drawn in groups of 16, others in
    pairs.
    """
    if n < 16 or not dense:
        return round_to(serial_normal(generator, n, mean, std), dtype)
    whole = n - n % 16
    unit, groups = (unit64, _groups64) if dtype == f64 else (unit32, _groups32)
    values = unit(generator, n if dtype.itemsize > 2 else whole)
    for part in blocks(whole):
        groups(values[part], mean, std)
    if whole < n:  # an incomplete group: PyTorch draws the last 16 elements anew
        last = unit(generator, 16)
        groups(last, mean, std)
        values = np.concatenate((values[: n - 16], last))
    return round_to(values, dtype)


def _groups32(uniforms: Array, mean: float, std: float) -> None:
    """Turns groups of 8 + 8 uniform numbers into as many normal ones."""
    pairs = uniforms.reshape(-1, 2, 8)
    radius = np.sqrt(f32(-2) * log32(f32(1) - pairs.take(0, axis=1)))
    sin, cos = sincos32(pairs.take(1, axis=1) * f32(math.tau))
    np.multiply(radius, cos, out=pairs[:, 0])
    np.multiply(radius, sin, out=pairs[:, 1])
    if (mean, std) == (0.0, 1.0):
        uniforms += f32(0)  # -0 becomes 0
    else:
        uniforms[:] = fma32(uniforms, f32(std), f32(mean))


def _groups64(uniforms: Array, mean: float, std: float) -> None:
    pairs = uniforms.reshape(-1, 2, 8)
    radius = np.sqrt(-2 * libm(math.log, (1 - pairs[:, 0]).ravel())).reshape(-1, 8)
    sin, cos = sincos64(math.tau * pairs[:, 1])
    np.multiply(radius, cos, out=pairs[:, 0])
    np.multiply(radius, sin, out=pairs[:, 1])
    uniforms[:] = fma64(uniforms, std, mean)


def serial_normal(generator: Generator, n: int, mean: float = 0.0, std: float = 1.0) -> Array:
    """Normal numbers made two at a time; an odd one is kept in the generator for the next call."""
    values = []
    if n > 0 and generator.next_normal is not None:
        values.append(generator.next_normal)
        generator.next_normal = None
    missing = n - len(values)
    uniforms = iter(unit64(generator, missing + missing % 2).tolist())
    for u1, u2 in zip(uniforms, uniforms, strict=True):
        radius, angle = math.sqrt(-2 * math.log1p(-u2)), math.tau * u1
        values.append(radius * math.cos(angle))
        values.append(radius * math.sin(angle))
    if len(values) > n:
        generator.next_normal = values.pop()
    return fma64(np.array(values, f64), std, mean)


def log_normal(generator: Generator, n: int, dtype: np.dtype, mean: float, std: float) -> Array:
    """e to the power of a normal number."""
    values = serial_normal(generator, n, mean, std)
    return round_to(libm(_exp, values), dtype)


def _exp(x: float) -> float:
    return math.exp(x) if x < 709.782712893384 else math.inf  # where `math.exp` would raise


# ---------------------------------------------------------------- from one uniform number


def exponential(generator: Generator, n: int, dtype: np.dtype, rate: float) -> Array:
    """-log(1 - u) / rate."""
    u = unit64(generator, n)
    if dtype == f64:
        return -1.0 / rate * libm(math.log1p, -u)
    values = -1.0 / rate * np.log1p(-u)
    unsure = near_halfway(values)
    if unsure.any():
        values[unsure] = -1.0 / rate * libm(math.log1p, -u[unsure])
    return round_to(values, dtype)


def cauchy(generator: Generator, n: int, dtype: np.dtype, median: float, sigma: float) -> Array:
    """median + sigma·tan(π(u - ½))."""
    tangent = libm(math.tan, math.pi * (unit64(generator, n) - 0.5))
    return round_to(fma64(tangent, sigma, median), dtype)


def geometric(generator: Generator, n: int, dtype: np.dtype, p: float) -> Array:
    """How many trials with success probability p it takes to the first success."""
    u = np.maximum(unit64(generator, n), 5e-324)  # 0 comes once in 2^53 draws and has no logarithm
    return round_to(np.ceil(libm(math.log, u) / math.log1p(-p)), dtype)


def bernoulli(generator: Generator, n: int, p: float | Array) -> Array:
    """True with probability p: a number, or a flat array with one for each element."""
    if isinstance(p, np.ndarray) and p.dtype != f64:
        return unit32(generator, n) < p.astype(f32, copy=False)
    return unit64(generator, n) < p


# ---------------------------------------------------------------- integers


def integers(generator: Generator, n: int, dtype: np.dtype, low: int, span: int) -> Array:
    """low + (random bits modulo span); from 2^28 on, span takes 64 bits instead of 32."""
    bits = generator.long_words(n) if span >= 1 << 28 else generator.words(n)
    if span < 1 << 64:
        bits %= np.uint64(span)
    values = bits.view(np.int64)
    values += np.uint64(low % 2**64).view(np.int64)  # wraps around, as in C
    return round_to(values, dtype)


def any_integers(generator: Generator, n: int, dtype: np.dtype) -> Array:
    """Integers from 0 to the largest of the type; of a float, to the largest it counts up to."""
    if dtype.name in DIGITS:
        count = 2 ** DIGITS[dtype.name] + 1
    else:
        count = 2 if dtype == np.bool_ else int(np.iinfo(dtype).max) + 1
    bits = generator.long_words(n) if dtype in (f64, np.int64) else generator.words(n)
    bits %= np.uint64(count)
    return round_to(bits.view(np.int64), dtype)


def permutation(generator: Generator, n: int) -> Array:
    """The numbers 0 to n - 1 in random order (Fisher and Yates)."""
    steps = max(n - 1, 0)
    bits = generator.words(steps) if n < (2**32 - 1) // 20 else generator.long_words(steps)
    bits %= np.arange(n, 1, -1, dtype=np.uint64)
    bits += np.arange(steps, dtype=np.uint64)
    order = np.arange(n)
    slots = order.data  # single elements are faster to reach than through the array
    for i, other in enumerate(bits.data):
        slots[i], slots[other] = slots[other], slots[i]
    return order
