"""Older names of linear algebra in torch.*, and factors of low rank."""

from __future__ import annotations

from typing import Any

from ..core.tensor import Tensor
from . import dense, linalg_factors, linalg_given, linalg_lu
from .families import composite, op
from .linalg_checks import LinAlgError, first_failure, floating, one_batch, square
from .linalg_triangular import solve_triangular
from .return_types import return_type

svd_type = return_type("svd", "U S V")
qr_type = return_type("qr", "Q R")
triangular_solve_type = return_type("triangular_solve", "solution cloned_coefficient")
lu_with_info = return_type("_lu_with_info", "LU pivots info")


@composite
def cholesky(input, upper=False):
    """L of A = L Lᴴ; the old form of `linalg.cholesky`."""
    square("cholesky", input)
    found = linalg_factors.cholesky_ex(input, upper=upper)
    failure = first_failure(found.info._array)
    if failure is not None:
        raise LinAlgError(
            f"cholesky: {failure[0]}The factorization could not be completed because the input is "
            f"not positive-definite (the leading minor of order {failure[1]} is not "
            "positive-definite)."
        )
    return found.L


@composite
def qr(input, some=True):
    """Q and R of A = Q R; the old form of `linalg.qr`."""
    return qr_type(*linalg_factors.qr(input, "reduced" if some else "complete"))


@composite
def svd(input, some=True, compute_uv=True):
    """U, S and V of A = U diag(S) Vᴴ; the old form of `linalg.svd`."""
    if not compute_uv:
        *batch, m, n = input._array.shape
        u, v = (input.new_zeros((*batch, length, length)) for length in (m, n))
        return svd_type(u, linalg_factors.svdvals(input), v)
    u, s, vh = linalg_factors.svd(input, full_matrices=not some)
    return svd_type(u, s, vh.mH)


@composite
def lu(A, pivot=True, get_infos=False):
    """LU in one matrix and the exchanges of rows; the old form of `linalg.lu_factor`."""
    found = linalg_lu.lu_factor_ex(A, pivot=pivot, check_errors=not get_infos)
    return lu_with_info(*found) if get_infos else (found.LU, found.pivots)


@composite
def lu_solve(b, LU_data, LU_pivots):
    """X with A X = b; the old form of `linalg.lu_solve`."""
    return linalg_given.linalg_lu_solve(LU_data, LU_pivots, b)


@composite
def triangular_solve(b, A, upper=True, transpose=False, unitriangular=False):
    """X with A X = b (Aᵀ X = b) and a copy of A; the old form of `linalg.solve_triangular`."""
    for name, t in (("b", b), ("A", A)):
        if t._array.ndim < 2:
            raise RuntimeError(
                f"torch.triangular_solve: Expected {name} to have at least 2 dimensions, but it "
                f"has {t._array.ndim} dimensions instead"
            )
    square("triangular_solve", A)
    A, b = one_batch(A, b)
    side = (A.mT, not upper) if transpose else (A, upper)
    solution = solve_triangular(side[0], b, upper=side[1], unitriangular=unitriangular)
    return triangular_solve_type(solution, A.clone())


# ---------------------------------------------------------------- e to the power of a matrix


def _matrix_exp_rule(g: Tensor, A: Tensor) -> Tensor:
    """The upper right block of exp [[Aᴴ, g], [0, Aᴴ]].

    Source: Mathias, A chain rule for matrix functions and applications (1996).
    """
    from .join import cat

    n, adjoint = A._array.shape[-1], A.mH
    above = cat([adjoint, g], -1)
    below = cat([adjoint.new_zeros(adjoint._array.shape), adjoint], -1)
    return _matrix_exp(cat([above, below], -2)).narrow(-2, 0, n).narrow(-1, n, n)


@op(grad={"A": _matrix_exp_rule}, node="LinalgMatrixExpBackward0")
def _matrix_exp(xp: Any, A: Any) -> Any:
    return dense.matrix_exp(A)


@composite(names="torch.matrix_exp Tensor.matrix_exp linalg.matrix_exp")
def matrix_exp(A):
    """1 + A + A²/2 + A³/6 + ... for square matrices.

    >>> import penlight as torch
    >>> torch.matrix_exp(torch.zeros(2, 2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    square("linalg.matrix_exp", A)
    floating("linalg.matrix_exp", A, low_precision=True)
    return _matrix_exp(A)


# ---------------------------------------------------------------- sums and low rank


@composite
def trace(input):
    """The sum of the diagonal of a matrix."""
    if input._array.ndim != 2:
        raise RuntimeError(f"trace: expected a matrix, but got tensor with dim {input._array.ndim}")
    return input.diagonal().sum()


def _range_basis(A: Tensor, q: int, niter: int) -> Tensor:
    """Orthonormal columns that nearly span the range of A.

    Source: Halko, Martinsson, Tropp, Finding structure with randomness (2009), algorithm 4.4.
    """
    from .random import randn

    n = A._array.shape[-1]
    start = randn(n, q, dtype=A.dtype)

    basis = linalg_factors.qr(A @ start)[0]
    for _ in range(niter):
        basis = linalg_factors.qr(A.mH @ basis)[0]
        basis = linalg_factors.qr(A @ basis)[0]
    return basis


@composite(names="torch.svd_lowrank")
def svd_lowrank(A, q=6, niter=2, M=None):
    """U, S, V of a matrix of rank about `q`, by projecting on random directions."""
    A = A if M is None else A - M
    basis = _range_basis(A, 6 if q is None else q, niter)
    u, s, vh = linalg_factors.svd(basis.mH @ A, full_matrices=False)
    return basis @ u, s, vh.mH


@composite(names="torch.pca_lowrank")
def pca_lowrank(A, q=None, center=True, niter=2):
    """Principal components: `svd_lowrank` of the matrix without its column means."""
    m, n = A._array.shape[-2:]
    if q is None:
        q = min(6, m, n)
    elif not 0 <= q <= min(m, n):
        raise ValueError(
            f"q(={q}) must be non-negative integer and not greater than min(m, n)={min(m, n)}"
        )
    if niter < 0:
        raise ValueError(f"niter(={niter}) must be non-negative integer")
    centred = A - A.mean(-2, keepdim=True) if center else A
    return svd_lowrank(centred, q, niter)
