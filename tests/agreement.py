"""Evaluate one line of Python with PyTorch and with penlight: same text, or same error."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import torch

import penlight


def outcome(library: Any, line: str) -> tuple[str, str]:
    """("text", repr) or (error class, message) of `line`, in which T is the library.

    Also known: v, m, x tensors of one, two, three axes; s of none; e of no elements.
    """
    T = library
    names = {
        "T": T, "np": np, "math": math, "s": T.tensor(1.0), "v": T.arange(6.0), "m": T.ones(3, 3),
        "x": T.arange(24.0).reshape(2, 3, 4), "e": T.zeros(0, 3),
    }  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return "text", repr(eval(line, names)).replace("penlight.", "torch.")
        except Exception as error:
            return type(error).__name__, str(error)


def check(line: str, message: bool = True) -> None:
    """Asserts that both libraries agree on `line`; penlight's message may say more."""
    kind, want = outcome(torch, line)
    got_kind, got = outcome(penlight, line)
    assert got_kind == kind, f"{line}: {got_kind} {got!r} instead of {kind} {want!r}"
    if kind == "text":
        assert got == want
    elif message:
        assert want.strip() in got
