"""NAdam: Adam with Nesterov's look-ahead."""

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


class NAdam(Optimizer):
    """Adam whose first moment looks one step ahead.

        μₜ = β₁ (1 - ½ · 0.96^(tψ))                  ψ is `momentum_decay`
        m ← β₁ m + (1 - β₁) g                        v ← β₂ v + (1 - β₂) g²
        m̂ = (1 - μₜ) g / (1 - μ₁⋯μₜ) + μₜ₊₁ m / (1 - μ₁⋯μₜ₊₁)
        θ ← θ - γ m̂ / (√(v / (1 - β₂ᵗ)) + ε)

    Source: https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ
    """

    scalar_state = ("step", "mu_product")

    def __init__(
        self,
        params: Iterable,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        check(lr=lr, eps=eps, betas=betas, weight_decay=weight_decay, momentum_decay=momentum_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def first_state(self, p: Tensor, g: Tensor, /, **_: Any) -> dict[str, Any]:
        """t = 0, an empty product of μ, m = 0, v = 0."""
        return {
            "step": scalar(0),
            "mu_product": scalar(1),
            "exp_avg": zeros_like(p),
            "exp_avg_sq": zeros_like(p),
        }

    def update(
        self,
        p: Tensor,
        g: Tensor,
        state: dict[str, Any],
        /,
        lr: float,
        betas: tuple[float, float],
        eps: float,
        momentum_decay: float,
        **_: Any,
    ) -> None:
        """The formula above."""
        beta1, beta2 = betas
        m, v = state["exp_avg"], state["exp_avg_sq"]
        t = state["step"].add_(1).item()
        mu = beta1 * (1 - 0.5 * 0.96 ** (t * momentum_decay))
        mu_next = beta1 * (1 - 0.5 * 0.96 ** ((t + 1) * momentum_decay))
        product = state["mu_product"].mul_(mu).item()
        of_g, of_m = lr * (1 - mu) / (1 - product), lr * mu_next / (1 - product * mu_next)

        def formula(g: Any, p: Any, m: Any, v: Any) -> None:
            m += (1 - beta1) * (g - m)
            v *= beta2
            v += (1 - beta2) * g * g
            root = np.sqrt(v / (1 - beta2**t)) + eps
            p -= of_g * g / root
            p -= of_m * m / root

        sweep(formula, g, p, m, v)
