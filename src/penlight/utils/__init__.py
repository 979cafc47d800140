"""The names of torch.utils: `data` and `checkpoint`, imported when first used."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec


def __getattr__(name: str) -> object:
    """Sub-modules, when first used."""
    if not name.startswith("_") and find_spec(f"{__name__}.{name}") is not None:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
