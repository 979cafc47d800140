"""Formulas of a step, and one pass over memory for a whole formula.

    formula(xp, g, p, *moments, **numbers, **switches) -> (p, *moments)

- g, p and the moments are arrays of one shape; a moment that is not in use is None.
- numbers are Python floats, new in each step. A number meets arrays only, never another number:
  what numbers alone decide was computed beforehand, in float64. `xp.where(number, a, b)` is a
  unless the number is 0.
- switches are bools, and constant: another switch, another formula.

A formula returns the new values. It may make them in place, but with operators only (`m *= beta`):
where arrays are symbols, the same text then makes new symbols. It calls nothing but `xp`, and holds
nothing of its own, so that a captured step is the same formula with other numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.tensor import Tensor, written
from ..core.watch import note_step, tracers, unwatched
from ..ops.quiet import quiet

if TYPE_CHECKING:
    from .pace import Pace

Formula = Callable[..., tuple]


def _where(condition: Any, a: Any, b: Any) -> Any:
    """`np.where`, at once where the condition is a number."""
    if type(condition) is float:
        return a if condition else b
    return np.where(condition, a, b)


xp = SimpleNamespace(  # the functions of formulas, over NumPy arrays: all of them exact in IEEE
    sqrt=np.sqrt, abs=np.abs, sign=np.sign, maximum=np.maximum, minimum=np.minimum, where=_where
)

BLOCK = 262144  # elements of each array at a time; from 2^15 to 2^19 the best or within 5 % of it


def apply(
    pace: Pace, state: dict[str, Any], tensors: list[Tensor | None], switches: dict[str, bool]
) -> dict[str, float]:
    """One parameter's step: `tensors` (g, p, *moments) and the numbers of now into the formula.

    The place where an optimizer's formula meets memory, parameter by parameter. Returns the
    numbers.
    """
    numbers = unwatched(pace.numbers, state) if tracers else pace.numbers(state)
    sweep(pace.formula, tensors, numbers | switches)
    if tracers:
        note_step(pace, state, tensors, numbers, switches)
    for tensor in tensors[1:]:
        if tensor is not None:
            written(tensor)
    return numbers


@cache
def pulled(formula: Formula, maximize: bool, decays: bool, decoupled: bool) -> Formula:
    """The formula uphill, or with θ pulled to zero: at once if decoupled, else through g.

    The number `pull` is 1 - γ λ if decoupled, else λ.
    """

    def variant(
        xp: Any, g: Any, p: Any, *moments: Any, pull: float | None = None, **named: Any
    ) -> tuple:
        if maximize:
            g = -g
        if decays and decoupled:
            p *= pull
        elif decays:
            g = g + pull * p
        return formula(xp, g, p, *moments, **named)

    return variant


def sweep(formula: Formula, tensors: list[Tensor | None], named: dict[str, Any]) -> None:
    """Runs the formula on blocks of the tensors' memory, and writes all but the first of them.

    The arrays do not fit in a core's cache. Done operation by operation, each would travel from
    memory and back several times; done block by block, with all operations on one block before
    the next, once. A complex number is treated as two real ones.
    """
    arrays: list[Any] = [None if t is None else t._array for t in tensors]
    size = arrays[0].size
    if size <= BLOCK and all(map(_as_it_is, arrays)):
        _one_block(formula, arrays, named)
    else:
        rows: list[Any] = [None if a is None else _flat(a) for a in arrays]
        for start in range(0, rows[0].size, BLOCK):
            block = [None if row is None else row[start : start + BLOCK] for row in rows]
            _one_block(formula, block, named)
        for into, row in zip(arrays[1:], rows[1:], strict=True):
            if into is not None and not into.flags.c_contiguous:
                into[...] = row.view(into.dtype).reshape(into.shape)


def _as_it_is(array: Any) -> bool:
    """Whether there is no need to see the array as one row of real numbers."""
    return array is None or (array.flags.c_contiguous and array.dtype.kind != "c")


def _flat(array: Any) -> Any:
    """The array as one row of real numbers; the same memory if it is contiguous, else a copy."""
    row = np.ascontiguousarray(array).reshape(-1)
    return row.view(row.real.dtype) if row.dtype.kind == "c" else row


@quiet
def _one_block(formula: Formula, arrays: list[Any], named: dict[str, Any]) -> None:
    """What the formula did not make in place is copied to its place."""
    for old, new in zip(arrays[1:], formula(xp, *arrays, **named), strict=True):
        if new is not old:
            old[...] = new
