"""One function of nn.functional in both libraries: value, grad_fn, gradients, their gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

import penlight


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    """Random numbers, the same for the same shape and seed."""
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def _made(library: Any, arguments: tuple) -> tuple[list, list]:
    """Arrays as tensors that require gradients, and all arguments with these in their places."""
    full = [
        library.tensor(a).requires_grad_() if isinstance(a, np.ndarray) else a for a in arguments
    ]
    return [t for t in full if isinstance(t, library.Tensor)], full


def _values(library: Any, name: str, arguments: tuple, options: dict, order: int) -> list:
    """[grad_fn's name, value, gradients, gradients of a random sum of them]."""
    inputs, full = _made(library, arguments)
    y = getattr(library.nn.functional, name)(*full, **options)
    found: list = [type(y.grad_fn).__name__, y.detach().numpy()]
    grad = library.tensor(normal(*y.shape, seed=1)).requires_grad_()
    first = library.autograd.grad(y, inputs, grad, create_graph=order > 1)
    found += [g.detach().numpy() for g in first]
    if order > 1 and any(g.requires_grad for g in first):
        total = library.zeros((), dtype=library.float64)
        for g in first:
            total = total + (g * library.tensor(normal(*g.shape, seed=2))).sum()
        second = library.autograd.grad(total, [*inputs, grad], allow_unused=True)
        found += [
            np.zeros(t.shape) if g is None else g.detach().numpy()
            for g, t in zip(second, [*inputs, grad], strict=True)
        ]
    return found


def agree(name: str, *arguments: Any, order: int = 2, **options: Any) -> None:
    """Asserts that both libraries compute the same, in float64, to second order."""
    want, got = (_values(lib, name, arguments, options, order) for lib in (torch, penlight))
    assert got[0] == want[0]
    assert len(got) == len(want)
    for ours, theirs in zip(got[1:], want[1:], strict=True):
        assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-10)
