"""Every op's calls as programs of one call: the same bits; and which calls stay calls of Python's.

Samples come from PyTorch's database; a watcher hears of each call that an op makes, forward and
backward, and compiles it.
"""

from __future__ import annotations

import itertools
import warnings
from collections import Counter

import numpy as np
import pytest
import torch

import opinfo
import paper_machine
import penlight
from penlight.compiler import numerics
from penlight.compiler.algebra import Unlowerable
from penlight.compiler.program import Program, compile, strides_of
from penlight.compiler.trace import Call, Ref, Trace, interpret
from penlight.compiler.translate import translate
from penlight.core import watch
from penlight.core.tape import modes
from test_programs import same_bits

nn, F = penlight.nn, penlight.nn.functional
SAMPLES, LARGEST, PARTS = 3, 3000, 6
KINDS = (torch.float32, torch.int64, torch.bool)

# Records of which some calls, or all, are Python's, and why. It should become shorter.
RANDOM = """_bernoulli _normal_of_size _scale cauchy_ exponential_ geometric_ log_normal_ normal_
    rand rand_like randint randint_like randn randn_like slopes_below_zero uniform_
    _no_negative"""
MATRICES = """_cholesky_ex _cholesky_inverse _cholesky_solve _det _eigh _inv_ex _ldl_solve
    _least_squares _lu_factor_ex _matrix_exp _pinv _qr _slogdet _solve _solve_ex _svd
    geqrf ldl_factor_ex"""
SORTED = """_kthvalue _median_all _median_dim _mode _nanmedian_all _nanmedian_dim _places _sort
    _topk"""
SCANNED = "_cummax _cummin _cumprod _cumsum _logcumsumexp"
COUNTED = """_chosen masked_scatter masked_select _index _positions _multi_margin_loss
    _multilabel_margin_loss _multilabel_margin_slope _index_fill _embedding_bag _pow_tensors"""
WRITTEN = """_scatter index_copy index_put put scatter_reduce index_add scatter_add
    _MaxUnpool2DBackward0 _MaxUnpool3DBackward0 _CopySlicesAdjoint"""
SPECIAL = """_polygamma airy_ai bessel_j0 bessel_j1 bessel_y0 bessel_y1 digamma erfcx erfinv i0 i0e
    i1 i1e igamma igammac lgamma log_ndtr mvlgamma ndtri zeta frexp gcd hypot
    lcm ldexp logaddexp logaddexp2 nextafter hermite_polynomial_h hermite_polynomial_he
    laguerre_polynomial_l legendre_polynomial_p modified_bessel_i0 modified_bessel_i1
    modified_bessel_k0 modified_bessel_k1 scaled_modified_bessel_k0 scaled_modified_bessel_k1
    chebyshev_polynomial_t chebyshev_polynomial_u chebyshev_polynomial_v chebyshev_polynomial_w
    shifted_chebyshev_polynomial_t shifted_chebyshev_polynomial_u shifted_chebyshev_polynomial_v
    shifted_chebyshev_polynomial_w"""
MEMORY = "_as_strided _as_strided_scatter _unfold _im2col"
RESAMPLED = """_AdaptiveAvgPool2DBackward0Adjoint
    _AdaptiveAvgPool3DBackward0Adjoint _ReflectionPad1DBackward0Adjoint
    _ReflectionPad2DBackward0Adjoint
    _ReplicationPad1DBackward0Adjoint _ReplicationPad2DBackward0Adjoint
    _UpsampleBicubic2DBackward0Adjoint
    _UpsampleBilinear2DBackward0Adjoint _UpsampleLinear1DBackward0Adjoint
    _UpsampleNearest1DBackward0Adjoint _UpsampleNearest2DBackward0Adjoint
    _UpsampleNearest3DBackward0Adjoint _UpsampleNearestExact1DBackward0Adjoint
    _UpsampleNearestExact2DBackward0Adjoint _UpsampleNearestExact3DBackward0Adjoint
    _UpsampleTrilinear3DBackward0Adjoint _AvgPool2DBackward0 _AvgPool2DBackward0Adjoint
    _AvgPool3DBackward0 _AvgPool3DBackward0Adjoint _MaxPool2DWithIndicesBackward0
    _MaxPool3DWithIndicesBackward0 _spread"""
OF_INTEGERS = """_convolution _linear_bias addmm bmm dot mm mv _clamp_max_tensor
    _clamp_min_tensor _aminmax _vector_norm"""
KINDS_OF_WORK = (RANDOM, MATRICES, SORTED, SCANNED, COUNTED, WRITTEN, SPECIAL, MEMORY, RESAMPLED)
STAY = frozenset(" ".join((*KINDS_OF_WORK, OF_INTEGERS)).split())


