"""The op record: meaning, gradient and exposure of one op, and the road of a call.

A call goes  arguments -> arrays -> meaning -> tensor -> (where a gradient is wanted) a node on the
tape.
`unary`, `binary` and `op` make records; `composite` exposes a plain function over tensors. All
four return the function users call; `TABLE` holds what they declared, for the namespaces, the
tests and the documentation.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy._core._ufunc_config import _extobj_contextvar as _fp_state  # type: ignore[attr-defined]
from numpy._core._ufunc_config import _make_extobj  # type: ignore[attr-defined]

from ..core import dtype as dtypes
from ..core.device import namespace
from ..core.tape import FREED, Node, Packed, SavedOutput, modes
from ..core.tensor import Tensor, View, check_writable, current_node, edge_to, wrap, written


def quiet(function: Callable) -> Callable:
    """Runs a meaning with NumPy's floating point warnings off: PyTorch computes 1/0 without a word.

    `np.errstate` builds its state anew at each call, which costs as much as a small op; the state
    made once is set here directly.
    """

    def silently(*args: Any, **kwargs: Any) -> Any:
        token = _fp_state.set(_SILENT)
        try:
            return function(*args, **kwargs)
        finally:
            _fp_state.reset(token)

    return silently


class Record:
    """What is declared about one op."""

    __slots__ = (
        "arity", "check", "defaults", "differentiable", "doc", "function", "grad", "joint",
        "meaning", "name", "names", "node", "params", "plans", "promote", "result", "sample",
        "saves_input", "ufunc", "view",
    )  # fmt: skip

    def __init__(self, name: str, meaning: Callable, params: Sequence[str], **facets: Any):
        self.name, self.meaning, self.params = name, meaning, tuple(params)
        self.arity = len(self.params)
        self.doc = facets.get("doc", "")
        self.defaults = facets.get("defaults", {})
        self.check = facets.get("check")
        self.promote = tuple(self.params.index(p) for p in facets.get("promote", ()))
        self.result = facets.get("result")
        self.view = facets.get("view", False)
        self.sample = facets.get("sample")
        self.names = facets.get("names") or exposure(name)
        self.function: Any = None
        self.ufunc = facets.get("ufunc")
        self._set_gradient(facets.get("grad"), facets.get("inputs", ()))
        node = facets.get("node") or camel(name) + "Backward0"
        self.node = type(node, (OpNode,), {"__slots__": (), "record": self})

    def _set_gradient(self, grad: Any, inputs: Sequence[str]) -> None:
        """`grad` is a rule per input (a dict), or one rule for all of `inputs` together."""
        self.grad = grad
        self.plans: dict[int, tuple] = {}
        self.joint = callable(grad)
        rules = {name: grad for name in inputs} if self.joint else (grad or {})
        self.differentiable = tuple(self.params.index(name) for name in rules)
        first = self.params[0] if self.params else None
        self.saves_input = any(
            SHORT.get(n) == 0 or n == first for r in rules.values() for n in rule_arguments(r)
        )

    def bind(self, args: tuple, kwargs: dict) -> tuple:
        """All arguments in the order of `params`."""
        if len(args) > self.arity:
            raise TypeError(
                f"{self.name}() takes {self.arity} positional arguments but {len(args)} were given"
            )
        bound = dict(zip(self.params, args))
        for key, value in kwargs.items():
            key = key if key in self.params else NUMPY_NAMES.get(key, key)
            if key not in self.params and key == "self":
                key = self.params[0]
            if key not in self.params:
                raise TypeError(f"{self.name}() got an unexpected keyword argument '{key}'")
            if key in bound:
                raise TypeError(f"{self.name}() got multiple values for argument '{key}'")
            bound[key] = value
        missing = [p for p in self.params if p not in bound and p not in self.defaults]
        if missing:
            raise TypeError(
                f"{self.name}() missing {len(missing)} required positional arguments: "
                + ", ".join(f'"{p}"' for p in missing)
            )
        return tuple(bound[p] if p in bound else self.defaults[p] for p in self.params)

    def plan(self, wanted: int) -> tuple:
        """What to save and which rules to run when the inputs of the bits in `wanted` need
        gradients.

        A pair: the sources of the values to save, and per rule (rule, getter), None where not
        wanted. The getter takes the rule's arguments from (g, *saved values); a rule of g alone
        has none.
        """
        if self.joint:
            needs = tuple(bool(wanted >> i & 1) for i in range(len(self.differentiable)))
            rules: list[Callable | None] = [_with_needs(self.grad, needs)]
        else:
            given = enumerate(self.grad.values())
            rules = [rule if wanted >> i & 1 else None for i, rule in given]
        arguments = [() if rule is None else rule_arguments(rule) for rule in rules]
        names = list(dict.fromkeys(n for names in arguments for n in names if n != "g"))
        position = {"g": 0} | {n: i + 1 for i, n in enumerate(names)}
        picked = tuple(
            None if rule is None
            else (rule, None if used == ("g",) else _getter([position[n] for n in used]))
            for rule, used in zip(rules, arguments)
        )  # fmt: skip
        found = self.plans[wanted] = tuple(self._source(n) for n in names), picked
        return found

    def _source(self, name: str) -> tuple[str, int]:
        """Where a name of a gradient rule comes from."""
        if name == "y":
            return "result", 0
        if name in self.params:
            return "argument", self.params.index(name)
        if name in SHORT:
            return "argument", SHORT[name]
        if name.endswith("_shape") and name[:-6] in self.params:
            return "shape", self.params.index(name[:-6])
        raise TypeError(
            f"the gradient of {self.name} asks for {name!r}, which is no argument of it"
        )

    def attach(self, bound: tuple, outputs: tuple[Tensor, ...]) -> None:
        """Puts a node on the tape for this call, if any differentiable input requires a
        gradient.
        """
        edges: list = []
        wanted, bit = 0, 1
        for index in self.differentiable:
            value = bound[index]
            if isinstance(value, Tensor):
                if value._view is not None:
                    current_node(value)
                if value._requires_grad:
                    wanted |= bit
                    node = value._node
                    edges.append((value, 0) if node is None else (node, value._slot))
                else:
                    edges.append(None)
            elif isinstance(value, (list, tuple)):
                ends = [edge_to(t) if isinstance(t, Tensor) else None for t in value]
                if any(ends):
                    wanted |= bit
                    edges += ends
                else:
                    edges.append(None)
            else:
                edges.append(None)
            bit <<= 1
        if not wanted:
            return
        sources, rules = self.plans.get(wanted) or self.plan(wanted)
        saved, version = self._save(sources, bound, outputs) if sources else ((), 0)
        node = self.node(edges, saved, version, [(t._array.shape, t._array.dtype) for t in outputs])
        node.rules = rules
        slot = 0
        for out in outputs:
            if out._array.dtype.kind in "fcV":
                out._node, out._slot, out._requires_grad = node, slot, True
            slot += 1

    def _save(self, sources: tuple, bound: tuple, outputs: tuple) -> tuple[tuple, int]:
        """The values of `sources`, and the sum of the saved tensors' write counts."""
        version = 0
        saved: list = []
        for kind, index in sources:
            if kind == "argument":
                value = bound[index]
                if isinstance(value, Tensor):
                    version += (value if value._root is None else value._root)._version
            elif kind == "result":
                value = tuple([SavedOutput(t, slot) for slot, t in enumerate(outputs)])
                if len(value) == 1 and not self.result:
                    value = value[0]
            else:
                value = bound[index]
                value = (
                    value._array.shape
                    if isinstance(value, Tensor)
                    else [t._array.shape if isinstance(t, Tensor) else () for t in value]
                )
            saved.append(value)
        if modes.saved_hooks:
            return tuple([_packed(v) for v in saved]), 0
        return tuple(saved), version


