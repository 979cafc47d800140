"""Every layer, against PyTorch: text, initial values, results in both modes, gradients, state."""

import pickle

import pytest
import torch

import penlight
from twins import same, values

N, C = 3, 4

# name: constructor arguments, keyword arguments, shapes of the inputs
LAYERS = {
    "Identity": [((), {}, [(N, C)]), ((1, "x"), {"y": 2}, [(N, C)])],
    "Linear": [((C, 5), {}, [(N, C)]), ((C, 5, False), {}, [(2, N, C)]), ((C, 5), {}, [(C,)])],
    "Bilinear": [((C, 2, 5), {}, [(N, C), (N, 2)]), ((C, 2, 5, False), {}, [(2, N, C), (2, N, 2)])],
    "LazyLinear": [((5,), {}, [(N, C)])],
    "Flatten": [((), {}, [(N, C, 2)]), ((0, 1), {}, [(N, C, 2)])],
    "Unflatten": [((1, (2, 2)), {}, [(N, C)])],
    "Conv1d": [
        ((C, 6, 3), {}, [(N, C, 9)]),
        ((C, 6, 3), {"stride": 2, "padding": 1, "dilation": 2, "groups": 2}, [(N, C, 9)]),
        ((C, 6, 3), {"padding": "same", "bias": False}, [(C, 9)]),
        ((C, 6, 3), {"padding": 2, "padding_mode": "circular"}, [(N, C, 9)]),
    ],
    "Conv2d": [
        ((C, 6, 3), {}, [(N, C, 7, 6)]),
        ((C, 6, (3, 2)), {"stride": (2, 1), "padding": (1, 0)}, [(N, C, 7, 6)]),
        ((C, 6, 3), {"padding": "same", "padding_mode": "reflect", "dilation": 2}, [(N, C, 9, 8)]),
        ((C, 6, 3), {"padding": (1, 2), "padding_mode": "replicate"}, [(N, C, 5, 5)]),
        ((C, 6, 3), {"padding": "valid"}, [(C, 5, 5)]),
    ],
    "Conv3d": [((C, 6, 2), {"groups": 2}, [(2, C, 4, 3, 3)])],
    "ConvTranspose1d": [((C, 6, 3), {"stride": 2, "output_padding": 1}, [(N, C, 5)])],
    "ConvTranspose2d": [((C, 6, 3), {"stride": 2, "padding": 1, "groups": 2}, [(N, C, 4, 5)])],
    "ConvTranspose3d": [((C, 2, 2), {"bias": False}, [(2, C, 2, 3, 2)])],
    "LazyConv2d": [((6, 3), {"bias": False}, [(N, C, 5, 5)])],
    "LazyConvTranspose1d": [((6, 3), {"stride": 2}, [(N, C, 5)])],
    "MaxPool1d": [((2,), {}, [(N, C, 7)])],
    "MaxPool2d": [((3, 2, 1), {"ceil_mode": True}, [(N, C, 7, 6)])],
    "MaxPool3d": [((2,), {"return_indices": True}, [(2, C, 4, 4, 4)])],
    "AvgPool1d": [((3,), {"stride": 2, "padding": 1}, [(N, C, 7)])],
    "AvgPool2d": [((2,), {"count_include_pad": False, "padding": 1}, [(N, C, 6, 6)])],
    "AvgPool3d": [((2,), {"divisor_override": 3}, [(2, C, 4, 4, 4)])],
    "LPPool1d": [((2, 3), {}, [(N, C, 7)])],
    "LPPool2d": [((1.5, 2), {"stride": 1}, [(N, C, 5, 5)])],
    "LPPool3d": [((2, 2), {}, [(2, C, 4, 4, 4)])],
    "AdaptiveAvgPool1d": [((3,), {}, [(N, C, 7)])],
    "AdaptiveAvgPool2d": [(((3, None),), {}, [(N, C, 7, 5)])],
    "AdaptiveAvgPool3d": [((2,), {}, [(2, C, 5, 4, 3)])],
    "AdaptiveMaxPool1d": [((3,), {}, [(N, C, 7)])],
    "AdaptiveMaxPool2d": [((3,), {"return_indices": True}, [(N, C, 7, 5)])],
    "AdaptiveMaxPool3d": [((2,), {}, [(2, C, 5, 4, 3)])],
    "BatchNorm1d": [((C,), {}, [(N, C)]), ((C,), {"momentum": None}, [(N, C, 5)])],
    "BatchNorm2d": [((C,), {"affine": False}, [(N, C, 3, 3)])],
    "BatchNorm3d": [((C,), {"track_running_stats": False}, [(2, C, 2, 2, 2)])],
    "LazyBatchNorm2d": [((), {}, [(N, C, 3, 3)])],
    "InstanceNorm1d": [((C,), {}, [(N, C, 5)]), ((C,), {"affine": True}, [(C, 5)])],
    "InstanceNorm2d": [((C,), {"track_running_stats": True}, [(N, C, 3, 3)])],
    "InstanceNorm3d": [((C,), {}, [(2, C, 2, 2, 2)])],
    "LazyInstanceNorm1d": [((), {}, [(N, C, 5)])],
    "LayerNorm": [((C,), {}, [(N, C)]), (((2, C),), {"bias": False}, [(N, 2, C)])],
    "GroupNorm": [((2, C), {}, [(N, C, 3)]), ((2, C), {"bias": False}, [(N, C)])],
    "RMSNorm": [((C,), {}, [(N, C)]), ((C, 1e-3, False), {}, [(N, C)])],
    "LocalResponseNorm": [((2,), {}, [(N, C, 3, 3)])],
    "PReLU": [((), {}, [(N, C)]), ((C, 0.1), {}, [(N, C, 2)])],
    "Threshold": [((0.1, 20), {}, [(N, C)]), ((0.1, 20, True), {}, [(N, C)])],
    "ReLU": [((), {}, [(N, C)]), ((True,), {}, [(N, C)])],
    "Hardtanh": [((), {}, [(N, C)]), ((-0.2, 0.5, True), {}, [(N, C)])],
    "ReLU6": [((), {}, [(N, C)])],
    "Sigmoid": [((), {}, [(N, C)])],
    "Hardsigmoid": [((), {}, [(N, C)])],
    "Tanh": [((), {}, [(N, C)])],
    "SiLU": [((), {}, [(N, C)])],
    "Mish": [((), {}, [(N, C)])],
    "Hardswish": [((), {}, [(N, C)])],
    "ELU": [((0.5,), {}, [(N, C)])],
    "CELU": [((0.5, True), {}, [(N, C)])],
    "SELU": [((), {}, [(N, C)])],
    "GLU": [((), {}, [(N, C)]), ((1,), {}, [(N, C, 3)])],
    "GELU": [((), {}, [(N, C)]), (("tanh",), {}, [(N, C)])],
    "Hardshrink": [((), {}, [(N, C)])],
    "Softshrink": [((0.2,), {}, [(N, C)])],
    "LeakyReLU": [((0.2,), {}, [(N, C)])],
    "LogSigmoid": [((), {}, [(N, C)])],
    "Softplus": [((2, 1), {}, [(N, C)])],
    "Softsign": [((), {}, [(N, C)])],
    "Tanhshrink": [((), {}, [(N, C)])],
    "Softmin": [((1,), {}, [(N, C)])],
    "Softmax": [((0,), {}, [(N, C)])],
    "Softmax2d": [((), {}, [(N, C, 2, 2)]), ((), {}, [(N, C)])],
    "LogSoftmax": [((-1,), {}, [(N, C)])],
    "Dropout": [((0.3,), {}, [(N, C)]), ((2.0,), {}, [(N, C)])],
    "Dropout1d": [((0.3,), {}, [(N, C, 2)])],
    "Dropout2d": [((0.3,), {}, [(N, C, 2, 2)])],
    "Dropout3d": [((0.3,), {}, [(N, C, 2, 2, 2)])],
    "AlphaDropout": [((0.3,), {}, [(N, C)])],
    "FeatureAlphaDropout": [((0.3,), {}, [(N, C, 2)])],
    "ZeroPad1d": [((2,), {}, [(N, C, 5)])],
    "ZeroPad2d": [(((1, 2, 3, 0),), {}, [(N, C, 5, 5)])],
    "ConstantPad2d": [((1, 3.5), {}, [(N, C, 5, 5)])],
    "ReflectionPad1d": [((2,), {}, [(N, C, 5)])],
    "ReplicationPad2d": [((1,), {}, [(N, C, 5, 5)])],
    "CircularPad3d": [((1,), {}, [(2, C, 3, 3, 3)]), ((1,), {}, [(2, 3)])],
    "Upsample": [
        ((), {"scale_factor": 2}, [(N, C, 3)]),
        (((4, 6),), {"mode": "bilinear"}, [(N, C, 3, 3)]),
    ],
    "UpsamplingNearest2d": [((5,), {}, [(N, C, 3, 3)])],
    "UpsamplingBilinear2d": [((), {"scale_factor": 1.5}, [(N, C, 4, 4)])],
    "PixelShuffle": [((2,), {}, [(N, C, 2, 3)])],
    "PixelUnshuffle": [((2,), {}, [(N, C, 4, 6)])],
    "ChannelShuffle": [((2,), {}, [(N, C, 2)])],
    "Unfold": [((2,), {"padding": 1}, [(N, C, 4, 4)])],
    "Fold": [(((4, 5), 2), {}, [(N, C * 4, 12)])],
    "PairwiseDistance": [((), {}, [(N, C), (N, C)]), ((1.0, 1e-3, True), {}, [(N, C), (N, C)])],
    "CosineSimilarity": [((), {}, [(N, C), (N, C)])],
    "L1Loss": [((), {}, [(N, C), (N, C)])],
    "MSELoss": [((), {"reduction": "sum"}, [(N, C), (N, C)])],
    "SmoothL1Loss": [((), {"beta": 0.5}, [(N, C), (N, C)])],
    "HuberLoss": [((), {"delta": 0.5, "reduction": "none"}, [(N, C), (N, C)])],
    "MarginRankingLoss": [((0.1,), {}, [(N,), (N,), (N,)])],
    "TripletMarginLoss": [((), {"swap": True}, [(N, C), (N, C), (N, C)])],
    "TripletMarginWithDistanceLoss": [((), {"margin": 0.5}, [(N, C), (N, C), (N, C)])],
    "KLDivLoss": [((), {"reduction": "batchmean", "log_target": True}, [(N, C), (N, C)])],
    "PoissonNLLLoss": [((), {}, [(N, C), (N, C)])],
    "BCEWithLogitsLoss": [((), {}, [(N, C), (N, C)])],
}
CASES = [(name, *case) for name, cases in LAYERS.items() for case in cases]


