"""Random numbers are PyTorch's, bit for bit: values, and how much of the stream each draw takes."""

import copy
import pickle
import warnings
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import penlight
from penlight.core.exact import fma32, fma64, log32, sincos32

torch.set_num_threads(1)

FLOATS = ("float32", "float64", "float16", "bfloat16")
SIZES = (0, 1, 2, 15, 16, 17, 33, 1000, (3, 5), (40, 50))


def array(t):
    """The elements as NumPy sees them, from either library."""
    if isinstance(t, penlight.Tensor):
        return t._array
    t = t.detach()
    if t.dtype is torch.bfloat16:
        return t.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return t.numpy()


def same(want, got):
    want, got = array(want), array(got)
    assert (got.dtype, got.shape) == (want.dtype, want.shape)
    assert got.tobytes() == want.tobytes()


def both(draw, seed=1234):
    """draw(library) twice in a row gives the same values and leaves the same state."""
    found = []
    for T in (torch, penlight):
        T.manual_seed(seed)
        found.append([draw(T), draw(T), T.get_rng_state()])
    for want, got in zip(*found, strict=True):
        same(want, got)


# ---------------------------------------------------------------- streams

MAKERS = {
    "rand": lambda T, s, d: T.rand(s, dtype=d),
    "randn": lambda T, s, d: T.randn(s, dtype=d),
    "uniform_": lambda T, s, d: T.zeros(s, dtype=d).uniform_(-2.0, 3.0),
    "narrow uniform_": lambda T, s, d: T.zeros(s, dtype=d).uniform_(-0.1, 0.1),
    "normal_": lambda T, s, d: T.zeros(s, dtype=d).normal_(2.0, 3.3),
    "normal_ about 0": lambda T, s, d: T.zeros(s, dtype=d).normal_(0.0, 0.1),
    "log_normal_": lambda T, s, d: T.zeros(s, dtype=d).log_normal_(0.1, 0.7),
    "exponential_": lambda T, s, d: T.zeros(s, dtype=d).exponential_(1.5),
    "cauchy_": lambda T, s, d: T.zeros(s, dtype=d).cauchy_(1.0, 0.3),
    "geometric_": lambda T, s, d: T.zeros(s, dtype=d).geometric_(0.3),
    "bernoulli_": lambda T, s, d: T.zeros(s, dtype=d).bernoulli_(0.3),
    "bernoulli": lambda T, s, d: T.bernoulli(T.rand(s, dtype=d)),
    "random_": lambda T, s, d: T.zeros(s, dtype=d).random_(),
    "random_ to": lambda T, s, d: T.zeros(s, dtype=d).random_(100),
    "random_ from": lambda T, s, d: T.zeros(s, dtype=d).random_(-3, 100),
    "poisson": lambda T, s, d: T.poisson(T.rand(s, dtype=d) * 30),
    "normal": lambda T, s, d: T.normal(T.rand(s, dtype=d), 0.5),
    "normal of std": lambda T, s, d: T.normal(0.5, T.rand(s, dtype=d)),
    "normal of both": lambda T, s, d: T.normal(T.rand(s, dtype=d), T.rand(s, dtype=d)),
    "dropout": lambda T, s, d: T.nn.functional.dropout(T.rand(s, dtype=d), 0.4),
    "alpha_dropout": lambda T, s, d: T.nn.functional.alpha_dropout(T.rand(s, dtype=d), 0.4, True),
}


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", MAKERS)
def test_floats(name, dtype):
    for size in SIZES:
        both(lambda T, size=size: MAKERS[name](T, size, getattr(T, dtype)))


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_rrelu(dtype):
    for size in SIZES:
        both(lambda T, s=size: T.nn.functional.rrelu(draw_around_0(T, s, dtype), training=True))


