"""One expression, evaluated in PyTorch and in penlight: values, types, gradients, names, errors."""

import warnings

import numpy as np
import torch

import penlight

TOLERANCE = {"float16": 2e-3, "bfloat16": 1.6e-2, "float32": 1e-5, "complex64": 1e-5}
EXACT = 1e-9


def numbers(t):
    """The elements as an array of one of NumPy's own types."""
    return (t.float() if dtype_name(t) == "bfloat16" else t).numpy(force=True)


def tensors(result):
    """The tensors (and other leaves) of a result, in order."""
    if isinstance(result, (tuple, list)):
        return [leaf for part in result for leaf in tensors(part)]
    return [result]


def evaluate(library, code, make):
    """(result or exception, the names the code could use)"""
    names = {"T": library, "t": library.tensor, **make(library)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return eval(code, names), names
        except Exception as error:
            return error, names


def dtype_name(t):
    return str(t.dtype).split(".")[1]


def assert_close(got, want, tolerance, what):
    np.testing.assert_allclose(
        numbers(got), numbers(want), rtol=tolerance, atol=tolerance, err_msg=what
    )


def assert_same(code, make, grads=(), text=True):
    """Asserts that both libraries answer alike.

    `make(library)` gives the names the code uses, `grads` those whose gradients (first and second)
    are compared; `text=False` compares only the class of an error.
    """
    want, theirs = evaluate(torch, code, make)
    got, ours = evaluate(penlight, code, make)
    if isinstance(want, Exception):
        assert type(got).__name__ == type(want).__name__, f"{code}: {want!r}, here {got!r}"
        if text:
            assert str(got).splitlines()[0] == str(want).splitlines()[0], code
        return
    if isinstance(got, Exception):
        raise got
    want, got = tensors(want), tensors(got)
    assert len(got) == len(want), code
    for w, g in zip(want, got, strict=True):
        if not isinstance(w, torch.Tensor):
            assert g == w, code
            continue
        assert dtype_name(g) == dtype_name(w), code
        assert tuple(g.shape) == tuple(w.shape), code
        assert_close(g, w, TOLERANCE.get(dtype_name(w), EXACT), code)
        assert g.requires_grad == w.requires_grad, code
    if grads:
        assert_gradients(code, [theirs[n] for n in grads], want, [ours[n] for n in grads], got)


def weighted(library, results, function):
    """Σ weight · result over all results that have a gradient."""
    total = None
    for r in results:
        if not isinstance(r, library.Tensor) or not r.requires_grad:
            continue
        weights = function(np.arange(r.numel()) * 0.7 + 0.3).reshape(tuple(r.shape))
        part = (r * library.tensor(weights).to(r.dtype)).sum()
        part = part.abs() if part.is_complex() else part
        total = part if total is None else total + part
    return total


def assert_gradients(code, their_leaves, want, our_leaves, got):
    """First and, where PyTorch has them, second derivatives."""
    sums = weighted(torch, want, np.cos), weighted(penlight, got, np.cos)
    if sums[0] is None:
        return
    first = torch.autograd.grad(sums[0], their_leaves, create_graph=True, allow_unused=True)
    here = penlight.autograd.grad(sums[1], our_leaves, create_graph=True, allow_unused=True)
    for w, g in zip(first, here, strict=True):
        assert (g is None) == (w is None), code
        if w is not None:
            assert_close(g, w, 1e-8, f"{code}: gradient")
    sums = weighted(torch, first, np.sin), weighted(penlight, here, np.sin)
    if sums[0] is None:
        return
    second = torch.autograd.grad(sums[0], their_leaves, allow_unused=True)
    here = [None] * len(our_leaves)
    if sums[1] is not None:  # else nothing here depends on the leaves any more
        here = penlight.autograd.grad(sums[1], our_leaves, allow_unused=True)
    for w, g in zip(second, here, strict=True):
        if w is None or g is None:  # nothing at all, or zeros
            rest = w if g is None else g
            assert rest is None or not numbers(rest).any(), code
        else:
            assert_close(g, w, 1e-6, f"{code}: second derivative")
