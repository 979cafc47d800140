"""The names of torch.accelerator: the machine's GPU of any make. penlight has none so far."""

from __future__ import annotations

from .core.device import device


def is_available() -> bool:
    """Whether there is an accelerator.

    >>> is_available()
    False
    """
    return False


def device_count() -> int:
    """The number of accelerators."""
    return 0


def current_accelerator(check_available: bool = False) -> device | None:
    """The kind of accelerator that is used; None without one."""
    return None
