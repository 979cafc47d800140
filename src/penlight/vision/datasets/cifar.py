"""CIFAR-10 and CIFAR-100: colour photographs, 32×32, in batches that Python 2 pickled."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from .utils import check_integrity, extract_archive, fetch
from .vision import Transform, VisionDataset


class _ArrayParts:
    """Takes the place of a pickled array: it keeps the parts and makes nothing of them."""

    def __init__(self, *args: Any) -> None:
        self.args = args

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _BatchReader(pickle.Unpickler):
    """Reads plain values and byte arrays; any other name in the file is refused, nothing is run."""

    KNOWN = frozenset(
        (module, name)
        for module, name in (
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "_reconstruct"),
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
        )
    )

    def find_class(self, module: str, name: str) -> type[_ArrayParts]:
        if (module, name) not in self.KNOWN:
            raise pickle.UnpicklingError(f"{module}.{name} has no place in a CIFAR batch")
        return _ArrayParts


def read_batch(path: str | Path) -> dict[str, Any]:
    """The dictionary in a CIFAR file; its images as a uint8 array (N, 3072)."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            batch = _BatchReader(file, encoding="latin1").load()
        return {key: _plain(value) for key, value in batch.items()}
    except (pickle.UnpicklingError, EOFError, AttributeError, ValueError, TypeError) as error:
        raise ValueError(f"{path} is no CIFAR batch: {error}") from error


def _plain(value: Any) -> Any:
    if not isinstance(value, _ArrayParts):
        return value
    _, shape, dtype, columns_first, raw = value.state
    if dtype.args[0] not in ("u1", "|u1") or columns_first:
        raise ValueError(f"an array of {dtype.args[0]}, not of bytes")
    raw = raw.encode("latin1") if isinstance(raw, str) else raw
    return np.frombuffer(raw, np.uint8).reshape(shape)


class CIFAR10(VisionDataset):
    """60,000 colour photographs, 32×32, of 10 things (https://www.cs.toronto.edu/~kriz/cifar.html).

    The files are sought in `root`/cifar-10-batches-py; `download=True` gets them.
    """

    base_folder = "cifar-10-batches-py"
    url = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
    tgz_md5 = "c58f30108f718f92721af3b95e74349a"
    train_list: ClassVar = [
        ("data_batch_1", "c99cafc152244af753f735de768cd75f"),
        ("data_batch_2", "d4bba439e000b95fd0a9bffe97cbabec"),
        ("data_batch_3", "54ebc095f3ab1f0389bbae665268c751"),
        ("data_batch_4", "634d18415352ddfa80567beed471001a"),
        ("data_batch_5", "482c414d41f54cd18b22e5b47cb7c3cb"),
    ]
    test_list: ClassVar = [("test_batch", "40351d587109b95175f43aff81a1287e")]
    meta: ClassVar = {
        "filename": "batches.meta",
        "key": "label_names",
        "md5": "5ff9c542aee3614f3951f8cda6e48888",
    }

    def __init__(
        self,
        root: str | Path,
        train: bool = True,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        self._folder = Path(self.root) / self.base_folder
        if download:
            self.download()
        damaged = self._damaged_files()
        if damaged:
            raise RuntimeError(
                "Dataset not found or corrupted. You can use download=True to download it\n"
                f"Missing or damaged in {self._folder}: {', '.join(damaged)} (from {self.url})"
            )
        files = self.train_list if train else self.test_list
        batches = [read_batch(self._folder / name) for name, _ in files]
        images = np.concatenate([batch["data"] for batch in batches])
        self.data = images.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)  # (N, H, W, C)
        key = "labels" if "labels" in batches[0] else "fine_labels"
        self.targets = [label for batch in batches for label in batch[key]]
        self.classes = read_batch(self._folder / self.meta["filename"])[self.meta["key"]]
        self.class_to_idx = {name: i for i, name in enumerate(self.classes)}

    def _damaged_files(self) -> list[str]:
        """The files that are missing or whose checksum is wrong."""
        files = [*self.train_list, *self.test_list, (self.meta["filename"], self.meta["md5"])]
        return [name for name, md5 in files if not check_integrity(self._folder / name, md5)]

    def download(self) -> None:
        """Get the archive and unpack it, unless the files are there."""
        if not self._damaged_files():
            return
        archive = Path(self.root) / self.url.rpartition("/")[2]
        fetch([self.url], archive, self.tgz_md5)
        extract_archive(archive)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self.transformed(Image.fromarray(self.data[index]), self.targets[index])

    def __len__(self) -> int:
        return len(self.data)

    def extra_repr(self) -> str:
        return f"Split: {'Train' if self.train else 'Test'}"


class CIFAR100(CIFAR10):
    """60,000 colour photographs, 32×32, of 100 kinds of things."""

    base_folder = "cifar-100-python"
    url = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
    tgz_md5 = "eb9058c3a382ffc7106e4002c42a8d85"
    train_list: ClassVar = [("train", "16019d7e3df5f24257cddd939b257f8d")]
    test_list: ClassVar = [("test", "f0ef6b0ae62326f3e7ffdfab6717acfc")]
    meta: ClassVar = {
        "filename": "meta",
        "key": "fine_label_names",
        "md5": "7973b15100ade9c7d40fb424638fde48",
    }
