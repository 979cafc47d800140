"""Pooling and padding beside PyTorch's."""

import itertools

import numpy as np
import pytest
import torch

import penlight
from agreement import check
from second_order import agree, normal

SIZES = (7, 6, 5)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_fixed_windows(rank):
    x = normal(2, 2, *SIZES[:rank])
    for k, stride, ceil_mode in itertools.product((1, 2, 3), (None, 1, 3), (False, True)):
        for padding in range(k // 2 + 1):
            options = dict(kernel_size=k, stride=stride, padding=padding, ceil_mode=ceil_mode)
            agree(f"max_pool{rank}d", x, **options)
            agree(f"avg_pool{rank}d", x, count_include_pad=stride is None, **options)
        agree(f"max_pool{rank}d", x, k, stride, dilation=2, ceil_mode=ceil_mode)
        agree(f"lp_pool{rank}d", np.abs(x), 3, k, stride, ceil_mode)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_adaptive_windows(rank):
    for lead in ((2, 3), (3,)):
        x = normal(*lead, *SIZES[:rank])
        for out in (1, 2, 5, 9):
            agree(f"adaptive_avg_pool{rank}d", x, out)
            agree(f"adaptive_max_pool{rank}d", x, out)
    if rank > 1:
        agree(f"adaptive_avg_pool{rank}d", x, (None,) * (rank - 1) + (2,))


def both(name, *arguments, **options):
    """The results of a function of both libraries, as tuples of arrays."""
    found = []
    for lib in (penlight, torch):
        made = [lib.tensor(a) if isinstance(a, np.ndarray) else a for a in arguments]
        result = getattr(lib.nn.functional, name)(*made, **options)
        found.append([t.numpy() for t in (result if isinstance(result, tuple) else (result,))])
    return found


def equal(name, *arguments, **options):
    for ours, theirs in zip(*both(name, *arguments, **options), strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_indices(rank):
    rng = np.random.default_rng(0)
    x = rng.integers(-2, 3, (2, 3, *SIZES[:rank])).astype("f4")  # with many ties
    options = dict(kernel_size=3, stride=2, padding=1, return_indices=True)
    equal(f"max_pool{rank}d", x, **options)
    equal(f"max_pool{rank}d", x, **options | dict(dilation=2, ceil_mode=True))
    equal(f"adaptive_max_pool{rank}d", x, 3, return_indices=True)
    x[rng.random(x.shape) < 0.1] = np.nan
    x[rng.random(x.shape) < 0.6] = -np.inf
    equal(f"max_pool{rank}d", x, **options)
    if rank > 1:
        equal(f"max_pool{rank}d", rng.integers(-9, 9, x.shape), **options)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_unpooling(rank):
    x = torch.tensor(normal(2, 3, *(6, 4, 8)[:rank]))
    pooled, at = getattr(torch.nn.functional, f"max_pool{rank}d")(x, 2, return_indices=True)
    for size in (None, x.shape):
        equal(f"max_unpool{rank}d", pooled.numpy(), at.numpy(), 2, output_size=size)
    p = penlight.tensor(pooled.numpy()).requires_grad_()
    name = f"max_unpool{rank}d"
    y = getattr(penlight.nn.functional, name)(p, penlight.tensor(at.numpy()), 2)
    (y * y).sum().backward()
    np.testing.assert_allclose(p.grad.numpy(), 2 * pooled.numpy())


@pytest.mark.parametrize("rank", [2, 3])
def test_fractional_windows(rank):
    samples = np.random.default_rng(1).random((2, 3, rank))
    x = normal(2, 3, *(9, 8, 7)[:rank])
    for out in (2, 3, 5):
        ours, theirs = [], []
        for lib, found in ((penlight, ours), (torch, theirs)):
            f = getattr(lib.nn.functional, f"fractional_max_pool{rank}d")
            found += f(
                lib.tensor(x), 2, out, return_indices=True, _random_samples=lib.tensor(samples)
            )
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a.numpy(), b.numpy())
    torch.manual_seed(3)
    penlight.manual_seed(3)
    a, b = both(f"fractional_max_pool{rank}d", x, 2, output_ratio=(0.5,) * rank)
    np.testing.assert_array_equal(a[0], b[0])


def test_other_element_types_and_forms():
    x = np.arange(48).reshape(1, 2, 4, 6)
    equal("avg_pool2d", x, 3)
    equal("avg_pool2d", -x, (2, 3), 1, padding=(1, 0), divisor_override=7)
    equal("max_pool2d", x.astype("f2"), 2)
    equal("avg_pool2d", np.zeros((0, 2, 4, 4), "f4"), 2)
    agree("avg_pool3d", normal(2, 4, 4, 4), (2, 1, 3), divisor_override=5)
    assert penlight.max_pool1d(penlight.ones(1, 4), 2).tolist() == [[1.0, 1.0]]
    with penlight.no_grad():
        x = penlight.tensor(normal(1, 1, 6, 6)).requires_grad_()
        quick = penlight.max_pool2d(x, 3, 2, 1)
    assert bool((quick == penlight.max_pool2d(x, 3, 2, 1)).all())


# ---------------------------------------------------------------- padding


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_pad(mode, rank):
    for sides in ((1, 2), (0, 3), (-1, 2), (0, -2), (-1, -1)):
        for lead in ((2, 3), (3,)):
            if mode == "circular":  # there grad_fn is that of an in-place write
                x = normal(*lead, *(4, 5, 6)[:rank])
                a, b = both("pad", x, sides * rank, mode=mode)
                np.testing.assert_array_equal(a[0], b[0])
            agree("pad", normal(*lead, *(4, 5, 6)[:rank]), sides * rank, mode=mode)


def test_pad_values():
    equal("pad", np.arange(6).reshape(2, 3), (1, -1, 0, 2), value=7.9)
    equal("pad", np.array([True]), (1, 2), value=True)
    equal("pad", np.ones((2, 3), "c8"), (1, 0), value=2.5)
    x = penlight.ones(2, 3)
    padded = penlight.nn.functional.pad(x, (0, 0))
    padded += 1  # a copy, never a view of x
    assert x.sum().item() == 6


F = "T.nn.functional."
ERRORS = [
    "max_pool2d(T.ones(3), 2)",
    "max_pool2d(T.ones(1, 3, 6, 6), (2, 2, 2))",
    "max_pool2d(T.ones(1, 3, 6, 6), 2, (2, 2, 2))",
    "max_pool2d(T.ones(1, 3, 6, 6), 2, 2, 2)",
    "max_pool2d(T.ones(1, 3, 6, 6), 2, 2, -1)",
    "max_pool2d(T.ones(1, 3, 6, 6), 2, 0)",
    "max_pool2d(T.ones(1, 3, 6, 6), 9)",
    "max_pool2d(T.ones(1, 0, 6, 6), 2)",
    "max_pool2d(T.ones(1, 3, 6, 6), 2, dilation=0)",
    "max_pool2d(T.ones(1, 3, 6, 6) > 0, 2)",
    "max_pool1d(T.ones(3), 2)",
    "max_pool1d(T.ones(1, 3, 6), (2, 2))",
    "max_pool1d(T.ones(1, 3, 6), 2, 0)",
    "max_pool1d(T.ones(1, 3, 6), 2, 2, 2)",
    "max_pool1d(T.ones(1, 3, 6), 2, 2, -1)",
    "max_pool1d(T.ones(1, 3, 6), 9)",
    "max_pool3d(T.ones(1, 3, 6, 6, 6), 9)",
    "avg_pool2d(T.ones(1, 3, 6, 6), 2, divisor_override=0)",
    "avg_pool2d(T.ones(1, 3, 6, 6), 2, 2, 2)",
    "avg_pool2d(T.ones(1, 3, 6, 6), 9)",
    "avg_pool1d(T.ones(1, 3, 6), (2, 2))",
    "adaptive_avg_pool2d(T.ones(1, 3, 6, 6), -1)",
    "adaptive_avg_pool2d(T.ones(3), 2)",
    "adaptive_avg_pool2d(T.ones(1, 3, 0, 6), 2)",
    "adaptive_avg_pool1d(T.ones(1, 3, 6), (2, 2))",
    "adaptive_max_pool2d(T.ones(3, 3), (2, 2))",
    "max_unpool2d(T.ones(1, 1, 2, 2), T.zeros(1, 1, 2, 2).long() + 99, 2)",
    "max_unpool2d(T.ones(1, 1, 2, 2), T.zeros(1, 1, 2, 2).int(), 2)",
    "max_unpool2d(T.ones(1, 1, 2, 2), T.zeros(1, 1, 2, 1).long(), 2)",
    "max_unpool2d(T.ones(1, 1, 2, 2), T.zeros(1, 1, 2, 2).long(), 2, output_size=(9, 9))",
    "fractional_max_pool2d(T.ones(1, 3, 6, 6), 2)",
    "fractional_max_pool2d(T.ones(1, 3, 6, 6), 4, output_size=4)",
    "pad(T.ones(1, 3, 4), (1, 2, 3))",
    "pad(T.ones(4), (1, 2, 3, 4))",
    "pad(T.ones(1, 3, 4), (1, 1), mode='mirror')",
    "pad(T.ones(1, 3, 4), (1, 1), mode='reflect', value=1)",
    "pad(T.ones(1, 3, 4), (4, 4), mode='reflect')",
    "pad(T.ones(1, 3, 4), (5, 0), mode='circular')",
    "pad(T.ones(1, 3, 4), (-2, -2), mode='replicate')",
    "pad(T.ones(1, 0, 4), (1, 1), mode='reflect')",
    "pad(T.ones(2, 2, 2, 2, 2, 2), (1, 1), mode='replicate')",
    "pad(T.ones(1, 3, 4) > 0, (1, 1), mode='reflect')",
]


@pytest.mark.parametrize("line", ERRORS)
def test_errors(line):
    check(F + line)
    with pytest.raises((RuntimeError, ValueError)):
        eval(F + line, {"T": penlight})