def draw_around_0(T, size, dtype):
    return T.rand(size, dtype=getattr(T, dtype)) - 0.5


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["rand", "randn", "narrow uniform_", "normal_ about 0"])
def test_a_hundred_thousand(name, dtype):
    both(lambda T: MAKERS[name](T, 100_003, getattr(T, dtype)))


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
@pytest.mark.parametrize("name", ["rand", "randn", "uniform_", "normal_"])
def test_complex(name, dtype):
    for size in (1, 7, 8, 9, 100):
        both(lambda T, size=size: MAKERS[name](T, size, getattr(T, dtype)))


@pytest.mark.parametrize("dtype", ["int64", "int32", "int16", "int8", "uint8", "bool"])
def test_integers(dtype):
    for size in SIZES:
        both(lambda T, size=size: T.zeros(size, dtype=getattr(T, dtype)).random_())
        both(lambda T, size=size: T.zeros(size, dtype=getattr(T, dtype)).random_(0, 2))
        both(lambda T, size=size: T.zeros(size, dtype=getattr(T, dtype)).bernoulli_(0.6))


@pytest.mark.parametrize(
    "low, high",
    [(0, 10), (-5, 7), (0, 2**28 - 1), (0, 2**28), (-(2**40), 2**40), (-(2**63), 2**63 - 1)],
)
def test_randint(low, high):
    for size in (1, 7, 1000):
        both(lambda T, size=size: T.randint(low, high, (size,)))


def test_random_from_to_the_end():
    both(lambda T: T.zeros(99, dtype=T.int64).random_(-(2**63), None))
    both(lambda T: T.zeros(99, dtype=T.int32).random_(-7, None))
    both(lambda T: T.zeros(99, dtype=T.float16).random_(5, None))
    both(lambda T: T.zeros(99, dtype=T.float16).random_(-2048, 2048))


def test_randperm():
    for n in (0, 1, 2, 3, 100, 5000):
        both(lambda T, n=n: T.randperm(n))
    both(lambda T: T.randperm(9, dtype=T.float64))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_multinomial(dtype):
    for shape in ((5,), (300,), (4, 7), (30, 100)):
        weights = np.random.RandomState(0).uniform(0, 1, shape).astype(dtype)
        weights[..., 1] = 0
        for n, replacement in ((1, False), (3, False), (1, True), (40, True)):
            both(lambda T, w=weights, n=n, r=replacement: T.multinomial(T.tensor(w), n, r))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_binomial(dtype):
    for trials in (3.0, 30.0, 1e5):
        p = np.random.RandomState(0).uniform(0, 1, 500).astype(dtype)
        count = np.floor(np.random.RandomState(1).uniform(0, trials, 500)).astype(dtype)
        both(lambda T, c=count, p=p: T.binomial(T.tensor(c), T.tensor(p)))


# ---------------------------------------------------------------- order of elements

VIEWS = {
    "transposed": lambda T, d: T.zeros(7, 5, dtype=d).t(),
    "every other": lambda T, d: T.zeros(9, 8, dtype=d)[:, ::2],
    "permuted": lambda T, d: T.zeros(3, 4, 5, dtype=d).permute(2, 0, 1),
    "contiguous part": lambda T, d: T.zeros(50, dtype=d)[3:40],
    "column": lambda T, d: T.zeros(40, 3, dtype=d)[:, 1],
    "inner block": lambda T, d: T.zeros(6, 7, 4, dtype=d)[1:5, ::3, 1:].transpose(0, 2),
    "0-d": lambda T, d: T.zeros((), dtype=d),
}


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_views_are_filled_in_memory_order(view, dtype):
    def fill(T, method, *args):
        return getattr(VIEWS[view](T, getattr(T, dtype)), method)(*args)

    for method in ("uniform_", "normal_", "bernoulli_", "exponential_", "random_", "log_normal_"):
        both(lambda T, m=method: fill(T, m))
    for like in ("rand_like", "randn_like"):
        both(lambda T, f=like: getattr(T, f)(VIEWS[view](T, getattr(T, dtype))))
    both(lambda T: T.bernoulli(VIEWS[view](T, getattr(T, dtype)) + 0.5))
    both(lambda T: T.nn.functional.dropout(VIEWS[view](T, getattr(T, dtype)) + 1))


