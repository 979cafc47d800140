"""L-BFGS: Newton's direction from the last few gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..autograd.grad_mode import enable_grad, no_grad
from ..core.tensor import Tensor
from ..ops.join import cat
from ..ops.views import view_as_real
from .line_search import strong_wolfe
from .optimizer import Optimizer
from .options import check, plain, zero_dim


class LBFGS(Optimizer):
    """Limited-memory BFGS over all parameters as one vector; needs a closure.

        direction  d = -H ∇f,    H from the last `history_size` pairs
                                 s = θ' - θ,  y = ∇f(θ') - ∇f(θ)
        step       θ ← θ + t d,  t = γ, or found by a strong Wolfe line search

    One step makes up to `max_iter` such moves and evaluates the closure up to `max_eval` times.
    There can be only one parameter group.

    >>> import penlight as torch
    >>> x = torch.nn.Parameter(torch.tensor([3.0, -1.0]))
    >>> optimizer = torch.optim.LBFGS([x], line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = ((x - torch.tensor([1.0, 2.0])) ** 2).sum()
    ...     loss.backward()
    ...     return loss
    >>> _ = optimizer.step(closure)
    >>> x.detach().round(decimals=3)
    tensor([1., 2.])

    Source: Nocedal and Wright, Numerical Optimization, algorithms 7.4 and 7.5
    """

    scalar_state = ()

    def __init__(
        self,
        params: Iterable,
        lr: float | Tensor = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        check(lr=lr)
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")

    @no_grad()
    def step(self, closure: Callable[[], Any]) -> Any:
        """Minimises from here; returns the loss it found on arrival."""
        closure = enable_grad()(closure)
        options = self.param_groups[0]
        state = self.state[options["params"][0]]  # where load_state_dict will look for it
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        first_loss = closure()
        state["func_evals"] += 1
        g = self._flat_grad()
        if g.abs().max() > options["tolerance_grad"]:
            self._descend(closure, float(plain(first_loss)), g, state, options)
        return first_loss

    def _descend(
        self,
        closure: Callable[[], Any],
        loss: float,
        g: Tensor,
        state: dict[str, Any],
        options: dict[str, Any],
    ) -> None:
        """Moves until something says stop."""
        least = options["tolerance_change"]
        evaluations = 1
        for iteration in range(1, options["max_iter"] + 1):
            state["n_iter"] += 1
            d = state["d"] = _direction(g, state, options["history_size"])
            before = state["prev_loss"] = loss
            state["prev_flat_grad"] = g
            t = zero_dim(options["lr"])
            if state["n_iter"] == 1:
                t = min(1.0, 1.0 / g.abs().sum()) * t
            state["t"] = t
            slope = g.dot(d)
            if slope > -least:
                break
            last = iteration == options["max_iter"]
            budget = options["max_eval"] - evaluations
            loss, g, t, used = self._move(closure, (loss, g, slope), t, d, budget, last, options)
            state["t"] = t
            evaluations += used
            state["func_evals"] += used
            if (
                last
                or evaluations >= options["max_eval"]
                or g.abs().max() <= options["tolerance_grad"]
                or d.mul(t).abs().max() <= least
                or abs(loss - before) < least
            ):
                break

    def _move(
        self,
        closure: Callable[[], Any],
        here: tuple[float, Tensor, Tensor],
        t: Any,
        d: Tensor,
        budget: int,
        last: bool,
        options: dict[str, Any],
    ) -> tuple[float, Tensor, Any, int]:
        """Goes along d: loss and gradient there, the step taken, and the evaluations it cost."""
        if options["line_search_fn"] is None:
            self._add(t, d)
            if last:  # nobody will look at the loss
                return here[0], here[1], t, 0
            return float(plain(closure())), self._flat_grad(), t, 1
        if options["line_search_fn"] != "strong_wolfe":
            raise RuntimeError("only 'strong_wolfe' is supported")
        params = options["params"]
        start = [p.clone() for p in params]

        def evaluate(t: Any) -> tuple[float, Tensor]:
            self._add(t, d)
            found = float(plain(closure())), self._flat_grad()
            for p, value in zip(params, start, strict=True):
                p.copy_(value)
            return found

        loss, g, t, used = strong_wolfe(evaluate, t, d, *here, budget)
        self._add(t, d)
        return loss, g, t, used

    def _flat_grad(self) -> Tensor:
        """All gradients as one vector, zeros where there is none."""
        return cat(
            [
                _real(p.new_zeros(p.shape) if p.grad is None else p.grad).reshape(-1)
                for p in self.param_groups[0]["params"]
            ]
        )

    def _add(self, t: Any, d: Tensor) -> None:
        """θ ← θ + t d."""
        offset = 0
        for p in map(_real, self.param_groups[0]["params"]):
            p.add_(d[offset : offset + p.numel()].view_as(p), alpha=plain(t))
            offset += p.numel()


def _real(x: Tensor) -> Tensor:
    """A complex tensor as pairs of real numbers, in the same memory."""
    return view_as_real(x) if x.is_complex() else x


def _direction(g: Tensor, state: dict[str, Any], history_size: int) -> Tensor:
    """-H g, after the newest pair (s, y) has been taken into the history."""
    if state["n_iter"] == 1:
        state.update(old_dirs=[], old_stps=[], ro=[], H_diag=1)
        return g.neg()
    ys, steps, ro = state["old_dirs"], state["old_stps"], state["ro"]
    y = g.sub(state["prev_flat_grad"])
    s = state["d"].mul(state["t"])
    curvature = y.dot(s)
    if curvature > 1e-10:
        if len(ys) == history_size:
            for history in (ys, steps, ro):
                history.pop(0)
        ys.append(y)
        steps.append(s)
        ro.append(1.0 / curvature)
        state["H_diag"] = curvature / y.dot(y)
    al = state.setdefault("al", [None] * history_size)
    q = g.neg()
    for i in reversed(range(len(ys))):
        al[i] = steps[i].dot(q) * ro[i]
        q.add_(ys[i], alpha=-plain(al[i]))
    r = q.mul(state["H_diag"])
    for i in range(len(ys)):
        r.add_(steps[i], alpha=plain(al[i] - ys[i].dot(r) * ro[i]))
    return r
