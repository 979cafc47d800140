"""NumPy ufuncs whose inner loops are our kernels: broadcasting, strides, `out=` are NumPy's.

A ufunc is made by NumPy's C API, which its module offers as a table of addresses.
https://numpy.org/doc/stable/reference/c-api/ufunc.html
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy._core import _multiarray_umath  # type: ignore[attr-defined]

from . import code
from .kernels.pointwise import Inner
from .kernels.sums import SumLoop
from .scalars import TABLE

MAKE, MAKE_GENERALIZED = 1, 31  # places in the table, part of NumPy's ABI
NUMBERS = {"f32": 11, "f64": 12}  # NPY_FLOAT, NPY_DOUBLE
NO_IDENTITY = -1
_kept: list[Any] = []  # the arrays that ufuncs point to


def pointwise(op: str) -> np.ufunc:
    """The ufunc of a scalar operation."""
    loops = [_address(Inner(op, kind)) for kind in NUMBERS]
    return _ufunc(op, loops, TABLE[op].arity, None)


def reduction(name: str, axes: int) -> np.ufunc:
    """(n) -> () or (m, n) -> (): "sum" or "prod" over the last axis or two, or those it is told."""
    loops = [_address(SumLoop(name, kind, axes)) for kind in NUMBERS]
    return _ufunc(name, loops, 1, b"(n)->()" if axes == 1 else b"(m,n)->()")


def _address(loop: Any) -> int:
    """Where an inner loop lies: it is compiled as a kernel is, and has no operands of its own."""
    return code.address(loop)


def _ufunc(name: str, loops: Sequence[int], arity: int, signature: bytes | None) -> np.ufunc:
    count = len(loops)
    functions = (ctypes.c_void_p * count)(*loops)
    data = (ctypes.c_void_p * count)()
    types = bytes(number for number in NUMBERS.values() for _ in range(arity + 1))
    texts = [ctypes.create_string_buffer(text) for text in (name.encode(), b"", types)]
    label, doc, forms = (ctypes.cast(t, ctypes.c_void_p) for t in texts)
    own = (
        ctypes.cast(functions, ctypes.c_void_p), ctypes.cast(data, ctypes.c_void_p), forms,
        count, arity, 1, NO_IDENTITY, label, doc, 0,
    )  # fmt: skip
    if signature is None:
        made = _maker(MAKE)(*own)
    else:
        texts.append(ctypes.create_string_buffer(signature))
        made = _maker(MAKE_GENERALIZED, ctypes.c_void_p)(
            *own, ctypes.cast(texts[-1], ctypes.c_void_p)
        )
    _kept.append((functions, data, texts))
    return made


@cache
def _maker(place: int, *more: Any) -> Callable[..., np.ufunc]:
    """PyUFunc_FromFuncAndData, or ...AndSignature with one argument more."""
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    table = ctypes.cast(
        pointer(_multiarray_umath._UFUNC_API, None), ctypes.POINTER(ctypes.c_void_p)
    )
    p, i = ctypes.c_void_p, ctypes.c_int
    made = ctypes.PYFUNCTYPE(ctypes.py_object, p, p, p, i, i, i, i, p, p, i, *more)
    return made(table[place])
