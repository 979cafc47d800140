"""Normalizations beside PyTorch's."""

import numpy as np
import pytest
import torch

import penlight
from agreement import check
from second_order import agree, normal

SHAPES = [(4, 3), (4, 3, 5), (4, 3, 2, 3), (2, 3, 2, 2, 2)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_batch_norm(shape):
    x, w, b = normal(*shape), normal(3), normal(3, seed=1)
    agree("batch_norm", x, None, None, w, b, training=True)
    agree("batch_norm", x, None, None, training=True, eps=0.1)
    agree("batch_norm", x, None, None, w, training=True)


@pytest.mark.parametrize("name", ["batch_norm", "instance_norm"])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", SHAPES[1:], ids=str)
def test_running_statistics(name, training, shape):
    def run(lib):
        x = lib.tensor(normal(*shape)).requires_grad_()
        w, b = (lib.tensor(normal(3, seed=s)).requires_grad_() for s in (1, 2))
        mean, var = lib.tensor(normal(3)), lib.tensor(normal(3) ** 2)
        f = getattr(lib.nn.functional, name)
        y = f(x, mean, var, w, b, training, momentum=0.3)
        (y**3).sum().backward()
        return [t.detach().numpy() for t in (y, x.grad, w.grad, b.grad, mean, var)]

    for ours, theirs in zip(run(penlight), run(torch), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_norms_of_samples(shape):
    x, rest = normal(*shape), shape[1:]
    agree("layer_norm", x, rest, normal(*rest), normal(*rest, seed=1))
    agree("layer_norm", x, rest[-1:])
    agree("layer_norm", x, rest, None, normal(*rest), order=1)  # PyTorch fails at order 2
    agree("rms_norm", x, rest, normal(*rest))
    agree("rms_norm", x, rest[-1:], eps=0.1)
    if len(shape) > 2:
        agree("instance_norm", x, None, None, normal(3), normal(3, seed=1))
        agree("local_response_norm", x, 2)
        agree("local_response_norm", x, 3, alpha=0.3, beta=0.5, k=2.0)


@pytest.mark.parametrize("groups", [1, 2, 3, 6])
def test_group_norm(groups):
    for shape in ((4, 6, 5), (4, 6, 2, 3)):
        agree("group_norm", normal(*shape), groups, normal(6), normal(6, seed=1))
        agree("group_norm", normal(*shape), groups)


def test_in_place_after_a_norm():
    """The result is not needed for the gradient, so relu_ may overwrite it."""
    x = penlight.tensor(normal(4, 3, 5)).requires_grad_()
    y = penlight.nn.functional.batch_norm(x, None, None, training=True)
    (y.relu_() ** 2).sum().backward()
    z = torch.tensor(normal(4, 3, 5)).requires_grad_()
    (torch.nn.functional.batch_norm(z, None, None, training=True).relu() ** 2).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), z.grad.numpy(), rtol=1e-9, atol=1e-12)


NORMS = [
    ("layer_norm", ((7,),)),
    ("rms_norm", ((7,),)),
    ("group_norm", (3,)),
    ("instance_norm", ()),
    ("batch_norm", (None, None, None, None, True)),
]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize(("name", "arguments"), NORMS, ids=[name for name, _ in NORMS])
def test_element_types(dtype, name, arguments):
    """The result is that of float64, rounded, also where the mean is large."""
    x = penlight.tensor(normal(4, 6, 7) + 10).to(getattr(penlight, dtype))
    exact = torch.tensor(x.to(penlight.float64).numpy())
    y = getattr(penlight.nn.functional, name)(x, *arguments)
    assert y.dtype is x.dtype
    want = getattr(torch.nn.functional, name)(exact, *arguments)
    rtol = {"float16": 1e-3, "bfloat16": 8e-3}.get(dtype, 1e-5)
    np.testing.assert_allclose(y.to(penlight.float64).numpy(), want.numpy(), rtol=rtol, atol=rtol)


F = "T.nn.functional."
ERRORS = [
    "batch_norm(T.ones(1, 3), None, None, training=True)",
    "batch_norm(T.ones(4, 3), None, None)",
    "batch_norm(T.ones(4, 3), T.zeros(2), T.ones(3))",
    "batch_norm(T.ones(4, 3), T.zeros(3), T.ones(2))",
    "batch_norm(T.ones(4, 3), T.zeros(3), T.ones(3), T.ones(2))",
    "batch_norm(T.ones(4, 3, dtype=T.float64), T.zeros(3), T.ones(3))",
    "batch_norm(T.ones(4, 3).long(), T.zeros(3), T.ones(3))",
    "layer_norm(T.ones(4, 3), (2,))",
    "layer_norm(T.ones(4, 3), ())",
    "layer_norm(T.ones(4, 3), (3,), T.ones(2))",
    "layer_norm(T.ones(4, 3), 3)",
    "layer_norm(T.ones(4, 3).long(), (3,))",
    "group_norm(T.ones(4, 6), 4)",
    "group_norm(T.ones(4), 2)",
    "group_norm(T.ones(4, 6), 2, T.ones(4))",
    "group_norm(T.ones(1, 6), 6)",
    "instance_norm(T.ones(4, 3, 1))",
    "instance_norm(T.ones(4, 3, 5), use_input_stats=False)",
    "rms_norm(T.ones(4, 3), (2,))",
    "rms_norm(T.ones(4, 3), (3,), T.ones(2))",
    "local_response_norm(T.ones(4, 6), 3)",
]


@pytest.mark.parametrize("line", ERRORS)
def test_errors(line):
    check(F + line)
    with pytest.raises((RuntimeError, ValueError, TypeError)):
        eval(F + line, {"T": penlight})
