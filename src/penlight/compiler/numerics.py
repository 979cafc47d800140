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

from .attending import attention, attention_backward  # noqa: F401
from .convolving import convolve, convolve_input, convolve_weight  # noqa: F401
from .pooling import (  # noqa: F401
    avg_pool,
    avg_pool_backward,
    max_pool,
    max_pool_backward,
    max_pool_numbered,
)
from .scattering import add_at, add_rows, rows  # noqa: F401

LARGE = 1 << 16  # elements from which on several threads are worth waking
KINDS = {"f": "f32", "d": "f64"}  # NumPy's letters of the element types that kernels know


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


def _char(x: Any) -> str:
    """The letter of an array's element type; nothing for a Python number."""
    return x.dtype.char if hasattr(x, "dtype") else ""


# ------------------------------------------------------------ element by element


def _ufunc(op: str, plain: Callable) -> Callable:
    """Our ufunc of an operation; NumPy's function where there is no compiler."""
    if not available():
        return plain
    from . import ufuncs

    return ufuncs.pointwise(op)


@cache
def _threaded(op: str, char: str) -> Callable[..., None] | None:
    """A kernel for large contiguous arrays; it takes the arrays, the result, their size."""
    if not available():
        return None
    from . import runtime
    from .kernels.pointwise import Flat

    return runtime.kernel(Flat(op, KINDS[char]))


def _unary(name: str, op: str, plain: Callable) -> Callable:
    """A function of one array by our kernels, else `plain`."""
    ours: Any = None

    def function(x: Any, out: Any = None) -> Any:
        nonlocal ours
        try:
            char = x.dtype.char
        except AttributeError:
            return plain(x, out=out)
        if char not in KINDS:
            return plain(x, out=out)
        if x.size >= LARGE and _in_line(x, out) and (kernel := _threaded(op, char)):
            out = np.empty(x.shape, x.dtype) if out is None else out
            kernel(x, out, x.size)
            return out
        if ours is None:
            ours = _ufunc(op, plain)
        return ours(x) if out is None else ours(x, out)

    return _documented(function, name)


def _in_line(x: Any, out: Any) -> bool:
    """Whether argument and result are plain arrays of one form whose elements lie in order."""
    return _dense(x) and (
        out is None
        or (_dense(out) and out.flags.writeable and out.dtype is x.dtype and out.shape == x.shape)
    )


def _dense(x: Any) -> bool:
    return type(x) is np.ndarray and x.flags.c_contiguous


def _binary(name: str, op: str, plain: Callable) -> Callable:
    """A function of two arrays of one type, or of an array and a number."""
    ours: Any = None

    def function(x: Any, y: Any, out: Any = None) -> Any:
        nonlocal ours
        try:
            found = x.dtype.char
            alike = y.dtype.char == found
        except AttributeError:  # one of them is a number
            found, alike = _char(x) or _char(y), None
        if found not in KINDS or alike is False:
            return plain(x, y, out=out)
        if alike and x.size >= LARGE and x.shape == y.shape and _dense(y) and _in_line(x, out):
            kernel = _threaded(op, found)
            if kernel is not None:
                out = np.empty(x.shape, x.dtype) if out is None else out
                kernel(x, y, out, x.size)
                return out
        if ours is None:
            ours = _ufunc(op, plain)
        return ours(x, y) if out is None else ours(x, y, out)

    return _documented(function, name)


def _documented(function: Callable, name: str) -> Callable:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"np.{name}, by our kernels where they know the element type."
    return function


for _name, _op in {
    "exp": "exp", "exp2": "exp2", "expm1": "expm1", "log": "log", "log2": "log2",
    "log10": "log10", "log1p": "log1p", "sin": "sin", "cos": "cos", "tan": "tan",
    "arcsin": "asin", "arccos": "acos", "arctan": "atan", "sinh": "sinh", "cosh": "cosh",
    "tanh": "tanh", "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh",
}.items():  # fmt: skip
    globals()[_name] = _unary(_name, _op, getattr(np, _name))
arctan2 = _binary("arctan2", "atan2", np.arctan2)
power = _binary("power", "pow", np.power)
relu = _unary("relu", "relu", lambda x, out=None: np.maximum(x, x.dtype.type(0), out=out))
passed = _binary("passed", "passed", lambda a, b, out=None: np.where(b <= 0, a.dtype.type(0), a))


PLAIN: dict[str, Callable] = {}  # of functions that NumPy lacks; the ops bring them


def _brought(name: str) -> Callable:
    return lambda x, out=None: PLAIN[name](x)


erf, erfc = (_unary(name, name, _brought(name)) for name in ("erf", "erfc"))
sigmoid = _unary("sigmoid", "sigmoid", lambda x, out=None: np.reciprocal(1 + np.exp(-x), out=out))


# ------------------------------------------------------------ products


@cache
def _matmul() -> Callable:
    if not available():
        return np.matmul
    from . import products

    return products.matmul


