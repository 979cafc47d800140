"""Every differentiable op against finite differences in float64, first and second order.

The arguments come from PyTorch's database; a second test sees that every differentiable record was met.
"""

import penlight
import pytest
from opinfo import INFOS, function_of, small_samples, tensors_in
from penlight.autograd import gradcheck, gradgradcheck

from torch import float64  # isort: skip

# Random or without a defined derivative at the sample's points; the reason beside each.
LEFT_OUT = {
    "nn.functional.dropout": "random", "nn.functional.dropout2d": "random", "nn.functional.dropout3d": "random",
    "nn.functional.alpha_dropout": "random", "nn.functional.feature_alpha_dropout": "random",
    "nn.functional.rrelu": "random", "bernoulli": "random", "normal": "random", "uniform": "random",
}  # fmt: skip


def cases():
    """(name, info) of the database's differentiable ops that penlight has."""
    for name, info in INFOS.items():
        function = function_of(info)
        if function is not None and info.name not in LEFT_OUT:
            yield pytest.param(function, info, id=name)


@pytest.mark.parametrize(("function", "info"), list(cases()))
def test_gradient(function, info):
    for input, args, kwargs in small_samples(info, float64, 3):
        inputs = tuple(t for t in tensors_in((input, args, kwargs)) if t.requires_grad)

        def call(*_, input=input, args=args, kwargs=kwargs):
            result = function(input, *args, **kwargs)
            return tuple(t for t in tensors_in(result) if t.requires_grad)

        if not call():
            continue
        assert gradcheck(call, inputs, fast_mode=True)
        if info.supports_gradgrad:
            assert gradgradcheck(call, inputs, fast_mode=True)
