"""A line search for L-BFGS: how far to go along a direction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ..core.tensor import Tensor

DECREASE, FLATNESS = 1e-4, 0.9  # the Wolfe conditions' constants c₁ and c₂
NARROWEST = 1e-9  # a bracket shorter than this is not searched further


class Point(NamedTuple):
    """A place on the line: how far out, the function there, its gradient, its slope along d."""

    t: Any
    f: float
    g: Tensor
    slope: Any


def strong_wolfe(
    evaluate: Callable[[Any], tuple[float, Tensor]],
    t: Any,
    d: Tensor,
    f: float,
    g: Tensor,
    slope: Tensor,
    max_evaluations: int,
) -> tuple[float, Tensor, Any, int]:
    """A step t along d where f is lower and the slope flatter (the strong Wolfe conditions).

    `evaluate(t)` gives the function and its gradient at t; f, g and slope are those at 0, and the
    first t is where to try first. Returns f, g and t of the point found, and the evaluations made.

    Source: Nocedal and Wright, Numerical Optimization, algorithms 3.5 and 3.6
    """

    def at(t: Any) -> Point:
        f, g = evaluate(t)
        return Point(t, f, g, g.dot(d))

    start = Point(0, f, g, slope)
    previous, new = start, at(t)
    tries = 0
    found = False
    bracket = None
    while tries < max_evaluations:
        if _too_high(new, start) or (tries > 1 and new.f >= previous.f):
            bracket = previous, new
        elif _flat_enough(new, start):
            found, bracket = True, (new, new)
        elif new.slope >= 0:
            bracket = previous, new
        if bracket:
            break
        nearest = new.t + 0.01 * (new.t - previous.t)
        t = _cubic_minimum(previous, new, nearest, new.t * 10)
        previous, new = new, at(t)
        tries += 1
    low, high = sorted(bracket or (start, new), key=lambda point: point.f)
    if not found:
        low, tries = _zoom(at, start, low, high, d.abs().max(), tries, max_evaluations)
    return low.f, low.g, low.t, tries + 1


def _zoom(
    at: Callable[[Any], Point],
    start: Point,
    low: Point,
    high: Point,
    length: Tensor,
    tries: int,
    max_evaluations: int,
) -> tuple[Point, int]:
    """Narrows a bracket until its lower end meets the conditions; that end, and the tries made."""
    stuck = False
    while tries < max_evaluations and abs(high.t - low.t) * length >= NARROWEST:
        left, right = min(low.t, high.t), max(low.t, high.t)
        t = _cubic_minimum(low, high, left, right)
        margin = 0.1 * (right - left)
        if min(right - t, t - left) >= margin:
            stuck = False
        elif stuck or t >= right or t <= left:  # little progress twice: step away from the end
            t = right - margin if abs(t - right) < abs(t - left) else left + margin
            stuck = False
        else:
            stuck = True
        new = at(t)
        tries += 1
        if _too_high(new, start) or new.f >= low.f:
            low, high = sorted((low, new), key=lambda point: point.f)
            continue
        if _flat_enough(new, start):
            return new, tries
        if new.slope * (high.t - low.t) >= 0:
            high = low
        low = new
    return low, tries


def _too_high(point: Point, start: Point) -> bool:
    return bool(point.f > start.f + DECREASE * point.t * start.slope)


def _flat_enough(point: Point, start: Point) -> bool:
    return bool(abs(point.slope) <= -FLATNESS * start.slope)


def _cubic_minimum(a: Point, b: Point, lowest: Any, highest: Any) -> Any:
    """Where the cubic through two points with their slopes is least, within bounds."""
    if a.t > b.t:
        a, b = b, a
    d1 = a.slope + b.slope - 3 * (a.f - b.f) / (a.t - b.t)
    square = d1**2 - a.slope * b.slope
    if square < 0:
        return (lowest + highest) / 2.0
    d2 = square.sqrt()
    t = b.t - (b.t - a.t) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2))
    return min(max(t, lowest), highest)
