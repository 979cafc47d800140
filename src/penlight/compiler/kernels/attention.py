"""Attention without its matrix of weights: a block of queries at a time, against all keys.

    s[i, j] = sum over e of (scale q[i, e]) k[j, e]  + mask[i, j]
    p[i, j] = exp(s[i, j] - m[i]),   m[i] = max over j of s[i, j], or 0 where that is -inf
    out[i]  = sum over j of p[i, j] v[j]  / sum over j of p[i, j],   0 where nothing is seen
    lse[i]  = m[i] + log of the sum over j of p[i, j]

The sums over e and over j of p v are chains of fma from +0.0, ascending; that of p is summed in 16
partials and a tree, as reductions are. Query i sees keys j <= i + reach; the chains of a block of
16 queries end with the last key that one of them sees, p being 0 where another does not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from struct import pack, unpack
from typing import Any

from llvmlite import ir

from .. import vector_math
from ..emit import TYPES, Emitter, Index
from ..spec import Operand
from ..types import size_of
from ..values import Num
from .memory import load_lanes, shuffled
from .panels import UNIT, Panel, copy_rows, multiply, rounded, store_rows, turn_rows
from .runs import most
from .sizes import NUMBERS_OPERAND, Numbers, Triple, read_numbers

LESS = -float("inf")
BLOCK = UNIT  # queries
ALIGNED = 64  # bytes


@dataclass(frozen=True)
class Sizes(Numbers):
    """Numbers of an attention: q (batch, heads, queries, depth), k (batch, heads / group, keys,
    depth), v (batch, heads / group, keys, width).

    `scale` is the bits of a float64, `work` the elements of a thread's workspace; the others are
    the strides of operands along batch, heads and rows.
    """

    batch: Index
    heads: Index
    group: Index
    queries: Index
    keys: Index
    depth: Index
    width: Index
    reach: Index
    scale: Index
    work: Index
    q: Triple
    k: Triple
    v: Triple
    mask: Triple = (0, 0, 0)
    lse: Triple = (0, 0, 0)
    g: Triple = (0, 0, 0)
    out: Triple = (0, 0, 0)


def bits_of(number: float) -> int:
    """The bits of a float64."""
    return unpack("q", pack("d", number))[0]


@dataclass(frozen=True)
class Attention:
    """The kernel. Operands: q, k, v, the mask if there is one, out (batch, queries, heads, width),
    lse (batch, heads, queries), work; numbers where there are no `sizes`.

    Of `inputs` the kinds, offsets and last strides count. At most `threads` work.
    """

    inputs: tuple[Operand, ...]
    threads: int
    sizes: Sizes | None = None

    @property
    def operands(self) -> tuple[Operand, ...]:
        """One per pointer."""
        written = Operand(self.inputs[0].kind, (1,), written=True)
        return (*self.inputs, *(written,) * 3, *(() if self.sizes else (NUMBERS_OPERAND,)))

    def emit(self, e: Emitter) -> None:
        """Blocks of queries, head by head, shared out in that order."""
        threads, sizes = self.threads, self.sizes
        if sizes is None:
            threads, sizes = read_numbers(e, Sizes, len(self.operands) - 1)
        with e.guard(e.builder.icmp_signed("<", e.thread, e.value(threads)), "working"):
            e.threads = e.least(e.threads, threads)
            Forward(e, self.inputs, sizes).heads()


class Heads:
    """What both directions share: one head after the other, blocks of scores."""

    def __init__(self, e: Emitter, inputs: tuple[Operand, ...], sizes: Sizes):
        self.e, self.s, self.inputs = e, sizes, inputs
        self.kind = inputs[0].kind
        self.keys = rounded(e, sizes.keys)  # whole units
        self.depth, self.width = rounded(e, sizes.depth), rounded(e, sizes.width)
        self.blocks = e.div(e.add(sizes.queries, BLOCK - 1), BLOCK)
        self.scale = float_of(e, sizes.scale, self.kind)

    def rooms(self, position: int, *counts: Index) -> list[Any]:
        """Parts of this thread's workspace, in elements."""
        e, b = self.e, self.e.builder
        whole = b.ptrtoint(e.pointer(position), TYPES["i64"])
        whole = b.and_(e.add(whole, ALIGNED - 1), e.value(-ALIGNED))
        start = e.address(
            b.inttoptr(whole, e.pointer(position).type), e.mul(e.thread, self.s.work), self.kind
        )
        found, at = [], 0
        for count in counts:
            found.append(e.address(start, at, self.kind))
            at = e.add(at, count)
        return found

    def rows(self, n: int, strides: Triple, batch: Index, head: Index) -> Panel:
        """The rows of operand n at a head."""
        e, operand = self.e, self.inputs[n]
        at = e.dot((batch, head), strides[:2], operand.offset)
        return Panel(e.address(e.pointer(n), at, operand.kind), strides[2], operand.strides[-1])

    def block(self, block: Index) -> tuple[Index, Index, Index]:
        """(first query, how many, keys up to the last that one of them sees) of a block."""
        e, s = self.e, self.s
        first = e.mul(block, BLOCK)
        return first, e.least(e.sub(s.queries, first), BLOCK), self.seen(e.add(first, BLOCK - 1))

    def seen(self, query: Index) -> Index:
        """How many keys a query sees."""
        e, s = self.e, self.s
        if isinstance(s.reach, int) and isinstance(s.keys, int) and s.reach >= s.keys:
            return s.keys
        return e.least(e.add(e.add(query, s.reach), 1), s.keys)

    def units(self, keys: Index) -> Index:
        """Units that hold so many keys."""
        return self.e.div(self.e.add(keys, UNIT - 1), UNIT)

    def scores(
        self, line: Any, query: Index, last: Index, mask: Panel | None,
        visit: Callable[[Index, Any], None],
    ) -> None:  # fmt: skip
        """Visits a query's scores, 16 at a time up to `last`; -inf where it does not see."""
        e = self.e
        seen = self.seen(query)
        whole = e.mul(e.div(seen, UNIT), UNIT)
        if mask is not None:
            mask = mask.below(e, self.inputs[3].kind, query)
        with e.loop(0, whole, UNIT, name="j") as j:
            visit(j, self.score(line, j, mask, None))
        if not (isinstance(whole, int) and isinstance(last, int) and whole == last):
            with e.loop(whole, last, UNIT, name="j.rest") as j:
                visit(j, self.score(line, j, mask, e.first_lanes(e.sub(seen, j), UNIT)))

    def score(self, line: Any, j: Index, mask: Panel | None, lanes: Any) -> Any:
        """Sixteen scores."""
        e, b = self.e, self.e.builder
        found, less = e.load(line, j, self.kind, UNIT), e.constant(LESS, self.kind, UNIT)
        if mask is not None:
            kind, step = self.inputs[3].kind, mask.cols
            given = load_lanes(e, mask.pointer, e.mul(j, step), step, kind, UNIT, lanes)
            given = given if step else e.splat(given, UNIT)
            found = b.select(given, found, less) if kind == "bool" else b.fadd(found, given)
        return found if lanes is None else b.select(lanes, found, less)


