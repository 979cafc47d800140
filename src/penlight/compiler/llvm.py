"""LLVM behind three functions: text -> object file -> addresses in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from itertools import count
from typing import Any

import llvmlite.binding as llvm

from .host import host

_libraries: list[Any] = []  # code lives as long as the process: threads may still be in it at exit
_names = count()


def assemble(text: str) -> bytes:
    """The object file of a module of LLVM IR, optimised for this machine."""
    module = llvm.parse_assembly(text)
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = options.slp_vectorization = options.loop_unrolling = False
    builder = llvm.create_pass_builder(_machine(), options)
    builder.getModulePassManager().run(module, builder)
    return _machine().emit_object(module)


def load(
    image: bytes, names: Iterable[str], symbols: Mapping[str, int] | None = None
) -> dict[str, int]:
    """Where the functions `names` of an object file lie; `symbols` are what it imports."""
    library = llvm.JITLibraryBuilder().add_object_img(image).add_current_process()
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
