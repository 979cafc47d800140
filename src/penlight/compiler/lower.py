"""From a group of values to the kernels that compute it: specs, and which memory each works on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

from .ir import Malformed, Shape, Value, contiguous
from .kernels import attention_structure, convolution_structure, scatter  # noqa: F401
from .kernels.loops import Loops
from .kernels.product import Product
from .passes.fuse import Fusion, Group, waits
from .spec import At, Operand, Spec, Step
from .structures import STRUCTURES
from .types import size_of
from .views import Access, access, reshaped_strides, row_major

Memory = tuple[Any, ...]  # ("input", position), ("value", number), ("error",) or
# ("work", number, which, bytes)


@dataclass
class Launch:
    """One kernel at its place: the memory of each operand, in the spec's order."""

    spec: Spec
    memory: list[Memory]
    group: int

    def reads(self) -> list[tuple[Memory, Operand]]:
        """What it reads."""
        pairs = zip(self.memory, self.spec.operands, strict=True)
        return [(m, o) for m, o in pairs if not o.written]

    def writes(self) -> list[tuple[Memory, Operand]]:
        """What it writes."""
        pairs = zip(self.memory, self.spec.operands, strict=True)
        return [(m, o) for m, o in pairs if o.written]


def memory_of(root: Value) -> Memory:
    """Whose memory a root lies in."""
    return ("input", root.attr[0]) if root.op == "input" else ("value", root.number)


def at_start(spec: Spec) -> tuple[Spec, tuple[int, ...]]:
    """A spec whose operands all begin at the first element, and the bytes by which each must then
    be moved: so that one kernel serves every step of a loop over slices.
    """
    operands = spec.operands
    if not (isinstance(spec, (Loops, Product)) and any(o.offset for o in operands)):
        return spec, ()
    starts = tuple([o.offset * size_of(o.kind) for o in operands])
    moved = tuple([replace(o, offset=0) for o in operands])
    if isinstance(spec, Product):
        return replace(spec, a=moved[0], b=moved[1], extras=moved[2:]), starts
    return replace(spec, operands=moved), starts