def float_of(e: Emitter, bits: Index, kind: str) -> Any:
    """A float from the bits of a float64."""
    if isinstance(bits, int):
        return ir.Constant(TYPES[kind], unpack("d", pack("q", bits))[0])
    value = e.builder.bitcast(bits, TYPES["f64"])
    return value if kind == "f64" else e.builder.fptrunc(value, TYPES[kind])


def halved(e: Emitter, vector: Any, combine: Callable[[Any, Any], Any]) -> Any:
    """The lanes combined in a tree: j with j + 8, then + 4, + 2, + 1."""
    half = UNIT // 2
    while half:
        low, high = range(half), range(half, 2 * half)
        vector = combine(shuffled(e, vector, vector, low), shuffled(e, vector, vector, high))
        half //= 2
    return e.builder.extract_element(vector, ir.IntType(32)(0))


def larger(e: Emitter, a: Any, b: Any) -> Any:
    """The larger of two, a where b is NaN: NaN returns with the exponentials."""
    return e.builder.select(e.builder.fcmp_ordered(">", b, a), b, a)


def finite(e: Emitter, top: Any) -> Any:
    """What is subtracted from scores: 0 where all of them are -inf."""
    none = e.builder.fcmp_ordered("==", top, ir.Constant(top.type, LESS))
    return e.builder.select(none, ir.Constant(top.type, 0.0), top)


