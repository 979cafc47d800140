"""Where a tensor's memory is."""

from __future__ import annotations

import re
from typing import Any

KNOWN = (
    "cpu", "cuda", "ipu", "xpu", "mkldnn", "opengl", "opencl", "ideep", "hip", "ve", "fpga", "maia",
    "xla", "lazy", "vulkan", "mps", "meta", "hpu", "mtia", "privateuseone",
)  # fmt: skip


class device:
    """A place for tensors: a type and, for accelerators, an index.

    >>> device("cpu"), device("cuda", 1), device("cuda:1").index
    (device(type='cpu'), device(type='cuda', index=1), 1)
    """

    __slots__ = ("index", "type")
    type: str
    index: int | None

    def __init__(self, type: str | device | int, index: int | None = None):
        if isinstance(type, device):
            self.type, self.index = type.type, type.index
            return
        text = "cuda" if isinstance(type, int) else type
        index = type if isinstance(type, int) else index
        matched = re.fullmatch(r"([a-z_]+)(?::(0|[1-9]\d*))?", text)
        if matched is None:
            raise RuntimeError(f"Invalid device string: '{text}'")
        name, number = matched.groups()
        if name not in KNOWN:
            raise RuntimeError(
                f"Expected one of {', '.join(KNOWN)} device type at start of device string: {name}"
            )
        if number is not None and index is not None:
            raise RuntimeError(
                "type (string) must not include an index because index was passed explicitly: "
                f"{text}"
            )
        self.type = name
        self.index = int(number) if number is not None else index

    def __repr__(self) -> str:
        at = "" if self.index is None else f", index={self.index}"
        return f"device(type='{self.type}'{at})"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __reduce__(self) -> tuple:
        return device, (self.type, self.index)


CPU = device("cpu")


def resolve(place: Any) -> device:
    """The device meant by `place` (a device, a string, an index or None); raises where it does not
    exist.

    >>> resolve(None), resolve("cpu")
    (device(type='cpu'), device(type='cpu'))
    """
    if place is None or place is CPU:
        return CPU
    found = place if isinstance(place, device) else device(place)
    if found.type == "cpu":
        return CPU
    if found.type == "cuda":
        raise AssertionError(
            "Torch not compiled with CUDA enabled\npenlight computes on the CPU only so far: "
            "move nothing to 'cuda' where cuda.is_available() is False"
        )
    raise NotImplementedError(
        f"Could not run on device '{found}': penlight computes on the CPU only so far"
    )
