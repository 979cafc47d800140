"""Warnings about calls that run but are probably not what was meant.

Each kind is given once per process. To switch them off:
`warnings.simplefilter("ignore", penlight.nn.TeachingWarning)`
"""

from __future__ import annotations

import warnings

_given: set[str] = set()


class TeachingWarning(UserWarning):
    """A call that runs but is probably not what was meant."""


def teach(what: str, text: str, stacklevel: int = 3) -> None:
    """Warns about the mistake called `what`, the first time only."""
    if what not in _given:
        _given.add(what)
        switch = 'warnings.simplefilter("ignore", penlight.nn.TeachingWarning)'
        warnings.warn(f"{text} (To silence: {switch})", TeachingWarning, stacklevel=stacklevel)
