"""Positions in a sorted sequence, and membership."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..compiler import numerics
from ..core import dtype as dtypes
from ..core.beside import computed
from ..core.tensor import Tensor, wrap
from .families import composite
from .kinds import COMPLEX, name_of, refuse


def _check_search(
    sequence: Tensor, values: Any, side: str | None, right: bool, sorter: Any
) -> None:
    if side not in (None, "left", "right"):
        raise RuntimeError(
            f"torch.searchsorted(): side can only be 'left' or 'right' but got {side}"
        )
    if side == "left" and right:
        raise RuntimeError(
            f"torch.searchsorted(): side and right can't be set to opposites, got side of {side} "
            "while right was True"
        )
    shape = sequence._array.shape
    own = values._array.shape if isinstance(values, Tensor) else ()
    if not shape or (len(shape) > 1 and not own):
        raise RuntimeError(
            "torch.searchsorted(): input value can be a scalar only when boundaries tensor "
            f"dimension is 1, but we got boundaries tensor dim({len(shape)}) and input value's "
            f"dim({len(own)}) numel({math.prod(own)})"
        )
    if len(shape) > 1 and shape[:-1] != own[:-1]:
        raise RuntimeError(
            "torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 "
            "dimensions of boundaries tensor and input value tensor must match, but we got "
            f"boundaries tensor {list(shape)} and input value tensor {list(own)}"
        )
    if sorter is not None:
        _check_sorter(shape, sorter)


def _check_sorter(shape: tuple[int, ...], sorter: Tensor) -> None:
    if sorter._array.shape != shape:
        raise RuntimeError(
            "torch.searchsorted(): boundary and sorter must have the same size, but got boundary "
            f"tensor {list(shape)}and got sorter tensor {list(sorter._array.shape)}"
        )
    if sorter.dtype is not dtypes.int64:
        raise RuntimeError(
            "torch.searchsorted(): sorter must be a tensor of long dtype but got dtype "
            f"{sorter.dtype.scalar_name}"
        )
    if ((sorter._array < 0) | (sorter._array >= shape[-1])).any():
        raise RuntimeError("torch.searchsorted(): sorter index out of range")


@composite(names="torch.searchsorted")
def searchsorted(
    sorted_sequence: Tensor, input: Tensor | float, *, out_int32: bool = False, right: bool = False,
    side: str | None = None, sorter: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Where `input` would be inserted into the sorted last axis, before or after equal elements."""
    _check_search(sorted_sequence, input, side, right, sorter)
    refuse("bc", "searchsorted_out_cpu", sorted_sequence._array)
    place = "right" if right or side == "right" else "left"
    return computed(_places, numerics, sorted_sequence, input, sorter, place, out_int32)


def _places(xp: Any, rows: Any, values: Any, sorter: Any, place: Any, out_int32: bool) -> Any:
    if sorter is not None:
        rows = xp.take_along_axis(rows, sorter, -1)
    values = xp.asarray(values)
    if rows.ndim == 1:
        found = xp.searchsorted(rows, values, place)
    else:
        found = xp.empty(values.shape, np.int64)
        for index in np.ndindex(rows.shape[:-1]):
            found[index] = xp.searchsorted(rows[index], values[index], place)
    return xp.asarray(found, np.int32 if out_int32 else np.int64)


@composite(names="torch.bucketize")
def bucketize(
    input: Tensor | float, boundaries: Tensor, *, out_int32: bool = False, right: bool = False
) -> Tensor:
    """The index of the bucket, between sorted boundaries, that each element falls into."""
    if boundaries._array.ndim != 1:
        raise RuntimeError(
            f"boundaries tensor must be 1 dimension, but got dim({boundaries._array.ndim})"
        )
    values = np.asarray(input._array if isinstance(input, Tensor) else input)
    refuse(COMPLEX, "searchsorted_out_cpu", values)
    place = "right" if right else "left"
    return computed(_places, numerics, boundaries, input, None, place, out_int32)


@composite(names="torch.isin")
def isin(
    elements: Tensor | float, test_elements: Tensor | float, *, assume_unique: bool = False,
    invert: bool = False,
) -> Tensor:  # fmt: skip
    """Whether each element is one of the test elements."""
    if not isinstance(elements, Tensor) and not isinstance(test_elements, Tensor):
        raise TypeError(
            "isin() received an invalid combination of arguments: at least one of them must be a "
            "Tensor"
        )
    a, b = (np.asarray(v._array if isinstance(v, Tensor) else v) for v in (elements, test_elements))
    for array in (a, b):
        if array.dtype.kind in COMPLEX + "b" and array.ndim:
            raise RuntimeError(f"Unsupported input type encountered for isin(): {name_of(array)}")
    return wrap(np.isin(a, b, assume_unique=assume_unique, invert=invert))
