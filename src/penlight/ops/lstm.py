"""An LSTM over sequences of equal length, as one op: the loop over time runs on arrays.

Letters: T time, B batch, H hidden size. With gates (i, f, n, o) = pₜ + W hₜ₋₁, where i, f and o go
through the sigmoid σ and n through tanh:  cₜ = f cₜ₋₁ + i n,  hₜ = o tanh(cₜ).
"""

from __future__ import annotations

from typing import NamedTuple

from ..compiler import numerics
from ..core.beside import computed
from ..core.tape import modes
from ..core.tensor import Tensor
from .families import op
from .join import cat, stack
from .quiet import quiet


class LstmSequence(NamedTuple):
    """Per step: the hidden state (T, B, H), the cell (T, B, H), the squashed gates (T, B, 4 H)."""

    hidden: Tensor
    cell: Tensor
    gates: Tensor


class Tensors:
    """What `_back` needs of a namespace, over tensors."""

    tanh, matmul = staticmethod(Tensor.tanh), staticmethod(Tensor.matmul)  # type: ignore[attr-defined]
    concatenate = staticmethod(cat)


def _back(xp, gh, gc, gs, w, h0, c0, hidden, cell, gates):
    """Back through time, on arrays or tensors: gradients of the gates per step, of h0 and of c0."""
    steps, size = len(hidden), w.shape[1]
    found: list = [None] * steps
    dh, dc = 0, 0  # what comes from the step after
    for t in range(steps - 1, -1, -1):
        i, f, n, o = (gates[t][..., k * size : (k + 1) * size] for k in range(4))
        before = cell[t - 1] if t else c0
        squashed = xp.tanh(cell[t])
        dh = dh + gh[t]
        dc = dc + gc[t] + dh * o * (1 - squashed * squashed)
        slopes = xp.concatenate([dc * n, dc * before, dc * i, dh * squashed], -1) + gs[t]
        bend = xp.concatenate([i * (1 - i), f * (1 - f), 1 - n * n, o * (1 - o)], -1)
        found[t] = slopes * bend
        dh, dc = xp.matmul(found[t], w), dc * f
    return found, dh, dc


def _sequence_gradient(g, w, h0, c0, y):
    if modes.grad:  # to be differentiated again
        found, dh, dc = _back(Tensors, *g, w, h0, c0, *y)
        before = cat([h0, y[0][:-1].reshape(-1, y[0].size(2))])
        return stack(found), cat(found).mT @ before, dh, dc
    return computed(_gradient_arrays, numerics, *g, w, h0, c0, *y)


@quiet
def _gradient_arrays(xp, gh, gc, gs, w, h0, c0, hidden, cell, gates):
    found, dh, dc = _back(xp, gh, gc, gs, w, h0, c0, hidden, cell, gates)
    flat = xp.concatenate(found)
    before = xp.concatenate([h0, hidden[:-1].reshape(-1, hidden.shape[2])])
    return flat.reshape(*gates.shape), xp.matmul(flat.T, before), dh, dc


@op(
    grad=_sequence_gradient,
    inputs=("p", "w", "h0", "c0"),
    names="torch._lstm_sequence",
    result=LstmSequence,
)
def lstm_sequence(xp, p, w, h0, c0):
    """All steps: p (T, B, 4 H) is what the input says to the gates; W (4 H, H), h₀, c₀ (B, H)."""
    steps, batch, width = p.shape
    size = width // 4
    hidden, cell = (xp.empty((steps, batch, size), p.dtype) for _ in range(2))
    gates = xp.empty_like(p)
    h, c, turned = h0, c0, xp.ascontiguousarray(w.T)
    for t in range(steps):
        a = p[t] + xp.matmul(h, turned)
        early = gates[t, :, : 2 * size] = xp.sigmoid(a[:, : 2 * size])
        n = gates[t, :, 2 * size : 3 * size] = xp.tanh(a[:, 2 * size : 3 * size])
        o = gates[t, :, 3 * size :] = xp.sigmoid(a[:, 3 * size :])
        i, f = early[:, :size], early[:, size:]
        c = cell[t] = f * c + i * n
        h = hidden[t] = o * xp.tanh(c)
    return hidden, cell, gates
