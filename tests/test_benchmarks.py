"""Benchmarks: every workload runs, flops are counted right, tables say what was measured."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from benchmarks import rounds, tables, worker
from benchmarks.__main__ import remarks
from benchmarks.flops import flops_of
from benchmarks.steps import step_of
from benchmarks.workloads import WORKLOADS, Training

import penlight
import penlight.nn
import penlight.optim
import penlight.utils.data


@pytest.mark.parametrize("name", WORKLOADS)
def test_every_workload_runs_a_step(name):
    penlight.manual_seed(0)
    task = WORKLOADS[name].make(penlight)
    before = [p.detach().clone() for p in task.model.parameters()] if hasattr(task, "model") else []
    step_of(task, penlight, "eager")()
    if isinstance(task, Training):
        after = list(task.model.parameters())
        assert all(not penlight.equal(a, b) for a, b in zip(before, after))


WEIGHTS = 784 * 512 + 512 * 512 + 512 * 10


@pytest.mark.parametrize(
    ("name", "flops"),
    [
        ("tutorial inference, batch 64", 2 * 64 * WEIGHTS),
        # a product forward, one for the weight; one for the input but in the first layer
        ("tutorial step, batch 64", 2 * 64 * (3 * WEIGHTS - 784 * 512)),
        ("MNIST CNN inference, batch 1",
         2 * (26 * 26 * 32 * 9 + 24 * 24 * 64 * 32 * 9 + 9216 * 128 + 128 * 10)),
        ("LSTM step, 32×50",
         2 * (32 * 50 * 512 * (2 * 64 + 3 * 128) + 3 * 32 * 128 * 10)),
        # 4 blocks: qkv, merge, two of the MLP, attention over 64·65/2 pairs; then the head
        ("GPT forward, batch 1",
         2 * (4 * (64 * 128 * 128 * 12 + 2 * 64 * 65 // 2 * 128) + 64 * 128 * 65)),
        ("product 512×512×512, 2 threads", 2 * 512**3),
    ],
)  # fmt: skip
def test_flops(name, flops):
    task = WORKLOADS[name].make(penlight)
    assert flops_of(task, penlight) == flops
    assert flops_of(task, penlight) == flops  # no hook was left behind


def test_warm_up_and_full_speed():
    steps = worker.warm_up(lambda: None, 0.001)
    assert len(steps) >= 3
    assert steps == sorted(steps, key=lambda s: s[0])
    assert steps[-1][0] >= steps[0][0] + 0.001
    assert worker.time_to_full_speed([(5.0, 5.0), (7.0, 2.0), (8.1, 1.1), (9.1, 1.0)], 1.0) == 8.1
    assert worker.time_to_full_speed([(5.0, 5.0)], 1.0) is None


def test_a_worker_measures_and_says_why_not():
    worker = rounds.Worker(WORKLOADS["8 elements"], rounds.Column("penlight", "eager"), 1, None)
    times = [worker.ask("time")["seconds"]]
    figures = rounds._figures(worker, times)
    worker.end()
    assert 0 < figures["seconds"] < figures["first"]
    assert figures["memory"] > 10e6
    worker = rounds.Worker(WORKLOADS["8 elements"], rounds.Column("jax", "compiled"), 0, None)
    assert "translated" in worker.ask("time")["error"]
    worker.end()


def test_no_compiler_is_a_reason(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setenv("PATH", "")
    task = WORKLOADS["tutorial inference, batch 1"].make(torch)
    with pytest.raises(Exception, match=r"needs a C\+\+ compiler"):
        step_of(task, torch, "compiled")


def test_penlight_compiles_the_whole_step_and_torch_the_model(monkeypatch):
    given = []
    monkeypatch.setattr(penlight, "compile", lambda f: given.append(f) or f, raising=False)
    task = WORKLOADS["tutorial step, batch 1"].make(penlight)
    step = step_of(task, penlight, "compiled")
    assert given == [step]
    task = WORKLOADS["tutorial inference, batch 1"].make(penlight)
    step_of(task, penlight, "compiled")()
    assert given[1:] == [task.model]

    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch, "compile", lambda f: given.append(f) or f)
    task = WORKLOADS["tutorial step, batch 1"].make(torch)
    step_of(task, torch, "compiled")()
    assert given[2:] == [task.model]


def test_remarks_name_what_failed_and_what_was_disturbed():
    row = {"columns": {
        "penlight eager": {"rounds": [1e-3, 1.2e-3]},
        "PyTorch eager": {"rounds": [1e-3, 1.6e-3]},
        "PyTorch compiled": {"error": "no compiler here"},
    }}  # fmt: skip
    assert list(remarks(row)) == [
        "PyTorch eager: rounds from 1.00 ms to 1.60 ms", "PyTorch compiled: no compiler here",
    ]  # fmt: skip


def test_peers_are_optional(monkeypatch):
    monkeypatch.setattr(rounds.importlib.util, "find_spec", lambda name: name == "penlight" or None)
    found = rounds.columns(list(rounds.LIBRARIES), ["eager", "compiled"])
    assert [column.title for column in found] == ["penlight eager", "penlight compiled"]


# ------------------------------------------------------------ tables, on made-up figures

RESULTS = {
    "tutorial step, batch 64": {
        "flops": 2e8, "peak": 2e11,
        "columns": {
            "penlight eager": {"seconds": 2e-3, "first": 3e-3, "full_speed": 4e-3, "memory": 60e6},
            "penlight compiled": {
                "seconds": 1.25e-3, "first": 0.25, "full_speed": 1.2, "memory": 90e6,
                "warm": {"seconds": 1.25e-3, "first": 0.05, "full_speed": 0.06, "memory": 80e6},
            },
            "PyTorch eager": {"seconds": 2.5e-3, "first": 6e-3, "full_speed": 9e-3, "memory": 3e8},
            "PyTorch compiled": {"error": "no compiler here"},
        },
    },
    "tutorial step, batch 1": {
        "flops": 3.2e6, "peak": None,
        "columns": {"penlight eager": {"seconds": 5e-4}, "PyTorch eager": {"seconds": 4e-4}},
    },
    "product 512×512×512, 2 threads": {
        "flops": 2 * 512**3, "peak": 2e11,
        "columns": {"penlight eager": {"seconds": 1.5e-3, "memory": 5e7},
                    "PyTorch eager": {"error": "broken"}},
    },
}  # fmt: skip


def cells(table):
    return [[c.strip() for c in line.strip("|").split("|")] for line in table.splitlines()]


def test_speed_table():
    table = tables.speed_table(RESULTS, "en")
    _, _, first, second, mean, *_ = cells(table)
    assert first == ["tutorial step, batch 64", "2.00 ms", "1.25 ms", "2.50 ms", "–",
                     "1.25", "2.00", "–", "80 %"]  # fmt: skip
    assert second == ["tutorial step, batch 1", "500 µs", "–", "400 µs", "–", "0.80", "–", "–", "–"]
    assert mean == ["geometric mean", "", "", "", "", "1.00", "2.00", "–", ""]
    assert table.endswith("Empty cells: PyTorch compiled: no compiler here.")


def test_other_tables():
    assert cells(tables.product_table(RESULTS, "zh"))[2] == [
        "乘积 512×512×512，2 线程", "179 GFLOP/s (89 %)", "– (–)", "–",
    ]  # fmt: skip
    assert cells(tables.start_table(RESULTS))[2][:5] == [
        "tutorial step, batch 64", "250 ms", "1.20 s", "50.0 ms", "60.0 ms",
    ]  # fmt: skip
    assert cells(tables.memory_table(RESULTS))[2][1:] == ["60 MB", "90 MB", "300 MB", "–"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(5.06e-5, "50.6 µs"), (9.999e-4, "1.00 ms"), (2.034e-3, "2.03 ms"), (0.1, "100 ms"),
     (12.04, "12.0 s"), (2e-7, "0.20 µs"), (None, "–")],
)  # fmt: skip
def test_durations(seconds, text):
    assert tables.duration(seconds) == text


def test_pages_are_filled_between_markers_and_nowhere_else(tmp_path, monkeypatch):
    (tmp_path / "docs").mkdir()
    for path in ("README.md", "README.zh.md", "docs/performance.md"):
        page = (tables.ROOT / path).read_text(encoding="utf-8")
        (tmp_path / path).write_text(page, encoding="utf-8")
    monkeypatch.setattr(tables, "ROOT", tmp_path)
    tables.fill_pages(RESULTS)
    once = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "  | tutorial step, batch 64 | 2.00 ms |" in once
    assert once.startswith("# penlight") and "MIT licence" in once
    assert "教程网络训练一步，批量 64" in (tmp_path / "README.zh.md").read_text(encoding="utf-8")
    tables.fill_pages(RESULTS)
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == once
    with pytest.raises(SystemExit, match="no place for a table"):
        tables.fill("an empty page", "speed", "")


def test_an_earlier_run_can_be_read(tmp_path):
    file = tmp_path / "run.json"
    file.write_text(json.dumps({"workloads": RESULTS}), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--from", str(file)],
        cwd=tables.ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert cells(done.stdout)[2][1] == "2.00 ms"
