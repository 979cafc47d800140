"""LU factors of a matrix: A = P L U.

M, N: rows, columns; K = min(M, N).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtype as dtypes
from ..core.beside import fixed
from ..core.tensor import Tensor, wrap
from . import dense
from .families import composite, op
from .join import cat
from .linalg_checks import first_failure, floating
from .linalg_triangular import solve_triangular
from .return_types import return_type

linalg_lu_factor = return_type("linalg_lu_factor", "LU pivots")
linalg_lu_factor_ex = return_type("linalg_lu_factor_ex", "LU pivots info")
linalg_lu = return_type("linalg_lu", "P L U")
lu_unpack_type = return_type("lu_unpack", "P L U")


def _lu_rule(g: tuple, y: tuple, A_shape: tuple) -> Tensor:
    """P L⁻ᴴ [tril(Lᴴ gL - gU₂ U₂ᴴ, -1) + triu(gU Uᴴ - L₂ᴴ gL₂)] U⁻ᴴ, and the rows or columns
    beyond the square part: L₂ below it, U₂ to its right."""
    m, n = A_shape[-2:]
    k = min(m, n)
    compact, grad = y[0], g[0]
    lower, upper = _triangles(compact.narrow(-2, 0, k).narrow(-1, 0, k))
    head = grad.narrow(-2, 0, k).narrow(-1, 0, k)
    low, up = lower.mH @ head.tril(-1), head.triu() @ upper.mH
    if m > k:
        below, g_below = compact.narrow(-2, k, m - k), grad.narrow(-2, k, m - k)
        up = up - below.mH @ g_below
    if n > k:
        right, g_right = compact.narrow(-1, k, n - k), grad.narrow(-1, k, n - k)
        low = low - g_right @ right.mH
    inner = solve_triangular(lower.mH, low.tril(-1) + up.triu(), upper=True, unitriangular=True)
    result = solve_triangular(upper.mH, inner, upper=False, left=False)
    if m > k:
        rest = solve_triangular(upper.mH, g_below, upper=False, left=False)
        result = cat([result, rest], -2)
    if n > k:
        rest = solve_triangular(lower.mH, g_right, upper=True, unitriangular=True)
        result = cat([result, rest], -1)
    return permutation_matrix(y[1], m, result.dtype) @ result


def _triangles(compact: Tensor) -> tuple[Tensor, Tensor]:
    """L with ones on its diagonal, and U, of LU in one square matrix."""
    eye = fixed(np.eye(compact._array.shape[-1], dtype=compact._array.dtype))
    return compact.tril(-1) + eye, compact.triu()


def permutation_matrix(pivots: Tensor, m: int, dtype: dtypes.dtype) -> Tensor:
    """P of A = P L U, from the exchanges of rows."""
    order = dense.permutation(pivots._array, m)
    return wrap(np.eye(m, dtype=dtype.np)[order].swapaxes(-1, -2).copy())


@op(grad=_lu_rule, inputs=("A",), result=linalg_lu_factor_ex, node="LinalgLuFactorExBackward0")
def _lu_factor_ex(xp: Any, A: Any) -> tuple[Any, Any, Any]:
    return dense.lu(A)


def _check_lu(name: str, A: Tensor, pivot: bool) -> None:
    if A._array.ndim < 2:
        raise RuntimeError(
            f"{name}: Expected tensor with 2 or more dimensions. Got size: "
            f"{list(A._array.shape)} instead"
        )
    floating(name, A)
    if not pivot:
        raise RuntimeError("linalg.lu_factor: LU without pivoting is not implemented on the CPU")


@composite(names="linalg.lu_factor_ex")
def lu_factor_ex(A, *, pivot=True, check_errors=False):
    """L and U in one matrix, the exchanges of rows, and which diagonal element of U is 0."""
    _check_lu("torch.lu_factor_ex", A, pivot)
    found = _lu_factor_ex(A)
    if check_errors:
        _raise_zero_pivot("torch.linalg.lu_factor_ex", found.info)
    return found


def _raise_zero_pivot(name: str, info: Tensor) -> None:
    failure = first_failure(info._array)
    if failure is not None:
        raise RuntimeError(
            f"{name}: {failure[0]}U[{failure[1]},{failure[1]}] is zero and using it on lu_solve "
            "would result in a division by zero. If you still want to perform the factorization, "
            "consider calling linalg.lu(A, pivot) or linalg.lu_factor_ex(A, pivot)"
        )


@composite(names="linalg.lu_factor")
def lu_factor(A, *, pivot=True):
    """L and U in one matrix, and the exchanges of rows, for `lu_solve`."""
    _check_lu("torch.lu_factor", A, pivot)
    found = _lu_factor_ex(A)
    _raise_zero_pivot("torch.linalg.lu_factor", found.info)
    return linalg_lu_factor(found.LU, found.pivots)


@composite(names="linalg.lu")
def lu(A, *, pivot=True):
    """P, L, U with A = P L U: a permutation, lower and upper triangular matrices."""
    _check_lu("linalg.lu", A, pivot)
    found = _lu_factor_ex(A)
    return linalg_lu(*lu_unpack(found.LU, found.pivots))


@composite(names="torch.lu_unpack")
def lu_unpack(LU_data, LU_pivots, unpack_data=True, unpack_pivots=True):
    """P, L, U of what `lu_factor` returned."""
    if LU_pivots.dtype is not dtypes.int32 and unpack_pivots:
        raise RuntimeError(
            "torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of torch.int32 "
            "dtype. Note: this function is intended to be used with the output produced by "
            "torch.linalg.lu_factor"
        )
    m, n = LU_data._array.shape[-2:]
    k = min(m, n)
    empty = wrap(np.empty(0, LU_data._array.dtype))
    p = permutation_matrix(LU_pivots, m, LU_data.dtype) if unpack_pivots else empty
    if not unpack_data:
        return lu_unpack_type(p, empty, empty)
    eye = fixed(np.eye(m, k, dtype=LU_data._array.dtype))
    lower = LU_data.narrow(-1, 0, k).tril(-1) + eye
    return lu_unpack_type(p, lower, LU_data.narrow(-2, 0, k).triu())
