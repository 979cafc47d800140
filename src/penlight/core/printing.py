"""The text of a tensor, character for character PyTorch's.

A number is formatted once, without regard to its neighbours; the column is then as wide as its
widest number. Only what is shown is looked at: a summarised tensor is first cut to its corners.

Source: https://docs.pytorch.org/docs/stable/generated/torch.set_printoptions.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import ceil, inf, isfinite
from typing import Any

import numpy as np

from . import dtype as dtypes
from .watch import refuse

_PROFILES: dict[str, dict[str, float]] = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": inf, "edgeitems": 3, "linewidth": 80},
}
_options: dict[str, Any] = {**_PROFILES["default"], "sci_mode": None}

plain_types: set[type] = set()
"""Classes printed as `tensor(...)`; any other subclass of Tensor is printed under its own name."""


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Choose how tensors print. What is not given stays; only `sci_mode` returns to "as needed".

    >>> import penlight
    >>> penlight.set_printoptions(precision=2)
    >>> penlight.tensor([1.12345])
    tensor([1.12])
    >>> penlight.set_printoptions(profile="default")
    """
    _options.update(_PROFILES.get(profile or "", {}))
    given = {
        "precision": precision,
        "threshold": threshold,
        "edgeitems": edgeitems,
        "linewidth": linewidth,
    }
    _options.update((name, value) for name, value in given.items() if value is not None)
    _options["sci_mode"] = sci_mode


def get_printoptions() -> dict[str, Any]:
    """The present options, in the form that `set_printoptions(**options)` takes."""
    return dict(_options)


@contextmanager
def printoptions(**options: Any) -> Iterator[None]:
    """Print with other options for the length of a `with` block."""
    before = get_printoptions()
    set_printoptions(**options)
    try:
        yield
    finally:
        set_printoptions(**before)


def array_str(array: np.ndarray, indent: int) -> str:
    """The bracketed numbers of an array whose first bracket stands in column `indent`."""
    if array.size == 0:
        return "[]"
    edge = _options["edgeitems"]
    summarised = array.size > _options["threshold"]
    cut = [summarised and size > 2 * edge for size in array.shape]
    if summarised:
        array = _corners(array, cut, edge)
    if array.dtype.kind == "c":
        cells, width = _complex_cells(array.real, array.imag)
    elif array.dtype == dtypes.COMPLEX32_NP:
        cells, width = _complex_cells(array["real"], array["imag"])
    else:
        cells, width = _columns(array)
    if not cut:
        return cells[0]
    per_line = max(1, (_options["linewidth"] - indent - (array.ndim - 1)) // (width + 2))
    return _brackets(iter(cells), array.shape, cut, indent, per_line)


def _corners(array: np.ndarray, cut: list[bool], edge: int) -> np.ndarray:
    """The first and last `edge` entries along every axis that is cut."""
    for axis, is_cut in enumerate(cut):
        if is_cut:
            size = array.shape[axis]
            array = array.take([*range(edge), *range(size - edge, size)], axis)
    return array


def _columns(array: np.ndarray) -> tuple[list[str], int]:
    """Every number of a real array in row-major order, padded to one width, and that width."""
    if array.dtype.kind in "biu":
        texts = [str(value) for value in array.ravel().tolist()]
        width = max(map(len, texts), default=1)
    else:
        values = array.astype(np.float64).ravel().tolist()
        # Zeros, infinities and nans neither widen the column nor decide its notation.
        telling = [value for value in values if value and isfinite(value)]
        write = _notation(telling)
        texts = [write(value) for value in values]
        width = max((len(write(value)) for value in telling), default=1)
    return [text.rjust(width) for text in texts], width


def _notation(values: list[float]) -> Callable[[float], str]:
    """How to write floats, among them these: `3.`, `3.1416` or `3.1416e+00`."""
    digits = _options["precision"]
    if values:
        sizes = [abs(value) for value in values]
        small, large = min(sizes), max(sizes)
        scientific = _options["sci_mode"]
        if scientific is None:
            scientific = large / small > 1000 or large > 1e8 or small < 1e-4
        if scientific:
            return f"{{:.{digits}e}}".format
        if any(value != ceil(value) for value in values):
            return f"{{:.{digits}f}}".format
    return lambda value: f"{value:.0f}." if isfinite(value) else f"{value:.0f}"


def _complex_cells(real: np.ndarray, imag: np.ndarray) -> tuple[list[str], int]:
    """Like `_columns`: real and imaginary parts have a width and a notation each."""
    reals, real_width = _columns(real)
    imags, imag_width = _columns(imag)
    cells = []
    for left, right in zip(reals, imags, strict=True):
        right = right.lstrip() + "j"
        cells.append(left + right if right[0] == "-" else f"{left}+{right}")
    return cells, real_width + imag_width + 1


def _brackets(
    cells: Iterator[str], shape: tuple[int, ...], cut: list[bool], indent: int, per_line: int
) -> str:
    """Set as many cells as the shape has in rows, with `...` in the middle of a cut axis."""
    if len(shape) == 1:
        parts = [next(cells) for _ in range(shape[0])]
        if cut[0]:
            parts.insert(shape[0] // 2, " ..." if parts else "...")
        lines = [", ".join(parts[i : i + per_line]) for i in range(0, len(parts), per_line)]
        newline = ",\n"
    else:
        lines = [
            _brackets(cells, shape[1:], cut[1:], indent + 1, per_line) for _ in range(shape[0])
        ]
        if cut[0]:
            lines.insert(shape[0] // 2, "...")
        newline = "," + "\n" * (len(shape) - 1)
    return "[" + (newline + " " * (indent + 1)).join(lines) + "]"


def tensor_repr(t: Any, *, tensor_contents: str | None = None) -> str:
    """`tensor(numbers, suffixes)`, a suffix for everything that the numbers do not show."""
    refuse("a tensor is printed")
    name = "tensor(" if type(t) in plain_types else f"{type(t).__name__}("
    text = array_str(t._array, len(name)) if tensor_contents is None else tensor_contents
    text = name + text
    room = _options["linewidth"] - (len(text) - text.rfind("\n") + 1)
    for suffix in _suffixes(t):
        if len(suffix) + 2 > room:
            text += ",\n" + " " * len(name) + suffix
            room = _options["linewidth"] - len(name) - len(suffix)
        else:
            text += ", " + suffix
            room -= len(suffix) + 2
    return text + ")"


def _suffixes(t: Any) -> Iterator[str]:
    """Device, size and dtype where they are not the usual ones, then how gradients flow."""
    array = t._array
    if t.device.type != "cpu":
        yield f"device='{t.device}'"
    if array.ndim != 1 if array.size == 0 else not _options["edgeitems"]:
        yield f"size={tuple(array.shape)}"
    default = dtypes.get_default_dtype()
    usual = (default, default.to_complex(), dtypes.int64, dtypes.bool)
    if t.dtype is not default and (array.size == 0 or t.dtype not in usual):
        yield f"dtype={t.dtype}"
    if t.grad_fn is not None:
        yield f"grad_fn=<{type(t.grad_fn).__name__}>"
    elif t.requires_grad:
        yield "requires_grad=True"
