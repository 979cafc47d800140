"""RAdam: Adam with a rectified variance."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..core.tensor import Tensor
from ..ops.creation import zeros_like
from .optimizer import Optimizer
from .options import check
from .state import scalar


class RAdam(Optimizer):
    """Adam that trusts its second moment only once enough gradients have been averaged.

        m ← β₁ m + (1 - β₁) g        v ← β₂ v + (1 - β₂) g²
        ρ∞ = 2 / (1 - β₂) - 1        ρ = ρ∞ - 2 t β₂ᵗ / (1 - β₂ᵗ)
        r = √((ρ - 4)(ρ - 2) ρ∞ / ((ρ∞ - 4)(ρ∞ - 2) ρ)) · √(1 - β₂ᵗ) / (√v + ε)   if ρ > 5, else 1
        θ ← θ - γ m / (1 - β₁ᵗ) · r

    Source: https://arxiv.org/abs/1908.03265
    """

    moments = ("exp_avg", "exp_avg_sq")

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

    def numbers(
        self, t: float, /, lr: float, betas: tuple[float, float], eps: float, **_: Any
    ) -> dict[str, float]:
        """`size` is the whole factor of m / (√v + ε), or of m while `rectified` is 0."""
        beta1, beta2 = betas
        size = lr / (1 - beta1**t)
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * t * beta2**t / (1 - beta2**t)
        rectified = length > 5
        if rectified:
            r = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
            size *= (r * (1 - beta2**t)) ** 0.5
        return {
            "share1": 1 - beta1,
            "beta2": beta2,
            "share2": 1 - beta2,
            "size": size,
            "rectified": float(rectified),
            "eps": eps,
        }

    @staticmethod
    def formula(
        xp: Any, g: Any, p: Any, m: Any, v: Any, *,
        share1: float, beta2: float, share2: float, size: float, rectified: float, eps: float,
    ) -> tuple:  # fmt: skip
        """The formula above."""
        m += share1 * (g - m)
        v *= beta2
        v += share2 * g * g
        root = xp.sqrt(v)
        root += eps
        p -= size * m / xp.where(rectified, root, 1)
        return p, m, v
