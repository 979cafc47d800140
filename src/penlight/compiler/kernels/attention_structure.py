"""Attention and its gradients as structures of a program, and as kernels for any sizes.

attention (q, k, v[, mask]) -> out (B, L, H, D), lse (B, H, L)
attention_backward (q, k, v[, mask], lse, g, out) -> gq (B, L, H, E), gk and gv (B, S, H/group, ...)

q (B, H, L, E)   k (B, H/group, S, E)   v (B, H/group, S, D)   g, out (B, H, L, D)
mask (B, H, L, S), bool (True where a key is seen) or numbers that are added to the scores
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..spec import Operand
from ..structures import Form, Plan, Stage, Structure, structure
from ..types import is_float
from .attention import Attention, Sizes, aligned_bytes, bits_of, forward_room
from .attention_backward import AttentionBackward, backward_room

STATICS = ("causal", "scale")
WORTH_A_THREAD = 2_000_000  # flops: about 20 microseconds
MOST_THREADS = 64


def sizes_of(
    forms: Sequence[Form], operands: Sequence[Operand], causal: bool, scale: float, backward: bool
) -> Sizes:
    """The numbers of a form whose operands lie so."""
    (_, q), (_, k), (_, v) = forms[:3]
    strides = [o.strides[:3] for o in operands]
    more: dict[str, Any] = {"mask": strides[3]} if len(forms) == (7 if backward else 4) else {}
    if backward:
        more |= zip(("lse", "g", "out"), strides[-3:])
    numbers = dict(
        batch=q[0], heads=q[1], group=q[1] // k[1], queries=q[2], keys=k[2], depth=q[3], width=v[3],
        reach=0 if causal else k[2], scale=bits_of(scale), q=strides[0], k=strides[1], v=strides[2],
        **more,
    )  # fmt: skip
    room = (backward_room if backward else forward_room)(Sizes(**numbers, work=0))
    return Sizes(**numbers, work=room)


def threads_worth(sizes: Sizes, backward: bool) -> int:
    """How many threads have enough to do."""
    flops = 2 * sizes.batch * sizes.heads * sizes.queries * sizes.keys
    flops *= (sizes.depth + sizes.width) * (3 if backward else 1)
    shares = sizes.batch * sizes.heads // (sizes.group if backward else 1)
    return max(1, min(MOST_THREADS, flops // WORTH_A_THREAD, max(shares, 1)))


def forward_rule(forms: Sequence[Form], attr: Any) -> list[Form]:
    """out and lse; ValueError where shapes do not fit."""
    (kind, q), (_, k), (_, v) = forms[:3]
    fits = all(len(f[1]) == 4 for f in forms) and q[0] == k[0] == v[0] and k[1:3] == v[1:3]
    fits = fits and is_float(kind) and all(f[0] == kind for f in forms[:3]) and 0 not in q + k + v
    if not fits or q[1] % k[1] or q[3] != k[3]:
        raise ValueError(f"attention of {list(forms)}")
    if len(forms) > 3 and (forms[3][1] != (*q[:3], k[2]) or forms[3][0] not in (kind, "bool")):
        raise ValueError(f"attention with a mask {forms[3]}")
    return [(kind, (q[0], q[2], q[1], v[3])), (kind, q[:3])]


def backward_rule(forms: Sequence[Form], attr: Any) -> list[Form]:
    """gq, gk and gv; ValueError where shapes do not fit."""
    kind, (_, k), (_, v) = forms[0][0], forms[1], forms[2]
    (_, out), lse = forward_rule(forms[:-3], attr)
    if forms[-3] != lse or any(f != (kind, (out[0], out[2], out[1], out[3])) for f in forms[-2:]):
        raise ValueError(f"the gradients of attention from {list(forms[-3:])}")
    q = forms[0][1]
    return [(kind, (s[0], s[2], s[1], s[3])) for s in (q, k, v)]


def _plan(
    forms: Sequence[Form], operands: Sequence[Operand], attr: Any, spec: Any, results: int
) -> Plan:
    sizes = sizes_of(forms, operands, **dict(attr), backward=results == 3)
    threads = threads_worth(sizes, results == 3)
    places = [("in", n) for n in range(len(forms))] + [("out", n) for n in range(results)]
    work = aligned_bytes(threads * sizes.work, forms[0][0])
    return Plan((Stage(spec(tuple(operands), threads, sizes), (*places, ("work", 0))),), (work,))


def forward_plan(forms: Sequence[Form], operands: Sequence[Operand], attr: Any) -> Plan:
    """One kernel."""
    return _plan(forms, operands, attr, Attention, 2)


def backward_plan(forms: Sequence[Form], operands: Sequence[Operand], attr: Any) -> Plan:
    """One kernel."""
    return _plan(forms, operands, attr, AttentionBackward, 3)


structure(Structure("attention", forward_rule, forward_plan, STATICS, rows=False))
structure(Structure("attention_backward", backward_rule, backward_plan, STATICS, rows=False))
