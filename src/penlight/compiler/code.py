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

_addresses: dict[str, int] = {}  # by name: of equal specs one may say 0.0 and the other -0.0


def address(spec: Spec) -> int:
    """Where the code of a spec lies; compiles it at first use."""
    return load([spec])[0]


def load(specs: Sequence[Spec]) -> list[int]:
    """Where the code of each spec lies. All that is new is loaded at once: that is cheaper."""
    new = _new(specs)
    _link(list(new), [_image(spec) for spec in new.values()])
    return [_addresses[_name(spec)] for spec in specs]


def compile_soon(specs: Sequence[Spec], when_done: Callable[[Exception | None], object]) -> None:
    """Loads in the background, then calls `when_done` there, with the error if there was one."""

    def job() -> None:
        error = None
        try:
            new = _new(specs)
            images = [_image(spec) for spec in new.values() if not background.ending]
            if background.ending:
                return
            _link(list(new), images)
        except Exception as caught:
            error = caught
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


def _new(specs: Sequence[Spec]) -> dict[str, Spec]:
    named = {_name(spec): spec for spec in specs}
    return {name: spec for name, spec in named.items() if name not in _addresses}


def _image(spec: Spec) -> bytes:
    """The object file, from disk or compiled."""
    return disk.keep(repr(spec), lambda: llvm.assemble(ir_text(spec)))


def _link(names: Sequence[str], images: Sequence[bytes]) -> None:
    if names:
        _addresses.update(llvm.load(images, names))


_KERNEL = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)


def launch(spec: Spec, *arrays: np.ndarray, threads: int = 1) -> None:
    """Runs a kernel on arrays, one share after the other: for tests."""
    pointers = np.array([a.ctypes.data for a in arrays], np.uintp)
    function = _KERNEL(address(spec))
    for thread in range(threads):
        function(pointers.ctypes.data, thread, threads)
