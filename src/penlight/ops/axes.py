"""The order of axes, axes of length 1, and parts: the forms in which users ask for them.

What they stand for is in `views.py`.
"""

from __future__ import annotations

import warnings
from typing import Any

from ..core import dtype as dtypes
from ..core.tensor import Tensor, check_dim
from .arguments import ints, need_tensor, with_keyword
from .exposure import expose
from .families import composite
from .shape import reshape, unpacked
from .views import (
    _as_strided,
    _permute,
    _squeeze_all,
    _squeeze_dim,
    _squeeze_dims,
    geometry,
    select,
    slice_along,
    transpose,
    unfold,
    view_as_real,
)

expose(unfold, "Tensor.unfold")

# ---------------------------------------------------------------- order of axes


@composite(names="torch.swapaxes Tensor.swapaxes")
def swapaxes(input, axis0, axis1):
    """Two axes exchanged: :func:`transpose` under NumPy's name."""
    return transpose(input, axis0, axis1)


@composite(names="torch.swapdims Tensor.swapdims")
def swapdims(input, dim0, dim1):
    """Two axes exchanged: :func:`transpose` under another name."""
    return transpose(input, dim0, dim1)


@composite(names="torch.permute")
def permute(input, dims):
    """The axes in another order.

    >>> import penlight as torch
    >>> torch.permute(torch.zeros(2, 3, 4), (2, 0, 1)).shape
    torch.Size([4, 2, 3])
    """
    dims = ints("permute", "dims", (dims,), 2)
    ndim = input._array.ndim
    if len(dims) != ndim:
        raise RuntimeError(
            "permute(sparse_coo): number of dimensions in the tensor input does not match the "
            f"length of the desired ordering of dimensions i.e. input.dim() = {ndim} is not equal "
            f"to len(dims) = {len(dims)}"
        )
    dims = tuple([check_dim(d, ndim) for d in dims])
    if len(set(dims)) != ndim:
        raise RuntimeError("permute(): duplicate dims are not allowed.")
    return _permute(input, dims)


def _permute_method(self: Tensor, *dims: Any) -> Tensor:
    return permute(self, dims[0] if len(dims) == 1 and not isinstance(dims[0], int) else dims)


_permute_method.__name__ = "permute"
expose(with_keyword(_permute_method, "dims"), "Tensor.permute")


@composite(names="torch.movedim Tensor.movedim torch.moveaxis Tensor.moveaxis")
def movedim(input, source, destination):
    """The axes `source` at the positions `destination`, the others in their order.

    >>> import penlight as torch
    >>> torch.movedim(torch.zeros(2, 3, 4), 0, -1).shape
    torch.Size([3, 4, 2])
    """
    source, destination = ints("movedim", "source", (source,)), ints("movedim", "", (destination,))
    if len(source) != len(destination):
        raise RuntimeError(
            f"movedim: Invalid source or destination dims: source ({list(source)} dims) should "
            f"contain the same number of dims as destination ({list(destination)} dims)"
        )
    ndim = input._array.ndim
    start = [check_dim(d, ndim) for d in source]
    goal = [check_dim(d, ndim) for d in destination]
    for name, given, dims in (("source", source, start), ("destination", destination, goal)):
        if len(set(dims)) != len(dims):
            raise RuntimeError(f"movedim: repeated dim in `{name}` ({list(given)})")
    if ndim == 0:
        return _permute(input, ())
    order = [d for d in range(ndim) if d not in start]
    for at, dim in sorted(zip(goal, start, strict=True)):
        order.insert(at, dim)
    return _permute(input, tuple(order))


def _reversed_axes(self: Tensor) -> Tensor:
    """The axes in reverse order."""
    ndim = self._array.ndim
    if ndim == 0:
        return _unturned(self, "Tensor.T", "This function is the identity in these cases.")
    if ndim != 2:
        warnings.warn(
            "The use of `x.T` on tensors of dimension other than 2 to reverse their shape is "
            "deprecated and it will throw an error in a future release. Consider `x.mT` to "
            "transpose batches of matrices or `x.permute(*torch.arange(x.ndim - 1, -1, -1))` to "
            "reverse the dimensions of a tensor.",
            UserWarning,
            stacklevel=2,
        )
    return _permute(self, tuple(range(ndim - 1, -1, -1)))


def _unturned(self: Tensor, name: str, advice: str) -> Tensor:
    """A 0-d tensor has no axes to exchange."""
    warnings.warn(f"{name} is deprecated on 0-D tensors. {advice}", UserWarning, stacklevel=3)
    return self


def _turned(self: Tensor, name: str, advice: str) -> Tensor:
    ndim = self._array.ndim
    if ndim == 0:
        return _unturned(self, name.replace("tensor.", "Tensor."), advice)
    if ndim == 1:
        raise RuntimeError(
            f"{name} is only supported on matrices or batches of matrices. Got 1-D tensor."
        )
    return transpose(self, -2, -1)


def _matrix_transpose(self: Tensor) -> Tensor:
    """The last two axes exchanged."""
    return _turned(self, "tensor.mT", "This function is the identity in these cases.")


def _conjugated(self: Tensor) -> Tensor:
    return self.conj() if self.dtype.is_complex else self


def _conjugate_transpose(self: Tensor) -> Tensor:
    """The last two axes exchanged, complex numbers conjugated."""
    return _conjugated(_turned(self, "tensor.mH", "Consider using x.conj()."))


