"""From a recorded call to a program: what it reads, writes, returns, and its backward pass."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd.engine import grad as gradients
from ..compiler.trace import Ref, Trace
from ..core.tape import FREED, births, modes
from ..core.tensor import Tensor, wrap
from ..core.watch import tracers
from .frames import Frames
from .guards import Guards, has_hooks, modes_now
from .outputs import Bound, Given, Made, Shown
from .program import Backward, Program
from .sources import Argument, Seed
from .tracer import Refused, Tracer, copy, state_of
from .tree import is_plain, take_apart


class Failure:
    """Why a call could not be recorded, and where; without a reason: a later call can be."""

    __slots__ = ("file", "line", "reason")

    def __init__(self, reason: str, file: str, line: int):
        self.reason, self.file, self.line = reason, file, line


def record(
    function: Callable, args: tuple, kwargs: dict, guards: Guards
) -> tuple[Any, Program | Failure]:
    """Runs the function; its result, and the program of what it did."""
    tensors: list[Tensor] = []
    take_apart((args, kwargs) if kwargs else args, tensors, [])
    tracer = Tracer(tensors)
    frames = Frames(tracer, function)
    modes.tracer = tracer
    tracers.append(tracer)
    births.append(tracer)
    collecting = gc.isenabled()
    gc.disable()  # what a collection calls back is not part of the call
    try:
        for position, t in enumerate(tensors):
            _take_argument(tracer, position, t)
        before = modes_now()
        with frames:
            result = function(*args, **kwargs)
        if before != modes_now():
            tracer.refuse("a mode (of gradients, types, ...) is another one afterwards")
        return result, _finished(tracer, frames, guards, result)
    finally:
        modes.tracer = None
        tracer.move_back()
        tracers.remove(tracer)
        births.pop()
        if collecting:
            gc.enable()


def _take_argument(tracer: Tracer, position: int, t: Tensor) -> None:
    if id(t) in tracer.inputs:
        first: Any = tracer.sources[tracer.inputs[id(t)][1].source]
        tracer.repeats.append((position, first.position))
        return
    known = tracer.entries.get(id(t._array))
    if known is None:
        known = tracer.keep(tracer.add_input(Argument(position), t._array))
    else:
        tracer.aliases.append((t, known.source))
    tracer.take(t, known)


def _finished(tracer: Tracer, frames: Frames, guards: Guards, result: Any) -> Program | Failure:
    if tracer.failure is None:
        try:
            program = _Assembly(tracer, result).program()
            guards.complete(tracer, frames.reads, program.trace.stores)
            return program
        except Refused as refusal:
            tracer.refuse(str(refusal))
    return Failure(*(tracer.failure or ("", "", 0)))


class _Assembly:
    """The parts of a program, found one after another."""

    def __init__(self, tracer: Tracer, result: Any):
        self.tracer, self.trace = tracer, tracer.trace
        self.tensors: list[Tensor] = []
        self.others: list = []
        self.form = take_apart(result, self.tensors, self.others)
        self.numbers: dict[int, int] = {}  # values handed out: number -> position
        self.seen: list[tuple[Tensor, Any]] = []
        self.roots: dict[int, int] = {}

    def program(self) -> Program:
        """The whole."""
        for value in self.others:
            if not is_plain(value):
                raise Refused(f"the result holds a {type(value).__name__}")
        self._check_inputs()
        if self.tracer.failure is not None:
            raise Refused("")
        shown = [self._shown(t) for t in self.tensors]
        bound = [b for g in self.tracer.grads.values() if (b := self._bound(g)) is not None]
        backward = self._backward()
        stores = self._stores()
        if self.tracer.failure is not None:
            raise Refused("")
        self.trace.outputs = list(self.numbers)
        self.trace.stores = stores
        return Program(self.tracer, (self.form, self.others, shown), bound, backward)

    def _check_inputs(self) -> None:
        tracer = self.tracer
        for key, (t, _) in tracer.inputs.items():
            if has_hooks(t):
                raise Refused("a tensor has gradient hooks")
            if tracer.states[key] != state_of(t):
                raise Refused("a tensor from before changes its place in the graph")
        for gradient in tracer.grads.values():
            if gradient.read and id(gradient.leaf) not in tracer.fresh:
                before = gradient.before
                if before is not None and before._requires_grad:
                    raise Refused("a gradient that requires gradients is read")

    # ------------------------------------------------------------ outputs

    def position(self, number: int) -> int:
        """Where a value stands among the outputs; one in foreign memory is copied."""
        known = self.numbers.get(number)
        if known is None:
            known = self.numbers[number] = len(self.numbers)
        return known

    def _own(self, number: int) -> int:
        """A value in memory of its own."""
        tracer = self.tracer
        if number in self.numbers or number in tracer.derived or number in self.trace.inputs:
            dtype, shape = self.trace.forms[number]
            (number,) = tracer.emit("copy", copy, (Ref(number),), (Form(dtype, shape),))
        return number

    def _entry(self, t: Tensor) -> Any:
        entry = self.tracer.entries.get(id(t._array))
        if entry is None:
            raise Refused("a result was computed outside of penlight's operations")
        return entry

    def _shown(self, t: Tensor) -> Any:
        """How a replay gets at a tensor of the result."""
        tracer = self.tracer
        if id(t) not in tracer.fresh:
            for position, given in enumerate(tracer.arguments):
                if given is t:
                    return Given(position, None)
            if id(t) in tracer.owners:
                raise Refused("the result holds a gradient from before the call")
            return Given(None, t)
        for earlier, found in self.seen:
            if earlier is t:
                return found
        if id(t) in tracer.grads and t._grad is not None:
            raise Refused("the result has a gradient of its own")
        if type(t) is not Tensor or t._hooks is not None or t.__dict__:
            raise Refused("the result is no plain tensor")
        found = self._made(t)
        self.seen.append((t, found))
        return found

    def _made(self, t: Tensor) -> Any:
        entry = self._entry(t)
        chain: list[tuple] = []
        root = entry.root
        while entry.parent is not None:
            _, function, args, place, slot, _ = entry.take
            if any(isinstance(a, Ref) for i, a in enumerate(args) if i != place):
                raise Refused("the result is a view that depends on another tensor")
            chain.insert(0, (function, args, place, slot))
            entry = entry.parent
        if root.source is not None:
            made: Any = Shown(root.source, chain)
        else:
            key = id(root)
            if key not in self.roots:
                self.roots[key] = self.position(self._own(self.tracer.current(root)))
            made = Made(self.roots[key], chain)
        made.inference = t.is_inference()
        made.leaf = t._requires_grad and t._node is None
        return made

    def _bound(self, gradient: Any) -> Bound | None:
        """What becomes of a leaf's `.grad`."""
        leaf, before, tracer = gradient.leaf, gradient.before, self.tracer
        after = leaf._grad
        if id(leaf) in tracer.fresh or after is before:
            return None
        place = None
        for position, given in enumerate(tracer.arguments):
            if given is leaf:
                place = position
        if after is None:
            return Bound(leaf, place, None)
        if id(after) not in tracer.fresh or after._requires_grad:
            raise Refused("a gradient is set by hand")
        for t, found in self.seen:
            if t is after:
                return Bound(leaf, place, found)
        return Bound(leaf, place, self._made(after))

    def _stores(self) -> list[tuple[int, int]]:
        """What the memory of inputs holds at the end."""
        found = []
        for _, entry in self.tracer.inputs.values():
            if entry.version and (entry.source, entry) not in found:
                found.append((entry.source, entry))
        stores = []
        for source, entry in found:
            number = entry.number
            if number in self.tracer.derived or number in self.trace.inputs:
                (number,) = self.tracer.emit("copy", copy, (Ref(number),), (entry.array,))
            stores.append((source, number))
        return stores

    # ------------------------------------------------------------ backward

    def _backward(self) -> Backward | None:
        """The program of the backward pass, if results require gradients."""
        outs: list[Tensor] = []
        for t in self.tensors:
            wants = id(t) in self.tracer.fresh and t.requires_grad and t._node is not None
            if wants and not any(t is o for o in outs):
                outs.append(t)
        if not outs:
            return None
        wanted = [(t, e) for t, e in self.tracer.inputs.values() if t.requires_grad]
        slots = {id(o): slot for slot, o in enumerate(outs)}
        for t, found in self.seen:
            found.slot = slots.get(id(t))
        return _backward(self, outs, wanted)


