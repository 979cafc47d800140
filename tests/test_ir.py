"""The representation of programs: its text, its rules, the passes, and which kernels come out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penlight.compiler import numerics, views
from penlight.compiler.ir import Graph, Malformed, Value, verify
from penlight.compiler.passes.fuse import fuse
from penlight.compiler.passes.layout import layout
from penlight.compiler.passes.simplify import simplify
from penlight.compiler.program import Program, compile, strides_of
from penlight.compiler.trace import Call, Ref, Trace, interpret
from penlight.compiler.translate import translate


def traced(function, *arrays):
    """One call as a trace whose outputs are its results."""
    trace = Trace()
    trace.inputs = [trace.value(a.dtype, a.shape) for a in arrays]
    found = function(numerics, *arrays)
    found = found if isinstance(found, tuple) else (found,)
    trace.outputs = [trace.value(r.dtype, r.shape) for r in found]
    refs = tuple(map(Ref, trace.inputs))
    trace.calls.append(Call("call", function, refs, tuple(trace.outputs)))
    return trace


def f32(*shape):
    """Random numbers."""
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


# ------------------------------------------------------------ the text


def linear(xp, x, w, b):
    """A layer."""
    return xp.maximum(xp.matmul(x, w.T) + b, 0)


def test_text():
    graph = translate(traced(linear, f32(4, 8), f32(3, 8), f32(3)))
    assert (
        repr(graph)
        == """\
