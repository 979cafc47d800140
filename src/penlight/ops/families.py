"""The makers of ops: `unary`, `binary`, `op`, and `composite` for functions of other ops.

A call goes  arguments -> arrays -> meaning -> tensor -> (where a gradient is wanted) a tape node.
Each maker returns the function that users call.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..compiler import numerics
from ..core import dtype as dtypes
from ..core.tape import modes
from ..core.tensor import Tensor, View, wrap
from ..core.watch import note, tracers
from .exposure import documented, expose, into_out
from .operands import check_broadcast, not_a_tensor, promote_arrays, result_dtype, with_number
from .quiet import hush, named, quiet, restore
from .record import NUMPY_NAMES, Record, default_names

# ---------------------------------------------------------------- any op


_CONTAINERS = (list, tuple)


def unwrap(value: Any) -> Any:
    """Tensors to arrays, also inside a list or tuple."""
    if isinstance(value, Tensor):
        return value._array
    if type(value) in _CONTAINERS:
        for v in value:
            if isinstance(v, Tensor):
                return type(value)([unwrap(v) for v in value])
    return value


def op(
    function: Callable | None = None,
    *,
    name: str = "",
    grad: Any = None,
    inputs: Sequence[str] = (),
    names: str = "",
    node: str = "",
    view: bool | str = False,
    result: Any = None,
    promote: Sequence[str] = (),
    check: Callable | None = None,
    sample: Any = None,
    inplace: bool = False,
    lower: Callable | None = None,
) -> Any:
    """Makes an op of its meaning, a function (xp, *arrays and other arguments) -> array or tuple
    of arrays.

    `grad`     {input name: rule}, or one rule giving a tuple for all of `inputs`. A rule names
               what it needs: `g`
               the incoming gradient (a tuple for several results), `y` the result(s), `needs`
               which inputs want a gradient (joint rules), `NAME` an argument, `NAME_shape` a
               tensor argument's shape
    `names`    where it appears; default "torch.NAME Tensor.NAME"
    `node`     the printed name of grad_fn, where it is not CamelCaseBackward0
    `view`     the result shares memory with the first argument ("multiple": several views)
    `result`   a named tuple class for several results
    `promote`  names of tensor arguments that are brought to a common type first
    `check`    called with the arguments as given; raises where they do not fit
    `sample`   draw -> list of argument tuples for the gradient tests; draw(*shape) makes a float64
               tensor
    `inplace`  whether Tensor.NAME_ exists
    `lower`    (xp, *arguments): the same for programs, where the meaning looks at the values or the
               memory of its arrays; the bits must be the same
    """
    if function is None:
        given = {k: v for k, v in locals().items() if k != "function"}
        return lambda f: op(f, **given)
    code = function.__code__
    params = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]
    defaults = _defaults(function)
    name = name or function.__name__.rstrip("_")
    meaning = _positional(function)
    record = Record(
        name, meaning if view else quiet(meaning), params, defaults=defaults, grad=grad,
        inputs=inputs, node=node,
        names=tuple(names.split()), view=view, result=result, promote=promote, check=check,
        sample=sample, doc=function.__doc__,
    )  # fmt: skip
    if lower is not None:
        record.meaning.lower = lower  # type: ignore[attr-defined]
    call = documented(_caller(record, meaning), name, function.__doc__, record)
    expose(call, record.names, record if inplace else False)
    return call


def _positional(meaning: Callable) -> Callable:
    """A meaning whose keyword-only arguments may be given by position too."""
    code = meaning.__code__
    if not code.co_kwonlyargcount:
        return meaning
    first = code.co_argcount
    keywords = code.co_varnames[first : first + code.co_kwonlyargcount]

    def positional(*args: Any) -> Any:
        return meaning(*args[:first], **dict(zip(keywords, args[first:])))

    return positional


def _defaults(function: Callable) -> dict[str, Any]:
    code, positional = function.__code__, function.__defaults__ or ()
    names = code.co_varnames[: code.co_argcount]
    return dict(zip(names[len(names) - len(positional) :], positional)) | (
        function.__kwdefaults__ or {}
    )


def _caller(record: Record, compute: Callable) -> Callable:
    """The function users call for a general op; `compute` is its meaning, not quiet."""
    name, arity, check, promote = record.name, record.arity, record.check, record.promote
    differentiable, view = record.differentiable, record.view

    def call(*args: Any, **kwargs: Any) -> Any:
        if kwargs and "out" in kwargs:
            out = kwargs.pop("out")
            return call(*args, **kwargs) if out is None else into_out(out, call(*args, **kwargs))
        bound = args if len(args) == arity and not kwargs else record.bind(args, kwargs)
        need = False
        for index in differentiable:
            value = bound[index]
            if isinstance(value, Tensor):
                need = need or value._requires_grad or value._view is not None
            elif isinstance(value, (list, tuple)):
                need = True
            elif value is not None and not isinstance(value, (int, float, complex)):
                raise not_a_tensor(record, index, value)
        if check is not None:
            check(*bound)
        arrays = [
            v._array if isinstance(v, Tensor) else unwrap(v) if type(v) in _CONTAINERS else v
            for v in bound
        ]
        if promote:
            promote_arrays(record, bound, arrays)
        token = hush()
        try:
            result = compute(numerics, *arrays)
        finally:
            restore(token)
        if isinstance(result, tuple):
            outputs = tuple([wrap(r) for r in result])
            value = record.result(*outputs) if record.result else outputs
        else:
            value = wrap(result)
            outputs = (value,)
        if tracers:
            note(name, record.meaning, bound, arrays, outputs)
        if need and modes.grad:
            record.attach(bound, outputs)
        if view:
            note_views(record, bound, outputs)
        return value

    return call


def note_views(record: Record, bound: tuple, outputs: tuple[Tensor, ...]) -> None:
    """Ties results that share memory to the tensor whose memory it is."""
    parent = bound[0]
    root = parent if parent._root is None else parent._root
    for slot, out in enumerate(outputs):
        out._root = root
        if record.view == "multiple":
            out._view = View(parent, _nth(record.function, slot), bound[1:], True)
        else:
            out._view = View(parent, record.function, bound[1:])


def _nth(function: Callable, slot: int) -> Callable:
    return lambda *args: function(*args)[slot]


# ---------------------------------------------------------------- one array in, one out

OPERANDS = (Tensor, int, float, complex, np.generic)  # of Python's operators
to_float = "float"  # dtype rule: integers and bools become the default float


def unary(
    name: str,
    doc: str,
    meaning: str | Callable,
    grad: Callable | None = None,
    *,
    dtype: str = "",
    names: str = "",
    node: str = "",
    inplace: bool = True,
    sample: Any = None,
    also: str = "",
    lower: Callable | None = None,
) -> Any:
    """An elementwise op of one tensor.

    `meaning` is (xp, x) -> array, or the name of the namespace's function; `grad` names what it
    needs among g, x (the argument) and y (the result); `dtype=to_float` computes integers as the
    default float. `lower` is as in `op`.
    """
    compute, direct = _resolve(meaning)
    if lower is not None:
        compute.lower = lower  # type: ignore[attr-defined]
    record = Record(
        name, compute, ("input",), doc=doc, node=node, sample=sample, ufunc=_ufunc(meaning),
        grad=None if grad is None else {"input": grad},
        names=(tuple(names.split()) or default_names(name)) + tuple(also.split()),
    )  # fmt: skip
    floats = dtype == to_float

    def call(input: Tensor, *, out: Tensor | None = None) -> Tensor:
        if not isinstance(input, Tensor):
            raise not_a_tensor(record, 0, input)
        x = input._array
        if floats and x.dtype.kind in "iub":
            x = x.astype(dtypes.get_default_dtype().np)
        token = hush()
        try:
            array = direct(x)
        finally:
            restore(token)
        value = wrap(array)
        if tracers:
            note(name, compute, (input,), (x,), (value,))
        if modes.grad and grad is not None and (input._requires_grad or input._view is not None):
            record.attach((input,), (value,))
        return value if out is None else into_out(out, value)

    documented(call, name, doc, record)
    expose(call, record.names, record if inplace else False)
    return call


def _ufunc(meaning: str | Callable) -> Any:
    """The universal function a meaning names, if it does: it can write into its own operand."""
    found = getattr(np, meaning, None) if isinstance(meaning, str) else None
    return found if isinstance(found, np.ufunc) else None


def _resolve(meaning: str | Callable) -> tuple[Callable, Callable]:
    """A meaning as a quiet (xp, *arrays) function, and as a function of arrays only, not quiet.

    A meaning given by name is that function of the namespace.
    """
    if isinstance(meaning, str):
        return named(meaning), getattr(numerics, meaning)
    return quiet(meaning), functools.partial(meaning, numerics)


# ---------------------------------------------------------------- two arrays in, one out


def binary(
    name: str,
    doc: str,
    meaning: str | Callable,
    grad: tuple[Callable, Callable] | None = None,
    *,
    dtype: str = "",
    names: str = "",
    node: str = "",
    inplace: bool = True,
    sample: Any = None,
    also: str = "",
    check: Callable | None = None,
    lower: Callable | None = None,
) -> Any:
    """An elementwise op of two operands that broadcast; either may be a Python number.

    `grad` is a pair of rules, which name what they need among g, a, b (the operands) and y.
    `dtype=to_float` computes integers as the default float. `check(input, other)` may raise.
    `lower` is as in `op`.
    """
    compute, direct = _resolve(meaning)
    if lower is not None:
        compute.lower = lower  # type: ignore[attr-defined]
    record = Record(
        name, compute, ("input", "other"), doc=doc, node=node, sample=sample,
        ufunc=_ufunc(meaning),
        grad=None if grad is None else dict(zip(("input", "other"), grad)),
        names=(tuple(names.split()) or default_names(name)) + tuple(also.split()),
        check=check,
    )  # fmt: skip
    floats = dtype == to_float
    call = _binary_caller(record, direct, floats, False)
    call.operator = _binary_caller(record, direct, floats, True)  # type: ignore[attr-defined]
    documented(call, name, doc, record)
    expose(call, record.names, record if inplace else False)
    return call


def _binary_caller(record: Record, direct: Callable, floats: bool, operator: bool) -> Callable:
    """The function users call for an op of two operands.

    As a method of Python's operators it leaves foreign operands to their own class.
    """
    name, compute, check, grad = record.name, record.meaning, record.check, record.grad

    def call(input: Any, other: Any, *, out: Tensor | None = None) -> Any:
        if isinstance(input, Tensor) and isinstance(other, Tensor):
            if check is not None:
                check(input, other)
            x, y = input._array, other._array
            if x.dtype is not y.dtype:
                common = result_dtype((input, other)).np
                x, y = x.astype(common, copy=False), y.astype(common, copy=False)
        else:
            if operator and not isinstance(other, OPERANDS):
                return call(input, wrap(other)) if type(other) is np.ndarray else NotImplemented
            if check is not None:
                check(input, other)
            x, y = with_number(record, input, other, floats)
        if floats and x.dtype.kind in "iub":
            to = dtypes.get_default_dtype().np
            x, y = x.astype(to), y.astype(to)
        token = hush()
        try:
            array = direct(x, y)
        except ValueError:
            check_broadcast(np.shape(x), np.shape(y))
            raise
        finally:
            restore(token)
        value = wrap(array)
        if tracers:
            note(name, compute, (input, other), (x, y), (value,))
        if grad is not None and modes.grad:
            record.attach((input, other), (value,))
        return value if out is None else into_out(out, value)

    return call


# ---------------------------------------------------------------- compositions


def composite(
    function: Callable | None = None, *, names: str = "", inplace: bool | Callable = False
) -> Any:
    """Exposes a plain function over tensors; `out=` and the in-place form are derived.

    `inplace` may be the in-place form's `direct` function (see `in_place`).
    """
    if function is None:
        return lambda f: composite(f, names=names, inplace=inplace)
    name = function.__name__.rstrip("_")

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if not kwargs:
            return function(*args)
        out = kwargs.pop("out", None)
        if not own.issuperset(kwargs):
            kwargs = {k if k in own else NUMPY_NAMES.get(k, k): v for k, v in kwargs.items()}
        value = function(*args, **kwargs)
        return value if out is None else into_out(out, value)

    code = function.__code__
    own = frozenset(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
    exposed = function if "out" in own else call
    expose(exposed, names or default_names(name), inplace)
    return exposed
