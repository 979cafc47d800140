"""nn.utils against PyTorch: clipping, vectors, parametrizations, norms of weights, fusion."""

import copy
import pickle

import pytest
import torch
import torch.nn.utils.prune

import penlight
import penlight.nn.utils.prune
from twins import fill, same, values


def graded(T, scale=1.0):
    """A layer with known gradients."""
    layer = fill(T, T.nn.Linear(3, 2))
    for i, p in enumerate(layer.parameters()):
        p.grad = values(T, *p.shape, seed=i) * scale
    return layer


# ---------------------------------------------------------------- clipping


@pytest.mark.parametrize("norm", [2.0, 1, float("inf"), 3.5])
@pytest.mark.parametrize("limit", [0.5, 100.0])
def test_clip_grad_norm(norm, limit):
    def program(T):
        layer = graded(T)
        total = T.nn.utils.clip_grad_norm_(layer.parameters(), limit, norm_type=norm)
        return total, [p.grad for p in layer.parameters()]

    same(program)


def clip_in_two_steps(T):
    layer = graded(T)
    total = T.nn.utils.get_total_norm([p.grad for p in layer.parameters()])
    T.nn.utils.clip_grads_with_norm_(layer.parameters(), 0.1, total)
    return total, [p.grad for p in layer.parameters()]


def clip_values(T):
    layer = graded(T)
    T.nn.utils.clip_grad_value_(layer.weight, 0.3)
    return [p.grad for p in layer.parameters()]


def clip_nothing(T):
    return T.nn.utils.clip_grad_norm_([T.nn.Parameter(T.ones(2))], 1.0)


def clip_infinite(T):
    layer = graded(T, float("inf"))
    T.nn.utils.clip_grad_norm_(layer.parameters(), 1.0, error_if_nonfinite=True)


def vectors(T):
    layer = fill(T, T.nn.Linear(3, 2))
    vector = T.nn.utils.parameters_to_vector(layer.parameters())
    T.nn.utils.vector_to_parameters(vector * 2, layer.parameters())
    vector.sum().backward()
    return vector, layer.weight, layer.bias, layer.weight.grad


# ---------------------------------------------------------------- parametrizations


def make_kinds(T):
    class Symmetric(T.nn.Module):
        def forward(self, x):
            return x.triu() + x.triu(1).mT

        def right_inverse(self, a):
            return a.triu()

    class Scaled(T.nn.Module):
        def __init__(self, factor):
            super().__init__()
            self.factor = factor

        def forward(self, x):
            return x * self.factor

    class Pair(T.nn.Module):
        def forward(self, a, b):
            return a + b

        def right_inverse(self, x):
            return x * 0.25, x * 0.75

    class Wider(T.nn.Module):
        def forward(self, x):
            return x.repeat(2, 1)

    return Symmetric, Scaled, Pair, Wider


def parametrized(T):
    Symmetric, Scaled, _, _ = make_kinds(T)
    P = T.nn.utils.parametrize
    layer = fill(T, T.nn.Linear(3, 3))
    P.register_parametrization(layer, "weight", Symmetric())
    P.register_parametrization(layer, "weight", Scaled(2.0))
    x = values(T, 4, 3)
    first = layer(x)
    first.sum().backward()
    with P.cached():
        again = layer.weight is layer.weight
    texts = repr(layer), list(layer.state_dict()), type(layer).__name__, again
    flags = P.is_parametrized(layer), P.is_parametrized(layer, "bias")
    grad = layer.parametrizations.weight.original.grad
    twin = copy.deepcopy(layer)
    kind = P.type_before_parametrizations(layer).__name__
    P.remove_parametrizations(layer, "weight")
    return (
        texts,
        flags,
        first,
        grad,
        twin(x),
        kind,
        repr(layer),
        layer.weight,
        list(layer.state_dict()),
    )


