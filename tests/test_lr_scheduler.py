"""Schedules against PyTorch's: rates, state, checkpoints both ways, warnings, errors; averages."""

import warnings

import numpy as np
import pytest
import torch

import penlight

EPOCHS = 30


class Callable:
    def __init__(self, base):
        self.base = base

    def __call__(self, epoch):
        return self.base**epoch


SCHEDULES = {
    "lambda": lambda s, o: s.LambdaLR(o, [Callable(0.9), lambda e: 1 / (1 + e)]),
    "multiplicative": lambda s, o: s.MultiplicativeLR(o, lambda e: 0.9),
    "step": lambda s, o: s.StepLR(o, 4, 0.5),
    "multi step": lambda s, o: s.MultiStepLR(o, [3, 3, 8]),
    "constant": lambda s, o: s.ConstantLR(o, 0.5, 3),
    "linear": lambda s, o: s.LinearLR(o, 0.2, 0.7, 9),
    "exponential": lambda s, o: s.ExponentialLR(o, 0.8),
    "polynomial": lambda s, o: s.PolynomialLR(o, 12, 2.0),
    "cosine": lambda s, o: s.CosineAnnealingLR(o, 7, 0.01),
    "restarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 3, 2, 0.01),
    "triangular": lambda s, o: s.CyclicLR(o, 0.01, [0.1, 0.2], 4, 6, mode="triangular2"),
    "cycle by function": lambda s, o: s.CyclicLR(
        o, 0.01, 0.1, 4, scale_fn=Callable(0.5), scale_mode="iterations"
    ),
    "exp range": lambda s, o: s.CyclicLR(
        o, 0.01, 0.1, 4, mode="exp_range", gamma=0.9, cycle_momentum=False
    ),
    "one cycle": lambda s, o: s.OneCycleLR(o, [0.1, 0.2], EPOCHS + 1),
    "three phases": lambda s, o: s.OneCycleLR(
        o, 0.1, epochs=5, steps_per_epoch=7, anneal_strategy="linear", three_phase=True
    ),
    "sequence": lambda s, o: s.SequentialLR(
        o, [s.LinearLR(o, total_iters=4), s.ExponentialLR(o, 0.9), s.StepLR(o, 3)], [5, 11]
    ),
    "chain": lambda s, o: s.ChainedScheduler([s.ConstantLR(o, 0.1, 5), s.ExponentialLR(o, 0.9)], o),
    "plateau": lambda s, o: s.ReduceLROnPlateau(o, patience=2, cooldown=1, min_lr=[1e-3, 1e-4]),
    "plateau up": lambda s, o: s.ReduceLROnPlateau(o, "max", 0.5, 1, threshold_mode="abs"),
}


def fresh(T, make, kind="SGD"):
    params = [T.nn.Parameter(T.zeros(2)) for _ in range(2)]
    options = {"momentum": 0.9} if kind == "SGD" else {}
    groups = [{"params": [params[0]]}, {"params": [params[1]], "lr": 0.02}]
    optimizer = getattr(T.optim, kind)(groups, lr=0.1, **options)
    return optimizer, make(T.optim.lr_scheduler, optimizer)


def walk(optimizer, scheduler, epochs):
    path = []
    for epoch in epochs:
        momenta = [g.get("momentum", g.get("betas")) for g in optimizer.param_groups]
        path.append(([g["lr"] for g in optimizer.param_groups], momenta))
        optimizer.step()
        if "Plateau" in type(scheduler).__name__:
            scheduler.step(abs(np.sin(epoch)))
        else:
            scheduler.step()
        path.append(scheduler.get_last_lr())
    return path


def flat(tree):
    return np.hstack([flat(t) if isinstance(t, (list, tuple)) else t for t in tree])


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
@pytest.mark.parametrize("name", SCHEDULES)
def test_rates_and_momenta_are_pytorchs(name, kind):
    ours, theirs = (
        walk(*fresh(T, SCHEDULES[name], kind), range(EPOCHS)) for T in (penlight, torch)
    )
    np.testing.assert_allclose(flat(ours), flat(theirs), 1e-12)


