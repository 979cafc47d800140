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

    def left(self, e: Emitter, extent: Index, start: Index, whole: bool) -> Index:
        """How much of the extent there is from the start of a piece on, as far as it matters."""
        if whole:
            return self.large
        return extent - self.many * self.large if isinstance(extent, int) else e.sub(extent, start)

    def kinds(self, e: Emitter) -> list[tuple[int, Index, Index, bool]]:
        """(size, first piece, piece after the last, large) of both kinds that occur."""
        end = e.add(self.many, self.few)
        found = [(self.large, 0, self.many, True), (self.small, self.many, end, False)]
        return [kind for kind in found if not (isinstance(kind[2], int) and kind[1] == kind[2])]


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
