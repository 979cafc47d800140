"""Initial values are PyTorch's: bit for bit, but for the QR factors of orthogonal_."""

import numpy as np
import pytest
import torch

import penlight

torch.set_num_threads(1)

SHAPES = ((3, 4), (16, 16), (7, 3, 2), (5, 4, 3, 3), (6, 4, 3, 3, 2), (200, 90))
CALLS = {
    "uniform_": lambda init, x: init.uniform_(x, -0.3, 0.7),
    "normal_": lambda init, x: init.normal_(x, 0.5, 2.0),
    "constant_": lambda init, x: init.constant_(x, 2.5),
    "ones_": lambda init, x: init.ones_(x),
    "zeros_": lambda init, x: init.zeros_(x),
    "xavier_uniform_": lambda init, x: init.xavier_uniform_(x, 1.3),
    "xavier_normal_": lambda init, x: init.xavier_normal_(x, 1.3),
    "kaiming_uniform_": lambda init, x: init.kaiming_uniform_(x, 5**0.5),
    "kaiming_uniform_ relu": lambda init, x: init.kaiming_uniform_(x, 0, "fan_out", "relu"),
    "kaiming_normal_": lambda init, x: init.kaiming_normal_(x),
    "kaiming_normal_ tanh": lambda init, x: init.kaiming_normal_(x, 0, "fan_out", "tanh"),
    "trunc_normal_": lambda init, x: init.trunc_normal_(x),
    "trunc_normal_ narrow": lambda init, x: init.trunc_normal_(x, 0.0, 0.02, -0.03, 0.02),
    "trunc_normal_ in a tail": lambda init, x: init.trunc_normal_(x, 0.0, 1.0, 1.5, 3.0),
}


def drawn(T, call, shape, dtype):
    T.manual_seed(1234)
    x = T.full(shape, 3.0, dtype=getattr(T, dtype), requires_grad=True)
    assert call(T.nn.init, x) is x
    assert x.requires_grad and x.is_leaf
    state = T.get_rng_state()
    return x.detach().numpy(), state.numpy()


def same(want, got):
    assert (got.dtype, got.shape) == (want.dtype, want.shape)
    assert got.tobytes() == want.tobytes()


def both(call, shape, dtype):
    want, got = (drawn(T, call, shape, dtype) for T in (torch, penlight))
    same(want[0], got[0])
    same(want[1], got[1])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CALLS)
def test_values(name, dtype):
    for shape in SHAPES:
        both(CALLS[name], shape, dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_matrices(dtype):
    for shape in ((3, 4), (5, 2), (30, 20)):
        both(lambda init, x: init.eye_(x), shape, dtype)
        both(lambda init, x: init.sparse_(x, 0.3), shape, dtype)


@pytest.mark.parametrize("groups", [1, 2, 3])
def test_dirac(groups):
    for shape in ((6, 4, 3), (6, 2, 3, 4), (12, 5, 1, 2, 3)):
        both(lambda init, x: init.dirac_(x, groups), shape, "float32")


@pytest.mark.parametrize("dtype, tolerance", [("float32", 2e-5), ("float64", 1e-12)])
def test_orthogonal(dtype, tolerance):
    for shape in SHAPES:
        want, got = (
            drawn(T, lambda init, x: init.orthogonal_(x, 1.3), shape, dtype)
            for T in (torch, penlight)
        )
        np.testing.assert_allclose(got[0], want[0], atol=tolerance)
        same(want[1], got[1])
        matrix = got[0].reshape(shape[0], -1)
        product = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
        np.testing.assert_allclose(product, 1.69 * np.eye(len(product)), atol=10 * tolerance)


def test_a_given_generator_is_used():
    found = []
    for T in (torch, penlight):
        g = T.Generator().manual_seed(7)
        for name in ("uniform_", "normal_", "kaiming_uniform_", "xavier_normal_", "trunc_normal_"):
            found.append(getattr(T.nn.init, name)(T.zeros(5, 8), generator=g).numpy())
    for want, got in zip(found[:5], found[5:], strict=True):
        same(want, got)


@pytest.mark.parametrize(
    "nonlinearity, param",
    [
        ("linear", None), ("conv_transpose3d", None), ("sigmoid", None), ("tanh", None),
        ("relu", None), ("leaky_relu", None), ("leaky_relu", 0.2), ("leaky_relu", 1),
        ("selu", None),
    ],
)  # fmt: skip
def test_calculate_gain(nonlinearity, param):
    want = torch.nn.init.calculate_gain(nonlinearity, param)
    assert penlight.nn.init.calculate_gain(nonlinearity, param) == want


ERRORS = {
    "gain": lambda T: T.nn.init.calculate_gain("x"),
    "slope": lambda T: T.nn.init.calculate_gain("leaky_relu", True),
    "fan of a vector": lambda T: T.nn.init.xavier_uniform_(T.zeros(2)),
    "mode": lambda T: T.nn.init.kaiming_normal_(T.zeros(2, 2), mode="x"),
    "eye": lambda T: T.nn.init.eye_(T.zeros(2)),
    "dirac": lambda T: T.nn.init.dirac_(T.zeros(2)),
    "dirac groups": lambda T: T.nn.init.dirac_(T.zeros(3, 2, 2), 2),
    "orthogonal": lambda T: T.nn.init.orthogonal_(T.zeros(2)),
    "sparse": lambda T: T.nn.init.sparse_(T.zeros(2), 0.1),
    "integers": lambda T: T.nn.init.normal_(T.zeros(2, dtype=T.int64)),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name):
    found = []
    for T in (torch, penlight):
        with pytest.raises((RuntimeError, ValueError)) as caught:
            ERRORS[name](T)
        found.append((caught.type, str(caught.value)))
    assert found[0] == found[1]


WARNINGS = {
    "empty": lambda T: T.nn.init.kaiming_uniform_(T.zeros(0, 2)),
    "empty normal": lambda T: T.nn.init.kaiming_normal_(T.zeros(0, 2)),
    "far": lambda T: T.nn.init.trunc_normal_(T.zeros(3), mean=10.0),
    "old name": lambda T: T.nn.init.xavier_uniform(T.zeros(2, 2)),
    "another old name": lambda T: T.nn.init.constant(T.zeros(2), 3.0),
}


@pytest.mark.parametrize("name", WARNINGS)
def test_warnings(name):
    found = []
    for T in (torch, penlight):
        with pytest.warns((UserWarning, FutureWarning)) as caught:
            WARNINGS[name](T)
        found.append([(w.category, str(w.message)) for w in caught])
    assert found[0] == found[1]
    assert all(w.filename == __file__ for w in caught)  # of penlight: it points to the caller


def test_every_name_of_torch_is_there():
    for name in torch.nn.init.__all__:
        assert callable(getattr(penlight.nn.init, name))
