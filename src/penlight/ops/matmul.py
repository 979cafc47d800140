"""Matrix products. Shapes: N, M, K rows, columns and the contracted axis; B batches."""

from __future__ import annotations

import math
from typing import Any

from ..core.tensor import Tensor
from .families import composite, op
from .kinds import FLOATS


def same_dtype(a: Tensor, b: Tensor) -> None:
    """RuntimeError unless both have one dtype."""
    if a._array.dtype is not b._array.dtype and a.dtype is not b.dtype:
        raise RuntimeError(
            f"expected m1 and m2 to have the same dtype, but got: {c_name(a)} != {c_name(b)}"
        )


def c_name(t: Tensor) -> str:
    """The name PyTorch's kernels give a dtype."""
    return C_NAMES.get(t.dtype.name, t.dtype.name)


C_NAMES = {
    "float32": "float", "float64": "double", "float16": "c10::Half", "bfloat16": "c10::BFloat16",
    "int64": "long", "int32": "int", "int16": "short", "int8": "signed char",
    "uint8": "unsigned char",
    "bool": "bool", "complex64": "c10::complex<float>", "complex128": "c10::complex<double>",
}  # fmt: skip


def matmul_array(xp: Any, a: Any, b: Any) -> Any:
    """a @ b. 16-bit floats are added up as float32 and rounded once, as PyTorch does."""
    if a.dtype.itemsize == 2 and a.dtype.kind in FLOATS:
        return xp.matmul(a.astype(xp.float32), b.astype(xp.float32)).astype(a.dtype)
    return xp.matmul(a, b)


@op(
    name="_product",
    grad={
        "a": lambda g, b, ta, tb: (
            product(_conj(b), g, tb, True) if ta else product(g, _conj(b), False, not tb)
        ),
        "b": lambda g, a, ta, tb: (
            product(g, _conj(a), True, ta) if tb else product(_conj(a), g, not ta, False)
        ),
    },
    node="MmBackward0",
    sample=lambda draw: [
        (draw(*((4, 3) if ta else (3, 4))), draw(*((2, 4) if tb else (4, 2))), ta, tb)
        for ta in (False, True)
        for tb in (False, True)
    ],
)
def product(xp, a, b, ta, tb):
    """The product of two matrices, each transposed if its flag says so: what every matrix gradient
    is made of.
    """
    return matmul_array(xp, a.T if ta else a, b.T if tb else b)


def _conj(t: Tensor) -> Tensor:
    return t.conj() if t._array.dtype.kind == "c" else t


def _fits_mm(input: Tensor, mat2: Tensor) -> None:
    a, b = input._array.shape, mat2._array.shape
    if len(a) != 2:
        raise RuntimeError("self must be a matrix")
    if len(b) != 2:
        raise RuntimeError("mat2 must be a matrix")
    if a[1] != b[0]:
        raise RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({a[0]}x{a[1]} and {b[0]}x{b[1]})"
        )
    same_dtype(input, mat2)


@op(
    grad={
        "input": lambda g, mat2: product(g, _conj(mat2), False, True),
        "mat2": lambda g, input: product(_conj(input), g, True, False),
    },
    check=_fits_mm,
    sample=lambda draw: [(draw(3, 4), draw(4, 2))],
)
def mm(xp, input, mat2):
    """Matrix product (N, K) @ (K, M) -> (N, M).

    >>> import penlight as torch
    >>> torch.mm(torch.ones(2, 3), torch.ones(3, 1))
    tensor([[3.],
            [3.]])
    """
    return matmul_array(xp, input, mat2)


def _fits_bmm(input: Tensor, mat2: Tensor) -> None:
    a, b = input._array.shape, mat2._array.shape
    for name, shape in (("batch1", a), ("batch2", b)):
        if len(shape) != 3:
            raise RuntimeError(f"{name} must be a 3D tensor")
    if a[0] != b[0] or a[2] != b[1]:
        raise RuntimeError(
            f"Expected size for first two dimensions of batch2 tensor to be: [{a[0]}, {a[2]}] but "
            f"got: [{b[0]}, {b[1]}]."
        )
    same_dtype(input, mat2)


@op(
    grad={"input": lambda g, mat2: g.bmm(mat2.mH), "mat2": lambda g, input: input.mH.bmm(g)},
    check=_fits_bmm,
    sample=lambda draw: [(draw(2, 3, 4), draw(2, 4, 2))],
)
def bmm(xp, input, mat2):
    """Products of matrices in a batch: (B, N, K) @ (B, K, M) -> (B, N, M)."""
    return matmul_array(xp, input, mat2)


