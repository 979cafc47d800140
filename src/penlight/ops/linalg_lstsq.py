"""Pseudoinverses and least squares. A (*, M, N), B (*, M, R), X (*, N, R)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.tensor import Tensor, wrap
from .families import composite, op
from .linalg_checks import floating, matrix, one_batch, square
from .return_types import return_type

linalg_lstsq = return_type("linalg_lstsq", "solution residuals rank singular_values")


# ---------------------------------------------------------------- pseudoinverse


def _pinv_rule(g: Tensor, y: Tensor, A: Tensor) -> Tensor:
    """-A⁺ᴴ g A⁺ᴴ + (1 - A A⁺) gᴴ A⁺ A⁺ᴴ + A⁺ᴴ A⁺ gᴴ (1 - A⁺ A).

    Source: Golub, Pereyra, The differentiation of pseudo-inverses (1973).
    """
    p, gh = y, g.mH
    inner = gh @ p
    outside_range = (inner - A @ (p @ inner)) @ p.mH
    weighted = p.mH @ (p @ gh)
    outside_domain = weighted - (weighted @ p) @ A
    return outside_range + outside_domain - p.mH @ g @ p.mH


@op(grad={"A": _pinv_rule}, node="LinalgPinvBackward0")
def _pinv(xp: Any, A: Any, atol: Any, rtol: Any, hermitian: bool) -> Any:
    if not A.size:
        return xp.zeros((*A.shape[:-2], A.shape[-1], A.shape[-2]), A.dtype)
    if hermitian:
        values, v = xp.linalg.eigh(A)
        u, s, vh = v, values, v.conj().swapaxes(-1, -2)
    else:
        u, s, vh = xp.linalg.svd(A, full_matrices=False)
    size = xp.abs(s)
    large = size > xp.maximum(atol, rtol * size.max(-1, initial=0))[..., None]
    inverse = xp.where(large, 1 / xp.where(large, s, 1), 0).astype(s.dtype)
    return (vh.conj().swapaxes(-1, -2) * inverse[..., None, :]) @ u.conj().swapaxes(-1, -2)


def tolerances(A: Tensor, atol: Any, rtol: Any) -> tuple[Any, Any]:
    """Singular values up to max(atol, rtol · largest) count as 0; rtol defaults to max(M, N) ε."""
    if rtol is None:
        given = atol is not None and np.any(np.asarray(_number(atol)) > 0)
        rtol = 0.0 if given else max(A._array.shape[-2:]) * np.finfo(A._array.dtype).eps
    return np.asarray(_number(0.0 if atol is None else atol)), np.asarray(_number(rtol))


def _number(value: Any) -> Any:
    return value._array if isinstance(value, Tensor) else value


@composite(names="linalg.pinv")
def pinv(A, rcond=None, *, atol=None, rtol=None, hermitian=False):
    """The pseudoinverse: least squares solutions of A X = 1, of least norm.

    `rtol` (or `rcond`) and `atol` say which singular values count as 0.
    """
    if A._array.ndim < 2:
        raise RuntimeError(
            f"linalg.pinv({A.dtype.scalar_name}{{{list(A._array.shape)}}}): expected a tensor with "
            "2 or more dimensions of float, double, cfloat or cdouble types"
        )
    floating("linalg.pinv", A)
    if hermitian:
        square("linalg.pinv", A)
    atol, rtol = tolerances(A, atol, rcond if rtol is None else rtol)
    return _pinv(A, atol, rtol, hermitian)


@composite
def pinverse(input, rcond=1e-15):
    """The pseudoinverse; the old form of `linalg.pinv`."""
    return pinv(input, rcond)


# ---------------------------------------------------------------- least squares


def _least_squares_rule(g: tuple, y: tuple, A: Tensor, B: Tensor) -> tuple[Tensor, Tensor]:
    """The solution is A⁺ B; the residuals r² = |A X - B|² add ∓2 g r Xᴴ and ∓2 g r."""
    inverse, x = pinv(A), y[0]
    grad_a, grad_b = _pinv_rule(g[0] @ B.mH, inverse, A), inverse.mH @ g[0]
    if y[1].numel():
        change = 2 * g[1].unsqueeze(-2) * (A @ x - B)
        grad_a, grad_b = grad_a + change @ x.mH, grad_b - change
    return grad_a, grad_b


@op(grad=_least_squares_rule, inputs=("A", "B"), node="LinalgLstsqBackward0")
def _least_squares(xp: Any, A: Any, B: Any, rcond: float, measured: bool) -> tuple[Any, Any]:
    """X, and if `measured` the residuals."""
    u, s, vh = xp.linalg.svd(A, full_matrices=False)
    large = s > rcond * s.max(-1, initial=0, keepdims=True)
    inverse = xp.where(large, 1 / xp.where(large, s, 1), 0).astype(s.dtype)
    x = vh.conj().swapaxes(-1, -2) @ (inverse[..., None] * (u.conj().swapaxes(-1, -2) @ B))
    if not measured:
        return x, xp.empty(0, s.dtype)
    return x, (xp.abs(A @ x - B) ** 2).sum(-2)


_DRIVERS = ("gels", "gelsy", "gelsd", "gelss")


@composite(names="linalg.lstsq")
def lstsq(A, B, rcond=None, *, driver=None):
    """X that makes |A X - B| smallest; of several, the one of least norm.

    Also the residuals (where N < M and A has full rank; not with "gelsy", the default), the rank,
    and for the drivers "gelsd" and "gelss" the singular values.
    """
    name = "torch.linalg.lstsq"
    matrix(name, A, "input")
    if B._array.ndim < 1:
        raise RuntimeError(f"{name}: other must have at least 1 dimension.")
    floating("linalg.lstsq", A)
    if A.dtype is not B.dtype:
        raise RuntimeError(f"{name}: Expected input and other to have the same dtype, but got "
                           f"input's dtype {A.dtype.scalar_name} and other's dtype "
                           f"{B.dtype.scalar_name}")  # fmt: skip
    driver = "gelsy" if driver is None else driver
    if driver not in _DRIVERS:
        raise RuntimeError(
            f"{name}: parameter `driver` should be one of (gels, gelsy, gelsd, gelss)"
        )
    vector = A._array.ndim - 1 == B._array.ndim and A._array.shape[:-1] == B._array.shape
    right = B.unsqueeze(-1) if vector else B
    if right._array.ndim < 2 or A._array.shape[-2] != right._array.shape[-2]:
        which = "-1" if right._array.ndim < 2 else "-2"
        raise RuntimeError(f"{name}: input.size(-2) should match other.size({which})")
    m, n = A._array.shape[-2:]
    if rcond is None:
        rcond = max(m, n) * np.finfo(A._array.dtype).eps
    a, right = one_batch(A, right)
    rank, singular = _rank_and_values(a._array, float(rcond), driver)
    measured = m > n and (driver == "gels" or (driver != "gelsy" and bool((rank == n).all())))
    cutoff = 0.0 if driver == "gels" else float(rcond)
    solution, residuals = _least_squares(a, right, cutoff, measured)
    return linalg_lstsq(
        solution.squeeze(-1) if vector else solution, residuals, wrap(rank), wrap(singular)
    )


def _rank_and_values(a: np.ndarray, rcond: float, driver: str) -> tuple[np.ndarray, np.ndarray]:
    nothing = np.empty(0, a.real.dtype)
    if driver == "gels":
        return np.empty(0, np.int64), nothing
    values = np.linalg.svd(a, compute_uv=False)
    rank = (values > rcond * values.max(-1, initial=0, keepdims=True)).sum(-1)
    return rank.astype(np.int64), values if driver in ("gelsd", "gelss") else nothing
