"""Writes src/penlight/compiler/coefficients.py: the polynomials of our elementary functions.

Each is the interpolation of a smooth function at the Chebyshev nodes of an interval, which is
within a factor of about two of the best polynomial of its degree, computed in 60 digits and
rounded at the end.  https://en.wikipedia.org/wiki/Chebyshev_nodes
Needs mpmath. Prints the largest error of each, weighted as it enters the function's result.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable

from mpmath import mp, mpf

mp.dps = 60
Function = Callable[[mpf], mpf]
TARGET = pathlib.Path(__file__).parents[1] / "src/penlight/compiler/coefficients.py"
HEAD = '''"""Polynomials, the lowest power first. Written by tools/fit_polynomials.py."""

# fmt: off
'''


def fit(f: Function, low: float, high: float, degree: int) -> list[mpf]:
    """Coefficients, lowest power first."""
    middle, half = (mpf(high) + mpf(low)) / 2, (mpf(high) - mpf(low)) / 2
    n = degree + 1
    nodes = [middle + half * mp.cos(mp.pi * (2 * k + 1) / (2 * n)) for k in range(n)]
    return list(mp.lu_solve(mp.matrix([[x**p for p in range(n)] for x in nodes]), [*map(f, nodes)]))


def error(f: Function, low: float, high: float, found: list[mpf], weight: Function) -> float:
    """The largest weighted error at many points."""
    points = [mpf(low) + (mpf(high) - mpf(low)) * k / 997 for k in range(1, 997)]
    return float(max(abs((mp.polyval(found[::-1], x) - f(x)) * weight(x)) for x in points))


def root(f: Function) -> Function:
    """f as a function of the square of its argument."""
    return lambda z: f(mp.sqrt(z))


def log_rest(z: mpf) -> mpf:
    """R / z, where log((1 + s) / (1 - s)) = 2 s + s R and z = s²."""
    s = mp.sqrt(z)
    return (mp.log((1 + s) / (1 - s)) / s - 2) / z


def log_tail(z: mpf) -> mpf:
    """T, where log((1 + s) / (1 - s)) = 2 s + 2/3 s³ + s⁵ T and z = s²."""
    return (log_rest(z) - mpf(2) / 3) / z


def erfc_scaled(t: mpf) -> mpf:
    """(1 + 2 x) e^(x²) erfc x at x = 3.75 (1 + t) / (1 - t)."""
    x = mpf(3.75) * (1 + t) / (1 - t)
    return (1 + 2 * x) * mp.exp(x * x) * mp.erfc(x)


ONE: Function = lambda x: mpf(1)  # noqa: E731
EXP = (lambda x: (mp.expm1(x) - x) / x**2, -0.35, 0.3501, lambda x: x**2)
TANH = (root(lambda x: (mp.tanh(x) - x) / x**3), 1e-9, 0.4901, lambda z: z)
SINH = (root(lambda x: (mp.sinh(x) - x) / x**3), 1e-9, 1.0001, lambda z: z)
LOG = (log_rest, 1e-9, 0.02945, lambda z: z / 2)
ASIN = (root(lambda x: (mp.asin(x) - x) / x**3), 1e-9, 0.2501, lambda z: z)
ATAN = (root(lambda x: (mp.atan(x) - x) / x**3), 1e-9, 0.1717, lambda z: z)
SIN = (root(lambda x: (mp.sin(x) - x) / x**3), 1e-9, 0.625, lambda z: z)
COS = (root(lambda x: (mp.cos(x) - 1 + x * x / 2) / x**4), 1e-9, 0.625, lambda z: z * z)
ERF = root(lambda x: mp.erf(x) / x - 1)
ERFCX = (erfc_scaled, -0.79, 0.99999, ONE)
TABLE = {
    "EXP_FLOAT": (*EXP, 4), "EXP": (*EXP, 10),
    "TANH_FLOAT": (*TANH, 5), "TANH": (*TANH, 11), "SINH": (*SINH, 6),
    "LOG_FLOAT": (lambda x: (mp.log1p(x) - x + x * x / 2) / x**3, -0.2929, 0.4143,
                  lambda x: x * x, 8),
    "LOG_NARROW": (*LOG, 4), "LOG": (*LOG, 6),
    "LOG_TAIL": (log_tail, 1e-9, 0.02945, lambda z: z * z / 2, 7),
    "ASIN_NARROW": (*ASIN, 6), "ASIN": (*ASIN, 12),
    "ATAN_NARROW": (*ATAN, 5), "ATAN": (*ATAN, 11),
    "SIN_NARROW": (*SIN, 3), "SIN": (*SIN, 6),
    "COS_NARROW": (*COS, 2), "COS": (*COS, 5),
    "ERF_FLOAT": (ERF, 1e-9, 0.85, ONE, 6), "ERF": (ERF, 1e-9, 1.0, ONE, 12),
    "ERFC_LOG": (lambda x: -mp.log(mp.erfc(x)), 0.92, 4.0, lambda x: mp.erfc(x), 8),
    "ERFCX_NARROW": (*ERFCX, 14), "ERFCX": (*ERFCX, 27),
}  # fmt: skip


def main() -> None:
    """Fits, prints the errors, writes the file."""
    lines = []
    for name, (f, low, high, weight, degree) in TABLE.items():
        found = fit(f, low, high, degree)
        print(
            f"{name:14} degree {degree:2}  error 2^{mp.log(error(f, low, high, found, weight), 2)}"[
                :48
            ]
        )
        numbers = "".join(f"    {float(c)!r},\n" for c in found)
        lines.append(f"{name} = (\n{numbers})\n")
    TARGET.write_text(HEAD + "".join(lines))


if __name__ == "__main__":
    main()
