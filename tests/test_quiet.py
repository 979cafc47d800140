"""Meanings compute without NumPy's warnings, by the short way and by NumPy's public one."""

import warnings

import numpy as np
import pytest

from penlight.ops import quiet


@pytest.mark.parametrize("public", [False, True])
def test_no_warning_and_the_users_state_stays(public, monkeypatch):
    if public:
        hush, restore = quiet._public()
        monkeypatch.setattr(quiet, "hush", hush)
        monkeypatch.setattr(quiet, "restore", restore)
    divide = quiet.quiet(lambda a, b: a / b)
    named = quiet.named("log")
    before = np.geterr()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert divide(np.float32(1), np.float32(0)) == np.inf
        assert np.isnan(named(np, np.float32(-1)))
    assert np.geterr() == before
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        np.float32(1) / np.float32(0)


def test_the_short_way_exists_in_this_numpy():
    assert quiet._state is not None
