"""What parameters and samples of a distribution must satisfy."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..core.tensor import Tensor


class Constraint(NamedTuple):
    """A condition on a tensor, and how PyTorch writes it."""

    text: str
    check: Callable[[Tensor], Tensor]

    def __repr__(self) -> str:
        return self.text


def _on_simplex(value: Tensor) -> Tensor:
    return (value >= 0).all(-1) & ((value.sum(-1) - 1).abs() < 1e-6)


real = Constraint("Real()", lambda value: ~value.isnan())
real_vector = Constraint("IndependentConstraint(Real(), 1)", lambda value: ~value.isnan().any(-1))
positive = Constraint("GreaterThan(lower_bound=0.0)", lambda value: value > 0)
unit_interval = Constraint(
    "Interval(lower_bound=0.0, upper_bound=1.0)", lambda value: (value >= 0) & (value <= 1)
)
boolean = Constraint("Boolean()", lambda value: value.eq(0) | value.eq(1))
simplex = Constraint("Simplex()", _on_simplex)


def integer_interval(low: int, high: int) -> Constraint:
    """Whole numbers from `low` to `high`, both included."""
    return Constraint(
        f"IntegerInterval(lower_bound={low}, upper_bound={high})",
        lambda value: (value % 1).eq(0) & (low <= value) & (value <= high),
    )
