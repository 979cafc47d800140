"""Convolutions: their geometry, the sweeps that a pass takes, how these are cut into blocks."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product as cartesian
from math import gcd, prod
from typing import Any

from ..host import host
from ..types import size_of
from .layout import WeightOrder
from .sweep import Sizes

Ints = tuple[int, ...]


@dataclass(frozen=True)
class Convolution:
    """A geometry: x (images, channels, *size), w (outputs, channels/groups, *kernel).

    y (images, outputs, *places). Always three spatial axes, of length 1 where there are fewer.
    """

    kind: str
    images: int
    channels: int
    outputs: int
    groups: int
    size: Ints
    kernel: Ints
    stride: Ints
    padding: Ints
    dilation: Ints

    places: Ints

    @classmethod
    def of(
        cls, kind: str, x: Ints, w: Ints, stride: Ints, padding: Ints, dilation: Ints, groups: int,
        places: Ints = (),
    ) -> Convolution:  # fmt: skip
        """From the shapes of x and w, of one to three spatial axes.

        `places` may be fewer, or more, than those at which the kernel is within the padded x.
        """
        lead = 5 - len(x)
        ones, zeros = (1,) * lead, (0,) * lead
        places = places or tuple(
            (s + 2 * p - d * (k - 1) - 1) // step + 1
            for s, k, step, p, d in zip(x[2:], w[2:], stride, padding, dilation)
        )
        return cls(
            kind, x[0], x[1], w[0], groups, ones + tuple(x[2:]), ones + tuple(w[2:]),
            ones + tuple(stride), zeros + tuple(padding), ones + tuple(dilation),
            ones + tuple(places),
        )  # fmt: skip

    @property
    def padded(self) -> Ints:
        """The size of a plane of x with its padding, and as far as the kernel reaches."""
        return tuple(
            max(s + 2 * p, (n - 1) * step + d * (k - 1) + 1)
            for s, p, n, step, d, k in zip(
                self.size, self.padding, self.places, self.stride, self.dilation, self.kernel
            )
        )

    @property
    def work(self) -> int:
        """Multiply-adds, padding included."""
        depth = self.channels // self.groups * prod(self.kernel)
        return self.images * self.outputs * prod(self.places) * depth


def forward_sizes(conv: Convolution) -> Sizes:
    """The one sweep of the forward pass."""
    rows, depth, taps = conv.outputs // conv.groups, conv.channels // conv.groups, conv.kernel
    return _blocked(
        conv.kind,
        dict(
            images=conv.images, groups=conv.groups, rows=rows, depth=depth, taps=taps,
            size=conv.size, places=conv.places, step=conv.stride,
            base=tuple(-p for p in conv.padding), tap_step=conv.dilation,
            out_size=conv.places, out_step=(1, 1, 1), out_base=(0, 0, 0),
        ),
    )  # fmt: skip


def input_sizes(conv: Convolution) -> list[tuple[WeightOrder, Sizes]]:
    """The sweeps of the input gradient: one per residue of the position modulo the stride.

    Each with the order in which it wants the weights.
    """
    rows, depth, taps = conv.channels // conv.groups, conv.outputs // conv.groups, conv.kernel
    strides, found = (taps[1] * taps[2], taps[2], 1), []
    for phase in cartesian(*map(range, conv.stride)):
        axes = [_residue(conv, axis, f) for axis, f in enumerate(phase)]
        places, counts, firsts, steps, bases, moves = zip(*axes)
        if 0 in places:
            continue
        order = WeightOrder(
            conv.groups, rows, depth, counts, sum(f * s for f, s in zip(firsts, strides)),
            rows * depth * prod(taps), prod(taps), rows * prod(taps),
            tuple(n * s for n, s in zip(steps, strides)),
        )  # fmt: skip
        numbers = dict(
            images=conv.images, groups=conv.groups, rows=rows, depth=depth, taps=counts,
            size=conv.places, places=places, step=(1, 1, 1), base=bases, tap_step=moves,
            out_size=conv.size, out_step=conv.stride, out_base=phase,
        )  # fmt: skip
        found.append((order, _blocked(conv.kind, numbers)))
    return found


def _residue(conv: Convolution, axis: int, phase: int) -> Ints:
    """(places, taps, first tap, tap's step, base, base's step per tap) of the positions
    stride j + phase: tap k meets g at (stride j + phase + padding - k dilation) / stride.
    """
    step, move, taps = conv.stride[axis], conv.dilation[axis], conv.kernel[axis]
    places = -(-(conv.size[axis] - phase) // step)
    start = phase + conv.padding[axis]
    first = next((k for k in range(min(taps, step)) if (start - k * move) % step == 0), None)
    if first is None:
        return places, 0, 0, 1, 0, 1
    apart = step // gcd(step, move)
    count = -(-(taps - first) // apart)
    return places, count, first, apart, (start - first * move) // step, -(apart * move // step)


# ---------------------------------------------------------------- blocks

_BLOCK_VECTORS = 16  # vectors of places in a block, about
_PANEL_ROWS = 288  # rows of a panel, about


def _blocked(kind: str, numbers: dict[str, Any]) -> Sizes:
    """Sizes with blocks whose panels stay in the second-level cache."""
    lanes = host().lanes(size_of(kind))
    places, taps, depth = numbers["places"], prod(numbers["taps"]), numbers["depth"]
    wide, lines = places[2], places[0] * places[1]
    apart = numbers["out_step"] != (1, 1, 1)  # results are scattered: sums should not go and return
    most = _BLOCK_VECTORS * lanes // (2 if apart else 1)
    images = rows = 1
    cols = wide
    if wide > 2 * most:
        cols = _round(-(-wide // -(-wide // most)), lanes)
    elif lines * wide > most:
        rows = _rows(lines, wide, lanes, most)
    else:
        rows = lines
        slot = _round(rows * cols, lanes)
        images = max(n for n in range(1, most // slot + 1) if numbers["images"] % n == 0)
    slot = _round(rows * cols, lanes)
    pitch = _round(images * slot, lanes) + lanes
    panels = max(1, -(-depth * taps // _PANEL_ROWS))
    if apart:
        panels = -(-panels // 4)
    block_depth = -(-depth // panels)
    panel = _round(block_depth * max(taps, 1) * pitch + 4 * lanes, 64)
    return Sizes(
        **numbers, block_images=images, block_rows=rows, block_cols=cols, block_depth=block_depth,
        slot=slot, pitch=pitch, panel=panel,
    )  # fmt: skip


def _round(n: int, to: int) -> int:
    return -(-n // to) * to


def _rows(lines: int, wide: int, lanes: int, most: int) -> int:
    """Rows in a block: some `most` places, few lanes wasted, divisors of `lines` preferred."""

    def waste(rows: int) -> tuple[float, int]:
        vectors = -(-rows * wide // lanes) * -(-lines // rows)
        uneven = lines % rows != 0
        return vectors * lanes / (lines * wide) + 0.15 * uneven, -rows

    return min(range(1, max(1, most * 3 // 2 // wide) + 1), key=waste)
