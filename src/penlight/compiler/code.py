"""From a kernel's spec to machine code in memory."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from hashlib import sha256

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
    return load([spec])[0] if found is None else found


def load(specs: Sequence[Spec]) -> list[int]:
    """Where the code of each spec lies. All that is new is loaded at once: that is cheaper."""
    new = {_name(spec): spec for spec in specs if spec not in _addresses}
    if new:
        found = llvm.load([image(spec) for spec in new.values()], new)
        _addresses.update((spec, found[name]) for name, spec in new.items())
    return [_addresses[spec] for spec in specs]


def image(spec: Spec) -> bytes:
    """The object file of a spec, from disk or compiled."""
    return disk.keep(repr(spec), lambda: llvm.assemble(ir_text(spec)))


def compile_soon(specs: Sequence[Spec], when_done: Callable[[Exception | None], object]) -> None:
    """Compiles in the background, then calls `when_done` there, with the error if there was one."""
    waiting = list(specs)

    def job() -> None:
        error = None
        try:
            while waiting and not background.ending:
                image(waiting.pop())
            if not background.ending:
                load(specs)
        except Exception as caught:
            error = caught
        if not background.ending:
            when_done(error)

    background.add(job)


def ir_text(spec: Spec) -> str:
    """The LLVM IR of a spec as its emitter writes it."""
    e = Emitter(host(), _name(spec))
    spec.emit(e)
    return e.finish()


def _name(spec: Spec) -> str:
    """Of the function; no two specs have the same."""
    return "kernel_" + sha256(repr(spec).encode()).hexdigest()[:24]


_KERNEL = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)


def launch(spec: Spec, *arrays: np.ndarray, threads: int = 1) -> None:
    """Runs a kernel on arrays, one share after the other: for tests."""
    pointers = np.array([a.ctypes.data for a in arrays], np.uintp)
    function = _KERNEL(address(spec))
    for thread in range(threads):
        function(pointers.ctypes.data, thread, threads)
