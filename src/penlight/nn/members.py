"""What a module is made of: the tables of its members, by name."""

from __future__ import annotations

from typing import Any


class Members:
    """The attributes that every part of `Module` may rely on."""

    training: bool
    _parameters: dict[str, Any]  # a Parameter or None
    _buffers: dict[str, Any]  # a Tensor or None
    _non_persistent_buffers_set: set[str]
    _modules: dict[str, Any]  # a Module or None

    def _get_name(self) -> str:
        """What the printed text calls the module."""
        return type(self).__name__
