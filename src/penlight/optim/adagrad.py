"""Adagrad."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..core.tensor import Tensor
from ..ops.creation import full_like
from .optimizer import Optimizer
from .options import check
from .state import scalar


class Adagrad(Optimizer):
    """Steps that shrink with the sum of all squared gradients so far.

        s ← s + g²
        θ ← θ - γ / (1 + (t - 1) η) · g / (√s + ε)        η is `lr_decay`

    Source: http://jmlr.org/papers/v12/duchi11a.html
    """

    moments = ("sum",)

    def __init__(
        self,
        params: Iterable,
        lr: float | Tensor = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check(
            lr=lr,
            lr_decay=lr_decay,
            weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value,
            eps=eps,
        )
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:  # PyTorch's Adagrad has state before its first step
            for p in group["params"]:
                self.state[p] = self.first_state(p, p, **group)

    def first_state(
        self, p: Tensor, g: Tensor, /, initial_accumulator_value: float, **_: Any
    ) -> dict[str, Any]:
        """t = 0 and the sum's first value, in both parts of a complex number."""
        first = initial_accumulator_value
        return {
            "step": scalar(0),
            "sum": full_like(p, complex(first, first) if p.is_complex() else first),
        }

    def numbers(
        self, t: float, /, lr: float, lr_decay: float, eps: float, **_: Any
    ) -> dict[str, float]:
        """`size` is the faded learning rate."""
        return {"size": lr / (1 + (t - 1) * lr_decay), "eps": eps}

    @staticmethod
    def formula(xp: Any, g: Any, p: Any, s: Any, *, size: float, eps: float) -> tuple:
        """The formula above."""
        s += g * g
        p -= size * g / (xp.sqrt(s) + eps)
        return p, s

    def share_memory(self) -> None:
        """Moves the sums to memory that other processes see."""
        for state in self.state.values():
            state["sum"].share_memory_()
