"""The array namespace of symbolic execution: NumPy's names, each writing into a graph.

What is not here, or asks for a number, raises `Unlowerable`; such a call stays one that Python
makes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from typing import Any

import numpy as np

from .algebra import Unlowerable, broadcast, converted, taken
from .ir import TABLE, Graph, Value
from .structures import STRUCTURES, Structure
from .symbols import Symbol, axes_of, kind_of, reduced, stored, symbol
from .types import is_float

UFUNCS = {  # NumPy's name -> that of the scalar operation
    "add": "add", "subtract": "sub", "multiply": "mul", "negative": "neg", "absolute": "abs",
    "abs": "abs", "maximum": "max", "minimum": "min", "sign": "sign", "square": "square",
    "floor": "floor", "ceil": "ceil", "rint": "rint", "trunc": "trunc",
    "less": "lt", "less_equal": "le", "greater": "gt", "greater_equal": "ge", "equal": "eq",
    "not_equal": "ne", "isnan": "isnan", "isinf": "isinf", "isfinite": "isfinite",
    "logical_and": "and", "logical_or": "or", "logical_xor": "xor", "logical_not": "not",
    "bitwise_and": "and", "bitwise_or": "or", "bitwise_xor": "xor", "invert": "not",
    "bitwise_not": "not", "floor_divide": "floor_divide", "remainder": "remainder",
    "mod": "remainder", "fmod": "fmod", "copysign": "copysign", "fmax": "fmax", "fmin": "fmin",
}  # fmt: skip
FLOATING = {  # those whose results are floats
    "divide": "div", "true_divide": "div", "sqrt": "sqrt", "exp": "exp", "exp2": "exp2",
    "expm1": "expm1", "log": "log", "log2": "log2", "log10": "log10", "log1p": "log1p",
    "sin": "sin", "cos": "cos", "tan": "tan", "sinh": "sinh", "cosh": "cosh", "tanh": "tanh",
    "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arcsinh": "asinh",
    "arccosh": "acosh", "arctanh": "atanh", "arctan2": "atan2", "power": "pow",
    "float_power": "pow", "erf": "erf", "erfc": "erfc", "sigmoid": "sigmoid",
    "reciprocal": "reciprocal",
}  # fmt: skip
OF_TYPES = (
    "finfo", "iinfo", "result_type", "promote_types", "dtype", "errstate", "broadcast_shapes",
    "issubdtype", "can_cast",
)  # fmt: skip
FUNCTIONS: dict[str, Callable[..., Any]] = {}


class Tracer:
    """The `xp` of symbolic execution."""

    def __init__(self, graph: Graph):
        self.graph = graph

    def __getattr__(self, name: str) -> Any:
        if name in UFUNCS or name in FLOATING:
            return partial(_elementwise, self, name)
        if name in FUNCTIONS:
            return partial(FUNCTIONS[name], self)
        if name in STRUCTURES:
            return partial(_structured, self, STRUCTURES[name])
        if name == "newaxis":
            return None
        found = getattr(np, name, None)
        if name in OF_TYPES or isinstance(found, (int, float, type)):
            return found
        raise Unlowerable(f"the function {name!r}")


def run(xp: Tracer, meaning: Callable, args: Sequence[Any]) -> tuple[Value, ...]:
    """The values that a meaning gives for arguments whose arrays are symbols."""
    found = getattr(meaning, "lower", meaning)(xp, *args)
    results = found if isinstance(found, tuple) else (found,)
    return tuple([symbol(xp, r).value for r in results])


# ---------------------------------------------------------------- elementwise


def _elementwise(
    xp: Tracer, name: str, *args: Any, out: Any = None, where: Any = True, dtype: Any = None,
    **rest: Any,
) -> Symbol:  # fmt: skip
    """A ufunc: operands brought to one type and shape."""
    if where is not True or rest or dtype is not None:
        raise Unlowerable(f"{name} with {sorted({'where', 'dtype', *rest})}")
    common = _common(*args)
    floats = name in FLOATING
    if name.startswith("logical"):
        common = np.dtype(bool)
    elif floats and common.kind in "iub":
        common = np.true_divide(common.type(1), common.type(1)).dtype
    op = (FLOATING if floats else UFUNCS)[name]
    values = _alike(xp, args, common)
    return stored(Symbol(xp, computed(xp.graph, op, *values)), out)


def _common(*args: Any) -> np.dtype:
    """The dtype that arrays and numbers combine to."""
    kinds = [a.dtype if isinstance(a, (Symbol, np.ndarray, np.generic)) else a for a in args]
    return np.result_type(*kinds)


def _alike(xp: Tracer, args: Sequence[Any], common: np.dtype) -> list[Value]:
    """The arguments' values in one type and shape."""
    kind = kind_of(common)
    values = [converted(xp.graph, symbol(xp, a, common).value, kind) for a in args]
    shape = np.broadcast_shapes(*[v.shape for v in values])
    return [broadcast(xp.graph, v, shape) for v in values]


