"""assert_close says what PyTorch's says; mixed precision switches itself off without a GPU."""

import pytest
import torch

import penlight

CASES = [
    "(T.ones(2, 3), T.ones(2, 3) + 1)",
    "(T.ones(2, 3), T.ones(2, 3).double())",
    "(T.ones(2, 3), T.ones(3, 2))",
    "(T.tensor(1.0), T.tensor(1.0))",
    "(1.0, 2.0)",
    "(1, 1)",
    "([T.ones(2)], [T.ones(2), T.ones(2)])",
    "({'x': T.ones(2)}, {'x': T.ones(2) + 1})",
    "([1.0, {'a': T.ones(1)}], [1.0, {'a': T.zeros(1)}])",
    "(T.tensor([1, 2]), T.tensor([1, 3]))",
    "(T.tensor([float('nan')]), T.tensor([float('nan')]))",
    "(T.ones(2), [1.0])",
    "(T.ones(3), T.ones(3) + 1e-7)",
    "(T.tensor([1.0, 5.0]), T.tensor([1.0, 4.0]))",
]


def outcome(T, code, **options):
    try:
        T.testing.assert_close(*eval(code, {"T": T}), **options)
    except Exception as error:
        return type(error).__name__, str(error).replace("penlight.core.tensor.", "torch.")
    return "close"


@pytest.mark.parametrize("code", CASES)
def test_assert_close(code):
    assert outcome(penlight, code) == outcome(torch, code)


def test_tolerances():
    code = "(T.ones(2), T.ones(2) + 0.05)"
    for options in ({"rtol": 0.1, "atol": 0}, {"rtol": 0.01, "atol": 0}, {"rtol": 0.1}):
        assert outcome(penlight, code, **options) == outcome(torch, code, **options)
    assert outcome(penlight, code, msg="mine") == ("AssertionError", "mine")


def test_mixed_precision_is_off_without_a_gpu():
    with pytest.warns(UserWarning, match="Disabling autocast"), penlight.autocast("cuda"):
        assert (penlight.ones(2, 2) @ penlight.ones(2, 2)).dtype is penlight.float32
    with pytest.warns(UserWarning, match="Disabling"):
        scaler = penlight.amp.GradScaler("cuda")
    assert not scaler.is_enabled()
    x = penlight.ones(2)
    assert scaler.scale(x) is x
    with pytest.raises(NotImplementedError, match="enabled=False"):
        penlight.autocast("cpu")
