"""Switches that programs set before they compute, and what they mean here."""

from __future__ import annotations

PRECISIONS = ("highest", "high", "medium")

_deterministic = False
_precision = "highest"


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Asks for deterministic algorithms only: all of penlight's are, so nothing changes.

    >>> use_deterministic_algorithms(True)
    >>> are_deterministic_algorithms_enabled()
    True
    >>> use_deterministic_algorithms(False)
    """
    global _deterministic
    _deterministic = bool(mode)


def are_deterministic_algorithms_enabled() -> bool:
    """Whether deterministic algorithms were asked for."""
    return _deterministic


def set_float32_matmul_precision(precision: str) -> None:
    """Allows less precise float32 products on hardware that has them; the CPU's stay float32."""
    global _precision
    if precision not in PRECISIONS:
        raise RuntimeError(
            f"{precision} is not one of 'highest', 'high', or 'medium': the precisions that "
            "set_float32_matmul_precision knows"
        )
    _precision = precision


def get_float32_matmul_precision() -> str:
    """What `set_float32_matmul_precision` allowed."""
    return _precision


def set_flush_denormal(mode: bool) -> bool:
    """Whether denormal numbers can be flushed to zero: NumPy computes with them, so False."""
    return False