class Form:
    """The form of a value, where no array is at hand."""

    __slots__ = ("dtype", "shape")

    def __init__(self, dtype: np.dtype, shape: tuple[int, ...]):
        self.dtype, self.shape = dtype, shape


def _backward(whole: _Assembly, outs: list[Tensor], wanted: list) -> Backward:
    """Records the gradients of `outs`, and cuts them off as a program of its own."""
    tracer, trace = whole.tracer, whole.trace
    mark = len(trace.calls)
    inputs_before = len(trace.inputs)
    seeds, seed_numbers = [], []
    for position, out in enumerate(outs):
        seed = wrap(np.ones(out._array.shape, out._array.dtype))
        entry = tracer.keep(tracer.add_input(Seed(position), seed._array))
        entry.source = None
        seeds.append(seed)
        seed_numbers.append(entry.number)
    try:
        found = gradients(outs, [t for t, _ in wanted], seeds, True, False, allow_unused=True)
    except RuntimeError as error:
        if str(error) == FREED:
            del trace.calls[mark:], trace.inputs[inputs_before:], tracer.sources[inputs_before:]
            return Backward([], None, [], [], [(o._array.shape, o._array.dtype) for o in outs])
        raise
    if tracer.failure is not None:
        raise Refused("")
    results = [None if g is None else tracer.current(whole._entry(g)) for g in found]
    backward = Trace(trace.forms)
    calls = trace.calls[mark:]
    del trace.calls[mark:]
    made = set(seed_numbers)
    constants = trace.inputs[inputs_before:]
    sources = tracer.sources[inputs_before:]
    del trace.inputs[inputs_before:], tracer.sources[inputs_before:]
    needed: dict[int, None] = {}
    ordered: list = []

    def need(number: int) -> None:
        if number in made:
            return
        taken = tracer.derived.get(number)
        if taken is None:
            made.add(number)
            if number not in constants:
                needed[number] = None
            return
        for n in references(taken.args):
            need(n)
        made.update(taken.results)
        ordered.append(taken)

    for call in calls:
        for number in references(call.args):
            need(number)
        ordered.append(call)
        made.update(call.results)
    for result in results:
        if result is not None:
            need(result)
    backward.calls = ordered
    return _cut(whole, backward, results, needed, (constants, sources), outs, wanted)


