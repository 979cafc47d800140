"""A matrix as a product of simpler ones: Cholesky, QR, singular values, eigenvalues.

The gradients are from Giles, Collected matrix derivative results (2008), and for complex matrices
from Boeddeker et al., On the computation of complex-valued gradients (2017). M, N: rows, columns;
K = min(M, N). `A.mH` is the conjugate transpose.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.beside import fixed
from ..core.tensor import Tensor, wrap
from ..core.watch import refuse
from .diagonals import diag_embed
from .elementwise import bar
from .families import composite, op
from .linalg_checks import LinAlgError, first_failure, floating, matrix, square
from .linalg_triangular import solve_triangular
from .return_types import return_type


def given(g: Tensor) -> bool:
    """Whether a gradient came in, or only the zeros that stand for none."""
    refuse("what is computed depends on whether a gradient is zero")
    return g.requires_grad or bool(g._array.any())


def _skew(t: Tensor) -> Tensor:
    return t - t.mH


def _differences(values: Tensor) -> Tensor:
    """vⱼ - vᵢ at row i, column j, and 1 on the diagonal."""
    e = values.unsqueeze(-2) - values.unsqueeze(-1)
    return e + fixed(np.eye(e._array.shape[-1], dtype=e._array.dtype))


# ---------------------------------------------------------------- Cholesky: A = L Lᴴ

linalg_cholesky_ex = return_type("linalg_cholesky_ex", "L info")


def _cholesky_rule(g: tuple, y: tuple) -> Tensor:
    """L⁻ᴴ Φ(Lᴴ gL) L⁻¹; Φ copies half of the lower triangle to the upper."""
    lower = y[0]
    phi = (lower.mH @ g[0]).tril()
    phi = (phi + phi.tril(-1).mH) * 0.5
    left = solve_triangular(lower.mH, phi, upper=True)
    return solve_triangular(lower, left, upper=False, left=False)


def _cholesky(xp: Any, a: Any) -> tuple[Any, Any]:
    """L, and the order of the first minor that is not positive (0: none)."""
    try:
        return xp.linalg.cholesky(a), xp.zeros(a.shape[:-2], np.int32)
    except np.linalg.LinAlgError:
        pass
    n = a.shape[-1]
    flat = a.reshape(-1, n, n)
    lower, info = xp.zeros_like(flat), xp.zeros(len(flat), np.int32)
    for index, one in enumerate(flat):
        order = 0
        for order in range(1, n + 1):
            try:
                lower[index, :order, :order] = xp.linalg.cholesky(one[:order, :order])
            except np.linalg.LinAlgError:
                info[index] = order
                break
    return lower.reshape(a.shape), info.reshape(a.shape[:-2])


@op(grad=_cholesky_rule, inputs=("A",), result=linalg_cholesky_ex, node="LinalgCholeskyExBackward0")
def _cholesky_ex(xp: Any, A: Any) -> tuple[Any, Any]:
    return _cholesky(xp, A)


@composite(names="linalg.cholesky_ex")
def cholesky_ex(A, *, upper=False, check_errors=False):
    """L of A = L Lᴴ, and `info`: 0, or the order of the leading minor that is not positive."""
    return _checked_cholesky("linalg.cholesky_ex", A, upper, check_errors)


def _checked_cholesky(name: str, A: Tensor, upper: bool, check: bool) -> Any:
    square(name.removesuffix("_ex"), A)
    floating(name.removesuffix("_ex"), A)
    found = _cholesky_ex(A)
    failure = first_failure(found.info._array) if check else None
    if failure is not None:
        raise LinAlgError(
            f"{name}: {failure[0]}The factorization could not be completed because the input is "
            f"not positive-definite (the leading minor of order {failure[1]} is not "
            "positive-definite)."
        )
    return linalg_cholesky_ex(found.L.mH, found.info) if upper else found


@composite(names="linalg.cholesky")
def cholesky(A, *, upper=False):
    """The lower triangular L with A = L Lᴴ (upper: Lᴴ) of a positive definite matrix.

    >>> import penlight as torch
    >>> torch.linalg.cholesky(torch.tensor([[4.0, 2.0], [2.0, 5.0]]))
    tensor([[2., 0.],
            [1., 2.]])
    """
    return _checked_cholesky("linalg.cholesky", A, upper, True)[0]


# ---------------------------------------------------------------- QR: A = Q R

linalg_qr = return_type("linalg_qr", "Q R")


def _qr_rule(g: tuple, y: tuple) -> Tensor:
    """[gQ + Q Φ(gR Rᴴ - Qᴴ gQ)] R⁻ᴴ for M >= N; Φ copies the upper triangle to the lower."""
    (q, r), (gq, gr) = y, g
    upper = (gr @ r.mH - q.mH @ gq).triu()
    whole = upper + upper.mH - diag_embed(upper.diagonal(0, -2, -1).real)
    return solve_triangular(r.mH, gq + q @ whole, upper=False, left=False)


@op(grad=_qr_rule, inputs=("A",), result=linalg_qr, node="LinalgQrBackward0")
def _qr(xp: Any, A: Any) -> tuple[Any, Any]:
    return tuple(xp.linalg.qr(A))


@composite(names="linalg.qr")
def qr(A, mode="reduced"):
    """Q with orthonormal columns and upper triangular R: A = Q R.

    Q is (M, K) and R (K, N); with mode="complete" (M, M) and (M, N); with "r" Q is empty.
    """
    matrix("linalg.qr", A)
    floating("linalg.qr", A)
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), "
            "'r', or 'complete'"
        )
    m, n = A._array.shape[-2:]
    if mode == "r" or (mode == "complete" and m > n):
        return _qr_without_gradient(A, mode)
    if m >= n:
        return _qr(A)
    q, r = _qr(A.narrow(-1, 0, m))  # R = [R₁ | Qᴴ A₂]: the rest follows from the square part
    from .join import cat

    return linalg_qr(q, cat([r, q.mH @ A.narrow(-1, m, n - m)], -1))


def _raise_no_q(g: tuple) -> Tensor:
    raise RuntimeError(
        "The derivative of linalg.qr depends on Q, which is not computed when mode='r'. Please use "
        "linalg.qr(A, mode='reduced') if you are going to differentiate through linalg.qr."
    )


def _raise_complete(g: tuple) -> Tensor:
    raise RuntimeError(
        "The QR decomposition is not differentiable when mode='complete' and nrows > ncols."
    )


@op(grad=_raise_no_q, inputs=("A",), result=linalg_qr, node="LinalgQrBackward0")
def _qr_r(xp: Any, A: Any) -> tuple[Any, Any]:
    return xp.empty(0, A.dtype), xp.linalg.qr(A, "r")


@op(grad=_raise_complete, inputs=("A",), result=linalg_qr, node="LinalgQrBackward0")
def _qr_complete(xp: Any, A: Any) -> tuple[Any, Any]:
    return tuple(xp.linalg.qr(A, "complete"))


def _qr_without_gradient(A: Tensor, mode: str) -> Any:
    return _qr_r(A) if mode == "r" else _qr_complete(A)


# ---------------------------------------------------------------- A = U diag(S) Vᴴ

linalg_svd = return_type("linalg_svd", "U S Vh")


def _svd_rule(g: tuple, y: tuple) -> Tensor:
    """U [(Uᴴ gU)ₛ/E · S + S · (Vᴴ gV)ₛ/E + diag(gS)] Vᴴ, and what leaves the ranges of U and V.

    Eᵢⱼ = Sⱼ² - Sᵢ²; ₛ is the skew part, twice.
    """
    (u, s, vh), (gu, gs, gvh) = y, g
    k = s._array.shape[-1]
    full = u._array.shape[-1] > k or vh._array.shape[-2] > k
    if full:
        u, gu = u.narrow(-1, 0, k), gu.narrow(-1, 0, k)
        vh, gvh = vh.narrow(-2, 0, k), gvh.narrow(-2, 0, k)
    m, n = u._array.shape[-2], vh._array.shape[-1]
    inner = diag_embed(gs.to(u.dtype))
    e = _differences(s * s)
    if given(gu):
        turn = _skew(u.mH @ gu)
        inner = inner + turn / e * s.unsqueeze(-2)
    if given(gvh):
        inner = inner + s.unsqueeze(-1) * (_skew(vh @ gvh.mH) / e)
    if u.dtype.is_complex and given(gu):
        inner = inner + diag_embed(turn.diagonal(0, -2, -1) / (2 * s))
    result = u @ inner @ vh
    if m > k and given(gu):
        result = result + ((gu - u @ (u.mH @ gu)) / s.unsqueeze(-2)) @ vh
    if n > k and given(gvh):
        result = result + u @ ((gvh - (gvh @ vh.mH) @ vh) / s.unsqueeze(-1))
    return result


@op(grad=_svd_rule, inputs=("A",), result=linalg_svd, node="LinalgSvdBackward0")
def _svd(xp: Any, A: Any, full_matrices: bool) -> tuple[Any, Any, Any]:
    return tuple(_converged(xp.linalg.svd, A, full_matrices))


def _converged(svd: Any, a: Any, *options: Any) -> Any:
    try:
        return svd(a, *options)
    except np.linalg.LinAlgError:
        batch = np.isfinite(a).all((-2, -1))
        where = "" if a.ndim == 2 else f"(Batch element {np.flatnonzero(~batch)[:1].sum()}): "
        raise LinAlgError(
            f"linalg.svd: {where}The algorithm failed to converge because the input matrix "
            "contained non-finite values."
        ) from None


def _check_svd(A: Tensor, driver: str | None, name: str = "linalg.svd") -> None:
    matrix(name, A)
    floating(name, A)
    if driver is not None:
        raise RuntimeError(
            f"{name}: keyword argument `driver=` is only supported on CUDA inputs with cuSOLVER "
            "backend."
        )


@composite(names="linalg.svd")
def svd(A, full_matrices=True, *, driver=None):
    """A = U diag(S) Vᴴ with orthonormal U and V and S descending.

    U is (M, M) and Vᴴ (N, N), or (M, K) and (K, N) with full_matrices=False.
    """
    _check_svd(A, driver)
    return _svd(A, bool(full_matrices))


@composite(names="linalg.svdvals")
def svdvals(A, *, driver=None):
    """The singular values, descending."""
    _check_svd(A, driver, "linalg.svdvals")
    if A.requires_grad:
        return _svd(A, False).S
    return wrap(_converged(np.linalg.svdvals, A._array))


# ---------------------------------------------------------------- A = V diag(L) V⁻¹

linalg_eigh = return_type("linalg_eigh", "eigenvalues eigenvectors")
linalg_eig = return_type("linalg_eig", "eigenvalues eigenvectors")


def _eigh_rule(g: tuple, y: tuple) -> Tensor:
    """V [diag(gL) + (Vᴴ gV)ₛ/E] Vᴴ, Eᵢⱼ = Lⱼ - Lᵢ; ₛ is the skew part."""
    (values, v), (gl, gv) = y, g
    inner = diag_embed(gl.to(v.dtype))
    if given(gv):
        inner = inner + _skew(v.mH @ gv) * 0.5 / _differences(values)
    return v @ inner @ v.mH


@op(grad=_eigh_rule, inputs=("A",), result=linalg_eigh, node="LinalgEighBackward0")
def _eigh(xp: Any, A: Any, UPLO: str) -> tuple[Any, Any]:
    try:
        return tuple(xp.linalg.eigh(A, UPLO))
    except np.linalg.LinAlgError:
        raise LinAlgError(
            "linalg.eigh: The algorithm failed to converge because the input matrix is "
            "ill-conditioned or has too many repeated eigenvalues (error code: 1)."
        ) from None


def _check_eigh(name: str, A: Tensor, UPLO: str) -> str:
    square(name, A)
    floating(name, A)
    if UPLO.upper() not in ("L", "U"):
        raise RuntimeError(f"Expected UPLO argument to be 'L' or 'U', but got {UPLO}")
    return UPLO.upper()


@composite(names="linalg.eigh")
def eigh(A, UPLO="L"):
    """Ascending eigenvalues and orthonormal eigenvectors of a symmetric (Hermitian) matrix.

    Only the lower triangle is read; with UPLO="U" the upper.
    """
    return _eigh(A, _check_eigh("linalg.eigh", A, UPLO))


@composite(names="linalg.eigvalsh")
def eigvalsh(A, UPLO="L"):
    """The eigenvalues of a symmetric (Hermitian) matrix, ascending."""
    UPLO = _check_eigh("linalg.eigvalsh", A, UPLO)
    if A.requires_grad:
        return _eigh(A, UPLO).eigenvalues
    return wrap(np.linalg.eigvalsh(A._array, UPLO))


def _eig_rule(g: tuple, y: tuple) -> Tensor:
    """V⁻ᴴ [diag(gL) + (Vᴴ gV - Vᴴ V diag(Re Vᴴ gV))/Ē] Vᴴ, Eᵢⱼ = Lⱼ - Lᵢ."""
    from .linalg_solve import solve

    (values, v), (gl, gv) = y, g
    inner = diag_embed(gl)
    if given(gv):
        turn = v.mH @ gv
        length = turn.diagonal(0, -2, -1).real.unsqueeze(-2)
        turn = turn - (v.mH @ v) * length
        turn = turn - diag_embed(turn.diagonal(0, -2, -1))
        inner = inner + turn / bar(_differences(values))
    return solve(v.mH, inner @ v.mH)


@op(grad=_eig_rule, inputs=("A",), result=linalg_eig, node="LinalgEigBackward0")
def _eig(xp: Any, A: Any) -> tuple[Any, Any]:
    values, vectors = xp.linalg.eig(A)
    to = np.result_type(A.dtype, np.complex64)
    return values.astype(to, copy=False), vectors.astype(to, copy=False)


def _check_eig(name: str, A: Tensor) -> None:
    square(name, A)
    floating(name, A)
    if not np.isfinite(A._array).all():
        raise RuntimeError(f"torch.{name}: input tensor should not contain infs or NaNs.")


@composite(names="linalg.eig")
def eig(A):
    """Complex eigenvalues and eigenvectors of length 1, in no order."""
    _check_eig("linalg.eig", A)
    return _eig(A)


@composite(names="linalg.eigvals")
def eigvals(A):
    """The complex eigenvalues, in no order."""
    _check_eig("linalg.eigvals", A)
    if A.requires_grad:
        return _eig(A).eigenvalues
    return wrap(np.linalg.eigvals(A._array).astype(A.dtype.to_complex().np, copy=False))
