"""SparseAdam."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..core.tensor import Tensor
from .optimizer import Optimizer
from .options import check


class SparseAdam(Optimizer):
    """Adam for sparse gradients. penlight has none, so that its steps always raise.

    The constructor checks its arguments as PyTorch's does.

    >>> import penlight as torch
    >>> w = torch.nn.Parameter(torch.zeros(2))
    >>> w.sum().backward()
    >>> torch.optim.SparseAdam([w]).step()
    Traceback (most recent call last):
    RuntimeError: SparseAdam does not support dense gradients, please consider Adam instead
    penlight has no sparse tensors: every gradient is dense
    """

    def __init__(
        self,
        params: Iterable,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        maximize: bool = False,
    ) -> None:
        check(lr=lr, eps=eps, betas=betas)
        if lr == 0:
            raise ValueError(f"Invalid learning rate: {lr}")
        if eps == 0:
            raise ValueError(f"Invalid epsilon value: {eps}")
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "maximize": maximize})
        found = [
            [i, j]
            for i, group in enumerate(self.param_groups)
            for j, p in enumerate(group["params"])
            if p.is_complex()
        ]
        if found:
            raise ValueError(
                f"Complex params at indices {found}: SparseAdam does not support complex parameters"
            )

    def update(self, p: Tensor, g: Tensor, state: dict[str, Any], /, **_: Any) -> None:
        """Raises: g is dense."""
        raise RuntimeError(
            "SparseAdam does not support dense gradients, please consider Adam instead\n"
            "penlight has no sparse tensors: every gradient is dense"
        )