def _packed(value: Any) -> Any:
    """A saved value after the saved-tensor hooks."""
    if isinstance(value, Tensor):
        return Packed(value)
    if isinstance(value, SavedOutput):
        return Packed(wrap(value.array), value.slot)
    if type(value) is tuple:
        return tuple(_packed(v) for v in value)
    return value


def _getter(positions: list[int]) -> Callable:
    """The values at `positions` of a sequence, as a tuple."""
    if len(positions) == 1:
        (only,) = positions
        return lambda values: (values[only],)
    return operator.itemgetter(*positions)


def _with_needs(rule: Callable, needs: tuple[bool, ...]) -> Callable:
    """A joint rule that asks for `needs` gets it as a constant of its plan."""
    names = rule_arguments(rule)
    if "needs" not in names:
        return rule
    at = names.index("needs")

    def with_needs(*args: Any) -> Any:
        return rule(*args[:at], needs, *args[at:])

    with_needs.arguments = names[:at] + names[at + 1 :]  # type: ignore[attr-defined]
    return with_needs


class OpNode(Node):
    """A node made by a record: its gradient is the record's rules over what was saved."""

    __slots__ = ("rules",)
    record: Record
    rules: tuple

    def backward(self, grads: list) -> Sequence[Tensor | None]:
        """One gradient per edge."""
        saved = self.saved
        if saved is None:
            raise RuntimeError(FREED)
        if len(grads) == 1 and self.record.result is None:
            g = grads[0]
        else:
            g = tuple(
                wrap(np.zeros(shape, form)) if g is None else g
                for g, (shape, form) in zip(grads, self.outputs)
            )
        values = (g, *self._unpack(saved)) if saved else (g,)
        found: list = []
        for entry in self.rules:
            if entry is None:
                found.append(None)
                continue
            rule, getter = entry
            grad = rule(g) if getter is None else rule(*getter(values))
            if isinstance(grad, (list, tuple)):
                found += flatten(grad)
            else:
                found.append(grad)
        return found

    def _unpack(self, saved: tuple) -> list:
        """The saved values; RuntimeError if one of them was overwritten since."""
        version, values = 0, []
        for value in saved:
            if isinstance(value, Tensor):
                version += (value if value._root is None else value._root)._version
            elif isinstance(value, SavedOutput):
                value = self._output(value)
            elif isinstance(value, Packed):
                value = self._unpacked(value)
            elif type(value) is tuple and value and isinstance(value[0], SavedOutput):
                value = tuple([self._output(v) for v in value])
            elif type(value) is tuple and value and isinstance(value[0], Packed):
                value = tuple([self._unpacked(v) for v in value])
            values.append(value)
        if version != self.version:
            raise overwritten(next(v for v in saved if isinstance(v, Tensor)), self)
        return values

    def release(self) -> None:
        """Frees the saved tensors. A node that saved none can be walked again."""
        for value in self.saved or ():
            first = value[0] if isinstance(value, (tuple, list)) and value else value
            if isinstance(first, (Tensor, SavedOutput, Packed)):
                self.saved = None
                return

    def _output(self, saved: SavedOutput) -> Tensor:
        owner = saved.owner()
        if owner is not None and owner._version != saved.version:
            raise overwritten(wrap(saved.array), self, f"output {saved.slot} of {self.name()}, ")
        return self._as_output(saved.array, saved.slot)

    def _unpacked(self, packed: Packed) -> Tensor:
        t = packed.unpack(packed.form)
        if not isinstance(t, Tensor):
            raise TypeError(
                "Output of saved tensor unpack_hook expected to be a Tensor but got result of type "
                f"{type(t).__name__}"
            )
        return t if packed.slot is None else self._as_output(t._array, packed.slot)

    def _as_output(self, array: Any, slot: int) -> Tensor:
        """This node's output again, with its place on the tape."""
        result = wrap(array)
        if array.dtype.kind in "fcV":
            result._node, result._slot, result._requires_grad = self, slot, True
        return result


