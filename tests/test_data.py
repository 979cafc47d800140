"""Datasets, samplers, collation and the single-process loader, beside PyTorch's."""

import random
from collections import OrderedDict, namedtuple

import nbformat
import numpy as np
import pytest
import torch
import torch.utils.data as oracle
from hypothesis import given, settings
from hypothesis import strategies as st
from nbclient import NotebookClient

import penlight
from penlight.utils import data

Point = namedtuple("Point", "x y")


def plain(value):
    """Tensors of either library as (dtype, nested lists), within any container."""
    if isinstance(value, (penlight.Tensor, torch.Tensor)):
        return (str(value.dtype), tuple(value.shape), value.tolist())
    if isinstance(value, dict):
        return (type(value).__name__, {k: plain(v) for k, v in value.items()})
    if isinstance(value, (list, tuple)):
        return (type(value).__name__, [plain(v) for v in value])
    return value


def tables(rows=23):
    """The same TensorDataset in both libraries."""
    rng = np.random.default_rng(rows)
    x, y = rng.standard_normal((rows, 3, 2)).astype("f4"), rng.integers(0, 9, rows)
    return (
        data.TensorDataset(penlight.tensor(x), penlight.tensor(y)),
        oracle.TensorDataset(torch.tensor(x), torch.tensor(y)),
    )


def errors(run_ours, run_theirs):
    """Both must raise the same class, and PyTorch's text must be in ours."""
    with pytest.raises(Exception) as theirs:
        run_theirs()
    with pytest.raises(theirs.type) as ours:
        run_ours()
    assert str(theirs.value) in str(ours.value)


# ---------------------------------------------------------------- the order


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("drop_last", [False, True])
def test_loader_gives_pytorchs_batches(shuffle, drop_last):
    ours, theirs = tables()
    penlight.manual_seed(7)
    torch.manual_seed(7)
    a = data.DataLoader(ours, 4, shuffle=shuffle, drop_last=drop_last)
    b = oracle.DataLoader(theirs, 4, shuffle=shuffle, drop_last=drop_last)
    assert len(a) == len(b)
    for _ in range(2):
        assert plain(list(a)) == plain(list(b))
    assert penlight.rand(1).item() == torch.rand(1).item()  # as much was drawn


def test_a_generator_decides_the_order():
    ours, theirs = tables()
    a = data.DataLoader(ours, 4, shuffle=True, generator=penlight.Generator().manual_seed(1))
    b = oracle.DataLoader(theirs, 4, shuffle=True, generator=torch.Generator().manual_seed(1))
    assert plain(list(a)) == plain(list(b)) and plain(list(a)) == plain(list(b))


@given(st.integers(1, 40), st.integers(1, 90), st.booleans(), st.integers(0, 2**40), st.booleans())
@settings(max_examples=40, deadline=None)
def test_random_sampler(n, count, replacement, seed, has_generator):
    penlight.manual_seed(seed)
    torch.manual_seed(seed)
    a, b = (
        module.RandomSampler(
            range(n), replacement, count, generator=kind().manual_seed(3) if has_generator else None
        )
        for module, kind in ((data, penlight.Generator), (oracle, torch.Generator))
    )
    assert list(a) == list(b) and len(a) == len(b)
    assert penlight.rand(1).item() == torch.rand(1).item()


def test_random_sampler_draws_as_it_goes():
    """A sampler of more indices than memory holds starts at once."""
    a = data.RandomSampler(range(9), replacement=True, num_samples=10**18)
    assert len({i for i, _ in zip(a, range(200), strict=False)}) == 9


def test_other_samplers():
    penlight.manual_seed(2)
    torch.manual_seed(2)
    weights = [0.1, 0.9, 0.4, 0.7, 3.0, 0.6]
    for arguments in (([5, 3, 9],), (range(20),)):
        assert list(data.SubsetRandomSampler(*arguments)) == list(
            oracle.SubsetRandomSampler(*arguments)
        )
    for replacement in (True, False):
        a = data.WeightedRandomSampler(weights, 5, replacement)
        b = oracle.WeightedRandomSampler(weights, 5, replacement)
        assert list(a) == list(b) and len(a) == len(b)
    for n in range(12):
        for drop_last in (False, True):
            a = data.BatchSampler(range(n), 3, drop_last)
            b = oracle.BatchSampler(range(n), 3, drop_last)
            assert list(a) == list(b) and len(a) == len(b)


