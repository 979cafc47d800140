"""Convolution kernels: right, the same bits however they are made and run, within their arrays."""

import os
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from penlight.compiler import code
from penlight.compiler.convolving import convolve, convolve_input, convolve_weight
from penlight.compiler.kernels.convolution import Convolution
from penlight.compiler.kernels.convolution_plan import forward_plan, input_plan, weight_plan
from penlight.compiler.spec import Operand, Step

GUARD = 64  # elements before and behind every array, which nobody may write
CANARY = 12345.0


def run(plan, arrays, threads=1):
    """The plan's result; every buffer stands between canaries."""
    dtype = arrays["out"].dtype
    held = {}
    for name, content in [*arrays.items(), *plan.workspaces]:
        size = content if isinstance(content, int) else content.size
        held[name] = np.full(size + 2 * GUARD, CANARY, dtype)
        if not isinstance(content, int):
            held[name][GUARD:-GUARD] = content.ravel()
    for launch in plan.launches:
        buffers = [held[name][GUARD:-GUARD] for name in launch.buffers]
        if launch.numbers:
            buffers.append(np.array(launch.numbers))
        code.launch(launch.spec, *buffers, threads=threads)
    for name, array in held.items():
        assert (array[:GUARD] == CANARY).all() and (array[-GUARD:] == CANARY).all(), name
    return held["out"][GUARD:-GUARD].reshape(arrays["out"].shape).copy()


