"""Values gathered into groups: each becomes one kernel.

Takes a graph with layouts, promises groups that can run one after another, and which values must be
stored because another group, or the caller, reads them. Leaves the graph as it is.

A group has a *space*, the shape that its loops run over. Elementwise values of that shape join it;
so do sums over some of its axes, and what is computed from those sums at each outer point or, in a
further pass over the row, at each inner one (softmax, norms). A product is the head of its group:
elementwise values in its shape are computed on its results before they are stored.

Values that cost no more to compute again than to read (a comparison, a cast, arithmetic with a
number) wait: whoever reads them computes them on the spot.
"""

from __future__ import annotations

from math import prod

from ..ir import (
    MADE_ANYWHERE,
    VIEWS,
    Graph,
    Malformed,
    Shape,
    Value,
    contiguous,
    is_elementwise,
    live,
)  # fmt: skip
from ..views import access, reshaped_strides, row_major
from .layout import Layouts

SMALL = 8192  # elements: a sum this short is not worth a kernel of its own
FEW = 16  # with fewer sums than this, joining them to a large group would idle the threads
HEADS = ("product",)  # heads whose kernels take elementwise values along
CHEAP = {
    "add", "sub", "mul", "neg", "abs", "min", "max", "lt", "le", "gt", "ge", "eq", "ne", "and",
    "or", "xor", "not", "where", "cast", "square", "isnan",
}  # fmt: skip


class Group:
    """Values computed by one kernel, in an order in which they can be.

    `axes`   the axes of the space that are summed over; None while nothing is
    `head`   the product (or other structure) the group stands on
    `before` the bits of the groups that must run first
    """

    def __init__(self, number: int, space: Shape, head: Value | None = None):
        self.number, self.space, self.head = number, space, head
        self.axes: tuple[int, ...] | None = None
        self.members: list[Value] = []
        self.outer_level: set[int] = set()  # numbers of the members that are made once per row
        self.before = 0

    @property
    def outer(self) -> Shape:
        """The extents that are not summed over."""
        return tuple(n for i, n in enumerate(self.space) if i not in (self.axes or ()))

    @property
    def top(self) -> Value:
        """The head of a group that has one."""
        if self.head is None:
            raise Malformed(f"{self} has no head")
        return self.head

    def __repr__(self) -> str:
        name = self.head.op if self.head else "loops"
        return f"{name} over {self.space}/{self.axes}: {[f'%{m.number}' for m in self.members]}"