@given(st.integers(1, 30), st.integers(1, 7), st.booleans(), st.booleans(), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_distributed_sampler(n, replicas, shuffle, drop_last, epoch):
    for rank in range(replicas):
        a = data.DistributedSampler(range(n), replicas, rank, shuffle, 5, drop_last)
        b = oracle.DistributedSampler(range(n), replicas, rank, shuffle, 5, drop_last)
        a.set_epoch(epoch)
        b.set_epoch(epoch)
        assert list(a) == list(b) and len(a) == len(b)


def test_random_split():
    for lengths in ([3, 7, 13], [0.5, 0.3, 0.2], [0.1, 0.9]):
        a = data.random_split(range(23), lengths, penlight.Generator().manual_seed(4))
        b = oracle.random_split(range(23), lengths, torch.Generator().manual_seed(4))
        assert [list(part) for part in a] == [list(part) for part in b]
    with pytest.warns(UserWarning, match="Length of split at index 1 is 0"):
        data.random_split(range(1), [0.5, 0.5])


# ---------------------------------------------------------------- datasets


def test_datasets():
    ours, theirs = tables()
    assert plain(ours[3]) == plain(theirs[3]) and plain(ours[2:5]) == plain(theirs[2:5])
    assert plain((ours + ours)[-1]) == plain((theirs + theirs)[-1])
    assert len(ours + ours) == 46
    subsets = [module.Subset(d, [5, 0, 7]) for module, d in ((data, ours), (oracle, theirs))]
    assert plain(subsets[0].__getitems__([2, 0])) == plain(subsets[1].__getitems__([2, 0]))
    assert plain(subsets[0][[0, 1]]) == plain(subsets[1][[0, 1]])
    for a, b in (
        (data.StackDataset(ours, range(23)), oracle.StackDataset(theirs, range(23))),
        (data.StackDataset(x=ours, y=subsets[0].dataset), oracle.StackDataset(x=theirs, y=theirs)),
    ):
        assert plain(a[4]) == plain(b[4]) and len(a) == 23
        assert plain(a.__getitems__([4, 1])) == plain(b.__getitems__([4, 1]))


class Counted(data.IterableDataset):
    """0, 1, ..., n - 1, one after the other."""

    def __init__(self, n):
        self.n = n

    def __iter__(self):
        return iter(range(self.n))

    def __len__(self):
        return self.n


def test_iterable_datasets():
    chain = Counted(3) + Counted(2)
    assert list(chain) == [0, 1, 2, 0, 1] and len(chain) == 5
    loader = data.DataLoader(Counted(5), batch_size=2)
    assert len(loader) == 3 and [b.tolist() for b in loader] == [[0, 1], [2, 3], [4]]
    loader = data.DataLoader(Counted(5), batch_size=2, drop_last=True)
    assert len(loader) == 2 and [b.tolist() for b in loader] == [[0, 1], [2, 3]]
    assert list(data.DataLoader(Counted(3), batch_size=None)) == [0, 1, 2]


def test_more_samples_than_promised_warn():
    class Liar(Counted):
        def __len__(self):
            return 1

    loader = data.DataLoader(Liar(3))
    assert len(loader) == 1
    with pytest.warns(UserWarning, match="was reported to be 1"):
        assert len(list(loader)) == 3


def test_a_subclass_keeps_its_own_samples():
    class Doubled(data.TensorDataset):
        def __getitem__(self, index):
            return super().__getitem__(index)[0] * 2

    loader = data.DataLoader(Doubled(penlight.arange(4)), batch_size=4)
    assert next(iter(loader)).tolist() == [0, 2, 4, 6]


def test_whole_batches_are_what_collating_gives():
    ours, theirs = tables()
    nested = data.Subset(data.Subset(ours, range(22, 0, -1)), [4, 2, 9])
    assert plain(list(data.DataLoader(nested, 2))) == plain(
        list(
            oracle.DataLoader(oracle.Subset(oracle.Subset(theirs, range(22, 0, -1)), [4, 2, 9]), 2)
        )
    )
    assert plain(list(data.DataLoader(ours, sampler=[-1, 3], batch_size=2))) == plain(
        list(oracle.DataLoader(theirs, sampler=[-1, 3], batch_size=2))
    )
    weight = penlight.ones(4, requires_grad=True)
    (batch,) = next(iter(data.DataLoader(data.TensorDataset(weight), 2)))
    assert batch.grad_fn.name() == "StackBackward0"
    with pytest.raises(IndexError, match="index 99 is out of bounds"):
        next(iter(data.DataLoader(ours, sampler=[99])))


def test_a_custom_collate_gets_samples():
    ours, _ = tables()
    seen = []
    list(data.DataLoader(ours, 5, collate_fn=lambda samples: seen.append(samples)))
    assert [len(s) for s in seen] == [5, 5, 5, 5, 3] and type(seen[0][0]) is tuple


# ---------------------------------------------------------------- collation

SAMPLES = [
    [1, 2, 3],
    [1.5, 2.5],
    [True, False],
    ["a", "b"],
    [b"a", b"b"],
    [(1, "x"), (2, "y")],
    [[1, 2.0], [3, 4.0]],
    [{"a": 1, "b": (2, 3.0)}, {"a": 4, "b": (5, 6.0)}],
    [Point(1, 2.0), Point(3, 4.0)],
    [OrderedDict(x=1), OrderedDict(x=2)],
    [np.float32(1.5), np.float32(2)],
    [np.arange(3), np.arange(3)],
    [np.array(1.5), np.array(2.5)],
    [range(2), range(2)],
]


@pytest.mark.parametrize("samples", SAMPLES, ids=repr)
def test_collate(samples):
    assert plain(data.default_collate(samples)) == plain(oracle.default_collate(samples))
    assert plain(data.default_convert(samples)) == plain(oracle.default_convert(samples))


def test_collate_refuses_as_pytorch_does():
    for samples in ([object()], [None], [np.array(["a"])], [[1], [1, 2]]):
        errors(lambda: data.default_collate(samples), lambda: oracle.default_collate(samples))  # noqa: B023
    errors(
        lambda: data.default_collate([penlight.ones(3), penlight.ones(4)]),
        lambda: oracle.default_collate([torch.ones(3), torch.ones(4)]),
    )


# ---------------------------------------------------------------- wrong arguments

WRONG = [
    dict(num_workers=-1),
    dict(timeout=-1),
    dict(prefetch_factor=2),
    dict(prefetch_factor=-2, num_workers=1),
    dict(persistent_workers=True),
    dict(sampler=range(3), shuffle=True),
    dict(batch_sampler=[[0]], batch_size=2),
    dict(batch_sampler=[[0]], shuffle=True),
    dict(batch_size=None, drop_last=True),
    dict(batch_size=0),
    dict(batch_size=1.5),
    dict(drop_last=2),
    dict(multiprocessing_context="fork"),
    dict(multiprocessing_context="no", num_workers=1),
    dict(multiprocessing_context=3, num_workers=1),
]


@pytest.mark.parametrize("arguments", WRONG, ids=repr)
def test_wrong_arguments_of_the_loader(arguments):
    ours, theirs = tables()
    errors(
        lambda: data.DataLoader(ours, **arguments), lambda: oracle.DataLoader(theirs, **arguments)
    )


def test_other_wrong_arguments():
    class Theirs(oracle.IterableDataset):
        def __iter__(self):
            return iter(())

    loader = data.DataLoader(range(3))
    with pytest.raises(ValueError, match="batch_size attribute should not be set after DataLoader"):
        loader.batch_size = 2
    for arguments in (dict(shuffle=True), dict(sampler=[0]), dict(batch_sampler=[[0]])):
        errors(
            lambda: data.DataLoader(Counted(2), **arguments),  # noqa: B023
            lambda: oracle.DataLoader(Theirs(), **arguments),  # noqa: B023
        )
    pairs = [
        (lambda m: m.RandomSampler(range(3), replacement=1)),
        (lambda m: m.RandomSampler(range(0))),
        (lambda m: m.WeightedRandomSampler([1.0], 0)),
        (lambda m: m.WeightedRandomSampler([[1.0]], 1)),
        (lambda m: m.BatchSampler(range(3), True, False)),
        (lambda m: m.ConcatDataset([])),
        (lambda m: m.StackDataset()),
        (lambda m: m.StackDataset([1], [1, 2])),
        (lambda m: m.StackDataset([1], a=[1])),
        (lambda m: m.random_split(range(3), [1, 1])),
        (lambda m: m.random_split(range(3), [1.5, -0.5])),
        (lambda m: m.DistributedSampler(range(3), 2, 2)),
        (lambda m: m.Dataset()[0]),
        (lambda m: m.ConcatDataset([range(3)])[-4]),
    ]
    for run in pairs:
        errors(lambda: run(data), lambda: run(oracle))  # noqa: B023


def test_pinning_warns_as_pytorch_does():
    with pytest.warns(UserWarning, match="'pin_memory' argument is set as true"):
        assert len(list(data.DataLoader(range(3), pin_memory=True))) == 3


def test_random_state_of_python_is_left_alone():
    random.seed(1)
    state = random.getstate()
    list(data.DataLoader(range(3), shuffle=True))
    assert random.getstate() == state


CELL = """
import penlight as torch
from penlight.utils.data import DataLoader, Dataset

class Squares(Dataset):
    def __getitem__(self, i):
        return torch.full((50, 50), i * i)
    def __len__(self):
        return 6

print(sum(batch[0, 0, 0].item() for batch in DataLoader(Squares(), num_workers=2)))
"""


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of jupyter_client
def test_workers_in_a_notebook():
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    NotebookClient(book, timeout=60, kernel_name="python3").execute()
    assert book.cells[0].outputs[0].text == "55\n"