@dataclass
class Body:
    """The scalar program of a group, as it is written."""

    group: Group
    fusion: Fusion
    order: tuple[int, ...]  # for each axis of the kernel, the axis of the space
    steps: list[Step] = field(default_factory=list)
    operands: list[Operand] = field(default_factory=list)
    memory: list[Memory] = field(default_factory=list)
    made: dict[Any, int] = field(default_factory=dict)
    factors: int = 0  # how many operands at the front are not for the steps

    def step(self, op: str, args: tuple[int, ...], kind: str, attr: Any = None) -> int:
        """Appends a step unless it is there; its number."""
        key = (op, args, kind, repr(attr))
        if key not in self.made or op == "store":
            self.made[key] = len(self.steps)
            self.steps.append(Step(op, args, kind, attr))
        return self.made[key]

    def operand(
        self, root: Value, offset: int, strides: tuple[int, ...], outer: bool, written: bool = False
    ) -> int:
        """The position of an operand with strides along the space, or its outer axes."""
        if outer:
            strides = self.spread(strides)
        along = tuple(strides[axis] for axis in self.order)
        home, start = self.fusion.layouts.home(root)
        found, memory = Operand(root.kind, along, start + offset, written), memory_of(home)
        for n, known in enumerate(zip(self.operands, self.memory)):
            if known == (found, memory) and n >= self.factors:
                return n
        self.operands.append(found)
        self.memory.append(memory)
        return len(self.operands) - 1

    def spread(self, strides: tuple[int, ...]) -> tuple[int, ...]:
        """Strides along the outer axes as strides along the space."""
        axes, rest = self.group.axes or (), iter(strides)
        return tuple(0 if i in axes else next(rest) for i in range(len(self.group.space)))

    def extents(self, outer: bool) -> Shape:
        """The space, or its outer part."""
        return self.group.outer if outer else self.group.space

    # ------------------------------------------------------------ reading

    def read(self, argument: Value, outer: bool) -> int:
        """The step that holds an argument of a member."""
        at = access(argument, row_major)
        root = at.root if at is not None else None
        if root is not None and root.op == "const":
            return self.step("const", (), root.kind, root.attr[0])
        if root is not None and root.op == "iota":
            return self.position(argument, outer)
        if root is not None and self.fusion.level(self.group, argument) is not None:
            made = self.made.get(root.number)  # None: it joined the group later
            return self.compute(root, outer) if made is None else made
        if root is not None and self.on_the_spot(root):
            return self.compute(root, outer)
        return self.load(argument, outer)

    def on_the_spot(self, root: Value) -> bool:
        """Whether a value is computed where it is read: it waited, and no earlier group made it."""
        home = self.fusion.home.get(root.number)
        ready = home is not None and self.group.before >> home.number & 1
        return waits(root) and not ready and home is not self.group

    def compute(self, value: Value, outer: bool) -> int:
        """The steps of an elementwise value; the last one's number."""
        if value.op == "gather":
            return self.gather(value, outer)
        args = tuple([self.read(v, outer) for v in value.inputs])
        if value.op == "copy":
            return args[0]
        return self.step(value.op, args, value.kind)

    def load(self, argument: Value, outer: bool) -> int:
        """An element of stored memory."""
        at = self.fusion.layouts.seen(argument)
        n = self.operand(at.root, at.offset, self.along(argument, at, outer), outer)
        return self.step("load", (), argument.kind, n)

    def along(self, argument: Value, at: Access, outer: bool) -> tuple[int, ...]:
        """The strides of what is read along the space."""
        extents = self.extents(outer)
        if argument.size == 1:
            return (0,) * len(extents)
        return walked(argument, at.strides, extents)

    def position(self, argument: Value, outer: bool) -> int:
        """An iota: the sum of the positions along the axes it grows with."""
        at = access(argument, lambda v: tuple(int(a == v.attr[1]) for a in range(len(v.shape))))
        if at is None:
            raise Malformed(f"{argument} does not count along axes")
        extents = self.extents(outer)
        if argument.size == 1:
            return self.step("const", (), "i64", at.offset)
        strides = reshaped_strides(argument.shape, at.strides, extents)
        if strides is not None:
            return self.counted(at.offset, strides, outer)
        flat = self.counted(0, contiguous(extents), outer)
        total = self.counted(at.offset, (), outer)
        for n, stride, step in zip(argument.shape, at.strides, contiguous(argument.shape)):
            if stride and n > 1:  # how far along this axis the flat place is
                place = self.scaled("floor_divide", flat, step)
                place = self.scaled("mul", self.scaled("remainder", place, n), stride)
                total = self.step("add", (total, place), "i64")
        return total

    def counted(self, offset: int, strides: Shape, outer: bool) -> int:
        """offset + i s₀ + j s₁ + ... for the places along the space, or its outer axes."""
        strides = self.spread(strides) if outer and strides else strides
        total = self.step("const", (), "i64", offset) if offset else None
        for axis, stride in enumerate(strides):
            if not stride:
                continue
            term = self.scaled("mul", self.step("index", (), "i64", self.order.index(axis)), stride)
            total = term if total is None else self.step("add", (total, term), "i64")
        return self.step("const", (), "i64", 0) if total is None else total

    def scaled(self, op: str, term: int, by: int) -> int:
        """A term multiplied with, or divided by, a number."""
        if by == 1 and op != "remainder":
            return term
        return self.step(op, (term, self.step("const", (), "i64", by)), "i64")

    def gather(self, value: Value, outer: bool) -> int:
        """An element of a table, at a place that a value names."""
        table, index = value.inputs
        axis, follows = value.attr
        at = self.fusion.layouts.seen(table)
        strides = [0] * len(value.shape)
        for a, target in enumerate(follows):
            if a != axis:
                strides[target] = at.strides[a]
        extents = self.extents(outer)
        along = walked(value, tuple(strides), extents)
        n, error = self.operand(at.root, at.offset, along, outer), self.error()
        attr = At(n, (table.shape[axis],), (at.strides[axis],), error, (axis,))
        return self.step("load_at", (self.read(index, outer),), value.kind, attr)

    def error(self) -> int:
        """The position of the cell that a wrong index is reported in."""
        if ("error",) not in self.memory:
            self.operands.append(Operand("i64", (0,) * len(self.order), 0, True))
            self.memory.append(("error",))
        return self.memory.index(("error",))

    # ------------------------------------------------------------ members

    def write(self, skip: Value | None = None) -> None:
        """All members, then the stores of those whose memory others read: what is stored may lie
        where another member is read.
        """
        for value in self.group.members:
            outer = value.number in self.group.outer_level
            if value is not skip:
                if value.op == "reduce":
                    arg = self.read(value.inputs[0], False)
                    self.made[value.number] = self.step("reduce", (arg,), value.kind, value.attr[0])
                else:
                    self.made[value.number] = self.compute(value, outer)
        for value in self.group.members:
            if value.number in self.fusion.stored:
                outer = value.number in self.group.outer_level
                layout = self.fusion.layouts(value)
                along = walked(value, layout, self.extents(outer))
                n = self.operand(value, 0, along, outer, written=True)
                self.step("store", (self.made[value.number],), value.kind, n)


def walked(value: Value, strides: Shape, extents: Shape) -> Shape:
    """The strides of a value's memory along other extents of the same elements."""
    found = reshaped_strides(value.shape, strides, extents)
    if found is None:
        raise Malformed(f"{value} cannot be walked along {extents}")
    return found


def lower(fusion: Fusion) -> list[Launch]:
    """The kernels of all groups."""
    found = []
    for group in fusion.groups:
        op = "loops" if group.head is None else group.head.op
        if op in STRUCTURES:
            found += structure(fusion, group)
        elif op != "host":
            found += KERNELS[op](fusion, group)
    return found


