"""Saving a module's values under their names and taking them back: `state_dict`, `load_state_dict`.

A state dict maps the dotted name of every parameter and persistent buffer to its tensor, in order
of registration; `_metadata` beside it holds each module's version.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ..autograd.grad_mode import no_grad
from ..core.tensor import Tensor
from .advice import advise_on_keys
from .hooks import HookTables
from .members import Members
from .parameter import Parameter, is_lazy

EXTRA_STATE = "_extra_state"


class _Keys(NamedTuple):
    missing_keys: list[str]
    unexpected_keys: list[str]


class IncompatibleKeys(_Keys):
    """The names that did not find a partner."""

    __slots__ = ()

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        missing, unexpected = self
        return f"_IncompatibleKeys(missing_keys={missing}, unexpected_keys={unexpected})"

    __str__ = __repr__


class ModuleState(Members, HookTables):
    """The saving and loading half of `Module`."""

    _version: int = 1  # raised by a layer whose saved form changed; stored beside its values

    def get_extra_state(self) -> Any:
        """What `state_dict` keeps of this module beyond tensors; for subclasses to define."""
        raise RuntimeError(f"{type(self).__name__} defines no get_extra_state()")

    def set_extra_state(self, state: Any) -> None:
        """Takes back what `get_extra_state` gave; for subclasses to define."""
        raise RuntimeError(f"{type(self).__name__} defines no set_extra_state()")

    def _persistent(self) -> Iterator[tuple[str, Tensor]]:
        """The module's own tensors that belong in a state dict."""
        for name, parameter in self._parameters.items():
            if parameter is not None:
                yield name, parameter
        for name, buffer in self._buffers.items():
            if buffer is not None and name not in self._non_persistent_buffers_set:
                yield name, buffer

    def _save_to_state_dict(self, destination: dict, prefix: str, keep_vars: bool) -> None:
        for name, tensor in self._persistent():
            keep = keep_vars or is_lazy(tensor)
            destination[prefix + name] = tensor if keep else tensor.detach()
        if _overrides(self, "get_extra_state"):
            destination[prefix + EXTRA_STATE] = self.get_extra_state()

    def state_dict(
        self,
        *args: Any,
        destination: Any = None,
        prefix: str = "",
        keep_vars: bool = False,
    ) -> dict[str, Any]:
        """Names and values of all parameters and persistent buffers, the children's included.

        The tensors are detached but share memory with the module; `keep_vars=True` keeps the
        parameters themselves.

        >>> import penlight as torch
        >>> list(torch.nn.Linear(2, 3).state_dict())
        ['weight', 'bias']
        """
        if args:
            warnings.warn(
                "Positional args are being deprecated, use kwargs instead. Refer to "
                "https://pytorch.org/docs/main/generated/torch.nn.Module.html"
                "#torch.nn.Module.state_dict for details.",
                FutureWarning,
                stacklevel=2,
            )
            given = (*args, *(destination, prefix, keep_vars)[len(args) :])
            destination, prefix, keep_vars = given
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        metadata: dict[str, Any] = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = metadata
        for hook in self._state_dict_pre_hooks.values():
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, child in self._modules.items():
            if child is not None:
                child.state_dict(
                    destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars
                )
        return self._run_state_dict_hooks(destination, prefix, metadata)

    def _run_state_dict_hooks(self, destination: dict, prefix: str, metadata: dict) -> dict:
        for hook in self._state_dict_hooks.values():
            changed = hook(self, destination, prefix, metadata)
            if changed is not None:
                if getattr(hook, "_from_public_api", False):
                    raise RuntimeError("state_dict post-hook must return None")
                destination = changed
        return destination

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> IncompatibleKeys:
        """Copies the values of `state_dict` into this module and its children.

        With `strict`, every name must have its partner on the other side. With `assign`, the
        tensors themselves become the module's instead of being copied.

        Raises RuntimeError, listing every missing and unexpected name and every shape that differs.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        metadata = getattr(state_dict, "_metadata", None)
        own: Any = OrderedDict(state_dict)
        if metadata is not None:
            own._metadata = metadata
        keys, errors = IncompatibleKeys([], []), list[str]()
        _load(self, own, "", metadata or {}, assign, keys, errors)

        problems = []
        if strict and keys.missing_keys:
            problems.append(f"Missing key(s) in state_dict: {_quoted(keys.missing_keys)}. ")
        if strict and keys.unexpected_keys:
            problems.append(f"Unexpected key(s) in state_dict: {_quoted(keys.unexpected_keys)}. ")
        problems += errors
        if problems:
            advice = advise_on_keys(keys.missing_keys, keys.unexpected_keys) if strict else []
            listed = "\n\t".join(problems + advice)
            raise RuntimeError(
                f"Error(s) in loading state_dict for {type(self).__name__}:\n\t{listed}"
            )
        return keys

    def _load_from_state_dict(
        self,
        state_dict: dict,
        prefix: str,
        local_metadata: dict,
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Takes this module's own values, not its children's; notes what does not fit."""
        for hook in list(self._load_state_dict_pre_hooks.values()):
            hook(
                state_dict,
                prefix,
                local_metadata,
                strict,
                missing_keys,
                unexpected_keys,
                error_msgs,
            )
        assign = local_metadata.get("assign_to_params_buffers", False)
        own = dict(self._persistent())
        for name, target in own.items():
            key = prefix + name
            if key in state_dict:
                error = _take(self, name, target, key, state_dict[key], assign)
                if error is not None:
                    error_msgs.append(error)
            elif strict:
                missing_keys.append(key)
        self._load_extra_state(state_dict, prefix, strict, missing_keys, unexpected_keys)
        if strict:
            unexpected_keys += _strangers(self, own, state_dict, prefix)

    def _load_extra_state(
        self,
        state_dict: dict,
        prefix: str,
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
    ) -> None:
        key = prefix + EXTRA_STATE
        if _overrides(self, "set_extra_state"):
            if key in state_dict:
                self.set_extra_state(state_dict[key])
            elif strict:
                missing_keys.append(key)
        elif strict and key in state_dict:
            unexpected_keys.append(key)


