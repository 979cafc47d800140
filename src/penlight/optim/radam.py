"""RAdam: Adam with a rectified variance."""

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


class RAdam(Optimizer):
    """Adam that trusts its second moment only once enough gradients have been averaged.

        m ← β₁ m + (1 - β₁) g        v ← β₂ v + (1 - β₂) g²
        ρ∞ = 2 / (1 - β₂) - 1        ρ = ρ∞ - 2 t β₂ᵗ / (1 - β₂ᵗ)
        r = √((ρ - 4)(ρ - 2) ρ∞ / ((ρ∞ - 4)(ρ∞ - 2) ρ)) · √(1 - β₂ᵗ) / (√v + ε)   if ρ > 5, else 1
        θ ← θ - γ m / (1 - β₁ᵗ) · r

    Source: https://arxiv.org/abs/1908.03265
    """

    def __init__(
        self,
        params: Iterable,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        check(lr=lr, eps=eps, betas=betas, weight_decay=weight_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def first_state(self, p: Tensor, g: Tensor, /, **_: Any) -> dict[str, Any]:
        """t = 0, m = 0, v = 0."""
        return {"step": scalar(0), "exp_avg": zeros_like(p), "exp_avg_sq": zeros_like(p)}

    def update(
        self,
        p: Tensor,
        g: Tensor,
        state: dict[str, Any],
        /,
        lr: float,
        betas: tuple[float, float],
        eps: float,
        **_: Any,
    ) -> None:
        """The formula above."""
        beta1, beta2 = betas
        m, v = state["exp_avg"], state["exp_avg_sq"]
        t = state["step"].add_(1).item()
        size = lr / (1 - beta1**t)
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * t * beta2**t / (1 - beta2**t)
        rectify = length > 5
        if rectify:
            r = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
            size *= (r * (1 - beta2**t)) ** 0.5

        def formula(g: Any, p: Any, m: Any, v: Any) -> None:
            m += (1 - beta1) * (g - m)
            v *= beta2
            v += (1 - beta2) * g * g
            p -= size * m / (np.sqrt(v) + eps) if rectify else size * m

        sweep(formula, g, p, m, v)
