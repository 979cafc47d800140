"""From one element type to another: `to`, `type`, `float`, `double`, ..."""

from __future__ import annotations

import functools
import warnings

import numpy as np

from ..core.dtype import COMPLEX32_NP, float8_e4m3fn


@functools.cache  # as in PyTorch, once per process
def _warn_half() -> None:
    warnings.warn(
        "ComplexHalf support is experimental and many operators don't support it yet.",
        UserWarning,
        stacklevel=5,
    )


@functools.cache
def _warn_discarded() -> None:
    warnings.warn(
        "Casting complex values to real discards the imaginary part", UserWarning, stacklevel=5
    )


def cast(array: np.ndarray, target: np.dtype, copy: bool = False) -> np.ndarray:
    """The numbers in another type, as C casts them; of complex numbers, the real part.

    >>> cast(np.array([1.9, -1.9]), np.dtype(np.int64))
    array([ 1, -1])
    """
    source = array.dtype
    if source == target:
        return array.copy("K") if copy else array
    with np.errstate(all="ignore"):
        if target == COMPLEX32_NP:
            _warn_half()
            pairs = np.empty(array.shape, target)
            pairs["real"], pairs["imag"] = array.real, array.imag
            return pairs
        if source == COMPLEX32_NP:
            if target.kind != "c":
                return array["real"].astype(target)
            return (array["real"] + 1j * array["imag"].astype(np.float32)).astype(target)
        if source.kind == "c" and target.kind not in "cb":
            _warn_discarded()
            array = array.real
        if target == float8_e4m3fn.np:  # has no infinity: what is too large becomes the largest
            array = np.clip(array, -448, 448)
        return array.astype(target)
