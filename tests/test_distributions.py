"""penlight.distributions against torch.distributions: numbers, draws, gradients and errors."""

import numpy as np
import pytest
import torch

import penlight
from penlight import distributions as mine

oracle = torch.distributions


@pytest.fixture(autouse=True)
def checked():
    """PyTorch checks arguments; its compiler, once imported, switches that off."""
    oracle.Distribution.set_default_validate_args(True)


P = np.random.default_rng(0)
SHAPE = (4, 3)
ARGUMENTS = {
    "Normal": [{"loc": P.normal(size=SHAPE), "scale": P.uniform(0.1, 2, SHAPE)},
               {"loc": P.normal(size=(4, 1)), "scale": P.uniform(0.1, 2, 3)},
               {"loc": P.normal(size=3), "scale": 2}, {"loc": 0, "scale": 1}],
    "Categorical": [{"probs": P.uniform(0, 2, SHAPE)}, {"logits": P.normal(size=SHAPE)},
                    {"probs": np.array([0.0, 3.0, 1.0])}, {"logits": P.normal(size=(2, 2, 3))}],
    "Bernoulli": [{"probs": P.uniform(size=SHAPE)}, {"logits": P.normal(size=SHAPE)},
                  {"probs": np.array([0.0, 0.5, 1.0])}, {"probs": 0.3}, {"logits": 0}],
}  # fmt: skip
CASES = [(name, arguments) for name, all_of in ARGUMENTS.items() for arguments in all_of]
CASES = [pytest.param(*case, id=f"{case[0]}{i}") for i, case in enumerate(CASES)]


def make(name, arguments):
    """The distribution in both libraries, and the tensors it was made of."""
    pairs, made = [], []
    for lib, module in ((penlight, mine), (torch, oracle)):
        given = {
            k: lib.tensor(v, dtype=lib.float32, requires_grad=True)
            if isinstance(v, np.ndarray)
            else v
            for k, v in arguments.items()
        }
        made.append(getattr(module, name)(**given))
        pairs.append([t for t in given.values() if not isinstance(t, (int, float))])
    return made, pairs


def same(a, b):
    a, b = a.detach(), b.detach()
    assert str(a.dtype) == str(b.dtype) and a.shape == b.shape
    np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("name, arguments", CASES)
def test_numbers(name, arguments):
    (a, b), _ = make(name, arguments)
    for part in ("mean", "variance", "stddev", "mode", "probs", "logits"):
        if hasattr(b, part):
            same(getattr(a, part), getattr(b, part))
    same(a.entropy(), b.entropy())
    same(a.perplexity(), b.perplexity())
    assert (a.batch_shape, a.event_shape) == (b.batch_shape, b.event_shape)
    assert repr(a) == repr(b)


@pytest.mark.parametrize("shape", [(), (5,), (2, 7)])
@pytest.mark.parametrize("name, arguments", CASES)
def test_draws_and_their_log_prob(name, arguments, shape):
    (a, b), (ours, theirs) = make(name, arguments)
    penlight.manual_seed(7)
    torch.manual_seed(7)
    x, y = a.sample(shape), b.sample(shape)
    same(x, y)
    assert not x.requires_grad
    p, q = a.log_prob(penlight.tensor(y.numpy())), b.log_prob(y)
    same(p, q)
    if ours:
        p.sum().backward()
        q.sum().backward()
        for t, u in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(t.grad.numpy(), u.grad.numpy(), rtol=1e-4, atol=1e-4)


def test_rsample_is_differentiable():
    (a, b), (ours, theirs) = make("Normal", ARGUMENTS["Normal"][1])
    penlight.manual_seed(3)
    torch.manual_seed(3)
    x, y = a.rsample((6,)), b.rsample((6,))
    same(x, y)
    x.pow(2).sum().backward()
    y.pow(2).sum().backward()
    for t, u in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(t.grad.numpy(), u.grad.numpy(), rtol=1e-5)
    assert a.has_rsample and not mine.Categorical.has_rsample
    with pytest.raises(NotImplementedError):
        mine.Bernoulli(0.5).rsample()


def test_cdf_and_its_inverse():
    (a, b), _ = make("Normal", ARGUMENTS["Normal"][0])
    at = np.full(SHAPE, 0.25, np.float32)
    same(a.cdf(penlight.tensor(at)), b.cdf(torch.tensor(at)))
    same(a.icdf(penlight.tensor(at)), b.icdf(torch.tensor(at)))


@pytest.mark.parametrize("name", ARGUMENTS)
def test_divergence(name):
    fitting = [c for c in ARGUMENTS[name] if np.ndim(next(iter(c.values()))) < 3]
    for first in fitting:
        for second in fitting:
            (p, op), _ = make(name, first)
            (q, oq), _ = make(name, second)
            shape = torch.broadcast_shapes(op.batch_shape, oq.batch_shape)
            expected = oracle.kl_divergence(op.expand(shape), oq.expand(shape))
            same(mine.kl_divergence(p, q), expected)


def test_a_pair_without_a_formula():
    with pytest.raises(NotImplementedError, match="p type Normal and q type Bernoulli"):
        mine.kl_divergence(mine.Normal(0.0, 1.0), mine.Bernoulli(0.5))


BAD = [
    lambda lib, d: d.Normal(lib.zeros(2), lib.tensor([1.0, -1.0])),
    lambda lib, d: d.Normal(float("nan"), 1.0),
    lambda lib, d: d.Normal("a", 1.0),
    lambda lib, d: d.Categorical(lib.tensor([0.5, -0.5, 1.0])),
    lambda lib, d: d.Categorical(logits=lib.tensor([0.5, float("nan")])),
    lambda lib, d: d.Categorical(lib.tensor(1.0)),
    lambda lib, d: d.Categorical(),
    lambda lib, d: d.Bernoulli(1.5),
    lambda lib, d: d.Bernoulli(0.5, logits=0.5),
    lambda lib, d: d.Bernoulli(0.5).log_prob(lib.tensor(0.5)),
    lambda lib, d: d.Categorical(lib.ones(3)).log_prob(lib.tensor(3)),
    lambda lib, d: d.Categorical(lib.ones(2, 3)).log_prob(lib.zeros(4)),
    lambda lib, d: d.Normal(0.0, 1.0).log_prob(1.0),
]


@pytest.mark.parametrize("bad", BAD)
def test_errors(bad):
    with pytest.raises(ValueError) as theirs:
        bad(torch, oracle)
    with pytest.raises(ValueError) as ours:
        bad(penlight, mine)
    assert str(ours.value) == str(theirs.value)


def test_unchecked():
    assert mine.Normal(0.0, -1.0, validate_args=False).scale == -1
    assert mine.Bernoulli(0.5, validate_args=False).log_prob(penlight.tensor(0.5)) < 0