%0: f32[4,8] = input (0, 'f32', (4, 8))
%1: f32[3,8] = input (1, 'f32', (3, 8))
%2: f32[3] = input (2, 'f32', (3,))
%3: f32[8,3] = permute %1 (1, 0)
%4: f32[4,3] = product %0 %3
%5: f32[1,3] = reshape %2 (1, 3)
%6: f32[4,3] = expand %5 (4, 3)
%7: f32[4,3] = add %4 %6
%8: f32[] = const (0.0, 'f32')
%9: f32[1,1] = reshape %8 (1, 1)
%10: f32[4,3] = expand %9 (4, 3)
%11: f32[4,3] = max %7 %10
return %11"""
    )


def test_what_is_there_already_is_not_made_again():
    graph = Graph()
    x = graph.add("input", attr=(0, "f32", (2,)))
    assert graph.add("neg", x) is graph.add("neg", x)
    assert graph.constant(0.0, "f32") is not graph.constant(-0.0, "f32")
    assert graph.constant(0, "i64") is not graph.constant(0, "i32")


# ------------------------------------------------------------ the rules

A, B, V = (2, 3), (3, 4), (3,)
BROKEN = [  # operation, forms of its inputs, attr
    ("blend", [], None),
    ("add", [("f32", A)], None),
    ("add", [("f32", A), ("f32", V)], None),
    ("reshape", [("f32", A)], (5,)),
    ("permute", [("f32", A)], (0, 0)),
    ("permute", [("f32", A)], (0,)),
    ("expand", [("f32", A)], (2, 4)),
    ("expand", [("f32", V)], (2, 3)),
    ("slice", [("f32", V)], ((0, 4, 1),)),
    ("slice", [("f32", V)], ((2, 2, -3),)),
    ("slice", [("f32", A)], ((0, 1, 1),)),
    ("put", [("f32", A), ("f32", V)], ((0, 1, 1), (0, 3, 1))),
    ("put", [("f32", V), ("f64", (1,))], ((0, 1, 1),)),
    ("concat", [("f32", A), ("f32", B)], 0),
    ("concat", [("f32", A), ("f64", A)], 0),
    ("reduce", [("f32", A)], ("sum", (1, 0))),
    ("reduce", [("f32", A)], ("median", (0,))),
    ("product", [("f32", A), ("f32", A)], None),
    ("product", [("f32", A), ("f64", B)], None),
    ("product", [("f32", (2, *A)), ("f32", (3, *B))], None),
    ("gather", [("f32", B), ("f32", A)], (0, (None, 1))),
    ("gather", [("f32", B), ("i64", (2, 5))], (0, (None, 1))),
    ("gather", [("f32", B), ("i64", (5,))], (0, (None,))),
]


@pytest.mark.parametrize(("op", "forms", "attr"), BROKEN)
def test_no_value_breaks_a_rule(op, forms, attr):
    graph = Graph()
    inputs = [graph.add("input", attr=(n, *form)) for n, form in enumerate(forms)]
    with pytest.raises(Malformed):
        graph.add(op, *inputs, attr=attr)


def small():
    """A graph of three values, one of them stored."""
    graph = Graph()
    x = graph.add("input", attr=(0, "f32", (2,)))
    y = graph.add("exp", graph.add("neg", x))
    graph.outputs, graph.stores = [y], [(0, y)]
    verify(graph)
    return graph


def in_another_order(graph):
    graph.values[1:] = graph.values[:0:-1]


def numbered_anew(graph):
    graph.values[1].number = 2


def before_its_input(graph):
    x, y, z = graph.values
    graph.values = [x, z, y]
    z.number, y.number = 1, 2


def of_another_type(graph):
    graph.values[2].kind = "f64"


def of_another_shape(graph):
    graph.values[2].shape = (3,)


def from_elsewhere(graph):
    graph.outputs = [Value(9, "const", (), (1.0, "f32"), "f32", ())]


def stored_elsewhere(graph):
    graph.stores = [(0, graph.constant(1.0, "f32"))]


BREAKS = [in_another_order, numbered_anew, before_its_input, of_another_type, of_another_shape,
          from_elsewhere, stored_elsewhere]  # fmt: skip


@pytest.mark.parametrize("damage", BREAKS)
def test_the_verifier_finds(damage):
    graph = small()
    damage(graph)
    with pytest.raises(Malformed):
        verify(graph)


# ------------------------------------------------------------ views

SHAPES = st.lists(st.integers(0, 4), max_size=4).map(tuple)


@st.composite
def seen(draw):
    """An input and a view of it, with NumPy's array of the same."""
    shape = draw(SHAPES)
    array = np.arange(np.prod(shape, dtype=int), dtype=np.int64).reshape(shape)
    order = draw(st.permutations(range(len(shape))))
    array = array.transpose(order).copy().transpose(np.argsort(order))
    graph = Graph()
    value = graph.add("input", attr=(0, "i64", shape))
    strides = tuple(0 if n == 1 else s // 8 for n, s in zip(array.shape, array.strides))
    view = array
    for way in draw(
        st.lists(st.sampled_from(["permute", "slice", "expand", "reshape"]), max_size=5)
    ):
        if way == "permute":
            order = tuple(draw(st.permutations(range(view.ndim))))
            value, view = graph.add("permute", value, attr=order), view.transpose(order)
        elif way == "slice":
            region = tuple(draw(part_of(n)) for n in view.shape)
            keys = tuple([start + step * np.arange(length) for start, length, step in region])
            value = graph.add("slice", value, attr=region)
            slices = tuple(
                slice(k[0], k[0] + step * length if k[0] + step * length >= 0 else None, step)
                if length else slice(0, 0)
                for k, (_, length, step) in zip(keys, region)
            )  # fmt: skip
            view = view[(*slices, ...)]
        elif way == "expand":
            new = tuple(3 if n == 1 and draw(st.booleans()) else n for n in view.shape)
            value, view = graph.add("expand", value, attr=new), np.broadcast_to(view, new)
        else:
            new = draw(st.sampled_from(reshapes(view.shape)))
            value, view = graph.add("reshape", value, attr=new), view.reshape(new)
    return array, strides, value, view


def part_of(n):
    """A slice of an axis."""
    return st.integers(0, n).flatmap(
        lambda k: st.sampled_from(
            [(start, k, step) for step in (1, 2, -1) for start in range(n)
             if k and 0 <= start + (k - 1) * step < n] or [(0, 0, 1)]
        )
    )  # fmt: skip


def reshapes(shape):
    """Other shapes of as many elements."""
    size = int(np.prod(shape, dtype=int))
    found = [shape, (size,), (1, *shape), (*shape, 1)]
    if len(shape) > 1:
        found.append((shape[0] * shape[1], *shape[2:]))
    if shape and shape[0] % 2 == 0:
        found.append((2, shape[0] // 2, *shape[1:]))
    return found


@settings(max_examples=300, deadline=None)
@given(seen())
def test_views_show_what_numpy_shows(case):
    array, strides, value, view = case
    at = views.access(value, lambda root: strides)
    if at is None:
        return  # a copy is made; how rarely, the next test says
    memory = np.empty(array.size, array.dtype)
    for index in np.ndindex(array.shape):
        memory[sum(i * s for i, s in zip(index, strides))] = array[index]
    element = at.offset + sum(
        (np.arange(n) * s).reshape(-1, *[1] * (len(view.shape) - axis - 1))
        for axis, (n, s) in enumerate(zip(view.shape, at.strides))
    ) + np.zeros(view.shape, int)  # fmt: skip
    np.testing.assert_array_equal(memory[element] if view.size else view, view)


@settings(max_examples=300, deadline=None)
@given(SHAPES, st.data())
def test_reshapes_need_a_copy_where_numpy_copies(shape, data):
    order = tuple(data.draw(st.permutations(range(len(shape)))))
    array = np.zeros(shape, np.int8).transpose(order)
    new = data.draw(st.sampled_from(reshapes(array.shape)))
    strides = tuple(0 if n == 1 else s for n, s in zip(array.shape, array.strides))
    found = views.reshaped_strides(array.shape, strides, new)
    if array.size == 0:
        assert found == (0,) * len(new)
        return
    try:
        want = array.reshape(new, copy=False)
    except ValueError:
        assert found is None
    else:
        assert found == tuple(0 if n == 1 else s for n, s in zip(want.shape, want.strides))


# ------------------------------------------------------------ which kernels


def kernels(function, *arrays, stores=0):
    """The specs of a program; its first results are stored to the first inputs."""
    trace = traced(function, *arrays)
    trace.stores, trace.outputs = list(enumerate(trace.outputs[:stores])), trace.outputs[stores:]
    program = Program(translate(trace), strides_of(arrays), checked=True)
    return [launch.spec for launch in program.launches], program


def names(specs):
    """What kinds they are."""
    return [type(spec).__name__ for spec in specs]


def test_bias_and_activation_join_the_product():
    specs, _ = kernels(linear, f32(64, 30), f32(20, 30), f32(20))
    assert names(specs) == ["Product"]
    assert [s.op for s in specs[0].epilogue] == ["sum", "load", "add", "const", "max", "store"]


def test_softmax_is_one_kernel():
    def softmax(xp, x):
        y = xp.exp(x - xp.max(x, -1, keepdims=True))
        return y / xp.sum(y, -1, keepdims=True)

    specs, _ = kernels(softmax, f32(40, 300))
    assert names(specs) == ["Loops"]
    assert sum(s.op == "reduce" for s in specs[0].body) == 2
    assert sum(s.op == "store" for s in specs[0].body) == 1


def test_layer_norm_is_one_kernel():
    def norm(xp, x, w, b):
        rest = x - xp.mean(x, -1, keepdims=True)
        var = xp.mean(rest * rest, -1, keepdims=True)
        return rest / xp.sqrt(var + xp.asarray(1e-5, x.dtype)) * w + b

    specs, _ = kernels(norm, f32(40, 300), f32(300), f32(300))
    assert names(specs) == ["Loops"]


def step(xp, w, x, g, rate):
    """A weight less its gradient."""
    return w - xp.matmul(g.T, x) * rate


def test_the_update_joins_the_product_that_makes_the_gradient():
    arrays = [f32(20, 30), f32(64, 30), f32(64, 20), f32()]
    specs, program = kernels(step, *arrays, stores=1)
    assert names(specs) == ["Product"]
    (launch,) = program._bound()
    assert launch.memory.count(("input", 0)) == 2  # the weight is read, and written in its place
    assert not any(place == "value" for place, *_ in launch.memory)


def test_a_weight_that_is_read_later_is_not_overwritten_before():
    def both(xp, w, x, g):
        return w - xp.matmul(g.T, x), xp.matmul(x, w.T)

    arrays = [f32(20, 30), f32(64, 30), f32(64, 20)]
    trace = traced(both, *arrays)
    trace.stores, trace.outputs = [(0, trace.outputs[0])], trace.outputs[1:]
    program = compile(trace, arrays, checked=True)
    mine, theirs = ([a.copy() for a in arrays] for _ in range(2))
    (got,), (want,) = program(mine), interpret(trace, numerics, theirs)
    np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(mine[0], theirs[0])


def test_views_move_behind_what_is_computed():
    def net(xp, x, w, b):
        y = xp.matmul(x.reshape(12, 30), w).reshape(3, 4, 20)
        return xp.maximum(y + b, 0)

    specs, _ = kernels(net, f32(3, 4, 30), f32(30, 20), f32(20))
    assert names(specs) == ["Product"]
    graph = simplify(translate(traced(net, f32(3, 4, 30), f32(30, 20), f32(20))))
    verify(graph)
    graph, layouts = layout(graph, [(120, 30, 1), (20, 1), (1,)])
    verify(graph)
    assert len(fuse(graph, layouts).groups) == 1
