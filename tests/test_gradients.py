"""Every differentiable op against finite differences in double precision, first and second order.

The arguments come from PyTorch's database; the last test sees that no differentiable record is left
out.
"""

import pytest

import penlight
from opinfo import function_of, infos, samples, tensors_in
from penlight.autograd import gradcheck, gradgradcheck
from penlight.ops.record import TABLE, OpNode

from torch import complex128, float64  # isort: skip

pytestmark = [
    pytest.mark.filterwarnings("ignore:Casting complex values to real"),
    pytest.mark.filterwarnings("ignore:.*is deprecated. Use `nn.functional.interpolate`"),
    pytest.mark.filterwarnings("ignore:dropout2d. Received a 3D input"),
]

SAMPLES = {float64: 4, complex128: 3}
DOUBLE = (penlight.float64, penlight.complex128)

# The database's ops that finite differences can say nothing about.
LEFT_OUT = {
    "half": "leaves double precision", "bfloat16": "leaves double precision",
    "float": "leaves double precision", "cfloat": "leaves double precision",
    "chalf": "leaves double precision",
    "bernoulli": "random: the gradient is zero by definition",
    "normal": "random: the gradient is zero by definition",
    "normal|number_mean": "random: the gradient is zero by definition",
    "nn.functional.max_unpool1d": "writes one place twice; the variant `grad` does not",
    "nn.functional.max_unpool2d": "writes one place twice; the variant `grad` does not",
    "nn.functional.max_unpool3d": "writes one place twice; the variant `grad` does not",
}  # fmt: skip

# Of these only the first order is defined.
FIRST_ORDER = {
    "linalg.norm|subgradients_at_zero": "the sample is the norm's corner",
    "nn.functional.ctc_loss": "PyTorch defines no second",
}


def cases():
    """(function, OpInfo, dtype) of the database's differentiable ops that penlight has."""
    for dtype in SAMPLES:
        for name, info in infos(dtype).items():
            function = function_of(info)
            if function and name not in LEFT_OUT:
                second = info.supports_gradgrad and name not in FIRST_ORDER
                yield pytest.param(
                    function, info, dtype, second, id=f"{name}-{dtype}".replace("torch.", "")
                )


# ---------------------------------------------------------------- what is defined about a result


def symmetric(f, x, *args, **kwargs):
    """A function of Hermitian matrices: one moved element moves its mirror image too."""
    return f(x + x.mH, *args, **kwargs)


def triangular(f, *args, upper=False, idx=0, **kwargs):
    """A function of triangular matrices: the other half does not count."""
    half = args[idx].triu() if upper else args[idx].tril()
    return f(*args[:idx], half, *args[idx + 1 :], upper, **kwargs)


def on_the_simplex(f, x, *args, **kwargs):
    """ctc_loss, whose gradient takes its argument for logarithms of probabilities."""
    return f(x.log_softmax(2), *args, **kwargs)


def unmasked(f, *args, **kwargs):
    """A masked function: what is masked out may be infinite or NaN."""
    result = f(*args, **kwargs)
    return penlight.where(result.isfinite(), result, 0)


# the database's wrapper -> ours
DOMAINS = {
    "gradcheck_wrapper_hermitian_input": symmetric,
    "gradcheck_wrapper_triangular_input": triangular,
    "gradcheck_wrapper_triangular_input_real_positive_diagonal": triangular,
    "gradcheck_wrapper_ctc_loss": on_the_simplex,
    "gradcheck_wrapper_masked_operation": unmasked,
    "gradcheck_wrapper_masked_pointwise_operation": unmasked,
}

# ---------------------------------------------------------------- the tests


def calls(function, info, dtype):
    """(call, inputs) per sample; each call draws the same random numbers."""
    domain = DOMAINS.get(info.gradcheck_wrapper.__name__)
    for (x, args, kwargs), defined in samples(info, dtype, SAMPLES[dtype]):

        def call(*_, x=x, args=args, kwargs=kwargs, defined=defined):
            penlight.manual_seed(42)
            if domain is None:
                result = function(x, *args, **kwargs)
            else:
                result = domain(function, x, *args, **kwargs)
            return tuple(t for t in tensors_in(defined(result)) if t.requires_grad)

        inputs = tuple(t for t in tensors_in((x, args, kwargs)) if t.requires_grad)
        if call():
            yield call, tuple(t for t in inputs if t.dtype in DOUBLE)


@pytest.mark.parametrize(("function", "info", "dtype", "second"), list(cases()))
def test_gradient(function, info, dtype, second):
    checked = 0
    for call, inputs in calls(function, info, dtype):
        checked += gradcheck(call, inputs, fast_mode=True)
        assert not second or gradgradcheck(call, inputs, fast_mode=True)
    assert checked


def differentiates(record):
    """Whether a record has a gradient rule other than PyTorch's "not implemented"."""
    rules = record.grad.values() if isinstance(record.grad, dict) else [record.grad]
    return any(rule and "no_derivative" not in rule.__qualname__ for rule in rules)


def test_every_record_is_met(monkeypatch):
    """Some case above walks the gradient rule of each differentiable record."""
    met = set()
    walk = OpNode.backward

    def noted(node, grads):
        met.add(node.record.name)
        return walk(node, grads)

    monkeypatch.setattr(OpNode, "backward", noted)
    for case in cases():
        for call, inputs in calls(*case.values[:3]):
            results = call()
            penlight.autograd.grad(
                results, inputs, [penlight.ones_like(r) for r in results], allow_unused=True
            )
    assert not {name for name, record in TABLE.items() if differentiates(record)} - met
