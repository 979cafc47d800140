"""`torch.serialization`: saving, loading, and which names a file may use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .checkpoint import load, save
from .names import SAFE_GLOBALS

__all__ = [
    "add_safe_globals",
    "clear_safe_globals",
    "get_safe_globals",
    "load",
    "safe_globals",
    "save",
]


def add_safe_globals(safe_globals: list[Callable | tuple[Callable, str]]) -> None:
    """Accepts what `load` can read anyway; anything else raises RuntimeError.

    PyTorch's list can be extended; penlight's is closed, so that loading never runs code.
    """
    for entry in safe_globals:
        named = entry[0] if isinstance(entry, tuple) else entry
        if named not in SAFE_GLOBALS:
            raise RuntimeError(
                f"add_safe_globals: penlight cannot load {named!r}. Its list of names is closed, "
                "so that loading a file never runs code: save plain values and tensors instead "
                "(a model's state_dict(), an object's vars())"
            )


def get_safe_globals() -> list[Any]:
    """The classes whose values a file may hold."""
    return list(SAFE_GLOBALS)


def clear_safe_globals() -> None:
    """Nothing to clear: no name can be added."""


class safe_globals:
    """`add_safe_globals` for a block; raises at its start for what penlight cannot load."""

    def __init__(self, safe_globals: list[Callable | tuple[Callable, str]]) -> None:
        self._names = safe_globals

    def __enter__(self) -> None:
        add_safe_globals(self._names)

    def __exit__(self, *_: object) -> None:
        return None
