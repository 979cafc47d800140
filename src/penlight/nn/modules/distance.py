"""Distances and similarities of pairs of vectors."""

from __future__ import annotations

from ...core.tensor import Tensor
from .. import functional as F
from ..module import Module


class PairwiseDistance(Module):
    """‖x₁ - x₂ + eps‖_p along the last axis.

    x₁, x₂ (N, D) or (D)    output (N) or (), with `keepdim` (N, 1) or (1)
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.norm, self.eps, self.keepdim = p, eps, keepdim

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """The distance of each pair."""
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)


class CosineSimilarity(Module):
    """x₁·x₂ / max(‖x₁‖‖x₂‖, eps) along one axis."""

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim, self.eps = dim, eps

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """The similarity of each pair."""
        return F.cosine_similarity(x1, x2, self.dim, self.eps)
