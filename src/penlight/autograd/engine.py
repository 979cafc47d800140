"""The backward walk: gradients flow from the outputs through the tape to the leaves.

Serial numbers are a topological order: of the nodes at which gradients wait, the latest has all of
its own. It knows no op by name; a gradient is summed and cast here to the shape and dtype of the
value it belongs to, so that no rule has to undo broadcasting or promotion.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from heapq import heappop, heappush
from itertools import chain
from typing import Any

import numpy as np

from ..core.beside import computed, fixed
from ..core.tape import AccumulateGrad, GradientEdge, Node, modes
from ..core.tensor import Tensor, edge_to, wrap
from ..core.watch import know, know_grad, note_walk, note_write, note_written, tracers
from ..ops.quiet import hush, quiet, restore


def reachable(roots: Iterable[Node]) -> list[Node]:
    """All nodes that gradients of `roots` pass, latest first."""
    seen = set(roots)
    stack = list(seen)
    while stack:
        for edge in stack.pop().edges:
            if edge is not None:
                target = edge[0]
                if target not in seen and isinstance(target, Node):
                    seen.add(target)
                    stack.append(target)
    return sorted(seen, key=_serial_of, reverse=True)


def _serial_of(node: Node) -> int:
    return node.serial


class Walk:
    """One backward pass: the gradients still on their way, and where they end."""

    __slots__ = (
        "__weakref__",
        "accumulate",
        "adds",
        "create_graph",
        "found",
        "keep",
        "leaves",
        "pending",
        "points",
        "queue",
        "roots",
        "shares",
    )  # fmt: skip

    def __init__(self, keep: bool, create_graph: bool, wanted: Sequence | None):
        self.keep, self.create_graph = keep, create_graph
        self.queue: list[int] = []  # a heap: of the nodes where gradients wait, -serial
        self.pending: dict[int, tuple[Node, list]] = {}  # by -serial: the gradients per output
        self.shares: dict[Tensor, list] = {}  # per leaf: its gradient so far, and: is it ours?
        self.found: dict[int, Tensor] = {}  # gradients asked for, by id of the tensor
        self.accumulate = wanted is None
        self.adds = self.accumulate  # do leaves that were asked for get theirs in `.grad`?
        self.leaves: dict[int, Tensor] = {}
        self.points: dict[tuple[Node, int], list[int]] = {}
        for t in wanted or ():
            edge = (t.node, t.output_nr) if isinstance(t, GradientEdge) else edge_to(t)
            if edge is None or edge[0] is t:
                self.leaves[id(t)] = t
            else:
                self.points.setdefault(edge, []).append(id(t))

    def run(self, roots: list[tuple], grads: list[Tensor]) -> None:
        """Sends `grads` in at `roots` (edges) and walks until every leaf has its share."""
        self.roots = roots
        if tracers:
            note_walk(self.nodes())
        self.deliver(roots, grads)
        grads.clear()  # one holder less: see _add_to
        previous, modes.grad = modes.grad, self.create_graph and not modes.inference
        try:
            if self.accumulate and not modes.anomaly:
                self._everywhere()
            else:
                nodes = None if self.accumulate else set(self.nodes())
                while self.queue:
                    node, buffer = self.pending.pop(heappop(self.queue))
                    if nodes is None or node in nodes:
                        self.step(node, buffer)
            self.settle()
        finally:
            modes.grad = previous

    def nodes(self) -> list[Node]:
        """The nodes that this walk goes through, latest first."""
        nodes = reachable(edge[0] for edge in self.roots if isinstance(edge[0], Node))
        return nodes if self.accumulate else self._on_the_way(nodes)

    def _everywhere(self) -> None:
        """All nodes. Most are watched by nobody, so their road is kept short."""
        queue, pending, keep, deliver = self.queue, self.pending, self.keep, self.deliver
        while queue:
            node, buffer = pending.pop(heappop(queue))
            if node.notes is not None:
                self.step(node, buffer)
                continue
            results = node.backward(buffer)
            edges = node.edges
            if len(results) != len(edges):
                raise wrong_count(node, results)
            if not keep:
                node.release()
            deliver(edges, results, node)

    def _on_the_way(self, nodes: list[Node]) -> list[Node]:
        """Only the nodes through which a gradient reaches something asked for."""
        goals = {node for node, _ in self.points}
        useful = set()
        for node in reversed(nodes):
            if node in goals or any(
                e is not None
                and (e[0] in useful if isinstance(e[0], Node) else id(e[0]) in self.leaves)
                for e in node.edges
            ):
                useful.add(node)
        return [n for n in nodes if n in useful]

    def step(self, node: Node, grads: list) -> None:
        """One node: hooks, gradient rule, hooks, deliveries."""
        notes = node.notes
        if notes is not None:
            grads = self._hooks_before(node, notes, grads)
        if self.points:
            self._note_points(node, grads)
        results = self._call(node, grads)
        if len(results) != len(node.edges):
            raise wrong_count(node, results)
        if notes is not None:
            hooks = notes.get("hooks", {}).get("post", {})
            results = run_posthooks(hooks, tuple(results), tuple(grads))
        if not self.keep:
            node.release()
        self.deliver(node.edges, results, node)

    def _call(self, node: Node, grads: list) -> Sequence:
        if not modes.anomaly:
            return node.backward(grads)
        from .anomaly import watched

        return watched(node, grads)

    def _hooks_before(self, node: Node, notes: dict, grads: list) -> list:
        for slot, hooks in notes.get("tensor_hooks", {}).items():
            if grads[slot] is not None:
                grads[slot] = self._run_hooks(hooks, grads[slot])
        for slot, t in notes.get("retained", {}).items():
            if grads[slot] is not None and self.accumulate:
                self._add_to(t, grads[slot])
        return run_prehooks(notes.get("hooks", {}).get("pre", {}), grads)

    def _run_hooks(self, hooks: dict, grad: Tensor) -> Tensor:
        """The gradient after a tensor's hooks, which may ask about this walk."""
        previous, modes.walk = modes.walk, self
        try:
            return run_hooks(hooks, grad)
        finally:
            modes.walk = previous

    def reaches(self, t: Tensor) -> bool:
        """Whether a gradient of `t` is computed in this walk."""
        edge = edge_to(t)
        if edge is None:
            return False
        target = edge[0]
        if isinstance(target, Node):
            return target in self.nodes()
        if not self.accumulate and id(t) not in self.leaves:
            return False
        edges = chain(self.roots, *(node.edges for node in self.nodes()))
        return any(e is not None and e[0] is target for e in edges)

    def _note_points(self, node: Node, grads: list) -> None:
        for slot, grad in enumerate(grads):
            for key in self.points.get((node, slot), ()):
                if grad is not None:
                    self.found[key] = grad

    def deliver(self, edges: Sequence, grads: Sequence, origin: Node | None = None) -> None:
        """Adds each gradient to what waits at the end of its edge."""
        pending = self.pending
        for edge, grad in zip(edges, grads):
            if edge is None or grad is None:
                continue
            target, slot = edge
            if not isinstance(target, Node):
                self._share(target, grad, origin, edge)
                continue
            shape, form = target.outputs[slot]
            array = grad._array
            if array.shape != shape or array.dtype is not form:
                grad = fitted(grad, shape, form, origin, edge)
            key = -target.serial
            if key in pending:
                buffer = pending[key][1]
                waiting = buffer[slot]
                buffer[slot] = grad if waiting is None else waiting + grad
            else:
                buffer = [None] * len(target.outputs)
                buffer[slot] = grad
                pending[key] = target, buffer
                heappush(self.queue, key)

    def _share(self, leaf: Tensor, grad: Tensor, origin: Node | None, edge: tuple) -> None:
        """Adds a gradient to a leaf's share."""
        array, own = grad._array, leaf._array
        if array.shape != own.shape or array.dtype is not own.dtype:
            grad = fitted(grad, own.shape, own.dtype, origin, edge)
        share = self.shares.get(leaf)
        if share is None:
            self.shares[leaf] = [grad, False]
        elif self.create_graph:
            share[0] = share[0] + grad
        elif share[1]:
            _add_into(share[0], grad)
        else:
            share[0], share[1] = _sum(share[0], grad), True

    def settle(self) -> None:
        """Hands the leaves their shares, now that no more can come: each hook runs once."""
        for target, share in self.shares.items():
            grad, share[0] = share[0], None  # one holder less: see _add_to
            if not self.accumulate and id(target) not in self.leaves:
                continue
            hooks = target._hooks
            if hooks is not None and "grad" in hooks:
                grad = self._run_hooks(hooks["grad"], grad)
            if not self.adds:
                self.found[id(target)] = grad
                continue
            if not target._requires_grad:
                continue  # a view older than its base's requires_grad
            if hooks is not None and "pre" in hooks:
                (grad,) = run_prehooks(hooks["pre"], [grad])
            self._add_to(target, grad)
            if hooks is not None:
                for hook in list(hooks.get("accumulated", {}).values()):
                    hook(target)
                run_posthooks(hooks.get("post", {}), (), (grad,))

    def _add_to(self, t: Tensor, grad: Tensor) -> None:
        """t.grad += grad; the first gradient is kept without a copy where nobody else holds it."""
        if tracers:
            know_grad(t)
        before = t._grad
        if before is None:
            if self.create_graph:
                t._grad = grad
            elif tracers:
                t._grad = grad.detach().clone()  # type: ignore[attr-defined]
            else:
                array = grad._array
                # Tensor: the caller's reference, `grad`, and getrefcount's own; array likewise.
                shared = sys.getrefcount(grad) > 3 or sys.getrefcount(array) > 3
                if shared or array.base is not None or not array.flags.forc:
                    array = array.copy()
                t._grad = wrap(array)
        elif self.create_graph:
            t._grad = before + grad
        else:
            _add_into(before, grad)
            (before if before._root is None else before._root)._writes += 1


