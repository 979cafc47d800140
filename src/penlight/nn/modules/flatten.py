"""Joining axes and taking them apart."""

from __future__ import annotations

from typing import Any

from ...core.tensor import Tensor
from ..module import Module
from .utils import shown


class Flatten(Module):
    """Joins the axes from `start_dim` to `end_dim` into one.

    >>> import penlight as torch
    >>> torch.nn.Flatten()(torch.zeros(3, 28, 28)).shape
    torch.Size([3, 784])
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Tensor) -> Tensor:
        """The flattened input."""
        return input.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        """The arguments."""
        return shown(self, "start_dim", "end_dim")


class Unflatten(Module):
    """Takes one axis apart into several of the given sizes.

    >>> import penlight as torch
    >>> torch.nn.Unflatten(1, (28, 28))(torch.zeros(3, 784)).shape
    torch.Size([3, 28, 28])
    """

    def __init__(self, dim: int, unflattened_size: Any) -> None:
        super().__init__()
        if not isinstance(unflattened_size, (tuple, list)):
            raise TypeError(
                "unflattened_size must be a tuple of ints, but found type "
                f"{type(unflattened_size).__name__}"
            )
        for i, size in enumerate(unflattened_size):
            if not isinstance(size, int):
                raise TypeError(
                    "unflattened_size must be tuple of ints, but found element of type "
                    f"{type(size).__name__} at pos {i}"
                )
        self.dim, self.unflattened_size = dim, unflattened_size

    def forward(self, input: Tensor) -> Tensor:
        """The input with its axis `dim` taken apart."""
        return input.unflatten(self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        """The arguments."""
        return shown(self, "dim", "unflattened_size")
