"""Solutions from factors that are given: LU, Cholesky, LDL, Householder reflections."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import dtype as dtypes
from ..core.beside import fixed
from ..core.tensor import Tensor
from . import dense
from .elementwise import bar
from .families import composite, op
from .linalg_checks import (
    equation,
    first_failure,
    floating,
    matrix,
    one_batch,
    square,
)
from .linalg_lu import permutation_matrix
from .linalg_triangular import solve_triangular
from .return_types import return_type

# ---------------------------------------------------------------- from given factors


@composite(names="linalg.lu_solve")
def linalg_lu_solve(LU, pivots, B, *, left=True, adjoint=False):
    """X with A X = B, from the LU factors of A; `adjoint` solves Aᴴ X = B."""
    name = "linalg.lu_solve"
    same_types_lu(name, LU, B)
    if pivots.dtype is not dtypes.int32:
        raise RuntimeError(f"{name}: pivots should be a Tensor of scalar type torch.int32")
    square(name, LU, "LU")
    matrix(name, B, "B")
    equation(name, LU, B, left)
    if LU._array.shape[:-1] != pivots._array.shape:
        raise RuntimeError(f"{name}: Number of pivots per batch should be same as the dimension of "
                           "the matrix")  # fmt: skip
    if not left:  # X A = B is Aᴴ Xᴴ = Bᴴ
        return linalg_lu_solve(LU, pivots, B.mH, adjoint=not adjoint).mH
    p = permutation_matrix(pivots, LU._array.shape[-1], LU.dtype)
    if adjoint:
        half = solve_triangular(LU.mH, B, upper=False)
        return p @ solve_triangular(LU.mH, half, upper=True, unitriangular=True)
    half = solve_triangular(LU, p.mT @ B, upper=False, unitriangular=True)
    return solve_triangular(LU, half, upper=True)


def same_types_lu(name: str, LU: Tensor, B: Tensor) -> None:
    """RuntimeError unless LU and B have one floating dtype."""
    floating(name, LU)
    if LU.dtype is not B.dtype:
        raise RuntimeError(
            f"{name}: Expected LU and B to have the same dtype, but found LU of type "
            f"{LU.dtype.scalar_name} and B of type {B.dtype.scalar_name} instead"
        )


def _cholesky_solve_rule(g: Tensor, y: Tensor, L: Tensor, upper: bool) -> tuple[Tensor, Tensor]:
    """(gB, gL): gB = (L Lᴴ)⁻¹ g and gL = -(gB Xᴴ + X gBᴴ) L."""
    right = _cholesky_solve(g, L, upper)
    product = right @ y.mH
    both = product + product.mH
    return right, -(L @ both if upper else both @ L)


@op(grad=_cholesky_solve_rule, inputs=("input", "L"), node="CholeskySolveBackward0")
def _cholesky_solve(xp: Any, input: Any, L: Any, upper: bool) -> Any:
    adjoint = L.conj().swapaxes(-1, -2)
    lower, above = (adjoint, L) if upper else (L, adjoint)
    half = dense.solve_triangular(lower, input, upper=False, unit=False)
    return dense.solve_triangular(above, half, upper=True, unit=False)


@composite
def cholesky_solve(input, L, upper=False):
    """X with L Lᴴ X = B (upper: Uᴴ U X = B) for B = `input`."""
    for name, t in (("b", input), ("u", L)):
        if t._array.ndim < 2:
            raise RuntimeError(
                f"{name} should have at least 2 dimensions, but has {t._array.ndim} dimensions "
                "instead"
            )
    square("cholesky_solve", L)
    equation("cholesky_solve", L, input)
    L, input = one_batch(L, input)
    return _cholesky_solve(input, L, bool(upper))


def _cholesky_inverse_rule(g: Tensor, y: Tensor, L: Tensor, upper: bool) -> Tensor:
    """-A⁻¹ (g + gᴴ) A⁻¹ L."""
    inner = y @ (g + g.mH) @ y
    return -(L @ inner if upper else inner @ L)


@op(grad={"L": _cholesky_inverse_rule}, node="CholeskyInverseBackward0")
def _cholesky_inverse(xp: Any, L: Any, upper: bool) -> Any:
    eye = xp.broadcast_to(xp.eye(L.shape[-1], dtype=L.dtype), L.shape)
    return _cholesky_solve.record.meaning(xp, eye, L, upper)


@composite
def cholesky_inverse(L, upper=False):
    """The inverse of L Lᴴ (upper: Uᴴ U)."""
    square("cholesky_inverse", L)
    return _cholesky_inverse(L, bool(upper))


# ---------------------------------------------------------------- LDL

linalg_ldl_factor = return_type("linalg_ldl_factor", "LD pivots")
linalg_ldl_factor_ex = return_type("linalg_ldl_factor_ex", "LD pivots info")


@op(names="linalg.ldl_factor_ex", result=linalg_ldl_factor_ex)
def ldl_factor_ex(xp, A, *, hermitian=False, check_errors=False):
    """Bunch-Kaufman factors L D Lᵀ (hermitian: L D Lᴴ) in one matrix, exchanges, and `info`."""
    *batch, n, _ = A.shape
    found = [dense.ldl(one, hermitian) for one in A.reshape(int(np.prod(batch)), n, n)]
    factors = np.array([one[0] for one in found], A.dtype).reshape(A.shape)
    pivots = np.array([one[1] for one in found], np.int32).reshape(*batch, n)
    return factors, pivots, np.array([one[2] for one in found], np.int32).reshape(batch)


@composite(names="linalg.ldl_factor")
def ldl_factor(A, *, hermitian=False):
    """Bunch-Kaufman factors of a symmetric matrix, from its lower triangle, for `ldl_solve`."""
    square("torch.linalg.ldl_factor_ex", A)
    floating("torch.linalg.ldl_factor_ex", A)
    found = ldl_factor_ex(A, hermitian=hermitian)
    failure = first_failure(found.info._array)
    if failure is not None:
        raise RuntimeError(
            f"torch.linalg.ldl_factor_ex: {failure[0]}The diagonal element {failure[1]} is zero, "
            "the factorization is completed but not invertible."
        )
    return linalg_ldl_factor(found.LD, found.pivots)


@op(
    grad={
        "B": lambda g, LD, pivots, hermitian: _ldl_solve(
            LD if hermitian else LD.conj(), pivots, g, hermitian
        )
    },
    node="LinalgLdlSolveBackward0",
)
def _ldl_solve(xp: Any, LD: Any, pivots: Any, B: Any, hermitian: bool) -> Any:
    return xp.linalg.solve(dense.ldl_product(LD, pivots, hermitian), B)


@composite(names="linalg.ldl_solve")
def ldl_solve(LD, pivots, B, *, hermitian=False):
    """X with A X = B, from the LDL factors of A."""
    square("torch.linalg.ldl_solve", LD, "LD")
    matrix("torch.linalg.ldl_solve", B, "B")
    rows, columns = LD._array.shape[-2:]
    if B._array.shape[-2] != rows:
        given = B._array.shape[-2:]
        raise RuntimeError(
            f"Incompatible matrix sizes for torch.linalg.ldl_solve: each A matrix is {rows} by "
            f"{columns} but each b matrix is {given[0]} by {given[1]}"
        )
    LD, B = one_batch(LD, B)
    return _ldl_solve(LD, pivots.expand(LD._array.shape[:-1]), B, bool(hermitian))


# ---------------------------------------------------------------- Householder reflections

geqrf_type = return_type("geqrf", "a tau")


@op(result=geqrf_type)
def geqrf(xp, input):
    """R and, below its diagonal, the vectors v of the reflections 1 - τ v vᴴ whose product is Q."""
    if not input.size:
        shape = (*input.shape[:-2], min(input.shape[-2:]))
        return input.copy(), xp.zeros(shape, input.dtype)
    compact, tau = xp.linalg.qr(input, "raw")
    return compact.swapaxes(-1, -2), tau


@op(grad={"A": lambda g: None}, node="LinalgHouseholderProductBackward0")
def _no_reflections(xp: Any, A: Any) -> Any:
    """The product of none."""
    return xp.broadcast_to(xp.eye(*A.shape[-2:], dtype=A.dtype), A.shape).copy()


def _reflections(compact: Tensor, count: int) -> Tensor:
    """The vectors v as columns: 1 on the diagonal, 0 above it."""
    eye = fixed(np.eye(compact._array.shape[-2], count, dtype=compact._array.dtype))
    return compact.narrow(-1, 0, count).tril(-1) + eye


def _reflect(vectors: Tensor, tau: Tensor, target: Tensor, order: range, adjoint: bool) -> Tensor:
    """Apply the reflections 1 - τ v vᴴ to the columns of `target`, one after the other."""
    scale = bar(tau) if adjoint else tau
    for i in order:
        v = vectors.narrow(-1, i, 1)
        target = target - (v * scale.narrow(-1, i, 1).unsqueeze(-1)) @ (v.mH @ target)
    return target


@composite(names="linalg.householder_product torch.orgqr Tensor.orgqr")
def householder_product(A, tau):
    """The first N columns of the product of the reflections that `geqrf` returned: Q."""
    name = "torch.linalg.householder_product"
    if A._array.ndim < 2:
        raise RuntimeError(f"{name}: input must have at least 2 dimensions.")
    m, n = A._array.shape[-2:]
    k = tau._array.shape[-1]
    if m < n:
        raise RuntimeError(
            f"{name}: input.shape[-2] must be greater than or equal to input.shape[-1]"
        )
    if n < k:
        raise RuntimeError(
            f"{name}: input.shape[-1] must be greater than or equal to tau.shape[-1]"
        )
    if A._array.ndim - tau._array.ndim != 1:
        raise RuntimeError(
            f"{name}: Expected tau to have one dimension less than input, but got tau.ndim equal "
            f"to {tau._array.ndim} and input.ndim is equal to {A._array.ndim}"
        )
    if A._array.shape[:-2] != tau._array.shape[:-1]:
        raise RuntimeError(
            f"{name}: Expected batch dimensions of tau to be equal to input.shape[:-2], but got "
            f"{list(tau._array.shape[:-1])}"
        )
    if A.dtype is not tau.dtype:
        raise RuntimeError(
            f"{name}: tau dtype {tau.dtype.scalar_name} does not match input dtype "
            f"{A.dtype.scalar_name}"
        )
    if k == 0:
        return _no_reflections(A)
    start = fixed(np.eye(m, n, dtype=A._array.dtype))
    return _reflect(_reflections(A, k), tau, start, range(k - 1, -1, -1), adjoint=False)


@composite
def ormqr(input, tau, other, left=True, transpose=False):
    """Q · other, with Q of `householder_product`; other · Q with left=False; Qᴴ if `transpose`."""
    name = "torch.ormqr"
    for argument, t in (("input", input), ("other", other)):
        if t._array.ndim < 2:
            raise RuntimeError(f"{name}: {argument} must have at least 2 dimensions.")
    size = other._array.shape[-2 if left else -1]
    k = tau._array.shape[-1]
    side = "-2" if left else "-1"
    if input._array.shape[-1] < k:
        raise RuntimeError(
            f"{name}: input.shape[-1] must be greater than or equal to tau.shape[-1]"
        )
    if size < k:
        raise RuntimeError(
            f"{name}: other.shape[{side}] must be greater than or equal to tau.shape[-1]"
        )
    if size != input._array.shape[-2]:
        raise RuntimeError(f"{name}: other.shape[{side}] must be equal to input.shape[-2]")
    if input.dtype is not other.dtype or tau.dtype is not input.dtype:
        raise RuntimeError(
            f"{name}: Expected input, tau and other to have the same dtype, but got "
            f"{input.dtype.scalar_name}, {tau.dtype.scalar_name} and {other.dtype.scalar_name}"
        )
    if not input.numel():  # nothing that a gradient could belong to
        input, tau = input.detach(), tau.detach()
    vectors = _reflections(input, k)
    if not left:  # (other Q)ᴴ = Qᴴ otherᴴ
        return _applied(vectors, tau, other.mH, not transpose).mH
    return _applied(vectors, tau, other, transpose)


def _applied(vectors: Tensor, tau: Tensor, target: Tensor, adjoint: bool) -> Tensor:
    k = tau._array.shape[-1]
    order = range(k) if adjoint else range(k - 1, -1, -1)
    return _reflect(vectors, tau, target, order, adjoint)