@quiet
def _plus(xp: Any, a: Any, b: Any) -> Any:
    return xp.add(a, b)


def _sum(a: Tensor, b: Tensor) -> Tensor:
    """a + b, without a record."""
    if tracers:
        return computed(_plus, np, a, b)
    token = hush()
    try:
        array = np.add(a._array, b._array)
    finally:
        restore(token)
    return wrap(array)


def _add_into(into: Tensor, grad: Tensor) -> None:
    """into += grad"""
    array = into._array
    token = hush()
    try:
        np.add(array, grad._array, array)
    finally:
        restore(token)
    if tracers:
        note_write("add", _plus, (into, grad), (array, grad._array), (into,))
        note_written(into)


def wrong_count(node: Node, results: Sequence) -> RuntimeError:
    """The error for a rule that gave more or fewer gradients than the node has edges."""
    return RuntimeError(
        f"function {node.name()} returned an incorrect number of gradients "
        f"(expected {len(node.edges)}, got {len(results)})"
    )


def run_hooks(hooks: dict, grad: Tensor) -> Tensor:
    """The gradient after a tensor's hooks."""
    for hook in list(hooks.values()):
        replaced = hook(grad)
        if replaced is not None:
            _check_replacement(hook, replaced, grad)
            grad = replaced
    return grad


