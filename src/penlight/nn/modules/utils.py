"""Small helpers that the layers share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any


def _ntuple(n: int) -> Callable[[Any], tuple]:
    """A function that makes an n-tuple of one value and leaves a sequence as it is."""

    def spread(value: Any) -> tuple:
        return tuple(value) if isinstance(value, Iterable) else (value,) * n

    return spread


_single, _pair, _triple, _quadruple = (_ntuple(n) for n in (1, 2, 3, 4))


def shown(module: Any, *names: str) -> str:
    """`name=value` for each attribute, as layers print their arguments."""
    return ", ".join(f"{name}={getattr(module, name)}" for name in names)


def consume_prefix_in_state_dict_if_present(state_dict: dict[str, Any], prefix: str) -> None:
    """Takes `prefix` off every name of `state_dict` that has it, in place.

    >>> state = {"module.weight": 1}
    >>> consume_prefix_in_state_dict_if_present(state, "module.")
    >>> state
    {'weight': 1}
    """
    for key in list(state_dict):
        if key.startswith(prefix):
            state_dict[key[len(prefix) :]] = state_dict.pop(key)
    metadata = getattr(state_dict, "_metadata", {})
    for key in list(metadata):
        if key and (key == prefix.replace(".", "") or key.startswith(prefix)):
            metadata[key[len(prefix) :]] = metadata.pop(key)
