"""Training that can stop after any batch and go on later as if it had not stopped."""

from __future__ import annotations

import math
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

import penlight

from .. import optim
from ..io import atomic_write
from ..nn import functional as F
from ..nn.modules import Module
from ..utils.data import DataLoader, Dataset
from .data import Data

CHECKPOINT = "checkpoint.pt"
SAVE_EVERY = 5.0  # seconds between two checkpoints, at least
DEFAULT_LR = {"Adam": 0.002, "SGD": 0.1}  # what suits the tutorial's network on small images
TEST_BATCH = 256


def find_optimizer(name: str) -> type:
    """The optimizer of this name, in any case."""
    known = {
        label.lower(): kind
        for label, kind in vars(optim).items()
        if isinstance(kind, type) and issubclass(kind, optim.Optimizer)
    }
    for unfit in ("optimizer", "lbfgs", "sparseadam"):  # these need a closure or sparse gradients
        known.pop(unfit, None)
    if name.lower() not in known:
        names = ", ".join(kind.__name__ for kind in known.values())
        raise click.ClickException(f"no optimizer {name!r}; there are {names}")
    return known[name.lower()]


class Trainer:
    """A model, its optimizer, and where in the run they are.

    The order of an epoch depends on seed and epoch alone, and what is random in a batch on the
    generator's state, which the checkpoint keeps: so a run that was stopped and continued ends with
    the same bits.
    """

    def __init__(self, options: dict[str, Any], data: Data, model: Module) -> None:
        self.options = options
        self.data = data
        self.model = model
        kind = find_optimizer(options["optimizer"])
        lr = options["lr"] if options["lr"] is not None else DEFAULT_LR.get(kind.__name__)
        try:
            self.optimizer = kind(model.parameters(), **({} if lr is None else {"lr": lr}))
        except ValueError as error:  # Muon takes matrices only
            raise click.ClickException(f"{kind.__name__}: {error}") from error
        self.batches = math.ceil(len(data.train) / options["batch"])
        steps = self.batches * options["epochs"]
        self.scheduler = optim.lr_scheduler.CosineAnnealingLR(self.optimizer, steps)
        self.epoch = 0
        self.step = 0  # batches of this epoch that are done
        self.totals = {"loss": 0.0, "correct": 0, "seen": 0}
        self.history: list[dict[str, float]] = []
        self.seconds = 0.0
        self.stop = False

    def run(self, folder: Path, on_step: Callable[[], None], on_epoch: Callable[[], None]) -> bool:
        """Train to the end or to the first sign to stop; False if it was stopped."""
        saved = time.monotonic()
        while self.epoch < self.options["epochs"]:
            for images, targets in self._remaining_batches():
                self._train_batch(images, targets)
                on_step()
                if self.stop:
                    self.save(folder)
                    return False
            self._end_epoch()
            on_epoch()
            if time.monotonic() - saved > SAVE_EVERY or self.epoch == self.options["epochs"]:
                self.save(folder)
                saved = time.monotonic()
        return True

    def _remaining_batches(self) -> Iterator[Any]:
        seed = (self.options["seed"] << 20) + self.epoch
        generator = penlight.Generator().manual_seed(seed)
        order = penlight.randperm(len(self.data.train), generator=generator).tolist()
        size = self.options["batch"]
        batches = [order[i : i + size] for i in range(0, len(order), size)]
        # the loader's own generator: making the loader must not touch the one that transforms use
        loader: DataLoader[Any] = DataLoader(
            self.data.train, batch_sampler=batches[self.step :], generator=generator
        )
        return iter(loader)

    def _train_batch(self, images: penlight.Tensor, targets: penlight.Tensor) -> None:
        started = time.perf_counter()
        self.model.train()
        outputs = self.model(images)
        self._check_outputs(outputs, len(images))
        loss = F.cross_entropy(outputs, targets)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.scheduler.step()
        self.step += 1
        self.totals["loss"] += loss.item() * len(images)
        self.totals["correct"] += int((outputs.argmax(1) == targets).sum().item())
        self.totals["seen"] += len(images)
        self.seconds += time.perf_counter() - started
        if not math.isfinite(self.totals["loss"]):
            raise click.ClickException(
                f"the loss became {loss.item()} in epoch {self.epoch + 1}: try a smaller --lr"
            )

    def _check_outputs(self, outputs: penlight.Tensor, count: int) -> None:
        wanted = (count, len(self.data.classes))
        if tuple(outputs.shape) != wanted:
            raise click.ClickException(
                f"the model gives {tuple(outputs.shape)}, wanted {wanted}: "
                "for each image a number for each class"
            )

    def _end_epoch(self) -> None:
        test = evaluate(self.model, self.data.test)
        self.epoch, self.step = self.epoch + 1, 0
        self.history.append(
            {
                "epoch": self.epoch,
                "loss": self.loss,
                "accuracy": self.accuracy,
                "test_loss": test["loss"],
                "test_accuracy": test["accuracy"],
                "lr": self.scheduler.get_last_lr()[0],
                "seconds": round(self.seconds, 3),
            }
        )
        self.totals = {"loss": 0.0, "correct": 0, "seen": 0}

    @property
    def loss(self) -> float:
        """The mean loss over this epoch so far."""
        return self.totals["loss"] / max(self.totals["seen"], 1)

    @property
    def accuracy(self) -> float:
        """The share of right answers over this epoch so far, while learning."""
        return self.totals["correct"] / max(self.totals["seen"], 1)

    def save(self, folder: Path) -> None:
        """Write the checkpoint, whole or not at all, and the metrics as JSON lines."""
        import json

        version, words, gauss = random.getstate()
        state = {
            "options": self.options,
            "classes": self.data.classes,
            "shape": list(self.data.shape),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "epoch": self.epoch,
            "step": self.step,
            "totals": self.totals,
            "history": self.history,
            "seconds": self.seconds,
            "rng": penlight.get_rng_state(),
            "python_rng": [version, list(words), gauss],
        }
        with atomic_write(folder / "metrics.jsonl", "w", encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line in self.history)
        penlight.save(state, folder / CHECKPOINT)

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to what `save` wrote."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        self.epoch, self.step = state["epoch"], state["step"]
        self.totals, self.history = state["totals"], state["history"]
        self.seconds = state["seconds"]
        penlight.set_rng_state(state["rng"])
        version, words, gauss = state["python_rng"]
        random.setstate((version, tuple(words), gauss))

    @contextmanager
    def stopped_by_interrupt(self) -> Iterator[None]:
        """Ctrl-C stops after the batch that is under way; a second one at once."""

        def interrupt(number: int, frame: Any) -> None:
            if self.stop:
                raise KeyboardInterrupt
            self.stop = True

        before = signal.signal(signal.SIGINT, interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)