def run_prehooks(hooks: dict, grads: list) -> list:
    """The gradients of a node's outputs after its hooks."""
    for hook in list(hooks.values()):
        replaced = hook(tuple(grads))
        if replaced is not None:
            grads = list(_replacement(hook, replaced, len(grads)))
    return grads


def run_posthooks(hooks: dict, results: tuple, grads: tuple) -> tuple:
    """The gradients of a node's inputs after its hooks."""
    for hook in list(hooks.values()):
        replaced = hook(results, grads)
        if replaced is not None:
            results = _replacement(hook, replaced, len(results))
    return results


def _check_replacement(hook: Any, replaced: Any, grad: Tensor) -> None:
    """A hook may change a gradient's values only."""
    if not isinstance(replaced, Tensor):
        raise TypeError(f"expected Variable, but hook returned '{type(replaced).__name__}'")
    for what in ("dtype", "shape"):
        if getattr(replaced._array, what) != getattr(grad._array, what):
            name = getattr(hook, "__name__", type(hook).__name__)
            noun = "type" if what == "dtype" else "size"
            raise RuntimeError(f"hook '{name}' has changed the {noun} of value")


def _replacement(hook: Any, replaced: Any, expected: int) -> tuple:
    """The gradients that a node's hook gave instead of `expected` others."""
    replaced = tuple(replaced) if isinstance(replaced, (tuple, list)) else (replaced,)
    if len(replaced) != expected:
        name = getattr(hook, "__name__", type(hook).__name__)
        raise RuntimeError(
            f"hook '{name}' has returned an incorrect number of values (got {len(replaced)}, but "
            f"expected {expected})"
        )
    return replaced


