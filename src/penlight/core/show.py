"""How a tensor shows itself in a notebook: a heading, and a table shaded by value."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np

EDGE = 5  # rows and columns shown at each end of a long axis
LONGEST = 2 * EDGE + 1

CELL = "padding:1px 6px;text-align:right;font-family:monospace"


def tensor_html(tensor: Any) -> str:
    """HTML for a tensor of up to two axes; its printed text otherwise.

    >>> from penlight import tensor
    >>> tensor_html(tensor([1, 2]))[:60]
    '<div><small>tensor of shape (2,), int64</small><table style='
    """
    array = tensor._array
    heading = f"tensor of shape {tuple(tensor.shape)}, {tensor.dtype.name}"
    if tensor.requires_grad:
        heading += ", requires grad"
    if 0 < array.ndim <= 2 and array.size and not tensor.dtype.is_complex:
        body = _table(np.atleast_2d(array))
    else:
        body = f"<pre>{escape(repr(tensor))}</pre>"
    return f"<div><small>{heading}</small>{body}</div>"


def _table(array: np.ndarray) -> str:
    shown = array.astype(np.float64)
    finite = shown[np.isfinite(shown)]
    high = float(np.abs(finite).max(initial=0.0)) or 1.0
    columns = _places(array.shape[1])
    rows = []
    for y in _places(array.shape[0]):
        cells = [_gap() if y is None or x is None else _cell(array[y, x], high) for x in columns]
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return f'<table style="border-spacing:0">{"".join(rows)}</table>'


def _places(length: int) -> list[int | None]:
    """The indices to show; None stands for those left out."""
    if length <= LONGEST:
        return list(range(length))
    return [*range(EDGE), None, *range(length - EDGE, length)]


def _gap() -> str:
    return f'<td style="{CELL}">…</td>'


def _cell(value: Any, high: float) -> str:
    """A number on blue where it is positive, on orange where negative, the stronger the larger."""
    number = float(value)
    text = str(value) if isinstance(value, np.integer | np.bool_) else f"{number:.4g}"
    strength = min(abs(number) / high, 1.0) if np.isfinite(number) else 0.0
    shade = "30,110,220" if number > 0 else "220,110,30"
    return f'<td style="{CELL};background:rgba({shade},{0.5 * strength:.2f})">{text}</td>'