def overwritten(t: Tensor, node: Node, origin: str = "") -> RuntimeError:
    """The error for a saved tensor that an in-place op changed."""
    of = current_node(t)
    if not origin and of is not None:
        origin = f"output {t._slot} of {of.name()}, "
    return RuntimeError(
        "one of the variables needed for gradient computation has been modified by an inplace "
        f"operation: [torch.{t.dtype.scalar_name}Tensor {list(t._array.shape)}], which is {origin}"
        f"was overwritten after {node.name()} saved it. Hint: enable anomaly detection to find the "
        "operation that failed to compute its gradient, with "
        "torch.autograd.set_detect_anomaly(True)."
    )


def rule_arguments(rule: Callable) -> tuple[str, ...]:
    """The parameter names of a gradient rule: what it needs saved."""
    if hasattr(rule, "arguments"):
        return rule.arguments
    code = rule.__code__
    return code.co_varnames[: code.co_argcount]


def flatten(grads: Any) -> list:
    """One flat list of gradients, from a tuple that may hold lists (one per tensor of a list
    input).
    """
    flat: list = []
    for g in grads if isinstance(grads, (tuple, list)) else (grads,):
        if isinstance(g, (tuple, list)):
            flat += g
        else:
            flat.append(g)
    return flat


def exposure(name: str) -> tuple[str, ...]:
    """Where an op appears by default; one whose name starts with an underscore appears nowhere."""
    return () if name.startswith("_") else (f"torch.{name}", f"Tensor.{name}")


