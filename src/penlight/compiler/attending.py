"""Attention of arrays, at once: kernels that read their sizes, one for each kind of operands.

The kernels of programs have the same bits and, their loops being long, hardly more speed.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from .types import NAMES, NUMPY

Arrays = list[np.ndarray]


def attention(*arrays: np.ndarray, causal: bool, scale: float) -> tuple[np.ndarray, ...]:
    """(out, lse) of q, k, v and the mask if there is one: see `kernels.attention_structure`."""
    return _run(False, list(arrays), causal, scale)


def attention_backward(*arrays: np.ndarray, causal: bool, scale: float) -> tuple[np.ndarray, ...]:
    """(gq, gk, gv) of q, k, v, the mask if there is one, lse, g, out."""
    return _run(True, list(arrays), causal, scale)


def _run(backward: bool, arrays: Arrays, causal: bool, scale: float) -> tuple[np.ndarray, ...]:
    arrays = [a if _in_lines(a) else np.ascontiguousarray(a) for a in arrays]
    key = tuple([(a.dtype.char, a.shape, a.strides) for a in arrays])
    forms, run, work = _form(backward, key, causal, scale)
    results = tuple([np.empty(shape, dtype) for dtype, shape in forms])
    run(*arrays, *results, np.empty(work, np.uint8))
    return results


def _in_lines(array: np.ndarray) -> bool:
    """Whether the elements along the last axis are neighbours."""
    return array.strides[-1] == array.itemsize


@lru_cache(maxsize=1024)
def _form(
    backward: bool, key: tuple, causal: bool, scale: float
) -> tuple[list, Callable[..., int], int]:
    """The forms of the results, a function of inputs, results and workspace, and its bytes."""
    from .forms import Launch, Plan, program
    from .kernels import attention_structure as a
    from .spec import Operand

    forms = [(NAMES[np.dtype(char)], shape) for char, shape, _ in key]
    sizes = [np.dtype(char).itemsize for char, _, _ in key]
    operands = [
        Operand(kind, tuple([s // size for s in strides]))
        for (kind, _), size, (_, _, strides) in zip(forms, sizes, key)
    ]
    numbers = a.sizes_of(forms, operands, causal, scale, backward)
    threads = a.threads_worth(numbers, backward)
    read = tuple([Operand(kind, (0, 0, 0, 1)) for kind, _ in forms])
    kernel = a.AttentionBackward if backward else a.Attention
    results = (a.backward_rule if backward else a.forward_rule)(forms, None)
    names = [f"{n}" for n in range(len(forms) + len(results) + 1)]
    launch = Launch(kernel(read, a.MOST_THREADS), tuple(names), threads, (threads, *numbers.flat()))
    run, _ = program(Plan((launch,)), names)
    work = a.aligned_bytes(threads * numbers.work, results[0][0])
    return [(NUMPY[kind], shape) for kind, shape in results], run, work
