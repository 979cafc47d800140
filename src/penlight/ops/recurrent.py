"""Recurrent networks: one step of each kind, and whole sequences of steps.

Letters: T time, B batch, I input, H hidden size, G the gates' width (H, 3 H or 4 H). A sequence is
kept flat, (Σ Bₜ, I): step t has the `batch_sizes[t]` sequences that are still running, longest
first. So the input's product is one for all steps, and packed and padded sequences are one case.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..compiler import numerics
from ..core.beside import computed
from ..core.tape import modes
from ..core.tensor import Tensor
from .dropout import dropout
from .families import composite, op
from .join import cat
from .lstm import lstm_sequence
from .matmul import linear
from .quiet import quiet


class LstmState(NamedTuple):
    """The new hidden state and cell of an LSTM."""

    h: Tensor
    c: Tensor


# A step's gradient is plain arithmetic on gates that are already squashed. It runs on arrays; where
# it is to be differentiated again, on tensors.


def _squash(xp, gates, kinds):
    """The equal parts of `gates` along the last axis: "s" through sigmoid, "t" through tanh."""
    size = gates.shape[-1] // len(kinds)
    parts = [gates[..., i * size : (i + 1) * size] for i in range(len(kinds))]
    return [
        xp.sigmoid(p) if kind == "s" else xp.tanh(p) for p, kind in zip(parts, kinds, strict=True)
    ]


def _squash_tensors(gates, kinds):
    parts = gates.chunk(len(kinds), -1)
    return [p.sigmoid() if kind == "s" else p.tanh() for p, kind in zip(parts, kinds, strict=True)]


def _lstm_slopes(gh, gc, cell, new, i, f, n, o):
    """Gradients of the gates and the cell: h' = o tanh(c'), c' = f c + i n, new = tanh(c')."""
    gc = gc + gh * o * (1 - new * new)
    return (
        gc * n * i * (1 - i),
        gc * cell * f * (1 - f),
        gc * i * (1 - n * n),
        gh * new * o * (1 - o),
        gc * f,
    )


def _lstm_gradient(g, gates, cell, y):
    gh, gc = g
    if modes.grad:
        squashed = _squash_tensors(gates, "ssts")
        *parts, before = _lstm_slopes(gh, gc, cell, y[1].tanh(), *squashed)
        return cat(parts, -1), before
    return computed(_lstm_gradient_arrays, numerics, gh, gc, gates, cell, y[1])


@quiet
def _lstm_gradient_arrays(xp, gh, gc, gates, cell, new):
    *parts, before = _lstm_slopes(gh, gc, cell, xp.tanh(new), *_squash(xp, gates, "ssts"))
    return xp.concatenate(parts, -1), before


@op(grad=_lstm_gradient, inputs=("gates", "cell"), names="torch._lstm_gates", result=LstmState)
def _lstm_gates(xp, gates, cell):
    """c' = σ(f) c + σ(i) tanh(n), h' = σ(o) tanh(c'): gates (B, 4 H) in the order i, f, n, o."""
    i, f, n, o = _squash(xp, gates, "ssts")
    new = f * cell + i * n
    return o * xp.tanh(new), new


def _gru_slopes(g, hidden, heard, r, z, n):
    """Gradients of both sides' gates and of h: h' = (1 - z) n + z h, n = tanh(a + r heard)."""
    gn = g * (1 - z) * (1 - n * n)
    gr = gn * heard * r * (1 - r)
    gz = g * (hidden - n) * z * (1 - z)
    return [gr, gz, gn], [gr, gz, gn * r], g * z


def _gru_gradient(g, gi, gh, hidden):
    if modes.grad:
        (ar, az, an), (br, bz, bn) = gi.chunk(3, -1), gh.chunk(3, -1)
        r, z = (ar + br).sigmoid(), (az + bz).sigmoid()
        left, right, before = _gru_slopes(g, hidden, bn, r, z, (an + r * bn).tanh())
        return cat(left, -1), cat(right, -1), before
    return computed(_gru_gradient_arrays, numerics, g, gi, gh, hidden)


@quiet
def _gru_gradient_arrays(xp, g, gi, gh, hidden):
    r, z, n, heard = _gru_parts(xp, gi, gh, hidden.shape[-1])
    left, right, before = _gru_slopes(g, hidden, heard, r, z, n)
    return xp.concatenate(left, -1), xp.concatenate(right, -1), before


def _gru_parts(xp, gi, gh, size):
    """The gates r, z, n and what n hears of the hidden state."""
    both = xp.sigmoid(gi[..., : 2 * size] + gh[..., : 2 * size])
    r, z, heard = both[..., :size], both[..., size:], gh[..., 2 * size :]
    return r, z, xp.tanh(gi[..., 2 * size :] + r * heard), heard


@op(grad=_gru_gradient, inputs=("gi", "gh", "hidden"), names="torch._gru_gates")
def _gru_gates(xp, gi, gh, hidden):
    """h' = (1 - z) n + z h: what input and hidden state say to the gates r, z, n, (B, 3 H) each."""
    _, z, n, _ = _gru_parts(xp, gi, gh, hidden.shape[-1])
    return n + z * (hidden - n)


# ---------------------------------------------------------------- one step


def _check_cell(input: Tensor, hidden: Tensor, w_ih: Tensor, w_hh: Tensor, label: int = 0) -> None:
    if input.size(1) != w_ih.size(1):
        raise RuntimeError(
            f"input has inconsistent input_size: got {input.size(1)} expected {w_ih.size(1)}"
        )
    if input.size(0) != hidden.size(0):
        raise RuntimeError(
            f"Input batch size {input.size(0)} doesn't match hidden{label} batch size "
            f"{hidden.size(0)}"
        )
    if hidden.size(1) != w_hh.size(1):
        raise RuntimeError(
            f"hidden{label} has inconsistent hidden_size: got {hidden.size(1)}, expected "
            f"{w_hh.size(1)}"
        )


@composite(names="torch.lstm_cell")
def lstm_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """(h', c') of an LSTM (Hochreiter & Schmidhuber 1997): input (B, I), hx two (B, H)."""
    hidden, cell = hx
    _check_cell(input, hidden, w_ih, w_hh)
    _check_cell(input, cell, w_ih, w_hh, 1)
    return tuple(_lstm_gates(linear(input, w_ih, b_ih) + linear(hidden, w_hh, b_hh), cell))


@composite(names="torch.gru_cell")
def gru_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """h' of a GRU (Cho et al. 2014, https://arxiv.org/abs/1406.1078): input (B, I), hx (B, H)."""
    _check_cell(input, hx, w_ih, w_hh)
    return _gru_gates(linear(input, w_ih, b_ih), linear(hx, w_hh, b_hh), hx)


@composite(names="torch.rnn_tanh_cell")
def rnn_tanh_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """tanh(W x + b + U h + c): input (B, I), hx (B, H)."""
    _check_cell(input, hx, w_ih, w_hh)
    return (linear(input, w_ih, b_ih) + linear(hx, w_hh, b_hh)).tanh()


@composite(names="torch.rnn_relu_cell")
def rnn_relu_cell(input, hx, w_ih, w_hh, b_ih=None, b_hh=None):
    """max(W x + b + U h + c, 0): input (B, I), hx (B, H)."""
    _check_cell(input, hx, w_ih, w_hh)
    return (linear(input, w_ih, b_ih) + linear(hx, w_hh, b_hh)).relu()


# ---------------------------------------------------------------- sequences of steps

State = tuple[Tensor, ...]  # (h,) or (h, c)


def _lstm_step(weights: Sequence[Any]) -> tuple[Tensor | None, Callable]:
    """The bias that goes with the input, and a step (gates of the input, state) -> state."""
    w_hh, b_ih, b_hh, w_hr = weights
    turned = w_hh.t()

    def step(gates: Tensor, state: State) -> State:
        hidden, cell = state
        hidden, cell = _lstm_gates(gates.addmm(hidden, turned), cell)
        return (hidden if w_hr is None else linear(hidden, w_hr)), cell

    return (None if b_ih is None else b_ih + b_hh), step


def _gru_step(weights: Sequence[Any]) -> tuple[Tensor | None, Callable]:
    w_hh, b_ih, b_hh, _ = weights

    def step(gates: Tensor, state: State) -> State:
        return (_gru_gates(gates, linear(state[0], w_hh, b_hh), state[0]),)

    return b_ih, step


def _rnn_step(activation: str) -> Callable:
    def make(weights: Sequence[Any]) -> tuple[Tensor | None, Callable]:
        w_hh, b_ih, b_hh, _ = weights
        turned, activate = w_hh.t(), getattr(Tensor, activation)

        def step(gates: Tensor, state: State) -> State:
            return (activate(gates.addmm(state[0], turned)),)

        return (None if b_ih is None else b_ih + b_hh), step

    return make


STEPS = {
    "LSTM": _lstm_step,
    "GRU": _gru_step,
    "RNN_TANH": _rnn_step("tanh"),
    "RNN_RELU": _rnn_step("relu"),
}


def _forwards(step: Callable, gates: Sequence[Tensor], state: State) -> tuple[list, State]:
    """Steps through time; sequences that end leave with their last state."""
    outputs, ended = [], []
    for now in gates:
        running = now.size(0)
        if running < state[0].size(0):
            ended.append(tuple(part[running:] for part in state))
            state = tuple(part[:running] for part in state)
        state = step(now, state)
        outputs.append(state[0])
    if ended:
        ended = [state, *reversed(ended)]
        state = tuple(cat(parts) for parts in zip(*ended, strict=True))
    return outputs, state


def _backwards(step: Callable, gates: Sequence[Tensor], state: State) -> tuple[list, State]:
    """Steps back through time; shorter sequences join with their first state."""
    outputs = []
    running = gates[-1].size(0)
    first, state = state, tuple(part[:running] for part in state)
    for now in reversed(gates):
        if now.size(0) > running:
            joining = [part[running : now.size(0)] for part in first]
            state = tuple(cat(pair) for pair in zip(state, joining, strict=True))
            running = now.size(0)
        state = step(now, state)
        outputs.append(state[0])
    return outputs[::-1], state


def _whole_lstm(
    gates: Tensor, w_hh: Tensor, state: State, time: int, backwards: bool
) -> tuple[Tensor, State]:
    """An LSTM over sequences of one length, without a step per time on the tape."""
    gates = gates.view(time, -1, gates.size(1))
    hidden, cell, _ = lstm_sequence(gates.flip(0) if backwards else gates, w_hh, *state)
    last = hidden[-1], cell[-1]
    hidden = hidden.flip(0) if backwards else hidden
    return hidden.reshape(-1, hidden.size(2)), last


def recurrent(
    mode: str,
    data: Tensor,
    batch_sizes: list[int],
    hx: State,
    params: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout_p: float,
    train: bool,
    bidirectional: bool,
) -> tuple[Tensor, State]:
    """All layers over a flat sequence (Σ Bₜ, I): outputs (Σ Bₜ, H) and the last states (L, B, H).

    `hx` holds (L, B, H) per state, a row for each layer and direction; `params` the weights in the
    same order: w_ih, w_hh, then b_ih, b_hh, then w_hr.
    """
    if not batch_sizes:
        raise RuntimeError("Expected sequence length to be larger than 0 in RNN")
    directions = 2 if bidirectional else 1
    count = len(params) // (num_layers * directions)
    last: list[State] = []
    for layer in range(num_layers):
        outputs = []
        for direction in range(directions):
            row = layer * directions + direction
            w_ih, w_hh, *rest = params[row * count : (row + 1) * count]
            b_ih, b_hh = rest[:2] if has_biases else (None, None)
            w_hr = rest[-1] if len(rest) % 2 else None
            bias, step = STEPS[mode]((w_hh, b_ih, b_hh, w_hr))
            gates = linear(data, w_ih, bias)
            state = tuple(part[row] for part in hx)
            if mode == "LSTM" and w_hr is None and len(set(batch_sizes)) == 1:
                output, state = _whole_lstm(gates, w_hh, state, len(batch_sizes), direction == 1)
            else:
                walk = _backwards if direction else _forwards
                steps, state = walk(step, gates.split(batch_sizes), state)
                output = cat(steps)
            outputs.append(output)
            last.append(state)
        data = cat(outputs, -1) if bidirectional else outputs[0]
        if train and dropout_p > 0.0 and layer < num_layers - 1:
            data = dropout(data, dropout_p)
    return data, tuple(cat([t.unsqueeze(0) for t in parts]) for parts in zip(*last, strict=True))


def _over_sequence(mode: str, input, second, third, *rest):
    """torch.lstm and its kind: (input, hx, params, ..., batch_first) or (data, sizes, hx, ...)."""
    if isinstance(second, Tensor) and not second.is_floating_point():
        params, *options = rest
        state = third if isinstance(third, (tuple, list)) else (third,)
        output, last = recurrent(mode, input, second.tolist(), tuple(state), params, *options)
        return (output, *last)
    *options, batch_first = rest
    state = second if isinstance(second, (tuple, list)) else (second,)
    if batch_first:
        input = input.transpose(0, 1)
    time, batch = input.shape[:2]
    flat = input.reshape(time * batch, input.size(2))
    output, last = recurrent(mode, flat, [batch] * time, tuple(state), third, *options)
    output = output.view(time, batch, -1)
    return (output.transpose(0, 1) if batch_first else output, *last)


@composite(names="torch.lstm")
def lstm(*args):
    """A stack of LSTM layers over a sequence: (output, h, c)."""
    return _over_sequence("LSTM", *args)


@composite(names="torch.gru")
def gru(*args):
    """A stack of GRU layers over a sequence: (output, h)."""
    return _over_sequence("GRU", *args)


@composite(names="torch.rnn_tanh")
def rnn_tanh(*args):
    """A stack of tanh layers over a sequence: (output, h)."""
    return _over_sequence("RNN_TANH", *args)


@composite(names="torch.rnn_relu")
def rnn_relu(*args):
    """A stack of relu layers over a sequence: (output, h)."""
    return _over_sequence("RNN_RELU", *args)
