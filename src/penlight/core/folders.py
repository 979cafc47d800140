"""Where penlight keeps files of its own."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """$PENLIGHT_CACHE_DIR, $XDG_CACHE_HOME/penlight or ~/.cache/penlight.

    Raises RuntimeError where the user has no home.
    """
    own = os.environ.get("PENLIGHT_CACHE_DIR")
    if own:
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "penlight"
