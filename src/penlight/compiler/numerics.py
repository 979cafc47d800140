"""The array namespace that ops compute with: NumPy, with its inexact functions replaced by ours.

Adding, dividing, comparing and taking roots are exact by IEEE 754 and left to NumPy. Everything
whose last bits depend on how it is computed comes from our kernels where the elements are float32
or float64, so that an op gives the same bits alone and inside a compiled program. Other element
types, and processes without llvmlite, have NumPy's own functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np

LARGE = 1 << 16  # elements from which on several threads are worth waking


def __getattr__(name: str) -> Any:
    """What is not ours is NumPy's; kept, so that it is looked up once."""
    if name.startswith("__"):
        raise AttributeError(name)
    found = globals()[name] = getattr(np, name)
    return found


@cache
def available() -> bool:
    """Whether there is a compiler in this process."""
    return find_spec("llvmlite") is not None


# ------------------------------------------------------------ element by element


@cache
def _pointwise(op: str, *kinds: str) -> Any:
    from . import ufuncs

    return ufuncs.pointwise(op, kinds)


@cache
def _threaded(op: str, char: str) -> Callable[..., None]:
    """A kernel for large contiguous arrays; it takes the arrays, the result, their size."""
    from . import runtime
    from .kernels.pointwise import Flat

    return runtime.kernel(Flat(op, KINDS[char]))


KINDS = {"f": "f32", "d": "f64"}


def _unary(name: str, op: str, plain: Callable) -> Callable:
    """A function of one array by our kernels, else by NumPy's `plain`."""
    found = None

    def function(x: Any, /, out: Any = None, **how: Any) -> Any:
        nonlocal found
        if getattr(x, "dtype", _NONE).char not in KINDS or not available():
            return plain(x, out=out, **how)
        if x.size >= LARGE and out is None and not how and x.flags.c_contiguous:
            if type(x) is np.ndarray:
                out = np.empty(x.shape, x.dtype)
                _threaded(op, x.dtype.char)(x, out, x.size)
                return out
        if found is None:
            found = _pointwise(op, "f32", "f64")
        return found(x, out, **how)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"np.{name}, computed by our kernels."
    return function
