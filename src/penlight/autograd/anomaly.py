"""Anomaly detection: every node remembers the line that made it, and gradients are searched for
NaN.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.tape import Node, modes


def watched(node: Node, grads: list) -> Any:
    """Runs a node's gradient rule; an error or a NaN in it names the forward line."""
    try:
        results = node.backward(grads)
    except Exception as error:
        raise type(error)(f"{error}{origin(node)}") from error
    if modes.check_nan:
        for index, grad in enumerate(results):
            if grad is not None and grad._array.dtype.kind in "fcV" and np.isnan(grad._array).any():
                raise RuntimeError(
                    f"Function '{node.name()}' returned nan values in its {index}th output."
                    + origin(node)
                )
    return results


def origin(node: Node) -> str:
    """Where the forward call was, for a message."""
    trace = (node.notes or {}).get("trace")
    if not trace:
        return (
            f"\nNo forward call was recorded for {node.name()}: enable anomaly detection during "
            "the forward pass as well."
        )
    return f"\nThe forward call that caused it:\n{trace}"


class detect_anomaly:
    """Inside, a backward pass that fails or yields NaN names the forward line at fault.

    >>> import penlight as torch
    >>> x = torch.tensor([0.0], requires_grad=True)
    >>> with torch.autograd.detect_anomaly():
    ...     (x.sqrt() * 0).sum().backward()
    Traceback (most recent call last):
      ...
    RuntimeError: Function 'SqrtBackward0' returned nan values in its 0th output...
    """

    def __init__(self, check_nan: bool = True):
        self.wanted = (True, check_nan)

    def __enter__(self) -> None:
        self.before = (modes.anomaly, modes.check_nan)
        modes.anomaly, modes.check_nan = self.wanted

    def __exit__(self, *exc: object) -> None:
        modes.anomaly, modes.check_nan = self.before


class set_detect_anomaly(detect_anomaly):
    """Switches anomaly detection at once; as a context manager, until its end."""

    def __init__(self, mode: bool, check_nan: bool = True):
        self.before = (modes.anomaly, modes.check_nan)
        modes.anomaly, modes.check_nan = mode, check_nan

    def __enter__(self) -> None:
        """The mode was set when the object was made."""


def is_anomaly_enabled() -> bool:
    """Whether anomaly detection is on in this thread."""
    return modes.anomaly


def is_anomaly_check_nan_enabled() -> bool:
    """Whether anomaly detection looks for NaN."""
    return modes.check_nan