def inputs(T, shapes):
    return [values(T, *shape, seed=i).requires_grad_() for i, shape in enumerate(shapes)]


def results(output):
    return output if isinstance(output, (list, tuple)) else (output,)


@pytest.mark.parametrize("name, args, kwargs, shapes", CASES)
def test_layer(name, args, kwargs, shapes):
    def program(T):
        layer = getattr(T.nn, name)(*args, **kwargs)
        text = [repr(layer)]
        given = inputs(T, shapes)
        args_ = [x * 1 for x in given]  # the in-place forms may write into these
        out = results(layer(*args_))
        text.append(repr(layer))
        if out[0].requires_grad:
            (out[0] * out[0]).sum().backward()
        grads = [t.grad for t in (*given, *layer.parameters())]
        state = {k: v.clone() for k, v in layer.state_dict().items()}
        layer.eval()
        with T.no_grad():
            again = results(pickle.loads(pickle.dumps(layer))(*[x * 1 for x in given]))
        return text, list(out), grads, state, list(again)

    same(program, rtol=1e-4, atol=1e-5)


def test_every_class_of_torch_nn_is_here():
    left_out = {
        "Container",  # deprecated
        "NLLLoss2d",  # deprecated
        "SyncBatchNorm",  # needs a process group
    }
    wanted = {name for name in torch.nn.modules.__all__ if name[0].isupper()} - left_out
    assert wanted <= set(dir(penlight.nn))


