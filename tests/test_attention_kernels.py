"""Attention kernels against PyTorch in float64; the same bits however they are run."""

import os
import subprocess
import sys
from hashlib import sha256

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import penlight
from penlight.compiler import code, forms, numerics, program
from penlight.compiler.kernels import attention_structure as structure
from penlight.compiler.spec import Operand
from penlight.compiler.trace import Call, Ref, Trace

ATTENTION, BACKWARD = numerics.attention, numerics.attention_backward
TOLERANCE = {np.float32: 2e-5, np.float64: 2e-13}


@st.composite
def cases(draw):
    """(arrays q, k, v and perhaps a mask, causal) of drawn sizes, strides and type."""
    size = st.integers(1, 40)
    batch, shared, group = draw(st.integers(1, 2)), draw(st.integers(1, 3)), draw(st.integers(1, 2))
    queries, keys, depth, width = (draw(size) for _ in range(4))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    rng = np.random.default_rng(draw(st.integers(0, 99)))

    def heads(count, rows, cols):
        shape, order = draw(
            st.sampled_from(
                [((batch, count, rows, cols), (0, 1, 2, 3)),
                 ((batch, rows, count, cols), (0, 2, 1, 3)),
                 ((batch, count, cols, rows), (0, 1, 3, 2))]
            )
        )  # fmt: skip
        return rng.standard_normal(shape).astype(dtype).transpose(order)

    arrays = [heads(shared * group, queries, depth)]
    arrays += [heads(shared, keys, depth), heads(shared, keys, width)]
    kind = draw(st.sampled_from(["", "seen", "added"]))
    if kind:
        whole = (batch, shared * group, queries, keys)
        shape = [n if draw(st.booleans()) else 1 for n in whole]
        mask = rng.standard_normal(shape).astype(dtype)
        mask = mask > -0.3 if kind == "seen" else mask
        arrays.append(np.broadcast_to(mask, whole))
    return arrays, draw(st.booleans())


