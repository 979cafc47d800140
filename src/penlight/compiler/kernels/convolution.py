"""Convolutions as kernels: which loops a geometry needs, and how they are cut into blocks."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product as cartesian
from math import gcd, prod
from typing import Any

from ..host import host
from ..spec import Operand, Step
from ..types import size_of
from .layout import Pad, PadSizes, Transpose, TransposeSizes
from .sweep import Sizes, Sweep
from .weight_gradient import WeightGradient, WeightSizes

Ints = tuple[int, ...]
_MOST_THREADS = 64
_WORTH = 1 << 17  # multiply-adds that are worth a thread


@dataclass(frozen=True)
class Convolution:
    """A geometry: x (images, channels, *size), w (outputs, channels/groups, *kernel).

    y (images, outputs, *places); three spatial axes always, of length 1 where there are fewer.
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

    @classmethod
    def of(
        cls, kind: str, x: Ints, w: Ints, stride: Ints, padding: Ints, dilation: Ints, groups: int
    ) -> Convolution:
        """From the shapes of x and w, of one to three spatial axes."""
        lead = 5 - len(x)
        ones, zeros = (1,) * lead, (0,) * lead
        return cls(
            kind, x[0], x[1], w[0], groups, ones + tuple(x[2:]), ones + tuple(w[2:]),
            ones + tuple(stride), zeros + tuple(padding), ones + tuple(dilation),
        )  # fmt: skip

    @property
    def places(self) -> Ints:
        """The size of a plane of y."""
        return tuple(
            (s + 2 * p - d * (k - 1) - 1) // step + 1
            for s, k, step, p, d in zip(
                self.size, self.kernel, self.stride, self.padding, self.dilation
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
            w_base=0, w_group=rows * depth * prod(taps), w_row=depth * prod(taps),
            w_depth=prod(taps), w_taps=(taps[1] * taps[2], taps[2], 1),
            out_size=conv.places, out_step=(1, 1, 1), out_base=(0, 0, 0),
        ),
    )  # fmt: skip


