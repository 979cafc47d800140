"""Short-time Fourier transforms: the spectrum of a signal in overlapping windows.

B batch, T samples, N = n_fft samples in a window, F frequencies, L frames.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import dtype as dtypes
from ..core.beside import fixed
from ..core.tensor import Tensor
from .families import composite
from .fft import fft, ifft, irfft, rfft
from .join import stack
from .padding import constant_pad_nd, pad
from .views import view_as_real


def _printed(t: Tensor) -> str:
    return f"torch.{t.dtype.scalar_name}Tensor{list(t._array.shape)}"


def _flag(value: Any) -> Any:
    return int(value) if isinstance(value, bool) else value


def _call(name: str, input: str, window: Tensor | None, **options: Any) -> str:
    """The call as PyTorch's errors repeat it."""
    shown = window if window is None else _printed(window).replace("[", "{[").replace("]", "]}")
    parts = {"n_fft": None, "hop_length": None, "win_length": None, "window": shown} | options
    return f"{name}({input}, {', '.join(f'{k}={_flag(v)}' for k, v in parts.items())})"


def _padded_window(window: Tensor | None, win_length: int, n_fft: int, like: Tensor) -> Tensor:
    """The window in the middle of N samples, ones if none was given."""
    if window is None:
        dtype = like._array.real.dtype
        window = fixed(np.ones(win_length, dtype))
    left = (n_fft - win_length) // 2
    if win_length < n_fft:
        window = constant_pad_nd(window, (left, n_fft - win_length - left))
    return window


@composite
def stft(
    input, n_fft, hop_length=None, win_length=None, window=None, center=True, pad_mode="reflect",
    normalized=False, onesided=None, return_complex=None, align_to_window=None,
):  # fmt: skip
    """The spectra of windows of a signal: (T,) or (B, T) -> (F, L) or (B, F, L).

    A window begins every `hop_length` (default N / 4) samples. `center` pads the signal, so that
    window t is centred on sample t · hop_length. `onesided` keeps N / 2 + 1 frequencies, as is the
    default for real signals. `return_complex=False`: real and imaginary parts on a new last axis.
    """
    if center:
        if align_to_window is not None:
            raise RuntimeError("stft align_to_window should only be set when center = false")
        ndim, half = input._array.ndim, n_fft // 2
        extended = input.view([1] * (3 - ndim) + list(input._array.shape))
        padded = pad(extended, [half, half], pad_mode)
        input = padded.view(padded._array.shape[-ndim:])
    hop = n_fft // 4 if hop_length is None else hop_length
    length = n_fft if win_length is None else win_length
    _check_stft(input, n_fft, hop, length, window, normalized, onesided, return_complex)
    is_complex = input.dtype.is_complex or (window is not None and window.dtype.is_complex)
    if onesided and is_complex:
        raise RuntimeError("Cannot have onesided output if window or input is complex")
    onesided = not is_complex if onesided is None else onesided
    if return_complex is None and not is_complex:
        raise RuntimeError(
            "stft requires the return_complex parameter be given for real inputs, and will further "
            "require that return_complex=True in a future PyTorch release."
        )
    frames = input.unfold(-1, n_fft, hop)  # (*, L, N)
    if window is not None or length < n_fft:
        frames = frames * _padded_window(window, length, n_fft, input)
    spectra = (rfft if onesided else fft)(frames, norm="ortho" if normalized else None)
    spectra = spectra.mT  # (*, F, L)
    return view_as_real(spectra) if return_complex is False else spectra


def _check_stft(
    input: Tensor, n_fft: int, hop: int, length: int, window: Tensor | None,
    normalized: bool, onesided: Any, return_complex: Any,
) -> None:  # fmt: skip
    problem = ""
    shape = input._array.shape
    if input.dtype.category < dtypes.FLOAT:
        problem = "expected a tensor of floating point or complex values"
    elif len(shape) not in (1, 2):
        problem = "expected a 1D or 2D tensor"
    elif not 0 < n_fft <= shape[-1]:
        problem = f"expected 0 < n_fft < {shape[-1]}, but got n_fft={n_fft}"
    elif hop <= 0:
        problem = f"expected hop_length > 0, but got hop_length={hop}"
    elif not 0 < length <= n_fft:
        problem = f"expected 0 < win_length <= n_fft, but got win_length={length}"
    elif window is not None and window._array.shape != (length,):
        problem = (
            f"expected a 1D window tensor of size equal to win_length={length}, but got window "
            f"with size {list(window._array.shape)}"
        )
    if problem:
        call = _call(
            "stft", _printed(input), window, n_fft=n_fft, hop_length=hop, win_length=length,
            normalized=normalized, onesided=onesided, return_complex=return_complex,
            align_to_window=None,
        )  # fmt: skip
        raise RuntimeError(f"{call} : {problem}")


