"""Tensors made beside the ops: constants, and what is computed without an op of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .tensor import Tensor, wrap
from .watch import note, note_fixed, tracers


def fixed(array: Any) -> Tensor:
    """A tensor over a new array whose values depend on no tensor's.

    >>> import numpy as np
    >>> fixed(np.zeros(2))
    tensor([0., 0.], dtype=torch.float64)
    """
    made = wrap(array)
    if tracers:
        note_fixed(made)
    return made


def checked(function: Callable, xp: Any, *args: Any) -> None:
    """`function(xp, *args)` over arrays, which raises where values do not fit, else gives ()."""
    arrays = [a._array if isinstance(a, Tensor) else a for a in args]
    function(xp, *arrays)
    if tracers:
        note(function.__name__, function, args, arrays, (), False)


def computed(function: Callable, xp: Any, *args: Any, pure: bool = True) -> Any:
    """`function(xp, *args)` over arrays, for work that is no op: tensors in, tensors out.

    A function that is not `pure` draws random numbers.

    >>> import numpy as np
    >>> computed(lambda xp, x: xp.flip(x), np, wrap(np.arange(3)))
    tensor([2, 1, 0])
    """
    arrays = [a._array if isinstance(a, Tensor) else a for a in args]
    found = function(xp, *arrays)
    results = tuple([wrap(r) for r in (found if isinstance(found, tuple) else (found,))])
    if tracers:
        note(function.__name__, function, args, arrays, results, pure)
    return results if isinstance(found, tuple) else results[0]
