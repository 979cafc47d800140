"""From a task to the step that is timed, eager or compiled, each library in its own usual way.

penlight compiles a whole training step (`penlight.compile(step)`) and, for inference, the model.
PyTorch compiles the model in both (`torch.compile(model)`, its default backend); loss and optimizer
stay eager, as its tutorials have it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

from .workloads import Inference, Plain, Training

Step = Callable[[], object]


class Missing(Exception):
    """Why a cell of the table stays empty."""


def step_of(task: Training | Inference | Plain, T: Any, mode: str) -> Step:
    """The step of a task in library T."""
    if isinstance(task, Plain):
        return task.step
    compiled, whole = mode == "compiled", T.__name__ == "penlight"
    if compiled and not whole:
        _want_a_compiler()
    if isinstance(task, Inference):
        return _inference(T, T.compile(task.model) if compiled else task.model, task)
    step = _training(T.compile(task.model) if compiled and not whole else task.model, task)
    return T.compile(step) if compiled and whole else step


def _training(model: Any, task: Training) -> Step:
    x, y, loss_of, optimizer = task.x, task.y, task.loss, task.optimizer

    def step() -> None:
        optimizer.zero_grad()
        loss_of(model(x), y).backward()
        optimizer.step()

    return step


def _inference(T: Any, model: Any, task: Inference) -> Step:
    x, no_grad = task.x, T.no_grad

    def step() -> None:
        with no_grad():
            model(x)

    return step


def _want_a_compiler() -> None:
    if not any(shutil.which(name) for name in ("g++", "clang++")):
        raise Missing("torch.compile needs a C++ compiler, and there is none here")
