"""Hooks of modules: functions a user hangs before or after a forward, a backward, a save or a load.

A module carries its own tables; `EVERYWHERE` carries the ones that concern every module. Both
have the same names, so one registration function serves both. A table maps a handle's id to a
hook; a hook's options (`with_kwargs`, `always_call`) are tables keyed by the same id.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from ..core.tape import Removable as RemovableHandle
from ..core.watch import shared_hooks
from .backward_hook import BackwardHook


class HookTables:
    """The tables of hooks that every module has."""

    _backward_pre_hooks: OrderedDict[int, Callable]
    _backward_hooks: OrderedDict[int, Callable]
    _forward_hooks: OrderedDict[int, Callable]
    _forward_hooks_with_kwargs: OrderedDict[int, bool]
    _forward_hooks_always_called: OrderedDict[int, bool]
    _forward_pre_hooks: OrderedDict[int, Callable]
    _forward_pre_hooks_with_kwargs: OrderedDict[int, bool]
    _state_dict_hooks: OrderedDict[int, Callable]
    _state_dict_pre_hooks: OrderedDict[int, Callable]
    _load_state_dict_pre_hooks: OrderedDict[int, Callable]
    _load_state_dict_post_hooks: OrderedDict[int, Callable]
    _is_full_backward_hook: bool | None

    def _init_hooks(self) -> None:
        for table in TABLES:
            object.__setattr__(self, table, OrderedDict())
        object.__setattr__(self, "_is_full_backward_hook", None)


TABLES = tuple(name for name in HookTables.__annotations__ if name != "_is_full_backward_hook")


class _Everywhere(HookTables):
    """The hooks that run for every module; `registration` hooks see what modules are given."""

    def __init__(self) -> None:
        self._init_hooks()
        kinds = ("parameter", "buffer", "module")
        self.registration: dict[str, OrderedDict] = {kind: OrderedDict() for kind in kinds}

    def registered(self, kind: str, module: Any, name: str, value: Any) -> Any:
        """What to register under `name`: `value`, unless a hook returns something else."""
        for hook in self.registration[kind].values():
            replacement = hook(module, name, value)
            if replacement is not None:
                value = replacement
        return value


EVERYWHERE = _Everywhere()
shared_hooks.append(EVERYWHERE)


def add_hook(
    table: OrderedDict, hook: Any, *, prepend: bool = False, options: tuple = ()
) -> RemovableHandle:
    """Puts `hook` last (or first) in `table` and marks its id in each table of `options`."""
    handle = RemovableHandle(table, *options)
    table[handle.id] = hook
    for option in options:
        option[handle.id] = True
    if prepend:
        table.move_to_end(handle.id, last=False)
    return handle


def add_forward_hook(
    owner: HookTables,
    hook: Callable,
    *,
    prepend: bool = False,
    with_kwargs: bool = False,
    always_call: bool = False,
) -> RemovableHandle:
    """A hook on the result of a module's forward."""
    options = []
    if with_kwargs:
        options.append(owner._forward_hooks_with_kwargs)
    if always_call:
        options.append(owner._forward_hooks_always_called)
    return add_hook(owner._forward_hooks, hook, prepend=prepend, options=tuple(options))


def add_backward_hook(
    owner: HookTables,
    hook: Callable,
    *,
    full: bool,
    prepend: bool = False,
    place: str = "single Module",
) -> RemovableHandle:
    """A hook on the gradients of a module's inputs and outputs; full and old ones do not mix."""
    if owner._is_full_backward_hook is (not full):
        raise RuntimeError(
            f"Cannot use both regular backward hooks and full backward hooks on a {place}. "
            "Please use only one of them."
        )
    owner._is_full_backward_hook = full
    return add_hook(owner._backward_hooks, hook, prepend=prepend)


