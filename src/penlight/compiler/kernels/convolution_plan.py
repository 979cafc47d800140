"""Which kernels a convolution, its input gradient or its weight gradient takes, in order.

Buffers "a" and "b" are read, "out" is written, the others are workspaces.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any

from ...core.threads import usable_cores
from ..forms import Launch, Plan
from ..host import host
from ..spec import Operand, Step
from ..types import size_of
from .convolution import Convolution, forward_sizes, input_sizes
from .layout import Pad, PadSizes, Reorder, Transpose, TransposeSizes
from .sweep import Sizes, Sweep
from .weight_gradient import WeightGradient, WeightSizes

# who works has a panel; the kernels that read their sizes read this number too
_MOST_THREADS = max(4, usable_cores())
_WORTH = 1 << 17  # multiply-adds that are worth a thread


def forward_plan(
    conv: Convolution,
    generic: bool = False,
    epilogue: tuple[Step, ...] = (),
    extras: tuple[Operand, ...] = (),
) -> Plan:
    """y from a = x and b = w. `epilogue` and `extras` as in `Sweep`; extras follow as "extra0"."""
    launch, panels = _sweep(conv.kind, forward_sizes(conv), "b", generic, epilogue, extras)
    return Plan((launch,), (("panels", panels),))


def input_plan(
    conv: Convolution,
    generic: bool = False,
    epilogue: tuple[Step, ...] = (),
    extras: tuple[Operand, ...] = (),
) -> Plan:
    """The gradient in x from a = the gradient in y, b = w: the transposed convolution of a."""
    launches, panels, weights = [], 1, 0
    for order, sizes in input_sizes(conv):
        name = "b"
        if conv.channels > conv.groups or order.taps != conv.kernel:
            name, weights = "weights", conv.outputs * conv.channels // conv.groups
            threads = _threads(weights * prod(order.taps))
            copy = Launch(Reorder(conv.kind, threads, order), ("b", name), threads)
            launches.append(_generic(copy) if generic else copy)
        launch, need = _sweep(conv.kind, sizes, name, generic, epilogue, extras)
        launches.append(launch)
        panels = max(panels, need)
    workspaces = [("panels", panels)]
    if weights:
        workspaces.append(("weights", weights * prod(conv.kernel)))
    return Plan(tuple(launches), tuple(workspaces))


def _sweep(
    kind: str, sizes: Sizes, weights: str, generic: bool, epilogue: tuple, extras: tuple
) -> tuple[Launch, int]:
    """A sweep with its weights in that buffer, and the elements of panels that it needs."""
    threads = _threads(_work(sizes))
    dense = sizes.out_step == (1, 1, 1) and sizes.places == sizes.out_size
    unit, alone = sizes.step[2] == 1, dense and sizes.rows == sizes.depth == 1
    names = ("a", weights, "out", "panels", *(f"extra{i}" for i in range(len(extras))))
    if generic:
        tile = None if alone else (8, 2) if host().registers == 32 else (4, 2)
        spec = Sweep(kind, unit, dense, tile, _MOST_THREADS)
        launch = Launch(spec, names, threads, (threads, *sizes.flat()))
    else:
        tile = None if alone else _sweep_tile(sizes, kind)
        spec = Sweep(kind, unit, dense, tile, threads, sizes, epilogue, extras)
        launch = Launch(spec, names, threads)
    return launch, threads * sizes.panel


def _work(sizes: Sizes) -> int:
    work = sizes.images * sizes.groups * sizes.rows * sizes.depth
    return work * prod(sizes.taps) * prod(sizes.places)


def _threads(work: int) -> int:
    return max(1, min(_MOST_THREADS, work // _WORTH))


# ---------------------------------------------------------------- the weight gradient


def weight_plan(conv: Convolution, generic: bool = False) -> Plan:
    """The gradient in w from a = the gradient in y, b = x.

    b -> padded; a -> split, in panels of output channels; both -> sums -> out.
    """
    kind, taps, places, padded = conv.kind, prod(conv.kernel), prod(conv.places), conv.padded
    depthwise = conv.channels == conv.groups == conv.outputs
    groups = 1 if depthwise else conv.groups
    rows, depth = conv.outputs // groups, 1 if depthwise else conv.channels // groups
    lanes, length, threads = host().lanes(size_of(kind)), depth * taps, _threads(conv.work)
    tile = _weight_tile(1 if generic else -(-rows // lanes), 0 if generic else length)
    if depthwise:
        tile = (9, 1)
    width = tile[1] * lanes
    panels = -(-rows // width)
    source, images, launches, workspaces = "b", conv.images, [], []

    def add(spec: Any, *buffers: str, size: int) -> None:
        launches.append(Launch(spec, buffers, threads))
        workspaces.append((buffers[-1], size))

    if padded != conv.size:
        pad = PadSizes(images * conv.channels, conv.size, conv.padding, padded)
        add(Pad(kind, threads, pad), "b", "padded", size=images * conv.channels * prod(padded))
        source = "padded"
    if depthwise:
        split = _split(images, panels, width, rows, prod(padded))
        size = images * panels * width * prod(padded)
        add(Transpose(kind, threads, split), source, "turned", size=size)
        source = "turned"
    split = _split(images * groups, panels, width, rows, places)
    add(
        Transpose(kind, threads, split),
        "a",
        "split",
        size=images * groups * panels * width * places,
    )
    main = WeightSizes(
        images, groups, panels, depth, padded, conv.kernel, conv.places, conv.stride,
        conv.dilation, *_summed(conv.places),
    )  # fmt: skip
    spec = WeightGradient(kind, tile, threads, depthwise, main)
    add(spec, source, "split", "sums", size=groups * panels * length * width)
    join = TransposeSizes(
        groups, panels, length, width, panels * length, rows,
        panels * length * width, length * width, width, rows * length, width * length, length,
    )  # fmt: skip
    launches.append(Launch(Transpose(kind, threads, join), ("sums", "out"), threads))
    return Plan(tuple(map(_generic, launches) if generic else launches), tuple(workspaces))


def _split(outer: int, panels: int, width: int, rows: int, cols: int) -> TransposeSizes:
    """Matrices (rows, cols) become panels (cols, width), of `width` rows each."""
    return TransposeSizes(
        outer, panels, width, cols, rows, panels * cols, rows * cols, width * cols, cols,
        panels * cols * width, cols * width, width,
    )  # fmt: skip


def _generic(launch: Launch) -> Launch:
    """The same kernel, with its sizes in memory."""
    spec, threads = launch.spec, launch.threads
    numbers = (threads, *spec.sizes.flat())
    generic = replace(spec, sizes=None, threads=_MOST_THREADS)
    return Launch(generic, launch.buffers, threads, numbers)


def _weight_tile(vectors: int, rows: int) -> tuple[int, int]:
    """Rows by vectors: the cheapest for a gradient of so many rows; for 0 rows a fair one."""
    many = host().registers == 32
    if not rows:
        return (8, 2) if many else (4, 2)

    def cost(tile: tuple[int, int]) -> int:
        return -(-vectors // tile[1]) * sum(_cycles(n, tile[1]) for n in _parts(rows, tile[0]))

    return min(((6, 4), (8, 3), (9, 2), (9, 1)) if many else ((4, 3), (6, 2), (9, 1)), key=cost)


def _summed(places: tuple[int, ...]) -> tuple[int, int]:
    """(images, lines): about 512 places that are summed at a time."""
    if prod(places) > 512:
        return 1, max(1, min(places[0] * places[1], 512 // places[2]))
    return max(1, 512 // prod(places)), places[0] * places[1]


# ---------------------------------------------------------------- register tiles


def _sweep_tile(sizes: Sizes, kind: str) -> tuple[int, int]:
    """Channels by vectors: the cheapest that fits the registers."""
    own = host()
    wide = sizes.block_images * sizes.slot // own.lanes(size_of(kind))
    tiles = ((8, 3), (6, 4), (12, 2), (24, 1)) if own.registers == 32 else ((4, 3), (6, 2), (12, 1))

    def cost(tile: tuple[int, int]) -> int:
        rows, vectors = _parts(sizes.rows, tile[0]), _parts(wide, tile[1])
        return sum(_cycles(r, v) for r in rows for v in vectors)

    return min(tiles, key=cost)


def _cycles(rows: int, vectors: int) -> int:
    """What one step of a tile takes: its multiply-adds, or its loads, or their latency."""
    return max(rows * vectors, rows + 2 * vectors, 4) + 1


def _parts(total: int, part: int) -> list[int]:
    return [part] * (total // part) + [total % part] * (total % part > 0)
