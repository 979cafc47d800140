"""`matmul` for eager code: NumPy's rules for shapes, our kernels for float32 and float64."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from math import prod
from typing import NamedTuple

import numpy as np

from ..core.threads import usable_cores
from . import runtime
from .kernels.any_product import AnyProduct
from .kernels.product import worth
from .kernels.schedule import MOVED, TURNED, WIDE
from .kernels.thin import THIN
from .types import name_of

KINDS = ("f32", "f64")
KEPT = 4096  # plans
LONG = 200_000_000  # flops: some milliseconds, in which other Python threads may run
STRIP = 48  # columns that go to one thread as a whole
MANY = 64  # threads; the pool has as many as it was told


class Plan(NamedTuple):
    """How arrays of certain shapes and strides are multiplied; no kernel: not by us."""

    kernel: Callable[..., None] | None
    swapped: bool = False
    shape: tuple[int, ...] = ()
    numbers: tuple[int, ...] = ()


class Factor(NamedTuple):
    """A matrix of a batch: its strides along two batch axes, its rows and its columns."""

    batch: tuple[int, int]
    rows: int
    cols: int

    def turned(self) -> Factor:
        """The transposed matrix."""
        return Factor(self.batch, self.cols, self.rows)


_plans: dict[tuple, Plan] = {}


def matmul(a: np.ndarray, b: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """a @ b by the rules of np.matmul, in the order of arithmetic of `kernels.product`.

    >>> matmul(np.ones((2, 3)), np.arange(3.0))
    array([3., 3.])
    """
    if out is not None:
        return _into(a, b, out)
    key = (a.dtype, b.dtype, a.shape, a.strides, b.shape, b.strides)
    kernel, swapped, shape, numbers = _plans.get(key) or _keep(key, a, b, None)
    if kernel is None:
        return _otherwise(a, b)
    out = np.empty(shape, a.dtype)
    if swapped:
        kernel(b, a, out, *numbers)
    else:
        kernel(a, b, out, *numbers)
    return out


def _into(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> np.ndarray:
    """The product in memory that is there."""
    key = (a.dtype, b.dtype, a.shape, a.strides, b.shape, b.strides, out.shape, out.strides)
    kernel, swapped, shape, numbers = _plans.get(key) or _keep(key, a, b, out)
    apart = not (np.may_share_memory(out, a) or np.may_share_memory(out, b))
    if kernel and apart and shape == out.shape and out.dtype == a.dtype and out.flags.writeable:
        kernel(*((b, a) if swapped else (a, b)), out, *numbers)
        return out
    found = matmul(a, b)
    if found.shape != out.shape:
        raise ValueError(f"matmul: out has shape {out.shape}, the product has {found.shape}")
    np.copyto(out, found, casting="same_kind")
    return out


def _keep(key: tuple, a: np.ndarray, b: np.ndarray, out: np.ndarray | None) -> Plan:
    if len(_plans) >= KEPT:
        _plans.clear()
    plan = _plans[key] = _plan(a, b, out)
    return plan


def _otherwise(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """What no plan covers: other types and errors by NumPy, more batch axes one after the other."""
    fits = 0 not in (a.ndim, b.ndim) and a.shape[-1] == b.shape[-2 if b.ndim > 1 else 0]
    if name_of(a.dtype) not in KINDS or a.dtype != b.dtype or not fits:
        return np.matmul(a, b)
    if any(s % x.itemsize for x in (a, b) for s in x.strides):
        return matmul(a.copy(), b.copy())
    if a.ndim == 1:
        return matmul(a[None], b)[..., 0, :]
    if b.ndim == 1:
        return matmul(a, b[:, None])[..., 0]
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a = np.broadcast_to(a, batch + a.shape[-2:])
    b = np.broadcast_to(b, batch + b.shape[-2:])
    return np.stack([matmul(x, y) for x, y in zip(a, b)])


def _plan(a: np.ndarray, b: np.ndarray, out: np.ndarray | None) -> Plan:
    """How to multiply arrays like these."""
    kind = name_of(a.dtype)
    if kind not in KINDS or a.dtype != b.dtype or 0 in (a.ndim, b.ndim):
        return Plan(None)
    left, right = (a if a.ndim > 1 else a[None]), (b if b.ndim > 1 else b[:, None])
    (m, k), n = left.shape[-2:], right.shape[-1]
    if k != right.shape[-2]:
        return Plan(None)  # NumPy says what is wrong
    batch = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    shape = (*batch, *[m] * (a.ndim > 1), *[n] * (b.ndim > 1))
    out = np.empty(shape, a.dtype) if out is None else out
    if out.shape != shape or out.dtype != a.dtype:
        return Plan(None)
    if 0 in (k, out.size):
        return Plan(_zeros, False, shape)
    out = out if a.ndim > 1 else np.expand_dims(out, -2 if b.ndim > 1 else -1)
    out = out if b.ndim > 1 else out[..., None]
    whole = (np.broadcast_to(left, (*batch, m, k)), np.broadcast_to(right, (*batch, k, n)), out)
    if any(s % x.itemsize for x in whole for s in x.strides):
        return Plan(None)
    strides = [tuple(s // x.itemsize for s in x.strides) for x in whole]
    axes = _merged([(size, *(s[d] for s in strides)) for d, size in enumerate(batch)])
    if len(axes) > 2:
        return Plan(None)
    axes = [(1, 0, 0, 0)] * (2 - len(axes)) + axes
    x, y, z = (Factor((axes[0][j], axes[1][j]), *s[-2:]) for j, s in enumerate(strides, 1))
    threads = worth(m, n, k, prod(batch), a.itemsize)
    release = 2 * m * n * k * prod(batch) > LONG
    swapped, form, numbers = _form(kind, (axes[0][0], axes[1][0], m, n, k), x, y, z)
    return Plan(_kernel(form, threads > 1, release), swapped, shape, numbers)


def _zeros(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    """An empty sum is zero."""
    out.fill(0)


def _merged(axes: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """(size, strides ...) of the batch, without axes of size 1; two that follow are one."""
    found: list[tuple[int, ...]] = []
    for size, *strides in axes:
        if size == 1:
            continue
        if found and all(o == size * i for o, i in zip(found[-1][1:], strides, strict=True)):
            size *= found.pop()[0]
        found.append((size, *strides))
    return found


def _form(
    kind: str, sizes: tuple[int, ...], a: Factor, b: Factor, out: Factor
) -> tuple[bool, AnyProduct, tuple[int, ...]]:
    """(b plays `left`, the kernel's spec, its numbers), the cheaper of the two ways."""
    m, n, k = sizes[2:]
    turned = (*sizes[:2], n, m, k)
    there = False, sizes, (a, b, out)
    back = True, turned, (b.turned(), a.turned(), out.turned())
    if min(m, n) < THIN:
        swapped, sizes, factors = there if m < THIN else back
        form = _thin(kind, sizes, *factors)
    else:
        swapped, sizes, factors = min(there, back, key=lambda way: _cost(way[1], *way[2]))
        form = _thick(kind, sizes, *factors)
    numbers = [number for f in factors for number in (*f.batch, f.rows, f.cols)]
    return swapped, form, (*sizes, *numbers)


def _thin(kind: str, sizes: tuple[int, ...], a: Factor, b: Factor, out: Factor) -> AnyProduct:
    _, _, rows, cols, depth = sizes
    along = "k" if b.rows == 1 or depth == 1 else ""
    right = "j" if b.cols == 1 and cols > 1 else along
    left = "k" if right != "j" and (a.cols == 1 or depth == 1) else ""
    return AnyProduct(kind, left, right, "j" if out.cols == 1 or cols == 1 else "", rows)


def _thick(kind: str, sizes: tuple[int, ...], a: Factor, b: Factor, out: Factor) -> AnyProduct:
    pack, side = _moves(sizes, b), "j" if out.cols == 1 else "i" if out.rows == 1 else ""
    return AnyProduct(kind, "", {"rows": "j", "turn": "k", "any": "", "": "j"}[pack], side, 0, pack)


def _cost(sizes: tuple[int, ...], a: Factor, b: Factor, out: Factor) -> float:
    """Cycles, for what differs between the ways; see `kernels.schedule`."""
    *batch, rows, cols, depth = sizes
    vectors = -(-cols // 16) * rows * depth
    if prod(batch) == 1:
        threads = min(usable_cores(), worth(rows, cols, depth, 1, 4))
        share = min(cols, -(-cols // (STRIP * threads)) * STRIP)
        if cols < 2 * threads * STRIP:  # few strips: most threads wait for the longest share
            vectors = vectors * share * threads // cols
    turns = out.cols != 1
    return vectors + depth * cols * MOVED[_moves(sizes, b)] + rows * cols * TURNED * turns


def _moves(sizes: tuple[int, ...], b: Factor) -> str:
    """How the matrix that is read by vectors is packed."""
    _, _, rows, cols, depth = sizes
    if b.cols != 1:
        return "turn" if b.rows == 1 else "any"
    return "rows" if 4 * cols * depth > WIDE and rows >= 64 else ""


@cache
def _kernel(form: AnyProduct, many: bool, release: bool) -> Callable[..., None]:
    return runtime.kernel(replace(form, threads=MANY if many else 1), release)
