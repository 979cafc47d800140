"""The distribution over K classes."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from typing import ClassVar

from ..autograd import enable_grad
from ..core.info import finfo
from ..core.size import Size
from ..core.tensor import Tensor
from ..ops.creation import full_like
from ..ops.shape import broadcast_tensors
from . import constraints
from .distribution import Distribution, one_of


class Categorical(Distribution):
    """Class k with probability proportional to probs[..., k], or to e^logits[..., k].

    >>> import penlight as torch
    >>> coin = torch.distributions.Categorical(probs=torch.tensor([3.0, 1.0]))
    >>> coin.log_prob(torch.tensor(0)).exp()
    tensor(0.7500)
    """

    arg_constraints: ClassVar = {"probs": constraints.simplex, "logits": constraints.real_vector}

    def __init__(
        self,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        one_of(probs, logits)
        for name, given in (("probs", probs), ("logits", logits)):
            if given is not None and given.dim() < 1:
                raise ValueError(f"`{name}` parameter must be at least one-dimensional.")
        if probs is not None:
            self._param = self.probs = probs / probs.sum(-1, keepdim=True)
        elif logits is not None:
            self._param = self.logits = logits - logits.logsumexp(-1, keepdim=True)
        self._num_events = self._param.size(-1)
        self.support = constraints.integer_interval(0, self._num_events - 1)
        super().__init__(self._param.shape[:-1], validate_args=validate_args)

    @functools.cached_property
    def logits(self) -> Tensor:
        """log(probs), of probabilities at least the smallest step of their type above 0."""
        with enable_grad():
            eps = finfo(self.probs.dtype).eps
            return self.probs.clamp(min=eps, max=1 - eps).log()

    @functools.cached_property
    def probs(self) -> Tensor:
        """The probabilities of the classes."""
        with enable_grad():
            return self.logits.softmax(-1)

    @property
    def param_shape(self) -> Size:
        """The shape of probs and logits: batch_shape + (K,)."""
        return self._param.size()

    @property
    def mean(self) -> Tensor:
        """NaN: classes have no order."""
        return full_like(self.probs[..., 0], math.nan)

    @property
    def variance(self) -> Tensor:
        """NaN: classes have no order."""
        return self.mean

    @property
    def mode(self) -> Tensor:
        """The most likely class."""
        return self.probs.argmax(-1)

    def sample(self, sample_shape: Iterable[int] = ()) -> Tensor:
        """Random classes, int64."""
        shape = Size(sample_shape)
        rows = self.probs.reshape(-1, self._num_events)
        return rows.multinomial(shape.numel(), True).T.reshape(self._shape(shape))

    def log_prob(self, value: Tensor) -> Tensor:
        self._check_value(value)
        index, logits = broadcast_tensors(value.long().unsqueeze(-1), self.logits)
        return logits.gather(-1, index[..., :1]).squeeze(-1)

    def entropy(self) -> Tensor:
        finite = self.logits.clamp(min=finfo(self.logits.dtype).min)
        return -(finite * self.probs).sum(-1)
