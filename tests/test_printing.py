"""Texts of tensors, against PyTorch's."""

import ml_dtypes
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import _tensor_str as oracle

import penlight as pl
from penlight.core import printing

OPTIONS = st.fixed_dictionaries(
    {
        "precision": st.sampled_from([2, 4, 6]),
        "threshold": st.sampled_from([5, 50, 1000]),
        "edgeitems": st.integers(0, 3),
        "linewidth": st.sampled_from([20, 40, 80]),
        "sci_mode": st.sampled_from([None, True, False]),
    }
)
SHAPES = st.lists(st.sampled_from([1, 2, 3, 7, 8]), max_size=4).filter(lambda s: np.prod(s) < 400)
DTYPES = ["float32", "float64", "float16", "int64", "uint8", "bool", "complex64", "complex128"]


@pytest.fixture(autouse=True)
def default_options():
    yield
    for library in (pl, torch):
        library.set_printoptions(profile="default")


def numbers(rng, shape):
    """Random values of one magnitude, sometimes whole, sometimes with special ones among them."""
    values = rng.standard_normal(shape) * 10.0 ** rng.choice([-8, -4, 0, 0, 2, 4, 6, 9, 20])
    if rng.random() < 0.3:
        values = np.round(values)
    if rng.random() < 0.3:
        special = rng.choice([0.0, -0.0, np.inf, -np.inf, np.nan])
        values = np.where(rng.random(shape) < 0.3, special, values)
    return np.asarray(values)


def cast(values, dtype):
    with np.errstate(all="ignore"):
        if np.dtype(dtype).kind in "iu":
            values = np.nan_to_num(values, posinf=5, neginf=-5).clip(-2e9, 2e9)
        if np.dtype(dtype).kind == "c":
            values = values + 1j * values[::-1] if values.ndim else values - 1j * values
        return np.asarray(values.astype(dtype))


@settings(max_examples=300, deadline=None)
@given(
    st.integers(0, 2**32 - 1), SHAPES, st.sampled_from(DTYPES), OPTIONS, st.sampled_from([7, 11])
)
def test_numbers_stand_as_in_pytorch(seed, shape, dtype, options, indent):
    array = cast(numbers(np.random.default_rng(seed), tuple(shape)), dtype)
    with printing.printoptions(**options), oracle.printoptions(**options):
        assert printing.array_str(array, indent) == oracle._tensor_str(
            torch.from_numpy(array), indent
        )


@pytest.mark.parametrize("dtype", ["bfloat16", "float8_e4m3fn", "float8_e5m2"])
def test_narrow_floats(dtype):
    values = np.array([[1.0, -2.5, 0.0], [1e-3, 448.0, 96.0]], np.float32)
    narrow = torch.from_numpy(values).to(getattr(torch, dtype))
    array = values.astype(getattr(ml_dtypes, dtype))
    assert printing.array_str(array, 7) == oracle._tensor_str(narrow, 7)


@pytest.mark.filterwarnings("ignore:ComplexHalf support is experimental")
def test_half_complex():
    got, want = (t.tensor([1 + 2j, -0.5 - 1j], dtype=t.complex32) for t in (pl, torch))
    assert repr(got) == repr(want)


