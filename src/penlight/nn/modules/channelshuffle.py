"""Mixing groups of channels (Zhang et al. 2018, https://arxiv.org/abs/1707.01083)."""

from __future__ import annotations

from ...core.tensor import Tensor
from .. import functional as F
from ..module import Module
from .utils import shown


class ChannelShuffle(Module):
    """Deals the channels of (N, C, *) from `groups` groups in turn; the shape stays."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, input: Tensor) -> Tensor:
        """The input with its channels in the new order."""
        return F.channel_shuffle(input, self.groups)

    def extra_repr(self) -> str:
        """The arguments."""
        return shown(self, "groups")
