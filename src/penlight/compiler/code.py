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
    new = _new(specs)
    _link(new, [_image(spec) for spec in new])
    return [_addresses[spec] for spec in specs]


def compile_soon(specs: Sequence[Spec], when_done: Callable[[Exception | None], object]) -> None:
    """Loads in the background, then calls `when_done` there, with the error if there was one."""

    def job() -> None:
        error = None
        try:
            new = _new(specs)
            images = [_image(spec) for spec in new if not background.ending]
            if background.ending:
                return
            _link(new, images)
        except Exception as caught:
            error = caught
        when_done(error)

    background.add(job)


def _new(specs: Sequence[Spec]) -> list[Spec]:
    return [spec for spec in dict.fromkeys(specs) if spec not in _addresses]


def _image(spec: Spec) -> bytes:
    """The object file, from disk or compiled."""
    return disk.keep(repr(spec), lambda: llvm.assemble(ir_text(spec)))


def _link(specs: Sequence[Spec], images: Sequence[bytes]) -> None:
    if specs:
        found = llvm.load(images, [_name(spec) for spec in specs])
        _addresses.update((spec, found[_name(spec)]) for spec in specs)


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
