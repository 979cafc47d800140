"""Gradients against finite differences, in float64.

Sources: https://docs.pytorch.org/docs/stable/notes/gradcheck.html
"""

from __future__ import annotations

import warnings
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
    _check_inputs(inputs)
    try:
        _check(func, inputs, eps, atol, rtol, nondet_tol, fast_mode)
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
        raise_exception=raise_exception, nondet_tol=nondet_tol, fast_mode=fast_mode,
    )  # fmt: skip


def _differentiable(outputs: Any) -> list[Tensor]:
    listed = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    return [o for o in listed if isinstance(o, Tensor) and o.requires_grad]


def _floats(outputs: Any) -> list[Tensor]:
    listed = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    return [o for o in listed if isinstance(o, Tensor) and o._array.dtype.kind in "fc"]


def _places(inputs: tuple) -> list[int]:
    """Which inputs are differentiated by."""
    return [i for i, t in enumerate(inputs) if isinstance(t, Tensor) and t.requires_grad]


def _check_inputs(inputs: tuple) -> None:
    """Finite differences need double precision, and memory in which each element stands alone."""
    for i in _places(inputs):
        array = inputs[i]._array
        if array.dtype not in (np.float64, np.complex128):
            warnings.warn(
                f"Input #{i} requires gradient and is not a double precision floating point or "
                "complex. This check will likely fail if all the inputs are not of double "
                "precision floating point or complex. ",
                stacklevel=3,
            )
        if array.size and any(s == 0 and n > 1 for s, n in zip(array.strides, array.shape)):
            raise RuntimeError(
                f"The {i}th input has a dimension with stride 0. gradcheck only supports inputs "
                "that are non-overlapping to be able to compute the numerical gradients correctly. "
                "You should call .contiguous on the input before passing it to gradcheck."
            )


def _check(
    func: Callable,
    inputs: tuple,
    eps: float,
    atol: float,
    rtol: float,
    nondet_tol: float,
    fast: bool,
) -> None:
    """Compares u·Jv over all pairs of output weights u and input directions v."""
    outputs = _differentiable(func(*inputs))
    places = _places(inputs)
    wanted = [inputs[i] for i in places]
    if not outputs:
        _check_constant(func, inputs, wanted, eps)
    weights = [_directions(o._array, fast, seed=1) for o in outputs]
    slopes, again = (
        [
            [grad(o, wanted, wrap(u), retain_graph=True, allow_unused=True) for u in own]
            for o, own in zip(outputs, weights)
        ]
        for _ in range(2)
    )
    _check_repeated(slopes, again, nondet_tol)
    for place, x in enumerate(wanted):
        directions = _directions(x._array, fast, seed=2)
        moved = [_difference(func, inputs, x._array, v, eps) for v in directions]
        for which, own in enumerate(weights):
            numeric = np.array([[_dot(u, d[which]) for u in own] for d in moved])
            by_output = [g[place] for g in slopes[which]]
            exact = np.array(
                [
                    [0.0 if own is None else _dot(v, own._array) for own in by_output]
                    for v in directions
                ]
            )
            if not np.allclose(exact, numeric, rtol=rtol, atol=atol, equal_nan=True):
                raise GradcheckError(
                    f"Jacobian mismatch for output {which} with respect to input {places[place]},\n"
                    f"numerical:{numeric}\nanalytical:{exact}\n"
                )


def _check_repeated(slopes: list, again: list, nondet_tol: float) -> None:
    """Two backward passes must agree up to `nondet_tol`."""
    for one, two in zip(slopes, again):
        for a, b in zip((g for row in one for g in row), (g for row in two for g in row)):
            if a is not None and np.any(np.abs(a._array - b._array) > nondet_tol):
                raise GradcheckError(
                    "Backward is not reentrant, i.e., running backward with same input and "
                    "grad_output multiple times gives different values, although analytical "
                    "gradient matches numerical gradient."
                    f"The tolerance for nondeterminism was {nondet_tol}."
                )


def _check_constant(func: Callable, inputs: tuple, wanted: list[Tensor], eps: float) -> None:
    """Outputs without a gradient must not change with the inputs."""
    for x in wanted:
        for v in _directions(x._array, False, seed=2):
            if any(change.any() for change in _difference(func, inputs, x._array, v, eps, _floats)):
                raise GradcheckError("Numerical gradient for function expected to be zero")


def _directions(array: np.ndarray, fast: bool, seed: int) -> list[np.ndarray]:
    """Unit vectors along all (real and imaginary) axes of the array; or one random vector."""
    units: Sequence[complex] = (1, 1j) if array.dtype.kind == "c" else (1,)
    if fast:
        draw = np.random.RandomState(seed)
        mixed = sum(unit * draw.uniform(0.5, 1.5, array.shape) for unit in units)
        return [np.asarray(mixed, array.dtype)]
    found = []
    for index in np.ndindex(array.shape):
        for unit in units:
            found.append(np.zeros_like(array))
            found[-1][index] = unit
    return found


def _difference(
    func: Callable,
    inputs: tuple,
    array: np.ndarray,
    direction: np.ndarray,
    eps: float,
    chosen: Callable[[Any], list[Tensor]] = _differentiable,
) -> list[np.ndarray]:
    """The change of each chosen output per step of the input `array` along `direction`."""
    before = array.copy()

    def at(step: float) -> list[np.ndarray]:
        array[...] = before + step * direction
        return [o._array.copy() for o in chosen(func(*inputs))]

    try:
        up, down = at(eps), at(-eps)
    finally:
        array[...] = before
    return [(u - d) / (2 * eps) for u, d in zip(up, down, strict=True)]


def _dot(a: np.ndarray, b: np.ndarray) -> float:
    """The inner product of two arrays of numbers, complex ones taken as points of the plane."""
    return float(np.sum(np.conj(a) * b).real)