class Forward(Heads):
    """out and lse."""

    def heads(self) -> None:
        """This thread's run of blocks."""
        e, s = self.e, self.s
        room = e.mul(self.keys, self.depth)
        self.keys_turned, self.values, self.queries, self.p, self.sums = self.rooms(
            len(self.inputs) + 2, e.add(room, UNIT * UNIT), e.mul(self.keys, self.width),
            e.mul(self.depth, BLOCK), e.mul(self.keys, BLOCK), e.mul(self.width, BLOCK),
        )  # fmt: skip
        self.tops, self.totals = (e.scratch(self.kind, BLOCK, name) for name in ("tops", "totals"))
        start, stop = e.share(e.mul(e.mul(s.batch, s.heads), self.blocks))
        last = e.div(e.add(stop, e.sub(self.blocks, 1)), self.blocks)
        with e.loop(e.div(start, self.blocks), last, name="head") as n:
            first = e.mul(n, self.blocks)
            run = most(e, e.sub(start, first), 0), e.least(e.sub(stop, first), self.blocks)
            self.head(e.div(n, s.heads), e.rem(n, s.heads), run)

    def head(self, batch: Index, head: Index, run: tuple[Index, Index]) -> None:
        """Blocks run[0] to run[1] of a head."""
        e, s, kind = self.e, self.s, self.kind
        shared = e.div(head, s.group)
        q = self.rows(0, s.q, batch, head)
        k, v = self.rows(1, s.k, batch, shared), self.rows(2, s.v, batch, shared)
        mask = self.rows(3, s.mask, batch, head) if len(self.inputs) > 3 else None
        k = turn_rows(e, k, kind, k.cols, self.keys_turned, s.keys, s.depth)
        values = Panel(self.values, self.width, UNIT)
        copy_rows(e, v, kind, v.cols, values, s.keys, s.width)
        queries, p = Panel(self.queries, self.depth, 1), Panel(self.p, self.keys, 1)
        sums = Panel(self.sums, self.width, UNIT)
        out = e.dot((batch, head), (e.mul(e.mul(s.queries, s.heads), s.width), s.width))
        out = Panel(e.address(e.pointer(len(self.inputs)), out, kind), e.mul(s.heads, s.width), 1)
        lse = e.mul(e.add(e.mul(batch, s.heads), head), s.queries)
        lse = e.address(e.pointer(len(self.inputs) + 1), lse, kind)
        with e.loop(*run, name="block") as block:
            first, rows, keys = self.block(block)
            copy_rows(e, q.below(e, kind, first), kind, q.cols, queries, rows, s.depth, self.scale)
            scores = Panel(self.p, self.keys, UNIT)
            multiply(e, kind, queries, k, scores, rows, self.units(keys), s.depth)
            with e.loop(0, rows, name="row") as row:
                self.softmax(row, e.add(first, row), e.mul(self.units(keys), UNIT), mask)
            self.store_lse(e.address(lse, first, kind), rows)
            multiply(e, kind, p, values, sums, rows, e.div(self.width, UNIT), keys)
            store_rows(e, sums, kind, out.below(e, kind, first), rows, s.width, self.divided)

    def softmax(self, row: Index, query: Index, last: Index, mask: Panel | None) -> None:
        """Scores become p; notes m and the sum."""
        e, kind = self.e, self.kind
        line = e.address(self.p, e.mul(row, self.keys), kind)
        top = e.variable(e.constant(LESS, kind, UNIT), "top")

        def note(j: Index, score: Any) -> None:
            e.store(score, line, j, kind)
            top.set(larger(e, top.get(), score))

        self.scores(line, query, last, mask, note)
        m = finite(e, halved(e, top.get(), lambda a, b: larger(e, a, b)))
        total = e.variable(e.constant(0.0, kind, UNIT), "total")
        with e.loop(0, last, UNIT, name="j") as j:
            moved = e.builder.fsub(e.load(line, j, kind, UNIT), e.splat(m, UNIT))
            p = vector_math.exp(Num(e, moved)).v
            e.store(p, line, j, kind)
            total.set(e.builder.fadd(total.get(), p))
        e.store(m, self.tops, row, kind)
        e.store(halved(e, total.get(), e.builder.fadd), self.totals, row, kind)

    def store_lse(self, to: Any, rows: Index) -> None:
        """The logarithms of a block's sums; where a sum is 0 it becomes 1."""
        e, kind = self.e, self.kind
        m, total = (e.load(at, 0, kind, BLOCK) for at in (self.tops, self.totals))
        found = Num(e, m) + vector_math.log(Num(e, total))
        e.store(found.v, to, 0, kind, e.first_lanes(rows, BLOCK))
        none = e.builder.fcmp_ordered("==", total, e.constant(0.0, kind, BLOCK))
        e.store(e.builder.select(none, e.constant(1.0, kind, BLOCK), total), self.totals, 0, kind)

    def divided(self, row: Index, sums: Any) -> Any:
        """Sums of p v by the sum of p."""
        return self.e.builder.fdiv(
            sums, self.e.splat(self.e.load(self.totals, row, self.kind), UNIT)
        )


def forward_room(sizes: Sizes) -> int:
    """Elements of workspace that a thread needs: the rooms of `Forward.heads`."""
    up = [-(-n // UNIT) * UNIT for n in (sizes.keys, sizes.depth, sizes.width)]
    keys, depth, width = up
    return keys * (depth + width + BLOCK) + UNIT * UNIT + (depth + width) * BLOCK


def aligned_bytes(elements: int, kind: str) -> int:
    """Bytes of a workspace that may begin anywhere."""
    return elements * size_of(kind) + ALIGNED
