"""What the user's functions read outside of their arguments, as checks for later calls."""

from __future__ import annotations

from types import (
    BuiltinFunctionType,
    CellType,
    FunctionType,
    MethodType,
    MethodWrapperType,
    ModuleType,
)  # fmt: skip
from typing import Any

import numpy as np

from ..core.tensor import Tensor
from .bytecode import Chain
from .user import is_users

MISSING: Any = object()
LIMIT = 4096  # entries of a container that are compared before each call


class Read:
    """One thing that must be as it was: `value` at `key` of `holder`.

    `how` is "item" (of a dictionary or list), "cell", "attribute" or "content" (what a container
    holds: then `value` is a snapshot of it).
    """

    __slots__ = ("holder", "how", "key", "value", "words")

    def __init__(self, how: str, holder: Any, key: Any, value: Any, words: str):
        self.how, self.holder, self.key, self.value, self.words = how, holder, key, value, words

    def now(self) -> Any:
        """The present value."""
        try:
            if self.how == "item":
                return self.holder[self.key]
            if self.how == "cell":
                return self.holder.cell_contents
            if self.how == "content":
                return snapshot(self.holder)
            return getattr(self.holder, self.key)
        except (LookupError, ValueError, AttributeError):
            return MISSING

    def holds(self) -> bool:
        """Whether nothing has changed."""
        return same(self.now(), self.value)

    def reason(self) -> str:
        """What has changed, in words."""
        now = self.now()
        if self.how == "content":
            return f"what {self.words} holds has changed"
        if is_plain(self.value) and (is_plain(now)):
            return f"{self.words}: {self.value!r} became {now!r}"
        return f"{self.words} is another object" if now is not MISSING else f"{self.words} is gone"


