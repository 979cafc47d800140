"""The data sets that `penlight train` knows, with the transforms they are trained with."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import click
from PIL import Image, ImageOps

from ..core.folders import cache_folder
from ..vision import datasets
from ..vision import transforms as T
from ..vision.datasets import VisionDataset

FOLDER_SIZE = 64  # pixels of an image from a folder, after resizing

# a letter keeps its meaning when moved a little, a photograph also when mirrored
VARY_LETTERS = [T.RandomAffine(10, (0.07, 0.07), (0.9, 1.1))]


def _vary_photographs(size: int) -> list[Any]:
    return [T.RandomCrop(size, padding=size // 8), T.RandomHorizontalFlip()]


class Source(NamedTuple):
    """How a data set is made, what its images are, and how they may be varied."""

    make: Any
    shape: tuple[int, int, int]
    vary: list[Any]


SOURCES = {
    "digits": Source(datasets.Digits, (1, 28, 28), VARY_LETTERS),
    "mnist": Source(datasets.MNIST, (1, 28, 28), VARY_LETTERS),
    "kmnist": Source(datasets.KMNIST, (1, 28, 28), VARY_LETTERS),
    "emnist": Source(
        lambda root, **how: datasets.EMNIST(root, "balanced", **how), (1, 28, 28), VARY_LETTERS
    ),
    "fashion": Source(datasets.FashionMNIST, (1, 28, 28), _vary_photographs(28)),
    "cifar10": Source(datasets.CIFAR10, (3, 32, 32), _vary_photographs(32)),
    "cifar100": Source(datasets.CIFAR100, (3, 32, 32), _vary_photographs(32)),
}


class Data(NamedTuple):
    """What a run trains and tests on. `shape` is that of one image, (C, H, W)."""

    train: VisionDataset
    test: VisionDataset
    classes: list[str]
    shape: tuple[int, int, int]


def prepare(shape: tuple[int, int, int]) -> Any:
    """From picture to tensor: grey ones, which are mostly black, 0..1; colours about 0, -1..1."""
    return T.Compose([T.ToTensor(), T.Normalize(0.5, 0.5)]) if shape[0] == 3 else T.ToTensor()


def load_data(name: str, root: str | None, augment: bool) -> Data:
    """The data set of this name, or that in the folder of this name; downloaded where necessary."""
    if name == "fake":
        return _fake()
    if name not in SOURCES:
        return _folder(Path(name), augment)
    source = SOURCES[name]
    place = Path(root) if root else cache_folder() / "data"
    test_look = prepare(source.shape)
    train_look = T.Compose([*source.vary, test_look]) if augment else test_look
    try:
        train = source.make(place, train=True, transform=train_look, download=True)
        test = source.make(place, train=False, transform=test_look, download=True)
    except (RuntimeError, ValueError, OSError) as error:
        raise click.ClickException(f"data set {name}: {error}") from error
    return Data(train, test, list(train.classes), source.shape)


def _fake() -> Data:
    shape = (1, 28, 28)
    train = datasets.FakeData(256, shape, 10, transform=T.ToTensor())
    test = datasets.FakeData(64, shape, 10, transform=T.ToTensor(), random_offset=256)
    return Data(train, test, [str(i) for i in range(10)], shape)


def _folder(place: Path, augment: bool) -> Data:
    if not place.is_dir():
        known = ", ".join([*SOURCES, "fake"])
        raise click.ClickException(f"no data set and no folder {str(place)!r}; data sets: {known}")
    shape = (3, FOLDER_SIZE, FOLDER_SIZE)
    vary = _vary_photographs(FOLDER_SIZE) if augment else []
    train_look = T.Compose([T.Resize(shape[1:]), *vary, prepare(shape)])
    test_look = T.Compose([T.Resize(shape[1:]), prepare(shape)])
    try:
        train = datasets.ImageFolder(place / "train", train_look)
        test = datasets.ImageFolder(place / "test", test_look)
    except OSError as error:
        raise click.ClickException(f"folder {place}: {error}") from error
    if train.classes != test.classes:
        odd = sorted(set(train.classes) ^ set(test.classes))
        raise click.ClickException(f"folder {place}: only train or test has class {odd[0]!r}")
    return Data(train, test, train.classes, shape)


def picture_of(data: VisionDataset, index: int) -> Image.Image:
    """The sample's image before its transform."""
    look, data.transform = data.transform, None
    try:
        return data[index][0]
    finally:
        data.transform = look


def fit(image: Image.Image, shape: tuple[int, int, int]) -> tuple[Image.Image, bool]:
    """Any image as the data set's are; and whether it was inverted.

    Grey data sets are bright on black: an image with a bright border is inverted. One of another
    size has its ink cut out and put into the middle, with the border that MNIST's digits have.
    """
    channels, height, width = shape
    if channels == 3:
        return image.convert("RGB").resize((width, height)), False
    gray = _flat(image)
    bright = _border_brightness(gray) > 127
    if bright:
        gray = ImageOps.invert(gray)
    if gray.size == (width, height):
        return gray, bright
    ink = gray.point(lambda value: 255 * (value > 64)).getbbox()
    if ink is None:
        return gray.resize((width, height)), bright
    room = (width - 2 * (width // 7), height - 2 * (height // 7))
    cut = ImageOps.contain(gray.crop(ink), room)
    paper = Image.new("L", (width, height))
    paper.paste(cut, ((width - cut.width) // 2, (height - cut.height) // 2))
    return paper, bright


def _flat(image: Image.Image) -> Image.Image:
    """Grey, with what is transparent on white."""
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("L")


def _border_brightness(gray: Image.Image) -> float:
    """The mean of the outermost pixels."""
    w, h = gray.size
    edges = [(0, 0, w, 1), (0, h - 1, w, h), (0, 0, 1, h), (w - 1, 0, w, h)]
    values = [value for box in edges for value in gray.crop(box).tobytes()]
    return sum(values) / len(values)
