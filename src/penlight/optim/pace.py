"""What a step needs from Python: the numbers that change from one step to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .options import plain
from .state import advance
from .sweep import pulled

if TYPE_CHECKING:
    from .optimizer import Optimizer


def _is_fixed(option: Any) -> bool:
    """Whether an option changes by being replaced only (the list of parameters is guarded)."""
    if isinstance(option, tuple):
        return all(map(_is_fixed, option))
    return option is None or isinstance(option, (bool, int, float, str, list))


class Pace:
    """How one group steps now: formula, switches, moments in use, and each parameter's numbers.

    Made for every step. A captured step keeps it and calls `begin` before each replay: options,
    such as the learning rate, are then read anew. Where `formula`, `switches` or `moments` (None
    for one not in use) have become others, so has the program.
    """

    __slots__ = (
        "_known",
        "_steady",
        "_values",
        "formula",
        "group",
        "moments",
        "optimizer",
        "options",
        "remembers",
        "switches",
    )

    def __init__(self, optimizer: Optimizer, group: dict[str, Any]) -> None:
        self.optimizer, self.group = optimizer, group
        self.begin()

    def renew(self) -> None:
        """Begins another step: options are read anew where one may have changed."""
        if self._steady and [*self.group.values()] == self._values:
            if self.optimizer.scalar_state:
                self._known.clear()
        else:
            self.begin()

    def begin(self) -> None:
        """Reads the group's options as they are now."""
        self._values = [*self.group.values()]
        self._steady = all(map(_is_fixed, self.group.values()))
        self.options = options = {n: plain(v) for n, v in self.group.items() if n != "params"}
        self._known: dict[float, dict[str, float]] = {}
        optimizer = self.optimizer
        self.switches = {name: bool(options[name]) for name in optimizer.switches}
        named = [moment.partition(" if ") for moment in optimizer.moments]
        self.moments = [
            name if not option or options[option] else None for name, _, option in named
        ]
        self.remembers = bool(optimizer.scalar_state) or any(self.moments)
        self.formula: Any = optimizer.formula
        uphill, decays = bool(options.get("maximize")), options.get("weight_decay", 0) != 0
        if uphill or decays:
            decoupled = bool(options.get("decoupled_weight_decay"))
            self.formula = pulled(optimizer.formula, uphill, decays, decoupled)

    @property
    def shared(self) -> bool:
        """Whether all parameters have the same numbers, because nothing is counted in state."""
        return not self.optimizer.scalar_state

    def numbers(self, state: dict[str, Any]) -> dict[str, float]:
        """Counts the step in a parameter's state and returns the step's numbers.

        They follow from options and count, so that parameters at the same count have them in
        common, unless the state holds more scalars than the count.
        """
        counted = self.optimizer.scalar_state
        t = advance(state["step"]) if counted else 0
        found = self._known.get(t)
        if found is None:
            others = {name: state[name] for name in counted[1:]}
            made = self.optimizer.numbers(t, **self.options, **others)
            decay = self.options.get("weight_decay", 0)
            if decay != 0:
                decoupled = self.options.get("decoupled_weight_decay")
                made["pull"] = 1 - self.options["lr"] * decay if decoupled else decay
            found = {name: float(number) for name, number in made.items()}  # no NumPy scalars
            if not others:
                self._known[t] = found
        return found
