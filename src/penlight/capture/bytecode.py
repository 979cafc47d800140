"""What a Python function reads and overwrites outside of itself, found in its bytecode.

A *chain* is a name and the attributes and constant items read from it: `self.cfg["width"]` is
`Chain("fast", "self", (".cfg", "[width"))`.
"""

from __future__ import annotations

import dis
from types import CodeType
from typing import Any, NamedTuple


class Chain(NamedTuple):
    """A name ("fast": local, "cell": of an enclosing function, "global") and a path from it."""

    kind: str
    name: str
    path: tuple[tuple[str, Any], ...] = ()  # ("attribute", name) or ("item", key)

    def text(self) -> str:
        """As it stands in the source."""
        steps = (f".{key}" if how == "attribute" else f"[{key!r}]" for how, key in self.path)
        return self.name + "".join(steps)


class Write(NamedTuple):
    """A place where something is overwritten: what holds it (None: hard to say), and how."""

    holder: Chain | None
    attribute: str | None  # None: an item
    line: int


class Scan:
    """What was found in one function."""

    def __init__(self, code: CodeType):
        self.code = code
        self.steps = list(dis.get_instructions(code))
        self.lines = self._lines()
        self.reads: set[Chain] = set()
        self.writes: list[Write] = []
        self.refusal: tuple[str, int] | None = None
        self.sources: dict[str, list[int]] = {}  # local name -> where it is assigned
        for at, step in enumerate(self.steps):
            self._look(at, step)

    def _lines(self) -> list[int]:
        found, line = [], self.code.co_firstlineno
        for step in self.steps:
            positions = step.positions
            if positions is not None and positions.lineno is not None:
                line = positions.lineno
            found.append(line)
        return found

    def _look(self, at: int, step: dis.Instruction) -> None:
        name, line = step.opname, self.lines[at]
        if name in ("STORE_GLOBAL", "DELETE_GLOBAL"):
            self._refuse(f"the global variable {step.argval!r} is set", line)
        elif name in ("STORE_DEREF", "DELETE_DEREF"):
            if step.argval in self.code.co_freevars:
                self._refuse(f"the variable {step.argval!r} of the enclosing function is set", line)
        elif name in ("STORE_ATTR", "DELETE_ATTR"):
            self.writes.append(Write(self._holder(at, 1), step.argval, line))
        elif name == "DELETE_SUBSCR" or name == "STORE_SUBSCR":
            self.writes.append(Write(self._holder(at, 2), None, line))
        elif name == "STORE_FAST":
            self.sources.setdefault(step.argval, []).append(at)
        elif name == "STORE_SLICE":
            self.writes.append(Write(None, None, line))
        elif name.startswith("LOAD_"):
            chain = self.chain_ending(at)
            if chain is not None:
                self.reads.add(chain)

    def _refuse(self, reason: str, line: int) -> None:
        if self.refusal is None:
            self.refusal = reason, line

    # ------------------------------------------------------------ expressions

    def _holder(self, at: int, depth: int) -> Chain | None:
        """What is written to by the instruction there; `depth`: 1 for attributes, 2 for items.

        In `x.a += 1` and `x[i] += 1`, holder (and key) were copied before the old value was read.
        """
        end = at - 1
        if self.steps[end].opname == "SWAP":
            while end > 0 and not (
                self.steps[end].opname == "COPY" and self.steps[end].arg == depth
            ):
                end -= 1
            end -= depth
        return self.chain_ending(end if depth == 1 else self.before_expression(end))

    def chain_ending(self, at: int) -> Chain | None:
        """The chain that the instruction there completes."""
        path: list = []
        while at >= 0:
            step = self.steps[at]
            name = step.opname
            if name in ("LOAD_ATTR", "LOAD_METHOD"):
                path.insert(0, ("attribute", step.argval))
                at -= 1
            elif name == "BINARY_SUBSCR" and self.steps[at - 1].opname == "LOAD_CONST":
                path.insert(0, ("item", self.steps[at - 1].argval))
                at -= 2
            elif name in ("COPY", "SWAP") or name not in ROOTS:
                return None
            else:
                kind = ROOTS[name]
                if kind == "cell" and step.argval not in self.code.co_freevars:
                    kind = "fast"
                return Chain(kind, step.argval, tuple(path))
        return None

    def before_expression(self, at: int) -> int:
        """The last instruction before the expression that ends there."""
        missing = 1
        while at >= 0:
            step = self.steps[at]
            if step.opcode in JUMPS:
                return -1
            missing -= dis.stack_effect(step.opcode, step.arg)
            at -= 1
            if missing <= 0:
                break
        return at

    def at_offset(self, offset: int) -> int:
        """The number of the instruction at an offset of the code."""
        for number, step in enumerate(self.steps):
            if step.offset == offset:
                return number
        return -1

    def is_own(self, name: str) -> bool:
        """Whether a local name always holds a container that the function itself made."""
        places = self.sources.get(name, [])
        return bool(places) and all(self._makes(at - 1) for at in places)

    def _makes(self, at: int) -> bool:
        """Whether the expression that ends there is a new container."""
        name = self.steps[at].opname
        if name in ("BUILD_LIST", "BUILD_MAP", "BUILD_SET", "BUILD_CONST_KEY_MAP", "LIST_EXTEND",
                    "DICT_UPDATE", "SET_UPDATE", "DICT_MERGE"):  # fmt: skip
            return True
        start = self.before_expression(at) + 1
        while self.steps[start].opname in ("PUSH_NULL", "PRECALL"):
            start += 1
        first = self.steps[start]
        if name == "BINARY_OP":
            return first.opname == "BUILD_LIST"
        if name == "CALL":
            return (
                first.opname == "MAKE_FUNCTION"
                or first.argval in CONTAINERS
                or (self.steps[start + 1].opname == "MAKE_FUNCTION")
            )
        return False


ROOTS = {
    "LOAD_FAST": "fast", "LOAD_FAST_CHECK": "fast", "LOAD_FAST_BORROW": "fast",
    "LOAD_DEREF": "cell", "LOAD_CLASSDEREF": "cell", "LOAD_FROM_DICT_OR_DEREF": "cell",
    "LOAD_GLOBAL": "global", "LOAD_NAME": "global",
}  # fmt: skip
JUMPS = {*dis.hasjrel, *dis.hasjabs}
CONTAINERS = {"list", "dict", "set", "defaultdict", "deque", "OrderedDict", "Counter"}

_scans: dict[CodeType, Scan] = {}


def scan(code: CodeType) -> Scan:
    """What a function's bytecode tells; kept, for the functions of a program are met often."""
    found = _scans.get(code)
    if found is None:
        if len(_scans) > 4096:
            _scans.clear()
        found = _scans[code] = Scan(code)
    return found