def assigned(T):
    Symmetric, _, _, _ = make_kinds(T)
    P = T.nn.utils.parametrize
    layer = P.register_parametrization(fill(T, T.nn.Linear(2, 2)), "weight", Symmetric())
    layer.weight = T.tensor([[1.0, 2.0], [2.0, 3.0]])
    P.remove_parametrizations(layer, "weight", leave_parametrized=False)
    return layer.weight


def several_originals(T):
    _, _, Pair, _ = make_kinds(T)
    P = T.nn.utils.parametrize
    layer = P.register_parametrization(fill(T, T.nn.Linear(2, 2)), "weight", Pair())
    names = [(n, list(p.shape)) for n, p in layer.named_parameters()]
    other = T.nn.Linear(2, 2)
    P.transfer_parametrizations_and_params(layer, other, "weight")
    P.remove_parametrizations(layer, "weight")
    return names, layer.weight, layer.weight.requires_grad, other.weight


def on_a_buffer(T):
    _, Scaled, _, _ = make_kinds(T)
    layer = T.nn.BatchNorm1d(2)
    T.nn.utils.parametrize.register_parametrization(layer, "running_var", Scaled(3.0))
    return layer.running_var, [n for n, _ in layer.named_buffers()]


def changes_the_shape(T):
    _, _, _, Wider = make_kinds(T)
    T.nn.utils.parametrize.register_parametrization(T.nn.Linear(2, 2), "weight", Wider())


def no_inverse(T):
    _, Scaled, _, _ = make_kinds(T)
    P = T.nn.utils.parametrize
    layer = P.register_parametrization(T.nn.Linear(2, 2), "weight", Scaled(1.0))
    layer.weight = T.ones(2, 2)


def half_of_a_pair(T):
    _, _, Pair, _ = make_kinds(T)
    P = T.nn.utils.parametrize
    layer = P.register_parametrization(T.nn.Linear(2, 2), "weight", Pair())
    P.remove_parametrizations(layer, "weight", leave_parametrized=False)


def pickled(T):
    _, Scaled, _, _ = make_kinds(T)
    layer = T.nn.Linear(2, 2)
    pickle.dumps(T.nn.utils.parametrize.register_parametrization(layer, "weight", Scaled(1.0)))


def unknown_name(T):
    T.nn.utils.parametrize.register_parametrization(T.nn.ReLU(), "weight", T.nn.ReLU())


# ---------------------------------------------------------------- norms of weights


def new_weight_norm(T):
    layer = fill(T, T.nn.Linear(3, 2))
    T.nn.utils.parametrizations.weight_norm(layer)
    out = layer(values(T, 4, 3))
    out.sum().backward()
    grads = [p.grad for p in layer.parameters()]
    whole = T.nn.utils.parametrizations.weight_norm(fill(T, T.nn.Linear(3, 2)), dim=None)
    old = {"weight_g": T.ones(2, 1), "weight_v": T.ones(2, 3), "bias": T.zeros(2)}
    layer.load_state_dict(old)
    return repr(layer), out, grads, list(layer.state_dict()), layer.weight, whole.weight


def old_weight_norm(T):
    layer = fill(T, T.nn.Conv1d(3, 2, 2))
    with pytest.warns(FutureWarning):
        T.nn.utils.weight_norm(layer, dim=1)
    x = values(T, 4, 3, 5)
    out = layer(x)
    out.sum().backward()
    grads = [p.grad for p in layer.parameters()]
    names = list(layer.state_dict())
    T.nn.utils.remove_weight_norm(layer)
    return out, grads, names, list(layer.state_dict()), layer(x)


def new_spectral_norm(T):
    layer = fill(T, T.nn.ConvTranspose1d(3, 2, 2))
    T.nn.utils.parametrizations.spectral_norm(layer, n_power_iterations=30)
    out = layer(values(T, 4, 3, 5))
    out.sum().backward()
    layer.eval()
    again = layer.weight.detach()
    return repr(layer), out, [p.grad for p in layer.parameters()], again, list(layer.state_dict())


