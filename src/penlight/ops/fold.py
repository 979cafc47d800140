"""Windows as columns and back: unfold and fold.

Shapes: images (N, C, H, W), columns (N, C·|K|, L), L the number of places of the kernel.
https://docs.pytorch.org/docs/stable/generated/torch.nn.Unfold.html
"""

from __future__ import annotations

from math import prod
from typing import Any

from .arguments import ints, need_tensor
from .families import composite, op
from .windows import Ints, embed, positions, taps, windows


def _pair(value: Any, name: str, function: str) -> Ints:
    values = ints(function, name, (value,))
    if len(values) == 1:
        return values * 2
    if len(values) != 2:
        raise RuntimeError(f"It is expected {name} equals to 2, but got size {len(values)}")
    return values


def _check_movement(kernel: Ints, dilation: Ints, padding: Ints, stride: Ints) -> None:
    wanted = (
        ("kernel size", "kernel", kernel),
        ("stride", "stride", stride),
        ("dilation", "dilation", dilation),
    )
    for text, name, (h, w) in wanted:
        if h <= 0 or w <= 0:
            raise RuntimeError(
                f"{text} should be greater than zero, but got {name}_height: {h} {name}_width: {w}"
            )
    if min(padding) < 0:
        raise RuntimeError(
            "padding should be non-negative, but got "
            f"pad_height: {padding[0]} pad_width: {padding[1]}"
        )


@op(
    name="_im2col",
    node="Im2ColBackward0",
    grad={
        "input": lambda g, input_shape, kernel, dilation, padding, stride: _col2im(
            g, tuple(input_shape[-2:]), kernel, dilation, padding, stride
        )
    },
)
def _im2col(xp, input, kernel, dilation, padding, stride):
    """(*N, C, H, W) -> (*N, C·|K|, L)."""
    *lead, c, height, width = input.shape
    places = positions((height, width), kernel, stride, padding, dilation)
    images = embed(xp, input.reshape(prod(lead), c, height, width), padding, padding)
    columns = xp.array(windows(xp, images, kernel, stride, dilation, places))
    return columns.reshape(*lead, c * prod(kernel), prod(places))


@op(
    name="_col2im",
    node="Col2ImBackward0",
    grad={
        "input": lambda g, kernel, dilation, padding, stride: _im2col(
            g, kernel, dilation, padding, stride
        )
    },
)
def _col2im(xp, input, output_size, kernel, dilation, padding, stride):
    """(*N, C·|K|, L) -> (*N, C, *output_size): overlapping entries are summed."""
    *lead, rows, _ = input.shape
    planes = prod(lead) * (rows // prod(kernel))
    places = positions(output_size, kernel, stride, padding, dilation)
    columns = input.reshape(planes, *kernel, *places)
    padded = (s + 2 * p for s, p in zip(output_size, padding, strict=True))
    out = xp.zeros((planes, *padded), input.dtype)
    for tap, spot in taps(kernel, stride, dilation, places):
        out[(..., *spot)] += columns[(slice(None), *tap)]
    out = out.reshape(*lead, rows // prod(kernel), *out.shape[1:])
    less = [-p for p in padding]
    return xp.ascontiguousarray(embed(xp, out, less, less))


@composite(names="nn.functional.unfold")
def unfold(input, kernel_size, dilation=1, padding=0, stride=1):
    """The windows of a kernel as columns: (N, C, H, W) -> (N, C·|K|, L).

    >>> import penlight as torch
    >>> torch.nn.functional.unfold(torch.ones(1, 3, 4, 5), (2, 3)).shape
    torch.Size([1, 18, 9])
    """
    need_tensor("im2col", input)
    kernel = _pair(kernel_size, "kernel_size", "im2col")
    dilation = _pair(dilation, "dilation", "im2col")
    padding = _pair(padding, "padding", "im2col")
    stride = _pair(stride, "stride", "im2col")
    _check_movement(kernel, dilation, padding, stride)
    shape = list(input.shape)
    if len(shape) not in (3, 4) or 0 in shape[-3:]:
        raise RuntimeError(
            "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero "
            f"dimensions for input, but got: {shape}"
        )
    places = positions(tuple(shape[-2:]), kernel, stride, padding, dilation)
    if min(places) < 1:
        raise RuntimeError(
            f"Given input with spatial size ({shape[-2]}, {shape[-1]}), kernel_size={kernel}, "
            f"dilation={dilation}, padding={padding}, calculated shape of the array of sliding "
            f"blocks as {places}, but its components must be at least one."
        )
    return _im2col(input, kernel, dilation, padding, stride)


@composite(names="nn.functional.fold")
def fold(input, output_size, kernel_size, dilation=1, padding=0, stride=1):
    """Columns back to images, overlaps summed: (N, C·|K|, L) -> (N, C, *output_size).

    >>> import penlight as torch
    >>> torch.nn.functional.fold(torch.ones(1, 2, 2), (1, 3), (1, 2))
    tensor([[[[1., 2., 1.]]]])
    """
    need_tensor("col2im", input)
    size = _pair(output_size, "output_size", "col2im")
    kernel = _pair(kernel_size, "kernel_size", "col2im")
    dilation = _pair(dilation, "dilation", "col2im")
    padding = _pair(padding, "padding", "col2im")
    stride = _pair(stride, "stride", "col2im")
    _check_movement(kernel, dilation, padding, stride)
    _check_columns(list(input.shape), size, kernel, dilation, padding, stride)
    return _col2im(input, size, kernel, dilation, padding, stride)


def _check_columns(
    shape: list[int], size: Ints, kernel: Ints, dilation: Ints, padding: Ints, stride: Ints
) -> None:
    if len(shape) not in (2, 3) or 0 in shape[-2:]:
        raise RuntimeError(
            "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and "
            f"non-zero dimensions for input, but got: {shape}"
        )
    rows, length = shape[-2:]
    if rows % prod(kernel):
        raise RuntimeError(
            "Expected size of input's dimension 1 to be divisible by the product of kernel_size, "
            f"but got input.size(1)={rows} and kernel_size={kernel}."
        )
    places = positions(size, kernel, stride, padding, dilation)
    if prod(places) != length or min(places) < 1:
        raise RuntimeError(
            f"Given output_size={size}, kernel_size={kernel}, dilation={dilation}, "
            f"padding={padding}, stride={stride}, expected size of input's dimension 2 to match "
            f"the calculated number of sliding blocks {places[0]} * {places[1]} = {prod(places)}, "
            f"but got input.size(2)={length}."
        )
