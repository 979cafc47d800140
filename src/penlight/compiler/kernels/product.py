"""Products of matrices, with what follows them: the kernel's spec and the choice of its loops.

    out[b, m, n] = epilogue( sum over k of a[b, m, k] * b[b, k, n] )

Every sum is one chain acc = fma(a, b, acc) from +0.0 with k ascending, whatever the loops are;
where m or n is below `thin.THIN` the order is the one described there.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from ..emit import Emitter
from ..spec import Operand, Step
from ..types import size_of
from .frame import Frame, Walk
from .schedule import choose
from .strips import Strips
from .thin import THIN, write_thin

WORTH_A_THREAD = 2_000_000  # flops: about 20 microseconds
WORTH_BYTES = 250_000  # read: a quarter of that, for which a thread that looks out is enough


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
        """One for each 20 microseconds of arithmetic, or of reading where that is the limit."""
        return worth(self.m, self.n, self.k, prod(self.batch), size_of(self.a.kind))

    def emit(self, e: Emitter) -> None:
        """Writes the kernel."""
        if 0 in (self.m, self.n, *self.batch):
            return
        frame = self.frame()
        if min(self.m, self.n) < THIN:
            write_thin(e, frame if self.m < THIN else frame.flipped())
        else:
            schedule = choose(e.host, frame)
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


def worth(m: int, n: int, k: int, batch: int, itemsize: int) -> int:
    """How many threads a product can keep busy."""
    moved = (m * k + k * n + m * n) * batch * itemsize
    return max(1, 2 * m * n * k * batch // WORTH_A_THREAD, moved // WORTH_BYTES)
