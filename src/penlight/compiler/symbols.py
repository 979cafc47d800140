"""Arrays that are values of a graph: NumPy's interface, written down instead of computed.

An op's meaning is a few lines over an array namespace `xp`. Run with `Symbol`s in place of arrays
and a `tracing.Tracer` in place of `xp`, the same lines write a graph: that is their lowering.
"""

from __future__ import annotations

import operator
from math import prod
from typing import Any

import numpy as np

from .algebra import Unlowerable, broadcast, converted, permuted, put, reshaped, sliced, taken
from .ir import NUMPY, Graph, Value
from .types import name_of


class Symbol:
    """An array that is a value of a graph. It changes (`+=`, `out=`) by becoming another value.

    `xp`     the tracer it belongs to
    `whole`  for a view, what it shows: writing through a view is not traced
    """

    __slots__ = ("value", "whole", "xp")
    __array_priority__ = 1000
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, xp: Any, value: Value, whole: Symbol | None = None):
        self.xp, self.value, self.whole = xp, value, whole

    # ------------------------------------------------------------ its form

    @property
    def graph(self) -> Graph:
        """The graph it is a value of."""
        return self.xp.graph

    @property
    def shape(self) -> tuple[int, ...]:
        """Its extents."""
        return self.value.shape

    @property
    def dtype(self) -> np.dtype:
        """Its NumPy dtype."""
        return NUMPY[self.value.kind]

    @property
    def ndim(self) -> int:
        """How many axes it has."""
        return len(self.value.shape)

    @property
    def size(self) -> int:
        """How many elements it has."""
        return self.value.size

    @property
    def itemsize(self) -> int:
        """Bytes of an element."""
        return self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"Symbol({self.value})"

    def __getattr__(self, name: str) -> Any:
        raise Unlowerable(f"an array's {name!r}")

    def __bool__(self) -> bool:
        raise Unlowerable("the truth of a value")

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise Unlowerable("a value as a plain array")

    __float__ = __int__ = __index__ = item = tolist = __bool__

    # ------------------------------------------------------------ NumPy's protocols

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method == "reduce":
            return _reduce_ufunc(self.xp, ufunc, *inputs, **kwargs)
        if method != "__call__":
            raise Unlowerable(f"{ufunc.__name__}.{method}")
        return getattr(self.xp, ufunc.__name__)(*inputs, **kwargs)

    def __array_function__(self, function: Any, types: Any, args: tuple, kwargs: dict) -> Any:
        return getattr(self.xp, function.__name__)(*args, **kwargs)

    # ------------------------------------------------------------ views and copies

    def view_of(self, value: Value) -> Symbol:
        """A symbol for a view of this one."""
        return self if value is self.value else Symbol(self.xp, value, self)

    def reshape(self, *shape: Any, order: str = "C") -> Symbol:
        """The same elements in another shape."""
        new = list(shape[0] if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape)
        if -1 in new:
            new[new.index(-1)] = self.size // max(1, -prod(new))
        if order != "C" or prod(new) != self.size:
            raise Unlowerable(f"reshape of {self.shape} to {new} in order {order}")
        return self.view_of(reshaped(self.graph, self.value, tuple(map(int, new))))

    def transpose(self, *axes: Any) -> Symbol:
        """Axes in another order."""
        if len(axes) == 1 and (axes[0] is None or isinstance(axes[0], (tuple, list))):
            axes = tuple(axes[0] or ())
        order = tuple(a % self.ndim for a in axes) or tuple(reversed(range(self.ndim)))
        return self.view_of(permuted(self.graph, self.value, order))

    @property
    def T(self) -> Symbol:
        """Axes in reverse order."""
        return self.transpose()

    @property
    def mT(self) -> Symbol:
        """The last two axes swapped."""
        return self.swapaxes(-1, -2)

    def swapaxes(self, a: int, b: int) -> Symbol:
        """Two axes swapped."""
        order = list(range(self.ndim))
        order[a], order[b] = order[b], order[a]
        return self.transpose(order)

    def ravel(self, order: str = "C") -> Symbol:
        """One axis."""
        return self.reshape(-1, order=order)

    def squeeze(self, axis: Any = None) -> Symbol:
        """Without axes of length 1."""
        axes = axes_of(axis, self.ndim)
        keep = [n for i, n in enumerate(self.shape) if not (i in axes and n == 1)]
        return self.reshape(keep)

    def copy(self, order: str = "C") -> Symbol:
        """A symbol that changes on its own."""
        return Symbol(self.xp, self.value)

    flatten = ravel

    def astype(self, dtype: Any, copy: bool = True, **_: Any) -> Symbol:
        """Another element type."""
        value = converted(self.graph, self.value, kind_of(dtype))
        return Symbol(self.xp, value) if copy or value is not self.value else self

    # ------------------------------------------------------------ reductions

    def sum(self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False):
        """The sum over axes."""
        x = self if dtype is None else self.astype(dtype, copy=False)
        return stored(reduced(x, "sum", axis, keepdims), out)

    def max(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> Symbol:
        """The largest."""
        return stored(reduced(self, "max", axis, keepdims), out)

    def min(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> Symbol:
        """The smallest."""
        return stored(reduced(self, "min", axis, keepdims), out)

    def any(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> Symbol:
        """Whether one is true."""
        return stored(reduced(self, "any", axis, keepdims), out)

    def all(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> Symbol:
        """Whether all are true."""
        return stored(reduced(self, "all", axis, keepdims), out)

    def argmax(self, axis: Any = None, out: Any = None, *, keepdims: bool = False) -> Symbol:
        """Where the first of the largest is."""
        return stored(reduced(self, "argmax", axis, keepdims), out)

    def argmin(self, axis: Any = None, out: Any = None, *, keepdims: bool = False) -> Symbol:
        """Where the first of the smallest is."""
        return stored(reduced(self, "argmin", axis, keepdims), out)

    # ------------------------------------------------------------ indexing

    def __getitem__(self, key: Any) -> Symbol:
        region, shape, advanced = taken_apart(self, key)
        part = self.view_of(sliced(self.graph, self.value, region)).reshape(shape)
        if advanced is None:
            return part
        axis, index = advanced
        return Symbol(self.xp, taken(self.graph, part.value, index.value, axis))

    def __setitem__(self, key: Any, part: Any) -> None:
        if isinstance(key, Symbol) and key.dtype == bool:
            self.become(self.xp.where(key, part, self))
            return
        region, shape, advanced = taken_apart(self, key)
        if advanced is not None:
            raise Unlowerable("writing at an index that is a value")
        graph = self.graph
        part = converted(graph, symbol(self.xp, part, self.dtype).value, self.value.kind)
        part = broadcast(graph, part, shape)
        part = reshaped(graph, part, tuple(length for _, length, _ in region))
        self.become(Symbol(self.xp, put(graph, self.value, part, region)))

    def become(self, other: Symbol) -> Symbol:
        """Takes another value, in its own form: what writing in place means."""
        if self.whole is not None:
            raise Unlowerable("writing through a view")
        value = converted(self.graph, other.value, self.value.kind)
        self.value = broadcast(self.graph, value, self.shape)
        return self

    def __neg__(self) -> Symbol:
        return self.xp.negative(self)

    def __abs__(self) -> Symbol:
        return self.xp.absolute(self)

    def __invert__(self) -> Symbol:
        return self.xp.invert(self)


def _operator(name: str, mark: str) -> None:
    """Symbol's operator of a ufunc: plain, reflected and in place."""

    def plain(self: Symbol, other: Any) -> Any:
        if not isinstance(other, (Symbol, np.ndarray, np.generic, int, float, bool)):
            return NotImplemented
        return getattr(self.xp, name)(self, other)

    def reflected(self: Symbol, other: Any) -> Any:
        return getattr(self.xp, name)(other, self)

    def in_place(self: Symbol, other: Any) -> Any:
        return self.become(getattr(self.xp, name)(self, other))

    for prefix, method in (("", plain), ("r", reflected), ("i", in_place)):
        setattr(Symbol, f"__{prefix}{mark}__", method)


OPERATORS = {
    "add": "add", "subtract": "sub", "multiply": "mul", "divide": "truediv", "power": "pow",
    "floor_divide": "floordiv", "remainder": "mod", "matmul": "matmul", "bitwise_and": "and",
    "bitwise_or": "or", "bitwise_xor": "xor", "left_shift": "lshift", "right_shift": "rshift",
    "less": "lt", "less_equal": "le", "greater": "gt", "greater_equal": "ge", "equal": "eq",
    "not_equal": "ne",
}  # fmt: skip
for _name, _mark in OPERATORS.items():
    _operator(_name, _mark)


# ---------------------------------------------------------------- what the methods share


def kind_of(dtype: Any) -> str:
    """The short name of a dtype; Unlowerable if kernels do not know it."""
    kind = name_of(dtype)
    if kind is None:
        raise Unlowerable(f"the dtype {np.dtype(dtype)}")
    return kind


def symbol(xp: Any, x: Any, like: Any = None) -> Symbol:
    """Anything array-like as a symbol; a Python number takes the dtype `like`."""
    if isinstance(x, Symbol):
        return x
    if isinstance(x, (np.ndarray, np.generic)):
        return _from_array(xp, np.asarray(x))
    if isinstance(x, (bool, int, float)):
        dtype = np.dtype(like) if like is not None else np.asarray(x).dtype
        return Symbol(xp, xp.graph.constant(dtype.type(x), kind_of(dtype)))
    raise Unlowerable(f"a {type(x).__name__} among arrays")


def _from_array(xp: Any, x: np.ndarray) -> Symbol:
    """An array that the meaning itself made: the same at each run."""
    kind, held = kind_of(x.dtype), x.tobytes()
    if x.size and held == x.reshape(-1)[:1].tobytes() * x.size:  # one number, repeated
        value = xp.graph.constant(x.reshape(-1)[0], kind)
        return Symbol(xp, broadcast(xp.graph, value, x.shape))
    return Symbol(xp, xp.graph.add("array", attr=(held, kind, x.shape)))


def stored(result: Symbol, out: Any) -> Symbol:
    """The result, in `out` where that is given."""
    if isinstance(out, tuple):
        (out,) = out
    return result if out is None else out.become(result)


def axes_of(axis: Any, ndim: int) -> tuple[int, ...]:
    """Axes as NumPy takes them: None for all, an int, or several."""
    if axis is None:
        return tuple(range(ndim))
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    return tuple(sorted(operator.index(a) % max(1, ndim) for a in axes))


def reduced(x: Symbol, function: str, axis: Any, keepdims: bool) -> Symbol:
    """A reduction over axes."""
    axes = axes_of(axis, x.ndim) if x.ndim else ()
    if function in ("sum", "prod") and x.dtype.kind in "bi":
        x = x.astype(np.int64, copy=False)
    if function in ("any", "all"):
        x = x.astype(bool, copy=False)
    if function.startswith("arg") and len(axes) not in (1, x.ndim):
        raise Unlowerable(f"{function} over {axes}")
    value = x.graph.add("reduce", x.value, attr=(function, axes)) if axes else x.value
    if keepdims:
        kept = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
        value = reshaped(x.graph, value, kept)
    return Symbol(x.xp, value)


REDUCED = {
    "add": "sum", "maximum": "max", "minimum": "min", "logical_or": "any", "logical_and": "all",
    "multiply": "prod",
}  # fmt: skip


def _reduce_ufunc(
    xp: Any, ufunc: Any, x: Any, axis: Any = 0, dtype: Any = None, out: Any = None,
    keepdims: bool = False, **rest: Any,
) -> Symbol:  # fmt: skip
    if ufunc.__name__ not in REDUCED or rest or dtype is not None:
        raise Unlowerable(f"{ufunc.__name__}.reduce with {sorted(rest)}")
    return stored(reduced(symbol(xp, x), REDUCED[ufunc.__name__], axis, keepdims), out)


def taken_apart(x: Symbol, key: Any) -> tuple[tuple, tuple[int, ...], Any]:
    """An index key as (slices per axis, the shape they leave, (axis, index) of one index array)."""
    keys = list(key) if isinstance(key, tuple) else [key]
    used = sum(k is not None and k is not Ellipsis for k in keys)
    if not any(k is Ellipsis for k in keys):
        keys.append(Ellipsis)
    at = next(i for i, k in enumerate(keys) if k is Ellipsis)
    keys[at : at + 1] = [slice(None)] * (x.ndim - used)
    region: list[tuple[int, int, int]] = []
    shape: list[int] = []
    advanced = None
    for k in keys:
        if k is None:
            shape.append(1)
            continue
        n = x.shape[len(region)]
        if isinstance(k, slice):
            start, stop, step = k.indices(n)
            length = len(range(start, stop, step))
            region.append((start if length else 0, length, step if length else 1))
            shape.append(length)
        elif isinstance(k, (int, np.integer)) and not isinstance(k, bool):
            if not -n <= k < n:
                raise Unlowerable(f"the index {k} of an axis of length {n}")
            region.append((int(k) % n, 1, 1))
        elif isinstance(k, Symbol) and k.dtype == np.int64 and advanced is None:
            region.append((0, n, 1))
            advanced = (len(shape), k)
            shape.append(n)
        else:
            raise Unlowerable(f"an index of type {type(k).__name__}")
    return tuple(region), tuple(shape), advanced
