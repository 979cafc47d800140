"""Watching the user's functions while a call is recorded.

Python reports every function that is entered or left (`sys.setprofile`). From those of the user
it is found out what they read outside of their arguments, so that it can be checked before each
replay, and whether they do something that a replay would not do: then the call stays eager.
"""

from __future__ import annotations

import gc
import os
import sys
from collections import OrderedDict, deque
from types import CellType, CodeType, FrameType, FunctionType, ModuleType
from typing import Any

from ..core.tape import Node
from ..core.tensor import Tensor
from .bytecode import Chain, Scan, scan
from .reads import Reads
from .user import place, runs_users

MISSING = object()


class Frames:
    """The user's functions that run within a `with` block."""

    def __init__(self, tracer: Any, function: Any):
        self.tracer = tracer
        self.reads = Reads(tracer)
        self.previous: Any = None
        self.importing: FrameType | None = None
        self.functions: dict[CodeType, list[FunctionType]] = {}
        function = getattr(function, "__func__", function)
        if isinstance(function, FunctionType):
            self.functions[function.__code__] = [function]

    def __enter__(self) -> Frames:
        self.previous = sys.getprofile()
        sys.setprofile(self.event)
        return self

    def __exit__(self, *exc: object) -> None:
        sys.setprofile(self.previous)

    def event(self, frame: FrameType, event: str, arg: Any) -> None:
        """Python calls this for every function entered or left."""
        if self.tracer.failure is not None:
            sys.setprofile(self.previous)
            return
        code = frame.f_code
        if self.importing is not None:  # what runs when a module is looked for happens once
            if event == "return" and frame is self.importing:
                self.importing = None
        elif code.co_name in ("_find_and_load", "_find_spec") and place(code.co_filename) != "user":
            self.importing = frame
        elif not runs_users(frame):
            if event == "call":
                self._entered_other(frame)
        elif event == "call":
            found = scan(code).refusal
            if found is not None:
                self.tracer.refuse_at(found[0], code.co_filename, found[1])
        elif event == "return":
            self._left(frame, scan(code))
        elif event == "c_call":
            self._called(frame, arg)

    # ------------------------------------------------------------ functions of others

    def _entered_other(self, frame: FrameType) -> None:
        """Layers that are called are part of what the program takes for granted."""
        code, caller = frame.f_code, frame.f_back
        if code.co_name == "__call__" and place(code.co_filename) == "penlight":
            owner = frame.f_locals.get("self")
            if hasattr(owner, "_parameters"):
                self.reads.module(owner)
        if caller is None or not runs_users(caller):
            return
        whose = place(code.co_filename)
        if whose == "standard" and not _is_harmless(code.co_filename):
            stem = os.path.splitext(os.path.basename(code.co_filename))[0]
            self.tracer.refuse(
                f"{stem}.{code.co_name} is called, which may do or give something else each time"
            )
        elif whose == "numpy" and "random" in code.co_filename:
            self.tracer.refuse("numpy.random is called")

    # ------------------------------------------------------------ functions in C

    def _called(self, frame: FrameType, function: Any) -> None:
        owner = getattr(function, "__self__", None)
        name = getattr(function, "__name__", "?")
        if owner is None or isinstance(owner, ModuleType):
            module = getattr(function, "__module__", None) or "builtins"
            if module == "builtins":
                if name == "next" and self._of_a_call(frame):
                    return
                if name in DENIED:
                    self.tracer.refuse(f"{name}() is called")
            elif module.split(".")[0] not in HARMLESS_C:
                self.tracer.refuse(
                    f"{module}.{name} is called, which may do or give something else each time"
                )
        elif isinstance(owner, CHANGEABLE):
            if name in CHANGES and not self._is_own(frame, owner):
                self.tracer.refuse(f"a {type(owner).__name__} is changed ({name})")
        elif name in ("__next__", "send", "throw") or type(owner).__module__.split(".")[0] not in (
            HARMLESS_C | {"builtins"}
        ):
            self.tracer.refuse(f"{type(owner).__name__}.{name} is called")

    @staticmethod
    def _of_a_call(frame: FrameType) -> bool:
        """Whether the argument of the call that is being made is itself fresh from a call."""
        found = scan(frame.f_code)
        at = found.at_offset(frame.f_lasti) - 1
        while at > 0 and found.steps[at].opname in ("PRECALL", "CACHE", "GET_ITER"):
            at -= 1
        return found.steps[at].opname == "CALL"

    @staticmethod
    def _is_own(frame: FrameType, container: Any) -> bool:
        """Whether a container was made by the function that is running."""
        found = scan(frame.f_code)
        names = [n for n, value in frame.f_locals.items() if value is container]
        return any(found.is_own(n) for n in names)

    # ------------------------------------------------------------ leaving

    def _left(self, frame: FrameType, found: Scan) -> None:
        """The function's names still have their values: what it read, and where it wrote."""
        code, values = frame.f_code, frame.f_locals
        for write in found.writes:
            if not self._is_allowed(frame, found, write):
                what = (
                    "an item" if write.attribute is None else f"the attribute {write.attribute!r}"
                )
                self.tracer.refuse_at(f"{what} of something is set", code.co_filename, write.line)
                return
        try:
            for chain in found.reads:
                self._read(frame, chain, values)
        except Exception as error:
            self.tracer.refuse_at(str(error), code.co_filename, frame.f_lineno)

    def _is_allowed(self, frame: FrameType, found: Scan, write: Any) -> bool:
        chain, code = write.holder, frame.f_code
        if chain is None:
            return False
        first = code.co_varnames[0] if code.co_argcount else None
        if code.co_name in ("__init__", "__post_init__") and chain.name == first and not chain.path:
            return True
        holder = self._value(frame, chain, frame.f_locals)
        if holder is MISSING:
            return True  # the line was not reached
        if isinstance(holder, Tensor):
            return write.attribute is None or write.attribute in ("grad", "data", "requires_grad")
        if isinstance(holder, Node):
            return True  # ctx of an autograd.Function
        return write.attribute is None and not chain.path and found.is_own(chain.name)

    @staticmethod
    def _value(frame: FrameType, chain: Chain, values: dict) -> Any:
        if chain.kind == "global":
            value = frame.f_globals.get(chain.name, MISSING)
        else:
            value = values.get(chain.name, MISSING)
        for how, key in chain.path:
            if value is MISSING:
                return MISSING
            try:
                value = getattr(value, key) if how == "attribute" else value[key]
            except Exception:  # whatever a user's object raises: there is no value to look at
                return MISSING
        return value

    def _cell(self, frame: FrameType, name: str) -> CellType | None:
        """The cell of a free variable: it belongs to the function object that is running."""
        code = frame.f_code
        if code not in self.functions:
            found = gc.get_referrers(code)
            self.functions[code] = [f for f in found if isinstance(f, FunctionType)]
        at, value = code.co_freevars.index(name), frame.f_locals.get(name, MISSING)
        for function in self.functions[code]:
            cell = (function.__closure__ or ())[at]
            try:
                if cell.cell_contents is value:
                    return cell
            except ValueError:
                continue  # not set yet in that function
        return None

    def _read(self, frame: FrameType, chain: Chain, values: dict) -> None:
        if chain.kind == "global":
            if chain.name not in frame.f_globals:
                return
            value = frame.f_globals[chain.name]
            self.reads.entry(
                frame.f_globals, chain.name, value, f"the global variable {chain.name!r}"
            )
        elif chain.kind == "cell":
            value = values.get(chain.name, MISSING)
            if value is MISSING:
                return
            cell = self._cell(frame, chain.name)
            if cell is not None:
                self.reads.cell(cell, value, f"the variable {chain.name!r}")
        else:
            value = values.get(chain.name, MISSING)
            if value is MISSING:
                return
        self.reads.path(value, chain)


def _is_harmless(filename: str) -> bool:
    """Whether a page of the standard library neither does nor gives anything new."""
    parts = filename.replace("\\", "/").split("/")
    return parts[-1].removesuffix(".py") in HARMLESS or (len(parts) > 1 and parts[-2] in HARMLESS)


HARMLESS = frozenset(
    "functools contextlib collections typing abc enum dataclasses types operator copy numbers "
    "inspect weakref _weakrefset string _collections_abc reprlib importlib <frozen abc> "
    "_bootstrap _bootstrap_external re keyword".split()
)
HARMLESS_C = frozenset(
    "math cmath _operator itertools _functools _collections _abc numpy collections _weakref "
    "penlight functools operator".split()
)
DENIED = frozenset(
    "print input open exec eval compile next setattr delattr globals vars breakpoint".split()
)
CHANGEABLE = (list, dict, set, deque, bytearray, OrderedDict)
CHANGES = frozenset(
    "append extend insert pop remove clear update setdefault popitem add discard sort reverse "
    "appendleft popleft extendleft rotate move_to_end __setitem__ __delitem__ "
    "difference_update intersection_update symmetric_difference_update".split()
)
