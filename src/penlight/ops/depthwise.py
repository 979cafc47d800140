"""Correlation with one input channel per group: every channel has its own kernel.

A matrix product would be a vector product here, so taps are multiplied and added instead, on long
contiguous runs. Planes are cut into *phases*, the images of every stride-th entry, in which every
tap moves in steps of 1; a tap of the whole output is then one slice of a flattened phase. The slice
also covers what lies behind the end of each row; that is computed and thrown away.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any

from .windows import Ints, embed

_BLOCK = 1 << 16  # elements of an elementwise pass that stay in the cache


class Runs:
    """Where the taps of a kernel lie in the flattened phases of a padded plane."""

    def __init__(self, kernel: Ints, stride: Ints, dilation: Ints, places: Ints):
        self.stride, self.places = stride, places
        reach = [d * (k - 1) // s for k, s, d in zip(kernel, stride, dilation, strict=True)]
        # one more on the first axis: a slice may end behind the last row
        self.size = tuple(
            n + r + (axis == 0) for axis, (n, r) in enumerate(zip(places, reach, strict=True))
        )
        self.rows = (places[0], *self.size[1:])  # the output with the ends of its rows
        self.length = prod(self.rows)
        self.taps: list[tuple[Ints, Ints, slice]] = []  # position, phase, slice of the phase
        for tap in product(*map(range, kernel)):
            places_ = [t * d for t, d in zip(tap, dilation, strict=True)]
            phase = tuple(p % s for p, s in zip(places_, stride, strict=True))
            start = 0
            for p, s, n in zip(places_, stride, self.size, strict=True):
                start = start * n + p // s
            self.taps.append((tap, phase, slice(start, start + self.length)))
        self.phases = dict.fromkeys(phase for _, phase, _ in self.taps)

    def cut(self, xp: Any, x: Any) -> dict[Ints, Any]:
        """The phases of x (*S, padded, with planes before): arrays (planes, |size|)."""
        return {phase: self._flat(xp, x[self._entries(phase)]) for phase in self.phases}

    def _entries(self, phase: Ints) -> tuple:
        return (..., *(slice(p, None, s) for p, s in zip(phase, self.stride, strict=True)))

    def _flat(self, xp: Any, image: Any) -> Any:
        lack = [n - m for n, m in zip(self.size, image.shape[1:], strict=True)]
        return embed(xp, image, [0] * len(lack), lack).reshape(len(image), prod(self.size))

    def join(self, xp: Any, phases: dict[Ints, Any], out: Any) -> None:
        """Writes phases back into planes."""
        for phase, flat in phases.items():
            target = out[self._entries(phase)]
            image = flat.reshape(len(flat), *self.size)
            common = tuple(slice(n) for n in target.shape[1:])
            image = image[(slice(None), *common)]
            target[(slice(None), *(slice(n) for n in image.shape[1:]))] = image

    def lengthen(self, xp: Any, y: Any) -> Any:
        """(*, *places) -> (*, length), with zeros at the ends of rows."""
        lack = [n - m for n, m in zip(self.rows, self.places, strict=True)]
        lead = y.shape[: -len(lack)]
        return embed(xp, y, [0] * len(lack), lack).reshape(*lead, self.length)

    def shorten(self, y: Any) -> Any:
        """(*, length) -> (*, *places)."""
        rows = y.reshape(*y.shape[:-1], *self.rows)
        return rows[(..., *map(slice, self.places))]


runs_of = lru_cache(maxsize=512)(Runs)  # of kernel, stride, dilation and places


def _blocks(planes: int, length: int) -> Iterator[slice]:
    step = max(1, _BLOCK // max(length, 1))
    return (slice(first, first + step) for first in range(0, planes, step))


def _per_plane(xp: Any, w: Any, tap: Ints, n: int, c: int) -> Any:
    """The weights of one tap for every plane: (N·C, O/C, 1)."""
    weights = w.reshape(c, w.shape[0] // c, *w.shape[2:])[(..., *tap)]
    return xp.tile(weights, (n, 1))[..., None]


def _planes(x: Any, split: int, channels: int) -> Any:
    """(N, C·split, *S) -> (N·C, split, *S), or without the axis `split` where it is 0."""
    lead = (x.shape[0] * channels, split) if split else (x.shape[0] * channels,)
    return x.reshape(*lead, *x.shape[2:])


def correlate_depthwise(xp: Any, x: Any, w: Any, runs: Runs, y: Any) -> None:
    """Fills y (N, O, *P) from x (N, C, *S), padded, and w (O, 1, *K)."""
    n, c = x.shape[:2]
    phases = runs.cut(xp, _planes(x, 0, c))
    target = _planes(y, w.shape[0] // c, c)
    weights = [_per_plane(xp, w, tap, n, c) for tap, _, _ in runs.taps]
    for block in _blocks(n * c, runs.length):
        total = xp.zeros((len(target[block]), target.shape[1], runs.length), y.dtype)
        part = xp.empty_like(total)
        for weight, (_, phase, span) in zip(weights, runs.taps, strict=True):
            total += xp.multiply(phases[phase][block, None, span], weight[block], out=part)
        target[block] = runs.shorten(total)


def correlate_depthwise_input(xp: Any, g: Any, w: Any, runs: Runs, out: Any) -> None:
    """Fills the adjoint in x, out (N, C, *S), padded."""
    n, c = out.shape[:2]
    g = runs.lengthen(xp, _planes(g, w.shape[0] // c, c))
    size = (n * c, prod(runs.size))
    phases = {phase: xp.zeros(size, g.dtype) for phase in runs.phases}
    weights = [_per_plane(xp, w, tap, n, c) for tap, _, _ in runs.taps]
    for block in _blocks(n * c, runs.length):
        part = xp.empty_like(g[block])
        for weight, (_, phase, span) in zip(weights, runs.taps, strict=True):
            xp.multiply(g[block], weight[block], out=part)
            phases[phase][block, span] += part[:, 0] if part.shape[1] == 1 else part.sum(1)
    runs.join(xp, phases, _planes(out, 0, c))


def correlate_depthwise_weight(xp: Any, g: Any, x: Any, runs: Runs, w: Any) -> None:
    """Fills the adjoint in w (O, 1, *K); x is padded."""
    n, c = x.shape[:2]
    phases = runs.cut(xp, _planes(x, 0, c))
    split = w.shape[0] // c
    g = runs.lengthen(xp, _planes(g, split, c))
    target = w.reshape(c, split, *w.shape[2:])
    for tap, phase, span in runs.taps:
        per_plane = xp.einsum("pol,pl->po", g, phases[phase][:, span])
        target[(..., *tap)] = per_plane.reshape(n, c, split).sum(0)