def _cut(
    whole: _Assembly, backward: Trace, results: list, needed: dict, constants: tuple, outs: list,
    wanted: list,
) -> Backward:  # fmt: skip
    """Decides how each value that the backward pass needs is kept for it."""
    tracer, trace = whole.tracer, whole.trace
    by_number: dict[int, tuple] = {
        e.number: (t, e) for t, e in tracer.inputs.values() if not e.version
    }
    first = {number: position for position, number in enumerate(trace.inputs)}
    saved: list[tuple] = []
    for number in needed:
        position = first.get(number)
        if position is not None and number in by_number:
            saved.append(("input", position, by_number[number][0]))
        elif position is not None:  # the call overwrites it, or it is a constant
            dtype, shape = trace.forms[number]
            (kept,) = tracer.emit("copy", copy, (Ref(number),), (Form(dtype, shape),))
            saved.append(("value", whole.position(kept), None))
        else:
            saved.append(("value", whole.position(number), None))
    backward.inputs = [*constants[0], *needed]
    handed = list(dict.fromkeys(n for n in results if n is not None))
    backward.outputs = handed
    places = [None if n is None else handed.index(n) for n in results]
    forms = [(o._array.shape, o._array.dtype) for o in outs]
    edges = [(e.source, t) for t, e in wanted]
    return Backward(edges, backward, places, saved, forms, constants[1])


def references(args: Any) -> list[int]:
    """The numbers of all values that arguments refer to."""
    found: list[int] = []
    for arg in args:
        if isinstance(arg, Ref):
            found.append(arg.number)
        elif type(arg) in (tuple, list):
            found += references(arg)
    return found