class ModuleHooks(HookTables):
    """The registering half of `Module`."""

    def register_forward_pre_hook(
        self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Calls `hook(module, args)` before each forward; what it returns replaces the arguments.

        With `with_kwargs` the hook is `hook(module, args, kwargs)` and may return both.
        """
        options = (self._forward_pre_hooks_with_kwargs,) if with_kwargs else ()
        return add_hook(self._forward_pre_hooks, hook, prepend=prepend, options=options)

    def register_forward_hook(
        self,
        hook: Callable,
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHandle:
        """Calls `hook(module, args, output)` after each forward; a result replaces the output.

        With `with_kwargs` the hook is `hook(module, args, kwargs, output)`. With `always_call` it
        also runs when the forward raised, with output `None`.

        >>> import penlight as torch
        >>> layer = torch.nn.Linear(2, 3)
        >>> handle = layer.register_forward_hook(lambda module, args, output: print(output.shape))
        >>> _ = layer(torch.ones(4, 2))
        torch.Size([4, 3])
        >>> handle.remove()
        """
        return add_forward_hook(
            self, hook, prepend=prepend, with_kwargs=with_kwargs, always_call=always_call
        )

    def register_full_backward_pre_hook(
        self, hook: Callable, prepend: bool = False
    ) -> RemovableHandle:
        """Calls `hook(module, grad_output)` before the gradient of the module's input is made."""
        return add_hook(self._backward_pre_hooks, hook, prepend=prepend)

    def register_full_backward_hook(self, hook: Callable, prepend: bool = False) -> RemovableHandle:
        """Calls `hook(module, grad_input, grad_output)`; what it returns replaces `grad_input`."""
        return add_backward_hook(self, hook, full=True, prepend=prepend)

    def register_backward_hook(self, hook: Callable) -> RemovableHandle:
        """The old form: sees the gradients of the last operation of the forward only."""
        return add_backward_hook(self, hook, full=False)

    def register_state_dict_pre_hook(self, hook: Callable) -> RemovableHandle:
        """Calls `hook(module, prefix, keep_vars)` before `state_dict` collects this module."""
        return add_hook(self._state_dict_pre_hooks, hook)

    def register_state_dict_post_hook(self, hook: Any) -> RemovableHandle:
        """Calls `hook(module, state_dict, prefix, local_metadata)`, which edits in place."""
        hook._from_public_api = True
        return add_hook(self._state_dict_hooks, hook)

    def _register_state_dict_hook(self, hook: Callable) -> RemovableHandle:
        if getattr(hook, "_from_public_api", False):
            raise RuntimeError(
                "Cannot register the same function as the state dict post hook that was "
                "previously registered via register_state_dict_post_hook"
            )
        return add_hook(self._state_dict_hooks, hook)

    def register_load_state_dict_pre_hook(self, hook: Callable) -> RemovableHandle:
        """Calls `hook(module, state_dict, prefix, local_metadata, strict, missing_keys,
        unexpected_keys, error_msgs)` before the module takes its values from `state_dict`.
        """
        return add_hook(self._load_state_dict_pre_hooks, OfModule(hook, self))

    def _register_load_state_dict_pre_hook(
        self, hook: Callable, with_module: bool = False
    ) -> RemovableHandle:
        return add_hook(
            self._load_state_dict_pre_hooks, OfModule(hook, self) if with_module else hook
        )

    def register_load_state_dict_post_hook(self, hook: Callable) -> RemovableHandle:
        """Calls `hook(module, incompatible_keys)` after loading; it may edit the keys in place."""
        return add_hook(self._load_state_dict_post_hooks, hook)


class OfModule:
    """A hook bound to its module as first argument; a copied module copies the pair."""

    def __init__(self, hook: Callable, module: Any) -> None:
        self.hook, self.module = hook, module

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.hook(self.module, *args, **kwargs)


def call_with_hooks(module: Any, args: tuple, kwargs: dict) -> Any:
    """A forward with everything that was hung around it, in PyTorch's order."""
    done: set[int] = set()
    result = None
    try:
        args, kwargs = _before(module, args, kwargs)
        watch = _backward_watch(module)
        if watch is not None:
            args = watch.setup_input_hook(args)
        result = module.forward(*args, **kwargs)
        result = _after(module, args, kwargs, result, done)
        if watch is not None:
            result = watch.setup_output_hook(result)
        _hang_old_backward_hooks(module, result)
        return result
    except Exception:
        _always_called(module, args, kwargs, result, done)
        raise


def _before(module: Any, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
    for owner in (EVERYWHERE, module):
        for key, hook in list(owner._forward_pre_hooks.items()):
            if key in owner._forward_pre_hooks_with_kwargs:
                changed = hook(module, args, kwargs)
                if changed is None:
                    continue
                if not (isinstance(changed, tuple) and len(changed) == 2):
                    raise RuntimeError(
                        "forward pre-hook must return None or a tuple of (new_args, new_kwargs), "
                        f"but got {changed}."
                    )
                args, kwargs = changed
            else:
                changed = hook(module, args)
                if changed is not None:
                    args = changed if isinstance(changed, tuple) else (changed,)
    return args, kwargs


def _call_forward_hook(
    owner: Any, key: int, hook: Callable, module: Any, args: tuple, kwargs: dict, result: Any
) -> Any:
    if key in owner._forward_hooks_with_kwargs:
        changed = hook(module, args, kwargs, result)
    else:
        changed = hook(module, args, result)
    return result if changed is None else changed


def _after(module: Any, args: tuple, kwargs: dict, result: Any, done: set[int]) -> Any:
    for owner in (EVERYWHERE, module):
        for key, hook in list(owner._forward_hooks.items()):
            done.add(key)
            result = _call_forward_hook(owner, key, hook, module, args, kwargs, result)
    return result


def _always_called(module: Any, args: tuple, kwargs: dict, result: Any, done: set[int]) -> None:
    """Runs the `always_call` hooks that a failed forward has not reached."""
    for owner, name in ((EVERYWHERE, "global module"), (module, "module")):
        for key, hook in list(owner._forward_hooks.items()):
            if key not in owner._forward_hooks_always_called or key in done:
                continue
            try:
                result = _call_forward_hook(owner, key, hook, module, args, kwargs, result)
            except Exception as error:
                warnings.warn(
                    f"{name} forward hook with ``always_call=True`` raised an exception "
                    f"that was silenced as another error was raised in forward: {error}",
                    stacklevel=4,
                )


def _backward_watch(module: Any) -> BackwardHook | None:
    pre = [*EVERYWHERE._backward_pre_hooks.values(), *module._backward_pre_hooks.values()]
    full = [
        hook
        for owner in (EVERYWHERE, module)
        if owner._is_full_backward_hook
        for hook in owner._backward_hooks.values()
    ]
    return BackwardHook(module, full, pre) if full or pre else None


def _hang_old_backward_hooks(module: Any, result: Any) -> None:
    hooks = [
        hook
        for owner in (EVERYWHERE, module)
        if owner._is_full_backward_hook is False
        for hook in owner._backward_hooks.values()
    ]
    if not hooks:
        return
    while isinstance(result, (dict, tuple, list)):
        result = next(iter(result.values())) if isinstance(result, dict) else result[0]
    if result.grad_fn is not None:
        for hook in hooks:
            result.grad_fn.register_hook(OfModule(hook, module))


def register_module_forward_pre_hook(hook: Callable) -> RemovableHandle:
    """`register_forward_pre_hook` for every module."""
    return add_hook(EVERYWHERE._forward_pre_hooks, hook)


def register_module_forward_hook(
    hook: Callable, *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """`register_forward_hook` for every module."""
    return add_forward_hook(EVERYWHERE, hook, with_kwargs=with_kwargs, always_call=always_call)


def register_module_full_backward_pre_hook(hook: Callable) -> RemovableHandle:
    """`register_full_backward_pre_hook` for every module."""
    return add_hook(EVERYWHERE._backward_pre_hooks, hook)


def register_module_full_backward_hook(hook: Callable) -> RemovableHandle:
    """`register_full_backward_hook` for every module."""
    return add_backward_hook(EVERYWHERE, hook, full=True, place="global Module hook")


def register_module_backward_hook(hook: Callable) -> RemovableHandle:
    """`register_backward_hook` for every module."""
    return add_backward_hook(EVERYWHERE, hook, full=False, place="global Module hook")


def register_module_parameter_registration_hook(hook: Callable) -> RemovableHandle:
    """Calls `hook(module, name, parameter)` whenever a module gets a parameter."""
    return add_hook(EVERYWHERE.registration["parameter"], hook)


def register_module_buffer_registration_hook(hook: Callable) -> RemovableHandle:
    """Calls `hook(module, name, buffer)` whenever a module gets a buffer."""
    return add_hook(EVERYWHERE.registration["buffer"], hook)


def register_module_module_registration_hook(hook: Callable) -> RemovableHandle:
    """Calls `hook(module, name, submodule)` whenever a module gets a child."""
    return add_hook(EVERYWHERE.registration["module"], hook)
