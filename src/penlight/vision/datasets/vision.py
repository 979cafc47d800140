"""The base of the image data sets: where the files are, and the transforms of image and target."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from penlight.utils.data import Dataset

Transform = Callable[[Any], Any]


class StandardTransform:
    """transform for the image, target_transform for the target."""

    def __init__(
        self, transform: Transform | None = None, target_transform: Transform | None = None
    ) -> None:
        self.transform = transform
        self.target_transform = target_transform

    def __call__(self, input: Any, target: Any) -> tuple[Any, Any]:
        if self.transform is not None:
            input = self.transform(input)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return input, target

    def __repr__(self) -> str:
        named = {"Transform: ": self.transform, "Target transform: ": self.target_transform}
        lines = [type(self).__name__]
        for head, transform in named.items():
            if transform is not None:
                first, *more = repr(transform).splitlines()
                lines += [head + first, *(" " * len(head) + line for line in more)]
        return "\n".join(lines)


class VisionDataset(Dataset):
    """Base class: a subclass writes __getitem__ and __len__.

    Either `transforms` (image, target -> image, target) or `transform` and `target_transform`
    is given.
    """

    def __init__(
        self,
        root: str | Path | None = None,
        transforms: Callable[[Any, Any], tuple[Any, Any]] | None = None,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
    ) -> None:
        self.root: Any = os.path.expanduser(root) if isinstance(root, str) else root
        separate = transform is not None or target_transform is not None
        if transforms is not None and separate:
            raise ValueError(
                "Only transforms or transform/target_transform can be passed as argument"
            )
        self.transform = transform
        self.target_transform = target_transform
        self.transforms = StandardTransform(transform, target_transform) if separate else transforms

    def transformed(self, image: Any, target: Any) -> tuple[Any, Any]:
        """Image and target through transform and target_transform as they are set now."""
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError

    def __len__(self) -> int:
        raise NotImplementedError

    def __repr__(self) -> str:
        body = [f"Number of datapoints: {len(self)}"]
        if self.root is not None:
            body.append(f"Root location: {self.root}")
        body += self.extra_repr().splitlines()
        if self.transforms is not None:
            body += repr(self.transforms).splitlines()
        return "\n".join([f"Dataset {type(self).__name__}", *(f"    {line}" for line in body)])

    def extra_repr(self) -> str:
        """Further lines for repr."""
        return ""
