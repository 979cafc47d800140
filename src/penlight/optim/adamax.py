"""Adamax: Adam with the infinity norm."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..core.tensor import Tensor
from ..ops.creation import zeros_like
from .optimizer import Optimizer
from .options import check
from .state import scalar


class Adamax(Optimizer):
    """Adam with the largest recent gradient in place of the root of its second moment.

        m ← β₁ m + (1 - β₁) g        u ← max(β₂ u, |g| + ε)
        θ ← θ - γ / (1 - β₁ᵗ) · m / u

    Source: https://arxiv.org/abs/1412.6980, section 7.1
    """

    moments = ("exp_avg", "exp_inf")

    def __init__(
        self,
        params: Iterable,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check(lr=lr, eps=eps, betas=betas, weight_decay=weight_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def first_state(self, p: Tensor, g: Tensor, /, **_: Any) -> dict[str, Any]:
        """t = 0, m = 0, u = 0."""
        return {"step": scalar(0), "exp_avg": zeros_like(p), "exp_inf": zeros_like(p)}

    def numbers(
        self, t: float, /, lr: float, betas: tuple[float, float], eps: float, **_: Any
    ) -> dict[str, float]:
        """The correction is in `size`."""
        beta1, beta2 = betas
        return {"share1": 1 - beta1, "beta2": beta2, "size": lr / (1 - beta1**t), "eps": eps}

    @staticmethod
    def formula(
        xp: Any, g: Any, p: Any, m: Any, u: Any, *,
        share1: float, beta2: float, size: float, eps: float,
    ) -> tuple:  # fmt: skip
        """The formula above."""
        m += share1 * (g - m)
        u = xp.maximum(beta2 * u, xp.abs(g) + eps)
        p -= size * m / u
        return p, m, u
