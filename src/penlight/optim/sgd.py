"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..core.tensor import Tensor
from ..ops.creation import zeros_like
from .optimizer import Optimizer
from .options import check


class SGD(Optimizer):
    """Gradient descent with optional momentum μ, dampening τ and Nesterov's look-ahead:

        b ← μ b + (1 - τ) g,    first b = g
        θ ← θ - γ b             (Nesterov: θ - γ (g + μ b))

    >>> import penlight as torch
    >>> w = torch.nn.Parameter(torch.tensor([1.0]))
    >>> (3 * w).sum().backward()
    >>> torch.optim.SGD([w], lr=0.1).step()
    >>> w.item()
    0.699999988079071

    Source: http://www.cs.toronto.edu/%7Ehinton/absps/momentum.pdf
    """

    moments = ("momentum_buffer if momentum",)
    switches = ("nesterov",)
    at_first = ("first",)
    scalar_state = ()

    def __init__(
        self,
        params: Iterable,
        lr: float | Tensor = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float | Tensor = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check(lr=lr, momentum=momentum, weight_decay=weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)

    def first_state(self, p: Tensor, g: Tensor, /, momentum: float, **_: Any) -> dict[str, Any]:
        """b = 0, so that the first b is the first gradient."""
        return {"momentum_buffer": zeros_like(g)} if momentum != 0 else {}

    def numbers(
        self, t: float, /, lr: float, momentum: float, dampening: float, **_: Any
    ) -> dict[str, float]:
        """γ, μ and 1 - τ."""
        return {"lr": lr, "momentum": momentum, "share": 1 - dampening}

    @staticmethod
    def formula(
        xp: Any, g: Any, p: Any, b: Any, *,
        lr: float, momentum: float, share: float, nesterov: bool, first: bool = False,
    ) -> tuple:  # fmt: skip
        """The formula above."""
        if b is None:
            p -= lr * g
            return p, b
        b *= momentum
        b += g if first else share * g
        p -= lr * (g + momentum * b if nesterov else b)
        return p, b
