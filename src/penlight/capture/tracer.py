"""The recording of one call: real execution, noted down as a trace.

The call runs as always; each op tells the tracer what it computed from which arrays. An array is
known by its identity (all are kept alive meanwhile), a memory by the array that owns it. The trace
is functional: a write makes a new value of the memory's root, and views of it are taken anew when
they are next read.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np

from ..compiler.trace import Call, Ref, Trace
from ..core.tape import Node, modes
from ..core.tensor import Tensor, edge_to
from .sources import Fixed, Grad, Number, Source, Stored
from .user import calling_line


class Refused(Exception):
    """What happened can not be recorded; the text says why, for the user."""


class Entry:
    """One array met during the recording: its value's number, and for a view how it was taken."""

    __slots__ = ("array", "number", "parent", "root", "source", "take", "version")
    parent: Any
    source: Any

    def __init__(self, array: np.ndarray, number: int, parent: Entry | None = None):
        self.array, self.number, self.parent = array, number, parent
        self.root: Entry = self if parent is None else parent.root
        self.version: int = 0 if parent is None else parent.root.version
        self.take: tuple = ()  # of a view: name, function, arguments, place of the parent, slot
        self.source = None  # of an input: its position


def telling(method: Callable) -> Callable:
    """A method that ops call: it does nothing once the recording has failed, and never raises."""

    @functools.wraps(method)
    def told(self: Tracer, *args: Any) -> None:
        if self.failure is None:
            try:
                method(self, *args)
            except Refused as refusal:
                self.refuse(str(refusal))

    return told