def fitted(grad: Tensor, shape: tuple, form: np.dtype, origin: Node | None, edge: tuple) -> Tensor:
    """The gradient summed to `shape` and cast to `form`; RuntimeError where it can not be."""
    array = grad._array
    if array.shape != shape:
        rank = len(shape)
        lead = array.ndim - rank
        if lead < 0 or any(n != m and n != 1 for n, m in zip(shape, array.shape[lead:])):
            where = ""
            if origin is not None:
                index = next(i for i, e in enumerate(origin.edges) if e is edge)
                where = f"Function {origin.name()} returned an invalid gradient at index {index} - "
            raise RuntimeError(
                f"{where}got {list(array.shape)} but expected shape compatible with {list(shape)}"
            )
        grad = grad.sum_to_size(shape)
    if grad._array.dtype is not form and grad._array.dtype != form:
        from ..core.dtype import from_np

        if grad._array.dtype.kind == "c" and form.kind == "f":
            grad = grad.real
        grad = grad.to(from_np(form))
    return grad


# ---------------------------------------------------------------- entry points


def _place(edge: GradientEdge) -> tuple:
    """Where the walk delivers to: (node, slot) or (leaf, 0)."""
    node = edge.node
    return (node.variable, 0) if isinstance(node, AccumulateGrad) else (node, edge.output_nr)


def _stand_in(edge: GradientEdge) -> Tensor:
    """A tensor of the form made at `edge`."""
    target, slot = _place(edge)
    if isinstance(target, Tensor):
        return target
    shape, form = target.outputs[slot]
    return wrap(np.broadcast_to(np.zeros((), form), shape))


def _initial(outputs: Sequence, grads: Sequence[Tensor | None]) -> list[Tensor]:
    if len(grads) != len(outputs):
        raise RuntimeError(f"got {len(outputs)} tensors and {len(grads)} gradients")
    ready = []
    for index, (out, grad) in enumerate(zip(outputs, grads)):
        if isinstance(out, GradientEdge):
            out = _stand_in(out)
        if grad is None:
            array = out._array
            if array.size != 1:
                raise RuntimeError("grad can be implicitly created only for scalar outputs")
            if array.dtype.kind == "c":
                raise RuntimeError(
                    "grad can be implicitly created only for real scalar outputs but got "
                    f"{out.dtype}"
                )
            one = np.array(1, array.dtype)
            grad = fixed(one.reshape(array.shape) if array.ndim else one)
        elif not isinstance(grad, Tensor):
            raise TypeError(
                f"gradients can be either Tensors or None, but got {type(grad).__name__}"
            )
        elif grad._array.shape != out._array.shape:
            raise RuntimeError(
                f"Mismatch in shape: grad_output[{index}] has a shape of {grad.shape} and "
                f"output[{index}] has a shape of {out.shape}."
            )
        elif grad.dtype.is_complex != out.dtype.is_complex:
            raise RuntimeError(
                "For complex Tensors, both grad_output and output are required to have the same "
                f"dtype. Mismatch in dtype: grad_output[{index}] has a dtype of {grad.dtype} and "
                f"output[{index}] has a dtype of {out.dtype}."
            )
        elif not grad.requires_grad:
            if tracers:
                know(grad)
            grad = wrap(grad._array)  # the caller's own tensor must not become a leaf's .grad
        ready.append(grad)
    return ready


