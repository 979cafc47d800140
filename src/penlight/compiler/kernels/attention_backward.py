"""The gradients of attention: weights are computed again, a block of queries at a time.

    p[i, j]  = exp(s[i, j] - lse[i])
    d[i]     = sum over c of g[i, c] out[i, c]
    ds[i, j] = p[i, j] (sum over c of g[i, c] v[j, c] - d[i])
    gq[i] = scale (sum over j of ds[i, j] k[j])
    gk[j] = sum over i of ds[i, j] (scale q[i]),   gv[j] = sum over i of p[i, j] g[i]

Sums are chains of fma, ascending; d has 16 partials and a tree. Keys and values that several heads
share have the sum over those heads, the first one first. Blocks are those of the forward pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .. import vector_math
from ..emit import Emitter, Index
from ..spec import Operand
from ..values import Num
from .attention import BLOCK, Heads, Sizes, finite, halved
from .memory import load_lanes
from .panels import UNIT, Panel, cleared, copy_rows, multiply, store_rows, turn_rows
from .sizes import NUMBERS_OPERAND, read_numbers


@dataclass(frozen=True)
class AttentionBackward:
    """The kernel. Operands: q, k, v, the mask if there is one, lse, g, out, then gq
    (batch, queries, heads, depth), gk and gv (batch, keys, heads / group, ...), work, numbers where
    there are no `sizes`. `inputs` are those up to out.
    """

    inputs: tuple[Operand, ...]
    threads: int
    sizes: Sizes | None = None

    @property
    def operands(self) -> tuple[Operand, ...]:
        """One per pointer."""
        written = Operand(self.inputs[0].kind, (1,), written=True)
        return (*self.inputs, *(written,) * 4, *(() if self.sizes else (NUMBERS_OPERAND,)))

    def emit(self, e: Emitter) -> None:
        """One thread has a head of keys to itself."""
        threads, sizes = self.threads, self.sizes
        if sizes is None:
            threads, sizes = read_numbers(e, Sizes, len(self.operands) - 1)
        with e.guard(e.builder.icmp_signed("<", e.thread, e.value(threads)), "working"):
            e.threads = e.least(e.threads, threads)
            Backward(e, self.inputs, sizes).heads()


class Backward(Heads):
    """gq, gk and gv."""

    def heads(self) -> None:
        """This thread's run of heads of keys."""
        e, s = self.e, self.s
        self.outputs = len(self.inputs)
        deep, wide = e.mul(self.keys, self.depth), e.mul(self.keys, self.width)
        turned, scores = UNIT * UNIT, e.mul(self.keys, BLOCK)
        (self.k_turned, self.v_turned, self.k_rows, self.gk, self.gv, self.p, self.ds, self.q_rows,
         self.g_rows, self.gq) = self.rooms(
            self.outputs + 3, e.add(deep, turned), e.add(wide, turned), deep, deep, wide, scores,
            scores, e.mul(self.depth, BLOCK), e.mul(self.width, BLOCK), e.mul(self.depth, BLOCK),
        )  # fmt: skip
        shared = e.div(s.heads, s.group)
        with e.loop(*e.share(e.mul(s.batch, shared)), name="head") as n:
            self.shared_head(e.div(n, shared), e.rem(n, shared), shared)

    def shared_head(self, batch: Index, head: Index, heads: Index) -> None:
        """All queries of a head of keys."""
        e, s, kind = self.e, self.s, self.kind
        k, v = self.rows(1, s.k, batch, head), self.rows(2, s.v, batch, head)
        self.k_panel = turn_rows(e, k, kind, k.cols, self.k_turned, s.keys, s.depth)
        self.v_panel = turn_rows(e, v, kind, v.cols, self.v_turned, s.keys, s.width)
        copy_rows(e, k, kind, k.cols, Panel(self.k_rows, self.depth, UNIT), s.keys, s.depth)
        cleared(e, self.gk, kind, e.mul(self.keys, self.depth))
        cleared(e, self.gv, kind, e.mul(self.keys, self.width))
        with e.loop(0, s.group, name="query.head") as r:
            query_head = e.add(e.mul(head, s.group), r)
            with e.loop(0, self.blocks, name="block") as block:
                self.queries(batch, query_head, block)
        for room, pitch, width, position in (
            (self.gk, self.depth, s.depth, 1), (self.gv, self.width, s.width, 2)
        ):  # fmt: skip
            to = self.result(position, batch, head, heads, s.keys, width)
            store_rows(e, Panel(room, pitch, UNIT), kind, to, s.keys, width, lambda row, x: x)

    def result(
        self, n: int, batch: Index, head: Index, heads: Index, rows: Index, width: Index
    ) -> Panel:
        """The rows of result n (batch, rows, heads, width) at a head."""
        e = self.e
        apart = e.mul(heads, width)
        at = e.dot((batch, head), (e.mul(rows, apart), width))
        return Panel(e.address(e.pointer(self.outputs + n), at, self.kind), apart, 1)

    def queries(self, batch: Index, head: Index, block: Index) -> None:
        """One block of queries."""
        e, s, kind = self.e, self.s, self.kind
        first, rows, keys = self.block(block)
        units, last = self.units(keys), e.mul(self.units(keys), UNIT)

        q = self.rows(0, s.q, batch, head).below(e, kind, first)
        g = self.rows(self.outputs - 2, s.g, batch, head).below(e, kind, first)
        out = self.rows(self.outputs - 1, s.out, batch, head).below(e, kind, first)
        mask = self.rows(3, s.mask, batch, head) if self.outputs > 6 else None
        copy_rows(
            e, q, kind, q.cols, Panel(self.q_rows, self.depth, UNIT), rows, s.depth, self.scale
        )
        copy_rows(e, g, kind, g.cols, Panel(self.g_rows, self.width, UNIT), rows, s.width)
        by_element = Panel(self.q_rows, self.depth, 1), Panel(self.g_rows, self.width, 1)
        p, ds = Panel(self.p, self.keys, UNIT), Panel(self.ds, self.keys, UNIT)
        multiply(e, kind, by_element[0], self.k_panel, p, rows, units, s.depth)
        multiply(e, kind, by_element[1], self.v_panel, ds, rows, units, s.width)
        lse = e.dot((batch, head, first), s.lse, self.inputs[-3].offset)
        lse = e.address(e.pointer(self.outputs - 3), lse, kind)
        with e.loop(0, rows, name="row") as row:
            own = e.load(lse, e.mul(row, s.lse[2]), kind)
            self.slopes(row, e.add(first, row), last, mask, own, out)
        self.add_up(batch, head, first, rows, keys)

    def slopes(
        self, row: Index, query: Index, last: Index, mask: Panel | None, lse: Any, out: Panel
    ) -> None:
        """Scores become p, and the gradients of weights those of scores."""
        e, b, kind = self.e, self.e.builder, self.kind
        p, ds = (e.address(at, e.mul(row, self.keys), kind) for at in (self.p, self.ds))
        lse, apart = e.splat(finite(e, lse), UNIT), e.splat(self.aligned(row, out), UNIT)

        def visit(j: Index, score: Any) -> None:
            weight = vector_math.exp(Num(e, b.fsub(score, lse))).v
            slope = b.fsub(e.load(ds, j, kind, UNIT), apart)
            e.store(weight, p, j, kind)
            e.store(b.fmul(weight, slope), ds, j, kind)

        self.scores(p, query, last, mask, visit)

    def aligned(self, row: Index, out: Panel) -> Any:
        """d: the sum of g times out."""
        e, kind = self.e, self.kind
        g = e.address(self.g_rows, e.mul(row, self.width), kind)
        total = e.variable(e.constant(0.0, kind, UNIT), "d")
        with e.loop(0, self.s.width, UNIT, name="c") as c:
            mask = e.first_lanes(e.sub(self.s.width, c), UNIT)
            at = e.dot((row, c), (out.rows, out.cols))
            other = load_lanes(e, out.pointer, at, out.cols, kind, UNIT, mask)
            other = other if out.cols else e.splat(other, UNIT)
            total.set(e.fma(e.load(g, c, kind, UNIT), other, total.get()))
        return halved(e, total.get(), e.builder.fadd)

    def add_up(self, batch: Index, head: Index, first: Index, rows: Index, keys: Index) -> None:
        """The block's part of gk and gv, and its gq."""
        e, s, kind = self.e, self.s, self.kind
        deep, wide = e.div(self.depth, UNIT), e.div(self.width, UNIT)
        p, ds = Panel(self.p, self.keys, 1), Panel(self.ds, self.keys, 1)
        q_rows, g_rows = Panel(self.q_rows, self.depth, UNIT), Panel(self.g_rows, self.width, UNIT)
        gk, gv = Panel(self.gk, self.depth, UNIT), Panel(self.gv, self.width, UNIT)
        multiply(e, kind, p.turned(), g_rows, gv, keys, wide, rows, more=True)
        multiply(e, kind, ds.turned(), q_rows, gk, keys, deep, rows, more=True)
        gq = Panel(self.gq, self.depth, UNIT)
        k_rows = Panel(self.k_rows, self.depth, UNIT)
        multiply(e, kind, ds, k_rows, gq, rows, deep, keys)
        to = self.result(0, batch, head, s.heads, s.queries, s.depth)
        to = to.below(e, kind, first)
        scale = e.splat(self.scale, UNIT)
        store_rows(e, gq, kind, to, rows, s.depth, lambda row, x: e.builder.fmul(x, scale))


def backward_room(sizes: Sizes) -> int:
    """Elements of workspace that a thread needs: the rooms of `Backward.heads`."""
    keys, depth, width = (-(-n // UNIT) * UNIT for n in (sizes.keys, sizes.depth, sizes.width))
    panels = keys * (3 * depth + 2 * width + 2 * BLOCK) + 2 * UNIT * UNIT
    return panels + (2 * depth + width) * BLOCK
