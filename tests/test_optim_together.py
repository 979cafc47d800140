"""A step as one program: the bits of the step parameter by parameter, whatever changes."""

import copy
import gc
import time
import weakref

import numpy as np
import pytest

import penlight
from penlight.compiler.background import background

CASES = [
    ("SGD", {}),
    ("SGD", {"weight_decay": 0.1, "maximize": True}),
    ("SGD", {"momentum": 0.9, "dampening": 0.3}),
    ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("Adam", {}),
    ("Adam", {"amsgrad": True, "weight_decay": 0.1}),
    ("Adam", {"maximize": True, "eps": 1e-3}),
    ("AdamW", {"weight_decay": 0.1}),
    ("Adamax", {"weight_decay": 0.1}),
    ("NAdam", {"decoupled_weight_decay": True, "weight_decay": 0.1}),
    ("RAdam", {"betas": (0.5, 0.6)}),
    ("Adadelta", {"rho": 0.8}),
    ("Adagrad", {"lr_decay": 0.1, "initial_accumulator_value": 0.2}),
    ("RMSprop", {"centered": True, "momentum": 0.9}),
    ("RMSprop", {"alpha": 0.9, "weight_decay": 0.1}),
    ("Rprop", {}),
    ("ASGD", {"t0": 3, "weight_decay": 0.1}),
]
SHAPES = [(7, 5), (3,), (), (0, 4), (130, 33)]


def parameters(dtype=np.float32, shapes=SHAPES):
    draw = np.random.RandomState(0)
    made = [np.array(draw.randn(*shape), dtype) for shape in shapes]
    return [penlight.nn.Parameter(penlight.from_numpy(a)) for a in made]


def set_grads(params, step):
    draw = np.random.RandomState(step)
    for p in params:
        p.grad = penlight.from_numpy(np.array(draw.randn(*p.shape), p.detach().numpy().dtype))


def pair(name, options, dtype=np.float32, shapes=SHAPES):
    """(parameters, optimizer) twice: one that becomes a program, one that never does."""
    made = []
    for patience in (3, 10**9):
        params = parameters(dtype, shapes)
        optimizer = getattr(penlight.optim, name)(params, **options)
        optimizer._together.patience = patience
        made.append((params, optimizer))
    return made


def step_both(made, steps):
    for step in steps:
        for params, optimizer in made:
            set_grads(params, step)
            optimizer.step()


def settled(optimizer):
    """Waits for the program."""
    limit = time.monotonic() + 60
    while background.jobs and time.monotonic() < limit:
        time.sleep(0.002)
    plan = optimizer._together.plan
    return plan is not None and plan.program is not None


def bits(params, optimizer):
    state = [v for s in optimizer.state.values() for v in s.values()]
    return [t.detach().numpy().tobytes() for t in [*params, *state]]


def assert_same(made):
    assert bits(*made[0]) == bits(*made[1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "options"), CASES)
def test_the_bits_of_the_parameters_one_by_one(name, options, dtype):
    made = pair(name, options, dtype)
    step_both(made, range(6))
    assert settled(made[0][1])
    step_both(made, range(6, 10))
    assert made[0][1]._together.plan is not None  # the program ran
    assert_same(made)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_thread_counts(threads):
    before = penlight.get_num_threads()
    penlight.set_num_threads(threads)
    try:
        made = pair("AdamW", {}, shapes=[(400, 300), (300,), (77, 1001)])
        step_both(made, range(6))
        assert settled(made[0][1])
        step_both(made, range(6, 9))
        assert_same(made)
    finally:
        penlight.set_num_threads(before)


def ready(name="Adam", options=None):
    made = pair(name, options or {})
    step_both(made, range(6))
    assert settled(made[0][1])
    return made


def test_a_new_learning_rate_needs_no_new_program():
    made = ready("AdamW")
    plan = made[0][1]._together.plan
    for lr in (0.5, 0.25):
        for _, optimizer in made:
            optimizer.param_groups[0]["lr"] = lr
        step_both(made, [6, 7])
    assert made[0][1]._together.plan is plan
    assert_same(made)


def test_a_learning_rate_that_is_a_tensor():
    rates = penlight.tensor(0.1), penlight.tensor(0.1)
    made = []
    for patience, lr in zip((3, 10**9), rates):
        params = parameters()
        made.append((params, penlight.optim.SGD(params, lr=lr)))
        made[-1][1]._together.patience = patience
    step_both(made, range(5))
    assert settled(made[0][1])
    for lr in rates:
        lr.fill_(0.3)
    step_both(made, [5, 6])
    assert_same(made)


def change_option(params, optimizer):
    optimizer.param_groups[0]["weight_decay"] = 0.5


def change_another_option(params, optimizer):
    optimizer.param_groups[0]["maximize"] = True


def load_state(params, optimizer):
    optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))


def load_another_count(params, optimizer):
    saved = copy.deepcopy(optimizer.state_dict())
    saved["state"][1]["step"] += 5
    optimizer.load_state_dict(saved)


def count_apart(params, optimizer):
    optimizer.state[params[1]]["step"] += 5


def replace_a_moment(params, optimizer):
    optimizer.state[params[0]]["exp_avg"] = penlight.ones(7, 5)


def forget_a_state(params, optimizer):
    del optimizer.state[params[0]]