class Reads:
    """The checks of one recording."""

    def __init__(self, tracer: Any):
        self.tracer = tracer
        self.found: dict[tuple, Read] = {}
        self.modules: dict[int, Any] = {}

    def checks(self) -> list[Read]:
        """All of them."""
        return list(self.found.values())

    def add(self, how: str, holder: Any, key: Any, value: Any, words: str) -> None:
        """Notes one read, and looks at what was read."""
        place = (id(holder), key)
        if place in self.found or is_ours(value) or isinstance(value, FLEETING):
            return
        self._check(value, words)
        self.found[place] = Read(how, holder, key, value, words)
        self.inside(value, words)

    def entry(self, holder: dict, key: Any, value: Any, words: str) -> None:
        """An entry of a dictionary was read."""
        self.add("item", holder, key, value, words)

    def cell(self, cell: CellType, value: Any, words: str) -> None:
        """A variable of an enclosing function was read."""
        self.add("cell", cell, None, value, words)

    def _check(self, value: Any, words: str) -> None:
        if isinstance(value, np.ndarray):
            raise TypeError(f"{words} is a NumPy array, whose values may change")
        if hasattr(value, "__next__") and hasattr(value, "__iter__"):
            raise TypeError(f"{words} is an iterator, which moves on with each call")

    def inside(self, value: Any, words: str) -> None:
        """What a container holds, and what a module is made of, count too."""
        if hasattr(value, "_parameters") and hasattr(value, "_modules"):
            self.module(value)
        elif isinstance(value, (list, dict, set, tuple)) and not is_plain(value):
            if len(value) > LIMIT:
                raise TypeError(f"{words} has too many entries to look at before each call")
            place = (id(value), "content")
            if place in self.found:
                return
            self.found[place] = Read("content", value, "content", snapshot(value), words)
            for part in value.values() if isinstance(value, dict) else value:
                self._check(part, words)
                if hasattr(part, "_parameters") or isinstance(part, (list, dict, tuple)):
                    self.inside(part, words)

    def module(self, module: Any) -> None:
        """A layer takes part, with all its parts."""
        if id(module) in self.modules or id(module) in self.tracer.fresh_modules:
            return
        self.modules[id(module)] = module
        for child in module._modules.values():
            if child is not None:
                self.module(child)

    def path(self, value: Any, chain: Chain) -> None:
        """Attributes and items were read one after another, from `value` on."""
        words = chain.name
        for how, key in chain.path:
            words += f".{key}" if how == "attribute" else f"[{key!r}]"
            if isinstance(value, Tensor) or isinstance(value, FLEETING) or is_ours(value):
                return
            if how == "item":
                if not isinstance(value, (dict, list)):
                    if not isinstance(value, tuple):
                        return
                try:
                    part = value[key]
                except LookupError:
                    return
                if not isinstance(value, tuple):
                    self.add("item", value, key, part, words)
            else:
                part = self._attribute(value, key, words)
                if part is MISSING:
                    return
            value = part

    def _attribute(self, holder: Any, name: str, words: str) -> Any:
        """The value of an attribute, checked from now on where that can be done without calls."""
        if hasattr(holder, "_parameters"):
            self.module(holder)
            own = vars(holder)
            part = own.get(name, MISSING)
            if part is MISSING:
                for table in ("_parameters", "_buffers", "_modules"):
                    part = own.get(table, {}).get(name, part)
            if part is not MISSING:
                self._check(part, words)
                self.inside(part, words)
                return part
        else:
            own = getattr(holder, "__dict__", {})
            if isinstance(own, dict) and name in own:
                self.add("item", own, name, own[name], words)
                return own[name]
        for kind in (holder if isinstance(holder, type) else type(holder)).__mro__:
            if name in vars(kind):
                part = vars(kind)[name]
                if isinstance(part, (property, staticmethod, classmethod)) or is_ours(kind):
                    return MISSING
                if hasattr(type(part), "__get__") and not isinstance(part, FunctionType):
                    slot = getattr(holder, name, MISSING)  # a slot: read like an attribute
                    if type(part).__name__ == "member_descriptor" and slot is not MISSING:
                        self.add("attribute", holder, name, slot, words)
                        return slot
                    return MISSING
                if not isinstance(part, FunctionType):
                    self.add("attribute", kind, name, part, words)
                    return part
                return MISSING
        return MISSING


FLEETING = (MethodType, BuiltinFunctionType, MethodWrapperType)


def is_ours(value: Any) -> bool:
    """Whether a module, class or function comes from penlight, NumPy or the standard library."""
    if isinstance(value, ModuleType):
        return not is_users(getattr(value, "__file__", None) or "<frozen>")
    if isinstance(value, FunctionType):
        return not is_users(value.__code__.co_filename)
    if isinstance(value, type):
        return value.__module__.split(".")[0] in ("penlight", "numpy", "builtins", "torch")
    return False


def is_plain(value: Any) -> bool:
    """Whether equality says all there is to know."""
    if isinstance(value, tuple):
        return all(map(is_plain, value))
    return value is None or isinstance(value, (bool, int, float, complex, str, bytes))


class Snapshot:
    """What a container holds, to be compared later; containers in it are looked at themselves."""

    __slots__ = ("keys", "kind", "values")

    def __init__(self, container: Any):
        self.kind = type(container)
        self.keys = list(container)
        self.values = list(container.values()) if isinstance(container, dict) else ()


def snapshot(value: Any) -> Any:
    """A container as a snapshot, anything else as it is."""
    return Snapshot(value) if isinstance(value, (list, dict, set, tuple)) else value


def same(a: Any, b: Any) -> bool:
    """Identical, or equal plain values, also within snapshots."""
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if type(a) is Snapshot:
        return a.kind is b.kind and same(a.keys, b.keys) and same(a.values, b.values)
    if type(a) is tuple or type(a) is list:
        return len(a) == len(b) and all(map(same, a, b))
    if type(a) is float:
        return a == b and (a != 0 or str(a) == str(b))
    return is_plain(a) and a == b
