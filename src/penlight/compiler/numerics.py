"""The array namespace that ops compute with: NumPy, with its inexact functions replaced by ours.

Adding, dividing, comparing and taking roots are exact by IEEE 754 and left to NumPy. Everything
whose last bits depend on how it is computed comes from our kernels, so that an op gives the same
bits alone and inside a compiled program.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def __getattr__(name: str) -> Any:
    """What is not ours is NumPy's; kept, so that it is looked up once."""
    if name.startswith("__"):
        raise AttributeError(name)
    found = globals()[name] = getattr(np, name)
    return found
