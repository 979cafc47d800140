"""A recorded call, ready to run again."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..compiler.trace import Trace
from ..core.tape import FREED, Node, SavedOutput, modes
from ..core.tensor import Tensor, edge_to, wrap
from .outputs import Given, bind
from .running import Runner
from .sources import Argument, Fixed, Number, Stored
from .tracer import Numbers, Tracer
from .tree import put_together


class Backward:
    """The program of a backward pass, and what it needs from the forward pass.

    `edges`   (position among the forward inputs, tensor) of the inputs that get gradients
    `places`  per edge: which output of the trace is its gradient
    `saved`   per value the trace reads: ("input", position, tensor) or ("value", position, None)
    """

    __slots__ = ("edges", "fixed", "forms", "places", "run", "saved", "trace")

    def __init__(
        self, edges: list, trace: Trace | None, places: list, saved: list, forms: list,
        constants: Any = (),
    ):  # fmt: skip
        self.edges, self.trace, self.places = edges, trace, places
        self.saved, self.forms = saved, forms
        self.fixed = list(constants)
        self.run: Any = None if trace is None else Runner(trace)


class CompiledFunctionBackward(Node):
    """All of a compiled call in one node of the tape."""

    __slots__ = ("program",)
    program: Backward

    def backward(self, grads: list) -> list:
        """One gradient per edge."""
        saved = self.saved
        if saved is None:
            raise RuntimeError(FREED)
        if modes.grad:
            raise RuntimeError(
                "torch.compile with aot_autograd does not currently support double backward"
            )
        arrays: list = []
        for source in self.program.fixed:
            if isinstance(source, Fixed):
                arrays.append(source.array)
            else:
                g = grads[source.position]
                shape, form = self.outputs[source.position]
                arrays.append(np.zeros(shape, form) if g is None else g._array)
        arrays += [self._kept(value) for value in saved]
        found = self.program.run(arrays)
        return [None if at is None else wrap(found[at]) for at in self.program.places]

    def _kept(self, value: Any) -> np.ndarray:
        if isinstance(value, SavedOutput):
            if value.overwritten():
                raise self._overwritten(value.array)
            return value.array
        if isinstance(value, tuple):
            t, version = value
            if (t if t._root is None else t._root)._writes != version:
                raise self._overwritten(t._array)
            return t._array
        return value

    def _overwritten(self, array: np.ndarray) -> RuntimeError:
        from ..ops.record import overwritten

        return overwritten(wrap(array), self)


class Program:
    """What a call does where everything is as it was when the call was recorded."""

    def __init__(self, tracer: Tracer, result: tuple, bound: list, backward: Backward | None):
        self.trace, self.sources = tracer.trace, tracer.sources
        self.form, self.others, self.shown = result
        self.backward: Any = backward
        last = max((i for i, a in enumerate(tracer.actions) if type(a) is Numbers), default=-1)
        self.before, self.after = tracer.actions[: last + 1], tracer.actions[last + 1 :]
        for action in self.before:
            if type(action) is Numbers:
                action.places = [
                    (i, s.name)
                    for i, s in enumerate(self.sources)
                    if type(s) is Number and s.action is action
                ]
        self.run = Runner(self.trace)
        written = [self.sources[position] for position, _ in self.trace.stores]
        self.stored = [s.tensor for s in written if type(s) is Stored]
        self.given: list[Any] = [s for s in written if type(s) is not Stored]
        self.gradients = [(b.leaf, b.made.number) for b in bound if b.is_simple()]
        self.bound = [b for b in bound if not b.is_simple()]
        self.single = None
        if self.form is Tensor and backward is None and self.shown[0].is_simple():
            self.single = self.shown[0].number

    def runners(self) -> list[Runner]:
        """What runs the call, and its backward pass if there is one."""
        backward = self.backward
        return [self.run] + ([] if backward is None or backward.run is None else [backward.run])

    def replay(self, tensors: list[Tensor], arrays: list) -> Any:
        """The call again."""
        undo = self._count(arrays) if self.before else None
        try:
            results = self.run(arrays)
        except Exception:
            for array, count in undo or ():  # the step was not made
                array[...] = count
            raise
        for action in self.after:
            action()
        for t in self.stored:
            (t if t._root is None else t._root)._writes += 1
        if self.given:
            for source in self.given:
                t = tensors[source.position] if type(source) is Argument else source.leaf._grad
                (t if t._root is None else t._root)._writes += 1
        bind(self.gradients, self.bound, tensors, arrays, results)
        if self.single is not None:
            return wrap(results[self.single])
        return self._result(tensors, arrays, results)

    def _count(self, arrays: list) -> list[tuple]:
        """Python's work before the program: schedules, and the optimizers' numbers.

        Returns what to put back, in reverse, if the step fails.
        """
        undo: list[tuple] = []
        worked = False
        for action in self.before:
            if type(action) is not Numbers:
                action()
                worked = True
                continue
            pace = action.pace
            if worked:
                pace.begin()
            for state in action.states:
                for name in action.counted:
                    array = state[name]._array
                    undo.insert(0, (array, array.item()))
                values = pace.numbers(state)
                if pace.shared:
                    break
            if values is not action.values or not action.arrays:
                action.values = values
                action.arrays = [
                    (at, np.array(values[name], np.float64)) for at, name in action.places
                ]
            for at, array in action.arrays:
                arrays[at] = array
        return undo

    def _result(self, tensors: list, arrays: list, results: list) -> Any:
        made: dict[int, Tensor] = {}
        for how in self.shown:
            if id(how) in made:
                continue
            if isinstance(how, Given):
                given = how.tensor if how.position is None else tensors[how.position]
                made[id(how)] = given  # type: ignore[assignment]
            else:
                made[id(how)] = how.tensor(arrays, results)
        if self.backward is not None:
            self._attach(made, tensors, results)
        each, rest = iter(self.shown), iter(self.others)
        return put_together(self.form, lambda: made[id(next(each))], lambda: next(rest))

    def _attach(self, made: dict, tensors: list, results: list) -> None:
        """Puts the call on the tape, as one node."""
        backward = self.backward
        inputs = [
            tensors[s.position] if type(s := self.sources[at]) is Argument else t
            for at, t in backward.edges
        ]
        node = CompiledFunctionBackward([edge_to(t) for t in inputs], None, 0, backward.forms)
        node.program = backward
        owners: dict[int, SavedOutput] = {}
        for how in self.shown:
            if how.slot is not None:
                t = made[id(how)]
                t._node, t._slot, t._requires_grad = node, how.slot, True
                if not isinstance(how, Given) and hasattr(how, "number"):
                    owners[how.number] = SavedOutput(t, how.slot)
        if backward.trace is None:
            return
        saved: list = []
        for kind, at, t in backward.saved:
            if kind == "value":
                saved.append(owners[at] if at in owners else results[at])
            else:
                source = self.sources[at]
                t = tensors[source.position] if type(source) is Argument else t
                saved.append((t, (t if t._root is None else t._root)._writes))
        node.saved = tuple(saved)
