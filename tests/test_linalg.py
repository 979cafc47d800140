"""Linear algebra beside PyTorch: values, first and second derivatives, errors, real and complex."""

import numpy as np
import pytest
import torch

import penlight
from penlight.ops import dense
from same import assert_same


def maker(kind, grads):
    """Matrices of one element type; those named in `grads` require gradients."""

    def make(library):
        rng = np.random.default_rng(7)

        def draw(*shape):
            real = rng.standard_normal(shape)
            return real + 1j * rng.standard_normal(shape) if kind == "complex" else real

        square, batch = draw(4, 4), draw(2, 1, 3, 3)
        arrays = {
            "A": square,
            "P": square @ square.conj().T + np.eye(4),
            "S": batch + batch.conj().swapaxes(-1, -2),
            "L": np.tril(draw(3, 3)) + 3 * np.eye(3),
            "K": batch,
            "B": draw(4, 2),
            "C": draw(2, 2, 3, 2),
            "W": draw(3, 5),
            "H": draw(5, 3),
            "N": draw(2, 4, 2),
            "R": draw(5, 2) @ draw(2, 3),
            "v": draw(4),
            "u": draw(4),
            "x": draw(3),
            "E": draw(0, 3, 3),
            "Z": np.array([[1.0, 2.0], [2.0, 4.0]]) + 0 * draw(2, 2),
        }
        names = {name: library.tensor(a, requires_grad=name in grads) for name, a in arrays.items()}
        return names | {
            "i": library.tensor([[1, 2], [3, 4]]),
            "f": library.tensor([[1.0, 2.0], [2.0, 1.0]]),
            "z": library.zeros(2, 3, 3, dtype=library.float64),
            "h": library.ones(2, 2, dtype=library.float16),
            "inf": float("inf"),
            "nan": library.full((2, 2), float("nan")),
        }

    return make


