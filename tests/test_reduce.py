"""Reductions, scans, statistics and histograms beside PyTorch's, for all types and empties."""

import pickle
from operator import attrgetter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import penlight
from same import assert_same


def values(T):
    t = T.tensor
    return {
        "b": t([True, False]), "i": t([3, -4]), "f": t([1.5, -2.0]), "e": T.zeros(0),
        "e2": T.zeros(2, 0), "e03": T.zeros(0, 3), "n": t([1.0, float("nan"), 2.0]),
        "m": t([[1.0, 3, 3], [4, 4, 0]]), "mi": t([[1, 3, 3], [4, 4, 0]]), "c": t([1 + 1j, 2j]),
        "h": t([1.5, -2.0], dtype=T.float16), "w": t([1.5, -2.0], dtype=T.bfloat16),
        "u": t([200, 100], dtype=T.uint8), "z": T.zeros(2, 0, 3), "s": t(2.0), "k": t(3),
    }  # fmt: skip


EVERY = tuple(values(torch))
REDUCTIONS = [
    "{}.sum()", "{}.sum(0)", "{}.sum(-1, True)", "{}.mean()", "{}.mean(0)", "{}.prod()",
    "{}.prod(0)", "{}.mean(dim=-1, keepdim=True)", "{}.max()", "{}.max(0)", "{}.max(-1, True)",
    "{}.min(0)", "{}.amax()", "{}.amax(0)", "{}.aminmax()", "{}.argmax()", "{}.argmax(0)",
    "{}.all()", "{}.any(0)", "{}.argmin(-1, keepdim=True)", "{}.all(dim=(0,))", "{}.all(())",
    "{}.var()", "{}.std(0)", "{}.var(-1, correction=0)", "T.var_mean({}, 0)", "T.std_mean({})",
    "{}.logsumexp(0)", "{}.nansum()", "{}.logsumexp(-1, True)", "{}.nanmean()", "{}.nansum(0)",
    "{}.median()", "{}.median(0)", "{}.nanmedian()", "{}.mode()", "{}.mode(0, True)",
    "{}.kthvalue(1)", "{}.kthvalue(2, 0)", "{}.quantile(0.3)", "{}.quantile(0.3, 0)",
    "{}.nanquantile(0.3, -1, True)", "{}.count_nonzero()", "{}.count_nonzero(0)", "{}.cumsum(0)",
    "{}.cumprod(-1)", "{}.cummax(0)", "{}.cummin(-1)", "{}.diff()", "{}.diff(n=3)",
    "T.trapezoid({})", "{}.sum(5)", "{}.max(-7)", "{}.amax(())", "{}.sum(dtype=T.float64)",
    "{}.mean(dtype=T.float64)", "{}.cumsum(0, dtype=T.float32)", "{}.prod(dtype=T.float32)",
    "{}.sum((0, 0))", "{}.sum(())", "{}.var(())", "T.histc({}, 4)", "T.bincount({})",
    "T.isin({}, t([1, 3]))", "{}.sum(axis=0, keepdims=True)", "T.equal({}, {})", "T.dist({}, {})",
    "T.gradient({})",
]  # fmt: skip
# What PyTorch cannot do, or says with an argument of its own kernels.
DIFFERENT = {"T.histc(b, 4)", "T.histc(c, 4)", "T.histc(n, 4)", "T.dist(b, b)"}


@pytest.mark.parametrize("form", REDUCTIONS)
def test_reductions(form):
    for name in EVERY:
        code = form.replace("{}", name)
        assert_same(code, values, text=code not in DIFFERENT)


