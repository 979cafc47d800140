"""Padding of the last axes: constant, or with the input's own values.

https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.pad.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core import dtype as dtypes
from ..core.tensor import Tensor
from .arguments import need_tensor
from .axis_maps import AxisMap, mapping_op
from .families import composite, op
from .windows import embed


def _check_constant(input: Tensor, pad: Sequence[int], value: Any) -> None:
    if len(pad) % 2:
        raise RuntimeError(f"Length of pad must be even but instead it equals {len(pad)}")
    ndim = input.dim()
    if len(pad) > 2 * ndim:
        raise RuntimeError(
            "Length of pad should be no more than twice the number of dimensions of the input. Pad "
            f"length is {len(pad)} while the input has {ndim} dimensions."
        )
    for i in range(len(pad) // 2):
        length = input.shape[ndim - 1 - i] + pad[2 * i] + pad[2 * i + 1]
        if length < 0:
            raise RuntimeError(
                f"The input size {input.shape[ndim - 1 - i]}, plus negative padding {pad[2 * i]} "
                f"and {pad[2 * i + 1]} resulted in a negative output size, which is invalid. Check "
                f"dimension {ndim - 1 - i} of your input."
            )


@op(
    names="torch.constant_pad_nd",
    grad={"input": lambda g, pad: constant_pad_nd(g, [-n for n in pad])},
    check=_check_constant,
    sample=lambda draw: [(draw(2, 4), (1, 2, -1, 3), 0.5)],
)
def constant_pad_nd(xp, input, pad, value=0):
    """`value` before and behind the entries of the last axes; `pad` begins with the last one.

    >>> import penlight as torch
    >>> torch.constant_pad_nd(torch.tensor([1, 2]), [1, 2], 7)
    tensor([7, 1, 2, 7, 7])
    """
    padded = embed(xp, input, pad[-2::-2], pad[::-2], value)
    return padded.copy() if padded.base is not None else padded


# ---------------------------------------------------------------- with the input's own values


def _reflected(size: int, before: int, after: int) -> np.ndarray:
    """0 1 2 -> .. 2 1 0 1 2 1 0 ..: the ends are not repeated."""
    return (size - 1) - np.abs((size - 1) - np.abs(np.arange(-before, size + after)))


def _replicated(size: int, before: int, after: int) -> np.ndarray:
    return np.arange(-before, size + after).clip(0, size - 1)


def _wrapped(size: int, before: int, after: int) -> np.ndarray:
    """0 1 2 -> .. 1 2 0 1 2 0 1 ..; what is cut off does not come back on the other side."""
    first, left = max(-before, 0), size + min(before, 0) + min(after, 0)
    return first + np.arange(-max(before, 0), left + max(after, 0)) % max(left, 1)


_SOURCES = {"reflect": _reflected, "replicate": _replicated, "circular": _wrapped}
_C_NAMES = {"reflect": "reflection", "replicate": "replication"}
_OPS = {
    (mode, rank): mapping_op(f"{name.capitalize()}Pad{rank}DBackward0")
    for mode, name in _C_NAMES.items()
    for rank in (1, 2, 3)
} | dict.fromkeys((("circular", rank) for rank in (1, 2, 3)), mapping_op("CopySlices"))


def _pad_with_itself(input: Tensor, pad: Sequence[int], mode: str) -> Tensor:
    rank = len(pad) // 2
    if rank not in (1, 2, 3) or input.dim() not in (rank + 1, rank + 2):
        raise NotImplementedError(
            f"Padding size {len(pad)} is not supported for {input.dim()}D input tensor.\n"
            "Supported combinations for non-constant padding:\n"
            "  - 2D or 3D input: padding size = 2 (pads last dimension)\n"
            "  - 3D or 4D input: padding size = 4 (pads last 2 dimensions)\n"
            "  - 4D or 5D input: padding size = 6 (pads last 3 dimensions)"
        )
    sides = [(pad[i], pad[i + 1]) for i in range(len(pad) - 2, -1, -2)]
    if mode == "circular":
        _check_circular(input, sides)
    else:
        _check_mirrored(input, sides, mode)
    maps = []
    for size, (before, after) in zip(input.shape[-rank:], sides, strict=True):
        index = _SOURCES[mode](size, before, after)
        maps.append(AxisMap(size, index[:, None]) if before or after else None)
    return _OPS[mode, rank](input, maps)


def _check_circular(input: Tensor, sides: list[tuple[int, int]]) -> None:
    for size, (before, after) in zip(input.shape[-len(sides) :], sides, strict=True):
        if before > size or after > size:
            raise RuntimeError("Padding value causes wrapping around more than once.")
        if before + after + size < 0:
            raise RuntimeError("Negative padding value is resulting in an empty dimension.")


def _check_mirrored(input: Tensor, sides: list[tuple[int, int]], mode: str) -> None:
    rank, shape = len(sides), list(input.shape)
    first = input.dim() - rank
    if input.dtype is dtypes.bool_:
        raise NotImplementedError(f"\"{_C_NAMES[mode]}_pad{rank}d\" not implemented for 'Bool'")
    if 0 in shape[input.dim() - rank - 1 :]:
        raise RuntimeError(
            f"Expected {rank + 1}D or {rank + 2}D (batch mode) tensor with possibly 0 batch size "
            f"and other non-zero dimensions for input, but got: {shape}"
        )
    for axis in range(input.dim() - 1, first - 1, -1):
        before, after = sides[axis - first]
        if mode == "reflect" and max(before, after) >= shape[axis]:
            raise RuntimeError(
                "Argument #4: Padding size should be less than the corresponding input dimension, "
                f"but got: padding ({before}, {after}) at dimension {axis} of input {shape}"
            )
    out = [size + sum(pair) for size, pair in zip(shape[first:], sides, strict=True)]
    if min(out) < 1:
        letters = "DHW"[-rank:]
        given = ", ".join(f"{k}: {n}" for k, n in zip(letters, shape[first:], strict=True))
        made = " ".join(f"{k}: {n}" for k, n in zip(letters, out, strict=True))
        raise RuntimeError(f"input ({given}) is too small. Calculated output {made}")


@composite(names="nn.functional.pad")
def pad(input, pad, mode="constant", value=None):
    """More entries before and behind each of the last axes (negative: fewer).

    `pad` is (before, after) of the last axis, then of the one before it, and so on. Modes:
    "constant" (with `value`), "reflect", "replicate" and "circular".

    >>> import penlight as torch
    >>> x = torch.tensor([[1.0, 2.0, 3.0]])
    >>> torch.nn.functional.pad(x, (1, 1)), torch.nn.functional.pad(x, (2, 1), mode="reflect")
    (tensor([[0., 1., 2., 3., 0.]]), tensor([[3., 2., 1., 2., 3., 2.]]))
    """
    need_tensor("pad", input)
    pad = [_whole(n, i) for i, n in enumerate(pad)]
    if len(pad) % 2:
        raise RuntimeError("Padding length must be divisible by 2")
    if len(pad) > 2 * input.dim():
        raise RuntimeError(
            "Padding length should be less than or equal to two times the input dimension but got "
            f"padding length {len(pad)} and input of dimension {input.dim()}"
        )
    if mode == "constant":
        return constant_pad_nd(input, pad, 0 if value is None else value)
    if value is not None and value != 0:
        raise RuntimeError(f'Padding mode "{mode}" doesn\'t take in value argument')
    if mode not in _SOURCES:
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    return _pad_with_itself(input, pad, mode)


def _whole(value: Any, at: int) -> int:
    if not hasattr(value, "__index__"):
        raise TypeError(
            f"pad(): argument 'pad' failed to unpack the object at pos {at + 1} with error "
            f'"type must be tuple of ints,but got {type(value).__name__}"'
        )
    return value.__index__()
