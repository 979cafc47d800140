"""`penlight predict`: what a trained network sees in images."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from PIL import Image, UnidentifiedImageError

import penlight

from .data import fit, prepare
from .picture import bar, draw
from .train import model_of
from .training import CHECKPOINT, load_checkpoint

SHOWN = 5  # classes with a bar


def predict_images(paths: tuple[Path, ...], run: Path | None) -> None:
    """Print for each image its picture and the probabilities of the likeliest classes."""
    images = [_open(path) for path in paths]  # all of them, before the first word
    folder = run or _latest_run()
    state = load_checkpoint(folder)
    model = model_of(folder, state).eval()
    shape = tuple(state["shape"])
    click.echo(f"network of {folder}, trained on {state['options']['data']}")
    for path, image in zip(paths, images, strict=True):
        fitted, inverted = fit(image, shape)
        with penlight.no_grad():
            (probabilities,) = model(prepare(shape)(fitted).unsqueeze(0)).softmax(1).tolist()
        note = " (dark on bright: inverted)" if inverted else ""
        click.echo(f"\n{path}{note}")
        _show(fitted, state["classes"], probabilities)


def _open(path: Path) -> Image.Image:
    """The image in the file, read to its end."""
    try:
        with Image.open(path) as image:
            image.load()
            return image.copy()
    except FileNotFoundError as error:
        raise click.ClickException(f"no file {path}") from error
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise click.ClickException(f"{path} is no image or is damaged: {error}") from error


def _latest_run() -> Path:
    """The run folder in runs/ whose checkpoint is the newest."""
    found = sorted(Path("runs").glob(f"*/{CHECKPOINT}"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise click.ClickException("no trained network in runs/: run `penlight train` first")
    return found[-1].parent


def _show(image: Image.Image, classes: list[str], probabilities: list[float]) -> None:
    likeliest = sorted(zip(probabilities, classes, strict=True), reverse=True)[:SHOWN]
    width = max(len(name) for _, name in likeliest)
    bars = [f"{name:<{width}} {bar(p)} {100 * p:5.1f} %" for p, name in likeliest]
    picture = draw(image, colour=sys.stdout.isatty())
    blank = " " * 14
    for i in range(max(len(picture), len(bars))):
        left = picture[i] if i < len(picture) else blank
        click.echo(f"  {left}  {bars[i] if i < len(bars) else ''}".rstrip())
