"""Images and bars in the terminal, made of Unicode blocks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

HALVES = " ▄▀█"  # lower half, upper half
EIGHTHS = " ▏▎▍▌▋▊▉█"


def draw(image: Image.Image, width: int = 14, colour: bool = False) -> list[str]:
    """The image as lines of `width` characters; a character is one pixel above another.

    With `colour` each half has its own shade, else it is on or off.

    >>> draw(Image.new("L", (4, 4), 255), width=2)
    ['██']
    """
    height = 2 * max(round(width * image.height / image.width / 2), 1)
    small = image.convert("L").resize((width, height), Image.Resampling.BOX)
    pixels = np.asarray(small)
    upper, lower = pixels[::2], pixels[1::2]
    if colour:
        return ["".join(map(_shades, *rows)) + "\x1b[0m" for rows in zip(upper, lower, strict=True)]
    on = 2 * (upper > 95) + (lower > 95)
    return ["".join(HALVES[i] for i in row) for row in on]


def _shades(upper: int, lower: int) -> str:
    """An upper half block in the terminal's 24 greys."""
    ink, paper = (232 + 23 * int(v) // 255 for v in (upper, lower))
    return f"\x1b[38;5;{ink};48;5;{paper}m▀"


def bar(share: float, width: int = 20) -> str:
    """A bar of `width` characters, filled to `share`.

    >>> bar(0.5, 4)
    '██  '
    """
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    full, part = divmod(eighths, 8)
    return (EIGHTHS[8] * full + (EIGHTHS[part] if part else "")).ljust(width)


def side_by_side(
    pictures: Sequence[Sequence[str]], captions: Sequence[str], width: int = 14, gap: int = 2
) -> list[str]:
    """Pictures of equal height in one row, each above its caption."""
    space = " " * gap
    rows = [space.join(parts) for parts in zip(*pictures, strict=True)]
    return [*rows, space.join(caption[:width].ljust(width) for caption in captions).rstrip()]
