"""Layers and what belongs to them, under the names of torch.nn."""

from ..core.teaching import TeachingWarning
from . import attention, compiled, functional, init, modules, parallel, parameter, utils
from .modules import *  # noqa: F403
from .parallel import DataParallel
from .parameter import (
    Buffer,
    Parameter,
    UninitializedBuffer,
    UninitializedParameter,
)

__all__ = [
    "Buffer",
    "DataParallel",
    "Parameter",
    "TeachingWarning",
    "UninitializedBuffer",
    "UninitializedParameter",
    "attention",
    "compiled",
    "functional",
    "init",
    "modules",
    "parallel",
    "parameter",
    "utils",
    *modules.__all__,
]