class Tracer:
    """What was computed since the recording began, and what it was computed from."""

    def __init__(self, arguments: Sequence[Tensor]) -> None:
        self.trace = Trace()
        self.sources: list[Source] = []
        self.entries: dict[int, Entry] = {}  # by id of the array
        self.memories: dict[int, list[Entry]] = {}  # by id of the owner: the entries without parent
        self.fresh: dict[int, Tensor] = {}  # tensors made since, by id
        self.inputs: dict[int, tuple[Tensor, Entry]] = {}  # tensors from before, by id
        self.states: dict[int, tuple] = {}  # what they were like then
        self.aliases: list[tuple[Tensor, int]] = []  # tensors over the array of another input
        self.grads: dict[int, Gradient] = {}  # leaves whose .grad was looked at or replaced
        self.owners: dict[int, Tensor] = {}  # by id of a gradient from before: its leaf
        self.derived: dict[int, Call] = {}  # by number: the call that took this value as a view
        self.actions: list[Any] = []  # work of Python's, in order
        self.numbered: dict[int, Numbers] = {}
        self.pending: set[int] = set()
        self.moved: list[tuple[Tensor, Node, int]] = []
        self.fresh_modules: dict[int, Any] = {}
        self.stamp = Node((), (), 0, ()).serial
        self.failure: tuple[str, str, int] | None = None
        self.arguments = list(arguments)
        self.repeats: list[tuple[int, int]] = []  # arguments that are the same tensor

    # ------------------------------------------------------------ failing

    def refuse(self, reason: str) -> None:
        """The recording is given up; the call goes on."""
        if self.failure is None:
            self.failure = (reason, *calling_line())

    def refuse_at(self, reason: str, file: str, line: int) -> None:
        """The recording is given up, for something that stands there."""
        if self.failure is None:
            self.failure = (reason, file, line)

    def made_module(self, module: Any) -> None:
        """A layer is being made by the call itself."""
        self.fresh_modules[id(module)] = module

    @telling
    def changed_module(self, module: Any) -> None:
        """A layer's attributes, parts or hooks change."""
        if id(module) not in self.fresh_modules:
            raise Refused("a module is changed")

    # ------------------------------------------------------------ values

    def emit(
        self, name: str, function: Callable, args: tuple, forms: Sequence, pure: bool = True
    ) -> list[int]:
        """A call in the trace; `forms` are arrays in the form of its results."""
        numbers = [self.trace.value(a.dtype, a.shape) for a in forms]
        self.trace.calls.append(Call(name, function, args, tuple(numbers), pure))
        return numbers

    def add_input(self, source: Source, array: np.ndarray) -> Entry:
        """A new input of the program."""
        number = self.trace.value(array.dtype, array.shape)
        entry = Entry(array, number)
        entry.source = len(self.sources)
        self.trace.inputs.append(number)
        self.sources.append(source)
        return entry

    def keep(self, entry: Entry) -> Entry:
        """Takes an array up among those that are known."""
        self.entries[id(entry.array)] = entry
        if entry.parent is None:
            self.memories.setdefault(id(owner(entry.array)), []).append(entry)
        return entry

    def entry_of(self, t: Tensor) -> Entry:
        """What is known of a tensor's array; one from before the recording becomes an input."""
        found: Any = self.entries.get(id(t._array))
        if id(t) in self.inputs:
            if found is not self.inputs[id(t)][1]:
                raise Refused("a tensor's memory was replaced")
            return found
        if found is None and id(t) in self.fresh:
            raise Refused("a tensor was computed outside of penlight's operations")
        if id(t) in self.fresh:
            return found
        if found is None:
            leaf = self.owners.get(id(t))
            found = self.keep(self.add_input(Stored(t) if leaf is None else Grad(leaf), t._array))
        elif found.source is None:
            raise Refused("a tensor from before shows memory made since")
        else:
            self.aliases.append((t, found.source))
        self.take(t, found)
        return found

    def take(self, t: Tensor, entry: Entry) -> None:
        """A tensor from before takes part, from now on behind a boundary on the tape."""
        if t._node is not None and t._requires_grad:
            boundary = Boundary([edge_to(t)], (), 0, [(t._array.shape, t._array.dtype)])
            self.moved.append((t, t._node, t._slot))
            t._node, t._slot = boundary, 0
        self.inputs[id(t)] = t, entry
        self.states[id(t)] = state_of(t)

    def move_back(self) -> None:
        """Tensors from before stand on the tape again where they stood."""
        for t, node, slot in self.moved:
            if type(t._node) is Boundary:
                t._node, t._slot = node, slot

    def current(self, entry: Entry) -> int:
        """The number of an array's present value; a view of written memory is taken anew."""
        if entry.version != entry.root.version:
            name, function, args, place, slot, forms = entry.take
            parent = Ref(self.current(entry.parent))
            args = (*args[:place], parent, *args[place + 1 :])
            numbers = self.emit(name, function, args, forms)
            self.derived.update(dict.fromkeys(numbers, self.trace.calls[-1]))
            entry.number, entry.version = numbers[slot], entry.root.version
        return entry.number

    def reference(self, arg: Any, operand: Any) -> Any:
        """An argument of a call, with arrays as references to their values."""
        if isinstance(arg, np.ndarray):
            known = self.entries.get(id(arg))
            if known is not None and (not isinstance(operand, Tensor) or id(operand) in self.fresh):
                return Ref(self.current(known))
            if isinstance(operand, Tensor):
                entry = self.entry_of(operand)
                if entry.array is arg:
                    return Ref(self.current(entry))
                if entry.array.shape == arg.shape:  # brought to a common type on the way
                    args = (Ref(self.current(entry)), arg.dtype)
                    return Ref(self.emit("cast", cast, args, (arg,))[0])
            if arg.ndim == 0 and isinstance(operand, (bool, int, float, complex, np.generic)):
                return arg.copy()
            raise Refused("an array was computed outside of penlight's operations")
        if type(arg) in (list, tuple):
            same = type(operand) in (list, tuple) and len(operand) == len(arg)
            parts = operand if same else [None] * len(arg)
            return type(arg)([self.reference(a, o) for a, o in zip(arg, parts)])
        if isinstance(arg, Tensor):
            raise Refused("an operation was given a tensor where it takes a number")
        return arg

    # ------------------------------------------------------------ what ops tell

    def born(self, t: Tensor) -> None:
        """A tensor was made."""
        if self.failure is None:
            self.fresh[id(t)] = t

    @telling
    def know(self, t: Tensor) -> None:
        """A tensor is about to be aliased."""
        self.entry_of(t)

    @telling
    def called(
        self,
        name: str,
        function: Callable,
        operands: Sequence,
        args: Sequence,
        results: Sequence[Tensor],
        pure: bool,
    ) -> None:
        """`function(xp, *args)` gave `results`."""
        refs = tuple([self.reference(a, o) for a, o in zip_longest(args, operands)])
        arrays = [t._array for t in results]
        if pure and all(id(a) in self.entries for a in arrays):
            return
        numbers = self.emit(name, function, refs, arrays, pure)
        for slot, (array, number) in enumerate(zip(arrays, numbers)):
            if id(array) in self.entries:
                continue
            place = self._parent_of(array, args)
            if place is None:
                self.keep(Entry(array, number))
                continue
            entry = Entry(array, number, self.entries[id(args[place])])
            entry.take = (name, function, refs, place, slot, arrays)
            self.derived[number] = self.trace.calls[-1]
            self.keep(entry)

    def _parent_of(self, array: np.ndarray, args: Sequence) -> int | None:
        """Which argument shares memory with a result."""
        memory = owner(array)
        if memory is not array and id(memory) in self.memories:
            for place, arg in enumerate(args):
                if isinstance(arg, np.ndarray) and owner(arg) is memory and id(arg) in self.entries:
                    return place
        return None

    @telling
    def wrote(
        self,
        name: str,
        function: Callable,
        operands: Sequence,
        args: Sequence,
        targets: Sequence[Tensor],
        pure: bool,
    ) -> None:
        """The results of `function(xp, *args)` were written into `targets`."""
        entries = [self.entry_of(t) for t in targets]
        refs = tuple([self.reference(a, o) for a, o in zip_longest(args, operands)])
        numbers = self.emit(name, function, refs, [t._array for t in targets], pure)
        for entry, number in zip(entries, numbers):
            self.overwrite(entry, number)

    @telling
    def assigned(self, target: Tensor, value: Tensor) -> None:
        """A tensor's values were written into `target`."""
        into, entry = self.entry_of(target), self.entry_of(value)
        number = self.current(entry)
        if entry.array.dtype != into.array.dtype:
            number = self.emit("cast", cast, (Ref(number), into.array.dtype), (into.array,))[0]
        elif entry.parent is not None or entry.root.source is not None:
            number = self.emit("copy", copy, (Ref(number),), (into.array,))[0]
        self.overwrite(into, number)

    def overwrite(self, entry: Entry, number: int) -> None:
        """The memory that an array shows has another value now."""
        root = entry.root
        self.pending.add(id(root))
        if entry.parent is None:
            for other in self.memories[id(owner(entry.array))]:
                if other is not entry and np.may_share_memory(other.array, entry.array):
                    raise Refused("memory is written that two tensors from before share")
            entry.version += 1
            entry.number = number
            return
        _, function, args, place, slot, _ = entry.take
        parent = entry.parent
        how = (Ref(self.current(parent)), Ref(number), function, args, place, slot)
        (whole,) = self.emit("assign_view", assign_view, how, (parent.array,))
        self.overwrite(parent, whole)
        entry.number, entry.version = number, root.version

    @telling
    def written(self, t: Tensor) -> None:
        """A tensor's memory was overwritten."""
        entry = self.entry_of(t)
        if id(entry.root) not in self.pending:
            raise Refused("a tensor is overwritten in a way that is not recorded")
        self.pending.discard(id(entry.root))

    @telling
    def fixed(self, t: Tensor) -> None:
        """A new tensor's values depend on no other tensor."""
        array = t._array
        if id(array) in self.entries:
            return
        if array.flags.c_contiguous and array.size and is_uniform(array):
            args = (array.shape, array.reshape(-1)[0], array.dtype)
            self.keep(Entry(array, self.emit("full", full, args, (array,))[0]))
            return
        entry = self.add_input(Fixed(array.copy("K")), array)
        entry.source = None  # its memory belongs to the call
        self.keep(entry)

    def host(self, work: Callable[[], Any]) -> Any:
        """Work of Python's that each replay does again."""
        self.actions.append(work)
        modes.tracer = None
        try:
            return work()
        finally:
            modes.tracer = self

    def postpone(self) -> None:
        """A later call is the one to record."""
        if self.failure is None:
            self.failure = ("", "", 0)

    @telling
    def stepped(self, pace: Any, state: Any, tensors: list, numbers: dict, switches: dict) -> None:
        """An optimizer's formula was applied to `tensors` (gradient, parameter, moments)."""
        if tensors[0].dtype.is_complex:
            raise Refused("a complex parameter is updated")
        action = self.numbered.get(id(numbers))
        if action is None:
            action = self.numbered[id(numbers)] = Numbers(pace, numbers)
            for name, value in numbers.items():
                entry = self.add_input(Number(action, name), np.array(value, np.float64))
                action.refs.append(Ref(entry.number))
            self.actions.append(action)
        action.states.append(state)
        action.tensors.append(tensors[1:])
        used = [t is not None for t in tensors]
        given = [None if t is None else self.reference(t._array, t) for t in tensors]
        targets = [t for t in tensors[1:] if t is not None]
        entries = [self.entry_of(t) for t in targets]
        args = (
            pace.formula,
            tuple(switches.items()),
            tuple(numbers),
            len(used),
            *given,
            *action.refs,
        )
        results = self.emit("step", step, args, [t._array for t in targets])
        for entry, number in zip(entries, results):
            self.overwrite(entry, number)

    # ------------------------------------------------------------ gradients

    @telling
    def know_grad(self, leaf: Tensor) -> None:
        """`leaf.grad` is about to be read."""
        gradient = self._gradient(leaf)
        gradient.read = gradient.read or not gradient.replaced

    @telling
    def lose_grad(self, leaf: Tensor) -> None:
        """`leaf.grad` is about to be replaced."""
        self._gradient(leaf).replaced = True

    def _gradient(self, leaf: Tensor) -> Gradient:
        found = self.grads.get(id(leaf))
        if found is None:
            found = self.grads[id(leaf)] = Gradient(leaf)
            if found.before is not None and id(leaf) not in self.fresh:
                self.owners[id(found.before)] = leaf
        return found

    @telling
    def walk(self, nodes: Sequence[Node]) -> None:
        """A backward pass goes through `nodes`."""
        if any(node.serial < self.stamp for node in nodes):
            raise Refused("a backward pass leaves what the call itself computed")


