"""Resilient backpropagation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..core.tensor import Tensor
from ..ops.creation import full_like, zeros_like
from .optimizer import Optimizer
from .options import check
from .state import scalar


class Rprop(Optimizer):
    """A step of its own for each number, which grows while the gradient keeps its sign.

        h = η₊ h where g · g₋₁ > 0,  η₋ h where g · g₋₁ < 0 (and there g ← 0),  within step_sizes
        θ ← θ - h · sign(g)

    Source: http://citeseerx.ist.psu.edu/viewdoc/summary?doi=10.1.1.21.1417
    """

    moments = ("prev", "step_size")

    def __init__(
        self,
        params: Iterable,
        lr: float | Tensor = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check(lr=lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        defaults = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def first_state(self, p: Tensor, g: Tensor, /, lr: float, **_: Any) -> dict[str, Any]:
        """No earlier gradient, and every step is the learning rate."""
        first = complex(lr, lr) if p.is_complex() else lr
        return {"step": scalar(0), "prev": zeros_like(p), "step_size": full_like(g, first)}

    def numbers(
        self,
        t: float,
        /,
        etas: tuple[float, float],
        step_sizes: tuple[float, float],
        **_: Any,
    ) -> dict[str, float]:
        """η₋, η₊ and the bounds of h."""
        return {
            "shrink": etas[0], "grow": etas[1], "least": step_sizes[0], "most": step_sizes[1]
        }  # fmt: skip

    @staticmethod
    def formula(
        xp: Any, g: Any, p: Any, before: Any, h: Any, *,
        shrink: float, grow: float, least: float, most: float,
    ) -> tuple:  # fmt: skip
        """The formula above."""
        agreement = g * before
        turned = agreement < 0
        h = xp.where(turned, shrink * h, xp.where(agreement > 0, grow * h, h))
        h = xp.minimum(xp.maximum(h, least), most)
        g = xp.where(turned, 0, g)
        p -= h * xp.sign(g)
        return p, g, h
