"""Running one program on PyTorch and on penlight and comparing what comes out."""

import numpy as np
import torch

import penlight

LIBRARIES = (torch, penlight)


def plain(value):
    """A result without its library: arrays, strings, numbers and containers of them."""
    if isinstance(value, LIBRARIES[0].Tensor | LIBRARIES[1].Tensor):
        return np.asarray(value.detach().numpy())
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, (int, float, str, bool)) or value is None:
        return value
    return str(value)


def outcome(program, library):
    """What a program returns, or the class and the first line of what it raises."""
    library.manual_seed(0)
    try:
        return plain(program(library))
    except Exception as error:
        text = str(error).splitlines()[0].replace("penlight.", "torch.")
        return f"{type(error).__name__}: {text}"


def agree(want, got, rtol=1e-5, atol=1e-6):
    """Asserts that two plain values are the same, floats up to rounding."""
    if isinstance(want, np.ndarray):
        assert isinstance(got, np.ndarray), f"{got!r} instead of an array"
        assert (want.dtype, want.shape) == (got.dtype, got.shape)
        np.testing.assert_allclose(got, want, rtol=rtol, atol=atol)
    elif isinstance(want, dict):
        assert list(want) == list(got)
        for key in want:
            agree(want[key], got[key], rtol, atol)
    elif isinstance(want, list):
        assert isinstance(got, list) and len(want) == len(got), f"{got!r} instead of {want!r}"
        for w, g in zip(want, got, strict=True):
            agree(w, g, rtol, atol)
    else:
        assert got == want


def same(program, rtol=1e-5, atol=1e-6):
    """Asserts that a program gives the same, an error included, on both libraries."""
    want, got = (outcome(program, library) for library in LIBRARIES)
    agree(want, got, rtol, atol)


def values(T, *shape, seed=0):
    """The same random numbers in both libraries."""
    return T.from_numpy(np.random.RandomState(seed).standard_normal(shape).astype(np.float32))


def fill(T, module, seed=0):
    """Gives a module's parameters the same random values in both libraries."""
    random = np.random.RandomState(seed)
    with T.no_grad():
        for parameter in module.parameters():
            drawn = 0.3 * random.standard_normal(tuple(parameter.shape))
            parameter.copy_(T.from_numpy(drawn.astype(np.float32)))
    return module
