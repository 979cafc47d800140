"""Makers of tensors agree with PyTorch's: values, types, memory order, errors."""

from collections import deque

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import penlight as pl
from agreement import check

FILLED = """
T.zeros(2.0)
T.zeros((2, -1))
T.zeros(2, -1)
T.zeros('a')
T.zeros((2., 3))
T.zeros(T.tensor(2))
T.zeros((T.tensor(2), 3))
T.zeros()
T.zeros([])
T.zeros(2, 3, dtype='float32')
T.zeros(2, device='foo')
T.zeros(2, out=T.ones(3))
T.ones(size=(2,))
T.zeros(2, dtype=float), T.zeros(2, dtype=int), T.zeros(2, dtype=bool)
T.zeros(np.int64(2))
T.zeros(True)
T.full((2,), 1), T.full((2,), 1.), T.full((2,), True), T.full((2,), 1j)
T.full(2, 1)
T.full((2,), T.tensor(3))
T.full((2,), [1])
T.full((2,), 1.5, dtype=T.int64)
T.full((2,), 300, dtype=T.uint8)
T.full((2,), -1, dtype=T.uint8)
T.full((2,), float('nan'), dtype=T.int32)
T.full((2,), 2**40, dtype=T.int32)
T.full((2,), 1j, dtype=T.float32)
T.full((2,), 1e300)
T.zeros(2, 2, dtype=T.bfloat16)
T.ones(2, dtype=T.complex64)
T.zeros(3, dtype=T.int64, requires_grad=True)
T.scalar_tensor(3), T.scalar_tensor(True), T.scalar_tensor(3, dtype=T.int64)
T.empty(2, 3).shape
T.empty(2, 3, 4, 5, memory_format=T.channels_last).stride()
T.empty(2, 3, memory_format=T.channels_last)
T.empty_strided((2, 3), (1, 2)).stride()
T.empty_strided((2, 3), (1,))
T.empty_strided((2,), (-1,))
T.empty_permuted((2, 3, 4), (1, 0, 2)).stride()
T.empty_permuted((2, 3), (0,))
T.empty_permuted((2, 3), (0, 0))
T.empty_permuted((2, 3), (0, 5))
T.zeros_like([1])
T.full_like(v.int(), 2.5), T.full_like(v, 3)
T.ones_like(T.ones(2, 3).t()).stride()
T.ones_like(T.ones(2, 3).t(), memory_format=T.contiguous_format).stride()
T.empty_like(T.ones(2, 3).expand(4, 2, 3)).stride()
T.zeros_like(x.permute(1, 2, 0)).stride()
T.zeros_like(x[:, ::2]).stride()
T.zeros_like(v, dtype=T.int64)
v.new_zeros(2, 3), v.new_zeros((2,), dtype=T.int), v.new_full((2,), 2), v.int().new_full((2,), 2.5)
v.new_tensor([1, 2]), v.int().new_tensor([1.5, 2]), v.new_ones(2), v.new_empty(2, 3).shape
v.new_empty_strided((2, 3), (1, 2)).stride()
v.new([1, 2]), v.new(2).shape
T.zeros(2).fill_(3), T.fill(v, 2.5), v.int().fill_(2.5)
v.fill_(T.tensor([1., 2.]))
v.zero_()
T.clone(v), x.mT.clone().stride()
T.Tensor(2, 3).shape, T.Tensor([1, 2]), T.Tensor(), T.LongTensor([1, 2]), T.BoolTensor([1, 0])
T.Tensor(2.)
T.set_default_tensor_type('torch.DoubleTensor'), T.ones(1).dtype, T.set_default_dtype(T.float32)
T.set_default_tensor_type(T.LongTensor)
T.typename(v), isinstance(T.int8, T.dtype), T.get_device(v)
isinstance(v, T.FloatTensor), isinstance(v, T.LongTensor), T.ByteTensor(2).dtype
"""

