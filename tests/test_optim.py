"""Optimizers against PyTorch's: paths, state, checkpoints both ways, groups, hooks, errors."""

import copy
import dis
import pickle
import warnings

import numpy as np
import pytest
import torch

import penlight
from penlight.optim.pace import Pace
from penlight.optim.sweep import sweep

CASES = [
    ("SGD", {}),
    ("SGD", {"weight_decay": 0.1, "maximize": True}),
    ("SGD", {"momentum": 0.9, "dampening": 0.3}),
    ("SGD", {"momentum": 0.9, "nesterov": True}),
    ("Adam", {"amsgrad": True, "weight_decay": 0.1}),
    ("Adam", {"betas": (0.5, 0.9), "eps": 1e-3}),
    ("AdamW", {"weight_decay": 0.1}),
    ("Adamax", {"weight_decay": 0.1}),
    ("NAdam", {"decoupled_weight_decay": True, "weight_decay": 0.1}),
    ("RAdam", {"betas": (0.5, 0.6)}),
    ("RAdam", {"weight_decay": 0.1}),
    ("Adadelta", {"rho": 0.8}),
    ("Adagrad", {"lr_decay": 0.1, "initial_accumulator_value": 0.2}),
    ("RMSprop", {"centered": True, "momentum": 0.9}),
    ("RMSprop", {"alpha": 0.9}),
    ("Rprop", {}),
    ("ASGD", {"t0": 3, "weight_decay": 0.1}),
    ("Adafactor", {"weight_decay": 0.1}),
]
MATRIX_ONLY = [
    ("Muon", {"lr": 0.02}),
    ("Muon", {"nesterov": False, "adjust_lr_fn": "match_rms_adamw"}),
]
STARTS = [(3, 4), (5,), ()]


def parameters(T, shapes, dtype=np.float64):
    draw = np.random.RandomState(0)
    return [T.nn.Parameter(T.from_numpy(np.array(draw.randn(*s), dtype))) for s in shapes]


def set_grads(T, params, step):
    draw = np.random.RandomState(step)
    for p in params:
        g = draw.randn(*p.shape)
        if p.is_complex():
            g = g + 1j * draw.randn(*p.shape)
        p.grad = T.from_numpy(np.array(g, p.detach().numpy().dtype))


def run(T, name, options, shapes=STARTS, steps=6, optimizer=None, params=None, first=1):
    params = params or parameters(T, shapes)
    optimizer = optimizer or getattr(T.optim, name)(params, **options)
    for step in range(first, first + steps):
        set_grads(T, params, step)
        optimizer.step()
    return params, optimizer


def close(ours, theirs, rtol=1e-10):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol, 1e-12)


def to_arrays(tree, kinds=(penlight.Tensor, torch.Tensor)):
    """A checkpoint with NumPy arrays in place of tensors."""
    if isinstance(tree, kinds):
        return tree.detach().numpy().copy()
    if isinstance(tree, dict):
        return {key: to_arrays(value) for key, value in tree.items()}
    return type(tree)(map(to_arrays, tree)) if isinstance(tree, (list, tuple)) else tree


