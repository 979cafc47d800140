"""Resizing, sampling and shuffling images beside PyTorch's."""

import numpy as np
import pytest
import torch

import penlight
from agreement import check
from second_order import agree, normal

SIZE = (5, 4, 6)
MODES = [
    (1, "nearest"), (1, "nearest-exact"), (1, "linear"), (1, "area"),
    (2, "nearest"), (2, "nearest-exact"), (2, "bilinear"), (2, "bicubic"), (2, "area"),
    (3, "nearest"), (3, "nearest-exact"), (3, "trilinear"), (3, "area"),
]  # fmt: skip
SCALES = [
    dict(size=3),
    dict(size=9),
    dict(scale_factor=2),
    dict(scale_factor=1.7),
    dict(scale_factor=0.6),
    dict(scale_factor=1.7, recompute_scale_factor=True),
]


@pytest.mark.parametrize(("rank", "mode"), MODES)
def test_interpolate(rank, mode):
    x = normal(2, 2, *SIZE[:rank])
    for scale in SCALES:
        agree("interpolate", x, mode=mode, **scale)
        if mode.endswith(("linear", "cubic")):
            agree("interpolate", x, mode=mode, align_corners=True, **scale)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic", "lanczos"])
def test_antialias(mode):
    for scale in SCALES:
        agree("interpolate", normal(2, 2, 9, 8), mode=mode, antialias=True, **scale)


def test_bytes():
    x = np.random.default_rng(0).integers(0, 256, (1, 3, 9, 7)).astype(np.uint8)
    for mode in ("nearest", "bilinear"):
        ours, theirs = (
            lib.nn.functional.interpolate(lib.tensor(x), size=(13, 5), mode=mode).numpy()
            for lib in (penlight, torch)
        )
        assert ours.dtype == theirs.dtype
        assert np.abs(ours.astype(int) - theirs).max() <= (
            mode != "nearest"
        )  # PyTorch: fixed point


def test_old_names():
    for name in ("upsample", "upsample_nearest", "upsample_bilinear"):
        with pytest.warns(UserWarning, match=f"`nn.functional.{name}` is deprecated"):
            y = getattr(penlight.nn.functional, name)(penlight.ones(1, 1, 2, 2), scale_factor=2)
        assert y.tolist() == [[[[1.0] * 4] * 4]]


