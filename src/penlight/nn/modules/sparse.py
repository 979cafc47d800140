"""Tables of vectors looked up by index."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...autograd.grad_mode import no_grad
from ...core.tensor import Tensor
from .. import functional as F
from .. import init
from ..module import Module
from ..parameter import Parameter, fresh


class _Table(Module):
    """What both embeddings share: a weight (V, D) with one row per index."""

    _takes_indices = True
    _pretrained: tuple[str, ...]  # what `from_pretrained` takes, in this order

    def _fill(
        self, padding_idx: int | None, weight: Tensor | None, freeze: bool, device: Any, dtype: Any
    ) -> None:
        size = self.num_embeddings
        if padding_idx is not None and not -size <= padding_idx < size:
            raise AssertionError("padding_idx must be within num_embeddings")
        self.padding_idx = padding_idx % size if padding_idx is not None else None
        shape = [size, self.embedding_dim]
        if weight is None:
            self.weight = fresh(shape, device, dtype)
            self.weight.requires_grad_(not freeze)
            self.reset_parameters()
        elif list(weight.shape) != shape:
            raise AssertionError("Shape of weight does not match num_embeddings and embedding_dim")
        else:
            self.weight = Parameter(weight, requires_grad=not freeze)

    def reset_parameters(self) -> None:
        """Draws standard normal rows; the padding row is zero."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx].fill_(0)

    def _wants(self, input: Any, *_: Any) -> Iterator[str]:
        if not isinstance(input, Tensor):
            return
        if input.is_floating_point():
            yield f"wanted indices, got {input.dtype}: would fit: x.long()"
        elif (
            input.numel()
            and not 0 <= input.min().item() <= input.max().item() < self.num_embeddings
        ):
            low, high = input.min().item(), input.max().item()
            yield (
                f"wanted indices from 0 to {self.num_embeddings - 1}, got {low} to {high}"
                + (f": num_embeddings={high + 1} would fit" if low >= 0 else "")
            )

    @classmethod
    def from_pretrained(
        cls, embeddings: Tensor, freeze: bool = True, *args: Any, **kwargs: Any
    ) -> Any:
        """A layer over the given (V, D) weight; frozen: its rows are not learned."""
        if embeddings.dim() != 2:
            raise AssertionError("Embeddings parameter is expected to be 2-dimensional")
        given = dict(zip(cls._pretrained, args, strict=False), **kwargs)
        layer = cls(*embeddings.shape, _weight=embeddings, **given)
        layer.weight.requires_grad = not freeze
        return layer


class Embedding(_Table):
    """The row of a table for each index.

    input (*) of indices < V    weight (V, D)    output (*, D)

    Rows start standard normal. The row `padding_idx` starts zero and gets no gradient. With
    `max_norm`, rows that are looked up are first scaled down to that norm.

    >>> import penlight as torch
    >>> torch.nn.Embedding(10, 3)(torch.tensor([[1, 2], [4, 5]])).shape
    torch.Size([2, 2, 3])
    """

    _pretrained = ("padding_idx", "max_norm", "norm_type", "scale_grad_by_freq", "sparse")

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Tensor | None = None,
        _freeze: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.max_norm, self.norm_type = max_norm, norm_type
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, sparse
        self._fill(padding_idx, _weight, _freeze, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        """weight[input]"""
        return F.embedding(
            input,
            self.weight,
            self.padding_idx,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.sparse,
        )

    def extra_repr(self) -> str:
        """The arguments that differ from their defaults."""
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        if self.padding_idx is not None:
            text += f", padding_idx={self.padding_idx}"
        if self.max_norm is not None:
            text += f", max_norm={self.max_norm}"
        if self.norm_type != 2:
            text += f", norm_type={self.norm_type}"
        if self.scale_grad_by_freq is not False:
            text += f", scale_grad_by_freq={self.scale_grad_by_freq}"
        return text + (", sparse=True" if self.sparse is not False else "")


class EmbeddingBag(_Table):
    """Sums, means or maxima of bags of rows, without the rows in between.

    input (B, n): bags of n indices each; or input (N,) with offsets (B,), where each bag starts.
    weight (V, D)    output (B, D)
    """

    _pretrained = (
        "max_norm", "norm_type", "scale_grad_by_freq", "mode", "sparse", "include_last_offset",
        "padding_idx",
    )  # fmt: skip

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight: Tensor | None = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.max_norm, self.norm_type = max_norm, norm_type
        self.scale_grad_by_freq, self.mode, self.sparse = scale_grad_by_freq, mode, sparse
        self.include_last_offset = include_last_offset
        self._fill(padding_idx, _weight, False, device, dtype)

    def forward(
        self,
        input: Tensor,
        offsets: Tensor | None = None,
        per_sample_weights: Tensor | None = None,
    ) -> Tensor:
        """One vector per bag."""
        return F.embedding_bag(
            input,
            self.weight,
            offsets,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.mode,
            self.sparse,
            per_sample_weights,
            self.include_last_offset,
            self.padding_idx,
        )

    def extra_repr(self) -> str:
        """The arguments that differ from their defaults."""
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        if self.max_norm is not None:
            text += f", max_norm={self.max_norm}"
        if self.norm_type != 2:
            text += f", norm_type={self.norm_type}"
        if self.scale_grad_by_freq is not False:
            text += f", scale_grad_by_freq={self.scale_grad_by_freq}"
        text += f", mode={self.mode!r}"
        if self.padding_idx is not None:
            text += f", padding_idx={self.padding_idx}"
        return text
