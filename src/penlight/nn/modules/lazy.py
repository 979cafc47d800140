"""Layers that learn the size of their input from the first forward."""

from __future__ import annotations

from itertools import chain
from typing import Any

from ..module import Module
from ..parameter import is_lazy


class LazyModuleMixin(Module):
    """Before a layer's class: parameters without shapes until `initialize_parameters(input)`.

    The first forward gives them their shapes and turns the module into its `cls_to_become`.
    """

    cls_to_become: type | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._load_hook = self._register_load_state_dict_pre_hook(self._lazy_load_hook)
        self._initialize_hook = self.register_forward_pre_hook(
            self._infer_parameters, with_kwargs=True
        )

    def _lazy_load_hook(self, state_dict: dict, prefix: str, *_: Any) -> None:
        for name, tensor in chain(self._parameters.items(), self._buffers.items()):
            saved = state_dict.get(prefix + name)
            if saved is not None and is_lazy(tensor) and not is_lazy(saved):
                tensor.materialize(saved.shape)

    def initialize_parameters(self, *args: Any, **kwargs: Any) -> None:
        """Gives every parameter its shape, from the arguments of the first forward."""
        raise NotImplementedError(
            f"initialize_parameters is not implemented for {type(self).__name__}"
        )

    def has_uninitialized_params(self) -> bool:
        """Whether a parameter or buffer still waits for its shape."""
        return any(is_lazy(t) for t in chain(self._parameters.values(), self._buffers.values()))

    def _infer_parameters(self, module: Any, args: tuple, kwargs: dict) -> None:
        module.initialize_parameters(*args, **kwargs)
        if module.has_uninitialized_params():
            raise RuntimeError(f"module {self._get_name()} has not been fully initialized")
        for name in ("_initialize_hook", "_load_hook"):
            getattr(module, name).remove()
            delattr(module, name)
        if module.cls_to_become is not None:
            module.__class__ = module.cls_to_become