class Boundary(Node):
    """Where the recorded call begins: what is older is no part of the program."""

    __slots__ = ()

    def backward(self, grads: list) -> list:
        """The same gradient."""
        return grads

    def release(self) -> None:
        """Nothing was saved."""


class Gradient:
    """What became of one leaf's `.grad`: what it was before, and whether that mattered."""

    __slots__ = ("before", "leaf", "read", "replaced")

    def __init__(self, leaf: Tensor):
        self.leaf, self.before = leaf, leaf._grad
        self.read = self.replaced = False


class Numbers:
    """The numbers that parameters of one group have in common in a step."""

    __slots__ = ("arrays", "counted", "pace", "places", "refs", "states", "tensors", "values")

    def __init__(self, pace: Any, values: dict[str, float]):
        self.pace, self.values = pace, values
        self.counted = pace.optimizer.scalar_state
        self.places: list[tuple[int, str]] = []  # which inputs they are
        self.arrays: list[tuple[int, np.ndarray]] = []  # and as arrays, in the last step
        self.tensors: list[list] = []  # per parameter: itself and its moments
        self.refs: list[Ref] = []
        self.states: list[dict] = []


# ---------------------------------------------------------------- functions of the trace


def step(
    xp: Any, formula: Callable, switches: tuple, names: tuple, count: int, *values: Any
) -> tuple:
    """An optimizer's formula as a function: (parameter, moments in use)."""
    g, *changed = values[:count]
    changed = [None if a is None else a.copy() for a in changed]
    numbers = {n: v.astype(g.dtype) for n, v in zip(names, values[count:])}
    found = formula(xp, g, *changed, **numbers, **dict(switches))
    return tuple([new for new in found if new is not None])


