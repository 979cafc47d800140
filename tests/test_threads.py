"""The number of threads, and PyTorch's errors for wrong ones."""

from __future__ import annotations

import pytest
import torch

import penlight


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
