"""Dense algorithms that NumPy lacks, over batches of matrices: arrays in, arrays out.

Triangular systems and LU work on halves, so that nearly all arithmetic is in matrix products.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_SMALL = 16  # below this size, row by row


def solve_triangular(a: np.ndarray, b: np.ndarray, upper: bool, unit: bool) -> np.ndarray:
    """X with A X = B; only A's triangle is read, and no diagonal if `unit`."""
    n = a.shape[-1]
    if n > _SMALL:
        h = n // 2
        first, second = (slice(h, n), slice(h)) if upper else (slice(h), slice(h, n))
        x = np.empty_like(b)
        x[..., first, :] = solve_triangular(a[..., first, first], b[..., first, :], upper, unit)
        rest = b[..., second, :] - a[..., second, first] @ x[..., first, :]
        x[..., second, :] = solve_triangular(a[..., second, second], rest, upper, unit)
        return x
    x = b.copy()
    for i in range(n - 1, -1, -1) if upper else range(n):
        done = slice(i + 1, n) if upper else slice(i)
        row = x[..., i, :]
        row -= (a[..., i : i + 1, done] @ x[..., done, :])[..., 0, :]
        if not unit:
            row /= a[..., i, i, None]
    return x


def lu(a: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """L and U in one matrix, the row exchanges (from 1, as LAPACK), and which pivot was 0 (or 0).

    Source: Toledo, Locality of reference in LU decomposition with partial pivoting (1997).
    """
    *batch, m, n = a.shape
    count = int(np.prod(batch))
    work = np.array(a).reshape(count, m, n)
    pivots = np.tile(np.arange(min(m, n)), (count, 1))
    info = np.zeros(count, np.int32)
    _lu(work, pivots, info, 0)
    return (
        work.reshape(a.shape),
        (pivots + 1).astype(np.int32).reshape(*batch, min(m, n)),
        info.reshape(batch),
    )


def _lu(a: np.ndarray, pivots: np.ndarray, info: np.ndarray, start: int) -> None:
    """Factor (B, M, N) in place; its rows are counted from `start`."""
    m, n = a.shape[1:]
    if n > 1 and min(m, n) > 1:
        h = min(m, n) // 2
        left, right = a[:, :, :h], a[:, :, h:]
        _lu(left, pivots[:, :h], info, start)
        exchange(right, pivots[:, :h] - start)
        right[:, :h] = solve_triangular(left[:, :h], right[:, :h], upper=False, unit=True)
        right[:, h:] -= left[:, h:] @ right[:, :h]
        _lu(right[:, h:], pivots[:, h:], info, start + h)
        exchange(left[:, h:], pivots[:, h:] - start - h)
        return
    if not a.size:
        return
    column = a[:, :, 0]
    size = np.abs(column.real) + np.abs(column.imag) if column.dtype.kind == "c" else column
    largest = np.abs(size).argmax(1)
    pivots[:, 0] = start + largest
    exchange(a, largest[:, None])
    head = a[:, :1, :1].copy()
    zero = head == 0
    info[zero[:, 0, 0] & (info == 0)] = start + 1
    head[zero] = 1
    a[:, 1:, :1] /= head


def exchange(rows: np.ndarray, with_: np.ndarray) -> None:
    """Swap row k with row with_[:, k], for k = 0, 1, ... in order, in place."""
    each = np.arange(len(rows))
    for k in range(with_.shape[1]):
        other = with_[:, k]
        if (other != k).any():
            rows[each, k], rows[each, other] = rows[each, other], rows[each, k].copy()


def permutation(pivots: np.ndarray, m: int) -> np.ndarray:
    """The order of rows that the exchanges `pivots` (from 1) leave: (*, K) -> (*, M)."""
    *batch, k = pivots.shape
    count = int(np.prod(batch))
    order = np.tile(np.arange(m), (count, 1))
    exchange(order, pivots.reshape(count, k).astype(np.intp) - 1)
    return order.reshape(*batch, m)


# Coefficients of the Padé approximant of degree 13, and the norm up to which it is exact enough.
_PADE = (
    64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0,
    129060195264000.0, 10559470521600.0, 670442572800.0, 33522128640.0, 1323241920.0,
    40840800.0, 960960.0, 16380.0, 182.0, 1.0,
)  # fmt: skip
_PADE_NORM = 5.371920351148152


def matrix_exp(a: np.ndarray) -> np.ndarray:
    """e to the power of matrices, by scaling, a Padé approximant, and squaring.

    Source: Higham, The scaling and squaring method for the matrix exponential revisited (2005).
    """
    wide = a.astype(np.complex128 if a.dtype.kind == "c" else np.float64)
    norm = np.abs(wide).sum(-2).max(-1, initial=0)
    finite = np.isfinite(norm) & (norm > 0)
    halvings = np.zeros(norm.shape, int)
    halvings[finite] = np.maximum(0, np.ceil(np.log2(norm[finite] / _PADE_NORM)))
    wide = wide / (2.0**halvings)[..., None, None]
    eye = np.eye(a.shape[-1])
    a2 = wide @ wide
    a4 = a2 @ a2
    a6 = a4 @ a2
    b = _PADE
    odd = a6 @ (b[13] * a6 + b[11] * a4 + b[9] * a2) + b[7] * a6 + b[5] * a4 + b[3] * a2
    odd = wide @ (odd + b[1] * eye)
    even = a6 @ (b[12] * a6 + b[10] * a4 + b[8] * a2) + b[6] * a6 + b[4] * a4 + b[2] * a2
    even = even + b[0] * eye
    bad = ~np.isfinite(norm)
    lhs = np.where(bad[..., None, None], eye, even - odd)
    result = np.where(bad[..., None, None], np.nan, np.linalg.solve(lhs, even + odd))
    for step in range(int(halvings.max(initial=0))):
        result = np.where((halvings > step)[..., None, None], result @ result, result)
    return result.astype(a.dtype)


def ldl(a: np.ndarray, hermitian: bool) -> tuple[np.ndarray, np.ndarray, int]:
    """Bunch-Kaufman factors of one symmetric (Hermitian) matrix, from its lower triangle.

    L D Lᵀ in one matrix and the exchanges as LAPACK's sytrf numbers them: k from 1, or -k in both
    places of a 2x2 block. Source: LAPACK, sytf2 with UPLO = "L".
    """
    a = np.tril(a)
    n = len(a)
    pivots = np.zeros(n, np.int32)
    info = k = 0
    while k < n:
        step, p = _ldl_pivot(a, k, hermitian)
        if step == 0:  # a column of zeros
            info = info or k + 1
            step, p = 1, k
        else:
            _ldl_exchange(a, k + step - 1, p, k, hermitian)
            _ldl_eliminate(a, k, step, hermitian)
        pivots[k : k + step] = p + 1 if step == 1 else -(p + 1)
        k += step
    return a, pivots, info


def _size(x: Any) -> Any:
    return np.abs(x.real) + np.abs(x.imag)


def _ldl_pivot(a: np.ndarray, k: int, hermitian: bool) -> tuple[int, int]:
    """The width of the next block (0: nothing to eliminate) and the row to bring into it."""
    alpha = (1 + 17**0.5) / 8
    own = abs(a[k, k].real) if hermitian else _size(a[k, k])
    below = _size(a[k + 1 :, k])
    largest = below.max(initial=0)
    if max(own, largest) == 0 or np.isnan(own):
        return 0, k
    if own >= alpha * largest:
        return 1, k
    row = k + 1 + int(below.argmax())
    others = np.concatenate([_size(a[row, k:row]), _size(a[row + 1 :, row])])
    in_row = others.max()
    if own >= alpha * largest * (largest / in_row):
        return 1, k
    diagonal = abs(a[row, row].real) if hermitian else _size(a[row, row])
    return (1, row) if diagonal >= alpha * in_row else (2, row)


def _ldl_exchange(a: np.ndarray, q: int, p: int, k: int, hermitian: bool) -> None:
    """Swap rows and columns q and p > q of the lower triangle from k on."""
    if p == q:
        return
    a[[q, p], k:q] = a[[p, q], k:q]
    a[p + 1 :, [q, p]] = a[p + 1 :, [p, q]]
    a[[q, p], [q, p]] = a[[p, q], [p, q]]
    between = slice(q + 1, p)
    column, row = a[between, q].copy(), a[p, between].copy()
    a[between, q], a[p, between] = (row.conj(), column.conj()) if hermitian else (row, column)
    if hermitian:
        a[p, q] = a[p, q].conj()


def _ldl_eliminate(a: np.ndarray, k: int, step: int, hermitian: bool) -> None:
    """Subtract the block of `step` columns from what is to the right of it."""
    block, rest = slice(k, k + step), slice(k + step, len(a))
    if hermitian:
        a[range(k, k + step), range(k, k + step)] = a[range(k, k + step), range(k, k + step)].real
    d = np.tril(a[block, block])
    strict = np.tril(d, -1)
    d = d + (strict.conj().T if hermitian else strict.T)
    columns = a[rest, block]
    solved = np.linalg.solve(d.T, columns.T).T  # columns · D⁻¹
    a[rest, rest] -= np.tril(solved @ (columns.conj().T if hermitian else columns.T))
    a[rest, block] = solved


def ldl_product(factors: np.ndarray, pivots: np.ndarray, hermitian: bool) -> np.ndarray:
    """The matrices whose factors `ldl` found."""
    *batch, n, _ = factors.shape
    count = int(np.prod(batch))
    pairs = zip(factors.reshape(count, n, n), pivots.reshape(count, n), strict=True)
    found = [_ldl_one(one, exchanges, hermitian) for one, exchanges in pairs]
    return np.array(found, factors.dtype).reshape(factors.shape)


def _ldl_one(factors: np.ndarray, pivots: np.ndarray, hermitian: bool) -> np.ndarray:
    """Multiply out, the last block first: A = P₁ L₁ P₂ L₂ ... D ... L₂ᴴ P₂ L₁ᴴ P₁."""
    n, k = len(factors), 0
    steps = []
    while k < n:
        step = 1 if pivots[k] > 0 else 2
        steps.append((k, step, abs(int(pivots[k])) - 1))
        k += step
    product = np.zeros_like(factors)
    for k, step, p in reversed(steps):
        block, rest = slice(k, k + step), slice(k + step, n)
        d = np.tril(factors[block, block])
        strict = np.tril(d, -1)
        product[block, block] = d + (strict.conj().T if hermitian else strict.T)
        lower = np.eye(n, dtype=factors.dtype)
        lower[rest, block] = factors[rest, block]
        product = lower @ product @ (lower.conj().T if hermitian else lower.T)
        q = k + step - 1
        product[[q, p]] = product[[p, q]]
        product[:, [q, p]] = product[:, [p, q]]
    return product
