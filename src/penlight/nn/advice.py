"""Errors that teach: where in the model a call failed, what came, and what would fit.

`explain` runs only when a forward raises. The message of the error stays first and its class stays;
below it come the layer's path in the model, what it was called with, and the layer's own advice
(`Module._wants`). Each module on the way out puts its child's name before the path.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import Any

from ..core.tensor import Tensor


class _Story:
    """What an error on its way out of a model has gathered so far.

    Nothing here may hide the error itself: a module that can not be printed or walked is left out.
    """

    def __init__(self, message: str, module: Any, args: tuple):
        self.message, self.path, self.last = message, "", module
        self.name, self.shown = type(module).__name__, message
        self.lines: list[str] = []
        with contextlib.suppress(Exception):
            self.name = _one_line(module)
            self.lines = [*_came(args), *_type_lines(module, args), *module._wants(*args)]

    def climb(self, module: Any) -> None:
        """Notes that `module` is what called the last one."""
        with contextlib.suppress(Exception):
            for path, part in module.named_modules():
                if part is self.last and path:
                    self.path = f"{path}.{self.path}" if self.path else path
                    break
        self.last = module

    def text(self) -> str:
        where = f"{self.path}: {self.name}" if self.path else self.name
        lines = [self.message, f"  in {where}", *(f"  {line}" for line in self.lines)]
        return "\n".join(lines).lstrip("\n")


def explain(error: Exception, module: Any, args: tuple) -> None:
    """Adds to the text of `error`, which left the forward of `module`, where and why."""
    story = error.__dict__.get("_story")
    if story is not None:
        story.climb(module)
    else:
        message = error.args[0] if len(error.args) == 1 else None
        plain = isinstance(message, str) and type(error).__str__ is Exception.__str__
        story = error.__dict__["_story"] = _Story(str(message) if plain else "", module, args)
    before, story.shown = story.shown, story.text()
    if story.message:
        if error.args == (before,):  # unless somebody on the way gave it another text
            error.args = (story.shown,)
    else:  # the text of this class is not its argument: a note beside it
        notes = error.__dict__.setdefault("__notes__", [])
        notes[:] = [note for note in notes if note != before] + [story.shown]


def _one_line(module: Any) -> str:
    return f"{type(module).__name__}(...)" if module._modules else repr(module)


def _came(args: tuple) -> Iterator[str]:
    shown = [
        f"{show(arg.shape)} {arg.dtype}" if isinstance(arg, Tensor) else type(arg).__name__
        for arg in args
    ]
    if shown:
        yield f"called with {', '.join(shown)}"


def _type_lines(module: Any, args: tuple) -> Iterator[str]:
    """A tensor and a layer of different floating types, or on different devices, do not mix."""
    parameter = next((p for p in module._parameters.values() if p is not None), None)
    if parameter is None:
        return
    for arg in args:
        if not isinstance(arg, Tensor):
            continue
        if arg.device != parameter.device:
            yield (
                f"its parameters are on {parameter.device}, the input on {arg.device}: "
                f"move one, for instance input.to('{parameter.device}')"
            )
        elif arg.dtype is not parameter.dtype and not module._takes_indices:
            name = str(parameter.dtype).removeprefix("torch.")
            yield (
                f"its parameters are {parameter.dtype}, the input is {arg.dtype}: "
                f"convert one, for instance input.to(torch.{name})"
                + (f" or model.to({arg.dtype})" if arg.is_floating_point() else "")
            )


def show(shape: Sequence[int]) -> str:
    """A shape as a reader writes it: (64, 784)."""
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def wants_features(input: Any, wanted: int, argument: str, swapped: int = -1) -> Iterator[str]:
    """Advice of a layer that reads the last axis, of length `wanted`."""
    if not isinstance(input, Tensor):
        yield f"wanted a tensor, got {type(input).__name__}"
        return
    shape = tuple(input.shape)
    if shape[-1:] == (wanted,):
        return
    yield f"wanted (*, {wanted}), got {show(shape)}"
    if len(shape) > 2 and math.prod(shape[1:]) == wanted:
        flat = show((shape[0], wanted))
        yield f"would fit: nn.Flatten() before it, which turns {show(shape)} into {flat}"
    elif len(shape) > 1 and math.prod(shape) == wanted:
        yield f"would fit: one sample, flattened, with a batch axis: x.reshape(1, {wanted})"
    elif len(shape) > 1 and shape[-2] == wanted:
        yield "would fit: the transpose, x.transpose(-2, -1)"
    elif len(shape) > 1 and wanted in shape:
        yield f"would fit: axis {shape.index(wanted)} last, x.movedim({shape.index(wanted)}, -1)"
    elif shape[-1:] == (swapped,):
        yield f"its weight is the wrong way round: a layer from {swapped} to {wanted} would fit"
    elif shape:
        yield f"would fit: {argument}={shape[-1]}"


def wants_channels(input: Any, wanted: int, rank: int, argument: str) -> Iterator[str]:
    """Advice of a layer that reads (N, C, *) or (C, *) with `rank` spatial axes."""
    if not isinstance(input, Tensor):
        yield f"wanted a tensor, got {type(input).__name__}"
        return
    shape = tuple(input.shape)
    axes = ["length", "height, width", "depth, height, width"][rank - 1]
    axis = len(shape) - rank - 1
    if axis in (0, 1) and shape[axis] == wanted:
        return
    yield f"wanted (batch, {wanted}, {axes}) or ({wanted}, {axes}), got {show(shape)}"
    if len(shape) == rank + 2 and shape[-1] == wanted:
        order = (0, rank + 1, *range(1, rank + 1))
        yield f"would fit: channels first, x.permute{order}"
    elif len(shape) == rank + 1 and wanted == 1:
        yield "would fit: a channel axis after the batch, x.unsqueeze(1)"
    elif len(shape) == rank and wanted == 1:
        yield "would fit: a channel axis, x.unsqueeze(0)"
    elif axis in (0, 1):
        yield f"would fit: {argument}={shape[axis]}"
    elif len(shape) == 2:
        yield "would fit: the image before it was flattened, or nn.Unflatten before this layer"


def advise_on_keys(missing: list[str], unexpected: list[str]) -> list[str]:
    """What a reader of a failed `load_state_dict` may have meant."""
    wrapped = [k for k in unexpected if k in ("state_dict", "model", "model_state_dict", "net")]
    if wrapped:
        key = wrapped[0]
        return [f'The state dict may be inside: load_state_dict(checkpoint["{key}"]).']
    if {"state", "param_groups"} <= set(unexpected):
        return ["This looks like an optimizer's state dict."]
    if not missing or not unexpected:
        return []
    front = _common_prefix(unexpected, missing)
    if front:
        return [
            f'The names in the checkpoint begin with "{front}": load_state_dict('
            f'{{k.removeprefix("{front}"): v for k, v in state_dict.items()}}).'
        ]
    front = _common_prefix(missing, unexpected)
    if front:
        return [
            f'The names in the model begin with "{front}": the checkpoint may belong to '
            f"model.{front.rstrip('.')}."
        ]
    return list(_near_names(missing, unexpected))


def _common_prefix(longer: list[str], shorter: list[str]) -> str:
    """What stands before every name of `longer` that makes its rest a name of `shorter`."""
    rests = set(shorter)
    dots = [i + 1 for i, letter in enumerate(longer[0]) if letter == "."]
    for end in dots:
        front = longer[0][:end]
        if all(k.startswith(front) for k in longer) and any(k[end:] in rests for k in longer):
            return front
    return ""


def _near_names(missing: list[str], unexpected: list[str], most: int = 5) -> Iterator[str]:
    import difflib

    for name in missing[:most]:
        near = difflib.get_close_matches(name, unexpected, 1, 0.7)
        if near:
            yield f'"{name}" may be what the checkpoint calls "{near[0]}".'
