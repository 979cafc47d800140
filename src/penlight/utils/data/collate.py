"""How a list of samples becomes a batch.

https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.default_collate
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import numpy as np

from ...core import dtype as dtypes
from ...core.tensor import Tensor
from ...ops.creation import tensor
from ...ops.join import stack
from ...ops.sharing import as_tensor

_REFUSED = (
    "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {}"
)


def default_convert(data: Any) -> Any:
    """Every NumPy array and number within `data` as a tensor; all else stays as it is.

    >>> default_convert({"x": np.array([0, 1]), "name": "two"})
    {'x': tensor([0, 1]), 'name': 'two'}
    """
    if isinstance(data, (np.ndarray, np.generic)):
        return data if _is_text(data.dtype) else as_tensor(data)
    if isinstance(data, Mapping):
        return _like_mapping(data, {key: default_convert(data[key]) for key in data})
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return _like_sequence(data, [default_convert(part) for part in data])
    return data


def default_collate(batch: Sequence) -> Any:
    """Stacks samples: tensors, arrays and numbers along a new first axis, containers part by part.

    >>> default_collate([(0, "a"), (2, "b")])
    [tensor([0, 2]), ('a', 'b')]
    >>> default_collate([{"x": 1.5}, {"x": 2.5}])
    {'x': tensor([1.5000, 2.5000], dtype=torch.float64)}
    """
    return collate(batch, collate_fn_map=default_collate_fn_map)


def collate(batch: Sequence, *, collate_fn_map: dict | None = None) -> Any:
    """`default_collate` with one's own table from element type to collating function."""
    first = batch[0]
    rule = _rule_for(first, collate_fn_map or {})
    if rule is not None:
        return rule(batch, collate_fn_map=collate_fn_map)

    def join(samples: Sequence) -> Any:
        return collate(samples, collate_fn_map=collate_fn_map)

    if isinstance(first, Mapping):
        return _like_mapping(first, {key: join([sample[key] for sample in batch]) for key in first})
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*map(join, zip(*batch, strict=False)))
    if isinstance(first, Sequence):
        if any(len(sample) != len(first) for sample in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        return _like_sequence(first, [join(part) for part in zip(*batch, strict=True)])
    raise TypeError(_REFUSED.format(type(first)))


def _rule_for(sample: Any, rules: dict) -> Callable | None:
    kind = type(sample)
    if kind in rules:
        return rules[kind]
    return next((rule for wanted, rule in rules.items() if isinstance(sample, wanted)), None)


def _like_mapping(model: Mapping, parts: dict) -> Any:
    """`parts` in a mapping of the model's type, or in a dict where that cannot be made."""
    try:
        if isinstance(model, MutableMapping):
            clone = copy.copy(model)  # keeps what the type holds besides its items
            clone.update(parts)
            return clone
        return type(model)(parts)  # type: ignore[call-arg]
    except TypeError:
        return parts


def _like_sequence(model: Sequence, parts: list) -> Any:
    """`parts` in a sequence of the model's type, or in a list where that cannot be made.

    A plain tuple becomes a list.
    """
    if isinstance(model, tuple):
        return type(model)(*parts) if hasattr(model, "_fields") else parts
    try:
        if isinstance(model, MutableSequence):
            clone = copy.copy(model)
            for i, part in enumerate(parts):
                clone[i] = part
            return clone
        return type(model)(parts)  # type: ignore[call-arg]
    except TypeError:  # such as range
        return parts


def _is_text(dtype: np.dtype) -> bool:
    return dtype.kind in "SUO"


def _collate_tensors(batch: Sequence[Tensor], *, collate_fn_map: dict | None = None) -> Tensor:
    return stack(batch)


def _collate_arrays(batch: Sequence, *, collate_fn_map: dict | None = None) -> Any:
    if _is_text(batch[0].dtype):
        raise TypeError(_REFUSED.format(batch[0].dtype))
    return collate([as_tensor(array) for array in batch], collate_fn_map=collate_fn_map)


def _collate_scalars(batch: Sequence, *, collate_fn_map: dict | None = None) -> Tensor:
    return as_tensor(batch)


def _collate_floats(batch: Sequence, *, collate_fn_map: dict | None = None) -> Tensor:
    return tensor(batch, dtype=dtypes.float64)


def _collate_ints(batch: Sequence, *, collate_fn_map: dict | None = None) -> Tensor:
    return tensor(batch)


def _collate_texts(batch: Sequence, *, collate_fn_map: dict | None = None) -> Sequence:
    return batch


default_collate_fn_map: dict[type | tuple[type, ...], Callable] = {
    Tensor: _collate_tensors,
    np.ndarray: _collate_arrays,
    (np.bool_, np.number, np.object_): _collate_scalars,
    float: _collate_floats,
    int: _collate_ints,
    str: _collate_texts,
    bytes: _collate_texts,
}
