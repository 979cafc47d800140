"""Values built with care: views of views are one view, casts of numbers are numbers."""

from __future__ import annotations

from .ir import NUMPY, Graph, Value

Region = tuple[tuple[int, int, int], ...]  # (start, length, step) per axis


class Unlowerable(Exception):
    """A meaning that cannot be read symbolically; the text says what stood in the way."""


def reshaped(graph: Graph, x: Value, shape: tuple[int, ...]) -> Value:
    """x in another shape."""
    if x.op == "reshape":
        (x,) = x.inputs
    return x if x.shape == shape else graph.add("reshape", x, attr=shape)


def permuted(graph: Graph, x: Value, order: tuple[int, ...]) -> Value:
    """x with its axes in another order."""
    if x.op == "permute":
        order = tuple(x.attr[axis] for axis in order)
        (x,) = x.inputs
    return x if order == tuple(range(len(order))) else graph.add("permute", x, attr=order)


def sliced(graph: Graph, x: Value, region: Region) -> Value:
    """A part of x: (start, length, step) per axis. What was just put there is found as it is."""
    under = x
    while under.op == "put" and not overlap(under.attr, region):
        under = under.inputs[0]
    if under.op == "put" and under.attr == region:
        return under.inputs[1]
    whole = tuple((0, n, 1) for n in x.shape)
    return x if region == whole else graph.add("slice", x, attr=region)


def overlap(a: Region, b: Region) -> bool:
    """Whether two regions may share an element."""
    return all(_low(x) <= _high(y) and _low(y) <= _high(x) for x, y in zip(a, b))


def _low(part: tuple[int, int, int]) -> int:
    start, length, step = part
    return min(start, start + (length - 1) * step)


def _high(part: tuple[int, int, int]) -> int:
    start, length, step = part
    return max(start, start + (length - 1) * step)


def put(graph: Graph, base: Value, part: Value, region: tuple) -> Value:
    """base with a part replaced."""
    whole = tuple((0, n, 1) for n in base.shape)
    return part if region == whole else graph.add("put", base, part, attr=region)


def broadcast(graph: Graph, x: Value, shape: tuple[int, ...]) -> Value:
    """x repeated to a shape, as NumPy broadcasts."""
    if x.shape == shape:
        return x
    lead = len(shape) - len(x.shape)
    fits = lead >= 0 and all(n in (1, m) for n, m in zip(x.shape, shape[lead:]))
    if not fits:
        raise Unlowerable(f"broadcasting {x.shape} to {shape}")
    return graph.add("expand", reshaped(graph, x, (1,) * lead + x.shape), attr=shape)


def converted(graph: Graph, x: Value, kind: str) -> Value:
    """x as another element type."""
    if x.kind == kind:
        return x
    if x.op == "const":
        return graph.constant(NUMPY[x.kind].type(x.attr[0]), kind)
    return graph.add("cast", x, attr=kind)


def taken(graph: Graph, table: Value, index: Value, axis: int) -> Value:
    """table[..., index, ...]: the axis gives way to those of the index."""
    before, after = table.shape[:axis], table.shape[axis + 1 :]
    spread = reshaped(graph, index, (1,) * axis + index.shape + (1,) * len(after))
    whole = broadcast(graph, spread, (*before, *index.shape, *after))
    shift = len(index.shape) - 1
    follows = tuple(
        None if a == axis else a if a < axis else a + shift for a in range(len(table.shape))
    )
    return graph.add("gather", table, whole, attr=(axis, follows))
