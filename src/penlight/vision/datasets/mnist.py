"""MNIST and the data sets in its format: idx files of grey images and labels."""

from __future__ import annotations

import gzip
import shutil
import string
import struct
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

import penlight

from ..transforms.functional.convert import image_from_array
from .utils import check_integrity, fetch, verify_str_arg
from .vision import Transform, VisionDataset

WORDS = "zero one two three four five six seven eight nine".split()
NUMERALS = [f"{number} - {word}" for number, word in enumerate(WORDS)]
CLOTHES = "T-shirt/top,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot".split(",")
SYLLABLES = "o ki su tsu na ha ma ya re wo".split()
LETTERS = sorted(string.digits + string.ascii_letters)
# lower-case letters that look like their upper case are joined with it
MERGED_LETTERS = sorted(set(LETTERS) - set("cijklmopsuvwxyz"))

IDX_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def read_idx(path: str | Path) -> np.ndarray:
    """The array in an idx file, plain or gzipped: 0 0 type ndim, sizes, numbers, all big endian."""
    path = Path(path)
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    if len(raw) < 4 or raw[:2] != b"\0\0" or raw[2] not in IDX_TYPES:
        raise ValueError(f"{path} is no idx file: it does not begin with 0 0 type ndim")
    dtype, ndim = np.dtype(IDX_TYPES[raw[2]]), raw[3]
    start = 4 + 4 * ndim
    shape = struct.unpack(f">{ndim}I", raw[4:start]) if len(raw) >= start else ()
    wanted = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if len(raw) - start != wanted:
        raise ValueError(
            f"{path} is damaged: shape {shape} takes {wanted} bytes, it has {len(raw) - start}"
        )
    return np.frombuffer(raw, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="))


class MNIST(VisionDataset):
    """Handwritten digits, 28×28: 60,000 to train, 10,000 to test (http://yann.lecun.com/exdb/mnist/).

    The files are sought in `root`/MNIST/raw, gzipped or not; `download=True` gets what is missing.
    """

    mirrors: Sequence[str] = (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "http://yann.lecun.com/exdb/mnist/",
    )
    resources: Sequence[tuple[str, str]] = (
        ("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        ("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"),
        ("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"),
        ("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"),
    )
    classes: list[str] = NUMERALS

    def __init__(
        self,
        root: str | Path | None,
        train: bool = True,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        if download:
            self.download()
        self.data, self.targets = self._load_data()

    @property
    def raw_folder(self) -> str:
        """The folder of the files."""
        return str(Path(self.root) / type(self).__name__ / "raw")

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The number of each class."""
        return {name: i for i, name in enumerate(self.classes)}

    @property
    def file_names(self) -> tuple[str, str]:
        """The gzipped files of this part: images, labels."""
        part = "train" if self.train else "t10k"
        return f"{part}-images-idx3-ubyte.gz", f"{part}-labels-idx1-ubyte.gz"

    def _find(self, name: str) -> Path | None:
        """The file, plain or gzipped, if it is there."""
        packed = Path(self.raw_folder) / name
        return next((p for p in (packed.with_suffix(""), packed) if check_integrity(p)), None)

    def _load_data(self) -> tuple[Any, Any]:
        paths = [self._find(name) for name in self.file_names]
        missing = [n for n, path in zip(self.file_names, paths, strict=True) if path is None]
        if missing:
            raise RuntimeError(
                "Dataset not found. You can use download=True to download it\n"
                f"Missing in {self.raw_folder}: {', '.join(missing)} (from {self.mirrors[0]})"
            )
        images, labels = (read_idx(path) for path in paths if path)
        if images.ndim != 3 or labels.shape != images.shape[:1]:
            raise ValueError(
                f"{paths[0]} and {paths[1]} do not belong together: "
                f"images {images.shape}, labels {labels.shape}"
            )
        return penlight.from_numpy(images), penlight.from_numpy(labels.astype(np.int64))

    def download(self) -> None:
        """Get the files that are not there yet."""
        for name, md5 in self.resources:
            if self._find(name) is None:
                urls = [mirror + name for mirror in self.mirrors]
                fetch(urls, Path(self.raw_folder) / name, md5)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        image = image_from_array(self.data[index].numpy(), mode="L")
        return self.transformed(image, int(self.targets[index]))

    def __len__(self) -> int:
        return len(self.data)

    def extra_repr(self) -> str:
        return f"Split: {'Train' if self.train else 'Test'}"


def _renamed(old: str, new: str) -> property:
    def read(self: MNIST) -> Any:
        warnings.warn(f"{old} has been renamed {new}", stacklevel=2)
        return getattr(self, new)

    return property(read)


for part in ("train", "test"):
    setattr(MNIST, f"{part}_data", _renamed(f"{part}_data", "data"))
    setattr(MNIST, f"{part}_labels", _renamed(f"{part}_labels", "targets"))


class FashionMNIST(MNIST):
    """70,000 pictures of clothes as MNIST (https://github.com/zalandoresearch/fashion-mnist)."""

    mirrors = ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",)
    resources = (
        ("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
        ("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"),
        ("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"),
        ("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"),
    )
    classes = CLOTHES


class KMNIST(MNIST):
    """70,000 cursive Japanese characters as MNIST (https://github.com/rois-codh/kmnist)."""

    mirrors = ("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",)
    resources = (
        ("train-images-idx3-ubyte.gz", "bdb82020997e1d708af4cf47b453dcf7"),
        ("train-labels-idx1-ubyte.gz", "e144d726b3acfaa3e44228e80efcd344"),
        ("t10k-images-idx3-ubyte.gz", "5c965bf0a639b31b8f53240b1b52f4d7"),
        ("t10k-labels-idx1-ubyte.gz", "7320c461ea6c1c855c0b718fb2a4b134"),
    )
    classes = SYLLABLES


class EMNIST(MNIST):
    """Letters and digits (https://www.nist.gov/itl/products-and-services/emnist-dataset).

    `split` is byclass, bymerge, balanced, letters, digits or mnist. As distributed, the images lie
    on their side: rows and columns are exchanged.
    """

    mirrors = ("https://biometrics.nist.gov/cs_links/EMNIST/",)
    resources = (("gzip.zip", "58c8d27c78d21e728a6bc7b3cc06412e"),)
    classes_split_dict: ClassVar[dict[str, list[str]]] = {
        "byclass": LETTERS,
        "bymerge": MERGED_LETTERS,
        "balanced": MERGED_LETTERS,
        "letters": ["N/A", *string.ascii_lowercase],
        "digits": list(string.digits),
        "mnist": list(string.digits),
    }
    splits = tuple(classes_split_dict)

    def __init__(self, root: str | Path, split: str, **kwargs: Any) -> None:
        self.split = verify_str_arg(split, "split", self.splits)
        self.classes = self.classes_split_dict[split]
        super().__init__(root, **kwargs)

    @property
    def file_names(self) -> tuple[str, str]:
        """The gzipped files of this split and part: images, labels."""
        stem = f"emnist-{self.split}-{'train' if self.train else 'test'}"
        return f"{stem}-images-idx3-ubyte.gz", f"{stem}-labels-idx1-ubyte.gz"

    def download(self) -> None:
        """Get the archive of all splits and take out the missing files of this one."""
        wanted = [name for name in self.file_names if self._find(name) is None]
        if not wanted:
            return
        ((name, md5),) = self.resources
        archive = Path(self.raw_folder) / name
        fetch([mirror + name for mirror in self.mirrors], archive, md5)
        with zipfile.ZipFile(archive) as zipped:
            for name in wanted:
                target = Path(self.raw_folder) / name
                part = target.with_name(name + ".part")
                with zipped.open(f"gzip/{name}") as source, part.open("wb") as file:
                    shutil.copyfileobj(source, file)
                part.replace(target)