def _overrides(module: Any, method: str) -> bool:
    return getattr(type(module), method) is not getattr(ModuleState, method)


def _quoted(keys: list[str]) -> str:
    return ", ".join(f'"{key}"' for key in keys)


def _load(
    module: Any,
    state_dict: dict,
    prefix: str,
    metadata: dict,
    assign: bool,
    keys: IncompatibleKeys,
    errors: list[str],
) -> None:
    local_metadata = dict(metadata.get(prefix[:-1], {}))
    if assign:
        local_metadata["assign_to_params_buffers"] = True
    module._load_from_state_dict(
        state_dict, prefix, local_metadata, True, keys.missing_keys, keys.unexpected_keys, errors
    )
    for name, child in module._modules.items():
        if child is not None:
            start = f"{prefix}{name}."
            part = OrderedDict((k, v) for k, v in state_dict.items() if k.startswith(start))
            _load(child, part, start, metadata, assign, keys, errors)
    for hook in module._load_state_dict_post_hooks.values():
        if hook(module, keys) is not None:
            raise AssertionError(
                "Hooks registered with ``register_load_state_dict_post_hook`` are not expected to "
                "return new values, if incompatible_keys need to be modified, it should be done "
                "inplace."
            )


def _take(module: Any, name: str, target: Tensor, key: str, value: Any, assign: bool) -> str | None:
    """Gives `target` the saved `value`; the reason in words where it does not fit."""
    if not isinstance(value, Tensor):
        return (
            f'While copying the parameter named "{key}", expected torch.Tensor or Tensor-like '
            f"object from checkpoint but received {type(value)}"
        )
    if not is_lazy(target):
        if target.dim() == 0 and tuple(value.shape) == (1,):
            value = value[0]  # how a scalar was saved long ago
        if value.shape != target.shape:
            return (
                f"size mismatch for {key}: copying a param with shape {value.shape} from "
                f"checkpoint, the shape in current model is {target.shape}."
            )
    try:
        if assign:
            _assign(module, name, target, value)
        else:
            with no_grad():
                target.copy_(value)
    except Exception as error:
        return (
            f'While copying the parameter named "{key}", whose dimensions in the model are '
            f"{target.size()} and whose dimensions in the checkpoint are {value.size()}, an "
            f"exception occurred : {error.args}."
        )
    return None


def _assign(module: Any, name: str, target: Tensor, value: Tensor) -> None:
    if isinstance(target, Parameter):
        if isinstance(value, Parameter):
            value.requires_grad_(target.requires_grad)
        else:
            value = Parameter(value, requires_grad=target.requires_grad)
    setattr(module, name, value)


def _strangers(module: Any, own: dict, state_dict: dict, prefix: str) -> list[str]:
    """The names below `prefix` that are nobody's."""
    found = []
    for key in state_dict:
        if key.startswith(prefix) and key != prefix + EXTRA_STATE:
            first, dot, _ = key[len(prefix) :].partition(".")
            if first not in (module._modules if dot else own):
                found.append(key)
    return found
