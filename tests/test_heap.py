"""Freed memory is kept for the next tensor."""

import subprocess
import sys

import pytest

FAULTS = """
import resource
import penlight as torch

def fill():
    torch.ones(1_000_000) + torch.ones(1_000_000)

fill(), fill()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    fill()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(**environment):
    run = subprocess.run(
        [sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True, env=environment
    )
    return int(run.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="asks glibc's malloc")
def test_the_pages_of_a_freed_tensor_serve_the_next():
    assert faults() < 100  # 20 * 3 tensors of 977 pages each


@pytest.mark.skipif(sys.platform != "linux", reason="asks glibc's malloc")
def test_the_user_may_choose_otherwise():
    assert faults(MALLOC_TRIM_THRESHOLD_="0", MALLOC_MMAP_THRESHOLD_="65536") > 10_000