class Watcher:
    """Hears of calls, and checks each form of them once."""

    def __init__(self, in_code: int = 0):
        self.forms: set = set()
        self.in_code = in_code  # how many calls of each record run in machine code, not on paper
        self.lowered: Counter = Counter()
        self.by_python: dict[str, str] = {}

    def __getattr__(self, name):
        return lambda *args, **kwargs: None

    def host(self, work):
        """Work of Python's."""
        return work()

    def called(self, name, function, operands, args, results, pure=True):
        """An op tells what it computed."""
        arrays: list = []
        args = tuple(self.reference(a, arrays) for a in args)
        form = (name, repr(args), *[(a.dtype, a.shape, a.strides) for a in arrays])
        if form in self.forms:
            return
        self.forms.add(form)
        modes.tracer = None
        try:
            self.check(Call(name, function, args, (), pure), arrays, [t._array for t in results])
        finally:
            modes.tracer = self

    wrote = called

    def reference(self, a, arrays):
        """An argument with arrays replaced by their numbers."""
        if isinstance(a, np.ndarray):
            arrays.append(a)
            return Ref(len(arrays) - 1)
        return type(a)(self.reference(v, arrays) for v in a) if type(a) in (tuple, list) else a

    def check(self, call, arrays, results):
        """The call as a program."""
        trace = Trace(calls=[call])
        trace.inputs = [trace.value(a.dtype, a.shape) for a in arrays]
        trace.outputs = [trace.value(a.dtype, a.shape) for a in results]
        call.results = tuple(trace.outputs)
        try:
            graph = translate(trace)
        except Unlowerable:  # complex numbers and halves are not for programs
            return
        hosts = [v.attr[0] for v in graph.values if v.op == "host"]
        if hosts:
            self.by_python[call.name] = hosts[0].why
            return
        self.lowered[call.name] += 1
        with np.errstate(all="ignore"):
            want = interpret(trace, numerics, [paper_machine.alike(a) for a in arrays])
            if self.lowered[call.name] <= self.in_code:
                got = compile(trace, arrays, checked=True)(arrays)
            else:
                program = Program(graph, strides_of(arrays), checked=True)
                got = paper_machine.run(program, arrays, np.random.default_rng(0))
        for a, b in zip(got, want, strict=True):
            same_bits(a, b)

    def run(self, function, *args, **kwargs):
        """A call and its backward pass, watched."""
        watch.tracers.append(self)
        modes.tracer = self
        try:
            found = function(*args, **kwargs)
            ends = [t for t in opinfo.tensors_in([found]) if t.requires_grad and not t.is_complex()]
            if ends:
                sum((t * 1).sum() for t in ends).backward()
        finally:
            modes.tracer = None
            watch.tracers.remove(self)


