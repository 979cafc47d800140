"""The tensor: a strided array and, where gradients flow, its place on the tape.

No op is known here; the pages of `ops/` hang their methods on the class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from . import dtype as dtypes
from .device import CPU, device
from .printing import plain_types, tensor_repr
from .size import Size
from .tape import Node, Removable, add_hook, births, modes
from .watch import know, know_grad, lose_grad, note_written, refuse, tracers

ndarray = np.ndarray

if TYPE_CHECKING:

    def _unary(self: Any) -> Any: ...

    def _binary(self: Any, other: Any) -> Any: ...


class Tensor:
    """A multi-dimensional array that can remember how it was computed.

    Made by `tensor`, `zeros`, `rand`, ... or by an op on other tensors.

    >>> import penlight as torch
    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """

    __slots__ = (
        "__dict__",  # users may hang notes on a tensor
        "__weakref__",
        "_array",  # the elements
        "_epoch",  # of a base: how often an in-place write changed its history (unset: never)
        "_grad",  # the accumulated gradient
        "_hooks",  # gradient hooks; None until the first one
        "_node",  # what computed it; None for a leaf
        "_requires_grad",
        "_root",  # whose memory this is; None: its own
        "_slot",  # which output of the node it is; set with the node
        "_view",  # for a view: parent and how it was taken
        "_writes",  # of an owner: how often its memory was written; negative: inference tensor
    )

    if TYPE_CHECKING:  # the ops hang their methods on the class

        def __getattr__(self, name: str) -> Any: ...

        __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __pow__ = __rpow__ = _binary
        __truediv__ = __rtruediv__ = __floordiv__ = __mod__ = __matmul__ = __rmatmul__ = _binary
        __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = _binary
        __lt__ = __le__ = __gt__ = __ge__ = __getitem__ = _binary
        __neg__ = __abs__ = __invert__ = __len__ = __iter__ = _unary
        __int__ = __float__ = __index__ = __bool__ = _unary

        def __setitem__(self, key: Any, value: Any) -> None: ...

        _array: Any
        _node: Node | None
        _slot: int
        _root: Tensor | None
        _view: View | None
        _hooks: dict | None
        _grad: Tensor | None
        _requires_grad: bool
        _writes: int
        _epoch: int

    __array_priority__ = 1000  # NumPy's operators leave mixed expressions to the tensor

    def __new__(cls, *args: Any, **kwargs: Any) -> Tensor:
        self = object.__new__(cls)
        self._array = _EMPTY
        self._requires_grad = False
        self._node = self._grad = self._root = self._view = self._hooks = None
        self._writes = first_version(self) if births else 0
        return self

    # ------------------------------------------------------------ form

    @property
    def shape(self) -> Size:
        """The axis lengths."""
        return tuple.__new__(Size, self._array.shape)

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the length of one axis.

        >>> import penlight as torch
        >>> torch.zeros(2, 3).size(), torch.zeros(2, 3).size(-1)
        (torch.Size([2, 3]), 3)
        """
        if dim is None:
            return tuple.__new__(Size, self._array.shape)
        shape = self._array.shape
        return shape[check_dim(dim, len(shape))]

    def dim(self) -> int:
        """The number of axes."""
        return self._array.ndim

    ndim = property(dim)
    ndimension = dim

    def numel(self) -> int:
        """The number of elements."""
        return self._array.size

    nelement = numel

    @property
    def dtype(self) -> dtypes.dtype:
        """The type of the elements."""
        found = dtypes._BY_NP.get(self._array.dtype)
        return found if found is not None else dtypes.from_np(self._array.dtype)

    @property
    def device(self) -> device:
        """Where the memory is."""
        return CPU

    def __repr__(self, *, tensor_contents: str | None = None) -> str:
        return tensor_repr(self, tensor_contents=tensor_contents)

    def _repr_html_(self) -> str:
        from .show import tensor_html  # notebooks only

        return tensor_html(self)

    # ------------------------------------------------------------ gradients

    @property
    def requires_grad(self) -> bool:
        """Whether gradients are computed for this tensor."""
        view = self._view
        if view is None:
            return self._requires_grad
        current_node(self)  # an in-place write to the base may have changed it
        return self._requires_grad or view.base._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if value == self.requires_grad:
            return
        if current_node(self) is not None:
            raise RuntimeError(
                "you can only change requires_grad flags of leaf variables."
                + ("" if value else
                   " If you want to use a computed variable in a subgraph that doesn't require "
                   "differentiation use var_no_grad = var.detach().")
            )  # fmt: skip
        if value and self.is_inference() and not modes.inference:
            raise RuntimeError(
                "Setting requires_grad=True on inference tensor outside InferenceMode is not "
                "allowed."
            )
        if value and self.dtype.category < dtypes.FLOAT:
            raise RuntimeError("only Tensors of floating point dtype can require gradients")
        self._requires_grad = bool(value)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Sets `requires_grad` and returns the tensor."""
        self.requires_grad = requires_grad
        return self

    @property
    def is_leaf(self) -> bool:
        """True unless the tensor was computed from tensors that require gradients."""
        return current_node(self) is None

    @property
    def grad_fn(self) -> Node | None:
        """The tape node that made this tensor; None for a leaf."""
        return current_node(self)

    @property
    def output_nr(self) -> int:
        """Which output of `grad_fn` this tensor is."""
        return self._slot if current_node(self) is not None else 0

    @property
    def grad(self) -> Tensor | None:
        """The accumulated gradient; None until the first backward."""
        if tracers:
            know_grad(self)
        return self._grad

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            self._check_grad(value)
        if tracers:
            lose_grad(self)
        self._grad = value

    @grad.deleter
    def grad(self) -> None:
        if tracers:
            lose_grad(self)
        self._grad = None

    def _check_grad(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise TypeError(
                "assigned grad expected to be a Tensor or None but got grad of type "
                f"{type(value).__name__}"
            )
        if value is self:
            raise RuntimeError("can't assign Variable as its own grad")
        if value.dtype is not self.dtype:
            raise RuntimeError(
                f"attempting to assign a gradient with dtype '{value.dtype}' to a tensor with "
                f"dtype '{self.dtype}'. The gradient must match the tensor's dtype."
            )
        if value._array.shape != self._array.shape:
            raise RuntimeError(
                f"attempting to assign a gradient of size '{list(value._array.shape)}' to a tensor "
                f"of size '{list(self._array.shape)}'. Please ensure that the gradient and the "
                "tensor are the same size"
            )

    def retain_grad(self) -> None:
        """Keeps this computed tensor's gradient in `.grad` during backward."""
        if not self.requires_grad:
            raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
        node = current_node(self)
        if node is not None:
            node.note("retained", {})[self._slot] = self

    @property
    def retains_grad(self) -> bool:
        """Whether `retain_grad` was called on this computed tensor."""
        node = current_node(self)
        if node is None or node.notes is None:
            return False
        return node.notes.get("retained", {}).get(self._slot) is self

    def register_hook(self, hook: Any) -> Removable:
        """`hook(grad)` runs when this tensor's gradient is known and may return another one."""
        if not self.requires_grad:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        node = current_node(self)
        if node is not None:
            return add_hook(node.note("tensor_hooks", {}), self._slot, hook)
        if self._hooks is None:
            self._hooks = {}
        return add_hook(self._hooks, "grad", hook)

    def register_post_accumulate_grad_hook(self, hook: Any) -> Removable:
        """`hook(tensor)` runs after this leaf's `.grad` has been written."""
        if not self.requires_grad:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        if current_node(self) is not None:
            raise RuntimeError(
                "post accumulate grad hooks cannot be registered on non-leaf tensors"
            )
        if self._hooks is None:
            self._hooks = {}
        return add_hook(self._hooks, "accumulated", hook)

    # ------------------------------------------------------------ sharing memory

    def detach(self) -> Tensor:
        """The same memory without history; writes are seen, and counted, on both sides."""
        if tracers:
            know(self)
        alias = wrap(self._array)
        alias._root = self if self._root is None else self._root
        return alias

    def detach_(self) -> Tensor:
        """Forgets this tensor's history."""
        if self._view is not None:
            raise RuntimeError(
                "Can't detach views in-place. Use detach() instead. If you are using "
                "DistributedDataParallel (DDP) for training, and gradient_as_bucket_view is set as "
                "True, gradients are views of DDP buckets, and hence detach_() cannot be called on "
                "these gradients. To fix this error, please refer to the Optimizer.zero_grad() "
                "function in torch/optim/optimizer.py as the solution."
            )
        self._node, self._requires_grad = None, False
        return self

    @property
    def data(self) -> Tensor:
        """The same memory without history, whose writes autograd does not notice."""
        if tracers:
            know(self)
        return wrap(self._array)

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise TypeError(f"Variable data has to be a tensor, but got {type(value).__name__}")
        if self._requires_grad and value.dtype.category < dtypes.FLOAT:
            raise RuntimeError(
                "data set to a tensor that requires gradients must be floating point or complex "
                "dtype"
            )
        if tracers:
            refuse("a tensor's .data is replaced")
        self._array = value._array

    @property
    def _base(self) -> Tensor | None:
        """The tensor this one is a view of."""
        return None if self._view is None else self._view.base

    def _is_view(self) -> bool:
        return self._view is not None

    def is_inference(self) -> bool:
        """Whether the tensor was made in inference mode."""
        return (self if self._root is None else self._root)._writes < 0

    @property
    def _version(self) -> int:
        """How often the memory was written; views share the count."""
        if self.is_inference():
            raise RuntimeError("Inference tensors do not track version counter.")
        return (self if self._root is None else self._root)._writes


