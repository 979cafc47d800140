"""Layers and what belongs to them, under the names of torch.nn."""

from ..core.teaching import TeachingWarning
from . import functional, init, modules, parameter, utils
from .modules import *  # noqa: F403
from .parameter import (
    Buffer,
    Parameter,
    UninitializedBuffer,
    UninitializedParameter,
)

__all__ = [
    "Buffer",
    "Parameter",
    "TeachingWarning",
    "UninitializedBuffer",
    "UninitializedParameter",
    "functional",
    "init",
    "modules",
    "parameter",
    "utils",
    *modules.__all__,
]
