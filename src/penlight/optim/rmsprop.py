"""RMSprop."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..core.tensor import Tensor
from ..ops.creation import zeros_like
from .optimizer import Optimizer
from .options import check
from .state import scalar
from .sweep import sweep


class RMSprop(Optimizer):
    """Steps divided by the root of the gradient's recent mean square.

        v ← α v + (1 - α) g²
        r = g / (√v + ε)                                centered: √(v - a²), a ← α a + (1 - α) g
        θ ← θ - γ r                                     with momentum: b ← μ b + r, θ ← θ - γ b

    Sources: https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf,
    centered: https://arxiv.org/abs/1308.0850
    """

    def __init__(
        self,
        params: Iterable,
        lr: float | Tensor = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check(lr=lr, eps=eps, momentum=momentum, weight_decay=weight_decay, alpha=alpha)
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def first_state(
        self, p: Tensor, g: Tensor, /, momentum: float, centered: bool, **_: Any
    ) -> dict[str, Any]:
        """t = 0, v = 0, and b = 0 and a = 0 where they are used."""
        state = {"step": scalar(0), "square_avg": zeros_like(p)}
        if momentum > 0:
            state["momentum_buffer"] = zeros_like(p)
        if centered:
            state["grad_avg"] = zeros_like(p)
        return state

    def update(
        self,
        p: Tensor,
        g: Tensor,
        state: dict[str, Any],
        /,
        lr: float,
        alpha: float,
        eps: float,
        momentum: float,
        centered: bool,
        **_: Any,
    ) -> None:
        """The formula above."""

        def formula(g: Any, p: Any, v: Any, *rest: Any) -> None:
            v *= alpha
            v += (1 - alpha) * g * g
            if centered:
                a = rest[0]
                a += (1 - alpha) * (g - a)
                v = v - a * a
            r = g / (np.sqrt(v) + eps)
            if momentum > 0:
                b = rest[-1]
                b *= momentum
                r = np.add(b, r, out=b)
            p -= lr * r

        state["step"].add_(1)
        used = ["square_avg"] + ["grad_avg"] * centered + ["momentum_buffer"] * (momentum > 0)
        sweep(formula, g, p, *[state[name] for name in used])
