"""Activation checkpointing: compute a part of the network twice instead of keeping what it saved.

The first run keeps, for each tensor a gradient rule wants saved, only its number; when backward
asks for one, the part runs again and the tensors are saved in the same order. Source:
https://docs.pytorch.org/docs/stable/checkpoint.html
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from ..autograd import enable_grad, is_grad_enabled
from ..autograd.graph import saved_tensors_hooks
from ..core import random
from ..core.tensor import Tensor


class CheckpointError(RuntimeError):
    """The second run did not save what the first one did."""


class _Recomputed:
    """The saved tensors of a call, computed again when the first of them is asked for."""

    def __init__(self, call: Callable[[], Any], preserve_rng_state: bool, context: Any):
        self.call, self.context = call, context
        self.state = random.get_rng_state() if preserve_rng_state else None
        self.count = 0
        self.tensors: dict[int, Tensor] = {}

    def pack(self, tensor: Tensor) -> int:
        """Keeps only the number of a tensor."""
        self.count += 1
        return self.count - 1

    def unpack(self, number: int) -> Tensor:
        """The tensor of that number; each is given out once per run."""
        if number not in self.tensors:
            self.run()
        if number not in self.tensors:
            raise CheckpointError(
                "torch.utils.checkpoint: A different number of tensors was saved during the "
                "original "
                "forward and recomputation.\nNumber of tensors saved during forward: "
                f"{self.count}\n"
                f"Number of tensors saved during recomputation: {len(self.tensors)}"
            )
        return self.tensors.pop(number)

    def run(self) -> None:
        """The call once more, with the random numbers of the first time."""
        saved: list[Tensor] = []
        now = random.get_rng_state()
        if self.state is not None:
            random.set_rng_state(self.state)
        try:
            with self.context, enable_grad(), saved_tensors_hooks(_collector(saved), _given):
                self.call()
        finally:
            random.set_rng_state(now)
        self.tensors = dict(enumerate(saved))


def _collector(saved: list[Tensor]) -> Callable[[Tensor], Tensor]:
    def keep(tensor: Tensor) -> Tensor:
        saved.append(tensor)
        return tensor

    return keep


def _given(tensor: Tensor) -> Tensor:
    return tensor


def checkpoint(
    function: Callable,
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Callable | None = None,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    preserve_rng_state: bool = True,
    **kwargs: Any,
) -> Any:
    """`function(*args, **kwargs)` without keeping its intermediate values; backward computes them
    again.

    The random state of the first run is restored for the second, so dropout draws the same mask.
    Both of PyTorch's variants (`use_reentrant`) give the same gradients; penlight always uses the
    non-reentrant one.

    >>> import penlight as torch
    >>> x = torch.zeros(3, requires_grad=True)
    >>> y = torch.utils.checkpoint.checkpoint(lambda t: t.exp().sin(), x, use_reentrant=False)
    >>> y.sum().backward()
    >>> x.grad
    tensor([0.5403, 0.5403, 0.5403])
    """
    first, second = context_fn() if context_fn is not None else (nullcontext(), nullcontext())
    if not is_grad_enabled():
        with first:
            return function(*args, **kwargs)
    again = _Recomputed(lambda: function(*args, **kwargs), preserve_rng_state, second)
    with first, saved_tensors_hooks(again.pack, again.unpack):
        return function(*args, **kwargs)


def checkpoint_sequential(
    functions: Any, segments: int, input: Any, use_reentrant: bool | None = None, **kwargs: Any
) -> Any:
    """A Sequential in `segments` checkpointed parts (the last one runs as usual)."""
    layers = list(functions.children()) if hasattr(functions, "children") else list(functions)
    size = len(layers) // segments

    def part(start: int, end: int) -> Callable:
        def run(x: Any) -> Any:
            for layer in layers[start:end]:
                x = layer(x)
            return x

        return run

    end = size * (segments - 1)
    for start in range(0, end, size):
        input = checkpoint(part(start, start + size), input, use_reentrant=use_reentrant, **kwargs)
    return part(end, len(layers))(input)
