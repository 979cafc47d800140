"""Activations."""

from __future__ import annotations

from .record import unary

relu = unary(
    "relu", "max(x, 0)", lambda xp, x: xp.maximum(x, x.dtype.type(0)), lambda g, y: g * (y > 0)
)