def _fits_mv(input: Tensor, vec: Tensor) -> None:
    a, b = input._array.shape, vec._array.shape
    if len(a) != 2 or len(b) != 1:
        raise RuntimeError(f"vector + matrix @ vector expected, got 1, {len(a)}, {len(b)}")
    if a[1] != b[0]:
        raise RuntimeError(f"size mismatch, got input ({a[0]}), mat ({a[0]}x{a[1]}), vec ({b[0]})")
    same_dtype(input, vec)


@op(
    grad={
        "input": lambda g, vec: g.unsqueeze(1) * vec.conj(),
        "vec": lambda g, input: input.mH.mv(g),
    },
    check=_fits_mv,
    sample=lambda draw: [(draw(3, 4), draw(4))],
)
def mv(xp, input, vec):
    """Matrix times vector: (N, K) @ (K,) -> (N,)."""
    return matmul_array(xp, input, vec)


def _fits_dot(input: Tensor, tensor: Tensor) -> None:
    a, b = input._array, tensor._array
    if a.ndim != 1 or b.ndim != 1:
        raise RuntimeError(f"1D tensors expected, but got {a.ndim}D and {b.ndim}D tensors")
    if input.dtype is not tensor.dtype:
        raise RuntimeError(
            "dot : expected both vectors to have same dtype, but found "
            f"{c_name(input).capitalize()} and {c_name(tensor).capitalize()}"
        )
    if a.size != b.size:
        raise RuntimeError(
            "inconsistent tensor size, expected tensor "
            f"[{a.size}] and src [{b.size}] to have the same number of elements, but got {a.size} "
            f"and {b.size} elements respectively"
        )


@op(
    grad={
        "input": lambda g, tensor: g * tensor.conj(),
        "tensor": lambda g, input: g * input.conj(),
    },
    check=_fits_dot,
    sample=lambda draw: [(draw(4), draw(4))],
)
def dot(xp, input, tensor):
    """Sum of the products of two vectors' elements."""
    return matmul_array(xp, input, tensor)


def _times(g: Tensor, factor: Any) -> Tensor:
    return g if factor == 1 else g * factor.conjugate()


def _fits_addmm(input: Tensor, mat1: Tensor, mat2: Tensor, beta: Any, alpha: Any) -> None:
    a, b = mat1._array.shape, mat2._array.shape
    if len(a) != 2 or len(b) != 2:
        which, shape = ("mat1", a) if len(a) != 2 else ("mat2", b)
        raise RuntimeError(f"{which} must be a matrix, got {len(shape)}-D tensor")
    if a[1] != b[0]:
        raise RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({a[0]}x{a[1]} and {b[0]}x{b[1]})"
        )
    own, full = input._array.shape, (a[0], b[1])
    if own != full and own != full[1:]:
        padded = (1,) * (2 - len(own)) + own
        if len(own) > 2 or any(n != m and n != 1 for n, m in zip(padded, full)):
            raise RuntimeError(
                f"The expanded size of the tensor ({full[-1]}) must match the existing size "
                f"({own[-1] if own else 1}) at non-singleton dimension {len(own) - 1}.  "
                f"Target sizes: {list(full)}.  Tensor sizes: {list(own)}"
            )
    same_dtype(mat1, mat2)
    if input._array.dtype is not mat1._array.dtype and input.dtype is not mat1.dtype:
        raise RuntimeError(
            f"self and mat2 must have the same dtype, but got {input.dtype.scalar_name} and "
            f"{mat2.dtype.scalar_name}"
        )


@op(
    grad={
        "input": lambda g, beta: _times(g, beta),
        "mat1": lambda g, mat2, alpha: product(_times(g, alpha), _conj(mat2), False, True),
        "mat2": lambda g, mat1, alpha: product(_conj(mat1), _times(g, alpha), True, False),
    },
    check=_fits_addmm,
    inplace=True,
    sample=lambda draw: [
        (draw(3, 2), draw(3, 4), draw(4, 2), 0.5, 2.0),
        (draw(2), draw(3, 4), draw(4, 2), 1, 1),
    ],
)
def addmm(xp, input, mat1, mat2, *, beta=1, alpha=1):
    """beta · input + alpha · (mat1 @ mat2); input broadcasts to (N, M)."""
    kind = mat1.dtype
    if kind.itemsize == 2 and kind.kind in FLOATS:  # rounded once, at the end
        input, mat1, mat2 = (x.astype(xp.float32) for x in (input, mat1, mat2))
    out = xp.matmul(mat1, mat2)
    if alpha != 1:
        out *= out.dtype.type(alpha)
    if beta != 0:
        out += input if beta == 1 else input * input.dtype.type(beta)
    return out.astype(kind, copy=False)