# ---------------------------------------------------------------- layers with other inputs


def embedding(T):
    layer = T.nn.Embedding(7, 3, padding_idx=-2, max_norm=1.0, norm_type=1.0)
    out = layer(T.tensor([[1, 5], [0, 1]]))
    out.sum().backward()
    frozen = T.nn.Embedding.from_pretrained(T.ones(2, 3))
    again = T.nn.Embedding.from_pretrained(
        T.ones(4, 3), False, padding_idx=1, scale_grad_by_freq=True
    )
    return (
        [repr(m) for m in (layer, frozen, again)],
        out,
        layer.weight.grad,
        frozen.weight.requires_grad,
    )


def embedding_bag(T):
    layer = T.nn.EmbeddingBag(7, 3, mode="sum", padding_idx=0)
    offsets = T.tensor([0, 2])
    out = layer(T.tensor([1, 2, 0, 4]), offsets, T.tensor([1.0, 2.0, 3.0, 4.0]))
    out.sum().backward()
    mean = T.nn.EmbeddingBag.from_pretrained(layer.weight.detach(), mode="max")
    return repr(layer), repr(mean), out, layer.weight.grad, mean(T.tensor([[1, 2], [3, 4]]))


def max_unpool(T):
    x = values(T, 2, 3, 6, 6).requires_grad_()
    pooled, where = T.nn.MaxPool2d(2, return_indices=True)(x)
    layer = T.nn.MaxUnpool2d(2)
    out = layer(pooled, where)
    out.sum().backward()
    return repr(layer), out, layer(pooled, where, output_size=(7, 7)), x.grad


