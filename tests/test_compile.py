"""A compiled function does what the function does, bit for bit, whatever changes between calls."""

import copy
import dataclasses
import gc
import pickle
import threading
import types
import warnings

import numpy as np
import pytest
import torch as oracle

import penlight as torch
from penlight import nn
from penlight.capture.running import Runner

F = nn.functional


@pytest.fixture(autouse=True)
def call_by_call(monkeypatch):
    """These tests are about recording: what is replayed runs without machine code."""
    monkeypatch.setattr(Runner, "_start", lambda self, arrays: setattr(self, "strides", []))


def bits(value):
    """A result as something that can be compared bit by bit."""
    if isinstance(value, torch.Tensor):
        array = value.detach()._array
        return array.dtype, array.shape, array.strides, array.tobytes(), value.requires_grad
    if isinstance(value, (tuple, list)):
        return type(value), [bits(v) for v in value]
    if isinstance(value, dict):
        return {name: bits(v) for name, v in value.items()}
    return value


def agree(function, *calls, replays=1, recordings=None):
    """Compares a function and its compiled form over several calls (functions giving arguments)."""
    compiled = torch.compile(function)
    for make in calls:
        for _ in range(1 + replays):
            torch.manual_seed(0)
            expected = function(*make())
            torch.manual_seed(0)
            assert bits(compiled(*make())) == bits(expected)
    if recordings is not None:
        assert len(compiled.programs) == recordings
    assert compiled.eager == 0, [x.reason for x in compiled.fallbacks]
    return compiled


