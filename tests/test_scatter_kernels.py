"""Rows read by number and added to: NumPy's bits, whatever the threads; wrong numbers raise."""

import os
import subprocess
import sys
from hashlib import sha256

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import penlight
from penlight.compiler import code, numerics, program
from penlight.compiler.kernels.scatter import AddAt
from penlight.compiler.trace import Call, Ref, Trace
from penlight.ops.embedding import _embedding, _embedding_dense_backward

ADD_AT, ADD_ROWS, ROWS = numerics.add_at, numerics.add_rows, numerics.rows


def drawn(rows, index, rest, dtype, seed=0):
    """A table, an index into it and as many rows to add."""
    rng = np.random.default_rng(seed)
    base = (rng.standard_normal((rows, *rest)) * 9).astype(dtype)
    part = (rng.standard_normal((*index, *rest)) * 9).astype(dtype)
    return base, rng.integers(0, rows, index), part


def added(base, index, part):
    """NumPy's sums, in ascending order."""
    out = base.copy()
    np.add.at(out, index, part)
    return out


@settings(max_examples=80, deadline=None)
@given(
    st.integers(1, 12),
    st.lists(st.integers(0, 9), max_size=2),
    st.lists(st.integers(0, 40), max_size=2),
    st.sampled_from([np.float32, np.float64, np.int32, np.int64, np.int8, np.float16]),
    st.sampled_from([np.int64, np.int32]),
    st.integers(0, 9),
)
def test_same_bits_as_numpy(rows, index, rest, dtype, of, seed):
    """All kinds of elements, with and without a kernel."""
    base, index, part = drawn(rows, tuple(index), tuple(rest), dtype, seed)
    index = index.astype(of)
    assert ADD_AT(base, index, part).tobytes() == added(base, index, part).tobytes()
    zeros = np.zeros_like(base)
    assert ADD_ROWS(index, part, rows=rows).tobytes() == added(zeros, index, part).tobytes()
    assert ROWS(base, index).tobytes() == base[index].tobytes()


@pytest.mark.parametrize("rest", [(), (5,), (31,), (32,), (100,)])
@pytest.mark.parametrize("start", ["", "zeros", "base"])
def test_shares_of_threads(start, rest):
    """Every number of shares gives the same bits, and nothing around the table is written."""
    base, index, part = drawn(50, (200,), rest, np.float32)
    cols = int(np.prod(rest))
    first = base if start == "base" else np.zeros_like(base)
    expected = added(first, index, part)
    for threads in (1, 2, 3, 7):
        whole = np.full(base.size + 64, 7, np.float32)
        out = whole[32:-32]
        out[:] = np.nan if start else 0
        error = np.zeros(4, np.int64)
        given = [index, part, out, error]
        spec = AddAt("f32", start, threads, (50, 200, cols))
        code.launch(spec, *([base] if start == "base" else []), *given, threads=threads)
        assert out.tobytes() == expected.tobytes()
        assert (whole[:32] == 7).all() and (whole[-32:] == 7).all() and not error.any()


def test_threads_of_eager_code():
    """Large enough for several threads."""
    base, index, part = drawn(3000, (9000,), (40,), np.float32)
    before, expected = penlight.get_num_threads(), added(base, index, part)
    try:
        for count in (1, 2, 3):
            penlight.set_num_threads(count)
            assert ADD_AT(base, index, part).tobytes() == expected.tobytes()
            assert ROWS(base, index).tobytes() == base[index].tobytes()
    finally:
        penlight.set_num_threads(before)


@pytest.mark.parametrize("wrong", [-1, 6, 2**40])
@pytest.mark.parametrize("dtype", [np.float32, np.int8])
def test_wrong_numbers_raise(wrong, dtype):
    """Named with the size, by kernels and without."""
    base, index, part = drawn(6, (9,), (4,), dtype)
    index[3] = wrong
    for call in (
        lambda: ADD_AT(base, index, part),
        lambda: ADD_ROWS(index, part, rows=6),
        lambda: ROWS(base, index),
    ):
        with pytest.raises(IndexError, match=f"index {wrong} is out of bounds .* size 6"):
            call()


def test_the_first_wrong_number_is_reported():
    """{1, index, size, axis}; the other rows are added."""
    base, index, part = drawn(6, (9,), (4,), np.float32)
    out, error = base.copy(), np.zeros(4, np.int64)
    index[2], index[5] = 77, -3
    code.launch(AddAt("f32", "", 2, (6, 9, 4)), index, part, out, error, threads=2)
    assert error.tolist() == [1, 77, 6, 0]
    good = (index >= 0) & (index < 6)
    assert out.tobytes() == added(base, index[good], part[good]).tobytes()