@composite
def istft(
    input, n_fft, hop_length=None, win_length=None, window=None, center=True, normalized=False,
    onesided=None, length=None, return_complex=False,
):  # fmt: skip
    """The signal whose `stft` is nearest to the given: (F, L) or (B, F, L) -> (T,) or (B, T).

    The windowed frames are added up and divided by the sum of the squared windows. `onesided`
    spectra have N / 2 + 1 frequencies; the default takes those with N for whole ones.
    """
    if not input.dtype.is_complex:
        raise RuntimeError(
            "istft requires a complex-valued input tensor matching the output from stft with "
            "return_complex=True."
        )
    hop = n_fft // 4 if hop_length is None else hop_length
    width = n_fft if win_length is None else win_length
    call = _call(
        "istft", f"CPU{input.dtype.scalar_name}Type{list(input._array.shape)}", window,
        n_fft=n_fft, hop_length=hop, win_length=width, center=center, normalized=normalized,
        onesided=onesided, length=length, return_complex=return_complex,
    )  # fmt: skip
    if onesided is None and input._array.ndim >= 2:
        onesided = input._array.shape[-2] != n_fft
    _check_istft(call, input, n_fft, hop, width, window, onesided)
    if onesided and (return_complex or (window is not None and window.dtype.is_complex)):
        raise RuntimeError("Cannot have onesided output if window or input is complex")
    taper = _padded_window(window, width, n_fft, input)
    frames = input.mT  # (*, L, N)
    norm = "ortho" if normalized else None
    # for a real signal the second half of a whole spectrum says nothing new
    frames = ifft(frames, norm=norm) if return_complex else irfft(frames, n_fft, norm=norm)
    signal = _added_up(frames * taper, hop)
    weight = _added_up((taper * taper).expand(frames._array.shape[-2:]), hop)
    start = n_fft // 2 if center else 0
    total = signal._array.shape[-1]
    end = start + length if length is not None else total - start if center else total
    signal, weight = (
        t.narrow(-1, start, max(0, min(end, total) - start)) for t in (signal, weight)
    )
    if weight._array.size and np.abs(weight._array).min() <= 1e-11:
        raise RuntimeError(f"{call} window overlap add min: 1")
    signal = signal / weight
    missing = 0 if length is None else length - signal._array.shape[-1]
    return constant_pad_nd(signal, (0, missing)) if missing > 0 else signal


def _check_istft(
    call: str, input: Tensor, n_fft: int, hop: int, width: int, window: Tensor | None, onesided: Any
) -> None:
    shape = input._array.shape
    problem = ""
    if not input._array.size:
        problem = "input tensor cannot be empty."
    elif len(shape) not in (2, 3):
        problem = f"expected a tensor with 3 or 4 dimensions, but got {len(shape) + 1}"
    elif onesided and shape[-2] != n_fft // 2 + 1:
        problem = (
            "expected the frequency dimension (3rd to the last) of the input tensor to match "
            f"n_fft / 2 + 1 when onesided=True, but got {shape[-2]}"
        )
    elif not onesided and shape[-2] != n_fft:
        problem = (
            "expected the frequency dimension (3rd to the last) of the input tensor to match "
            f"n_fft when onesided=False, but got {shape[-2]}"
        )
    elif not 0 < hop <= width:
        problem = "expected 0 < hop_length <= win_length"
    elif not 0 < width <= n_fft:
        problem = "expected 0 < win_length <= n_fft"
    elif window is not None and window._array.shape != (width,):
        problem = "Invalid window shape. window has to be 1D and length of `win_length`"
    if problem:
        raise RuntimeError(f"{call} : {problem}")


def _added_up(frames: Tensor, hop: int) -> Tensor:
    """Frames (*, L, N) that begin `hop` apart, added where they overlap: (*, T)."""
    *batch, count, n = frames._array.shape
    rows = math.ceil(n / hop)  # how many hops a frame spans
    frames = constant_pad_nd(frames, (0, rows * hop - n)).reshape(*batch, count, rows, hop)
    rows_apart = [
        constant_pad_nd(frames.select(-2, row), (0, 0, row, rows - 1 - row)) for row in range(rows)
    ]
    total = stack(rows_apart).sum(0)
    return total.reshape(*batch, -1).narrow(-1, 0, (count - 1) * hop + n)
