"""Reading and writing at index tensors along an axis: gather, scatter, index_*, masked_*, where,
take.

`dim` is the axis that the index speaks about. Every index is checked: nothing is read or written
out of bounds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.tensor import Tensor, check_dim, wrap
from .record import check_broadcast, composite, op

# ---------------------------------------------------------------- checks and keys


def _check_index_type(name: str, index: Tensor, both: bool = True) -> None:
    if index._array.dtype not in ((np.int64, np.int32) if both else (np.int64,)):
        kinds = "int32/int64" if both else "int64"
        raise RuntimeError(f"{name}(): Expected dtype {kinds} for index")


def _check_range(
    index: Any, size: int, dim: int, error: type, prefix: str = "", low: int = 0
) -> None:
    if index.size:
        smallest, largest = int(index.min()), int(index.max())
        if largest >= size or smallest < low:
            worst = largest if largest >= size else smallest
            raise error(
                f"{prefix}index {worst} is out of bounds for dimension {dim} with size {size}"
            )


def _along(index: Any, dim: int) -> tuple:
    """A key that takes, at each position of `index`, the element index names along `dim`."""
    key = list(np.ogrid[tuple(slice(n) for n in index.shape)]) if index.ndim else []
    if key:
        key[dim] = index
    return tuple(key) if key else (index,)


def _fits_gather(input: Tensor, dim: int, index: Tensor, sparse_grad: bool = False) -> None:
    if index._array.size:
        _check_index_type("gather", index)
    _check_extent(input, dim, index, "self")


def _check_extent(input: Tensor, dim: int, index: Tensor, whose: str) -> None:
    own, ind = input._array.shape, index._array.shape
    dim = check_dim(dim, len(own))
    if index._array.size == 0:
        return
    if max(len(own), 1) != max(len(ind), 1):
        raise RuntimeError("Index tensor must have the same number of dimensions as input tensor")
    for axis, (n, m) in enumerate(zip(own, ind)):
        if axis != dim and m > n:
            raise RuntimeError(
                f"Size does not match at dimension {axis} expected index {list(ind)} to be no "
                f"larger than {whose} {list(own)} apart from dimension {dim}"
            )


# ---------------------------------------------------------------- gather and scatter


@op(
    grad={
        "input": lambda g, input_shape, dim, index: wrap(
            np.zeros(input_shape, g._array.dtype)
        ).scatter_add(dim, index, g)
    },
    check=_fits_gather,
    sample=lambda draw: [(draw(3, 4), 1, wrap(np.array([[0, 3], [1, 1], [2, 0]])))],
)
def gather(xp, input, dim, index, *, sparse_grad=False):
    """out[i][j] = input[index[i][j]][j] for dim 0, and so on.

    >>> import penlight as torch
    >>> torch.tensor([[1, 2], [3, 4]]).gather(1, torch.tensor([[0, 0], [1, 0]]))
    tensor([[1, 1],
            [4, 3]])
    """
    dim = check_dim(dim, input.ndim)
    if index.size == 0:
        return xp.empty(index.shape, input.dtype)
    _check_range(index, input.shape[dim] if input.ndim else 1, dim, RuntimeError)
    if input.ndim == 0:
        return xp.broadcast_to(input, index.shape).copy()
    return input[_along(index, dim)]


def _fits_scatter(name: str) -> Any:
    def check(input: Tensor, dim: int, index: Tensor, src: Any, *rest: Any) -> None:
        if index._array.size:
            _check_index_type(name, index)
        _check_extent(input, dim, index, "self")
        if not isinstance(src, Tensor):
            return
        if src.dtype is not input.dtype:
            raise RuntimeError(f"{name}(): Expected self.dtype to be equal to src.dtype")
        if index._array.size and src._array.ndim != index._array.ndim and src._array.ndim:
            raise RuntimeError("Index tensor must have the same number of dimensions as src tensor")
        if index._array.size and any(m > n for m, n in zip(index._array.shape, src._array.shape)):
            raise RuntimeError(
                f"Expected index {list(index._array.shape)} to be no larger than self "
                f"{list(input._array.shape)} apart from dimension "
                f"{check_dim(dim, input._array.ndim)} "
                f"and to be no larger size than src {list(src._array.shape)}"
            )

    return check


def _aligned(out: Any, dim: int, index: Any, src: Any) -> tuple[Any, tuple, Any]:
    """Where and what to scatter: a view of `out`, a key into it, and the part of `src` that index
    speaks about.
    """
    dim = check_dim(dim, out.ndim)
    _check_range(index, out.shape[dim] if out.ndim else 1, dim, RuntimeError)
    if out.ndim == 0:
        return out.reshape(1), (index.reshape(-1),), np.reshape(src, -1)
    if np.ndim(src):
        src = src[tuple(slice(n) for n in index.shape)]
    return out, _along(index, dim), src


def _crop_grad(g: Tensor, dim: int, index: Tensor, shape: tuple) -> Tensor:
    """The gradient of scattered values: gathered, and zero for what was not scattered."""
    part = g.gather(dim, index)
    if part._array.shape == shape:
        return part
    return _corner(part, shape)


@op(grad={"part": lambda g, part_shape: g[tuple(slice(n) for n in part_shape)]})
def _corner(xp, part, shape):
    """Zeros of `shape` with `part` at the low corner."""
    whole = xp.zeros(shape, part.dtype)
    whole[tuple(slice(n) for n in part.shape)] = part
    return whole


@op(
    grad={
        "input": lambda g, dim, index: _scatter(g, dim, index, 0),
        "src": lambda g, dim, index, src_shape: _crop_grad(g, dim, index, src_shape),
    },
    check=_fits_scatter("scatter"),
    node="ScatterBackward0",
    sample=lambda draw: [(draw(3, 4), 0, wrap(np.array([[0, 1], [2, 2]])), draw(2, 2))],
)
def _scatter(xp, input, dim, index, src):
    out = input.copy()
    if index.size:
        target, key, values = _aligned(out, dim, index, src)
        target[key] = values
    return out


@op(
    grad={
        "input": lambda g: g,
        "src": lambda g, dim, index, src_shape: _crop_grad(g, dim, index, src_shape),
    },
    check=_fits_scatter("scatter"),
    inplace=True,
    sample=lambda draw: [(draw(3, 4), 0, wrap(np.array([[0, 1], [2, 1]])), draw(2, 2))],
)
def scatter_add(xp, input, dim, index, src):
    """A copy of `input` with `src` added at `index` along `dim`."""
    out = input.copy()
    if index.size:
        target, key, values = _aligned(out, dim, index, src)
        xp.add.at(target, key, values)
    return out


@composite(inplace=True)
def scatter(input, dim, index, src=None, *, value=None, reduce=None):
    """A copy of `input` with `src` (a tensor or a number) written at `index` along `dim`.

    >>> import penlight as torch
    >>> torch.zeros(2, 3).scatter(1, torch.tensor([[2], [0]]), 1.0)
    tensor([[0., 0., 1.],
            [1., 0., 0.]])
    """
    given = src if value is None else value
    if reduce is None:
        if not isinstance(given, Tensor):
            given = wrap(np.full(index._array.shape, given, input._array.dtype))
        return _scatter(input, dim, index, given)
    if reduce not in ("add", "multiply"):
        raise RuntimeError("reduce argument must be either add or multiply.")
    if not isinstance(given, Tensor):
        given = wrap(np.full(index._array.shape, given, input._array.dtype))
    kind = "sum" if reduce == "add" else "prod"
    return scatter_reduce(input, dim, index, given, kind)


_START = {"sum": 0, "mean": 0, "prod": 1, "amax": "low", "amin": "high"}


def _start_value(reduce: str, kind: np.dtype) -> Any:
    start = _START[reduce]
    if start == "low":
        return -np.inf if kind.kind == "f" else (False if kind.kind == "b" else np.iinfo(kind).min)
    if start == "high":
        return np.inf if kind.kind == "f" else (True if kind.kind == "b" else np.iinfo(kind).max)
    return start


def _check_reduce(reduce: str) -> None:
    if reduce not in _START:
        raise RuntimeError(
            f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}"
        )


def _reduced(xp: Any, out: Any, key: tuple, src: Any, reduce: str, include_self: bool) -> Any:
    """`out` with `src` combined into the positions of `key`."""
    if not include_self:
        out[key] = _start_value(reduce, out.dtype)
    combine = {"prod": xp.multiply, "amax": xp.maximum, "amin": xp.minimum}.get(reduce, xp.add)
    combine.at(out, key, src)
    if reduce == "mean":
        count = xp.zeros(out.shape, np.int64) if not include_self else xp.ones(out.shape, np.int64)
        xp.add.at(count, key, 1)
        count = xp.maximum(count, 1)
        divide = xp.floor_divide if out.dtype.kind in "iu" else xp.true_divide
        out = divide(out, count.astype(out.dtype))
    return out


def _reduce_grad(g, input, dim, index, src, reduce, include_self, y):
    """Gradients of scatter_reduce with respect to input and src; ties of amax and amin share."""
    touched = _scatter(wrap(np.zeros(input.shape, g._array.dtype)), dim, index, 1)
    if reduce in ("sum", "mean"):
        if reduce == "mean":
            ones = wrap(np.ones(index.shape, g._array.dtype))
            zero = wrap(np.full(input.shape, 1.0 if include_self else 0.0, g._array.dtype))
            g = g / zero.scatter_add(dim, index, ones).clamp(min=1)
        own = g if include_self else g * (1 - touched)
        return own, _crop_grad(g, dim, index, tuple(src.shape))
    part = _part(src, index)
    if reduce == "prod":
        return _prod_grad(g, input, dim, index, src, include_self, y, touched)
    hit_self = (input == y).to(g.dtype)
    if not include_self:
        hit_self = hit_self * (1 - touched)
    hit_src = (part == y.gather(dim, index)).to(g.dtype)
    ties = hit_self.scatter_add(dim, index, hit_src).clamp(min=1)
    share = g / ties
    own = share * hit_self
    if not include_self:
        own = g * (1 - touched)
    return own, _padded(share.gather(dim, index) * hit_src, src.shape)


def _part(src: Tensor, index: Tensor) -> Tensor:
    return src[tuple(slice(n) for n in index.shape)] if src.dim() else src


def _padded(part: Tensor, shape: tuple) -> Tensor:
    if tuple(part.shape) == tuple(shape):
        return part
    return _corner(part, tuple(shape))


def _prod_grad(g, input, dim, index, src, include_self, y, touched):
    """Products with one zero factor need the product of the others, so it is computed without
    zeros.
    """
    part = _part(src, index)
    start = input if include_self else input * (1 - touched) + touched
    zero_self, zero_src = (start == 0).to(g.dtype), (part == 0).to(g.dtype)
    zeros = zero_self.scatter_add(dim, index, zero_src)
    safe_self, safe_src = start + zero_self, part + zero_src
    nonzero = scatter_reduce(safe_self, dim, index, safe_src, "prod")

    def others(factor, is_zero, product, count):
        alone = (count == is_zero).to(g.dtype)  # no zero among the other factors
        return product / factor * alone

    own = g * others(safe_self, zero_self, nonzero, zeros)
    if not include_self:
        own = g * (1 - touched)
    spread = others(safe_src, zero_src, nonzero.gather(dim, index), zeros.gather(dim, index))
    return own, _padded(g.gather(dim, index) * spread, src.shape)


@op(
    grad=_reduce_grad,
    inputs=("input", "src"),
    check=_fits_scatter("scatter"),
    inplace=True,
    sample=lambda draw: [
        (draw(3, 4), 0, wrap(np.array([[0, 1], [2, 1]])), draw(2, 2), kind, include)
        for kind in ("sum", "prod", "mean", "amax", "amin")
        for include in (True, False)
    ],
)
def scatter_reduce(xp, input, dim, index, src, reduce, *, include_self=True):
    """`src` combined into `input` at `index` along `dim` by sum, prod, mean, amax or amin."""
    _check_reduce(reduce)
    out = input.copy()
    if index.size == 0:
        return out
    target, key, values = _aligned(out, dim, index, src)
    return _reduced(xp, target, key, values, reduce, include_self).reshape(input.shape)


# ---------------------------------------------------------------- whole slices at an index vector


def _vector_key(input: Any, dim: int, index: Any) -> tuple:
    return (slice(None),) * dim + (index,)


def _fits_index_select(input: Tensor, dim: int, index: Tensor) -> None:
    if index._array.ndim > 1:
        raise IndexError("index_select(): Index is supposed to be a vector")
    if index._array.dtype not in (np.int64, np.int32):
        raise RuntimeError("index_select(): Expected dtype int32 or int64 for index")
    dim = check_dim(dim, input._array.ndim)
    size = input._array.shape[dim] if input._array.ndim else 1
    if index._array.size and not (0 <= index._array.min() and index._array.max() < size):
        raise IndexError("index out of range in self")


@op(
    grad={
        "input": lambda g, input_shape, dim, index: wrap(
            np.zeros(input_shape, g._array.dtype)
        ).index_add(dim, index, g)
    },
    check=_fits_index_select,
    sample=lambda draw: [(draw(3, 4), 1, wrap(np.array([0, 0, 3])))],
)
def index_select(xp, input, dim, index):
    """The slices along `dim` that `index` names."""
    if input.ndim == 0:
        return input.copy()
    return xp.take(input, np.atleast_1d(index), check_dim(dim, input.ndim))


def _check_slices(name: str, input: Tensor, dim: int, index: Tensor, source: Tensor) -> int:
    """The axis; raises unless `source` holds one slice of `input` per index."""
    if index._array.ndim > 1:
        raise IndexError(f"{name}(): Index is supposed to be a vector, but got dim: "
                         f"{index.dim()} with type: "
                         f"{index.dtype.scalar_name} and size: {list(index.shape)}")  # fmt: skip
    if index._array.dtype not in (np.int64, np.int32):
        raise RuntimeError(
            f"{name}(): Expected dtype int32/int64 for index but got: {index.dtype.scalar_name}"
        )
    if input.dtype is not source.dtype:
        raise RuntimeError(
            f"{name}(): self ({input.dtype.scalar_name}) and source ({source.dtype.scalar_name}) "
            "must have the same scalar type"
        )
    own, given = input._array.shape, source._array.shape
    dim = check_dim(dim, len(own))
    count = given[dim] if given else 1
    if index._array.size != count:
        raise RuntimeError(
            f"{name}(): Number of indices ({index._array.size}) should be equal to "
            f"source.size(dim): ({count}), for dim: {dim}"
        )
    rest, others = list(own), list(given)
    if rest and others:
        rest[dim : dim + 1], others[dim : dim + 1] = [], []
    if rest != others:
        raise RuntimeError(
            f"{name}(): Source/destination tensor must have same slice shapes. Destination slice "
            f"shape: {rest} at dimension {dim} and source slice shape: {others} at dimension 0."
        )
    size = own[dim] if own else 1
    if index._array.size:
        _check_range(index._array, size, dim, IndexError, f"{name}(): ")
    return dim


@op(
    grad={
        "input": lambda g: g,
        "source": lambda g, dim, index, alpha, source_shape: (
            g.index_select(dim, index) * alpha
        ).reshape(source_shape),
    },
    check=lambda input, dim, index, source, alpha: _check_slices(
        "index_add_", input, dim, index, source
    ),
    inplace=True,
    sample=lambda draw: [(draw(3, 4), 0, wrap(np.array([0, 0])), draw(2, 4), 2.0)],
)
def index_add(xp, input, dim, index, source, *, alpha=1):
    """A copy of `input` with alpha · (slices of `source`) added where `index` says."""
    out = input.copy()
    scaled = source if alpha == 1 else source * source.dtype.type(alpha)
    if input.ndim == 0:
        return out + scaled.sum().astype(out.dtype)
    dim = check_dim(dim, input.ndim)
    xp.add.at(out, _vector_key(input, dim, np.atleast_1d(index)), scaled)
    return out


@op(
    grad={
        "input": lambda g, dim, index: g.index_fill(dim, index, 0),
        "source": lambda g, dim, index, source_shape: g.index_select(dim, index).reshape(
            source_shape
        ),
    },
    check=lambda input, dim, index, source: _check_slices("index_copy_", input, dim, index, source),
    inplace=True,
    sample=lambda draw: [(draw(3, 4), 0, wrap(np.array([2, 0])), draw(2, 4))],
)
def index_copy(xp, input, dim, index, source):
    """A copy of `input` with slices of `source` written where `index` says."""
    out = input.copy()
    if input.ndim == 0:
        return source.reshape(()).copy()
    out[_vector_key(input, check_dim(dim, input.ndim), np.atleast_1d(index))] = source
    return out


@op(
    grad={"input": lambda g, dim, index: _index_fill(g, dim, index, 0)},
    sample=lambda draw: [(draw(3, 4), 0, wrap(np.array([2, 0])), 1.5)],
)
def _index_fill(xp, input, dim, index, value):
    out = input.copy()
    if input.ndim == 0:
        out[...] = value
        return out
    dim = check_dim(dim, input.ndim)
    _check_range(index, input.shape[dim], dim, IndexError, low=-input.shape[dim])
    out[_vector_key(input, dim, np.atleast_1d(index))] = value
    return out


@composite(inplace=True)
def index_fill(input, dim, index, value):
    """A copy of `input` with the slices that `index` names set to `value`."""
    if index._array.dtype not in (np.int64, np.int32):
        raise IndexError("index_fill_(): Expected dtype int64 for index.")
    if index._array.ndim > 1:
        raise IndexError("Index has to be a vector/scalar")
    if isinstance(value, Tensor):
        if value._array.ndim:
            raise RuntimeError(
                "index_fill_ only supports a 0-dimensional value tensor, but got tensor with "
                f"{value._array.ndim} dimension(s)."
            )
        if value.requires_grad:
            mask = _index_fill(wrap(np.zeros(input._array.shape, bool)), dim, index, True)
            return where(mask, value.to(input.dtype), input)
        value = value._array
    return _index_fill(input, dim, index, value)


@composite(inplace=True)
def index_reduce(input, dim, index, source, reduce, *, include_self=True):
    """Slices of `source` combined into `input` where `index` says: prod, mean, amax or amin."""
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise RuntimeError(
            "index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got "
            f"{reduce}."
        )
    dim = _check_slices("index_reduce", input, dim, index, source)
    if input._array.ndim == 0:
        whole = index_reduce(input.unsqueeze(0), 0, index.reshape(-1), source.reshape(1), reduce,
                             include_self=include_self)  # fmt: skip
        return whole.squeeze(0)
    shape = [1] * input._array.ndim
    shape[dim] = -1
    spread = wrap(index._array.astype(np.int64)).reshape(shape).expand(source._array.shape)
    return scatter_reduce(input, dim, spread, source, reduce, include_self=include_self)


# ---------------------------------------------------------------- by the flat position


def _check_flat(name: str, input: Tensor, index: Tensor) -> None:
    if index._array.dtype not in (np.int64,):
        raise RuntimeError(
            f"{name}(): Expected a long tensor for index, but got {index.dtype.scalar_name}"
        )
    size = input._array.size
    if index._array.size:
        if size == 0:
            raise IndexError(f"{name}(): tried to {name} from an empty tensor" if name == "take"
                             else "put_(): tried to put elements into an empty tensor")  # fmt: skip
        low, high = int(index._array.min()), int(index._array.max())
        if high >= size or low < -size:
            worst = high if high >= size else low
            raise IndexError(
                f"out of range: tried to access index {worst} on a tensor of {size} elements."
            )


@op(
    grad={
        "input": lambda g, input_shape, index: wrap(np.zeros(input_shape, g._array.dtype)).put(
            index, g, True
        )
    },
    check=lambda input, index: _check_flat("take", input, index),
    sample=lambda draw: [(draw(3, 4), wrap(np.array([0, 5, -1])))],
)
def take(xp, input, index):
    """Elements by their position in the flattened tensor."""
    return input.reshape(-1)[index]


def _fits_put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool) -> None:
    if input.dtype is not source.dtype:
        raise RuntimeError(
            f"put_(): self and source expected to have the same dtype, but got self.dtype = "
            f"{input.dtype.scalar_name} and source.dtype = {source.dtype.scalar_name}"
        )
    _check_flat("put_", input, index)
    if source._array.size != index._array.size:
        raise IndexError(
            "put_(): Expected source and index to have the same number of elements, but got "
            f"source.numel() = {source._array.size}, index.numel() = {index._array.size}"
        )


@op(
    grad={
        "input": lambda g, index, accumulate: (
            g if accumulate else g.put(index, wrap(np.zeros(index.shape, g._array.dtype)))
        ),
        "source": lambda g, index, source_shape: g.take(index).reshape(source_shape),
    },
    names="Tensor.put",
    check=_fits_put,
    inplace=True,
    sample=lambda draw: [(draw(3, 4), wrap(np.array([0, 5])), draw(2), True)],
)
def put(xp, input, index, source, accumulate=False):
    """A copy with `source` written (or added) at flat positions."""
    flat = input.flatten()  # always a copy
    if accumulate:
        xp.add.at(flat, index.reshape(-1), source.reshape(-1))
    else:
        flat[index.reshape(-1)] = source.reshape(-1)
    return flat.reshape(input.shape)


@composite
def take_along_dim(input, indices, dim=None):
    """Like gather, with input and indices broadcast along the other axes."""
    if indices._array.dtype not in (np.int64, np.int32):
        raise RuntimeError(
            "torch.take_along_dim(): dtype of indices should be Long but got "
            f"{indices.dtype.scalar_name}"
        )
    if dim is None:
        return input.reshape(-1).gather(0, _from_front(indices.reshape(-1), input._array.size))
    if input._array.ndim != indices._array.ndim:
        raise RuntimeError(
            "torch.take_along_dim(): input and indices should have the same number of dimensions, "
            f"but got {input._array.ndim} dimensions for input, and {indices._array.ndim} "
            "dimensions for indices"
        )
    dim = check_dim(dim, input._array.ndim)
    own, ind = list(input._array.shape), list(indices._array.shape)
    own[dim], ind[dim] = 1, 1
    check_broadcast(tuple(own), tuple(ind))
    both = [max(m, n) if 0 not in (m, n) else 0 for m, n in zip(own, ind)]
    size, count = list(both), list(both)
    size[dim], count[dim] = input._array.shape[dim], indices._array.shape[dim]
    return input.expand(size).gather(dim, _from_front(indices.expand(count), size[dim]))


def _from_front(indices: Tensor, size: int) -> Tensor:
    """Negative indices counted from the front."""
    array = indices._array
    return wrap(np.where(array < 0, array + size, array))


# ---------------------------------------------------------------- masks


def _check_mask(name: str, mask: Tensor) -> None:
    if mask._array.dtype != bool:
        raise RuntimeError(
            f"{name} only supports boolean masks, but got mask with dtype "
            f"{_c_names().get(mask.dtype.name, mask.dtype.name)}"
        )


def _c_names() -> dict:
    from .matmul import C_NAMES

    return C_NAMES


@op(
    grad={
        "input": lambda g, mask: _masked_fill(g, mask, 0),
    },
    node="MaskedFillBackward0",
    sample=lambda draw: [(draw(3, 4), wrap(np.eye(3, 4) > 0), 2.0)],
)
def _masked_fill(xp, input, mask, value):
    shape = np.broadcast_shapes(input.shape, mask.shape)
    out = xp.broadcast_to(input, shape).copy()
    xp.copyto(out, xp.asarray(value).astype(out.dtype), where=mask)
    return out


@composite(inplace=True)
def masked_fill(input, mask, value):
    """A copy with `value` where `mask` is true.

    >>> import penlight as torch
    >>> torch.zeros(3).masked_fill(torch.tensor([True, False, True]), 7)
    tensor([7., 0., 7.])
    """
    _check_mask("masked_fill_", mask)
    check_broadcast(input._array.shape, mask._array.shape)
    if isinstance(value, Tensor):
        if value._array.ndim:
            raise RuntimeError(
                "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with "
                f"{value._array.ndim} dimension(s)."
            )
        if value.requires_grad:
            return where(mask, value.to(input.dtype), input)
        value = value._array.item()
    if isinstance(value, float) and input._array.dtype.kind in "iub" and value != int(value):
        raise RuntimeError(
            f"value cannot be converted to type {_c_names()[input.dtype.name]} without overflow"
        )
    return _masked_fill(input, mask, value)


@op(
    grad={"input": lambda g, input_shape, mask: _spread(g, input_shape, mask)},
    sample=lambda draw: [(draw(3, 4), wrap(np.eye(3, 4) > 0))],
)
def masked_select(xp, input, mask):
    """The elements where `mask` is true, as a vector."""
    if mask.dtype != bool:
        raise RuntimeError("masked_select: expected BoolTensor for mask")
    check_broadcast(input.shape, mask.shape)
    input, mask = xp.broadcast_arrays(input, mask)
    return input[mask]


def _spread(g: Tensor, shape: tuple, mask: Tensor) -> Tensor:
    full = np.broadcast_shapes(shape, mask._array.shape)
    zeros = wrap(np.zeros(full, g._array.dtype))
    return zeros.masked_scatter(mask, g)


@op(
    grad={
        "input": lambda g, mask: _masked_fill(g, mask, 0),
        "source": lambda g, mask, source_shape: _collected(g, mask, source_shape),
    },
    inplace=True,
    sample=lambda draw: [(draw(3, 4), wrap(np.eye(3, 4) > 0), draw(5))],
)
def masked_scatter(xp, input, mask, source):
    """A copy whose elements where `mask` is true come from `source`, in order."""
    if mask.dtype != bool:
        raise RuntimeError("masked_scatter_ only supports boolean masks, but got mask with dtype "
                           + _c_names().get(wrap(mask).dtype.name, ""))  # fmt: skip
    if input.dtype != source.dtype:
        raise RuntimeError(
            "masked_scatter: expected self and source to have same dtypes but got "
            f"{wrap(input).dtype.scalar_name} and {wrap(source).dtype.scalar_name}"
        )
    check_broadcast(input.shape, mask.shape)
    shape = np.broadcast_shapes(input.shape, mask.shape)
    out, mask = xp.broadcast_to(input, shape).copy(), xp.broadcast_to(mask, shape)
    count = int(mask.sum())
    if source.size < count:
        raise RuntimeError(
            "masked_scatter: expected the number of elements in source to be at least the number "
            f"of true elements in mask, got {source.size} and {count}"
        )
    out[mask] = source.reshape(-1)[:count]
    return out


def _collected(g: Tensor, mask: Tensor, shape: tuple) -> Tensor:
    """The gradient of masked_scatter's source: what was taken, then zeros."""
    taken = g.masked_select(mask)
    size = int(np.prod(shape))
    if taken._array.size < size:
        taken = _corner(taken, (size,))
    return taken.reshape(shape)


