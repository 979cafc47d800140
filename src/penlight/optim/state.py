"""An optimizer's state as plain data, in PyTorch's format, and back.

    {"state": {0: {"step": tensor(3.), ...}, ...}, "param_groups": [{"lr": 0.1, ...}]}

Parameters are numbered in the order of their groups.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from copy import deepcopy
from itertools import chain
from typing import Any

from ..core.dtype import float32, float64, get_default_dtype
from ..core.tensor import Tensor, written
from ..ops.creation import tensor


def pack(groups: list[dict[str, Any]], state: dict) -> dict[str, Any]:
    """Groups and state with every parameter replaced by its number."""
    numbers: dict[int, int] = {}
    packed_groups = []
    start = 0
    for group in groups:
        for i, p in enumerate(group["params"], start):
            numbers.setdefault(id(p), i)
        packed = {name: value for name, value in group.items() if name != "params"}
        packed["params"] = [numbers[id(p)] for p in group["params"]]
        packed_groups.append(packed)
        start += len(group["params"])
    packed_state = {
        numbers[id(key)] if isinstance(key, Tensor) else key: value for key, value in state.items()
    }
    return {"state": packed_state, "param_groups": packed_groups}


def unpack(saved: dict[str, Any], groups: list[dict[str, Any]]) -> dict[str, Any]:
    """State and groups for the parameters of `groups`, from what `pack` made of like groups."""
    saved_groups = deepcopy(saved["param_groups"])
    if len(groups) != len(saved_groups):
        raise ValueError("loaded state dict has a different number of parameter groups")
    if any(len(g["params"]) != len(s["params"]) for g, s in zip(groups, saved_groups, strict=True)):
        raise ValueError(
            "loaded state dict contains a parameter group "
            "that doesn't match the size of optimizer's group"
        )
    parameters = dict(
        zip(
            chain.from_iterable(group["params"] for group in saved_groups),
            chain.from_iterable(group["params"] for group in groups),
            strict=True,
        )
    )
    state: defaultdict[Any, Any] = defaultdict(dict)
    for number, value in saved["state"].items():
        if number in parameters:
            p = parameters[number]
            state[p] = _fit(value, p)
        else:
            state[number] = value
    for group, new in zip(groups, saved_groups, strict=True):
        new["params"] = group["params"]
        if "param_names" in group:
            new.setdefault("param_names", group["param_names"])
    return {"state": state, "param_groups": saved_groups}


def _fit(value: Any, p: Tensor, name: Any = None) -> Any:
    """State with the type and device of its parameter; the count of steps stays as it is."""
    if isinstance(value, Tensor):
        if name == "step":
            return value
        return value.to(p.device, p.dtype if p.is_floating_point() else value.dtype)
    if isinstance(value, dict):
        return {key: _fit(entry, p, key) for key, entry in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return type(value)(_fit(entry, p) for entry in value)  # type: ignore[call-arg]
    return value


def scalar(value: float) -> Tensor:
    """A count or coefficient as it is kept in state: a 0-d tensor, on the CPU.

    >>> scalar(0)
    tensor(0.)
    """
    return tensor(float(value), dtype=float64 if get_default_dtype() is float64 else float32)


def keep(held: Tensor, value: float) -> float:
    """Puts a number into a 0-d tensor, and returns it as it was rounded there.

    This and `advance` are work between steps, done on memory, which no capture records.
    """
    held._array[...] = value
    written(held)
    return held._array.item()


def advance(count: Tensor) -> float:
    """One step more: the new count.

    >>> t = scalar(2)
    >>> advance(t), t
    (3.0, tensor(3.))
    """
    return keep(count, count._array.item() + 1)


def numbers_to_tensors(state: dict[str, Any], names: Iterable[str]) -> None:
    """Turns counts that an old checkpoint holds as plain numbers into 0-d tensors."""
    for name in names:
        if isinstance(state.get(name), (int, float)):
            state[name] = scalar(state[name])
