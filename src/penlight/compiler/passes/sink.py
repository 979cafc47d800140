"""Parts of a larger value are computed where they will lie.

Takes a graph with layouts, promises a place inside the whole for the parts of a `concat`, and of a
chain of `put`s that fill an array of one number: no copy. Leaves every other value where it was.
"""

from __future__ import annotations

from ..algebra import Region, overlap
from ..ir import VIEWS, Graph, Value, is_elementwise, number_of, users
from ..structures import STRUCTURES
from ..views import Strides, reshaped_strides
from .layout import Layouts


def sink(graph: Graph, layouts: Layouts) -> None:
    """Notes in `layouts.inside` which values lie inside which, and changes their layouts."""
    readers = users(graph.values)
    kept = {v.number for v in graph.outputs} | {v.number for _, v in graph.stores}
    for whole in reversed(graph.values):
        if whole.op == "concat":
            start = 0
            for part in whole.inputs:
                strides = layouts(whole)
                _place(part, whole, start * strides[whole.attr], strides, layouts, readers, kept)
                start += part.shape[whole.attr]
        elif whole.op == "put" and _assembled(whole, readers):
            base, part = whole.inputs
            strides = layouts(whole)
            _place(base, whole, 0, strides, layouts, readers, kept)
            offset = sum(start * s for (start, _, _), s in zip(whole.attr, strides))
            along = tuple(s * step for (_, _, step), s in zip(whole.attr, strides))
            _place(part, whole, offset, along, layouts, readers, kept)


def _assembled(whole: Value, readers: dict[int, list[Value]]) -> bool:
    """Whether a value is put together from parts that do not overlap, over one number: then its
    parts may be written in any order once that number has been.
    """
    regions: list[Region] = []
    while whole.op == "put":
        if any(overlap(whole.attr, other) for other in regions):
            return False
        regions.append(whole.attr)
        whole = whole.inputs[0]
        if len(readers[whole.number]) != 1:
            return False
    return whole.op == "copy" and number_of(whole.inputs[0]) is not None


def _place(
    part: Value, whole: Value, offset: int, strides: Strides, layouts: Layouts, readers: dict,
    kept: set[int],
) -> None:  # fmt: skip
    """Lets a part lie inside the whole, if it is computed for it and everyone can still read it."""
    found = _origin(part, strides)
    if found is None:
        return
    root, along = found
    made_here = is_elementwise(root) or root.op in ("product", "reduce", "concat", "put")
    if not made_here or root.number in kept or root.number in layouts.inside or not root.size:
        return
    before, shown = layouts.known[root.number], [root, *_views(root, readers)]
    layouts.known[root.number] = along
    apart = any(r.op in STRUCTURES for v in shown for r in readers.get(v.number, []))
    if not apart and all(layouts.access(v) is not None for v in shown):
        layouts.inside[root.number] = whole, offset
    else:
        layouts.known[root.number] = before


def _origin(part: Value, strides: Strides) -> tuple[Value, Strides] | None:
    """What a part shows all of, and the strides it must have for the part to have these."""
    while part.op in ("reshape", "permute"):
        (x,) = part.inputs
        if part.op == "permute":
            old = [0] * len(strides)
            for new, axis in enumerate(part.attr):
                old[axis] = strides[new]
            strides = tuple(old)
        else:
            back = reshaped_strides(part.shape, strides, x.shape)
            if back is None:
                return None
            strides = back
        part = x
    return (part, strides) if part.op not in VIEWS else None


def _views(root: Value, readers: dict[int, list[Value]]) -> list[Value]:
    """All views of a value."""
    found, todo = [], [root]
    while todo:
        for v in readers.get(todo.pop().number, []):
            if v.op in VIEWS:
                found.append(v)
                todo.append(v)
    return found
