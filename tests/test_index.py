"""Indexing, gathering and scattering, against PyTorch."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import penlight

VALUES = np.arange(60, dtype=np.float32).reshape(3, 4, 5)

KEYS = [
    "0",
    "-1",
    "0, 1",
    "0, 1, 2",
    "..., 0",
    "None",
    "None, 0, None",
    ":",
    "1:",
    ":2",
    "::2",
    "1:3, ::2",
    "..., 1:2",
    "[0, 2]",
    "[0, 2], [1, 3]",
    ":, [0, 2]",
    "[0, 2], :, [1, 3]",
    "0, [1, 2]",
    "True",
    "False",
    "T.tensor(1)",
    "T.tensor([0, 1])",
    "T.tensor([0, 1]), 1:",
    "x > 30",
    "x[:, :, 0] > 3",
    "T.tensor([True, False, True])",
    "T.tensor([True, False, True]), 1",
    ":, x[0, :, 0] > 5",
    "..., T.tensor([0, 4])",
    "T.tensor([[0, 1], [2, 0]])",
    "1, ..., None, 2",
    "[]",
    "np.array([0, 1])",
    "0:0",
    "5:",
    "-2:",
    ":, -3:-1",
    "(0, 1)",
    "slice(1, 3)",
]


@pytest.mark.parametrize("key", KEYS)
def test_getitem(key):
    results = []
    for T in (torch, penlight):
        x = T.from_numpy(VALUES.copy()).requires_grad_()
        names = {"x": x, "T": T, "np": np}
        y = eval(f"x[{key}]", names)
        if y.numel():
            (y * y).sum().backward()
        shares = np.shares_memory(y.detach().numpy(), x.detach().numpy()) if y.numel() else None
        grad = None if x.grad is None else x.grad.numpy()
        results.append((y.detach().numpy(), grad, shares))
    (want, want_grad, want_shares), (got, got_grad, got_shares) = results
    np.testing.assert_array_equal(got, want)
    assert got_shares == want_shares
    if want_grad is not None:
        np.testing.assert_array_equal(got_grad, want_grad)


@pytest.mark.parametrize("key", [k for k in KEYS if k != "False"])
def test_setitem(key):
    results = []
    for T in (torch, penlight):
        x = T.from_numpy(VALUES.copy())
        names = {"x": x, "T": T, "np": np}
        exec(f"x[{key}] = -7", names)
        results.append(x.numpy())
    np.testing.assert_array_equal(results[1], results[0])


WRONG = [
    "x[5]",
    "x[0, 0, 0, 0]",
    "x[::-1]",
    "x[[5]]",
    "x[T.tensor([0.5])]",
    "x[T.tensor([True, False])]",
    "x[1.5]",
    "x[T.tensor([0, 1]), T.tensor([0, 1, 2])]",
    "x.gather(0, T.tensor([[[5]]]))",
    "x.gather(0, T.tensor([1]))",
    "x.index_select(0, T.tensor([9]))",
    "x.index_select(0, T.tensor([[0]]))",
    "x.scatter(0, T.tensor([[[9]]]), 1.0)",
    "x.masked_fill(x, 1)",
    "x.index_add(0, T.tensor([0]), T.ones(2, 4, 5))",
    "x.take(T.tensor([99]))",
    "x.index_copy(0, T.tensor([7]), T.ones(1, 4, 5))",
    "x.put(T.tensor([1]), T.ones(2))",
    "T.where(x, 1, 2)",
    "T.where(x > 0, T.ones(2), 1)",
    "x.scatter_reduce(0, T.tensor([[[0]]]), T.ones(1, 1, 1), 'foo')",
    "x.select(0, 7)",
    "x.select(5, 0)",
    "x.__setitem__(5, 1)",
    "x.__setitem__(0, T.ones(3))",
    "x.__setitem__([7], 1)",
    "x.__setitem__([0, 1], T.ones(3))",
    "x.scatter(0, T.tensor([[[-1]]]), 1.0)",
    "x.gather(0, T.tensor([[[-1]]]))",
]


@pytest.mark.parametrize("code", WRONG)
def test_errors(code):
    """PyTorch's class and PyTorch's words; nothing is read or written out of bounds."""
    with pytest.raises(Exception) as want:
        eval(code, {"x": torch.from_numpy(VALUES.copy()), "T": torch})
    with pytest.raises(type(want.value)) as got:
        eval(code, {"x": penlight.from_numpy(VALUES.copy()), "T": penlight})
    assert str(got.value)[:50] == str(want.value)[:50]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_random_keys(data):
    """Keys of slices, integers, None and one index list, drawn at random."""
    items = []
    for size in VALUES.shape:
        kind = data.draw(st.sampled_from(["int", "slice", "list", "none"]))
        if kind == "int":
            items.append(data.draw(st.integers(-size, size - 1)))
        elif kind == "slice":
            bound = st.none() | st.integers(-size - 1, size + 1)
            items.append(slice(data.draw(bound), data.draw(bound), data.draw(st.integers(1, 3))))
        elif kind == "list":
            items.append(data.draw(st.lists(st.integers(-size, size - 1), min_size=2, max_size=2)))
        else:
            items += [None, slice(None)]
    key = tuple(items)
    want = torch.from_numpy(VALUES)[key].numpy()
    got = penlight.from_numpy(VALUES)[key].numpy()
    np.testing.assert_array_equal(got, want)
    index = np.zeros((2, 4, 5), np.int64) + data.draw(st.integers(0, 2))
    want = torch.from_numpy(VALUES.copy()).scatter_add(
        0, torch.from_numpy(index), torch.ones(2, 4, 5)
    )
    got = penlight.from_numpy(VALUES.copy()).scatter_add(
        0, penlight.from_numpy(index), penlight.ones(2, 4, 5)
    )
    np.testing.assert_array_equal(got.numpy(), want.numpy())
