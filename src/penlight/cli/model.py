"""The network of a run: the tutorial's, or the one that a Python file defines."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import click

from .. import Tensor, compat
from ..nn.modules import Flatten, Linear, Module, ReLU, Sequential


class NeuralNetwork(Module):
    """The tutorial's network: the image flat, two hidden layers of 512, a number for each class."""

    def __init__(self, shape: tuple[int, ...], classes: int) -> None:
        super().__init__()
        self.flatten = Flatten()
        self.linear_relu_stack = Sequential(
            Linear(math.prod(shape), 512),
            ReLU(),
            Linear(512, 512),
            ReLU(),
            Linear(512, classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.linear_relu_stack(self.flatten(x))


def build_model(file: Path | None, shape: tuple[int, ...], classes: int) -> Module:
    """The model that the file defines; without a file the tutorial's."""
    if file is None:
        return NeuralNetwork(shape, classes)
    names: dict[str, Any] = {"__name__": "model", "__file__": str(file)}
    compat.install()
    try:
        exec(compile(file.read_bytes(), str(file), "exec"), names)
        return _find_model(file, names)
    except (click.ClickException, KeyboardInterrupt):
        raise
    except Exception as error:
        where = f"line {_last_line(error, file)}: {type(error).__name__}"
        raise click.ClickException(f"{file}, {where}: {error}") from error
    finally:
        compat.uninstall()


def _find_model(file: Path, names: dict[str, Any]) -> Module:
    """`model` if there is one, else an instance of the last Module class of the file."""
    model = names.get("model")
    if isinstance(model, Module):
        return model
    own = [v for v in names.values() if _is_model_class(v)]
    if isinstance(model, type) and issubclass(model, Module):
        own = [model]
    if not own:
        raise click.ClickException(f"{file} defines neither `model` nor a class of nn.Module")
    return own[-1]()


def _is_model_class(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, Module) and value.__module__ == "model"


def _last_line(error: BaseException, file: Path) -> int | str:
    """The line of the file that the error comes from."""
    if isinstance(error, SyntaxError):
        return error.lineno or "?"
    line: int | str = "?"
    step = error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == str(file):
            line = step.tb_lineno
        step = step.tb_next
    return line