def matmul(a: Any, b: Any, out: Any = None) -> Any:
    """np.matmul, each sum as one chain of fused multiplications and additions."""
    if type(a) is np.ndarray and type(b) is np.ndarray:
        return _matmul()(a, b, out)
    return np.matmul(a, b, out)


# ------------------------------------------------------------ reductions


@cache
def _reduction(name: str, axes: int) -> np.ufunc:
    from . import ufuncs

    return ufuncs.reduction(name, axes)


def _ours(x: Any, dtype: Any) -> bool:
    """Whether x is ours to reduce."""
    char = x.dtype.char if type(x) is np.ndarray else _char(x)
    return char in KINDS and (dtype is None or dtype is x.dtype or dtype == x.dtype) and available()


def sum(
    x: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False
) -> Any:
    """np.sum, in the order of arithmetic that all kernels share."""
    if axis is None and dtype is None and type(x) is np.ndarray and out is None and not keepdims:
        if x.dtype.char in KINDS and available():  # the common case, by the shortest road
            return _reduction("sum", 1)(x.reshape(-1))
    if not _ours(x, dtype):
        return np.add.reduce(x, axis, dtype, out, keepdims)  # type: ignore[call-overload]
    return _reduce("sum", x, axis, out, keepdims)


def prod(
    x: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False
) -> Any:
    """np.prod, in the order of arithmetic that all kernels share."""
    if not _ours(x, dtype):
        return np.multiply.reduce(x, axis, dtype, out, keepdims)  # type: ignore[call-overload]
    return _reduce("prod", x, axis, out, keepdims)


def max(
    x: Any, axis: Any = None, out: Any = None, keepdims: bool = False, initial: Any = None
) -> Any:
    """np.max; of floats by our kernels, which are faster along a short axis."""
    if not _ours(x, None) or initial not in (None, -math.inf) or not (x.size or initial):
        how = {} if initial is None else {"initial": initial}
        return np.max(x, axis, out, keepdims, **how)
    return _reduce("max", x, axis, out, keepdims)


def min(
    x: Any, axis: Any = None, out: Any = None, keepdims: bool = False, initial: Any = None
) -> Any:
    """np.min; of floats by our kernels."""
    if not _ours(x, None) or initial not in (None, math.inf) or not (x.size or initial):
        how = {} if initial is None else {"initial": initial}
        return np.min(x, axis, out, keepdims, **how)
    return _reduce("min", x, axis, out, keepdims)


def mean(
    x: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False
) -> Any:
    """The sum by the number of elements."""
    if not _ours(x, dtype):
        return np.mean(x, axis, dtype, out, keepdims)
    total = _reduce("sum", x, axis, out, keepdims)
    return np.divide(total, x.dtype.type(x.size // (total.size or 1)), out=out)


def _reduce(name: str, x: Any, axis: Any, out: Any, keepdims: bool) -> Any:
    if not x.ndim:
        x, axis, keepdims = x.reshape(1), 0, False
    elif type(axis) is tuple and len(axis) == 1:
        (axis,) = axis
    if axis is None and not keepdims:
        found = _reduction(name, 1)(x.reshape(-1))
    elif axis is None or type(axis) is tuple:
        axes = range(x.ndim) if axis is None else sorted(a % x.ndim for a in axis)
        found = _reduce_several(name, x, list(axes))
        if keepdims:
            found = found.reshape([1 if a in axes else n for a, n in enumerate(x.shape)])
    elif axis == x.ndim - 1 and not keepdims:
        found = _reduction(name, 1)(x)
    else:
        found = _reduction(name, 1)(x, axis=axis, keepdims=keepdims)
    if out is None:
        return found
    out[...] = found
    return out


def _reduce_several(name: str, x: Any, axes: list[int]) -> Any:
    """Along several axes, neighbours of which become one."""
    if len(axes) == x.ndim:
        return _reduction(name, 1)(x.reshape(-1))
    if not axes:
        return x + x.dtype.type(0)
    groups: list[list[int]] = []
    for axis in axes:
        if groups and groups[-1][-1] == axis - 1:
            groups[-1].append(axis)
        else:
            groups.append([axis])
    if len(groups) > 2:
        kept = [a for a in range(x.ndim) if a not in axes]
        shape = [x.shape[a] for a in kept]
        count = math.prod(x.shape[a] for a in axes)
        return _reduction(name, 1)(x.transpose(*kept, *axes).reshape(*shape, count))
    shape, places, start = [], [], 0
    for group in groups:
        shape += x.shape[start : group[0]]
        places.append(len(shape))
        start = group[-1] + 1
        shape.append(math.prod(x.shape[group[0] : start]))
    merged = x.reshape(*shape, *x.shape[start:])
    if len(places) == 2:
        return _reduction(name, 2)(merged, axes=[tuple(places), ()])
    return _reduction(name, 1)(merged, axis=places[0])