def draw(*shape, seed=0, grad=False):
    """Normal numbers that do not touch the default generator."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).requires_grad_(grad)


# ---------------------------------------------------------------- functions

FUNCTIONS = {
    "elementwise": lambda a, b: ((a + b) * a - b).relu().tanh(),
    "numbers": lambda a, b: 2 * a + 1 - b / 3,
    "sum": lambda a, b: (a * b).sum(),
    "mean_axis": lambda a, b: (a - b).mean(1, keepdim=True),
    "matmul": lambda a, b: a @ b.T,
    "several": lambda a, b: (a + b, {"product": a * b, "list": [a - b, 3, None]}),
    "views": lambda a, b: (a + b).t()[1:].reshape(-1),
    "same_twice": lambda a, b: (lambda y: (y, y.view(-1), y.detach()))(a + b),
    "cat_split": lambda a, b: torch.cat([a, b]).split(2)[1],
    "gather": lambda a, b: a.gather(1, b.argmax(1, keepdim=True)),
    "where": lambda a, b: torch.where(a > b, a, b),
    "promote": lambda a, b: a.double() + b.to(torch.int64),
    "softmax": lambda a, b: F.softmax(a, -1) * F.log_softmax(b, 0),
    "einsum": lambda a, b: torch.einsum("ij,kj->ik", a, b),
    "sort": lambda a, b: a.sort(1),
    "max": lambda a, b: a.max(1),
    "creation": lambda a, b: a * torch.arange(5) + torch.tensor([1.0, 2, 3, 4, 5]) + torch.ones(5),
    "constant": lambda a, b: torch.tensor([1.0, 2.0]),
    "zeros": lambda a, b: torch.zeros(3).add_(1),
    "random": lambda a, b: a + torch.rand(5) + torch.randn_like(b),
    "dropout": lambda a, b: F.dropout(a, 0.5) + F.alpha_dropout(b, 0.2, True),
    "uniform_": lambda a, b: torch.empty(4, 5).uniform_(-1, 1) * a,
    "bernoulli": lambda a, b: torch.bernoulli(a.sigmoid()) + b,
    "multinomial_free": lambda a, b: torch.randint(0, 9, (3,)) + torch.randperm(3),
    "inplace": lambda a, b: (a * 1).add_(b).mul_(2),
    "setitem": lambda a, b: _set_row(a, b),
    "setitem_index": lambda a, b: _set_index(a, b),
    "view_write": lambda a, b: _write_through_view(a, b),
    "write_then_view": lambda a, b: _stale_view(a, b),
    "local_list": lambda a, b: _list_of(a, b),
    "loop": lambda a, b: _loop(a, b),
    "no_grad": lambda a, b: _without_grad(a, b),
    "named_tuple": lambda a, b: torch.linalg.qr(a @ b.T),
    "mask": lambda a, b: a.masked_fill(b > 0, float("-inf")).softmax(0).nan_to_num(0),
    "pad": lambda a, b: F.pad(a, (1, 2)) * 2,
    "cumsum": lambda a, b: a.cumsum(1) + b.flip(0),
    "out": lambda a, b: torch.add(a, b, out=torch.empty(4, 5)),
}


def _set_row(a, b):
    y = a.clone()
    y[1] = b[0]
    y[:, 2:4] += 1
    return y


def _set_index(a, b):
    y = a.clone()
    y[torch.tensor([0, 2])] = b[:2]
    return y


def _write_through_view(a, b):
    y = a * 2
    row = y[1]
    row.mul_(3)
    y.t()[0].copy_(b[:, 0])
    return y, row


def _stale_view(a, b):
    y = a * 2
    first = y[0]
    y.add_(b)
    return first + 1, y


def _list_of(a, b):
    parts = []
    for row in a:
        parts.append(row * 2)
    named = {}
    named["x"] = torch.stack(parts)
    return named["x"] + b


def _loop(a, b):
    for _ in range(3):
        a = (a + b).sigmoid()
    return a


def _without_grad(a, b):
    with torch.no_grad():
        y = a * b
    return y + 1


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name):
    function = FUNCTIONS[name]
    agree(function, lambda: (draw(4, 5), draw(4, 5, seed=1)), replays=2, recordings=1)


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - {"out"}))
def test_functions_with_gradients(name):
    """The same with arguments that require gradients: values, gradients, and the message after."""
    function, compiled = FUNCTIONS[name], torch.compile(FUNCTIONS[name])
    for seed in (1, 2, 3):
        found = []
        for f in (function, compiled):
            torch.manual_seed(seed)
            a, b = draw(4, 5, seed=seed, grad=True), draw(4, 5, seed=seed + 9, grad=True)
            result = f(a, b)
            flat = _tensors(result)
            loss = sum((t * t).sum() for t in flat if t.requires_grad and t.is_floating_point())
            if isinstance(loss, torch.Tensor):
                loss.backward()
            found.append((bits(result), bits((a.grad, b.grad))))
        assert found[0] == found[1]
    assert compiled.eager == 0, [x.reason for x in compiled.fallbacks]
    assert len(compiled.programs) == 1


def _tensors(value):
    if isinstance(value, torch.Tensor):
        return [value]
    parts = value.values() if isinstance(value, dict) else value
    return [t for v in parts if v is not None and not isinstance(v, int) for t in _tensors(v)]


def test_arguments_are_guarded():
    f = agree(
        lambda x, n=1: x * n,
        lambda: (draw(3),), lambda: (draw(4),), lambda: (draw(3, 3).t(),),
        lambda: (draw(3).double(),), lambda: (draw(3), 2), lambda: (draw(3), True),
        lambda: (draw(3), 2.0), recordings=7,
    )  # fmt: skip
    assert f.recompiles[0] == "argument x: shape (3,) became (4,)"
    f = torch.compile(lambda x: x * 2)
    f(draw(3))
    assert not f(draw(3)).requires_grad
    assert f(draw(3, grad=True)).requires_grad
    assert f.recompiles == ["argument x: requires_grad False became True"]
    with torch.no_grad():
        assert not f(draw(3, grad=True)).requires_grad


def test_keywords_and_structures():
    def f(x, *rest, scale=1, **more):
        return x["a"] * scale + rest[0][1] - more["y"]

    compiled = torch.compile(f)
    for seed in range(3):
        args = ({"a": draw(3, seed=seed)}, (1, draw(3)))
        keywords = {"scale": 2, "y": draw(3, seed=5)}
        assert bits(compiled(*args, **keywords)) == bits(f(*args, **keywords))
    assert len(compiled.programs) == 1


def test_arguments_that_are_written():
    def f(x, y):
        x.add_(y)
        y[0] = 7
        return x * 2

    compiled = torch.compile(f)
    for _ in range(3):
        (a, b), (c, d) = [(draw(3), draw(3, seed=1)) for _ in range(2)]
        assert bits(compiled(a, b)) == bits(f(c, d))
        assert bits((a, b)) == bits((c, d))
        assert a._version == c._version
    same = draw(3)  # the two arguments share memory now
    expected = draw(3)
    assert bits(compiled(same, same)) == bits(f(expected, expected))
    assert bits(same) == bits(expected)


def test_arguments_that_are_returned_and_shown():
    def f(x, y):
        x.mul_(2)
        return x, x[1:], y, y.t()

    compiled = torch.compile(f)
    for _ in range(3):
        x, y = draw(4), draw(2, 3)
        first, rest, same, turned = compiled(x, y)
        assert first is x and same is y
        x.zero_()
        y.zero_()
        assert not rest.any() and not turned.any()
        assert turned._array.base is not None


def test_outputs_are_fresh():
    compiled = torch.compile(lambda x: x + 1)
    results = [compiled(torch.full((3,), float(i))) for i in range(4)]
    assert [r.tolist() for r in results] == [[i + 1.0] * 3 for i in range(4)]


def test_the_same_tensor_twice():
    compiled = torch.compile(lambda x, y: x * 10 + y)
    a, b = torch.tensor(1.0), torch.tensor(2.0)
    assert compiled(a, a).item() == 11
    assert compiled(a, b).item() == 12
    assert compiled(b, b).item() == 22


# ---------------------------------------------------------------- training steps


class Convolutional(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3)
        self.drop = nn.Dropout(0.3)
        self.out = nn.Linear(3 * 9, 4)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.norm(self.conv(x))), 2)
        return self.out(self.drop(x.flatten(1)))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(3, 5, batch_first=True)
        self.out = nn.Linear(5, 4)

    def forward(self, x):
        return self.out(self.rnn(x)[0][:, -1])


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(4, 6)
        self.layer = nn.TransformerEncoderLayer(6, 2, 8, batch_first=True)
        self.out = nn.Linear(6, 4, bias=False)
        self.out.weight = self.embedding.weight

    def forward(self, x):
        return self.out(self.layer(self.embedding(x))).mean(1)


def perceptron():
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 4))


NETWORKS = {
    "perceptron": (perceptron, lambda: torch.randn(5, 6)),
    "convolutional": (Convolutional, lambda: torch.randn(5, 1, 6, 6)),
    "recurrent": (Recurrent, lambda: torch.randn(5, 4, 3)),
    "tied": (Tied, lambda: torch.randint(0, 4, (5, 3))),
}


def trained(make, inputs, how, optimizer, steps=4, schedule=None, between=None):
    """Everything a few training steps leave behind, with one of the ways to compile them."""
    torch.manual_seed(0)
    model = make()
    optimizer = optimizer(model.parameters())
    scheduler = None if schedule is None else schedule(optimizer)
    called = torch.compile(model) if how == "module" else model

    def step(x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(called(x), y)
        loss.backward()
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
        return loss

    run = torch.compile(step) if how == "step" else step
    seen = []
    for i in range(steps):
        seen.append(bits(run(inputs(), torch.randint(0, 4, (5,)))))
        if between is not None:
            between(i, model, optimizer)
    state = [bits(t) for t in model.state_dict().values()]
    grads = [bits(p.grad) for p in model.parameters()]
    kept = [{n: bits(v) for n, v in optimizer.state.get(p, {}).items()} for p in model.parameters()]
    target = run if how == "step" else called
    program = getattr(target, "_call", target)
    return (seen, state, grads, kept), program


def compare_training(make, inputs, how, optimizer, **options):
    expected, _ = trained(make, inputs, None, optimizer, **options)
    found, program = trained(make, inputs, how, optimizer, **options)
    assert found == expected
    return program


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.1, momentum=0.9)


@pytest.mark.parametrize("how", ["step", "module"])
@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name, how):
    program = compare_training(*NETWORKS[name], how, sgd)
    assert len(program.programs) == 1 and not program.fallbacks


OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
    "nesterov": lambda p: torch.optim.SGD(p, 0.1, 0.9, 0, 1e-3, True),
    "adam": lambda p: torch.optim.Adam(p, 0.01, weight_decay=0.1),
    "amsgrad": lambda p: torch.optim.Adam(p, 0.01, amsgrad=True, maximize=True),
    "adamw": lambda p: torch.optim.AdamW(p, 0.01),
    "adagrad": lambda p: torch.optim.Adagrad(p, 0.01),
    "adadelta": lambda p: torch.optim.Adadelta(p),
    "adamax": lambda p: torch.optim.Adamax(p),
    "asgd": lambda p: torch.optim.ASGD(p),
    "nadam": lambda p: torch.optim.NAdam(p),
    "radam": lambda p: torch.optim.RAdam(p),
    "rmsprop": lambda p: torch.optim.RMSprop(p, momentum=0.5, centered=True),
    "rprop": lambda p: torch.optim.Rprop(p),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name):
    program = compare_training(*NETWORKS["perceptron"], "step", OPTIMIZERS[name], steps=6)
    assert len(program.programs) == 1, program.recompiles
    assert not program.fallbacks


SCHEDULES = {
    "step": lambda o: torch.optim.lr_scheduler.StepLR(o, 2, 0.5),
    "cosine": lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 5),
    "one_cycle": lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 0.5, total_steps=9),
    "lambda": lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda t: 0.9**t),
    "chain": lambda o: torch.optim.lr_scheduler.SequentialLR(
        o,
        [torch.optim.lr_scheduler.ConstantLR(o), torch.optim.lr_scheduler.ExponentialLR(o, 0.5)],
        [3],
    ),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules(name):
    program = compare_training(
        *NETWORKS["perceptron"], "step", sgd, steps=6, schedule=SCHEDULES[name]
    )
    assert len(program.programs) == 1, program.recompiles


# ---------------------------------------------------------------- what changes between steps


def _change_rate(i, model, optimizer):
    optimizer.param_groups[0]["lr"] *= 0.5


def _replace_data(i, model, optimizer):
    model[0].weight.data = model[0].weight.data.clone() * 2


def _reload(i, model, optimizer):
    model.load_state_dict({n: t * 0.5 for n, t in model.state_dict().items()})


def _write_parameter(i, model, optimizer):
    with torch.no_grad():
        model[0].weight.fill_(0.25)


def _freeze(i, model, optimizer):
    model[0].weight.requires_grad_(i % 2 == 1)


def _to_eval(i, model, optimizer):
    model.train(i % 2 == 1)


def _drop_more(i, model, optimizer):
    model[2].p = 0.1 * (i + 1)


def _new_parameter(i, model, optimizer):
    if i == 1:
        model[3].bias = nn.Parameter(torch.ones(4))


def _reload_optimizer(i, model, optimizer):
    optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))


def _other_group(i, model, optimizer):
    if i == 1:
        extra = nn.Parameter(torch.ones(2))
        extra.grad = torch.ones(2)
        optimizer.add_param_group({"params": [extra], "lr": 0.3})


def _weight_decay(i, model, optimizer):
    optimizer.param_groups[0]["weight_decay"] = 0.1 * (i % 2)


def _other_layer(i, model, optimizer):
    if i == 1:
        model[1] = nn.Tanh()


def _hook(i, model, optimizer):
    if i == 1:
        model[0].register_forward_hook(lambda module, args, out: out * 2)


def _gradient_hook(i, model, optimizer):
    if i == 1:
        model[0].weight.register_hook(lambda g: g * 2)


CHANGES = [
    _change_rate, _replace_data, _reload, _write_parameter, _freeze, _to_eval, _drop_more,
    _new_parameter, _reload_optimizer, _other_group, _weight_decay, _other_layer, _hook,
    _gradient_hook,
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*runs uncompiled")
@pytest.mark.parametrize("how", ["step", "module"])
@pytest.mark.parametrize("between", CHANGES, ids=lambda f: f.__name__[1:])
def test_changes_between_steps(between, how):
    compare_training(*NETWORKS["perceptron"], how, sgd, steps=5, between=between)


def test_another_learning_rate_is_no_other_program():
    program = compare_training(
        *NETWORKS["perceptron"], "step", OPTIMIZERS["adam"], between=_change_rate
    )
    assert len(program.programs) == 1
    program = compare_training(*NETWORKS["perceptron"], "step", sgd, between=_to_eval)
    assert len(program.programs) == 2  # one for training, one for evaluation
    assert "training" in program.recompiles[-1]


def test_gradients_accumulate():
    model, twin = perceptron().eval(), None
    twin = copy.deepcopy(model)

    def step(model, x):
        loss = model(x).square().mean()
        loss.backward()
        return loss

    compiled = torch.compile(step)
    for i in range(4):
        x = draw(3, 6, seed=i)
        assert bits(compiled(model, x)) == bits(step(twin, x))
        held = [p.grad for p in model.parameters()]
        assert [bits(g) for g in held] == [bits(p.grad) for p in twin.parameters()]
        if i == 2:
            model.zero_grad()
            twin.zero_grad()
    assert len(compiled.programs) == 2 and not compiled.eager


def test_a_held_gradient_keeps_its_values():
    w = nn.Parameter(torch.ones(2))

    @torch.compile
    def step(x):
        w.grad = None
        (w * x).sum().backward()

    kept = []
    for i in range(4):
        step(torch.full((2,), float(i)))
        kept.append(w.grad)
    assert [g.tolist() for g in kept] == [[float(i)] * 2 for i in range(4)]


def test_clipping_inside_a_step():
    def make(compile):
        torch.manual_seed(0)
        model = perceptron()
        optimizer = sgd(model.parameters())

        def step(x):
            optimizer.zero_grad(set_to_none=False)
            loss = model(x).square().sum()
            loss.backward()
            norm = nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
            return loss, norm

        run = torch.compile(step) if compile else step
        return [bits(run(draw(3, 6, seed=i))) for i in range(4)]

    assert make(True) == make(False)


# ---------------------------------------------------------------- surroundings

SCALE = 2.0
SETTINGS = {"width": 3, "names": ["a"]}


def test_globals_and_closures_are_guarded(monkeypatch):
    offset, settings = 1.0, types.SimpleNamespace(power=2)
    weight = torch.ones(3)

    def f(x):
        return (x * SCALE + offset + SETTINGS["width"]) ** settings.power * weight

    compiled = torch.compile(f)
    x = draw(3)

    def check():
        for _ in range(2):
            assert bits(compiled(x)) == bits(f(x))

    check()
    monkeypatch.setitem(globals(), "SCALE", 3.0)
    check()
    assert "'SCALE': 2.0 became 3.0" in compiled.recompiles[-1]
    offset = 5.0
    check()
    assert "'offset': 1.0 became 5.0" in compiled.recompiles[-1]
    monkeypatch.setitem(SETTINGS, "width", 7)
    check()
    settings.power = 3
    check()
    assert "settings.power: 2 became 3" in compiled.recompiles[-1]
    weight = torch.zeros(3)
    check()
    weight.add_(1)
    check()
    assert not compiled.eager and len(compiled.programs) == 6


def test_attributes_of_modules_are_guarded():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale, self.flags = 2.0, {"negative": False}

        def forward(self, x):
            y = x * self.scale
            return -y if self.flags["negative"] else y

    model = Scaled()
    compiled = torch.compile(model)
    x = draw(3)
    for change in (
        lambda: None,
        lambda: setattr(model, "scale", 3.0),
        lambda: model.flags.update(negative=True),
        lambda: setattr(compiled, "scale", 4.0),
    ):
        change()
        for _ in range(2):
            assert bits(compiled(x)) == bits(model(x))


def test_helper_functions_are_looked_into():
    factor = [2.0]

    def helper(x):
        return x * factor[0]

    compiled = torch.compile(lambda x: helper(x) + 1)
    assert compiled(torch.ones(1)).item() == 3
    factor[0] = 4.0
    assert compiled(torch.ones(1)).item() == 5


# ---------------------------------------------------------------- what stays eager


def _item(x):
    return x * x.sum().item()


def _branch(x):
    if x.sum() > 0:
        return x
    return -x


def _numpy(x):
    return torch.from_numpy(x.numpy() * 2)


def _nonzero(x):
    return x[x > 0]


def _print(x):
    print("seen")
    return x * 2


SEEN: list = []


def _append(x):
    SEEN.append(1)
    return x * 2


def _set_global(x):
    global COUNT
    COUNT = COUNT + 1
    return x * COUNT


COUNT = 0


def _random(x):
    import random

    return x * random.random()


def _text(x):
    return x if len(repr(x)) > 3 else -x


def _seeds(x):
    torch.manual_seed(3)
    return x + torch.rand(3)


def _disabled(x):
    return torch.compiler.disable(lambda y: y * 2)(x)


def _list_index(x):
    return x.tolist()


EAGER = {
    _item: "Python number", _branch: "depends on", _numpy: "number or array",
    _nonzero: "depends on its values", _print: "print", _append: "list is changed",
    _set_global: "global variable 'COUNT'", _random: "random", _text: "printed", _seeds: "seeded",
    _disabled: "disable", _list_index: "Python number",
}  # fmt: skip


@pytest.mark.parametrize("function", EAGER, ids=lambda f: f.__name__[1:])
def test_what_stays_eager(function, capsys):
    import random

    compiled = torch.compile(function)
    code = function.__code__
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for seed in range(3):
            random.seed(seed)
            before = COUNT
            expected = bits(function(draw(3, seed=seed)))
            random.seed(seed)
            globals()["COUNT"] = before
            assert bits(compiled(draw(3, seed=seed))) == expected
    (warning,) = caught
    text = str(warning.message)
    assert EAGER[function] in text
    lines = {line for *_, line in code.co_lines() if line}
    assert any(f"{__file__}:{line}:" in text for line in lines)
    assert compiled.eager == 3
    assert EAGER[function] in torch.compiler.report()


def test_fullgraph_raises():
    with pytest.raises(RuntimeError, match="Python number"):
        torch.compile(_item, fullgraph=True)(draw(3))


def test_attributes_set_in_forward_stay_eager():
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.calls = 0

        def forward(self, x):
            self.calls += 1
            return x * self.calls

    compiled = torch.compile(Counting())
    with pytest.warns(UserWarning, match="module is changed"):
        assert [compiled(torch.ones(1)).item() for _ in range(3)] == [1, 2, 3]


def test_iterators_stay_eager():
    batches = iter([torch.ones(1), torch.zeros(1), torch.full((1,), 2.0)])
    compiled = torch.compile(lambda: next(batches) * 2)
    with pytest.warns(UserWarning, match="next"):
        assert [compiled().item() for _ in range(3)] == [2, 0, 4]


def test_too_many_recordings():
    compiled = torch.compile(lambda x, n: x * n)
    with pytest.warns(UserWarning, match="an argument: 6 became 7"):
        for n in range(12):
            assert compiled(torch.ones(1), n).item() == n
    assert len(compiled.programs) == 8 and compiled.eager == 4


def test_an_error_leaves_nothing():
    compiled = torch.compile(lambda x, y: x @ y)
    assert compiled(torch.ones(2, 3), torch.ones(3, 2)).sum() == 12
    with pytest.raises(RuntimeError, match="mat1 and mat2 shapes cannot be multiplied"):
        compiled(torch.ones(2, 3), torch.ones(2, 3))
    assert compiled(torch.ones(2, 3), torch.ones(3, 2)).sum() == 12
    assert not torch.compiler.is_compiling()
    assert torch.ones(1).item() == 1


def test_an_index_out_of_range_raises_in_a_replay():
    table = nn.Embedding(3, 2)
    optimizer = OPTIMIZERS["adam"](table.parameters())

    @torch.compile
    def step(i):
        optimizer.zero_grad()
        table(i).sum().backward()
        optimizer.step()

    for _ in range(3):
        step(torch.tensor([0, 2]))
    before = bits(table.weight), bits(optimizer.state[table.weight]["step"])
    with pytest.raises(IndexError):
        step(torch.tensor([0, 3]))
    assert (bits(table.weight), bits(optimizer.state[table.weight]["step"])) == before
    step(torch.tensor([0, 1]))


# ---------------------------------------------------------------- autograd around a program


def test_node_retain_and_free():
    compiled = torch.compile(lambda x: (x * x).sum())
    for _ in range(2):
        x = draw(3, grad=True)
        y = compiled(x)
        y.backward(retain_graph=True)
        y.backward()
        assert bits(x.grad) == bits((4 * x).detach())
        with pytest.raises(RuntimeError, match="backward through the graph a second time"):
            y.backward()
    assert y.grad_fn.name() == "CompiledFunctionBackward"


def test_inside_a_larger_graph():
    compiled = torch.compile(lambda x: x.exp() * 2)
    for _ in range(3):
        x = draw(3, grad=True)
        (compiled(x * 3).sum() ** 2).backward()
        twin = x.detach().requires_grad_()
        (((twin * 3).exp() * 2).sum() ** 2).backward()
        assert bits(x.grad) == bits(twin.grad)


def test_saved_values_are_protected():
    compiled = torch.compile(lambda x, w: (x * w).exp())
    for _ in range(2):
        x, w = draw(3), draw(3, grad=True)
        y = compiled(x, w)
        x.add_(1)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            y.sum().backward()
        y = compiled(x, w)
        y.mul_(2) if y.is_leaf else y.detach().mul_(2)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            y.sum().backward()


def test_double_backward_is_refused():
    compiled = torch.compile(lambda x: x**3)
    for i in range(2):
        x = draw(3, grad=True)
        y = compiled(x).sum()
        if i:
            with pytest.raises(RuntimeError, match="double backward"):
                torch.autograd.grad(y, x, create_graph=True)


def test_second_derivatives_inside():
    def f(x):
        (g,) = torch.autograd.grad((x**3).sum(), x, create_graph=True)
        return torch.autograd.grad(g.sum(), x)[0]

    compiled = torch.compile(f)
    for seed in range(3):
        x = draw(3, seed=seed, grad=True)
        assert bits(compiled(x)) == bits(f(x))
    assert not compiled.eager


def test_custom_function_inside():
    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            ctx.power = 3
            return x**3

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * ctx.power * x**2

    def step(x):
        loss = Cube.apply(x).sum()
        loss.backward()
        return loss

    compiled = torch.compile(step)
    for seed in range(3):
        a, b = draw(3, seed=seed, grad=True), draw(3, seed=seed, grad=True)
        assert bits(compiled(a)) == bits(step(b))
        assert bits(a.grad) == bits(b.grad)
    assert not compiled.eager


def test_modes():
    model = nn.Linear(3, 2)
    compiled = torch.compile(model)
    x = draw(4, 3)
    for _ in range(2):
        assert compiled(x).requires_grad
        with torch.no_grad():
            assert not compiled(x).requires_grad
        with torch.inference_mode():
            y = compiled(x)
        assert y.is_inference()
        assert bits(y) == bits(model(x).detach())
    assert len(compiled._call.programs) == 3


# ---------------------------------------------------------------- the form of it all


def test_optimized_module_looks_like_its_module():
    model = perceptron()
    compiled = torch.compile(model)
    assert isinstance(compiled, nn.Module)
    assert type(compiled).__name__ == "OptimizedModule"
    assert list(compiled.state_dict()) == ["_orig_mod." + n for n in model.state_dict()]
    assert [n for n, _ in compiled.named_parameters()] == [
        "_orig_mod." + n for n, _ in model.named_parameters()
    ]
    assert compiled._orig_mod is model
    compiled.eval()
    assert not model.training and not model[2].training
    compiled.load_state_dict(compiled.state_dict())
    compiled.note = 3
    assert model.note == 3
    twin = oracle.compile(oracle.nn.Linear(2, 2))
    assert list(twin.state_dict()) == list(torch.compile(nn.Linear(2, 2)).state_dict())


def test_copies_and_pickles():
    compiled = torch.compile(nn.Linear(3, 2))
    x = draw(4, 3)
    expected = bits(compiled(x))
    for twin in (copy.deepcopy(compiled), pickle.loads(pickle.dumps(compiled))):
        assert type(twin).__name__ == "OptimizedModule"
        assert twin.weight is not compiled.weight
        for _ in range(2):
            assert bits(twin(x)) == expected


def test_module_compile_in_place():
    model = nn.Linear(3, 2)
    x = draw(4, 3)
    expected = bits(model(x))
    model.compile()
    for _ in range(3):
        assert bits(model(x)) == expected
    assert list(model.state_dict()) == ["weight", "bias"]
    assert bits(copy.deepcopy(model)(x)) == expected


def test_decorator_and_options():
    @torch.compile(dynamic=False, mode="max-autotune", fullgraph=True)
    def f(x):
        """Doubles."""
        return x * 2

    assert f.__name__ == "f" and f.__doc__ == "Doubles."
    assert f(torch.ones(1)).item() == f(torch.ones(1)).item() == 2
    plain = lambda x: x  # noqa: E731
    assert torch.compile(plain, disable=True) is plain
    assert torch.compile(plain, backend="eager") is plain
    with pytest.raises(RuntimeError, match="Invalid backend"):
        torch.compile(plain, backend="nonsense")
    with pytest.raises(RuntimeError, match="Unrecognized mode"):
        torch.compile(plain, mode="nonsense")
    with pytest.raises(RuntimeError, match="Either mode or options"):
        torch.compile(plain, mode="default", options={"a": 1})


def test_nested_and_recursive():
    inner = torch.compile(lambda x: x * 2)

    @torch.compile
    def outer(x, depth=2):
        return inner(x) if depth == 0 else outer(x, depth - 1) + 1

    for _ in range(3):
        assert outer(torch.ones(1)).item() == 4
    assert len(outer.programs) == 1 and not inner.programs


def test_threads():
    compiled = torch.compile(lambda x: (x * 2).sum())
    results, workers = {}, []

    def work(n):
        results[n] = [compiled(torch.full((4,), float(n))).item() for _ in range(20)]

    for n in range(6):
        workers.append(threading.Thread(target=work, args=(n,)))
        workers[-1].start()
    for worker in workers:
        worker.join()
    assert results == {n: [8.0 * n] * 20 for n in range(6)}


def test_methods():
    class Scaler:
        def __init__(self, by):
            self.by = by

        @torch.compile
        def scale(self, x):
            return x * self.by

    one, two = Scaler(1.0), Scaler(2.0)
    for _ in range(2):
        assert one.scale(torch.ones(1)).item() == 1
        assert two.scale(torch.ones(1)).item() == 2
    two.by = 3.0
    assert two.scale(torch.ones(1)).item() == 3


def test_hooks_of_all_modules():
    model = nn.Linear(2, 2)
    compiled = torch.compile(lambda x: model(x))
    x = draw(1, 2)
    first = compiled(x)
    handle = nn.modules.module.register_module_forward_hook(lambda m, args, out: out * 2)
    try:
        assert bits(compiled(x)) == bits(first * 2)
    finally:
        handle.remove()
    assert bits(compiled(x)) == bits(first)


def test_dataclasses():
    @dataclasses.dataclass
    class Output:
        loss: object
        count: int

    compiled = torch.compile(lambda out: Output(out.loss * 2, out.count + 1))
    for i in range(3):
        found = compiled(Output(torch.full((1,), float(i)), 3))
        assert type(found) is Output and (found.loss.item(), found.count) == (2 * i, 4)
    assert compiled.eager == 0


def test_reset():
    compiled = torch.compile(lambda x: x * 2)
    compiled(torch.ones(1))
    assert compiled.programs
    torch.compiler.reset()
    assert not compiled.programs
    assert compiled(torch.ones(1)).item() == 2


def test_nothing_leaks():
    torch.manual_seed(0)
    model = perceptron()
    optimizer = OPTIMIZERS["adam"](model.parameters())

    @torch.compile
    def step(x):
        optimizer.zero_grad()
        loss = model(x).square().sum()
        loss.backward()
        optimizer.step()
        return loss

    x = draw(3, 6)
    for _ in range(5):
        step(x)
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(300):
        step(x)
    gc.collect()
    assert len(gc.get_objects()) - before < 20
    assert len(step.programs) == 1


def test_a_captured_step_does_not_touch_numpy_views():
    shared = np.zeros(3, np.float32)
    x = torch.from_numpy(shared)
    compiled = torch.compile(lambda t: t.add_(1))
    for _ in range(3):
        compiled(x)
    assert shared.tolist() == [3, 3, 3]
