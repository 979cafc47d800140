"""Modules named torch and torchvision that are penlight's, found by Python's own import."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

HOMES = {"torch": "penlight", "torchvision": "penlight.vision"}
# the releases whose interface penlight follows: programs ask for them
VERSIONS = {"torch": "2.13.0+penlight", "torchvision": "0.28.0+penlight"}


class Alias(ModuleType):
    """A module under torch's name whose attributes are those of penlight's module or object.

    It is a module of its own, so that a missing name can be reported by the name the program knows.
    """

    def __init__(self, name: str, home: Any) -> None:
        super().__init__(name, home.__doc__)
        vars(self).update(_home=home, __path__=[])
        if name in VERSIONS:
            vars(self)["__version__"] = VERSIONS[name]

    def __getattr__(self, name: str) -> Any:
        if name == "__all__":
            return getattr(self._home, "__all__", _public(self._home))
        try:
            value = getattr(self._home, name)
        except AttributeError:
            raise AttributeError(_lacks(self.__name__, name), name=name, obj=self) from None
        known = _torch_name(value) if isinstance(value, ModuleType) else None
        if known is not None:
            return import_module(known)
        if callable(value):
            vars(self)[name] = value  # found at once the next time
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Alias) or name.startswith("__"):  # import's own bookkeeping
            super().__setattr__(name, value)
        else:
            vars(self).pop(name, None)
            setattr(self._home, name, value)

    def __delattr__(self, name: str) -> None:
        vars(self).pop(name, None)
        delattr(self._home, name)

    def __dir__(self) -> list[str]:
        return sorted({*dir(self._home), *vars(self)})

    def __repr__(self) -> str:
        return f"<module {self.__name__!r}: penlight's in its place>"


def _public(module: Any) -> list[str]:
    return [name for name in dir(module) if not name.startswith("_")]


def _lacks(module: str, name: str) -> str:
    return f"module {module!r} has no attribute {name!r}: penlight lacks {module}.{name}"


def _torch_name(module: ModuleType) -> str | None:
    """What a module of penlight is called in torch's world; None for other modules."""
    for alias, home in reversed(HOMES.items()):
        name = module.__name__
        if name == home or name.startswith(home + "."):
            return alias + name[len(home) :]
    return None


def _object_in_place(name: str) -> Any:
    """What stands in penlight for a module of torch's that is none here, as backends.cudnn."""
    parent, _, last = name.rpartition(".")
    found = getattr(import_module(parent), last, None) if parent else None
    if found is None or callable(found):
        raise ImportError(
            f"cannot import {last!r} from {parent!r}: penlight lacks {name}", name=name
        ) from None
    return found


class Finder(MetaPathFinder, Loader):
    """Finds torch, torchvision and all below them in penlight."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] not in HOMES:
            return None
        return ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> Alias:
        root, dot, rest = spec.name.partition(".")
        name = HOMES[root] + dot + rest
        try:
            home = import_module(name)
        except ModuleNotFoundError as error:
            # another module that penlight's own needs may be what is missing
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise
            home = _object_in_place(spec.name)
        return Alias(spec.name, home)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to do: the module of penlight has run."""


FINDER = Finder()


def install() -> None:
    """Let `import torch` and `import torchvision` find penlight, in this process, from now on.

    Raises RuntimeError where one of them was imported before: two kinds of tensors would mix.
    """
    for name in HOMES:
        if name in sys.modules and not isinstance(sys.modules[name], Alias):
            raise RuntimeError(
                f"{name} itself is already imported in this process: "
                "call penlight.compat.install() before the first import of it"
            )
    if FINDER not in sys.meta_path:
        sys.meta_path.insert(0, FINDER)


def uninstall() -> None:
    """Undo `install`: the names lead again to what is installed under them, if anything."""
    if FINDER in sys.meta_path:
        sys.meta_path.remove(FINDER)
    for name, module in list(sys.modules.items()):
        if isinstance(module, Alias):
            del sys.modules[name]
