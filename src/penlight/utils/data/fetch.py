"""How the samples of one batch are fetched, in whichever process."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

import numpy as np

from ...core.tensor import Tensor, wrap
from .collate import default_collate
from .dataset import IterableDataset, Subset, TensorDataset

Fetch = Callable[[Any], Any]


def fetcher(dataset: Any, auto_collation: bool, collate_fn: Callable, drop_last: bool) -> Fetch:
    """The function from what the sampler yields to what the loader returns.

    It raises StopIteration where an iterable dataset has come to its end.
    """
    if isinstance(dataset, IterableDataset):
        return _from_stream(dataset, auto_collation, collate_fn, drop_last)
    if not auto_collation:
        return lambda index: collate_fn(dataset[index])
    if collate_fn is default_collate:
        return lambda indices: _collated(dataset, indices)
    return lambda indices: collate_fn(_items(dataset, indices))


def _from_stream(
    dataset: Any, auto_collation: bool, collate_fn: Callable, drop_last: bool
) -> Fetch:
    stream = iter(dataset)
    if not auto_collation:
        return lambda index: collate_fn(next(stream))
    ended = False

    def fetch(indices: list) -> Any:
        nonlocal ended
        wanted = len(indices)
        samples = [] if ended else list(islice(stream, wanted))
        ended = len(samples) < wanted  # a stream that has ended is not asked again
        if not samples or (ended and drop_last):
            raise StopIteration
        return collate_fn(samples)

    return fetch


def _items(dataset: Any, indices: list) -> Any:
    if getattr(dataset, "__getitems__", None):
        return dataset.__getitems__(indices)
    return [dataset[index] for index in indices]


def _collated(dataset: Any, indices: list) -> Any:
    rows = _rows(dataset, indices)
    return default_collate(_items(dataset, indices)) if rows is None else rows


def _rows(dataset: Any, indices: list) -> list[Tensor] | None:
    """The batch of a TensorDataset by one indexing per tensor instead of one per sample.

    None where collating samples would not give just these rows: a subclass may have its own
    samples, a gradient its own history, an index its own meaning or error.
    """
    while type(dataset) is Subset:
        inner = dataset.indices
        indices, dataset = [inner[i] for i in indices], dataset.dataset
    if type(dataset) is not TensorDataset:
        return None
    if any(type(tensor) is not Tensor or tensor.requires_grad for tensor in dataset.tensors):
        return None
    index = np.array(indices)
    size = len(dataset)
    if index.dtype.kind != "i" or index.ndim != 1 or index.min() < -size or index.max() >= size:
        return None
    return [wrap(tensor._array[index]) for tensor in dataset.tensors]
