"""Arguments of pooling: how many places a window has; PyTorch's errors where they do not fit."""

from __future__ import annotations

from typing import Any

from ..core.tensor import Tensor
from .arguments import ints, need_tensor
from .windows import Ints

_WORDS = {1: "one int", 2: "a tuple of two ints", 3: "a tuple of three ints"}


def per_axis(function: str, argument: str, value: Any, rank: int) -> Ints:
    """`value` as a tuple of `rank` ints; one int counts for all axes."""
    values = ints(function, argument, (value,))
    if len(values) == 1:
        return values * rank
    if len(values) == rank:
        return values
    if rank == 1:
        raise RuntimeError(
            f"{function}() argument '{argument}' should contain one int (got {len(values)})"
        )
    either = "either be omitted, a single int" if argument == "stride" else "either be a single int"
    raise RuntimeError(f"{function}: {argument} must {either}, or {_WORDS[rank]}")


def places(
    size: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, ceil_mode: bool
) -> Ints:
    """How many windows there are per axis; with `ceil_mode` also one that leaves the input.

    It must begin within the input or the padding before it.

    >>> places((5,), (2,), (2,), (0,), (1,), False), places((5,), (2,), (2,), (0,), (1,), True)
    ((2,), (3,))
    """
    found = []
    for s, k, step, p, d in zip(size, kernel, stride, padding, dilation, strict=True):
        span = s + 2 * p - d * (k - 1) - 1
        n = (span + (step - 1 if ceil_mode else 0)) // step + 1
        if ceil_mode and (n - 1) * step >= s + p:
            n -= 1
        found.append(n)
    return tuple(found)


def overhang(
    size: Ints, kernel: Ints, stride: Ints, padding: Ints, dilation: Ints, count: Ints
) -> Ints:
    """How far the last window reaches behind the input, per axis; negative where it ends before."""
    return tuple(
        (n - 1) * step + d * (k - 1) + 1 - p - s
        for s, k, step, p, d, n in zip(size, kernel, stride, padding, dilation, count, strict=True)
    )


def check_window(kernel: Ints, stride: Ints, padding: Ints, dilation: Ints) -> None:
    """RuntimeError unless a window of this form can be moved."""
    if min(kernel) <= 0:
        raise RuntimeError(
            f"kernel size should be greater than zero, but got {_named('k', kernel)}"
        )
    if min(stride) <= 0:
        if 0 in stride:
            raise RuntimeError("stride should not be zero")
        raise RuntimeError(f"stride should be greater than zero, but got {_named('d', stride)}")
    for k, p, d in zip(kernel, padding, dilation, strict=True):
        if p < 0:
            raise RuntimeError(f"pad must be non-negative, but got pad: {p}")
        if d > 0 and p > (d * (k - 1) + 1) // 2:
            raise RuntimeError(
                "pad should be at most half of effective kernel size, but got "
                f"pad={p}, kernel_size={k} and dilation={d}"
            )
    if min(dilation) <= 0:
        raise RuntimeError(
            f"dilation should be greater than zero, but got {_named('dilation', dilation)}"
        )


def check_line(kernel: Any, stride: Any, padding: Any, dilation: Any) -> None:
    """`check_window` in the words that PyTorch has for max_pool1d."""
    given = {"kernel_size": kernel, "stride": stride, "padding": padding, "dilation": dilation}
    for name, value in given.items():
        if hasattr(value, "__len__") and len(value) > 1:
            none = "None, " if name == "stride" else ""
            comma = "" if name in ("kernel_size", "dilation") else ","
            raise RuntimeError(
                f"max_pool1d() {name} must be {none}an int, list of ints{comma} or tuple of ints "
                f"of size 1 but got size {len(value)}"
            )
        if name == "stride" and (value is None or value == []):
            continue
        (number,) = ints("max_pool1d", name, (value,))
        if name != "padding" and number <= 0:
            raise RuntimeError(f"max_pool1d() {name} must be greater than zero, but got {number}")
        if number < 0:
            raise RuntimeError(f"max_pool1d() padding must be non-negative, but got {number}")
        if name == "kernel_size":
            length = number
        if name == "padding" and number > length // 2:
            raise RuntimeError(
                "max_pool1d() padding should be at most half of kernel size, but got "
                f"padding={number} and kernel_size={length}"
            )


def _named(name: str, values: Ints) -> str:
    letters = "THW"[-len(values) :]
    return " ".join(f"{name}{axis}: {v}" for axis, v in zip(letters, values, strict=True))


def check_places(shape: Ints, count: Ints) -> None:
    """RuntimeError unless the pooled output of an input (*, C, *S) has entries."""
    if min(count) < 1:
        channels = shape[-len(count) - 1]
        given = "x".join(map(str, shape[-len(count) - 1 :]))
        made = "x".join(map(str, (channels, *count)))
        raise RuntimeError(
            f"Given input size: ({given}). Calculated output size: ({made}). "
            "Output size is too small"
        )


def check_rank(function: str, input: Tensor, rank: int) -> None:
    """RuntimeError unless `input` is (N, C, *S) or (C, *S) and empty at most in N."""
    need_tensor(function, input)
    shape = list(input.shape)
    lead = f"{function}: " if rank == 1 else ""
    if rank > 1 and len(shape) not in (rank + 1, rank + 2):
        raise RuntimeError(
            f"non-empty {rank + 1}D or {rank + 2}D (batch mode) tensor expected for input\n"
            f"{function} got a tensor of shape {shape}."
        )
    if len(shape) not in (rank + 1, rank + 2) or 0 in shape[-rank - 1 :]:
        raise RuntimeError(
            f"{lead}Expected {rank + 1}D or {rank + 2}D (batch mode) tensor with optional 0 dim "
            f"batch size for input, but got:{shape}"
        )
