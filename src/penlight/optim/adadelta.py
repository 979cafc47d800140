"""Adadelta."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..core.tensor import Tensor
from ..ops.creation import zeros_like
from .optimizer import Optimizer
from .options import check
from .state import scalar


class Adadelta(Optimizer):
    """Steps in units of the recent steps, so that no learning rate need be found.

        v ← ρ v + (1 - ρ) g²
        Δ = √(u + ε) / √(v + ε) · g
        u ← ρ u + (1 - ρ) Δ²
        θ ← θ - γ Δ

    Source: https://arxiv.org/abs/1212.5701
    """

    moments = ("square_avg", "acc_delta")

    def __init__(
        self,
        params: Iterable,
        lr: float | Tensor = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check(lr=lr, rho=rho, eps=eps, weight_decay=weight_decay)
        defaults = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "capturable": capturable,
            "foreach": foreach,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def first_state(self, p: Tensor, g: Tensor, /, **_: Any) -> dict[str, Any]:
        """t = 0, v = 0, u = 0."""
        return {"step": scalar(0), "square_avg": zeros_like(p), "acc_delta": zeros_like(p)}

    def numbers(self, t: float, /, lr: float, rho: float, eps: float, **_: Any) -> dict[str, float]:
        """γ, ρ, 1 - ρ and ε."""
        return {"lr": lr, "rho": rho, "share": 1 - rho, "eps": eps}

    @staticmethod
    def formula(
        xp: Any, g: Any, p: Any, v: Any, u: Any, *,
        lr: float, rho: float, share: float, eps: float,
    ) -> tuple:  # fmt: skip
        """The formula above."""
        v *= rho
        v += share * g * g
        delta = xp.sqrt(u + eps) / xp.sqrt(v + eps) * g
        u *= rho
        u += share * delta * delta
        p -= lr * delta
        return p, v, u
