"""The array namespace of symbolic execution: NumPy's names, each writing into a graph.

What is not here, or asks for a number, raises `Unlowerable`; such a call stays one that Python
makes. A function whose last bits depend on how it is computed is traced where `numerics` has its
own, for the element types that this one is for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from math import inf, prod
from typing import Any

import numpy as np

from . import numerics
from .algebra import Unlowerable, broadcast, converted, reshaped
from .ir import TABLE, Graph, Value
from .keys import taken_apart
from .namespace import FUNCTIONS, function
from .structures import STRUCTURES, Structure
from .symbols import Symbol, axes_of, kind_of, stored, symbol
from .types import is_float

UFUNCS = {  # NumPy's name -> that of the scalar operation
    "add": "add", "subtract": "sub", "multiply": "mul", "negative": "neg", "absolute": "abs",
    "abs": "abs", "fabs": "abs", "maximum": "max", "minimum": "min", "sign": "sign",
    "square": "square", "floor": "floor", "ceil": "ceil", "rint": "rint", "trunc": "trunc",
    "less": "lt", "less_equal": "le", "greater": "gt", "greater_equal": "ge", "equal": "eq",
    "not_equal": "ne", "isnan": "isnan", "isinf": "isinf", "isfinite": "isfinite",
    "logical_and": "and", "logical_or": "or", "logical_xor": "xor", "logical_not": "not",
    "bitwise_and": "and", "bitwise_or": "or", "bitwise_xor": "xor", "invert": "not",
    "bitwise_not": "not", "left_shift": "lshift", "right_shift": "rshift",
    "floor_divide": "floor_divide", "remainder": "remainder", "mod": "remainder", "fmod": "fmod",
    "copysign": "copysign", "fmax": "fmax", "fmin": "fmin",
}  # fmt: skip
FLOATING = {  # those whose results are floats
    "divide": "div", "true_divide": "div", "sqrt": "sqrt", "exp": "exp", "exp2": "exp2",
    "expm1": "expm1", "log": "log", "log2": "log2", "log10": "log10", "log1p": "log1p",
    "sin": "sin", "cos": "cos", "tan": "tan", "sinh": "sinh", "cosh": "cosh", "tanh": "tanh",
    "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arcsinh": "asinh",
    "arccosh": "acosh", "arctanh": "atanh", "arctan2": "atan2", "power": "pow", "erf": "erf",
    "erfc": "erfc", "sigmoid": "sigmoid", "reciprocal": "reciprocal",
}  # fmt: skip
EXACT = ("div", "sqrt", "reciprocal")
REDUCED = {
    "add": "sum", "maximum": "max", "minimum": "min", "logical_or": "any", "logical_and": "all",
    "multiply": "prod",
}  # fmt: skip
OF_TYPES = (
    "finfo", "iinfo", "promote_types", "dtype", "errstate", "broadcast_shapes", "issubdtype",
    "can_cast",
)  # fmt: skip


class Tracer:
    """The `xp` of symbolic execution."""

    def __init__(self, graph: Graph):
        self.graph = graph

    def __getattr__(self, name: str) -> Any:
        if name in UFUNCS or name in FLOATING:
            return Function(self, name)
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


@cache
def has_own(name: str) -> bool:
    """Whether `numerics` computes a function itself."""
    return getattr(numerics, name, None) is not getattr(np, name, None)


# ---------------------------------------------------------------- elementwise


class Function:
    """A ufunc of the namespace."""

    __slots__ = ("name", "xp")

    def __init__(self, xp: Tracer, name: str):
        self.xp, self.name = xp, name

    def __call__(self, *args: Any, out: Any = None, where: Any = True, **rest: Any) -> Symbol:
        """Operands are brought to one type and shape; where `where` is false, `out` stays."""
        if len(args) > TABLE[UFUNCS.get(self.name) or FLOATING[self.name]].arity:
            *args, out = args  # type: ignore[assignment]
        if rest or (where is not True and out is None):
            raise Unlowerable(f"{self.name} with {sorted({'where', *rest})}")
        xp, found = self.xp, Symbol(self.xp, _computed(self.xp, self.name, args))
        if where is not True:
            target = out[0] if isinstance(out, tuple) else out
            found = xp.where(where, found, target)
        return stored(found, out)

    def reduce(
        self, x: Any, axis: Any = 0, dtype: Any = None, out: Any = None, keepdims: bool = False,
        **how: Any,
    ) -> Symbol:  # fmt: skip
        """Over axes; that of floats NumPy does in an order of its own."""
        name, x = REDUCED.get(self.name), symbol(self.xp, x)
        if name is None or how or (x.dtype.kind == "f" and name not in ("any", "all")):
            raise Unlowerable(f"{self.name}.reduce of {x.dtype}")
        return reduction(self.xp, x, name, axis, out, keepdims, dtype)

    def at(self, target: Symbol, key: Any, values: Any) -> None:
        """Adds to the elements that a key with index arrays names, to each as often as it does."""
        region, shape, indices = taken_apart(target, key)
        whole = tuple((0, n, 1) for n in target.shape)
        if self.name != "add" or region != whole or shape != target.shape or not indices:
            raise Unlowerable(f"{self.name}.at {key}")
        target.become(self.xp.added_at(target, indices, values))

    def __getattr__(self, name: str) -> Any:
        raise Unlowerable(f"{self.name}.{name}")


def _computed(xp: Tracer, name: str, args: Sequence[Any]) -> Value:
    common = _common(*args)
    if name.startswith("logical"):
        common = np.dtype(bool)
    if name in UFUNCS:
        return computed(xp.graph, UFUNCS[name], *_alike(xp, args, common))
    op = FLOATING[name]
    if op not in EXACT:
        kinds = {a.dtype for a in args if not isinstance(a, (bool, int, float))}
        if len(kinds) > 1 or common.kind != "f" or not has_own(name):
            raise Unlowerable(f"NumPy's {name} of {', '.join(map(str, kinds))}")
    elif common.kind in "iub" and op != "reciprocal":
        common = np.true_divide(common.type(1), common.type(1)).dtype
    return computed(xp.graph, op, *_alike(xp, args, common))


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


@function
def copyto(xp: Tracer, target: Symbol, source: Any, where: Any = True) -> None:
    """Writes into an array, where a mask is true."""
    source = symbol(xp, source, target.dtype).astype(target.dtype, copy=False)
    target.become(source if where is True else xp.where(where, source, target))


@function
def signbit(xp: Tracer, x: Any) -> Symbol:
    """Whether the sign bit is set."""
    return xp.copysign(x.dtype.type(1), x) < 0


@function
def isneginf(xp: Tracer, x: Any) -> Symbol:
    """Whether it is -inf."""
    return symbol(xp, x) == -inf


@function
def isposinf(xp: Tracer, x: Any) -> Symbol:
    """Whether it is inf."""
    return symbol(xp, x) == inf


@function
def positive(xp: Tracer, x: Any) -> Symbol:
    """A copy."""
    return x.copy()


FUNCTIONS["conjugate"] = FUNCTIONS["conj"] = positive


# ---------------------------------------------------------------- reductions


def reduction(
    xp: Tracer, x: Any, name: str, axis: Any, out: Any, keepdims: bool, dtype: Any = None
) -> Symbol:
    """A reduction over axes, as `numerics` does it."""
    x = symbol(xp, x) if dtype is None else symbol(xp, x).astype(dtype, copy=False)
    axes = axes_of(axis, x.ndim) if x.ndim else ()
    if name in ("sum", "prod") and x.dtype.kind in "bi" and dtype is None:
        x = x.astype(np.int64, copy=False)
    if name in ("any", "all"):
        x = x.astype(bool, copy=False)
    if name.startswith("arg") and len(axes) not in (1, x.ndim):
        raise Unlowerable(f"{name} over {axes}")
    if name in ("max", "min", "argmax", "argmin") and not x.size:
        raise Unlowerable(f"{name} of no elements")
    if axes:
        value = xp.graph.add("reduce", x.value, attr=(name, axes))
    elif name.startswith("arg"):
        value = xp.graph.constant(0, "i64")
    else:  # NumPy adds to 0, which makes a 0.0 of -0.0
        adds = x.dtype.kind == "f" and (name == "sum" or (name == "prod" and x.ndim))
        value = (x + x.dtype.type(0)).value if adds else x.value
    if keepdims:
        kept = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
        value = reshaped(xp.graph, value, kept)
    return stored(Symbol(xp, value), out)


def _need_own(name: str, x: Any, dtype: Any = None) -> None:
    """Unlowerable where NumPy reduces floats in its own order."""
    kind = x.dtype if dtype is None else np.dtype(dtype)
    if x.dtype.kind == "f" and (not has_own(name) or kind != x.dtype):
        raise Unlowerable(f"NumPy's {name} of {x.dtype} as {kind}")


@function
def sum_(
    xp: Tracer, x: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False
) -> Symbol:
    """The sum over axes."""
    _need_own("sum", x, dtype)
    return reduction(xp, x, "sum", axis, out, keepdims, dtype)


@function
def prod_(
    xp: Tracer, x: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False
) -> Symbol:
    """The product over axes."""
    _need_own("prod", x, dtype)
    return reduction(xp, x, "prod", axis, out, keepdims, dtype)


@function
def mean(
    xp: Tracer, x: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False
) -> Symbol:
    """The sum over axes divided by their number of elements."""
    _need_own("mean", x, dtype)
    if x.dtype.kind != "f":
        raise Unlowerable(f"mean of {x.dtype}")
    total = reduction(xp, x, "sum", axis, None, keepdims)
    return xp.divide(total, x.dtype.type(x.size // (total.size or 1)), out=out)


def _extremum(
    xp: Tracer, x: Any, axis: Any = None, out: Any = None, keepdims: bool = False,
    initial: Any = None, name: str = "",
) -> Symbol:  # fmt: skip
    """The largest or smallest over axes."""
    _need_own(name, x)
    neutral = -inf if name == "max" else inf
    if initial not in (None, neutral) or (initial is not None and x.dtype.kind != "f"):
        raise Unlowerable(f"{name} that starts from {initial}")
    if initial is not None and not x.size:
        kept = tuple(
            1 if i in axes_of(axis, x.ndim) else n
            for i, n in enumerate(x.shape) if keepdims or i not in axes_of(axis, x.ndim)
        )  # fmt: skip
        return stored(xp.full(kept, neutral, x.dtype), out)
    return reduction(xp, x, name, axis, out, keepdims)


def _choice(
    xp: Tracer, x: Any, axis: Any = None, out: Any = None, keepdims: bool = False, name: str = ""
) -> Symbol:
    return reduction(xp, x, name, axis, out, keepdims)


for _name in ("max", "min"):
    FUNCTIONS[_name] = partial(_extremum, name=_name)
for _name in ("any", "all", "argmax", "argmin"):
    FUNCTIONS[_name] = partial(_choice, name=_name)


@function
def count_nonzero(xp: Tracer, x: Any, axis: Any = None, *, keepdims: bool = False) -> Symbol:
    """How many elements are not zero."""
    return reduction(xp, symbol(xp, x).astype(bool), "sum", axis, None, keepdims)


# ---------------------------------------------------------------- products


@function
def matmul(xp: Tracer, a: Any, b: Any, out: Any = None) -> Symbol:
    """Matrix products with NumPy's rules for vectors and batches."""
    a, b = symbol(xp, a), symbol(xp, b)
    if not is_float(kind_of(a.dtype)) or a.dtype != b.dtype:
        raise Unlowerable(f"NumPy's matrix product of {a.dtype} and {b.dtype}")
    ends = (*a.shape[-2:-1], *b.shape[-1:]) if b.ndim > 1 else a.shape[-2:-1]
    a, b = a[None] if a.ndim == 1 else a, b[:, None] if b.ndim == 1 else b
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    if b.ndim == 2:  # one matrix for all: the rows of the batch are rows
        a = a.reshape(prod(a.shape[:-1]), a.shape[-1])
        left, right = a.value, b.value
    else:
        left = broadcast(xp.graph, a.value, (*batch, *a.shape[-2:]))
        right = broadcast(xp.graph, b.value, (*batch, *b.shape[-2:]))
    return stored(Symbol(xp, xp.graph.add("product", left, right)).reshape(*batch, *ends), out)


@function
def dot(xp: Tracer, a: Any, b: Any, out: Any = None) -> Symbol:
    """The product of vectors and matrices."""
    if not has_own("dot"):
        raise Unlowerable("NumPy's dot")
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
