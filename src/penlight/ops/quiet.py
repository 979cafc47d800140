"""NumPy's floating-point warnings off, cheaply: PyTorch computes 1/0 without a word."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

try:
    # `np.errstate` builds its state anew at each call, which costs as much as a small op. NumPy
    # keeps the state in this context variable; one made once can be set there directly.
    from numpy._core._ufunc_config import _extobj_contextvar as _state  # type: ignore[attr-defined]
    from numpy._core._ufunc_config import _make_extobj  # type: ignore[attr-defined]
except ImportError:  # a NumPy that keeps it elsewhere
    _state = None

_SILENT = None if _state is None else _make_extobj(all="ignore")


def _public() -> tuple[Callable, Callable]:
    """`hush` and `restore` by what NumPy documents."""

    def hush() -> Any:
        context = np.errstate(all="ignore")
        context.__enter__()
        return context

    return hush, lambda context: context.__exit__()


# `hush()` turns the warnings off; what it returns is for `restore`. Every op calls both.
hush, restore = _public() if _state is None else (partial(_state.set, _SILENT), _state.reset)


def quiet(function: Callable) -> Callable:
    """`function` with the warnings off."""

    def silently(*args: Any, **kwargs: Any) -> Any:
        token = hush()
        try:
            return function(*args, **kwargs)
        finally:
            restore(token)

    silently.__name__ = function.__name__
    return silently


def named(meaning: str) -> Callable:
    """The op meaning (xp, *arrays) that is one function of the array namespace, quiet."""
    return quiet(lambda xp, *arrays: getattr(xp, meaning)(*arrays))