plain_types.add(Tensor)
_EMPTY = np.empty(0, np.float32)
_new = object.__new__


def first_version(born: Tensor) -> int:
    """The write count of a new tensor: below zero for good where it is an inference tensor."""
    if modes.tracer is not None:
        modes.tracer.born(born)
    return -(1 << 60) if modes.inference else 0


def wrap(array: Any) -> Tensor:
    """A tensor over `array`, without history.

    >>> import numpy as np
    >>> wrap(np.arange(3))
    tensor([0, 1, 2])
    """
    if array.__class__ is not ndarray:
        array = np.asarray(array)
    self = _new(Tensor)
    self._array = array
    self._requires_grad = False
    self._node = self._grad = self._root = self._view = self._hooks = None
    self._writes = first_version(self) if births else 0
    return self


def check_dim(dim: int, ndim: int) -> int:
    """`dim` counted from the front; IndexError with PyTorch's text where there is no such axis.

    >>> check_dim(-1, 3)
    2
    """
    if not hasattr(dim, "__index__"):
        raise TypeError(f"dim must be an int, not {type(dim).__name__}")
    dim = dim.__index__()
    bound = ndim if ndim > 0 else 1
    if not -bound <= dim < bound:
        raise IndexError(
            "Dimension out of range (expected to be in range of "
            f"[{-bound}, {bound - 1}], but got {dim})"
        )
    return dim + bound if dim < 0 else dim


