"""The tutorial's notebooks, executed from the first cell to the last."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import penlight
from penlight import nn

NOTEBOOKS = sorted(Path(__file__).parent.with_name("notebooks").glob("*.ipynb"))
SAME = {"en": "the copy gives the same answers: True", "zh": "副本给出同样的答案： True"}


def test_both_languages_are_there():
    assert [path.name for path in NOTEBOOKS] == ["tutorial.en.ipynb", "tutorial.zh.ipynb"]
    codes = [
        len([cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"])
        for path in NOTEBOOKS
    ]
    assert codes[0] == codes[1] > 8


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of jupyter_client
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_executed(path):
    book = nbformat.read(path, as_version=4)
    assert all(not cell.get("outputs") for cell in book.cells), "commit notebooks without outputs"
    NotebookClient(book, timeout=120, kernel_name="python3").execute()
    outputs = [output for cell in book.cells for output in cell.get("outputs", [])]
    printed = "".join(output["text"] for output in outputs if output.get("name") == "stdout")
    shown = [output["data"] for output in outputs if output["output_type"] == "execute_result"]
    final = re.search(r"(\d+\.\d) %\n$", printed)
    assert SAME[path.stem.split(".")[1]] in printed
    assert final and float(final[1]) > 90
    pages = [data["text/html"] for data in shown if "text/html" in data]
    assert sum("<table" in page for page in pages) >= 4
    assert any("<summary><code>NeuralNetwork(" in page for page in pages)
    assert any("image/png" in data for data in shown)


def test_tensor_html():
    page = penlight.tensor([[1.5, -2.0, float("nan")]])._repr_html_()
    assert "tensor of shape (1, 3), float32" in page
    assert re.findall(r">([^<>]+)</td>", page) == ["1.5", "-2", "nan"]
    long = penlight.arange(100)._repr_html_()
    cells = re.findall(r">([^<>]+)</td>", long)
    assert cells == ["0", "1", "2", "3", "4", "…", "95", "96", "97", "98", "99"]
    assert "requires grad" in penlight.ones(1, requires_grad=True)._repr_html_()
    for other in (penlight.tensor(3), penlight.zeros(2, 0), penlight.zeros(2, 2, 2)):
        assert f"<pre>{other!r}</pre>" in other._repr_html_()
    assert ">True</td>" in penlight.tensor([True])._repr_html_()
    assert ">1.5</td>" in penlight.tensor([1.5], dtype=penlight.bfloat16)._repr_html_()


def test_module_html():
    page = nn.Sequential(nn.Linear(2, 3), nn.Dropout(), nn.LazyLinear(4))._repr_html_()
    assert page.startswith("<details open><summary><code>Sequential()</code>")
    assert "<b>0</b> <code>Linear(in_features=2, out_features=3, bias=True)</code>" in page
    assert page.count("<small>9 parameters</small>") == 2
    assert "<code>LazyLinear(in_features=0, out_features=4, bias=True)</code></div>" in page
