"""Arrays that are values of a graph: NumPy's interface, written down instead of computed.

An op's meaning is a few lines over an array namespace `xp`. Run with `Symbol`s in place of arrays
and a `tracing.Tracer` in place of `xp`, the same lines write a graph: that is their lowering.

Only what has the same bits here and there is traced. The sum of an array as a method, `@` and
`np.exp` are NumPy's own, whatever `xp` is: for floats they are refused, `xp.sum` is not.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from math import prod
from types import SimpleNamespace
from typing import Any

import numpy as np

from .algebra import Unlowerable, broadcast, converted, permuted, put, reshaped, sliced
from .ir import NUMPY, Graph, Value
from .keys import taken_apart
from .types import name_of

FLAGS = SimpleNamespace(c_contiguous=True, forc=True, writeable=True, owndata=True)
SEEN: dict[str, Callable[..., Value]] = {
    "reshape": reshaped,
    "permute": permuted,
    "slice": sliced,
    "expand": broadcast,
}
INEXACT = frozenset(
    """exp exp2 expm1 log log2 log10 log1p sin cos tan arcsin arccos arctan sinh cosh tanh arcsinh
    arccosh arctanh arctan2 power float_power matmul sum prod mean max min amax amin dot vecdot
    vdot inner outer tensordot""".split()
)


class Symbol:
    """An array that is a value of a graph. It changes (`+=`, `out=`) by becoming another value.

    `whole`  for a view, the array that it shows; a write to one is seen in the other
    `steps`  how the view is taken: (operation, attr) one after the other
    """

    __slots__ = ("_shown", "_value", "steps", "whole", "xp")
    __array_priority__ = 1000
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, xp: Any, value: Value, whole: Symbol | None = None, steps: tuple = ()):
        self.xp, self._value, self.whole, self.steps = xp, value, whole, steps
        self._shown = None if whole is None else whole._value

    # ------------------------------------------------------------ its form

    @property
    def value(self) -> Value:
        """The value it has now."""
        if self.whole is not None and self.whole._value is not self._shown:
            self._shown = self._value = self.whole._value
            for op, attr in self.steps:
                self._value = SEEN[op](self.graph, self._value, attr)
        return self._value

    @property
    def graph(self) -> Graph:
        """The graph it is a value of."""
        return self.xp.graph

    @property
    def shape(self) -> tuple[int, ...]:
        """Its extents."""
        return self._value.shape

    @property
    def dtype(self) -> np.dtype:
        """Its NumPy dtype."""
        return NUMPY[self._value.kind]

    @property
    def ndim(self) -> int:
        """How many axes it has."""
        return len(self._value.shape)

    @property
    def size(self) -> int:
        """How many elements it has."""
        return self._value.size

    @property
    def itemsize(self) -> int:
        """Bytes of an element."""
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.size * self.itemsize

    @property
    def flags(self) -> SimpleNamespace:
        """Those of an array in row-major order: what is computed does not depend on layout."""
        return FLAGS

    @property
    def strides(self) -> tuple[int, ...]:
        """Those of an array in row-major order."""
        return tuple([self.itemsize * prod(self.shape[i + 1 :]) for i in range(self.ndim)])

    base = None

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __repr__(self) -> str:
        return f"Symbol({self._value})"

    def __getattr__(self, name: str) -> Any:
        raise Unlowerable(f"an array's {name!r}")

    def __bool__(self) -> bool:
        raise Unlowerable("the truth of a value")

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise Unlowerable("a value as a plain array")

    __float__ = __int__ = __index__ = __complex__ = item = tolist = __bool__

    # ------------------------------------------------------------ NumPy's protocols

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        refuse_inexact(ufunc.__name__, *inputs)
        function = getattr(self.xp, ufunc.__name__)
        if method == "reduce" and ufunc.__name__ in ("add", "multiply", "maximum", "minimum"):
            refuse_inexact("sum", *inputs)
        return (function if method == "__call__" else getattr(function, method))(*inputs, **kwargs)

    def __array_function__(self, function: Any, types: Any, args: tuple, kwargs: dict) -> Any:
        refuse_inexact(function.__name__, *args)
        return getattr(self.xp, function.__name__)(*args, **kwargs)

    # ------------------------------------------------------------ views

    def seen(self, op: str, attr: Any) -> Symbol:
        """A view: a reshape, permute, slice or expand of this array."""
        value = SEEN[op](self.graph, self.value, attr)
        whole = self if self.whole is None else self.whole
        return Symbol(self.xp, value, whole, (*self.steps, (op, attr)))

    def reshape(self, *shape: Any, order: str = "C", copy: Any = None) -> Symbol:
        """The same elements in another shape."""
        new = shape[0] if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
        new = [operator.index(n) for n in new]
        if -1 in new:
            new[new.index(-1)] = self.size // max(1, -prod(new))
        if order != "C" or prod(new) != self.size:
            raise Unlowerable(f"reshape of {self.shape} to {new} in order {order}")
        return self.seen("reshape", tuple(new))

    def view(self, *kind: Any) -> Symbol:
        """The array itself."""
        if kind not in ((), (np.ndarray,), (self.dtype,)):
            raise Unlowerable("the bits of an array as another type")
        return self.seen("reshape", self.shape)

    def transpose(self, *axes: Any) -> Symbol:
        """Axes in another order."""
        if len(axes) == 1 and (axes[0] is None or isinstance(axes[0], (tuple, list))):
            axes = tuple(axes[0] or ())
        order = tuple(a % self.ndim for a in axes) or tuple(reversed(range(self.ndim)))
        return self.seen("permute", order)

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
        return self.reshape([n for i, n in enumerate(self.shape) if not (i in axes and n == 1)])

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Symbol:
        """The elements [i, i + offset] of two axes, which become the last one."""
        a, b = axis1 % self.ndim, axis2 % self.ndim
        rest = [i for i in range(self.ndim) if i not in (a, b)]
        x = self.transpose(*rest, a, b)
        *outer, n, m = x.shape
        row, column = max(0, -offset), max(0, offset)
        length = max(0, min(n - row, m - column))
        start = row * m + column if length else 0
        region = (*((0, k, 1) for k in outer), (start, length, m + 1 if length > 1 else 1))
        return x.reshape(*outer, n * m).seen("slice", region)

    @property
    def real(self) -> Symbol:
        """The array itself, as there are no complex values."""
        return self

    def conj(self) -> Symbol:
        """The array itself."""
        return self

    conjugate = conj

    # ------------------------------------------------------------ copies and writes

    def copy(self, order: str = "C") -> Symbol:
        """A symbol that changes on its own."""
        return Symbol(self.xp, self.value)

    def flatten(self, order: str = "C") -> Symbol:
        """A copy with one axis."""
        return self.ravel(order).copy()

    def astype(self, dtype: Any, order: str = "K", copy: bool = True, **_: Any) -> Symbol:
        """Another element type."""
        value = converted(self.graph, self.value, kind_of(dtype))
        return Symbol(self.xp, value) if copy or value is not self.value else self

    def fill(self, number: Any) -> None:
        """One number everywhere."""
        self.become(symbol(self.xp, number, self.dtype))

    def __getitem__(self, key: Any) -> Symbol:
        region, shape, indices = taken_apart(self, key)
        part = self.seen("slice", region).reshape(shape)
        return self.xp.picked(part, indices) if indices else part

    def __setitem__(self, key: Any, part: Any) -> None:
        if isinstance(key, Symbol) and key.dtype == bool:
            self._fill_where(key, symbol(self.xp, part, self.dtype))
            return
        region, shape, indices = taken_apart(self, key)
        if indices:
            raise Unlowerable("writing at an index that is a value")
        place = self.seen("slice", region).reshape(shape)
        part = symbol(self.xp, part, self.dtype)
        while part.ndim > place.ndim and part.shape[0] == 1:
            part = part[0]
        place.become(part)

    def _fill_where(self, mask: Symbol, part: Symbol) -> None:
        """Writes one number where a mask is true."""
        if part.ndim or mask.ndim > self.ndim:
            raise Unlowerable("writing several values at a mask")
        mask = mask.reshape(*mask.shape, *[1] * (self.ndim - mask.ndim))
        self.become(self.xp.where(mask, part.astype(self.dtype), self))

    def become(self, other: Symbol) -> Symbol:
        """Takes another value, in its own form: what writing in place means."""
        graph = self.graph
        value = broadcast(graph, converted(graph, other.value, self._value.kind), self.shape)
        if self.whole is None:
            self._value = value
            return self
        shown = [self.whole._value]
        for op, attr in self.steps:
            shown.append(SEEN[op](graph, shown[-1], attr))
        for (op, attr), before in zip(reversed(self.steps), reversed(shown[:-1])):
            value = _undone(graph, op, attr, value, before)
        self.whole._value = value
        return self

    # ------------------------------------------------------------ reductions

    def sum(self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False):
        """The sum over axes, of integers."""
        return _method(self, "sum", axis, out, keepdims, dtype=dtype)

    def prod(self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False):
        """The product over axes, of integers."""
        return _method(self, "prod", axis, out, keepdims, dtype=dtype)

    def max(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> Symbol:
        """The largest, of integers: which of 0.0 and -0.0 it is, NumPy leaves open."""
        return _method(self, "max", axis, out, keepdims)

    def min(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> Symbol:
        """The smallest, of integers."""
        return _method(self, "min", axis, out, keepdims)

    def any(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> Symbol:
        """Whether one is true."""
        return self.xp.any(self, axis, out, keepdims)

    def all(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> Symbol:
        """Whether all are true."""
        return self.xp.all(self, axis, out, keepdims)

    def argmax(self, axis: Any = None, out: Any = None, *, keepdims: bool = False) -> Symbol:
        """Where the first of the largest is."""
        return self.xp.argmax(self, axis, out, keepdims=keepdims)

    def argmin(self, axis: Any = None, out: Any = None, *, keepdims: bool = False) -> Symbol:
        """Where the first of the smallest is."""
        return self.xp.argmin(self, axis, out, keepdims=keepdims)

    # ------------------------------------------------------------ operators: see also below

    def __neg__(self) -> Symbol:
        return self.xp.negative(self)

    def __abs__(self) -> Symbol:
        return self.xp.absolute(self)

    def __invert__(self) -> Symbol:
        return self.xp.invert(self)

    def __pow__(self, exponent: Any) -> Symbol:
        exact = {2: "square", 0.5: "sqrt", -1: "reciprocal"}  # NumPy's own short cuts
        if isinstance(exponent, (int, float)) and exponent in exact and self.dtype.kind == "f":
            return getattr(self.xp, exact[exponent])(self)
        refuse_inexact("power", self, exponent)
        return self.xp.power(self, exponent)

    def __rpow__(self, base: Any) -> Symbol:
        refuse_inexact("power", self)
        return self.xp.power(base, self)

    def __matmul__(self, other: Any) -> Symbol:
        refuse_inexact("matmul", self, other)
        return self.xp.matmul(self, other)

    def __rmatmul__(self, other: Any) -> Symbol:
        refuse_inexact("matmul", self, other)
        return self.xp.matmul(other, self)


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
    "add": "add", "subtract": "sub", "multiply": "mul", "divide": "truediv",
    "floor_divide": "floordiv", "remainder": "mod", "bitwise_and": "and", "bitwise_or": "or",
    "bitwise_xor": "xor", "left_shift": "lshift", "right_shift": "rshift", "less": "lt",
    "less_equal": "le", "greater": "gt", "greater_equal": "ge", "equal": "eq", "not_equal": "ne",
}  # fmt: skip
for _name, _mark in OPERATORS.items():
    _operator(_name, _mark)


# ---------------------------------------------------------------- what the methods share


def refuse_inexact(name: str, *args: Any) -> None:
    """Unlowerable for a function of NumPy's whose last bits are its own."""
    if name in INEXACT and any(isinstance(a, Symbol) and a.dtype.kind == "f" for a in args):
        raise Unlowerable(f"NumPy's own {name!r} (that of xp is traced)")


def _method(x: Symbol, name: str, axis: Any, out: Any, keepdims: bool, **how: Any) -> Symbol:
    refuse_inexact(name, x)
    return getattr(x.xp, name)(x, axis, out=out, keepdims=keepdims, **how)


def _undone(graph: Graph, op: str, attr: Any, value: Value, before: Value) -> Value:
    """`before` with what its view shows replaced by `value`."""
    if op == "reshape":
        return reshaped(graph, value, before.shape)
    if op == "permute":
        return permuted(graph, value, tuple(sorted(range(len(attr)), key=attr.__getitem__)))
    if op == "slice":
        return put(graph, before, value, attr)
    raise Unlowerable("writing to an array that shows elements several times")


def kind_of(dtype: Any) -> str:
    """The short name of a dtype; Unlowerable if kernels do not know it."""
    kind = name_of(dtype)
    if kind is None:
        raise Unlowerable(f"the dtype {np.dtype(dtype)}")
    return kind


def symbol(xp: Any, x: Any, like: Any = None) -> Any:
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
