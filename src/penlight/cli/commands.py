"""The commands and their options. What a command does is imported when it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from .. import __version__

FOLDER = click.Path(path_type=Path, file_okay=False)
FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="penlight")
def penlight() -> None:
    """A pocket torch: train, use and run neural networks."""


@penlight.command()
@click.option(
    "--data",
    default="digits",
    show_default=True,
    help="digits, mnist, fashion, kmnist, emnist, cifar10, cifar100, fake, or a folder that holds "
    "train/CLASS/IMAGE and test/CLASS/IMAGE.",
)
@click.option("--root", type=FOLDER, help="Where data sets are kept and downloaded to.")
@click.option(
    "--model",
    type=FILE,
    help="Python file that defines `model` or a Module class. Default: 784-512-512-10.",
)
@click.option("--epochs", default=15, show_default=True, type=click.IntRange(1))
@click.option("--batch", default=64, show_default=True, type=click.IntRange(1), help="Batch size.")
@click.option(
    "--lr",
    default=None,
    type=click.FloatRange(0, min_open=True),
    help="Learning rate. Default: 0.002 for Adam, 0.1 for SGD, else the optimizer's own.",
)
@click.option("--optimizer", default="Adam", show_default=True, help="Any of penlight.optim.")
@click.option("--seed", default=0, show_default=True, type=int)
@click.option(
    "--threads",
    default=1,
    show_default=True,
    type=click.IntRange(1),
    help="Threads of a matrix product; more pay for large networks.",
)
@click.option(
    "--augment/--no-augment",
    default=True,
    show_default=True,
    help="Vary training images a little at random.",
)
@click.option("--out", type=FOLDER, help="Run folder. Default: runs/DATA-NUMBER.")
@click.option(
    "--resume", type=FOLDER, help="Continue the run in this folder; it keeps its options."
)
@click.pass_context
def train(ctx: click.Context, resume: Path | None, **options: Any) -> int:
    """Train a network; by default the tutorial's on Digits, about ten seconds."""
    from .train import continue_run, start_run

    if resume is None:
        return start_run(options)
    given = [n for n in options if ctx.get_parameter_source(n) is ParameterSource.COMMANDLINE]
    if given:
        raise click.UsageError(f"--resume keeps the run's options: leave out --{given[0]}")
    return continue_run(resume)


@penlight.command()
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--run", type=FOLDER, help="Run folder of `penlight train`. Default: the latest in runs/."
)
def predict(images: tuple[Path, ...], run: Path | None) -> None:
    """Say what is on each IMAGE, with a trained network."""
    from .predict import predict_images

    predict_images(images, run)


@penlight.command()
@click.option("--clear-cache", is_flag=True, help="Remove the compiled code that is kept.")
def info(clear_cache: bool) -> None:
    """Show the machine, the threads, the versions and the folders that penlight uses."""
    from .info import report

    if clear_cache:
        from ..compiler.cache import clear

        click.echo(f"removed {clear()} entries of compiled code")
        return
    for name, value in report().items():
        click.echo(f"{name:<12} {value}")


@penlight.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
)
@click.argument("program", type=FILE, metavar="FILE.py|FILE.ipynb")
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
def run(program: Path, args: tuple[str, ...]) -> int:
    """Run a program written for PyTorch: `import torch` finds penlight."""
    from .run import run_program

    return run_program(program, list(args))