def old_spectral_norm(T):
    layer = T.nn.utils.spectral_norm(fill(T, T.nn.Linear(3, 4)), n_power_iterations=30)
    x = values(T, 4, 3)
    out = layer(x)
    out.sum().backward()
    state = layer.state_dict()
    grad = layer.weight_orig.grad
    twin = T.nn.utils.spectral_norm(T.nn.Linear(3, 4))
    twin.load_state_dict(state)
    metadata = state._metadata[""]
    T.nn.utils.remove_spectral_norm(layer)
    return out, grad, list(state), metadata, list(layer.state_dict()), twin.eval()(x), layer(x)


def twice(T):
    layer = T.nn.utils.spectral_norm(T.nn.Linear(3, 4))
    T.nn.utils.spectral_norm(layer)


# ---------------------------------------------------------------- fusion, pruning, making


def pruned(T):
    prune = T.nn.utils.prune
    layer = fill(T, T.nn.Linear(5, 4))
    texts = [prune.is_pruned(layer)]
    prune.l1_unstructured(layer, "weight", 0.3)
    prune.ln_structured(layer, "weight", 1, n=2, dim=0)
    prune.random_unstructured(layer, "bias", 2)
    x = values(T, 3, 5)
    out = layer(x)
    out.sum().backward()
    masks = layer.weight_mask.clone(), layer.bias_mask.clone()
    texts += [list(layer.state_dict()), prune.is_pruned(layer), len(layer._forward_pre_hooks)]
    prune.remove(layer, "weight")
    return texts, out, masks, layer.weight, layer.bias_orig.grad, list(layer.state_dict()), layer(x)


def pruned_together(T):
    prune = T.nn.utils.prune
    a, b = fill(T, T.nn.Linear(5, 4)), fill(T, T.nn.Linear(4, 3), seed=1)
    prune.random_structured(a, "weight", 2, dim=1)
    pairs = [(a, "weight"), (b, "weight")]
    prune.global_unstructured(pairs, prune.L1Unstructured, amount=0.4)
    c = prune.identity(T.nn.Linear(1, 1), "weight")
    prune.custom_from_mask(c, "weight", T.zeros(1, 1))
    alone = prune.L1Unstructured(1).prune(T.tensor([3.0, -1.0, 2.0]))
    return a.weight_mask, b.weight_mask, c.weight, alone


PRUNING_ERRORS = [
    lambda T, p: p.l1_unstructured(T.nn.Linear(2, 2), "weight", 1.5),
    lambda T, p: p.l1_unstructured(T.nn.Linear(2, 2), "weight", -1),
    lambda T, p: p.l1_unstructured(T.nn.Linear(2, 2), "weight", "half"),
    lambda T, p: p.l1_unstructured(T.nn.Linear(2, 2), "weight", 9),
    lambda T, p: p.ln_structured(T.nn.Linear(2, 2), "bias", 1, 2, 0),
    lambda T, p: p.ln_structured(T.nn.Linear(2, 2), "weight", 1, 2, 3),
    lambda T, p: p.custom_from_mask(T.nn.Linear(2, 2), "weight", T.ones(3)),
    lambda T, p: p.global_unstructured(3, p.L1Unstructured, amount=1),
    lambda T, p: p.remove(T.nn.Linear(2, 2), "weight"),
]


@pytest.mark.parametrize("program", PRUNING_ERRORS)
def test_pruning_errors(program):
    same(lambda T: program(T, T.nn.utils.prune))


def test_a_pruning_that_fails_leaves_the_module_as_it_was():
    layer = penlight.nn.Linear(2, 2)
    with pytest.raises(ValueError):
        penlight.nn.utils.prune.l1_unstructured(layer, "weight", 9)
    assert list(layer.state_dict()) == ["weight", "bias"]


