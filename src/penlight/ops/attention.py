"""Multi-head attention (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762).

Letters: B batch, H heads, L queries, S keys, E embedding, e = E / H a head's part of it.
"""

from __future__ import annotations

import math
import warnings

from ..core import dtype as dtypes
from ..core.tensor import Tensor
from .creation import zeros
from .dot_attention import attention, scaled_dot_product_attention
from .dropout import dropout
from .families import composite
from .join import cat
from .matmul import linear
from .padding import pad


def canonical_mask(
    mask: Tensor | None,
    name: str,
    dtype: dtypes.dtype,
    other: Tensor | None = None,
    beside: str = "",
) -> Tensor | None:
    """A mask as numbers to be added: a bool mask is -inf where True."""
    if mask is None:
        return None
    if mask.dtype is not dtypes.bool_ and not mask.is_floating_point():
        raise AssertionError(f"only bool and floating types of {name} are supported")
    if other is not None and other.dtype is not mask.dtype:
        warnings.warn(
            f"Support for mismatched {name} and {beside} is deprecated. Use same type for both "
            "instead.",
            stacklevel=4,
        )
    if mask.is_floating_point():
        return mask
    return zeros(*mask.shape, dtype=dtype).masked_fill(mask, -math.inf)


@composite(names="nn.functional.multi_head_attention_forward")
def multi_head_attention_forward(
    query,
    key,
    value,
    embed_dim_to_check,
    num_heads,
    in_proj_weight,
    in_proj_bias,
    bias_k,
    bias_v,
    add_zero_attn,
    dropout_p,
    out_proj_weight,
    out_proj_bias,
    training=True,
    key_padding_mask=None,
    need_weights=True,
    attn_mask=None,
    use_separate_proj_weight=False,
    q_proj_weight=None,
    k_proj_weight=None,
    v_proj_weight=None,
    static_k=None,
    static_v=None,
    average_attn_weights=True,
    is_causal=False,
):
    """Attention in `num_heads` heads between projections, with its weights.

    query (L, B, E)    key, value (S, B, ·)    output (L, B, E), weights (B, L, S); or all without B
    """
    batched = _check_shapes(query, key, value, key_padding_mask, attn_mask, num_heads)
    if not batched:
        query, key, value = (t.unsqueeze(1) for t in (query, key, value))
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    _check_sizes(query, key, value, embed_dim_to_check, num_heads, use_separate_proj_weight)
    if is_causal and attn_mask is None:
        raise RuntimeError(
            "Need attn_mask if specifying the is_causal hint. You may use the Transformer module "
            "method `generate_square_subsequent_mask` to create this mask."
        )
    length, batch, embed = query.shape
    weights = (q_proj_weight, k_proj_weight, v_proj_weight)
    packed = None if use_separate_proj_weight else in_proj_weight
    q, k, v = _projected((query, key, value), packed, weights, in_proj_bias)

    mask = canonical_mask(attn_mask, "attn_mask", query.dtype)
    mask = _check_mask(mask, length, key.size(0), batch * num_heads)
    padding = canonical_mask(
        key_padding_mask, "key_padding_mask", query.dtype, attn_mask, "attn_mask"
    )
    extra = 0
    if bias_k is not None and bias_v is not None:
        k, v, extra = cat([k, bias_k.repeat(1, batch, 1)]), cat([v, bias_v.repeat(1, batch, 1)]), 1
    q = _heads(q, batch * num_heads)
    k = _heads(k, batch * num_heads) if static_k is None else static_k
    v = _heads(v, batch * num_heads) if static_v is None else static_v
    if add_zero_attn:
        k, v, extra = _with_zero(k), _with_zero(v), extra + 1
    mask = _joined(mask, padding, extra, num_heads, k.size(1))

    attend = _attend if need_weights else _attend_unseen
    attended, seen = attend(q, k, v, mask, dropout_p if training else 0.0, batch)
    if seen is not None and average_attn_weights:
        seen = seen.mean(dim=1)
    out = attended.transpose(0, 1).reshape(length * batch, embed)  # (B H, L, e) -> (L B, E)
    out = linear(out, out_proj_weight, out_proj_bias).view(length, batch, -1)
    if batched:
        return out, seen
    return out.squeeze(1), None if seen is None else seen.squeeze(0)


def _projected(
    inputs: tuple[Tensor, ...], packed: Tensor | None, weights: tuple, bias: Tensor | None
) -> tuple:
    """Queries, keys and values; where all come from one tensor, by one product."""
    if packed is not None:
        if inputs[0] is inputs[1] and inputs[1] is inputs[2]:
            return linear(inputs[0], packed, bias).chunk(3, -1)
        weights = packed.chunk(3)
    biases = (None,) * 3 if bias is None else bias.chunk(3)
    return tuple(linear(t, w, b) for t, w, b in zip(inputs, weights, biases, strict=True))