def _as_tuple(x: Any) -> tuple:
    if type(x) is tuple:
        return x
    return (x,) if x is None or isinstance(x, (Tensor, GradientEdge)) else tuple(x)


def _goals(inputs: Any) -> tuple:
    """What is differentiated by: tensors, and edges within the graph."""
    leaf = AccumulateGrad
    return tuple(
        t.node.variable if isinstance(t, GradientEdge) and isinstance(t.node, leaf) else t
        for t in _as_tuple(inputs)
    )


def _roots(outputs: Sequence) -> list[tuple]:
    roots = []
    for i, out in enumerate(outputs):
        edge = _place(out) if isinstance(out, GradientEdge) else edge_to(out)
        if edge is None:
            raise RuntimeError(
                f"element {i} of tensors does not require grad and does not have a grad_fn"
            )
        roots.append(edge)
    return roots


def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    """Adds the gradients of the tensors' sum to the `.grad` of the leaves they depend on.

    >>> import penlight as torch
    >>> w = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> torch.autograd.backward([(w * 3).sum(), (w * w).sum()])
    >>> w.grad
    tensor([5., 7.])
    """
    tensors = _as_tuple(tensors)
    grads = (None,) * len(tensors) if grad_tensors is None else _as_tuple(grad_tensors)
    keep = create_graph if retain_graph is None else retain_graph
    if inputs is None:
        Walk(keep, create_graph, None).run(_roots(tensors), _initial(tensors, grads))
        return
    inputs = _goals(inputs)
    if not inputs:
        raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
    walk = Walk(keep, create_graph, inputs)
    walk.adds = True
    walk.run(_roots(tensors), _initial(tensors, grads))
    for t in inputs:
        if id(t) in walk.found and isinstance(t, Tensor):
            walk._add_to(t, walk.found[id(t)])


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of the outputs' sum with respect to `inputs`; no `.grad` is touched.

    >>> import penlight as torch
    >>> x = torch.tensor(3.0, requires_grad=True)
    >>> (dx,) = torch.autograd.grad(x**3, x, create_graph=True)
    >>> torch.autograd.grad(dx, x)
    (tensor(18.),)
    """
    if is_grads_batched:
        raise NotImplementedError("penlight has no batched gradients; call grad once per vector")
    if materialize_grads and allow_unused is False:
        raise ValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, but got: "
            "allow_unused=False."
        )
    outputs, inputs = _as_tuple(outputs), _goals(inputs)
    grads = (None,) * len(outputs) if grad_outputs is None else _as_tuple(grad_outputs)
    for t in inputs:
        if isinstance(t, Tensor) and not t.requires_grad:
            raise RuntimeError("One of the differentiated Tensors does not require grad")
    walk = Walk(create_graph if retain_graph is None else retain_graph, create_graph, inputs)
    walk.run(_roots(outputs), _initial(outputs, grads))
    results = [walk.found.get(id(t)) for t in inputs]
    if materialize_grads:
        if any(r is None and isinstance(t, GradientEdge) for t, r in zip(inputs, results)):
            raise RuntimeError(
                "materialize_grads cannot be used when the given input is a GradientEdge"
            )
        results = [
            fixed(np.zeros(t._array.shape, t._array.dtype)) if r is None else r
            for t, r in zip(inputs, results)
        ]
    elif not allow_unused:
        for index, r in enumerate(results):
            if r is None:
                raise RuntimeError(
                    f"The differentiated Tensor at index {index} appears to not have been used in "
                    "the graph. Set allow_unused=True if this is the desired behavior."
                )
    return tuple(results)


def _tensor_backward(
    self: Tensor,
    gradient: Tensor | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    """Adds this tensor's gradients to the leaves it depends on; `gradient` weights its elements."""
    backward((self,), (gradient,), retain_graph, create_graph, inputs)


Tensor.backward = _tensor_backward  # type: ignore[attr-defined]
