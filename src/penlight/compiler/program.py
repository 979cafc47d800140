"""A compiled program: what a trace did, as a list of kernels that run one after another."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from . import code, numerics, runtime
from .algebra import Unlowerable
from .background import background
from .ir import NUMPY, Graph, Value, verify
from .lower import Launch, Memory, at_start, lower, memory_of
from .passes.fuse import Group, fuse
from .passes.layout import layout
from .passes.schedule import ALIGN, plan, schedule
from .passes.simplify import simplify
from .passes.sink import sink
from .structures import STRUCTURES
from .trace import Trace, filled
from .translate import translate
from .types import size_of
from .views import Access


class Fault(Exception):
    """A kernel met an index that is out of range; nothing after it was computed."""


class Program:
    """Compiled code for one trace: arrays in the order of its inputs -> arrays of its outputs.

    Inputs that the trace stores to are changed in place. The arrays must have the dtypes, shapes
    and strides that the program was compiled for.
    """

    def __init__(self, graph: Graph, strides: Sequence[tuple[int, ...]], checked: bool = False):
        check = verify if checked else _unchecked
        check(graph)
        graph = simplify(graph)
        check(graph)
        graph, layouts = layout(graph, list(strides))
        check(graph)
        sink(graph, layouts)
        self.graph = graph
        self.fusion = fuse(graph, layouts)
        self.launches = lower(self.fusion)
        self._lock = threading.Lock()
        self._place(layouts)

    # ------------------------------------------------------------ where everything lies

    def _place(self, layouts: Any) -> None:
        graph, groups = self.graph, self.fusion.groups
        self.hosts = {g.number: g for g in groups if g.head is not None and g.head.op == "host"}
        home: dict[Memory, Memory] = {
            ("value", v.number): ("output", k) for k, v in enumerate(graph.outputs)
        }
        before = {g.number: g.before for g in groups}
        self.risky = self._risky()
        for position, value in graph.stores:
            memory: Memory = ("value", value.number)
            if self._in_place(position, value, layouts, before):
                home[memory] = ("input", position)
        self.home = home
        touches = {n: self._touched(g) for n, g in self.hosts.items()}
        self.order = schedule(self._bound(), list(self.hosts), before, touches)
        self._arena(touches)

    def _in_place(self, position: int, value: Value, layouts: Any, before: dict[int, int]) -> bool:
        """Whether a kernel may write a stored value straight to its input: everybody who reads the
        old one runs before, or is that kernel and reads where it writes; and so does all that may
        fail, for a program that fails leaves its inputs as they were.
        """
        given = next(v for v in self.graph.values if v.op == "input" and v.attr[0] == position)
        group = self.fusion.home.get(value.number)
        if group is None or (group.head is not None and group.head.op in ("host", "put", "concat")):
            return False
        if layouts(given) != layouts(value) or group.number in self.risky:
            return False
        mine, readers = ("value", value.number), set()
        for launch in self.launches:
            for memory, operand in launch.reads():
                if memory != ("input", position):
                    continue
                if launch.group != group.number:
                    readers.add(launch.group)
                elif any(
                    m == mine and (o.strides, o.offset) != (operand.strides, operand.offset)
                    for m, o in launch.writes()
                ):
                    return False
                elif group.head is not None and (
                    group.head.op in STRUCTURES or launch.memory.index(memory) < 2
                ):
                    return False
        readers |= self.risky
        readers |= {n for n, g in self.hosts.items() if given in _roots(g)}
        if any(before[n] >> group.number & 1 for n in readers):
            return False
        bits = 0
        for n in readers:
            bits |= before[n] | 1 << n
        for n in before:
            if n == group.number or before[n] >> group.number & 1:
                before[n] |= bits
        return True

    def _risky(self) -> set[int]:
        """The groups that may fail: calls of Python's, and the first to look an index up."""
        found: set[int] = set(self.hosts)
        known: set[tuple[int, int]] = set()
        for launch in self.launches:
            if ("error",) in launch.memory:
                members = self.fusion.groups[launch.group].members
                lookups = {
                    (v.inputs[1].number, v.inputs[0].shape[v.attr[0]])
                    for v in members
                    if v.op == "gather"
                }
                if not lookups or lookups - known:
                    found.add(launch.group)
                known |= lookups
        return found

    def _bound(self) -> list[Launch]:
        """The launches, their memory named by where it will be."""
        return [
            Launch(x.spec, [self.home.get(m, m) for m in x.memory], x.group) for x in self.launches
        ]

    def _touched(self, group: Group) -> tuple[set[Memory], set[Memory]]:
        layouts = self.fusion.layouts
        reads = {memory_of(layouts.home(root)[0]) for root in _roots(group)}
        writes = {memory_of(layouts.home(v)[0]) for v in group.members}
        return {self.home.get(m, m) for m in reads}, {self.home.get(m, m) for m in writes}

    def _arena(self, touches: dict) -> None:
        lives: dict[Memory, tuple[int, int]] = {}
        for step, epoch in zip(self.order.steps, self.order.epochs()):
            used = set().union(*touches[step]) if isinstance(step, int) else set(step.memory)
            for memory in used:
                first, _ = lives.get(memory, (epoch, epoch))
                lives[memory] = first, epoch
        end = len(self.order.steps)
        for _, value in self.graph.stores:  # what is not in its place yet is copied there at last
            memory = ("value", value.number)
            if memory in lives:
                lives[memory] = lives[memory][0], end
        values = {("value", v.number): v for v in self.graph.values}
        lives = {m: life for m, life in lives.items() if m[0] in ("value", "work")}
        constants = {m: v for m, v in values.items() if m in lives and v.op == "array"}
        sizes = {
            m: m[3] if m[0] == "work" else values[m].size * size_of(values[m].kind)
            for m in lives
            if m not in constants
        }
        offsets, length = plan(sizes, lives)
        self.arena = np.empty(length + ALIGN, np.uint8)
        base = -(-self.arena.ctypes.data // ALIGN) * ALIGN
        self.addresses = {m: base + at for m, at in offsets.items()}
        self.constants = {
            m: np.frombuffer(v.attr[0], NUMPY[v.kind]).copy() for m, v in constants.items()
        }
        self.addresses |= {m: a.ctypes.data for m, a in self.constants.items()}
        self.base, self.offsets = base, offsets

    # ------------------------------------------------------------ code

    def specs(self) -> list[Any]:
        """Every kernel that the program needs."""
        return list(dict.fromkeys(at_start(launch.spec)[0] for launch in self.launches))

    def load(self) -> Program:
        """Makes it ready to run."""
        code.load(self.specs())
        self.forms = [(v.shape, NUMPY[v.kind]) for v in self.graph.outputs]
        self.segments: list[Any] = []
        run: list[tuple[Launch, bool]] = []
        for step, barrier in zip(self.order.steps, self.order.barriers):
            if isinstance(step, int):
                self._close(run)
                self.segments.append(self._host(self.hosts[step]))
            else:
                run.append((step, barrier))
        self._close(run)
        self.copies = [
            (position, self._reader(value))
            for position, value in self.graph.stores
            if value.size and self.home.get(("value", value.number), ("",))[0] != "input"
        ]
        return self

    def _close(self, run: list[tuple[Launch, bool]]) -> None:
        """A native segment of the launches so far."""
        if not run:
            return
        slots: dict[Memory, int] = {("error",): 0}
        for launch, _ in run:
            for memory in launch.memory:
                slots.setdefault(memory, len(slots))
        commands = []
        for launch, barrier in run:
            spec, starts = at_start(launch.spec)
            places = tuple([slots[m] for m in launch.memory])
            address = code.address(spec)
            commands.append(runtime.Command(address, places, spec.threads, barrier, starts))
        fixed = {slots[m]: a for m, a in self.addresses.items() if m in slots}
        outside = [m for m in slots if m[0] in ("input", "output")]
        call = runtime.program(
            commands, len(slots), fixed, tuple([slots[m] for m in outside]), keep=self.arena
        )
        picked = [(m[0] == "output", m[1]) for m in outside]

        def segment(arrays: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> None:
            if call(*[outputs[i] if out else arrays[i] for out, i in picked]):
                raise Fault

        self.segments.append(segment)
        run.clear()

    def _host(self, group: Group) -> Any:
        made, readers = group.top.attr[0], [self._reader(v) for v in group.top.inputs]
        writers = [self._reader(v) for v in group.members]

        def segment(arrays: Sequence[np.ndarray], outputs: Sequence[np.ndarray]) -> None:
            given = [read(arrays, outputs) for read in readers]
            found = made.function(numerics, *[filled(a, given) for a in made.args])
            found = found if isinstance(found, tuple) else (found,)
            for write, result in zip(writers, found):
                write(arrays, outputs)[...] = result

        return segment

    def _reader(self, value: Value) -> Any:
        """A function (inputs, outputs) -> the value as an array."""
        at = self.fusion.layouts.seen(value)
        home, start = self.fusion.layouts.home(at.root)
        at = Access(home, start + at.offset, at.strides)
        memory = self.home.get(memory_of(home), memory_of(home))
        dtype = NUMPY[value.kind]
        if memory[0] in ("input", "output"):
            position, from_outputs = memory[1], memory[0] == "output"
            return lambda arrays, outputs: _seen(
                (outputs if from_outputs else arrays)[position], at, value.shape
            )
        if memory in self.constants:
            whole = self.constants[memory]
        else:
            start = self.addresses[memory] - self.arena.ctypes.data
            whole = self.arena[start : start + at.root.size * dtype.itemsize].view(dtype)
        view = _seen(whole, at, value.shape)
        return lambda arrays, outputs: view

    # ------------------------------------------------------------ running

    def __call__(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Runs it."""
        outputs = [np.empty(shape, dtype) for shape, dtype in self.forms]
        with self._lock:
            for segment in self.segments:
                segment(arrays, outputs)
            for position, read in self.copies:
                arrays[position][...] = read(arrays, outputs)
        return outputs


def _unchecked(graph: Graph) -> None:
    pass


def _roots(group: Group) -> list[Value]:
    """What the head of a group reads, without views."""
    found = []
    for v in group.top.inputs:
        while v.inputs and v.op in ("reshape", "permute", "expand", "slice"):
            (v,) = v.inputs
        found.append(v)
    return found


def _seen(array: np.ndarray, at: Access, shape: tuple[int, ...]) -> np.ndarray:
    """A view into an array's memory."""
    flat = as_strided(array, (1,), (0,)) if array.size else array.reshape(-1)
    if at.offset:
        flat = as_strided(array, (at.offset + 1,), (array.itemsize,))[at.offset :]
    return as_strided(flat, shape, tuple(s * array.itemsize for s in at.strides))


def compile(trace: Trace, arrays: Sequence[np.ndarray], checked: bool = False) -> Program:
    """The program of a trace, for inputs like `arrays`; `Unlowerable` if there can be none.

    `checked` verifies the graph after every pass.
    """
    return Program(translate(trace), strides_of(arrays), checked).load()


def compile_soon(
    trace: Trace, arrays: Sequence[np.ndarray], when_done: Callable[[Any, float], object]
) -> None:
    """Compiles in the background, then calls `when_done` there with the program, or the reason why
    there is none (an `Unlowerable`), and the seconds it took.
    """
    strides = strides_of(arrays)

    def job() -> None:
        started = time.perf_counter()
        found: Any
        try:
            found = Program(translate(trace), strides).load()
        except Unlowerable as reason:
            found = reason
        when_done(found, time.perf_counter() - started)

    background.add(job)


def strides_of(arrays: Sequence[np.ndarray]) -> list[tuple[int, ...]]:
    """The strides of arrays in elements, 0 along axes of length 1."""
    return [
        tuple(0 if n == 1 else s // a.itemsize for n, s in zip(a.shape, a.strides)) for a in arrays
    ]
