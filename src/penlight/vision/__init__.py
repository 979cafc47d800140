"""Images: data sets, files, transforms and drawing, with torchvision's names."""

from __future__ import annotations

import importlib
from types import ModuleType

PAGES = ("datasets", "io", "transforms", "utils")


def __getattr__(name: str) -> ModuleType:
    if name in PAGES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *PAGES]
