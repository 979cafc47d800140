"""NAdam: Adam with Nesterov's look-ahead."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..core.tensor import Tensor
from ..ops.creation import zeros_like
from .optimizer import Optimizer
from .options import check
from .state import keep, scalar


class NAdam(Optimizer):
    """Adam whose first moment looks one step ahead.

        μₜ = β₁ (1 - ½ · 0.96^(tψ))                  ψ is `momentum_decay`
        m ← β₁ m + (1 - β₁) g                        v ← β₂ v + (1 - β₂) g²
        m̂ = (1 - μₜ) g / (1 - μ₁⋯μₜ) + μₜ₊₁ m / (1 - μ₁⋯μₜ₊₁)
        θ ← θ - γ m̂ / (√(v / (1 - β₂ᵗ)) + ε)

    Source: https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ
    """

    moments = ("exp_avg", "exp_avg_sq")
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

    def numbers(
        self,
        t: float,
        /,
        lr: float,
        betas: tuple[float, float],
        eps: float,
        momentum_decay: float,
        mu_product: Tensor,
        **_: Any,
    ) -> dict[str, float]:
        """The factors of g and m in γ m̂ are `of_g` and `of_m`."""
        beta1, beta2 = betas
        mu = beta1 * (1 - 0.5 * 0.96 ** (t * momentum_decay))
        mu_next = beta1 * (1 - 0.5 * 0.96 ** ((t + 1) * momentum_decay))
        product = keep(mu_product, mu_product._array * mu)
        return {
            "share1": 1 - beta1,
            "beta2": beta2,
            "share2": 1 - beta2,
            "correction2": 1 - beta2**t,
            "of_g": lr * (1 - mu) / (1 - product),
            "of_m": lr * mu_next / (1 - product * mu_next),
            "eps": eps,
        }

    @staticmethod
    def formula(
        xp: Any, g: Any, p: Any, m: Any, v: Any, *,
        share1: float, beta2: float, share2: float, correction2: float,
        of_g: float, of_m: float, eps: float,
    ) -> tuple:  # fmt: skip
        """The formula above."""
        m += share1 * (g - m)
        v *= beta2
        v += share2 * g * g
        root = xp.sqrt(v / correction2)
        root += eps
        p -= of_g * g / root
        p -= of_m * m / root
        return p, m, v
