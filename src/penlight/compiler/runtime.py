"""How Python enters machine code: a kernel or a program becomes a built-in function."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from . import code, native
from .spec import Spec

METH_FASTCALL = 0x0080


class State(np.ndarray):
    """The memory of one callable; `keep` owns what that memory points to."""

    keep: Any


def kernel(spec: Spec, release: bool = False) -> Callable[..., None]:
    """A function of the spec's arrays, in its operands' order, then of its numbers."""
    words = (len(spec.operands), getattr(spec, "numbers", 0), release, spec.threads)
    return _callable("call_kernel", _state([*words, code.address(spec)]))


def _state(words: list[int]) -> State:
    return np.array(words, np.int64).view(State)


def _callable(entry: str, state: State) -> Callable[..., Any]:
    method, make = _methods()[entry]
    return make(method, state, None)


class _Method(ctypes.Structure):
    """CPython's PyMethodDef."""

    _fields_ = (
        ("name", ctypes.c_char_p), ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int), ("doc", ctypes.c_char_p),
    )  # fmt: skip


@cache
def _methods() -> dict[str, Any]:
    make = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)(
        ("PyCFunction_NewEx", ctypes.pythonapi)
    )
    found = native.functions()
    methods = [
        _Method(name.encode(), found[f"call_{name}"], METH_FASTCALL, None)
        for name in ("kernel", "program")
    ]
    return {"call_" + m.name.decode(): (ctypes.addressof(m), make) for m in methods} | {
        "keep": methods
    }
