"""PyTorch's database of op samples, carried over to penlight through NumPy."""

import itertools
import math

import penlight
import torch
from torch.testing._internal import common_methods_invocations as database


def carried(value):
    """A value made with torch as a value of penlight; tensors keep dtype and requires_grad."""
    if isinstance(value, torch.Tensor):
        t = penlight.from_numpy(value.detach().resolve_conj().resolve_neg().numpy().copy())
        return t.requires_grad_(value.requires_grad)
    if isinstance(value, torch.Size):
        return penlight.Size(value)
    if isinstance(value, (list, tuple)):
        return type(value)(carried(v) for v in value)
    if isinstance(value, dict):
        return {k: carried(v) for k, v in value.items()}
    if isinstance(value, torch.dtype):
        return getattr(penlight, str(value).removeprefix("torch."))
    if isinstance(value, torch.device):
        return penlight.device(str(value))
    return value


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


def function_of(info):
    """penlight's function for an OpInfo, or None where penlight has none under that name."""
    found = penlight
    for part in info.name.split("."):
        found = getattr(found, part, None)
        if found is None:
            break
    if callable(found) and found is not penlight:
        return found
    return getattr(penlight.Tensor, info.name, None)


def small_samples(info, dtype, count, largest=40):
    """Up to `count` samples whose tensors together have at most `largest` elements, smallest last dropped."""
    made = itertools.islice(info.sample_inputs("cpu", dtype, requires_grad=True), 60)
    kept = []
    for sample in made:
        given = carried((sample.input, sample.args, sample.kwargs))
        size = sum(t.numel() for t in tensors_in(given))
        if 0 < size <= largest and any(t.requires_grad for t in tensors_in(given)):
            kept.append((size, given))
    step = max(1, math.ceil(len(kept) / count))
    return [given for _, given in kept[::step]]


INFOS = {
    f"{i.name}|{i.variant_test_name}" if i.variant_test_name else i.name: i
    for i in database.op_db
    if i.supports_autograd and torch.float64 in i.dtypes
}
