"""Sorting, the k largest, searching and membership beside PyTorch's."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import penlight
from same import assert_same


def values(T):
    t = T.tensor
    return {
        "f": t([1.5, -2.0, 0.0]), "n": t([1.0, float("nan"), 5.0]), "i": t([3, 1, 2]), "k": t(3),
        "m": t([[1.0, 3, 2], [6, 5, 4]]), "e": T.zeros(0), "c": t([1j]), "b": t([True, False]),
        "row": t([1, 3, 5]), "rows": t([[1, 3, 5], [2, 4, 6]]),
        "x": t([[0.3, -0.4, 0.7], [1.5, -2.1, 0.9]], dtype=T.float64, requires_grad=True),
    }  # fmt: skip


CALLS = [
    "e.topk(0)", "f.sort()", "n.sort()", "n.sort(descending=True)", "m.sort(0)", "m.sort(1, True)",
    "k.sort()", "e.sort()", "c.sort()", "t([1, 1, 0, 1]).sort(descending=True, stable=True)",
    "m.sort(5)", "f.argsort()", "m.argsort(0, descending=True)", "m.msort()", "k.msort()",
    "m.topk(2)", "m.topk(1, 0)", "n.topk(2)", "n.topk(2, largest=False)", "m.topk(7)", "k.topk(1)",
    "c.topk(1)", "b.topk(1)", "T.arange(100.0).flip(0).topk(3)",
    "T.arange(100.0).topk(3, largest=False)", "T.searchsorted(row, t([3, 4]))",
    "T.searchsorted(row, t([3, 4]), right=True)",
    "T.searchsorted(row, t([[3], [9]]), side='right', out_int32=True)", "T.searchsorted(row, 4)",
    "T.searchsorted(rows, t([[3], [9]]))", "T.searchsorted(rows, 4)",
    "T.searchsorted(row, t([1.0]))", "T.searchsorted(rows, t([1]))",
    "T.searchsorted(row, t([3]), side='x')", "T.searchsorted(row, t([3]), right=True, side='left')",
    "T.searchsorted(i, t([2]), sorter=i.argsort())", "T.searchsorted(row, t([2]), sorter=t([0]))",
    "T.bucketize(f, t([0.0, 1.0]))", "T.bucketize(f, t([0.0, 1.0]), right=True)",
    "T.bucketize(1, row)", "T.bucketize(f, m)", "T.isin(i, t([1, 9]))", "T.isin(i, 2)",
    "T.isin(2, i)", "T.isin(m, f)", "T.isin(i, t([1]), invert=True)",
    "T.isin(i, t([1, 1]), assume_unique=False)",
]  # fmt: skip
SMOOTH = ["x.sort()", "x.sort(0, True)", "x.msort()", "x.topk(2)", "x.topk(1, 0, False)"]


@pytest.mark.parametrize("code", CALLS)
def test_calls(code):
    assert_same(code, values)


@pytest.mark.parametrize("code", SMOOTH)
def test_gradients(code):
    assert_same(code, values, ("x",))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(width=32), max_size=20), st.booleans())
def test_stable_order(numbers, descending):
    """NaN is the largest, equal numbers keep their order."""
    array = np.array(numbers, np.float32)
    want = torch.from_numpy(array).sort(descending=descending, stable=True)
    got = penlight.from_numpy(array).sort(descending=descending)
    np.testing.assert_array_equal(got.values.numpy(), want.values.numpy())
    assert got.indices.tolist() == want.indices.tolist()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-5, 5), min_size=1, max_size=200), st.data())
def test_topk_is_the_head_of_the_sorted(numbers, data):
    x = penlight.tensor(numbers)
    k = data.draw(st.integers(0, len(numbers)))
    for largest in (True, False):
        top = x.topk(k, largest=largest)
        assert top.values.tolist() == sorted(numbers, reverse=largest)[:k]
        assert [numbers[n] for n in top.indices.tolist()] == top.values.tolist()
        assert len(set(top.indices.tolist())) == k


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-9, 9), max_size=12), st.lists(st.integers(-10, 10), max_size=12))
def test_searchsorted_keeps_order(sequence, found):
    """Everything before the place is smaller (or equal, on the right side)."""
    sequence = sorted(sequence)
    tensors = [penlight.tensor(v, dtype=penlight.int64) for v in (sequence, found)]
    places = penlight.searchsorted(*tensors).tolist()
    for value, place in zip(found, places, strict=True):
        assert place == sum(s < value for s in sequence)
