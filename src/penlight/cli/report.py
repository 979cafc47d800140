"""The report of a run: one self-contained HTML page with curves, classes and mistakes."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..io import atomic_write
from .data import Data, picture_of
from .training import Trainer

MISTAKES = 60  # shown at most
WIDTH, HEIGHT, MARGIN = 420, 180, 36  # of a chart

STYLE = """
:root { color-scheme: light dark; --ink: #222; --paper: #fff; --faint: #8884; --one: #1667c4;
  --two: #c4521a; }
@media (prefers-color-scheme: dark) { :root { --ink: #ddd; --paper: #16181b; --one: #6db1ff;
  --two: #ff9d66; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse } td, th { padding: .15rem .7rem; text-align: right }
td:first-child, th:first-child { text-align: left }
pre { overflow-x: auto; background: var(--faint); padding: .7rem; border-radius: 6px }
.charts, .mistakes { display: flex; flex-wrap: wrap; gap: 1rem }
figure { margin: 0; text-align: center; font-size: .8rem }
.mistakes img { width: 84px; image-rendering: pixelated; border-radius: 4px }
.one { color: var(--one); stroke: var(--one) } .two { color: var(--two); stroke: var(--two) }
svg text { fill: var(--ink); stroke: none; font-size: 11px }
meter { width: 8rem }
"""


def write_report(path: Path, trainer: Trainer, result: dict[str, Any]) -> None:
    """Write the page, whole or not at all."""
    data, options = trainer.data, trainer.options
    title = f"{options['data']}: test accuracy {100 * result['accuracy']:.1f} %"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p>{escape(_summary(trainer))}</p>",
        "<h2>Curves</h2>",
        f'<div class="charts">{_curves(trainer.history)}</div>',
        "<h2>Classes</h2>",
        _classes(data.classes, result),
        "<h2>Mistakes</h2>",
        _mistakes(data, result),
        "<h2>Model</h2>",
        f"<pre>{escape(repr(trainer.model))}</pre>",
    ]
    with atomic_write(path, "w", encoding="utf-8") as file:
        file.write(
            '<!doctype html>\n<html lang="en"><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width">'
            f"<title>{escape(title)}</title><style>{STYLE}</style>\n"
            + "\n".join(parts)
            + "</html>\n"
        )


def _summary(trainer: Trainer) -> str:
    options = trainer.options
    count = sum(p.numel() for p in trainer.model.parameters())
    return (
        f"{len(trainer.data.train)} images to train, {len(trainer.data.test)} to test. "
        f"{count:,} parameters, {type(trainer.optimizer).__name__}, batch {options['batch']}, "
        f"{options['epochs']} epochs, seed {options['seed']}, {trainer.seconds:.1f} s of training."
    )


def _curves(history: Sequence[dict[str, float]]) -> str:
    epochs = [line["epoch"] for line in history]

    def of(name: str) -> list[float]:
        return [line[name] for line in history]

    loss = _chart("loss", epochs, {"train": of("loss"), "test": of("test_loss")})
    accuracy = {"train": of("accuracy"), "test": of("test_accuracy")}
    return loss + _chart("accuracy", epochs, accuracy)


def _chart(title: str, epochs: Sequence[float], series: Mapping[str, Sequence[float]]) -> str:
    """An SVG line chart of one or two series over the epochs."""
    values = [v for line in series.values() for v in line]
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    last = max(epochs[-1] - epochs[0], 1)

    def point(epoch: float, value: float) -> str:
        x = MARGIN + (WIDTH - 2 * MARGIN) * (epoch - epochs[0]) / last
        y = HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * (value - low) / span
        return f"{x:.1f},{y:.1f}"

    lines, names = [], []
    for kind, (name, line) in zip(("one", "two"), series.items(), strict=True):
        points = " ".join(map(point, epochs, line))
        lines.append(f'<polyline class="{kind}" fill="none" stroke-width="2" points="{points}"/>')
        names.append(f'<span class="{kind}">{name}</span>')
    bottom = HEIGHT - MARGIN
    return (
        f'<figure><svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img" '
        f'aria-label="{title} over the epochs">'
        f'<path d="M{MARGIN} {MARGIN}V{bottom}H{WIDTH - MARGIN}" fill="none" '
        f'stroke="var(--faint)"/>'
        f'<text x="2" y="{MARGIN + 4}">{high:.3g}</text><text x="2" y="{bottom}">{low:.3g}</text>'
        f'<text x="{WIDTH - MARGIN}" y="{HEIGHT - 18}">{epochs[-1]:g}</text>'
        f"{''.join(lines)}</svg><figcaption>{title}: {', '.join(names)}</figcaption></figure>"
    )


def _classes(classes: Sequence[str], result: dict[str, Any]) -> str:
    targets, guesses = result["targets"], result["probabilities"].argmax(1)
    rows = ["<tr><th>class<th>images<th>found<th>right when said<th></tr>"]
    for number, name in enumerate(classes):
        mine, said = targets == number, guesses == number
        if not mine.any():
            continue
        both = int((mine & said).sum())
        found = both / mine.sum()
        right = f"{100 * both / said.sum():.1f} %" if said.any() else "–"
        rows.append(
            f"<tr><td>{escape(name)}<td>{mine.sum()}<td>{100 * found:.1f} %<td>{right}"
            f'<td><meter value="{found:.4f}"></meter></tr>'
        )
    return f"<table>{''.join(rows)}</table>"


def _mistakes(data: Data, result: dict[str, Any]) -> str:
    """The misclassified test images, the most certain first."""
    targets, probabilities = result["targets"], result["probabilities"]
    guesses = probabilities.argmax(1)
    wrong = np.flatnonzero(guesses != targets)
    wrong = wrong[np.argsort(-probabilities[wrong].max(1))]
    if not len(wrong):
        return "<p>None.</p>"
    figures = []
    for i in wrong[:MISTAKES]:
        said = f"{data.classes[guesses[i]]} ({100 * probabilities[i].max():.0f} %)"
        caption = f"{escape(said)}<br>is {escape(data.classes[targets[i]])}"
        source = _embedded(picture_of(data.test, int(i)))
        figures.append(
            f'<figure><img src="{source}" alt="test image {i}">'
            f"<figcaption>{caption}</figcaption></figure>"
        )
    shown = f", the {MISTAKES} most certain of them here" if len(wrong) > MISTAKES else ""
    count = f"<p>{len(wrong)} of {len(targets)}{shown}: what the network said, what it is.</p>"
    return f'{count}<div class="mistakes">{"".join(figures)}</div>'


def _embedded(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
