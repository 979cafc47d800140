"""From a kernel's spec to machine code in memory."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from .emit import Emitter
from .host import host
from .spec import Spec

_kept: list[Any] = []  # engines: they own the memory that the functions lie in
_addresses: dict[Any, int] = {}


def address(spec: Spec) -> int:
    """Where the code of a spec lies; compiles it at first use."""
    found = _addresses.get(spec)
    if found is None:
        found = _addresses[spec] = _load(compile_object(spec))
    return found


def ir_text(spec: Spec) -> str:
    """The LLVM IR of a spec as its emitter writes it."""
    e = Emitter(host())
    spec.emit(e)
    return e.finish()


def compile_object(spec: Spec) -> bytes:
    """An object file with the function `kernel`."""
    import llvmlite.binding as llvm

    module = llvm.parse_assembly(ir_text(spec))
    module.verify()
    machine = _machine()
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = options.slp_vectorization = options.loop_unrolling = False
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    return machine.emit_object(module)


def _machine() -> Any:
    """A target machine; an engine takes it over, so each needs one of its own."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    own = host()
    return llvm.Target.from_triple(own.triple).create_target_machine(
        cpu=own.cpu, features=own.features, opt=3, jit=True
    )


def _load(image: bytes) -> int:
    import llvmlite.binding as llvm

    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _machine())
    engine.add_object_file(llvm.ObjectFileRef.from_data(image))
    engine.finalize_object()
    _kept.append(engine)
    return engine.get_function_address("kernel")


_KERNEL = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)


def launch(spec: Spec, *arrays: np.ndarray, threads: int = 1) -> None:
    """Runs a kernel on arrays, one share after the other: for tests."""
    pointers = np.array([a.ctypes.data for a in arrays], np.uintp)
    function = _KERNEL(address(spec))
    for thread in range(threads):
        function(pointers.ctypes.data, thread, threads)
