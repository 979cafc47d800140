"""Every differentiable op against finite differences in double precision, first and second order.

The arguments come from PyTorch's database; the last test sees that no differentiable record is left
out.
"""

import functools

import pytest

import penlight
import penlight.nn.functional as F
from opinfo import function_of, infos, samples, tensors_in
from penlight.autograd import gradcheck, gradgradcheck
from penlight.ops.exposure import TABLE
from penlight.ops.record import OpNode

from torch import complex128, float64  # isort: skip

pytestmark = [
    pytest.mark.filterwarnings("ignore:Casting complex values to real"),
    pytest.mark.filterwarnings("ignore:.*is deprecated. Use `nn.functional.interpolate`"),
    pytest.mark.filterwarnings("ignore:dropout2d. Received a 3D input"),
    pytest.mark.filterwarnings("ignore:reduction. 'mean' divides the total loss"),
]

SAMPLES = {float64: 8, complex128: 4}
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
    "masked.norm": "where all is masked, the sample is the norm's corner",
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

# ---------------------------------------------------------------- what the database does not have


def half():
    """A constant."""
    return penlight.tensor(0.5, dtype=penlight.float64)


def pushed(step):
    """What a small change of a plane does to its max_pool2d."""
    plane = penlight.arange(25, dtype=penlight.float64).sin().reshape(1, 1, 5, 5)
    pool = functools.partial(F.max_pool2d, kernel_size=2)
    return penlight.autograd.functional.jvp(pool, plane, step, create_graph=True)[1]


def solved(b):
    """x with A x = b for a symmetric A, from its LDL factors."""
    a = penlight.tensor([[2.0, 1.0], [1.0, -3.0]], dtype=penlight.float64)
    return penlight.linalg.ldl_solve(*penlight.linalg.ldl_factor(a), b)


def shrunk(mode):
    """An image of 0.6 times the size, smoothed."""
    return lambda x: F.interpolate(x, scale_factor=0.6, mode=mode, antialias=True)


# name -> (function, the shapes of its arguments)
EXTRA = {
    "pad reflect 2d": (lambda x: F.pad(x, (1, 1, 2, 0), "reflect"), (1, 2, 3, 3)),
    "clamp_max": (lambda x: x.clamp_max(0.5), (7,)),
    "grid_sample 3d": (
        lambda x, grid: F.grid_sample(x, grid, align_corners=False),
        (1, 2, 2, 3, 3), (1, 2, 2, 2, 3),
    ),
    "affine_grid": (lambda t: F.affine_grid(t, (1, 1, 2, 3), align_corners=True), (1, 2, 3)),
    "igamma": (lambda x: penlight.igamma(half(), x), (3,)),
    "igammac": (lambda x: penlight.igammac(half(), x), (3,)),
    "zeta": (lambda x: penlight.special.zeta(half() + 2, x), (3,)),
    "copy_": (lambda x, y: (x * 1)[0].copy_(y), (2, 3), (3,)),
    "ldl_solve": (solved, (2, 3)),
    "max_pool2d forwards": (pushed, (1, 1, 5, 5)),
    "lstm cell": (TABLE["_lstm_gates"].function, (2, 12), (2, 3)),
    "lstm": (
        lambda *args: TABLE["lstm_sequence"].function(*args)[:2],
        (2, 2, 12), (12, 3), (2, 3), (2, 3),
    ),
    "gru cell": (TABLE["_gru_gates"].function, (2, 9), (2, 9), (2, 3)),
    "bilinear antialias": (shrunk("bilinear"), (1, 1, 5, 6)),
    "bicubic antialias": (shrunk("bicubic"), (1, 1, 5, 6)),
    "lanczos antialias": (shrunk("lanczos"), (1, 1, 5, 6)),
}  # fmt: skip

# Records whose gradient rule says, as PyTorch does, that there is no gradient.
UNDEFINED = {"heaviside", "floor_divide", "_ctc_loss_backward", "_qr_r", "_qr_complete"}


def draw(*shape):
    """A leaf with numbers between 0.2 and 0.8."""
    return penlight.empty(shape, dtype=penlight.float64).uniform_(0.2, 0.8).requires_grad_()


def own_cases():
    """(function, arguments) of the samples in the records, and of the cases above."""
    penlight.manual_seed(0)
    for name, record in TABLE.items():
        for i, args in enumerate(record.sample(draw) if record.sample else ()):
            yield pytest.param(record.function, args, id=f"{name} {i}")
    for name, (function, *shapes) in EXTRA.items():
        yield pytest.param(function, tuple(draw(*shape) for shape in shapes), id=name)


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

        if call():
            yield call, leaves((x, args, kwargs))


def leaves(value):
    """The tensors to differentiate by."""
    return tuple(t for t in tensors_in(value) if t.requires_grad and t.dtype in DOUBLE)


@pytest.mark.parametrize(("function", "info", "dtype", "second"), list(cases()))
def test_gradient(function, info, dtype, second):
    checked = 0
    for call, inputs in calls(function, info, dtype):
        checked += gradcheck(call, inputs, fast_mode=True)
        assert not second or gradgradcheck(call, inputs, fast_mode=True)
    assert checked


@pytest.mark.parametrize(("function", "args"), list(own_cases()))
def test_gradient_of_own_case(function, args):
    def call(*_):
        return function(*args)

    assert gradcheck(call, leaves(args))
    assert gradgradcheck(call, leaves(args), fast_mode=True)


def walk(call, inputs, second):
    """Forward and backward, and backward again through the gradients."""
    results = tuple(tensors_in(call()))
    weights = tuple(penlight.ones_like(r).requires_grad_() for r in results)
    grads = penlight.autograd.grad(results, inputs, weights, allow_unused=True, create_graph=second)
    grads = [g for g in grads if g is not None and g.requires_grad]
    if grads:
        ones = [penlight.ones_like(g) for g in grads]
        penlight.autograd.grad(grads, inputs + weights, ones, allow_unused=True)


def test_every_record_is_met(monkeypatch):
    """Some case above needs the gradient rule of each differentiable record."""
    met = set()
    backward = OpNode.backward

    def noted(node, grads):
        met.add(node.record)
        return backward(node, grads)

    monkeypatch.setattr(OpNode, "backward", noted)
    for function, info, dtype, second in (case.values for case in cases()):
        for call, inputs in calls(function, info, dtype):
            walk(call, inputs, second)
    for function, args in (case.values for case in own_cases()):
        walk(functools.partial(function, *args), leaves(args), True)
    records = {node.record for node in OpNode.__subclasses__() if node.record.differentiable}
    assert {record.name for record in records - met} == UNDEFINED