# code, and what it is differentiated by
DIFFERENTIABLE = """
T.linalg.cholesky(P @ P.mH)                                        | P
T.linalg.cholesky(P, upper=True)                                   | P
T.cholesky(P)                                                      | P
T.cholesky(P, upper=True)                                          | P
T.linalg.qr(A)[1].abs()                                            | A
T.linalg.qr(H)                                                     | H
T.linalg.qr(W)                                                     | W
T.linalg.qr(W, mode="complete")                                    | W
T.linalg.qr(K)                                                     | K
T.qr(H)                                                            | H
T.linalg.svd(A)[1]                                                 | A
T.linalg.svd(H, full_matrices=False)[0].abs()                      | H
T.linalg.svd(W, full_matrices=False)[2].abs()                      | W
T.linalg.svd(W)[2][:3].abs() + T.linalg.svd(W)[0].abs().sum()      | W
T.linalg.svdvals(K)                                                | K
T.svd(H)[2].abs()                                                  | H
T.linalg.eigh(S)[0]                                                | S
T.linalg.eigh(S)[1].abs()                                          | S
T.linalg.eigh(S, UPLO="U")[1].abs()                                | S
T.linalg.eigvalsh(S)                                               | S
T.linalg.eig(A)[1].abs().sum(-1).sort()[0] * 0 + T.linalg.eig(A)[0].abs().sort()[0] | A
T.linalg.eigvals(A).abs().sort()[0]                                | A
T.linalg.lu(A)                                                     | A
T.linalg.lu(W)                                                     | W
T.linalg.lu(H)                                                     | H
T.linalg.lu(K)                                                     | K
T.linalg.lu_factor(A)[0]                                           | A
T.lu(K)[0]                                                         | K
T.linalg.inv(A)                                                    | A
T.linalg.inv(K)                                                    | K
T.inverse(A)                                                       | A
T.linalg.det(A)                                                    | A
T.linalg.det(K)                                                    | K
T.linalg.det(Z)                                                    | Z
T.linalg.slogdet(A)                                                | A
T.logdet(P)                                                        | P
T.linalg.pinv(H)                                                   | H
T.linalg.pinv(W)                                                   | W
T.linalg.pinv(S[0, 0], hermitian=True)                             | S
T.linalg.solve(A, B)                                               | A B
T.linalg.solve(A, v)                                               | A v
T.linalg.solve(K, C)                                               | K C
T.linalg.solve(K.squeeze(1), T.linalg.inv(K)[:, 0, :, 0])          | K
T.linalg.solve(A, B.mT, left=False)                                | A B
T.linalg.solve_triangular(L, H.mT, upper=False)                    | L H
T.linalg.solve_triangular(L, H, upper=False, left=False)           | L H
T.linalg.solve_triangular(L.mT, C, upper=True, unitriangular=True) | L C
T.triangular_solve(H.mT, L, upper=False, transpose=True)[0]        | L H
T.linalg.lstsq(H, T.linalg.pinv(W).mH.mT[:, :2])[0]                | H W
T.linalg.lstsq(H, W.mT, driver="gels")[:2]                         | H W
T.linalg.lstsq(W, L)[0]                                            | W L
T.linalg.lu_solve(*T.linalg.lu_factor(A), B)                       | A B
T.linalg.lu_solve(*T.linalg.lu_factor(A), B, adjoint=True)         | A B
T.linalg.lu_solve(*T.linalg.lu_factor(A), B.mT, left=False)        | A B
T.lu_solve(B, *T.linalg.lu_factor(A))                              | A B
T.cholesky_solve(B, T.linalg.cholesky(P))                          | P B
T.cholesky_solve(B, T.linalg.cholesky(P).mH, upper=True)           | P B
T.cholesky_inverse(T.linalg.cholesky(P))                           | P
T.cholesky_inverse(T.linalg.cholesky(P).mH, upper=True)            | P
T.linalg.ldl_solve(*T.linalg.ldl_factor(P.detach(), hermitian=True), B, hermitian=True) |
T.linalg.householder_product(H, x)                                 | H x
T.linalg.householder_product(H, x[:2])                             | H x
T.ormqr(H, x, W.mT)                                                | H x W
T.ormqr(H, x, W, left=False)                                       | H x W
T.ormqr(H, x, W.mT, transpose=True)                                | H x W
T.linalg.matrix_exp(A)                                             | A
T.linalg.matrix_exp(K * 3)                                         | K
T.linalg.matrix_power(A, 3)                                        | A
T.linalg.matrix_power(A, 0)                                        | A
T.linalg.matrix_power(A, -2)                                       | A
T.linalg.multi_dot([v, A, B])                                      | v A B
T.linalg.multi_dot([B.mT, A, A, u])                                | A B u
T.chain_matmul(A, A, B)                                            | A B
T.linalg.vecdot(v, u)                                              | v u
T.linalg.vecdot(A, B[:, :1], dim=0)                                | A B
T.linalg.cross(K, C[:, :1, :, :1].mT)                              | K C
T.cross(x, K, dim=-1)                                              | x K
T.linalg.vander(v, N=3)                                            | v
T.linalg.vander(x)                                                 | x
T.linalg.tensorinv(A.reshape(2, 2, 4), ind=2)                      | A
T.linalg.tensorsolve(A.reshape(2, 2, 4), B[:2])                    | A B
T.linalg.diagonal(K, offset=1)                                     | K
T.kron(B, x)                                                       | B x
T.kron(W[:, :2], N)                                                | W N
T.outer(v, x)                                                      | v x
T.inner(A, u)                                                      | A u
T.inner(K, W.mT)                                                   | K W
T.vdot(v, u)                                                       | v u
T.addmv(u, A, v, beta=0.5, alpha=2)                                | u A v
T.addr(A, v, u, beta=0.5, alpha=2)                                 | A v u
T.addbmm(B[:2], K[:, 0, :2], C[:, 0], beta=2, alpha=0.5)           | B K C
T.baddbmm(B[:2], K[:, 0, :2], C[:, 0], beta=2, alpha=0.5)          | B K C
T.trace(W)                                                         | W
T.linalg.vector_norm(A)                                            | A
T.linalg.vector_norm(A, 3, dim=1)                                  | A
T.linalg.vector_norm(A, 1, dim=0, keepdim=True)                    | A
T.linalg.vector_norm(A, 0.5)                                       | A
T.linalg.vector_norm(A, inf, dim=1)                                | A
T.linalg.vector_norm(A, -inf)                                      | A
T.linalg.vector_norm(A, -1.5, dim=(0, 1))                          | A
T.linalg.vector_norm(K, 0)                                         | K
T.linalg.matrix_norm(K)                                            | K
T.linalg.matrix_norm(K, "nuc", dim=(0, 3), keepdim=True)           | K
T.linalg.matrix_norm(K, 2)                                         | K
T.linalg.matrix_norm(K, -2, keepdim=True)                          | K
T.linalg.matrix_norm(K, 1, dim=(3, 0))                             | K
T.linalg.matrix_norm(K, -1)                                        | K
T.linalg.matrix_norm(K, inf, keepdim=True)                         | K
T.linalg.matrix_norm(K, -inf)                                      | K
T.linalg.norm(v)                                                   | v
T.linalg.norm(A, "nuc")                                            | A
T.linalg.norm(A, 2, dim=1)                                         | A
T.norm(A)                                                          | A
T.norm(A, p=3, dim=1)                                              | A
T.norm(K, p="nuc", dim=(0, 2))                                     | K
T.renorm(A, 2, 0, 1.5)                                             | A
T.linalg.cond(A)                                                   | A
T.tensordot(K, C, dims=([3, 0], [2, 0]))                           | K C
T.tensordot(A, v, 1)                                               | A v
T.tensordot(v, u, 0)                                               | v u
"""

