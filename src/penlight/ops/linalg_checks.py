"""What linear algebra asks of its arguments, and how it says no."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtype as dtypes
from ..core.beside import fixed
from ..core.tensor import Tensor
from .exposure import expose
from .matmul import broadcast_batch


class LinAlgError(RuntimeError):
    """A matrix for which the computation has no answer: singular, not positive definite, ..."""


LinAlgError.__name__ = LinAlgError.__qualname__ = "_LinAlgError"  # as PyTorch prints it
expose(LinAlgError, "linalg.LinAlgError")


def matrix(name: str, t: Tensor, argument: str = "A") -> None:
    """RuntimeError unless `t` has rows and columns."""
    if t._array.ndim < 2:
        raise RuntimeError(f"{name}: The input tensor {argument} must have at least 2 dimensions.")


def square(name: str, t: Tensor, argument: str = "A") -> None:
    """RuntimeError unless `t` holds square matrices."""
    matrix(name, t, argument)
    rows, columns = t._array.shape[-2:]
    if rows != columns:
        raise RuntimeError(
            f"{name}: {argument} must be batches of square matrices, but they are {rows} by "
            f"{columns} matrices"
        )


def floating(name: str, t: Tensor, low_precision: bool = False) -> None:
    """RuntimeError unless `t` is float or complex, and of at least 32 bits."""
    dtype = t.dtype
    if dtype.category < dtypes.FLOAT:
        raise RuntimeError(
            f"{name}: Expected a floating point or complex tensor as input. Got {dtype.scalar_name}"
        )
    if not low_precision and dtype.itemsize // (2 if dtype.is_complex else 1) < 4:
        raise RuntimeError(f"{name}: Low precision dtypes not supported. Got {dtype.scalar_name}")


def full_precision(kernel: str, t: Tensor) -> None:
    """The check of functions whose kernel, and not whose text, refuses half precision."""
    if t.dtype.category >= dtypes.FLOAT and t.dtype.itemsize < 4:
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{t.dtype.scalar_name}'")


def same_types(name: str, a: Tensor, b: Tensor) -> None:
    """RuntimeError unless A and B have one dtype."""
    if a.dtype is not b.dtype:
        raise RuntimeError(
            f"{name}: Expected A and B to have the same dtype, but found A of type "
            f"{a.dtype.scalar_name} and B of type {b.dtype.scalar_name} instead"
        )


def equation(name: str, a: Tensor, b: Tensor, left: bool = True) -> None:
    """RuntimeError unless AX = B (XA = B with left=False) has fitting shapes."""
    rows, columns = a._array.shape[-2:]
    given = b._array.shape[-2:]
    if given[0 if left else 1] != rows:
        raise RuntimeError(
            f"{name}: Incompatible shapes of A and B for the equation "
            f"{'AX = B' if left else 'XA = B'} ({rows}x{columns} and {given[0]}x{given[1]})"
        )


def one_batch(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Both with the batch shape that theirs broadcast to."""
    if a._array.shape[:-2] == b._array.shape[:-2]:
        return a, b
    batch = broadcast_batch(b._array.shape[:-2], a._array.shape[:-2])
    return (
        a.expand(batch + a._array.shape[-2:]),
        b.expand(batch + b._array.shape[-2:]),
    )


def identity_for(t: Tensor) -> Tensor:
    """The identity in place of the matrices `t`, whose gradient is 0."""
    whole = fixed(np.ones((), bool))
    return t.masked_fill(whole, 0) + fixed(np.eye(*t._array.shape[-2:], dtype=t._array.dtype))


def first_failure(info: Any) -> tuple[str, int] | None:
    """Which matrix of a batch failed, as text, and its number in `info`; None if none did."""
    failed = np.flatnonzero(info)
    if not failed.size:
        return None
    where = f"(Batch element {failed[0]}): " if info.ndim else ""
    return where, int(info.reshape(-1)[failed[0]])