def camel(name: str) -> str:
    """log_softmax -> LogSoftmax; linalg.qr -> LinalgQr."""
    return "".join(
        part[:1].upper() + part[1:] for part in name.replace(".", "_").split("_") if part
    )


_SILENT = _make_extobj(all="ignore")
SHORT = {"x": 0, "a": 0, "b": 1}  # how the rules of unary and binary ops call the operands
NUMPY_NAMES = {"axis": "dim", "keepdims": "keepdim", "x": "input", "x1": "input", "x2": "other"}


# ---------------------------------------------------------------- exposure

TABLE: dict[str, Record] = {}  # op name -> record
EXPOSED: dict[
    str, dict[str, Callable]
] = {}  # namespace ("torch", "linalg", ...) -> name -> function


def lacks(namespace: str) -> Callable[[str], Any]:
    """The `__getattr__` of a module that collects a namespace: names what penlight lacks."""

    def __getattr__(name: str) -> Any:
        raise AttributeError(
            f"module 'torch.{namespace}' has no attribute '{name}': penlight lacks it"
        )

    return __getattr__


def expose(
    function: Callable, names: str | Sequence[str], inplace: Record | Callable | bool = False
) -> None:
    """Makes `function` appear under dotted names: torch.x, Tensor.x, special.x, nn.functional.x.

    `inplace` asks for Tensor.x_ as well; a record or a `direct` function (see `in_place`) makes it
    cheaper.
    """
    for dotted in names.split() if isinstance(names, str) else names:
        where, _, name = dotted.rpartition(".")
        if where == "Tensor":
            setattr(Tensor, name, function)
            if inplace:
                record = inplace if isinstance(inplace, Record) else None
                direct = inplace if callable(inplace) else None
                setattr(Tensor, name + "_", in_place(function, name + "_", record, direct))
        else:
            EXPOSED.setdefault(where, {})[name] = function


def in_place(
    function: Callable,
    name: str,
    record: Record | None = None,
    direct: Callable[..., bool] | None = None,
) -> Callable:
    """The in-place form of an op: compute, check that it fits, overwrite, adopt the history.

    Where no history is involved, `direct(self, *args)` may write the result itself, without a
    temporary; it says whether it did. A record whose meaning is a named array function has that by
    nature.
    """
    if direct is None and record is not None and record.ufunc is not None and not record.check:
        direct = _direct(record.ufunc)

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        check_writable(self)
        source = self
        if self.requires_grad and modes.grad:
            keep = record is None or record.saves_input  # the rule needs the old values
            source = wrap(self._array.copy() if keep else self._array)
            source._requires_grad, source._node = True, self._node
            source._slot = self._slot
        elif direct is not None and self._array.dtype.kind == "f" and _plain(args):
            if direct(self, *args, **kwargs):
                return written(self)
        return assign(self, function(source, *args, **kwargs))

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"In-place form of :func:`{name[:-1]}`."
    return method


