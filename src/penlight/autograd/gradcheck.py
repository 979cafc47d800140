"""Gradients against finite differences, in float64.

Sources: https://docs.pytorch.org/docs/stable/notes/gradcheck.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.tensor import Tensor, wrap
from .engine import grad


class GradcheckError(RuntimeError):
    """A gradient differs from its finite difference."""


def gradcheck(
    func: Callable,
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    fast_mode: bool = False,
) -> bool:
    """Whether the gradients of `func(*inputs)` agree with central differences (f(x+h) - f(x-h)) /
    2h.

    `inputs` should be float64; those that require gradients are checked. `fast_mode` compares one
    random projection of the Jacobian instead of all of it.

    >>> import penlight as torch
    >>> x = torch.tensor([0.3, 0.7], dtype=torch.float64, requires_grad=True)
    >>> torch.autograd.gradcheck(torch.sin, (x,))
    True
    """
    inputs = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    if not any(isinstance(t, Tensor) and t.requires_grad for t in inputs):
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, but none of the them "
            "have requires_grad=True."
        )
    try:
        _check(func, inputs, eps, atol, rtol, fast_mode)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func: Callable,
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    fast_mode: bool = False,
) -> bool:
    """`gradcheck` of the gradients of `func`: its second derivatives against finite differences."""
    inputs = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    outputs = _differentiable(func(*inputs))
    if grad_outputs is None:
        draw = np.random.RandomState(0)
        weights = [
            wrap(
                np.asarray(draw.uniform(0.5, 1.5, o._array.shape)).astype(o._array.dtype)
            ).requires_grad_()
            for o in outputs
        ]
    else:
        weights = [grad_outputs] if isinstance(grad_outputs, Tensor) else list(grad_outputs)
    count = len(inputs)

    def first(*args: Any) -> tuple:
        own, given = args[:count], args[count:]
        wanted = [t for t in own if isinstance(t, Tensor) and t.requires_grad]
        results = _differentiable(func(*own))
        found = grad(results, wanted, given, create_graph=True, allow_unused=True)
        return tuple(g for g in found if g is not None)

    return gradcheck(
        first, (*inputs, *weights), eps=eps, atol=atol, rtol=rtol,
        raise_exception=raise_exception, fast_mode=fast_mode,
    )  # fmt: skip


def _differentiable(outputs: Any) -> list[Tensor]:
    listed = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    return [o for o in listed if isinstance(o, Tensor) and o.requires_grad]


def _check(func: Callable, inputs: tuple, eps: float, atol: float, rtol: float, fast: bool) -> None:
    outputs = _differentiable(func(*inputs))
    places = [i for i, t in enumerate(inputs) if isinstance(t, Tensor) and t.requires_grad]
    if not outputs:
        return
    for o, out in enumerate(outputs):
        for weight in _weights(out, fast):
            wanted = [inputs[i] for i in places]
            analytic = grad(out, wanted, weight, retain_graph=True, allow_unused=True)
            for i, a in zip(places, analytic):
                own = inputs[i]._array
                numeric = _numeric(func, inputs, i, o, weight._array, eps)
                exact = np.zeros_like(own) if a is None else a._array
                _compare(exact, numeric, i, o, atol, rtol)


def _weights(out: Tensor, fast: bool) -> list[Tensor]:
    """Rows of the Jacobian to look at: each output element, or one random mixture of them."""
    array = out._array
    if fast or array.size > 64:
        draw = np.random.RandomState(1)
        mixed = np.asarray(draw.uniform(0.5, 1.5, array.shape)).astype(array.dtype)
        return [wrap(mixed)]
    rows = []
    units = (1, 1j) if array.dtype.kind == "c" else (1,)
    for k in range(array.size):
        for unit in units:
            row = np.zeros(array.size, array.dtype)
            row[k] = unit
            rows.append(wrap(row.reshape(array.shape)))
    return rows


def _numeric(
    func: Callable, inputs: tuple, place: int, which: int, weight: np.ndarray, eps: float
) -> np.ndarray:
    """The gradient of Re<weight, output> with respect to one input, by central differences."""
    own = inputs[place]._array
    found = np.zeros(own.shape, own.dtype)
    steps: Sequence[complex] = (eps, eps * 1j) if own.dtype.kind == "c" else (eps,)

    def value() -> float:
        moved = _differentiable(func(*inputs))[which]._array
        return float(np.sum(np.conj(weight) * moved).real)

    for index in np.ndindex(own.shape):
        before = own[index]
        for step in steps:
            own[index] = before + step
            up = value()
            own[index] = before - step
            down = value()
            own[index] = before
            slope = (up - down) / (2 * eps)
            found[index] += slope if step == eps else slope * 1j
    return found


def _compare(
    exact: np.ndarray, numeric: np.ndarray, place: int, which: int, atol: float, rtol: float
) -> None:
    if not np.allclose(exact, numeric, rtol=rtol, atol=atol, equal_nan=True):
        raise GradcheckError(
            f"Jacobian mismatch for output {which} with respect to input {place},\n"
            f"numerical:{numeric}\nanalytical:{exact}\n"
        )
