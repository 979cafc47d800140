"""Exchanging channels for pixels, and channels among each other.

https://docs.pytorch.org/docs/stable/generated/torch.nn.PixelShuffle.html
"""

from __future__ import annotations

from ..core.tensor import Tensor
from .families import op


def _check_factor(name: str, input: Tensor, factor: int, argument: str) -> None:
    if input.dim() < 3:
        raise RuntimeError(
            f"{name} expects input to have at least 3 dimensions, but got input with "
            f"{input.dim()} dimension(s)"
        )
    if factor <= 0:
        raise RuntimeError(f"{name} expects a positive {argument}, but got {factor}")


def _check_shuffle(input: Tensor, upscale_factor: int) -> None:
    _check_factor("pixel_shuffle", input, upscale_factor, "upscale_factor")
    c = input.shape[-3]
    if c % upscale_factor**2:
        raise RuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square "
            f"of upscale_factor, but input.size(-3)={c} is not divisible by {upscale_factor**2}"
        )


def _check_unshuffle(input: Tensor, downscale_factor: int) -> None:
    _check_factor("pixel_unshuffle", input, downscale_factor, "downscale_factor")
    for name, axis in (("height", -2), ("width", -1)):
        n = input.shape[axis]
        if n % downscale_factor:
            raise RuntimeError(
                f"pixel_unshuffle expects {name} to be divisible by downscale_factor, but "
                f"input.size({axis})={n} is not divisible by {downscale_factor}"
            )


@op(
    names="torch.pixel_shuffle nn.functional.pixel_shuffle",
    grad={"input": lambda g, upscale_factor: pixel_unshuffle(g, upscale_factor)},
    check=_check_shuffle,
    sample=lambda draw: [(draw(2, 4, 2, 3), 2)],
)
def pixel_shuffle(xp, input, upscale_factor):
    """r² channels become r×r pixels: (*, C·r², H, W) -> (*, C, H·r, W·r).

    >>> import penlight as torch
    >>> torch.pixel_shuffle(torch.arange(4.0).view(4, 1, 1), 2)
    tensor([[[0., 1.],
             [2., 3.]]])
    """
    r = upscale_factor
    *lead, c, h, w = input.shape
    parts = input.reshape(*lead, c // r**2, r, r, h, w)
    n = len(lead)
    order = (*range(n + 1), n + 3, n + 1, n + 4, n + 2)  # C, H, r, W, r
    return parts.transpose(order).reshape(*lead, c // r**2, h * r, w * r)


@op(
    names="torch.pixel_unshuffle nn.functional.pixel_unshuffle",
    grad={"input": lambda g, downscale_factor: pixel_shuffle(g, downscale_factor)},
    check=_check_unshuffle,
    sample=lambda draw: [(draw(2, 1, 4, 6), 2)],
)
def pixel_unshuffle(xp, input, downscale_factor):
    """r×r pixels become r² channels: (*, C, H·r, W·r) -> (*, C·r², H, W)."""
    r = downscale_factor
    *lead, c, h, w = input.shape
    parts = input.reshape(*lead, c, h // r, r, w // r, r)
    n = len(lead)
    order = (*range(n + 1), n + 2, n + 4, n + 1, n + 3)  # C, r, r, H, W
    return parts.transpose(order).reshape(*lead, c * r**2, h // r, w // r)


def _check_groups(input: Tensor, groups: int) -> None:
    if input.dim() <= 2:
        raise RuntimeError(
            "channel_shuffle expects input with > 2 dims, but got input with sizes "
            f"{list(input.shape)}"
        )
    if groups <= 0:
        raise RuntimeError(
            f"Number of groups to divide channels in must be positive. Value of groups:{groups}"
        )
    if input.shape[1] % groups:
        raise RuntimeError(
            f"Number of channels must be divisible by groups. Got {input.shape[1]} channels and "
            f"{groups} groups."
        )


@op(
    names="torch.channel_shuffle torch.native_channel_shuffle nn.functional.channel_shuffle "
    "nn.functional.native_channel_shuffle",
    grad={
        "input": lambda g, input_shape, groups: channel_shuffle(g, max(input_shape[1] // groups, 1))
    },
    check=_check_groups,
    sample=lambda draw: [(draw(1, 6, 2), 2)],
)
def channel_shuffle(xp, input, groups):
    """The channels of (N, C, *), seen as groups × C/groups, are transposed.

    >>> import penlight as torch
    >>> torch.channel_shuffle(torch.arange(4.0).view(1, 4, 1), 2).flatten()
    tensor([0., 2., 1., 3.])
    """
    n, c, *rest = input.shape
    return input.reshape(n, groups, c // groups, *rest).swapaxes(1, 2).reshape(input.shape)
