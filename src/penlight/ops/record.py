"""The op record: what is declared about one op, and the tape node it makes.

`families.py` makes records, `exposure.py` puts them under torch's names.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..core.beside import fixed
from ..core.tape import FREED, SAVED_INFERENCE, Node, Packed, SavedOutput, modes
from ..core.tensor import Tensor, current_node, edge_to, wrap


class Record:
    """What is declared about one op."""

    __slots__ = (
        "arity", "check", "defaults", "differentiable", "doc", "ends", "function", "grad", "joint",
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
        self.names = facets.get("names") or default_names(name)
        self.function: Any = None
        self.ufunc = facets.get("ufunc")
        self._set_gradient(facets.get("grad"), facets.get("inputs", ()))
        node = facets.get("node") or camel(name) + "Backward0"
        own = {"__slots__": (), "record": self, "single": self.result is None}
        self.node = type(node, (OpNode,), own)

    def _set_gradient(self, grad: Any, inputs: Sequence[str]) -> None:
        """`grad` is a rule per input (a dict), or one rule for all of `inputs` together."""
        self.grad = grad
        self.plans: dict[int, tuple] = {}
        self.joint = callable(grad)
        rules = {name: grad for name in inputs} if self.joint else (grad or {})
        self.differentiable = tuple(self.params.index(name) for name in rules)
        self.ends = tuple((index, 1 << i) for i, index in enumerate(self.differentiable))
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
        wanted. The getter takes the rule's arguments from (g, *saved values); a rule that takes
        them all, in that order, has none.
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
        every = ("g", *names)
        picked = tuple(
            None if rule is None
            else (rule, None if tuple(used) == every else _getter([position[n] for n in used]))
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
        wanted = 0
        for index, bit in self.ends:
            value = bound[index]
            if isinstance(value, Tensor):
                if value._requires_grad if value._view is None else value.requires_grad:
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
        if not wanted:
            return
        sources, rules = self.plans.get(wanted) or self.plan(wanted)
        saved, version = self._save(sources, bound, outputs) if sources else ((), 0)
        forms: list = []
        node = self.node(edges, saved, version, forms)
        node.rules = rules
        for out in outputs:
            array = out._array
            form = array.dtype
            if form.kind in "fcV":
                out._node, out._slot, out._requires_grad = node, len(forms), True
            forms.append((array.shape, form))

    def _save(self, sources: tuple, bound: tuple, outputs: tuple) -> tuple[tuple, int]:
        """The values of `sources`, and the sum of the saved tensors' write counts."""
        version = 0
        saved: list = []
        for kind, index in sources:
            if kind == "argument":
                value = bound[index]
                if isinstance(value, Tensor):
                    version += (value if value._root is None else value._root)._writes
            elif kind == "result":
                if len(outputs) == 1 and not self.result:
                    value = SavedOutput(outputs[0], 0)
                else:
                    value = tuple([SavedOutput(t, slot) for slot, t in enumerate(outputs)])
            else:
                value = bound[index]
                value = (
                    value._array.shape
                    if isinstance(value, Tensor)
                    else [t._array.shape if isinstance(t, Tensor) else () for t in value]
                )
            saved.append(value)
        if version < 0:
            raise RuntimeError(SAVED_INFERENCE)
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
    single: bool  # whether a lone result is no tuple

    def backward(self, grads: list) -> Sequence[Tensor | None]:
        """One gradient per edge."""
        saved = self.saved
        if saved is None:
            raise RuntimeError(FREED)
        g: Any
        if self.single and len(grads) == 1:
            (g,) = grads
        else:
            g = tuple(
                fixed(np.zeros(shape, form)) if g is None else g
                for g, (shape, form) in zip(grads, self.outputs)
            )
        values = (g, *self._unpack(saved)) if saved else (g,)
        found: list = []
        for entry in self.rules:
            if entry is None:
                found.append(None)
                continue
            rule, getter = entry
            grad = rule(*values) if getter is None else rule(*getter(values))
            if type(grad) is Tensor or not isinstance(grad, (list, tuple)):
                found.append(grad)
            else:
                found += flatten(grad)
        return found

    def _unpack(self, saved: tuple) -> list:
        """The saved values; RuntimeError if one of them was overwritten since."""
        version, values = 0, []
        for value in saved:
            if isinstance(value, Tensor):
                version += (value if value._root is None else value._root)._writes
            else:
                kind = type(value)
                if kind is SavedOutput:
                    value = self._output(value)
                elif kind is Packed:
                    value = self._unpacked(value)
                elif kind is tuple and value:
                    if type(value[0]) is SavedOutput:
                        value = tuple([self._output(v) for v in value])
                    elif type(value[0]) is Packed:
                        value = tuple([self._unpacked(v) for v in value])
            values.append(value)
        if version != self.version:
            raise overwritten(next(v for v in saved if isinstance(v, Tensor)), self)
        return values

    def release(self) -> None:
        """Frees the saved tensors. A node that saved none can be walked again."""
        for value in self.saved or ():
            held = isinstance(value, _HOLDERS)
            if held or (
                isinstance(value, (tuple, list)) and value and isinstance(value[0], _HOLDERS)
            ):
                self.saved = None
                return

    def _output(self, saved: SavedOutput) -> Tensor:
        if saved.overwritten():
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
        "torch.autograd.set_detect_anomaly(True, check_nan=False)."
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


def default_names(name: str) -> tuple[str, ...]:
    """Where an op appears by default; one whose name starts with an underscore appears nowhere."""
    return () if name.startswith("_") else (f"torch.{name}", f"Tensor.{name}")


def camel(name: str) -> str:
    """log_softmax -> LogSoftmax; linalg.qr -> LinalgQr."""
    return "".join(
        part[:1].upper() + part[1:] for part in name.replace(".", "_").split("_") if part
    )


_HOLDERS = (Tensor, SavedOutput, Packed)  # whose memory a node keeps alive
SHORT = {"x": 0, "a": 0, "b": 1}  # how the rules of unary and binary ops call the operands
NUMPY_NAMES = {"axis": "dim", "keepdims": "keepdim", "x": "input", "x1": "input", "x2": "other"}
