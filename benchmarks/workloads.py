"""What is measured: each workload takes the library (penlight or torch) and gives a step to
repeat.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def tutorial_network(T: Any) -> Any:
    """784-512-512-10, as in the tutorial."""
    T.manual_seed(0)
    return T.nn.Sequential(
        T.nn.Flatten(),
        T.nn.Linear(784, 512), T.nn.ReLU(),
        T.nn.Linear(512, 512), T.nn.ReLU(),
        T.nn.Linear(512, 10),
    )  # fmt: skip


def images(T: Any, batch: int) -> tuple[Any, Any]:
    """Random images and labels, the same for every library."""
    draw = np.random.RandomState(batch)
    x = draw.uniform(0, 1, (batch, 1, 28, 28)).astype(np.float32)
    return T.from_numpy(x), T.from_numpy(draw.randint(0, 10, batch))


def training_step(batch: int) -> Callable:
    """Forward, loss, backward and SGD of the tutorial's network."""

    def make(T: Any) -> Callable:
        model, (x, y) = tutorial_network(T), images(T, batch)
        optimizer = T.optim.SGD(model.parameters(), lr=0.01)
        loss_of = T.nn.CrossEntropyLoss()

        def step() -> None:
            optimizer.zero_grad()
            loss_of(model(x), y).backward()
            optimizer.step()

        return step

    return make


def inference(batch: int) -> Callable:
    """Forward only, without gradients."""

    def make(T: Any) -> Callable:
        model, (x, _) = tutorial_network(T), images(T, batch)

        def step() -> None:
            with T.no_grad():
                model(x)

        return step

    return make


def eight_elements(T: Any) -> Callable:
    """What an op costs when there is nothing to compute."""
    a = T.ones(8, requires_grad=True)
    b = T.ones(8, requires_grad=True)

    def step() -> None:
        ((a + b) * a - b).relu().sum().backward()

    return step


def loader(T: Any) -> Callable:
    """A shuffled DataLoader over 2,000 images in memory."""
    x = T.from_numpy(np.zeros((2000, 28, 28), np.float32))
    y = T.from_numpy(np.zeros(2000, np.int64))
    batches = T.utils.data.DataLoader(T.utils.data.TensorDataset(x, y), batch_size=64, shuffle=True)

    def step() -> None:
        for _ in batches:
            pass

    return step


WORKLOADS: dict[str, Callable] = {
    "8 elements": eight_elements,
    "tutorial step, batch 1": training_step(1),
    "tutorial step, batch 64": training_step(64),
    "tutorial step, batch 1024": training_step(1024),
    "tutorial inference, batch 1": inference(1),
    "tutorial inference, batch 64": inference(64),
    "tutorial inference, batch 1024": inference(1024),
    "DataLoader, 2,000 images": loader,
}
