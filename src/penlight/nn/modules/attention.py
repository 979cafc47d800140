"""Multi-head attention as a layer (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...core.tensor import Tensor
from .. import functional as F
from .. import init
from ..advice import wants_features
from ..module import Module
from ..parameter import fresh
from .linear import NonDynamicallyQuantizableLinear


class MultiheadAttention(Module):
    """Each query's mean of the values, weighted by how well its key fits, in several heads.

    query (L, B, E), key (S, B, kdim), value (S, B, vdim); with `batch_first` (B, L, E) and so on;
    or all without B. Output: (L, B, E) and weights (B, L, S), averaged over the heads.

    A bool `attn_mask` (L, S) or `key_padding_mask` (B, S) is True where a key may not be seen.

    >>> import penlight as torch
    >>> attention = torch.nn.MultiheadAttention(8, 2, batch_first=True)
    >>> x = torch.ones(4, 5, 8)
    >>> output, weights = attention(x, x, x)
    >>> output.shape, weights.shape
    (torch.Size([4, 5, 8]), torch.Size([4, 5, 5]))
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                "embed_dim and num_heads must be greater than 0, got "
                f"embed_dim={embed_dim} and num_heads={num_heads} instead"
            )
        super().__init__()
        self.embed_dim = embed_dim
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self._qkv_same_embed_dim = self.kdim == embed_dim and self.vdim == embed_dim
        self.num_heads, self.dropout, self.batch_first = num_heads, dropout, batch_first
        self.head_dim = embed_dim // num_heads
        if self.head_dim * num_heads != embed_dim:
            raise AssertionError(
                "embed_dim must be divisible by num_heads"
                f" (got embed_dim={embed_dim}, num_heads={num_heads})"
            )
        made = {"device": device, "dtype": dtype}
        same = self._qkv_same_embed_dim
        separate = {"q_proj_weight": embed_dim, "k_proj_weight": self.kdim}
        separate["v_proj_weight"] = self.vdim
        if same:
            self.in_proj_weight = fresh((3 * embed_dim, embed_dim), **made)
        for name, features in separate.items():
            weight = None if same else fresh((embed_dim, features), **made)
            self.register_parameter(name, weight)
        if not same:
            self.register_parameter("in_proj_weight", None)
        self.register_parameter("in_proj_bias", fresh(3 * embed_dim, **made) if bias else None)
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias=bias, **made)
        self.bias_k = fresh((1, 1, embed_dim), **made) if add_bias_kv else None
        self.bias_v = fresh((1, 1, embed_dim), **made) if add_bias_kv else None
        self.add_zero_attn = add_zero_attn
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        if self._qkv_same_embed_dim:
            init.xavier_uniform_(self.in_proj_weight)
        else:
            for weight in (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None:
            init.constant_(self.in_proj_bias, 0.0)
            init.constant_(self.out_proj.bias, 0.0)
        for bias in (self.bias_k, self.bias_v):
            if bias is not None:
                init.xavier_normal_(bias)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """What each query gathers, and with `need_weights` from where."""
        turn = self.batch_first and query.dim() == 3
        if turn:
            turned = {id(t): t.transpose(0, 1) for t in (query, key, value)}
            query, key, value = (turned[id(t)] for t in (query, key, value))  # one stays one
        output, weights = F.multi_head_attention_forward(
            query,
            key,
            value,
            self.embed_dim,
            self.num_heads,
            self.in_proj_weight,
            self.in_proj_bias,
            self.bias_k,
            self.bias_v,
            self.add_zero_attn,
            self.dropout,
            self.out_proj.weight,
            self.out_proj.bias,
            training=self.training,
            key_padding_mask=key_padding_mask,
            need_weights=need_weights,
            attn_mask=attn_mask,
            use_separate_proj_weight=not self._qkv_same_embed_dim,
            q_proj_weight=self.q_proj_weight,
            k_proj_weight=self.k_proj_weight,
            v_proj_weight=self.v_proj_weight,
            average_attn_weights=average_attn_weights,
            is_causal=is_causal,
        )
        return (output.transpose(0, 1) if turn else output), weights

    def _wants(self, query: Any, key: Any, value: Any, *_: Any) -> Iterator[str]:
        for name, tensor, argument in (
            ("query", query, "embed_dim"),
            ("key", key, "kdim"),
            ("value", value, "vdim"),
        ):
            for line in wants_features(tensor, getattr(self, argument), argument):
                yield f"{name}: {line}"