CALLS = [
    "m.argmax()", "m.argmax(1)", "m.argmax(keepdim=True)", "m.sum((0, 1))",
    "m.sum(dim=(0, -1), keepdim=True)", "m.var(0, False)", "m.var(False)",
    "m.var(1, unbiased=False, keepdim=True)", "m.std(0, correction=0)",
    "m.var(dim=0, correction=5)", "m.kthvalue(9)", "m.quantile(t([0.1, 0.5]))", "m.quantile(2.0)",
    "m.quantile(t([0.1, 0.5]), dim=1)", "m.quantile(0.5, dim=1, keepdim=True)",
    "m.prod(dim=(0, 1))", "m.quantile(0.3, interpolation='nearest')",
    "m.quantile(0.3, interpolation='x')", "n.nanmedian(0)", "m.unique()",
    "m.unique(return_inverse=True, return_counts=True)", "m.unique(dim=0, return_counts=True)",
    "mi.unique(dim=1, return_inverse=True)",
    "T.unique_consecutive(t([1, 1, 2, 1]), return_counts=True)",
    "T.unique_consecutive(mi, dim=0, return_inverse=True)", "T.unique_consecutive(e)",
    "s.unique(dim=0)", "T.bincount(t([1, 1, 3]), weights=t([0.5, 1, 2]))", "T.bincount(t([-1]))",
    "T.bincount(t([1]), minlength=-1)", "T.bincount(t([1]), minlength=4)", "T.histc(m, bins=4)",
    "T.histc(m, 4, 0, 2)", "T.histogram(m, 4)", "T.histogram(m, t([0.0, 1, 2]))",
    "T.histogram(m, 3, range=(0, 3), density=True)", "T.histogram(m, 2, weight=m)",
    "T.histogramdd(T.ones(3, 2), bins=[2, 2])", "T.histogram(n, 2)",
    "T.histogramdd(m, bins=3, range=[0, 4, 0, 4, 0, 4])", "T.max(f, f)",
    "T.max(f, dim=0, keepdim=True)", "T.max(f, 2.5)", "T.aminmax(m, dim=0)", "T.any(m, dim=(0, 1))",
    "T.cov(m)", "T.corrcoef(m)", "T.cov(m, correction=0, fweights=t([1, 2, 1]))",
    "T.cov(m, aweights=t([0.5, 1, 2]))", "T.cov(z)", "T.cov(m, fweights=t([1, 2]))",
    "T.dist(m, m, p=1)", "T.dist(m, m * 2, float('inf'))", "T.dist(f, f + 1, 0)",
    "m.sum_to_size(1, 3)", "T.trapezoid(m, t([1.0, 3, 4]))", "T.trapezoid(m, dx=2)",
    "T.cumulative_trapezoid(m)", "T.cumulative_trapezoid(m, t([1.0, 3, 4]))", "T.trapezoid(m, f)",
    "T.gradient(m, spacing=2.0)", "T.gradient(m, dim=1, edge_order=2)",
    "T.gradient(m, edge_order=3)", "T.gradient(m, spacing=(f, t([0.0, 1, 3])))",
    "T.gradient(m, spacing=[1.0])", "T.gradient(m, dim=(1, 1))", "m.diff(dim=0, prepend=m[:1])",
    "m.diff(append=f)", "f.cumsum_(0)", "m.cummax(1)", "n.cummin(0)", "t([1, 1, 2, 2]).mode()",
    "t([2.5, 1.0, 2.5, 1.0, 3.0]).mode()", "T.ones(100000, dtype=T.float16).sum()",
    "T.ones(1000, dtype=T.bfloat16).cumsum(0)", "T.full((50,), 0.1, dtype=T.bfloat16).mean()",
    "i.mean()", "c.max()", "c.amin()", "b.argmax()", "n.logcumsumexp(0)", "m.logcumsumexp(1)",
    "i.logcumsumexp(0)",
]  # fmt: skip


@pytest.mark.parametrize("code", CALLS)
def test_calls(code):
    assert_same(code, values)


def differentiable(T):
    def leaf(values):
        return T.tensor(values, dtype=T.float64, requires_grad=True)

    return {
        "x": leaf([[0.3, -0.4, 0.77], [1.5, -2.1, 0.9]]), "y": leaf([1.2, 0.4, 2.7]),
        "z": leaf([[0.5, 0, 2], [0, 0, 3]]), "tie": leaf([[1.0, 1, 0], [2, 1, 2]]),
        "n": leaf([1.0, float("nan"), 3]), "s": leaf(1.5),
    }  # fmt: skip


SMOOTH = [
    "x.sum()", "x.sum(0)", "x.sum((0, 1))", "x.sum(1, keepdim=True)", "s.sum(0)", "x.mean()",
    "x.mean(1)", "x.mean((0, 1), keepdim=True)", "x.prod()", "x.prod(0)", "x.prod(1, keepdim=True)",
    "z.prod()", "z.prod(0)", "z.prod(1)", "s.prod(0)", "n.nansum()", "n.nanmean()",
    "x.logsumexp(0)", "s.cumsum(0)", "x.logsumexp((0, 1))", "x.amax(0)", "tie.amax(1)",
    "tie.amax((0, 1))", "tie.amin(0, keepdim=True)", "T.aminmax(tie, dim=1)", "tie.max()",
    "n.max()", "tie.max(0)", "tie.min(1, keepdim=True)", "s.max(0)", "x.median()", "x.median(0)",
    "tie.median()", "n.nanmedian()", "tie.mode()", "x.kthvalue(1, 0, True)", "x.quantile(0.4)",
    "x.quantile(0.4, dim=1)", "x.quantile(0.3, interpolation='midpoint')",
    "x.quantile(T.tensor([0.2, 0.7], dtype=T.float64), dim=0, keepdim=True)", "n.nanquantile(0.3)",
    "x.var()", "x.var(0)", "x.var(1, False)", "x.std()", "x.std(1, keepdim=True)",
    "T.var_mean(x, 1)", "T.std_mean(x, 0, correction=0)", "z.std(1)", "x.cumsum(1)", "x.cumprod(1)",
    "z.cumprod(1)", "z.cumprod(0)", "s.cumprod(0)", "x.cummax(1)", "tie.cummax(1)", "tie.cummin(0)",
    "x.logcumsumexp(1)", "s.logcumsumexp(0)", "x.diff(n=2)", "x.diff(dim=0, prepend=x[:1])",
    "T.trapezoid(x, y)", "T.trapezoid(x, dx=2)", "T.cumulative_trapezoid(x, y)",
    "T.gradient(x, dim=1)", "T.cov(x)", "T.gradient(x, spacing=2.0, dim=1, edge_order=2)",
    "T.cov(x, correction=0, aweights=y.detach())", "T.dist(x, y)", "T.dist(x, z, 1)",
    "T.dist(x, x)", "x.sum(dtype=T.float32)", "(x * 1).cumsum_(0)",
]  # fmt: skip