def filled(shape, dtype, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def case(x, w, stride=1, padding=0, dilation=1, groups=1, kind="f32"):
    rank = len(x) - 2
    steps = [(v,) * rank if isinstance(v, int) else v for v in (stride, padding, dilation)]
    return Convolution.of(kind, x, w, *steps, groups), len(x)


def passes(conv, rank):
    """(plan, arrays) of the three directions."""
    dtype = np.float32 if conv.kind == "f32" else np.float64
    cut = 5 - rank
    x = filled((conv.images, conv.channels, *conv.size[cut:]), dtype, 1)
    w = filled((conv.outputs, conv.channels // conv.groups, *conv.kernel[cut:]), dtype, 2)
    g = filled((conv.images, conv.outputs, *conv.places[cut:]), dtype, 3)
    yield forward_plan, {"a": x, "b": w, "out": np.full_like(g, np.nan)}
    yield input_plan, {"a": g, "b": w, "out": np.full_like(x, np.nan)}
    yield weight_plan, {"a": g, "b": x, "out": np.full_like(w, np.nan)}


def reference(conv, rank, arrays):
    """PyTorch's three results, computed in float64."""
    x, w, g = (torch.tensor(a, dtype=torch.float64) for a in arrays)
    x.requires_grad_(), w.requires_grad_()
    cut = 5 - rank
    movement = [list(m[cut:]) for m in (conv.stride, conv.padding, conv.dilation)]
    y = torch.convolution(x, w, None, *movement, False, [0] * (rank - 2), conv.groups)
    y.backward(g)
    return [t.detach().numpy() for t in (y, x.grad, w.grad)]


def agree(conv, rank):
    """Right, and the same bits by both kinds of kernel on 1, 2 and 3 threads."""
    found = []
    for plan, arrays in passes(conv, rank):
        results = [
            run(plan(conv, generic), arrays, threads)
            for generic, threads in ((False, 1), (False, 2), (False, 3), (True, 1), (True, 3))
        ]
        for a, b in pairwise(results):
            np.testing.assert_array_equal(a, b)
        found.append(results[0])
    (_, first), (_, second), _ = passes(conv, rank)
    wanted = reference(conv, rank, (first["a"], first["b"], second["a"]))
    eps = np.finfo(found[0].dtype).eps
    for ours, theirs in zip(found, wanted, strict=True):
        scale = max(abs(theirs).max(initial=0), 1)
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=64 * eps * scale)


@pytest.mark.parametrize(
    "geometry",
    [
        case((2, 3, 8, 8), (5, 3, 3, 3), padding=1),
        case((16, 8, 4, 4), (16, 8, 3, 3), padding=1),  # several images in a block
        case((2, 40, 12, 12), (33, 40, 3, 3), padding=1),  # several panels of channels
        case((2, 70, 6, 6), (9, 70, 3, 3), stride=2, padding=1),
        case((3, 2, 26, 26), (9, 2, 3, 3)),
        case((1, 2, 700), (3, 2, 5), padding=2),  # a line cut into pieces
        case((2, 6, 9, 9), (6, 1, 3, 3), padding=1, groups=6),
        case((2, 8, 7, 7), (20, 8, 1, 1), stride=2),
        case((2, 3, 9, 7), (5, 3, 3, 2), stride=3, padding=1, dilation=2, kind="f64"),
        case((1, 4, 5, 6, 7), (6, 2, 3, 2, 1), stride=2, padding=1, groups=2),
    ],
    ids=str,
)
def test_results(geometry):
    agree(*geometry)


@st.composite
def geometries(draw):
    rank = draw(st.integers(1, 3))

    def each(low, high):
        return tuple(draw(st.integers(low, high)) for _ in range(rank))

    groups, kernel, dilation, padding = draw(st.integers(1, 3)), each(1, 3), each(1, 2), each(0, 2)
    least = [max(d * (k - 1) + 1 - 2 * p, 1) for d, k, p in zip(dilation, kernel, padding)]
    size = tuple(n + draw(st.integers(0, 20 if i == 0 else 5)) for i, n in enumerate(least))
    inputs, outputs = draw(st.integers(1, 5)), draw(st.integers(1, 18))
    return case(
        (draw(st.integers(1, 3)), groups * inputs, *size[::-1]),
        (groups * outputs, inputs, *kernel[::-1]),
        each(1, 3), padding[::-1], dilation[::-1], groups,
    )  # fmt: skip


@settings(max_examples=5, deadline=None)
@given(geometries())
def test_drawn_geometries(geometry):
    conv, rank = geometry
    for plan, arrays in passes(conv, rank):
        generic = [run(plan(conv, True), arrays, threads) for threads in (1, 3)]
        np.testing.assert_array_equal(*generic)
        np.testing.assert_array_equal(run(plan(conv), arrays, 2), generic[0])


@settings(max_examples=60, deadline=None)
@given(geometries())
def test_drawn_geometries_against_torch(geometry):
    conv, rank = geometry
    found = [run(plan(conv, True), arrays) for plan, arrays in passes(conv, rank)]
    (_, first), (_, second), _ = passes(conv, rank)
    wanted = reference(conv, rank, (first["a"], first["b"], second["a"]))
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * max(abs(theirs).max(), 1))


def test_order_of_arithmetic():
    """One chain of fused multiply-adds over (channel, tap): checked with exact arithmetic."""
    from fractions import Fraction

    x, w = filled((1, 3, 4, 4), np.float32, 1), filled((2, 3, 2, 2), np.float32, 2)
    y = convolve(x, w, (1, 1), (0, 0), (1, 1), 1)
    g = filled(y.shape, np.float32, 3)
    dw = convolve_weight(g, x, (2, 2), (1, 1), (0, 0), (1, 1), 1)

    def chain(pairs):
        total = np.float32(0)
        for a, b in pairs:
            exact = Fraction(float(a)) * Fraction(float(b)) + Fraction(float(total))
            total = nearest(exact)
        return total

    for o, i, j in np.ndindex(2, 3, 3):
        pairs = [(x[0, c, i + k, j + m], w[o, c, k, m]) for c, k, m in np.ndindex(3, 2, 2)]
        assert y[0, o, i, j] == chain(pairs)
    for o, c, k, m in np.ndindex(2, 3, 2, 2):
        pairs = [(g[0, o, i, j], x[0, c, i + k, j + m]) for i, j in np.ndindex(3, 3)]
        assert dw[o, c, k, m] == chain(pairs)


def nearest(exact):
    """The float32 next to a fraction."""
    guess = np.float32(float(exact))
    around = [np.nextafter(guess, np.float32(s)) for s in (-np.inf, np.inf)]
    return min([guess, *around], key=lambda f: abs(type(exact)(float(f)) - exact))


def test_padding_is_zeros_and_nothing_else():
    """An infinite weight over padding gives NaN, as in a product with a padded copy."""
    x, w = np.ones((1, 1, 3, 20), np.float32), np.ones((1, 1, 3, 3), np.float32)
    w[0, 0, 0, 0] = np.inf
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    with np.errstate(invalid="ignore"):
        inside = convolve(padded, w, (1, 1), (0, 0), (1, 1), 1)
    np.testing.assert_array_equal(convolve(x, w, (1, 1), (1, 1), (1, 1), 1), inside)
    assert np.isnan(inside[0, 0, 0]).all() and np.isinf(inside[0, 0, 1, 1])


def test_epilogue():
    """Bias, residual and rectifier, in one kernel with the sums."""
    conv, _ = case((2, 5, 6, 7), (9, 5, 3, 3), padding=1)
    plane = 6 * 7
    steps = (
        Step("sum", (), "f32"),
        Step("load", (), "f32", 4),
        Step("add", (0, 1), "f32"),
        Step("load", (), "f32", 5),
        Step("add", (2, 3), "f32"),
        Step("const", (), "f32", 0.0),
        Step("max", (4, 5), "f32"),
        Step("store", (6,), "f32", 2),
    )
    extras = (Operand("f32", (0, 1, 0)), Operand("f32", (9 * plane, plane, 1)))
    (plan, arrays), *_ = passes(conv, 4)
    plain = run(plan(conv), arrays)
    bias, rest = filled((9,), np.float32, 5), filled(plain.shape, np.float32, 6)
    arrays |= {"extra0": bias, "extra1": rest}
    found = run(plan(conv, False, steps, extras), arrays, 2)
    np.testing.assert_array_equal(found, np.maximum(plain + bias[:, None, None] + rest, 0))


def test_a_form_changes_its_kernels_and_keeps_its_bits(monkeypatch):
    changed = []
    monkeypatch.setattr(code, "compile_soon", lambda specs, done: changed.append(done(None)))
    x, w = filled((2, 3, 9, 9), np.float32), filled((4, 3, 3, 3), np.float32)
    how = (2, 1), (1, 0), (1, 2), 1
    g = filled(convolve(x, w, *how).shape, np.float32)
    calls = (
        lambda: convolve(x, w, *how),
        lambda: convolve_input(g, w, (9, 9), *how),
        lambda: convolve_weight(g, x, (3, 3), *how),
    )
    for call in calls:
        first = call()
        for _ in range(6):
            np.testing.assert_array_equal(call(), first)
    assert len(changed) == 3


def test_empty():
    x, w = np.empty((0, 3, 5, 5), np.float32), np.ones((4, 3, 3, 3), np.float32)
    how = (1, 1), (0, 0), (1, 1), 1
    assert convolve(x, w, *how).shape == (0, 4, 3, 3)
    g = np.empty((0, 4, 3, 3), np.float32)
    assert (convolve_weight(g, x, (3, 3), *how) == 0).all()


HASHES = """
import hashlib, sys
sys.path[:0] = sys.argv[1:]
from test_convolution_kernels import case, passes, run
digest = hashlib.sha256()
cases = case((2, 5, 9, 11), (18, 5, 3, 3), 2, 1), case((3, 40, 6, 6), (7, 40, 3, 3), 1, 1)
for geometry in cases:
    for plan, arrays in passes(*geometry):
        for generic in (False, True):
            digest.update(run(plan(geometry[0], generic), arrays, 2).tobytes())
print(digest.hexdigest())
"""


def test_every_vector_width_has_the_same_bits():
    found = set()
    for bits in ("128", "256", "512"):
        done = subprocess.run(
            [sys.executable, "-c", HASHES, os.path.dirname(__file__)],
            env={**os.environ, "PENLIGHT_VECTOR_BITS": bits},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        found.add(done.stdout)
    assert len(found) == 1