VALUES = """
T.linalg.cholesky_ex(f).info
T.linalg.cholesky_ex(z).info
T.linalg.cholesky_ex(P)
T.linalg.inv_ex(f)
T.linalg.inv_ex(z).info
T.linalg.solve_ex(A, B)
T.linalg.solve_ex(z[0], z[1])[1]
T.linalg.lu_factor_ex(A)
T.linalg.lu_factor_ex(Z)
T.linalg.lu_factor_ex(z)
T.lu(A, get_infos=True)
T.lu_unpack(*T.linalg.lu_factor(H), unpack_data=False)
T.lu_unpack(*T.linalg.lu_factor(H), unpack_pivots=False)
T.linalg.qr(H, mode="complete")
T.linalg.qr(H, mode="r")
T.linalg.svd(H)[1]
T.svd(H, some=False, compute_uv=False)
T.svd(H, compute_uv=False)
T.linalg.eigvals(f).abs().sort()[0]
T.linalg.ldl_factor(S)
T.linalg.ldl_factor(S, hermitian=True)
T.linalg.ldl_factor_ex(z)
T.geqrf(H)
T.geqrf(W)
T.linalg.lstsq(H, W.mT, driver="gelsd")
T.linalg.lstsq(H, W.mT, driver="gels")
T.linalg.lstsq(R, W.mT, driver="gelss")
T.linalg.lstsq(R, W.mT)
T.linalg.lstsq(W, L, driver="gelsd")
T.linalg.pinv(R)
T.linalg.pinv(H, rtol=0.9)
T.linalg.pinv(H, atol=1.0)
T.linalg.pinv(E)
T.pinverse(H)
T.linalg.matrix_rank(R)
T.linalg.matrix_rank(A, tol=1.0)
T.linalg.matrix_rank(A, atol=1.0, rtol=0.1)
T.linalg.matrix_rank(S, hermitian=True)
T.linalg.matrix_rank(E)
T.linalg.cond(f, p=1)
T.linalg.cond(T.ones(2, 2), p=1)
T.linalg.cond(A, p=-2)
T.linalg.cond(A, p="fro")
T.linalg.cond(A, p=-1)
T.linalg.cond(A, p="nuc")
T.linalg.det(E)
T.linalg.inv(E)
T.linalg.slogdet(Z)
T.linalg.vector_norm(f, dtype=T.float64)
T.linalg.vector_norm(h)
T.linalg.matrix_norm(T.ones(0, 2), ord="nuc")
T.linalg.matrix_norm(T.ones(0, 2), ord=1)
T.linalg.vander(T.tensor([1, 2], dtype=T.int32))
T.chain_matmul(A)
T.kron(i, i)
T.outer(i[0], i[1])
T.inner(i, i)
T.matrix_power(i.double(), 5)
T.addmv(i[0], i, i[1], beta=2, alpha=3)
T.addr(T.tensor([[True, False], [False, False]]), T.tensor([True, False]), T.tensor([False, True]))
T.linalg.cross(T.tensor([1, 2, 3]), T.tensor([4, 5, 6]))
T.addmv(nan[0], f, f[0], beta=0)
A.det(), A.inverse(), A.slogdet(), P.logdet(), A.matrix_power(2), P.cholesky()
A.matrix_exp(), A.pinverse(), A.norm(), A.qr()[1].abs(), A.trace(), v.outer(u)
"""