def digest():
    """Of the bits of several sums."""
    total = sha256()
    for rest, dtype in (((37,), np.float32), ((19,), np.float64), ((), np.float32)):
        total.update(ADD_AT(*drawn(7, (90,), rest, dtype)).tobytes())
    return total.hexdigest()


@pytest.mark.parametrize("bits", ["128", "256"])
def test_vector_width_does_not_change_bits(bits):
    """The same digest from a process with narrower vectors."""
    run = subprocess.run(
        [sys.executable, "-c", "import test_scatter_kernels as t; print(t.digest())"],
        env={**os.environ, "PENLIGHT_VECTOR_BITS": bits}, cwd=os.path.dirname(__file__),
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert run.stdout.strip() == digest()


# ---------------------------------------------------------------- in programs


def compiled(meaning, arrays):
    """The program of a meaning of these arrays."""
    trace = Trace()
    refs = [Ref(trace.value(a.dtype, a.shape)) for a in arrays]
    trace.inputs = [r.number for r in refs]
    found = meaning(numerics, *arrays)
    trace.outputs = [trace.value(found.dtype, found.shape)]
    trace.calls.append(Call("meaning", meaning, tuple(refs), tuple(trace.outputs)))
    return program.compile(trace, arrays, checked=True), found


MEANINGS = {
    "add_at": lambda xp, base, index, part: xp.add_at(base * 2, index, part.swapaxes(1, 2) + 1),
    "add_rows": lambda xp, base, index, part: xp.add_rows(index, part, rows=9) * 2,
}


@pytest.mark.parametrize("name", MEANINGS)
def test_in_programs(name):
    """The bits of eager code; a wrong number ends the program."""
    base, index, part = drawn(9, (3, 5), (5,), np.float32)
    arrays = [base, index, part]
    run, expected = compiled(MEANINGS[name], arrays)
    assert "AddAt" in [type(launch.spec).__name__ for launch in run.launches]
    assert run(arrays)[0].tobytes() == expected.tobytes()
    index[1, 2] = 9
    with pytest.raises(program.Fault):
        run(arrays)


def test_stored_over_its_base():
    """A program that puts the sums where the base was."""
    base, index, part = drawn(9, (20,), (5,), np.float32)
    trace = Trace()
    refs = [Ref(trace.value(a.dtype, a.shape)) for a in (base, index, part)]
    trace.inputs = [r.number for r in refs]
    result = trace.value(base.dtype, base.shape)
    trace.calls.append(
        Call("add_at", lambda xp, *arrays: xp.add_at(*arrays), tuple(refs), (result,))
    )
    trace.stores = [(0, result)]
    run = program.compile(trace, [base, index, part], checked=True)
    expected = base.copy()
    for _ in range(3):
        expected = added(expected, index, part)
        run([base, index, part])
        assert base.tobytes() == expected.tobytes()


# ---------------------------------------------------------------- embeddings


@pytest.mark.parametrize("padding", [None, 0, 3])
@pytest.mark.parametrize("by_freq", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_embedding_gradient(padding, by_freq, dtype):
    """Against PyTorch."""
    rng = np.random.default_rng(1)
    table, index = rng.standard_normal((7, 20)), rng.integers(0, 7, (4, 6))
    weights, found = rng.standard_normal((4, 6, 20)), []
    for library in (penlight, torch):
        t = library.tensor(table).to(getattr(library, dtype)).requires_grad_()
        out = library.nn.functional.embedding(
            library.tensor(index), t, padding, scale_grad_by_freq=by_freq
        )
        out.backward(library.tensor(weights).to(out.dtype))
        found.append([x.detach().double().numpy() for x in (out, t.grad)])
    bound = {"float32": 1e-5, "float64": 1e-12, "bfloat16": 0.1}[dtype]
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=bound)


@pytest.mark.parametrize("wrong", [-1, 7])
def test_embedding_of_a_wrong_number(wrong):
    """PyTorch's words, and what the table has."""
    with pytest.raises(IndexError, match=r"index out of range in self\nthe table has 7 rows"):
        penlight.nn.functional.embedding(penlight.tensor([wrong]), penlight.zeros(7, 2))


def test_embedding_and_its_gradient_are_traced():
    """Both meanings can be read symbolically, padding and frequencies included."""
    forward, backward = (f.record.meaning for f in (_embedding, _embedding_dense_backward))

    def meaning(xp, base, index, part):
        slope = backward(xp, part, index, 9, 2, True)
        return slope + xp.sum(forward(xp, base, index, -1, False), 0)

    arrays = list(drawn(9, (40,), (5,), np.float32))
    run, expected = compiled(meaning, arrays)
    assert not run.hosts  # nothing is left to Python
    assert run(arrays)[0].tobytes() == expected.tobytes()
