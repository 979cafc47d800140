"""The intermediate representation: what a program computes, one value a line.

    %0: f32[64,784] = input 0
    %1: f32[512,784] = input 1
    %2: f32[784,512] = permute %1 (1, 0)
    %3: f32[64,512] = product %0 %2

A value is the one result of its node. Shapes are fixed, broadcasting is explicit (`expand`),
nothing is written in place. `RULES` says what each operation yields for its arguments: building a
graph and verifying it use the same rules. Scalar operations are those of `scalars.TABLE`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import prod
from typing import Any

import numpy as np

from . import vector_math  # noqa: F401  its functions join the table
from .scalars import TABLE
from .structures import STRUCTURES
from .types import NUMPY

Shape = tuple[int, ...]


class Malformed(Exception):
    """A graph that breaks a rule: a mistake in a pass, never in a user's program."""


class Value:
    """One line of a graph: an operation, what it reads, and the form of its result."""

    __slots__ = ("attr", "inputs", "kind", "number", "op", "shape")

    def __init__(
        self, number: int, op: str, inputs: tuple[Value, ...], attr: Any, kind: str, shape: Shape
    ):
        self.number, self.op, self.inputs, self.attr = number, op, inputs, attr
        self.kind, self.shape = kind, shape

    @property
    def size(self) -> int:
        """How many elements it has."""
        return prod(self.shape)

    @property
    def form(self) -> str:
        """f32[64,512]."""
        return f"{self.kind}[{','.join(map(str, self.shape))}]"

    def __repr__(self) -> str:
        words = [self.op, *(f"%{v.number}" for v in self.inputs)]
        if self.attr is not None:
            words.append(str(self.attr))
        return f"%{self.number}: {self.form} = {' '.join(words)}"


class Graph:
    """Values in an order in which they can be computed, and what of them is wanted.

    `outputs`  values that are handed out
    `stores`   (position of an input, value): what that input's memory holds at the end
    """

    def __init__(self) -> None:
        self.values: list[Value] = []
        self.outputs: list[Value] = []
        self.stores: list[tuple[int, Value]] = []
        self._known: dict[tuple, Value] = {}

    def add(self, op: str, *inputs: Value, attr: Any = None) -> Value:
        """The value of an operation; one that is there already is found, not made again."""
        key = (op, tuple([v.number for v in inputs]), attr, repr(attr))  # repr: -0.0 is not 0.0
        found = self._known.get(key)
        if found is None:
            kind, shape = result_form(op, inputs, attr)
            found = self._known[key] = Value(len(self.values), op, inputs, attr, kind, shape)
            self.values.append(found)
        return found

    def constant(self, number: Any, kind: str) -> Value:
        """A number, of shape ()."""
        return self.add("const", attr=(NUMPY[kind].type(number).item(), kind))

    def __repr__(self) -> str:
        lines = [repr(v) for v in self.values]
        lines += [f"store {position} %{value.number}" for position, value in self.stores]
        lines.append(" ".join(["return", *(f"%{v.number}" for v in self.outputs)]))
        return "\n".join(lines)


def verify(graph: Graph) -> None:
    """Malformed, naming the line, unless the graph keeps all rules."""
    seen: set[int] = set()
    inputs: dict[int, Value] = {}
    for at, value in enumerate(graph.values):
        if value.number != at:
            raise Malformed(f"line {at} holds {value}")
        for v in value.inputs:
            if id(v) not in seen:
                raise Malformed(f"{value} reads %{v.number}, which does not stand before it")
        form = result_form(value.op, value.inputs, value.attr)
        if form != (value.kind, value.shape):
            raise Malformed(f"{value} should have the form {form}")
        if value.op == "input":
            inputs[value.attr[0]] = value
        seen.add(id(value))
    for value in [*graph.outputs, *(v for _, v in graph.stores)]:
        if id(value) not in seen:
            raise Malformed(f"{value} is wanted but not in the graph")
    for position, value in graph.stores:
        if (inputs[position].kind, inputs[position].shape) != (value.kind, value.shape):
            raise Malformed(f"{value} cannot be stored in {inputs[position]}")


# ---------------------------------------------------------------- the rules

