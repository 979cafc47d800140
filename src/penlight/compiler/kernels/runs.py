"""An axis cut into pieces of a large size, and of a small one for the rest."""

from __future__ import annotations

from dataclasses import dataclass

from llvmlite import ir

from ..emit import Emitter, Index


@dataclass(frozen=True)
class Runs:
    """An axis cut into `many` pieces of `large` and `few` of `small`; the last may stick out."""

    large: int
    small: int
    many: Index
    few: Index

    @classmethod
    def cut(cls, e: Emitter, extent: Index, large: int, small: int) -> Runs:
        """Covers `extent`."""
        many = e.div(extent, large)
        rest = e.sub(extent, e.mul(many, large))
        return cls(large, small, many, e.div(e.add(rest, small - 1), small) if small else 0)

    def start(self, e: Emitter, piece: Index) -> Index:
        """Where a piece begins."""
        if isinstance(self.few, int) and self.few == 0:
            return e.mul(piece, self.large)
        among = e.least(piece, self.many)
        return e.add(e.mul(among, self.large), e.mul(e.sub(piece, among), self.small))

    def left(self, e: Emitter, extent: Index, start: Index, size: int) -> Index:
        """How much of the extent there is from a piece of `size` on, up to `size` where it fits."""
        if size == self.large:
            return size
        if isinstance(extent, int):
            return extent - self.many * self.large
        return e.sub(extent, start)

    def kinds(self, e: Emitter) -> list[tuple[int, Index, Index]]:
        """(size, first piece, piece after the last) of both kinds that occur."""
        found = [(self.large, 0, self.many), (self.small, self.many, e.add(self.many, self.few))]
        return [
            (size, start, stop)
            for size, start, stop in found
            if not (isinstance(start, int) and isinstance(stop, int) and start == stop)
        ]


def inside(e: Emitter, index: Index, start: Index, stop: Index) -> ir.Value:
    """start <= index < stop."""
    index, b = e.value(index), e.builder
    return b.and_(
        b.icmp_signed(">=", index, e.value(start)), b.icmp_signed("<", index, e.value(stop))
    )


def most(e: Emitter, a: Index, b: Index) -> Index:
    """max(a, b)."""
    if isinstance(a, int) and isinstance(b, int):
        return max(a, b)
    a, b = e.value(a), e.value(b)
    return e.builder.select(e.builder.icmp_signed(">", a, b), a, b)
