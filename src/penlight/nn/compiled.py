"""A compiled module: a callable that looks like the module it wraps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..core.watch import wrappers
from .module import Module


class OptimizedModule(Module):
    """What `penlight.compile` makes of a module; the module itself is `_orig_mod`.

    Both have the same parameters; in `state_dict` their names here begin with `_orig_mod.`.
    """

    def __init__(self, module: Module, call: Callable) -> None:
        super().__init__()
        self._orig_mod = module
        object.__setattr__(self, "_call", call)
        object.__setattr__(self, "training", module.training)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._call(*args, **kwargs)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The module's result."""
        return self._call(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name == "_orig_mod":
            return self._modules["_orig_mod"]
        return getattr(self._orig_mod, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("_orig_mod", "training") or "_orig_mod" not in self.__dict__.get(
            "_modules", ()
        ):
            super().__setattr__(name, value)
        else:
            setattr(self._orig_mod, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._orig_mod, name)

    def __reduce__(self) -> tuple:
        from ..capture import compile

        return compile, (self._orig_mod,)

    def __deepcopy__(self, memo: dict) -> OptimizedModule:
        import copy

        from ..capture import compile

        return compile(copy.deepcopy(self._orig_mod, memo))

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *dir(self._orig_mod)})


wrappers.append((Module, OptimizedModule))
