"""The distribution over 0 and 1."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from typing import ClassVar

from ..autograd import enable_grad, no_grad
from ..core.info import finfo
from ..core.size import Size
from ..core.tensor import Tensor
from ..nn import functional as F
from . import constraints
from .distribution import Distribution, broadcast_all, one_of


class Bernoulli(Distribution):
    """1 with probability probs = σ(logits), otherwise 0.

    >>> import penlight as torch
    >>> torch.distributions.Bernoulli(probs=0.25).variance
    tensor(0.1875)
    """

    arg_constraints: ClassVar = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.boolean

    def __init__(
        self,
        probs: Tensor | float | None = None,
        logits: Tensor | float | None = None,
        validate_args: bool | None = None,
    ) -> None:
        one_of(probs, logits)
        if probs is not None:
            (self.probs,) = (self._param,) = broadcast_all(probs)
        else:
            (self.logits,) = (self._param,) = broadcast_all(logits)
        super().__init__(self._param.shape, validate_args=validate_args)

    @functools.cached_property
    def logits(self) -> Tensor:
        """log(p / (1 - p)), of probabilities kept one step of their type from 0 and 1."""
        with enable_grad():
            eps = finfo(self.probs.dtype).eps
            p = self.probs.clamp(min=eps, max=1 - eps)
            return p.log() - (-p).log1p()

    @functools.cached_property
    def probs(self) -> Tensor:
        """The probability of 1."""
        with enable_grad():
            return self.logits.sigmoid()

    @property
    def param_shape(self) -> Size:
        """The shape of probs and logits: batch_shape."""
        return self._param.size()

    @property
    def mean(self) -> Tensor:
        return self.probs

    @property
    def variance(self) -> Tensor:
        return self.probs * (1 - self.probs)

    @property
    def mode(self) -> Tensor:
        """The more likely value; NaN where both are equally likely."""
        return (self.probs >= 0.5).to(self.probs).masked_fill(self.probs == 0.5, math.nan)

    def sample(self, sample_shape: Iterable[int] = ()) -> Tensor:
        """Random zeros and ones, of the type of the parameter."""
        with no_grad():
            return self.probs.expand(self._shape(sample_shape)).bernoulli()

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_value(value)
        logits, value = broadcast_all(self.logits, value)
        return -F.binary_cross_entropy_with_logits(logits, value, reduction="none")

    def entropy(self) -> Tensor:
        return F.binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")