Rule = Callable[[tuple[Value, ...], Any], tuple[str, Shape]]
RULES: dict[str, Rule] = {}


def result_form(op: str, inputs: tuple[Value, ...], attr: Any) -> tuple[str, Shape]:
    """(kind, shape) of an operation's result; Malformed if its arguments do not fit."""
    if op in RULES:
        return RULES[op](inputs, attr)
    if op in STRUCTURES:
        return STRUCTURES[op].rule([(v.kind, v.shape) for v in inputs], attr)[0]
    if op not in TABLE:
        raise Malformed(f"no operation is called {op!r}")
    scalar = TABLE[op]
    if len(inputs) != scalar.arity:
        raise Malformed(f"{op} takes {scalar.arity} arguments, got {len(inputs)}")
    if any(v.shape != inputs[0].shape for v in inputs):
        raise Malformed(f"{op} of different shapes: {', '.join(v.form for v in inputs)}")
    return scalar.kind(*[v.kind for v in inputs]), inputs[0].shape


def rule(function: Rule) -> Rule:
    """Adds a rule under its function's name."""
    RULES[function.__name__.strip("_")] = function
    return function


def need(holds: bool, text: str, *values: Value) -> None:
    """Malformed with `text` and the forms of `values`, unless it holds."""
    if not holds:
        raise Malformed(f"{text}: {', '.join(v.form for v in values)}")


@rule
def _input(inputs, attr):
    """attr: (position, kind, shape)."""
    return attr[1], attr[2]


@rule
def const(inputs, attr):
    """attr: (number, kind)."""
    return attr[1], ()


@rule
def array(inputs, attr):
    """attr: (bytes, kind, shape) of an array that is the same at each run."""
    return attr[1], attr[2]


@rule
def iota(inputs, attr):
    """attr: (shape, axis): the position along the axis."""
    return "i64", attr[0]


@rule
def copy(inputs, attr):
    """The same elements in memory of their own."""
    return inputs[0].kind, inputs[0].shape


@rule
def cast(inputs, attr):
    """attr: the new kind."""
    return attr, inputs[0].shape


@rule
def reshape(inputs, attr):
    """attr: the new shape; the row-major order of the elements stays."""
    (x,) = inputs
    need(prod(attr) == x.size, f"reshape to {attr}", x)
    return x.kind, attr


@rule
def permute(inputs, attr):
    """attr: for each new axis, the old one."""
    (x,) = inputs
    need(sorted(attr) == list(range(len(x.shape))), f"permute by {attr}", x)
    return x.kind, tuple([x.shape[axis] for axis in attr])


@rule
def expand(inputs, attr):
    """attr: the new shape, of the same rank; axes of length 1 are repeated."""
    (x,) = inputs
    need(len(attr) == len(x.shape), f"expand to {attr}", x)
    need(all(n in (1, m) for n, m in zip(x.shape, attr)), f"expand to {attr}", x)
    return x.kind, attr


@rule
def _slice(inputs, attr):
    """attr: (start, length, step) per axis; a step may be negative."""
    (x,) = inputs
    need(len(attr) == len(x.shape), f"slice by {attr}", x)
    for n, (start, length, step) in zip(x.shape, attr):
        last = start + (length - 1) * step
        need(length == 0 or (0 <= start < n and 0 <= last < n), f"slice by {attr}", x)
    return x.kind, tuple([length for _, length, _ in attr])


@rule
def put(inputs, attr):
    """`base` with the part that slice(base, attr) names replaced by `part`."""
    base, part = inputs
    need(_slice((base,), attr) == (part.kind, part.shape), f"put at {attr}", base, part)
    return base.kind, base.shape


@rule
def concat(inputs, attr):
    """attr: the axis along which the arguments follow each other."""
    first = inputs[0]
    rest = [v.shape[:attr] + v.shape[attr + 1 :] for v in inputs]
    need(all(r == rest[0] for r in rest), f"concat along {attr}", *inputs)
    need(all(v.kind == first.kind for v in inputs), "concat of different kinds", *inputs)
    length = sum(v.shape[attr] for v in inputs)
    return first.kind, (*first.shape[:attr], length, *first.shape[attr + 1 :])