def add_parameter(params, optimizer):
    params.append(penlight.nn.Parameter(penlight.ones(4)))
    optimizer.add_param_group({"params": [params[-1]], "lr": 0.5})


def lengthen_the_list(params, optimizer):
    params.append(penlight.nn.Parameter(penlight.ones(4)))
    optimizer.param_groups[0]["params"].append(params[-1])


def replace_data(params, optimizer):
    params[0].data = penlight.ones(7, 5)


def turn_data(params, optimizer):
    params[0].data = penlight.ones(5, 7).T


CHANGES = [
    change_option, change_another_option, load_state, load_another_count, count_apart,
    replace_a_moment, forget_a_state, add_parameter, lengthen_the_list, replace_data, turn_data,
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_is_noticed(change):
    made = ready()
    for both in made:
        change(*both)
    step_both(made, [6, 7])
    assert_same(made)
    step_both(made, range(8, 16))  # and a new program is made where that is worth while
    settled(made[0][1])
    step_both(made, [16, 17])
    assert_same(made)


def gradient_missing(p):
    p.grad = None


def gradient_turned(p):
    p.grad = penlight.ones(5, 7).T


def gradient_is_the_parameter(p):
    p.grad = p.detach()


def gradient_overlaps_the_parameter(p):
    p.grad = p.data.reshape(-1).roll(0).reshape(7, 5)
    p.data = p.grad.reshape(-1)[:].reshape(7, 5)


def gradient_is_lent(p):
    p.grad = penlight.from_numpy(np.frombuffer(bytearray(4 * 35), np.float32).reshape(7, 5))


GRADIENTS = [
    gradient_missing, gradient_turned, gradient_is_the_parameter, gradient_overlaps_the_parameter,
    gradient_is_lent,
]  # fmt: skip


@pytest.mark.parametrize("change", GRADIENTS)
def test_gradients_that_do_not_fit(change):
    made = ready("SGD", {"momentum": 0.5, "lr": 0.1})
    for params, optimizer in made:
        set_grads(params, 99)
        change(params[0])
        optimizer.step()
    assert made[0][1]._together.plan is None
    assert_same(made)


def test_parameters_without_gradients_and_two_groups():
    made = []
    for patience in (3, 10**9):
        params = parameters()
        groups = [{"params": params[:2]}, {"params": params[2:], "lr": 0.5, "weight_decay": 0.1}]
        optimizer = penlight.optim.AdamW(groups)
        optimizer._together.patience = patience
        made.append((params, optimizer))
    for step in range(12):
        for params, optimizer in made:
            set_grads(params, step)
            params[1].grad = None
            optimizer.step()
        assert step != 5 or settled(made[0][1])
    assert made[0][1]._together.plan is not None
    assert_same(made)


def test_parameters_in_one_memory_go_one_by_one():
    whole = penlight.zeros(6)
    params = [penlight.nn.Parameter(whole[:4]), penlight.nn.Parameter(whole[2:])]
    optimizer = penlight.optim.SGD(params, lr=1.0)
    for _ in range(6):
        for p in params:
            p.grad = penlight.ones(4)
        optimizer.step()
    assert optimizer._together.plan is None
    assert whole.tolist() == [-6, -6, -12, -12, -6, -6]


@pytest.mark.parametrize("dtype", [penlight.float16, penlight.complex64])
def test_other_types_go_one_by_one(dtype):
    p = penlight.nn.Parameter(penlight.ones(3, dtype=dtype))
    optimizer = penlight.optim.SGD([p], lr=0.5)
    for _ in range(5):
        p.grad = penlight.ones(3, dtype=dtype)
        optimizer.step()
    assert optimizer._together.plan is None
    assert p.tolist() == [-1.5] * 3


def test_writes_are_counted():
    made = ready()
    (params, optimizer), version = made[0], made[0][0][0]._version
    y = (params[0] * params[0]).sum()
    set_grads(params, 6)
    optimizer.step()
    assert optimizer._together.plan.program is not None
    assert params[0]._version == version + 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


def test_hooks_and_closure():
    made = ready()
    (params, optimizer), seen = made[0], []
    optimizer.register_step_pre_hook(lambda *_: seen.append("before"))
    optimizer.register_step_post_hook(lambda *_: seen.append("after"))

    def closure():
        set_grads(params, 6)
        return 5

    assert optimizer.step(closure) == 5
    set_grads(made[1][0], 6)
    made[1][1].step()
    assert seen == ["before", "after"]
    assert_same(made)


def test_a_copy_has_steps_of_its_own():
    made = ready()
    params, optimizer = made[0]
    params, optimizer = copy.deepcopy((params, optimizer))
    made[0] = params, optimizer
    step_both(made, range(6, 12))
    assert settled(optimizer)
    step_both(made, [12])
    assert_same(made)


def test_an_optimizer_with_a_program_is_freed_at_once():
    gc.collect()
    gc.disable()
    try:
        (params, optimizer), _ = ready()
        died = weakref.ref(optimizer)
        held = weakref.ref(params[0])
        del params, optimizer, _
        assert died() is None
        assert held() is None
    finally:
        gc.enable()


def test_without_a_compiler(monkeypatch):
    monkeypatch.setattr(penlight.compiler.numerics, "available", lambda: False)
    made = pair("Adam", {})
    step_both(made, range(8))
    assert made[0][1]._together.plan is None
    assert_same(made)
