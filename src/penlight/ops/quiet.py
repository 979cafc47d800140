"""NumPy's floating-point warnings off, cheaply: PyTorch computes 1/0 without a word."""

from __future__ import annotations

from collections.abc import Callable
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


def quiet(function: Callable) -> Callable:
    """`function` with the warnings off."""
    if _state is None:
        return np.errstate(all="ignore")(function)

    def silently(*args: Any, **kwargs: Any) -> Any:
        token = _state.set(_SILENT)
        try:
            return function(*args, **kwargs)
        finally:
            _state.reset(token)

    silently.__name__ = function.__name__
    return silently


def named(meaning: str) -> Callable:
    """The op meaning (xp, *arrays) that is one function of the array namespace, quiet."""
    if _state is None:
        return quiet(lambda xp, *arrays: getattr(xp, meaning)(*arrays))

    def compute(xp: Any, *arrays: Any) -> Any:
        token = _state.set(_SILENT)
        try:
            return getattr(xp, meaning)(*arrays)
        finally:
            _state.reset(token)

    return compute