@composite
def matmul(input, other):
    """Matrix product of the last two axes; the others broadcast. Vectors as in NumPy.

    >>> import penlight as torch
    >>> torch.matmul(torch.ones(5, 2, 3), torch.ones(3, 4)).shape
    torch.Size([5, 2, 4])
    """
    a, b = input._array.ndim, other._array.ndim
    if a == 2 and b == 2:
        return mm(input, other)
    if a == 0 or b == 0:
        raise RuntimeError(
            f"both arguments to matmul need to be at least 1D, but they are {a}D and {b}D"
        )
    if a == 1 and b == 1:
        return dot(input, other)
    if a == 2 and b == 1:
        return mv(input, other)
    if a == 1 and b == 2:
        return mm(input.unsqueeze(0), other).squeeze(0)
    if b <= 2:  # (..., N, K) @ (K, M): one product of all rows
        *lead, k = input._array.shape
        rows = input.reshape(math.prod(lead), k)
        if b == 1:
            return mv(rows, other).reshape(lead)
        return mm(rows, other).reshape(*lead, other._array.shape[-1])
    return _batched(input, other)


def _batched(input: Tensor, other: Tensor) -> Tensor:
    """Batches broadcast, flattened into one axis for bmm."""
    vector = input._array.ndim == 1
    if vector:
        input = input.unsqueeze(0)
    column = other._array.ndim == 1
    if column:
        other = other.unsqueeze(1)
    batch = broadcast_batch(input._array.shape[:-2], other._array.shape[:-2])
    n, k = input._array.shape[-2:]
    k2, m = other._array.shape[-2:]
    count = math.prod(batch)
    left = input.expand(*batch, n, k).reshape(count, n, k)
    right = other.expand(*batch, k2, m).reshape(count, k2, m)
    out = bmm(left, right).reshape(*batch, n, m)
    if vector:
        out = out.squeeze(-2)
    return out.squeeze(-1) if column else out


def broadcast_batch(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    """The shape two batch shapes broadcast to."""
    from .operands import check_broadcast

    check_broadcast(a, b)
    rank = max(len(a), len(b))
    a, b = (1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b
    return tuple(n if m == 1 else m for n, m in zip(a, b))


Tensor.__matmul__ = matmul  # type: ignore[attr-defined]
Tensor.__rmatmul__ = lambda self, other: matmul(other, self)  # type: ignore[attr-defined]


def _fits_linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> None:
    x, w = input._array.shape, weight._array.shape
    if x[1] != w[1]:
        raise RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({x[0]}x{x[1]} and {w[1]}x{w[0]})"
        )
    same_dtype(input, weight)
    if bias is None:
        return
    if bias._array.shape not in ((w[0],), (1,), ()):
        raise RuntimeError(
            f"The expanded size of the tensor ({w[0]}) must match the existing size "
            f"({bias._array.shape[-1]}) at non-singleton dimension 1.  Target sizes: "
            f"{[x[0], w[0]]}.  Tensor sizes: {list(bias._array.shape)}"
        )
    if bias._array.dtype is not input._array.dtype and bias.dtype is not input.dtype:
        raise RuntimeError(
            f"self and mat2 must have the same dtype, but got {bias.dtype.scalar_name} and "
            f"{weight.dtype.scalar_name}"
        )


_LINEAR_GRAD = {
    "input": lambda g, weight: product(g, _conj(weight), False, False),
    "weight": lambda g, input: product(g, _conj(input), True, False),
}


@op(
    grad=_LINEAR_GRAD,
    check=_fits_linear,
    node="MmBackward0",
    sample=lambda draw: [(draw(3, 4), draw(2, 4))],
)
def _linear(xp, input, weight):
    """x Wᵀ of matrices: x (N, I), W (O, I). One op, so that no transposed copy is ever made."""
    return matmul_array(xp, input, weight.T)


@op(
    grad={**_LINEAR_GRAD, "bias": lambda g: g.sum(0)},
    check=_fits_linear,
    node="AddmmBackward0",
    sample=lambda draw: [(draw(3, 4), draw(2, 4), draw(2))],
)
def _linear_bias(xp, input, weight, bias):
    """x Wᵀ + b of matrices."""
    out = matmul_array(xp, input, weight.T)
    out += bias
    return out


@composite(names="nn.functional.linear")
def linear(input, weight, bias=None):
    """y = x Wᵀ + b over the last axis: x (*, I), W (O, I), b (O,), y (*, O).

    >>> import penlight as torch
    >>> torch.nn.functional.linear(torch.ones(2, 3), torch.ones(4, 3)).shape
    torch.Size([2, 4])
    """
    if not isinstance(input, Tensor):
        raise TypeError(
            f"linear(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}"
        )
    x = input._array
    if weight._array.ndim != 2 or x.ndim < 2:
        out = matmul(input, weight.t())
        return out if bias is None else out + bias
    if x.ndim == 2:
        return _linear(input, weight) if bias is None else _linear_bias(input, weight, bias)
    flat = linear(input.reshape(math.prod(x.shape[:-1]), x.shape[-1]), weight, bias)
    return flat.view(*x.shape[:-1], weight._array.shape[0])
