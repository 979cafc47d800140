"""Names for how elements lie in memory: `torch.strided`, `torch.channels_last`, ..."""

from __future__ import annotations


class _Named:
    """A constant that prints as torch.NAME."""

    __slots__ = ("name",)

    def __init__(self, name: str):
        self.name = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> str:
        return self.name  # a constant of this module: pickled by name


class layout(_Named):
    """How elements are stored; penlight has only `strided`."""

    __slots__ = ()


class memory_format(_Named):
    """The order of axes in memory."""

    __slots__ = ()


strided = layout("strided")
sparse_coo, sparse_csr, sparse_csc, sparse_bsr, sparse_bsc = (
    layout(f"sparse_{kind}") for kind in ("coo", "csr", "csc", "bsr", "bsc")
)
contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")
channels_last = memory_format("channels_last")
channels_last_3d = memory_format("channels_last_3d")
