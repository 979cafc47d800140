"""The module system, against PyTorch: one program on both, the same results, texts and errors."""

import copy
import pickle
import timeit

import pytest
import torch

import penlight
from twins import fill, same, values


def net(T):
    """A small network with a buffer, a child that is None, and two levels."""

    class Block(T.nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = T.nn.Linear(4, 4)
            self.register_buffer("scale", T.full((4,), 2.0))
            self.register_buffer("hidden", T.zeros(1), persistent=False)
            self.register_parameter("absent", None)
            self.note = "text"

        def forward(self, x, *, shift=0.0):
            return self.fc(x).relu() * self.scale + shift

    class Net(T.nn.Module):
        def __init__(self):
            super().__init__()
            self.first = Block()
            self.second = T.nn.Sequential(Block(), T.nn.Tanh())
            self.none = None
            self.add_module("empty", None)
            self.tied = self.first.fc

        def forward(self, x):
            return self.second(self.first(x)) + self.tied(x)

    return fill(T, Net())


def named(pairs):
    return [(name, list(value.shape)) for name, value in pairs]


# ---------------------------------------------------------------- structure

STRUCTURE = {
    "repr": lambda T: repr(net(T)),
    "parameters": lambda T: named(net(T).named_parameters()),
    "parameters twice": lambda T: named(net(T).named_parameters(remove_duplicate=False)),
    "own parameters": lambda T: named(net(T).first.named_parameters("p", recurse=False)),
    "buffers": lambda T: named(net(T).named_buffers()),
    "modules": lambda T: [(n, type(m).__name__) for n, m in net(T).named_modules()],
    "modules twice": lambda T: [n for n, _ in net(T).named_modules(remove_duplicate=False)],
    "children": lambda T: [n for n, _ in net(T).named_children()],
    "state": lambda T: net(T).state_dict(),
    "state with prefix": lambda T: net(T).state_dict(prefix="p."),
    "metadata": lambda T: dict(net(T).state_dict()._metadata),
    "dir": lambda T: [n for n in dir(net(T)) if n in ("first", "second", "tied", "training")],
    "submodule": lambda T: repr(net(T).get_submodule("second.0.fc")),
    "parameter": lambda T: net(T).get_parameter("second.0.fc.weight"),
    "buffer": lambda T: net(T).get_buffer("second.0.scale"),
    "training": lambda T: [m.training for m in net(T).eval().modules()],
    "apply": lambda T: visited(net(T)),
}


def visited(module):
    seen = []
    module.apply(lambda m: seen.append(type(m).__name__))
    return seen


@pytest.mark.parametrize("name", STRUCTURE)
def test_structure(name):
    same(STRUCTURE[name])


# ---------------------------------------------------------------- registration and its errors


class NoInit:
    """Makes a module class that sets a part before calling `Module.__init__`."""

    @staticmethod
    def of(T, part):
        class Early(T.nn.Module):
            def __init__(self):
                self.part = part(T)

        return Early()


ERRORS = {
    "parameter before init": lambda T: NoInit.of(T, lambda T: T.nn.Parameter(T.zeros(1))),
    "module before init": lambda T: NoInit.of(T, lambda T: T.nn.ReLU()),
    "plain before init": lambda T: NoInit.of(T, lambda T: 3).part,
    "init argument": lambda T: T.nn.Module(1),
    "init keyword": lambda T: T.nn.Module(size=1),
    "no forward": lambda T: T.nn.Module()(1),
    "buffer name type": lambda T: net(T).register_buffer(3, T.zeros(1)),
    "buffer name dot": lambda T: net(T).register_buffer("a.b", T.zeros(1)),
    "buffer name empty": lambda T: net(T).register_buffer("", T.zeros(1)),
    "buffer name taken": lambda T: net(T).register_buffer("first", T.zeros(1)),
    "buffer value": lambda T: net(T).register_buffer("b", 3),
    "parameter name type": lambda T: net(T).register_parameter(3, None),
    "parameter name dot": lambda T: net(T).register_parameter("a.b", None),
    "parameter name taken": lambda T: net(T).register_parameter("tied", None),
    "parameter value": lambda T: net(T).register_parameter("p", "text"),
    "parameter not leaf": lambda T: T.nn.Module().register_parameter("p", computed(T)),
    "module name dot": lambda T: net(T).add_module("a.b", T.nn.ReLU()),
    "module name empty": lambda T: net(T).add_module("", T.nn.ReLU()),
    "module name taken": lambda T: net(T).add_module("training", T.nn.ReLU()),
    "module value": lambda T: net(T).add_module("m", 3),
    "assign to parameter": lambda T: setattr(T.nn.Linear(1, 1), "weight", 3),
    "assign to module": lambda T: setattr(net(T), "first", 3),
    "assign to buffer": lambda T: setattr(net(T).first, "scale", 3),
    "missing attribute": lambda T: net(T).nothing,
    "no submodule": lambda T: net(T).get_submodule("second.7"),
    "submodule of a parameter": lambda T: net(T).get_submodule("first.note"),
    "no parameter": lambda T: net(T).get_parameter("first.nothing"),
    "parameter is none": lambda T: net(T).get_parameter("first.scale"),
    "buffer is parameter": lambda T: net(T).get_buffer("first.fc.weight"),
    "train mode": lambda T: net(T).train(1),
    "to integers": lambda T: net(T).to(T.int32),
    "state dict type": lambda T: net(T).load_state_dict([1]),
    "set without a name": lambda T: net(T).set_submodule("", T.nn.ReLU()),
    "set a tensor": lambda T: net(T).set_submodule("second.1", 3),
    "set strictly": lambda T: net(T).set_submodule("second.9", T.nn.ReLU(), strict=True),
    "delete missing": lambda T: delattr(net(T), "nothing"),
}


def computed(T):
    parameter = T.nn.Parameter(T.ones(1))
    with T.enable_grad():
        parameter.data = T.ones(1)
    parameter.requires_grad_(False).mul_(T.ones(1, requires_grad=True))
    return parameter


@pytest.mark.parametrize("name", ERRORS)
def test_registration_error(name):
    same(lambda T: ERRORS[name](T))


def test_attributes_move_between_the_tables():
    def program(T):
        module = T.nn.Module()
        module.x = 3
        module.x = T.nn.Parameter(T.ones(2))
        first = (list(module._parameters), "x" in module.__dict__)
        module.x = None
        second = module._parameters["x"]
        module.register_buffer("b", T.zeros(1))
        module.b = T.ones(1)
        module.c = T.nn.Buffer(T.ones(2), persistent=False)
        third = (list(module._buffers), list(module.state_dict()))
        module.b = T.nn.ReLU()
        del module.c
        return (
            first,
            second,
            third,
            list(module._buffers),
            list(module._modules),
            hasattr(module, "c"),
        )

    same(program)


def test_set_submodule_puts_a_module_in_its_place():
    def program(T):
        model = net(T)
        model.set_submodule("second.1", T.nn.ReLU())
        model.set_submodule("first.extra", T.nn.ReLU())
        return repr(model)

    same(program)


# ---------------------------------------------------------------- state dicts


def load(change, **options):
    """What loading a changed state dict into a fresh network says and does."""

    def program(T):
        source, target = fill(T, net(T), seed=1), net(T)
        state = source.state_dict()
        change(T, state)
        text = repr(target.load_state_dict(state, **options))
        return text, target.state_dict()

    return program


def drop(*names):
    return lambda T, state: [state.pop(name) for name in names]


def put(name, make):
    return lambda T, state: state.update({name: make(T)})


LOADS = {
    "all": load(drop()),
    "missing": load(drop("first.scale", "tied.bias")),
    "missing loosely": load(drop("first.scale"), strict=False),
    "unexpected": load(put("first.other", lambda T: T.ones(1))),
    "unexpected loosely": load(put("first.other", lambda T: T.ones(1)), strict=False),
    "unexpected deep": load(put("first.fc.deep.weight", lambda T: T.ones(1))),
    "shape": load(put("first.fc.weight", lambda T: T.ones(3, 4))),
    "shape loosely": load(put("first.fc.weight", lambda T: T.ones(3, 4)), strict=False),
    "not a tensor": load(put("first.fc.weight", lambda T: "text")),
    "assigned": load(drop(), assign=True),
    "other dtype": load(put("first.fc.weight", lambda T: T.ones(4, 4, dtype=T.float64))),
}


@pytest.mark.parametrize("name", LOADS)
def test_load_state_dict(name):
    same(LOADS[name])


def test_every_wrong_key_is_listed():
    def program(T):
        try:
            T.nn.Linear(2, 2).load_state_dict({"w": T.ones(1), "b": T.ones(1)})
        except RuntimeError as error:
            return str(error).split("\n")[:3]

    same(program)


def test_assign_keeps_the_given_tensors():
    def program(T):
        source, target = T.nn.Linear(2, 2).double(), T.nn.Linear(2, 2)
        target.weight.requires_grad_(False)
        target.load_state_dict(source.state_dict(), assign=True)
        shared = target.weight.data_ptr() == source.weight.data_ptr()
        return (
            shared,
            str(target.weight.dtype),
            target.weight.requires_grad,
            target.bias.requires_grad,
        )

    same(program)


def test_extra_state_travels_with_the_state_dict():
    def program(T):
        class Counter(T.nn.Linear):
            count = 0

            def get_extra_state(self):
                return {"count": self.count}

            def set_extra_state(self, state):
                self.count = state["count"]

        source, target = Counter(1, 1), Counter(1, 1)
        source.count = 7
        target.load_state_dict(source.state_dict())
        names = list(source.state_dict())
        try:
            target.load_state_dict(T.nn.Linear(1, 1).state_dict())
        except RuntimeError as error:
            return target.count, names, str(error).split("\n")[1]

    same(program)


@pytest.mark.parametrize("keep_vars", [False, True])
def test_state_dict_shares_memory(keep_vars):
    def program(T):
        layer = T.nn.Linear(1, 1)
        saved = layer.state_dict(keep_vars=keep_vars)["weight"]
        with T.no_grad():
            layer.weight.fill_(5.0)
        return saved.item(), saved.requires_grad

    same(program)


# ---------------------------------------------------------------- hooks


def trace_forward_hooks(T):
    log = []
    model = net(T)
    x = values(T, 2, 4)
    model.first.register_forward_pre_hook(lambda m, args: log.append(("pre", len(args))))
    model.first.register_forward_pre_hook(
        lambda m, args, kwargs: ((args[0] * 2,), {"shift": 1.0}), with_kwargs=True
    )
    model.first.register_forward_pre_hook(
        lambda m, args: log.append(("first", len(args))), prepend=True
    )
    handle = model.first.register_forward_hook(lambda m, args, out: out * 3)
    model.first.register_forward_hook(
        lambda m, args, kwargs, out: log.append(("post", sorted(kwargs))), with_kwargs=True
    )
    before = model.first(x)
    handle.remove()
    return before, model.first(x), log


def trace_always_call(T):
    log = []
    layer = T.nn.Linear(2, 2)
    layer.register_forward_hook(lambda m, a, out: log.append(out), always_call=True)
    layer.register_forward_hook(lambda m, a, out: log.append("skipped"))
    try:
        layer(values(T, 2, 3))
    except RuntimeError:
        log.append("raised")
    return log


def bad_pre_hook(T):
    layer = T.nn.Linear(2, 2)
    layer.register_forward_pre_hook(lambda m, a, k: 3, with_kwargs=True)
    return layer(values(T, 2, 2))


def trace_backward_hooks(T):
    log = []
    model = net(T)
    model.first.register_full_backward_pre_hook(
        lambda m, grads: log.append(("pre", [g.sum() for g in grads]))
    )
    model.first.register_full_backward_hook(
        lambda m, gin, gout: log.append(("post", [g.sum() for g in (*gin, *gout)]))
    )
    model.second[0].fc.register_full_backward_hook(lambda m, gin, gout: (gin[0] * 2,))
    x = values(T, 2, 4).requires_grad_()
    model(x).sum().backward()
    return log, x.grad, model.first.fc.weight.grad


def backward_hook_without_input_grads(T):
    log = []
    layer = fill(T, T.nn.Linear(4, 2))
    layer.register_full_backward_hook(
        lambda m, gin, gout: log.append([g is None for g in gin] + [g.sum() for g in gout])
    )
    import warnings

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        layer(values(T, 3, 4)).sum().backward()
    return log, layer.weight.grad, str(caught[0].message)


def replaced_output_gradient(T):
    layer = fill(T, T.nn.Linear(4, 2))
    layer.register_full_backward_pre_hook(lambda m, gout: (gout[0] * 10,))
    x = values(T, 3, 4).requires_grad_()
    layer(x).sum().backward()
    return x.grad, layer.weight.grad


def wrong_number_of_gradients(T):
    layer = T.nn.Linear(4, 2)
    layer.register_full_backward_hook(lambda m, gin, gout: (gin[0], gin[0]))
    layer(values(T, 3, 4).requires_grad_()).sum().backward()


def mixed_backward_hooks(T):
    layer = T.nn.Linear(4, 2)
    layer.register_full_backward_hook(lambda *args: None)
    layer.register_backward_hook(lambda *args: None)


def trace_state_hooks(T):
    log = []
    model = net(T)
    model.register_state_dict_pre_hook(lambda m, prefix, keep: log.append(("save", prefix, keep)))
    model.register_state_dict_post_hook(
        lambda m, state, prefix, meta: state.pop("tied.bias") and None
    )
    model.register_load_state_dict_pre_hook(
        lambda m, state, prefix, meta, strict, missing, unexpected, errors: log.append(
            (type(m).__name__, prefix, strict, len(state))
        )
    )
    model.register_load_state_dict_post_hook(lambda m, keys: keys.missing_keys.clear())
    model.load_state_dict(model.state_dict())
    return log


def trace_global_hooks(T):
    log = []
    parts = T.nn.modules.module
    handles = [
        parts.register_module_forward_pre_hook(lambda m, a: log.append(("in", type(m).__name__))),
        parts.register_module_forward_hook(lambda m, a, o: log.append(("out", type(m).__name__))),
        parts.register_module_full_backward_hook(
            lambda m, gi, go: log.append(("back", type(m).__name__))
        ),
        parts.register_module_parameter_registration_hook(lambda m, n, p: log.append(n)),
        parts.register_module_module_registration_hook(lambda m, n, p: log.append(n)),
        parts.register_module_buffer_registration_hook(lambda m, n, p: log.append(n)),
    ]
    try:
        model = net(T)
        model(values(T, 2, 4).requires_grad_()).sum().backward()
    finally:
        for handle in handles:
            handle.remove()
    count = len(log)
    net(T)(values(T, 2, 4))
    return log, len(log) == count


HOOKS = [
    trace_forward_hooks,
    trace_always_call,
    bad_pre_hook,
    trace_backward_hooks,
    backward_hook_without_input_grads,
    replaced_output_gradient,
    wrong_number_of_gradients,
    mixed_backward_hooks,
    trace_state_hooks,
    trace_global_hooks,
]


@pytest.mark.parametrize("program", HOOKS, ids=lambda p: p.__name__)
def test_hooks(program):
    same(program)


# ---------------------------------------------------------------- conversion, copies, modes


def converted(convert):
    def program(T):
        model = net(T)
        model(values(T, 2, 4)).sum().backward()
        before = model.first.fc.weight
        convert(T, model)
        weight = model.first.fc.weight
        kinds = [str(t.dtype) for t in (weight, weight.grad, model.first.scale)]
        return kinds, weight is before, type(weight).__name__

    return program


CONVERSIONS = {
    "double": lambda T, m: m.double(),
    "half": lambda T, m: m.half(),
    "bfloat16": lambda T, m: m.bfloat16(),
    "float": lambda T, m: m.float(),
    "to dtype": lambda T, m: m.to(T.float64),
    "to device": lambda T, m: m.to("cpu"),
    "to both": lambda T, m: m.to("cpu", T.float64),
    "to other": lambda T, m: m.to(T.ones(1, dtype=T.float64)),
    "type": lambda T, m: m.type(T.float64),
    "cpu": lambda T, m: m.cpu(),
    "to empty": lambda T, m: m.to_empty(device="cpu"),
}


@pytest.mark.parametrize("name", CONVERSIONS)
def test_conversion(name):
    same(converted(CONVERSIONS[name]))


def test_counts_stay_integers():
    same(lambda T: [str(t.dtype) for t in T.nn.BatchNorm1d(2).double().state_dict().values()])


@pytest.mark.parametrize("set_to_none", [True, False])
def test_zero_grad(set_to_none):
    def program(T):
        model = net(T)
        model(values(T, 2, 4)).sum().backward()
        model.zero_grad(set_to_none=set_to_none)
        return [p.grad for p in model.parameters()]

    same(program)


def test_requires_grad():
    same(lambda T: [p.requires_grad for p in net(T).requires_grad_(False).parameters()])


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_copy_shares_nothing_and_keeps_ties(copied):
    def program(T):
        model = T.nn.Sequential(T.nn.Linear(4, 4), T.nn.ReLU(), T.nn.BatchNorm1d(4))
        model.tied = model[0]
        twin = copied(fill(T, model).eval())
        with T.no_grad():
            model[0].weight.zero_()
        return (
            twin(values(T, 3, 4)),
            twin.tied is twin[0],
            type(twin[0].weight).__name__,
            twin[0].weight.requires_grad,
            repr(twin),
        )

    same(program)


def test_a_copied_hook_sees_the_copy():
    layer = penlight.nn.Linear(1, 1)
    seen = []
    layer.register_load_state_dict_pre_hook(lambda m, *args: seen.append(m))
    twin = copy.deepcopy(layer)
    twin.load_state_dict(layer.state_dict())
    assert seen == [twin]


def test_handles_of_a_pickled_table_do_not_collide():
    layer = penlight.nn.LazyLinear(1)
    twin = pickle.loads(pickle.dumps(layer))
    for _ in range(3):
        twin.register_forward_pre_hook(print).remove()
    assert len(twin._forward_pre_hooks) == 1


# ---------------------------------------------------------------- parameters


def test_parameter_is_a_leaf_over_the_same_memory():
    def program(T):
        data = T.ones(2)
        p = T.nn.Parameter(data)
        data.mul_(3)
        q = T.nn.Parameter(T.ones(2), requires_grad=False)
        return p, p.is_leaf, p.requires_grad, q.requires_grad, repr(p), repr(q), repr(p * 1)

    same(program)


def test_integer_parameter_may_not_learn():
    same(lambda T: T.nn.Parameter(T.ones(2, dtype=T.int64)))


def test_buffer_prints_as_a_tensor():
    same(lambda T: repr(T.nn.Buffer(T.ones(2))))


def test_an_uninitialized_parameter_waits_for_its_shape():
    def program(T):
        p = T.nn.parameter.UninitializedParameter(dtype=T.float64)
        kinds = [repr(p), str(p.dtype), T.nn.parameter.is_lazy(p)]
        p.materialize((2, 3))
        return kinds, type(p).__name__, list(p.shape), str(p.dtype), p.requires_grad

    same(program)
    same(lambda T: T.nn.parameter.UninitializedParameter().shape)


def test_an_uninitialized_parameter_can_not_be_used():
    p = penlight.nn.parameter.UninitializedParameter()
    with pytest.raises(ValueError, match="Attempted to use an uninitialized parameter"):
        p + 1


# ---------------------------------------------------------------- containers


def sequential_program(T):
    nn = T.nn
    row = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    row.append(nn.Tanh()).insert(0, nn.Identity())
    row.extend([nn.Sigmoid()])
    del row[1]
    row[0] = nn.ReLU6()
    texts = [repr(row), repr(row[1:]), repr(row[-1]), len(row), repr(row + row), repr(row * 2)]
    row += nn.Sequential(nn.ELU())
    row *= 2
    popped = row.pop(0)
    return texts, repr(row), repr(popped), [type(m).__name__ for m in row]


def module_list_program(T):
    nn = T.nn
    row = nn.ModuleList([nn.Linear(2, 2) for _ in range(3)] + [nn.ReLU()])
    row.insert(1, nn.Tanh())
    row += [nn.ReLU()]
    return repr(row), repr(row[1:3]), repr(row.pop(1)), len(row + row), repr(nn.ModuleList())


def module_dict_program(T):
    nn = T.nn
    table = nn.ModuleDict({"a": nn.ReLU(), "b": nn.Tanh()})
    table.update([("c", nn.ELU())])
    table["a"] = nn.SELU()
    popped = table.pop("b")
    return repr(table), repr(popped), list(table.keys()), "c" in table, len(table)


def parameter_list_program(T):
    row = T.nn.ParameterList([T.ones(2), T.nn.Parameter(T.ones(1, 3)), "text"])
    row.append(T.zeros(1))
    row[0] = T.zeros(4)
    parts = named(row.named_parameters())
    return repr(row), parts, len(row), repr(row[1:3]), repr(T.nn.ParameterList([T.ones(1)]))


def parameter_dict_program(T):
    table = T.nn.ParameterDict({"b": T.ones(2), "a": T.nn.Parameter(T.ones(1, 3))})
    table["c"] = 7
    table |= T.nn.ParameterDict({"d": T.ones(1)})
    table.setdefault("e", T.ones(1))
    last = table.popitem()[0]
    return repr(table), named(table.named_parameters()), list(table), last, table.get("z", 3)


CONTAINERS = [
    sequential_program,
    module_list_program,
    module_dict_program,
    parameter_list_program,
    parameter_dict_program,
    lambda T: T.nn.Sequential(T.nn.ReLU())[3],
    lambda T: T.nn.Sequential(T.nn.ReLU()) + 3,
    lambda T: T.nn.Sequential(T.nn.ReLU()) * 0,
    lambda T: T.nn.ModuleList([T.nn.ReLU()])[-2],
    lambda T: T.nn.ModuleList(3),
    lambda T: T.nn.ModuleDict(3),
    lambda T: T.nn.ModuleDict([("a",)]),
    lambda T: T.nn.ParameterList(T.ones(1)),
    lambda T: T.nn.ParameterDict({3: T.ones(1)}),
    lambda T: T.nn.ParameterList([T.ones(1)])(),
]


@pytest.mark.parametrize("program", CONTAINERS)
def test_containers(program):
    same(program)


# ---------------------------------------------------------------- calling other parameters


def test_functional_call():
    def program(T):
        model = net(T)
        given = {"first.fc.weight": T.ones(4, 4).requires_grad_(), "second.0.scale": T.ones(4)}
        out = T.func.functional_call(model, given, (values(T, 2, 4),))
        out.sum().backward()
        return out, given["first.fc.weight"].grad, model.second[0].scale

    same(program)


def test_functional_call_strictly():
    call = penlight.func.functional_call
    layer = penlight.nn.Linear(1, 1)
    with pytest.raises(RuntimeError, match="Missing key"):
        call(layer, {"weight": penlight.ones(1, 1)}, (penlight.ones(1, 1),), strict=True)


# ---------------------------------------------------------------- speed


def test_a_call_costs_little():
    """Python's share of a call: not more than PyTorch's, measured side by side."""
    times = []
    for T in (torch, penlight):
        module, x = T.nn.Identity(), T.ones(1)
        times.append(min(timeit.repeat(lambda m=module, x=x: m(x), number=2000, repeat=7)))
    assert times[1] < times[0]
