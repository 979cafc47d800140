"""Convolutions, transposed convolutions, unfold and fold beside PyTorch's."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import penlight
from agreement import check
from penlight.ops.correlate import Geometry, correlate, correlate_input, correlate_weight
from second_order import agree, normal

SIZES = (6, 5, 4)


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_convolution(rank, groups):
    size, kernel = SIZES[:rank], (3, 2, 2)[:rank]
    for stride, padding, dilation in itertools.product((1, 2), (0, 1), (1, 2)):
        options = dict(stride=stride, padding=padding, dilation=dilation, groups=groups)
        x, w, b = normal(2, 4, *size), normal(8, 4 // groups, *kernel), normal(8)
        agree(f"conv{rank}d", x, w, b, **options)
        for output_padding in range(max(stride, dilation)):
            agree(
                f"conv_transpose{rank}d", x, normal(4, 2, *kernel), normal(2 * groups),
                output_padding=output_padding, **options,
            )  # fmt: skip


def test_forms_of_arguments():
    agree("conv2d", normal(3, 6, 5), normal(2, 3, 3, 3), stride=(2, 1), padding=[0, 1])
    agree("conv2d", normal(1, 3, 6, 5), normal(2, 3, 3, 2), padding="valid")
    agree("conv2d", normal(1, 3, 6, 5), normal(2, 3, 3, 5), padding="same", dilation=(2, 1))
    agree("conv1d", normal(1, 2, 6), normal(2, 2, 4), padding="same", dilation=2)
    agree("conv_transpose2d", normal(3, 4, 4), normal(3, 2, 2, 2), stride=2)
    # an output padding beyond the stride is allowed up to the dilation
    agree("conv_transpose1d", normal(1, 2, 4), normal(2, 2, 3), dilation=4, output_padding=3)
    x, w = penlight.ones(2, 3, 8), penlight.ones(4, 3, 3)
    want = penlight.conv1d(x, w, stride=2, padding=1)
    assert bool((penlight.convolution(x, w, None, [2], [1], [1], False, [0], 1) == want).all())


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "int64", "complex64"])
def test_element_types(dtype):
    x, w = normal(2, 3, 7, 7) * 3, normal(4, 3, 3, 3) * 3
    ours, theirs = (
        lib.nn.functional.conv2d(*(lib.tensor(a).to(getattr(lib, dtype)) for a in (x, w)))
        for lib in (penlight, torch)
    )
    assert str(ours.dtype) == str(theirs.dtype)
    if dtype == "int64":
        assert ours.tolist() == theirs.tolist()
    else:
        wide = "complex128" if dtype == "complex64" else "float64"
        ours, theirs = ours.to(getattr(penlight, wide)), theirs.to(getattr(torch, wide))
        rtol = {"float16": 2e-3, "bfloat16": 1.6e-2}.get(dtype, 1e-5)
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=rtol, atol=rtol * 10)


def test_complex_gradients():
    def run(lib):
        x, w = (
            lib.complex(lib.tensor(normal(*s)), lib.tensor(normal(*s, seed=1))).requires_grad_()
            for s in ((1, 2, 5), (3, 2, 2))
        )
        (lib.nn.functional.conv1d(x, w).abs() ** 2).sum().backward()
        return x.grad.numpy(), w.grad.numpy()

    for ours, theirs in zip(run(penlight), run(torch), strict=True):
        np.testing.assert_allclose(ours, theirs)


@st.composite
def geometries(draw):
    """(N, C, size, O, kernel, Geometry) for which at least one window fits."""
    rank = draw(st.integers(1, 3))
    groups = draw(st.sampled_from((1, 2, 3)))
    kernel, stride, padding, dilation = (
        tuple(draw(st.integers(low, high)) for _ in range(rank))
        for low, high in ((1, 3), (1, 3), (0, 3), (1, 3))
    )
    size = tuple(
        max(draw(st.integers(1, 7)), d * (k - 1) + 1 - 2 * p)
        for k, d, p in zip(kernel, dilation, padding, strict=True)
    )
    n, c, o = (draw(st.integers(1, 3)) for _ in range(3))
    return n, c * groups, size, o * groups, kernel, Geometry(stride, padding, dilation, groups)


@given(geometries())
@settings(max_examples=150, deadline=None)
def test_the_adjoints_are_adjoint(case):
    """<g, correlate(x, w)> = <x, correlate_input(g, w)> = <w, correlate_weight(g, x)>."""
    n, c, size, o, kernel, how = case
    x, w = normal(n, c, *size), normal(o, c // how.groups, *kernel)
    y = correlate(np, x, w, how)
    g = normal(*y.shape, seed=3)
    inner = (g * y).sum()
    np.testing.assert_allclose((x * correlate_input(np, g, w, size, how)).sum(), inner)
    np.testing.assert_allclose((w * correlate_weight(np, g, x, kernel, how)).sum(), inner)


def test_many_samples_in_one_product():
    """Blocks of several samples, the last one smaller."""
    for n in (1, 5, 64, 200):
        agree("conv2d", normal(n, 3, 4, 4), normal(5, 3, 3, 3), padding=1, order=1)


def test_conv_tbc():
    args = [normal(5, 2, 3), normal(3, 3, 4), normal(4)]
    ours = penlight.conv_tbc(*(penlight.tensor(a) for a in args), 1)
    theirs = torch.conv_tbc(*(torch.tensor(a) for a in args), 1)
    np.testing.assert_allclose(ours.numpy(), theirs.numpy())


@pytest.mark.parametrize("lead", [(2,), ()])
def test_unfold_and_fold(lead):
    for options in (
        dict(kernel_size=2),
        dict(kernel_size=(2, 3), dilation=(2, 1), padding=1, stride=2),
    ):
        agree("unfold", normal(*lead, 3, 5, 6), **options)
        columns = torch.nn.functional.unfold(torch.ones(*lead, 3, 5, 6), **options).shape
        agree("fold", normal(*columns), output_size=(5, 6), **options)


F = "T.nn.functional."
ERRORS = [
    "conv2d(T.ones(1, 3, 5, 5), T.ones(2, 4, 3, 3))",
    "conv2d(T.ones(1, 4, 5, 5), T.ones(4, 4, 3, 3), groups=2)",
    "conv2d(T.ones(1, 4, 5, 5), T.ones(3, 2, 3, 3), groups=2)",
    "conv2d(T.ones(1, 3, 5, 5), T.ones(2, 3, 3, 3), T.ones(3))",
    "conv2d(T.ones(3, 5), T.ones(2, 3, 3, 3))",
    "conv1d(T.ones(3), T.ones(2, 3, 3))",
    "conv2d(T.ones(1, 3, 5, 5), T.ones(2, 3, 3))",
    "conv2d(T.ones(1, 3, 2, 2), T.ones(2, 3, 7, 5), padding=1, dilation=2)",
    "conv2d(T.ones(1, 3, 5, 5), T.ones(2, 3, 3, 3), stride=0)",
    "conv2d(T.ones(1, 3, 5, 5), T.ones(2, 3, 3, 3), padding=-1)",
    "conv2d(T.ones(1, 3, 5, 5), T.ones(2, 3, 3, 3), dilation=0)",
    "conv2d(T.ones(1, 3, 5, 5), T.ones(2, 3, 3, 3), groups=0)",
    "conv2d(T.ones(1, 3, 5, 5), T.ones(2, 3, 3, 3), stride=(1, 1, 1))",
    "conv2d(T.ones(1, 3, 5, 5), T.ones(2, 3, 3, 3), padding='half')",
    "conv2d(T.ones(1, 3, 5, 5), T.ones(2, 3, 3, 3), padding='same', stride=2)",
    "conv2d(T.ones(1, 3, 5, 5), T.ones(2, 3, 3, 3, dtype=T.float64))",
    "conv2d(T.ones(1, 3, 5, 5), T.ones(2, 3, 3, 3), T.ones(2, dtype=T.float64))",
    "conv2d(T.ones(1, 3, 5, 5) > 0, T.ones(2, 3, 3, 3) > 0)",
    "conv_transpose2d(T.ones(1, 3, 5, 5), T.ones(4, 2, 3, 3))",
    "conv_transpose2d(T.ones(1, 3, 5, 5), T.ones(3, 2, 3, 3), T.ones(3))",
    "conv_transpose2d(T.ones(1, 3, 5, 5), T.ones(3, 2, 3, 3), output_padding=1)",
    "conv_transpose1d(T.ones(1, 3, 5), T.ones(3, 2, 3), output_padding=2, stride=2)",
    "conv_transpose2d(T.ones(1, 3, 1, 1), T.ones(3, 2, 3, 3), padding=2)",
    "fold(T.ones(1, 11, 9), (4, 4), (2, 2))",
    "fold(T.ones(1, 12, 8), (4, 4), (2, 2))",
    "fold(T.ones(12), (4, 4), (2, 2))",
    "fold(T.ones(1, 12, 9), (4, 4), (2, 2), stride=0)",
    "unfold(T.ones(1, 3, 4, 4), (5, 2))",
    "unfold(T.ones(1, 3, 4, 4), (0, 2))",
    "unfold(T.ones(1, 3, 4, 4), 2, padding=-1)",
    "unfold(T.ones(1, 0, 4, 4), 2)",
]


@pytest.mark.parametrize("line", ERRORS)
def test_errors(line):
    check(F + line)
    with pytest.raises((RuntimeError, NotImplementedError)):
        eval(F + line, {"T": penlight})
