"""The names of torch.cuda. penlight computes on the CPU so far, and says so honestly."""

from __future__ import annotations

from typing import Any


def is_available() -> bool:
    """Whether a CUDA device can be used.

    >>> is_available()
    False
    """
    return False


def device_count() -> int:
    """The number of CUDA devices."""
    return 0


def is_initialized() -> bool:
    """Whether CUDA was started."""
    return False


def manual_seed(seed: int) -> None:
    """Seeds the current GPU's generator; without a GPU, nothing to seed."""


def manual_seed_all(seed: int) -> None:
    """Seeds all GPUs' generators; without a GPU, nothing to seed."""


def empty_cache() -> None:
    """Frees cached GPU memory; without a GPU, nothing to free."""


def _without_cuda(*args: Any, **kwargs: Any) -> Any:
    raise AssertionError("Torch not compiled with CUDA enabled")


synchronize = current_device = set_device = get_device_name = get_device_properties = _without_cuda
memory_allocated = max_memory_allocated = _without_cuda
