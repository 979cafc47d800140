"""The names of torch.backends that programs ask for: what this machine's arrays are computed
with.
"""

from __future__ import annotations


class _Backend:
    """A backend that penlight does not have; programs may still set its options."""

    enabled = False
    benchmark = False
    deterministic = False
    allow_tf32 = False

    @staticmethod
    def is_available() -> bool:
        """Whether the backend can be used."""
        return False

    is_built = is_available


cudnn, mps, mkldnn, mkl, openmp = (_Backend() for _ in range(5))