REDUCTIONS = {
    "sum": None, "prod": None, "max": None, "min": None,
    "any": "bool", "all": "bool", "argmax": "i64", "argmin": "i64",
}  # fmt: skip


@rule
def reduce(inputs, attr):
    """attr: (function, axes in ascending order): the axes go."""
    (x,) = inputs
    function, axes = attr
    need(function in REDUCTIONS and list(axes) == sorted(set(axes)), f"reduce by {attr}", x)
    return REDUCTIONS[function] or x.kind, tuple(
        [n for axis, n in enumerate(x.shape) if axis not in axes]
    )


@rule
def product(inputs, attr):
    """Matrix products (*, M, K) @ (*, K, N) -> (*, M, N), with the same batch axes."""
    a, b = inputs
    fits = len(a.shape) == len(b.shape) >= 2 and a.shape[:-2] == b.shape[:-2]
    need(fits and a.shape[-1] == b.shape[-2] and a.kind == b.kind, "product", a, b)
    return a.kind, (*a.shape[:-1], b.shape[-1])


@rule
def gather(inputs, attr):
    """Elements of a table at places that `index`, an i64 in the result's shape, names.

    attr: (axis, map). The index runs along the table's `axis`; map[a] is the axis of the result
    that the table's axis a follows, None for `axis` itself.
    """
    table, index = inputs
    axis, follows = attr
    need(index.kind == "i64" and len(follows) == len(table.shape), f"gather {attr}", table, index)
    for a, n in enumerate(table.shape):
        fits = a == axis or index.shape[follows[a]] <= n
        need(fits, f"gather {attr}", table, index)
    return table.kind, index.shape


@rule
def host(inputs, attr):
    """A call that Python makes, attr: (HostCall, kind, shape) of its first result."""
    return attr[1], attr[2]


@rule
def pick(inputs, attr):
    """A further result of a host call or structure, attr: (its number, kind, shape)."""
    return attr[1], attr[2]


# ---------------------------------------------------------------- walking and rebuilding

VIEWS = ("reshape", "permute", "expand", "slice")


MADE_ANYWHERE = ("const", "iota")  # needs no memory: known at each point


def is_elementwise(value: Value) -> bool:
    """Whether each element is computed from those at the same place."""
    return value.op in TABLE or value.op in ("cast", "copy", "gather")


def users(values: Iterable[Value]) -> dict[int, list[Value]]:
    """number -> the values that read it."""
    found: dict[int, list[Value]] = {}
    for value in values:
        for v in value.inputs:
            found.setdefault(v.number, []).append(value)
    return found


def rebuilt(graph: Graph, change: Callable[[Graph, Value, tuple[Value, ...]], Value]) -> Graph:
    """A new graph in which `change(new, value, its new inputs)` stands for each wanted value."""
    new = Graph()
    wanted = live(graph)
    became: dict[int, Value] = {}
    for value in graph.values:
        if value.number in wanted:
            became[value.number] = change(
                new, value, tuple([became[v.number] for v in value.inputs])
            )
    new.outputs = [became[v.number] for v in graph.outputs]
    new.stores = [(position, became[v.number]) for position, v in graph.stores]
    return new


def live(graph: Graph) -> set[int]:
    """The numbers of the values that outputs, stores or calls with an effect need."""
    todo = [*graph.outputs, *(v for _, v in graph.stores)]
    todo += [v for v in graph.values if v.op == "input" or (v.op == "host" and not v.attr[0].pure)]
    found: set[int] = set()
    while todo:
        value = todo.pop()
        if value.number not in found:
            found.add(value.number)
            todo += value.inputs
    return found


def contiguous(shape: Shape) -> tuple[int, ...]:
    """Row-major strides, in elements; 0 along axes of length 1."""
    strides, step = [], 1
    for n in reversed(shape):
        strides.append(0 if n == 1 else step)
        step *= n
    return tuple(reversed(strides))


def number_of(value: Value) -> Any:
    """The number that a constant, or a repeated constant, holds; None for other values."""
    while value.op in VIEWS:
        (value,) = value.inputs
    return np.array(value.attr[0], NUMPY[value.kind])[()] if value.op == "const" else None
