"""The machine's arithmetic peak, measured: fused multiply-adds in registers and nothing else."""

from __future__ import annotations

import ctypes
import importlib.util
import threading
import time
from functools import cache
from typing import Any

CHAINS = (
    12  # independent sums: enough to hide the latency of two units, few enough for 16 registers
)
ROUNDS = 1 << 19  # of the loop: about 5 ms


_best: dict[int, float] = {}  # threads -> flops per second


def measured_peak(threads: int) -> float | None:
    """Flops per second of float32 on so many threads; None without llvmlite.

    Measures five times more at each call and gives the best so far: what else ran on the machine
    meanwhile can only have made it less.
    """
    if importlib.util.find_spec("llvmlite") is None:
        return None
    kernel, lanes, _ = _kernel()
    work = 2.0 * CHAINS * lanes * ROUNDS * threads
    now = work / min(_seconds(kernel, threads) for _ in range(5))
    _best[threads] = max(now, _best.get(threads, 0.0))
    return _best[threads]


def _seconds(kernel: Any, threads: int) -> float:
    """How long `threads` threads take for a run of the kernel each, begun together."""
    together = threading.Barrier(threads)
    spans: list[tuple[float, float]] = []

    def run() -> None:
        together.wait()
        start = time.perf_counter()
        kernel(ROUNDS)
        spans.append((start, time.perf_counter()))

    workers = [threading.Thread(target=run) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return max(end for _, end in spans) - min(start for start, _ in spans)


@cache
def _kernel() -> tuple[Any, int, Any]:
    """(a function of the number of rounds, the lanes of a vector, the owner of the code)."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    features = llvm.get_host_cpu_features()
    lanes = 16 if features.get("avx512f") else 8 if features.get("avx2") else 4
    machine = llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=features.flatten() + (",-prefer-256-bit" if lanes == 16 else ""),
        opt=2, jit=True,
    )  # fmt: skip
    module = llvm.parse_assembly(_ir(lanes))
    module.verify()
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    kernel = ctypes.CFUNCTYPE(ctypes.c_float, ctypes.c_int64)(engine.get_function_address("peak"))
    return kernel, lanes, engine


def _ir(lanes: int) -> str:
    """A loop of CHAINS sums acc = fma(acc, a, b), written with llvmlite's builder."""
    from llvmlite import ir

    vector, i64 = ir.VectorType(ir.FloatType(), lanes), ir.IntType(64)
    module = ir.Module("peak")
    function = ir.Function(module, ir.FunctionType(ir.FloatType(), [i64]), "peak")
    fma = ir.Function(module, ir.FunctionType(vector, [vector] * 3), f"llvm.fma.v{lanes}f32")
    entry, loop, end = (function.append_basic_block(name) for name in ("entry", "loop", "end"))
    ir.IRBuilder(entry).branch(loop)

    b = ir.IRBuilder(loop)
    i = b.phi(i64, "i")
    sums = [b.phi(vector, "sum") for _ in range(CHAINS)]
    a, c = (ir.Constant(vector, [value] * lanes) for value in (0.5, 1.0))
    later = [b.call(fma, [old, a, c]) for old in sums]
    after = b.add(i, i64(1))
    for chain, (old, new) in enumerate(zip(sums, later)):
        old.add_incoming(ir.Constant(vector, [float(chain)] * lanes), entry)
        old.add_incoming(new, loop)
    i.add_incoming(i64(0), entry)
    i.add_incoming(after, loop)
    b.cbranch(b.icmp_signed("<", after, function.args[0]), loop, end)

    b = ir.IRBuilder(end)
    total = later[0]
    for new in later[1:]:
        total = b.fadd(total, new)
    b.ret(b.extract_element(total, ir.IntType(32)(0)))
    return str(module)
