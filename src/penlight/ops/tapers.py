"""Window functions of signal processing: Hann, Hamming, Blackman, Kaiser, ...

Two families of names: `torch.hann_window(n)` is periodic unless told otherwise, as spectra want it;
`torch.signal.windows.hann(n)` is symmetric. A periodic window is a symmetric one of n + 1 points
without its last.  See F. J. Harris, On the use of windows for harmonic analysis with the discrete
Fourier transform, Proc. IEEE 66 (1978).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core import dtype as dtypes
from .cast import cast
from .factory import factory, np_dtype


def cosines(points: int, weights: Sequence[float]) -> np.ndarray:
    """w(k) = Σᵢ (-1)ⁱ aᵢ cos(2πik / (points - 1))."""
    angle = np.arange(points) * (2 * np.pi / (points - 1))
    return sum((-1) ** i * a * np.cos(i * angle) for i, a in enumerate(weights))  # type: ignore


def triangle(points: int) -> np.ndarray:
    """From 0 up to 1 and back."""
    return 1 - np.abs(np.linspace(-1, 1, points))


def bell(points: int, beta: float) -> np.ndarray:
    """Kaiser's window: I₀(β √(1 - x²)) / I₀(β) for x from -1 to 1."""
    return np.kaiser(points, beta)


def _window(length: int, periodic: bool, shape: Callable[[int], np.ndarray]) -> np.ndarray:
    """`length` points of a shape; one point is 1."""
    if length < 2:
        return np.ones(length)
    return shape(length + 1)[:-1] if periodic else shape(length)


# ---------------------------------------------------------------- torch.hann_window and its kin


def _classic(name: str, shape: Callable[..., Callable], doc: str, **defaults: float) -> None:
    """torch.NAME_window(window_length, periodic=True, *parameters of the shape)."""
    names = ("window_length", "periodic", *defaults)

    def make(*args: Any, dtype: Any = None, **kwargs: Any) -> np.ndarray:
        given = {"periodic": True} | defaults | dict(zip(names, args, strict=False)) | kwargs
        if "window_length" not in given:
            raise TypeError(f'{name}() missing 1 required positional arguments: "window_length"')
        if len(args) > len(names) or not given.keys() <= set(names):
            raise TypeError(f"{name}() received an invalid combination of arguments")
        length = given["window_length"]
        if length < 0:
            raise RuntimeError(
                f"{name} requires non-negative window_length, got window_length={length}"
            )
        if dtype is not None and dtype.category < dtypes.FLOAT:
            raise RuntimeError(f"{name} expects floating point dtypes, got: {dtype}")
        points = _window(length, given["periodic"], shape(*(given[n] for n in defaults)))
        return cast(points, np_dtype(dtype))

    make.__name__ = make.__qualname__ = name
    make.__doc__ = doc

    def sparse(layout: Any) -> Exception:
        return RuntimeError(f"{name} is not implemented for sparse types, got: {layout}")

    factory(f"torch.{name}", sparse)(make)


def _hamming(alpha: float = 0.54, beta: float = 0.46) -> Callable:
    return lambda points: cosines(points, (alpha, beta))


_classic("hann_window", lambda: _hamming(0.5, 0.5), "sin²(πk / N): half a wave of a raised cosine.")
_classic("hamming_window", _hamming, "α - β cos(2πk / N).", alpha=0.54, beta=0.46)
_classic("bartlett_window", lambda: triangle, "A triangle.")
_classic(
    "blackman_window",
    lambda: lambda points: cosines(points, (0.42, 0.5, 0.08)),
    "0.42 - 0.5 cos(2πk / N) + 0.08 cos(4πk / N).",
)
_classic(
    "kaiser_window",
    lambda beta: lambda points: bell(points, beta),
    "Kaiser's window; a larger beta damps the sides more.",
    beta=12.0,
)


# ---------------------------------------------------------------- torch.signal.windows


