"""Recurrent layers, their cells and packed sequences, against PyTorch."""

import itertools

import pytest
import torch

import penlight
from twins import fill, same, values

T_, B, D, H = 5, 3, 4, 6  # time, batch, input size, hidden size


def states(T, layer, rows, batch=B):
    sizes = [layer.proj_size or H] + ([H] if layer.mode == "LSTM" else [])
    made = [values(T, rows, batch, size, seed=9 + i) for i, size in enumerate(sizes)]
    return [s.requires_grad_() for s in made]


def grouped(layer, state):
    return tuple(state) if layer.mode == "LSTM" else state[0]


OPTIONS = [
    {},
    {"num_layers": 2, "bidirectional": True},
    {"batch_first": True, "bias": False},
    {"num_layers": 2, "batch_first": True},
]
KINDS = [("RNN", {}), ("RNN", {"nonlinearity": "relu"}), ("LSTM", {}), ("GRU", {})]
CASES = [(name, {**a, **b}) for (name, a), b in itertools.product(KINDS, OPTIONS)]
CASES += [
    ("LSTM", {"proj_size": 2}),
    ("LSTM", {"proj_size": 2, "num_layers": 2, "bidirectional": True, "bias": False}),
]


def run(T, name, options, given_state=True):
    layer = fill(T, getattr(T.nn, name)(D, H, **options))
    first = options.get("batch_first", False)
    x = values(T, *((B, T_, D) if first else (T_, B, D))).requires_grad_()
    rows = layer.num_layers * (2 if layer.bidirectional else 1)
    state = states(T, layer, rows) if given_state else []
    output, last = layer(x, grouped(layer, state) if state else None)
    last = last if isinstance(last, tuple) else (last,)
    (output.sum() + sum((part * part).sum() for part in last)).backward()
    grads = [t.grad for t in (x, *state, *layer.parameters())]
    names = [n for n, _ in layer.named_parameters()]
    return repr(layer), names, output, list(last), grads


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("name, options", CASES)
def test_layer(name, options):
    same(lambda T: run(T, name, options), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_initial_values_and_no_state(name):
    def program(T):
        layer = getattr(T.nn, name)(D, H, 2)
        return layer.state_dict(), layer(values(T, T_, B, D))[0]

    same(program)


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_without_a_batch(name):
    def program(T):
        layer = fill(T, getattr(T.nn, name)(D, H))
        return layer(values(T, T_, D)), layer(values(T, T_, D), grouped(layer, flat(T, layer)))

    same(program)


def flat(T, layer):
    return [s.detach()[:, 0] for s in states(T, layer, 1)]


def test_dropout_between_layers():
    def program(T):
        layer = fill(T, T.nn.LSTM(D, H, 3, dropout=1.0))
        x = values(T, T_, B, D)
        return layer(x)[0], layer.eval()(x)[0]

    same(program)


def test_second_order():
    def program(T):
        layer = fill(T, T.nn.LSTM(D, H)).double()
        x = values(T, 2, 1, D).double().requires_grad_()
        (slope,) = T.autograd.grad(layer(x)[0].pow(2).sum(), x, create_graph=True)
        slope.pow(2).sum().backward()
        return x.grad, layer.weight_hh_l0.grad

    same(program)


@pytest.mark.parametrize(
    "op, shapes", [("_lstm_gates", [(2, 12), (2, 3)]), ("_gru_gates", [(2, 9), (2, 9), (2, 3)])]
)
def test_gates_against_finite_differences(op, shapes):
    inputs = [values(penlight, *s, seed=i).double().requires_grad_() for i, s in enumerate(shapes)]
    check = penlight.autograd.gradcheck, penlight.autograd.gradgradcheck
    assert all(f(getattr(penlight, op), inputs) for f in check)


# ---------------------------------------------------------------- packed sequences

LENGTHS = [5, 3, 1]


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("lengths", [LENGTHS, [2, 5, 3]])
def test_packed(name, lengths):
    def program(T):
        rnn = T.nn.utils.rnn
        layer = fill(T, getattr(T.nn, name)(D, H, 2, bidirectional=True))
        x = values(T, T_, B, D).requires_grad_()
        ordered = lengths == sorted(lengths, reverse=True)
        packed = rnn.pack_padded_sequence(x, T.tensor(lengths), enforce_sorted=ordered)
        state = states(T, layer, 4)
        output, last = layer(packed, grouped(layer, state))
        last = last if isinstance(last, tuple) else (last,)
        padded, sizes = rnn.pad_packed_sequence(output, padding_value=-1.0)
        (padded.sum() + sum(part.sum() for part in last)).backward()
        return list(packed), list(output), list(last), padded, sizes, [t.grad for t in (x, *state)]

    same(program, rtol=1e-4, atol=1e-5)


def test_packing():
    def program(T):
        rnn = T.nn.utils.rnn
        rows = [values(T, n, 2, seed=n) for n in LENGTHS]
        packed = rnn.pack_sequence(rows)
        loose = rnn.pack_sequence(rows[::-1], enforce_sorted=False)
        left = rnn.pad_sequence(rows, True, 7.0, "left")
        right = rnn.pad_sequence(rows)
        lengths = T.tensor(LENGTHS)
        return (
            list(packed),
            list(loose),
            rnn.unpack_sequence(loose),
            left,
            right,
            rnn.unpad_sequence(right.clone(), lengths),
            rnn.pad_packed_sequence(packed, batch_first=True, total_length=7),
            rnn.invert_permutation(T.tensor([2, 0, 1])),
            [str(p.data.dtype) for p in (packed.double(), packed.long(), packed.to(T.float16))],
            repr(packed),
        )

    same(program)


PACKING_ERRORS = [
    lambda T, r: r.pack_padded_sequence(T.ones(5, 3, 2), [1, 2, 3]),
    lambda T, r: r.pack_padded_sequence(T.ones(5, 3, 2), [3, 2]),
    lambda T, r: r.pack_padded_sequence(T.ones(5, 3, 2), [3, 2, 0]),
    lambda T, r: r.pad_packed_sequence(r.pack_sequence([T.ones(3)]), total_length=2),
    lambda T, r: r.pad_sequence(3),
    lambda T, r: r.pad_sequence([T.ones(1)], padding_side="top"),
]


@pytest.mark.parametrize("program", PACKING_ERRORS)
def test_packing_errors(program):
    same(lambda T: program(T, T.nn.utils.rnn))


def test_too_long_a_length_is_named():
    pack = penlight.nn.utils.rnn.pack_padded_sequence
    with pytest.raises(RuntimeError, match=r"longest of the lengths is 6, but .* has 5 steps"):
        pack(penlight.ones(5, 1, 2), [6])


# ---------------------------------------------------------------- cells


@pytest.mark.parametrize("batched", [True, False])
@pytest.mark.parametrize(
    "name, options",
    [
        ("RNNCell", {"nonlinearity": "relu"}),
        ("RNNCell", {}),
        ("LSTMCell", {}),
        ("GRUCell", {"bias": False}),
    ],
)
def test_cells(name, options, batched):
    def program(T):
        cell = fill(T, getattr(T.nn, name)(D, H, **options))
        x = values(T, *((B, D) if batched else (D,))).requires_grad_()
        h = values(T, *((B, H) if batched else (H,)), seed=1).requires_grad_()
        state = (h, h * 2) if name == "LSTMCell" else h
        out = cell(x, state)
        out = out if isinstance(out, tuple) else (out,)
        sum(part.pow(2).sum() for part in out).backward()
        grads = [t.grad for t in (x, h, *cell.parameters())]
        return repr(cell), list(out), grads, cell(x)

    same(program)


# ---------------------------------------------------------------- errors

ERRORS = [
    lambda T: T.nn.LSTM(D, H, dropout=2),
    lambda T: T.nn.LSTM(D, H, bias=1),
    lambda T: T.nn.LSTM(D, H, batch_first="yes"),
    lambda T: T.nn.LSTM(0, H),
    lambda T: T.nn.LSTM(D, 0),
    lambda T: T.nn.LSTM(D, H, 0),
    lambda T: T.nn.LSTM(2.0, H),
    lambda T: T.nn.LSTM(D, H, proj_size=-1),
    lambda T: T.nn.LSTM(D, H, proj_size=H),
    lambda T: T.nn.GRU(D, H, proj_size=2),
    lambda T: T.nn.RNN(D, H, proj_size=2),
    lambda T: T.nn.RNN(D, H, nonlinearity="sigmoid"),
    lambda T: T.nn.RNN(D, H)(T.ones(1, 1, 1, D)),
    lambda T: T.nn.LSTM(D, H)(T.ones(D)),
    lambda T: T.nn.GRU(D, H)(T.ones(T_, B, D + 1)),
    lambda T: T.nn.GRU(D, H)(T.ones(T_, B, D, dtype=T.float64)),
    lambda T: T.nn.GRU(D, H)(T.ones(T_, B, D), T.ones(1, B + 1, H)),
    lambda T: T.nn.GRU(D, H)(T.ones(T_, B, D), T.ones(1, H)),
    lambda T: T.nn.GRU(D, H)(T.ones(T_, D), T.ones(1, B, H)),
    lambda T: T.nn.LSTM(D, H)(T.ones(T_, B, D), (T.ones(1, B, H), T.ones(1, B, 1))),
    lambda T: T.nn.LSTM(D, H)(T.ones(T_, B, D), (T.ones(1, H), T.ones(1, H))),
    lambda T: T.nn.LSTM(D, H)(T.ones(T_, D), (T.ones(1, B, H), T.ones(1, B, H))),
    lambda T: T.nn.LSTM(D, H)(T.ones(0, B, D)),
    lambda T: T.nn.GRUCell(D, H)(T.ones(1, 2, 3)),
    lambda T: T.nn.GRUCell(D, H)(T.ones(D), T.ones(1, 1, H)),
    lambda T: T.nn.GRUCell(D, H)(T.ones(B, D), T.ones(B + 1, H)),
    lambda T: T.nn.RNNCell(D, H)(T.ones(B, D), T.ones(B, H + 1)),
    lambda T: T.nn.LSTMCell(D, H)(T.ones(B, D + 1)),
    lambda T: T.nn.RNNCell(D, H, nonlinearity="x")(T.ones(B, D)),
]


@pytest.mark.parametrize("program", ERRORS)
def test_errors(program):
    same(program)


def test_one_layer_with_dropout_warns():
    texts = []
    for T in (torch, penlight):
        with pytest.warns(UserWarning) as caught:
            T.nn.GRU(D, H, dropout=0.5)
        texts.append(str(caught[0].message))
    assert texts[0] == texts[1]
