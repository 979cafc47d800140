"""The penlight command: training that can be resumed, prediction, programs, and bad input."""

from __future__ import annotations

import json
import re
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import penlight
from penlight.cli import data as cli_data
from penlight.cli import main, picture
from penlight.cli.training import CHECKPOINT, Trainer
from penlight.vision.datasets import Digits
from test_compat import penlight_run, python


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def command(monkeypatch, capsys):
    """Run `penlight ...` here; gives its exit code, output and error output."""

    def call(*arguments: str):
        monkeypatch.setattr(sys, "argv", ["penlight", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as leaving:
            main()
        out, err = capsys.readouterr()
        return leaving.value.code, out, err

    return call


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run folder of a few epochs, and what training it printed."""
    place = tmp_path_factory.mktemp("trained")
    code = "from penlight.cli import main; main()"
    done = python("train", "--epochs", "2", "--no-augment", "--out", "run", code=code, cwd=place)
    assert done.returncode == 0, done.stderr
    return place / "run", done.stdout


class TestTrain:
    def test_defaults_reach_the_bar(self, command):
        code, out, _ = command("train")
        assert code == 0
        accuracy = re.fullmatch(r"test accuracy (\d+\.\d) %", out.splitlines()[-1])
        assert accuracy and float(accuracy[1]) >= 97.0

    def test_tells_what_it_does(self, trained):
        _, out = trained
        assert re.match(r"device: cpu, 1 thread\ndata: digits, 1442 images to train", out)
        assert "(0): Linear(in_features=784, out_features=512, bias=True)" in out
        assert "\n669,706 parameters\nAdam, lr 0.002, batch 64, 2 epochs, seed 0\n" in out
        epochs = re.findall(r"epoch +(\d)/2  loss \d\.\d{4}  accuracy +[\d.]+ %  test", out)
        assert epochs == ["1", "2"]
        assert len(re.findall(r"^\d +3[456] +[\d.]+ %  █", out, re.MULTILINE)) == 10
        assert "▄" in out and "✓" in out
        assert re.search(r"\nrun folder: run \(.*\)\ntest accuracy \d+\.\d %\n$", out)

    def test_run_folder(self, trained):
        run, out = trained
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        assert [line["epoch"] for line in lines] == [1, 2]
        assert lines[1]["loss"] < lines[0]["loss"]
        assert f"test accuracy {100 * lines[1]['test_accuracy']:.1f} %" in out
        state = penlight.load(run / CHECKPOINT)
        assert list(state["model"]) == [
            f"linear_relu_stack.{i}.{kind}" for i in (0, 2, 4) for kind in ("weight", "bias")
        ]

    def test_report_needs_no_other_file(self, trained):
        page = (trained[0] / "report.html").read_text(encoding="utf-8")
        assert page.count("<svg") == 2 and page.count("<polyline") == 4
        shown = page.count('<img src="data:image/png;base64,')
        assert shown == page.count("<img") > 0
        wrong = re.search(r"<p>(\d+) of 355", page)
        assert wrong and shown == min(int(wrong[1]), 60)
        assert not re.search(r"https?:|<script|<link", page)

    def test_interrupted_run_continues_bit_for_bit(self, command, monkeypatch):
        options = ("train", "--epochs", "2", "--batch", "128", "--optimizer", "sgd")
        assert command(*options, "--out", "whole")[0] == 0
        batches, train_batch = [], Trainer._train_batch

        def interrupted(self, *batch):
            train_batch(self, *batch)
            batches.append(1)
            if len(batches) == 17:  # in the middle of the second epoch
                signal.raise_signal(signal.SIGINT)

        monkeypatch.setattr(Trainer, "_train_batch", interrupted)
        code, out, _ = command(*options, "--out", "parts")
        assert code == 130
        assert out.splitlines()[-1] == "go on with: penlight train --resume parts"
        penlight.manual_seed(99)
        code, out, _ = command("train", "--resume", "parts")
        assert code == 0 and "going on in epoch 2 after 5 batches" in out
        whole, parts = (penlight.load(Path(name, CHECKPOINT)) for name in ("whole", "parts"))
        for state in (whole, parts):
            state.pop("seconds")
            for line in state["history"]:
                line.pop("seconds")
        assert_same(parts, whole)

    def test_resuming_a_finished_run_changes_nothing(self, trained, command):
        run, out = trained
        before = (run / CHECKPOINT).read_bytes()
        code, again, _ = command("train", "--resume", run)
        assert code == 0 and again.splitlines()[-1] == out.splitlines()[-1]
        assert (run / CHECKPOINT).read_bytes() == before

    def test_model_file(self, folder):
        (folder / "net.py").write_text(
            "import torch\nfrom torch import nn\n\n\nclass Net(nn.Sequential):\n"
            "    def __init__(self):\n"
            "        super().__init__(nn.Conv2d(1, 4, 5, 2), nn.ReLU(), nn.Flatten(),"
            " nn.LazyLinear(10))\n"
        )
        text = (folder / "net.py").read_text().replace("LazyLinear(10)", "Linear(576, 10)")
        (folder / "net.py").write_text(text)
        code = "from penlight.cli import main; main()"
        done = python(
            "train", "--model", "net.py", "--epochs", "1", "--no-augment", code=code, cwd=folder
        )
        assert done.returncode == 0, done.stderr
        assert "Net(\n  (0): Conv2d(1, 4, kernel_size=(5, 5), stride=(2, 2))" in done.stdout
        assert (folder / "runs" / "digits-1" / "model.py").read_text() == text
        Digits(train=False)[0][0].save(folder / "a.png")
        done = python("predict", "a.png", code=code, cwd=folder)
        assert done.returncode == 0, done.stderr
        assert "network of runs/digits-1" in done.stdout

    def test_folder_of_images(self, command, folder):
        for part, count in (("train", 6), ("test", 2)):
            for name, shade in (("dark", 20), ("light", 230)):
                (folder / "shades" / part / name).mkdir(parents=True)
                for i in range(count):
                    image = Image.new("RGB", (12, 9), (shade, shade + i, shade))
                    image.save(folder / "shades" / part / name / f"{i}.png")
        code, out, _ = command("train", "--data", "shades", "--epochs", "9", "--batch", "4")
        assert code == 0 and out.endswith("test accuracy 100.0 %\n")
        code, out, _ = command("predict", "shades/test/light/0.png")
        assert code == 0 and re.search(r"light +█", out)

    def test_fake_data_and_diverging_loss(self, command):
        code, _, err = command("train", "--data", "fake", "--optimizer", "SGD", "--lr", "1e30")
        assert code == 2 and re.match(r"penlight: the loss became (nan|inf) in epoch 1: try", err)


def assert_same(mine, theirs):
    assert type(mine) is type(theirs)
    if isinstance(mine, dict):
        assert mine.keys() == theirs.keys()
        for key in mine:
            assert_same(mine[key], theirs[key])
    elif isinstance(mine, list):
        assert len(mine) == len(theirs)
        for a, b in zip(mine, theirs, strict=True):
            assert_same(a, b)
    elif isinstance(mine, penlight.Tensor):
        assert mine.numpy().tobytes() == theirs.numpy().tobytes()
    else:
        assert mine == theirs


class TestPredict:
    def test_an_image_of_the_data_set(self, trained, command):
        image, target = Digits(train=False)[3]
        image.save("three.png")
        code, out, _ = command("predict", "three.png", "--run", trained[0])
        assert code == 0
        assert re.search(rf"{target} █+\S* +\d+\.\d %", out)
        assert "inverted" not in out and len(re.findall(r" %$", out, re.MULTILINE)) == 5

    def test_ink_on_paper_of_another_size(self, trained, command):
        image, target = Digits(train=False)[10]
        paper = Image.new("L", (200, 300), 250)
        ink = image.crop((4, 4, 24, 24)).resize((100, 100)).point(lambda v: 250 - v)
        paper.paste(ink, (70, 150))
        paper.convert("RGBA").save("paper.png")
        code, out, _ = command("predict", "paper.png", "--run", trained[0])
        assert code == 0 and "paper.png (dark on bright: inverted)" in out
        best = re.search(r"(\d) [█▏▎▍▌▋▊▉]+", out)
        assert best and int(best[1]) == target

    def test_takes_the_latest_run(self, trained, command):
        Path("runs").mkdir()
        Path("runs", "mine").symlink_to(trained[0])
        Image.new("1", (28, 28)).save("blank.png")
        code, out, _ = command("predict", "blank.png", "blank.png")
        assert code == 0 and "network of runs/mine, trained on digits" in out
        assert out.count("blank.png") == 2


BAD = {
    "unknown optimizer": (["train", "--optimizer", "x"], "no optimizer 'x'; there are .*Adam,"),
    "optimizer with a closure": (["train", "--optimizer", "lbfgs"], "no optimizer 'lbfgs'"),
    "unknown data set": (["train", "--data", "x"], "no data set and no folder 'x'; data sets: dig"),
    "no epochs": (["train", "--epochs", "0"], "'--epochs': 0 is not in the range x>=1"),
    "bad rate": (["train", "--lr", "-1"], "'--lr': -1.0 is not in the range x>0"),
    "unknown option": (["train", "--epoch", "3"], "No such option.*--epoch"),
    "no model file": (["train", "--model", "x.py"], "File 'x.py' does not exist"),
    "no run to resume": (["train", "--resume", "x"], f"x is no run folder: it has no {CHECKPOINT}"),
    "resume with options": (["train", "--resume", "x", "--lr", "1"], "leave out --lr"),
    "damaged checkpoint": (["train", "--resume", "broken"], f"broken/{CHECKPOINT} cannot be read"),
    "foreign checkpoint": (["train", "--resume", "foreign"], "is not a run's checkpoint"),
    "run folder in use": (["train", "--out", "foreign"], "holds a run already: go on with --resu"),
    "no image": (["predict", "x.png"], "no file x.png"),
    "damaged image": (["predict", "cut.png", "--run", "x"], "cut.png is no image or is damaged"),
    "text as image": (["predict", "text.png"], "text.png is no image or is damaged"),
    "no place for the run": (["train", "--out", "text.png/run"], "Not a directory: 'text.png"),
    "no trained network": (["predict", "good.png"], "no trained network in runs/"),
    "no images": (["predict"], "Missing argument 'IMAGES...'"),
    "no program": (["run", "x.py"], "File 'x.py' does not exist"),
    "no notebook": (["run", "text.ipynb"], "text.ipynb is no notebook"),
    "unknown command": (["walk"], "No such command 'walk'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_line_and_exit_code_2(case, command):
    Path("broken").mkdir()
    Path("broken", CHECKPOINT).write_bytes(b"PK\3\4 and no more")
    Path("foreign").mkdir()
    penlight.save({"epoch": 3}, Path("foreign", CHECKPOINT))
    Digits()[0][0].resize((90, 90)).save("good.png")
    Path("cut.png").write_bytes(Path("good.png").read_bytes()[:200])
    for name in ("text.png", "text.ipynb"):
        Path(name).write_text("nothing of the kind")
    before = sorted(str(path) for path in Path(".").rglob("*"))
    arguments, text = BAD[case]
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert re.match(f"penlight: .*{text}", err), err
    assert err.count("\n") == 1 and "Traceback" not in err
    assert sorted(str(path) for path in Path(".").rglob("*")) == before


def test_broken_model_files_are_named(folder):
    programs = {
        "raises.py": (
            "x = 1\nraise ValueError('no such luck')",
            "line 2: ValueError: no such luck",
        ),
        "syntax.py": ("x = 1\ny = (", "line 2: SyntaxError"),
        "empty.py": ("x = 1", "defines neither `model` nor a class of nn.Module"),
        "small.py": (
            "from torch import nn\nmodel = nn.Sequential(nn.Flatten(), nn.Linear(784, 9))",
            "the model gives (64, 9), wanted (64, 10)",
        ),
    }
    for name, (program, _) in programs.items():
        (folder / name).write_text(program)
    code = """
    import sys
    from penlight.cli import main
    for name in sys.argv[1:]:
        sys.argv = ["penlight", "train", "--model", name]
        try:
            main()
        except SystemExit as leaving:
            print("code", leaving.code)
    """
    done = python(*programs, code=code, cwd=folder)
    assert done.stdout.count("code 2\n") == done.stdout.count("code") == len(programs)
    lines = done.stderr.splitlines()
    for line, (name, (_, text)) in zip(lines, programs.items(), strict=True):
        assert line.startswith("penlight: ") and text in line, (name, line)


class TestRun:
    def test_as_python_runs_it(self, folder):
        (folder / "helper.py").write_text("import torch\nvalue = torch.ones(2)\n")
        (folder / "program.py").write_text(
            "import sys\nimport torch\nfrom helper import value\n\n\n"
            "class Point:\n    pass\n\n\nif __name__ == '__main__':\n"
            "    print(sys.argv, __file__, (value * 2).tolist(), Point.__module__)\n"
            "    print(sys.modules['__main__'].Point is Point)\n    sys.exit(5)\n"
        )
        done = penlight_run("program.py", "a", "--lr", "3", "-h", cwd=folder)
        assert done.stderr == ""
        assert done.stdout.splitlines() == [
            "['program.py', 'a', '--lr', '3', '-h'] program.py [2.0, 2.0] __main__",
            "True",
        ]
        assert done.returncode == 5

    @pytest.mark.parametrize("how", ["fork", "spawn"])
    def test_worker_processes_find_penlight_too(self, folder, how):
        (folder / "program.py").write_text(
            "import torch\nfrom torch.utils.data import DataLoader, Dataset\n\n\n"
            "class Doubles(Dataset):\n    def __len__(self):\n        return 4\n\n"
            "    def __getitem__(self, i):\n        return torch.tensor(2 * i)\n\n\n"
            "if __name__ == '__main__':\n"
            f"    loader = DataLoader(Doubles(), 2, num_workers=1, "
            f"multiprocessing_context={how!r})\n"
            "    print([batch.tolist() for batch in loader])\n"
        )
        done = penlight_run("program.py", cwd=folder)
        assert (done.stdout, done.stderr) == ("[[0, 2], [4, 6]]\n", "")

    def test_tracebacks_are_those_of_python(self, folder):
        (folder / "program.py").write_text("def f():\n    return 1 / 0\n\n\nf()\n")
        mine, pythons = penlight_run("program.py", cwd=folder), python("program.py", cwd=folder)
        assert mine.returncode == pythons.returncode == 1
        expected = pythons.stderr.replace(str(folder / "program.py"), "program.py")
        assert mine.stderr == expected
        (folder / "program.py").write_text("from torch import no_such_thing\n")
        done = penlight_run("program.py", cwd=folder)
        assert done.stderr.splitlines() == [
            "Traceback (most recent call last):",
            '  File "program.py", line 1, in <module>',
            "    from torch import no_such_thing",
            "ImportError: cannot import 'no_such_thing' from 'torch': "
            "penlight lacks torch.no_such_thing",
        ]
        (folder / "program.py").write_text("x = (\n")
        done = penlight_run("program.py", cwd=folder)
        assert done.returncode == 1 and done.stderr.startswith('  File "program.py", line 1\n')

    def test_notebook_cells(self, folder):
        def cell(*lines):
            return {"cell_type": "code", "source": [f"{line}\n" for line in lines]}

        cells = [
            cell("import torch", "x = torch.arange(3)", "x"),
            {"cell_type": "markdown", "source": ["words"]},
            cell("%time y = 2", "x + 1;"),
            cell("%%bash", "exit 3"),
            cell("!ls", "", "display(x)", "None"),
            cell("def f():", "    raise KeyError('k')", "f()"),
        ]
        book = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}
        (folder / "book.ipynb").write_text(json.dumps(book))
        done = penlight_run("book.ipynb", cwd=folder)
        assert done.returncode == 1
        assert done.stdout == "tensor([0, 1, 2])\ntensor([0, 1, 2])\n"
        assert re.findall(r"cell (\d): left out, as it is IPython's: (.*)", done.stderr) == [
            ("2", "%time y = 2"),
            ("3", "%%bash"),
            ("4", "!ls"),
        ]
        assert done.stderr.endswith(
            '  File "book.ipynb, cell 5", line 3, in <module>\n    f()\n'
            "  File \"book.ipynb, cell 5\", line 2, in f\n    raise KeyError('k')\nKeyError: 'k'\n"
        )


def test_info(command):
    code, out, _ = command("info")
    assert code == 0
    names = [line.split()[0] for line in out.splitlines()]
    assert names[:3] == ["penlight", "python", "processor"]
    assert re.search(r"^simd +(128|256|512) bits", out, re.MULTILINE)
    assert re.search(r"^threads +\d+$", out, re.MULTILINE)
    assert f"numpy {np.__version__}" in out
    assert re.search(r"^cache +\S+penlight \(\d+\.\d MiB\)$", out, re.MULTILINE)
    assert python("-m", "penlight.cli", "--version").stdout.startswith("penlight, version ")


def test_help_is_given_without_a_command(command):
    code, out, _ = command()
    assert code == 2 and "Usage:" in out and "train" in out
    code, out, _ = command("train", "--help")
    assert code == 0 and "--resume" in out


class TestPicture:
    def test_halves(self):
        pixels = np.array([[0, 255, 0, 255], [0, 0, 255, 255]], np.uint8)
        assert picture.draw(Image.fromarray(pixels), width=4) == [" ▀▄█"]

    def test_shades(self):
        pixels = np.array([[0, 255], [255, 0]], np.uint8)
        (line,) = picture.draw(Image.fromarray(pixels), width=2, colour=True)
        assert line == "\x1b[38;5;232;48;5;255m▀\x1b[38;5;255;48;5;232m▀\x1b[0m"

    @pytest.mark.parametrize(
        ("share", "text"), [(0, "    "), (1, "████"), (0.25, "█   "), (0.28, "█▏  "), (7, "████")]
    )
    def test_bar(self, share, text):
        assert picture.bar(share, 4) == text

    def test_fit(self):
        shape = (1, 28, 28)
        digit = Digits()[0][0]
        assert cli_data.fit(digit, shape) == (digit, False)
        fitted, inverted = cli_data.fit(Image.new("RGB", (50, 40), "white"), shape)
        assert fitted.size == (28, 28) and inverted and fitted.getextrema() == (0, 0)
        colour, _ = cli_data.fit(Image.new("L", (50, 40), 9), (3, 32, 32))
        assert colour.mode == "RGB" and colour.size == (32, 32)
