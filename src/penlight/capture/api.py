"""`penlight.compile` and the names of `torch.compiler`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..core.tape import modes
from ..core.watch import refuse, wrappers
from .compiled import EVERY, LIMIT, Compiled

BACKENDS = ("inductor", "eager", "aot_eager", "penlight")
MODES = (None, "default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs")


class InvalidBackend(RuntimeError):
    """There is no backend of that name."""


def compile(
    model: Any = None,
    *,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    backend: str | Callable = "inductor",
    mode: str | None = None,
    options: dict[str, Any] | None = None,
    disable: bool = False,
    wait: bool = False,
) -> Any:
    """A function or module whose calls are recorded once and then run as one program.

    A whole training step may be compiled, with its backward pass and its optimizer. What can not
    be recorded runs as before, with one warning that says where and why (`fullgraph=True`: an
    error). A call with other shapes, types or surroundings is recorded anew; `compiler.report()`
    tells how often and why. With `wait=True` a program is run only when its machine code is ready.
    `backend="eager"` runs the function as it is; `dynamic`, `mode` and `options` are accepted.

    >>> import penlight as torch
    >>> @torch.compile
    ... def f(x):
    ...     return (x * x).sum()
    >>> f(torch.ones(3)), f(torch.full((3,), 2.0))
    (tensor(3.), tensor(12.))

    See https://docs.pytorch.org/docs/stable/generated/torch.compile.html
    """
    chosen: dict[str, Any] = {
        "fullgraph": fullgraph, "dynamic": dynamic, "backend": backend, "mode": mode,
        "options": options, "disable": disable, "wait": wait,
    }  # fmt: skip
    if model is None:
        return functools.partial(compile, **chosen)
    if mode is not None and options is not None:
        raise RuntimeError(
            "Either mode or options can be specified, but both can't be specified at the same time."
        )
    if mode not in MODES:
        raise RuntimeError(
            f"Unrecognized mode={mode}, should be one of: {', '.join(map(str, MODES[1:]))}"
        )
    if isinstance(backend, str) and backend not in BACKENDS:
        raise InvalidBackend(
            f"Invalid backend: {backend!r}, see `torch._dynamo.list_backends()` for available "
            "backends."
        )
    for kind, wrapped in wrappers:
        if isinstance(model, kind):
            return wrapped(model, made(_call_of(model), chosen))
    if not callable(model):
        raise TypeError(f"torch.compile expects a callable, but got {type(model).__name__}")
    return made(model, chosen)


def _call_of(model: Any) -> Callable:
    return model.__call__


def made(function: Callable, chosen: dict[str, Any]) -> Any:
    """The compiled form of a function; itself where nothing is to be compiled."""
    if (
        chosen["disable"]
        or chosen["backend"] in ("eager", "aot_eager")
        or callable(chosen["backend"])
    ):
        return function
    if isinstance(function, Compiled):
        return function
    return Compiled(function, chosen["fullgraph"], chosen["wait"])


# ---------------------------------------------------------------- penlight.compiler


def disable(
    fn: Callable | None = None, recursive: bool = True, *, reason: str | None = None
) -> Any:
    """`fn` is never part of a program: a compiled function that calls it stays eager."""
    if fn is None:
        return functools.partial(disable, recursive=recursive, reason=reason)
    name = getattr(fn, "__qualname__", type(fn).__name__)

    @functools.wraps(fn)
    def apart(*args: Any, **kwargs: Any) -> Any:
        refuse(reason or f"{name} is marked by compiler.disable")
        return fn(*args, **kwargs)

    return apart


def reset() -> None:
    """Forgets all programs."""
    for function in EVERY:
        function.forget()


def is_compiling() -> bool:
    """Whether a call is being recorded now."""
    return modes.tracer is not None


def list_backends(exclude_tags: Any = ()) -> list[str]:
    """The backends that `compile` accepts."""
    return sorted(BACKENDS)


def allow_in_graph(fn: Any) -> Any:
    """`fn` unchanged: every function is recorded."""
    return fn


def report() -> str:
    """What became of every compiled function: programs, calls, recordings and their reasons.

    >>> import penlight as torch
    >>> print(torch.compiler.report() and "one line or more")
    one line or more
    """
    lines: list[str] = []
    for f in sorted(EVERY, key=lambda f: f.name):
        programs = [program for _, program in f.programs if program is not None]
        runners = [runner for program in programs for runner in program.runners()]
        ready = sum(runner.program is not None for runner in runners)
        lines.append(
            f"{f.name}: {len(programs)} of at most {LIMIT} programs ({ready} of {len(runners)} "
            f"passes as machine code), {f.calls} calls ({f.eager} eager), recorded in "
            f"{f.seconds:.3f} s, compiled in {sum(r.seconds for r in runners):.3f} s"
        )
        lines += [f"  no machine code: {r.reason}" for r in runners if r.reason]
        lines += [f"  recorded again: {reason}" for reason in f.recompiles]
        lines += [f"  eager, {x.file}:{x.line}: {x.reason}" for x in f.fallbacks]
    return "\n".join(lines) or "nothing is compiled"