def computed(graph: Graph, op: str, *values: Value) -> Value:
    """The value of a scalar operation."""
    if op not in TABLE:
        raise Unlowerable(f"the operation {op}")
    return graph.add(op, *values)


def function(of: Callable) -> Callable:
    """Adds a function of the namespace; its first argument is the tracer."""
    FUNCTIONS[of.__name__.strip("_")] = of
    return of


@function
def where(xp: Tracer, condition: Any, a: Any, b: Any) -> Symbol:
    """a where the condition holds, else b."""
    test = symbol(xp, condition).astype(bool, copy=False).value
    pair = _alike(xp, (a, b), _common(a, b))
    shape = np.broadcast_shapes(test.shape, pair[0].shape)
    return Symbol(
        xp, xp.graph.add("where", *[broadcast(xp.graph, v, shape) for v in (test, *pair)])
    )


@function
def clip(xp: Tracer, x: Any, low: Any = None, high: Any = None, out: Any = None) -> Symbol:
    """At least `low`, at most `high`."""
    x = x if low is None else xp.maximum(x, low)
    return stored(x if high is None else xp.minimum(x, high), out)


# ---------------------------------------------------------------- what arrays have as methods too


def _method(xp: Tracer, x: Any, *args: Any, name: str, **kwargs: Any) -> Any:
    return getattr(symbol(xp, x), name)(*args, **kwargs)


for _name in (
    "sum", "max", "min", "any", "all", "argmax", "argmin", "reshape", "transpose", "swapaxes",
    "ravel", "squeeze", "copy", "astype",
):  # fmt: skip
    FUNCTIONS[_name] = partial(_method, name=_name)
FUNCTIONS["amax"], FUNCTIONS["amin"] = FUNCTIONS["max"], FUNCTIONS["min"]
FUNCTIONS["permute_dims"] = FUNCTIONS["transpose"]


@function
def prod_(xp: Tracer, x: Any, axis: Any = None, keepdims: bool = False) -> Symbol:
    """The product over axes."""
    return reduced(symbol(xp, x), "prod", axis, keepdims)


@function
def mean(xp: Tracer, x: Any, axis: Any = None, keepdims: bool = False) -> Symbol:
    """The sum over axes divided by their number of elements."""
    if x.dtype.kind != "f":
        raise Unlowerable(f"mean of {x.dtype}")
    count = prod([x.shape[a] for a in axes_of(axis, x.ndim)])
    return x.sum(axis, keepdims=keepdims) / x.dtype.type(count)


@function
def shape(xp: Tracer, x: Any) -> tuple[int, ...]:
    """The extents."""
    return x.shape


@function
def ndim(xp: Tracer, x: Any) -> int:
    """The number of axes."""
    return x.ndim


# ---------------------------------------------------------------- products


@function
def matmul(xp: Tracer, a: Any, b: Any, out: Any = None) -> Symbol:
    """Matrix products with NumPy's rules for vectors and batches."""
    a, b = symbol(xp, a), symbol(xp, b)
    common = _common(a, b)
    if not is_float(kind_of(common)):
        raise Unlowerable(f"a matrix product of {common}")
    a, b = a.astype(common, copy=False), b.astype(common, copy=False)
    ends = (*a.shape[-2:-1], *b.shape[-1:]) if b.ndim > 1 else a.shape[-2:-1]
    a, b = a[None] if a.ndim == 1 else a, b[:, None] if b.ndim == 1 else b
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    if b.ndim == 2:  # one matrix for all: the rows of the batch are rows
        a = a.reshape(-1, a.shape[-1])
        left, right = a.value, b.value
    else:
        left = broadcast(xp.graph, a.value, (*batch, *a.shape[-2:]))
        right = broadcast(xp.graph, b.value, (*batch, *b.shape[-2:]))
    return stored(Symbol(xp, xp.graph.add("product", left, right)).reshape(*batch, *ends), out)


