"""Calling a module with other parameters than its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from ...core.tensor import Tensor
from ..module import Module


def _owner(module: Module, name: str) -> tuple[dict, str]:
    """The table that holds the tensor of this dotted name, and its key there."""
    path, _, key = name.rpartition(".")
    part = module.get_submodule(path)
    for table in (part._parameters, part._buffers):
        if key in table:
            return table, key
    raise KeyError(name)


def _with_tied(module: Module, given: dict[str, Tensor]) -> dict[str, Tensor]:
    """`given`, and for every tensor that has several names the same value under each."""
    names: dict[int, list[str]] = {}
    for members in (module.named_parameters, module.named_buffers):
        for name, tensor in members(remove_duplicate=False):
            names.setdefault(id(tensor), []).append(name)
    full = dict(given)
    for tied in names.values():
        values = {id(given[name]): given[name] for name in tied if name in given}
        if len(values) > 1:
            raise ValueError(
                f"functional_call got multiple values for keys {sorted(tied)}, which are tied. "
                "Consider using tie_weights=False"
            )
        full |= {name: value for value in values.values() for name in tied}
    return full


def _check_names(module: Module, given: dict[str, Tensor]) -> None:
    own: dict[str, Tensor] = dict(module.named_parameters(remove_duplicate=False))
    own |= dict(module.named_buffers(remove_duplicate=False))
    problems = []
    for title, names in (("Unexpected", set(given) - set(own)), ("Missing", set(own) - set(given))):
        if names:
            problems.append(f"{title} key(s): {', '.join(map(repr, sorted(names)))}.")
    if problems:
        raise RuntimeError(
            f"Error(s) in reparametrizing for {module._get_name()}:\n\t" + "\n\t".join(problems)
        )


@contextlib.contextmanager
def _swapped(module: Module, tensors: dict[str, Tensor]) -> Iterator[None]:
    """While inside, the module holds `tensors`."""
    places = []
    try:
        for name, tensor in tensors.items():
            table, key = _owner(module, name)
            places.append((table, key, table[key]))
            table[key] = tensor
        yield
    finally:
        for table, key, old in reversed(places):
            table[key] = old


def functional_call(
    module: Module,
    parameter_and_buffer_dicts: Any,
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """`module(*args, **kwargs)` with the given tensors, by dotted name, in place of its own.

    The tensors may be one dict or a sequence of dicts. Gradients flow to them.

    >>> import penlight as torch
    >>> layer = torch.nn.Linear(1, 1, bias=False)
    >>> torch.func.functional_call(layer, {"weight": torch.tensor([[3.0]])}, torch.ones(1, 1))
    tensor([[3.]])
    """
    given = parameter_and_buffer_dicts
    if not isinstance(given, dict):
        merged: dict[str, Tensor] = {}
        for part in given:
            double = merged.keys() & part.keys()
            if double:
                raise ValueError(f"the key {sorted(double)[0]} appears in more than one dictionary")
            merged |= part
        given = merged
    if tie_weights:
        given = _with_tied(module, given)
    if strict:
        _check_names(module, given)
    arguments = () if args is None else args if isinstance(args, tuple) else (args,)
    with _swapped(module, given):
        return module(*arguments, **(kwargs or {}))
