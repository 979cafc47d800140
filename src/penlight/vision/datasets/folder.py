"""Data sets made of folders: one folder for each class, one file for each sample."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from .vision import Transform, VisionDataset

IMG_EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
Extensions = str | Sequence[str]


def has_file_allowed_extension(filename: str, extensions: Extensions) -> bool:
    """Does the name end in one of the extensions, in any case?"""
    allowed = extensions if isinstance(extensions, str) else tuple(extensions)
    return filename.lower().endswith(allowed)


def is_image_file(filename: str) -> bool:
    """Does the name end as an image's?"""
    return has_file_allowed_extension(filename, IMG_EXTENSIONS)


def find_classes(directory: str | Path) -> tuple[list[str], dict[str, int]]:
    """The names of the folders in `directory`, sorted, and the number of each."""
    classes = sorted(entry.name for entry in os.scandir(directory) if entry.is_dir())
    if not classes:
        raise FileNotFoundError(f"Couldn't find any class folder in {directory}.")
    return classes, {name: i for i, name in enumerate(classes)}


def make_dataset(
    directory: str | Path,
    class_to_idx: dict[str, int] | None = None,
    extensions: Extensions | None = None,
    is_valid_file: Callable[[str], bool] | None = None,
    allow_empty: bool = False,
) -> list[tuple[str, int]]:
    """(path, class number) of each file below the class folders, in sorted order."""
    root = os.path.expanduser(directory)
    if class_to_idx is None:
        _, class_to_idx = find_classes(root)
    elif not class_to_idx:
        raise ValueError("'class_to_index' must have at least one entry to collect any samples.")
    if (extensions is None) == (is_valid_file is None):
        raise ValueError(
            "Both extensions and is_valid_file cannot be None or not None at the same time"
        )
    valid = is_valid_file or (lambda path: has_file_allowed_extension(path, extensions or ()))
    samples: list[tuple[str, int]] = []
    empty = []
    for name, number in sorted(class_to_idx.items()):
        paths = [path for path in _files_below(os.path.join(root, name)) if valid(path)]
        samples += [(path, number) for path in paths]
        if not paths:
            empty.append(name)
    if empty and not allow_empty:
        message = f"Found no valid file for the classes {', '.join(empty)}. "
        if extensions is not None:
            known = extensions if isinstance(extensions, str) else ", ".join(extensions)
            message += f"Supported extensions are: {known}"
        raise FileNotFoundError(message)
    return samples


def _files_below(folder: str) -> list[str]:
    walk = sorted(os.walk(folder, followlinks=True))
    return [os.path.join(place, name) for place, _, names in walk for name in sorted(names)]


class DatasetFolder(VisionDataset):
    """Samples root/class/.../file, read by `loader`; classes are numbered in sorted order.

    Either `extensions` or `is_valid_file` says which files count.
    """

    def __init__(
        self,
        root: str | Path,
        loader: Callable[[str], Any],
        extensions: Extensions | None = None,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.loader = loader
        self.extensions = extensions
        self.classes, self.class_to_idx = self.find_classes(self.root)
        self.samples = self.make_dataset(
            self.root, self.class_to_idx, extensions, is_valid_file, allow_empty
        )
        self.targets = [number for _, number in self.samples]

    # methods, so that a subclass may find classes and samples elsewhere
    make_dataset = staticmethod(make_dataset)
    find_classes = staticmethod(find_classes)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        path, target = self.samples[index]
        return self.transformed(self.loader(path), target)

    def __len__(self) -> int:
        return len(self.samples)


def pil_loader(path: str | Path) -> Image.Image:
    """The image in a file, as RGB."""
    with open(path, "rb") as file:
        return Image.open(file).convert("RGB")


default_loader = pil_loader


class ImageFolder(DatasetFolder):
    """Images root/class/.../name.png, as RGB; `imgs` is another name of `samples`."""

    def __init__(
        self,
        root: str | Path,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        loader: Callable[[str], Any] = default_loader,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> None:
        extensions = IMG_EXTENSIONS if is_valid_file is None else None
        super().__init__(
            root, loader, extensions, transform, target_transform, is_valid_file, allow_empty
        )
        self.imgs = self.samples
