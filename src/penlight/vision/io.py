"""Image files as uint8 tensors (C, H, W) and back, with the names of torchvision.io."""

from __future__ import annotations

import io
from enum import Enum
from pathlib import Path

import numpy as np
from PIL import Image

import penlight
from penlight import Tensor

from .transforms.functional import pil_to_tensor, to_pil_image


class ImageReadMode(Enum):
    """Which channels an image shall have after reading; UNCHANGED keeps those of the file."""

    UNCHANGED = 0
    GRAY = 1
    GRAY_ALPHA = 2
    RGB = 3
    RGB_ALPHA = 4


PIL_MODES = {"GRAY": "L", "GRAY_ALPHA": "LA", "RGB": "RGB", "RGB_ALPHA": "RGBA"}


def read_file(path: str | Path) -> Tensor:
    """The bytes of a file, as a uint8 tensor of one axis."""
    return penlight.from_numpy(np.fromfile(path, np.uint8))


def write_file(filename: str | Path, data: Tensor) -> None:
    """Write the bytes of a uint8 tensor of one axis to a file."""
    Path(filename).write_bytes(data.numpy().tobytes())


def decode_image(
    input: Tensor | str | Path, mode: ImageReadMode | str = ImageReadMode.UNCHANGED
) -> Tensor:
    """The image in a file, or in the bytes of one, as a uint8 tensor (C, H, W).

    >>> decode_image(encode_png(penlight.zeros(3, 2, 5, dtype=penlight.uint8))).shape
    torch.Size([3, 2, 5])
    """
    mode = ImageReadMode[mode.upper()] if isinstance(mode, str) else mode
    source = io.BytesIO(input.numpy().tobytes()) if isinstance(input, Tensor) else input
    with Image.open(source) as image:
        if mode is not ImageReadMode.UNCHANGED:
            return pil_to_tensor(image.convert(PIL_MODES[mode.name]))
        if image.mode in ("P", "1", "CMYK"):  # stored in another way than it is meant
            transparent = "transparency" in image.info
            kind = "L" if image.mode == "1" else "RGBA" if transparent else "RGB"
            return pil_to_tensor(image.convert(kind))
        return pil_to_tensor(image)


read_image = decode_image


def encode_png(input: Tensor, compression_level: int = 6) -> Tensor:
    """The bytes of a PNG file of a uint8 image (C, H, W)."""
    return _encode(input, "PNG", compress_level=compression_level)


def encode_jpeg(input: Tensor, quality: int = 75) -> Tensor:
    """The bytes of a JPEG file of a uint8 image (C, H, W); quality 1 to 100."""
    return _encode(input, "JPEG", quality=quality)


def _encode(image: Tensor, kind: str, **how: int) -> Tensor:
    if image.dtype != penlight.uint8:
        raise RuntimeError(f"Input tensor dtype should be uint8, got {image.dtype}")
    if image.ndim != 3 or image.shape[0] not in (1, 3):
        raise RuntimeError(f"The input should be an image (1 or 3, H, W), got {tuple(image.shape)}")
    buffer = io.BytesIO()
    to_pil_image(image).save(buffer, kind, **how)
    return penlight.from_numpy(np.frombuffer(bytearray(buffer.getvalue()), np.uint8))


def write_png(input: Tensor, filename: str | Path, compression_level: int = 6) -> None:
    """Write a uint8 image (C, H, W) as a PNG file."""
    write_file(filename, encode_png(input, compression_level))


def write_jpeg(input: Tensor, filename: str | Path, quality: int = 75) -> None:
    """Write a uint8 image (C, H, W) as a JPEG file."""
    write_file(filename, encode_jpeg(input, quality))
