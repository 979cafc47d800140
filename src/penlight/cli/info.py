"""`penlight info`: what this machine offers, and what penlight uses of it."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

import penlight

from ..compiler import cache as code
from ..core.folders import cache_folder
from ..core.threads import usable_cores

PACKAGES = ("numpy", "ml_dtypes", "safetensors", "pillow", "tqdm", "click")
# NumPy's names of vector instructions, over its releases, and how many bits they take at once
WIDTHS = {
    "AVX512": 512,
    "X86_V4": 512,
    "AVX2": 256,
    "X86_V3": 256,
    "ASIMD": 128,
    "NEON": 128,
    "VSX": 128,
    "SSE": 128,
    "X86_V2": 128,
}


def report() -> dict[str, str]:
    """What `penlight info` prints: name -> value."""
    config = np.show_config(mode="dicts")
    simd = config.get("SIMD Extensions", {})
    blas = config["Build Dependencies"]["blas"]
    return {
        "penlight": f"{penlight.__version__} (interface of PyTorch 2.13)",
        "python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "processor": processor(),
        "cores": f"{usable_cores()} usable of {os.cpu_count()}",
        "simd": simd_width({*simd.get("baseline", []), *simd.get("found", [])}),
        "threads": str(penlight.get_num_threads()),
        "device": "cuda" if penlight.cuda.is_available() else "cpu",
        "blas": f"{blas['name']} {blas['version']}",
        "packages": ", ".join(f"{name} {installed(name)}" for name in PACKAGES),
        "cache": cache_line(),
        "code cache": code_cache(),
    }


def code_cache() -> str:
    """How much compiled code is kept."""
    entries, size = code.usage()
    return f"{entries} entries ({size / 2**20:.1f} MiB)"


def cache_line() -> str:
    """The folder, and how much lies in it."""
    try:
        folder = cache_folder()
    except RuntimeError:
        return "none: no home folder"
    return f"{folder} ({folder_size(folder) / 2**20:.1f} MiB)"


def processor() -> str:
    """The processor's name as the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def simd_width(features: set[str]) -> str:
    """The widest vectors that NumPy found, by its names of the processor's features."""
    for feature, bits in WIDTHS.items():
        if any(name.startswith(feature) for name in features):
            return f"{bits} bits ({feature}): {bits // 32} float32 at once"
    return "none found"


def installed(package: str) -> str:
    """The package's version."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def folder_size(folder: Path) -> int:
    """Bytes in all files below the folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
