"""The processor that code is made for: its name, its features, how wide its vectors are."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache

WIDTHS = (512, 256, 128)
WIDE_ONLY = "avx512"  # features that code for narrower vectors must not use begin with this


@dataclass(frozen=True)
class Host:
    """What a kernel is specialised on.

    `bits`       the width of a vector register
    `registers`  how many there are
    """

    triple: str
    cpu: str
    features: str
    bits: int
    registers: int

    def lanes(self, itemsize: int) -> int:
        """How many elements of `itemsize` bytes one vector holds."""
        return self.bits // (8 * itemsize)


@cache
def host() -> Host:
    """This machine; PENLIGHT_VECTOR_BITS=128, 256 or 512 asks for narrower vectors than it has."""
    import llvmlite.binding as llvm

    features = dict(llvm.get_host_cpu_features())
    widest = 512 if features.get("avx512f") else 256 if features.get("avx2") else 128
    bits = min(widest, _asked_bits())
    if bits < 512:
        features = {k: on and not k.startswith(WIDE_ONLY) for k, on in features.items()}
    flags = ",".join(("+" if on else "-") + name for name, on in sorted(features.items()))
    triple = llvm.get_process_triple()
    many = bits == 512 or triple.startswith(("aarch64", "arm64"))
    return Host(triple, llvm.get_host_cpu_name(), flags, bits, 32 if many else 16)


def _asked_bits() -> int:
    text = os.environ.get("PENLIGHT_VECTOR_BITS", "512")
    if text not in map(str, WIDTHS):
        raise ValueError(f"PENLIGHT_VECTOR_BITS must be one of {WIDTHS}, got {text!r}")
    return int(text)
