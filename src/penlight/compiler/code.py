"""From a kernel's spec to machine code in memory."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from . import cache as disk
from . import llvm
from .emit import Emitter
from .host import host
from .spec import Spec

_addresses: dict[Any, int] = {}


def address(spec: Spec) -> int:
    """Where the code of a spec lies; compiles it at first use."""
    found = _addresses.get(spec)
    if found is None:
        found = _addresses[spec] = _load(spec)
    return found


def ir_text(spec: Spec) -> str:
    """The LLVM IR of a spec as its emitter writes it."""
    e = Emitter(host())
    spec.emit(e)
    return e.finish()


def _load(spec: Spec) -> int:
    key = f"{spec!r}"
    image = disk.keep(key, lambda: llvm.assemble(ir_text(spec)))
    return llvm.load(image, ["kernel"])["kernel"]


_KERNEL = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)


def launch(spec: Spec, *arrays: np.ndarray, threads: int = 1) -> None:
    """Runs a kernel on arrays, one share after the other: for tests."""
    pointers = np.array([a.ctypes.data for a in arrays], np.uintp)
    function = _KERNEL(address(spec))
    for thread in range(threads):
        function(pointers.ctypes.data, thread, threads)