def cast(xp: Any, x: Any, dtype: np.dtype) -> Any:
    """x in another type."""
    return x.astype(dtype)


def copy(xp: Any, x: Any) -> Any:
    """x in memory of its own."""
    return x.copy()


def full(xp: Any, shape: tuple, number: Any, dtype: np.dtype) -> Any:
    """One number everywhere."""
    return xp.full(shape, number, dtype)


def assign_view(
    xp: Any, base: Any, value: Any, take: Callable, args: tuple, place: int, slot: int
) -> Any:
    """`base` with the part that `take` shows replaced by `value`."""
    whole = base.copy()
    part = take(xp, *args[:place], whole, *args[place + 1 :])
    if isinstance(part, tuple):
        part = part[slot]
    part[...] = value
    return whole


# ---------------------------------------------------------------- memory


def owner(array: Any) -> Any:
    """Whose memory an array shows: itself, another array, or what lent it the bytes."""
    while isinstance(array, np.ndarray) and array.base is not None:
        array = array.base
    return array


def is_uniform(array: np.ndarray) -> bool:
    """Whether all elements have the same bits."""
    first = array.reshape(-1)[:1]
    if array.nbytes > 1 << 16 and not (array[:1] == first).all():
        return False
    return array.tobytes() == first.tobytes() * array.size


def state_of(t: Tensor) -> tuple:
    """What of a tensor, besides its values, a program takes for granted."""
    return (
        t._requires_grad,
        t._node,
        None if t._hooks is None else {n: [*h] for n, h in t._hooks.items()},
    )