def to_tensors(tree, T):
    if isinstance(tree, np.ndarray):
        return T.from_numpy(tree.copy())
    if isinstance(tree, dict):
        return {key: to_tensors(value, T) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(to_tensors(value, T) for value in tree)
    return tree


@pytest.mark.parametrize(("name", "options"), CASES)
def test_path_and_state_are_pytorchs(name, options):
    ours, optimizer = run(penlight, name, options)
    theirs, reference = run(torch, name, options)
    close(ours, theirs)
    mine, wanted = to_arrays(optimizer.state_dict()), to_arrays(reference.state_dict())
    assert mine["param_groups"] == wanted["param_groups"]
    assert mine["state"].keys() == wanted["state"].keys()
    for i, state in wanted["state"].items():
        assert mine["state"][i].keys() == state.keys()
        for key, value in state.items():
            assert mine["state"][i][key].dtype == value.dtype
            np.testing.assert_allclose(mine["state"][i][key], value, 1e-6, 1e-12)


@pytest.mark.parametrize(("name", "options"), MATRIX_ONLY)
def test_muon(name, options):
    shapes = [(3, 4), (5, 2)]
    close(*(run(T, name, options, shapes)[0] for T in (penlight, torch)), rtol=2e-3)


@pytest.mark.parametrize(("name", "options"), CASES)
@pytest.mark.parametrize("direction", ["from PyTorch", "to PyTorch"])
def test_a_checkpoint_goes_on_in_the_other_library(name, options, direction):
    first, second = (torch, penlight) if direction == "from PyTorch" else (penlight, torch)
    whole, _ = run(first, name, options, steps=6)
    half, saved = run(first, name, options, steps=3)
    params = [second.nn.Parameter(second.from_numpy(p.detach().numpy().copy())) for p in half]
    optimizer = getattr(second.optim, name)(params, lr=123.0)
    optimizer.load_state_dict(to_tensors(to_arrays(saved.state_dict()), second))
    run(second, name, {}, steps=3, optimizer=optimizer, params=params, first=4)
    close(params, whole, 1e-7)


@pytest.mark.parametrize("name", ["SGD", "Adam", "Adagrad", "Rprop", "ASGD", "RMSprop"])
def test_complex_numbers(name):
    ends = []
    for T in (penlight, torch):
        params = parameters(T, [(3, 4)], np.complex128)
        options = {"momentum": 0.9} if name == "SGD" else {}
        ends.append(run(T, name, options, params=params)[0])
    close(*ends)


def test_a_transposed_parameter_is_written_where_it_is():
    ends = []
    for T in (penlight, torch):
        w = T.nn.Parameter(T.from_numpy(np.arange(12.0).reshape(3, 4)).t())
        run(T, "Adam", {"lr": 0.1}, params=[w])
        ends.append([w])
    close(*ends)


def rosenbrock(T, options):
    p = T.nn.Parameter(T.from_numpy(np.array([-1.2, 1.0])))
    optimizer = T.optim.LBFGS([p], **options)

    def closure():
        optimizer.zero_grad()
        loss = (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2
        loss.backward()
        return loss

    losses = [optimizer.step(closure).item() for _ in range(3)]
    return p.detach().numpy(), losses, optimizer.state_dict()["state"][0]


@pytest.mark.parametrize(
    "options", [{"lr": 1e-3}, {"line_search_fn": "strong_wolfe"}, {"lr": 1e-3, "history_size": 2}]
)
def test_lbfgs(options):
    (p, losses, state), (q, wanted, their_state) = (
        rosenbrock(T, options) for T in (penlight, torch)
    )
    np.testing.assert_allclose(p, q, 1e-8)
    np.testing.assert_allclose(losses, wanted, 1e-8)
    assert state.keys() == their_state.keys()
    assert state["func_evals"] == their_state["func_evals"]


def test_printed_as_by_pytorch():
    texts = []
    for T in (penlight, torch):
        a, b = parameters(T, [(2,), (2,)])
        texts.append(repr(T.optim.Adam([{"params": a}, {"params": [b], "lr": 0.5}])))
    assert texts[0] == texts[1]


def test_names_travel_with_parameters():
    model = penlight.nn.Linear(2, 3)
    optimizer = penlight.optim.SGD(model.named_parameters(), lr=0.1)
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]


def test_a_gradient_that_is_missing_is_skipped_and_zero_grad_forgets():
    a, b = parameters(penlight, [(2,), (2,)])
    before = b.detach().clone()
    a.grad = penlight.ones(2, dtype=penlight.float64)
    optimizer = penlight.optim.Adam([a, b])
    optimizer.step()
    assert list(optimizer.state_dict()["state"]) == [0]
    assert (b == before).all()
    optimizer.zero_grad(set_to_none=False)
    assert a.grad.tolist() == [0, 0]
    optimizer.zero_grad()
    assert a.grad is None


def test_hooks_see_the_step_and_may_replace_its_arguments():
    (p,) = parameters(penlight, [(2,)])
    optimizer = penlight.optim.SGD([p], lr=0.1)
    seen = []
    everywhere = penlight.optim.optimizer.register_optimizer_step_pre_hook(
        lambda *args: seen.append("all")
    )
    optimizer.register_step_pre_hook(lambda o, args, kwargs: ((o, lambda: 7), kwargs))
    last = optimizer.register_step_post_hook(lambda o, args, kwargs: seen.append(len(args)))
    assert optimizer.step() == 7
    assert seen == ["all", 2]
    everywhere.remove(), last.remove()
    optimizer.step()
    assert seen == ["all", 2]
    optimizer.register_step_pre_hook(lambda *args: 3)
    with pytest.raises(RuntimeError, match="must return None or a tuple"):
        optimizer.step()


def test_state_dict_hooks():
    (p,) = parameters(penlight, [(2,)])
    optimizer = penlight.optim.SGD([p], lr=0.1)
    optimizer.register_state_dict_post_hook(lambda o, saved: {**saved, "note": 1})
    saved = optimizer.state_dict()
    assert saved["note"] == 1
    optimizer.register_load_state_dict_pre_hook(
        lambda o, state: {**state, "param_groups": [{**state["param_groups"][0], "lr": 9.0}]}
    )
    loaded = []
    optimizer.register_load_state_dict_post_hook(loaded.append)
    optimizer.load_state_dict(saved)
    assert optimizer.param_groups[0]["lr"] == 9.0
    assert loaded == [optimizer]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_steps_on_its_own(copied):
    params, optimizer = run(penlight, "Adam", {})
    twin = copied(optimizer)
    twins = twin.param_groups[0]["params"]
    run(penlight, "Adam", {}, params=params, optimizer=optimizer, first=9)
    run(penlight, "Adam", {}, params=twins, optimizer=twin, first=9)
    close(twins, params)
    assert twins[0] is not params[0]


def test_old_checkpoints_with_plain_numbers():
    _, optimizer = run(penlight, "NAdam", {}, shapes=[(2,)])
    saved = optimizer.state_dict()
    state = dict(saved["state"][0], step=6, mu_product=0.5)
    del saved["param_groups"][0]["maximize"]
    optimizer.load_state_dict({**saved, "state": {0: state}})
    assert optimizer.state[optimizer.param_groups[0]["params"][0]]["step"].item() == 6
    optimizer.step()


def failure(T, make):
    (p,) = parameters(T, [(2, 2)])
    p.grad = T.zeros_like(p)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            make(T, p)
        except Exception as error:
            return type(error), str(error).split("\n")[0].replace("penlight", "torch")
    return None


MISTAKES = [
    lambda T, p: T.optim.SGD(p),
    lambda T, p: T.optim.SGD([]),
    lambda T, p: T.optim.SGD([1]),
    lambda T, p: T.optim.SGD([p], lr=-1),
    lambda T, p: T.optim.SGD([p], momentum=-1),
    lambda T, p: T.optim.SGD([p], nesterov=True),
    lambda T, p: T.optim.SGD([p], lr=T.ones(2)),
    lambda T, p: T.optim.SGD([p * 2]),
    lambda T, p: T.optim.SGD([p, p]),
    lambda T, p: T.optim.SGD([{"params": {p}}]),
    lambda T, p: T.optim.SGD([{"params": p}, {"params": p}]),
    lambda T, p: T.optim.SGD([("w", p), p]),
    lambda T, p: T.optim.SGD([p]).add_param_group([p]),
    lambda T, p: T.optim.SGD([p], fused=True, foreach=True),
    lambda T, p: T.optim.SGD([p]).load_state_dict({"state": {}, "param_groups": []}),
    lambda T, p: T.optim.SGD([p]).load_state_dict(
        {"state": {}, "param_groups": [{"params": [0, 1]}]}
    ),
    lambda T, p: T.optim.Adam([p], betas=(1.0, 0.9)),
    lambda T, p: T.optim.Adam([p], betas=(0.9, T.tensor(0.9))),
    lambda T, p: T.optim.Adam([p], lr=T.tensor(0.1), foreach=True),
    lambda T, p: T.optim.Adadelta([p], rho=1.5),
    lambda T, p: T.optim.Adagrad([p], lr_decay=-1),
    lambda T, p: T.optim.NAdam([p], momentum_decay=-1),
    lambda T, p: T.optim.Rprop([p], etas=(1.0, 0.5)),
    lambda T, p: T.optim.Adafactor([p], d=0.5),
    lambda T, p: T.optim.Adafactor([p], eps=(-1, 1e-3)),
    lambda T, p: T.optim.Muon([p], adjust_lr_fn="x"),
    lambda T, p: T.optim.Muon([T.nn.Parameter(T.zeros(2))]),
    lambda T, p: T.optim.LBFGS([{"params": p}, {"params": T.nn.Parameter(T.zeros(2))}]),
    lambda T, p: T.optim.SparseAdam([p], lr=0.0),
    lambda T, p: T.optim.SparseAdam([p]).step(),
]


@pytest.mark.parametrize("i", range(len(MISTAKES)))
def test_errors_are_pytorchs(i):
    ours, theirs = (failure(T, MISTAKES[i]) for T in (penlight, torch))
    assert theirs is not None
    assert ours == theirs


@pytest.mark.parametrize("option", ["capturable", "differentiable"])
def test_what_cannot_be_honoured_is_refused(option):
    (p,) = parameters(penlight, [(2,)])
    with pytest.raises(NotImplementedError, match=f"{option}=True: penlight"):
        penlight.optim.Adam([p], **{option: True})


def test_subclass_of_the_users_own():
    class Halve(penlight.optim.Optimizer):
        def __init__(self, params):
            super().__init__(params, {"factor": 0.5})

        def step(self, closure=None):
            for group in self.param_groups:
                for p in group["params"]:
                    p.data.mul_(group["factor"])

    (p,) = parameters(penlight, [(2,)])
    before = p.detach().numpy().copy()
    optimizer = Halve([p])
    counted = []
    optimizer.register_step_post_hook(lambda *args: counted.append(1))
    optimizer.step()
    assert counted == [1]
    np.testing.assert_allclose(p.detach().numpy(), before / 2)


def test_a_subclass_may_replace_the_formula_by_an_update():
    class Signed(penlight.optim.SGD):
        def update(self, p, g, state, /, lr, **_):
            p.sub_(lr * g.sign())

    (p,) = parameters(penlight, [(2,)])
    before = p.detach().numpy().copy()
    p.grad = penlight.from_numpy(np.array([3.0, -4.0]))
    Signed([p], lr=0.5, maximize=True).step()
    np.testing.assert_allclose(p.detach().numpy(), before + np.array([0.5, -0.5]))


def test_an_empty_momentum_buffer_is_begun():
    ends = []
    for T in (penlight, torch):
        params = parameters(T, [(3,)])
        optimizer = T.optim.SGD(params, momentum=0.9, dampening=0.5)
        optimizer.load_state_dict(
            {**optimizer.state_dict(), "state": {0: {"momentum_buffer": None}}}
        )
        run(T, "SGD", {}, params=params, optimizer=optimizer)
        ends.append(params)
    close(*ends)


@pytest.mark.parametrize("name", ["SGD", "AdamW"])
def test_a_learning_rate_from_numpy_is_a_number(name):
    ends = [
        run(penlight, name, {"lr": lr}, params=parameters(penlight, [(5,)], np.float32))[0]
        for lr in (0.1, np.float64(0.1))
    ]
    np.testing.assert_array_equal(*(p.detach().numpy() for (p,) in ends))


# ---------------------------------------------------------------- steps as formulas

FORMULAS = [case for case in CASES if case[0] != "Adafactor"] + [
    ("Adam", {"weight_decay": 0.1, "maximize": True}),
    ("RMSprop", {"momentum": 0.9, "weight_decay": 0.1}),
    ("ASGD", {}),
]


class Number:
    """A scalar that meets arrays only: it has no arithmetic of its own."""

    def __init__(self, name, value):
        self.name, self.value = name, value


class Symbol(np.lib.mixins.NDArrayOperatorsMixin):
    """An array that writes down what is done with it, and is never written to itself."""

    def __init__(self, name, value, tape):
        self.name, self.value, self.tape = name, value, tape

    def __array__(self, *_, **__):
        raise TypeError("a symbol became an array")

    def __bool__(self):
        raise TypeError("a branch on values")

    def __setitem__(self, *_):
        raise TypeError("a symbol was written to")

    def record(self, function, args):
        name = f"#{len(self.tape)}"
        self.tape.append((function.__name__, *[getattr(arg, "name", arg) for arg in args]))
        return Symbol(name, function(*[getattr(arg, "value", arg) for arg in args]), self.tape)

    def __array_ufunc__(self, ufunc, method, *args, out=None):
        assert method == "__call__"
        return self.record(ufunc, args)

    def __array_function__(self, function, types, args, kwargs):
        assert not kwargs
        return self.record(function, args)


def traced(formula, arrays, numbers, switches):
    """The formula's program, and its results, with symbols in place of arrays."""
    tape = []
    symbols = [a if a is None else Symbol(f"a{i}", a, tape) for i, a in enumerate(arrays)]
    named = {name: Number(name, value) for name, value in numbers.items()}
    results = formula(np, *symbols, **named, **switches)
    program = (*tape, [None if r is None else r.name for r in results])
    return program, [None if r is None else r.value for r in results]


def copies(tensors):
    return [None if t is None else t.detach().numpy().copy() for t in tensors]


@pytest.fixture
def applied(monkeypatch):
    """What went through the seam, and the arrays before and after."""
    calls = []

    def record(pace, state, tensors, switches):
        before, numbers = copies(tensors), pace.numbers(state)
        sweep(pace.formula, tensors, numbers | switches)
        calls.append((pace, state, tensors, switches, numbers, before, copies(tensors)))
        return numbers

    monkeypatch.setattr(penlight.optim.optimizer, "apply", record)
    return calls


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "options"), FORMULAS)
def test_a_formula_is_one_program_of_symbols_and_of_memory(applied, name, options, dtype):
    run(penlight, name, options, steps=8, params=parameters(penlight, [(3, 4)], dtype))
    programs = []
    for pace, _, _, switches, numbers, before, after in applied:
        program, results = traced(pace.formula, before, numbers, switches)
        programs.append(program)
        np.testing.assert_array_equal(before[0], after[0])  # the gradient is only read
        for found, wanted in zip(results, after[1:], strict=True):
            if wanted is not None:
                assert found.dtype == dtype
                np.testing.assert_array_equal(found, wanted)
    assert len(programs) == 8
    assert all(program == programs[1] for program in programs[2:])


