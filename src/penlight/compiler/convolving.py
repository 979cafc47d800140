"""Convolutions of arrays, at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from .forms import Form

_KINDS = {"f": "f32", "d": "f64"}
Ints = tuple[int, ...]


def convolve(
    x: np.ndarray, w: np.ndarray, stride: Ints, padding: Ints, dilation: Ints, groups: int
) -> np.ndarray:
    """y (N, O, *P) from x (N, C, *S) and w (O, C/groups, *K), all float32 or float64."""
    forms = x.dtype.char, x.shape, w.shape, ()
    return _form("forward", *forms, stride, padding, dilation, groups)(x, w)


def convolve_input(
    g: np.ndarray, w: np.ndarray, size: Ints, stride: Ints, padding: Ints, dilation: Ints,
    groups: int,
) -> np.ndarray:  # fmt: skip
    """The adjoint of `convolve` in x (N, C, *size), of g (N, O, *P)."""
    forms = g.dtype.char, (g.shape[0], w.shape[1] * groups, *size), w.shape, g.shape[2:]
    return _form("input", *forms, stride, padding, dilation, groups)(g, w)


def convolve_weight(
    g: np.ndarray, x: np.ndarray, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints,
    groups: int,
) -> np.ndarray:  # fmt: skip
    """The adjoint of `convolve` in w (O, C/groups, *kernel), of g (N, O, *P) and x."""
    forms = g.dtype.char, x.shape, (g.shape[1], x.shape[1] // groups, *kernel), g.shape[2:]
    return _form("weight", *forms, stride, padding, dilation, groups)(g, x)


@lru_cache(maxsize=1024)
def _form(
    which: str, char: str, x: Ints, w: Ints, places: Ints, stride: Ints, padding: Ints,
    dilation: Ints, groups: int,
) -> Callable[..., np.ndarray]:  # fmt: skip
    from .kernels.convolution import Convolution
    from .kernels.convolution_plan import forward_plan, input_plan, weight_plan

    conv = Convolution.of(_KINDS[char], x, w, stride, padding, dilation, groups, places)
    y = (x[0], w[0], *conv.places[5 - len(x) :])
    plan, out = {
        "forward": (forward_plan, y), "input": (input_plan, x), "weight": (weight_plan, w)
    }[which]  # fmt: skip
    if conv.work == 0 or 0 in out:
        return lambda a, b: np.zeros(out, a.dtype)
    dtype = np.dtype(char)
    return Form(lambda generic: plan(conv, generic), "ab", [("out", out, dtype)], dtype)