@pytest.mark.parametrize("code", SMOOTH)
def test_gradients(code):
    assert_same(code, differentiable, ("x", "y", "z", "tie", "n", "s"))


NAMES = [
    "x.sum()", "x.sum(0)", "x.mean()", "x.mean(0)", "x.prod()", "x.prod(0)", "x.max()",
    "x.max(0)[0]", "x.amax()", "x.std()", "x.var(0)", "T.var_mean(x)[0]", "x.logsumexp(0)",
    "x.median()", "x.cumsum(0)", "x.median(0)[0]", "x.mode()[0]", "x.kthvalue(1)[0]", "x.nansum()",
    "x.nanmean()", "x.cumprod(0)", "x.cummax(0)[0]", "x.logcumsumexp(0)", "x.diff()",
    "T.dist(x, x)", "T.aminmax(x)[0]",
]  # fmt: skip


@pytest.mark.parametrize("code", NAMES)
def test_node_names(code):
    names = []
    for T in (torch, penlight):
        x = T.tensor([0.5, 1.5], requires_grad=True)
        names.append(eval(code, {"x": x, "T": T}).grad_fn.name())
    assert names[1] == names[0]


def test_long_sums_keep_their_digits():
    x = np.random.default_rng(0).random((300_000, 2), np.float32)
    t = penlight.from_numpy(x)
    exact = x.astype(np.float64)
    np.testing.assert_allclose(t.sum(0).numpy(), exact.sum(0), rtol=2e-6)
    np.testing.assert_allclose(t.mean(0).numpy(), exact.mean(0), rtol=2e-6)
    np.testing.assert_allclose(t.sum().item(), exact.sum(), rtol=1e-6)
    np.testing.assert_allclose(t.cumsum(0).numpy(), exact.cumsum(0), rtol=1e-6)
    np.testing.assert_allclose(
        (t + 1000).var(0).numpy(), (x + 1000).var(0, np.float64, ddof=1), 1e-5
    )


def test_named_results():
    x = penlight.tensor([[1.0, 3.0], [4.0, 2.0]])
    result = x.max(1)
    assert repr(result) == (
        "torch.return_types.max(\nvalues=tensor([3., 4.]),\nindices=tensor([1, 0]))"
    )
    assert result.values is result[0]
    assert attrgetter("indices")(result).tolist() == [1, 0]
    assert type(result)(result).values is result.values
    assert isinstance(result, penlight.return_types.max)
    again = pickle.loads(pickle.dumps(result))
    assert type(again) is type(result)
    assert again.indices.tolist() == [1, 0]


def test_out_takes_both_results():
    x = penlight.tensor([[1.0, 3.0], [4.0, 2.0]])
    values, indices = penlight.zeros(2), penlight.zeros(2, dtype=penlight.int64)
    penlight.max(x, 1, out=(values, indices))
    assert values.tolist() == [3.0, 4.0]
    assert indices.tolist() == [1, 0]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=12), st.booleans())
def test_ties(numbers, floats):
    """Extremes and most frequent elements of lists full of equal numbers, and where they are."""
    array = np.array(numbers, np.float32 if floats else np.int64)
    want, got = torch.from_numpy(array), penlight.from_numpy(array)
    for call in ("max(0)", "min(0)", "mode()", "cummax(0)", "cummin(0)"):
        a, b = eval(f"x.{call}", {"x": want}), eval(f"x.{call}", {"x": got})
        assert a[0].tolist() == b[0].tolist()
        assert a[1].tolist() == b[1].tolist()
    assert got.argmax().item() == want.argmax().item()
    assert got.median().item() == want.median().item()
    assert got.unique().tolist() == want.unique().tolist()
