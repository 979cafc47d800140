"""Compiled programs do what their calls do one by one, bit for bit: 10,000 random ones.

All run on the paper machine, which does what kernels should; some of them in machine code as well,
where every kernel is shared among 1, 2 and 3 threads however small it is.
"""

from __future__ import annotations

import os
from functools import partial
from unittest.mock import patch

import numpy as np
import pytest

import paper_machine
import penlight
from drawn_programs import draw
from penlight.compiler import numerics
from penlight.compiler.kernels.loops import Loops
from penlight.compiler.kernels.product import Product
from penlight.compiler.program import Fault, Program, compile, strides_of
from penlight.compiler.trace import Call, Ref, Trace, interpret
from penlight.compiler.translate import translate
from penlight.ops.classification import _nll_loss

ON_PAPER = int(os.environ.get("PENLIGHT_EXAMPLES", "10000"))
IN_CODE = ON_PAPER // 40
PARTS = 10  # a program's number modulo this says in which test it is


def same_bits(got, want):
    """Equal bits, any NaN being as good as another."""
    got, want = np.asarray(got), np.asarray(want)
    assert (got.dtype, got.shape) == (want.dtype, want.shape)
    if got.dtype.kind == "f":
        np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
        got, want = (np.where(np.isnan(a), 0, a).view(f"u{a.itemsize}") for a in (got, want))
    np.testing.assert_array_equal(got, want)


def expected(program):
    """What the calls give: the outputs, and the inputs afterwards."""
    arrays = [paper_machine.alike(a) for a in program.arrays]
    with np.errstate(all="ignore"):
        return [np.array(a) for a in interpret(program.trace, numerics, arrays)], arrays


def agree(program, run):
    """`run(arrays)` gives and leaves what the calls do."""
    want, after = expected(program)
    arrays = [paper_machine.alike(a) for a in program.arrays]
    with np.errstate(all="ignore"):
        got = run(arrays)
    for a, b in zip([*got, *arrays], [*want, *after], strict=True):
        same_bits(a, b)


@pytest.mark.parametrize("part", range(PARTS))
def test_on_paper(part):
    for seed in range(part, ON_PAPER, PARTS):
        drawn = draw(seed)
        program = Program(translate(drawn.trace), strides_of(drawn.arrays), checked=True)
        run = partial(paper_machine.run, program, rng=np.random.default_rng(seed))
        try:
            agree(drawn, run)
        except AssertionError as failure:
            raise AssertionError(f"program {seed}: {drawn.trace.calls}") from failure


@pytest.mark.parametrize("part", range(PARTS))
def test_in_code(part):
    before = penlight.get_num_threads()
    try:
        with patch.object(Loops, "threads", 3), patch.object(Product, "threads", 3):
            for seed in range(part, IN_CODE, PARTS):
                drawn = draw(seed)
                program = compile(drawn.trace, drawn.arrays)
                for threads in (1, 2, 3):
                    penlight.set_num_threads(threads)
                    agree(drawn, program)
    finally:
        penlight.set_num_threads(before)


def test_what_is_drawn():
    """Nearly all is compiled, and there is a bit of everything."""
    calls, hosts, stores, kinds = set(), 0, 0, set()
    for seed in range(300):
        drawn = draw(seed)
        graph = translate(drawn.trace)
        hosts += sum(v.op == "host" for v in graph.values)
        stores += len(graph.stores)
        calls |= {call.name for call in drawn.trace.calls}
        kinds |= {v.kind for v in graph.values}
    assert hosts <= 3
    assert stores > 80
    assert len(calls) > 100
    assert kinds >= {"f32", "f64", "i32", "i64", "u8", "bool"}


# ------------------------------------------------------------ faults


def traced(function, *arrays):
    """One call as a trace; its first results are stored to the first inputs."""
    trace, stored = Trace(), 2
    trace.inputs = [trace.value(a.dtype, a.shape) for a in arrays]
    found = function(numerics, *arrays)
    numbers = tuple(trace.value(r.dtype, r.shape) for r in found)
    trace.calls.append(Call("call", function, tuple(map(Ref, trace.inputs)), numbers))
    trace.stores, trace.outputs = list(enumerate(numbers[:stored])), list(numbers[stored:])
    return trace


def looked_up(xp, table, weight, index):
    """New values for both, and rows of the old table."""
    rows = table[index]
    return table * 2, weight - xp.sum(rows), rows


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("wrong", [300, -301, 2**62])
def test_a_wrong_index_leaves_the_inputs_alone(threads, wrong):
    table, weight = np.random.default_rng(0).standard_normal((300, 40)), np.ones(5)
    index = np.array([1, -300, 299])
    before = penlight.get_num_threads()
    with patch.object(Loops, "threads", 3):
        program = compile(traced(looked_up, table, weight, index), [table, weight, index])
        penlight.set_num_threads(threads)
        try:
            arrays = [table.copy(), weight.copy(), np.array([0, wrong, 5])]
            with pytest.raises(Fault):
                program(arrays)
            np.testing.assert_array_equal(arrays[0], table)
            np.testing.assert_array_equal(arrays[1], weight)
            (rows,) = program([arrays[0], arrays[1], index])  # and the program goes on
            np.testing.assert_array_equal(rows, table[index])
            np.testing.assert_array_equal(arrays[0], table * 2)
        finally:
            penlight.set_num_threads(before)


def test_a_wrong_target_is_a_fault():
    x, meaning = np.zeros((2, 3), np.float32), _nll_loss.record.meaning

    def loss(xp, w, x, target):
        return w + 1, x * 2, meaning(xp, x, target, None, "mean", -100)

    loss.lower = lambda xp, w, x, target: (
        w + 1, x * 2, meaning.lower(xp, x, target, None, "mean", -100)
    )  # fmt: skip
    arrays = [np.zeros(3), x, np.array([2, -100])]
    program = compile(traced(loss, *arrays), arrays)
    assert program(arrays)[0] == 0
    for wrong in (3, -1):
        with pytest.raises(Fault):
            program([arrays[0], arrays[1], np.array([0, wrong])])
    np.testing.assert_array_equal(arrays[0], 1)
