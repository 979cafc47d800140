"""Products of matrices, with what follows them: the kernel's spec and the choice of its loops.

    out[b, m, n] = epilogue( sum over k of a[b, m, k] * b[b, k, n] )

Every sum is one chain acc = fma(a, b, acc) from +0.0 with k ascending, whatever the loops are;
where m or n is below `THIN` the order is that of `thin`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from ..emit import Emitter
from ..host import Host
from ..spec import Operand, Step
from .frame import Frame, Walk
from .schedule import Schedule, choose
from .strips import Strips

THIN = 4
WORTH_A_THREAD = 2_000_000  # flops: about 20 microseconds


@dataclass(frozen=True)
class Product:
    """A batch of products of known sizes.

    Strides are over (*batch, m, k) for `a`, (*batch, k, n) for `b` and (*batch, m, n) for `extras`.
    The kernel's operands are a, b and the extras: what the epilogue reads and writes. Step 0 of the
    epilogue stands for the finished sum; at least one step is a "store".
    """

    m: int
    n: int
    k: int
    batch: tuple[int, ...]
    a: Operand
    b: Operand
    extras: tuple[Operand, ...]
    epilogue: tuple[Step, ...]

    @property
    def operands(self) -> tuple[Operand, ...]:
        """a, b and what the epilogue reads and writes."""
        return (self.a, self.b, *self.extras)

    @property
    def threads(self) -> int:
        """One for each 20 microseconds of arithmetic."""
        flops = 2 * self.m * self.n * self.k * prod(self.batch)
        return max(1, flops // WORTH_A_THREAD)

    def emit(self, e: Emitter) -> None:
        """Writes the kernel."""
        frame, schedule = self.frame(), self.schedule(e.host)
        Strips(e, frame.flipped() if schedule.flipped else frame, schedule).write()

    def frame(self) -> Frame:
        """The product with n as the vector axis."""

        def walk(position: int, operand: Operand, rows: int, cols: int) -> Walk:
            *batch, i, j = operand.strides
            i, j = (1 if rows == 1 else i), (1 if cols == 1 else j)
            return Walk(position, operand.kind, tuple(batch), i, j, operand.offset)

        return Frame(
            self.a.kind, self.batch, self.m, self.n, self.k,
            walk(0, self.a, self.m, self.k), walk(1, self.b, self.k, self.n),
            tuple(walk(2 + i, x, self.m, self.n) for i, x in enumerate(self.extras)),
            self.epilogue,
        )  # fmt: skip

    def schedule(self, host: Host) -> Schedule:
        """How it is computed on a machine."""
        return choose(host, self.frame())
