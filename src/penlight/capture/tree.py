"""Arguments and results: tensors within tuples, lists and dictionaries, taken out and put back."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from ..core.device import device
from ..core.dtype import dtype
from ..core.size import Size
from ..core.tensor import Tensor

PLAIN = (bool, int, float, complex, str, bytes, type(None), dtype, device, Size, slice, type(...))


class Unknown(Exception):
    """Something that is neither a tensor, nor a plain value, nor a tuple, list or dict of such."""


def take_apart(value: Any, tensors: list[Tensor], others: list) -> Any:
    """The form of a value; its tensors and its other leaves are added to the lists, in order."""
    if isinstance(value, Tensor):
        tensors.append(value)
        return Tensor
    kind = type(value)
    if kind is tuple or kind is list or (isinstance(value, tuple) and kind is not Size):
        return kind, tuple([take_apart(v, tensors, others) for v in value])
    if kind is dict or kind is OrderedDict:
        parts = tuple([take_apart(v, tensors, others) for v in value.values()])
        return kind, (tuple(value), parts)
    if hasattr(kind, "__dataclass_fields__") and hasattr(value, "__dict__"):
        own = vars(value)
        return kind, (tuple(own), tuple([take_apart(v, tensors, others) for v in own.values()]))
    others.append(value)
    return None


def put_together(form: Any, tensors: Callable[[], Any], others: Callable[[], Any]) -> Any:
    """The value of that form whose leaves the two functions give, one at each call."""
    if form is Tensor:
        return tensors()
    if form is None:
        return others()
    kind, parts = form
    if kind is dict or kind is OrderedDict:
        names, parts = parts
        return kind(zip(names, [put_together(p, tensors, others) for p in parts]))
    if hasattr(kind, "__dataclass_fields__"):
        names, parts = parts
        made = object.__new__(kind)
        vars(made).update(zip(names, [put_together(p, tensors, others) for p in parts]))
        return made
    made = [put_together(p, tensors, others) for p in parts]
    if kind is list:
        return made
    return (
        tuple(made) if kind is tuple else kind._make(made) if hasattr(kind, "_make") else kind(made)
    )


def is_plain(value: Any) -> bool:
    """Whether a leaf is a value that is the same wherever it is equal."""
    return isinstance(value, PLAIN)