def given(fusion: Fusion, argument: Value) -> tuple[Operand, Memory]:
    """How an argument lies in memory, over its own axes."""
    at = fusion.layouts.seen(argument)
    home, start = fusion.layouts.home(at.root)
    return Operand(argument.kind, at.strides, start + at.offset), memory_of(home)


def loops(fusion: Fusion, group: Group) -> list[Launch]:
    """Elementwise values, and sums over the last axes of the kernel."""
    axes = group.axes or ()
    order = tuple([i for i in range(len(group.space)) if i not in axes]) + tuple(axes)
    body = Body(group, fusion, order)
    body.write()
    inner = tuple(group.space[i] for i in axes)
    spec = Loops(group.outer, inner, tuple(body.operands), tuple(body.steps))
    return [Launch(spec, body.memory, group.number)]


def product(fusion: Fusion, group: Group) -> list[Launch]:
    """A product, and elementwise values on its results."""
    head = group.top
    body = Body(group, fusion, tuple(range(len(group.space))))
    for argument in head.inputs:
        operand, memory = given(fusion, argument)
        body.operands.append(operand)
        body.memory.append(memory)
    body.factors = len(head.inputs)
    body.made[head.number] = body.step("sum", (), head.kind)
    body.write(skip=head)
    *batch, m, n = head.shape
    k = head.inputs[0].shape[-1]
    a, b, *extras = body.operands
    spec = Product(m, n, k, tuple(batch), a, b, tuple(extras), tuple(body.steps))
    return [Launch(spec, body.memory, group.number)]


def copied(
    fusion: Fusion, group: Group, part: Value, into: Value, offset: int, strides: Shape
) -> Launch:
    """A copy of a value into a region of another's memory."""
    pseudo = Group(group.number, part.shape)
    pseudo.before = group.before
    body = Body(pseudo, fusion, tuple(range(len(part.shape))))
    value = body.read(part, False)
    body.step("store", (value,), part.kind, body.operand(into, offset, strides, False, True))
    spec = Loops(part.shape, (), tuple(body.operands), tuple(body.steps))
    return Launch(spec, body.memory, group.number)


def concat(fusion: Fusion, group: Group) -> list[Launch]:
    """Each part is copied to its place, unless it was computed there."""
    head, found, start = group.top, [], 0
    strides = fusion.layouts(head)
    for part in head.inputs:
        offset = start * strides[head.attr]
        if part.size and not lies(fusion, part, head, offset, strides):
            found.append(copied(fusion, group, part, head, offset, strides))
        start += part.shape[head.attr]
    return found


def put(fusion: Fusion, group: Group) -> list[Launch]:
    """The base is copied, then the part over it, unless they were computed there."""
    base, part = group.top.inputs
    strides, found = fusion.layouts(group.top), []
    if not lies(fusion, base, group.top, 0, strides):
        found.append(copied(fusion, group, base, group.top, 0, strides))
    offset = sum(start * s for (start, _, _), s in zip(group.top.attr, strides))
    along = tuple(s * step for (_, _, step), s in zip(group.top.attr, strides))
    if part.size and not lies(fusion, part, group.top, offset, along):
        found.append(copied(fusion, group, part, group.top, offset, along))
    return found


def lies(fusion: Fusion, part: Value, whole: Value, offset: int, strides: Shape) -> bool:
    """Whether a part is in its place within the whole already."""
    at = fusion.layouts.seen(part)
    inside = fusion.layouts.inside.get(at.root.number)
    steps = tuple(0 if n == 1 else s for n, s in zip(part.shape, strides))
    return inside == (whole, offset) and (at.offset, at.strides) == (0, steps)


def structure(fusion: Fusion, group: Group) -> list[Launch]:
    """The stages of an operation that brings its own kernels."""
    head, operands, memory = group.top, [], []
    for argument in head.inputs:
        operand, where = given(fusion, argument)
        operands.append(operand)
        memory.append(where)
    forms = [(v.kind, v.shape) for v in head.inputs]
    of = STRUCTURES[head.op]
    plan = of.plan(forms, operands, head.attr)
    work = [("work", head.number, n, size) for n, size in enumerate(plan.work)]
    results = {0 if v is head else v.attr[0]: memory_of(v) for v in group.members}
    for n, (kind, shape) in enumerate(of.rule(forms, head.attr)):  # some may be of no use
        nobody = ("work", head.number, len(work) + n, prod(shape) * size_of(kind))
        results.setdefault(n, nobody)
    homes: dict[str, Any] = {"in": memory, "out": results, "work": work, "error": [("error",)]}
    return [
        Launch(stage.spec, [homes[where][n] for where, n in stage.places], group.number)
        for stage in plan.stages
    ]


KERNELS = {"loops": loops, "product": product, "concat": concat, "put": put}
