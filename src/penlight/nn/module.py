"""`Module`: a part of a network that owns parameters, buffers and other modules.

Registration, attributes, the call and conversion live here; walks over the tree in `tree.py`, what
is hung around calls in `hooks.py`, saving and loading in `state.py`, error texts in `advice.py`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any, Self

from ..autograd.grad_mode import no_grad
from ..core import dtype as dtypes
from ..core.tensor import Tensor
from ..core.watch import change_module, note_module, tracers
from ..ops.convert import read_to_arguments
from ..ops.creation import empty_like
from .advice import explain
from .hooks import (  # noqa: F401 (the registering functions are found here)
    EVERYWHERE,
    ModuleHooks,
    call_with_hooks,
    register_module_backward_hook,
    register_module_buffer_registration_hook,
    register_module_forward_hook,
    register_module_forward_pre_hook,
    register_module_full_backward_hook,
    register_module_full_backward_pre_hook,
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)
from .parameter import Buffer, Parameter, is_lazy
from .state import ModuleState
from .tree import ModuleTree


def typename(value: Any) -> str:
    """How error messages name the type of a value, or a type."""
    if isinstance(value, Tensor):
        return value.type()
    kind = value if isinstance(value, type) else type(value)
    if kind.__module__ == "builtins":
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"


class Module(ModuleHooks, ModuleState, ModuleTree):
    """The base of all layers and networks: `__init__` sets parts as attributes, `forward` computes.

    A `Parameter` set as an attribute is registered as a parameter, a `Module` as a child; both
    then appear in `parameters()`, `state_dict()`, `to()` and the printed text.

    >>> import penlight as torch
    >>> class Double(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.inner = torch.nn.Linear(3, 3)
    ...
    ...     def forward(self, x):
    ...         return 2 * self.inner(x)
    >>> Double()
    Double(
      (inner): Linear(in_features=3, out_features=3, bias=True)
    )
    >>> [name for name, _ in Double().named_parameters()]
    ['inner.weight', 'inner.bias']
    """

    training: bool
    _takes_indices: bool = False  # is an integer input what the layer wants?
    _compiled: Any = None  # the forward that `compile` made
    call_super_init: bool = False  # should `__init__` pass its arguments on to the next class?

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if not self.call_super_init and (args or kwargs):
            what = f"{type(self).__name__}.__init__()"
            if kwargs:
                raise TypeError(f"{what} got an unexpected keyword argument '{next(iter(kwargs))}'")
            raise TypeError(f"{what} takes 1 positional argument but {len(args) + 1} were given")
        if tracers:
            note_module(self)
        own = self.__dict__
        own["training"] = True
        own["_parameters"] = {}
        own["_buffers"] = {}
        own["_non_persistent_buffers_set"] = set()
        own["_modules"] = {}
        self._init_hooks()
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    # ------------------------------------------------------------ the call

    def forward(self, *input: Any) -> Any:
        """What the module computes; every subclass defines it."""
        raise NotImplementedError(
            f'Module [{type(self).__name__}] is missing the required "forward" function'
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            if (
                self._forward_hooks
                or self._forward_pre_hooks
                or self._backward_hooks
                or self._backward_pre_hooks
                or EVERYWHERE._forward_hooks
                or EVERYWHERE._forward_pre_hooks
                or EVERYWHERE._backward_hooks
                or EVERYWHERE._backward_pre_hooks
            ):
                return call_with_hooks(self, args, kwargs)
            if self._compiled is not None:
                return self._compiled(*args, **kwargs)
            return self.forward(*args, **kwargs)
        except Exception as error:
            explain(error, self, args)
            raise

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compiles the module's own call, in place; see `penlight.compile` for the arguments."""
        from ..capture import compile

        object.__setattr__(self, "_compiled", compile(self.forward, *args, **kwargs))

    def _wants(self, *args: Any) -> Iterator[str]:
        """Lines that tell what a failed call wanted, got, and what would fit; layers define it."""
        return iter(())

    # ------------------------------------------------------------ registration

    def _check_name(self, kind: str, table: str, name: Any) -> dict:
        """The table in which `name` may be registered."""
        change_module(self)
        if table not in self.__dict__:
            raise AttributeError(f"cannot assign {kind} before Module.__init__() call")
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {typename(name)}")
        if "." in name:
            got = f", got: {name}" if kind == "module" else ""
            raise KeyError(f'{kind} name can\'t contain "."{got}')
        if name == "":
            raise KeyError(f'{kind} name can\'t be empty string ""')
        registered = self.__dict__[table]
        if name not in registered and hasattr(self, name):
            raise KeyError(f"attribute '{name}' already exists")
        return registered

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Adds a tensor that is state but not learned, such as running means.

        Only persistent buffers appear in `state_dict`.
        """
        buffers = self._check_name("buffer", "_buffers", name)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"cannot assign '{typename(tensor)}' object to buffer '{name}' "
                "(torch Tensor or None required)"
            )
        buffers[name] = EVERYWHERE.registered("buffer", self, name, tensor)
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Adds a parameter; `None` keeps the name without a value."""
        parameters = self._check_name("parameter", "_parameters", name)
        if param is not None:
            if not isinstance(param, Parameter):
                raise TypeError(
                    f"cannot assign '{typename(param)}' object to parameter '{name}' "
                    "(torch.nn.Parameter or None required)"
                )
            if param.grad_fn is not None:
                raise ValueError(
                    f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must "
                    f"be created explicitly. To express '{name}' as a function of another Tensor, "
                    "compute the value in the forward() method."
                )
            param = EVERYWHERE.registered("parameter", self, name, param)
        parameters[name] = param

    def add_module(self, name: str, module: Module | None) -> None:
        """Adds a child under `name`."""
        if not isinstance(module, Module) and module is not None:
            raise TypeError(f"{typename(module)} is not a Module subclass")
        children = self._check_name("module", "_modules", name)
        children[name] = EVERYWHERE.registered("module", self, name, module)

    register_module = add_module

    # ------------------------------------------------------------ attributes

    def __getattr__(self, name: str) -> Any:
        own = self.__dict__
        if "_parameters" in own:
            if name in own["_parameters"]:
                return own["_parameters"][name]
            if name in own["_buffers"]:
                return own["_buffers"][name]
            if name in own["_modules"]:
                return own["_modules"][name]
        kind = type(self).__name__
        cure = (
            "" if "_parameters" in own else f"\n{kind}.__init__ must call super().__init__() first"
        )
        raise AttributeError(f"'{kind}' object has no attribute '{name}'{cure}")

    def __setattr__(self, name: str, value: Any) -> None:
        change_module(self)
        own = self.__dict__
        if isinstance(value, Parameter):
            self._forget(name, own.get("_parameters"), "parameters")
            self.register_parameter(name, value)
        elif isinstance(value, Module):
            if name in own.get("_parameters", ()):
                self._refuse(value, "as parameter", name, "torch.nn.Parameter or None expected")
            self._forget(name, own.get("_modules"), "module")
            self._modules[name] = EVERYWHERE.registered("module", self, name, value)
        elif "_parameters" not in own:
            if isinstance(value, Buffer):
                raise AttributeError("cannot assign buffer before Module.__init__() call")
            object.__setattr__(self, name, value)
        elif name in own["_parameters"]:
            if value is not None:
                self._refuse(value, "as parameter", name, "torch.nn.Parameter or None expected")
            self.register_parameter(name, None)
        elif name in own["_modules"]:
            if value is not None:
                self._refuse(value, "as child module", name, "torch.nn.Module or None expected")
            self._modules[name] = EVERYWHERE.registered("module", self, name, None)
        elif isinstance(value, Buffer) or name in own["_buffers"]:
            self._set_buffer(name, value)
        else:
            object.__setattr__(self, name, value)

    def _set_buffer(self, name: str, value: Tensor | None) -> None:
        if value is not None and not isinstance(value, Tensor):
            expected = "torch.nn.Buffer, torch.Tensor or None expected"
            self._refuse(value, "as buffer", name, expected)
        if isinstance(value, Buffer):
            persistent = value.persistent
        else:
            persistent = name not in self._non_persistent_buffers_set
        self.register_buffer(name, value, persistent)

    def _forget(self, name: str, keep: dict | None, kind: str) -> None:
        """Takes `name` out of every table but `keep`."""
        if keep is None:
            raise AttributeError(f"cannot assign {kind} before Module.__init__() call")
        own = self.__dict__
        for table in (own, own["_parameters"], own["_buffers"], own["_modules"]):
            if table is not keep:
                table.pop(name, None)
        own["_non_persistent_buffers_set"].discard(name)

    def _refuse(self, value: Any, what: str, name: str, expected: str) -> None:
        raise TypeError(f"cannot assign '{typename(value)}' {what} '{name}' ({expected})")

    def __delattr__(self, name: str) -> None:
        change_module(self)
        for table in (self._parameters, self._buffers, self._modules):
            if name in table:
                del table[name]
                self._non_persistent_buffers_set.discard(name)
                return
        object.__delattr__(self, name)

    def __getstate__(self) -> dict:
        return {name: value for name, value in self.__dict__.items() if name != "_compiled"}

    def __setstate__(self, state: dict) -> None:
        change_module(self)
        self.__dict__.update(state)

    def __dir__(self) -> list[str]:
        names = {*dir(type(self)), *self.__dict__}
        names.update(self._parameters, self._modules, self._buffers)
        return sorted(name for name in names if not name[0].isdigit())

    # ------------------------------------------------------------ conversion

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Replaces the memory of every parameter, gradient and buffer by what `fn` makes of it."""
        change_module(self)
        if recurse:
            for child in self.children():
                child._apply(fn)
        with no_grad():
            for parameter in self._parameters.values():
                if parameter is not None:
                    grad = parameter.grad
                    parameter.data = fn(parameter.data if is_lazy(parameter) else parameter)
                    if grad is not None:
                        parameter.grad = fn(grad).requires_grad_(grad.requires_grad)
            for name, buffer in self._buffers.items():
                if is_lazy(buffer):
                    buffer.data = fn(buffer.data)
                elif buffer is not None:
                    self._buffers[name] = fn(buffer)
        return self

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Converts to a device, a floating dtype, or those of another tensor, in place.

        >>> import penlight as torch
        >>> torch.nn.Linear(2, 3).to(torch.float64).weight.dtype
        torch.float64
        """
        wanted = read_to_arguments(args, kwargs)
        device, dtype, form = wanted["device"], wanted["dtype"], wanted["memory_format"]
        if dtype is not None:
            if not (dtype.is_floating_point or dtype.is_complex):
                raise TypeError(
                    "nn.Module.to only accepts floating point or complex dtypes, but got desired "
                    f"dtype={dtype}"
                )
            if dtype.is_complex:
                warnings.warn(
                    "Complex modules are a new feature under active development whose design may "
                    "change, and some modules might not work as expected when using complex "
                    "tensors as parameters or buffers.",
                    stacklevel=2,
                )

        def convert(tensor: Tensor) -> Tensor:
            inexact = tensor.is_floating_point() or tensor.is_complex()
            kept = form if tensor.dim() in (4, 5) else None
            return tensor.to(device, dtype if inexact else None, memory_format=kept)

        return self._apply(convert)

    def type(self, dst_type: Any) -> Self:
        """Converts every parameter and buffer to `dst_type`."""
        return self._apply(lambda tensor: tensor.type(dst_type))

    def _floating(self, dtype: Any) -> Self:
        return self._apply(lambda t: t.to(dtype) if t.is_floating_point() else t)

    def float(self) -> Self:
        """Converts floating parameters and buffers to float32."""
        return self._floating(dtypes.float32)

    def double(self) -> Self:
        """Converts floating parameters and buffers to float64."""
        return self._floating(dtypes.float64)

    def half(self) -> Self:
        """Converts floating parameters and buffers to float16."""
        return self._floating(dtypes.float16)

    def bfloat16(self) -> Self:
        """Converts floating parameters and buffers to bfloat16."""
        return self._floating(dtypes.bfloat16)

    def cpu(self) -> Self:
        """Moves every parameter and buffer to the CPU."""
        return self._apply(lambda tensor: tensor.cpu())

    def cuda(self, device: Any = None) -> Self:
        """Moves every parameter and buffer to a GPU."""
        return self._apply(lambda tensor: tensor.cuda(device))

    def to_empty(self, *, device: Any, recurse: bool = True) -> Self:
        """Moves to `device` without copying the values, which are then anything."""
        return self._apply(lambda tensor: empty_like(tensor, device=device), recurse=recurse)

    def share_memory(self) -> Self:
        """Moves every parameter and buffer to memory that other processes can see."""
        return self._apply(lambda tensor: tensor.share_memory_())

    # ------------------------------------------------------------ text

    def extra_repr(self) -> str:
        """What a layer prints between its parentheses."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = [f"({name}): {indented(repr(part))}" for name, part in self._modules.items()]
        if len(lines) == 1 and not children:
            inside = lines[0]
        else:
            inside = "".join(f"\n  {line}" for line in lines + children)
            inside += "\n" if inside else ""
        return f"{self._get_name()}({inside})"

    def _repr_html_(self) -> str:
        from .show import module_html  # notebooks only

        return module_html(self)


def indented(text: str) -> str:
    """`text` with every line but the first moved two places to the right."""
    first, *rest = text.split("\n")
    return "\n".join([first, *(f"  {line}" if line.strip() else "" for line in rest)])
