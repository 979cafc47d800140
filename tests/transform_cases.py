"""Transforms, images and seeds; what torchvision makes of them is in recorded_transforms.json.

`python tests/transform_cases.py` records them anew; it needs torchvision 0.28.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

RECORD = Path(__file__).with_name("recorded_transforms.json")

FIXED = """
Resize(12)
Resize((9, 10), I.BICUBIC)
Resize((40, 35), I.NEAREST)
Resize(10, max_size=12)
CenterCrop(10)
CenterCrop((30, 9))
FiveCrop(8)
TenCrop((8, 9), True)
Pad(3)
Pad([1, 2], 7)
Pad((1, 2, 3, 4), 0, 'reflect')
Pad((1, 2, 3, 4), 0, 'symmetric')
Pad((-1, 2, 3, -4), 0, 'edge')
Grayscale()
Compose([ToTensor(), Normalize((0.5,), (0.2,))])
""".strip().splitlines()

RANDOM = """
RandomCrop(10)
RandomCrop((20, 40), pad_if_needed=True)
RandomCrop(20, padding=4, padding_mode='reflect')
RandomResizedCrop(14)
RandomResizedCrop((14, 9), (0.2, 0.9), (0.5, 2.0), antialias=None)
RandomHorizontalFlip()
RandomVerticalFlip(0.7)
RandomRotation(30)
RandomRotation((-10, 40), I.BILINEAR, True, fill=3)
RandomRotation(20, center=(3, 4))
RandomAffine((5, 30), (0.1, 0.2), (0.8, 1.2), (1, 2, 3, 4), I.BILINEAR, 2, (4, 5))
RandomAffine(0, shear=10)
RandomPerspective()
RandomPerspective(0.3, 1.0, fill=5)
ColorJitter(0.3, 0.4, 0.5, 0.2)
ColorJitter(brightness=(0.5, 0.7))
RandomGrayscale(0.5)
RandomInvert()
RandomPosterize(3)
RandomSolarize(0.5)
RandomAdjustSharpness(2)
RandomAutocontrast()
RandomEqualize()
GaussianBlur(3)
GaussianBlur((3, 5), 1.5)
RandomErasing()
RandomErasing(1.0, value='random')
RandomErasing(1.0, (0.1, 0.2), (0.5, 1.5), (1, 2, 3))
RandomApply([RandomRotation(10), RandomHorizontalFlip()], 0.6)
RandomOrder([RandomRotation(10), RandomHorizontalFlip()])
RandomChoice([RandomRotation(10), CenterCrop(5)], p=[0.3, 0.7])
ElasticTransform(20.0, 2.0)
AutoAugment()
AutoAugment(AutoAugmentPolicy.CIFAR10, fill=2)
AutoAugment(AutoAugmentPolicy.SVHN)
RandAugment()
RandAugment(3, 7, fill=[1, 2, 3])
TrivialAugmentWide()
TrivialAugmentWide(11, I.BILINEAR)
""".strip().splitlines()

REFUSED = """
Resize('a')
Resize((1, 2, 3))
CenterCrop((1, 2, 3))
Pad('a')
Pad((1, 2, 3))
Pad(1, padding_mode='x')
Lambda(3)
RandomRotation(-3)
RandomRotation((1, 2, 3))
RandomAffine(1, (2, 3))
RandomAffine(1, (0.1,), (1, 1))
RandomAffine(1, None, (0, 1))
ColorJitter(-1)
ColorJitter(hue=0.7)
ColorJitter('a')
GaussianBlur(2)
GaussianBlur(3, -1)
GaussianBlur(3, (2, 1))
RandomErasing(2)
RandomErasing(value='x')
RandomErasing(scale=3)
RandomOrder(3)
RandomChoice([], p=3)
ElasticTransform(1)
""".strip().splitlines()

SEEDS = range(3)


def picture() -> Image.Image:
    """A colour image, 31 wide and 23 high: slopes with a fine texture."""
    y, x, band = np.indices((23, 31, 3))
    values = 3 * y + (5 - 2 * band) * x + (y * 7919 + x * 104729 + band * 31) % 61
    return Image.fromarray(values.astype(np.uint8))


def images(transforms: Any) -> dict[str, Any]:
    """The picture in the forms that a transform may get."""
    rgb = picture()
    tensor = transforms.functional.pil_to_tensor(rgb)
    return {"RGB": rgb, "L": rgb.convert("L"), "uint8": tensor, "float": tensor / 255}


def build(transforms: Any, expression: str) -> Any:
    """The transform that the expression names."""
    names = {name: getattr(transforms, name) for name in dir(transforms)}
    return eval(expression, {**names, "I": transforms.InterpolationMode})


def fingerprint(result: Any) -> list:
    """[kind, shape, mean, mean weighted by place] of an image; a list of these for a tuple."""
    if isinstance(result, tuple):
        return [fingerprint(part) for part in result]
    array = np.asarray(result) if isinstance(result, Image.Image) else result.numpy()
    values = array.astype(np.float64).ravel()
    weights = np.linspace(0, 1, values.size)
    kind = result.mode if isinstance(result, Image.Image) else array.dtype.name
    means = (values.mean(), (values * weights).mean())
    return [kind, list(array.shape), *(float(f"{mean:.9g}") for mean in means)]


def run(torch: Any, transform: Any, image: Any, seed: int) -> list | str:
    """The fingerprint of what the transform makes of the image, or the error it raises."""
    torch.manual_seed(seed)
    random.seed(seed)
    try:
        return fingerprint(transform(image))
    except (TypeError, ValueError, AttributeError) as error:
        return type(error).__name__


def results(torch: Any, transforms: Any, expression: str) -> dict[str, Any]:
    """What the expression prints and does to each image with each seed."""
    transform = build(transforms, expression)
    seeds = SEEDS if expression in RANDOM else [0]
    found: dict[str, Any] = {"repr": repr(transform)}
    for kind, image in images(transforms).items():
        found[kind] = [run(torch, transform, image, seed) for seed in seeds]
    return found


def refusal(transforms: Any, expression: str) -> list[str]:
    """The class and text of the error that the expression raises."""
    try:
        build(transforms, expression)
    except (TypeError, ValueError) as error:
        return [type(error).__name__, str(error)]
    return ["no error", ""]


def record() -> None:
    """Write what torchvision does."""
    import torch
    import torchvision.transforms as transforms

    found = {e: results(torch, transforms, e) for e in FIXED + RANDOM}
    refused = {e: refusal(transforms, e) for e in REFUSED}
    lines = [f"{json.dumps(e)}: {json.dumps(found[e])}" for e in found]
    lines += [f"{json.dumps(e)}: {json.dumps(refused[e])}" for e in refused]
    RECORD.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    record()