def test_a_view_writes_into_its_base():
    base = penlight.zeros(4, 4)
    base[:, 1].uniform_(1, 2)
    assert (base._array != 0).sum(0).tolist() == [0, 4, 0, 0]


def test_probabilities_broadcast():
    p = np.linspace(0, 1, 30, dtype=np.float32)
    both(lambda T: T.zeros(20, 30).bernoulli_(T.tensor(p)))
    both(lambda T: T.zeros(30, 20).t().bernoulli_(T.tensor(p)))
    both(lambda T: T.zeros(30, dtype=T.bool).bernoulli_(T.tensor(p.astype(np.float64))))


# ---------------------------------------------------------------- interleaved draws

DRAWS = st.tuples(
    st.sampled_from(["rand", "randn", "exponential_", "bernoulli_", "random_", "log_normal_"]),
    st.integers(0, 40),
    st.sampled_from(FLOATS),
)


@settings(max_examples=60, deadline=None)
@given(st.integers(-(2**63), 2**64 - 1), st.lists(DRAWS, max_size=8), st.integers(0, 7))
def test_any_sequence_of_draws(seed, sequence, saved_at):
    """Any draws in any order; in the middle penlight goes on from torch's saved state and back."""
    ours, theirs = penlight.Generator().manual_seed(seed), torch.Generator().manual_seed(seed)
    assert ours.initial_seed() == theirs.initial_seed()
    for step, (name, size, dtype) in enumerate(sequence):
        if step == saved_at:
            theirs, ours = swapped(ours, theirs)
        found = []
        for T, g in ((torch, theirs), (penlight, ours)):
            kind = getattr(T, dtype)
            if name.endswith("_"):
                found.append(getattr(T.zeros(size, dtype=kind), name)(generator=g))
            else:
                found.append(getattr(T, name)(size, dtype=kind, generator=g))
        same(*found)
        same(theirs.get_state(), ours.get_state())


def swapped(ours, theirs):
    """A torch generator in the state of `ours`, and the other way round."""
    mine, yours = penlight.Generator(), torch.Generator()
    mine.set_state(penlight.tensor(theirs.get_state().numpy()))
    yours.set_state(torch.from_numpy(ours.get_state()._array.copy()))
    return yours, mine


# ---------------------------------------------------------------- generators


def test_default_seed_is_torchs():
    assert penlight.Generator().initial_seed() == torch.Generator().initial_seed()
    same(
        torch.rand(5, generator=torch.Generator()), penlight.rand(5, generator=penlight.Generator())
    )


def test_state_goes_on_where_it_was_taken():
    penlight.manual_seed(3)
    penlight.randn(3)  # leaves a normal number for the next call
    state = penlight.get_rng_state()
    first = penlight.randn(5)
    penlight.set_rng_state(state)
    same(first, penlight.randn(5))


@pytest.mark.parametrize(
    "twin", [lambda g: g.clone_state(), copy.deepcopy, lambda g: pickle.loads(pickle.dumps(g))]
)
def test_copies_go_on_alike(twin):
    g = penlight.Generator().manual_seed(11)
    penlight.randn(7, generator=g)
    other = twin(g)
    assert other is not g and other.initial_seed() == 11
    same(penlight.randn(20, generator=g), penlight.randn(20, generator=other))


def test_fork_rng():
    penlight.manual_seed(5)
    with penlight.random.fork_rng():
        inside = penlight.rand(3)
    same(inside, penlight.rand(3))
    with penlight.random.fork_rng(enabled=False):
        inside = penlight.rand(3)
    assert inside.tolist() != penlight.rand(3).tolist()


def test_every_name_of_torch_random_is_there():
    for name in torch.random.__all__:
        assert callable(getattr(penlight.random, name))


