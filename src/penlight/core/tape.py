"""The tape: which op made a tensor, from what, and whether anybody is recording.

A node is one recorded call. Its *edges* say whom gradients go to: another node (and which of its
outputs) or a leaf tensor. Nodes only point to what existed before them, so their serial numbers
are a topological order.
"""

from __future__ import annotations

import itertools
import threading
import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from .tensor import Tensor


class Modes(threading.local):
    """What the current thread records. Class attributes are the defaults of each new thread."""

    grad = True  # are differentiable calls recorded?
    inference = False  # are new tensors inference tensors?
    grad_mode = True  # what was asked for; inference mode records nothing, whatever it is
    anomaly = False  # does each node remember the line that made it?
    check_nan = True  # in anomaly mode: are gradients searched for NaN?
    no_saved_hooks: str | None = None  # why pack and unpack hooks are refused, where they are
    walk: Any = None  # the backward pass whose tensor hooks are running
    tracer: Any = None  # the recording that `capture` makes of this thread
    saved_hooks: tuple = ()  # (pack, unpack) pairs for saved tensors; the last one counts


modes = Modes()
births: list[Any] = []  # who asks about new tensors: inference regions and recordings
changes = [0]  # how often modules changed (attributes, parts), or a table of hooks did
_serial = itertools.count()

FREED = (
    "Trying to backward through the graph a second time (or directly access saved tensors after "
    "they have already been freed). Saved intermediate values of the graph are freed when you call "
    ".backward() or autograd.grad(). Specify retain_graph=True if you need to backward through the "
    "graph a second time or if you need to access saved tensors after calling backward."
)


SAVED_INFERENCE = (
    "Inference tensors cannot be saved for backward. Please do not use Tensors created in "
    "inference mode in computation tracked by autograd. To work around this, you can make a clone "
    "to get a normal tensor and use it in autograd, or use `torch.no_grad()` instead of "
    "`torch.inference_mode()`."
)


class Node:
    """One recorded call. Each op has a subclass, whose name is what `grad_fn` prints.

    `edges`    per differentiable input: (node, slot), (leaf tensor, 0), or None where no gradient
               is wanted
    `saved`    what the gradient rule asked for; None once freed
    `version`  sum of the saved tensors' write counts at the time of saving
    `outputs`  (shape, NumPy dtype) per output: the form its gradient must have
    `notes`    hooks and what else is rare: a dictionary once there is something to note
    """

    __slots__ = ("__weakref__", "edges", "notes", "outputs", "saved", "serial", "version")

    def __init__(self, edges: Sequence, saved: tuple | None, version: int, outputs: Sequence):
        self.edges = edges
        self.saved = saved
        self.version = version
        self.outputs = outputs
        self.serial = next(_serial)
        self.notes: dict | None = None
        if modes.anomaly:
            self.note("trace", _calling_line())

    def note(self, key: Any, value: Any) -> Any:
        """Sets `notes[key]` unless it is there; returns it."""
        if self.notes is None:
            self.notes = {}
        return self.notes.setdefault(key, value)

    def __repr__(self) -> str:
        return f"<{self.name()} object at {id(self):#x}>"

    def name(self) -> str:
        """The name `grad_fn` prints."""
        return type(self).__name__

    def backward(self, grads: list) -> Sequence[Tensor | None]:
        """Gradients per edge, from the gradients per output."""
        raise NotImplementedError

    def note_overwritten(self, array: Any) -> None:
        """Marks the saved outputs in this memory: their owner may be gone by the backward pass."""
        for value in self.saved or ():
            for output in value if type(value) is tuple else (value,):
                if isinstance(output, SavedOutput) and output.array is array:
                    output.version = OVERWRITTEN

    def release(self) -> None:
        """Frees what was saved; the node can not be walked again."""
        self.saved = None

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """Where gradients go: (node, output index) pairs; a leaf appears as its AccumulateGrad."""
        return tuple(
            (None, 0)
            if edge is None
            else (edge[0] if isinstance(edge[0], Node) else AccumulateGrad(edge[0]), edge[1])
            for edge in self.edges
        )

    @property
    def metadata(self) -> dict:
        """A free place for notes about this node."""
        return self.note("metadata", {})

    def register_hook(self, hook: Any) -> Removable:
        """`hook(grad_inputs, grad_outputs)` runs after this node and may replace grad_inputs."""
        return add_hook(self.note("hooks", {}), "post", hook)

    def register_prehook(self, hook: Any) -> Removable:
        """`hook(grad_outputs)` runs before this node and may replace them."""
        return add_hook(self.note("hooks", {}), "pre", hook)


