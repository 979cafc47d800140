"""`penlight run`: a program or a notebook written for PyTorch, as Python itself would run it."""

from __future__ import annotations

import ast
import builtins
import json
import linecache
import os
import re
import sys
import traceback
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, TracebackType

import click

from .. import compat
from . import spawned

MAGIC = re.compile(r"^(\s*)([%!].*)$", re.MULTILINE)
# cell magics whose body is Python all the same
TRANSPARENT = ("%%time", "%%timeit", "%%capture", "%%prun")


def run_program(program: Path, args: list[str]) -> int:
    """Run the file as __main__; the exit code is what Python's would be."""
    cells = list(read_cells(program)) if program.suffix == ".ipynb" else None
    main = ModuleType("__main__")
    vars(main).update(__file__=str(program), __builtins__=builtins)
    if cells is None:
        main.__spec__ = find_spec(spawned.__name__)
        os.environ[spawned.PROGRAM] = str(program.resolve())
    else:
        vars(main)["display"] = print
    sys.modules["__main__"] = main
    sys.argv = [str(program), *args]
    sys.path.insert(0, str(program.resolve().parent))
    compat.install()
    try:
        if cells is None:
            exec(compile(program.read_bytes(), str(program), "exec"), vars(main))
        else:
            for name, source in cells:
                _run_cell(name, source, main)
    except SystemExit:
        raise
    except BaseException as error:
        _report(error.with_traceback(_from_program(error.__traceback__)))
        return 130 if isinstance(error, KeyboardInterrupt) else 1
    return 0


def _report(error: BaseException) -> None:
    """What Python prints for an error that nobody caught, or what the program wants instead."""
    sys.stdout.flush()
    if sys.excepthook is sys.__excepthook__:
        traceback.print_exception(error)  # unlike Python's hook it knows the lines of cells
    else:
        sys.excepthook(type(error), error, error.__traceback__)


def _from_program(step: TracebackType | None) -> TracebackType | None:
    """The traceback without the frames of this page and of the import of torch's names."""
    while step is not None and _file(step) == __file__:
        step = step.tb_next
    last = step
    while last is not None:
        if last.tb_next is not None and _file(last.tb_next) == compat.alias.__file__:
            last.tb_next = None
        last = last.tb_next
    return step


def _file(step: TracebackType) -> str:
    return step.tb_frame.f_code.co_filename


def read_cells(notebook: Path) -> Iterator[tuple[str, str]]:
    """(name, source) of each code cell, named as tracebacks shall call it."""
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        codes = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError) as error:
        raise click.ClickException(f"{notebook} is no notebook (nbformat 4): {error}") from error
    for number, code in enumerate(codes, 1):
        yield f"{notebook}, cell {number}", code


def _run_cell(name: str, source: str, main: ModuleType) -> None:
    """Run a cell; the value of a last line that is an expression is shown."""
    tree = _parse_cell(name, source)
    last = []
    if tree.body and isinstance(tree.body[-1], ast.Expr) and not source.rstrip().endswith(";"):
        last = [tree.body.pop()]
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    exec(compile(tree, name, "exec"), vars(main))
    exec(compile(ast.Interactive(last), name, "single"), vars(main))


def _parse_cell(name: str, source: str) -> ast.Module:
    """The cell's syntax tree; lines that only IPython understands are left out and named."""
    first = source.lstrip().partition("\n")[0]
    if first.startswith("%%") and not first.startswith(TRANSPARENT):
        _left_out(name, first)
        return ast.parse("")
    try:
        return ast.parse(source, name)
    except SyntaxError:
        plain, count = MAGIC.subn(r"\1pass", source)
        if not count:
            raise
        for match in MAGIC.finditer(source):
            _left_out(name, match[2])
        return ast.parse(plain, name)


def _left_out(name: str, line: str) -> None:
    click.echo(f"{name}: left out, as it is IPython's: {line}", err=True)