class Fusion:
    """The outcome: groups, the group of each placed value, and what must be stored."""

    def __init__(self, layouts: Layouts):
        self.layouts = layouts
        self.groups: list[Group] = []
        self.home: dict[int, Group] = {}
        self.stored: set[int] = set()
        self.waiting: set[int] = set()

    # ------------------------------------------------------------ what an argument is

    def leaves(self, argument: Value) -> list[Value]:
        """What must be read to have an argument, where waiting values are computed on the spot."""
        at = access(argument, row_major)
        if at is None:
            return [argument]
        root = at.root
        if root.op in MADE_ANYWHERE:
            return []
        if root.number in self.waiting:
            if root.size == 1 or (at.strides == contiguous(argument.shape) and at.offset == 0):
                found = [leaf for v in root.inputs for leaf in self.leaves(v)]
                shape = argument.shape
                if shape == root.shape or all(v.size == 1 or self._walks(v, shape) for v in found):
                    return found
            self.place(root)
        return [argument]

    def level(self, group: Group, argument: Value) -> str | None:
        """How a member of the group is read: "inner" at the same point, "outer" at the row's;
        None where the argument is not a member or is read elsewhere than where it is made.
        """
        at = access(argument, row_major)
        if at is None or self.home.get(at.root.number) is not group or at.offset:
            return None
        if at.root.number not in group.outer_level:
            same = at.strides == contiguous(argument.shape) and argument.size == prod(group.space)
            return "inner" if same and at.root.size == argument.size else None
        if at.strides == contiguous(argument.shape) and argument.size == prod(group.outer):
            return "outer"
        spread = reshaped_strides(argument.shape, at.strides, group.space)
        return "outer" if spread == along_outer(group) else None

    # ------------------------------------------------------------ placing

    def demand(self, value: Value) -> None:
        """Its memory is read: by another group, or by the caller."""
        root = value
        while root.op in VIEWS:
            (root,) = root.inputs
        if root.op not in ("input", "array", *MADE_ANYWHERE):
            if root.number in self.waiting:
                self.place(root)
            self.stored.add(root.number)

    def start(self, value: Value, space: Shape) -> Group:
        """A new group for a value."""
        group = Group(len(self.groups), space, value if not is_elementwise(value) else None)
        self.groups.append(group)
        return group

    def enter(self, group: Group, value: Value, reads: list[Value], outer: bool = False) -> None:
        """Makes a value a member; what it reads from elsewhere must be stored and come first."""
        self.waiting.discard(value.number)
        group.members.append(value)
        self.home[value.number] = group
        if outer:
            group.outer_level.add(value.number)
        for leaf in reads:
            if self.level(group, leaf) is None:
                self.demand(leaf)
                self.precede(leaf, group)

    def precede(self, leaf: Value, group: Group) -> None:
        """The group of a stored value runs before another group."""
        source = self.group_of(leaf)
        if source is not None and source is not group:
            self.order(source, group)

    def order(self, first: Group, then: Group) -> None:
        """`first` runs before `then` and all that waits for it."""
        bits = first.before | 1 << first.number
        for group in self.groups:
            if group is then or group.before >> then.number & 1:
                group.before |= bits

    def base_first(self, value: Value) -> None:
        """What fills an array is written before the parts that lie in it."""
        if value.inputs[0].number in self.layouts.inside:
            part, base = self.group_of(value.inputs[1]), value
            while base.op == "put":
                base = base.inputs[0]
            if part is not None:
                self.order(self.home[base.number], part)

    def group_of(self, value: Value) -> Group | None:
        """The group that makes what a value shows."""
        while value.op in VIEWS:
            (value,) = value.inputs
        return self.home.get(value.number)

    def place(self, value: Value) -> None:
        """Puts an elementwise value into a group of what it reads, or into a new one."""
        self.waiting.discard(value.number)
        table, reads = value.inputs[:1] if value.op == "gather" else (), []
        for v in value.inputs[len(table) :]:
            reads += self.leaves(v)
        found = {g.number: g for leaf in reads if (g := self.group_of(leaf)) is not None}
        for number in sorted(found, reverse=True):
            level = self.fits(found[number], value, reads, table)
            if level is not None:
                self.enter(found[number], value, [*reads, *table], level == "outer")
                return
        self.enter(self.start(value, value.shape), value, [*reads, *table])

    def needs_place(self, value: Value) -> bool:
        """Whether its code asks where it stands: a lookup, or something computed from positions."""
        if value.op in ("gather", "iota"):
            return True
        if value.op not in VIEWS and value.number not in self.waiting and value.number in self.home:
            return False
        return any(self.needs_place(v) for v in value.inputs)

    def fits(
        self, group: Group, value: Value, reads: list[Value], table: tuple[Value, ...] = ()
    ) -> str | None:
        """The level at which a value can join the group; None if it cannot."""
        if group.head is not None and (group.head.op not in HEADS or self.needs_place(value)):
            return None
        levels = [self.level(group, leaf) for leaf in reads]
        inner = value.size == prod(group.space)
        if group.axes is None:
            ok = "inner" in levels and inner
        else:
            ok = inner or value.size == prod(group.outer)
            ok = ok and (inner or "inner" not in levels)
        if not ok:
            return None
        rows = prod(group.outer)
        outer = group.axes is not None and "inner" not in levels and value.size == rows
        outer = outer and (rows != prod(group.space) or value.shape == group.outer)
        target = group.outer if outer else group.space
        if reshaped_strides(value.shape, self.layouts(value), target) is None:
            return None
        for leaf, level in zip([*reads, *table], [*levels, *[None] * len(table)]):
            if level is not None:
                continue
            source = self.group_of(leaf)
            if source is group or (source is not None and source.before >> group.number & 1):
                return None
            if leaf.size != 1 and leaf not in table and not self._walks(leaf, target):
                return None
        return "outer" if outer else "inner"

    def _walks(self, leaf: Value, space: Shape) -> bool:
        """Whether a stored value can be read by strides along the axes of a space."""
        at = self.layouts.access(leaf)
        return (
            at is not None
            and leaf.size == prod(space)
            and reshaped_strides(leaf.shape, at.strides, space) is not None
        )

    def place_reduction(self, value: Value) -> None:
        """Puts a reduction into the group of what it reads, or into a new one."""
        (x,) = value.inputs
        _, axes = value.attr
        reads = self.leaves(x)
        group = self.group_of(reads[0]) if len(reads) == 1 else None
        for leaf in reads:
            group = self.group_of(leaf) or group
        if group is None or not self._sums(group, x, axes, reads):
            group = self.start(value, x.shape)
            group.head = None
        group.axes = axes
        self.enter(group, value, reads, outer=True)

    def _sums(self, group: Group, x: Value, axes: tuple[int, ...], reads: list[Value]) -> bool:
        if group.head is not None or group.space != x.shape or group.axes not in (None, axes):
            return False
        rows = prod(n for i, n in enumerate(x.shape) if i not in axes)
        if group.axes is None and rows < FEW and x.size > SMALL:
            return False
        levels = [self.level(group, leaf) for leaf in reads]
        if "inner" not in levels:
            return False
        for leaf, level in zip(reads, levels):
            source = self.group_of(leaf)
            if level is None and source is not None:
                if source is group or source.before >> group.number & 1:
                    return False
        return True


def along_outer(group: Group) -> tuple[int, ...]:
    """Strides over the space that walk a row-major array of the outer extents."""
    axes = group.axes or ()
    rest = iter(contiguous(group.outer))
    return tuple(0 if i in axes else next(rest) for i in range(len(group.space)))


def fuse(graph: Graph, layouts: Layouts) -> Fusion:
    """Groups for everything the graph needs."""
    found = Fusion(layouts)
    wanted = live(graph)
    for value in graph.values:
        if value.number not in wanted or value.op in ("input", "array", *MADE_ANYWHERE, *VIEWS):
            continue
        if is_elementwise(value):
            if waits(value):
                found.waiting.add(value.number)
            else:
                found.place(value)
        elif value.op == "reduce":
            found.place_reduction(value)
        elif value.op == "pick":  # made by the call that it is a result of
            group = found.home[value.inputs[0].number]
            group.members.append(value)
            found.home[value.number] = group
            found.stored.add(value.number)
        else:
            group = found.start(value, value.shape)
            for v in value.inputs:
                found.demand(v)
            if value.op == "put":
                found.base_first(value)
            found.enter(group, value, list(value.inputs))
            if value.op not in HEADS:
                found.stored.add(value.number)
    for value in [*graph.outputs, *(v for _, v in graph.stores)]:
        found.demand(value)
    return found


def waits(value: Value) -> bool:
    """Whether computing it again costs no more than reading it."""
    if value.op not in CHEAP:
        return False
    large = 0
    for v in value.inputs:
        while v.op in VIEWS:
            (v,) = v.inputs
        large += v.size > 1 and v.op not in MADE_ANYWHERE
    return large <= 1 if value.size > 1 else large == 0