class AccumulateGrad:
    """How a leaf tensor appears among `next_functions`; its notes are kept by the leaf."""

    __slots__ = ("variable",)

    def __init__(self, variable: Tensor):
        self.variable = variable

    def name(self) -> str:
        """The name `next_functions` shows."""
        return "torch::autograd::AccumulateGrad"

    @property
    def next_functions(self) -> tuple:
        """A leaf passes gradients to nobody."""
        return ()

    def _notes(self) -> dict:
        if self.variable._hooks is None:
            self.variable._hooks = {}
        return self.variable._hooks

    @property
    def metadata(self) -> dict:
        """A free place for notes about this leaf."""
        return self._notes().setdefault("metadata", {})

    def register_hook(self, hook: Any) -> Removable:
        """`hook((), (grad,))` runs after the leaf's `.grad` has been written."""
        return add_hook(self._notes(), "post", hook)

    def register_prehook(self, hook: Any) -> Removable:
        """`hook((grad,))` runs before that and may replace the gradient."""
        return add_hook(self._notes(), "pre", hook)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AccumulateGrad) and other.variable is self.variable

    def __hash__(self) -> int:
        return id(self.variable)


class GradientEdge(NamedTuple):
    """A place on the tape that stands for the tensor made there."""

    node: Any
    output_nr: int
    ownership_token: Any = None


OVERWRITTEN = -1


class SavedOutput:
    """A result kept for its own node's rule.

    It holds the array, not the tensor: the tensor holds the node, and a cycle would keep both
    alive.
    """

    __slots__ = ("array", "owner", "slot", "version")

    def __init__(self, tensor: Tensor, slot: int):
        owner = tensor if tensor._root is None else tensor._root
        self.array, self.slot = tensor._array, slot
        self.owner, self.version = weakref.ref(owner), owner._writes

    def overwritten(self) -> bool:
        """Whether the memory was written since."""
        owner = self.owner()
        return self.version == OVERWRITTEN or (owner is not None and owner._writes != self.version)


class Packed:
    """A saved tensor in the form a pack hook gave it; `slot` where it is an output of its own
    node.
    """

    __slots__ = ("form", "slot", "unpack")

    def __init__(self, tensor: Tensor, slot: int | None = None):
        pack, self.unpack = modes.saved_hooks[-1]
        grad, modes.grad = modes.grad, False
        try:
            self.form, self.slot = pack(tensor), slot
        finally:
            modes.grad = grad


# ---------------------------------------------------------------- hooks

_hook_ids = itertools.count()


class Removable:
    """The handle of a hook: `remove()` takes it out; also a context manager.

    `options` are further tables in which the hook's id may be marked.
    """

    __slots__ = ("id", "tables")

    def __init__(self, hooks: dict, *options: dict):
        changes[0] += 1
        self.tables = (hooks, *options)
        # an unpickled table brings ids of another process along
        self.id = next(number for number in _hook_ids if number not in hooks)

    def remove(self) -> None:
        """Takes the hook out; a second call does nothing."""
        changes[0] += 1
        for table in self.tables:
            table.pop(self.id, None)

    def __enter__(self) -> Removable:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()


def add_hook(holder: dict, key: Any, hook: Any) -> Removable:
    """Adds a hook to the dictionary `holder[key]`, made if missing."""
    hooks = holder.setdefault(key, {})
    handle = Removable(hooks)
    hooks[handle.id] = hook
    return handle


def _calling_line() -> str:
    """The stack of the call being recorded, without penlight's own frames."""
    import os
    import traceback

    home = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    frames = [f for f in traceback.extract_stack() if not f.filename.startswith(home)]
    return "".join(traceback.format_list(frames))