@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize("padding_mode", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
def test_grid_sample(mode, padding_mode, align_corners):
    options = dict(mode=mode, padding_mode=padding_mode, align_corners=align_corners)
    agree("grid_sample", normal(2, 3, 4, 5), normal(2, 3, 2, 2) * 1.5, order=1, **options)
    if mode != "bicubic":
        agree("grid_sample", normal(2, 3, 4, 5, 3), normal(2, 3, 2, 2, 3) * 1.5, order=1, **options)


def test_grid_sample_can_be_differentiated_twice():
    x, grid = (
        penlight.tensor(normal(*shape)).requires_grad_() for shape in ((1, 1, 4, 4), (1, 2, 2, 2))
    )

    def sample(x, grid):
        return penlight.nn.functional.grid_sample(x, grid, align_corners=False)

    assert penlight.autograd.gradcheck(sample, (x, grid))
    assert penlight.autograd.gradgradcheck(sample, (x, grid))


@pytest.mark.parametrize("align_corners", [True, False])
def test_affine_grid(align_corners):
    agree("affine_grid", normal(2, 2, 3), (2, 3, 4, 5), align_corners=align_corners)
    agree("affine_grid", normal(2, 3, 4), (2, 3, 4, 5, 2), align_corners=align_corners)


@pytest.mark.parametrize("n", [1, 7, 16, 27, 28])
def test_an_untouched_grid_is_pytorchs_to_the_bit(n):
    """Its points lie on the pixels' centres, where the gradient of grid_sample jumps."""
    same = np.eye(2, 3, dtype=np.float32)[None]
    a, b = (
        library.nn.functional.affine_grid(library.tensor(same), (1, 1, n, n), align_corners=False)
        for library in (penlight, torch)
    )
    assert a.tolist() == b.tolist()


def test_a_forgotten_align_corners_warns():
    theta = penlight.ones(1, 2, 3)
    with pytest.warns(UserWarning, match="Default grid_sample and affine_grid behavior"):
        grid = penlight.nn.functional.affine_grid(theta, (1, 1, 2, 2))
    with pytest.warns(UserWarning, match="Default grid_sample and affine_grid behavior"):
        penlight.nn.functional.grid_sample(penlight.ones(1, 1, 2, 2), grid)


def test_shuffles():
    agree("pixel_shuffle", normal(2, 8, 3, 2), 2)
    agree("pixel_shuffle", normal(9, 3, 2), 3)
    agree("pixel_unshuffle", normal(2, 3, 4, 6), 2)
    agree("channel_shuffle", normal(2, 6, 3), 3)
    x = penlight.tensor(normal(2, 8, 3, 2))
    back = penlight.pixel_unshuffle(penlight.pixel_shuffle(x, 2), 2)
    assert bool((back == x).all())


F = "T.nn.functional."
ERRORS = [
    "interpolate(T.ones(1, 2, 4, 4))",
    "interpolate(T.ones(1, 2, 4, 4), size=2, scale_factor=2)",
    "interpolate(T.ones(1, 2, 4, 4), size=(2,))",
    "interpolate(T.ones(1, 2, 4, 4), scale_factor=(2.0,))",
    "interpolate(T.ones(1, 2, 4, 4), size=2, mode='sharp')",
    "interpolate(T.ones(1, 2, 4, 4), size=2, mode='linear')",
    "interpolate(T.ones(1, 2, 4), size=2, mode='bilinear')",
    "interpolate(T.ones(2, 4), size=2)",
    "interpolate(T.ones(1, 2, 4), size=2, align_corners=True)",
    "interpolate(T.ones(1, 2, 4), size=0)",
    "interpolate(T.ones(1, 2, 4), size=2, recompute_scale_factor=True)",
    "interpolate(T.ones(1, 0, 4), size=2)",
    "interpolate(T.ones(1, 2, 4, 4), size=2, antialias=True)",
    "interpolate(T.ones(1, 2, 4, 4), size=2, mode='lanczos')",
    "grid_sample(T.ones(1, 2, 4, 4), T.ones(1, 3, 3, 2), mode='sharp')",
    "grid_sample(T.ones(1, 2, 4, 4), T.ones(1, 3, 3, 2), padding_mode='ones')",
    "grid_sample(T.ones(1, 2, 4, 4), T.ones(1, 3, 2), align_corners=True)",
    "grid_sample(T.ones(2, 2, 4, 4), T.ones(1, 3, 3, 2), align_corners=True)",
    "grid_sample(T.ones(1, 2, 4, 4), T.ones(1, 3, 3, 3), align_corners=True)",
    "grid_sample(T.ones(1, 2, 0, 4), T.ones(1, 3, 3, 2), align_corners=True)",
    "affine_grid(T.ones(1, 3, 3), (1, 2, 3, 4), align_corners=True)",
    "affine_grid(T.ones(1, 2, 3), (1, 2, 3), align_corners=True)",
    "affine_grid(T.ones(1, 2, 3).long(), (1, 2, 3, 4), align_corners=True)",
    "affine_grid(T.ones(1, 2, 3), (1, 2, 0, 4), align_corners=True)",
    "pixel_shuffle(T.ones(4, 4), 2)",
    "pixel_shuffle(T.ones(1, 3, 3, 3), 2)",
    "pixel_shuffle(T.ones(1, 4, 3, 3), 0)",
    "pixel_unshuffle(T.ones(1, 4, 3, 4), 2)",
    "channel_shuffle(T.ones(4, 4), 2)",
    "channel_shuffle(T.ones(1, 3, 4), 2)",
    "channel_shuffle(T.ones(1, 3, 4), 0)",
]


@pytest.mark.parametrize("line", ERRORS)
def test_errors(line):
    check(F + line)
    with pytest.raises((RuntimeError, ValueError, NotImplementedError)):
        eval(F + line, {"T": penlight})
