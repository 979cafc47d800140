"""Comparing results in tests: the names of torch.testing.

Source: https://docs.pytorch.org/docs/stable/testing.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .core import dtype as dtypes
from .core.tensor import Tensor

# (rtol, atol) by the name of a dtype; integers and bools must be equal
TOLERANCE = {
    "float16": (1e-3, 1e-5), "bfloat16": (1.6e-2, 1e-5), "float32": (1.3e-6, 1e-5),
    "float64": (1e-7, 1e-7), "complex32": (1e-3, 1e-5), "complex64": (1.3e-6, 1e-5),
    "complex128": (1e-7, 1e-7),
}  # fmt: skip


def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: str | Callable[[str], str] | None = None,
) -> None:
    """AssertionError unless |actual - expected| <= atol + rtol · |expected| everywhere.

    Tensors, numbers, and sequences and mappings of them. Without tolerances they follow the dtype.

    >>> import penlight as torch
    >>> torch.testing.assert_close(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.0 + 1e-7]))
    """
    if (rtol is None) != (atol is None):
        raise ValueError(
            "Both 'rtol' and 'atol' must be either specified or omitted, but got no "
            f"{'rtol' if rtol is None else 'atol'}."
        )
    given = None if rtol is None or atol is None else (rtol, atol)
    try:
        _compare(actual, expected, given, equal_nan, check_dtype, check_stride, ())
    except AssertionError as error:
        if msg is None:
            raise
        raise AssertionError(msg(str(error)) if callable(msg) else msg) from None


def _compare(
    actual: Any, expected: Any, given: Any, equal_nan: bool, types: bool, strides: bool, path: tuple
) -> None:
    rest = (given, equal_nan, types, strides)
    if isinstance(actual, Tensor) and isinstance(expected, Tensor):
        _compare_attributes(actual, expected, types, strides, path)
        a, b = actual._array, expected._array
        if a.dtype != b.dtype:
            common = dtypes.promote_types(actual.dtype, expected.dtype).np
            a, b = a.astype(common), b.astype(common)
        _compare_arrays(a, b, given, equal_nan, "Tensor-likes", path)
    elif isinstance(actual, Mapping) and isinstance(expected, Mapping):
        if set(actual) != set(expected):
            missing = sorted(map(str, set(expected) - set(actual)))
            extra = sorted(map(str, set(actual) - set(expected)))
            raise AssertionError(
                "The keys of the mappings do not match:\n"
                f"Missing keys in the actual mapping: {missing}\n"
                f"Additional keys in the actual mapping: {extra}"
            )
        for key in actual:
            _compare(actual[key], expected[key], *rest, (*path, key))
    elif _is_sequence(actual) and _is_sequence(expected):
        if len(actual) != len(expected):
            raise AssertionError(
                f"The length of the sequences mismatch: {len(actual)} != {len(expected)}"
            )
        for i, (a, b) in enumerate(zip(actual, expected)):
            _compare(a, b, *rest, (*path, i))
    elif _is_number(actual) and _is_number(expected):
        _compare_arrays(np.asarray(actual), np.asarray(expected), given, equal_nan, "Scalars", path)
    elif actual is None and expected is None:
        return
    else:
        raise TypeError(
            f"No comparison pair was able to handle inputs of type {type(actual)} and "
            f"{type(expected)}."
        )


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, (bool, int, float, complex, np.number, np.bool_))


def _compare_attributes(a: Tensor, b: Tensor, types: bool, strides: bool, path: tuple) -> None:
    pairs: list[tuple[str, Any, Any]] = [("shape", a.shape, b.shape)]
    if types:
        pairs.append(("dtype", a.dtype, b.dtype))
    if strides:
        pairs.append(("stride()", a.stride(), b.stride()))
    for name, x, y in pairs:
        if x != y:
            raise AssertionError(
                f"The values for attribute '{name}' do not match: {x} != {y}.{_where(path)}"
            )


def _where(path: tuple) -> str:
    steps = "".join(f"[{step!r}]" for step in path)
    return f"\n\nThe failure occurred for item {steps}" if path else ""


def _compare_arrays(a: Any, b: Any, given: Any, equal_nan: bool, what: str, path: tuple) -> None:
    kind = dtypes.promote_types(dtypes.from_np(a.dtype), dtypes.from_np(b.dtype)).name
    rtol, atol = given or TOLERANCE.get(kind, (0.0, 0.0))
    wide = np.complex128 if "c" in a.dtype.kind + b.dtype.kind else np.float64
    exact = kind.startswith(("int", "uint", "bool"))
    x, y = (a, b) if exact else (a.astype(wide), b.astype(wide))
    close = np.isclose(x, y, rtol=rtol, atol=atol, equal_nan=equal_nan)
    if close.all():
        return
    equal = rtol == atol == 0
    own = np.result_type(a, b) if a.dtype.kind != "b" else np.int64
    with np.errstate(all="ignore"):
        apart = np.abs(a.astype(own) - b.astype(own))
        ratio = dtypes.get_default_dtype().np if exact else own
        relative = apart.astype(ratio) / np.abs(b.astype(own)).astype(ratio)
    verb = "equal" if equal else "close"
    if what == "Scalars":
        text = f"\n\nExpected {b.item()} but got {a.item()}."
        text += f"\nAbsolute difference: {apart.item()}" + _allowed(atol, equal)
        text += f"\nRelative difference: {relative.item()}" + _allowed(rtol, equal)
    else:
        bad = int((~close).sum())
        text = f"\n\nMismatched elements: {bad} / {close.size} ({bad / close.size:.1%})"
        text += _greatest("absolute", np.where(close, 0, apart), exact) + _allowed(atol, equal)
        text += _greatest("relative", np.where(close, 0, relative), False) + _allowed(rtol, equal)
    raise AssertionError(f"{what} are not {verb}!{text}{_where(path)}")


def _allowed(tolerance: float, equal: bool) -> str:
    return "" if equal else f" (up to {tolerance} allowed)"


def _greatest(name: str, values: Any, whole: bool) -> str:
    at = np.unravel_index(int(np.argmax(values)), values.shape)
    value = values[at]
    place = tuple(int(i) for i in at)
    return f"\nGreatest {name} difference: {int(value) if whole else float(value)} at index {place}"