MAKERS = {
    "dtype": lambda t: t.zeros(2, dtype=t.float16),
    "complex": lambda t: t.tensor([1 + 2j]),
    "complex128": lambda t: t.tensor([1 + 2j], dtype=t.complex128),
    "empty": lambda t: t.zeros(0),
    "empty int": lambda t: t.zeros(0, dtype=t.int64),
    "empty 2-d": lambda t: t.zeros(3, 0, dtype=t.bool),
    "0-d": lambda t: t.tensor(2.5, dtype=t.float64),
    "leaf": lambda t: t.ones(3, requires_grad=True),
    "node": lambda t: t.ones(3, requires_grad=True) * 2,
    "suffix on the next line": lambda t: t.full((9,), 1.25, dtype=t.float64, requires_grad=True),
    "many suffixes": lambda t: t.zeros(2, 0, dtype=t.float64, requires_grad=True) + 1,
    "parameter": lambda t: t.nn.Parameter(t.ones(2, 2)),
    "summarised": lambda t: t.arange(5000.0).reshape(50, 100),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_whole_text(make):
    assert repr(make(pl)) == repr(make(torch))
    assert str(make(pl)) == str(make(torch))


def test_default_dtype_needs_no_suffix():
    before = pl.get_default_dtype()
    pl.set_default_dtype(pl.float64)
    try:
        assert repr(pl.tensor([1.0])) == "tensor([1.])"
        assert repr(pl.tensor([1.0 + 1j])) == "tensor([1.+1.j])"
        assert repr(pl.tensor([1.0], dtype=pl.float32)) == "tensor([1.], dtype=torch.float32)"
    finally:
        pl.set_default_dtype(before)


def test_no_edges_are_only_a_shape():
    for library in (pl, torch):
        library.set_printoptions(edgeitems=0, threshold=3)
    assert repr(pl.ones(3, 2)) == repr(torch.ones(3, 2))


def test_subclass_prints_its_name():
    class Image(pl.Tensor):
        pass

    class TorchImage(torch.Tensor):
        pass

    want = repr(torch.ones(2, 2).as_subclass(TorchImage)).replace("TorchImage", "Image")
    assert repr(pl.ones(2, 2).as_subclass(Image)) == want.replace("\n     ", "\n")


@pytest.mark.parametrize(
    "options",
    [
        {"precision": 2},
        {"profile": "short"},
        {"profile": "full"},
        {"profile": "short", "edgeitems": 1},
    ],
)
def test_options_add_up(options):
    for library in (pl, torch):
        library.set_printoptions(linewidth=60, sci_mode=True)
        library.set_printoptions(**options)
    assert printing.get_printoptions() == oracle.get_printoptions()


def test_printoptions_come_back():
    with printing.printoptions(precision=1):
        assert repr(pl.tensor(1.26)) == "tensor(1.3)"
    assert printing.get_printoptions()["precision"] == 4


def test_format():
    assert f"{pl.tensor(1.5):.3f}" == "1.500"
    assert f"{pl.tensor(7):>5}" == "    7"
    assert f"{pl.tensor([1.5])}" == "tensor([1.5000])"
    assert f"{pl.tensor(1.5, requires_grad=True)}" == "1.5"
    with pytest.raises(TypeError, match=r"unsupported format string passed to Tensor.__format__"):
        f"{pl.tensor([1.5]):.2f}"


FLOATS = "float16 bfloat16 float32 float64 float8_e4m3fn float8_e5m2 complex64 complex128".split()
INTEGERS = "uint8 int8 int16 int32 int64 uint16 uint32 uint64".split()


@pytest.mark.parametrize("name", FLOATS)
def test_finfo(name):
    got, want = pl.finfo(getattr(pl, name)), torch.finfo(getattr(torch, name))
    assert repr(got) == repr(want)
    for field in ("bits", "eps", "max", "min", "tiny", "smallest_normal", "resolution", "dtype"):
        assert getattr(got, field) == getattr(want, field)


@pytest.mark.parametrize("name", INTEGERS)
def test_iinfo(name):
    got, want = pl.iinfo(getattr(pl, name)), torch.iinfo(getattr(torch, name))
    assert repr(got) == repr(want)
    assert (got.bits, got.min, got.max) == (want.bits, want.min, want.max)


def test_wrong_types_for_limits():
    assert pl.finfo() == pl.finfo(pl.float32) != pl.finfo(pl.float64)
    for library in (pl, torch):
        with pytest.raises(TypeError, match="requires a floating point input type"):
            library.finfo(library.int32)
        with pytest.raises(TypeError, match="requires an integer input type"):
            library.iinfo(library.float32)
        with pytest.raises(TypeError, match=r"torch\.bool is not supported"):
            library.iinfo(library.bool)
        with pytest.raises(TypeError, match=r"must be torch\.dtype, not int"):
            library.finfo(3)