def _matrix_conjugate_transpose(self: Tensor) -> Tensor:
    """The axes of a matrix exchanged, complex numbers conjugated."""
    ndim = self._array.ndim
    if ndim not in (0, 2):
        raise RuntimeError(
            f"tensor.H is only supported on matrices (2-D tensors). Got {ndim}-D tensor."
            + (" For batches of matrices, consider using tensor.mH" if ndim > 2 else "")
        )
    return _conjugated(_turned(self, "tensor.H", "Consider using x.conj()."))


@composite
def adjoint(input):
    """The last two axes exchanged, complex numbers conjugated."""
    name = "tensor.adjoint()" if input._array.ndim else "adjoint()"
    return _conjugated(_turned(input, name, "Consider using x.conj()."))


for _name, _get in (
    ("T", _reversed_axes),
    ("mT", _matrix_transpose),
    ("mH", _conjugate_transpose),
    ("H", _matrix_conjugate_transpose),
):
    setattr(Tensor, _name, property(_get))

# ---------------------------------------------------------------- axes of length 1


@composite
def squeeze(input, dim=None):
    """Without its axes of length 1, or without those named that have length 1.

    >>> import penlight as torch
    >>> torch.squeeze(torch.zeros(1, 3, 1)).shape, torch.squeeze(torch.zeros(1, 3, 1), 0).shape
    (torch.Size([3]), torch.Size([3, 1]))
    """
    need_tensor("squeeze", input)
    if dim is None:
        return _squeeze_all(input)
    if isinstance(dim, int):
        return _squeeze_dim(input, dim)
    return _squeeze_dims(input, ints("squeeze", "dim", (dim,), 2))


def _at_least(rank: int, widen: Any) -> Any:
    def at_least(*tensors: Any) -> Any:
        if len(tensors) == 1 and isinstance(tensors[0], Tensor):
            return widen(tensors[0])
        return tuple(widen(x) for x in unpacked(tensors))

    at_least.__name__ = at_least.__qualname__ = f"atleast_{rank}d"
    at_least.__doc__ = f"The tensor, or each of several, with at least {rank} axes."
    expose(at_least, f"torch.{at_least.__name__}")
    return at_least


def _widen_1d(x: Tensor) -> Tensor:
    return x if x._array.ndim else reshape(x, 1)


def _widen_2d(x: Tensor) -> Tensor:
    return x if x._array.ndim > 1 else reshape(x, 1, 1) if x._array.ndim == 0 else x.unsqueeze(0)


def _widen_3d(x: Tensor) -> Tensor:
    ndim = x._array.ndim
    if ndim == 0:
        return reshape(x, 1, 1, 1)
    if ndim == 1:
        return x.unsqueeze(0).unsqueeze(-1)
    return x.unsqueeze(-1) if ndim == 2 else x


atleast_1d, atleast_2d, atleast_3d = (
    _at_least(1, _widen_1d),
    _at_least(2, _widen_2d),
    _at_least(3, _widen_3d),
)

# ---------------------------------------------------------------- parts


@composite
def narrow(input, dim, start, length):
    """`length` elements from `start` along `dim`.

    >>> import penlight as torch
    >>> torch.narrow(torch.arange(5), 0, 1, 3)
    tensor([1, 2, 3])
    """
    if input._array.ndim == 0:
        raise RuntimeError("narrow() cannot be applied to a 0-dim tensor.")
    if isinstance(start, Tensor) and (start._array.ndim or start.dtype.category != dtypes.INTEGER):
        raise RuntimeError("start must be an 0-dim integral Tensor.")
    start = start.__index__()
    if length < 0:
        raise RuntimeError("narrow(): length must be non-negative.")
    size = input._array.shape[check_dim(dim, input._array.ndim)]
    if not -size <= start <= size:
        raise IndexError(
            f"start out of range (expected to be in range of [-{size}, {size}], but got {start})"
        )
    if start < 0:
        start += size
    if start + length > size:
        raise RuntimeError(f"start ({start}) + length ({length}) exceeds dimension size ({size}).")
    return slice_along(input, dim, start, start + length, 1)


@composite
def as_strided(input, size, stride, storage_offset=None):
    """A view with any sizes and strides of the storage behind the tensor; offset in elements.

    >>> import penlight as torch
    >>> torch.as_strided(torch.arange(4), (2, 2), (1, 2))
    tensor([[0, 2],
            [1, 3]])
    """
    size, stride = (
        ints("as_strided", "size", (size,), 2),
        ints("as_strided", "stride", (stride,), 3),
    )
    if len(size) != len(stride):
        raise RuntimeError("mismatch in length of strides and shape")
    if any(s < 0 for s in stride):
        raise RuntimeError(
            "as_strided: Negative strides are not supported at the moment, "
            f"got strides: {list(stride)}"
        )
    if any(n < 0 for n in size):
        raise RuntimeError(
            f"Storage size calculation overflowed with sizes={list(size)} and "
            f"strides={list(stride)}"
        )
    origin = geometry(input._array)
    offset = origin[2] if storage_offset is None else storage_offset
    return _as_strided(input, size, stride, offset, origin)


# ---------------------------------------------------------------- parts of complex numbers


@composite(names="torch.real")
def real(input):
    """The real parts; a real tensor itself."""
    return select(view_as_real(input), -1, 0) if input.dtype.is_complex else input


@composite(names="torch.imag")
def imag(input):
    """The imaginary parts of a complex tensor."""
    if not input.dtype.is_complex:
        raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")
    return select(view_as_real(input), -1, 1)


def _set_part(part: Any) -> Any:
    def set_part(self: Tensor, value: Any) -> None:
        part(self).copy_(value)

    return set_part


Tensor.real = property(real, _set_part(real))  # type: ignore[attr-defined]
Tensor.imag = property(imag, _set_part(imag))  # type: ignore[attr-defined]
