"""Averaged stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..core.tensor import Tensor
from ..ops.creation import zeros_like
from .optimizer import Optimizer
from .options import check
from .state import keep, scalar


class ASGD(Optimizer):
    """Gradient descent with a fading step η, and the average a of its path from step t₀ on.

        θ ← (1 - λ η) θ - η g
        a ← a + μ (θ - a)
        η = γ / (1 + λ γ t)^α        μ = 1 / max(1, t - t₀)

    Source: https://doi.org/10.1137/0330046 (Polyak and Juditsky, 1992)
    """

    moments = ("ax",)
    scalar_state = ("step", "eta", "mu")

    def __init__(
        self,
        params: Iterable,
        lr: float | Tensor = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check(lr=lr, weight_decay=weight_decay)
        defaults = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def first_state(self, p: Tensor, g: Tensor, /, lr: float, **_: Any) -> dict[str, Any]:
        """t = 0, η = γ, μ = 1, a = 0."""
        return {"step": scalar(0), "eta": scalar(lr), "mu": scalar(1), "ax": zeros_like(p)}

    def numbers(
        self,
        t: float,
        /,
        lr: float,
        lambd: float,
        alpha: float,
        t0: float,
        eta: Tensor,
        mu: Tensor,
        **_: Any,
    ) -> dict[str, float]:
        """1 - λ η, η and μ, kept since the step before; 0 for `averaging` while μ is 1."""
        now, weight = eta._array.item(), mu._array.item()
        keep(eta, lr / (1 + lambd * lr * t) ** alpha)
        keep(mu, 1 / max(1, t - t0))
        return {
            "rest": 1 - lambd * now,
            "eta": now,
            "mu": weight,
            "averaging": float(weight != 1),
        }

    @staticmethod
    def formula(
        xp: Any, g: Any, p: Any, a: Any, *, rest: float, eta: float, mu: float, averaging: float
    ) -> tuple:
        """The formula above."""
        p *= rest
        p -= eta * g
        average = p - a
        average *= mu
        average += a
        return p, xp.where(averaging, average, p)
