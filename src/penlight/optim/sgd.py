"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..core.tensor import Tensor
from ..ops.creation import zeros_like
from .optimizer import Optimizer
from .options import check
from .sweep import sweep


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
        """No momentum buffer until the first gradient becomes it."""
        return {"momentum_buffer": None} if momentum != 0 else {}

    def update(
        self,
        p: Tensor,
        g: Tensor,
        state: dict[str, Any],
        /,
        lr: float,
        momentum: float,
        dampening: float,
        nesterov: bool,
        **_: Any,
    ) -> None:
        """The formula above."""

        def descend(g: Any, p: Any) -> None:
            p -= lr * g

        def roll(g: Any, p: Any, b: Any) -> None:
            b *= keep
            b += take * g
            p -= lr * (g + momentum * b if nesterov else b)

        if momentum == 0:
            sweep(descend, g, p)
            return
        keep, take = momentum, 1 - dampening
        b = state.get("momentum_buffer")
        if b is None:
            b = state["momentum_buffer"] = zeros_like(g)
            take = 1
        sweep(roll, g, p, b)