def samples(info, kind):
    """A few samples of an op, as (input, args, kwargs)."""
    grad = info.supports_autograd and kind == torch.float32
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = info.sample_inputs_func(info, "cpu", kind, grad)  # without its bookkeeping
        made = list(itertools.islice(found, 40))
    for sample in made[:: max(1, len(made) // SAMPLES)]:
        given = opinfo.carried((sample.input, sample.args, sample.kwargs))
        if sum(t.numel() for t in opinfo.tensors_in(given)) <= LARGEST:
            yield given


@pytest.mark.parametrize("part", range(PARTS))
def test_the_same_bits(part):
    watcher = Watcher(in_code=1)
    infos = sorted(opinfo.database.op_db, key=opinfo.name_of)
    for info, kind in itertools.product(infos[part::PARTS], KINDS):
        function = opinfo.function_of(info)
        if function is None or kind not in info.dtypes:
            continue
        for input, args, kwargs in samples(info, kind):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    watcher.run(function, input, *args, **kwargs)
                except (RuntimeError, NotImplementedError, TypeError, ValueError, IndexError):
                    continue  # that sample is not for penlight; parity looks at those
    assert set(watcher.by_python) <= STAY, {
        name: why for name, why in watcher.by_python.items() if name not in STAY
    }
    assert len(watcher.lowered) > 80


# ------------------------------------------------------------ what networks are made of


def batch(*shape):
    """Random numbers that want gradients."""
    return penlight.randn(*shape, requires_grad=True)


HOT = {
    "mlp": lambda: nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))(batch(4, 6)),
    "activations": lambda: [
        f(batch(3, 5))
        for f in (
            F.relu,
            F.gelu,
            F.silu,
            F.elu,
            F.softplus,
            F.mish,
            F.hardswish,
            F.leaky_relu,
            F.selu,
            F.sigmoid,
            F.tanh,
            F.logsigmoid,
            F.hardtanh,
            F.relu6,
            F.softsign,
            F.glu,
        )
        if f is not F.glu
    ],
    "glu": lambda: F.glu(batch(3, 6)),
    "softmax": lambda: [F.softmax(batch(3, 5), 1), F.log_softmax(batch(3, 5), 0)],
    "layer_norm": lambda: nn.LayerNorm(5)(batch(2, 3, 5)),
    "rms_norm": lambda: nn.RMSNorm(5)(batch(2, 3, 5)),
    "group_norm": lambda: nn.GroupNorm(2, 4)(batch(2, 4, 3)),
    "batch_norm": lambda: nn.BatchNorm1d(4)(batch(6, 4)),
    "batch_norm_2d": lambda: nn.BatchNorm2d(4)(batch(3, 4, 2, 2)),
    "batch_norm_eval": lambda: nn.BatchNorm1d(4).eval()(batch(6, 4)),
    "cross_entropy": lambda: F.cross_entropy(batch(4, 3), penlight.tensor([0, 2, -100, 1])),
    "smoothed": lambda: F.cross_entropy(batch(2, 3), penlight.tensor([0, 2]), label_smoothing=0.1),
    "weighted": lambda: F.cross_entropy(
        batch(2, 3, 2), penlight.tensor([[0, 2], [1, 1]]), penlight.ones(3)
    ),
    "nll": lambda: F.nll_loss(F.log_softmax(batch(2, 3), 1), penlight.tensor([0, 2])),
    "losses": lambda: [
        f(batch(4, 3), penlight.randn(4, 3))
        for f in (
            F.mse_loss,
            F.l1_loss,
            F.smooth_l1_loss,
            F.huber_loss,
            F.binary_cross_entropy_with_logits,
        )
    ],
    "bce": lambda: F.binary_cross_entropy(batch(4).sigmoid(), penlight.ones(4)),
    "kl": lambda: F.kl_div(F.log_softmax(batch(2, 3), 1), penlight.ones(2, 3), reduction="sum"),
    "embedding": lambda: nn.Embedding(7, 3)(penlight.tensor([[1, 6], [0, 1]])),
    "padded_embedding": lambda: nn.Embedding(7, 3, padding_idx=0)(penlight.tensor([1, 0, 1])),
    "convolution": lambda: nn.Conv2d(2, 3, 3, padding=1)(batch(2, 2, 5, 5)),
    "indexing": lambda: [batch(4, 3)[1:, ::2], batch(4, 3)[penlight.tensor([0, 0, 3])]],
    "gather": lambda: batch(4, 3).gather(1, penlight.tensor([[0, 1], [2, 0], [1, 1], [0, 0]])),
    "max": lambda: [batch(4, 3).max(1).values, batch(4, 3).max(), batch(4, 3).amax(0)],
    "joined": lambda: [penlight.cat([batch(2, 3), batch(1, 3)]), penlight.stack([batch(2)] * 2)],
    "causal": lambda: batch(4, 4).masked_fill(penlight.ones(4, 4).triu(1).bool(), -1e9),
    "lstm": lambda: nn.LSTM(3, 4, num_layers=2, bidirectional=True)(batch(5, 2, 3))[0],
    "gru": lambda: nn.GRU(3, 4)(batch(5, 2, 3))[0],
    "rnn": lambda: nn.RNN(3, 4)(batch(5, 2, 3))[0],
    "cells": lambda: [nn.LSTMCell(3, 4)(batch(2, 3)), nn.GRUCell(3, 4)(batch(2, 3))],
    "attention": lambda: F.scaled_dot_product_attention(
        batch(2, 2, 4, 8), batch(2, 2, 4, 8), batch(2, 2, 4, 8), is_causal=True
    ),
    "multihead": lambda: nn.MultiheadAttention(8, 2, batch_first=True)(*[batch(2, 4, 8)] * 3)[0],
    "transformer": lambda: nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0)(batch(4, 2, 8)),
    "clipped": lambda: F.normalize(batch(3, 4)) * batch(3, 4).norm().clamp(max=1.0),
    "statistics": lambda: [batch(3, 4).var(1), batch(3, 4).std(0), batch(4).logsumexp(0)],
}


@pytest.mark.parametrize("case", HOT)
def test_nothing_hot_is_left_to_python(case):
    penlight.manual_seed(0)
    watcher = Watcher()
    watcher.run(HOT[case])
    assert watcher.lowered
    assert set(watcher.by_python) <= set(RANDOM.split())
