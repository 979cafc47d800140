"""Pooling kernels: PyTorch's results, the same bits however they are made and run."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from penlight.compiler import code
from penlight.compiler.kernels.pooling import PoolSizes, pool_plan
from penlight.compiler.pooling import (
    avg_pool,
    avg_pool_backward,
    max_pool,
    max_pool_backward,
    max_pool_numbered,
)
from penlight.ops.pool_size import places

NAN, INF = np.nan, np.inf


@st.composite
def windows(draw):
    rank = draw(st.integers(1, 3))
    dilation = tuple(draw(st.integers(1, 2)) for _ in range(rank))
    kernel = tuple(draw(st.integers(1, 4)) for _ in range(rank))
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    size = tuple(
        d * (k - 1) + 1 + draw(st.integers(0, 20 if i == rank - 1 else 3))
        for i, (d, k) in enumerate(zip(dilation, kernel))
    )
    stride = tuple(draw(st.integers(1, 3)) for _ in range(rank))
    ceil_mode = draw(st.booleans())
    return size, kernel, stride, padding, dilation, ceil_mode


def torch_function(name, rank):
    return getattr(torch.nn.functional, f"{name}{rank}d")


@settings(max_examples=60, deadline=None)
@given(windows(), st.integers(0, 99), st.sampled_from(["f4", "f8"]))
def test_max(window, seed, dtype):
    size, kernel, stride, padding, dilation, ceil_mode = window
    count = places(*window)
    values = [-INF, -2.0, -0.0, 0.0, 1.0, 1.0, 2.0, INF, NAN]
    x = np.random.default_rng(seed).choice(values, (2, 3, *size)).astype(dtype)
    given_ = torch.tensor(x, requires_grad=True)
    y, index = torch_function("max_pool", len(size))(
        given_, kernel, stride, padding, dilation, ceil_mode, True
    )
    g = np.random.default_rng(0).standard_normal(y.shape).astype(dtype)
    y.backward(torch.tensor(g))
    how = kernel, stride, padding, dilation
    np.testing.assert_array_equal(max_pool(x, *how, count), y.detach().numpy())
    best, number = max_pool_numbered(x, *how, count)
    np.testing.assert_array_equal(best, y.detach().numpy())
    np.testing.assert_array_equal(flat(number, size, *how), index.numpy())
    dx = max_pool_backward(g, number, size, *how)
    np.testing.assert_array_equal(dx, given_.grad.numpy())


def flat(number, size, kernel, stride, padding, dilation):
    """Where in its plane the element with a number is."""
    grid = np.indices(number.shape)[-len(size) :]
    taps = np.unravel_index(number, kernel)
    at = [
        p * s - o + t * d
        for p, s, o, t, d in zip(grid, stride, padding, taps, dilation, strict=True)
    ]
    return np.ravel_multi_index(at, size)


@settings(max_examples=40, deadline=None)
@given(windows(), st.booleans())
def test_average(window, whole):
    size, kernel, stride, padding, _, ceil_mode = window
    rank = len(size)
    count = places(size, kernel, stride, padding, (1,) * rank, ceil_mode)
    x = np.random.default_rng(0).standard_normal((2, 3, *size)).astype("f4")
    given_ = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    ones = torch.ones(1, 1, *size, dtype=torch.float64)
    pool = torch_function("avg_pool", rank)
    y = pool(given_, kernel, stride, padding, ceil_mode, whole)
    share = pool(ones, kernel, stride, padding, ceil_mode, whole)
    # the divisor is what makes an average of ones out of how many ones there are
    inside = avg_pool(np.ones((1, *size)), kernel, stride, padding, count, 1)
    divisor = np.rint(inside[0] / share[0, 0].numpy())
    g = np.random.default_rng(1).standard_normal(y.shape).astype("f4")
    y.backward(torch.tensor(g, dtype=torch.float64))
    ours = avg_pool(x, kernel, stride, padding, count, divisor)
    np.testing.assert_allclose(ours, y.detach().numpy(), rtol=0, atol=2e-6)
    back = avg_pool_backward(g, size, kernel, stride, padding, divisor)
    np.testing.assert_allclose(back, given_.grad.numpy(), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "what", ["max", "max_number", "max_backward", "average", "average_backward"]
)
@pytest.mark.parametrize("kind", ["f32", "f64"])
def test_same_bits_and_nothing_beside(what, kind):
    """Kernels of both kinds, on 1, 2 and 3 threads; canaries stand around what is written."""
    dtype = np.float32 if kind == "f32" else np.float64
    sizes = PoolSizes(5, (1, 9, 21), (1, 3, 3), (1, 2, 2), (0, 1, 1), (1, 1, 1), (1, 5, 11))
    large, small = 5 * 9 * 21, 5 * 5 * 11
    rng = np.random.default_rng(0)
    whole, part = (rng.standard_normal(n).astype(dtype) for n in (large, small))
    number = np.full(small, 4, np.uint8)  # the middle tap always exists
    buffers = {
        "max": (whole, part), "max_number": (whole, part, number),
        "max_backward": (part, number, whole), "average": (whole, part[:55], part),
        "average_backward": (part, part[:55], whole),
    }[what]  # fmt: skip
    results = []
    for generic, threads in ((False, 1), (False, 2), (True, 1), (True, 3)):
        (launch,) = pool_plan(what, kind, sizes, "u8", generic).launches
        held = [np.concatenate([b[:9] * 0 + 77, b, b[:9] * 0 + 77]) for b in buffers]
        views = [h[9:-9] for h in held]
        numbers = [np.array(launch.numbers)] if generic else []
        code.launch(launch.spec, *views, *numbers, threads=threads)
        for h in held:
            assert (h[:9] == 77).all() and (h[-9:] == 77).all()
        results.append(np.concatenate([v.astype(np.float64) for v in views]))
    for other in results[1:]:
        np.testing.assert_array_equal(other, results[0])
