"""The tape and the backward walk, against PyTorch."""

import gc
import weakref

import numpy as np
import pytest
import torch

import penlight


def both(program):
    """The same program on both libraries: a list of arrays each."""
    results = []
    for T in (torch, penlight):
        results.append([np.asarray(t.detach().numpy()) for t in program(T)])
    return results


def same(program):
    """Asserts that a program gives the same arrays on both libraries."""
    want, got = both(program)
    assert len(want) == len(got)
    for w, g in zip(want, got, strict=True):
        assert w.dtype == g.dtype and w.shape == g.shape
        np.testing.assert_allclose(g, w, rtol=1e-5, atol=1e-6)


def leaf(T, *shape, seed=0):
    """The same random leaf for both libraries."""
    values = np.random.RandomState(seed).uniform(0.2, 1.5, shape).astype(np.float32)
    return T.from_numpy(values).requires_grad_()


def in_place_on_a_view(T):
    x = leaf(T, 3, 4)
    y = x * 1
    v = y[1]
    v.mul_(2)
    v.exp_()
    y.sum().backward()
    return [x.grad, y]


def in_place_on_the_base_of_a_view(T):
    x = leaf(T, 3, 4)
    y = x * 1
    v = y.t()
    y.mul_(3)
    (v * v).sum().backward()
    return [x.grad, v]


def view_of_a_view(T):
    x = leaf(T, 4, 6)
    y = x * 1
    v = y[1:3][:, ::2]
    v.add_(leaf(T, 2, 3, seed=3) ** 2)
    z = y.exp()
    z.sum().backward()
    return [x.grad, z]


def assignment(T):
    x, b = leaf(T, 3, 3), leaf(T, 3, seed=4)
    y = x * 2
    y[0] = b * b
    y[:, 1] = 0.0
    (y * y).sum().backward()
    return [x.grad, b.grad]


def advanced_assignment(T):
    x, b = leaf(T, 5), leaf(T, 2, seed=5)
    y = x * 2
    y[[0, 3]] = b
    (y * y).sum().backward()
    return [x.grad, b.grad]


def shared_subexpression(T):
    x = leaf(T, 4)
    y = x.exp()
    z = y * y + y
    z.sum().backward()
    return [x.grad]


def twice(T):
    x = leaf(T, 4)
    (x * x).sum().backward()
    (x * 3).sum().backward()
    return [x.grad]


def second_derivative(T):
    x = leaf(T, 3)
    (g,) = T.autograd.grad((x**3).sum(), x, create_graph=True)
    (g * g).sum().backward()
    return [x.grad, g]


def third_derivative(T):
    x = leaf(T, 3)
    y = x.sin()
    for _ in range(3):
        (y,) = T.autograd.grad(y.sum(), x, create_graph=True)
    return [y]


def gradient_of_a_middle_tensor(T):
    x = leaf(T, 3)
    y = x * 2
    z = (y * y).sum()
    return list(T.autograd.grad(z, [y, x]))


def retained(T):
    x = leaf(T, 3)
    y = x * 2
    y.retain_grad()
    (y * y).sum().backward()
    return [y.grad, x.grad]


def hooked(T):
    x = leaf(T, 3)
    y = x * 2
    y.register_hook(lambda g: g * 10)
    x.register_hook(lambda g: g + 1)
    (y * y).sum().backward()
    return [x.grad]


def removed_hook(T):
    x = leaf(T, 3)
    handle = x.register_hook(lambda g: g * 10)
    handle.remove()
    (x * x).sum().backward()
    return [x.grad]


def inputs_only(T):
    x, y = leaf(T, 3), leaf(T, 3, seed=1)
    (x * y).sum().backward(inputs=[x])
    assert y.grad is None
    return [x.grad]


def broadcast(T):
    x, y = leaf(T, 3, 1), leaf(T, 4, seed=1)
    (x * y + y).sum().backward()
    return [x.grad, y.grad]


def expanded_write(T):
    x = leaf(T, 3)
    y = x.expand(2, 3).clone()
    y[0] *= 2
    y.sum().backward()
    return [x.grad]


def unbound(T):
    x = leaf(T, 3, 2)
    a, _, c = x.unbind(0)
    (a * c).sum().backward()
    return [x.grad]


def maximum_with_indices(T):
    x = leaf(T, 3, 4)
    values, _ = x.max(1)
    (values * values).sum().backward()
    return [x.grad]


def mixed_types(T):
    x = leaf(T, 3)
    (x * x.double()).sum().backward()
    return [x.grad]


def no_grad_write(T):
    x = leaf(T, 3)
    with T.no_grad():
        x.mul_(2)
    (x * x).sum().backward()
    return [x.grad, x]


def function_with_two_outputs(T):
    class Both(T.autograd.Function):
        @staticmethod
        def forward(ctx, x, k):
            y = x * k
            ctx.save_for_backward(x, y)
            ctx.k = k
            return y, x + 1

        @staticmethod
        def backward(ctx, g, h):
            x, y = ctx.saved_tensors
            return g * ctx.k + h * y + x, None

    x = leaf(T, 3)
    a, b = Both.apply(x, 3.0)
    (a * a).sum().backward(retain_graph=True)
    b.sum().backward()
    return [x.grad]


