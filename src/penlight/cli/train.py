"""`penlight train`: what it prints, and the run folder it leaves."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import click
import numpy as np

import penlight

from ..nn.modules import Module
from .data import SOURCES, Data, load_data, picture_of
from .model import build_model
from .picture import bar, draw, side_by_side
from .report import write_report
from .training import CHECKPOINT, Trainer, evaluate, find_optimizer, load_checkpoint

MODEL_FILE = "model.py"
SHOWN = 5  # predictions drawn in the terminal


def start_run(options: dict[str, Any]) -> int:
    """Train from the start; the exit code."""
    find_optimizer(options["optimizer"])
    folder = _new_folder(options.pop("out"), options["data"])
    root, file = options.pop("root"), options.pop("model")
    # a run may be continued from another folder
    options |= {"root": str(root.resolve()) if root else None, "model": file is not None}
    if Path(options["data"]).is_dir() and options["data"] not in SOURCES:
        options["data"] = str(Path(options["data"]).resolve())
    data = load_data(options["data"], options["root"], options["augment"])
    penlight.manual_seed(options["seed"])
    model = build_model(file, data.shape, len(data.classes))
    trainer = Trainer(options, data, model)
    folder.mkdir(parents=True, exist_ok=True)
    if file is not None:
        shutil.copyfile(file, folder / MODEL_FILE)
    return _train(trainer, folder)


def continue_run(folder: Path) -> int:
    """Go on with the run in this folder; the exit code."""
    state = load_checkpoint(folder)
    options = state["options"]
    data = load_data(options["data"], options["root"], options["augment"])
    model = model_of(folder, state)
    trainer = Trainer(options, data, model)
    trainer.restore(state)
    return _train(trainer, folder)


def model_of(folder: Path, state: dict[str, Any]) -> Module:
    """The run's model with its trained parameters."""
    file = folder / MODEL_FILE if state["options"]["model"] else None
    if file is not None and not file.is_file():
        raise click.ClickException(f"{folder} lacks its {MODEL_FILE}")
    model = build_model(file, tuple(state["shape"]), len(state["classes"]))
    model.load_state_dict(state["model"])
    return model


def _new_folder(wanted: Path | None, data: str) -> Path:
    """The run folder: as wanted, else the next free number in runs/."""
    if wanted is not None:
        if (wanted / CHECKPOINT).exists():
            raise click.ClickException(
                f"{wanted} holds a run already: go on with --resume {wanted}, or choose another"
            )
        return wanted
    number = 1
    while Path("runs", f"{Path(data).name}-{number}").exists():
        number += 1
    return Path("runs", f"{Path(data).name}-{number}")


def _train(trainer: Trainer, folder: Path) -> int:
    penlight.set_num_threads(trainer.options["threads"])  # the last bits depend on their number
    _introduce(trainer)
    with _progress(trainer) as (on_step, on_epoch), trainer.stopped_by_interrupt():
        finished = trainer.run(folder, on_step, on_epoch)
    if not finished:
        click.echo(f"stopped in epoch {trainer.epoch + 1}; everything is saved")
        click.echo(f"go on with: penlight train --resume {folder}")
        return 130
    result = evaluate(trainer.model, trainer.data.test)
    _conclude(trainer.data, result)
    write_report(folder / "report.html", trainer, result)
    click.echo(f"run folder: {folder} (report.html, metrics.jsonl, {CHECKPOINT})")
    click.echo(f"test accuracy {100 * result['accuracy']:.1f} %")
    return 0


def _introduce(trainer: Trainer) -> None:
    data, options = trainer.data, trainer.options
    device = next(trainer.model.parameters()).device
    count = sum(p.numel() for p in trainer.model.parameters())
    threads = penlight.get_num_threads()
    click.echo(f"device: {device}, {threads} thread{'s' if threads > 1 else ''}")
    size = "×".join(map(str, data.shape))
    click.echo(
        f"data: {options['data']}, {len(data.train)} images to train, {len(data.test)} to test, "
        f"{len(data.classes)} classes, {size}"
    )
    click.echo(trainer.model)
    click.echo(f"{count:,} parameters")
    group = trainer.optimizer.param_groups[0]
    click.echo(
        f"{type(trainer.optimizer).__name__}, lr {group['initial_lr']:g}, "
        f"batch {options['batch']}, {options['epochs']} epochs, seed {options['seed']}"
    )
    if trainer.epoch or trainer.step:
        click.echo(f"going on in epoch {trainer.epoch + 1} after {trainer.step} batches")


class _progress:
    """A bar with loss and accuracy where a terminal shows it, and a line for each epoch."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer

    def __enter__(self) -> tuple[Any, Any]:
        from tqdm import tqdm

        trainer = self.trainer
        total = trainer.batches * trainer.options["epochs"]
        done = trainer.batches * trainer.epoch + trainer.step
        self.bar = tqdm(total=total, initial=done, unit="batch", disable=None, leave=False)
        return self.on_step, self.on_epoch

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def on_step(self) -> None:
        trainer = self.trainer
        self.bar.set_postfix_str(
            f"loss {trainer.loss:.4f}, accuracy {100 * trainer.accuracy:.1f} %", refresh=False
        )
        self.bar.update()

    def on_epoch(self) -> None:
        last = self.trainer.history[-1]
        self.bar.clear()
        click.echo(
            f"epoch {last['epoch']:>3}/{self.trainer.options['epochs']}  loss {last['loss']:.4f}  "
            f"accuracy {100 * last['accuracy']:5.1f} %  test {100 * last['test_accuracy']:5.1f} %"
        )


def _conclude(data: Data, result: dict[str, Any]) -> None:
    """The table of classes, and some predictions."""
    targets, guesses = result["targets"], result["probabilities"].argmax(1)
    width = max(len("class"), *(len(name) for name in data.classes))
    click.echo(f"\n{'class':<{width}}  images  right")
    for number, name in enumerate(data.classes):
        mine = targets == number
        if mine.any():
            share = float((guesses[mine] == number).mean())
            click.echo(f"{name:<{width}}  {mine.sum():>6}  {100 * share:5.1f} %  {bar(share)}")
    click.echo("\n" + "\n".join(_gallery(data, result)))


def _gallery(data: Data, result: dict[str, Any]) -> list[str]:
    """A few test images as blocks: the most certain mistakes, then other ones."""
    targets, probabilities = result["targets"], result["probabilities"]
    guesses = probabilities.argmax(1)
    certainty = np.where(guesses == targets, -1.0, probabilities.max(1))
    wrong = [i for i in np.argsort(-certainty)[: SHOWN // 2] if certainty[i] > 0]
    right = [i for i in range(len(targets)) if guesses[i] == targets[i]]
    chosen = [*right[: SHOWN - len(wrong)], *wrong]
    colour = sys.stdout.isatty()
    pictures = [draw(picture_of(data.test, int(i)), colour=colour) for i in chosen]
    captions = [
        f"{'✓' if guesses[i] == targets[i] else '✗'} {data.classes[guesses[i]][:6]} "
        f"{100 * probabilities[i].max():.0f} %"
        for i in chosen
    ]
    return side_by_side(pictures, captions)