FUNCTIONS["vecdot"] = lambda xp, a, b: matmul(xp, a, b)


@function
def dot(xp: Tracer, a: Any, b: Any, out: Any = None) -> Symbol:
    """The product of vectors and matrices."""
    if a.ndim > 2 or b.ndim > 2 or not (a.ndim and b.ndim):
        raise Unlowerable("dot of more than two axes")
    return matmul(xp, a, b, out)


@function
def outer(xp: Tracer, a: Any, b: Any) -> Symbol:
    """a[i] b[j]."""
    return a.reshape(-1, 1) * b.reshape(1, -1)


# ---------------------------------------------------------------- structures


def _structured(xp: Tracer, of: Structure, *args: Any, **attr: Any) -> Any:
    """An operation with kernels of its own: arrays, then static arguments."""
    arrays = [a for a in args if isinstance(a, (Symbol, np.ndarray))]
    attr |= zip(of.statics, args[len(arrays) :])
    graph, values = xp.graph, [symbol(xp, a).value for a in arrays]
    given = tuple(sorted(attr.items()))
    forms = of.rule([(v.kind, v.shape) for v in values], given)
    first = graph.add(of.name, *values, attr=given)
    rest = [graph.add("pick", first, attr=(i, *forms[i])) for i in range(1, len(forms))]
    found = tuple([Symbol(xp, v) for v in (first, *rest)])
    return found if rest else found[0]


# ---------------------------------------------------------------- views


@function
def matrix_transpose(xp: Tracer, x: Any) -> Symbol:
    """The last two axes swapped."""
    return x.mT


@function
def moveaxis(xp: Tracer, x: Any, source: Any, destination: Any) -> Symbol:
    """Axes moved elsewhere, the others in their order."""
    a = [source] if isinstance(source, int) else list(source)
    b = [destination] if isinstance(destination, int) else list(destination)
    a, b = [i % x.ndim for i in a], [i % x.ndim for i in b]
    order = [i for i in range(x.ndim) if i not in a]
    for to, axis in sorted(zip(b, a)):
        order.insert(to, axis)
    return x.transpose(order)


@function
def expand_dims(xp: Tracer, x: Any, axis: Any) -> Symbol:
    """New axes of length 1."""
    axes = [axis] if isinstance(axis, int) else list(axis)
    total = x.ndim + len(axes)
    at = {a % total for a in axes}
    rest = iter(x.shape)
    return x.reshape([1 if i in at else next(rest) for i in range(total)])


@function
def broadcast_to(xp: Tracer, x: Any, shape: Any) -> Symbol:
    """x repeated to a shape."""
    x = symbol(xp, x)
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    return x.view_of(broadcast(xp.graph, x.value, shape))


@function
def broadcast_arrays(xp: Tracer, *arrays: Any) -> list[Symbol]:
    """All repeated to one shape."""
    shape = np.broadcast_shapes(*[a.shape for a in arrays])
    return [broadcast_to(xp, a, shape) for a in arrays]


@function
def flip(xp: Tracer, x: Any, axis: Any = None) -> Symbol:
    """Axes backwards."""
    axes = axes_of(axis, x.ndim)
    return x[tuple(slice(None, None, -1 if i in axes else 1) for i in range(x.ndim))]