def comparable(state):
    """A state without what only one process can have."""
    if isinstance(state, dict):
        return {k: comparable(v) for k, v in state.items() if k != "anneal_func"}
    return [comparable(v) for v in state] if isinstance(state, (list, tuple)) else state


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_state_has_pytorchs_entries_and_goes_on_there(name):
    whole = walk(*fresh(torch, SCHEDULES[name]), range(EPOCHS))
    for first, second in ((penlight, torch), (torch, penlight)):
        optimizer, scheduler = fresh(first, SCHEDULES[name])
        walk(optimizer, scheduler, range(10))
        saved, groups = scheduler.state_dict(), optimizer.state_dict()
        optimizer, scheduler = fresh(second, SCHEDULES[name])
        assert saved.keys() == scheduler.state_dict().keys()
        optimizer.load_state_dict({"state": {}, "param_groups": groups["param_groups"]})
        scheduler.load_state_dict(saved)
        rest = walk(optimizer, scheduler, range(10, EPOCHS))
        np.testing.assert_allclose(flat(rest), flat(whole[20:]), 1e-12)


WITHOUT_EPOCH = ("sequence", "chain", "plateau", "plateau up")


@pytest.mark.parametrize("name", [n for n in SCHEDULES if n not in WITHOUT_EPOCH])
def test_stepping_to_an_epoch(name):
    rates = []
    for T in (penlight, torch):
        optimizer, scheduler = fresh(T, SCHEDULES[name])
        optimizer.step()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scheduler.step(5)
        rates.append(scheduler.get_last_lr())
    np.testing.assert_allclose(*rates, 1e-12)


def test_a_tensor_rate_is_changed_in_place():
    ends = []
    for T in (penlight, torch):
        lr = T.tensor(0.5)
        optimizer = T.optim.SGD([T.nn.Parameter(T.zeros(1))], lr=lr)
        scheduler = T.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
        optimizer.step(), scheduler.step()
        last = scheduler.get_last_lr()[0]
        assert optimizer.param_groups[0]["lr"] is lr
        assert last is not lr
        ends.append((lr.item(), last.item()))
    assert ends[0] == ends[1]


