"""Sequences of different lengths: padded to one tensor, or packed without the padding."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Self

from ...core.dtype import int64
from ...core.tensor import Tensor
from ...ops.creation import full, tensor
from ...ops.join import stack


class PackedSequence_(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(PackedSequence_):
    """Sequences without padding: all first elements, then all second ones, and so on.

    `data` (Σ lengths, *); `batch_sizes[t]` says how many sequences have an element t. Made by
    `pack_sequence` and `pack_padded_sequence`, not by hand.
    """

    def __new__(
        cls,
        data: Any,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> Self:
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        if batch_sizes is None:
            if not (isinstance(data, (list, tuple)) and len(data) == 2):
                raise AssertionError("Expected data to be a list or tuple of length 2")
            data, batch_sizes = data
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def _with(self, convert: Callable[[Tensor], Tensor]) -> Self:
        return type(self)(convert(self.data), *self[1:])

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """With its data on another device or of another type."""
        data = self.data.to(*args, **kwargs)
        return self if data is self.data else type(self)(data, *self[1:])

    def cpu(self) -> Self:
        """On the CPU."""
        return self.to("cpu")

    def cuda(self, *args: Any, **kwargs: Any) -> Self:
        """On a GPU."""
        return self._with(lambda t: t.cuda(*args, **kwargs))

    def double(self) -> Self:
        """As float64."""
        return self._with(lambda t: t.double())

    def float(self) -> Self:
        """As float32."""
        return self._with(lambda t: t.float())

    def half(self) -> Self:
        """As float16."""
        return self._with(lambda t: t.half())

    def long(self) -> Self:
        """As int64."""
        return self._with(lambda t: t.long())

    def int(self) -> Self:
        """As int32."""
        return self._with(lambda t: t.int())

    def short(self) -> Self:
        """As int16."""
        return self._with(lambda t: t.short())

    def char(self) -> Self:
        """As int8."""
        return self._with(lambda t: t.char())

    def byte(self) -> Self:
        """As uint8."""
        return self._with(lambda t: t.byte())

    def pin_memory(self) -> Self:
        """In page-locked memory."""
        return self._with(lambda t: t.pin_memory())

    def is_pinned(self) -> bool:
        """Whether the data is in page-locked memory."""
        return self.data.is_pinned()

    @property
    def is_cuda(self) -> bool:
        """Whether the data is on a GPU."""
        return self.data.is_cuda


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes this one.

    >>> import penlight as torch
    >>> invert_permutation(torch.tensor([2, 0, 1]))
    tensor([1, 2, 0])
    """
    return None if permutation is None else permutation.argsort()


def _rows(batch_sizes: list[int], batch: int) -> Tensor:
    """Where the elements of a packed sequence are in a padded (T · B, *) one."""
    steps = range(len(batch_sizes))
    return tensor([t * batch + b for t in steps for b in range(batch_sizes[t])], dtype=int64)


def pack_padded_sequence(
    input: Tensor,
    lengths: Tensor | list[int],
    batch_first: bool = False,
    enforce_sorted: bool = True,
) -> PackedSequence:
    """Packs (T, B, *) or (B, T, *) padded sequences of the given lengths.

    With `enforce_sorted` the longest must come first; otherwise they are sorted here.
    """
    wanted = [int(n) for n in (lengths.tolist() if isinstance(lengths, Tensor) else lengths)]
    order = None
    if not enforce_sorted:
        found = sorted(range(len(wanted)), key=lambda i: -wanted[i])
        order, wanted = tensor(found, dtype=int64), [wanted[i] for i in found]
        input = input.index_select(0 if batch_first else 1, order)
    if batch_first:
        input = input.transpose(0, 1)
    time, batch = input.shape[:2]
    _check_lengths(wanted, time, batch)
    batch_sizes = [sum(n > t for n in wanted) for t in range(wanted[0])]
    flat = input.reshape(time * batch, *input.shape[2:])
    data = flat.index_select(0, _rows(batch_sizes, batch))
    return PackedSequence(data, tensor(batch_sizes, dtype=int64), order)


def _check_lengths(lengths: list[int], time: int, batch: int) -> None:
    if len(lengths) != batch:
        raise RuntimeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {len(lengths)} "
            f"(batch_size={batch})"
        )
    if min(lengths) <= 0:
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' "
            "that is <= 0"
        )
    if lengths != sorted(lengths, reverse=True):
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You "
            "can pass `enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to "
            "sidestep this requirement if you do not need ONNX exportability."
        )
    if lengths[0] > time:
        raise RuntimeError(
            f"the longest of the lengths is {lengths[0]}, but the padded input has {time} steps"
        )


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Undoes `pack_padded_sequence`: the padded sequences and their lengths."""
    sizes = sequence.batch_sizes.tolist()
    time = len(sizes)
    if total_length is not None:
        if total_length < time:
            raise ValueError(
                "Expected total_length to be at least the length of the longest sequence in "
                f"input, but got total_length={total_length} and max sequence length being {time}"
            )
        time = total_length
    data, batch = sequence.data, sizes[0]
    padded = full((time * batch, *data.shape[1:]), padding_value, dtype=data.dtype)
    padded = padded.index_copy(0, _rows(sizes, batch), data)
    padded = padded.view(time, batch, *data.shape[1:])
    if batch_first:
        padded = padded.transpose(0, 1)
    lengths = tensor([sum(size > b for size in sizes) for b in range(batch)], dtype=int64)
    if sequence.unsorted_indices is not None:
        order = sequence.unsorted_indices
        return padded.index_select(0 if batch_first else 1, order), lengths[order]
    return padded, lengths


def pad_sequence(
    sequences: Any,
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Stacks tensors (Tᵢ, *) into one (T, B, *) or (B, T, *), the shorter ones filled up.

    >>> import penlight as torch
    >>> pad_sequence([torch.ones(2), torch.ones(3)], batch_first=True)
    tensor([[1., 1., 0.],
            [1., 1., 1.]])
    """
    if not isinstance(sequences, Iterable):
        raise RuntimeError(
            "pad_sequence: Expected iterable for input sequences, but got arg of type: "
            f"{type(sequences)}"
        )
    if padding_side not in ("left", "right"):
        raise RuntimeError(
            f"Expected padding_side to be one of left or right, but got {padding_side}."
        )
    sequences = list(sequences)
    longest = max(s.size(0) for s in sequences)
    padded = [_filled_up(s, longest - s.size(0), padding_value, padding_side) for s in sequences]
    return stack(padded, 0 if batch_first else 1)


def _filled_up(sequence: Tensor, missing: int, value: float, side: str) -> Tensor:
    if missing == 0:
        return sequence
    rows = tensor(range(sequence.size(0)), dtype=int64) + (missing if side == "left" else 0)
    shape = (sequence.size(0) + missing, *sequence.shape[1:])
    return full(shape, value, dtype=sequence.dtype).index_copy(0, rows, sequence)


def unpad_sequence(
    padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False
) -> list[Tensor]:
    """Undoes `pad_sequence`: the tensors without their padding."""
    rows = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    return [row[: int(length)] for row, length in zip(rows, lengths, strict=True)]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Packs tensors (Tᵢ, *)."""
    lengths = [sequence.size(0) for sequence in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """Undoes `pack_sequence`."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
