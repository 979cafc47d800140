"""Adafactor: second moments kept as one row and one column per matrix."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..core.info import finfo
from ..core.tensor import Tensor
from ..ops.creation import zeros_like
from .optimizer import Optimizer
from .options import one_number
from .state import scalar


class Adafactor(Optimizer):
    """Adam-like steps with sublinear memory: a matrix G keeps means of G² over rows and columns.

        β = 1 - t^τ        ρ = min(γ, 1/√t)        α = max(ε₂, rms(θ)) ρ        θ ← (1 - γλ) θ
        R ← β R + (1 - β) mean_cols(G²)        C ← β C + (1 - β) mean_rows(G²)
        V = R C / max(mean(R), ε₁)             vectors: V ← β V + (1 - β) G²
        U = G / max(√V, ε₁)                    θ ← θ - α U / max(1, rms(U) / d)

    Source: https://arxiv.org/abs/1804.04235, with the learning rate of
    https://docs.pytorch.org/docs/stable/generated/torch.optim.Adafactor.html
    """

    def __init__(
        self,
        params: Iterable,
        lr: float | Tensor = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        if not 0.0 <= one_number("lr", lr):
            raise ValueError(f"Learning rate should be >= 0 but is: {lr}")
        if not 0.0 >= beta2_decay:
            raise ValueError(f"beta2_decay should be <= 0 but is: {beta2_decay}")
        if eps[0] is not None and not 0.0 <= eps[0]:
            raise ValueError(f"epsilon1 should be >= 0 but is: {eps[0]}")
        if not 0.0 <= eps[1]:
            raise ValueError(f"epsilon2 should be >= 0 but is: {eps[1]}")
        if not 1.0 <= d:
            raise ValueError(f"Clipping threshold d should be >= 1 but is: {d}")
        if not 0.0 <= weight_decay:
            raise ValueError(f"weight_decay should be >= 0 but is: {weight_decay}")
        defaults = {
            "lr": lr,
            "beta2_decay": beta2_decay,
            "eps": eps,
            "d": d,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def first_state(self, p: Tensor, g: Tensor, /, **_: Any) -> dict[str, Any]:
        """t = 0 and moments of zero: a row and a column, or all of a vector's."""
        if p.is_complex():
            raise RuntimeError("Adafactor does not support complex parameters")
        if g.dim() < 2:
            return {"step": scalar(0), "variance": zeros_like(g)}
        *batch, rows, columns = g.shape
        return {
            "step": scalar(0),
            "row_var": g.new_zeros((*batch, rows, 1)),
            "col_var": g.new_zeros((*batch, 1, columns)),
        }

    def decay(self, p: Tensor, g: Tensor, /, **_: Any) -> Tensor:
        """Nothing yet: the size of p is measured before it decays."""
        return g

    def update(
        self,
        p: Tensor,
        g: Tensor,
        state: dict[str, Any],
        /,
        lr: float,
        beta2_decay: float,
        eps: tuple[float | None, float],
        d: float,
        weight_decay: float,
        **_: Any,
    ) -> None:
        """The formula above."""
        least = finfo(p.dtype).eps if eps[0] is None else eps[0]
        t = state["step"].add_(1).item()
        step_size = max(eps[1], _rms(p)) * min(lr, 1 / t**0.5)
        if weight_decay != 0:
            p.mul_(1 - lr * weight_decay)
        moment = _second_moment(g, state, t**beta2_decay, least)
        u = moment.clamp_(min=least * least).rsqrt_().mul_(g)
        p.add_(u, alpha=-step_size / max(1.0, _rms(u) / d))


def _second_moment(g: Tensor, state: dict[str, Any], share: float, least: float) -> Tensor:
    """The running mean of g², a new tensor; `share` is the weight of the newest gradient."""
    squares = g * g
    if g.dim() < 2:
        return state["variance"].lerp_(squares, share).clone()
    row = state["row_var"].lerp_(squares.mean(dim=-1, keepdim=True), share)
    column = state["col_var"].lerp_(squares.mean(dim=-2, keepdim=True), share)
    return (row @ column).div_(row.mean(dim=-2, keepdim=True).clamp_(min=least))


def _rms(x: Tensor) -> float:
    """The root of the mean square."""
    return x.norm(2).item() / x.numel() ** 0.5
