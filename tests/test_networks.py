"""Whole networks as people write them, trained for a few steps: the same losses as with PyTorch."""

import math

import pytest

from twins import same, values


def residual(T):
    """A small ResNet with strided shortcuts."""
    nn, F = T.nn, T.nn.functional

    class Block(nn.Module):
        def __init__(self, inside, outside, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(outside)
            self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(outside)
            self.shortcut = nn.Sequential()
            if stride != 1 or inside != outside:
                self.shortcut = nn.Sequential(
                    nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside)
                )

        def forward(self, x):
            out = F.relu(self.bn1(self.conv1(x)))
            return F.relu(self.bn2(self.conv2(out)) + self.shortcut(x))

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Conv2d(1, 4, 3, padding=1)
            self.layers = nn.Sequential(Block(4, 4, 1), Block(4, 8, 2))
            self.head = nn.Linear(8, 3)
            for m in self.modules():
                if isinstance(m, nn.Conv2d):
                    nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")

        def forward(self, x):
            x = F.adaptive_avg_pool2d(self.layers(self.stem(x)), (1, 1))
            return self.head(T.flatten(x, 1))

    return Net(), values(T, 6, 1, 8, 8), T.tensor([0, 1, 2, 0, 1, 2]), nn.CrossEntropyLoss()


def gpt(T):
    """A causal transformer in the way of minGPT, with tied embeddings."""
    nn, F = T.nn, T.nn.functional
    vocabulary, width, heads, length = 11, 8, 2, 6

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.qkv = nn.Linear(width, 3 * width)
            self.proj = nn.Linear(width, width)
            mask = T.tril(T.ones(length, length)).view(1, 1, length, length)
            self.register_buffer("mask", mask)

        def forward(self, x):
            b, t, c = x.size()
            q, k, v = self.qkv(x).split(width, dim=2)
            q, k, v = (z.view(b, t, heads, c // heads).transpose(1, 2) for z in (q, k, v))
            att = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
            att = att.masked_fill(self.mask[:, :, :t, :t] == 0, float("-inf"))
            y = F.softmax(att, dim=-1) @ v
            return self.proj(y.transpose(1, 2).contiguous().view(b, t, c))

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.attn = Attention()
            self.mlp = nn.ModuleDict(
                {"fc": nn.Linear(width, 16), "act": nn.GELU(), "proj": nn.Linear(16, width)}
            )

        def forward(self, x):
            x = x + self.attn(self.ln_1(x))
            h = self.ln_2(x)
            return x + self.mlp["proj"](self.mlp["act"](self.mlp["fc"](h)))

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.wte, self.wpe = nn.Embedding(vocabulary, width), nn.Embedding(length, width)
            self.blocks = nn.ModuleList([Block() for _ in range(2)])
            self.head = nn.Linear(width, vocabulary, bias=False)
            self.head.weight = self.wte.weight
            self.apply(self.start)

        def start(self, m):
            if isinstance(m, (nn.Linear, nn.Embedding)):
                T.nn.init.uniform_(m.weight, -0.2, 0.2)

        def forward(self, idx):
            x = self.wte(idx) + self.wpe(T.arange(idx.size(1)))
            for block in self.blocks:
                x = block(x)
            return self.head(x).view(-1, vocabulary)

    tokens = T.arange(2 * (length + 1)).view(2, -1) % vocabulary
    return Model(), tokens[:, :-1], tokens[:, 1:].reshape(-1), nn.CrossEntropyLoss()


def characters(T):
    """An LSTM that reads sequences of different lengths."""
    nn, rnn = T.nn, T.nn.utils.rnn

    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(9, 4, padding_idx=0)
            self.lstm = nn.LSTM(4, 6, num_layers=2, bidirectional=True, batch_first=True)
            self.out = nn.Linear(12, 3)

        def forward(self, x):
            lengths = (x != 0).sum(1)
            packed = rnn.pack_padded_sequence(
                self.embed(x), lengths, batch_first=True, enforce_sorted=False
            )
            _, (h, _) = self.lstm(packed)
            return T.log_softmax(self.out(T.cat([h[-2], h[-1]], dim=1)), dim=1)

    x = T.tensor([[1, 2, 3, 0, 0], [4, 5, 6, 7, 8], [8, 1, 0, 0, 0]])
    return Reader(), x, T.tensor([0, 2, 1]), nn.NLLLoss()


def autoencoder(T):
    """Convolutions down and transposed convolutions up, with weight norm and instance norm."""
    nn = T.nn
    model = nn.Sequential(
        T.nn.utils.parametrizations.weight_norm(nn.Conv2d(2, 4, 3, stride=2, padding=1)),
        nn.InstanceNorm2d(4, affine=True),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2),
        nn.GroupNorm(2, 6),
        nn.SiLU(),
        nn.Upsample(scale_factor=2, mode="bilinear"),
        nn.ConvTranspose2d(6, 8, 4, stride=2, padding=1),
        nn.PixelShuffle(2),
        nn.AvgPool2d(2),
        nn.Tanh(),
    )
    x = values(T, 3, 2, 8, 8)
    return model, x, x * 0.5, nn.SmoothL1Loss()


def translator(T):
    """The Transformer of PyTorch itself, batch first."""
    nn = T.nn

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.core = nn.Transformer(8, 2, 1, 1, 16, dropout=0.0, batch_first=True)

        def forward(self, x):
            mask = nn.Transformer.generate_square_subsequent_mask(x.size(1))
            return self.core(x, x.flip(1), tgt_mask=mask)

    x = values(T, 2, 5, 8)
    return Model(), x, x.roll(1, 1), nn.MSELoss()


OPTIMIZERS = {
    residual: lambda T, p: T.optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=1e-3),
    gpt: lambda T, p: T.optim.AdamW(p, lr=0.01),
    characters: lambda T, p: T.optim.Adam(p, lr=0.05),
    autoencoder: lambda T, p: T.optim.RMSprop(p, lr=0.003),
    translator: lambda T, p: T.optim.Adagrad(p, lr=0.01),
}


@pytest.mark.parametrize("build", OPTIMIZERS, ids=lambda f: f.__name__)
def test_training(build):
    def program(T):
        model, x, y, loss_of = build(T)
        optimizer = OPTIMIZERS[build](T, model.parameters())
        losses = []
        for _ in range(4):
            optimizer.zero_grad()
            loss = loss_of(model(x), y)
            loss.backward()
            T.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            losses.append(loss.item())
        model.eval()
        with T.no_grad():
            losses.append(loss_of(model(x), y).item())
        return [T.tensor(losses), repr(model), [n for n, _ in model.named_parameters()]]

    same(program, rtol=2e-4, atol=1e-5)