def _plain(args: tuple) -> bool:
    """Whether no argument brings a history along."""
    return not modes.grad or not any(isinstance(a, Tensor) and a.requires_grad for a in args)


def _direct(ufunc: Any) -> Callable[..., bool]:
    """Writes ufunc(x) or ufunc(x, y) into a float x where y has the same type and a fitting
    shape.
    """

    @quiet
    def direct(self: Tensor, *args: Any) -> bool:
        x = self._array
        if len(args) == ufunc.nin - 1 == 0:
            ufunc(x, out=x)
            return True
        if len(args) != 1 or ufunc.nin != 2:
            return False
        y = args[0]
        if isinstance(y, Tensor):
            y = y._array
            if y.dtype is not x.dtype or (y.shape != x.shape and y.ndim):
                return False
        elif type(y) is int or type(y) is float:
            y = x.dtype.type(y)
        else:
            return False
        ufunc(x, y, out=x)
        return True

    return direct


def assign(target: Tensor, value: Tensor) -> Tensor:
    """Writes `value` into `target`'s memory; shape and category must fit."""
    into, array = target._array, value._array
    if into.shape != array.shape:
        raise RuntimeError(
            f"output with shape {list(into.shape)} doesn't match the broadcast shape "
            f"{list(array.shape)}"
        )
    if into.dtype is not array.dtype and not dtypes.can_cast(value.dtype, target.dtype):
        raise RuntimeError(
            f"result type {value.dtype.scalar_name} can't be cast to the desired output type "
            f"{target.dtype.scalar_name}"
        )
    into[...] = array
    return written(target, value)


def into_out(out: Any, value: Any) -> Any:
    """Stores a result in the tensors given as `out=`, resizing them where needed."""
    if isinstance(out, (tuple, list)):
        pairs = [into_out(o, v) for o, v in zip(out, value)]
        return type(value)(*pairs) if hasattr(value, "_fields") else tuple(pairs)
    if not isinstance(out, Tensor):
        raise TypeError(f"argument 'out' must be Tensor, not {type(out).__name__}")
    if modes.grad and (out.requires_grad or value.requires_grad):
        raise RuntimeError(
            "functions with out=... arguments don't support automatic differentiation, but one of "
            "the arguments requires grad."
        )
    check_writable(out)
    if not dtypes.can_cast(value.dtype, out.dtype):
        raise RuntimeError(
            f"result type {value.dtype.scalar_name} can't be cast to the desired output type "
            f"{out.dtype.scalar_name}"
        )
    if out._array.shape != value._array.shape:
        out._array = value._array.astype(out._array.dtype)
        return written(out)
    out._array[...] = value._array
    return written(out)


def documented(function: Callable, name: str, doc: str | None, record: Record | None) -> Any:
    """Gives a made function its name, its text and its record."""
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    if record is not None:
        record.function = function
        function.record = record  # type: ignore[attr-defined]
        TABLE[record.name] = record
    return function


# ---------------------------------------------------------------- any op


def unwrap(value: Any) -> Any:
    """Tensors to arrays, also inside a list or tuple."""
    if isinstance(value, Tensor):
        return value._array
    if type(value) in (list, tuple) and any(isinstance(v, Tensor) for v in value):
        return type(value)(unwrap(v) for v in value)
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
        name, meaning if view else quiet(meaning), params, defaults=defaults, grad=grad, inputs=inputs, node=node,
        names=tuple(names.split()), view=view, result=result, promote=promote, check=check,
        sample=sample, doc=function.__doc__,
    )  # fmt: skip
    call = documented(_caller(record), name, function.__doc__, record)
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


