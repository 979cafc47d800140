"""FakeData: noise in the shape of a data set, to try a program without one."""

from __future__ import annotations

from typing import Any

import penlight

from ..transforms.functional import to_pil_image
from .vision import Transform, VisionDataset


class FakeData(VisionDataset):
    """`size` images of noise with random targets; index and `random_offset` determine them."""

    def __init__(
        self,
        size: int = 1000,
        image_size: tuple[int, int, int] = (3, 224, 224),
        num_classes: int = 10,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        random_offset: int = 0,
    ) -> None:
        super().__init__(transform=transform, target_transform=target_transform)
        self.size = size
        self.image_size = image_size
        self.num_classes = num_classes
        self.random_offset = random_offset

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        if index >= len(self):
            raise IndexError(f"{type(self).__name__} index out of range")
        generator = penlight.Generator()
        generator.manual_seed(index + self.random_offset)
        noise = penlight.randn(self.image_size, generator=generator)
        target = penlight.randint(0, self.num_classes, (1,), generator=generator)[0]
        image, target = self.transformed(to_pil_image(noise), target)
        return image, target.item() if isinstance(target, penlight.Tensor) else target

    def __len__(self) -> int:
        return self.size
