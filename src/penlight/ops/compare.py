"""Comparisons: bool tensors, no gradients."""

from __future__ import annotations

from ..core.tensor import Tensor
from .record import binary

gt = binary("gt", "a > b", "greater", also="torch.greater Tensor.greater Tensor.__gt__")
