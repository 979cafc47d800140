"""The native part of the runtime, `runtime.ll` and `pool.ll`, as functions of this process."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path
from string import Template

import numpy as np

from . import cache as disk
from . import llvm
from .host import host

HEADER = object.__basicsize__  # bytes before an object's own fields; the last pointer is its type
PAUSES = {  # by processor: how it is called, how it is declared
    "x86_64": ("@llvm.x86.sse2.pause()", "@llvm.x86.sse2.pause()"),
    "aarch64": ("@llvm.aarch64.hint(i32 1)", "@llvm.aarch64.hint(i32)"),
    "arm64": ("@llvm.aarch64.hint(i32 1)", "@llvm.aarch64.hint(i32)"),
}
PYTHON = (
    "PyErr_Format", "PyErr_Occurred", "PyLong_AsLongLong", "PyLong_FromLongLong",
    "PyFloat_AsDouble", "Py_IncRef", "PyEval_SaveThread", "PyEval_RestoreThread",
)  # fmt: skip
POSIX = (
    "pthread_create", "pthread_join", "pthread_mutex_init", "pthread_mutex_lock",
    "pthread_mutex_unlock", "pthread_cond_init", "pthread_cond_wait", "pthread_cond_signal",
    "pthread_sigmask", "sigfillset", "sched_yield",
)  # fmt: skip
EXPORTS = (
    "call_kernel", "call_program", "configure", "want", "pauses", "started", "halt", "resume",
)  # fmt: skip


@cache
def functions() -> dict[str, int]:
    """Where the exported functions lie."""
    text = source()
    image = disk.keep(text, lambda: llvm.assemble(text))
    found = _symbols()
    never_called = found["PyErr_Occurred"]  # LLVM wants an address
    return llvm.load([image], EXPORTS, {name: at or never_called for name, at in found.items()})


def source() -> str:
    """Both files as one module, for this processor and this Python."""
    files = (Path(__file__).with_name(name) for name in ("runtime.ll", "pool.ll"))
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    call, declaration = PAUSES.get(host().triple.partition("-")[0], ("", ""))
    return Template(text).substitute(
        header=HEADER,
        type=HEADER - 8,
        name=HEADER + 8,  # of a type: the first field after its ob_size
        pause=call and f"call void {call}",
        pause_declared=declaration and f"declare void {declaration}",
    )


def has_threads() -> bool:
    """Whether this system has POSIX threads."""
    return all(_symbols()[name] for name in POSIX)


@cache
def _symbols() -> dict[str, int]:
    python = ctypes.pythonapi
    found = {name: _address(python, name) for name in PYTHON}
    system = ctypes.CDLL(None) if os.name == "posix" else None
    found.update({name: _address(system, name) for name in POSIX})
    error = ctypes.c_void_p.in_dll(python, "PyExc_TypeError")
    found["PyExc_TypeError"] = ctypes.addressof(error)
    found.update({"None": id(None), "ndarray": id(np.ndarray), "float": id(float)})
    return found


def _address(library: ctypes.CDLL | None, name: str) -> int:
    """Of a C function; 0 if the system does not have it."""
    if not hasattr(library, name):
        return 0
    return ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0
