"""All parameters of a step at once: one native call instead of a formula for each.

The first steps go parameter by parameter (`sweep`). When some steps in a row have done the same
with the same memory, their formulas become one program, compiled in the background. It has the
same bits: formulas are exact in IEEE arithmetic, operation by operation. From then on a step
checks that everything is as it was, does Python's share (the counts, the numbers) and runs it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import proxy

import numpy as np

from ..compiler import numerics
from ..compiler.trace import Call, Ref, Trace
from ..core.tensor import Tensor, written
from .pace import Pace

if TYPE_CHECKING:
    from .optimizer import Optimizer

PATIENCE = 3  # equal steps before a program is worth its making


class Applied(NamedTuple):
    """One parameter's step, as `apply` made it; `tensors` are (gradient, parameter, *moments)."""

    pace: Pace
    state: dict[str, Any]
    tensors: list[Tensor | None]
    numbers: dict[str, float]
    switches: dict[str, bool]

    def signature(self) -> tuple:
        """What must be equal for a step to be the same again."""
        memory = [None if t is None else id(t._array) for t in self.tensors[1:]]
        return self.pace.formula, tuple(self.switches.items()), *memory


class Together:
    """What an optimizer knows about its steps so far."""

    def __init__(self) -> None:
        self.seen: list = []
        self.times, self.patience = 0, PATIENCE
        self.plan: Plan | None = None

    def saw(self, optimizer: Optimizer, calls: list[Applied]) -> None:
        """Takes note of a step that went parameter by parameter."""
        if self.plan is not None or not numerics.available():
            return
        now = [call.signature() for call in calls]
        self.times = self.times + 1 if now == self.seen else 1
        self.seen = now
        if self.times == self.patience and _suitable(calls):
            self.plan = Plan(optimizer, calls)

    def step(self, optimizer: Optimizer) -> bool:
        """Makes a step by the program, if there is one and it fits; says whether it did."""
        plan = self.plan
        if plan is None or plan.program is None:
            return False
        gradients = plan.gradients(optimizer)
        if gradients is None:
            self.plan, self.seen = None, []
            self.patience *= 2  # where steps keep changing, programs are not worth their making
            return False
        plan(gradients)
        return True


def _suitable(calls: list[Applied]) -> bool:
    """Whether all elements are of types that kernels know, and what is written lies apart."""
    used = [t._array for call in calls for t in call.tensors if t is not None]
    changed = [t._array for call in calls for t in call.tensors[1:] if t is not None]
    places = sorted(np.lib.array_utils.byte_bounds(a) for a in changed if a.size)
    return (
        bool(used)
        and all(a.dtype.char in numerics.KINDS and a.dtype.isnative for a in used)
        and all(a.flags.writeable and type(a) is np.ndarray for a in changed)
        and all(end <= start for (_, end), (start, _) in pairwise(places))
    )


class _Numbers:
    """The numbers that some parameters have in common: those at the same count."""

    __slots__ = ("pace", "room", "states", "values")

    def __init__(self, pace: Pace, values: dict[str, float]):
        self.pace, self.values = pace, values
        self.room = np.array([*values.values()], np.float64)
        self.states: list[dict[str, Any]] = []

    def agree(self) -> bool:
        """Whether the parameters are at the same count still."""
        first, *others = self.states
        if not others or self.pace.shared:
            return True
        t = first["step"]._array.item()
        return all([state["step"]._array.item() == t for state in others])

    def renew(self) -> None:
        """Counts the step, and puts its numbers where the program reads them."""
        pace, values = self.pace, self.values
        for state in self.states:
            values = pace.numbers(state)
            if pace.shared:
                break
        if values is not self.values:
            self.values = values
            self.room[:] = (*values.values(),)


class _Entry:
    """What must be true of a parameter: its memory, its state, the form of its gradient.

    No gradient, no form.
    """

    __slots__ = ("array", "form", "memory", "p", "state")

    def __init__(self, p: Tensor, pace: Pace, call: Applied | None):
        self.p, self.array = p, p._array
        self.form: tuple | None = None
        self.state: dict[str, Any] | None = None
        self.memory: list = []
        if call is not None:
            g: Any = call.tensors[0]
            self.form = g._array.shape, g._array.dtype, g._array.strides
            if pace.remembers:
                self.state = call.state
                named = zip(pace.moments, call.tensors[2:])
                self.memory = [(name, t._array) for name, t in named if t is not None]

    def holds(self, states: dict) -> bool:
        """Whether parameter and moments are where they were."""
        if self.p._array is not self.array:
            return False
        if self.state is None:
            return True
        now = states.get(self.p)
        return now is self.state and all(
            [getattr(now.get(name), "_array", None) is array for name, array in self.memory]
        )


