"""When a program may run: all that it takes for granted, in one generated function.

The function is straight-line code without calls where nothing has changed: it compares identities
and returns the program's input arrays, or None. `reason` then says in words what is otherwise.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from ..core import dtype as dtypes
from ..core.tape import changes, modes
from ..core.tensor import Tensor
from ..core.watch import shared_hooks
from .reads import Read, Reads, is_plain, same, snapshot
from .sources import Argument, Fixed, Grad, Stored
from .tracer import Numbers, Tracer, owner


class Form:
    """What a tensor must be like: its class, type, shape, strides, and whether it is trained."""

    __slots__ = ("dtype", "kind", "requires_grad", "shape", "strides", "words")

    def __init__(self, t: Tensor, words: str):
        self.kind, self.words = type(t), words
        array = t._array
        self.dtype, self.shape, self.strides = array.dtype, array.shape, array.strides
        self.requires_grad = t.requires_grad

    def reason(self, t: Tensor) -> str:
        """What differs, in words; nothing, if nothing does."""
        array, words = t._array, self.words
        for what, old, new in (
            ("class", self.kind.__name__, type(t).__name__),
            ("shape", self.shape, array.shape),
            ("dtype", self.dtype, array.dtype),
            ("requires_grad", self.requires_grad, t.requires_grad),
            ("strides", self.strides, array.strides),
        ):
            if old != new:
                return f"{words}: {what} {old} became {new}"
        return f"{words} has gradient hooks" if has_hooks(t) else ""


def has_hooks(t: Tensor) -> bool:
    """Whether anything runs when the gradient of `t` is known."""
    return t._hooks is not None and any(t._hooks.values())


class Modules:
    """The layers that took part, as they were."""

    def __init__(self, modules: list):
        self.modules = modules
        self.count = changes[0]
        self.kept = [self._parts(m) for m in modules]

    @staticmethod
    def _parts(module: Any) -> list:
        own = vars(module)
        return [
            (name, snapshot(value) if name.startswith("_") else value)
            for name, value in own.items()
        ]

    def hold(self) -> bool:
        """Whether they still are; said again for the present count of changes."""
        if self.count == changes[0]:
            return True
        count = changes[0]
        if self.reason():
            return False
        self.count = count
        return True

    def reason(self) -> str:
        """What has changed, in words."""
        for module, kept in zip(self.modules, self.kept):
            now = self._parts(module)
            if not same(now, kept):
                old, new = dict(kept), dict(now)
                name = next((n for n in (*old, *new) if not same(old.get(n), new.get(n))), "parts")
                shown = f": {old.get(name)} became {new.get(name)}" if name == "training" else ""
                return f"{type(module).__name__}.{name} changed{shown}"
        return ""


class Guards:
    """The checks of one program."""

    def __init__(self, form: Any, tensors: list[Tensor], others: list, names: list[str]):
        self.form, self.others = form, list(others)
        self.forms = [Form(t, name) for t, name in zip(tensors, names)]
        self.modes = modes_now()
        self.reads: list[Read] = []
        self.modules = Modules([])
        self.stored: list[tuple[int, Stored, Form]] = []
        self.grads: list[tuple[Tensor, Form | None]] = []
        self.repeats: list[tuple[int, int]] = []
        self.aliases: list = []
        self.paces: list = []
        self.sources: list = []
        self.seen: list = []
        self.written: list[int] = []
        self.owners: set[int] = set()
        self.check: Callable = self._generated()

    def complete(self, tracer: Tracer, reads: Reads, stores: list[tuple[int, int]]) -> None:
        """Adds what the recording found out."""
        self.sources = tracer.sources
        for position, source in enumerate(self.sources):
            if type(source) is Stored:
                self.stored.append((position, source, Form(source.tensor, "a tensor")))
        for gradient in tracer.grads.values():
            if gradient.read and id(gradient.leaf) not in tracer.fresh:
                before = gradient.before
                form = None if before is None else Form(before, "a gradient")
                self.grads.append((gradient.leaf, form))
        self.repeats, self.aliases = tracer.repeats, tracer.aliases
        for action in tracer.actions:
            if isinstance(action, Numbers):
                self._optimizer(action, reads)
        self.reads = reads.checks()
        if reads.modules:
            self.modules = Modules([*reads.modules.values(), *shared_hooks])
        self.written = [position for position, _ in stores]
        self.seen = [None] * len(self.sources)
        self.check = self._generated()

    def _optimizer(self, action: Numbers, reads: Reads) -> None:
        """An optimizer's groups and state must be the ones that were there."""
        pace = action.pace
        optimizer, own = pace.optimizer, vars(pace.optimizer)
        self.paces.append((pace, pace.formula, dict(pace.switches), list(pace.moments)))
        reads.entry(own, "state", own["state"], "the optimizer's state")
        for name in ("_optimizer_step_pre_hooks", "_optimizer_step_post_hooks"):
            reads.inside(own[name], "the optimizer's hooks")
        groups = own["param_groups"]
        reads.found[id(own), "param_groups"] = Read(
            "item", own, "param_groups", groups, "the optimizer's groups"
        )
        at = next(i for i, group in enumerate(groups) if group is pace.group)
        reads.found[id(groups), at] = Read("item", groups, at, pace.group, "the optimizer's groups")
        params = pace.group["params"]
        reads.entry(pace.group, "params", params, "the optimizer's parameters")
        for state, (p, *moments) in zip(action.states, action.tensors):
            if state:
                reads.entry(optimizer.state, p, state, "the optimizer's state")
            for name, moment in zip(pace.moments, moments):
                if name is not None:
                    reads.entry(state, name, moment, f"the optimizer's {name}")

    # ------------------------------------------------------------ the function

    def _generated(self) -> Callable:
        lines, names = ["def check(T, O):"], Names()
        add = lines.append
        mode = " or ".join(
            f"modes.{n} is not {v}" for n, v in zip(("grad", "inference"), self.modes)
        )
        add(f" if {mode} or dtypes._default is not {names(self.modes[2])}: return None")
        for i, form in enumerate(self.forms):
            shape, kind, strides = names(form.shape), names(form.kind), names(form.strides)
            add(f" t = T[{i}]; a{i} = t._array")
            add(
                f" if a{i}.shape != {shape} or a{i}.dtype is not {names(form.dtype)} or "
                f"a{i}.strides != {strides} or t.__class__ is not {kind} or (t._hooks is not None "
                f"and has_hooks(t)) or (t._requires_grad if t._view is None else t.requires_grad) "
                f"is not {form.requires_grad}: return None"
            )
        for i, value in enumerate(self.others):
            add(f" o = O[{i}]")
            add(f" if o is not {names(value)} and not same(o, {names(value)}): return None")
        for i, j in self.repeats:
            add(f" if T[{i}] is not T[{j}]: return None")
        if self.modules.modules:
            m = names(self.modules)
            add(f" if {m}.count != changes[0] and not {m}.hold(): return None")
        for read in self.reads:
            self._read(add, names, read)
        for leaf, before in self.grads:
            add(f" g = {names(leaf)}._grad")
            add(f" if g is {'not ' if before is None else ''}None: return None")
            if before is not None:
                add(f" if {names(before)}.reason(g): return None")
        for position, source, form in self.stored:
            t = names(source.tensor)
            add(f" a = {t}._array")
            add(f" if a is not seen[{position}] and not refit({position}, a): return None")
            add(
                f" if {t}._requires_grad is not {form.requires_grad} and {t}.requires_grad is not "
                f"{form.requires_grad} or {t}._hooks is not None and has_hooks({t}): return None"
            )
        for t, source in self.aliases:
            add(f" if {self._array(names, t)} is not {self._source(names, source)}: return None")
        for pace in self.paces:
            add(f" if not begun(*{names(pace)}): return None")
        lines += self._overlaps(names)
        listed = [self._source(names, i) for i in range(len(self.sources))]
        add(f" return [{', '.join(listed)}]")
        space = names.values | {
            "modes": modes, "dtypes": dtypes, "same": same, "changes": changes,
            "has_hooks": has_hooks, "seen": self.seen, "refit": self._refit, "begun": begun,
            "owner": owner, "owners": self.owners, "is_": operator.is_,
        }  # fmt: skip
        self.text = "\n".join(lines)
        exec(self.text, space)
        check = space["check"]

        def careful(tensors: list, others: list) -> list | None:
            try:
                return check(tensors, others)
            except (LookupError, ValueError, AttributeError):
                return None  # something is gone

        return careful if self.reads else check

    @staticmethod
    def _read(add: Callable, names: Names, read: Read) -> None:
        """One comparison by identity; only where that fails, values are compared."""
        holder = names(read.holder)
        if read.how == "content":
            kept = names(read.value)
            if not len(read.holder):
                add(f" if {holder}: return None")
                return
            parts = f"{holder}, {kept}.keys"
            if isinstance(read.holder, dict):
                parts += f")) and all(map(is_, {holder}.values(), {kept}.values"
            add(f" if len({holder}) != {len(read.holder)} or not (all(map(is_, {parts}))")
            add(f"  or {names(read)}.holds()): return None")
            return
        if read.how == "item":
            add(f" v = {holder}[{names(read.key)}]")
        elif read.how == "cell":
            add(f" v = {holder}.cell_contents")
        else:
            add(f" v = {holder}.{read.key}")
        value = names(read.value)
        known = f" and not same(v, {value})" if is_plain(read.value) else ""
        add(f" if v is not {value}{known}: return None")

    def _source(self, names: Names, position: int) -> str:
        source = self.sources[position]
        if type(source) is Argument:
            return f"a{source.position}"
        if type(source) is Stored:
            return f"{names(source.tensor)}._array"
        if type(source) is Grad:
            return f"{names(source.leaf)}._grad._array"
        return names(source.array) if type(source) is Fixed else "None"

    def _array(self, names: Names, t: Tensor) -> str:
        return f"{names(t)}._array"

    def _overlaps(self, names: Names) -> list[str]:
        """Where memory is written, no other input may share it."""
        lines: list[str] = []
        if not self.written:
            return lines
        arguments = [(i, s.position) for i, s in enumerate(self.sources) if type(s) is Argument]
        if any(type(self.sources[i]) is Argument for i in self.written):
            everything = ", ".join(self._source(names, i) for i in range(len(self.sources)))
            lines.append(f" if overlapping([{everything}], {names(self.written)}): return None")
            names.values["overlapping"] = overlapping
            return lines
        for _, position in arguments:
            a = f"a{position}"
            lines.append(f" if id({a} if {a}.base is None else owner({a})) in owners: return None")
        return lines

    def _refit(self, position: int, array: Any) -> bool:
        """A stored tensor has other memory now: does it fit, and overlap nothing written?"""
        form = next(f for i, _, f in self.stored if i == position)
        if (
            array.shape != form.shape
            or array.dtype is not form.dtype
            or array.strides != form.strides
        ):
            return False
        self.seen[position] = array
        stored = [(i, s.tensor._array) for i, s, _ in self.stored]
        mine = [a for i, a in stored if i in self.written]
        self.owners.clear()
        self.owners.update(id(owner(a)) for a in mine)
        if position in self.written or id(owner(array)) in self.owners:
            places = [i for i, _ in stored]
            return not overlapping(
                [a for _, a in stored], [places.index(i) for i, _ in stored if i in self.written]
            )
        return True

    # ------------------------------------------------------------ in words

    def reason(self, form: Any, tensors: list[Tensor], others: list) -> str:
        """What is otherwise now than when the program was recorded."""
        if form != self.form:
            return "the number, kinds or names of the arguments changed"
        if modes_now() != self.modes:
            return "grad mode, inference mode or the default dtype changed"
        for f, t in zip(self.forms, tensors):
            if f.reason(t):
                return f.reason(t)
        for old, new in zip(self.others, others):
            if not same(old, new):
                return f"an argument: {old!r} became {new!r}"
        if self.modules.reason():
            return self.modules.reason()
        for read in self.reads:
            if not read.holds():
                return read.reason()
        for leaf, form_ in self.grads:
            if (leaf._grad is None) is not (form_ is None):
                return "a parameter's .grad was " + ("None" if form_ is None else "there")
        for _, source, f in self.stored:
            if f.reason(source.tensor):
                return f.reason(source.tensor)
        return "an optimizer's options, or which tensors share memory, changed"


class Names:
    """Objects as names in generated code."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.known: dict[int, str] = {}

    def __call__(self, value: Any) -> str:
        """The name of an object."""
        name = self.known.get(id(value))
        if name is None:
            name = self.known[id(value)] = f"v{len(self.known)}"
            self.values[name] = value
        return name


def modes_now() -> tuple:
    """The modes that a program depends on."""
    return modes.grad, modes.inference, dtypes.get_default_dtype()


def begun(pace: Any, formula: Any, switches: dict, moments: list) -> bool:
    """Reads an optimizer's options as they are now; whether its formula is still the same."""
    pace.renew()
    return pace.formula is formula and pace.switches == switches and pace.moments == moments


def overlapping(arrays: list, written: list[int]) -> bool:
    """Whether memory that is written is shared with another input."""
    owners = [None if a is None else id(owner(a)) for a in arrays]
    for i in written:
        for j, other in enumerate(owners):
            if other == owners[i] and i != j:
                import numpy as np

                if np.may_share_memory(arrays[i], arrays[j]):
                    return True
    return False
