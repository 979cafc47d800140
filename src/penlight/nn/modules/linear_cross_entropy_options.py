"""How `LinearCrossEntropyLoss` may cut its work into pieces."""

from __future__ import annotations

from typing import Any, NamedTuple


class _Options(NamedTuple):
    allow_retain_graph: bool = False
    batch_chunk_size: int | None = None
    chunking_method: str | None = "auto"
    acc_policy: str = "auto"
    acc_dtype: Any = None


class LinearCrossEntropyOptions(_Options):
    """PyTorch's choices of chunk size and accumulation for its fused kernel.

    They change speed and memory there; here the loss is one product, whatever is chosen.
    """

    __slots__ = ()

    def __new__(cls, *args: Any, **kwargs: Any) -> LinearCrossEntropyOptions:
        self = super().__new__(cls, *args, **kwargs)
        if self.acc_policy not in ("auto", "accurate", "balanced", "compact"):
            raise ValueError(f"invalid acc_policy: {self.acc_policy!r}")
        if self.chunking_method not in (None, "auto"):
            name, colon, factor = self.chunking_method.partition(":")
            fits = factor.isdigit() and int(factor) > 0 if colon else True
            if name != "aspect_ratio" or not fits:
                raise ValueError(f"invalid chunking_method: {self.chunking_method!r}")
        size = self.batch_chunk_size
        if size is not None and not (isinstance(size, int) and size > 0):
            raise ValueError(f"batch_chunk_size must be positive int or None, got {size!r}")
        floats = ("torch.float16", "torch.bfloat16", "torch.float32", "torch.float64")
        if self.acc_dtype is not None and str(self.acc_dtype) not in floats:
            raise ValueError(
                f"acc_dtype must be one of {{None, {', '.join(floats)}}}, got {self.acc_dtype!r}. "
                "Pass acc_dtype=None to let the op pick automatically."
            )
        return self
