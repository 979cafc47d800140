"""The names of torch.func: calls of modules as functions of their parameters."""

from __future__ import annotations

from importlib import import_module as _import_module
from typing import Any as _Any

_LATE = {"functional_call": "penlight.nn.utils.stateless"}  # imported when first used


def __getattr__(name: str) -> _Any:
    if name in _LATE:
        return getattr(_import_module(_LATE[name]), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}': penlight lacks it")
