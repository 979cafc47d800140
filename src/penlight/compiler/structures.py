"""Operations with kernels of their own: convolution, pooling, attention, scatter.

Each says what its results look like (`rule`), and which kernels compute them (`plan`). The same
definition serves a graph, where it is one value per result, and eager code, through `numerics`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .spec import Operand, Spec

Form = tuple[str, tuple[int, ...]]  # kind, shape
Place = tuple[str, int]  # ("in", i), ("out", j) or ("work", n): an input, a result, a workspace;
# ("error", 0): the cell that a wrong index is reported in, see `spec.At`


@dataclass(frozen=True)
class Stage:
    """One kernel of a plan, and what its operands are."""

    spec: Spec
    places: tuple[Place, ...]


@dataclass(frozen=True)
class Plan:
    """Kernels in order. `work` gives the bytes of each workspace."""

    stages: tuple[Stage, ...]
    work: tuple[int, ...] = ()


@dataclass(frozen=True)
class Structure:
    """An operation on whole arrays.

    `rule(forms, attr)` -> the form of each result; ValueError where there are no such arrays.
    `attr` are its static arguments, (name, value) pairs in the order of the names.
    `plan(forms, operands, attr)` -> the kernels. `operands` say how each input lies in memory, over
    its own axes; results lie in row-major order.
    `statics`  the names of the static arguments that may follow the arrays by position
    `rows`  inputs must lie in row-major order (others may have any strides)
    """

    name: str
    rule: Callable[[Sequence[Form], Any], Sequence[Form]]
    plan: Callable[[Sequence[Form], Sequence[Operand], Any], Plan]
    statics: tuple[str, ...] = ()
    rows: bool = True


STRUCTURES: dict[str, Structure] = {}


def structure(found: Structure) -> Structure:
    """Adds a structure to the table."""
    STRUCTURES[found.name] = found
    return found
