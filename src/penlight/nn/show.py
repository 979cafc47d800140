"""How a module shows itself in a notebook: its parts as a tree that opens and closes."""

from __future__ import annotations

from html import escape
from typing import Any

from .parameter import UninitializedParameter


def module_html(module: Any, name: str = "") -> str:
    """HTML of the module: each part with its number of parameters; parts with parts can be opened.

    >>> from penlight.nn import Linear
    >>> module_html(Linear(2, 3, bias=False))[-33:]
    '<small>6 parameters</small></div>'
    """
    parts = [(key, part) for key, part in module._modules.items() if part is not None]
    label = f"<b>{escape(name)}</b> " if name else ""
    text = f"{module._get_name()}({module.extra_repr()})" if parts else repr(module)
    count = sum(parameter.numel() for parameter in _sized(module))
    note = f" <small>{count:,} parameters</small>" if count else ""
    line = f"{label}<code>{escape(text)}</code>{note}"
    if not parts:
        return f"<div>{line}</div>"
    inside = "".join(module_html(part, key) for key, part in parts)
    return (
        f"<details open><summary>{line}</summary>"
        f'<div style="margin-left:1.5em">{inside}</div></details>'
    )


def _sized(module: Any) -> list[Any]:
    """The parameters that have a size: not those that a lazy layer has yet to make."""
    return [p for p in module.parameters() if not isinstance(p, UninitializedParameter)]
