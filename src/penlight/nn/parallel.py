"""Wrappers that spread a module over devices; with one device they pass everything on."""

from __future__ import annotations

from typing import Any

from .module import Module


class DataParallel(Module):
    """`module` under one more name: parameters appear as "module...", calls go straight to it.

    PyTorch splits the batch over the GPUs of the machine; where there is none, as here, it computes
    in one piece, whatever devices are asked for.

    >>> import penlight as torch
    >>> list(torch.nn.DataParallel(torch.nn.Linear(1, 1)).state_dict())
    ['module.weight', 'module.bias']
    """

    def __init__(
        self, module: Module, device_ids: Any = None, output_device: Any = None, dim: int = 0
    ) -> None:
        super().__init__()
        self.module = module
        self.device_ids: list[int] = []

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """What the module gives."""
        return self.module(*inputs, **kwargs)
