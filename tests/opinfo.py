"""PyTorch's database of op samples, carried over to penlight through NumPy."""

import itertools
import math
import warnings

import torch
from torch.testing._internal import common_methods_invocations as database

import penlight


def carried(value):
    """A value made with torch as a value of penlight; tensors keep dtype and requires_grad."""
    if isinstance(value, torch.Tensor):
        t = _tensor(value.detach().resolve_conj().resolve_neg())
        return t.requires_grad_(value.requires_grad)
    if isinstance(value, torch.Size):
        return penlight.Size(value)
    if isinstance(value, (list, tuple)):
        return type(value)(carried(v) for v in value)
    if isinstance(value, dict):
        return {k: carried(v) for k, v in value.items()}
    if isinstance(value, (torch.dtype, torch.memory_format)):
        return getattr(penlight, str(value).removeprefix("torch."))
    if isinstance(value, torch.nn.PairwiseDistance):
        return penlight.nn.PairwiseDistance(value.norm, value.eps, value.keepdim)
    if isinstance(value, torch.device):
        return penlight.device(str(value))
    return value


def _tensor(t):
    """A copy of a tensor; one that starts inside a larger storage does so again."""
    if t.storage_offset() == 0:
        return penlight.from_numpy(t.numpy().copy())
    storage = t.as_strided((t.untyped_storage().nbytes() // t.itemsize,), (1,), 0)
    whole = penlight.from_numpy(storage.numpy().copy())
    return whole.as_strided(t.shape, t.stride(), t.storage_offset()).detach()


def tensors_in(value):
    """All penlight tensors inside nested lists, tuples and dicts."""
    if isinstance(value, penlight.Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for v in value:
            yield from tensors_in(v)
    elif isinstance(value, dict):
        for v in value.values():
            yield from tensors_in(v)


def name_of(info):
    """The OpInfo's name, with its variant where it has one."""
    return f"{info.name}|{info.variant_test_name}" if info.variant_test_name else info.name


# ---------------------------------------------------------------- what is called

PROPERTIES = ("T", "H", "mT", "mH", "real", "imag")
WRITING = {name: name + "_" for name in "cauchy exponential geometric log_normal uniform".split()}
WRITING |= {name: name for name in ("zero_", "resize_", "resize_as_")}
WRITING["normal|in_place"] = "normal_"

# The database calls some functions with their arguments in another order, or works on them first.
ADAPTERS = {
    "cholesky_solve": lambda f, b, factor, upper=False: f(
        b, factor.triu() if upper else factor.tril(), upper
    ),
    "einsum": lambda f, operands, equation: f(equation, operands),
    "linalg.lstsq|grad_oriented": lambda f, a, b, driver: f(a, b, driver=driver)[:2],
    "linalg.pinv|singular": lambda f, a, b: f(a @ b.mT),
    "nn.functional.embedding": lambda f, weight, index, **k: f(index, weight, **k),
    "nn.functional.embedding_bag": lambda f, weight, index, **k: f(index, weight, **k),
    "normal|number_mean": lambda f, std, mean, *rest, **k: f(mean, std, *rest, **k),
    "pca_lowrank": lambda f, a, b, **k: f(a @ b.mT, **k),  # of low rank, as the name says
    "polygamma": lambda f, x, n, **k: f(n, x, **k),
    "special.polygamma": lambda f, x, n, **k: f(n, x, **k),
    "svd_lowrank": lambda f, a, b, **k: f(a @ b.mT, **k),
    "where": lambda f, x, condition, other: f(condition, x, other),
}  # fmt: skip


def function_of(info):
    """penlight's function (input, *args, **kwargs) for an OpInfo, or None if there is none."""
    key, name = name_of(info), info.name
    if name in PROPERTIES:
        return lambda x: getattr(x, name)
    written = WRITING.get(key, WRITING.get(name))
    if written is not None:
        return lambda x, *args, **kwargs: getattr(x.clone(), written)(*args, **kwargs)
    found = penlight
    for part in name.split("."):
        found = getattr(found, part, None)
    found = found if callable(found) else getattr(penlight.Tensor, name, None)
    adapter = ADAPTERS.get(key, ADAPTERS.get(name))
    if adapter is None or found is None:
        return found
    return lambda *args, **kwargs: adapter(found, *args, **kwargs)


# ---------------------------------------------------------------- samples


def samples(info, dtype, count, largest=1000):
    """About `count` samples, evenly spread; where possible of at most `largest` elements each.

    A sample is (input, args, kwargs) and the database's selection of what is defined in the
    result: singular vectors, say, are so up to their sign.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, about the functions that make its samples
        made = list(itertools.islice(info.sample_inputs("cpu", dtype, requires_grad=True), 90))
    found = []
    for sample in made:
        given = carried((sample.input, sample.args, sample.kwargs))
        tensors = list(tensors_in(given))
        size = sum(t.numel() for t in tensors)
        if size and any(t.requires_grad for t in tensors):
            found.append((size, (given, sample.output_process_fn_grad)))
    least = min((size for size, _ in found), default=0)
    kept = [sample for size, sample in found if size <= max(least, largest)]
    return kept[:: max(1, math.ceil(len(kept) / count))]


def infos(dtype):
    """name -> OpInfo of every op that PyTorch differentiates at `dtype`."""
    return {
        name_of(info): info
        for info in database.op_db
        if info.supports_autograd and dtype in info.dtypes
    }
