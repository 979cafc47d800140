"""Scaled dot-product attention, with a matrix of weights or without.

Letters: B batch, H heads, L queries, S keys, e a head's part of the embedding.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from ..compiler import numerics
from ..core import dtype as dtypes
from ..core.beside import computed
from ..core.tape import modes
from ..core.tensor import Tensor
from .creation import ones, zeros
from .dropout import dropout
from .families import composite, op
from .quiet import quiet
from .rectifier import wide

# ---------------------------------------------------------------- with a matrix of weights


class Attended(NamedTuple):
    """What the queries gather, and by which weights."""

    output: Tensor
    weights: Tensor


class Tensors:
    """What `_slopes` needs of a namespace, over tensors."""

    matmul, sum = staticmethod(Tensor.matmul), staticmethod(Tensor.sum)  # type: ignore[attr-defined]


def _slopes(xp, g, gw, weights, query, key, value, scale):
    """Gradients of query, key, value and bias, on arrays or tensors.

    weights = softmax(scores), output = weights value: g and gw are the gradients of both.
    """
    gw = gw + xp.matmul(g, value.mT)
    gs = weights * (gw - xp.sum(gw * weights, -1, keepdims=True))  # of the scores
    to_query, to_key = xp.matmul(gs, key) * scale, xp.matmul(gs.mT, query) * scale
    return to_query, to_key, xp.matmul(weights.mT, g), gs


def _weights_gradient(g, query, key, value, scale, y):
    if modes.grad:  # to be differentiated again
        return _slopes(Tensors, *g, y[1], query, key, value, scale)
    return computed(_slopes_of_arrays, numerics, *g, y[1], query, key, value, scale)


@quiet
def _slopes_of_arrays(xp, g, gw, weights, query, key, value, scale):
    arrays = [wide(a, "attention") for a in (g, gw, weights, query, key, value)]
    return _slopes(xp, *arrays, scale)


@op(
    grad=_weights_gradient,
    inputs=("query", "key", "value", "bias"),
    names="torch._attention",
    name="_attention",
    node="ScaledDotProductFlashAttentionForCpuBackward0",
    result=Attended,
)
def attention(xp, query, key, value, bias, scale):
    """softmax(q kᵀ · scale + bias) v; a query whose bias is -inf everywhere gathers zeros."""
    q, k, v = (wide(t, "attention") for t in (query, key, value))
    scores = xp.matmul(q * q.dtype.type(scale), k.mT)  # (*, L, S)
    if bias is not None:
        scores = scores + bias
    top = xp.max(scores, -1, keepdims=True, initial=-math.inf)
    weights = xp.exp(scores - xp.where(xp.isneginf(top), 0, top))
    total = xp.sum(weights, -1, keepdims=True)
    weights /= xp.where(total == 0, 1, total)
    return xp.matmul(weights, v).astype(query.dtype), weights.astype(query.dtype)


# ---------------------------------------------------------------- without


class Gathered(NamedTuple):
    """What the queries gather, and log of the sum of exponentials of their scores."""

    output: Tensor
    lse: Tensor


def _as_heads(xp, x):
    """(*, L, e) as (B, H, L, e)."""
    heads = x.shape[-3] if x.ndim > 2 else 1
    return x.reshape(math.prod(x.shape[:-3]), heads, *x.shape[-2:])


def _operands(xp, query, key, value, mask):
    """What the kernels take: all of four axes, the mask as one of each head."""
    given = [query, key, value]
    if mask is not None:
        given.append(xp.broadcast_to(mask, (*query.shape[:-1], key.shape[-2])))
    return [_as_heads(xp, x) for x in given]


def _fused_gradient(g, query, key, value, mask, causal, scale, y):
    if modes.grad:  # to be differentiated again
        return _slopes_of_tensors(g[0], query, key, value, mask, causal, scale)
    return _fused_backward(query, key, value, mask, y[1], g[0], y[0], causal, scale)


@op(
    grad=_fused_gradient,
    inputs=("query", "key", "value"),
    names="torch._fused_attention",
    node="ScaledDotProductFlashAttentionForCpuBackward0",
    result=Gathered,
)
def _fused_attention(xp, query, key, value, mask, causal, scale):
    """softmax(q kᵀ · scale + mask) v; key and value may have fewer heads, each for a group."""
    operands = _operands(xp, query, key, value, mask)
    output, lse = xp.attention(*operands, causal=causal, scale=scale)
    rows = query.shape[:-1]
    return output.swapaxes(1, 2).reshape(*rows, value.shape[-1]), lse.reshape(rows)


@op(names="torch._fused_attention_backward")
def _fused_backward(xp, query, key, value, mask, lse, g, output, causal, scale):
    """The gradients of query, key and value; the weights are computed again."""
    operands = _operands(xp, query, key, value, mask)
    lse = lse.reshape(operands[0].shape[:-1])
    found = xp.attention_backward(
        *operands, lse, _as_heads(xp, g), _as_heads(xp, output), causal=causal, scale=scale
    )
    shapes = [x.shape for x in (query, key, value)]
    return tuple([x.swapaxes(1, 2).reshape(shape) for x, shape in zip(found, shapes)])


def _slopes_of_tensors(g, query, key, value, mask, causal, scale):
    """The same gradients as tensors that know where they come from."""
    many, own = _repeated(query, key), _repeated(query, value)
    bias = _bias(mask, causal, query, key)
    weights = attention(query, many, own, bias, scale).weights
    gq, gk, gv, _ = _slopes(Tensors, g, 0, weights, query, many, own, scale)
    return gq, _summed(gk, key), _summed(gv, value)


def _repeated(query: Tensor, x: Tensor) -> Tensor:
    """Keys or values for each head of the queries."""
    if x.dim() < 3 or x.size(-3) == query.size(-3):
        return x
    return x.repeat_interleave(query.size(-3) // x.size(-3), -3)


def _summed(g: Tensor, x: Tensor) -> Tensor:
    """The gradient of x from that of x repeated."""
    if g.shape == x.shape:
        return g
    return g.unflatten(-3, (x.size(-3), -1)).sum(-3)


def _fits(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> bool:
    """Whether there are kernels for these: float32 or float64, one batch, no gradient of a mask."""
    q, k, v = query._array, key._array, value._array
    if not (numerics.available() and q.dtype == k.dtype == v.dtype and q.dtype.char in "fd"):
        return False
    if not q.ndim == k.ndim == v.ndim or k.shape[:-1] != v.shape[:-1] or 0 in q.shape + k.shape:
        return False
    if q.shape[:-3] != k.shape[:-3] or q.shape[-1] != k.shape[-1] or 0 in v.shape:
        return False
    if q.ndim > 2 and q.shape[-3] % k.shape[-3]:
        return False
    if mask is None:
        return True
    known = mask.dtype is dtypes.bool_ or (mask.dtype is query.dtype and not mask.requires_grad)
    whole = (*q.shape[:-1], k.shape[-2])
    lead = len(whole) - mask.dim()
    return known and lead >= 0 and all(n in (1, m) for n, m in zip(mask.shape, whole[lead:]))


# ---------------------------------------------------------------- the function


@composite(names="nn.functional.scaled_dot_product_attention")
def scaled_dot_product_attention(
    query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False
):
    """softmax(q kᵀ · scale + mask) v, where scale is 1/√e unless given.

    query (*, H, L, e)    key (*, H, S, e)    value (*, H, S, v)    output (*, H, L, v)

    A bool mask (*, L, S) is True where a key may be seen; a float mask is added. `is_causal` lets
    query l see keys up to l. With `enable_gqa`, key and value may have fewer heads that divide H.
    """
    ranks = query.dim(), key.dim(), value.dim()
    if min(ranks) < 2:
        raise RuntimeError(
            "Expected query, key, and value to all be  at least 2 dimensional, but got query.dim: "
            "{} key.dim: {} and value.dim: {} instead.".format(*ranks)
        )
    if is_causal and attn_mask is not None and ranks[0] != 4:
        raise RuntimeError(
            "_scaled_dot_product_attention: Explicit attn_mask should not be set when "
            "is_causal=True"
        )
    alike = enable_gqa or ranks[0] < 3 or query.size(-3) == key.size(-3)
    scale = 1 / math.sqrt(query.size(-1)) if scale is None else scale
    if dropout_p == 0.0 and alike and _fits(query, key, value, attn_mask):
        return _fused_attention(query, key, value, attn_mask, is_causal, float(scale)).output
    if enable_gqa:
        key, value = _repeated(query, key), _repeated(query, value)
    attended = attention(query, key, value, _bias(attn_mask, is_causal, query, key), scale)
    if dropout_p > 0.0:
        return dropout(attended.weights, dropout_p) @ value
    return attended.output


def _bias(mask: Tensor | None, causal: bool, query: Tensor, key: Tensor) -> Tensor | None:
    """What is added to the scores; a bool mask is True where a key may be seen."""
    if mask is not None and mask.dtype is dtypes.bool_:
        mask = zeros(*mask.shape, dtype=query.dtype).masked_fill(~mask, -math.inf)
    if not causal:
        return mask
    future = ones(query.size(-2), key.size(-2), dtype=dtypes.bool_).triu(1)
    mask = zeros(*future.shape, dtype=query.dtype) if mask is None else mask
    return mask.masked_fill(future, -math.inf)
