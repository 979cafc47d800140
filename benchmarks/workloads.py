"""What is measured: each workload takes the library (penlight or torch) and gives a task."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import models


@dataclass(frozen=True)
class Training:
    """A step is: zero_grad, forward, loss, backward, optimizer."""

    model: Any
    x: Any
    y: Any
    loss: Callable
    optimizer: Any


@dataclass(frozen=True)
class Inference:
    """A step is the forward pass in eval mode, without gradients."""

    model: Any
    x: Any


@dataclass(frozen=True)
class Plain:
    """A step is a function that stays as it is, with the flops it takes."""

    step: Callable[[], object]
    flops: float = 0.0


@dataclass(frozen=True)
class Workload:
    """A row of the table.

    `modes`    "eager", "compiled"
    `threads`  how many the libraries may use; None: as many as each takes by itself
    `chinese`  the row's name in README.zh.md
    """

    name: str
    chinese: str
    make: Callable[[Any], Training | Inference | Plain]
    modes: tuple[str, ...] = ("eager", "compiled")
    threads: int | None = None

    @property
    def is_product(self) -> bool:
        """Whether it belongs to the table of products."""
        return self.threads is not None


# ------------------------------------------------------------ data: the same for every library


def images(T: Any, batch: int, shape: tuple[int, ...] = (1, 28, 28)) -> tuple[Any, Any]:
    """Random pictures and their labels, 0 to 9."""
    draw = np.random.RandomState(batch)
    x = draw.uniform(0, 1, (batch, *shape)).astype(np.float32)
    return T.from_numpy(x), T.from_numpy(draw.randint(0, 10, batch))


def text(T: Any, batch: int, length: int = 64, symbols: int = 65) -> tuple[Any, Any]:
    """Random symbols (batch, length) and, for each, the next one."""
    drawn = np.random.RandomState(batch).randint(0, symbols, (batch, length + 1))
    x, y = (np.ascontiguousarray(part) for part in (drawn[:, :-1], drawn[:, 1:]))
    return T.from_numpy(x), T.from_numpy(y)


# ------------------------------------------------------------ tasks


def tutorial_step(batch: int) -> Callable[[Any], Training]:
    """The tutorial's network with SGD."""

    def make(T: Any) -> Training:
        model = models.tutorial_network(T)
        optimizer = T.optim.SGD(model.parameters(), lr=0.01)
        return Training(model, *images(T, batch), T.nn.CrossEntropyLoss(), optimizer)

    return make


def mnist_step(T: Any) -> Training:
    """PyTorch's MNIST example at batch 64, Adadelta as there."""
    model = models.mnist_example(T)
    optimizer = T.optim.Adadelta(model.parameters(), lr=1.0)
    return Training(model, *images(T, 64), T.nn.functional.nll_loss, optimizer)


def resnet_step(T: Any) -> Training:
    """ResNet-18 on 16 pictures of 32×32, SGD with momentum and weight decay."""
    model = models.resnet18(T)
    optimizer = T.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)
    return Training(model, *images(T, 16, (3, 32, 32)), T.nn.CrossEntropyLoss(), optimizer)


def gpt_step(T: Any) -> Training:
    """The GPT at batch 12; AdamW with nanoGPT's two groups: only matrices decay."""
    model = models.gpt(T)
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    vectors = [p for p in model.parameters() if p.dim() < 2]
    optimizer = T.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}],
        lr=1e-3, betas=(0.9, 0.99),
    )  # fmt: skip

    def loss(logits: Any, y: Any) -> Any:
        return T.nn.functional.cross_entropy(logits.view(-1, logits.shape[-1]), y.view(-1))

    return Training(model, *text(T, 12), loss, optimizer)


def lstm_step(T: Any) -> Training:
    """32 sequences of 50 vectors through the LSTM, AdamW."""
    model = models.lstm(T)
    x, y = images(T, 32, (50, 64))
    return Training(model, x, y, T.nn.CrossEntropyLoss(), T.optim.AdamW(model.parameters()))


def inference(
    model: Callable[[Any], Any], batch: int, data: Callable = images, **shape: Any
) -> Callable[[Any], Inference]:
    """The forward pass of a model at a batch size."""
    return lambda T: Inference(model(T).eval(), data(T, batch, **shape)[0])


def product(m: int, k: int, n: int) -> Callable[[Any], Plain]:
    """(m, k) @ (k, n)."""

    def make(T: Any) -> Plain:
        draw = np.random.RandomState(0)
        a, b = (T.from_numpy(draw.randn(*s).astype(np.float32)) for s in ((m, k), (k, n)))
        return Plain(lambda: a @ b, 2.0 * m * k * n)

    return make


def eight_elements(T: Any) -> Plain:
    """What an op costs when there is nothing to compute."""
    a = T.ones(8, requires_grad=True)
    b = T.ones(8, requires_grad=True)
    return Plain(lambda: ((a + b) * a - b).relu().sum().backward())


def loader(T: Any) -> Plain:
    """A shuffled DataLoader over 2,000 images in memory."""
    x = T.from_numpy(np.zeros((2000, 28, 28), np.float32))
    y = T.from_numpy(np.zeros(2000, np.int64))
    batches = T.utils.data.DataLoader(T.utils.data.TensorDataset(x, y), batch_size=64, shuffle=True)

    def step() -> None:
        for _ in batches:
            pass

    return Plain(step)


# ------------------------------------------------------------ the table


def _rows() -> Iterator[Workload]:
    for n in (1, 64, 256, 1024):
        name, chinese = f"tutorial step, batch {n}", f"教程网络训练一步，批量 {n}"
        yield Workload(name, chinese, tutorial_step(n))
    for n in (1, 64, 1024):
        name, chinese = f"tutorial inference, batch {n}", f"教程网络推理，批量 {n}"
        yield Workload(name, chinese, inference(models.tutorial_network, n))
    yield Workload("MNIST CNN step, batch 64", "MNIST 卷积网络训练一步，批量 64", mnist_step)
    forward = inference(models.mnist_example, 1)
    yield Workload("MNIST CNN inference, batch 1", "MNIST 卷积网络推理，批量 1", forward)
    yield Workload("ResNet-18 step, batch 16", "ResNet-18 训练一步，批量 16", resnet_step)
    forward = inference(models.resnet18, 1, shape=(3, 32, 32))
    yield Workload("ResNet-18 inference, batch 1", "ResNet-18 推理，批量 1", forward)
    yield Workload("GPT step, batch 12", "GPT 训练一步，批量 12", gpt_step)
    forward = inference(models.gpt, 1, text)
    yield Workload("GPT forward, batch 1", "GPT 前向，批量 1", forward)
    yield Workload("LSTM step, 32×50", "LSTM 训练一步，32×50", lstm_step)
    yield Workload("8 elements", "8 个元素", eight_elements, ("eager",))
    yield Workload("DataLoader, 2,000 images", "DataLoader，2,000 张图", loader, ("eager",))
    for m, k, n in ((64, 512, 512), (256, 512, 784), (512, 512, 512), (1024, 1024, 1024)):
        for threads, word in ((1, "thread"), (2, "threads")):
            name = f"product {m}×{k}×{n}, {threads} {word}"
            chinese = f"乘积 {m}×{k}×{n}，{threads} 线程"
            yield Workload(name, chinese, product(m, k, n), ("eager",), threads)


WORKLOADS: dict[str, Workload] = {workload.name: workload for workload in _rows()}
