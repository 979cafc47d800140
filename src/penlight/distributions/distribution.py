"""What distributions share: shapes, the check of their arguments, how they print."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from ..autograd import no_grad
from ..core.size import Size
from ..core.tensor import Tensor
from ..ops.shape import broadcast_tensors
from ..ops.sharing import as_tensor
from .constraints import Constraint


class Distribution:
    """A batch of distributions of one kind; a sample is of shape sample_shape + batch_shape.

    Arguments are checked against `arg_constraints`, and values against `support`, unless
    `validate_args=False`. Raises ValueError where one of them does not fit.
    """

    has_rsample = False
    arg_constraints: ClassVar[dict[str, Constraint]] = {}
    support: Any
    _validate_args = __debug__

    def __init__(
        self,
        batch_shape: Iterable[int] = (),
        event_shape: Iterable[int] = (),
        validate_args: bool | None = None,
    ) -> None:
        self._batch_shape, self._event_shape = Size(batch_shape), Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            self._check_parameters()

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Whether arguments are checked where `validate_args` is not given."""
        Distribution._validate_args = value

    @property
    def batch_shape(self) -> Size:
        """The shape of the parameters: one distribution for each element."""
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        """The shape of one sample of one distribution."""
        return self._event_shape

    @property
    def mean(self) -> Tensor:
        """The expected value."""
        raise NotImplementedError

    @property
    def variance(self) -> Tensor:
        """The expected squared distance from the mean."""
        raise NotImplementedError

    @property
    def stddev(self) -> Tensor:
        """The square root of the variance."""
        return self.variance.sqrt()

    def sample(self, sample_shape: Iterable[int] = ()) -> Tensor:
        """Random values, without history."""
        with no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Iterable[int] = ()) -> Tensor:
        """Random values as a differentiable function of the parameters."""
        raise NotImplementedError

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density, or of the probability, at `value`."""
        raise NotImplementedError

    def entropy(self) -> Tensor:
        """The expected value of -log p(x)."""
        raise NotImplementedError

    def perplexity(self) -> Tensor:
        """e to the power of the entropy."""
        return self.entropy().exp()

    def __repr__(self) -> str:
        known = {name: vars(self)[name] for name in self.arg_constraints if name in vars(self)}
        shown = (f"{k}: {v if v.numel() == 1 else v.size()}" for k, v in known.items())
        return f"{type(self).__name__}({', '.join(shown)})"

    def _shape(self, sample_shape: Iterable[int]) -> Size:
        return Size((*sample_shape, *self._batch_shape, *self._event_shape))

    def _check_parameters(self) -> None:
        for name, constraint in self.arg_constraints.items():
            value = vars(self).get(name)  # of probs and logits, the one that was given
            if value is not None and not constraint.check(value).all():
                raise ValueError(
                    f"Expected parameter {name} ({_kind(value)}) of distribution {self!r} to "
                    f"satisfy the constraint {constraint!r}, but found invalid values:\n{value}"
                )

    def _check_value(self, value: Tensor) -> None:
        if not self._validate_args:
            return
        if not isinstance(value, Tensor):
            raise ValueError("The value argument to log_prob must be a Tensor")
        given, expected = value.size(), self._batch_shape + self._event_shape
        pairs = zip(reversed(given), reversed(expected), strict=False)
        if any(1 not in (i, j) and i != j for i, j in pairs):
            raise ValueError(
                f"Value is not broadcastable with batch_shape+event_shape: {given} vs {expected}."
            )
        if not self.support.check(value).all():
            raise ValueError(
                f"Expected value argument ({_kind(value)}) to be within the support "
                f"({self.support!r}) of the distribution {self!r}, but found invalid values:\n"
                f"{value}"
            )


def _kind(value: Tensor) -> str:
    return f"{type(value).__name__} of shape {tuple(value.shape)}"


def broadcast_all(*values: Any) -> tuple[Tensor, ...]:
    """Numbers and tensors as tensors of one shape; numbers take the type of the tensors."""
    dtype = next((v.dtype for v in values if isinstance(v, Tensor)), None)
    for value in values:
        if not isinstance(value, (Tensor, int, float)):
            raise ValueError(
                "Input arguments must all be instances of Number, torch.Tensor or objects "
                "implementing __torch_function__."
            )
    # a whole number alone would become an integer tensor
    tensors = (v if isinstance(v, Tensor) else as_tensor(float(v), dtype=dtype) for v in values)
    return tuple(broadcast_tensors(*tensors))


def one_of(probs: Any, logits: Any) -> None:
    """ValueError unless exactly one of the two is given."""
    if (probs is None) == (logits is None):
        raise ValueError("Either `probs` or `logits` must be specified, but not both.")
