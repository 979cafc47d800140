"""Discrete Fourier transforms, along one axis or several.

Three ops do everything: complex to complex (c2c), real to the half of a spectrum that is not a
mirror image (r2c), and back (c2r). Each multiplies by `scale`: what `norm` says of the length.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core import dtype as dtypes
from ..core.tensor import Tensor, check_dim
from .arrange import roll
from .elementwise import bar
from .factory import factory, np_dtype
from .families import composite, op
from .padding import constant_pad_nd

Dims = Sequence[int]


def _scaled(spectrum: Any, scale: float) -> Any:
    return spectrum if scale == 1 else spectrum * spectrum.dtype.type(scale)


@op(
    grad={"input": lambda g, dims, scale, forward: _fft_c2c(g, dims, scale, not forward)},
    node="FftC2CBackward0",
)
def _fft_c2c(xp: Any, input: Any, dims: Dims, scale: float, forward: bool) -> Any:
    """Σ x e^(-2πi jk/n), or with e^(+2πi jk/n) backward."""
    if forward:
        return _scaled(xp.fft.fftn(input, axes=dims), scale)
    return _scaled(xp.fft.ifftn(input, axes=dims, norm="forward"), scale)


def _r2c_rule(g: Tensor, input_shape: tuple, dims: Dims, scale: float) -> Tensor:
    """The real part of the transform back, the other half of the spectrum being 0."""
    full = _resized(g, dims[-1:], input_shape[dims[-1] :][:1])
    return _fft_c2c(full, dims, scale, False).real


@op(grad={"input": _r2c_rule}, node="FftR2CBackward0")
def _fft_r2c(xp: Any, input: Any, dims: Dims, scale: float) -> Any:
    return _scaled(xp.fft.rfftn(input, axes=dims), scale)


def _c2r_rule(g: Tensor, dims: Dims, scale: float, size: int) -> Tensor:
    """The transform of g; what has a mirror image in the other half counts twice."""
    half = _fft_r2c(g, dims, scale)
    twice = np.full(size // 2 + 1, 2.0, g._array.dtype)
    twice[0] = 1
    if size % 2 == 0:
        twice[-1] = 1
    shape = [1] * g._array.ndim
    shape[dims[-1]] = len(twice)
    return half * g.new_tensor(twice.reshape(shape))


@op(grad={"input": _c2r_rule}, node="FftC2RBackward0")
def _fft_c2r(xp: Any, input: Any, dims: Dims, scale: float, size: int) -> Any:
    lengths = [input.shape[dim] for dim in dims[:-1]] + [size]
    return _scaled(xp.fft.irfftn(input, lengths, dims, norm="forward"), scale)


# ---------------------------------------------------------------- arguments


def _ready(name: str, input: Tensor, to_complex: bool) -> Tensor:
    """Integers become the default float; real numbers complex ones, where asked for."""
    dtype = input.dtype
    if dtype.category < dtypes.FLOAT:
        dtype = dtypes.get_default_dtype()
    if dtype.itemsize < 4:
        raise RuntimeError(f"Unsupported dtype {dtype.scalar_name}")
    if to_complex:
        dtype = dtype.to_complex()
    elif dtype.is_complex:
        raise RuntimeError(f"{name} expects a real input tensor, but got {dtype.scalar_name}")
    return input if dtype is input.dtype else input.to(dtype)


def _scale(norm: str | None, lengths: Sequence[int], forward: bool) -> float:
    """1, 1/n or 1/√n."""
    if norm not in (None, "backward", "forward", "ortho"):
        raise RuntimeError(f'Invalid normalization mode: "{norm}"')
    count = math.prod(lengths)
    if norm == "ortho":
        return 1 / math.sqrt(count)
    return 1 / count if (norm == "forward") == forward else 1.0


def _resized(input: Tensor, dims: Dims, lengths: Dims) -> Tensor:
    """Axes cut or filled with zeros to the given lengths."""
    padding = [0] * (2 * input._array.ndim)
    for dim, length in zip(dims, lengths, strict=True):
        own = input._array.shape[dim]
        if length < own:
            input = input.narrow(dim, 0, length)
        padding[2 * (input._array.ndim - 1 - dim) + 1] = max(0, length - own)
    return constant_pad_nd(input, padding) if any(padding) else input


def _check_length(length: int) -> None:
    if length < 1:
        raise RuntimeError(f"Invalid number of data points ({length}) specified")


def _axis(input: Tensor, dim: int) -> int:
    if input._array.ndim == 0:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    return check_dim(dim, input._array.ndim)


def _axes(input: Tensor, s: Any, dim: Any) -> tuple[list[int], list[int]]:
    """The axes to transform, and to which lengths they are brought first."""
    ndim, shape = input._array.ndim, input._array.shape
    s = None if s is None else [s] if isinstance(s, int) else list(s)
    if dim is not None:
        given = [dim] if isinstance(dim, int) else list(dim)
        dims = [check_dim(d, ndim) for d in given]
        if len(set(dims)) != len(dims):
            raise RuntimeError("FFT dims must be unique")
        if s is not None and len(s) != len(dims):
            raise RuntimeError("When given, dim and shape arguments must have the same length")
    elif s is not None:
        if len(s) > ndim:
            raise RuntimeError(
                f"Got shape with {len(s)} values but input tensor only has {ndim} dimensions."
            )
        dims = list(range(ndim - len(s), ndim))
    else:
        dims = list(range(ndim))
    lengths = [shape[d] if s is None or s[at] == -1 else s[at] for at, d in enumerate(dims)]
    for length in lengths:
        _check_length(length)
    return dims, lengths


# ---------------------------------------------------------------- complex to complex


def _c2c(input: Tensor, dims: Dims, lengths: Dims, norm: str | None, forward: bool) -> Tensor:
    scale = _scale(norm, lengths, forward)
    return _fft_c2c(_resized(input, dims, lengths), tuple(dims), scale, forward)


def _one_axis(name: str, input: Tensor, n: int | None, dim: int) -> tuple[Tensor, int, int]:
    """The complex input, its axis, and the length to bring it to."""
    input = _ready(name, input, to_complex=True)
    dim = _axis(input, dim)
    length = input._array.shape[dim] if n is None else n
    _check_length(length)
    return input, dim, length


@composite(names="fft.fft")
def fft(input, n=None, dim=-1, norm=None):
    """The Fourier transform Xₖ = Σ xⱼ e^(-2πi jk/n) along an axis.

    `n` cuts the axis or fills it with zeros. `norm`: "backward" (no factor), "forward" (1/n),
    "ortho" (1/√n).

    >>> import penlight as torch
    >>> torch.fft.fft(torch.tensor([1.0, 0.0, 0.0, 0.0]))
    tensor([1.+0.j, 1.+0.j, 1.+0.j, 1.+0.j])
    """
    input, dim, length = _one_axis("fft", input, n, dim)
    return _c2c(input, [dim], [length], norm, True)


@composite(names="fft.ifft")
def ifft(input, n=None, dim=-1, norm=None):
    """The inverse of `fft`: 1/n Σ Xₖ e^(2πi jk/n)."""
    input, dim, length = _one_axis("ifft", input, n, dim)
    return _c2c(input, [dim], [length], norm, False)


@composite(names="fft.fftn")
def fftn(input, s=None, dim=None, norm=None):
    """`fft` along several axes, by default all of them."""
    input = _ready("fftn", input, to_complex=True)
    dims, lengths = _axes(input, s, dim)
    return _c2c(input, dims, lengths, norm, True) if dims else input.clone()


@composite(names="fft.ifftn")
def ifftn(input, s=None, dim=None, norm=None):
    """The inverse of `fftn`."""
    input = _ready("ifftn", input, to_complex=True)
    dims, lengths = _axes(input, s, dim)
    return _c2c(input, dims, lengths, norm, False) if dims else input.clone()


@composite(names="fft.fft2")
def fft2(input, s=None, dim=(-2, -1), norm=None):
    """`fft` along the last two axes."""
    return fftn(input, s, dim, norm)


@composite(names="fft.ifft2")
def ifft2(input, s=None, dim=(-2, -1), norm=None):
    """The inverse of `fft2`."""
    return ifftn(input, s, dim, norm)


# ---------------------------------------------------------------- from real numbers


def _r2c(
    name: str, input: Tensor, n: int | None, dim: int, norm: str | None, forward: bool
) -> Tensor:
    input = _ready(name, input, to_complex=False)
    dim = _axis(input, dim)
    length = input._array.shape[dim] if n is None else n
    _check_length(length)
    half = _fft_r2c(_resized(input, [dim], [length]), (dim,), _scale(norm, [length], forward))
    return half if forward else bar(half)


@composite(names="fft.rfft")
def rfft(input, n=None, dim=-1, norm=None):
    """The first n/2 + 1 values of the `fft` of real numbers; the others mirror them.

    >>> import penlight as torch
    >>> torch.fft.rfft(torch.ones(4))
    tensor([4.+0.j, 0.+0.j, 0.+0.j])
    """
    return _r2c("rfft", input, n, dim, norm, True)


@composite(names="fft.ihfft")
def ihfft(input, n=None, dim=-1, norm=None):
    """The inverse of `hfft`: the first half of the `ifft` of real numbers."""
    return _r2c("ihfft", input, n, dim, norm, False)


@composite(names="fft.rfftn")
def rfftn(input, s=None, dim=None, norm=None):
    """`rfft` along the last of several axes, `fft` along the others."""
    input = _ready("rfftn", input, to_complex=False)
    dims, lengths = _axes(input, s, dim)
    if not dims:
        raise RuntimeError("rfftn must transform at least one axis")
    return _fft_r2c(_resized(input, dims, lengths), tuple(dims), _scale(norm, lengths, True))


@composite(names="fft.rfft2")
def rfft2(input, s=None, dim=(-2, -1), norm=None):
    """`rfftn` along the last two axes."""
    return rfftn(input, s, dim, norm)


@composite(names="fft.ihfftn")
def ihfftn(input, s=None, dim=None, norm=None):
    """The inverse of `hfftn`."""
    input = _ready("ihfftn", input, to_complex=False)
    dims, lengths = _axes(input, s, dim)
    if not dims:
        raise RuntimeError("ihfftn must transform at least one axis")
    input = _resized(input, dims, lengths)
    half = bar(_fft_r2c(input, (dims[-1],), _scale(norm, lengths, False)))
    return _fft_c2c(half, tuple(dims[:-1]), 1.0, False) if dims[:-1] else half


@composite(names="fft.ihfft2")
def ihfft2(input, s=None, dim=(-2, -1), norm=None):
    """`ihfftn` along the last two axes."""
    return ihfftn(input, s, dim, norm)


# ---------------------------------------------------------------- to real numbers


def _c2r(
    name: str, input: Tensor, n: int | None, dim: int, norm: str | None, forward: bool
) -> Tensor:
    input = _ready(name, input, to_complex=True)
    dim = _axis(input, dim)
    length = 2 * (input._array.shape[dim] - 1) if n is None else n
    _check_length(length)
    half = _resized(input, [dim], [length // 2 + 1])
    return _fft_c2r(bar(half) if forward else half, (dim,), _scale(norm, [length], forward), length)


@composite(names="fft.irfft")
def irfft(input, n=None, dim=-1, norm=None):
    """The inverse of `rfft`: n real numbers (default: an even n), from half of their spectrum."""
    return _c2r("irfft", input, n, dim, norm, False)


@composite(names="fft.hfft")
def hfft(input, n=None, dim=-1, norm=None):
    """The real `fft` of a signal that is its own mirror image, from its first half."""
    return _c2r("hfft", input, n, dim, norm, True)


def _halved_axes(name: str, input: Tensor, s: Any, dim: Any) -> tuple[list[int], list[int]]:
    """Axes and lengths of the real result, of whose last axis the input has half."""
    last_given = s is not None and (s if isinstance(s, int) else [*s, -1][len(s) - 1]) != -1
    dims, lengths = _axes(input, s, dim)
    if not dims:
        raise RuntimeError(f"{name} must transform at least one axis")
    if not last_given:
        lengths[-1] = 2 * (input._array.shape[dims[-1]] - 1)
        _check_length(lengths[-1])
    return dims, lengths


@composite(names="fft.irfftn")
def irfftn(input, s=None, dim=None, norm=None):
    """The inverse of `rfftn`."""
    input = _ready("irfftn", input, to_complex=True)
    dims, lengths = _halved_axes("irfftn", input, s, dim)
    half = _resized(input, dims, [*lengths[:-1], lengths[-1] // 2 + 1])
    return _fft_c2r(half, tuple(dims), _scale(norm, lengths, False), lengths[-1])


@composite(names="fft.irfft2")
def irfft2(input, s=None, dim=(-2, -1), norm=None):
    """`irfftn` along the last two axes."""
    return irfftn(input, s, dim, norm)


@composite(names="fft.hfftn")
def hfftn(input, s=None, dim=None, norm=None):
    """`hfft` along the last of several axes, `fft` along the others."""
    input = _ready("hfftn", input, to_complex=True)
    dims, lengths = _halved_axes("hfftn", input, s, dim)
    half = _resized(input, dims, [*lengths[:-1], lengths[-1] // 2 + 1])
    if dims[:-1]:
        half = _fft_c2c(half, tuple(dims[:-1]), 1.0, True)
    return _fft_c2r(bar(half), (dims[-1],), _scale(norm, lengths, True), lengths[-1])


@composite(names="fft.hfft2")
def hfft2(input, s=None, dim=(-2, -1), norm=None):
    """`hfftn` along the last two axes."""
    return hfftn(input, s, dim, norm)


# ---------------------------------------------------------------- frequencies and their order


def _frequencies(name: str, counts: np.ndarray, n: int, d: float, dtype: Any) -> np.ndarray:
    if dtype is not None and dtype.category < dtypes.FLOAT:
        raise RuntimeError(f"{name} requires a floating point or complex dtype")
    to = np_dtype(dtype)
    return (counts.astype(to) * to.type(1.0 / (n * d))).astype(to, copy=False)


@factory("fft.fftfreq")
def fftfreq(n, d=1.0, *, dtype=None):
    """The frequencies of the values of `fft`, for samples `d` apart.

    >>> import penlight as torch
    >>> torch.fft.fftfreq(4)
    tensor([ 0.0000,  0.2500, -0.5000, -0.2500])
    """
    counts = np.concatenate([np.arange((n + 1) // 2), np.arange(-(n // 2), 0)])
    return _frequencies("fftfreq", counts, n, d, dtype)


@factory("fft.rfftfreq")
def rfftfreq(n, d=1.0, *, dtype=None):
    """The frequencies of the values of `rfft`."""
    return _frequencies("rfftfreq", np.arange(n // 2 + 1), n, d, dtype)


def _shifted(input: Tensor, dim: Any, of: Any) -> Tensor:
    ndim = input._array.ndim
    dims = range(ndim) if dim is None else [dim] if isinstance(dim, int) else dim
    dims = [check_dim(d, ndim) for d in dims]
    return roll(input, [of(input._array.shape[d]) for d in dims], dims) if dims else input


@composite(names="fft.fftshift")
def fftshift(input, dim=None):
    """Moves frequency 0 to the middle."""
    return _shifted(input, dim, lambda length: length // 2)


@composite(names="fft.ifftshift")
def ifftshift(input, dim=None):
    """Moves frequency 0 from the middle back to the front."""
    return _shifted(input, dim, lambda length: (length + 1) // 2)
