"""How much arithmetic a task takes: the flops (multiply or add) of its products and convolutions.

Counted where they happen, by a hook on every layer that multiplies: a layer's forward pass is one
product; under gradients a second one makes the weight's gradient and, where the layer's input wants
one, a third its input's. Attention has two products without weights, over the positions that a
causal mask leaves. What is done once per element (activations, norms, optimizers) is not counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import Any

from .workloads import Inference, Plain, Training

Products = Iterator[tuple[float, bool]]  # flops of a forward product; is its input's gradient asked


def _linear(layer: Any, x: Any, y: Any) -> Products:
    yield 2.0 * y.numel() * layer.in_features, x.requires_grad


def _convolution(layer: Any, x: Any, y: Any) -> Products:
    window = layer.in_channels // layer.groups * prod(layer.kernel_size)
    yield 2.0 * y.numel() * window, x.requires_grad


def _lstm(layer: Any, x: Any, y: Any) -> Products:
    """One layer, one direction: four gates of the input and of the state before."""
    positions, gates = prod(x.shape[:-1]), 4 * layer.hidden_size
    yield 2.0 * positions * gates * layer.input_size, x.requires_grad
    yield 2.0 * positions * gates * layer.hidden_size, True


def _attention(layer: Any, x: Any, y: Any) -> Products:
    batch, length, width = x.shape
    pairs = batch * length * (length + 1) / 2
    yield 2.0 * pairs * width, True  # q kᵀ
    yield 2.0 * pairs * width, True  # probabilities v


RULES: dict[str, Callable[[Any, Any, Any], Products]] = {
    "Linear": _linear, "Conv2d": _convolution, "LSTM": _lstm, "Attention": _attention,
}  # fmt: skip


def flops_of(task: Training | Inference | Plain, T: Any) -> float:
    """The flops of one step of a task; runs its forward pass once."""
    if isinstance(task, Plain):
        return task.flops
    total, training = 0.0, isinstance(task, Training)

    def count(layer: Any, inputs: tuple, output: Any) -> None:
        nonlocal total
        y = output[0] if isinstance(output, tuple) else output
        for flops, wanted in RULES[type(layer).__name__](layer, inputs[0], y):
            total += flops * ((2 + wanted) if training else 1)

    hooks = [
        layer.register_forward_hook(count)
        for layer in task.model.modules()
        if type(layer).__name__ in RULES
    ]
    with T.set_grad_enabled(training):
        task.model(task.x)
    for hook in hooks:
        hook.remove()
    return total