def _check(name: str, points: int, dtype: Any) -> None:
    if points < 0:
        raise ValueError(f"{name} requires non-negative window length, got M={points}")
    if dtype not in (dtypes.float32, dtypes.float64):
        raise ValueError(f"{name} expects float32 or float64 dtypes, got: {dtype}")


def _modern(kernel: str) -> Callable:
    """signal.windows.NAME(M, *, parameters, sym=True); `kernel` is the name in its errors."""

    def sparse(layout: Any) -> Exception:
        return ValueError(f"{kernel} is implemented for strided tensors only, got: {layout}")

    def exposed(shape: Callable) -> Callable:
        def make(M: int, *, sym: bool = True, dtype: Any = None, **parameters: Any) -> np.ndarray:
            kind = dtypes.get_default_dtype() if dtype is None else dtype
            points = shape(sym=sym, **parameters)
            _check(kernel, M, kind)
            return cast(_window(M, not sym, points), kind.np)

        make.__name__ = make.__qualname__ = shape.__name__
        make.__doc__ = shape.__doc__
        return factory(f"signal.windows.{shape.__name__}", sparse)(make)

    return exposed


@_modern("general_cosine")
def general_cosine(*, a, sym):
    """Σᵢ (-1)ⁱ aᵢ cos(2πik / (M - 1))."""
    if not isinstance(a, (list, tuple)):
        raise TypeError("Coefficients must be a list/tuple")
    if not a:
        raise ValueError("Coefficients cannot be empty")
    return lambda points: cosines(points, a)


@_modern("general_cosine")
def general_hamming(*, alpha=0.54, sym):
    """α - (1 - α) cos(2πk / (M - 1))."""
    return _hamming(alpha, 1 - alpha)


@_modern("general_cosine")
def hamming(*, sym):
    """0.54 - 0.46 cos(2πk / (M - 1))."""
    return _hamming()


@_modern("general_cosine")
def hann(*, sym):
    """sin²(πk / (M - 1))."""
    return _hamming(0.5, 0.5)


@_modern("general_cosine")
def blackman(*, sym):
    """0.42 - 0.5 cos(2πk / (M - 1)) + 0.08 cos(4πk / (M - 1))."""
    return lambda points: cosines(points, (0.42, 0.5, 0.08))


@_modern("general_cosine")
def nuttall(*, sym):
    """Nuttall's window of four cosines with a continuous first derivative."""
    return lambda points: cosines(points, (0.3635819, 0.4891775, 0.1365995, 0.0106411))


@_modern("bartlett")
def bartlett(*, sym):
    """A triangle."""
    return triangle


@_modern("cosine")
def cosine(*, sym):
    """sin(π(k + ½) / M): half a wave."""
    return lambda points: np.sin((np.arange(points) + 0.5) * (np.pi / points))


@_modern("exponential")
def exponential(*, center=None, tau=1.0, sym):
    """exp(-|k - center| / τ)."""
    if tau <= 0:
        raise ValueError(f"Tau must be positive, got: {tau} instead.")
    if sym and center is not None:
        raise ValueError("Center must be None for symmetric windows")

    def shape(points: int) -> np.ndarray:
        middle = (points - 1) / 2 if center is None else center
        return np.exp(-np.abs(np.arange(points) - middle) / tau)

    return shape


@_modern("gaussian")
def gaussian(*, std=1.0, sym):
    """exp(-(k - middle)² / 2σ²)."""
    if std <= 0:
        raise ValueError(f"Standard deviation must be positive, got: {std} instead.")
    return lambda points: np.exp(-((np.arange(points) - (points - 1) / 2) ** 2) / (2 * std**2))


@_modern("kaiser")
def kaiser(*, beta=12.0, sym):
    """I₀(β √(1 - x²)) / I₀(β) for x from -1 to 1."""
    if beta < 0:
        raise ValueError(f"beta must be non-negative, got: {beta} instead.")
    return lambda points: bell(points, beta)
