"""Convolution, its input gradient and its weight gradient as structures of a program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..spec import Operand
from ..structures import Form, Plan, Stage, Structure, structure
from ..types import size_of
from .convolution import Convolution
from .convolution_plan import Plan as KernelPlan
from .convolution_plan import forward_plan, input_plan, weight_plan

HOW = ("stride", "padding", "dilation", "groups")


def _how(attr: dict[str, Any]) -> dict[str, Any]:
    return {name: attr[name] for name in HOW}


def _forward(forms: Sequence[Form], attr: dict[str, Any]) -> tuple[Convolution, tuple[int, ...]]:
    (kind, x), (_, w) = forms
    conv = Convolution.of(kind, x, w, **_how(attr))
    return conv, (x[0], w[0], *conv.places[5 - len(x) :])


def _input(forms: Sequence[Form], attr: dict[str, Any]) -> tuple[Convolution, tuple[int, ...]]:
    (kind, g), (_, w) = forms
    x = (g[0], w[1] * attr["groups"], *attr["size"])
    return Convolution.of(kind, x, w, **_how(attr), places=g[2:]), x


def _weight(forms: Sequence[Form], attr: dict[str, Any]) -> tuple[Convolution, tuple[int, ...]]:
    (kind, g), (_, x) = forms
    w = (g[1], x[1] // attr["groups"], *attr["kernel"])
    return Convolution.of(kind, x, w, **_how(attr), places=g[2:]), w


def _define(
    name: str, extra: tuple[str, ...], geometry: Callable, kernels: Callable[..., KernelPlan]
) -> None:
    def rule(forms: Sequence[Form], attr: tuple) -> list[Form]:
        conv, shape = geometry(forms, dict(attr))
        if conv.work == 0 or 0 in shape:
            raise ValueError("a convolution of nothing")
        return [(conv.kind, shape)]

    def plan(forms: Sequence[Form], operands: Sequence[Operand], attr: tuple) -> Plan:
        conv, _ = geometry(forms, dict(attr))
        found = kernels(conv)
        places: dict[str, tuple[str, int]] = {"a": ("in", 0), "b": ("in", 1), "out": ("out", 0)}
        for n, (buffer, _) in enumerate(found.workspaces):
            places[buffer] = ("work", n)
        stages = [Stage(x.spec, tuple([places[b] for b in x.buffers])) for x in found.launches]
        work = tuple([elements * size_of(conv.kind) for _, elements in found.workspaces])
        return Plan(tuple(stages), work)

    structure(Structure(name, rule, plan, statics=(*extra, *HOW)))


_define("convolve", (), _forward, forward_plan)
_define("convolve_input", ("size",), _input, input_plan)
_define("convolve_weight", ("kernel",), _weight, weight_plan)
