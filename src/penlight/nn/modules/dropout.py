"""Dropout: setting random elements or channels to zero while training.

Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html; the alpha forms keep mean
and variance under SELU: Klambauer et al. 2017, https://arxiv.org/abs/1706.02515
"""

from __future__ import annotations

from ...core.tensor import Tensor
from .. import functional as F
from ..module import Module
from .utils import shown


class _DropoutNd(Module):
    """What all forms of dropout share: the probability `p` of an element to be dropped."""

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if p < 0 or p > 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p, self.inplace = p, inplace

    def extra_repr(self) -> str:
        """The arguments."""
        return shown(self, "p", "inplace")


class Dropout(_DropoutNd):
    """In training, each element is zero with probability p, else divided by 1 - p.

    >>> import penlight as torch
    >>> torch.nn.Dropout(0.5).eval()(torch.ones(3))
    tensor([1., 1., 1.])
    """

    def forward(self, input: Tensor) -> Tensor:
        """The input with elements dropped."""
        return F.dropout(input, self.p, self.training, self.inplace)


class Dropout1d(_DropoutNd):
    """In training, each channel of (N, C, L) or (C, L) is zero with probability p."""

    def forward(self, input: Tensor) -> Tensor:
        """The input with channels dropped."""
        return F.dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(_DropoutNd):
    """In training, each channel of (N, C, H, W) is zero with probability p."""

    def forward(self, input: Tensor) -> Tensor:
        """The input with channels dropped."""
        return F.dropout2d(input, self.p, self.training, self.inplace)


class Dropout3d(_DropoutNd):
    """In training, each channel of (N, C, D, H, W) or (C, D, H, W) is zero with probability p."""

    def forward(self, input: Tensor) -> Tensor:
        """The input with channels dropped."""
        return F.dropout3d(input, self.p, self.training, self.inplace)


class AlphaDropout(_DropoutNd):
    """Dropout to SELU's lower limit instead of zero; keeps mean 0 and variance 1."""

    def forward(self, input: Tensor) -> Tensor:
        """The input with elements dropped."""
        return F.alpha_dropout(input, self.p, self.training)


class FeatureAlphaDropout(_DropoutNd):
    """`AlphaDropout` of whole channels."""

    def forward(self, input: Tensor) -> Tensor:
        """The input with channels dropped."""
        return F.feature_alpha_dropout(input, self.p, self.training)
