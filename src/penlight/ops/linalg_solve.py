"""Systems of linear equations: solutions, inverses, determinants, least squares.

A (*, M, N), B (*, M, R), X (*, N, R).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core.beside import fixed
from ..core.tensor import Tensor
from ..core.watch import refuse
from . import dense
from .elementwise import bar
from .families import composite, op
from .linalg_checks import (
    LinAlgError,
    equation,
    first_failure,
    floating,
    full_precision,
    one_batch,
    same_types,
    square,
)
from .linalg_factors import svd
from .return_types import return_type

linalg_inv_ex = return_type("linalg_inv_ex", "inverse info")
linalg_solve_ex = return_type("linalg_solve_ex", "result info")
linalg_slogdet = return_type("linalg_slogdet", "sign logabsdet")


# ---------------------------------------------------------------- A X = B


def _solved(xp: Any, a: Any, b: Any) -> tuple[Any, Any]:
    """A⁻¹ B, and for each matrix which pivot was 0 (0: none)."""
    try:
        return xp.linalg.solve(a, b), xp.zeros(a.shape[:-2], np.int32)
    except np.linalg.LinAlgError:
        compact, pivots, info = dense.lu(a)
        order = dense.permutation(pivots, a.shape[-1])
        b = xp.take_along_axis(b, order[..., None], -2)
        half = dense.solve_triangular(compact, b, upper=False, unit=True)
        return dense.solve_triangular(compact, half, upper=True, unit=False), info


@op(
    grad={
        "A": lambda g, y, A: -(_solve_ex(A.mH, g[0])[0] @ y[0].mH),
        "B": lambda g, A: _solve_ex(A.mH, g[0])[0],
    },
    result=linalg_solve_ex,
    node="LinalgSolveExBackward0",
)
def _solve_ex(xp: Any, A: Any, B: Any) -> tuple[Any, Any]:
    return _solved(xp, A, B)


def _is_vector(A: Tensor, B: Tensor) -> bool:
    """Whether B holds right sides as vectors: one, or one for each matrix."""
    a, b = A._array.shape, B._array.shape
    return len(b) == 1 or (len(a) - 1 == len(b) and a[:-1] == b)


def _solve(name: str, A: Tensor, B: Tensor, left: bool) -> Any:
    square(name, A)
    floating(name, A)
    same_types(name, A, B)
    vector = _is_vector(A, B)
    if vector:
        if not left:
            raise RuntimeError(
                f"{name}: Vector broadcasting of the left hand side is not supported for "
                "left=False. In this case linalg.solve is equivalent to B / A.squeeze(-1)"
            )
        B = B.unsqueeze(-1)
    equation(name, A, B, left)
    A, B = one_batch(A, B)
    found = _solve_ex(A, B) if left else _solve_ex(A.mT, B.mT)
    result = found.result if left else found.result.mT
    return linalg_solve_ex(result.squeeze(-1) if vector else result, found.info)


@composite(names="linalg.solve_ex")
def solve_ex(A, B, *, left=True, check_errors=False):
    """X of A X = B, and `info`: 0, or which pivot is 0."""
    found = _solve("linalg.solve", A, B, left)
    if check_errors:
        _raise_singular("torch.linalg.solve_ex", found.info)
    return found


def _raise_singular(name: str, info: Tensor) -> None:
    failure = first_failure(info._array)
    if failure is not None:
        raise LinAlgError(
            f"{name}: {failure[0]}The solver failed because the input matrix is singular."
        )


@composite(names="linalg.solve")
def solve(A, B, *, left=True):
    """X with A X = B, for square A; with left=False, X A = B. B may hold vectors.

    >>> import penlight as torch
    >>> A = torch.tensor([[2.0, 1.0], [1.0, 3.0]])
    >>> torch.linalg.solve(A, torch.tensor([3.0, 4.0]))
    tensor([1., 1.])
    """
    found = _solve("linalg.solve", A, B, left)
    _raise_singular("torch.linalg.solve", found.info)
    return found.result


# ---------------------------------------------------------------- inverse


@op(
    grad={"A": lambda g, y: -(y[0].mH @ g[0] @ y[0].mH)},
    result=linalg_inv_ex,
    node="LinalgInvExBackward0",
)
def _inv_ex(xp: Any, A: Any) -> tuple[Any, Any]:
    eye = xp.broadcast_to(xp.eye(A.shape[-1], dtype=A.dtype), A.shape)
    return _solved(xp, A, eye)


def _inverse(name: str, A: Tensor, check: bool) -> Any:
    square("linalg.inv", A)
    floating("linalg.inv", A)
    found = _inv_ex(A)
    failure = first_failure(found.info._array) if check else None
    if failure is not None:
        raise LinAlgError(
            f"{name}: {failure[0]}The diagonal element {failure[1]} is zero, the inversion could "
            "not be completed because the input matrix is singular."
        )
    return found


@composite(names="linalg.inv_ex")
def inv_ex(A, *, check_errors=False):
    """The inverse, and `info`: 0, or which diagonal element of U in A = P L U is 0."""
    return _inverse("linalg.inv_ex", A, check_errors)


@composite(names="linalg.inv torch.inverse Tensor.inverse")
def inv(A):
    """The inverse of square matrices.

    >>> import penlight as torch
    >>> torch.linalg.inv(torch.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.2500]])
    """
    return _inverse("linalg.inv", A, True).inverse


# ---------------------------------------------------------------- determinants


def _adjugate(A: Tensor) -> Tensor:
    """det(A) · A⁻ᴴ, for singular A too: from U adj(S) Vᴴ, adj(S)ᵢ the product of the other Sⱼ."""
    u, s, vh = svd(A)
    n = s._array.shape[-1]
    others = s.unsqueeze(-2).expand(*s._array.shape, n)
    others = others.masked_fill(fixed(np.eye(n, dtype=bool)), 1).prod(-1)
    return bar(det(u) * det(vh)).unsqueeze(-1).unsqueeze(-1) * (u * others.unsqueeze(-2)) @ vh


def _det_rule(g: Tensor, y: Tensor, A: Tensor) -> Tensor:
    """g · conj(det A) · A⁻ᴴ."""
    refuse("the gradient of a determinant depends on whether it is zero")
    g = g.unsqueeze(-1).unsqueeze(-1)
    tiny = np.finfo(y._array.dtype).eps * np.abs(A._array).max((-2, -1), initial=0)
    if (np.abs(y._array) <= tiny ** A._array.shape[-1]).any():
        return g * _adjugate(A)
    return (g * bar(y).unsqueeze(-1).unsqueeze(-1)) * inv(A.mH)


@op(grad={"A": _det_rule}, node="LinalgDetBackward0")
def _det(xp: Any, A: Any) -> Any:
    return xp.asarray(xp.linalg.det(A))


@composite(names="linalg.det torch.det Tensor.det")
def det(A):
    """The determinant of square matrices.

    >>> import penlight as torch
    >>> torch.linalg.det(torch.tensor([[2.0, 1.0], [1.0, 3.0]]))
    tensor(5.)
    """
    square("linalg.det", A)
    full_precision("lu_cpu", A)
    floating("linalg.det", A)
    return _det(A)


def _slogdet_rule(g: tuple, y: tuple, A: Tensor) -> Tensor:
    """A⁻ᴴ · gₗ; for complex A also · i Im(conj(sign) gₛ), the turn of the sign."""
    scale = g[1]
    if A.dtype.is_complex:
        turn = bar(y[0]) * g[0]
        scale = scale + (turn - turn.real)
    return scale.unsqueeze(-1).unsqueeze(-1) * inv(A.mH)


@op(grad={"A": _slogdet_rule}, result=linalg_slogdet, node="LinalgSlogdetBackward0")
def _slogdet(xp: Any, A: Any) -> tuple[Any, Any]:
    sign, logarithm = xp.linalg.slogdet(A)
    return xp.asarray(sign), xp.asarray(logarithm)


@composite(names="linalg.slogdet torch.slogdet Tensor.slogdet")
def slogdet(A):
    """Sign and log |det A|: a determinant that cannot overflow."""
    square("linalg.slogdet", A)
    full_precision("lu_cpu", A)
    floating("linalg.slogdet", A)
    return _slogdet(A)


@composite(names="torch.logdet Tensor.logdet")
def logdet(A):
    """log det A; NaN for a negative determinant."""
    square("logdet", A)
    floating("logdet", A)
    sign, logarithm = slogdet(A)
    return logarithm + sign.log()


# ---------------------------------------------------------------- many axes at once


@composite(names="linalg.tensorinv")
def tensorinv(A, ind=2):
    """The inverse of A as a linear map from its last axes to its first `ind` ones."""
    if ind <= 0:
        raise RuntimeError("Expected a strictly positive integer for 'ind'")
    shape = A._array.shape
    rows, columns = math.prod(shape[:ind]), math.prod(shape[ind:])
    if rows != columns:
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[ind:]) == "
            f"prod(self.shape[:ind]), but got {columns} != {rows}"
        )
    return inv(A.reshape(rows, columns)).reshape(shape[ind:] + shape[:ind])


@composite(names="linalg.tensorsolve")
def tensorsolve(A, B, dims=None):
    """X with tensordot(A, X) = B; the axes `dims` of A are moved to its end first."""
    if dims is not None:
        A = A.movedim(dims, [A._array.ndim - len(dims) + i for i in range(len(dims))])
    shape = A._array.shape[B._array.ndim :]
    rows, columns = B.numel(), math.prod(shape)
    if rows != columns or A.numel() != rows * columns:
        given = math.prod(A._array.shape[: B._array.ndim])
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == "
            f"prod(self.shape[:other.ndim]), but got {columns} != {given}"
        )
    return solve(A.reshape(rows, columns), B.reshape(-1)).reshape(shape)
