"""What the special functions share: float64 inside, pieces of the real line, polynomials."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

Array = Any
Function = Callable[..., Array]


def in_float64(f: Function) -> Function:
    """f over float64 arrays that broadcast, from and to arrays of any real floating dtype."""

    @wraps(f)
    def wrapped(xp: Any, *args: Array) -> Array:
        arrays = [xp.asarray(a) for a in args]
        dtype = xp.result_type(*arrays)
        wide = xp.broadcast_arrays(*(a.astype(xp.float64, copy=False) for a in arrays))
        with xp.errstate(all="ignore"):
            result = f(xp, *(a.reshape(-1) for a in wide))
        return result.astype(dtype, copy=False).reshape(wide[0].shape)

    return wrapped


def piecewise(args: Sequence[Array], *pieces: tuple[Array, Function], otherwise: Function) -> Array:
    """Each element by the first piece whose mask holds, so that no formula leaves its domain."""
    result = args[0].copy()
    left = ~pieces[0][0]
    for n, (mask, f) in enumerate(pieces):
        chosen = mask if n == 0 else mask & left
        if chosen.any():
            result[chosen] = f(*(a[chosen] for a in args))
        left &= ~mask
    if left.any():
        result[left] = otherwise(*(a[left] for a in args))
    return result


def polynomial(x: Array, coefficients: Sequence[float]) -> Array:
    """Σ cₖ xⁿ⁻ᵏ by Horner's rule: the highest power first."""
    y = x * coefficients[0] + coefficients[1]
    for c in coefficients[2:]:
        y *= x
        y += c
    return y
