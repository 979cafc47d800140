"""Adam and AdamW."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..core.tensor import Tensor
from ..ops.creation import zeros_like
from .optimizer import Optimizer
from .options import check, one_number, zero_dim
from .state import scalar


class Adam(Optimizer):
    """Adaptive moment estimation: steps scaled by running moments of the gradient.

        m ← β₁ m + (1 - β₁) g        v ← β₂ v + (1 - β₂) g²
        m̂ = m / (1 - β₁ᵗ)            v̂ = v / (1 - β₂ᵗ)
        θ ← θ - γ m̂ / (√v̂ + ε)

    `amsgrad` replaces v by the largest v so far. `decoupled_weight_decay` makes it AdamW.

    Source: https://arxiv.org/abs/1412.6980
    """

    moments = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq if amsgrad")

    def __init__(
        self,
        params: Iterable,
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        if foreach and not capturable and isinstance(lr, Tensor):
            raise ValueError(
                "lr as a Tensor is not supported for capturable=False and foreach=True"
            )
        check(lr=lr, eps=eps, betas=betas, weight_decay=weight_decay)
        betas = _checked_betas(betas, foreach and not capturable)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)

    def first_state(self, p: Tensor, g: Tensor, /, amsgrad: bool, **_: Any) -> dict[str, Any]:
        """t = 0, m = 0, v = 0."""
        state = {"step": scalar(0), "exp_avg": zeros_like(p), "exp_avg_sq": zeros_like(p)}
        if amsgrad:
            state["max_exp_avg_sq"] = zeros_like(p)
        return state

    def numbers(
        self, t: float, /, lr: float, betas: tuple[float, float], eps: float, **_: Any
    ) -> dict[str, float]:
        """Both corrections are in `size` and `spread`."""
        beta1, beta2 = betas
        return {
            "share1": 1 - beta1,
            "beta2": beta2,
            "share2": 1 - beta2,
            "size": lr / (1 - beta1**t),
            "spread": (1 - beta2**t) ** 0.5,
            "eps": eps,
        }

    @staticmethod
    def formula(
        xp: Any, g: Any, p: Any, m: Any, v: Any, largest: Any, *,
        share1: float, beta2: float, share2: float, size: float, spread: float, eps: float,
    ) -> tuple:  # fmt: skip
        """The formula above."""
        m += share1 * (g - m)
        v *= beta2
        v += share2 * g * g
        if largest is None:
            root = xp.sqrt(v)
        else:
            largest = xp.maximum(largest, v)
            root = xp.sqrt(largest)
        root /= spread
        root += eps
        p -= size * m / root
        return p, m, v, largest


class AdamW(Adam):
    """Adam whose weight decay acts on the parameters and not through the moments:

        θ ← θ - γ λ θ,  then Adam's step with λ = 0.

    Source: https://arxiv.org/abs/1711.05101
    """

    def __init__(
        self,
        params: Iterable,
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:  # whatever an older AdamW or an Adam has saved
            group["decoupled_weight_decay"] = True


def _checked_betas(betas: tuple, numbers_only: bool | None) -> tuple:
    """Both betas as floats or both as 0-d tensors."""
    kinds = {Tensor if isinstance(beta, Tensor) else type(beta) for beta in betas}
    if kinds not in ({float}, {Tensor}):
        raise ValueError("betas must be either both floats or both Tensors")
    for i, beta in enumerate(betas):
        if numbers_only and isinstance(beta, Tensor):
            raise ValueError(
                f"betas[{i}] as a Tensor is not supported for capturable=False and foreach=True"
            )
        one_number(f"betas[{i}]", beta)
    return tuple(map(zero_dim, betas))
