"""Where an op appears: torch.x, Tensor.x, nn.functional.x; its in-place form and its `out=`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..compiler import numerics
from ..core import dtype as dtypes
from ..core.tape import modes
from ..core.tensor import Tensor, check_writable, wrap, written
from ..core.watch import note_assign, refuse, tracers
from .quiet import quiet
from .record import Record

TABLE: dict[str, Record] = {}  # op name -> record
EXPOSED: dict[
    str, dict[str, Callable]
] = {}  # namespace ("torch", "linalg", ...) -> name -> function


def lacks(namespace: str) -> Callable[[str], Any]:
    """The `__getattr__` of a module that collects a namespace: names what penlight lacks."""

    def __getattr__(name: str) -> Any:
        raise AttributeError(
            f"module 'torch.{namespace}' has no attribute '{name}': penlight lacks it"
        )

    return __getattr__


def expose(
    function: Callable, names: str | Sequence[str], inplace: Record | Callable | bool = False
) -> None:
    """Makes `function` appear under dotted names: torch.x, Tensor.x, special.x, nn.functional.x.

    `inplace` asks for Tensor.x_ as well; a record or a `direct` function (see `in_place`) makes it
    cheaper.
    """
    for dotted in names.split() if isinstance(names, str) else names:
        where, _, name = dotted.rpartition(".")
        if where == "Tensor":
            setattr(Tensor, name, function)
            if inplace:
                record = inplace if isinstance(inplace, Record) else None
                direct = inplace if callable(inplace) else None
                setattr(Tensor, name + "_", in_place(function, name + "_", record, direct))
        else:
            EXPOSED.setdefault(where, {})[name] = function


def in_place(
    function: Callable,
    name: str,
    record: Record | None = None,
    direct: Callable[..., bool] | None = None,
) -> Callable:
    """The in-place form of an op: compute, check that it fits, overwrite, adopt the history.

    Where no history is involved, `direct(self, *args)` may write the result itself, without a
    temporary; it says whether it did. A record whose meaning is a named array function has that by
    nature.
    """
    if direct is None and record is not None and record.ufunc is not None and not record.check:
        direct = _direct(record.ufunc)

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        check_writable(self)
        source = self
        if self.requires_grad and modes.grad:
            keep = record is None or record.saves_input  # the rule needs the old values
            if tracers:
                source = self.detach().clone()  # type: ignore[attr-defined]
            else:
                source = wrap(self._array.copy() if keep else self._array)
            source._requires_grad, source._node = True, self._node
            source._slot = self._slot
        elif direct is not None and not tracers and self._array.dtype.kind == "f" and _plain(args):
            if direct(self, *args, **kwargs):
                return written(self)
        return assign(self, function(source, *args, **kwargs))

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"In-place form of :func:`{name[:-1]}`."
    return method


def _plain(args: tuple) -> bool:
    """Whether no argument brings a history along."""
    return not modes.grad or not any(isinstance(a, Tensor) and a.requires_grad for a in args)


def _direct(ufunc: Any) -> Callable[..., bool]:
    """Writes ufunc(x) or ufunc(x, y) into a float x where y has the same type and a fitting
    shape.
    """

    @quiet
    def direct(self: Tensor, *args: Any) -> bool:
        x, compute = self._array, getattr(numerics, ufunc.__name__)
        if len(args) == ufunc.nin - 1 == 0:
            compute(x, out=x)
            return True
        if len(args) != 1 or ufunc.nin != 2:
            return False
        y = args[0]
        if isinstance(y, Tensor):
            y = y._array
            if y.dtype is not x.dtype or (y.shape != x.shape and y.ndim):
                return False
        elif type(y) is int or type(y) is float:
            y = x.dtype.type(y)
        else:
            return False
        compute(x, y, out=x)
        return True

    return direct


def assign(target: Tensor, value: Tensor) -> Tensor:
    """Writes `value` into `target`'s memory; shape and category must fit."""
    into, array = target._array, value._array
    if into.shape != array.shape:
        raise RuntimeError(
            f"output with shape {list(into.shape)} doesn't match the broadcast shape "
            f"{list(array.shape)}"
        )
    if into.dtype is not array.dtype and not dtypes.can_cast(value.dtype, target.dtype):
        raise RuntimeError(
            f"result type {value.dtype.scalar_name} can't be cast to the desired output type "
            f"{target.dtype.scalar_name}"
        )
    into[...] = array
    if tracers:
        note_assign(target, value)
    return written(target, value)


def into_out(out: Any, value: Any) -> Any:
    """Stores a result in the tensors given as `out=`, resizing them where needed."""
    if isinstance(out, (tuple, list)):
        pairs = [into_out(o, v) for o, v in zip(out, value)]
        return type(value)(*pairs) if hasattr(value, "_fields") else tuple(pairs)
    if not isinstance(out, Tensor):
        raise TypeError(f"argument 'out' must be Tensor, not {type(out).__name__}")
    if modes.grad and (out.requires_grad or value.requires_grad):
        raise RuntimeError(
            "functions with out=... arguments don't support automatic differentiation, but one of "
            "the arguments requires grad."
        )
    check_writable(out)
    if not dtypes.can_cast(value.dtype, out.dtype):
        raise RuntimeError(
            f"result type {value.dtype.scalar_name} can't be cast to the desired output type "
            f"{out.dtype.scalar_name}"
        )
    if out._array.shape != value._array.shape:
        refuse("an out= tensor changes its shape")
        out._array = value._array.astype(out._array.dtype)
        return written(out)
    out._array[...] = value._array
    if tracers:
        note_assign(out, value)
    return written(out)


def documented(function: Callable, name: str, doc: str | None, record: Record | None) -> Any:
    """Gives a made function its name, its text and its record."""
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    if record is not None:
        record.function = function
        function.record = record  # type: ignore[attr-defined]
        TABLE[record.name] = record
    return function
