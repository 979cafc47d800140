"""The networks that are measured, written once for every library: `T` is penlight or torch."""

from __future__ import annotations

from typing import Any


def tutorial_network(T: Any) -> Any:
    """784-512-512-10, as in the tutorial."""
    return T.nn.Sequential(
        T.nn.Flatten(),
        T.nn.Linear(784, 512), T.nn.ReLU(),
        T.nn.Linear(512, 512), T.nn.ReLU(),
        T.nn.Linear(512, 10),
    )  # fmt: skip


def mnist_example(T: Any) -> Any:
    """The convolutional network of PyTorch's MNIST example."""
    return T.nn.Sequential(
        T.nn.Conv2d(1, 32, 3), T.nn.ReLU(),
        T.nn.Conv2d(32, 64, 3), T.nn.ReLU(),
        T.nn.MaxPool2d(2), T.nn.Dropout(0.25), T.nn.Flatten(),
        T.nn.Linear(9216, 128), T.nn.ReLU(), T.nn.Dropout(0.5),
        T.nn.Linear(128, 10), T.nn.LogSoftmax(dim=1),
    )  # fmt: skip


def resnet18(T: Any) -> Any:
    """ResNet-18 in its CIFAR form: a 3×3 stem without pooling, four stages of two blocks.

    He et al., "Deep Residual Learning for Image Recognition" (2015).
    """

    class Block(T.nn.Module):
        """Two 3×3 convolutions beside a shortcut."""

        def __init__(self, inside: int, outside: int, stride: int):
            super().__init__()
            self.body = T.nn.Sequential(
                T.nn.Conv2d(inside, outside, 3, stride, padding=1, bias=False),
                T.nn.BatchNorm2d(outside), T.nn.ReLU(),
                T.nn.Conv2d(outside, outside, 3, padding=1, bias=False),
                T.nn.BatchNorm2d(outside),
            )  # fmt: skip
            self.shortcut = T.nn.Sequential()
            if stride != 1 or inside != outside:
                self.shortcut = T.nn.Sequential(
                    T.nn.Conv2d(inside, outside, 1, stride, bias=False),
                    T.nn.BatchNorm2d(outside),
                )

        def forward(self, x: Any) -> Any:
            return T.relu(self.body(x) + self.shortcut(x))

    blocks, inside = [], 64
    for outside, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        blocks += [Block(inside, outside, stride), Block(outside, outside, 1)]
        inside = outside
    return T.nn.Sequential(
        T.nn.Conv2d(3, 64, 3, padding=1, bias=False), T.nn.BatchNorm2d(64), T.nn.ReLU(),
        *blocks,
        T.nn.AdaptiveAvgPool2d(1), T.nn.Flatten(), T.nn.Linear(512, 10),
    )  # fmt: skip


def gpt(T: Any, layers: int = 4, width: int = 128, context: int = 64, symbols: int = 65) -> Any:
    """A GPT in the size and form of nanoGPT's setting for a CPU: no biases, head tied to the
    embedding; four heads.
    """

    class Attention(T.nn.Module):
        """Causal self-attention with four heads."""

        def __init__(self):
            super().__init__()
            self.project = T.nn.Linear(width, 3 * width, bias=False)
            self.merge = T.nn.Linear(width, width, bias=False)

        def forward(self, x: Any) -> Any:
            B, L, E = x.shape
            q, k, v = (
                part.view(B, L, 4, E // 4).transpose(1, 2)  # (B, heads, L, E / heads)
                for part in self.project(x).split(E, dim=2)
            )
            y = T.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            return self.merge(y.transpose(1, 2).reshape(B, L, E))

    class Block(T.nn.Module):
        """Attention and two linear layers, each normalised before and added to what came."""

        def __init__(self):
            super().__init__()
            self.attention = T.nn.Sequential(T.nn.LayerNorm(width, bias=False), Attention())
            self.mlp = T.nn.Sequential(
                T.nn.LayerNorm(width, bias=False),
                T.nn.Linear(width, 4 * width, bias=False), T.nn.GELU(),
                T.nn.Linear(4 * width, width, bias=False),
            )  # fmt: skip

        def forward(self, x: Any) -> Any:
            x = x + self.attention(x)
            return x + self.mlp(x)

    class GPT(T.nn.Module):
        """Symbols (B, L) to logits (B, L, symbols)."""

        def __init__(self):
            super().__init__()
            self.token = T.nn.Embedding(symbols, width)
            self.position = T.nn.Embedding(context, width)
            self.blocks = T.nn.Sequential(*(Block() for _ in range(layers)))
            self.norm = T.nn.LayerNorm(width, bias=False)
            self.head = T.nn.Linear(width, symbols, bias=False)
            self.head.weight = self.token.weight

        def forward(self, symbols: Any) -> Any:
            x = self.token(symbols) + self.position(T.arange(symbols.shape[1]))
            return self.head(self.norm(self.blocks(x)))

    model = GPT()
    for parameter in model.parameters():
        if parameter.dim() == 2:
            T.nn.init.normal_(parameter, 0.0, 0.02)
    return model


def lstm(T: Any) -> Any:
    """LSTM(64 -> 128) and a linear head on the last of its outputs."""

    class Reader(T.nn.Module):
        """Sequences (B, L, 64) to logits (B, 10)."""

        def __init__(self):
            super().__init__()
            self.lstm = T.nn.LSTM(64, 128, batch_first=True)
            self.head = T.nn.Linear(128, 10)

        def forward(self, x: Any) -> Any:
            y, _ = self.lstm(x)
            return self.head(y[:, -1])

    return Reader()
