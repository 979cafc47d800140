"""Transforms against what torchvision 0.28 did (recorded); PIL against tensor results."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

import penlight
import transform_cases as cases
from penlight.vision import transforms as T
from penlight.vision.transforms import functional as F

RECORDED = json.loads(cases.RECORD.read_text())


@pytest.mark.parametrize("expression", cases.FIXED + cases.RANDOM)
def test_as_torchvision(expression):
    expected = RECORDED[expression]
    got = cases.results(penlight, T, expression)
    assert got.keys() == expected.keys()
    assert got["repr"] == expected["repr"]
    for kind in ("RGB", "L", "uint8", "float"):
        for seed, (mine, theirs) in enumerate(zip(got[kind], expected[kind], strict=True)):
            assert_same(mine, theirs, f"{expression} on {kind}, seed {seed}")


def assert_same(mine, theirs, where):
    if isinstance(theirs, str) or isinstance(mine, str):
        assert mine == theirs, where
    elif isinstance(theirs[0], list):
        assert len(mine) == len(theirs), where
        for a, b in zip(mine, theirs, strict=True):
            assert_same(a, b, where)
    else:
        assert mine[:2] == theirs[:2], where
        # a byte whose exact value is half a step may round either way: one pixel in fifty may
        ties = 0.02 if mine[0] == "uint8" else 0
        assert mine[2:] == pytest.approx(theirs[2:], rel=1e-5, abs=1e-6 + ties), where


@pytest.mark.parametrize("expression", cases.REFUSED)
def test_refuses_what_torchvision_refuses(expression):
    assert cases.refusal(T, expression) == RECORDED[expression]


EXACT = {
    "hflip": lambda x: F.hflip(x),
    "vflip": lambda x: F.vflip(x),
    "crop": lambda x: F.crop(x, 2, 3, 7, 5),
    "crop beyond the edges": lambda x: F.crop(x, -4, 20, 40, 30),
    "crop outside": lambda x: F.crop(x, 30, 40, 5, 6),
    "pad": lambda x: F.pad(x, (1, 2, 3, 4), fill=9),
    "pad edge": lambda x: F.pad(x, 5, padding_mode="edge"),
    "pad reflect": lambda x: F.pad(x, (1, 2, 3, 4), padding_mode="reflect"),
    "pad symmetric": lambda x: F.pad(x, (4, 3), padding_mode="symmetric"),
    "invert": lambda x: F.invert(x),
    "posterize": lambda x: F.posterize(x, 3),
    "solarize": lambda x: F.solarize(x, 100),
    "equalize": lambda x: F.equalize(x),
    "rotate by a quarter": lambda x: F.rotate(x, 90, expand=True),
    "resize to nearest": lambda x: F.resize(x, [11, 17], T.InterpolationMode.NEAREST_EXACT),
}


@pytest.mark.parametrize("name", EXACT)
def test_pil_and_tensor_agree(name):
    image = cases.picture()
    from_pil = F.pil_to_tensor(EXACT[name](image))
    from_tensor = EXACT[name](F.pil_to_tensor(image))
    assert from_pil.dtype == from_tensor.dtype == penlight.uint8
    assert np.array_equal(from_pil.numpy(), from_tensor.numpy())


@pytest.mark.parametrize("mode", ["1", "L", "I", "I;16", "F", "LA", "RGB", "RGBA", "CMYK"])
def test_to_tensor_and_back(mode):
    channels = len(Image.new(mode, (1, 1)).getbands())
    kind = {"I": np.int32, "I;16": np.int16, "F": np.float32}.get(mode, np.uint8)
    if mode == "1":
        image = cases.picture().convert("1")
    else:
        values = (np.arange(5 * 4 * channels) * 12 % 250).astype(kind)
        image = F.to_pil_image(values.reshape(5, 4, channels), mode)
    tensor = T.ToTensor()(image)
    assert tensor.shape == (channels, image.height, image.width)
    assert tensor.is_contiguous()
    expected = np.asarray(image).reshape(image.height, image.width, channels).transpose(2, 0, 1)
    if kind == np.uint8:
        scale = 1.0 if mode == "1" else 255.0
        assert np.array_equal(tensor.numpy(), (expected / scale).astype(np.float32))
    else:
        assert np.array_equal(tensor.numpy(), expected)
    if mode in ("L", "I", "I;16", "F", "RGB", "RGBA"):
        assert np.array_equal(np.asarray(T.ToPILImage(mode)(tensor)), np.asarray(image))


def test_to_tensor_copies():
    array = np.zeros((3, 4, 1), np.float32)
    tensor = F.to_tensor(array)
    array += 1
    assert not tensor.any()


def test_to_tensor_follows_the_default_dtype():
    penlight.set_default_dtype(penlight.float64)
    try:
        assert F.to_tensor(cases.picture()).dtype == penlight.float64
    finally:
        penlight.set_default_dtype(penlight.float32)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: F.to_tensor(3), TypeError, "pic should be PIL Image or ndarray"),
        (lambda: F.to_tensor(np.zeros(3)), ValueError, "2/3 dimensional. Got 1 dimensions"),
        (lambda: F.to_pil_image(np.zeros((2, 2, 5))), ValueError, "not have > 4 channels"),
        (lambda: F.to_pil_image(np.zeros((2, 2, 2)), "RGB"), ValueError, r"\['LA'\] are supported"),
        (lambda: F.to_pil_image(np.zeros((2, 2), np.int64)), TypeError, "int64 is not supported"),
        (lambda: F.normalize(penlight.zeros(3, 2, 2), 0, 0), ValueError, "std evaluated to zero"),
        (lambda: F.normalize(penlight.zeros(3, 2, 2).int(), 0, 1), TypeError, "float tensor"),
        (lambda: F.hflip([1, 2]), TypeError, "PIL Image or Tensor. Got <class 'list'>"),
        (lambda: F.hflip(penlight.zeros(3)), TypeError, "not a torch image"),
        (lambda: F.adjust_hue(cases.picture(), 0.6), ValueError, r"not in \[-0.5, 0.5\]"),
        (lambda: F.pad(cases.picture(), 1, (1, 2)), ValueError, "does not match the number"),
        (lambda: F.gaussian_blur(cases.picture(), 4), ValueError, "odd and positive"),
        (lambda: F.five_crop(cases.picture(), 99), ValueError, "bigger than input size"),
        (lambda: F.resize(cases.picture(), 5, "bilinear"), TypeError, "InterpolationMode"),
        (lambda: T.RandomCrop(99)(cases.picture()), ValueError, "larger than input image size"),
        (lambda: F.convert_image_dtype(penlight.ones(1), penlight.int64), RuntimeError, "safely"),
    ],
)  # fmt: skip
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_convert_image_dtype_keeps_white_white():
    white = penlight.full((1, 1), 255, dtype=penlight.uint8)
    for dtype in (penlight.float32, penlight.float64, penlight.int16, penlight.int32):
        there = F.convert_image_dtype(white, dtype)
        assert there.dtype == dtype
        assert F.convert_image_dtype(there, penlight.uint8).item() == 255


def test_gradients_flow_through_tensor_transforms():
    image = penlight.rand(3, 9, 9, requires_grad=True)
    chain = T.Compose([T.Resize(7), T.RandomAffine(20), T.ColorJitter(0.2), T.Normalize(0.5, 0.5)])
    chain(image).sum().backward()
    assert image.grad is not None and image.grad.abs().sum() > 0


def test_compose_prints_its_parts():
    chain = T.Compose([T.ToTensor(), T.RandomApply([T.CenterCrop(2)])])
    assert repr(chain) == (
        "Compose(\n    ToTensor()\n    RandomApply(\n    p=0.5\n    CenterCrop(size=(2, 2))\n)\n)"
    )