def fused(T):
    bn = T.nn.BatchNorm2d(4).eval()
    bn1 = T.nn.BatchNorm1d(4, affine=True).eval()
    for norm in (bn, bn1):
        fill(T, norm)
        norm.running_mean.copy_(values(T, 4))
        norm.running_var.copy_(values(T, 4).abs() + 0.5)
    conv = fill(T, T.nn.Conv2d(3, 4, 2, bias=False)).eval()
    turned = fill(T, T.nn.ConvTranspose2d(3, 4, 2)).eval()
    linear = fill(T, T.nn.Linear(3, 4)).eval()
    u = T.nn.utils
    layers = [
        u.fuse_conv_bn_eval(conv, bn),
        u.fuse_conv_bn_eval(turned, bn, transpose=True),
        u.fuse_linear_bn_eval(linear, bn1),
    ]
    x = values(T, 2, 3, 4, 4)
    made = [layers[0](x), layers[1](x), layers[2](x[:, :, 0, 0])]
    return (
        made,
        [bn(conv(x)), bn(turned(x)), bn1(linear(x[:, :, 0, 0]))],
        layers[0].bias.requires_grad,
    )


def fused_while_training(T):
    T.nn.utils.fuse_conv_bn_eval(T.nn.Conv2d(3, 4, 2), T.nn.BatchNorm2d(4))


def skipped(T):
    T.manual_seed(3)
    layer = T.nn.utils.skip_init(T.nn.Linear, 3, 2)
    return T.rand(2), list(layer.weight.shape), layer.weight.requires_grad


def prefix(T):
    state = T.nn.Linear(1, 1).state_dict(prefix="module.")
    T.nn.modules.utils.consume_prefix_in_state_dict_if_present(state, "module.")
    return list(state), dict(state._metadata)


PROGRAMS = [
    pruned,
    pruned_together,
    clip_in_two_steps,
    clip_values,
    clip_nothing,
    clip_infinite,
    vectors,
    parametrized,
    assigned,
    several_originals,
    on_a_buffer,
    changes_the_shape,
    no_inverse,
    half_of_a_pair,
    pickled,
    unknown_name,
    new_weight_norm,
    old_weight_norm,
    new_spectral_norm,
    old_spectral_norm,
    twice,
    fused,
    fused_while_training,
    skipped,
    prefix,
]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_utils(program):
    same(program, rtol=1e-4, atol=1e-5)


def test_an_empty_generator_warns():
    texts = []
    for T in (torch, penlight):
        with pytest.warns(UserWarning) as caught:
            T.nn.utils.clip_grad_norm_((p for p in []), 1.0)
        texts.append(str(caught[0].message))
    assert texts[0] == texts[1]


@pytest.mark.parametrize("shape", [(4, 4), (3, 5), (5, 3)])
@pytest.mark.parametrize("how", ["matrix_exp", "cayley", "householder"])
@pytest.mark.parametrize("trivial", [True, False])
def test_orthogonal_weights_stay_orthogonal(shape, how, trivial):
    penlight.manual_seed(0)
    layer = penlight.nn.Linear(*shape).double()
    make = penlight.nn.utils.parametrizations.orthogonal
    make(layer, orthogonal_map=how, use_trivialization=trivial)
    optimizer = penlight.optim.SGD(layer.parameters(), lr=0.1)
    for _ in range(3):
        w = layer.weight
        w = w if w.size(0) <= w.size(1) else w.mT
        eye = penlight.eye(w.size(0), dtype=w.dtype)
        assert penlight.allclose(w @ w.mT, eye, atol=1e-8)
        optimizer.zero_grad()
        layer(values(penlight, 6, shape[0]).double()).pow(2).sum().backward()
        optimizer.step()


@pytest.mark.parametrize("how", ["matrix_exp", "cayley", "householder"])
def test_orthogonal_keeps_a_weight_that_is_orthogonal(how):
    layer = penlight.nn.Linear(3, 3)
    with penlight.no_grad():
        layer.weight.copy_(penlight.eye(3).roll(1, 0))
    before = layer.weight.detach().clone()
    penlight.nn.utils.parametrizations.orthogonal(layer, orthogonal_map=how)
    assert penlight.allclose(layer.weight, before, atol=1e-6)
    layer.weight = before.flip(0)
    assert penlight.allclose(layer.weight, before.flip(0), atol=1e-6)