ERRORS = """
T.linalg.inv(T.ones(3))
T.linalg.inv(f[:1])
T.linalg.inv(i)
T.linalg.inv(h)
T.linalg.inv(T.ones(2, 2))
T.linalg.inv(z)
T.linalg.solve(T.ones(2, 2), T.ones(2))
T.linalg.solve(z, T.ones(2, 3, dtype=T.float64))
T.linalg.solve(T.eye(2), T.ones(3))
T.linalg.solve(T.eye(2), T.ones(3, 2))
T.linalg.solve(T.eye(2), T.ones(3, 2, dtype=T.double))
T.linalg.solve(T.ones(2, 2, 2), T.ones(3, 2, 2))
T.linalg.cholesky(-T.eye(2))
T.linalg.cholesky(-T.ones(2, 2, 2))
T.linalg.cholesky(f)
T.cholesky(-T.eye(2))
T.cholesky(T.ones(2))
T.linalg.det(T.ones(2, 3))
T.linalg.det(h)
T.linalg.qr(T.ones(2))
T.linalg.qr(f, mode="x")
T.linalg.eigh(f, UPLO="x")
T.linalg.eig(nan)
T.linalg.eigvals(T.ones(3, 2))
T.linalg.svd(nan)
T.linalg.svd(T.ones(2))
T.linalg.lu(T.ones(3))
T.linalg.lu(f, pivot=False)
T.linalg.lu_factor(T.zeros(2, 2))
T.linalg.lu_factor(T.zeros(2))
T.linalg.lu_solve(T.eye(2), T.ones(2, dtype=T.int32), T.ones(3, 2))
T.linalg.lu_solve(T.eye(2), T.ones(2, dtype=T.int64), T.ones(2, 2))
T.linalg.solve_triangular(T.eye(2), T.ones(3, 2), upper=True)
T.linalg.solve_triangular(T.eye(2), T.ones(2), upper=True)
T.linalg.lstsq(T.ones(2, 2), T.ones(3, 2))
T.linalg.lstsq(T.ones(2, 2), T.ones(2, 2), driver="x")
T.linalg.matrix_norm(T.ones(2))
T.linalg.matrix_norm(f, ord="x")
T.linalg.matrix_norm(f, ord=3)
T.linalg.matrix_norm(f, dim=(0, 0))
T.linalg.matrix_norm(f, dim=(0,))
T.linalg.matrix_norm(i)
T.linalg.vector_norm(T.ones(0), ord=inf)
T.linalg.vector_norm(T.ones(2, 0), ord=inf, dim=1)
T.linalg.vector_norm(T.ones(2, 0), ord=-1, dim=1)
T.linalg.vector_norm(i)
T.linalg.vector_norm(f, dim=(0, 0))
T.linalg.vector_norm(f, dtype=T.int64)
T.linalg.vector_norm(f.double(), dtype=T.float32)
T.linalg.norm(z, ord=2)
T.linalg.norm(z, ord=2, dim=(0, 1, 2))
T.linalg.norm(z, ord="nuc", dim=0)
T.norm(i)
T.norm(f, p="x")
T.linalg.cond(z, p="x")
T.linalg.cond(T.ones(2))
T.linalg.cond(T.ones(2, 3), p=1)
T.linalg.matrix_rank(T.ones(2))
T.linalg.matrix_exp(T.ones(2))
T.linalg.matrix_power(T.ones(2, 3), 2)
T.linalg.tensorinv(T.ones(2, 3))
T.linalg.tensorsolve(T.ones(2, 3), T.ones(2))
T.linalg.householder_product(T.ones(2, 3), T.ones(2))
T.linalg.householder_product(T.ones(3, 2), T.ones(3))
T.linalg.vander(T.tensor(3.0))
T.linalg.vander(T.ones(3), N=1)
T.linalg.vander(T.tensor([True, False]))
T.linalg.vecdot(T.ones(3, dtype=T.int64), T.ones(3, dtype=T.int64))
T.linalg.multi_dot([T.ones(2, 3), T.ones(2, 3)])
T.linalg.multi_dot([T.ones(2, 3)])
T.linalg.cross(T.ones(2, 2), T.ones(2, 2))
T.linalg.cross(T.ones(3, 2), T.ones(3, 2), dim=1)
T.linalg.ldl_factor(T.zeros(2, 3))
T.linalg.ldl_solve(T.eye(2), T.tensor([1, 2], dtype=T.int32), T.ones(3, 1))
T.triangular_solve(T.ones(3), T.ones(3))
T.cholesky_solve(T.ones(3), T.ones(3))
T.inner(T.ones(2, 3), T.ones(2, 2))
T.vdot(T.ones(2, 3), T.ones(2, 2))
T.outer(T.ones(2, 2), T.ones(2))
T.addr(T.ones(3, 3), T.ones(2), T.ones(3))
T.addr(T.ones(3, 3), T.ones(2, 2), T.ones(3))
T.addmv(T.ones(3), T.ones(2, 3), T.ones(3))
T.addmv(T.ones(2, 2), T.ones(2, 3), T.ones(3))
T.baddbmm(T.ones(3, 3, 5), T.ones(2, 2, 2), T.ones(2, 2, 2))
T.chain_matmul(T.ones(3))
T.trace(T.ones(3))
T.renorm(T.ones(2), 2, 0, 1.0)
T.renorm(T.ones(2, 2), -1, 0, 1.0)
T.renorm(T.ones(2, 2), 1, 0, -1.0)
T.tensordot(T.ones(2, 3), T.ones(2, 3), 1)
T.tensordot(T.ones(2, 3), T.ones(2, 3), ([0], [0, 1]))
T.linalg.qr(H.requires_grad_(), mode="complete")[0].abs().sum().backward()
T.linalg.qr(H.requires_grad_(), mode="r")[1].abs().sum().backward()
"""


