"""How a Python function over tensors becomes a program: real execution, recorded.

In the order of data flow: `compiled` (a function and its programs), `recording` (a call becomes a
program), `tracer` (what ops tell), `frames`, `bytecode` and `reads` (what the user's code reads and
does besides), `guards` (when a program may run), `program` and `outputs` (running it).

`penlight.compiler` gets the names of `torch.compiler` here, as tensors get their methods from ops.
"""

from .. import compiler as _compiler
from .api import (
    allow_in_graph,
    compile,
    disable,
    is_compiling,
    list_backends,
    report,
    reset,
)

__all__ = ["compile"]

for _function in (allow_in_graph, compile, disable, is_compiling, list_backends, report, reset):
    setattr(_compiler, _function.__name__, _function)
_compiler.is_dynamo_compiling = is_compiling  # type: ignore[attr-defined]
_compiler.is_exporting = lambda: False  # type: ignore[attr-defined]
