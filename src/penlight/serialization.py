"""The names of torch.serialization, which live on a higher floor: in `penlight.io`."""

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    return getattr(import_module("penlight.io.serialization"), name)