def test_seed_is_new_each_time():
    g = penlight.Generator()
    first, second = g.seed(), g.seed()
    assert first != second == g.initial_seed()
    assert penlight.seed() == penlight.initial_seed()


def test_manual_seed_returns_the_generator():
    g = penlight.Generator()
    assert g.manual_seed(1) is g
    assert penlight.manual_seed(1) is penlight.default_generator
    assert repr(g.device) == repr(torch.Generator().device)


# ---------------------------------------------------------------- gradients


def test_gradient_of_randomness_is_zero():
    for T in (torch, penlight):
        p = T.full((3,), 0.5, requires_grad=True)
        drawn = T.bernoulli(p)
        assert type(drawn.grad_fn).__name__ == "BernoulliBackward0"
        (drawn * p).sum().backward()
        assert p.grad.tolist() == drawn.tolist()
        q = T.full((3,), 2.0, requires_grad=True)
        ((q * 2).normal_() * q).sum().backward()
        assert type((q * 2).normal_().grad_fn).__name__ == "NormalBackward0"


def test_dropout_passes_gradients_of_what_it_kept():
    grads = []
    for T in (torch, penlight):
        T.manual_seed(0)
        x = T.ones(50, requires_grad=True)
        T.nn.functional.dropout(x, 0.3).sum().backward()
        grads.append(x.grad)
    same(*grads)


# ---------------------------------------------------------------- channels

CHANNELS = {
    "dropout1d": ((5, 7), (5, 7, 2)),
    "dropout2d": ((5, 7, 2, 3),),
    "dropout3d": ((5, 7, 2, 3), (2, 3, 2, 2, 2)),
}