# ---------------------------------------------------------------- where


@op(
    name="_where",
    node="WhereBackward0",
    grad={
        "input": lambda g, condition: _masked_fill(g, condition.logical_not(), 0),
        "other": lambda g, condition: _masked_fill(g, condition, 0),
    },
    promote=("input", "other"),
    sample=lambda draw: [(wrap(np.eye(3, 4) > 0), draw(3, 4), draw(4))],
)
def _where(xp, condition, input, other):
    try:
        return xp.where(condition, input, other)
    except ValueError:
        check_broadcast(condition.shape, input.shape)
        check_broadcast(np.broadcast_shapes(condition.shape, input.shape), other.shape)
        raise


@composite(names="torch.where")
def where(condition, input=None, other=None):
    """`input` where the condition holds, else `other`; alone, the condition's true positions.

    >>> import penlight as torch
    >>> torch.where(torch.tensor([True, False]), torch.tensor([1.0, 2.0]), 0)
    tensor([1., 0.])
    """
    if input is None and other is None:
        return nonzero(condition, as_tuple=True)
    if condition._array.dtype == np.uint8:
        condition = wrap(condition._array != 0)
    if condition._array.dtype != bool:
        raise RuntimeError(
            "where expected condition to be a boolean tensor, but got a tensor with dtype "
            f"{condition.dtype.scalar_name}"
        )
    return _where(condition, input, other)


def _where_method(self: Tensor, condition: Tensor, other: Any) -> Tensor:
    """This tensor where the condition holds, else `other`."""
    return where(condition, self, other)


Tensor.where = _where_method  # type: ignore[attr-defined]


@composite
def nonzero(input, *, as_tuple=False):
    """Positions of the elements that are not zero: one row each, or a tuple of index vectors.

    >>> import penlight as torch
    >>> torch.nonzero(torch.tensor([0, 3, 0, 4]))
    tensor([[1],
            [3]])
    """
    array = input._array
    if as_tuple:
        found = np.nonzero(np.atleast_1d(array))
        return tuple(wrap(i) for i in found)
    if array.ndim == 0:
        return wrap(np.zeros((int(array != 0), 0), np.int64))
    return wrap(np.argwhere(array != 0).astype(np.int64, copy=False).reshape(-1, array.ndim))


@composite
def argwhere(input):
    """Positions of the elements that are not zero, one row each."""
    return nonzero(input)