# ---------------------------------------------------------------- views and in-place writes


class View:
    """How a view was taken: `take(parent, *args)` makes it again, on the same or another base."""

    __slots__ = ("args", "base", "epoch", "multiple", "parent", "recorded", "take")

    def __init__(self, parent: Tensor, take: Any, args: tuple, multiple: bool = False):
        self.parent, self.take, self.args, self.multiple = parent, take, args, multiple
        self.base: Tensor = parent if parent._view is None else parent._view.base
        self.epoch = getattr(self.base, "_epoch", 0)
        self.recorded = modes.grad

    def replay(self, base: Tensor) -> Tensor:
        """The same view of another base."""
        parent = self.parent
        start = base if parent._view is None else parent._view.replay(base)
        return self.take(start, *self.args)


def current_node(t: Tensor) -> Node | None:
    """The node that made `t`; a view whose base was rewritten in place is recorded anew first."""
    view = t._view
    if view is not None and view.epoch != getattr(view.base, "_epoch", 0):
        view.epoch = view.base._epoch
        current_node(view.parent)
        grad, modes.grad = modes.grad, True
        try:
            again = view.take(view.parent, *view.args)
        finally:
            modes.grad = grad
        t._node, t._requires_grad = again._node, again._requires_grad
        if again._node is not None:
            t._slot = again._slot
    return t._node


