"""Every differentiable op record against finite differences in float64, first and second order."""

import numpy as np
import penlight
import pytest
from penlight import autograd
from penlight.ops.record import TABLE

DIFFERENTIABLE = sorted(name for name, record in TABLE.items() if record.grad is not None)


def sample_arguments(record):
    """The record's own samples, or generic ones for elementwise ops."""
    rng = np.random.RandomState(7)

    def draw(*shape, low=0.3, high=1.7):
        return penlight.from_numpy(np.asarray(rng.uniform(low, high, shape))).requires_grad_()

    if record.sample is not None:
        return record.sample(draw)
    if record.params == ("input",):
        return [(draw(2, 3),)]
    if record.params == ("input", "other"):
        return [(draw(2, 3), draw(3)), (draw(2, 1), draw(1, 2))]
    return None


def test_every_differentiable_record_has_a_sample():
    without = [n for n in DIFFERENTIABLE if sample_arguments(TABLE[n]) is None]
    assert not without, f"records without a sample for the gradient tests: {without}"


def floats(result):
    """The outputs that gradients flow through."""
    results = result if isinstance(result, tuple) else (result,)
    return tuple(r for r in results if r.requires_grad)


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_gradient(name):
    record = TABLE[name]
    for arguments in sample_arguments(record) or ():
        places = [
            i for i, a in enumerate(arguments)
            if isinstance(a, penlight.Tensor) and a.requires_grad
        ]  # fmt: skip

        def call(*tensors, arguments=arguments, places=places):
            filled = list(arguments)
            for place, t in zip(places, tensors, strict=True):
                filled[place] = t
            return floats(record.function(*filled))

        inputs = tuple(arguments[i] for i in places)
        if not inputs:
            inputs, call = lists_of_tensors(record, arguments)
        assert autograd.gradcheck(call, inputs)
        assert autograd.gradgradcheck(call, inputs)


def lists_of_tensors(record, arguments):
    """Arguments whose tensors stand in a list: the function of those tensors."""
    place = next(i for i, a in enumerate(arguments) if isinstance(a, (list, tuple)))
    kind = type(arguments[place])

    def call(*tensors):
        filled = list(arguments)
        filled[place] = kind(tensors)
        return floats(record.function(*filled))

    return tuple(arguments[place]), call