def outcome(T, make):
    """What a call warns about and raises."""
    optimizer = T.optim.SGD([T.nn.Parameter(T.zeros(1))], lr=0.1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            make(T.optim.lr_scheduler, optimizer)
            raised = None
        except Exception as error:
            raised = type(error), str(error)
    return [(w.category, str(w.message)) for w in caught], raised


def overridden(s, o):
    scheduler = s.StepLR(o, 2)
    o.step = lambda: None
    scheduler.step()


MISUSES = [
    lambda s, o: s.StepLR(o, 2).step(),
    lambda s, o: (o.step(), s.StepLR(o, 2).get_lr()),
    lambda s, o: s.CosineAnnealingLR(o, 2).get_lr(),
    lambda s, o: s.StepLR(o, 2, last_epoch=3),
    lambda s, o: s.StepLR("no optimizer", 2),
    overridden,
    lambda s, o: s.LambdaLR(o, [abs, abs]),
    lambda s, o: s.MultiplicativeLR(o, 3),
    lambda s, o: s.ConstantLR(o, 2.0),
    lambda s, o: s.LinearLR(o, 0.0),
    lambda s, o: s.LinearLR(o, 0.5, 1.5),
    lambda s, o: s.SequentialLR(o, [], []),
    lambda s, o: s.SequentialLR(o, [s.StepLR(o, 1)], [1]),
    lambda s, o: s.SequentialLR(o, [s.ReduceLROnPlateau(o)], []),
    lambda s, o: s.SequentialLR(o, [3], []),
    lambda s, o: s.ChainedScheduler([]),
    lambda s, o: s.ReduceLROnPlateau(o, factor=1.0),
    lambda s, o: s.ReduceLROnPlateau(o, mode="x"),
    lambda s, o: s.ReduceLROnPlateau(o, threshold_mode="x"),
    lambda s, o: s.ReduceLROnPlateau(o, min_lr=[1, 2]),
    lambda s, o: s.CosineAnnealingWarmRestarts(o, 0),
    lambda s, o: s.CosineAnnealingWarmRestarts(o, 1, 0),
    lambda s, o: s.CosineAnnealingWarmRestarts(o, 1).step(-1),
    lambda s, o: s.CyclicLR(o, 0.1, 0.2, mode="x"),
    lambda s, o: s.CyclicLR(o, [0.1, 0.1], 0.2),
    lambda s, o: s.OneCycleLR(o, 0.1),
    lambda s, o: s.OneCycleLR(o, 0.1, total_steps=0),
    lambda s, o: s.OneCycleLR(o, 0.1, epochs=0, steps_per_epoch=3),
    lambda s, o: s.OneCycleLR(o, 0.1, 5, pct_start=2.0),
    lambda s, o: s.OneCycleLR(o, 0.1, 5, anneal_strategy="x"),
    lambda s, o: [(o.step(), c.step()) for c in [s.OneCycleLR(o, 0.1, 2)] for _ in range(4)],
]


@pytest.mark.parametrize("i", range(len(MISUSES)))
def test_warnings_and_errors_are_pytorchs(i):
    ours, theirs = (outcome(T, MISUSES[i]) for T in (penlight, torch))
    assert theirs != ([], None)
    assert ours == theirs


# ---------------------------------------------------------------- averages of weights


def averaged(T, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = T.nn.Sequential(T.nn.Linear(2, 2), T.nn.BatchNorm1d(2))
        average = T.optim.swa_utils.AveragedModel(model, **options)
    draw = np.random.RandomState(0)
    for _ in range(4):
        for tensor in [*model.parameters(), *model.buffers()]:
            if tensor.is_floating_point():
                tensor.data.copy_(T.from_numpy(draw.rand(*tensor.shape).astype(np.float32)))
        average.update_parameters(model)
    return average


AVERAGES = [
    lambda u: {},
    lambda u: {"use_buffers": True},
    lambda u: {"avg_fn": u.get_ema_avg_fn(0.8)},
    lambda u: {"multi_avg_fn": u.get_ema_multi_avg_fn(0.8), "use_buffers": True},
    lambda u: {"multi_avg_fn": u.get_swa_multi_avg_fn()},
]


@pytest.mark.parametrize("i", range(len(AVERAGES)))
def test_averaged_models(i):
    ours, theirs = (averaged(T, **AVERAGES[i](T.optim.swa_utils)) for T in (penlight, torch))
    mine, wanted = ours.state_dict(), theirs.state_dict()
    assert list(mine) == list(wanted)
    for key, value in wanted.items():
        np.testing.assert_allclose(mine[key].numpy(), value.numpy(), 1e-5)


def test_update_bn_sets_the_statistics_of_the_data():
    ends = []
    for T in (penlight, torch):
        model = T.nn.Sequential(T.nn.BatchNorm1d(3))
        draw = np.random.RandomState(0)
        batches = [T.from_numpy(draw.rand(4, 3).astype(np.float32)) for _ in range(3)]
        T.optim.swa_utils.update_bn([batches[0], (batches[1], 1), batches[2]], model)
        ends.append((model[0].running_mean.numpy(), model[0].running_var.numpy()))
    np.testing.assert_allclose(ends[0], ends[1], 1e-5)


@pytest.mark.parametrize("options", [{}, {"anneal_epochs": 0}, {"anneal_strategy": "linear"}])
def test_swalr(options):
    ours, theirs = (
        walk(*fresh(T, lambda s, o, T=T: T.optim.swa_utils.SWALR(o, 0.5, **options)), range(14))
        for T in (penlight, torch)
    )
    np.testing.assert_allclose(flat(ours), flat(theirs), 1e-12)
