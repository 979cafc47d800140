"""Full backward hooks: gates around one module call through which its gradients pass.

A gate is an identity node on the tape over several tensors. One stands before the forward, its
gradients are the module's `grad_input`; one stands after, its gradients are `grad_output`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from ..core.tape import Node, modes
from ..core.tensor import Tensor, edge_to


class BackwardHookFunctionBackward(Node):
    """The identity over several tensors."""

    __slots__ = ()

    def backward(self, grads: list) -> list:
        """Passes every gradient on as it came."""
        return grads


def _gate(values: tuple) -> tuple[tuple, BackwardHookFunctionBackward | None, list[int]]:
    """The values behind a gate, its node, and the places of the tensors among the values."""
    places = [i for i, value in enumerate(values) if isinstance(value, Tensor)]
    tensors = [values[i] for i in places]
    if not (modes.grad and any(t.requires_grad for t in tensors)):
        return values, None, places
    forms = tuple((t._array.shape, t._array.dtype) for t in tensors)
    node = BackwardHookFunctionBackward(tuple(edge_to(t) for t in tensors), (), 0, forms)
    behind = list(values)
    for slot, (place, tensor) in enumerate(zip(places, tensors, strict=True)):
        if tensor.requires_grad:
            alias = tensor.detach()
            alias._node, alias._slot, alias._requires_grad = node, slot, True
            behind[place] = alias
    return type(values)(behind) if type(values) is tuple else type(values)(*behind), node, places


def _spread(grads: Sequence, places: list[int], size: int) -> tuple:
    """Gradients of tensors at their places among `size` values, None elsewhere."""
    full = [None] * size
    for place, grad in zip(places, grads, strict=False):
        full[place] = grad
    return tuple(full)


class BackwardHook:
    """The hooks of one call of `module`, hung on the gates before and after it."""

    def __init__(self, module: Any, hooks: list[Callable], pre_hooks: list[Callable]):
        self.module, self.hooks, self.pre_hooks = module, hooks, pre_hooks
        self.grad_outputs: tuple | None = None
        self.watches_inputs = False
        self.n_inputs = 0

    def setup_input_hook(self, args: tuple) -> tuple:
        """The arguments behind a gate that runs the hooks with `grad_input`."""
        behind, node, places = _gate(args)
        self.n_inputs, self.watches_inputs = len(args), node is not None
        if node is not None:
            node.register_hook(lambda grads, _: self._input_grads(grads, places))
        return behind

    def setup_output_hook(self, result: Any) -> Any:
        """The result behind a gate that notes `grad_output`."""
        if not isinstance(result, (Tensor, tuple)):
            warnings.warn(
                "For backward hooks to be called, module output should be a Tensor or a tuple of "
                f"Tensors but received {type(result)}",
                stacklevel=5,
            )
            return result
        values = result if isinstance(result, tuple) else (result,)
        behind, node, places = _gate(values)
        if node is not None:
            node.register_prehook(lambda grads: self._output_grads(grads, places, len(values)))
        return behind if isinstance(result, tuple) else behind[0]

    def _output_grads(self, grads: Sequence, places: list[int], size: int) -> tuple:
        self.grad_outputs = _spread(grads, places, size)
        for hook in self.pre_hooks:
            changed = hook(self.module, self.grad_outputs)
            if changed is None:
                continue
            changed = changed if isinstance(changed, tuple) else (changed,)
            if len(changed) != size:
                raise RuntimeError(
                    "Backward pre hook returned an invalid number of grad_output, got "
                    f"{len(changed)}, but expected {size}"
                )
            self.grad_outputs = changed
        passed = tuple(self.grad_outputs[place] for place in places)
        if not self.watches_inputs:
            self._without_inputs()
        return passed

    def _without_inputs(self) -> None:
        """No input requires a gradient: the hooks run here, with None for each input."""
        if self.hooks:
            warnings.warn(
                "Full backward hook is firing when gradients are computed with respect to module "
                "outputs since no inputs require gradients. See "
                "https://docs.pytorch.org/docs/main/generated/torch.nn.Module.html"
                "#torch.nn.Module.register_full_backward_hook for more details.",
                stacklevel=5,
            )
        for hook in self.hooks:
            changed = hook(self.module, (None,) * self.n_inputs, self.grad_outputs)
            if changed is not None and any(grad is not None for grad in changed):
                raise RuntimeError(
                    "Backward hook for Modules where no input requires gradient should always "
                    "return None or None for all gradients."
                )
        self.grad_outputs = None

    def _input_grads(self, grads: Sequence, places: list[int]) -> tuple | None:
        if self.grad_outputs is None:
            return None  # this backward did not come through the module's output
        found = _spread(grads, places, self.n_inputs)
        for hook in self.hooks:
            changed = hook(self.module, found, self.grad_outputs)
            if changed is None:
                continue
            changed = changed if isinstance(changed, tuple) else (changed,)
            if len(changed) != len(found):
                raise RuntimeError(
                    "Backward hook returned an invalid number of grad_input, got "
                    f"{len(changed)}, but expected {len(found)}"
                )
            found = changed
        self.grad_outputs = None
        return tuple(found[place] for place in places)
