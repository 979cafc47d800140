"""torch's names as aliases of penlight, and the tutorial run unchanged, beside PyTorch itself."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

CELLS = (
    Path(__file__).with_name("tutorial_cells.txt").read_text(encoding="utf-8").split("# %%\n")[1:]
)


def python(*arguments: str, code: str | None = None, cwd: Path | None = None):
    """A fresh interpreter with these arguments, or with this code."""
    command = [sys.executable, *(["-c", textwrap.dedent(code)] if code else []), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=cwd)


def penlight_run(*arguments: str, cwd: Path | None = None):
    code = "import sys; from penlight.cli import main; sys.argv[0] = 'penlight'; main()"
    return python("run", *arguments, code=code, cwd=cwd)


def test_names_resolve_to_penlight():
    done = python(
        code="""
        import penlight, penlight.compat
        penlight.compat.install()
        penlight.compat.install()  # twice is once
        import torch, torchvision
        import torch.nn.functional as F
        from torch import nn, Tensor
        from torch.utils.data import DataLoader, TensorDataset
        from torch.optim.lr_scheduler import StepLR
        from torchvision import datasets, transforms
        import torchvision.transforms.functional as TF

        assert Tensor is penlight.Tensor and nn.Linear is penlight.nn.Linear
        assert F.relu is penlight.nn.functional.relu and torch.nn is nn
        assert torch.nn.functional is F and torchvision.transforms is transforms
        assert DataLoader is penlight.utils.data.DataLoader
        assert StepLR is penlight.optim.lr_scheduler.StepLR
        assert datasets.MNIST is penlight.vision.datasets.MNIST
        assert TF.hflip is penlight.vision.transforms.functional.hflip
        assert torch.__version__.startswith("2.13.0"), torch.__version__
        assert torchvision.__version__.startswith("0.28.0")
        assert "Linear" in dir(nn) and "nn" in dir(torch)
        space = {}
        exec("from torch.nn import *", space)
        assert space["Linear"] is nn.Linear

        import torch.backends.cudnn as cudnn  # an object of penlight's
        cudnn.benchmark = True
        assert penlight.backends.cudnn.benchmark and not cudnn.is_available()

        assert not torch.accelerator.is_available() and torch.accelerator.device_count() == 0
        assert torch.accelerator.current_accelerator() is None

        torch.set_default_dtype(torch.float64)
        assert penlight.tensor(1.0).dtype is penlight.float64
        torch.some_hook = 3  # what a program sets is set in penlight
        assert penlight.some_hook == 3
        del torch.some_hook
        assert not hasattr(penlight, "some_hook")

        import importlib, pickle, copy
        assert penlight.nn.__spec__.name == "penlight.nn"
        layer = pickle.loads(pickle.dumps(nn.Linear(2, 2)))
        assert type(copy.deepcopy(layer)) is penlight.nn.Linear

        penlight.compat.uninstall()
        import sys
        assert "torch" not in sys.modules and "torchvision.transforms" not in sys.modules
        import importlib.util
        spec = importlib.util.find_spec("torch")
        assert spec is None or "penlight" not in spec.origin
        """
    )
    assert done.returncode == 0, done.stderr


MISSING = {
    "import torch; torch.no_such_thing": ("AttributeError", "torch.no_such_thing"),
    "import torch; torch.nn.NoSuchLayer(3)": ("AttributeError", "torch.nn.NoSuchLayer"),
    "from torch import no_such_thing": ("ImportError", "torch.no_such_thing"),
    "from torch.nn import NoSuchLayer": ("ImportError", "torch.nn.NoSuchLayer"),
    "import torch.no_such_module": ("ImportError", "torch.no_such_module"),
    "import torch.no_such.module": ("ImportError", "torch.no_such"),
    "from torch.nn.functional import no_such": ("ImportError", "torch.nn.functional.no_such"),
    "from torchvision.ops import nms": ("ImportError", "torchvision.ops"),
}


def test_missing_names_are_named(tmp_path):
    program = tmp_path / "program.py"
    tries = [
        f"try:\n    {line}\nexcept {error} as e:\n    print(type(e).__name__, e)\n"
        for line, (error, _) in MISSING.items()
    ]
    program.write_text("".join(tries))
    done = penlight_run(str(program))
    assert done.returncode == 0, done.stderr
    for said, (error, name) in zip(done.stdout.splitlines(), MISSING.values(), strict=True):
        assert said.startswith(error) and said.endswith(f"penlight lacks {name}"), said


def test_hasattr_of_missing_names_is_false():
    done = python(
        code="""
        import penlight.compat
        penlight.compat.install()
        import torch
        assert not hasattr(torch, "no_such_thing") and not hasattr(torch.nn, "NoSuchLayer")
        assert getattr(torch, "no_such_thing", 7) == 7
        """
    )
    assert done.returncode == 0, done.stderr


def test_refuses_beside_pytorch_itself():
    real = "import sys, types; sys.modules['torch'] = types.ModuleType('torch')"
    done = python(code=f"{real}; import penlight.compat; penlight.compat.install()")
    assert done.returncode == 1
    assert "RuntimeError: torch itself is already imported in this process" in done.stderr


NUMBER = re.compile(r"-?\d+\.\d*(?:e[-+]?\d+)?")


def same_but_for_rounding(mine: str, theirs: str) -> None:
    """The same text; numbers within a unit in their last place or float32's rounding near 1."""
    assert NUMBER.sub("#", mine) == NUMBER.sub("#", theirs)
    for a, b in zip(NUMBER.findall(mine), NUMBER.findall(theirs), strict=True):
        digits = len(b.partition("e")[0].partition(".")[2])
        scale = 10 ** int(b.partition("e")[2] or 0)
        assert abs(float(a) - float(b)) <= 1.01 * 10**-digits * scale + 5e-7, (a, b)


