"""From a kernel's spec to machine code in memory."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable

import numpy as np

from . import cache as disk
from . import llvm
from .background import background
from .emit import Emitter
from .host import host
from .spec import Spec

_addresses: dict[Spec, int] = {}


def address(spec: Spec) -> int:
    """Where the code of a spec lies; compiles it at first use."""
    found = _addresses.get(spec)
    if found is None:
        image = disk.keep(repr(spec), lambda: llvm.assemble(ir_text(spec)))
        found = _addresses[spec] = llvm.load(image, ["kernel"])["kernel"]
    return found


def compile_soon(specs: Iterable[Spec], when_done: Callable[[Exception | None], object]) -> None:
    """Compiles in the background, then calls `when_done` there, with the error if there was one."""
    waiting = list(specs)

    def job() -> None:
        error = None
        try:
            while waiting and not background.ending:
                address(waiting[0])
                del waiting[0]
        except Exception as caught:
            error = caught
        if error is not None or not waiting:
            when_done(error)

    background.add(job)


def ir_text(spec: Spec) -> str:
    """The LLVM IR of a spec as its emitter writes it."""
    e = Emitter(host())
    spec.emit(e)
    return e.finish()


_KERNEL = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)


def launch(spec: Spec, *arrays: np.ndarray, threads: int = 1) -> None:
    """Runs a kernel on arrays, one share after the other: for tests."""
    pointers = np.array([a.ctypes.data for a in arrays], np.uintp)
    function = _KERNEL(address(spec))
    for thread in range(threads):
        function(pointers.ctypes.data, thread, threads)