@pytest.mark.parametrize(("name", "options"), FORMULAS)
def test_a_formula_holds_nothing_and_repeats_itself(applied, name, options):
    _, optimizer = run(penlight, name, options, steps=2)
    loads = {instruction.opname for instruction in dis.get_instructions(optimizer.formula)}
    assert not loads & {"LOAD_GLOBAL", "LOAD_DEREF", "LOAD_NAME"}
    for pace, _, _, switches, numbers, before, after in applied:
        again = [None if a is None else a.copy() for a in before]
        found = pace.formula(np, *again, **numbers, **switches)
        for result, wanted in zip(found, after[1:], strict=True):
            np.testing.assert_array_equal(result, wanted)


@pytest.mark.parametrize(("name", "options"), FORMULAS)
def test_a_captured_step_goes_on_with_numbers_of_its_time(applied, name, options):
    """Replayed: formula and memory of step 3, with gradients, counts and learning rates of then."""
    wanted, plain = run(penlight, name, options, steps=3)
    params, optimizer = run(penlight, name, options, steps=3)
    captured = applied[-len(params) :]
    paces = {id(pace): pace for pace, *_ in captured}.values()
    for step in range(4, 9):
        for group in (*plain.param_groups, *optimizer.param_groups):
            group["lr"] *= 0.7
        run(penlight, name, options, steps=1, optimizer=plain, params=wanted, first=step)
        grads = [p.grad for p in wanted]
        for pace in paces:
            pace.begin()
        for (pace, state, (_, *memory), switches, *_), g in zip(captured, grads, strict=True):
            assert pace.switches == switches
            sweep(pace.formula, [g, *memory], pace.numbers(state) | switches)
    for p, q in zip(params, wanted, strict=True):
        np.testing.assert_array_equal(p.detach().numpy(), q.detach().numpy())
    for mine, its in zip(optimizer.state.values(), plain.state.values(), strict=True):
        assert {n: v.tolist() for n, v in mine.items()} == {n: v.tolist() for n, v in its.items()}


@pytest.mark.parametrize(
    ("option", "value"), [("amsgrad", True), ("maximize", True), ("weight_decay", 0.1)]
)
def test_another_switch_is_another_program(option, value):
    _, optimizer = run(penlight, "Adam", {"amsgrad": False})
    (group,) = optimizer.param_groups
    pace = Pace(optimizer, group)
    before = pace.formula, pace.switches, pace.moments
    group["lr"] = 0.5
    pace.begin()
    assert (pace.formula, pace.switches, pace.moments) == before
    group[option] = value
    pace.begin()
    assert (pace.formula, pace.switches, pace.moments) != before
