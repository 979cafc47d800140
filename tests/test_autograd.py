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


def doubled_in_place(T):
    """A custom function that writes into its argument."""

    class Doubled(T.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            x.mul_(2)
            ctx.mark_dirty(x)
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 2

    return Doubled.apply


def dirty_argument(T):
    x = leaf(T, 3)
    y = x * 1
    z = doubled_in_place(T)(y)
    assert z is y
    z.sum().backward()
    return [x.grad, y]


def dirty_view(T):
    x = leaf(T, 4)
    y = x * 1
    doubled_in_place(T)(y[:2])
    (y * y).sum().backward()
    return [x.grad, y]


def outputs_of_all_kinds(T):
    class Mixed(T.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            positive = x > 1
            twice = x * 2
            ctx.mark_non_differentiable(positive, twice)
            return x * 3, "text", positive, twice, None

        @staticmethod
        def backward(ctx, *grads):
            assert [g is None for g in grads] == [False, True, False, False, True]
            return grads[0] * 3

    x = leaf(T, 3)
    y, _, positive, twice, _ = Mixed.apply(x)
    assert not positive.requires_grad and not twice.requires_grad
    y.sum().backward()
    return [x.grad]


def hooks_in_order(T):
    seen = []
    x = leaf(T, 2)
    y = x * 2
    y.grad_fn.register_prehook(lambda g: seen.append(3.0))
    y.register_hook(lambda g: seen.append(1.0))
    y.retain_grad()
    y.register_hook(lambda g: (seen.append(2.0), g * 3)[1])
    y.grad_fn.register_hook(lambda into, out: seen.append(4.0))
    x.register_hook(lambda g: seen.append(5.0))
    x.register_post_accumulate_grad_hook(lambda t: seen.append(6.0))
    y.sum().backward()
    return [T.tensor(seen), x.grad, y.grad]


def retained_after_writing(T):
    x = leaf(T, 2)
    y = x * 2
    y.retain_grad()
    y.mul_(3)
    (y * y).sum().backward()
    return [x.grad, y.grad]


def own_gradient_stays_own(T):
    x, given = leaf(T, 2), T.ones(2)
    x.backward(given)
    (x + 1).backward(given)
    x.grad.add_(1)
    return [given, x.grad]


PROGRAMS = [
    dirty_argument, dirty_view, outputs_of_all_kinds, hooks_in_order, retained_after_writing,
    own_gradient_stays_own,
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


def temporary_overwritten(T):
    """Nobody holds the tensor any more whose values exp needs."""
    leaf(T, 3).exp().add_(1).sum().backward()


def dirty_leaf(T):
    doubled_in_place(T)(leaf(T, 3))


def dirty_but_not_returned(T):
    class Lost(T.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x)
            return x + 1

    Lost.apply(leaf(T, 3) * 1)


def own_output_overwritten(T):
    class Exp(T.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = x.exp()
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx, g):
            return g * ctx.saved_tensors[0]

    Exp.apply(leaf(T, 3)).add_(1).sum().backward()


def gradient_of_a_number(T):
    class Times(T.autograd.Function):
        @staticmethod
        def forward(ctx, x, k):
            return x * k

        @staticmethod
        def backward(ctx, g):
            return g, g

    Times.apply(leaf(T, 3), 2).sum().backward()


def gradient_that_is_no_tensor(T):
    class Sum(T.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.sum()

        @staticmethod
        def backward(ctx, g):
            return 3.0

    Sum.apply(leaf(T, 3)).backward()


def gradient_of_wrong_shape(T):
    class Sum(T.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.sum()

        @staticmethod
        def backward(ctx, g):
            return T.ones(5)

    Sum.apply(leaf(T, 3)).backward()


def hook_returns_a_number(T):
    x = leaf(T, 3)
    x.register_hook(lambda g: 3)
    x.sum().backward()


def hook_changes_the_shape(T):
    y = leaf(T, 3) * 2
    y.register_hook(lambda g: g[:2])
    y.sum().backward()


def node_hook_returns_too_few(T):
    y = leaf(T, 3) * leaf(T, 3)
    y.grad_fn.register_hook(lambda into, out: into[:1])
    y.sum().backward()


def too_few_gradients(T):
    x = leaf(T, 3)
    T.autograd.grad([x * 1, x * 2], x, [T.ones(3)])


def complex_gradient_of_a_real_tensor(T):
    x = leaf(T, 3)
    T.autograd.grad(x * 1, x, T.ones(3, dtype=T.complex64))


def no_grad_view_in_place(T):
    y = leaf(T, 3) * 1
    with T.no_grad():
        view = y[:2]
    view.mul_(2)


def leaf_view_in_place(T):
    T.ones(3)[:2].requires_grad_().add_(1)


def integer_data(T):
    leaf(T, 3).data = T.ones(3, dtype=T.int64)


def inference_tensor(T):
    with T.inference_mode():
        return T.ones(3) * 2


def inference_tensor_saved(T):
    leaf(T, 3) * inference_tensor(T)


def inference_tensor_written(T):
    inference_tensor(T).add_(1)


def inference_tensor_trained(T):
    inference_tensor(T).requires_grad_()


def inference_tensor_version(T):
    return inference_tensor(T)._version


def gradient_of_wrong_shape_at_an_edge(T):
    y = leaf(T, 3) * 2
    T.autograd.backward(T.autograd.graph.get_gradient_edge(y), T.ones(4))


def zeros_for_an_unused_edge(T):
    edge = T.autograd.graph.get_gradient_edge(leaf(T, 3) * 2)
    T.autograd.grad(leaf(T, 3).sum(), edge, materialize_grads=True)


def prehook_of_a_leaf_gives_too_many(T):
    y = leaf(T, 3) * 2
    node = y.grad_fn.next_functions[0][0]
    node.register_prehook(lambda grads: grads * 2)
    y.sum().backward()


def saved_tensor_hooks_disabled(T):
    graph = T.autograd.graph
    with graph.disable_saved_tensors_hooks("not here"):
        graph.saved_tensors_hooks(lambda t: t, lambda t: t).__enter__()


ERRORS = [
    temporary_overwritten,
    dirty_leaf, dirty_but_not_returned, own_output_overwritten, gradient_of_a_number,
    gradient_that_is_no_tensor, gradient_of_wrong_shape, hook_returns_a_number,
    hook_changes_the_shape, node_hook_returns_too_few, too_few_gradients,
    complex_gradient_of_a_real_tensor, no_grad_view_in_place, leaf_view_in_place, integer_data,
    inference_tensor_saved, inference_tensor_written, inference_tensor_trained,
    inference_tensor_version, gradient_of_wrong_shape_at_an_edge, zeros_for_an_unused_edge,
    prehook_of_a_leaf_gives_too_many,
    saved_tensor_hooks_disabled,
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


def test_inference_tensors():
    def seen(T):
        x, plain = leaf(T, 3), T.ones(3)
        with T.inference_mode():
            made = x * 2
            facts = [plain.add_(1).is_inference(), plain[0].is_inference(), made[0].is_inference()]
            with T.inference_mode(False):
                facts += [T.is_grad_enabled(), (x * 2).is_inference(), (x * 2).requires_grad]
        return [
            *facts, made.is_inference(), made.requires_grad, made[0].is_inference(),
            made.clone().is_inference(), (made + 1).is_inference(), made.detach().is_inference(),
        ]  # fmt: skip

    assert seen(penlight) == seen(torch)


def test_inference_mode_records_nothing_even_where_gradients_are_enabled():
    def seen(T):
        x = leaf(T, 3)
        facts = []

        def look():
            y = x * 2
            facts.append((T.is_grad_enabled(), y.requires_grad, y.is_inference(), y.is_leaf))

        with T.inference_mode():
            look()
            with T.enable_grad():
                look()
                with T.inference_mode(False):
                    look()
                look()
            T.enable_grad()(look)()
            with T.set_grad_enabled(True):
                look()
            look()
        look()
        return facts

    assert seen(penlight) == seen(torch)


def test_a_view_older_than_its_base_s_requires_grad():
    def seen(T):
        base = T.zeros(4)
        view = base[:2]
        inner = view[0]
        base.requires_grad_()
        with T.no_grad():
            unrecorded = base[1:]
        facts = [(v.requires_grad, v.grad_fn, v.is_leaf) for v in (view, inner, unrecorded)]
        result = (view * 2).sum()
        result.backward()
        facts += [result.requires_grad, view.grad, base.grad]
        base.requires_grad_(False)
        return [*facts, view.requires_grad, (view * 2).requires_grad]

    assert seen(penlight) == seen(torch)


def test_views_share_their_base_s_version():
    def seen(T):
        base = T.ones(3)
        view, alias = base[:2], base.detach()
        base.add_(1)
        view.mul_(2)
        return [base._version, view._version, alias._version, base.data._version]

    assert seen(penlight) == seen(torch) == [2, 2, 2, 0]


def through_gradient_edges(T):
    edge = T.autograd.graph.get_gradient_edge
    x = leaf(T, 3)
    y = x * 3
    z = (y * y).sum()
    found = T.autograd.grad(z, [edge(y), edge(x), y], retain_graph=True)
    found += T.autograd.grad(edge(z), x, retain_graph=True)
    found += T.autograd.grad(edge(y), edge(x), T.ones(3), retain_graph=True)
    for tensors, grads in ((edge(z), None), ((edge(z), z), None), (edge(y), y), (edge(x), x)):
        T.autograd.backward(tensors, grads, retain_graph=True)
    T.autograd.backward(z, inputs=[edge(x)], retain_graph=True)
    T.autograd.backward(z, inputs=edge(y))
    return [*found, x.grad]


def hooks_of_a_leaf_s_node(T):
    seen = []
    x = leaf(T, 2)
    y = (x * 2).sum()
    node = y.grad_fn.next_functions[0][0].next_functions[0][0]
    handle = node.register_hook(lambda into, out: seen.append([len(into), len(out), x.grad.sum()]))
    node.register_prehook(lambda grads: (grads[0] * 5,))
    x.register_post_accumulate_grad_hook(lambda t: seen.append([7, 7, 7]))
    y.backward(retain_graph=True)
    T.autograd.grad(y, x, retain_graph=True)
    y.backward(inputs=[x], retain_graph=True)
    handle.remove()
    y.backward()
    node.metadata["kept"] = 3
    assert node.metadata == {"kept": 3}
    return [x.grad, T.tensor(seen)]


@pytest.mark.parametrize("program", [through_gradient_edges, hooks_of_a_leaf_s_node])
def test_edges_and_leaf_nodes(program):
    same(program)


@pytest.mark.parametrize("mode", ["all", "any"])
@pytest.mark.parametrize("reached", [[0], [0, 2], [0, 1, 2]])
def test_multi_grad_hook_of_tensors_reached_in_part(mode, reached):
    def seen(T):
        xs = [leaf(T, 2, seed=i) for i in range(3)]
        found = []
        register = T.autograd.graph.register_multi_grad_hook
        handle = register(xs, lambda g: found.append(g), mode=mode)
        for which in (reached, range(3), reached):
            sum((xs[i] * (i + 1)).sum() for i in which).backward()
        handle.remove()
        xs[0].sum().backward()
        return repr(found)

    assert seen(penlight) == seen(torch)


def test_multi_grad_hook_within_a_graph():
    def seen(T):
        a, b = T.ones(2, requires_grad=True) * 2, T.ones(2, requires_grad=True) * 3
        found = []
        T.autograd.graph.register_multi_grad_hook((a, b), found.append)
        product = (a * b).sum()
        T.autograd.grad(product, b, retain_graph=True)
        product.backward(retain_graph=True)
        a.sum().backward()
        return repr(found)

    assert seen(penlight) == seen(torch)


def test_once_differentiable():
    from penlight.autograd.function import once_differentiable

    class Square(penlight.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        @once_differentiable
        def backward(ctx, g):
            return 2 * g * ctx.saved_tensors[0]

    x = leaf(penlight, 3)
    weight = penlight.ones(3, requires_grad=True)
    (g,) = penlight.autograd.grad(Square.apply(x), x, weight, create_graph=True)
    with pytest.raises(RuntimeError, match="marked with @once_differentiable"):
        g.sum().backward()


def test_gradcheck_sees_a_wrong_gradient():
    class Wrong(penlight.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 3

    x = leaf(penlight, 3).detach().double().requires_grad_()
    for fast in (False, True):
        with pytest.raises(penlight.autograd.GradcheckError, match="Jacobian mismatch"):
            penlight.autograd.gradcheck(Wrong.apply, x, fast_mode=fast)
        assert not penlight.autograd.gradcheck(
            Wrong.apply, x, fast_mode=fast, raise_exception=False
        )
        assert penlight.autograd.gradgradcheck(lambda t: t.exp() * t, x, fast_mode=fast)


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


@pytest.mark.parametrize("name", ["vjp", "jvp", "vhp", "hvp"])
def test_functional_checks_its_vector(name):
    """The same result, or the same error."""

    def seen(T, case):
        one, three = T.tensor([2.0]), T.tensor([1.0, 2.0, 3.0])
        inputs, v = {
            "none for one number": (one, None),
            "none for several": (three, None),
            "none for two tensors": ((one, three), None),
            "wrong size": (three if name != "vjp" else one, T.ones(4)),
            "too many": (one, (one, one)),
            "not a tensor": (one, 3.0),
            "one is not": (one, (one, "a")),
            "list": ([one, three], None),
            "text": ("a", None),
            "wrong entry": ((one, three), (T.ones(1), T.ones(2))),
        }[case]
        try:
            function = getattr(T.autograd.functional, name)
            found = function(lambda *xs: sum((x**3).sum() for x in xs), inputs, v)
            return repr(found)
        except (TypeError, RuntimeError) as error:
            text = str(error).replace("penlight.", "torch.")
            return type(error), text

    for case in (
        "none for one number", "none for several", "none for two tensors", "wrong size", "too many",
        "not a tensor", "one is not", "list", "text", "wrong entry",
    ):  # fmt: skip
        assert seen(penlight, case) == seen(torch, case), case


def test_gradcheck_of_outputs_without_a_gradient():
    def seen(T, function):
        x = T.tensor([0.5, 1.5], dtype=T.float64, requires_grad=True)
        try:
            return T.autograd.gradcheck(function(T), x)
        except RuntimeError as error:
            return type(error).__name__, str(error)

    for function in (
        lambda T: lambda t: t.detach() * 2,
        lambda T: lambda t: T.ones(3),
        lambda T: lambda t: t.argmax(),
    ):
        assert seen(penlight, function) == seen(torch, function)


@pytest.mark.parametrize("nondet_tol", [0.0, 1e-9, 1e-6])
def test_gradcheck_of_a_backward_pass_that_varies(nondet_tol):
    def seen(T):
        calls = []

        class Varying(T.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x * 2

            @staticmethod
            def backward(ctx, g):
                calls.append(1)
                return g * (2 + 1e-8 * (len(calls) % 2))

        x = T.tensor([0.5], dtype=T.float64, requires_grad=True)
        try:
            return T.autograd.gradcheck(
                Varying.apply, x, nondet_tol=nondet_tol, check_undefined_grad=False
            )
        except RuntimeError as error:
            return type(error).__name__, str(error).partition("\n")[0][:200]

    assert seen(penlight) == seen(torch)


@pytest.mark.parametrize("name", ["jacobian", "hessian", "vjp", "jvp", "vhp", "hvp"])
def test_strict_mode_is_refused_not_ignored(name):
    function = getattr(penlight.autograd.functional, name)
    with pytest.raises(NotImplementedError, match="strict=False"):
        function(lambda t: (t * t).sum(), penlight.ones(1), strict=True)
