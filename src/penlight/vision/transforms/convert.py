"""Transforms that change what an image is made of: PIL or tensor, dtype, mean and deviation."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

import penlight
from penlight import Tensor
from penlight.nn.modules import Module

from . import functional as F


class ToTensor:
    """An image (H, W, C) of bytes 0..255 as a float tensor (C, H, W) of 0..1; other numbers stay.

    >>> ToTensor()(Image.new("RGB", (5, 4))).shape
    torch.Size([3, 4, 5])
    """

    def __call__(self, pic: Image.Image | np.ndarray) -> Tensor:
        return F.to_tensor(pic)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class PILToTensor:
    """A PIL image as a tensor (C, H, W) of the same numbers."""

    def __call__(self, pic: Image.Image) -> Tensor:
        return F.pil_to_tensor(pic)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class ToPILImage:
    """A tensor (C, H, W) or array (H, W, C) as a PIL image."""

    def __init__(self, mode: str | None = None) -> None:
        self.mode = mode

    def __call__(self, pic: Tensor | np.ndarray) -> Image.Image:
        return F.to_pil_image(pic, self.mode)

    def __repr__(self) -> str:
        mode = "" if self.mode is None else f"mode={self.mode}"
        return f"{type(self).__name__}({mode})"


class ConvertImageDtype(Module):
    """A tensor image in another dtype, scaled so that white stays white."""

    def __init__(self, dtype: penlight.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, image: Tensor) -> Tensor:
        return F.convert_image_dtype(image, self.dtype)


class Normalize(Module):
    """(x - mean) / std for each channel of a float tensor image (..., C, H, W).

    >>> Normalize(0.5, 0.5)(penlight.tensor([[[0.0, 1.0]]]))
    tensor([[[-1.,  1.]]])
    """

    def __init__(self, mean: Any, std: Any, inplace: bool = False) -> None:
        super().__init__()
        self.mean = mean
        self.std = std
        self.inplace = inplace

    def forward(self, tensor: Tensor) -> Tensor:
        return F.normalize(tensor, self.mean, self.std, self.inplace)

    def extra_repr(self) -> str:
        return f"mean={self.mean}, std={self.std}"


class LinearTransformation(Module):
    """(x - mean_vector) @ transformation_matrix over the flattened image, as for whitening."""

    def __init__(self, transformation_matrix: Tensor, mean_vector: Tensor) -> None:
        super().__init__()
        rows, columns = transformation_matrix.shape
        if rows != columns:
            raise ValueError(
                f"transformation_matrix should be square. Got {(rows, columns)} rectangular matrix."
            )
        if len(mean_vector) != rows:
            raise ValueError(
                f"mean_vector should have the same length {len(mean_vector)}"
                f" as any one of the dimensions of the transformation_matrix [{(rows, columns)}]"
            )
        if transformation_matrix.dtype != mean_vector.dtype:
            raise ValueError(
                "Input tensors should have the same dtype. "
                f"Got {transformation_matrix.dtype} and {mean_vector.dtype}"
            )
        self.transformation_matrix = transformation_matrix
        self.mean_vector = mean_vector

    def forward(self, tensor: Tensor) -> Tensor:
        channels, height, width = tensor.shape[-3:]
        n = len(self.transformation_matrix)
        if channels * height * width != n:
            raise ValueError(
                "Input tensor and transformation matrix have incompatible shape."
                f"[{channels} x {height} x {width}] != {n}"
            )
        flat = tensor.reshape(-1, n) - self.mean_vector
        return (flat @ self.transformation_matrix.to(flat.dtype)).reshape(tensor.shape)

    def extra_repr(self) -> str:
        matrix, mean = self.transformation_matrix.tolist(), self.mean_vector.tolist()
        return f"transformation_matrix={matrix}, mean_vector={mean}"
