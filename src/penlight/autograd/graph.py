"""Looking at and steering the tape: the names of torch.autograd.graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from ..core.tape import AccumulateGrad, GradientEdge, Node, Removable, modes
from ..core.tensor import Tensor, current_node

__all__ = [
    "AccumulateGrad",
    "GradientEdge",
    "Node",
    "disable_saved_tensors_hooks",
    "get_gradient_edge",
    "register_multi_grad_hook",
    "save_on_cpu",
    "saved_tensors_hooks",
]


class saved_tensors_hooks:
    """Inside, `pack_hook(tensor)` decides what is kept of each saved tensor; `unpack_hook` gives
    it back.

    >>> import penlight as torch
    >>> x = torch.ones(2, requires_grad=True)
    >>> with torch.autograd.graph.saved_tensors_hooks(lambda t: t * 2, lambda t: t):
    ...     y = x * x
    >>> y.sum().backward()
    >>> x.grad
    tensor([4., 4.])
    """

    def __init__(self, pack_hook: Callable, unpack_hook: Callable):
        self.hooks = (pack_hook, unpack_hook)

    def __enter__(self) -> None:
        if modes.no_saved_hooks is not None:
            raise RuntimeError(modes.no_saved_hooks)
        modes.saved_hooks = (*modes.saved_hooks, self.hooks)

    def __exit__(self, *exc: object) -> None:
        modes.saved_hooks = modes.saved_hooks[:-1]


class save_on_cpu(saved_tensors_hooks):
    """Inside, saved tensors wait for the backward pass in the computer's memory, as copies."""

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda"):
        super().__init__(lambda t: t.clone(), lambda t: t)


class disable_saved_tensors_hooks:
    """Inside, `saved_tensors_hooks` raise RuntimeError with the given text."""

    def __init__(self, error_message: str):
        self.message = error_message

    def __enter__(self) -> None:
        self.before, modes.no_saved_hooks = modes.no_saved_hooks, self.message

    def __exit__(self, *exc: object) -> None:
        modes.no_saved_hooks = self.before


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """Where the gradient of `tensor` is computed."""
    if not tensor.requires_grad:
        raise RuntimeError(
            "It is not possible to get the gradient edge for a Tensor that does not require "
            "gradients"
        )
    node = current_node(tensor)
    return GradientEdge(*((AccumulateGrad(tensor), 0) if node is None else (node, tensor._slot)))


class _Handles:
    """Several hooks removed together."""

    def __init__(self, handles: Sequence[Removable]):
        self.handles = handles

    def remove(self) -> None:
        """Takes all hooks out."""
        for handle in self.handles:
            handle.remove()


def register_multi_grad_hook(
    tensors: Sequence[Tensor], fn: Callable, *, mode: str = "all"
) -> _Handles:
    """`fn(grads)` once per backward pass, when the gradients of all tensors that it reaches are
    known (None for the others); or `fn(grad)` for the first of them ("any").

    >>> import penlight as torch
    >>> a, b = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    >>> handle = torch.autograd.graph.register_multi_grad_hook((a, b), print)
    >>> (a * 3).sum().backward()
    [tensor([3., 3.]), None]
    """
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of ('all', 'any') but got {mode}")
    passes: WeakKeyDictionary[Any, list] = WeakKeyDictionary()  # walk: [how many missing, grads]

    def note(index: int) -> Callable:
        def hook(grad: Tensor) -> None:
            state = passes.get(modes.walk)
            if state is None:
                missing = sum(map(modes.walk.reaches, tensors)) if mode == "all" else 1
                state = passes[modes.walk] = [missing, [None] * len(tensors)]
            state[0] -= 1
            state[1][index] = grad
            if state[0] == 0:
                fn(state[1] if mode == "all" else grad)

        return hook

    return _Handles([t.register_hook(note(i)) for i, t in enumerate(tensors)])
