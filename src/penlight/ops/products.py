"""Products beyond `matmul.py`: sums of products, outer, cross and Kronecker products, chains.

N, M, K: rows, columns and the contracted axis; B: batches.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from ..core import dtype as dtypes
from ..core.tensor import Tensor, check_dim
from .elementwise import bar
from .exposure import expose
from .families import composite
from .linalg_checks import identity_for, square
from .matmul import bmm, dot, matmul, mm, mv
from .operands import check_broadcast

expose(matmul, "linalg.matmul")

# ---------------------------------------------------------------- beta · input + alpha · product


def _scaled_sum(input: Tensor, product: Tensor, beta: Any, alpha: Any) -> Tensor:
    """beta · input + alpha · product; with beta = 0 input may hold NaN."""
    if product.dtype.category == dtypes.INTEGER:
        beta, alpha = int(beta), int(alpha)
    input = input.expand(product._array.shape)
    if alpha != 1:
        product = product * alpha
    if beta == 0:
        return product
    return (input if beta == 1 else input * beta) + product


@composite(inplace=True)
def addmv(input, mat, vec, *, beta=1, alpha=1):
    """beta · input + alpha · (mat @ vec): (N, K) @ (K,) -> (N,)."""
    own, a, b = input._array.shape, mat._array.shape, vec._array.shape
    if len(own) > 1 or len(a) != 2 or len(b) != 1:
        raise RuntimeError(f"vector + matrix @ vector expected, got {len(own)}, {len(a)}, {len(b)}")
    if a[1] != b[0] or (own and own[0] not in (1, a[0])):
        raise RuntimeError(
            f"size mismatch, got input ({own[0] if own else 1}), mat ({a[0]}x{a[1]}), vec ({b[0]})"
        )
    return _scaled_sum(input, mv(mat, vec), beta, alpha)


@composite(inplace=True)
def addr(input, vec1, vec2, *, beta=1, alpha=1):
    """beta · input + alpha · (vec1 ⊗ vec2): (N,), (M,) -> (N, M)."""
    for position, vec in enumerate((vec1, vec2), 1):
        if vec._array.ndim != 1:
            raise RuntimeError(
                f"addr: Expected 1-D argument vec{position}, but got {vec._array.ndim}-D"
            )
    product = vec1.unsqueeze(1) * vec2
    if product.dtype is dtypes.bool_:
        return product if not (alpha and beta) else product | input
    return _scaled_sum(input, product, beta, alpha)


@composite(inplace=True)
def addbmm(input, batch1, batch2, *, beta=1, alpha=1):
    """beta · input + alpha · Σ batch1 @ batch2: (B, N, K), (B, K, M) -> (N, M)."""
    return _scaled_sum(input, bmm(batch1, batch2).sum(0), beta, alpha)


@composite(inplace=True)
def baddbmm(input, batch1, batch2, *, beta=1, alpha=1):
    """beta · input + alpha · (batch1 @ batch2): (B, N, K), (B, K, M) -> (B, N, M)."""
    return _scaled_sum(input, bmm(batch1, batch2), beta, alpha)


# ---------------------------------------------------------------- two vectors


@composite
def vdot(input, other):
    """Σ of conj(inputᵢ) · otherᵢ."""
    return dot(bar(input), other)


@composite(names="torch.outer Tensor.outer torch.ger Tensor.ger")
def outer(input, vec2):
    """All products of two vectors' elements: (N,), (M,) -> (N, M).

    >>> import penlight as torch
    >>> torch.outer(torch.tensor([1, 2]), torch.tensor([3, 4]))
    tensor([[3, 4],
            [6, 8]])
    """
    for name, vec in (("self", input), ("vec2", vec2)):
        if vec._array.ndim != 1:
            raise RuntimeError(f"outer: Expected 1-D argument {name}, but got {vec._array.ndim}-D")
    return input.unsqueeze(1) * vec2


@composite(names="linalg.vecdot")
def vecdot(x, y, *, dim=-1):
    """Σ of conj(x) · y along an axis; the others broadcast."""
    if x.dtype.category < dtypes.FLOAT or y.dtype.category < dtypes.FLOAT:
        wrong = x if x.dtype.category < dtypes.FLOAT else y
        raise RuntimeError(
            "linalg.vecdot: Expected a floating point or complex tensor as input. "
            f"Got {wrong.dtype.scalar_name}"
        )
    return (bar(x) * y).sum(dim)


@composite
def inner(input, other):
    """Products along the last axis of both: (*, K), (+, K) -> (*, +)."""
    if input._array.ndim == 0 or other._array.ndim == 0:
        return input * other
    a, b = input._array.shape, other._array.shape
    if a[-1] != b[-1]:
        raise RuntimeError(
            "inner() the last dimension must match on both input tensors but got shapes "
            f"{list(a)} and {list(b)}"
        )
    product = mm(input.reshape(-1, a[-1]), other.reshape(-1, b[-1]).t())
    return product.reshape(a[:-1] + b[:-1])


@composite(names="linalg.cross")
def linalg_cross(input, other, *, dim=-1):
    """Cross product of vectors of length 3 along an axis; the others broadcast.

    >>> import penlight as torch
    >>> torch.linalg.cross(torch.tensor([1.0, 0, 0]), torch.tensor([0.0, 1, 0]))
    tensor([0., 0., 1.])
    """
    a, b = input._array.shape, other._array.shape
    if len(a) != len(b):
        raise RuntimeError("linalg.cross: inputs must have the same number of dimensions.")
    axis = check_dim(dim, len(a))
    if a[axis] != 3 or b[axis] != 3:
        raise RuntimeError(
            f"linalg.cross: inputs dimension {dim} must have length 3. Got {a[axis]} and {b[axis]}"
        )
    check_broadcast(a, b)
    (a0, a1, a2), (b0, b1, b2) = input.unbind(dim), other.unbind(dim)
    from .join import stack

    return stack([a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0], dim)


@composite
def cross(input, other, dim=None):
    """Cross product along an axis, by default the first of length 3."""
    if dim is None:
        lengths = input._array.shape
        if 3 not in lengths:
            raise RuntimeError("no dimension of size 3 in input")
        dim = lengths.index(3)
    return linalg_cross(input, other, dim=dim)


# ---------------------------------------------------------------- several matrices


@composite
def kron(input, other):
    """Kronecker product: every element of `input` times all of `other`, axis by axis.

    >>> import penlight as torch
    >>> torch.kron(torch.eye(2), torch.tensor([[1.0, 2.0]]))
    tensor([[1., 2., 0., 0.],
            [0., 0., 1., 2.]])
    """
    a, b = input._array.shape, other._array.shape
    rank = max(len(a), len(b))
    a, b = (1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b
    left = input.reshape([n for length in a for n in (length, 1)])  # (a₀, 1, a₁, 1, ...)
    right = other.reshape([n for length in b for n in (1, length)])  # (1, b₀, 1, b₁, ...)
    return (left * right).reshape([n * m for n, m in zip(a, b, strict=True)])


@composite(names="linalg.multi_dot")
def multi_dot(tensors):
    """Product of matrices in the order that takes the fewest multiplications.

    The first and the last may be vectors.
    """
    tensors = list(tensors)
    if len(tensors) < 2:
        raise RuntimeError(f"multi_dot(): expected at least 2 tensors but got {len(tensors)}")
    _check_chain(tensors)
    row, column = tensors[0]._array.ndim == 1, tensors[-1]._array.ndim == 1
    if row:
        tensors[0] = tensors[0].unsqueeze(0)
    if column:
        tensors[-1] = tensors[-1].unsqueeze(1)
    lengths = [t._array.shape[0] for t in tensors] + [tensors[-1]._array.shape[1]]
    for at, (left, right) in enumerate(pairwise(tensors)):
        if left._array.shape[1] != right._array.shape[0]:
            raise RuntimeError(
                f"multi_dot(): tensors {at} and {at + 1} with shapes {list(left._array.shape)} and "
                f"{list(right._array.shape)} cannot be multiplied"
            )
    product = _chain(tensors, _best_splits(lengths), 0, len(tensors) - 1)
    if row:
        product = product.squeeze(0)
    return product.squeeze(-1) if column else product


def _check_chain(tensors: list[Tensor]) -> None:
    last = len(tensors) - 1
    for at, t in enumerate(tensors):
        ndim = t._array.ndim
        if at in (0, last) and ndim not in (1, 2):
            which = "first" if at == 0 else "last"
            raise RuntimeError(f"multi_dot(): the {which} tensor must be 1D or 2D but got {ndim}D")
        if 0 < at < last and ndim != 2:
            raise RuntimeError(f"multi_dot(): tensor {at} must be 2D but got {ndim}D")
        if t.dtype is not tensors[0].dtype:
            raise RuntimeError(
                f"multi_dot(): all tensors must have be the same dtype but tensor 0 is "
                f"{tensors[0].dtype.scalar_name} and tensor {at} {t.dtype.scalar_name}"
            )


def _best_splits(lengths: list[int]) -> dict[tuple[int, int], int]:
    """Where to split the product i..j so that the scalar multiplications are fewest.

    Source: Cormen, Leiserson, Rivest, Stein, Introduction to Algorithms, section 14.2.
    """
    count = len(lengths) - 1
    cost = {(i, i): 0 for i in range(count)}
    split = {}
    for width in range(1, count):
        for i in range(count - width):
            j = i + width
            choices = [
                (cost[i, k] + cost[k + 1, j] + lengths[i] * lengths[k + 1] * lengths[j + 1], k)
                for k in range(i, j)
            ]
            cost[i, j], split[i, j] = min(choices)
    return split


def _chain(tensors: list[Tensor], split: dict, i: int, j: int) -> Tensor:
    if i == j:
        return tensors[i]
    k = split[i, j]
    return mm(_chain(tensors, split, i, k), _chain(tensors, split, k + 1, j))


@composite(names="torch.chain_matmul")
def chain_matmul(*matrices):
    """Product of matrices; the old name of `linalg.multi_dot`."""
    for matrix in matrices:
        if matrix._array.ndim != 2:
            raise RuntimeError(f"Tensor dimension is {matrix._array.ndim}, expected 2 instead.")
    return matrices[0] if len(matrices) == 1 else multi_dot(matrices)


@composite(names="torch.matrix_power Tensor.matrix_power linalg.matrix_power")
def matrix_power(input, n):
    """A · A · ... · A, n times; the inverse's power for negative n, the identity for 0."""
    square("linalg.matrix_power", input)
    if n == 0:
        return identity_for(input)
    if n < 0:
        from .linalg_solve import inv

        input, n = inv(input), -n
    result = None
    while True:  # square and multiply, from the lowest bit
        if n & 1:
            result = input if result is None else matmul(result, input)
        n >>= 1
        if not n:
            return result
        input = matmul(input, input)


# ---------------------------------------------------------------- the diagonal, powers


@composite(names="linalg.diagonal")
def linalg_diagonal(A, *, offset=0, dim1=-2, dim2=-1):
    """A view of the diagonals of matrices."""
    return A.diagonal(offset, dim1, dim2)


@composite(names="linalg.vander")
def linalg_vander(x, *, N=None):
    """Rows of powers 1, x, x², ..., xᴺ⁻¹."""
    if x._array.ndim == 0:
        x = x.unsqueeze(0)
    count = x._array.shape[-1] if N is None else N
    if x.dtype is dtypes.bool_:
        raise RuntimeError(
            "linalg.vander supports floating point, complex, and integer tensors, but got Bool"
        )
    if count <= 1:
        raise RuntimeError("N must be greater than 1.")
    powers = x.unsqueeze(-1).expand(*x._array.shape, count - 1)
    from .join import cat

    first = powers.new_ones((*x._array.shape, 1))
    return cat([first, powers.cumprod(-1)], -1)