def _caller(record: Record) -> Callable:
    """The function users call for a general op."""
    arity, meaning, check, differentiable = (
        record.arity, record.meaning, record.check, record.differentiable,
    )  # fmt: skip

    def call(*args: Any, **kwargs: Any) -> Any:
        if "out" in kwargs:
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
        arrays = [unwrap(value) for value in bound]
        if record.promote:
            promote_arrays(record, bound, arrays)
        result = meaning(namespace(arrays[0] if arrays else None), *arrays)
        if isinstance(result, tuple):
            outputs = tuple([wrap(r) for r in result])
            value = record.result(*outputs) if record.result else outputs
        else:
            value = wrap(result)
            outputs = (value,)
        if need and modes.grad:
            record.attach(bound, outputs)
        if record.view:
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


def not_a_tensor(record: Record, index: int, value: Any) -> TypeError:
    """PyTorch's error for a wrong argument type."""
    return TypeError(
        f"{record.name}(): argument '{record.params[index]}' (position {index + 1}) must be "
        f"Tensor, not {type(value).__name__}"
    )


# ---------------------------------------------------------------- types of mixed operands


def result_dtype(operands: Sequence[Any]) -> dtypes.dtype:
    """The type that tensors, 0-d tensors and numbers combine to."""
    dimensioned = zero_dim = number = None
    for value in operands:
        if isinstance(value, Tensor):
            d = value.dtype
            if value._array.ndim:
                dimensioned = d if dimensioned is None else dtypes.promote_types(dimensioned, d)
            else:
                zero_dim = d if zero_dim is None else dtypes.promote_types(zero_dim, d)
        else:
            d = dtypes.of_number(value)
            number = d if number is None else dtypes.promote_types(number, d)
    return dtypes.combine(dimensioned, zero_dim, number)


def promote_arrays(record: Record, bound: tuple, arrays: list) -> None:
    """Brings the arguments named by the record's `promote` to their common type."""
    used = [i for i in record.promote if bound[i] is not None]
    common = result_dtype([bound[i] for i in used]).np
    for i in used:
        arrays[i] = np.asarray(arrays[i]).astype(common, copy=False)


# ---------------------------------------------------------------- one array in, one out

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
) -> Any:
    """An elementwise op of one tensor.

    `meaning` is (xp, x) -> array, or the name of the namespace's function; `grad` names what it
    needs among g, x (the argument) and y (the result); `dtype=to_float` computes integers as the
    default float.
    """
    compute = _resolve(meaning)
    record = Record(
        name, compute, ("input",), doc=doc, node=node, sample=sample, ufunc=_ufunc(meaning),
        grad=None if grad is None else {"input": grad},
        names=(tuple(names.split()) or exposure(name)) + tuple(also.split()),
    )  # fmt: skip
    floats = dtype == to_float

    def call(input: Tensor, *, out: Tensor | None = None) -> Tensor:
        if not isinstance(input, Tensor):
            raise not_a_tensor(record, 0, input)
        x = input._array
        if floats and x.dtype.kind in "iub":
            x = x.astype(dtypes.get_default_dtype().np)
        value = wrap(compute(np, x))
        if modes.grad and grad is not None and (input._requires_grad or input._view is not None):
            record.attach((input,), (value,))
        return value if out is None else into_out(out, value)

    documented(call, name, doc, record)
    expose(call, record.names, record if inplace else False)
    return call


def _ufunc(meaning: str | Callable) -> Any:
    """The universal function a meaning names, if it does: it can write into its own operand."""
    found = getattr(np, meaning) if isinstance(meaning, str) else None
    return found if isinstance(found, np.ufunc) else None