class CopySlices(Node):
    """History of a base one of whose views was overwritten: two edges, the old base and the new
    part.
    """

    __slots__ = ()

    def backward(self, grads: list) -> tuple:
        """The old base gets the gradient with the part set to zero, the new part gets its view of
        it.
        """
        (grad,) = grads
        (view,) = self.saved or ()
        rest = grad.clone()
        view.replay(rest).zero_()
        return rest, view.replay(grad)


def edge_to(t: Tensor) -> tuple | None:
    """Whom a gradient of `t` goes to: (node, slot), (leaf, 0) or None.

    A view taken before its base came to require gradients requires them too, as a leaf.
    """
    if not (t._requires_grad if t._view is None else t.requires_grad):
        return None
    node = t._node
    return (t, 0) if node is None else (node, t._slot)


def check_writable(t: Tensor) -> None:
    """Raises where an in-place write would break a gradient or write one element twice."""
    array = t._array
    if (
        0 in array.strides
        and array.size
        and any(s == 0 and n > 1 for s, n in zip(array.strides, array.shape, strict=True))
    ):
        raise RuntimeError(
            "unsupported operation: more than one element of the written-to tensor refers to a "
            "single memory location. Please clone() the tensor before performing the operation."
        )
    if (t if t._root is None else t._root)._writes < 0 and not modes.inference:
        raise RuntimeError(
            "Inplace update to inference tensor outside InferenceMode is not allowed.You can make "
            "a clone to get a normal tensor before doing inplace update.See "
            "https://github.com/pytorch/rfcs/pull/17 for more details."
        )
    if not modes.grad:
        return
    view = t._view
    if view is None:
        if t._requires_grad and t._node is None:
            raise RuntimeError(
                "a leaf Variable that requires grad is being used in an in-place operation."
            )
        return
    base = view.base
    if (base._requires_grad and base._node is None) or (t._requires_grad and t._node is None):
        raise RuntimeError(
            "a view of a leaf Variable that requires grad is being used in an in-place operation."
        )
    if base._requires_grad and not view.recorded:
        raise RuntimeError(
            "A view was created in no_grad mode and is being modified inplace with grad mode "
            "enabled. Given that this use case is ambiguous and error-prone, it is forbidden. You "
            "can clarify your code by moving both the view and the inplace either both inside the "
            "no_grad block (if you don't want the inplace to be tracked) or both outside (if you "
            "want the inplace to be tracked)."
        )
    if view.multiple and t.requires_grad:
        raise RuntimeError(
            f"Output {t._slot} of {type(t._node).__name__.removesuffix('Backward0')} is a view "
            "and is being modified inplace. "
            "This view is the output of a function that returns multiple views. Such functions do "
            "not allow the output views to be modified inplace. You should replace the inplace "
            "operation by an out-of-place one."
        )


def _still_retained(t: Tensor, source: Tensor) -> None:
    """`retain_grad` belongs to the tensor: it moves on to the node of its new values."""
    notes = None if t._node is None else t._node.notes
    retained = {} if notes is None else notes.get("retained", {})
    if retained.get(t._slot) is t and source._node is not None:
        del retained[t._slot]
        source._node.note("retained", {})[source._slot] = t


def written(t: Tensor, source: Tensor | None = None) -> Tensor:
    """Notes that `t`'s memory was overwritten with `source`'s values, and adopts their history."""
    if tracers:
        note_written(t)
    root = t if t._root is None else t._root
    root._writes += 1
    if root._node is not None and root._node.saved:
        root._node.note_overwritten(root._array)
    if source is None or not modes.grad:
        return t
    view = t._view
    if view is None:
        if source._requires_grad or t._requires_grad:
            if t._node is not None and t._node.notes is not None:
                _still_retained(t, source)
            t._requires_grad = source._requires_grad
            t._node = source._node
            if source._node is not None:
                t._slot = source._slot
            t._epoch = getattr(t, "_epoch", 0) + 1
        return t
    base = view.base
    if source._requires_grad or base._requires_grad:
        shape_dtype = (base._array.shape, base._array.dtype)
        node = CopySlices((edge_to(base), edge_to(source)), (view,), 0, (shape_dtype,))
        base._node, base._slot, base._requires_grad = node, 0, True
        base._epoch = getattr(base, "_epoch", 0) + 1
    return t
