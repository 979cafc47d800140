"""Losses, distances and embeddings against PyTorch: values, names, gradients, errors and hints."""

import math
import warnings

import numpy as np
import pytest
import torch

import penlight
from agreement import check, outcome
from second_order import agree, normal

REDUCTIONS = ("none", "mean", "sum")
X, Y = normal(4, 5), normal(4, 5, seed=3)
PROBABILITY = 1 / (1 + np.exp(-Y))
SIGN = np.sign(Y)


def both(name, *arrays, fixed=(), order=2, named=True, **options):
    """`agree` where `fixed` arrays follow as arguments that want no gradient."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = []
        for T in (torch, penlight):
            inputs = [T.tensor(a).requires_grad_() for a in arrays]
            rest = [T.tensor(a) for a in fixed]
            extra = {k: T.tensor(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}
            y = getattr(T.nn.functional, name)(*inputs, *rest, **extra)
            weights = T.tensor(normal(*y.shape, seed=1)).to(y.dtype)
            grads = T.autograd.grad((y * weights).sum(), inputs, create_graph=order > 1)
            result = [type(y.grad_fn).__name__, y, *grads]
            if order > 1:
                total = sum((x * 0).sum() for x in inputs)
                total += sum((g * T.tensor(normal(*g.shape, seed=2))).sum() for g in grads)
                result += T.autograd.grad(total, inputs)
            found.append([result[0], *(t.detach().numpy() for t in result[1:])])
    want, got = found
    assert got[0] == want[0] or not named
    for ours, theirs in zip(got[1:], want[1:], strict=True):
        np.testing.assert_allclose(ours, theirs, 1e-8, 1e-9)


# ---------------------------------------------------------------- element by element

PAIRS = {
    "mse_loss": {}, "l1_loss": {}, "smooth_l1_loss": {"beta": 0.7}, "huber_loss": {"delta": 0.6},
}  # fmt: skip


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("name", PAIRS)
def test_distances_between_tensors(name, reduction):
    order = 1 if name == "l1_loss" else 2
    agree(name, X, Y, order=order, reduction=reduction, **PAIRS[name])
    weight = np.abs(normal(4, 5, seed=9))
    if name != "smooth_l1_loss":
        both(name, X, Y, weight=weight, reduction=reduction, **PAIRS[name])


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_yes_or_no(reduction):
    weight, positive = np.abs(normal(4, 5, seed=9)), np.abs(normal(5, seed=9))
    for options in ({}, {"weight": weight}):
        both("binary_cross_entropy", PROBABILITY, PROBABILITY[::-1].copy(), reduction=reduction,
             **options)  # fmt: skip
        both("binary_cross_entropy_with_logits", X, PROBABILITY, reduction=reduction, **options)
    both("binary_cross_entropy_with_logits", X, PROBABILITY, pos_weight=positive,
         reduction=reduction)  # fmt: skip
    both("soft_margin_loss", X, fixed=[SIGN], reduction=reduction)
    both("multilabel_soft_margin_loss", X, fixed=[PROBABILITY], reduction=reduction)


def test_probabilities_of_zero_and_one_stay_finite():
    results = []
    for T in (penlight, torch):
        x = T.tensor([0.0, 1.0, 0.0, 1.0])
        y = T.tensor([0.0, 1.0, 1.0, 0.0])
        results.append(T.nn.functional.binary_cross_entropy(x, y, reduction="none").tolist())
    assert results[0] == results[1] == [0, 0, 100, 100]


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_distributions(reduction):
    both("kl_div", X, fixed=[PROBABILITY], reduction=reduction)
    both("kl_div", X, fixed=[np.log(PROBABILITY)], reduction=reduction, log_target=True)
    both("poisson_nll_loss", X, fixed=[np.abs(3 * Y)], reduction=reduction, full=True)
    both("poisson_nll_loss", np.abs(X), fixed=[np.abs(Y)], reduction=reduction, log_input=False)
    both("gaussian_nll_loss", X, Y, np.abs(X) + 0.1, reduction=reduction, full=True)
    both("gaussian_nll_loss", X, Y, fixed=[np.array([1e-9, 0.1, 2, 3])], reduction=reduction)


def test_batchmean():
    both("kl_div", X, fixed=[PROBABILITY], reduction="batchmean")


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_margins(reduction):
    both("hinge_embedding_loss", X, fixed=[SIGN], reduction=reduction)
    both("margin_ranking_loss", X, Y, fixed=[SIGN], margin=0.3, reduction=reduction)
    both("cosine_embedding_loss", X, Y, fixed=[SIGN[:, 0]], margin=0.1, reduction=reduction)
    for swap in (False, True):
        both("triplet_margin_loss", X, Y, X[::-1].copy(), swap=swap, reduction=reduction, p=3)
    both("triplet_margin_with_distance_loss", X, Y, X[::-1].copy(), reduction=reduction)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_margins_between_classes(reduction):
    target = np.array([0, 4, 2, 2])
    weight = np.abs(normal(5))
    both("multi_margin_loss", X, fixed=[target], reduction=reduction, order=1)
    both("multi_margin_loss", X, fixed=[target], reduction=reduction, order=1, p=2, weight=weight)
    several = np.array([[1, 3, -1, 0, 0], [0, 1, 2, 3, 4], [-1, 1, 1, 1, 1], [2, 2, 1, -1, 0]])
    both("multilabel_margin_loss", X, fixed=[several], reduction=reduction, order=1)
    both("multilabel_margin_loss", X[0], fixed=[several[0]], reduction=reduction, order=1,
         named=False)  # fmt: skip


# ---------------------------------------------------------------- classes

INDICES = np.array([0, 4, 2, 2])


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weighted", [False, True])
def test_cross_entropy(reduction, smoothing, weighted):
    options = {"reduction": reduction, "label_smoothing": smoothing}
    if weighted:
        options["weight"] = np.abs(normal(5))
    both("cross_entropy", X, fixed=[INDICES], **options)
    both("cross_entropy", X, fixed=[INDICES], ignore_index=2, **options)
    both("cross_entropy", X, fixed=[np.array([0, -100, 2, -100])], **options)
    both("cross_entropy", X[0], fixed=[INDICES[1]], **options)
    both("cross_entropy", X, PROBABILITY, named=False, **options)
    several = np.array([[0, 1, 4], [2, 2, 0]])
    both("cross_entropy", normal(2, 5, 3), fixed=[several], named=False, **options)
    both("cross_entropy", normal(2, 5, 2, 3), fixed=[np.ones((2, 2, 3), int)], **options)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_nll_loss(reduction):
    both("nll_loss", X, fixed=[INDICES], weight=np.abs(normal(5)), reduction=reduction)
    both("nll_loss", X, fixed=[INDICES.astype(np.uint8)], reduction=reduction)
    both("nll_loss", normal(2, 5, 2, 3), fixed=[np.ones((2, 2, 3), int)], reduction=reduction)


def test_nothing_to_average_is_nan():
    every = penlight.tensor([-100, -100])
    assert math.isnan(penlight.nn.functional.cross_entropy(penlight.ones(2, 3), every).item())


def test_linear_cross_entropy():
    both("linear_cross_entropy", X, normal(3, 5), fixed=[np.array([0, 1, 2, 0])],
         linear_bias=normal(3))  # fmt: skip


# ---------------------------------------------------------------- ctc


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_ctc(reduction):
    scores = normal(8, 3, 5)
    log_probs = scores - np.log(np.exp(scores).sum(2, keepdims=True))
    targets = np.array([[1, 1, 2], [3, 4, 0], [2, 0, 0]])
    lengths = {"input_lengths": (8, 6, 3), "target_lengths": (3, 2, 1)}
    both("ctc_loss", log_probs, fixed=[targets], order=1, reduction=reduction, **lengths)
    row = np.array([1, 1, 2, 3, 4, 2])
    both("ctc_loss", log_probs, fixed=[row], order=1, reduction=reduction, **lengths)
    both("ctc_loss", log_probs[:, 0], fixed=[row[:3]], order=1, reduction=reduction,
         input_lengths=(8,), target_lengths=(3,))  # fmt: skip


def test_ctc_without_a_path():
    short = {"input_lengths": (1, 4), "target_lengths": (2, 2)}
    targets = np.array([[1, 2], [1, 1]])
    log_probs = np.log(np.full((4, 2, 3), 1 / 3))
    both("ctc_loss", log_probs, fixed=[targets], order=1, zero_infinity=True, **short)
    loss = penlight.nn.functional.ctc_loss(
        penlight.tensor(log_probs), penlight.tensor(targets), (1, 4), (2, 2), reduction="none"
    )
    assert loss[0].item() == math.inf


# ---------------------------------------------------------------- distances


@pytest.mark.parametrize("p", [0.0, 1.0, 1.5, 2.0, 3.0, math.inf])
def test_distances_of_all_pairs(p):
    order = 1 if p in (0.0, 1.5) else 2
    for shapes in (((4, 3), (5, 3)), ((2, 4, 3), (1, 5, 3)), ((30, 3), (2, 3))):
        results = []
        for T in (penlight, torch):
            inputs = [T.tensor(normal(*s, seed=i)).requires_grad_() for i, s in enumerate(shapes)]
            y = T.cdist(*inputs, p=p)
            grads = T.autograd.grad((y * y.detach().cos()).sum(), inputs)
            results.append([type(y.grad_fn).__name__, *(t.detach().numpy() for t in (y, *grads))])
        if results[1][0] == "CdistBackward0":
            assert results[0][0] == "CdistBackward0"
        for ours, theirs in zip(results[0][1:], results[1][1:], strict=True):
            np.testing.assert_allclose(ours, theirs, 1e-6, 1e-7)
    both("pdist", normal(5, 3), p=p, order=min(order, 1))


def test_vector_by_vector():
    both("cosine_similarity", X, Y)
    both("cosine_similarity", X, Y[:1], dim=0)
    both("cosine_similarity", X, 0 * Y + 1e-12, order=1)
    both("pairwise_distance", X, Y, p=3.0, keepdim=True, named=False)


# ---------------------------------------------------------------- embeddings


@pytest.mark.parametrize(
    "options", [{}, {"padding_idx": 2}, {"padding_idx": -1}, {"scale_grad_by_freq": True}]
)
def test_embedding(options):
    found = []
    for T in (penlight, torch):
        weight = T.tensor(X).requires_grad_()
        index = T.tensor([[0, 2, 2], [3, 2, 0]])
        y = T.nn.functional.embedding(index, weight, **options)
        (g,) = T.autograd.grad((y * T.tensor(normal(2, 3, 5))).sum(), weight)
        found.append((type(y.grad_fn).__name__, y.detach().numpy(), g.numpy()))
    assert found[0][0] == found[1][0]
    np.testing.assert_allclose(found[0][1], found[1][1])
    np.testing.assert_allclose(found[0][2], found[1][2], 1e-9)


def test_embedding_differentiates_twice():
    weight = penlight.tensor(X).requires_grad_()
    index = penlight.tensor([0, 2, 2])
    for options in ({}, {"padding_idx": 2}, {"scale_grad_by_freq": True}):
        assert penlight.autograd.gradgradcheck(
            lambda w, o=options: penlight.nn.functional.embedding(index, w**2, **o), weight
        )


def test_long_rows_are_shortened_in_the_table():
    tables = []
    for T in (penlight, torch):
        table = T.tensor(X.copy())
        T.nn.functional.embedding(T.tensor([1, 1, 3]), table, max_norm=0.5)
        tables.append(table.numpy())
    np.testing.assert_allclose(*tables, 1e-6)


BAGS = [
    ([[0, 2, 2], [3, 2, 0]], None, False),
    ([0, 2, 2, 3, 1], [0, 2, 2], False),
    ([0, 2, 2, 3, 1], [0, 3, 5], True),
]


def bag_gradients(T, index, offsets, last, weighted, **options):
    weight, at = T.tensor(X).requires_grad_(), T.tensor(index)
    inputs = [weight]
    if weighted:
        options["per_sample_weights"] = T.tensor(normal(*at.shape)).requires_grad_()
        inputs.append(options["per_sample_weights"])
    starts = None if offsets is None else T.tensor(offsets)
    y = T.nn.functional.embedding_bag(at, weight, starts, include_last_offset=last, **options)
    grads = T.autograd.grad((y * T.tensor(normal(*y.shape, seed=1))).sum(), inputs)
    return [y.detach().numpy(), *(g.numpy() for g in grads)]


@pytest.mark.parametrize("bags", BAGS)
@pytest.mark.parametrize("padding", [None, 2])
@pytest.mark.parametrize(
    ("mode", "weighted"), [("sum", False), ("sum", True), ("mean", False), ("max", False)]
)
def test_embedding_bag(bags, padding, mode, weighted):
    ours, theirs = (
        bag_gradients(T, *bags, weighted, mode=mode, padding_idx=padding) for T in (penlight, torch)
    )
    for mine, wanted in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, wanted, 1e-9, 1e-12)


def test_embedding_bag_divides_by_frequency():
    """As documented; PyTorch 2.13 divides by the frequencies of other rows."""
    _, plain = bag_gradients(penlight, *BAGS[0], False, mode="sum")
    _, scaled = bag_gradients(penlight, *BAGS[0], False, mode="sum", scale_grad_by_freq=True)
    np.testing.assert_allclose(scaled, plain / np.array([2, 1, 3, 1])[:, None])


def test_one_hot():
    for call in ("v.long()", "v.long() % 3, 4", "T.tensor(2)", "T.zeros(0).long(), 3"):
        check(f"T.nn.functional.one_hot({call})")


# ---------------------------------------------------------------- errors and hints

ERRORS = [
    "cross_entropy(m, T.tensor([0, 1]))", "cross_entropy(m, T.tensor([0, 1, 5]))",
    "cross_entropy(m, T.tensor([0, 1, -1]))", "cross_entropy(m, T.tensor([0, 1, 2]).int())",
    "cross_entropy(m, T.tensor([0., 1, 2]))", "cross_entropy(m, T.rand(3, 4))",
    "cross_entropy(m, T.ones(3, 3).long())", "cross_entropy(m, T.ones(3, 1).long())",
    "cross_entropy(m, T.tensor([0, 1, 2]), weight=T.ones(4))",
    "cross_entropy(m, m, weight=T.ones(4))", "cross_entropy(m, m, ignore_index=1)",
    "cross_entropy(m, T.tensor([0, 1, 2]), label_smoothing=2.0)",
    "cross_entropy(m, T.tensor([0, 1, 2]), reduction='x')",
    "cross_entropy(m, T.tensor([0, 1, 2]), weight=T.ones(3).double())",
    "cross_entropy(m, None)", "cross_entropy(m, [0, 1, 2])",
    "cross_entropy(m.long(), T.tensor([0, 1, 2]))",
    "cross_entropy(x, T.zeros(2, 5).long())", "nll_loss(s, T.tensor(0))",
    "nll_loss(T.rand(2, 3, 4, 4), T.zeros(2, 4).long())",
    "nll_loss(T.rand(2, 3, 4, 4), T.zeros(2, 5, 4).long())",
    "multi_margin_loss(m, T.tensor([0, 1]))", "multi_margin_loss(m, T.tensor([0, 1, 9]))",
    "multi_margin_loss(m, T.tensor([0, 1, 2]), p=3)",
    "multilabel_margin_loss(m, T.zeros(3, 2).long())",
    "multilabel_margin_loss(m, T.ones(3, 3).long() * 9)",
    "binary_cross_entropy(m * 2, m)", "binary_cross_entropy(m, m * 2)",
    "binary_cross_entropy(m, m.long())", "binary_cross_entropy(m, m[:, :1])",
    "binary_cross_entropy_with_logits(m, m[:1])", "binary_cross_entropy_with_logits(m, m.long())",
    "mse_loss(m, T.ones(3, 2))", "mse_loss(m.long(), m.long())", "mse_loss(m, m, reduction='x')",
    "smooth_l1_loss(m, m, beta=-1.0)", "huber_loss(m, m, delta=0.0)",
    "cosine_embedding_loss(m, m, T.ones(3, 1))", "cosine_embedding_loss(m, m[0], T.ones(3))",
    "margin_ranking_loss(m, m, T.ones(3))", "triplet_margin_loss(m, m, v)",
    "triplet_margin_loss(m, m, m, margin=0)", "gaussian_nll_loss(m, m, -m)",
    "gaussian_nll_loss(m, m, T.ones(2))", "ctc_loss(x, T.ones(3, 2).long(), (2, 2, 3), (1, 1, 1))",
    "ctc_loss(x, T.ones(3, 2).long(), (2, 2), (1, 1, 1))",
    "ctc_loss(x, T.ones(3, 2).long(), (2, 2, 2), (1, 1, 3))",
    "ctc_loss(x, T.ones(3, 2).long(), (2, 2, 2), (1, 1, 1), blank=9)",
    "embedding(T.tensor([4]), m)", "embedding(T.tensor([-1]), m)", "embedding(T.tensor([0.]), m)",
    "embedding(T.tensor([0]), v)", "embedding(T.tensor([0]), m, padding_idx=3)",
    "embedding_bag(T.tensor([0, 4]), m, T.tensor([0]))", "embedding_bag(T.tensor([0, 1]), m)",
    "embedding_bag(T.tensor([0, 1]), m, T.tensor([0, 3]))",
    "embedding_bag(T.tensor([[0, 1]]), m, mode='x')",
    "embedding_bag(T.tensor([[0, 1]]), m, per_sample_weights=T.ones(1, 2))",
    "one_hot(T.tensor([0, 5]), 3)", "one_hot(T.tensor([-1]))", "one_hot(v)",
    "one_hot(T.zeros(0).long())", "pdist(v)", "pdist(m, -1.0)",
    "cosine_similarity(m.long(), m.long())",
]  # fmt: skip


@pytest.mark.parametrize("call", ERRORS)
def test_errors_are_pytorchs(call):
    check(f"T.nn.functional.{call}")


@pytest.mark.parametrize(
    "call", ["cdist(m, m[:, :2])", "cdist(v, m)", "cdist(m, m, p=-1.0)", "cdist(m.long(), m)"]
)
def test_errors_of_cdist(call):
    check(f"T.{call}")


@pytest.mark.parametrize(
    ("call", "hint"),
    [
        ("cross_entropy(m, T.tensor([0, 1, 2]).int())", "target.long()"),
        ("cross_entropy(m, T.ones(3, 3).long())", "target.argmax(1)"),
        ("cross_entropy(m, T.ones(3, 1).long())", "target.squeeze(1)"),
        ("cross_entropy(m, T.tensor([0, 1, 5]))", "3 classes, numbered 0 to 2"),
        ("binary_cross_entropy(m, m.long())", "target.float()"),
        ("embedding(T.tensor([4]), m)", "the table has 3 rows"),
    ],
)
def test_hints_say_what_would_fit(call, hint):
    assert hint in outcome(penlight, f"T.nn.functional.{call}")[1]


def test_a_softmax_before_cross_entropy_is_noticed():
    from penlight.core import teaching

    teaching._given.discard("softmax before cross_entropy")
    x = penlight.ones(2, 3, requires_grad=True)
    with pytest.warns(penlight.nn.TeachingWarning, match="the result of a softmax"):
        penlight.nn.functional.cross_entropy(x.softmax(1), penlight.tensor([0, 1]))


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"])
def test_broadcasting_warns_as_in_pytorch(name):
    texts = []
    for T in (penlight, torch):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            getattr(T.nn.functional, name)(T.ones(3, 1), T.ones(3))
        texts.append([str(w.message) for w in caught])
    assert texts[0] == texts[1] != []
