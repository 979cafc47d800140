"""The same values as another type, on another device, in another order of memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..core import dtype as dtypes
from ..core.device import device, resolve
from ..core.formats import contiguous_format, memory_format, preserve_format
from ..core.memory import copied, is_laid_out
from ..core.tensor import Tensor
from .arguments import as_dtype, need_tensor
from .cast import cast
from .exposure import expose
from .families import composite, op


@op(
    grad={"input": lambda g: g}, node="ToCopyBackward0",
    lower=lambda xp, input, dtype, form=None: input.astype(dtype),
)  # fmt: skip
def _to_copy(xp, input, dtype, form=None):
    converted = cast(input, dtype)
    return copied(converted, form) if converted is input or form is not None else converted


def convert(input: Tensor, dtype: dtypes.dtype, copy: bool = False, form: Any = None) -> Tensor:
    """The tensor in `dtype`: itself where it has it already and no copy is asked for."""
    array = input._array
    if array.dtype is dtype.np or array.dtype == dtype.np:
        if not copy and (form is None or form is preserve_format or is_laid_out(array, form)):
            return input
    return _to_copy(input, dtype.np, form)


def to(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """to(dtype), to(device, dtype), to(other): the tensor in another type or place.

    The options are non_blocking, copy and memory_format; the result is the tensor itself where
    nothing changes and `copy` is not set.

    >>> import penlight as torch
    >>> torch.tensor([1.5, 2.0]).to(torch.int64)
    tensor([1, 2])
    """
    if len(args) == 1 and not kwargs and type(args[0]) is dtypes.dtype:
        return convert(self, args[0])
    wanted = read_to_arguments(args, kwargs)
    if wanted["device"] is not None:
        resolve(wanted["device"])
    kind = self.dtype if wanted["dtype"] is None else wanted["dtype"]
    return convert(self, kind, bool(wanted["copy"]), wanted["memory_format"])


_OPTIONS = ("device", "dtype", "non_blocking", "copy", "memory_format")


def read_to_arguments(args: tuple, kwargs: dict) -> dict[str, Any]:
    """The arguments of `to`, in any of its forms, by name; those not given are None."""
    given: dict[str, Any] = dict.fromkeys(_OPTIONS)
    every = args
    first = args[0] if args else kwargs.get("other")
    rest: tuple[str, ...] = ("non_blocking", "copy")
    if isinstance(first, Tensor):
        given["device"], given["dtype"] = first.device, first.dtype
        kwargs = {name: value for name, value in kwargs.items() if name != "other"}
        args = args[1:]
    elif isinstance(first, (dtypes.dtype, type)):
        given["dtype"], args = as_dtype("to", first), args[1:]
    else:
        rest = _OPTIONS[:4]
    fits = len(args) <= len(rest) and all(
        name in _OPTIONS and name not in rest[: len(args)] for name in kwargs
    )
    named = dict(zip(rest, args, strict=False)) | kwargs
    if named.get("dtype") is not None:
        named["dtype"] = as_dtype("to", named["dtype"])
    place, form = named.get("device"), named.get("memory_format")
    fits = fits and (place is None or isinstance(place, (str, int, device)))
    fits = fits and (form is None or isinstance(form, memory_format))
    fits = fits and all(isinstance(named.get(n), (bool, type(None))) for n in rest[-2:])
    if not fits:
        got = ", ".join(
            [type(a).__name__ for a in every]
            + [f"{k}={type(v).__name__}" for k, v in kwargs.items()]
        )
        raise TypeError(
            f"to() received an invalid combination of arguments - got ({got}), "
            "but expected one of:\n"
            " * (torch.device device = None, torch.dtype dtype = None, bool non_blocking = False, "
            "bool copy = False, *, torch.memory_format memory_format = None)\n"
            " * (torch.dtype dtype, bool non_blocking = False, bool copy = False, *, "
            "torch.memory_format memory_format = None)\n"
            " * (Tensor tensor, bool non_blocking = False, bool copy = False, *, "
            "torch.memory_format memory_format = None)\n"
        )
    return given | {name: value for name, value in named.items() if value is not None}


expose(to, "Tensor.to")


def _as_type(name: str, target: dtypes.dtype) -> None:
    def converted(self: Tensor, memory_format: Any = None) -> Tensor:
        return convert(self, target, form=memory_format)

    converted.__name__ = converted.__qualname__ = name
    converted.__doc__ = f"The tensor as {target}; itself if it is one already."
    expose(converted, f"Tensor.{name}")


for _kind in dtypes.ALL:
    for _name in (_kind.name, _kind.alias) if _kind.alias else (_kind.name,):
        if _name in {"bool", "bfloat16", "half", "float", "double", "short", "int", "long",
                     "chalf", "cfloat", "cdouble"}:  # fmt: skip
            _as_type(_name, _kind)
_as_type("byte", dtypes.uint8)
_as_type("char", dtypes.int8)


@composite(names="Tensor.type")
def type_(self, dtype=None, non_blocking=False):
    """The name of the tensor's type; with an argument, the tensor as that type.

    >>> import penlight as torch
    >>> torch.zeros(1).type(), torch.zeros(1).type(torch.int64).type()
    ('torch.FloatTensor', 'torch.LongTensor')
    """
    if dtype is None:
        return f"torch.{self.dtype.scalar_name}Tensor"
    if isinstance(dtype, dtypes.dtype):
        return convert(self, dtype)
    name = dtype if isinstance(dtype, str) else getattr(dtype, "__name__", str(dtype))
    found = TENSOR_TYPES.get(name.removeprefix("torch.").removesuffix("Tensor"))
    if found is None or not name.endswith("Tensor"):
        raise ValueError(f"invalid type: '{name}'")
    return convert(self, found)


TENSOR_TYPES = {d.scalar_name: d for d in dtypes.ALL}


@composite(names="Tensor.type_as")
def type_as(self, other):
    """The tensor in the type of `other`."""
    need_tensor("type_as", other, "other")
    return convert(self, other.dtype)


@composite(names="Tensor.contiguous")
def contiguous(self, memory_format=contiguous_format):
    """The tensor in row-major order (or another format): itself where it is so already.

    >>> import penlight as torch
    >>> torch.zeros(2, 3).t().contiguous().stride()
    (2, 1)
    """
    if memory_format is preserve_format:
        raise RuntimeError("preserve memory format is unsupported by the contiguous operator")
    return (
        self if is_laid_out(self._array, memory_format) else self.clone(memory_format=memory_format)
    )


@composite(names="Tensor.cpu")
def cpu(self, memory_format=preserve_format):
    """The tensor in main memory: itself."""
    return convert(self, self.dtype, form=memory_format)


def _cuda(self: Tensor, place: Any = None, *args: Any, **kwargs: Any) -> Tensor:
    """The tensor on a GPU, where there is one."""
    return to(self, "cuda" if place is None else place)


expose(_cuda, "Tensor.cuda")


def _resolved(doc: str) -> Callable:
    def resolve_bit(input: Tensor) -> Tensor:
        return input

    resolve_bit.__doc__ = doc
    return resolve_bit


expose(_resolved("The tensor itself: conjugates are computed at once."),
       "torch.resolve_conj Tensor.resolve_conj")  # fmt: skip
expose(_resolved("The tensor itself: negatives are computed at once."),
       "torch.resolve_neg Tensor.resolve_neg")  # fmt: skip