RANGES = """
T.arange(5), T.arange(5.), T.arange(1, 5), T.arange(5, 1, -1), T.arange(end=3)
T.arange(1, 5, 0)
T.arange(5, 1)
T.arange(1, 2, .3)
T.arange(0, 1, 0.1)
T.arange(float('nan'))
T.arange(0, float('inf'))
T.arange(3, dtype=T.float16)
T.arange(5, requires_grad=True)
T.arange(5., requires_grad=True)
T.arange(T.tensor(3)), T.arange(T.tensor(3.))
T.arange(start=1, end=3), T.arange(1, 10, step=2)
T.arange(0, 2.5, dtype=T.int64), T.arange(0, 2.5, dtype=T.int32)
T.arange(2, dtype=T.bool)
T.arange(3j)
T.arange('a')
T.arange(2**60, 2**60 + 2)
T.arange(10**20)
T.range(1, 3), T.range(0, 1, .25)
T.linspace(0, 1, 5), T.linspace(0, 1, 1), T.linspace(0, 1, 0)
T.linspace(0, 1, -1)
T.linspace(0, 10, 4, dtype=T.int64)
T.linspace(T.tensor(0.), T.tensor(1.), 3)
T.linspace(T.zeros(2), 1, 3)
T.linspace(0, 1j, 3)
T.linspace(0, 1j, 3, dtype=T.float32)
T.logspace(0, 2, 3), T.logspace(0, 2, 3, base=2), T.logspace(0, 2, 3, 2)
T.logspace(0, 2, 3, dtype=T.int64), T.logspace(0, 3, 4, base=-2.), T.logspace(0, 1, 1)
T.eye(2), T.eye(2, 3), T.eye(2, m=1), T.eye(2, dtype=T.bool)
T.eye(-1)
T.eye(2, -3)
T.tril_indices(3, 3), T.tril_indices(3, 4, 1), T.triu_indices(3, 3, -1)
T.triu_indices(2, 2, 0, dtype=T.int32)
T.tril_indices(-1, 3)
T.tril_indices(3, -3)
T.tril_indices(3, 3, dtype=T.float32)
T.tril_indices(2, 2, dtype=T.bool)
"""

DATA = """
T.tensor(1), T.tensor(1.), T.tensor(True), T.tensor(1j), T.tensor([]), T.tensor([[]])
T.tensor([1, 2.5]), T.tensor([True, 2]), T.tensor([1, 2j]), T.tensor([True, 2.])
T.tensor([[1, 2], [3]])
T.tensor([[1, 2], 3])
T.tensor([1, [2]])
T.tensor([1., [2]])
T.tensor([[1], [2, 3]])
T.tensor([[[1]], [[2, 3]]])
T.tensor([[1., 2], [3, 4], [5]])
T.tensor('a')
T.tensor(['a'])
T.tensor(None)
T.tensor([None])
T.tensor({})
T.tensor(b'abc')
T.tensor((x for x in [1]))
T.tensor(2**63)
T.tensor([2**63])
T.tensor(-2**63 - 1)
T.tensor(2**63, dtype=T.uint64)
T.tensor(2**70, dtype=T.float32)
T.tensor(300, dtype=T.uint8)
T.tensor(-1, dtype=T.uint8)
T.tensor([300], dtype=T.int8)
T.tensor([1.5, 2.7], dtype=T.int32)
T.tensor(1j, dtype=T.float32)
T.tensor([1j], dtype=T.int64)
T.tensor(float('nan'), dtype=T.int64)
T.tensor([1.5, float('nan')], dtype=T.bool)
T.tensor(np.float64(3)), T.tensor(np.float32(3)), T.tensor(np.int32(3)), T.tensor(np.bool_(True))
T.tensor([np.float32(3)]), T.tensor([np.float64(3)]), T.tensor([np.int32(3), 1])
T.tensor([np.float32(3), 1.0]), T.tensor([[np.float64(3)], [1]])
T.tensor(np.array([1., 2])), T.tensor(np.array(1.5)), T.tensor(np.array([1, 2], np.int16))
T.tensor([np.array([1, 2]), np.array([3, 4])])
T.tensor((1, 2)), T.tensor(range(3)), T.tensor([range(2), range(2)])
T.tensor([T.tensor(1), T.tensor(2)]), T.tensor([T.tensor(1.), 2]), T.tensor([T.ones(1), T.ones(1)])
T.tensor([T.ones(2), T.ones(2)])
T.tensor(T.ones(2))
T.tensor(np.array(['a']))
T.tensor(np.array([1], dtype=object))
T.tensor(np.array([1, 2])[::-1])
T.tensor(np.zeros(2, dtype='>f4'))
T.tensor([1, 2], requires_grad=True)
T.tensor([1., 2], requires_grad=True)
T.tensor([1e300]), T.tensor([1e300], dtype=T.float16)
T.tensor(data=[1])
T.tensor([1], dtype='float')
T.tensor([1], names=('a',))
"""

GRIDS = """
T.meshgrid(v, v[:2], indexing='ij')
T.meshgrid(v[:3], v[:2], v[:1], indexing='xy')
T.meshgrid(v, s, indexing='ij')[0].shape
T.meshgrid(v, v.int(), indexing='ij')
T.meshgrid()
T.meshgrid([v, v], indexing='xy')[0].shape
T.meshgrid(v, v, indexing='foo')
T.cartesian_prod(v[:2], v[:2]), T.cartesian_prod(v)
T.cartesian_prod(m)
T.combinations(v[:3]), T.combinations(v[:3], 2, True), T.combinations(v, 0)
T.combinations(v[:2], 3)
T.combinations(v, -1)
T.combinations(m)
T.vander(v[:3]), T.vander(v[:3], 2, True), T.vander(v.int()[:3]).dtype, T.vander(v[:3], 0).shape
T.vander(m)
T.vander(v[:3], -1)
T.linalg.vander(v[:3]), T.linalg.vander(s, N=3), T.linalg.vander(m).shape
T.linalg.vander(v, N=1)
T.unravel_index(T.tensor([1, 7, -1]), (2, 3)), T.unravel_index(T.tensor(1), 3)
T.unravel_index(T.tensor(1.), (2, 3))
T.unravel_index(T.tensor(1), (-3,))
T.unravel_index(T.tensor(1), 2.)
T.block_diag(), T.block_diag(v, s), T.block_diag(T.zeros(2, 0), s), T.block_diag(m, v.int())
T.block_diag(x)
"""


