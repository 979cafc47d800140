"""Activations and softmax against PyTorch: values, names, two orders of gradients, errors."""

import numpy as np
import pytest
import torch

import penlight
from agreement import check
from second_order import agree, normal

# slopes and scales are exact in float32, to which PyTorch rounds them
SMOOTH = {
    "relu": {}, "relu6": {}, "hardtanh": {"min_val": -0.5, "max_val": 0.7},
    "leaky_relu": {"negative_slope": 0.25}, "elu": {"alpha": 0.5}, "selu": {},
    "celu": {"alpha": 0.5},
    "silu": {}, "mish": {}, "softplus": {"beta": 2.0}, "logsigmoid": {}, "softsign": {},
    "tanhshrink": {}, "hardsigmoid": {}, "hardswish": {}, "hardshrink": {"lambd": 0.3},
    "softshrink": {"lambd": 0.3}, "threshold": {"threshold": 0.1, "value": 0.4},
    "rrelu": {"lower": 0.125, "upper": 0.375},
    "gelu": {}, "glu": {"dim": 1}, "softmax": {"dim": 1}, "log_softmax": {"dim": 0},
    "softmin": {"dim": -1},
}  # fmt: skip
WITH_INPLACE = "relu relu6 hardtanh leaky_relu elu selu celu silu mish hardsigmoid hardswish rrelu"
UNDERSCORED = "relu_ hardtanh_ leaky_relu_ elu_ selu_ celu_ rrelu_".split()
EDGES = [-3.0, 3.0, -1.0, 1.0, 0.0, 6.0, 0.5, -0.5, float("inf"), -float("inf"), 100.0, -100.0]


# hardsigmoid is left to float32 below: PyTorch rounds 1 / 6 to it
@pytest.mark.parametrize("name", [n for n in SMOOTH if n != "hardsigmoid"])
def test_value_name_and_two_orders_of_gradients(name):
    agree(name, normal(3, 4), **SMOOTH[name])


def test_variants():
    agree("gelu", normal(3, 4), approximate="tanh")
    agree("softplus", 3 * normal(3, 4), beta=2.0, threshold=1.0)
    agree("prelu", normal(2, 3, 4), normal(3))
    agree("prelu", normal(4), normal(1))
    agree("normalize", normal(3, 4), p=3.0)


@pytest.mark.parametrize("name", [n for n in SMOOTH if n != "glu"])
def test_edges(name):
    """Kinks, infinities, large numbers: the value, and the gradient where it is a number."""
    if name in ("softmax", "log_softmax", "softmin"):
        options, numbers = {"dim": 0}, [x for x in EDGES if np.isfinite(x)]
    else:
        options, numbers = SMOOTH[name], EDGES
    found = []
    for T in (penlight, torch):
        x = T.tensor(numbers, requires_grad=True)
        y = getattr(T.nn.functional, name)(x, **options)
        (g,) = T.autograd.grad(y.sum(), x)
        found.append((y.detach().numpy(), g.numpy()))
    for ours, theirs in zip(*found, strict=True):
        number = ~np.isnan(theirs)
        np.testing.assert_allclose(ours[number], theirs[number], 1e-5, 1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("name", SMOOTH)
def test_types(name, dtype):
    results = []
    for T in (penlight, torch):
        x = T.from_numpy(normal(4, 6)).to(getattr(T, dtype))
        results.append(getattr(T.nn.functional, name)(x, **SMOOTH[name]))
    ours, theirs = results
    assert str(ours.dtype) == str(theirs.dtype)
    rounding = {"float16": 1e-3, "bfloat16": 8e-3}.get(dtype, 1e-6)
    np.testing.assert_allclose(
        ours.double().numpy(), theirs.double().numpy(), rounding, rounding / 10
    )


@pytest.mark.parametrize("name", WITH_INPLACE.split())
def test_inplace_overwrites_and_differentiates(name):
    found = []
    for T in (penlight, torch):
        x = T.from_numpy(normal(3, 4)).requires_grad_()
        middle = x * 2
        y = getattr(T.nn.functional, name)(middle, **SMOOTH[name], inplace=True)
        assert y is middle
        y.sum().backward()
        found.append((y.detach().numpy(), x.grad.numpy()))
    np.testing.assert_allclose(*found, 1e-9 if name != "hardsigmoid" else 1e-7)


@pytest.mark.parametrize("name", UNDERSCORED)
def test_underscored_names(name):
    for T in (penlight, torch):
        x = T.from_numpy(normal(3, 4))
        assert getattr(T.nn.functional, name)(x) is x


def test_softmax_takes_a_dtype_and_an_implicit_dim():
    x = penlight.tensor([[1, 2], [3, 4]])
    assert penlight.softmax(x, 1, dtype=penlight.float64).dtype is penlight.float64
    assert x.float().log_softmax(0).exp().sum(0).tolist() == pytest.approx([1, 1])
    with pytest.warns(UserWarning, match="Implicit dimension choice for softmax"):
        penlight.nn.functional.softmax(x.float())


@pytest.mark.parametrize("shape", [(5, 3), (100, 7), (100, 40), (2, 3, 4), (6,), ()])
def test_softmax_of_any_shape(shape):
    """Short last axes of many rows take a road of their own."""
    for dim in range(-1, max(len(shape), 1)):
        for name in ("softmax", "log_softmax"):
            agree(name, normal(*shape), dim=dim)


def test_gumbel_softmax_is_one_hot_with_the_soft_gradient():
    logits = penlight.zeros(50, 3, requires_grad=True)
    hard = penlight.nn.functional.gumbel_softmax(logits, hard=True)
    assert set(hard.detach().numpy().ravel().round(5)) == {0.0, 1.0}
    assert hard.sum(1).tolist() == pytest.approx([1] * 50)
    (hard * penlight.arange(3)).sum().backward()
    assert logits.grad.abs().sum() > 0


def test_rrelu_draws_a_slope_for_each_negative_number():
    x = -penlight.ones(1000)
    y = -penlight.nn.functional.rrelu(x, 0.1, 0.3, training=True)
    assert 0.1 <= y.min().item() < 0.11 and 0.29 < y.max().item() <= 0.3
    assert penlight.nn.functional.rrelu(x, 0.1, 0.3)[0].item() == pytest.approx(-0.2)


ERRORS = [
    "relu(T.ones(2).bool())", "relu6(T.ones(2).bool())", "elu(T.ones(2).long())",
    "gelu(T.ones(2).long())", "gelu(v, approximate='x')", "silu(T.ones(2).long())",
    "softplus(T.ones(2).long())", "hardshrink(T.ones(2).long())", "softshrink(v, -1.0)",
    "leaky_relu(T.ones(2).long())", "glu(s)", "glu(m)", "glu(m, 5)", "hardtanh(v, 1, -1)",
    "celu(v, 0.0)", "prelu(m, T.ones(4))", "prelu(s, T.ones(4))", "prelu(m, T.ones(1).double())",
    "softmax(m, 3)", "softmax(T.ones(2).long(), 0)", "rrelu(v, 1.0, 0.5)", "relu(3)",
    "threshold(T.ones(2).bool(), 1, 2)", "softsign(T.ones(2).bool())",
]  # fmt: skip


@pytest.mark.parametrize("call", ERRORS)
def test_errors_are_pytorchs(call):
    check(f"T.nn.functional.{call}")
