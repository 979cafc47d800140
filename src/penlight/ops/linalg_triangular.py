"""Triangular systems of equations."""

from __future__ import annotations

from typing import Any

from ..core.tensor import Tensor
from . import dense
from .families import composite, op
from .linalg_checks import equation, floating, matrix, one_batch, same_types, square


def _triangle(t: Tensor, upper: bool, unit: bool) -> Tensor:
    """The part of a gradient that belongs to the triangle that was read."""
    return t.triu(1 if unit else 0) if upper else t.tril(-1 if unit else 0)


def _rule_a(g: Tensor, y: Tensor, A: Tensor, upper: bool, unit: bool) -> Tensor:
    return _triangle(-(_solve(A.mH, g, not upper, unit) @ y.mH), upper, unit)


@op(
    grad={
        "A": _rule_a,
        "B": lambda g, A, upper, unit: _solve(A.mH, g, not upper, unit),
    },
    node="LinalgSolveTriangularBackward0",
)
def _solve(xp: Any, A: Any, B: Any, upper: bool, unit: bool) -> Any:
    return dense.solve_triangular(A, B, upper, unit)


@composite(names="linalg.solve_triangular")
def solve_triangular(A, B, *, upper, left=True, unitriangular=False):
    """X with A X = B (left=False: X A = B) for a triangular A; the other triangle is not read.

    >>> import penlight as torch
    >>> A = torch.tensor([[2.0, 0.0], [1.0, 4.0]])
    >>> torch.linalg.solve_triangular(A, torch.tensor([[2.0], [5.0]]), upper=False)
    tensor([[1.],
            [1.]])
    """
    name = "linalg.solve_triangular"
    same_types(name, A, B)
    square(name, A)
    matrix(name, B, "B")
    equation(name, A, B, left)
    floating(name, A)
    A, B = one_batch(A, B)
    if left:
        return _solve(A, B, bool(upper), bool(unitriangular))
    return _solve(A.mT, B.mT, not upper, bool(unitriangular)).mT