def rows(text):
    return text.strip().splitlines()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["real", "complex"])
@pytest.mark.parametrize("row", rows(DIFFERENTIABLE))
def test_values_and_derivatives(row, kind):
    code, _, names = row.rpartition("|")
    grads = names.split()
    assert_same(code.strip(), maker(kind, grads), grads)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("code", rows(VALUES))
def test_values(code):
    assert_same(code, maker("real", ()))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("code", rows(ERRORS))
def test_errors(code):
    assert_same(code, maker("real", ()))


def drawn(rng, shape, kind):
    real = rng.standard_normal(shape)
    return real if kind is np.float64 else real + 1j * rng.standard_normal(shape)


@pytest.mark.parametrize("n", [1, 2, 15, 16, 17, 40, 131])
@pytest.mark.parametrize("kind", [np.float64, np.complex128])
def test_dense_algorithms_at_every_size(n, kind):
    rng = np.random.default_rng(n)
    a = drawn(rng, (2, n, n), kind)
    compact, pivots, info = dense.lu(a)
    theirs = torch.linalg.lu_factor_ex(torch.from_numpy(a))
    np.testing.assert_allclose(compact, theirs.LU.numpy(), atol=1e-10)
    assert (pivots == theirs.pivots.numpy()).all() and not info.any()
    b = (rng.standard_normal((2, n, 3))).astype(kind)
    triangle = a / n + 2 * np.eye(n)
    for upper in (True, False):
        for unit in (True, False):
            want = torch.linalg.solve_triangular(
                torch.from_numpy(triangle), torch.from_numpy(b), upper=upper, unitriangular=unit
            )
            got = dense.solve_triangular(triangle, b, upper, unit)
            np.testing.assert_allclose(got, want.numpy(), atol=1e-9)


@pytest.mark.parametrize("hermitian", [True, False])
@pytest.mark.parametrize("kind", [np.float64, np.complex128])
def test_ldl_is_lapacks(kind, hermitian):
    rng = np.random.default_rng(0)
    for n in (1, 2, 3, 5, 8, 30):
        for attempt in range(10):
            a = drawn(rng, (n, n), kind)
            a = a + (a.conj().T if hermitian else a.T)
            if attempt % 2:
                np.fill_diagonal(a, 0)
            factors, pivots, info = dense.ldl(a, hermitian)
            theirs = torch.linalg.ldl_factor_ex(torch.from_numpy(a), hermitian=hermitian)
            assert (pivots == theirs.pivots.numpy()).all()
            np.testing.assert_allclose(factors, theirs.LD.numpy(), atol=1e-9)
            assert info == theirs.info
            if not info:
                back = dense.ldl_product(factors, pivots, hermitian)
                np.testing.assert_allclose(back, a, atol=1e-9)


def test_the_error_class():
    assert issubclass(penlight.linalg.LinAlgError, RuntimeError)
    with pytest.raises(penlight.linalg.LinAlgError):
        penlight.linalg.inv(penlight.zeros(2, 2))


def test_low_rank():
    penlight.manual_seed(0)
    a = penlight.randn(8, 3) @ penlight.randn(3, 6)
    u, s, v = penlight.svd_lowrank(a, 3)
    assert penlight.allclose(u @ penlight.diag(s) @ v.mT, a, atol=1e-4)
    u, s, v = penlight.pca_lowrank(a, 3)
    centred = a - a.mean(0, keepdim=True)
    assert penlight.allclose(u @ penlight.diag(s) @ v.mT, centred, atol=1e-4)
    with pytest.raises(ValueError, match=r"q\(=9\) must be non-negative integer"):
        penlight.pca_lowrank(a, 9)
