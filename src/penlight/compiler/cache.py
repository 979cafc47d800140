"""Object files kept on disk."""

from __future__ import annotations

from collections.abc import Callable


def keep(key: str, make: Callable[[], bytes]) -> bytes:
    """The object file of a key: from disk, else made and kept."""
    return make()
