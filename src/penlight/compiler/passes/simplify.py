"""Algebra that changes no bit: views move behind elementwise work.

Takes a graph, promises one that computes the same, leaves arithmetic alone. A layer's product is
often seen through a reshape, and bias, activation and residual follow in the reshaped form. After
this pass they stand in the product's own shape, where they fuse with it.
"""

from __future__ import annotations

from ..algebra import permuted, reshaped
from ..ir import TABLE, Graph, Value, rebuilt
from ..views import access


def simplify(graph: Graph) -> Graph:
    """The graph with views moved as far down as they go."""
    return rebuilt(graph, _changed)


def _changed(graph: Graph, value: Value, inputs: tuple[Value, ...]) -> Value:
    if value.op == "reshape":
        return reshaped(graph, inputs[0], value.attr)
    if value.op == "permute":
        return permuted(graph, inputs[0], value.attr)
    if value.op == "expand" and value.attr == inputs[0].shape:
        return inputs[0]
    if value.op in TABLE or value.op == "cast":
        moved = _behind(graph, value, inputs)
        if moved is not None:
            return moved
    return graph.add(value.op, *inputs, attr=value.attr)


def _behind(graph: Graph, value: Value, inputs: tuple[Value, ...]) -> Value | None:
    """f(view(a), b, ...) as view(f(a, view⁻¹(b), ...)), where that reads everything in place."""
    view = next((v for v in inputs if v.op in ("reshape", "permute") and _computed(v)), None)
    if view is None or view.size == 1:
        return None
    moved = []
    for v in inputs:
        back = _undone(graph, v, view)
        if access(back) is None:
            return None
        moved.append(back)
    result = graph.add(value.op, *moved, attr=value.attr)
    if view.op == "reshape":
        return reshaped(graph, result, view.attr)
    return permuted(graph, result, view.attr)


def _computed(view: Value) -> bool:
    """Whether it shows something the program computes, all of it and once."""
    return view.inputs[0].op not in ("input", "slice", "expand", "array", "const", "iota")


def _undone(graph: Graph, value: Value, view: Value) -> Value:
    """The value in the form that `view` was taken of."""
    (before,) = view.inputs
    if value is view:
        return before
    if view.op == "reshape":
        return reshaped(graph, value, before.shape)
    inverse = [0] * len(view.attr)
    for new, old in enumerate(view.attr):
        inverse[old] = new
    return permuted(graph, value, tuple(inverse))