def reference(arrays, causal, g):
    """out and the gradients of q, k and v by PyTorch, in float64."""
    q, k, v = (torch.tensor(a.astype(np.float64), requires_grad=True) for a in arrays[:3])
    many = [t.repeat_interleave(q.size(1) // t.size(1), 1) for t in (k, v)]
    scores = q @ many[0].mT * 0.3
    if len(arrays) > 3:
        mask = torch.tensor(arrays[3].copy())
        scores = scores.masked_fill(~mask, -np.inf) if mask.dtype == torch.bool else scores + mask
    if causal:
        future = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
        scores = scores.masked_fill(future, -np.inf)
    blind = (scores == -np.inf).all(-1, keepdim=True)
    out = scores.masked_fill(blind, 0).softmax(-1).masked_fill(blind, 0) @ many[1]
    return [out.detach().numpy(), *(t.numpy() for t in torch.autograd.grad(out, (q, k, v), g))]


def both(arrays, causal):
    """out, lse and the gradients for g = cos out, and that g."""
    out, lse = ATTENTION(*arrays, causal=causal, scale=0.3)
    g = np.cos(out.swapaxes(1, 2))
    found = BACKWARD(*arrays, lse, g, out.swapaxes(1, 2), causal=causal, scale=0.3)
    return [out, lse, *found], g


@settings(max_examples=60, deadline=None)
@given(cases())
def test_close_to_pytorch(case):
    """Results and gradients; a query that sees nothing gathers 0."""
    arrays, causal = case
    (out, _, *gradients), g = both(arrays, causal)
    bound = TOLERANCE[arrays[0].dtype.type]
    expected = reference(arrays, causal, torch.tensor(g.astype(np.float64)))
    for ours, theirs in zip((out, *gradients), expected, strict=True):
        np.testing.assert_allclose(ours.swapaxes(1, 2), theirs, rtol=0, atol=bound * 10)


def test_lse():
    """log of the sum of exponentials; -inf for a query that sees nothing."""
    rng = np.random.default_rng(0)
    q = rng.standard_normal((1, 1, 5, 3))
    mask = np.ones((1, 1, 5, 5), bool)
    mask[..., 2, :] = False
    out, lse = ATTENTION(q, q, q, mask, causal=False, scale=1.0)
    scores = torch.tensor(q @ q.swapaxes(2, 3)).masked_fill(~torch.tensor(mask), -np.inf)
    np.testing.assert_allclose(lse, torch.logsumexp(scores, -1).numpy(), rtol=1e-14)
    assert (out[0, 2] == 0).all()


@pytest.fixture
def threads():
    """Sets the number of threads, and puts it back."""
    before = penlight.get_num_threads()
    yield penlight.set_num_threads
    penlight.set_num_threads(before)


LARGE = [
    ((2, 5, 70, 64), (2, 5, 70, 64), True),
    ((2, 8, 130, 32), (2, 4, 99, 32), False),
]


def drawn(q, k, dtype=np.float32):
    """q, k and v of standard normal numbers."""
    rng = np.random.default_rng(1)
    return [rng.standard_normal(shape).astype(dtype) for shape in (q, k, k)]


@pytest.mark.parametrize(("q", "k", "causal"), LARGE)
def test_threads_do_not_change_bits(q, k, causal, threads):
    """1, 2 and 3 threads; large enough for several."""
    arrays, found = drawn(q, k), []
    for count in (1, 2, 3):
        threads(count)
        found.append([a.tobytes() for a in both(arrays, causal)[0]])
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("causal", [False, True])
def test_kernels_of_known_sizes_have_the_same_bits(causal, dtype):
    """And they write their results only: what lies around is left alone."""
    arrays = drawn((2, 4, 37, 18), (2, 2, 29, 18), dtype)
    results, g = both(arrays, causal)
    attr = (("causal", causal), ("scale", 0.3))
    out, lse = results[:2]
    for inputs, expected, rule, plan in (
        (arrays, results[:2], structure.forward_rule, structure.forward_plan),
        ([*arrays, lse, g, out.swapaxes(1, 2)], results[2:], structure.backward_rule,
         structure.backward_plan),
    ):  # fmt: skip
        kind = "f32" if dtype is np.float32 else "f64"
        shapes = [(kind, a.shape) for a in inputs]
        operands = [Operand(kind, tuple(s // a.itemsize for s in a.strides)) for a in inputs]
        made = plan(shapes, operands, attr)
        (stage,) = made.stages
        assert [shape for _, shape in rule(shapes, attr)] == [a.shape for a in expected]
        framed = [np.full(a.size + 64, 7.0, dtype) for a in expected]
        work = np.full(made.work[0] + 64, 7, np.uint8)
        kernel = forms.program(
            forms.Plan((forms.Launch(stage.spec, tuple(map(str, range(len(stage.places)))), 1),)),
            [str(n) for n in range(len(stage.places))],
        )[0]  # fmt: skip
        kernel(*inputs, *[a[32:-32] for a in framed], work)
        for whole, wanted in zip(framed, expected):
            assert whole[32:-32].tobytes() == wanted.tobytes()
            assert (whole[:32] == 7).all() and (whole[-32:] == 7).all()
        assert (work[-64:] == 7).all()


def digest():
    """Of the bits of several attentions."""
    total = sha256()
    for dtype in (np.float32, np.float64):
        for q, k, causal in (
            ((1, 2, 33, 20), (1, 1, 33, 20), True),
            ((1, 1, 7, 5), (1, 1, 50, 5), False),
        ):
            for a in both(drawn(q, k, dtype), causal)[0]:
                total.update(a.tobytes())
    return total.hexdigest()


@pytest.mark.parametrize("bits", ["128", "256"])
def test_vector_width_does_not_change_bits(bits):
    """The same digest from a process with narrower vectors."""
    run = subprocess.run(
        [sys.executable, "-c", "import test_attention_kernels as t; print(t.digest())"],
        env={**os.environ, "PENLIGHT_VECTOR_BITS": bits}, cwd=os.path.dirname(__file__),
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert run.stdout.strip() == digest()


def attended(xp, x, mask, g):
    """Attention within one array (B, L, 3, H, E) and its gradient, in programs and out of them."""
    q, k, v = (x[:, :, i].swapaxes(1, 2) for i in range(3))
    mask = xp.broadcast_to(mask, (x.shape[0], x.shape[3], x.shape[1], x.shape[1]))
    out, lse = xp.attention(q, k, v, mask, causal=True, scale=0.3)
    out = out.swapaxes(1, 2)
    found = xp.attention_backward(q, k, v, mask, lse, g, out, causal=True, scale=0.3)
    return (out.swapaxes(1, 2) * x.dtype.type(2), *found)


def forward_only(xp, x, mask, g):
    """A program that has no use for lse."""
    q, k, v = (x[:, :, i].swapaxes(1, 2) for i in range(3))
    return xp.attention(q, k, v, causal=False, scale=0.3)[0]


@pytest.mark.parametrize("meaning", [attended, forward_only])
def test_programs_have_the_bits_of_eager_code(meaning):
    """Views are read where they lie: there is no copy of them in the program."""
    rng = np.random.default_rng(2)
    x = rng.standard_normal((2, 21, 3, 2, 8)).astype(np.float32)
    mask = rng.random((1, 1, 21, 21)) > 0.2
    g = rng.standard_normal((2, 2, 21, 8)).astype(np.float32)
    trace = Trace()
    refs = [Ref(trace.value(a.dtype, a.shape)) for a in (x, mask, g)]
    trace.inputs = [r.number for r in refs]
    expected = meaning(numerics, x, mask, g)
    expected = expected if isinstance(expected, tuple) else (expected,)
    trace.outputs = [trace.value(a.dtype, a.shape) for a in expected]
    trace.calls.append(Call("attended", meaning, tuple(refs), tuple(trace.outputs)))
    made = program.compile(trace, [x, mask, g], checked=True)
    for ours, theirs in zip(made([x, mask, g]), expected, strict=True):
        assert ours.tobytes() == theirs.tobytes()
    names = [type(launch.spec).__name__ for launch in made.launches]
    assert names.count("Attention") == 1 and names.count("Loops") <= 1


def test_misfits_are_refused():
    """Heads that do not divide, masks of another shape."""
    q, k = ("f32", (1, 3, 4, 5)), ("f32", (1, 2, 4, 5))
    with pytest.raises(ValueError, match="attention of"):
        structure.forward_rule([q, k, k], ())
    with pytest.raises(ValueError, match="mask"):
        structure.forward_rule([q, q, q, ("bool", (1, 3, 4, 5))], ())


# ---------------------------------------------------------------- the op


SHAPES = [((20, 8), (20, 8)), ((3, 9, 8), (3, 17, 8)), ((2, 1, 3, 5, 8), (2, 1, 3, 5, 8)),
          ((2, 4, 20, 8), (2, 2, 17, 8))]  # fmt: skip


@pytest.mark.parametrize(("q", "k"), SHAPES)
@pytest.mark.parametrize("kind", ["", "seen", "added", "causal"])
def test_second_derivatives(q, k, kind):
    """The op, its gradient, and the gradient of that, against PyTorch's composition."""
    rng = np.random.default_rng(3)
    arrays = [rng.standard_normal(shape) for shape in (q, k, k)]
    mask = rng.standard_normal((q[-2], k[-2]))
    mask = {"seen": mask > -0.5, "added": mask}.get(kind)
    found = []
    for library in (penlight, torch):
        tensors = [library.tensor(a, requires_grad=True) for a in arrays]
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            out = library.nn.functional.scaled_dot_product_attention(
                *tensors, None if mask is None else library.tensor(mask),
                is_causal=kind == "causal", enable_gqa=q[:-2] != k[:-2],
            )  # fmt: skip
            once = library.autograd.grad((out * out).sum(), tensors, create_graph=True)
            twice = library.autograd.grad(sum((t * t).sum() for t in once), tensors)
        found.append([t.detach().numpy() for t in (out, *once, *twice)])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-11)


def test_gradients_agree_with_differences():
    """Central differences in float64."""
    rng = np.random.default_rng(4)
    tensors = [penlight.tensor(rng.standard_normal((1, 2, 6, 3)), requires_grad=True)] * 3
    tensors = [t.detach().clone().requires_grad_() for t in tensors]
    attention = penlight.nn.functional.scaled_dot_product_attention
    assert penlight.autograd.gradcheck(lambda *t: attention(*t, is_causal=True), tensors)


@pytest.mark.parametrize("kind", ["mask's gradient", "float16", "broadcast batch", "dropout"])
def test_what_has_no_kernel_is_composed(kind):
    """The same answer by a matrix of weights."""
    rng = np.random.default_rng(5)
    q = penlight.tensor(rng.standard_normal((2, 2, 4, 3)))
    mask = penlight.zeros(4, 4, dtype=penlight.float64)
    attention = penlight.nn.functional.scaled_dot_product_attention
    expected = attention(q, q, q)
    if kind == "mask's gradient":
        mask.requires_grad_()
        found = attention(q, q, q, mask)
        found.sum().backward()
        assert mask.grad is not None
    elif kind == "float16":
        found = attention(q.half(), q.half(), q.half()).double()
    elif kind == "broadcast batch":
        found = attention(q, q[:1], q[:1])
        found, expected = found[:1], expected[:1]
    else:
        found = attention(q, q, q, dropout_p=1e-12)
    np.testing.assert_allclose(found.detach().numpy(), expected.numpy(), rtol=0, atol=5e-3)


def test_code_is_small():
    """One kernel serves all sizes: a new size costs no compilation."""
    before = len(code._addresses)
    for length in (3, 5, 9):
        q = np.ones((1, 1, length, 4), np.float32)
        ATTENTION(q, q, q, causal=True, scale=1.0)
    assert len(code._addresses) <= before + 1