def input_sizes(conv: Convolution) -> list[Sizes]:
    """The sweeps of the input gradient: one per residue of the position modulo the stride."""
    rows, depth = conv.channels // conv.groups, conv.outputs // conv.groups
    taps = conv.kernel
    strides = (taps[1] * taps[2], taps[2], 1)
    found = []
    for phase in cartesian(*map(range, conv.stride)):
        axes = [_residue(conv, axis, f) for axis, f in enumerate(phase)]
        places, counts, firsts, steps, bases, moves = zip(*axes)
        if 0 in places:
            continue
        found.append(
            _blocked(
                conv.kind,
                dict(
                    images=conv.images,
                    groups=conv.groups,
                    rows=rows,
                    depth=depth,
                    taps=counts,
                    size=conv.places,
                    places=places,
                    step=(1, 1, 1),
                    base=bases,
                    tap_step=moves,
                    w_base=sum(f * s for f, s in zip(firsts, strides)),
                    w_group=rows * depth * prod(taps),
                    w_row=prod(taps),
                    w_depth=rows * prod(taps),
                    w_taps=tuple(n * s for n, s in zip(steps, strides)),
                    out_size=conv.size,
                    out_step=conv.stride,
                    out_base=phase,
                ),
            )  # fmt: skip
        )
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
    most = _BLOCK_VECTORS * lanes
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
    pitch = _round(images * slot, lanes) + 4 * lanes
    panels = max(1, -(-depth * taps // _PANEL_ROWS))
    block_depth = -(-depth // panels)
    panel = _round(block_depth * max(taps, 1) * pitch + 4 * lanes, 64)
    return Sizes(
        **numbers, block_images=images, block_rows=rows, block_cols=cols, block_depth=block_depth,
        slot=slot, pitch=pitch, panel=panel,
    )  # fmt: skip


def _round(n: int, to: int) -> int:
    return -(-n // to) * to


def _rows(lines: int, wide: int, lanes: int, most: int) -> int:
    """Rows in a block: up to `most` places, few lanes wasted, divisors of `lines` preferred."""

    def waste(rows: int) -> tuple[float, int]:
        vectors = -(-rows * wide // lanes) * -(-lines // rows)
        uneven = lines % rows != 0
        return vectors * lanes / (lines * wide) + 0.05 * uneven, -rows

    return min(range(1, max(1, most // wide) + 1), key=waste)


def tile_of(sizes: Sizes, kind: str) -> tuple[int, int]:
    """Channels by vectors of a register tile: the cheapest that fits the registers."""
    own = host()
    lanes = own.lanes(size_of(kind))
    wide = sizes.block_images * sizes.slot // lanes
    tiles = ((8, 3), (6, 4), (12, 2), (24, 1)) if own.registers == 32 else ((4, 3), (6, 2), (12, 1))

    def cost(tile: tuple[int, int]) -> float:
        return sum(
            max(r * v, r + 2 * v, 4) + 1
            for r in _parts(sizes.rows, tile[0])
            for v in _parts(wide, tile[1])
        )

    return min(tiles, key=cost)


def _parts(total: int, part: int) -> list[int]:
    return [part] * (total // part) + [total % part] * (total % part > 0)


# ---------------------------------------------------------------- kernels


def sweep(
    kind: str, sizes: Sizes, epilogue: tuple[Step, ...] = (), extras: tuple[Operand, ...] = ()
) -> Sweep:
    """The kernel that is specialised on its sizes."""
    return Sweep(
        kind, *_form(sizes), tile_of(sizes, kind), _threads(sizes), sizes, epilogue, extras
    )


def generic_sweep(kind: str, sizes: Sizes) -> Sweep:
    """The kernel that reads sizes like these from memory."""
    tile = (8, 2) if host().registers == 32 else (4, 2)
    return Sweep(kind, *_form(sizes), tile, _MOST_THREADS)


def _form(sizes: Sizes) -> tuple[bool, bool, bool]:
    """`unit`, `dense` and `linear` of a sweep."""
    taps = sizes.taps
    dense = sizes.out_step == (1, 1, 1) and sizes.places == sizes.out_size
    in_order = sizes.w_taps == (taps[1] * taps[2], taps[2], 1)
    return sizes.step[2] == 1, dense, in_order and sizes.w_depth == prod(taps)


def _threads(sizes: Sizes) -> int:
    work = sizes.images * sizes.groups * sizes.rows * sizes.depth
    work *= prod(sizes.taps) * prod(sizes.places)
    return max(1, min(_MOST_THREADS, work // _WORTH))


# ---------------------------------------------------------------- the weight gradient


@dataclass(frozen=True)
class WeightPlan:
    """The kernels of a weight gradient, and what they read and write.

        x --pad--> padded      g --split--> panels      (padded, panels) --main--> sums
        sums --join--> the gradient

    `pad` is None where x needs none. `padded`, `panels` and `sums` are elements of workspace.
    """

    pad: Any
    split: Any
    main: Any
    join: Any
    padded: int
    panels: int
    sums: int


def weight_plan(conv: Convolution, generic: bool = False) -> WeightPlan:
    """The kernels; generic ones read their sizes, which `numbers` of a spec's fixed twin has."""
    rows, depth = conv.outputs // conv.groups, conv.channels // conv.groups
    taps, places = prod(conv.kernel), prod(conv.places)
    lanes = host().lanes(size_of(conv.kind))
    tile = (8, 2) if generic else _weight_tile(-(-rows // lanes), depth * taps)
    if host().registers < 32:
        tile = (4, 2)
    width = tile[1] * lanes
    panels = -(-rows // width)
    padded = tuple(s + 2 * p for s, p in zip(conv.size, conv.padding))
    images, lines = _summed(conv)
    pad = PadSizes(conv.images * conv.channels, conv.size, conv.padding, padded)
    split = TransposeSizes(
        conv.images * conv.groups, panels, width, places, rows, panels * places,
        rows * places, width * places, places, panels * places * width, places * width, width,
    )  # fmt: skip
    main = WeightSizes(
        conv.images, conv.groups, panels, depth, padded, conv.kernel, conv.places, conv.stride,
        conv.dilation, images, lines,
    )  # fmt: skip
    length = depth * taps
    join = TransposeSizes(
        conv.groups, panels, length, width, panels * length, rows,
        panels * length * width, length * width, width, rows * length, width * length, length,
    )  # fmt: skip
    threads = max(1, min(_MOST_THREADS, conv.work // _WORTH))
    return WeightPlan(
        Pad(conv.kind, threads, pad) if any(conv.padding) else None,
        Transpose(conv.kind, threads, split), WeightGradient(conv.kind, tile, threads, main),
        Transpose(conv.kind, threads, join),
        conv.images * conv.channels * prod(padded), conv.images * conv.groups * panels * places * width,
        conv.groups * panels * length * width,
    )  # fmt: skip


def _weight_tile(vectors: int, rows: int) -> tuple[int, int]:
    """Rows by vectors: the cheapest."""

    def cost(tile: tuple[int, int]) -> float:
        r, v = tile
        return -(-vectors // v) * sum(max(n * v, n + 2 * v, 4) + 1 for n in _parts(rows, r))

    return min(((6, 4), (8, 3), (9, 2), (9, 1)), key=cost)


def _summed(conv: Convolution) -> tuple[int, int]:
    """(images, lines): about 512 places that are summed at a time."""
    deep, high, wide = conv.places
    if prod(conv.places) > 512:
        return 1, max(1, min(deep * high, 512 // wide))
    return max(1, 512 // prod(conv.places)), deep * high