@pytest.fixture(scope="module")
def tutorial_in_torch(tmp_path_factory):
    """What the tutorial prints in PyTorch, seeded."""
    stub = (
        "import sys, types\n"
        "vision = types.ModuleType('torchvision'); vision.datasets = vision.transforms = None\n"
        "sys.modules['torchvision'] = vision\n"
        "import torch; torch.manual_seed(3)\n"
    )
    path = tmp_path_factory.mktemp("torch") / "tutorial.py"
    path.write_text(stub + "".join(CELLS), encoding="utf-8")
    done = python(str(path))
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_tutorial_runs_unchanged(tmp_path):
    program = tmp_path / "tutorial.py"
    program.write_text("".join(CELLS), encoding="utf-8")
    done = penlight_run("tutorial.py", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    out = done.stdout
    assert out.startswith(
        "计算运行设备: cpu\nNeuralNetwork(\n  (flatten): Flatten(start_dim=1, end_dim=-1)\n"
    )
    assert out.count("(2): Linear(in_features=512, out_features=512, bias=True)") == 2
    for text in ("torch.Size([3, 28, 28])", "torch.Size([3, 784])", "torch.Size([3, 20])"):
        assert text in out
    assert "Layer: linear_relu_stack.4.bias | Size: torch.Size([10]) | Values : tensor([" in out
    assert "grad_fn=<AddmmBackward0>" in out and "grad_fn=<SoftmaxBackward0>" in out
    assert "grad_fn=<SliceBackward0>" in out
    rows = re.findall(r"\[((?:0\.\d+,?\s*){10})\]", out[out.rindex("AddmmBackward0") :])
    assert len(rows) == 3
    for row in rows:
        assert sum(map(float, row.split(","))) == pytest.approx(1, abs=6e-4)


def test_tutorial_prints_what_pytorch_prints(tutorial_in_torch, tmp_path):
    program = tmp_path / "tutorial.py"
    program.write_text("import torch; torch.manual_seed(3)\n" + "".join(CELLS), encoding="utf-8")
    done = penlight_run(str(program))
    assert done.returncode == 0, done.stderr
    same_but_for_rounding(done.stdout, tutorial_in_torch)


def test_tutorial_as_a_notebook(tutorial_in_torch, tmp_path):
    cells = ["%matplotlib inline\nimport torch\ntorch.manual_seed(3);", *CELLS]
    book = {"nbformat": 4, "cells": [{"cell_type": "markdown", "source": ["# 神经网络"]}]}
    book["cells"] += [{"cell_type": "code", "source": c.splitlines(keepends=True)} for c in cells]
    path = tmp_path / "tutorial.ipynb"
    path.write_text(json.dumps(book), encoding="utf-8")
    done = penlight_run(str(path))
    assert done.returncode == 0, done.stderr
    assert "cell 1: left out, as it is IPython's: %matplotlib inline" in done.stderr
    same_but_for_rounding(done.stdout, tutorial_in_torch)