def _resolve(meaning: str | Callable) -> Callable:
    """A quiet (xp, *arrays) function; a meaning given by name is that function of the namespace."""
    if not isinstance(meaning, str):
        return quiet(meaning)
    found = getattr(np, meaning)

    def compute(xp: Any, *arrays: Any) -> Any:
        token = _fp_state.set(_SILENT)
        try:
            return found(*arrays) if xp is np else getattr(xp, meaning)(*arrays)
        finally:
            _fp_state.reset(token)

    return compute


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
) -> Any:
    """An elementwise op of two operands that broadcast; either may be a Python number.

    `grad` is a pair of rules, which name what they need among g, a, b (the operands) and y.
    `dtype=to_float` computes integers as the default float. `check(input, other)` may raise.
    """
    compute = _resolve(meaning)
    record = Record(
        name, compute, ("input", "other"), doc=doc, node=node, sample=sample,
        ufunc=_ufunc(meaning),
        grad=None if grad is None else dict(zip(("input", "other"), grad)),
        names=(tuple(names.split()) or exposure(name)) + tuple(also.split()),
        check=check,
    )  # fmt: skip
    floats = dtype == to_float

    def call(input: Any, other: Any, *, out: Tensor | None = None) -> Tensor:
        if check is not None:
            check(input, other)
        if isinstance(input, Tensor) and isinstance(other, Tensor):
            x, y = input._array, other._array
            if x.dtype is not y.dtype:
                common = result_dtype((input, other)).np
                x, y = x.astype(common, copy=False), y.astype(common, copy=False)
        else:
            x, y = with_number(record, input, other, floats)
        if floats and x.dtype.kind in "iub":
            to = dtypes.get_default_dtype().np
            x, y = x.astype(to), y.astype(to)
        try:
            value = wrap(compute(np, x, y))
        except ValueError:
            check_broadcast(np.shape(x), np.shape(y))
            raise
        if modes.grad and grad is not None:
            record.attach((input, other), (value,))
        return value if out is None else into_out(out, value)

    documented(call, name, doc, record)
    expose(call, record.names, record if inplace else False)
    return call


def with_number(record: Record, input: Any, other: Any, floats: bool) -> tuple[Any, Any]:
    """The arrays of a tensor and a Python number, in the tensor's or the promoted type."""
    if isinstance(input, Tensor):
        x = input._array
        common = _number_dtype(record, 1, x.dtype, other, floats)
        if common is not x.dtype:
            x = x.astype(common)
        return x, as_scalar(other, common)
    if isinstance(other, Tensor):
        y = other._array
        common = _number_dtype(record, 0, y.dtype, input, floats)
        if common is not y.dtype:
            y = y.astype(common)
        return as_scalar(input, common), y
    raise not_a_tensor(record, 0, input)


def _number_dtype(record: Record, index: int, own: np.dtype, number: Any, floats: bool) -> np.dtype:
    kind = type(number)
    if (kind is float or kind is int) and own.kind == "f":
        return own
    if kind is int and own.kind in "iu" and not floats:
        return own
    if not isinstance(number, (bool, int, float, complex, np.number, np.bool_)):
        raise not_a_tensor(record, index, number)
    found = dtypes.combine(dtypes.from_np(own), None, dtypes.of_number(number)).np
    return dtypes.get_default_dtype().np if floats and found.kind in "iub" else found


def as_scalar(number: Any, to: np.dtype) -> Any:
    """A Python number as a 0-d array; integers wrap as in PyTorch."""
    if to.kind in "iu" and isinstance(number, int):
        bits = 8 * to.itemsize
        number &= (1 << bits) - 1
        if to.kind == "i" and number >> (bits - 1):
            number -= 1 << bits
    return np.array(number, to)


def check_broadcast(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    """RuntimeError, with PyTorch's text, unless the shapes broadcast."""
    rank = max(len(a), len(b))
    for axis in range(rank - 1, -1, -1):
        i, j = axis - rank + len(a), axis - rank + len(b)
        m, n = a[i] if i >= 0 else 1, b[j] if j >= 0 else 1
        if m != n and m != 1 and n != 1:
            raise RuntimeError(
                f"The size of tensor a ({m}) must match the size of tensor b ({n}) at "
                f"non-singleton dimension {axis}"
            )


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
        out = kwargs.pop("out", None)
        if kwargs and not own.issuperset(kwargs):
            kwargs = {k if k in own else NUMPY_NAMES.get(k, k): v for k, v in kwargs.items()}
        value = function(*args, **kwargs)
        return value if out is None else into_out(out, value)

    code = function.__code__
    own = frozenset(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
    exposed = function if "out" in own else call
    expose(exposed, names or exposure(name), inplace)
    return exposed
