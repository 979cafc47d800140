"""The base of all schedules: it sets each group's learning rate, epoch by epoch."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any
from weakref import ref

from ...core.tensor import Tensor
from ...core.watch import host_work, refuse, tracers
from ..optimizer import Optimizer
from ..options import zero_dim

EPOCH_DEPRECATED = (
    "The epoch parameter in `scheduler.step()` was not necessary and is being deprecated where "
    "possible. Please use `scheduler.step()` to step the scheduler. During the deprecation, if "
    "epoch is different from None, the closed form is used instead of the new chainable form, "
    "where available. Please open an issue if you are unable to replicate your use case: "
    "https://github.com/pytorch/pytorch/issues/new/choose."
)
SEE = "https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate"


def values(optimizer: Optimizer, key: str) -> list[Any]:
    """`group[key]` of each group; tensors as copies."""
    return [
        group[key].clone() if isinstance(group[key], Tensor) else group[key]
        for group in optimizer.param_groups
    ]


def set_value(group: dict[str, Any], key: str, value: Any) -> None:
    """Sets `group[key]`, in place where it is a tensor."""
    if isinstance(group[key], Tensor):
        group[key].fill_(zero_dim(value))
    else:
        group[key] = value


def per_group(name: str, optimizer: Optimizer, value: Any) -> list[Any]:
    """One value for each group, from a list of them or from a single one."""
    groups = len(optimizer.param_groups)
    if isinstance(value, (list, tuple)):
        if len(value) != groups:
            raise ValueError(
                f"{name} must have the same length as optimizer.param_groups. "
                f"{name} has {len(value)} values, param_groups has {groups}."
            )
        each = list(value)
    else:
        each = [value] * groups
    return [v.clone() if isinstance(v, Tensor) else v for v in each]


def checked(optimizer: Any) -> Optimizer:
    """`optimizer`, if it is one."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
    return optimizer


def _recordable(step: Any) -> Any:
    """A schedule's `step` as work that a replay of a recorded call does again."""

    @wraps(step)
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not tracers:
            return step(self, *args, **kwargs)
        if any(isinstance(a, Tensor) for a in (*args, *kwargs.values())):
            refuse("a schedule reads the value of a tensor")
        return host_work(lambda: step(self, *args, **kwargs))

    return run


