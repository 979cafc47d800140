"""How Python enters machine code: a kernel or a program becomes a built-in function.

Such a function reads the addresses of its arguments, exact NumPy arrays, straight from the objects
and returns after the last store. It does not look at types, shapes or strides: whoever made the
kernel for them does. Numbers may follow the arrays: a kernel gets one more pointer, to an i64 for
each (a float by its f64 bits). By default the GIL is kept: to get it back may take 5 ms where
another thread is computing in Python, so `release` is for work that takes longer than that hurts.
"""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from . import code, native, pool
from .spec import Spec

METH_FASTCALL = 0x0080


@dataclass(frozen=True)
class Command:
    """One kernel of a program. Without `barrier` it may begin before those above it have ended.

    `starts` are bytes behind the address in each slot, () for none.
    """

    address: int
    slots: tuple[int, ...]
    threads: int = 1
    barrier: bool = True
    starts: tuple[int, ...] = ()


class State(np.ndarray):
    """The memory of one callable; `keep` owns what that memory points to."""

    keep: Any
    error: np.ndarray


def kernel(spec: Spec, release: bool = False) -> Callable[..., None]:
    """A function of the spec's arrays, in its operands' order, then of its numbers."""
    words = (len(spec.operands), getattr(spec, "numbers", 0), release, spec.threads)
    return _callable(0, np.array([*words, code.address(spec)], np.int64).view(State))


def program(
    commands: Sequence[Command],
    slots: int,
    fixed: Mapping[int, int],
    external: Sequence[int],
    numbers: tuple[int, int] | None = None,
    release: bool = False,
    keep: Any = None,
) -> Callable[..., int]:
    """A function of `external` arrays, then of numbers, that runs the commands.

    A command's pointers are taken from its slots: `fixed` ones hold an address, `external` ones
    that of an argument, `numbers` = (slot, count) that of the numbers. Slot 0 points at an i64[4]
    {code, index, size, axis}, `function.__self__.error` unless it is a fixed one; the code is set
    to 0 before and returned after; once it is not 0, what is behind the next barrier is left out.
    `keep` is whatever owns the fixed memory. A program that another thread of Python is running is
    waited for.
    """
    slot, count = numbers or (None, 0)
    error, room = np.zeros(4, np.int64), np.zeros(count, np.int64)
    known: dict[Any, int] = {0: _at(error), slot: _at(room), **fixed}
    order = {s: i for i, s in enumerate(external)}
    _check(commands, slots, known, order)
    flat = [
        (s, start)
        for c in commands
        for s, start in zip(c.slots, c.starts or (0,) * len(c.slots), strict=True)
    ]
    args = np.array([known.get(s, 0) + start for s, start in flat], np.int64)
    places = itertools.count(_at(args), 8)
    starts = itertools.accumulate((len(c.slots) for c in commands), initial=0)
    table = np.array(
        [(c.address, _at(args) + 8 * i, c.threads, c.barrier) for c, i in zip(commands, starts)],
        np.int64,
    )
    cells = np.array(
        [(order[s], at, start) for (s, start), at in zip(flat, places) if s in order], np.int64
    )
    threads = max((c.threads for c in commands), default=1)
    words = (len(order), count, release, threads, 0,
             0, len(commands), _at(table), len(cells), _at(cells), known[0], _at(room))  # fmt: skip
    state = np.array(words, np.int64).view(State)
    state.error, state.keep = error, (room, args, table, cells, keep)
    return _callable(1, state)


def _at(array: np.ndarray) -> int:
    return array.ctypes.data


def _check(
    commands: Sequence[Command], slots: int, known: Mapping[Any, int], order: Mapping[int, int]
) -> None:
    """Every slot that a command reads has one meaning."""
    for s in order:
        if s in known:
            raise ValueError(f"slot {s} is both external and fixed")
    for number, command in enumerate(commands):
        for s in command.slots:
            if not (0 <= s < slots and (s in known or s in order)):
                raise ValueError(f"command {number} reads slot {s}, which nothing fills")


def _callable(entry: int, state: State) -> Callable[..., Any]:
    make, methods = _methods()
    return make(ctypes.addressof(methods[entry]), state, None)


class _Method(ctypes.Structure):
    """CPython's PyMethodDef."""

    _fields_ = (
        ("name", ctypes.c_char_p), ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int), ("doc", ctypes.c_char_p),
    )  # fmt: skip


@cache
def _methods() -> tuple[Callable[..., Any], list[_Method]]:
    """What makes a built-in function of (method, self, module), and our two methods."""
    pool.connect()
    found = native.functions()
    make = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)
    names = ("kernel", "program")
    return make(("PyCFunction_NewEx", ctypes.pythonapi)), [
        _Method(name.encode(), found[f"call_{name}"], METH_FASTCALL, None) for name in names
    ]
