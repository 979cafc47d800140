"""How each value lies in memory.

Takes a graph and the strides of its inputs, promises a layout for every value that may be stored,
and a graph in which every view can be read by strides: where one cannot, a copy is put in. Leaves
the arithmetic alone: the order of sums does not depend on layout.
"""

from __future__ import annotations

from ..ir import (
    MADE_ANYWHERE,
    VIEWS,
    Graph,
    Malformed,
    Shape,
    Value,
    contiguous,
    is_elementwise,
    rebuilt,
)  # fmt: skip
from ..structures import STRUCTURES
from ..views import Access, Strides, access, is_dense


class Layouts:
    """number of a value -> its strides.

    `inside`  values that lie in the memory of another: (that value, offset)
    """

    def __init__(self, strides_of_inputs: list[Strides]):
        self.inputs = strides_of_inputs
        self.known: dict[int, Strides] = {}
        self.inside: dict[int, tuple[Value, int]] = {}

    def __call__(self, value: Value) -> Strides:
        return self.known[value.number]

    def access(self, value: Value) -> Access | None:
        """How a value is read."""
        return access(value, self)

    def seen(self, value: Value) -> Access:
        """How a value is read that can be: the pass has put in copies where none could."""
        at = access(value, self)
        if at is None:
            raise Malformed(f"{value} cannot be read by strides")
        return at

    def home(self, root: Value) -> tuple[Value, int]:
        """In whose memory a value lies, and from which element on."""
        offset = 0
        while root.number in self.inside:
            root, start = self.inside[root.number]
            offset += start
        return root, offset


def layout(graph: Graph, strides_of_inputs: list[Strides]) -> tuple[Graph, Layouts]:
    """The graph with copies where needed, and the layout of its values."""
    found = Layouts(strides_of_inputs)
    fixed = {v.number for v in graph.outputs} | {v.number for _, v in graph.stores}

    def changed(new: Graph, value: Value, inputs: tuple[Value, ...]) -> Value:
        if value.op in READS_MEMORY or value.op in STRUCTURES:
            inputs = tuple([_in_memory(new, v, found) for v in inputs])
        if value.op == "put":
            mine = len(new.values)  # memory of its own: another array of the same number is another
            inputs = (_in_memory(new, inputs[0], found, mine), inputs[1])
        if value.op in STRUCTURES and STRUCTURES[value.op].rows:
            inputs = tuple([_in_rows(new, v, found) for v in inputs])
        made = new.add(value.op, *inputs, attr=value.attr)
        if made.op in VIEWS:
            if found.access(made) is None:  # a reshape across an order of axes: copy what it shows
                (shown,) = inputs
                copy = new.add("copy", shown)
                found.known[copy.number] = contiguous(copy.shape)
                made = new.add(value.op, copy, attr=value.attr)
        elif made.number not in found.known:
            as_rows = value.number in fixed or value.op in HELD or value.op in STRUCTURES
            as_rows = as_rows and value.op != "input"
            found.known[made.number] = contiguous(made.shape) if as_rows else _chosen(made, found)
        return made

    new = rebuilt(graph, changed)
    taken: set[int] = set()
    new.outputs = [_whole(new, v, found, taken) for v in new.outputs]
    new.stores = [(p, _whole(new, v, found, taken)) for p, v in new.stores]
    return new, found


READS_MEMORY = ("product", "host", "gather")  # and so wants memory behind its inputs
HELD = ("host", "pick", "array", "const", "iota")


def _chosen(value: Value, layouts: Layouts) -> Strides:
    """A layout that is cheap to write: that of the operand it follows."""
    if value.op == "input":
        return layouts.inputs[value.attr[0]]
    if value.op == "product":
        a, b = (layouts.access(v) for v in value.inputs)
        if a is not None and b is not None:
            return preferred(value.shape, a.strides, b.strides)
    if is_elementwise(value):
        for v in value.inputs[value.op == "gather" :]:
            at = layouts.access(v)
            if at is not None and is_dense(v.shape, at.strides):
                return at.strides
    return contiguous(value.shape)


def _in_rows(graph: Graph, value: Value, layouts: Layouts) -> Value:
    """A value that lies in row-major order."""
    at = layouts.access(value)
    if at is not None and (at.offset, at.strides) == (0, contiguous(value.shape)):
        return value
    value = graph.add("copy", value)
    layouts.known[value.number] = contiguous(value.shape)
    return value


def _in_memory(graph: Graph, value: Value, layouts: Layouts, mark: int | None = None) -> Value:
    """A value that lies in memory; values with the same mark may share it."""
    root = value
    while root.op in VIEWS:
        (root,) = root.inputs
    if root.op not in MADE_ANYWHERE:
        return value
    value = graph.add("copy", value, attr=mark)
    layouts.known[value.number] = contiguous(value.shape)
    return value


def preferred(shape: Shape, a: Strides, b: Strides) -> Strides:
    """The layout of a product's result that its kernel writes without turning vectors.

    Vectors lie along the axis that neighbours in memory in `a` or `b`; where neither has one, the
    smaller operand is packed and gives it.
    """
    *_, m, n = shape
    along_columns = b[-1] == 1 or (a[-2] != 1 and n <= m)
    if along_columns or min(m, n) < 8:
        return contiguous(shape)
    turned = contiguous((*shape[:-2], n, m))
    return (*turned[:-2], turned[-1], turned[-2])


def _whole(graph: Graph, value: Value, layouts: Layouts, taken: set[int]) -> Value:
    """What is handed out lies in memory of its own, in the usual order."""
    given = value.op in ("input", "array", *MADE_ANYWHERE, *VIEWS)
    if given or value.number in taken:
        value = graph.add("copy", value, attr=len(taken))
        layouts.known[value.number] = contiguous(value.shape)
    taken.add(value.number)
    return value
