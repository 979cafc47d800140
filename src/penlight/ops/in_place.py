"""torch.sqrt_(x) and the like: the in-place methods of functions of one tensor, as functions."""

from __future__ import annotations

from ..core.tensor import Tensor
from . import clamp, elementwise, powers, special  # noqa: F401  (they fill the table first)
from .exposure import EXPOSED, expose

_OTHERS = """
    round square clamp clip clamp_min clamp_max conj_physical nan_to_num logit ldexp xlogy gcd lcm
""".split()

for _name, _function in list(EXPOSED["torch"].items()):
    _record = getattr(_function, "record", None)
    _of_one = _record is not None and _record.params == ("input",)
    if (_of_one or _name in _OTHERS) and hasattr(Tensor, f"{_name}_"):
        expose(getattr(Tensor, f"{_name}_"), f"torch.{_name}_")
