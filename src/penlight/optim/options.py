"""What the options of an optimizer may be, and the errors of those that are out of range."""

from __future__ import annotations

from typing import Any

from ..core.tensor import Tensor

_TITLES = {"lr": "learning rate", "eps": "epsilon value", "betas": "beta parameter"}


def check(**options: Any) -> None:
    """Raises ValueError for the first option out of range, in the order given.

    Betas lie in [0, 1), rho in [0, 1], everything else is at least 0.

    >>> check(lr=0.1, betas=(0.9, 1.0))
    Traceback (most recent call last):
    ValueError: Invalid beta parameter at index 1: 1.0
    """
    for name, value in options.items():
        title = _TITLES.get(name, f"{name} value")
        if name == "betas":
            for i, beta in enumerate(value):
                if not 0.0 <= beta < 1.0:
                    raise ValueError(f"Invalid {title} at index {i}: {beta}")
        elif not 0.0 <= one_number(name, value) or (name == "rho" and not value <= 1.0):
            raise ValueError(f"Invalid {title}: {value}")


def one_number(name: str, value: Any) -> Any:
    """`value`, unless it is a tensor of more or fewer than one element."""
    if isinstance(value, Tensor) and value.numel() != 1:
        raise ValueError(f"Tensor {name} must be 1-element")
    return value


def check_switches(
    fused: bool | None = None,
    foreach: bool | None = None,
    differentiable: bool = False,
    capturable: bool = False,
    **_: Any,
) -> None:
    """`foreach` and `fused` choose among PyTorch's implementations; penlight has one for all.

    The other two switches ask for something that penlight does not do.
    """
    if fused and differentiable:
        raise RuntimeError("`fused` does not support `differentiable`")
    if fused and foreach:
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")
    if differentiable:
        raise NotImplementedError(
            "differentiable=True: penlight does not record an optimizer's step for autograd; "
            "write the update with ordinary tensor operations instead"
        )
    if capturable:
        raise NotImplementedError(
            "capturable=True: penlight has no CUDA graphs to capture a step in; leave it False"
        )


def plain(value: Any) -> Any:
    """A hyperparameter as a Python number, where it was given as a one-element tensor."""
    if isinstance(value, Tensor):
        return value._array.item()
    return tuple(map(plain, value)) if isinstance(value, tuple) else value


def zero_dim(value: Any) -> Any:
    """A number as it is; a tensor of one element without axes."""
    return value.squeeze() if isinstance(value, Tensor) and value.dim() else value
