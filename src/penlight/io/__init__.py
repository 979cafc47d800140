"""Checkpoints: PyTorch's .pt files, safetensors, and files that are never half written."""

from .atomic import atomic_write
from .checkpoint import load, save

__all__ = ["atomic_write", "load", "save"]