class LRScheduler:
    """Base class. `get_lr` says the rates of the coming epoch; `step` goes there.

    A schedule starts with each group's present rate (`initial_lr`), unless `last_epoch` says that
    it is being resumed. Call `step` after the optimizer's `step`.

    See https://docs.pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate
    """

    _get_lr_called_within_step = False
    _is_initial = False  # during the first step, taken by the constructor
    _unsaved: tuple[str, ...] = ("optimizer",)  # attributes that state_dict leaves out

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = checked(optimizer)
        if last_epoch == -1:
            for group, lr in zip(optimizer.param_groups, values(optimizer, "lr"), strict=True):
                group.setdefault("initial_lr", lr)
        else:
            _check_resumable(optimizer)
        self.base_lrs = values(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        _note_steps(optimizer)
        self._initial_step()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "step" in cls.__dict__:
            cls.step = _recordable(cls.step)  # type: ignore[method-assign]

    def _initial_step(self) -> None:
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def get_last_lr(self) -> list[Any]:
        """The rates set by the last step."""
        return self._last_lr

    def get_lr(self) -> list[Any]:
        """The rates of the epoch `last_epoch`, one for each group."""
        raise NotImplementedError

    @_recordable
    def step(self, epoch: int | None = None) -> None:
        """Goes to the next epoch (or, deprecated, to `epoch`) and sets the rates."""
        if self._step_count == 1:
            self._check_order()
        self._step_count += 1
        if epoch is not None:
            warnings.warn(EPOCH_DEPRECATED, UserWarning, stacklevel=2)
        self._update_lr(epoch)

    def _update_lr(self, epoch: int | None = None) -> None:
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        formula = self.get_lr
        if epoch is not None:
            formula = getattr(self, "_get_closed_form_lr", formula)
        with self._inside_step():
            rates = formula()
        self._set_lr(rates)

    def _set_lr(self, rates: list[Any]) -> None:
        for group, lr in zip(self.optimizer.param_groups, rates, strict=True):
            set_value(group, "lr", lr)
        self._last_lr = values(self.optimizer, "lr")

    @contextmanager
    def _inside_step(self) -> Iterator[None]:
        self._get_lr_called_within_step = True
        try:
            yield
        finally:
            self._get_lr_called_within_step = False

    def _warn_outside_step(self) -> None:
        if not self._get_lr_called_within_step:
            warnings.warn(
                "To get the last learning rate computed by the scheduler, "
                "please use `get_last_lr()`.",
                UserWarning,
                stacklevel=3,
            )

    def _check_order(self) -> None:
        if not hasattr(self.optimizer.step, "_wrapped_by_lr_sched"):
            warnings.warn(
                "Seems like `optimizer.step()` has been overridden after learning rate scheduler "
                "initialization. Please, make sure to call `optimizer.step()` before "
                f"`lr_scheduler.step()`. See more details at {SEE}",
                UserWarning,
                stacklevel=3,
            )
        elif not getattr(self.optimizer, "_opt_called", False):
            warnings.warn(
                "Detected call of `lr_scheduler.step()` before `optimizer.step()`. "
                "In PyTorch 1.1.0 and later, you should call them in the opposite order: "
                "`optimizer.step()` before `lr_scheduler.step()`.  Failure to do this "
                "will result in PyTorch skipping the first value of the learning rate schedule. "
                f"See more details at {SEE}",
                UserWarning,
                stacklevel=3,
            )

    def state_dict(self) -> dict[str, Any]:
        """Everything about the schedule except the optimizer."""
        return {key: value for key, value in self.__dict__.items() if key not in self._unsaved}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes up a schedule of the same kind where it was."""
        self.__dict__.update(state_dict)


class _LRScheduler(LRScheduler):
    """The base class's old name."""


class FactorScheduler(LRScheduler):
    """A schedule that multiplies the present rates, so that several can act on one optimizer.

    `_factor` is by how much the coming epoch's rates differ from the present ones; `_closed_form`
    is their share of the base rates.
    """

    def _factor(self) -> float:
        raise NotImplementedError

    def _closed_form(self) -> float:
        raise NotImplementedError

    def get_lr(self) -> list[Any]:
        """The present rates times this epoch's factor."""
        self._warn_outside_step()
        factor = self._factor()
        if factor == 1:
            return values(self.optimizer, "lr")
        return [group["lr"] * factor for group in self.optimizer.param_groups]

    def _get_closed_form_lr(self) -> list[Any]:
        share = self._closed_form()
        return [lr * share for lr in self.base_lrs]


def _check_resumable(optimizer: Optimizer) -> None:
    for i, group in enumerate(optimizer.param_groups):
        if "initial_lr" not in group:
            raise KeyError(
                f"param 'initial_lr' is not specified in param_groups[{i}] when resuming scheduler "
                "with last_epoch >= 0.\n"
                "This typically happens when:\n"
                "1. You're trying to resume training from a checkpoint but haven't properly loaded "
                "the optimizer state\n"
                "2. You're using last_epoch >= 0 for a fresh training run (not recommended)"
            )


def _note_steps(optimizer: Optimizer) -> None:
    """Lets the optimizer remember that it has stepped, for the warning about the order."""
    if hasattr(optimizer.step, "_wrapped_by_lr_sched"):
        return
    step: Any = optimizer.step.__func__  # type: ignore[attr-defined]
    owner = ref(optimizer)  # no cycle: an optimizer holds large state

    @wraps(step)
    def noting(*args: Any, **kwargs: Any) -> Any:
        stepping: Any = owner()
        stepping._opt_called = True
        return step.__get__(stepping, type(stepping))(*args, **kwargs)

    noting._wrapped_by_lr_sched = True  # type: ignore[attr-defined]
    optimizer.step = noting  # type: ignore[method-assign]