def fractional(T):
    samples = T.full((2, 3, 2), 0.4)
    layer = T.nn.FractionalMaxPool2d(2, output_size=3, _random_samples=samples)
    return repr(layer), layer(values(T, 2, 3, 7, 7)), list(layer.state_dict())


def transposed_to_a_size(T):
    layer = T.nn.ConvTranspose2d(2, 3, 3, stride=2)
    x = values(T, 1, 2, 4, 4)
    return layer(x).shape, layer(x, output_size=(10, 9)).shape, layer(x, [10, 10])


def adaptive_softmax(T):
    layer = T.nn.AdaptiveLogSoftmaxWithLoss(8, 20, [4, 10], div_value=2.0, head_bias=True)
    x = values(T, 5, 8).requires_grad_()
    y = T.tensor([0, 3, 5, 19, 11])
    out, loss = layer(x, y)
    loss.backward()
    single = layer(x[0], y[2]).output
    grads = [p.grad for p in layer.parameters()]
    return repr(layer), out, loss, x.grad, grads, layer.log_prob(x), layer.predict(x), single


def classification(T):
    scores = values(T, 4, 3, 2).requires_grad_()
    y = T.tensor([[0, 1], [2, -100], [1, 1], [0, 2]])
    losses = [
        T.nn.CrossEntropyLoss(label_smoothing=0.1),
        T.nn.CrossEntropyLoss(weight=T.tensor([1.0, 2.0, 0.5]), reduction="none"),
        T.nn.NLLLoss(ignore_index=1, reduction="sum"),
    ]
    out = [loss(scores, y.clamp(min=0) if i == 2 else y) for i, loss in enumerate(losses)]
    out[0].backward()
    return [repr(loss) for loss in losses], out, scores.grad, list(losses[1].state_dict())


def margins(T):
    x = values(T, 4, 3).requires_grad_()
    y = T.tensor([0, 2, 1, 1])
    signs = T.tensor([1, -1, 1, -1])
    losses = [
        T.nn.MultiMarginLoss(p=2, margin=0.5)(x, y),
        T.nn.MultiLabelMarginLoss()(x, T.tensor([[0, 2, -1]] * 4)),
        T.nn.MultiLabelSoftMarginLoss()(x, (x > 0).float()),
        T.nn.CosineEmbeddingLoss(margin=0.2)(x, x.flip(0), signs),
        T.nn.SoftMarginLoss()(x, signs.unsqueeze(1).expand(4, 3)),
        T.nn.HingeEmbeddingLoss()(x, signs.unsqueeze(1).expand(4, 3)),
        T.nn.GaussianNLLLoss()(x, x.detach().flip(0), x.detach().abs() + 0.1),
        T.nn.BCELoss()(x.sigmoid(), (x > 0).float()),
    ]
    sum(losses).backward()
    return losses, x.grad


def ctc(T):
    log_probs = values(T, 8, 2, 5).log_softmax(2).requires_grad_()
    lengths = T.tensor([8, 7]), T.tensor([3, 2])
    loss = T.nn.CTCLoss()(log_probs, T.tensor([[1, 2, 2], [3, 4, 0]]), *lengths)
    loss.backward()
    return loss, log_probs.grad


def linear_cross_entropy(T):
    loss = T.nn.LinearCrossEntropyLoss(4, 3, bias=True, label_smoothing=0.1)
    x = values(T, 5, 4).requires_grad_()
    out = loss(x, T.tensor([0, 1, 2, 1, 0]))
    out.backward()
    return repr(loss), out, x.grad, list(loss.state_dict())


def lua_torch_norm(T):
    x = values(T, 2, 7, 3, 3)
    return [T.nn.CrossMapLRN2d(size, 0.5)(x) for size in (1, 2, 3, 4, 5)]


PROGRAMS = [
    lua_torch_norm,
    embedding,
    embedding_bag,
    max_unpool,
    fractional,
    transposed_to_a_size,
    adaptive_softmax,
    classification,
    margins,
    ctc,
    linear_cross_entropy,
]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_layer_with_other_inputs(program):
    same(program, rtol=1e-4, atol=1e-5)


