"""Norms of vectors and matrices, and what is measured with them: condition, rank."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import dtype as dtypes
from ..core.beside import fixed
from ..core.tensor import Tensor, check_dim, wrap
from .families import composite, op
from .linalg_checks import floating, matrix, square
from .linalg_factors import eigvalsh, svdvals
from .linalg_lstsq import tolerances
from .linalg_solve import inv
from .reduce import axes, half_in_float32, kept

inf = math.inf

# ---------------------------------------------------------------- vectors


def _norm_rule(
    g: Tensor, y: Tensor, input: Tensor, ord: float, dims: tuple, keepdim: bool
) -> Tensor | None:
    """g · |x|ᵖ⁻¹ sign(x) / yᵖ⁻¹; 0 where the norm is 0, shared evenly among maxima for p = ∞."""
    g, y, x = kept(g, dims, keepdim), kept(y, dims, keepdim), input
    if ord == 0:
        return None
    if ord == 1:
        return x.sgn() * g
    if ord == 2:
        return (x * (g / y)).masked_fill(y == 0, 0)
    size = x.abs()
    if math.isinf(ord):
        extreme = (size == y) | (size.isnan() & y.isnan())
        return x.sgn() * (g / extreme.sum(dims, keepdim=True)) * extreme
    power = (size ** (ord - 1)).masked_fill(size == 0, 0) if ord < 2 else size ** (ord - 1)
    return x.sgn() * power * (g * y ** (1 - ord)).masked_fill(y == 0, 0)


@op(grad={"input": _norm_rule}, node="LinalgVectorNormBackward0")
def _vector_norm(xp: Any, input: Any, ord: float, dims: Any, keepdim: bool) -> Any:
    return _p_norm(xp, input, ord, dims, keepdim)


@half_in_float32
def _p_norm(xp: Any, x: Any, ord: float, dims: tuple, keepdim: bool) -> Any:
    size = xp.abs(x)
    if ord == inf:
        return xp.asarray(size.max(dims, keepdims=keepdim, initial=0 if not x.size else None))
    if ord == -inf:
        return xp.asarray(size.min(dims, keepdims=keepdim))
    if ord == 0:
        return xp.asarray(xp.sum(size != 0, dims, keepdims=keepdim).astype(size.dtype))
    if ord == 1:
        return xp.asarray(xp.sum(size, dims, keepdims=keepdim))
    if ord == 2:
        return xp.sqrt(xp.asarray(xp.sum(size * size, dims, keepdims=keepdim)))
    total = xp.asarray(xp.sum(xp.power(size, ord), dims, keepdims=keepdim))
    return xp.power(total, total.dtype.type(1 / ord))


def _check_identity(input: Tensor, ord: float, dims: tuple, all_of_it: bool) -> None:
    """The largest of no elements is nothing."""
    if (ord < 0 or ord == inf) and not input._array.size:
        printed = "inf" if ord == inf else "-inf" if ord == -inf else f"{ord:g}"
        if all_of_it:
            raise RuntimeError(
                f"linalg.vector_norm cannot compute the {printed} norm on an empty tensor because "
                "the operation does not have an identity"
            )
        for dim in dims:
            if input._array.shape[dim] == 0:
                raise RuntimeError(
                    f"linalg.vector_norm cannot compute the {printed} norm on the dimension "
                    f"{dim}because this dimension is empty and the operation does not have an "
                    "identity"
                )


def _as_dtype(name: str, A: Tensor, dtype: dtypes.dtype | None) -> Tensor:
    """The argument in the type that was asked for; it may not be narrower than its own."""
    if dtype is None or dtype is A.dtype:
        return A
    if dtype.category < dtypes.FLOAT:
        raise RuntimeError(
            f"{name}: dtype should be floating point or complex, but got {dtype.scalar_name}"
        )
    if A.dtype.is_complex != dtype.is_complex:
        kind = "complex" if A.dtype.is_complex else "real"
        raise RuntimeError(
            f"{name}: dtype should be {kind} for {kind} inputs, but got {dtype.scalar_name}"
        )
    if dtypes.promote_types(A.dtype, dtype) is not dtype:
        raise RuntimeError(
            f"{name}: the dtype of the input ({A.dtype.scalar_name}) should be convertible without "
            f"narrowing to the specified dtype ({dtype.scalar_name})"
        )
    return A.to(dtype)


@composite(names="linalg.vector_norm")
def vector_norm(x, ord=2, dim=None, keepdim=False, *, dtype=None):
    """(Σ |xᵢ|ᵖ)^(1/p), p = `ord`; the largest |xᵢ| for ∞, how many are not 0 for 0.

    >>> import penlight as torch
    >>> torch.linalg.vector_norm(torch.tensor([3.0, 4.0]))
    tensor(5.)
    """
    floating("linalg.vector_norm", x, low_precision=True)
    dims = axes(dim, x._array.ndim)
    x = _as_dtype("linalg.vector_norm", x, dtype)
    _check_identity(x, ord, dims, all_of_it=dim is None or dim == [] or dim == ())
    return _vector_norm(x, float(ord), dims, keepdim)


# ---------------------------------------------------------------- matrices


def _matrix_dims(A: Tensor, dim: Any) -> tuple[int, int]:
    dims = (dim,) if isinstance(dim, int) else tuple(dim)
    if len(dims) != 2:
        raise RuntimeError(
            f"linalg.matrix_norm: dim must be a 2-tuple. Got {' '.join(map(str, dims))}"
        )
    first, second = (check_dim(d, A._array.ndim) for d in dims)
    if first == second:
        raise RuntimeError(
            f"linalg.matrix_norm: dims must be different. Got ({dims[0]}, {dims[1]})"
        )
    return first, second


@composite(names="linalg.matrix_norm")
def matrix_norm(A, ord="fro", dim=(-2, -1), keepdim=False, *, dtype=None):
    """A norm of matrices: "fro" √Σ|a|², "nuc" the sum of singular values, ±2 their largest or
    smallest, ±1 the largest or smallest column sum of |a|, ±∞ of row sums."""
    matrix("linalg.matrix_norm", A)
    floating("linalg.matrix_norm", A, low_precision=ord not in ("nuc", 2, -2))
    rows, columns = _matrix_dims(A, dim)
    if ord == "fro":
        return vector_norm(A, 2, (rows, columns), keepdim, dtype=dtype)
    if ord not in ("nuc", 1, -1, 2, -2, inf, -inf):
        printed = ord if isinstance(ord, str) else f"{ord:g}"
        raise RuntimeError(f"linalg.matrix_norm: Order {printed} not supported.")
    A = _as_dtype("linalg.matrix_norm", A, dtype)
    if ord in ("nuc", 2, -2):
        values = svdvals(A.movedim((rows, columns), (-2, -1)))
        result = values.sum(-1) if ord == "nuc" else _extreme(values, -1, ord > 0)
        return kept(result, (rows, columns), False) if keepdim else result
    along, across = (rows, columns) if abs(ord) == 1 else (columns, rows)
    sums = vector_norm(A, 1, along, keepdim=True)
    result = _extreme(sums, across, ord > 0, keepdim=True)
    return result if keepdim else result.squeeze((rows, columns))


def _extreme(values: Tensor, dim: int, largest: bool, keepdim: bool = False) -> Tensor:
    if largest and values._array.shape[dim] == 0:
        return values.sum(dim, keepdim)
    return values.amax(dim, keepdim) if largest else values.amin(dim, keepdim)


@composite(names="linalg.norm")
def linalg_norm(A, ord=None, dim=None, keepdim=False, *, dtype=None):
    """The vector norm of all elements or along one axis, the matrix norm over two axes."""
    if dim is not None:
        dims = (dim,) if isinstance(dim, int) else tuple(dim)
        if len(dims) not in (1, 2):
            raise RuntimeError(
                f"linalg.norm: If dim is specified, it must be of length 1 or 2. Got {list(dims)}"
            )
    elif ord is not None:
        ndim = A._array.ndim
        if ndim not in (1, 2):
            raise RuntimeError(
                "linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got "
                f"{ndim}D."
            )
        dims = tuple(range(ndim))
    if ord is None:
        return vector_norm(A, 2, dim, keepdim, dtype=dtype)
    if len(dims) == 1 and not isinstance(ord, str):
        return vector_norm(A, ord, dims, keepdim, dtype=dtype)
    return matrix_norm(A, ord, dims, keepdim, dtype=dtype)


@composite
def norm(input, p="fro", dim=None, keepdim=False, dtype=None):
    """The vector norm of order `p` (2 for "fro"), of all elements or along axes; "nuc" of matrices.

    >>> import penlight as torch
    >>> torch.norm(torch.tensor([[3.0, 4.0], [0.0, 0.0]]), dim=1)
    tensor([5., 0.])
    """
    if isinstance(p, str) and (p != "fro" or (isinstance(dim, (tuple, list)) and len(dim) > 2)):
        return matrix_norm(
            input, p, tuple(range(input._array.ndim)) if dim is None else dim, keepdim, dtype=dtype
        )
    return vector_norm(input, 2 if p is None or p == "fro" else p, dim, keepdim, dtype=dtype)


@composite(names="torch.nuclear_norm")
def nuclear_norm(input, dim=(-2, -1), keepdim=False):
    """The sum of the singular values."""
    return matrix_norm(input, "nuc", dim, keepdim)


@composite(names="torch.frobenius_norm")
def frobenius_norm(input, dim=(), keepdim=False):
    """√Σ|a|²."""
    return vector_norm(input, 2, dim, keepdim)


# ---------------------------------------------------------------- measured with norms


@composite(inplace=True)
def renorm(input, p, dim, maxnorm):
    """Slices along `dim` whose norm exceeds `maxnorm`, scaled down to it."""
    ndim = input._array.ndim
    if p <= 0:
        raise RuntimeError("renorm: non-positive-norm not supported")
    if maxnorm < 0:
        raise RuntimeError(f"renorm: expected maxnorm to be >= 0 but got {maxnorm:g}")
    if ndim < 2:
        raise RuntimeError(f"renorm: input needs at least 2 dimensions, got {ndim} dimensions")
    dim = check_dim(dim, ndim)
    size = vector_norm(input, p, tuple(d for d in range(ndim) if d != dim), keepdim=True)
    factor = (maxnorm / (size + 1e-7)).masked_fill(size <= maxnorm, 1)
    return input * factor


@composite(names="linalg.cond")
def cond(A, p=None):
    """The condition number |A| · |A⁻¹|: how much errors in B grow in the X of A X = B."""
    if A._array.ndim < 2:
        raise RuntimeError("linalg.cond: The input tensor must have at least 2 dimensions.")
    if p is None or p in (2, -2):
        values = svdvals(A)
        if not values._array.shape[-1]:
            return values.new_zeros(values._array.shape[:-1])
        ratio = values.select(-1, 0) / values.select(-1, -1)
        return 1 / ratio if p == -2 else ratio
    if p not in ("fro", "nuc", 1, -1, inf, -inf):
        raise RuntimeError(f"linalg.cond got an invalid norm type: {p}")
    square(f"linalg.cond(ord={p})", A)
    try:
        return matrix_norm(A, p) * matrix_norm(inv(A), p)
    except RuntimeError:
        return _cond_of_singular(A, p)


def _cond_of_singular(A: Tensor, p: Any) -> Tensor:
    """∞ for the singular matrices of a batch."""
    from .linalg_solve import inv_ex

    found = inv_ex(A)
    whole = wrap(found.info._array != 0)
    product = matrix_norm(A, p) * matrix_norm(
        found.inverse.masked_fill(whole.unsqueeze(-1).unsqueeze(-1), 1), p
    )
    return product.masked_fill(whole, inf)


@composite(names="linalg.matrix_rank")
def matrix_rank(A, tol=None, *, atol=None, rtol=None, hermitian=False):
    """How many singular values are larger than max(atol, rtol · the largest).

    >>> import penlight as torch
    >>> torch.linalg.matrix_rank(torch.ones(3, 3))
    tensor(1)
    """
    matrix("torch.linalg.matrix_rank", A, "input")
    if hermitian:
        square("torch.linalg.matrix_rank", A)
    atol, rtol = (tol, 0.0) if tol is not None else (atol, rtol)
    atol, rtol = tolerances(A, atol, rtol)
    if not A._array.size:
        return fixed(np.zeros(A._array.shape[:-2], np.int64))
    A = A.detach()
    values = np.abs((eigvalsh(A) if hermitian else svdvals(A))._array)
    bound = np.maximum(atol, rtol * values.max(-1, initial=0))
    return wrap(np.asarray((values > bound[..., None]).sum(-1), np.int64))
