"""Switching the tape off and on: no_grad, enable_grad, set_grad_enabled, inference_mode."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..core.tape import births, modes


class _Mode:
    """A context manager and decorator that sets the thread's grad mode.

    Decorating a generator function sets the mode while its body runs, not while the caller's does.
    """

    def __init__(self, grad: bool):
        self.grad = grad
        self.previous: list[Any] = []

    def __enter__(self) -> None:
        self.previous.append((modes.grad, modes.grad_mode))
        self.enter()

    def enter(self) -> None:
        """Sets the mode."""
        modes.grad_mode = self.grad
        modes.grad = self.grad and not modes.inference

    def __exit__(self, *exc: object) -> None:
        modes.grad, modes.grad_mode = self.previous.pop()

    def clone(self) -> _Mode:
        """The same mode, to be entered independently of this one."""
        return _Mode(self.grad)

    def __call__(self, function: Callable) -> Callable:
        """Decorates a function, a generator function or (its constructor) a class."""
        import inspect

        if inspect.isclass(function):
            function.__init__ = self(function.__init__)  # type: ignore[method-assign, misc]
            return function
        if inspect.isgeneratorfunction(function):
            return self._generator(function)

        @functools.wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with self.clone():
                return function(*args, **kwargs)

        return inside

    def _generator(self, function: Callable) -> Callable:
        @functools.wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            running = function(*args, **kwargs)
            step, value = running.send, None
            while True:
                try:
                    with self.clone():
                        item = step(value)
                except StopIteration as stop:
                    return stop.value
                try:
                    value = yield item
                    step = running.send
                except GeneratorExit:
                    running.close()
                    raise
                except BaseException as error:
                    step, value = running.throw, error  # type: ignore[assignment]

        return inside


class no_grad(_Mode):
    """Inside, nothing is recorded: results do not require gradients.

    >>> import penlight as torch
    >>> x = torch.ones(1, requires_grad=True)
    >>> with torch.no_grad():
    ...     (x * 2).requires_grad
    False
    """

    def __new__(cls, function: Callable | None = None) -> Any:
        self = object.__new__(cls)
        if function is None:
            return self
        self.__init__()  # type: ignore[misc]
        return self(function)

    def __init__(self, function: Callable | None = None):
        super().__init__(False)


class enable_grad(no_grad):
    """Inside, calls are recorded again, also within `no_grad`; never within `inference_mode`."""

    def __init__(self, function: Callable | None = None):
        _Mode.__init__(self, True)


class set_grad_enabled(_Mode):
    """Sets the grad mode at once; as a context manager, until its end."""

    def __init__(self, mode: bool):
        super().__init__(bool(mode))
        self.before = modes.grad, modes.grad_mode
        self.enter()

    def __enter__(self) -> None:
        self.previous.append(self.before)
        self.enter()

    def __call__(self, function: Callable) -> Callable:
        modes.grad, modes.grad_mode = (
            self.before
        )  # a decorator does not change the mode at its definition
        return super().__call__(function)

    def clone(self) -> _Mode:
        """A plain mode with the same value."""
        return _Mode(self.grad)


class inference_mode(_Mode):
    """Like `no_grad`, for code whose results never meet autograd again."""

    def __new__(cls, mode: Any = True) -> Any:
        self = object.__new__(cls)
        if isinstance(mode, bool):
            return self
        self.__init__()  # type: ignore[misc]
        return self(mode)

    def __init__(self, mode: Any = True):
        super().__init__(not mode)
        self.mode = mode if isinstance(mode, bool) else True
        self.outer: list[bool] = []

    def __enter__(self) -> None:
        self.outer.append(modes.inference)
        births.append(modes)
        modes.inference = self.mode
        super().__enter__()

    def __exit__(self, *exc: object) -> None:
        births.pop()
        modes.inference = self.outer.pop()
        super().__exit__(*exc)

    def clone(self) -> _Mode:
        """The same mode, to be entered independently of this one."""
        return inference_mode(self.mode)


def is_grad_enabled() -> bool:
    """Whether this thread's grad mode is on; inference mode records nothing even so."""
    return modes.grad_mode if modes.inference else modes.grad


def is_inference_mode_enabled() -> bool:
    """Whether this thread is in inference mode."""
    return modes.inference