@pytest.mark.parametrize("p", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("inplace", [False, True])
def test_channel_dropout(p, inplace):
    for name, shapes in CHANNELS.items():
        for shape in shapes:
            both(
                lambda T, n=name, s=shape: getattr(T.nn.functional, n)(T.rand(s), p, True, inplace)
            )
    both(lambda T: T.nn.functional.feature_alpha_dropout(T.rand(5, 7, 2), p, True, inplace))


@pytest.mark.parametrize("shape", [(4,), (3, 4), (3, 4, 5)])
def test_dropout2d_warns_of_other_ranks(shape):
    texts = []
    for T in (torch, penlight):
        with pytest.warns(UserWarning) as caught:
            T.nn.functional.dropout2d(T.zeros(shape), training=False)
        texts.append([str(w.message) for w in caught])
    assert texts[0] == texts[1]


def test_dropout_that_drops_nothing_returns_its_input():
    x = penlight.ones(3)
    assert penlight.nn.functional.dropout(x, 0.5, training=False) is x
    assert penlight.nn.functional.dropout(x, 0.0) is x


# ---------------------------------------------------------------- errors

ERRORS = {
    "type of rand": lambda T: T.rand(2, dtype=T.int64),
    "type of randn": lambda T: T.randn(2, dtype=T.int32),
    "type of uniform_": lambda T: T.zeros(2, dtype=T.int64).uniform_(),
    "type of cauchy_": lambda T: T.zeros(2, dtype=T.int64).cauchy_(),
    "type of exponential_": lambda T: T.zeros(2, dtype=T.int64).exponential_(),
    "type of log_normal_": lambda T: T.zeros(2, dtype=T.bool).log_normal_(),
    "type of geometric_": lambda T: T.zeros(2, dtype=T.bool).geometric_(0.5),
    "type of random_": lambda T: T.zeros(2, dtype=T.complex64).random_(),
    "type of poisson": lambda T: T.poisson(T.zeros(2, dtype=T.int64)),
    "type of bernoulli": lambda T: T.bernoulli(T.zeros(2, dtype=T.int64)),
    "type of multinomial": lambda T: T.multinomial(T.ones(3, dtype=T.int64), 1),
    "bounds of uniform_": lambda T: T.zeros(2).uniform_(2, 1),
    "uniform_ beyond the type": lambda T: T.zeros(2).uniform_(0, 1e39),
    "uniform_ too wide": lambda T: T.zeros(2).uniform_(-3e38, 3e38),
    "uniform_ in half": lambda T: T.zeros(2, dtype=T.float16).uniform_(0, 7e4),
    "std of normal_": lambda T: T.zeros(2).normal_(0, -1),
    "stds of normal": lambda T: T.normal(T.zeros(3), T.zeros(3) - 1),
    "shapes of normal": lambda T: T.normal(T.zeros(2), T.ones(3)),
    "complex std": lambda T: T.normal(T.zeros(2), T.ones(2, dtype=T.complex64)),
    "log_normal_": lambda T: T.zeros(2).log_normal_(0, 0),
    "exponential_": lambda T: T.zeros(2).exponential_(0),
    "cauchy_": lambda T: T.zeros(2).cauchy_(0, 0),
    "geometric_": lambda T: T.zeros(2).geometric_(1),
    "bernoulli_": lambda T: T.zeros(2).bernoulli_(1.5),
    "bernoulli": lambda T: T.bernoulli(T.zeros(2) + 2),
    "bernoulli_ shape": lambda T: T.zeros(3).bernoulli_(T.zeros(2)),
    "random_ order": lambda T: T.zeros(2).random_(5, 2),
    "random_ beyond the type": lambda T: T.zeros(2, dtype=T.uint8).random_(0, 300),
    "random_ below the type": lambda T: T.zeros(2, dtype=T.int8).random_(-200, 3),
    "random_ of bool": lambda T: T.zeros(2, dtype=T.bool).random_(0, 3),
    "random_ full range": lambda T: T.zeros(2, dtype=T.int32).random_(-(2**63), None),
    "randint order": lambda T: T.randint(3, 3, (2,)),
    "randint size": lambda T: T.randint(5, 2),
    "randint of complex": lambda T: T.randint(0, 10, (2,), dtype=T.complex64),
    "randint gradient": lambda T: T.randint(0, 5, (2,), requires_grad=True),
    "randperm overflow": lambda T: T.randperm(300, dtype=T.uint8),
    "randperm half": lambda T: T.randperm(3000, dtype=T.float16),
    "randperm float": lambda T: T.randperm(2.5),
    "rand size": lambda T: T.rand(2.5),
    "negative size": lambda T: T.rand(2, -1),
    "negative n": lambda T: T.randperm(-1),
    "rand_like": lambda T: T.rand_like(3),
    "multinomial rank": lambda T: T.multinomial(T.ones(2, 2, 2), 1),
    "multinomial none": lambda T: T.multinomial(T.ones(3), 0),
    "multinomial too many": lambda T: T.multinomial(T.ones(3), 4),
    "multinomial negative": lambda T: T.multinomial(T.ones(3) - 2, 1),
    "multinomial zero": lambda T: T.multinomial(T.zeros(3), 1),
    "multinomial nan": lambda T: T.multinomial(T.zeros(3) * float("nan"), 2, True),
    "multinomial inf": lambda T: T.multinomial(T.zeros(3) + float("inf"), 2, True),
    "multinomial zero again": lambda T: T.multinomial(T.zeros(3), 2, True),
    "multinomial out": lambda T: T.multinomial(T.ones(3), 2, out=T.zeros(2)),
    "poisson": lambda T: T.poisson(T.zeros(2) - 1),
    "binomial types": lambda T: T.binomial(T.zeros(2), T.zeros(2, dtype=T.float64)),
    "binomial integers": lambda T: T.binomial(T.tensor([5]), T.tensor([0.5])),
    "overlap": lambda T: T.zeros(1).expand(3).normal_(),
    "leaf": lambda T: T.zeros(3, requires_grad=True).normal_(),
    "seed of a generator": lambda T: T.Generator().manual_seed("a"),
    "long seed": lambda T: T.manual_seed(2**64),
    "no seed": lambda T: T.manual_seed("a"),
    "state size": lambda T: T.Generator().set_state(T.zeros(5, dtype=T.uint8)),
    "state type": lambda T: T.Generator().set_state(T.zeros(5056)),
    "state class": lambda T: T.Generator().set_state([1]),
    "state content": lambda T: T.Generator().set_state(T.zeros(5056, dtype=T.uint8)),
    "offset": lambda T: T.Generator().get_offset(),
    "set offset": lambda T: T.Generator().set_offset(1),
    "dropout": lambda T: T.nn.functional.dropout(T.zeros(3), 1.5),
    "dropout1d": lambda T: T.nn.functional.dropout1d(T.zeros(3)),
    "feature dropout": lambda T: T.nn.functional.feature_alpha_dropout(T.zeros(3), 0.5, True),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name):
    found = []
    for T in (torch, penlight):
        with pytest.raises((RuntimeError, TypeError, ValueError)) as caught:
            ERRORS[name](T)
        found.append((caught.type, str(caught.value)))
    assert found[0] == found[1]


def test_other_generators_are_refused():
    with pytest.raises(TypeError, match=r"must be torch\.Generator, not int$"):
        penlight.rand(2, generator=3)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("low, high", [(0, 2**15), (-(2**15) - 1, 5), (-(2**15), 2**15 + 1)])
def test_integers_that_a_float_cannot_hold(dtype, low, high):
    """Bounds move inwards to where rounding cannot leave them; beyond exact numbers it warns."""
    if dtype == "float32":
        low, high = low * 2**20, high * 2**20
    texts = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        both(lambda T: T.zeros(99, dtype=getattr(T, dtype)).random_(low, high))
        texts = [str(w.message).partition(" (Triggered")[0] for w in caught]
    assert texts[: len(texts) // 2] == texts[len(texts) // 2 :]


# ---------------------------------------------------------------- arithmetic

numbers = st.floats(-1e6, 1e6, allow_subnormal=False).filter(lambda x: x == 0 or abs(x) > 1e-6)


@settings(max_examples=300)
@given(numbers, numbers, numbers)
def test_fma64_rounds_once(a, b, c):
    want = float(Fraction(a) * Fraction(b) + Fraction(c))
    assert fma64(np.array([a]), b, c)[0] == want


@settings(max_examples=300)
@given(numbers, numbers, numbers)
def test_fma32_rounds_once(a, b, c):
    a, b, c = np.float32(a), np.float32(b), np.float32(c)
    got = fma32(np.array([a]), b, c)[0]
    exact = Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))
    error = abs(Fraction(float(got)) - exact)
    neighbours = np.nextafter(got, np.float32([-np.inf, np.inf]))
    assert all(error <= abs(Fraction(float(n)) - exact) for n in neighbours)


def test_fma32_where_rounding_twice_goes_wrong():
    a, b = np.float32(1 + 2.0**-12), np.float32(1 - 2.0**-12)  # the product is 1 - 2^-24
    c = np.float32(2.0**30)
    tiny = np.float32(2.0**-60)
    assert fma32(np.array([a]), b, c)[0] == c
    # 1 + 2^-24 is halfway between two numbers; a little more than that rounds up
    assert fma32(np.array([tiny]), np.float32(1), np.float32(1))[0] == 1
    half = fma32(np.array([np.float32(1 + 2.0**-23)]), np.float32(2.0**-24), np.float32(1))[0]
    assert half == np.float32(1 + 2.0**-23)


def test_polynomials_are_close_to_the_functions():
    x = np.linspace(2.0**-24, 1, 10_001).astype(np.float32)
    assert np.allclose(log32(x), np.log(x.astype(np.float64)), rtol=2e-7, atol=1e-10)
    angle = np.linspace(0, 2 * np.pi, 10_001).astype(np.float32)
    sin, cos = sincos32(angle)
    assert np.allclose(sin, np.sin(angle.astype(np.float64)), atol=1e-7)
    assert np.allclose(cos, np.cos(angle.astype(np.float64)), atol=1e-7)
