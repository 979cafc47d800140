"""Tables of vectors looked up by index, one by one or as bags."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..compiler import numerics
from ..core.dtype import int32, int64
from ..core.tensor import Tensor, wrap, written
from .exposure import expose
from .families import composite, op

# ---------------------------------------------------------------- rows by index


def _rows(xp: Any, table: Any, indices: Any) -> Any:
    try:
        return xp.rows(table, indices)
    except IndexError:
        raise IndexError(
            f"index out of range in self\n"
            f"the table has {len(table)} rows, 0 to {len(table) - 1}; the indices reach from "
            f"{indices.min()} to {indices.max()}"
        ) from None


def _require_indices(input: Tensor, where: str) -> None:
    if input.dtype not in (int64, int32):
        raise RuntimeError(
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: "
            f"Long, Int; but got torch.{input.dtype.scalar_name}Tensor instead "
            f"(while checking arguments for {where})"
        )


@op(
    name="_embedding",
    node="EmbeddingBackward0",
    grad={
        "weight": lambda g, weight_shape, indices, padding, by_freq: _embedding_dense_backward(
            g, indices, weight_shape[0], padding, by_freq
        )
    },
)
def _embedding(xp: Any, weight: Any, indices: Any, padding: int, by_freq: bool) -> Any:
    return _rows(xp, weight, indices)


@op(
    grad={
        "grad": lambda g, indices, padding, by_freq: _embedding_of_grad(
            g, indices, padding, by_freq
        )
    }
)
def _embedding_dense_backward(
    xp: Any, grad: Any, indices: Any, rows: int, padding: int, by_freq: bool
) -> Any:
    indices = indices.reshape(-1).astype(np.int64, copy=False)
    grad = grad.reshape(indices.size, grad.shape[-1])
    if padding >= 0:
        grad = xp.where((indices == padding)[:, None], grad.dtype.type(0), grad)
    if by_freq:
        counts = xp.add_rows(indices, xp.ones(indices.shape, np.int64), rows=rows)
        grad = grad / xp.rows(counts, indices)[:, None].astype(grad.dtype)
    return xp.add_rows(indices, grad, rows=rows)


def _embedding_of_grad(g: Tensor, indices: Tensor, padding: int, by_freq: bool) -> Tensor:
    rows = g[indices]
    if padding >= 0:
        rows = rows.masked_fill(indices.eq(padding).unsqueeze(-1), 0)
    if by_freq:
        counts = indices.reshape(-1).bincount(minlength=g.size(0))
        rows = rows / counts[indices].unsqueeze(-1)
    return rows


def _shrink_rows(weight: Tensor, input: Tensor, max_norm: float, norm_type: float) -> None:
    """Scales the rows about to be used down to `max_norm`, in the table itself."""
    array = weight._array
    _rows(numerics, array, input._array)  # IndexError where there is no such row
    used = np.unique(input._array)
    norms = np.linalg.norm(array[used].astype(np.float64), norm_type, axis=1)
    long = norms > max_norm
    if long.any():
        array[used[long]] *= (max_norm / (norms[long, None] + 1e-7)).astype(array.dtype)
        written(weight)


@composite(names="nn.functional.embedding")
def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Row `input[...]` of `weight` (rows, D), in shape (*input.shape, D).

    `padding_idx` gets no gradient; rows longer than `max_norm` are shortened in the table first;
    `scale_grad_by_freq` divides gradients by how often an index occurs.

    >>> import penlight as torch
    >>> table = torch.tensor([[0.0, 0.5], [1.0, 1.5]])
    >>> torch.nn.functional.embedding(torch.tensor([1, 0]), table)
    tensor([[1.0000, 1.5000],
            [0.0000, 0.5000]])
    """
    if sparse:
        raise NotImplementedError("sparse=True: penlight has no sparse gradients; leave it False")
    if weight.dim() != 2:
        raise RuntimeError("'weight' must be 2-D")
    rows = weight.size(0)
    if padding_idx is None:
        padding_idx = -1
    elif not -rows <= padding_idx < rows:
        raise AssertionError("Padding_idx must be within num_embeddings")
    elif padding_idx < 0:
        padding_idx += rows
    _require_indices(input, "embedding")
    if max_norm is not None:
        _shrink_rows(weight, input, max_norm, norm_type)
    return _embedding(weight, input, padding_idx, scale_grad_by_freq)


def _embedding_by_weight(
    weight: Tensor,
    indices: Tensor,
    padding_idx: int = -1,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """`nn.functional.embedding` with the table first."""
    padding = None if padding_idx == -1 else padding_idx
    return embedding(indices, weight, padding, scale_grad_by_freq=scale_grad_by_freq, sparse=sparse)


expose(_embedding_by_weight, "torch.embedding")


@composite(names="nn.functional.one_hot")
def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Rows of zeros with a 1 at each class index; as many columns as `num_classes`, or as needed.

    >>> import penlight as torch
    >>> torch.nn.functional.one_hot(torch.tensor([2, 0]))
    tensor([[0, 0, 1],
            [1, 0, 0]])
    """
    indices = tensor._array
    if tensor.dtype is not int64:
        raise RuntimeError(
            "one_hot is only applicable to index tensor of type LongTensor.\n"
            f"the indices are {tensor.dtype}: convert them, tensor.long()"
        )
    if num_classes < 0 and not indices.size:
        raise RuntimeError("Can not infer total number of classes from empty tensor.")
    if indices.min(initial=0) < 0:
        raise RuntimeError("Class values must be non-negative.")
    needed = int(indices.max(initial=-1)) + 1
    if 0 <= num_classes < needed:
        raise RuntimeError("Class values must be smaller than num_classes.")
    classes = np.arange(needed if num_classes < 0 else num_classes)
    return wrap((indices[..., None] == classes).astype(np.int64))
