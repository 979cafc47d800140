"""Orthogonal polynomials by their three-term recurrences, DLMF 18.9.

Each row is p₁(x) and the step from pₖ₋₁, pₖ to pₖ₊₁; p₀ = 1. The degree is an array as well: every
element takes its value when the recurrence comes by.
"""

from collections.abc import Callable
from typing import Any

from .common import Array, in_float64

First = Callable[[Array], Array]
Step = Callable[[int, Array, Array, Array], Array]


def _family(doc: str, first: First, step: Step, shifted: bool = False) -> Callable[..., Array]:
    @in_float64
    def evaluate(xp: Any, x: Array, n: Array) -> Array:
        x = 2 * x - 1 if shifted else x
        degree = xp.where(xp.isfinite(n), xp.trunc(n), -1)
        before, now = xp.ones_like(x), first(x)
        result = xp.where(degree == 0, before, 0)
        highest = int(degree.max(initial=0))
        for k in range(1, highest + 1):
            chosen = degree == k
            if chosen.any():
                result = xp.where(chosen, now, result)
            before, now = now, step(k, x, now, before)
        return result

    evaluate.__doc__ = doc
    return evaluate


def _chebyshev(k: int, x: Array, now: Array, before: Array) -> Array:
    return 2 * x * now - before


chebyshev_t = _family("Tₙ(cos θ) = cos nθ", lambda x: x, _chebyshev)
chebyshev_u = _family("Uₙ(cos θ) = sin (n+1)θ / sin θ", lambda x: 2 * x, _chebyshev)
chebyshev_v = _family("Vₙ(cos θ) = cos (n+½)θ / cos θ/2", lambda x: 2 * x - 1, _chebyshev)
chebyshev_w = _family("Wₙ(cos θ) = sin (n+½)θ / sin θ/2", lambda x: 2 * x + 1, _chebyshev)
shifted_chebyshev_t = _family("Tₙ(2x - 1)", lambda x: x, _chebyshev, shifted=True)
shifted_chebyshev_u = _family("Uₙ(2x - 1)", lambda x: 2 * x, _chebyshev, shifted=True)
shifted_chebyshev_v = _family("Vₙ(2x - 1)", lambda x: 2 * x - 1, _chebyshev, shifted=True)
shifted_chebyshev_w = _family("Wₙ(2x - 1)", lambda x: 2 * x + 1, _chebyshev, shifted=True)
hermite_h = _family(
    "Hₙ, orthogonal for e^(-x²)",
    lambda x: 2 * x,
    lambda k, x, now, before: 2 * x * now - 2 * k * before,
)
hermite_he = _family(
    "Heₙ, orthogonal for e^(-x²/2)",
    lambda x: x,
    lambda k, x, now, before: x * now - k * before,
)
laguerre_l = _family(
    "Lₙ, orthogonal for e⁻ˣ",
    lambda x: 1 - x,
    lambda k, x, now, before: ((2 * k + 1 - x) * now - k * before) / (k + 1),
)
legendre_p = _family(
    "Pₙ, orthogonal on [-1, 1]",
    lambda x: x,
    lambda k, x, now, before: ((2 * k + 1) * x * now - k * before) / (k + 1),
)
