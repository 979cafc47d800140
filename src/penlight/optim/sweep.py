"""One pass over memory for a whole formula.

An update reads and writes arrays that do not fit in a core's cache. Done operation by operation,
each would travel from memory and back several times; done block by block, with all operations on
one block before the next, once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.tensor import Tensor, written
from ..ops.quiet import quiet

BLOCK = 262144  # elements of each array at a time; from 2^15 to 2^19 the best or within 5 % of it


def sweep(formula: Callable[..., Any], g: Tensor, *changed: Tensor) -> None:
    """Calls `formula(g, *changed)` with flat blocks of the arrays; it writes to those of `changed`.

    All tensors have one shape. A complex number is treated as two real ones.
    """
    arrays = [g._array, *[t._array for t in changed]]
    if arrays[0].size <= BLOCK and all(a.flags.c_contiguous for a in arrays):
        if arrays[0].dtype.kind != "c":  # small, and lying as it should: one block as it is
            _one_block(formula, arrays)
            for tensor in changed:
                written(tensor)
            return
    flat = [_flat(a) for a in arrays]
    _all_blocks(formula, flat)
    for tensor, array in zip(changed, flat[1:], strict=True):
        into = tensor._array
        if not into.flags.c_contiguous:
            into[...] = array.view(into.dtype).reshape(into.shape)
        written(tensor)


def _flat(array: Any) -> Any:
    """The array as one row of real numbers; the same memory if it is contiguous, else a copy."""
    row = np.ascontiguousarray(array).reshape(-1)
    return row.view(row.real.dtype) if row.dtype.kind == "c" else row


@quiet
def _one_block(formula: Callable[..., Any], arrays: list[Any]) -> None:
    formula(*arrays)


@quiet
def _all_blocks(formula: Callable[..., Any], flat: list[Any]) -> None:
    for start in range(0, flat[0].size, BLOCK):
        formula(*[row[start : start + BLOCK] for row in flat])
