"""The product of two vectors with a stack of matrices."""

from __future__ import annotations

from ..core.tensor import Tensor
from .families import composite


@composite(names="nn.functional.bilinear")
def bilinear(input1, input2, weight, bias=None):
    """y_o = x₁ᵀ W_o x₂ + b_o: x₁ (*, I), x₂ (*, J), W (O, I, J), b (O,), y (*, O).

    >>> import penlight as torch
    >>> torch.nn.functional.bilinear(torch.ones(5, 2), torch.ones(5, 3), torch.ones(4, 2, 3)).shape
    torch.Size([5, 4])
    """
    _check(input1, input2, weight)
    lead, outputs = input1.shape[:-1], weight.size(0)
    x1 = input1.reshape(-1, input1.size(-1))
    x2 = input2.reshape(-1, input2.size(-1))
    product = ((x1 @ weight) * x2).sum(-1)  # (N, I) @ (O, I, J) -> (O, N, J) -> (O, N)
    result = product.t().reshape(*lead, outputs)
    return result if bias is None else result + bias


def _check(input1: Tensor, input2: Tensor, weight: Tensor) -> None:
    if input1.shape[:-1] != input2.shape[:-1]:
        raise RuntimeError(
            "bilinear(): input batch dimensions do not match: got "
            f"{list(input1.shape[:-1])} and {list(input2.shape[:-1])}"
        )
    for number, given in enumerate((input1, input2), 1):
        if given.size(-1) != weight.size(number):
            raise RuntimeError(
                f"bilinear(): input{number} size does not match weight size: got "
                f"{given.size(-1)} but expected {weight.size(number)}"
            )
