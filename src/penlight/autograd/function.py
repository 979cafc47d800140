"""Custom functions: a forward in any code, and the gradient written beside it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..core.beside import fixed
from ..core.tape import FREED, SAVED_INFERENCE, Node, Packed, SavedOutput, modes
from ..core.tensor import Tensor, edge_to, wrap, written
from ..ops.record import overwritten


class FunctionCtx(Node):
    """What `forward` leaves for `backward`; it is the call's node on the tape."""

    __slots__ = ("__dict__",)
    _function: type[Function]

    def __init__(self, edges: list, given: tuple):
        super().__init__(edges, (), 0, ())
        self.needs_input_grad = tuple(e is not None for e in edges)
        self._of_tensor = tuple(isinstance(a, Tensor) for a in given)
        self._to_save: tuple = ()
        self._dirty: tuple = ()
        self._not_differentiable: tuple = ()
        self._materialize = True

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keeps inputs or outputs for `backward`, checked against being overwritten meanwhile."""
        for i, t in enumerate(tensors):
            if t is not None and not isinstance(t, Tensor):
                raise TypeError(
                    f"save_for_backward can only save variables, but argument {i} is of type "
                    f"{type(t).__name__}"
                )
        self._to_save = tensors

    def save_for_forward(self, *tensors: Tensor | None) -> None:
        """Accepted for programs that also define `jvp`, which penlight never calls."""

    def mark_dirty(self, *tensors: Tensor) -> None:
        """Declares inputs that `forward` changed in place and returns."""
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Declares outputs through which no gradient flows."""
        self._not_differentiable = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether outputs without a gradient give `backward` zeros (the default) or None."""
        self._materialize = value

    @property
    def saved_tensors(self) -> tuple:
        """What `save_for_backward` kept; RuntimeError if it was freed or overwritten."""
        if self.saved is None:
            raise RuntimeError(FREED)
        tensors = []
        for value in self.saved:
            if isinstance(value, SavedOutput):
                tensors.append(_own_output(value, self))
                continue
            if isinstance(value, Packed):
                tensors.append(_unpacked(value, self))
                continue
            t, version = value
            if t is not None and (t if t._root is None else t._root)._writes != version:
                raise overwritten(t, self)
            tensors.append(t)
        return tuple(tensors)

    saved_variables = saved_tensors

    def name(self) -> str:
        """The name `grad_fn` prints."""
        return self._function.__name__ + "Backward"

    def backward(self, grads: list) -> tuple:
        """Calls the user's backward and lines its results up with the differentiable inputs."""
        if self._materialize:
            grads = [
                fixed(np.zeros(*form)) if g is None and form is not None else g
                for g, form in zip(grads, self.outputs)
            ]
        results = self._function.backward(self, *grads)
        results = results if isinstance(results, tuple) else (results,)
        expected = len(self.edges)
        if len(results) > expected and all(r is None for r in results[expected:]):
            results = results[:expected]
        if len(results) != expected:
            raise RuntimeError(
                f"function {self.name()} returned an incorrect number of gradients "
                f"(expected {expected}, got {len(results)})"
            )
        for index, (r, of_tensor) in enumerate(zip(results, self._of_tensor)):
            if r is not None and not of_tensor:
                raise RuntimeError(
                    f"function {self.name()} returned a gradient different than None at position "
                    f"{index + 1}, but the corresponding forward input was not a Variable"
                )
            if r is not None and not isinstance(r, Tensor):
                raise RuntimeError(f"expected Variable or None (got {type(r).__name__})")
        return results


def _placed(array: Any, node: Node, slot: int) -> Tensor:
    """A node's output again, with its place on the tape."""
    t = wrap(array)
    t._node, t._slot, t._requires_grad = node, slot, True
    return t


def _own_output(saved: SavedOutput, node: Node) -> Tensor:
    if saved.overwritten():
        raise overwritten(wrap(saved.array), node, f"output {saved.slot} of {node.name()}, ")
    return _placed(saved.array, node, saved.slot)


def _unpacked(packed: Packed, node: Node) -> Tensor:
    t = packed.unpack(packed.form)
    return t if packed.slot is None else _placed(t._array, node, packed.slot)