class Plan:
    """A step's program, and the memory that it was made for.

    `groups`  per parameter group: (pace, formula, switches, moments, entries of the parameters)
    """

    def __init__(self, optimizer: Optimizer, calls: list[Applied]):
        self.program: Any = None
        self.paces = {id(g): Pace(proxy(optimizer), g) for g in optimizer.param_groups}
        self.numbers: dict[int, _Numbers] = {}
        self.roots: list[Tensor] = []
        self.owned: set[int] = set()  # arrays whose memory the step writes to
        self.arrays: list[np.ndarray] = []  # the program's inputs behind the gradients
        self._build(calls)
        self._note_groups(optimizer, {id(call.tensors[1]): call for call in calls})

    # ------------------------------------------------------------ making it

    def _build(self, calls: list[Applied]) -> None:
        """The trace of the step, handed to the compiler."""
        from ..compiler.program import compile_soon

        trace = Trace()
        gradients: list = [call.tensors[0]._array for call in calls]  # type: ignore[union-attr]
        refs = [self._input(trace, g) for g in gradients]
        shared: dict[int, list[Ref]] = {}
        for call, gradient in zip(calls, refs):
            key = id(call.numbers)
            if key not in shared:
                made = _Numbers(self.paces[id(call.pace.group)], call.numbers)
                self.numbers[key] = made
                cells = [made.room[i : i + 1].reshape(()) for i in range(len(made.room))]
                shared[key] = [self._input(trace, cell, keep=True) for cell in cells]
            self.numbers[key].states.append(call.state)
            self._add(trace, call, gradient, shared[key])
        compile_soon(trace, gradients + self.arrays, self._ready)

    def _input(self, trace: Trace, array: np.ndarray, keep: bool = False) -> Ref:
        number = trace.value(array.dtype, array.shape)
        trace.inputs.append(number)
        if keep:
            self.arrays.append(array)
        return Ref(number)

    def _add(self, trace: Trace, call: Applied, gradient: Ref, numbers: list[Ref]) -> None:
        """One parameter's formula as a call of the trace."""
        from ..capture.tracer import step

        given: list[Ref | None] = [gradient]
        results = []
        for t in call.tensors[1:]:
            if t is None:
                given.append(None)
                continue
            position = len(trace.inputs)
            given.append(self._input(trace, t._array, keep=True))
            results.append(trace.value(t._array.dtype, t._array.shape))
            trace.stores.append((position, results[-1]))
            self.roots.append(t if t._root is None else t._root)
            array = t._array
            while isinstance(array, np.ndarray):
                self.owned.add(id(array))
                array = array.base
        args = (
            call.pace.formula, tuple(call.switches.items()), tuple(call.numbers), len(given),
            *given, *numbers,
        )  # fmt: skip
        trace.calls.append(Call("step", step, args, tuple(results)))

    def _note_groups(self, optimizer: Optimizer, made: dict[int, Applied]) -> None:
        self.groups = []
        for group in optimizer.param_groups:
            pace = self.paces[id(group)]
            entries = [_Entry(p, pace, made.get(id(p))) for p in group["params"]]
            self.groups.append((pace, pace.formula, pace.switches, pace.moments, entries))

    def _ready(self, program: Any, seconds: float) -> None:
        if not isinstance(program, Exception) and not program.hosts:
            self.program = program

    # ------------------------------------------------------------ a step

    def gradients(self, optimizer: Optimizer) -> list[np.ndarray] | None:
        """The gradients' arrays, if all is as it was; nothing is changed so far."""
        if [id(group) for group in optimizer.param_groups] != list(self.paces):
            return None
        found: list[np.ndarray] = []
        states, owned = optimizer.state, self.owned
        for pace, formula, switches, moments, entries in self.groups:
            params = pace.group["params"]
            if len(params) != len(entries):
                return None
            for p, entry in zip(params, entries):
                if p._grad is None and entry.form is None:
                    continue
                if p is not entry.p or p._grad is None or not entry.holds(states):
                    return None
                g = p._grad._array
                owner = g if g.base is None else g.base
                if (
                    (g.shape, g.dtype, g.strides) != entry.form
                    or id(owner) in owned or type(owner) is not np.ndarray or owner.base is not None
                ):  # fmt: skip
                    return None
                found.append(g)
            pace.renew()
            if pace.formula is not formula or pace.switches != switches or pace.moments != moments:
                return None
        return found if all([numbers.agree() for numbers in self.numbers.values()]) else None

    def __call__(self, gradients: list[np.ndarray]) -> None:
        """The step."""
        for numbers in self.numbers.values():
            numbers.renew()
        self.program(gradients + self.arrays)
        for root in self.roots:
            if root._node is None:
                root._writes += 1
            else:
                written(root)
