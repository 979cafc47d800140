"""Random counts and choices: Poisson, binomial, multinomial, bit for bit PyTorch's.

How many random numbers one Poisson or binomial number takes depends on their values, so these are
drawn one by one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from . import draws
from .exact import Array, f32, f64
from .random import Generator

Stream = Iterator[float]


def _log(x: float) -> float:
    return math.log(x) if x > 0 else -math.inf


# ---------------------------------------------------------------- Poisson


def poisson(generator: Generator, rates: Array) -> Array:
    """A Poisson number for each rate of a flat array."""
    with generator.doubles() as stream:
        return np.array([_poisson(rate, stream) for rate in rates.tolist()], f64)


def _poisson(rate: float, stream: Stream) -> float:
    if not rate >= 0:
        raise RuntimeError("invalid Poisson rate, expected rate to be non-negative")
    if rate == 0:
        return 0.0
    if rate >= 10:
        return _poisson_rejection(rate, stream)
    limit, product, count = math.exp(-rate), next(stream), 0
    while product > limit:
        product *= next(stream)
        count += 1
    return count


def _poisson_rejection(rate: float, stream: Stream) -> float:
    """Transformed rejection (Hörmann, The transformed rejection method for Poisson, 1993)."""
    b = 0.931 + 2.53 * math.sqrt(rate)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    enough = 0.9277 - 3.6224 / (b - 2)
    while True:
        u, v = next(stream) - 0.5, next(stream)
        edge = 0.5 - abs(u)
        k = float(math.floor((2 * a / edge + b) * u + rate + 0.43)) if edge > 0 else -1.0
        if edge >= 0.07 and v <= enough:
            return k
        if k < 0 or (edge < 0.013 and v > edge):
            continue
        left = _log(v) + math.log(inverse_alpha) - math.log(a / (edge * edge) + b)
        if left <= -rate + k * math.log(rate) - math.lgamma(k + 1):
            return k


# ---------------------------------------------------------------- binomial

STIRLING = (
    0.0810614667953272, 0.0413406959554092, 0.0276779256849983, 0.02079067210376509,
    0.0166446911898211, 0.0138761288230707, 0.0118967099458917, 0.0104112652619720,
    0.00925546218271273, 0.00833056343336287,
)  # fmt: skip


def binomial(generator: Generator, counts: Array, probabilities: Array) -> Array:
    """For each pair of two flat arrays: how many of `count` trials succeed."""
    kind = counts.dtype.type
    with generator.doubles() as stream:
        pairs = zip(counts, probabilities, strict=True)
        return np.array([_binomial(count, p, kind, stream) for count, p in pairs], counts.dtype)


def _binomial(count: np.floating, p: np.floating, kind: type, stream: Stream) -> float:
    if count <= 0 or p <= 0:
        return 0.0
    if p >= 1:
        return float(count)
    if p > 0.5:
        return float(count) - _binomial(count, kind(1.0 - float(p)), kind, stream)
    if count * p >= 10:
        return _binomial_rejection(count, p, stream)
    if not p > 0:  # NaN
        return math.nan
    log_failure, trials, successes = math.log1p(-float(p)), 0.0, -1
    while trials <= count:
        trials += math.ceil(_log(next(stream)) / log_failure)
        successes += 1
    return successes


def _binomial_rejection(count: np.floating, p: np.floating, stream: Stream) -> float:
    """BTRS (Hörmann, The generation of binomial random variates, 1993)."""
    deviation = float(np.sqrt(count * p * (1 - p)))
    center, odds = float(count * p) + 0.5, float(p / (1 - p))
    m = float(np.floor((count + 1) * p))
    n = float(count)
    b = 1.15 + 2.53 * deviation
    a = -0.0873 + 0.0248 * b + 0.01 * float(p)
    enough = 0.92 - 4.2 / b
    alpha = (2.83 + 5.1 / b) * deviation
    while True:
        u, v = next(stream) - 0.5, next(stream)
        edge = 0.5 - abs(u)
        k = float(math.floor((2 * a / edge + b) * u + center)) if edge > 0 else -1.0
        if k < 0 or k > n:
            continue
        if edge >= 0.07 and v <= enough:
            return k
        bound = (
            (m + 0.5) * math.log((m + 1) / (odds * (n - m + 1)))
            + (n + 1) * math.log((n - m + 1) / (n - k + 1))
            + (k + 0.5) * math.log(odds * (n - k + 1) / (k + 1))
            + (_stirling(m) + _stirling(n - m) - _stirling(k) - _stirling(n - k))
        )
        if _log(v * alpha / (a / (edge * edge) + b)) <= bound:
            return k


def _stirling(k: float) -> float:
    """What Stirling's formula leaves out of log k!."""
    if k < len(STIRLING):
        return STIRLING[int(k)]
    square = (k + 1) * (k + 1)
    return (1 / 12 - (1 / 360 - 1 / 1260 / square) / square) / (k + 1)


# ---------------------------------------------------------------- multinomial


def choose(weights: Array, noise: Array, n: int) -> Array:
    """n different columns for each row, likelier where the weight is larger (the Gumbel trick).

    The n largest of weight / noise, where the noise is exponentially distributed.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        scores = weights / noise
    if n == 1:
        return scores.argmax(-1, keepdims=True)
    if n < scores.shape[-1] // 8:
        best = np.argpartition(scores, -n, axis=-1)[..., -n:]
        order = np.argsort(-np.take_along_axis(scores, best, -1), axis=-1, kind="stable")
        return np.take_along_axis(best, order, -1)
    return np.argsort(-scores, axis=-1, kind="stable")[..., :n]


def choose_with_replacement(generator: Generator, weights: Array, n: int) -> Array:
    """n columns, drawn independently, for each row of a matrix."""
    wide = weights.astype(f32) if weights.dtype.itemsize == 2 else weights
    levels = np.add.accumulate(wide, axis=-1)
    levels /= levels[:, -1:].copy()
    levels[:, -1] = 1
    points = draws.unit64(generator, len(levels) * n).reshape(-1, n)
    rows = [row.searchsorted(u) for row, u in zip(levels.astype(f64), points, strict=True)]
    return np.array(rows, np.int64).reshape(-1, n)