@function
def split(xp: Tracer, x: Any, parts: Any, axis: int = 0) -> list[Symbol]:
    """Cut at positions, or into equal parts."""
    n = x.shape[axis]
    cuts = [n * i // parts for i in range(1, parts)] if isinstance(parts, int) else list(parts)
    found, key = [], [slice(None)] * x.ndim
    for start, stop in zip([0, *cuts], [*cuts, n]):
        key[axis] = slice(start, stop)
        found.append(x[tuple(key)])
    return found


# ---------------------------------------------------------------- arrays made and joined


@function
def concatenate(xp: Tracer, arrays: Any, axis: int = 0, out: Any = None) -> Symbol:
    """Arrays one after another along an axis."""
    arrays = [symbol(xp, a) for a in arrays]
    kind = kind_of(_common(*arrays))
    values = [converted(xp.graph, a.value, kind) for a in arrays]
    if len(values) > 1:
        values = [xp.graph.add("concat", *values, attr=axis % arrays[0].ndim)]
    return stored(Symbol(xp, values[0]), out)


@function
def stack(xp: Tracer, arrays: Any, axis: int = 0) -> Symbol:
    """Arrays along a new axis."""
    return concatenate(xp, [expand_dims(xp, symbol(xp, a), axis) for a in arrays], axis)


@function
def asarray(xp: Tracer, x: Any, dtype: Any = None, **_: Any) -> Symbol:
    """Anything as an array."""
    x = symbol(xp, x, dtype)
    return x if dtype is None else x.astype(dtype, copy=False)


for _name in ("array", "ascontiguousarray", "asanyarray"):
    FUNCTIONS[_name] = asarray


@function
def full(xp: Tracer, shape: Any, number: Any, dtype: Any = None) -> Symbol:
    """One number everywhere."""
    shape = (shape,) if isinstance(shape, (int, np.integer)) else tuple(map(int, shape))
    value = symbol(xp, number, dtype).value
    if dtype is not None:
        value = converted(xp.graph, value, kind_of(dtype))
    return Symbol(xp, broadcast(xp.graph, value, shape))


def _constant(xp: Tracer, shape: Any, dtype: Any = float, number: int = 0) -> Symbol:
    return full(xp, shape, number, dtype)


def _in_its_form(
    xp: Tracer, x: Any, dtype: Any = None, shape: Any = None, number: int = 0, **_: Any
):
    return full(xp, x.shape if shape is None else shape, number, dtype or x.dtype)


for _name, _number in (("zeros", 0), ("ones", 1), ("empty", 0)):
    FUNCTIONS[_name] = partial(_constant, number=_number)
    FUNCTIONS[f"{_name}_like"] = partial(_in_its_form, number=_number)


@function
def full_like(xp: Tracer, x: Any, number: Any, dtype: Any = None, shape: Any = None) -> Symbol:
    """One number in the form of x."""
    return full(xp, x.shape if shape is None else shape, number, dtype or x.dtype)


@function
def arange(xp: Tracer, *args: Any, dtype: Any = None) -> Symbol:
    """0, 1, 2, ..."""
    found = np.arange(*args, dtype=dtype)
    if found.dtype == np.int64 and len(args) == 1:
        return Symbol(xp, xp.graph.add("iota", attr=((int(args[0]),), 0)))
    return symbol(xp, found)


def _triangle(xp: Tracer, x: Any, k: int = 0, op: str = "") -> Symbol:
    """x on one side of its k-th diagonal, else zero."""
    graph = xp.graph
    row, column = (graph.add("iota", attr=(x.shape, x.ndim - 2 + i)) for i in (0, 1))
    edge = broadcast(graph, graph.constant(k, "i64"), x.shape)
    inside = graph.add(op, column, graph.add("add", row, edge))
    return where(xp, Symbol(xp, inside), x, x.dtype.type(0))


FUNCTIONS["tril"], FUNCTIONS["triu"] = partial(_triangle, op="le"), partial(_triangle, op="ge")


# ---------------------------------------------------------------- elements by number


@function
def take(xp: Tracer, x: Any, index: Any, axis: int | None = None) -> Symbol:
    """Rows, columns, ... by number."""
    index = symbol(xp, index)
    if axis is None or index.dtype != np.int64:
        raise Unlowerable("take without an axis")
    return Symbol(xp, taken(xp.graph, x.value, index.value, axis % x.ndim))


@function
def take_along_axis(xp: Tracer, x: Any, index: Any, axis: int = -1) -> Symbol:
    """x[i, index[i, j]]."""
    index = symbol(xp, index)
    if index.dtype != np.int64:
        raise Unlowerable(f"an index of {index.dtype}")
    axis %= x.ndim
    shape = [m if i == axis else n for i, (n, m) in enumerate(zip(x.shape, index.shape))]
    whole = broadcast(xp.graph, index.value, tuple(shape))
    follows = tuple(None if a == axis else a for a in range(x.ndim))
    return Symbol(xp, xp.graph.add("gather", x.value, whole, attr=(axis, follows)))
