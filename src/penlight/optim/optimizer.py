"""The base of all optimizers: parameter groups, state, hooks, the loop of a step.

An optimizer says about one parameter: the state it starts with (`first_state`), the numbers of a
step (`numbers`) and how a gradient changes parameter and moments (`formula`, see sweep.py). One
whose step is not such a formula says it as a whole (`update`). Loops over groups and parameters,
`maximize`, weight decay, complex numbers, hooks and checkpoints live here.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from functools import wraps
from itertools import chain
from typing import Any, ClassVar

from ..autograd.grad_mode import enable_grad, no_grad
from ..core.tensor import Tensor
from ..core.watch import postpone, refuse, tracers, unwatched
from ..nn.hooks import RemovableHandle, add_hook
from . import state as states
from .options import check_switches, plain
from .pace import Pace
from .sweep import Formula, apply
from .together import Applied, Together

Hooks = OrderedDict[int, Callable[..., Any]]
_global_pre_hooks: Hooks = OrderedDict()
_global_post_hooks: Hooks = OrderedDict()


def register_optimizer_step_pre_hook(hook: Callable) -> RemovableHandle:
    """Calls `hook(optimizer, args, kwargs)` before each step of every optimizer."""
    return add_hook(_global_pre_hooks, hook)


def register_optimizer_step_post_hook(hook: Callable) -> RemovableHandle:
    """Calls `hook(optimizer, args, kwargs)` after each step of every optimizer."""
    return add_hook(_global_post_hooks, hook)


class _Required:
    """The default of an option that every parameter group must bring itself."""

    def __repr__(self) -> str:
        return "<required parameter>"


required = _Required()


def _with_hooks(step: Callable) -> Callable:
    """`step` between the hooks of all optimizers and those of the one that steps."""

    @wraps(step)
    def hooked(*args: Any, **kwargs: Any) -> Any:
        self = args[0]
        before, after = self._optimizer_step_pre_hooks, self._optimizer_step_post_hooks
        for hook in (*_global_pre_hooks.values(), *before.values()):
            changed = hook(self, args, kwargs)
            if changed is not None:
                if not (isinstance(changed, tuple) and len(changed) == 2):
                    raise RuntimeError(
                        f"{step} must return None or a tuple of (new_args, new_kwargs), "
                        f"but got {changed}."
                    )
                args, kwargs = changed
        result = step(*args, **kwargs)
        for hook in (*after.values(), *_global_post_hooks.values()):
            hook(self, args, kwargs)
        return result

    return hooked


class _HookTables:
    """The hooks of one optimizer, by the names that PyTorch gives them."""

    _optimizer_step_pre_hooks: Hooks
    _optimizer_step_post_hooks: Hooks
    _optimizer_state_dict_pre_hooks: Hooks
    _optimizer_state_dict_post_hooks: Hooks
    _optimizer_load_state_dict_pre_hooks: Hooks
    _optimizer_load_state_dict_post_hooks: Hooks

    def _make_hook_tables(self) -> None:
        for table in _HookTables.__annotations__:
            self.__dict__.setdefault(table, OrderedDict())
        self._together = Together()


class Optimizer(_HookTables):
    """Base class: give it parameters (or groups of them) and the defaults of its options.

    `params` is an iterable of tensors, of (name, tensor) pairs, or of dictionaries, each with a
    key `"params"` and any options that differ from the defaults.

    An optimizer of one's own defines `update` (and `first_state`), or `step` as a whole:

    >>> import penlight as torch
    >>> class Sign(torch.optim.Optimizer):
    ...     def __init__(self, params, lr=0.5):
    ...         super().__init__(params, {"lr": lr})
    ...     def update(self, p, g, state, /, lr):
    ...         p.sub_(lr * g.sign())
    >>> w = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
    >>> (w * w).sum().backward()
    >>> Sign([w]).step()
    >>> w
    Parameter containing:
    tensor([ 0.5000, -1.5000], requires_grad=True)

    See https://docs.pytorch.org/docs/stable/optim.html#base-class
    """

    # kept as 0-d tensors (plain numbers in old checkpoints), the count of steps first
    scalar_state: ClassVar[tuple[str, ...]] = ("step",)
    moments: ClassVar[tuple[str, ...]] = ()  # arrays in state: "name", or "name if option"
    switches: ClassVar[tuple[str, ...]] = ()  # options that choose among formulas
    at_first: ClassVar[tuple[str, ...]] = ()  # switches that are on in a parameter's first step
    formula: ClassVar[Formula | None] = None

    def __init__(self, params: Iterable, defaults: dict[str, Any]) -> None:
        self._make_hook_tables()
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, "
                f"but got {params.type()}"
            )
        check_switches(**defaults)
        self.defaults = defaults
        self.state: defaultdict[Tensor, Any] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "update" in cls.__dict__ and "formula" not in cls.__dict__:
            cls.formula = None
        if "step" in cls.__dict__:
            cls.step = _with_hooks(cls.step)  # type: ignore[method-assign]

    # ------------------------------------------------------------ what an optimizer says

    def first_state(self, *args: Any, **options: Any) -> dict[str, Any]:
        """(p, g, /, options): what to remember about parameter p before its first gradient g."""
        return {}

    def numbers(self, *args: Any, **options: Any) -> dict[str, float]:
        """(t, /, options, scalars of the state after the count): the formula's numbers in step t.

        Work of the host, done anew in every step; scalars of the state are moved on here.
        """
        raise NotImplementedError

    def update(self, *args: Any, **options: Any) -> None:
        """(p, g, state, /, options): changes p and its state in place, by the gradient g."""
        raise NotImplementedError

    # ------------------------------------------------------------ a step

    @_with_hooks
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Updates every parameter that has a gradient.

        A `closure` computes the loss anew and calls backward; its result is returned.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        with no_grad():
            if self.formula is None:
                for group in self.param_groups:
                    self._update_group(group)
            elif tracers or not self._together.step(self):
                calls: list[Applied] = []
                for group in self.param_groups:
                    self._step_group(group, calls)
                if not tracers:
                    self._together.saw(self, calls)
        return loss

    def _step_group(self, group: dict[str, Any], calls: list[Applied]) -> None:
        """The formula, for each parameter with a gradient; `calls` are told about it."""
        pace = unwatched(Pace, self, group) if tracers else Pace(self, group)
        state: Any = {}
        for p in group["params"]:
            g = p.grad
            if g is None:
                continue
            switches = pace.switches
            if pace.remembers:
                state = self.state.get(p)
                if not state or state.get(pace.moments[0], state) is None:  # None: PyTorch's b₀
                    if tracers:
                        postpone()
                    state = self.state[p] = self.first_state(p, g, **pace.options)
                    switches = switches | dict.fromkeys(self.at_first, True)
            moments = [None if name is None else state[name] for name in pace.moments]
            tensors = [g, p, *moments]
            numbers = apply(pace, state, tensors, switches)
            calls.append(Applied(pace, state, tensors, numbers, switches))

    def _update_group(self, group: dict[str, Any]) -> None:
        """`update`, for each parameter with a gradient, uphill or pulled to zero if so wished."""
        refuse(f"{type(self).__name__} has a step of its own")
        options = {name: plain(v) for name, v in group.items() if name != "params"}
        for p in group["params"]:
            g = p.grad
            if g is None:
                continue
            state = self.state.get(p)
            if not state:
                state = self.first_state(p, g, **options)
                if state:
                    self.state[p] = state
            if options.get("maximize"):
                g = -g
            if options.get("weight_decay", 0) != 0:
                g = self.decay(p, g, **options)
            self.update(p, g, state, **options)

    def decay(self, p: Tensor, g: Tensor, /, **options: Any) -> Tensor:
        """Pulls p towards zero: at once if decoupled, else through the gradient it returns."""
        if options.get("decoupled_weight_decay"):
            p.mul_(1 - options["lr"] * options["weight_decay"])
            return g
        return g.add(p, alpha=options["weight_decay"])

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets the gradients of all parameters, or fills them with zeros."""
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none:
                    p.grad = None
                elif p.grad is not None:
                    if p.grad.grad_fn is not None:
                        p.grad.detach_()
                    else:
                        p.grad.requires_grad_(False)
                    p.grad.zero_()

    # ------------------------------------------------------------ groups

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Adds parameters with options of their own, for instance unfrozen layers.

        >>> import penlight as torch
        >>> w, b = torch.nn.Parameter(torch.zeros(2)), torch.nn.Parameter(torch.zeros(1))
        >>> optimizer = torch.optim.SGD([w], lr=0.1)
        >>> optimizer.add_param_group({"params": [b], "lr": 0.2})
        >>> [group["lr"] for group in optimizer.param_groups]
        [0.1, 0.2]
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        _collect_params(param_group)
        for p in param_group["params"]:
            if not isinstance(p, Tensor):
                raise TypeError(
                    f"optimizer can only optimize Tensors, but one of the params is {_typename(p)}"
                )
            if not (p.is_leaf or p.retains_grad):
                raise ValueError("can't optimize a non-leaf Tensor")
        for name, default in self.defaults.items():
            if default is required and name not in param_group:
                raise ValueError(
                    "parameter group didn't specify a value of required optimization parameter "
                    f"{name}"
                )
            param_group.setdefault(name, default)
        self._check_disjoint(param_group)
        self.param_groups.append(param_group)

    def _check_disjoint(self, new: dict[str, Any]) -> None:
        """Each parameter once, and names for all groups or for none."""
        params = set(new["params"])
        if len(params) != len(new["params"]):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters; "
                "in future, this will cause an error; "
                "see github.com/pytorch/pytorch/issues/40967 for more information",
                stacklevel=4,
            )
        for group in self.param_groups:
            if ("param_names" in new) != ("param_names" in group):
                how = "with names" if "param_names" in new else "without names"
                raise ValueError(
                    "all optimizer param groups should be with/without names. "
                    f"cannot add param group {how} to the optimizer"
                )
        if not params.isdisjoint(chain.from_iterable(g["params"] for g in self.param_groups)):
            raise ValueError("some parameters appear in more than one parameter group")

    def __repr__(self) -> str:
        text = f"{type(self).__name__} ("
        for i, group in enumerate(self.param_groups):
            text += f"\nParameter Group {i}\n"
            for name in sorted(group):
                if name != "params":
                    text += f"    {name}: {group[name]}\n"
        return text + ")"

    # ------------------------------------------------------------ checkpoints

    def state_dict(self) -> dict[str, Any]:
        """`{"state": ..., "param_groups": ...}` with parameters replaced by their numbers.

        >>> import penlight as torch
        >>> w = torch.nn.Parameter(torch.zeros(2))
        >>> torch.optim.SGD([w], lr=0.1).state_dict()["param_groups"][0]["params"]
        [0]
        """
        for hook in self._optimizer_state_dict_pre_hooks.values():
            hook(self)
        saved = states.pack(self.param_groups, self.state)
        for hook in self._optimizer_state_dict_post_hooks.values():
            changed = hook(self, saved)
            saved = saved if changed is None else changed
        return saved

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes up the state of another optimizer over parameters in the same order.

        Raises ValueError where the numbers of groups or of parameters in a group differ.
        """
        saved = state_dict.copy()
        for hook in self._optimizer_load_state_dict_pre_hooks.values():
            changed = hook(self, saved)
            saved = saved if changed is None else changed
        self.__setstate__(states.unpack(saved, self.param_groups))
        for hook in self._optimizer_load_state_dict_post_hooks.values():
            hook(self)

    def __getstate__(self) -> dict[str, Any]:
        return {
            "defaults": self.defaults,
            "state": self.state,
            "param_groups": self.param_groups,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._make_hook_tables()
        for group in self.param_groups:
            for name, default in self.defaults.items():
                group.setdefault(name, default)
        for of_parameter in self.state.values():
            states.numbers_to_tensors(of_parameter, self.scalar_state)

    # ------------------------------------------------------------ hooks

    def register_step_pre_hook(self, hook: Callable) -> RemovableHandle:
        """Calls `hook(optimizer, args, kwargs)` before each step; it may return both anew."""
        return add_hook(self._optimizer_step_pre_hooks, hook)

    def register_step_post_hook(self, hook: Callable) -> RemovableHandle:
        """Calls `hook(optimizer, args, kwargs)` after each step."""
        return add_hook(self._optimizer_step_post_hooks, hook)

    def register_state_dict_pre_hook(
        self, hook: Callable, prepend: bool = False
    ) -> RemovableHandle:
        """Calls `hook(optimizer)` before `state_dict` collects."""
        return add_hook(self._optimizer_state_dict_pre_hooks, hook, prepend=prepend)

    def register_state_dict_post_hook(
        self, hook: Callable, prepend: bool = False
    ) -> RemovableHandle:
        """Calls `hook(optimizer, state_dict)`, which edits in place or returns another."""
        return add_hook(self._optimizer_state_dict_post_hooks, hook, prepend=prepend)

    def register_load_state_dict_pre_hook(
        self, hook: Callable, prepend: bool = False
    ) -> RemovableHandle:
        """Calls `hook(optimizer, state_dict)` before loading; it may return another dictionary."""
        return add_hook(self._optimizer_load_state_dict_pre_hooks, hook, prepend=prepend)

    def register_load_state_dict_post_hook(
        self, hook: Callable, prepend: bool = False
    ) -> RemovableHandle:
        """Calls `hook(optimizer)` after loading."""
        return add_hook(self._optimizer_load_state_dict_post_hooks, hook, prepend=prepend)


def _typename(value: object) -> str:
    kind = type(value)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return f"{module}{kind.__qualname__}"


def _collect_params(group: dict[str, Any]) -> None:
    """Makes `group["params"]` a list of tensors; names given along go to `"param_names"`."""
    given = group["params"]
    if isinstance(given, set):
        raise TypeError(
            "optimizer parameters need to be organized in ordered collections, but the ordering of "
            "tensors in sets will change between runs. Please use a list instead."
        )
    given = [given] if isinstance(given, Tensor) else list(given)
    names = [entry[0] for entry in given if isinstance(entry, tuple)]
    group["params"] = [entry[1] if isinstance(entry, tuple) else entry for entry in given]
    if names:
        if len(names) != len(given):
            raise ValueError(
                "all optimizer params should be with/without names. Some param names are missing"
            )
        group["param_names"] = names