class Function:
    """Base of custom differentiable functions: define static `forward` and `backward`, call
    `apply`.

    >>> import penlight as torch
    >>> class Cube(torch.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x**3
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         (x,) = ctx.saved_tensors
    ...         return g * 3 * x**2
    >>> x = torch.tensor(2.0, requires_grad=True)
    >>> Cube.apply(x).backward()
    >>> x.grad
    tensor(12.)
    """

    _node: type[FunctionCtx]

    def __init__(self, *args: Any, **kwargs: Any):
        warnings.warn(
            f"{type(self)} should not be instantiated. Methods on autograd functions are all "
            "static, so you should invoke them on the class itself. Instantiating an autograd "
            "function will raise an error in a future version of PyTorch.",
            DeprecationWarning,
            stacklevel=2,
        )

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._node = type(cls.__name__ + "Backward", (FunctionCtx,), {"_function": cls})

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Computes the result; with `setup_context` defined it gets no ctx."""
        raise NotImplementedError(
            "You must implement the forward function for custom autograd.Function."
        )

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Any) -> Any:
        """Keeps what backward needs, where `forward` takes no ctx."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """One gradient per input of forward, None where there is none."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom "
            "autograd.Function "
            "to use it with backward mode AD."
        )

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Runs the function and records it."""
        edges = [edge_to(a) if isinstance(a, Tensor) else None for a in args]
        recording = modes.grad and any(e is not None for e in edges)
        ctx = cls._node(edges, args)
        grad, modes.grad = modes.grad, False
        try:
            if cls.setup_context is Function.setup_context:
                output = cls.forward(ctx, *args, **kwargs)
            else:
                output = cls.forward(*args, **kwargs)
                cls.setup_context(ctx, args, output)
        finally:
            modes.grad = grad
        single = not isinstance(output, tuple)
        outputs = (output,) if single else output
        if recording:
            outputs = cls._record(ctx, args, outputs)
        return outputs[0] if single else outputs

    @classmethod
    def _record(cls, ctx: FunctionCtx, args: tuple, outputs: tuple) -> tuple:
        """Puts the outputs on the tape; an input returned as it came becomes a new tensor unless
        dirty.
        """
        cls._check_dirty(ctx, outputs)
        results: list = []
        forms: list[tuple | None] = []
        dropped = {id(t) for t in ctx._not_differentiable}
        dirty = {id(t) for t in ctx._dirty}
        given = {id(a) for a in args if isinstance(a, Tensor)}
        slots: dict[int, int] = {}
        for slot, out in enumerate(outputs):
            if not isinstance(out, Tensor):
                forms.append(None)
                results.append(out)
                continue
            slots[id(out)] = slot
            forms.append((out._array.shape, out._array.dtype))
            if id(out) in given and id(out) not in dirty:
                out = out.detach()
            if id(outputs[slot]) not in dropped and out._array.dtype.kind in "fcV":
                if id(out) in dirty:
                    written(out, _placed(out._array, ctx, slot))
                else:
                    out._node, out._slot, out._requires_grad = ctx, slot, True
            results.append(out)
        ctx.outputs = tuple(forms)
        ctx.saved = tuple(cls._kept(t, slots, given - dirty) for t in ctx._to_save)
        ctx._to_save = ()
        return tuple(results)

    @staticmethod
    def _check_dirty(ctx: FunctionCtx, outputs: tuple) -> None:
        """What was changed in place must be returned, and must not be a leaf that is trained."""
        returned = {id(t) for t in outputs}
        for t in ctx._dirty:
            if id(t) not in returned:
                raise RuntimeError(
                    "Some elements marked as dirty during the forward method were not returned "
                    "as output. The inputs that are modified inplace must all be outputs of the "
                    "Function."
                )
            if t._view is None and t._requires_grad and t._node is None:
                raise RuntimeError(
                    "a leaf Variable that requires grad has been used in an in-place operation."
                )

    @staticmethod
    def _kept(t: Tensor | None, slots: dict, given: set) -> Any:
        if t is None:
            return None, 0
        if t.is_inference():
            raise RuntimeError(SAVED_INFERENCE)
        own = slots[id(t)] if id(t) in slots and id(t) not in given else None
        if modes.saved_hooks:
            return Packed(t, own)
        if own is not None:
            return SavedOutput(t, own)
        return t, (t if t._root is None else t._root)._writes


def once_differentiable(backward: Callable) -> Callable:
    """Marks a backward whose result can not be differentiated again."""
    import functools

    @functools.wraps(backward)
    def once(ctx: Any, *grads: Any) -> Any:
        grad, modes.grad = modes.grad, False
        try:
            results = backward(ctx, *grads)
        finally:
            modes.grad = grad
        if not grad or not any(g is not None and g.requires_grad for g in grads):
            return results
        single = not isinstance(results, tuple)
        blocked = tuple(_Blocked.apply(r) if isinstance(r, Tensor) else r
                        for r in ((results,) if single else results))  # fmt: skip
        return blocked[0] if single else blocked

    return once


class _Blocked(Function):
    """A value whose gradient was declared not to exist."""

    @staticmethod
    def apply(t: Tensor) -> Tensor:  # type: ignore[override]
        """A copy on the tape whose backward raises."""
        source = wrap(t._array)
        source._requires_grad = True
        return super(_Blocked, _Blocked).apply(source)

    @staticmethod
    def forward(ctx: Any, t: Tensor) -> Tensor:
        """The same values."""
        return t

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """There is none."""
        raise RuntimeError(
            "trying to differentiate twice a function that was marked with @once_differentiable"
        )


InplaceFunction = Function
