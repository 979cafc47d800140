"""Padding: a border around the last one, two or three axes.

`padding` is one width for every side, or (left, right), then (top, bottom), then (front, back).
"""

from __future__ import annotations

from typing import Any

from ...core.tensor import Tensor
from .. import functional as F
from ..module import Module
from .utils import _ntuple


class _Pad(Module):
    """A border of `mode` around the last `_rank` axes."""

    _rank: int
    _mode: str

    def __init__(self, padding: Any) -> None:
        super().__init__()
        self.padding = _ntuple(2 * self._rank)(padding)

    def forward(self, input: Tensor) -> Tensor:
        """The input with its border."""
        return F.pad(input, self.padding, self._mode)

    def extra_repr(self) -> str:
        """The widths."""
        return f"{self.padding}"


class _ReflectionPad(_Pad):
    _mode = "reflect"


class _ReplicationPad(_Pad):
    _mode = "replicate"


class _CircularPad(_Pad):
    _mode = "circular"

    def forward(self, input: Tensor) -> Tensor:
        """The input with its border."""
        if input.dim() not in (self._rank + 1, self._rank + 2):
            raise ValueError(
                f"expected {self._rank + 1}D or {self._rank + 2}D input (got {input.dim()}D input)"
            )
        return super().forward(input)


class _ConstantPad(_Pad):
    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        """The input with its border."""
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        """The widths and the value."""
        return f"padding={self.padding}, value={self.value}"


class ReflectionPad1d(_ReflectionPad):
    """Mirrors (N, C, L) or (C, L) at its ends, which are not repeated."""

    _rank = 1


class ReflectionPad2d(_ReflectionPad):
    """Mirrors (N, C, H, W) or (C, H, W) at its edges, which are not repeated."""

    _rank = 2


class ReflectionPad3d(_ReflectionPad):
    """Mirrors (N, C, D, H, W) or (C, D, H, W) at its faces, which are not repeated."""

    _rank = 3


class ReplicationPad1d(_ReplicationPad):
    """Repeats the ends of (N, C, L) or (C, L)."""

    _rank = 1


class ReplicationPad2d(_ReplicationPad):
    """Repeats the edges of (N, C, H, W) or (C, H, W)."""

    _rank = 2


class ReplicationPad3d(_ReplicationPad):
    """Repeats the faces of (N, C, D, H, W) or (C, D, H, W)."""

    _rank = 3


class CircularPad1d(_CircularPad):
    """Continues (N, C, L) or (C, L) from its other end."""

    _rank = 1


class CircularPad2d(_CircularPad):
    """Continues (N, C, H, W) or (C, H, W) from its opposite edges."""

    _rank = 2


class CircularPad3d(_CircularPad):
    """Continues (N, C, D, H, W) or (C, D, H, W) from its opposite faces."""

    _rank = 3


class ConstantPad1d(_ConstantPad):
    """Adds `value` at both ends of the last axis."""

    _rank = 1


class ConstantPad2d(_ConstantPad):
    """Adds `value` around the last two axes."""

    _rank = 2


class ConstantPad3d(_ConstantPad):
    """Adds `value` around the last three axes."""

    _rank = 3


class _ZeroPad(_ConstantPad):
    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        """The widths."""
        return f"{self.padding}"


class ZeroPad1d(_ZeroPad, ConstantPad1d):
    """Adds zeros at both ends of the last axis."""


class ZeroPad2d(_ZeroPad, ConstantPad2d):
    """Adds zeros around the last two axes.

    >>> import penlight as torch
    >>> torch.nn.ZeroPad2d(1)(torch.ones(1, 1, 1))
    tensor([[[0., 0., 0.],
             [0., 1., 0.],
             [0., 0., 0.]]])
    """


class ZeroPad3d(_ZeroPad, ConstantPad3d):
    """Adds zeros around the last three axes."""
