"""Which code is the user's: not penlight's own, not the standard library's, not NumPy's."""

from __future__ import annotations

import functools
import os
import sys
import sysconfig
from types import FrameType

import numpy as np

_HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_STANDARD = os.path.abspath(sysconfig.get_paths()["stdlib"]) + os.sep
_PACKAGES = tuple(
    os.path.abspath(sysconfig.get_paths()[kind]) + os.sep for kind in ("purelib", "platlib")
)
_TOOLS = ("llvmlite", "ml_dtypes")  # what penlight itself is made with
_NUMPY = os.path.dirname(os.path.abspath(np.__file__)) + os.sep


@functools.cache
def is_users(filename: str) -> bool:
    """Whether code of this file was written by the user (or a package that is no tool of ours)."""
    return place(filename) == "user"


@functools.cache
def place(filename: str) -> str:
    """Whose a file is: "penlight", "numpy", "standard" or "user"."""
    path = os.path.abspath(filename)
    if path.startswith(_HOME):
        return "penlight"
    if path.startswith(_NUMPY):
        return "numpy"
    if path.startswith(_PACKAGES) and any(f"{os.sep}{tool}{os.sep}" in path for tool in _TOOLS):
        return "penlight"
    if filename.startswith("<frozen"):
        return "standard"
    if path.startswith(_STANDARD) and not path.startswith(_PACKAGES):
        return "standard"
    return "user"


def runs_users(frame: FrameType) -> bool:
    """Whether a frame runs the user's code; code without a file belongs to its module."""
    name = frame.f_code.co_filename
    if name == "<string>":
        return not str(frame.f_globals.get("__name__")).startswith("penlight.")
    return is_users(name)


def calling_line() -> tuple[str, int]:
    """File and line of the user's code that is running."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and not runs_users(frame):
        frame = frame.f_back
    if frame is None:
        return "<unknown>", 0
    return frame.f_code.co_filename, frame.f_lineno