def _heads(t: Tensor, count: int) -> Tensor:
    return t.reshape(t.size(0), count, -1).transpose(0, 1)  # (·, B, E) -> (B H, ·, e)


def _attend(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, p: float, batch: int
) -> tuple[Tensor, Tensor]:
    """What is gathered (B H, L, e), and the weights (B, H, L, S) for the caller to see."""
    output, weights = attention(q, k, v, mask, 1 / math.sqrt(q.size(-1)))
    if p > 0.0:
        weights = dropout(weights, p)
        output = weights.bmm(v)
    return output, weights.view(batch, -1, q.size(1), k.size(1))


def _attend_unseen(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, p: float, batch: int
) -> tuple[Tensor, None]:
    """What is gathered (B H, L, e), without the weights."""
    split = [t.reshape(batch, -1, *t.shape[1:]) for t in (q, k, v)]
    if mask is not None:
        mask = mask.unsqueeze(0) if mask.size(0) == 1 else mask.view(batch, -1, *mask.shape[1:])
    attended = scaled_dot_product_attention(*split, mask, p)
    return attended.reshape(-1, *q.shape[1:]), None


def _with_zero(t: Tensor) -> Tensor:
    return cat([t, zeros(t.size(0), 1, t.size(2), dtype=t.dtype)], 1)


def _joined(
    mask: Tensor | None, padding: Tensor | None, extra: int, num_heads: int, keys: int
) -> Tensor | None:
    """One mask (B H or 1, L or 1, S) of both; `extra` added keys are seen by all."""
    if extra and mask is not None:
        mask = pad(mask, (0, extra))
    if padding is None:
        return mask
    if extra:
        padding = pad(padding, (0, extra))
    batch = padding.size(0)
    if padding.size(1) != keys:
        raise AssertionError(
            f"Expected key_padded_mask.shape[1] to be {keys}, but got {padding.size(1)}"
        )
    padding = padding.view(batch, 1, 1, keys).expand(-1, num_heads, -1, -1)
    padding = padding.reshape(batch * num_heads, 1, keys)
    return padding if mask is None else mask + padding


def _check_sizes(
    query: Tensor, key: Tensor, value: Tensor, wanted: int, num_heads: int, separate: bool
) -> None:
    embed = query.size(-1)
    if embed != wanted:
        raise AssertionError(f"was expecting embedding dimension of {wanted}, but got {embed}")
    if embed % num_heads:
        raise AssertionError(f"embed_dim {embed} not divisible by num_heads {num_heads}")
    if separate and key.shape[:2] != value.shape[:2]:
        raise AssertionError(
            f"key's sequence and batch dims {key.shape[:2]} do not match value's {value.shape[:2]}"
        )
    if not separate and key.shape != value.shape:
        raise AssertionError(f"key shape {key.shape} does not match value shape {value.shape}")


def _check_mask(mask: Tensor | None, length: int, keys: int, heads: int) -> Tensor | None:
    """The mask with an axis for the heads."""
    if mask is None:
        return None
    if mask.dim() not in (2, 3):
        raise RuntimeError(f"attn_mask's dimension {mask.dim()} is not supported")
    wanted = (length, keys) if mask.dim() == 2 else (heads, length, keys)
    if tuple(mask.shape) != wanted:
        raise RuntimeError(
            f"The shape of the {mask.dim()}D attn_mask is {mask.shape}, but should be {wanted}."
        )
    return mask.unsqueeze(0) if mask.dim() == 2 else mask


def _check_shapes(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    padding: Tensor | None,
    mask: Tensor | None,
    num_heads: int,
) -> bool:
    """Whether there is a batch axis; AssertionError where the ranks do not agree."""
    rank = query.dim()
    if rank not in (2, 3):
        raise AssertionError(
            f"query should be unbatched 2D or batched 3D tensor but received {rank}-D query tensor"
        )
    kind = f"For {'batched' if rank == 3 else 'unbatched'} ({rank}-D) `query`, expected"
    if key.dim() != rank or value.dim() != rank:
        raise AssertionError(
            f"{kind} `key` and `value` to be {rank}-D but found {key.dim()}-D and {value.dim()}-D "
            "tensors respectively"
        )
    if padding is not None and padding.dim() != rank - 1:
        raise AssertionError(
            f"{kind} `key_padding_mask` to be `None` or {rank - 1}-D but found {padding.dim()}-D "
            "tensor instead"
        )
    if mask is not None and mask.dim() not in (2, 3):
        raise AssertionError(
            f"{kind} `attn_mask` to be `None`, 2-D or 3-D but found {mask.dim()}-D tensor instead"
        )
    if rank == 2 and mask is not None and mask.dim() == 3:
        wanted = (num_heads, query.size(0), key.size(0))
        if tuple(mask.shape) != wanted:
            raise AssertionError(f"Expected `attn_mask` shape to be {wanted} but got {mask.shape}")
    return rank == 3
