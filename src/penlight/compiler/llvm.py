"""LLVM behind two functions: text -> object file -> addresses in memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import cache
from itertools import count
from threading import RLock
from typing import Any

import llvmlite.binding as llvm

from .host import host

# O2 takes three to five times as long and makes no kernel faster: they are written well ordered
PASSES = (
    "always_inliner", "sroa", "new_gvn", "loop_simplify", "loop_rotate", "instruction_combine",
    "simplify_cfg",
)  # fmt: skip

_lock = RLock()  # LLVM has one user at a time; a fork waits for it
_names = count()
_libraries: list[Any] = []  # code lives as long as the process


def assemble(text: str) -> bytes:
    """The object file of a module of LLVM IR, optimised for this machine."""
    with _lock:
        module = llvm.parse_assembly(text)
        module.verify()
        passes = llvm.create_new_module_pass_manager()
        for name in PASSES:
            getattr(passes, f"add_{name}_pass")()
        options = llvm.create_pipeline_tuning_options()
        passes.run(module, llvm.create_pass_builder(_machine(), options))
        return _machine().emit_object(module)


def load(
    images: Iterable[bytes], names: Iterable[str], symbols: Mapping[str, int] | None = None
) -> dict[str, int]:
    """Where the functions `names` of object files lie; `symbols` are what they import."""
    with _lock:
        library = llvm.JITLibraryBuilder().add_current_process()
        for image in images:
            library.add_object_img(image)
        for name in names:
            library.export_symbol(name)
        for name, address in (symbols or {}).items():
            library.import_symbol(name, address)
        tracker = library.link(_loader(), f"penlight{next(_names)}")
        _libraries.append(tracker)
        return {name: tracker[name] for name in names}


@cache
def _machine() -> Any:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    own = host()
    return llvm.Target.from_triple(own.triple).create_target_machine(
        cpu=own.cpu, features=own.features, opt=3, jit=True
    )


@cache
def _loader() -> Any:
    return llvm.create_lljit_compiler(_machine())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
    )
