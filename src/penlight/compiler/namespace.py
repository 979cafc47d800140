"""The part of the tracing namespace that moves elements: views, arrays made, joined and picked.

`FUNCTIONS` holds what `tracing.Tracer` knows by NumPy's names; a function's first argument is the
tracer.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any

import numpy as np

from .algebra import Unlowerable, broadcast, converted, taken
from .ir import Value
from .symbols import Symbol, axes_of, kind_of, stored, symbol

FUNCTIONS: dict[str, Callable[..., Any]] = {}


def function(of: Callable) -> Callable:
    """Adds a function to the namespace."""
    FUNCTIONS[of.__name__.strip("_")] = of
    return of


# ---------------------------------------------------------------- views


def _method(xp: Any, x: Any, *args: Any, name: str, **kwargs: Any) -> Any:
    return getattr(symbol(xp, x), name)(*args, **kwargs)


for _name in ("reshape", "transpose", "swapaxes", "ravel", "squeeze", "copy", "astype", "diagonal"):
    FUNCTIONS[_name] = partial(_method, name=_name)
FUNCTIONS["permute_dims"] = FUNCTIONS["transpose"]


@function
def shape(xp: Any, x: Any) -> tuple[int, ...]:
    """The extents."""
    return x.shape


@function
def result_type(xp: Any, *values: Any) -> np.dtype:
    """The dtype that arrays and numbers combine to."""
    return np.result_type(*[v.dtype if isinstance(v, Symbol) else v for v in values])


@function
def ndim(xp: Any, x: Any) -> int:
    """The number of axes."""
    return x.ndim


@function
def matrix_transpose(xp: Any, x: Any) -> Symbol:
    """The last two axes swapped."""
    return x.mT


@function
def moveaxis(xp: Any, x: Any, source: Any, destination: Any) -> Symbol:
    """Axes moved elsewhere, the others in their order."""
    a = [source] if isinstance(source, int) else list(source)
    b = [destination] if isinstance(destination, int) else list(destination)
    a, b = [i % x.ndim for i in a], [i % x.ndim for i in b]
    order = [i for i in range(x.ndim) if i not in a]
    for to, axis in sorted(zip(b, a)):
        order.insert(to, axis)
    return x.transpose(order)


@function
def expand_dims(xp: Any, x: Any, axis: Any) -> Symbol:
    """New axes of length 1."""
    axes = [axis] if isinstance(axis, int) else list(axis)
    total = x.ndim + len(axes)
    at = {a % total for a in axes}
    rest = iter(x.shape)
    return x.reshape([1 if i in at else next(rest) for i in range(total)])


@function
def atleast_1d(xp: Any, x: Any) -> Symbol:
    """A 0-d array as one of a single axis."""
    x = symbol(xp, x)
    return x if x.ndim else x.reshape(1)


@function
def broadcast_to(xp: Any, x: Any, shape: Any) -> Symbol:
    """x repeated to a shape."""
    shape = (shape,) if isinstance(shape, int) else tuple(map(int, shape))
    return symbol(xp, x).seen("expand", shape)


@function
def broadcast_arrays(xp: Any, *arrays: Any) -> list[Symbol]:
    """All repeated to one shape."""
    shape = np.broadcast_shapes(*[a.shape for a in arrays])
    return [broadcast_to(xp, a, shape) for a in arrays]


@function
def flip(xp: Any, x: Any, axis: Any = None) -> Symbol:
    """Axes backwards."""
    axes = axes_of(axis, x.ndim)
    return x[tuple(slice(None, None, -1 if i in axes else 1) for i in range(x.ndim))]


@function
def rot90(xp: Any, x: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Symbol:
    """A plane turned by quarters."""
    a, b = axes
    k %= 4
    if k == 2:
        return flip(xp, x, axes)
    if k % 2 == 0:
        return x[...]
    return flip(xp, x, b).swapaxes(a, b) if k == 1 else flip(xp, x.swapaxes(a, b), b)


@function
def split(xp: Any, x: Any, parts: Any, axis: int = 0) -> list[Symbol]:
    """Cut at positions, or into equal parts."""
    n = x.shape[axis]
    cuts = [n * i // parts for i in range(1, parts)] if isinstance(parts, int) else list(parts)
    found, key = [], [slice(None)] * x.ndim
    for start, stop in zip([0, *cuts], [*cuts, n]):
        key[axis] = slice(start, stop)
        found.append(x[tuple(key)])
    return found


# ---------------------------------------------------------------- arrays made


@function
def asarray(xp: Any, x: Any, dtype: Any = None, **_: Any) -> Symbol:
    """Anything as an array."""
    x = symbol(xp, x, dtype)
    return x if dtype is None else x.astype(dtype, copy=False)


@function
def array(xp: Any, x: Any, dtype: Any = None, **_: Any) -> Symbol:
    """A copy of anything, as an array."""
    return asarray(xp, x, dtype).copy()


FUNCTIONS["ascontiguousarray"] = FUNCTIONS["asanyarray"] = asarray


@function
def full(xp: Any, shape: Any, number: Any, dtype: Any = None) -> Symbol:
    """One number everywhere."""
    shape = (shape,) if isinstance(shape, (int, np.integer)) else tuple(map(int, shape))
    value = symbol(xp, number, dtype).value
    if dtype is not None:
        value = converted(xp.graph, value, kind_of(dtype))
    return Symbol(xp, broadcast(xp.graph, value, shape))


def _constant(xp: Any, shape: Any, dtype: Any = float, number: int = 0) -> Symbol:
    return full(xp, shape, number, dtype)


def _in_its_form(
    xp: Any, x: Any, dtype: Any = None, shape: Any = None, number: int = 0, **_: Any
) -> Symbol:
    return full(xp, x.shape if shape is None else shape, number, dtype or x.dtype)


for _name, _number in (("zeros", 0), ("ones", 1), ("empty", 0)):
    FUNCTIONS[_name] = partial(_constant, number=_number)
    FUNCTIONS[f"{_name}_like"] = partial(_in_its_form, number=_number)


@function
def full_like(xp: Any, x: Any, number: Any, dtype: Any = None, shape: Any = None) -> Symbol:
    """One number in the form of x."""
    return full(xp, x.shape if shape is None else shape, number, dtype or x.dtype)


@function
def arange(xp: Any, *args: Any, dtype: Any = None) -> Symbol:
    """0, 1, 2, ..."""
    found = np.arange(*args, dtype=dtype)
    if found.dtype == np.int64 and len(args) == 1:
        return Symbol(xp, xp.graph.add("iota", attr=(found.shape, 0)))
    return symbol(xp, found)


def _position(xp: Any, shape: tuple[int, ...], axis: int) -> Any:
    return Symbol(xp, xp.graph.add("iota", attr=(shape, axis)))


@function
def eye(xp: Any, n: int, m: int | None = None, k: int = 0, dtype: Any = float) -> Symbol:
    """1 on the k-th diagonal, else 0."""
    shape = (n, n if m is None else m)
    on = _position(xp, shape, 1) == _position(xp, shape, 0) + k
    return on.astype(dtype)


@function
def tri(xp: Any, n: int, m: int | None = None, k: int = 0, dtype: Any = float) -> Symbol:
    """1 on and below the k-th diagonal, else 0."""
    shape = (n, n if m is None else m)
    return (_position(xp, shape, 1) <= _position(xp, shape, 0) + k).astype(dtype)


@function
def tril(xp: Any, x: Any, k: int = 0) -> Symbol:
    """x on and below its k-th diagonal, else 0."""
    return xp.where(tri(xp, *x.shape[-2:], k, bool), x, x.dtype.type(0))


@function
def triu(xp: Any, x: Any, k: int = 0) -> Symbol:
    """x on and above its k-th diagonal, else 0."""
    return xp.where(tri(xp, *x.shape[-2:], k - 1, bool), x.dtype.type(0), x)


# ---------------------------------------------------------------- arrays joined


@function
def concatenate(
    xp: Any, arrays: Any, axis: int = 0, out: Any = None, dtype: Any = None, **_: Any
) -> Symbol:
    """Arrays one after another along an axis."""
    arrays = [symbol(xp, a) for a in arrays]
    kind = kind_of(np.result_type(*[a.dtype for a in arrays]) if dtype is None else dtype)
    values = [converted(xp.graph, a.value, kind) for a in arrays]
    if len(values) > 1:
        values = [xp.graph.add("concat", *values, attr=axis % arrays[0].ndim)]
    return stored(Symbol(xp, values[0]), out)


@function
def stack(
    xp: Any, arrays: Any, axis: int = 0, out: Any = None, dtype: Any = None, **_: Any
) -> Symbol:
    """Arrays along a new axis."""
    arrays = [expand_dims(xp, symbol(xp, a), axis) for a in arrays]
    return concatenate(xp, arrays, axis, out, dtype)


@function
def tile(xp: Any, x: Any, counts: Any) -> Symbol:
    """x repeated as a whole along its axes."""
    counts = (counts,) if isinstance(counts, int) else tuple(map(operator.index, counts))
    rank = max(x.ndim, len(counts))
    counts = (1,) * (rank - len(counts)) + counts
    own = (1,) * (rank - x.ndim) + x.shape
    spread = x.reshape([n for m in own for n in (1, m)])
    spread = broadcast_to(xp, spread, [n for pair in zip(counts, own) for n in pair])
    return spread.reshape([c * n for c, n in zip(counts, own)]).copy()


@function
def repeat(xp: Any, x: Any, count: Any, axis: int | None = None) -> Symbol:
    """Each element several times."""
    if axis is None:
        x, axis = x.reshape(-1), 0
    axis %= x.ndim
    before, n, after = x.shape[:axis], x.shape[axis], x.shape[axis + 1 :]
    count = operator.index(count)
    spread = broadcast_to(xp, x.reshape(*before, n, 1, *after), (*before, n, count, *after))
    return spread.reshape(*before, n * count, *after).copy()


@function
def roll(xp: Any, x: Any, shift: Any, axis: Any = None) -> Symbol:
    """Elements moved round along axes."""
    if axis is None:
        return roll(xp, x.reshape(-1), shift, 0).reshape(x.shape)
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    shifts = (shift,) * len(axes) if isinstance(shift, int) else tuple(shift)
    for a, s in zip(axes, shifts):
        n = x.shape[a]
        cut = n - s % n if n and s % n else 0
        if cut:
            x = concatenate(xp, split(xp, x, [cut], a)[::-1], a)
    return x.copy()


@function
def pad(xp: Any, x: Any, width: Any, mode: str = "constant", constant_values: Any = 0) -> Symbol:
    """x within a frame of one number."""
    if mode != "constant":
        raise Unlowerable(f"a frame of the kind {mode}")
    width = np.broadcast_to(width, (x.ndim, 2)).tolist()
    whole = full(xp, [a + n + b for (a, b), n in zip(width, x.shape)], constant_values, x.dtype)
    whole[tuple(slice(a, a + n) for (a, _), n in zip(width, x.shape))] = x
    return whole


# ---------------------------------------------------------------- elements by number


def _index(xp: Any, x: Any, extent: int, wrap: bool = True) -> Symbol:
    """An index array as int64; a negative number counts from the end."""
    index = symbol(xp, x)
    if index.dtype.kind not in "iu":
        raise Unlowerable(f"an index of {index.dtype}")
    signed = index.dtype.kind == "i"
    index = index.astype(np.int64, copy=False)
    return xp.where(index < 0, index + extent, index) if wrap and signed else index


@function
def rows(xp: Any, x: Symbol, index: Any, axis: int = 0) -> Symbol:
    """x[index] along an axis, where no index counts from the end."""
    return Symbol(xp, taken(xp.graph, x.value, _index(xp, index, 0, wrap=False).value, axis))


@function
def assured(xp: Any, x: Any, condition: Any) -> Symbol:
    """x; a program in which the condition does not hold everywhere fails.

    A table of one element is looked up at 0 where it holds; elsewhere at 1, which there is not.
    """
    x, condition = broadcast_arrays(xp, symbol(xp, x), symbol(xp, condition))
    place = xp.where(condition, 0, 1)
    table = Symbol(xp, xp.graph.add("array", attr=(b"\1", "bool", (1,))))
    return xp.where(rows(xp, table, place), x, x)


@function
def picked(xp: Any, x: Symbol, indices: dict[int, Any]) -> Symbol:
    """x[..., i, j, ...] for index arrays along some axes."""
    x, index, axis = _as_one(xp, x, indices)
    return Symbol(xp, taken(xp.graph, x.value, index.value, axis))


@function
def added_at(xp: Any, x: Symbol, indices: dict[int, Any], part: Any) -> Symbol:
    """x with `part` added where x[..., i, j, ...] shows, the first index first."""
    flat, index, axis = _as_one(xp, x, indices)
    form = (*flat.shape[:axis], *index.shape, *flat.shape[axis + 1 :])
    part = broadcast_to(xp, symbol(xp, part, x.dtype).astype(x.dtype, copy=False), form)
    places = list(range(axis, axis + index.ndim))
    part = moveaxis(xp, part, places, list(range(index.ndim)))
    added = moveaxis(xp, xp.add_at(moveaxis(xp, flat, axis, 0), index, part), 0, axis)
    axes = sorted(indices)
    moved = [axes[0] + n if _follow(axes) else n for n in range(len(axes))]
    shape = moveaxis(xp, x, axes, moved).shape
    return moveaxis(xp, added.reshape(shape), moved, axes)


def _follow(axes: list[int]) -> bool:
    """Whether axes stand side by side; where they do not, NumPy puts them in front."""
    return axes == list(range(axes[0], axes[0] + len(axes)))


def _as_one(xp: Any, x: Symbol, indices: dict[int, Any]) -> tuple[Symbol, Any, int]:
    """x with the indexed axes made one, an index for that, and which axis it is."""
    axes = sorted(indices)
    first, count = axes[0], len(axes)
    arrays: list[Any] = [_index(xp, indices[a], x.shape[a]) for a in axes]
    if not _follow(axes):
        first, x = 0, moveaxis(xp, x, axes, list(range(count)))
    if count == 1:
        return x, arrays[0], first
    index: Any = arrays[0]
    extents = x.shape[first : first + count]
    right = (index >= 0) & (index < extents[0])
    for array, n in zip(arrays[1:], extents[1:]):
        right = right & (array >= 0) & (array < n)
        index = index * n + array
    x = x.reshape(*x.shape[:first], prod(extents), *x.shape[first + count :])
    return x, xp.where(right, index, -1), first


@function
def take(xp: Any, x: Any, index: Any, axis: int | None = None) -> Symbol:
    """Rows, columns, ... by number."""
    x = symbol(xp, x)
    return (
        picked(xp, x.reshape(-1), {0: index})
        if axis is None
        else picked(xp, x, {axis % x.ndim: index})
    )


@function
def take_along_axis(xp: Any, x: Any, index: Any, axis: int = -1) -> Symbol:
    """x[i, index[i, j]]."""
    axis %= x.ndim
    index = _index(xp, index, x.shape[axis])
    shape = tuple([m if i == axis else n for i, (n, m) in enumerate(zip(x.shape, index.shape))])
    return _gathered(x, broadcast(xp.graph, index.value, shape), axis)


@function
def gather(xp: Any, x: Any, index: Any, axis: int) -> Symbol:
    """x[i, index[i, j]]; along other axes the index may end early. None counts from the end."""
    return _gathered(x, _index(xp, index, 0, wrap=False).value, axis)


def _gathered(x: Symbol, index: Value, axis: int) -> Symbol:
    follows = tuple(None if a == axis else a for a in range(x.ndim))
    return Symbol(x.xp, x.graph.add("gather", x.value, index, attr=(axis, follows)))
