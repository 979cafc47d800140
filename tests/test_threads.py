"""The number of threads, and PyTorch's errors for wrong ones."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

import penlight
from penlight.core.threads import quotas, usable_cores


def test_set_and_get():
    before = penlight.get_num_threads()
    try:
        for count in (1, 2):
            penlight.set_num_threads(count)
            assert penlight.get_num_threads() == count
    finally:
        penlight.set_num_threads(before)


@pytest.mark.parametrize("wrong", [0, -1, 2.5, "a", True])
def test_errors(wrong):
    errors = []
    for package in (torch, penlight):
        with pytest.raises(RuntimeError) as caught:
            package.set_num_threads(wrong)
        errors.append(str(caught.value))
    assert errors[0] == errors[1]


@pytest.mark.parametrize(
    ("text", "expected"), [("3", 3), ("1", 1), ("", None), ("0", None), ("-2", None), ("x", None)]
)
def test_number_at_first(text, expected):
    done = subprocess.run(
        [sys.executable, "-c", "import penlight; print(penlight.get_num_threads())"],
        capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": text},
    )  # fmt: skip
    assert done.stdout == f"{expected or usable_cores()}\n"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, []),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, []),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"}, [1.5]),
        (
            {
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/a/b/cpu.max": "max 100000\n",
                "sys/fs/cgroup/a/cpu.max": "300000 100000\n",
            },
            [3.0],
        ),
        (
            {
                "proc/self/cgroup": "5:cpu,cpuacct:/host/path\n4:memory:/x\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "200000\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            },
            [2.0],
        ),
        (
            {
                "proc/self/cgroup": "1:cpu:/\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            [],
        ),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "nonsense"}, []),
    ],
)
def test_quotas(tmp_path, files, expected):
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert list(quotas(tmp_path)) == expected