def load_checkpoint(folder: Path) -> dict[str, Any]:
    """The checkpoint in a run folder."""
    path = folder / CHECKPOINT
    if not path.is_file():
        raise click.ClickException(f"{folder} is no run folder: it has no {CHECKPOINT}")
    try:
        state = penlight.load(path)
        missing = {"options", "classes", "shape", "model", "history"} - set(state)
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise click.ClickException(f"{path} cannot be read: {reason}") from error
    if missing:
        raise click.ClickException(f"{path} is not a run's checkpoint: no {sorted(missing)[0]!r}")
    return state


@penlight.no_grad()
def evaluate(model: Module, data: Dataset) -> dict[str, Any]:
    """Loss, accuracy, and for each sample its target and the probability of each class."""
    model.eval()
    probabilities, targets, loss = [], [], 0.0
    for images, labels in DataLoader(data, batch_size=TEST_BATCH, generator=penlight.Generator()):
        outputs = model(images)
        loss += F.cross_entropy(outputs, labels, reduction="sum").item()
        probabilities.append(outputs.softmax(1))
        targets.append(labels)
    probability, target = penlight.cat(probabilities), penlight.cat(targets)
    right = (probability.argmax(1) == target).sum().item()
    return {
        "loss": loss / len(target),
        "accuracy": right / len(target),
        "probabilities": probability.numpy(),
        "targets": target.numpy(),
    }
