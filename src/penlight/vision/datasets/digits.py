"""Digits: 1,797 handwritten digits that come with the package."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

import penlight

from .mnist import MNIST
from .vision import Transform

FIGURES = list("0123456789")


class Digits(MNIST):
    """Handwritten digits, embedded in penlight: 1,442 to train and 355 to test, as 28×28 images.

    They are real scans of 8×8 pixels (https://doi.org/10.24432/C50P49, CC BY 4.0), enlarged to
    the 20×20 box in the middle of 28×28 that MNIST's digits fill. Every fifth image of each digit
    is for the test; the writers are the same in both parts. The interface is MNIST's, with `root`
    and `download` left unused.

    >>> Digits()[0]
    (<PIL.Image.Image image mode=L size=28x28 at ...>, 0)
    >>> len(Digits(train=True)), len(Digits(train=False))
    (1442, 355)
    """

    classes = FIGURES

    def __init__(
        self,
        root: str | Path | None = None,
        train: bool = True,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, train, transform, target_transform, download)

    def download(self) -> None:
        """Nothing to do: the data is in the package."""

    def _load_data(self) -> tuple[Any, Any]:
        with (files("penlight.vision") / "data" / "digits.npz").open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            images, labels = archive["images"], archive["labels"]
        is_test = _occurrence(labels) % 5 == 4
        chosen = ~is_test if self.train else is_test
        data = enlarge(images[chosen])
        return penlight.from_numpy(data), penlight.from_numpy(labels[chosen].astype(np.int64))


def _occurrence(labels: np.ndarray) -> np.ndarray:
    """How many equal labels stand before each."""
    counts = np.empty(len(labels), int)
    for label in np.unique(labels):
        same = labels == label
        counts[same] = np.arange(same.sum())
    return counts


def enlarge(images: np.ndarray, size: int = 20, border: int = 4) -> np.ndarray:
    """(N, 8, 8) counts 0..16 as (N, 28, 28) bytes: by cubic interpolation, with an empty border."""
    rows = _cubic_weights(images.shape[-1], size)
    smooth = np.einsum("yi,nij,xj->nyx", rows, images.astype(np.float64), rows, optimize=True)
    pixels = (smooth * (255 / 16)).round().clip(0, 255).astype(np.uint8)
    return np.pad(pixels, ((0, 0), (border, border), (border, border)))


def _cubic_weights(old: int, new: int) -> np.ndarray:
    """(new, old): the share of each old pixel in each new one, by Keys' cubic with a = -1/2."""
    places = (np.arange(new) + 0.5) * old / new - 0.5
    t = np.abs(places[:, None] - np.arange(old))
    near = 1.5 * t**3 - 2.5 * t**2 + 1
    far = -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2
    return np.where(t <= 1, near, np.where(t < 2, far, 0.0))