PROGRAMS = [
    in_place_on_a_view, in_place_on_the_base_of_a_view, view_of_a_view, assignment,
    advanced_assignment, shared_subexpression, twice, second_derivative, third_derivative,
    gradient_of_a_middle_tensor, retained, hooked, removed_hook, inputs_only, broadcast,
    expanded_write, unbound, maximum_with_indices, mixed_types, no_grad_write,
    function_with_two_outputs,
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_program(program):
    same(program)


def backward_twice(T):
    y = leaf(T, 3).exp().sum()
    y.backward()
    y.backward()


def leaf_in_place(T):
    leaf(T, 3).add_(1)


def view_of_a_leaf_in_place(T):
    leaf(T, 3)[0].add_(1)


def saved_overwritten(T):
    y = leaf(T, 3).exp()
    y.add_(1)
    y.sum().backward()


def no_scalar(T):
    (leaf(T, 3) * 2).backward()


def nothing_to_differentiate(T):
    T.ones(3).sum().backward()


def wrong_gradient_shape(T):
    (leaf(T, 3) * 2).backward(T.ones(4))


def unused_input(T):
    T.autograd.grad(leaf(T, 3).sum(), leaf(T, 3))


def requires_grad_of_integers(T):
    T.ones(3, dtype=T.int64).requires_grad_()


def grad_flag_of_a_result(T):
    (leaf(T, 3) * 2).requires_grad_(False)


def split_in_place(T):
    (leaf(T, 3, 2) * 1).unbind(0)[0].add_(1)


def written_twice(T):
    T.zeros(1).expand(3).add_(1)


def numpy_with_grad(T):
    leaf(T, 3).numpy()


def wrong_shape_in_place(T):
    T.zeros(3).add_(T.zeros(2, 3))


def float_into_integers(T):
    T.zeros(3, dtype=T.int64).add_(1.5)


ERRORS = [
    backward_twice, leaf_in_place, view_of_a_leaf_in_place, saved_overwritten, no_scalar,
    nothing_to_differentiate, wrong_gradient_shape, unused_input, requires_grad_of_integers,
    grad_flag_of_a_result, split_in_place, written_twice, numpy_with_grad, wrong_shape_in_place,
    float_into_integers,
]  # fmt: skip


@pytest.mark.parametrize("program", ERRORS, ids=lambda p: p.__name__)
def test_error(program):
    """The same class, and PyTorch's first words."""
    with pytest.raises(Exception) as want:
        program(torch)
    with pytest.raises(type(want.value)) as got:
        program(penlight)
    head = str(want.value).split(".")[0][:60]
    assert str(got.value).startswith(head), f"{got.value!s}\n---\n{want.value!s}"


def test_graph_without_saved_tensors_can_be_walked_again():
    for T in (torch, penlight):
        x = leaf(T, 3)
        y = (x + 1).sum()
        y.backward()
        y.backward()
        assert x.grad.tolist() == [2.0, 2.0, 2.0]


def test_graph_is_freed_without_the_garbage_collector():
    """Tensors and nodes form no reference cycles: a training loop's memory does not wait for gc."""
    gc.collect()
    gc.disable()
    try:
        x = leaf(penlight, 4)
        y = (x.exp() * x).relu().tanh()
        loss = y.softmax(0).sum()
        watched = [weakref.ref(y), weakref.ref(loss.grad_fn), weakref.ref(loss)]
        loss.backward()
        del y, loss
        assert [w() for w in watched] == [None, None, None]
    finally:
        gc.enable()


def test_gradients_do_not_share_memory():
    a, b = leaf(penlight, 3), leaf(penlight, 3, seed=1)
    (a + b).sum().backward()
    a.grad.add_(1)
    assert b.grad.tolist() == [1.0, 1.0, 1.0]


def test_next_functions():
    x = leaf(penlight, 3)
    node = (x * 2 + 1).grad_fn
    assert type(node).__name__ == "AddBackward0"
    inner = node.next_functions[0][0]
    assert type(inner).__name__ == "MulBackward0"
    assert type(inner.next_functions[0][0]).__name__ == "AccumulateGrad"
    assert inner.next_functions[0][0].variable is x


def test_grad_modes():
    x = leaf(penlight, 3)
    with penlight.no_grad():
        assert not (x * 2).requires_grad
        with penlight.enable_grad():
            assert (x * 2).requires_grad
    with penlight.set_grad_enabled(False):
        assert not (x * 2).requires_grad
    assert penlight.is_grad_enabled()

    @penlight.no_grad()
    def halved(t):
        assert not penlight.is_grad_enabled()
        return t / 2

    @penlight.no_grad()
    def steps(t):
        for _ in range(2):
            assert not penlight.is_grad_enabled()
            yield t * 2

    assert not halved(x).requires_grad
    for y in steps(x):
        assert penlight.is_grad_enabled()
        assert not y.requires_grad


def test_anomaly_names_the_forward_line():
    x = penlight.tensor([0.0], requires_grad=True)
    with penlight.autograd.detect_anomaly():
        y = x.sqrt() * 0  # the line at fault
        with pytest.raises(RuntimeError, match="SqrtBackward0") as caught:
            y.sum().backward()
    assert "the line at fault" in str(caught.value)
    assert __file__ in str(caught.value)


def test_checkpoint_repeats_random_numbers():
    from penlight.utils.checkpoint import checkpoint

    calls = []

    def noisy(t):
        calls.append(1)
        return (t * penlight.rand(4)).exp()

    x = leaf(penlight, 4)
    penlight.manual_seed(3)
    noisy(x).sum().backward()
    want, x.grad = x.grad, None
    penlight.manual_seed(3)
    checkpoint(noisy, x, use_reentrant=False).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), want.numpy())
    assert len(calls) == 3


def test_jacobian_and_hessian():
    def f(T):
        x = leaf(T, 3).detach()
        functional = T.autograd.functional
        return [
            functional.jacobian(lambda t: t.exp() * t.sum(), x),
            functional.hessian(lambda t: (t**3).sum() * t[0], x),
            functional.vjp(lambda t: t * t, x, T.ones(3))[1],
            functional.jvp(lambda t: t * t, x, T.ones(3))[1],
        ]

    same(f)
