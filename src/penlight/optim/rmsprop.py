"""RMSprop."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..core.tensor import Tensor
from ..ops.creation import zeros_like
from .optimizer import Optimizer
from .options import check
from .state import scalar


class RMSprop(Optimizer):
    """Steps divided by the root of the gradient's recent mean square.

        v ← α v + (1 - α) g²
        r = g / (√v + ε)                                centered: √(v - a²), a ← α a + (1 - α) g
        θ ← θ - γ r                                     with momentum: b ← μ b + r, θ ← θ - γ b

    Sources: https://www.cs.toronto.edu/~tijmen/csc321/slides/lecture_slides_lec6.pdf,
    centered: https://arxiv.org/abs/1308.0850
    """

    moments = ("square_avg", "grad_avg if centered", "momentum_buffer if momentum")

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

    def numbers(
        self, t: float, /, lr: float, alpha: float, eps: float, momentum: float, **_: Any
    ) -> dict[str, float]:
        """γ, α, 1 - α, ε and μ."""
        return {"lr": lr, "alpha": alpha, "share": 1 - alpha, "eps": eps, "momentum": momentum}

    @staticmethod
    def formula(
        xp: Any, g: Any, p: Any, v: Any, a: Any, b: Any, *,
        lr: float, alpha: float, share: float, eps: float, momentum: float,
    ) -> tuple:  # fmt: skip
        """The formula above."""
        v *= alpha
        v += share * g * g
        if a is not None:
            a += share * (g - a)
        r = g / (xp.sqrt(v if a is None else v - a * a) + eps)
        if b is not None:
            b *= momentum
            b += r
        p -= lr * (r if b is None else b)
        return p, v, a, b
