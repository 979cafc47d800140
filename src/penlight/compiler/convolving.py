"""Convolutions of arrays, at once: planned when a form is first seen, kept, made faster when hot.

A form runs on kernels that read their sizes from memory until those made for it are compiled, in
the background. All add in the same order, so nobody can tell which one ran, except by the clock.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

HOT = 3  # calls of a form after which kernels of its own are made
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
) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:  # fmt: skip
    from .kernels.convolution import Convolution
    from .kernels.convolution_plan import forward_plan, input_plan, weight_plan

    conv = Convolution.of(_KINDS[char], x, w, stride, padding, dilation, groups, places)
    y = (x[0], w[0], *conv.places[5 - len(x) :])
    plan, out = {
        "forward": (forward_plan, y), "input": (input_plan, x), "weight": (weight_plan, w)
    }[which]  # fmt: skip
    if conv.work == 0 or 0 in out:
        return lambda a, b: np.zeros(out, a.dtype)
    return Form(lambda generic: plan(conv, generic), out, np.dtype(char))


class Form:
    """Plans that take two arrays and give a third: the one with sizes in memory, then its own."""

    def __init__(self, plan: Callable[[bool], Any], shape: Ints, dtype: np.dtype):
        self.plan, self.shape, self.dtype = plan, shape, dtype
        self.calls = 0
        self.ready = program(plan(True))

    def __call__(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        self.calls += 1
        if self.calls == HOT:
            self._specialise()
        out = np.empty(self.shape, self.dtype)
        run, workspaces = self.ready
        scratch = [np.empty(n, self.dtype) for n in workspaces]
        run(np.ascontiguousarray(a), np.ascontiguousarray(b), out, *scratch)
        return out

    def _specialise(self) -> None:
        from . import code

        plan = self.plan(False)

        def take_over(error: Exception | None) -> None:
            if error is not None:
                raise error
            self.ready = program(plan)

        code.compile_soon([launch.spec for launch in plan.launches], take_over)


def program(plan: Any) -> tuple[Callable[..., int], list[int]]:
    """A function of a, b, out and the workspaces of a plan, and the workspaces' elements."""
    from . import code, runtime

    names = ["a", "b", "out", *(name for name, _ in plan.workspaces)]
    slots = {name: i + 1 for i, name in enumerate(names)}  # slot 0 is the runtime's
    fixed: dict[int, int] = {}
    keep, commands = [], []
    for launch in plan.launches:
        at = [slots[name] for name in launch.buffers]
        if launch.numbers:
            keep.append(np.array(launch.numbers, np.int64))
            at.append(len(slots) + len(keep))
            fixed[at[-1]] = keep[-1].ctypes.data
        commands.append(runtime.Command(code.address(launch.spec), tuple(at), launch.threads))
    run = runtime.program(
        commands, len(slots) + len(keep) + 1, fixed, list(slots.values()), keep=keep
    )
    return run, [n for _, n in plan.workspaces]