def lines(text):
    return [line for line in text.splitlines() if line]


@pytest.mark.parametrize("line", lines(FILLED) + lines(RANGES) + lines(DATA) + lines(GRIDS))
def test_agrees(line):
    check(line)


def test_arguments_that_do_not_fit():
    for line in ("T.linspace(0, 1)", "T.linspace(0, 1, 2.)", "T.tensor()", "T.tensor([1], [2])"):
        check(line, message=False)


NUMBERS = ["float32", "float64", "float16", "bfloat16", "int64", "uint8"]


@settings(max_examples=200, deadline=None)
@given(st.floats(0, 200), st.floats(0, 200), st.integers(0, 60), st.sampled_from(NUMBERS))
def test_linspace_has_the_same_bits(start, end, steps, dtype):
    got, want = (t.linspace(start, end, steps, dtype=getattr(t, dtype)) for t in (pl, torch))
    assert got.tolist() == want.tolist()


@settings(max_examples=200, deadline=None)
@given(st.floats(-50, 50), st.floats(0, 50), st.floats(0.1, 7))
def test_arange_has_the_same_length_and_values(start, length, step):
    """Up to the last bit, in which PyTorch's depends on the vector width of the machine."""
    got, want = (t.arange(start, start + length, step) for t in (pl, torch))
    np.testing.assert_allclose(got.numpy(), want.numpy(), rtol=2e-7, atol=1e-5)


CLASSIC = ["hann", "hamming", "bartlett", "blackman", "kaiser"]


@pytest.mark.parametrize("name", CLASSIC)
@pytest.mark.parametrize("periodic", [True, False])
def test_windows_of_old(name, periodic):
    for length in (0, 1, 2, 7, 16):
        got, want = (
            getattr(t, f"{name}_window")(length, periodic, dtype=t.float64) for t in (pl, torch)
        )
        np.testing.assert_allclose(got.numpy(), want.numpy(), atol=1e-12)


MODERN = {
    "bartlett": {}, "blackman": {}, "cosine": {}, "exponential": {"tau": 2.0},
    "gaussian": {"std": 1.5}, "general_cosine": {"a": [0.5, 0.3, 0.2]},
    "general_hamming": {"alpha": 0.6}, "hamming": {},
    "hann": {}, "kaiser": {"beta": 5.0}, "nuttall": {},
}  # fmt: skip


@pytest.mark.parametrize("name", MODERN)
@pytest.mark.parametrize("sym", [True, False])
def test_windows(name, sym):
    for length in (0, 1, 2, 9):
        got, want = (
            getattr(t.signal.windows, name)(length, sym=sym, dtype=t.float64, **MODERN[name])
            for t in (pl, torch)
        )
        np.testing.assert_allclose(got.numpy(), want.numpy(), atol=1e-12)


WINDOW_ERRORS = """
T.hann_window(-1)
T.kaiser_window(-2)
T.hann_window(3, requires_grad=True)
T.signal.windows.hann(-1)
T.signal.windows.hann(3, dtype=T.int64)
T.signal.windows.hann(3, layout=T.sparse_coo)
T.signal.windows.exponential(4, tau=-1)
T.signal.windows.exponential(4, center=1.)
T.signal.windows.gaussian(4, std=0)
T.signal.windows.kaiser(4, beta=-1)
T.signal.windows.general_cosine(4, a=3)
T.signal.windows.general_cosine(4, a=[])
"""


@pytest.mark.parametrize("line", lines(WINDOW_ERRORS))
def test_window_errors(line):
    check(line)


def test_fill_passes_gradients_to_the_value():
    for t in (pl, torch):
        x, value = t.ones(3, requires_grad=True), t.tensor(2.0, requires_grad=True)
        t.fill(x, value).sum().backward()
        assert x.grad.tolist() == [0, 0, 0] and value.grad.item() == 3


@pytest.mark.parametrize("data", [deque([1, 2.5]), [deque([1]), [2]], deque([[1], [2]]), deque()])
def test_a_deque_is_a_sequence(data):
    assert repr(pl.tensor(data)) == repr(torch.tensor(data))
