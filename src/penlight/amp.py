"""Mixed precision: the names of torch.amp.

Programs written for a GPU switch it on without asking where they run. As in PyTorch without CUDA,
it then warns and switches itself off. penlight has no mixed precision on the CPU and says so.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

from .core.dtype import dtype as _dtype


class autocast:
    """A region of lower precision on a GPU; without one it changes nothing.

    >>> import penlight as torch
    >>> with torch.amp.autocast("cuda", enabled=False):
    ...     torch.ones(1).dtype
    torch.float32
    """

    def __init__(
        self,
        device_type: str,
        dtype: _dtype | None = None,
        enabled: bool = True,
        cache_enabled: bool | None = None,
    ):
        if not isinstance(device_type, str):
            raise ValueError(
                f"Expected `device_type` of type `str`, got: `{type(device_type).__name__}`"
            )
        if enabled and device_type == "cuda":
            warnings.warn(
                "CUDA is not available or torch_xla is imported. Disabling autocast.", stacklevel=2
            )
        elif enabled:
            raise NotImplementedError(
                f"penlight has no mixed precision on '{device_type}': pass enabled=False, or move "
                "the model with .to(torch.bfloat16)"
            )

    def __enter__(self) -> autocast:
        return self

    def __exit__(self, *exc: object) -> None:
        """Nothing was changed, nothing is restored."""

    def __call__(self, function: Callable) -> Callable:
        @functools.wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return inside


class GradScaler:
    """Scales losses for float16 gradients on a GPU; without one it passes everything through."""

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ):
        if enabled:
            warnings.warn(
                f"torch.{device}.amp.GradScaler is enabled, but {device.upper()} is not available. "
                " Disabling.",
                stacklevel=2,
            )

    def scale(self, outputs: Any) -> Any:
        """The outputs as they are."""
        return outputs

    def unscale_(self, optimizer: Any) -> None:
        """Nothing was scaled."""

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """optimizer.step(...)"""
        return optimizer.step(*args, **kwargs)

    def update(self, new_scale: Any = None) -> None:
        """There is no scale to adapt."""

    def get_scale(self) -> float:
        """1.0"""
        return 1.0

    def is_enabled(self) -> bool:
        """False"""
        return False

    def state_dict(self) -> dict:
        """{}"""
        return {}

    def load_state_dict(self, state_dict: dict) -> None:
        """There is no state."""