# ---------------------------------------------------------------- wrong arguments

WRONG = [
    lambda T: T.nn.Conv2d(3, 4, 3, groups=2),
    lambda T: T.nn.Conv2d(4, 3, 3, groups=2),
    lambda T: T.nn.Conv2d(4, 4, 3, groups=0),
    lambda T: T.nn.Conv2d(4, 4, 3, padding="same", stride=2),
    lambda T: T.nn.ConvTranspose1d(4, 4, 3, padding_mode="circular"),
    lambda T: T.nn.ConvTranspose1d(2, 2, 3)(T.ones(1, 2, 3), [9]),
    lambda T: T.nn.ConvTranspose1d(2, 2, 3)(T.ones(1, 2, 3), [9, 9]),
    lambda T: T.nn.LazyConv1d(2, 3)(T.ones(3)),
    lambda T: T.nn.GroupNorm(3, 4),
    lambda T: T.nn.BatchNorm1d(3)(T.ones(2, 3, 4, 5)),
    lambda T: T.nn.InstanceNorm1d(3, affine=True)(T.ones(2, 4, 5)),
    lambda T: T.nn.Dropout(1.5),
    lambda T: T.nn.Hardtanh(1.0, 0.0),
    lambda T: T.nn.Unflatten(1, 3),
    lambda T: T.nn.Unflatten(1, (2, 2.0)),
    lambda T: T.nn.Bilinear(0, 2, 3),
    lambda T: T.nn.FractionalMaxPool2d(2),
    lambda T: T.nn.FractionalMaxPool2d(2, 3, 0.5),
    lambda T: T.nn.FractionalMaxPool3d(2, output_ratio=1.5),
    lambda T: T.nn.HuberLoss(delta="1"),
    lambda T: T.nn.MultiMarginLoss(p=3),
    lambda T: T.nn.TripletMarginLoss(margin=0),
    lambda T: T.nn.AdaptiveLogSoftmaxWithLoss(4, 9, []),
    lambda T: T.nn.AdaptiveLogSoftmaxWithLoss(4, 9, [3, 2]),
    lambda T: T.nn.AdaptiveLogSoftmaxWithLoss(4, 9, [3])(T.ones(2, 4), T.tensor([1, 9])),
    lambda T: T.nn.LinearCrossEntropyLoss(4, 3, label_smoothing=2.0),
    lambda T: T.nn.LinearCrossEntropyOptions(acc_policy="fast"),
    lambda T: T.nn.LinearCrossEntropyOptions(chunking_method="aspect_ratio:x"),
    lambda T: T.nn.LinearCrossEntropyOptions(batch_chunk_size=0),
    lambda T: T.nn.Embedding.from_pretrained(T.ones(3)),
    lambda T: T.nn.Linear(2, 3, device="nowhere"),
]


@pytest.mark.parametrize("program", WRONG)
def test_wrong_arguments(program):
    """The same class; the words too, where penlight does not add numbers to them."""
    errors = []
    for T in (torch, penlight):
        with pytest.raises(Exception) as caught:
            program(T)
        errors.append((type(caught.value), str(caught.value).split("\n")[0].split(", got")[0]))
    assert errors[0][0] is errors[1][0]
    assert errors[1][1].startswith(errors[0][1].split(", got")[0][:40])


# ---------------------------------------------------------------- state dicts of other layers


def test_batch_norm_loads_a_state_without_a_count():
    def program(T):
        layer = T.nn.BatchNorm1d(2)
        state = {k: v for k, v in layer.state_dict().items() if k != "num_batches_tracked"}
        state["running_mean"] = T.ones(2)
        layer.load_state_dict(state)
        return layer.state_dict()

    same(program)


def test_lazy_layers_load_a_state_dict():
    def program(T):
        source, target = T.nn.Linear(4, 5), T.nn.LazyLinear(5)
        target.load_state_dict(source.state_dict())
        before = repr(target)
        return before, target(values(T, 2, 4)), repr(target)

    same(program)


def test_a_lazy_state_can_not_be_read_too_early():
    same(lambda T: T.nn.Linear(4, 5).load_state_dict(T.nn.LazyLinear(5).state_dict()))


def test_data_parallel_passes_everything_on():
    def program(T):
        model = T.nn.DataParallel(T.nn.Linear(3, 2), device_ids=[0])
        x = values(T, 4, 3)
        return repr(model), list(model.state_dict()), model(x), T.equal(model(x), model.module(x))

    same(program)
