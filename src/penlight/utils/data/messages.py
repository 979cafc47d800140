"""What a loader and its workers say to each other, and who a worker is."""

from __future__ import annotations

import sys
from collections import namedtuple
from collections.abc import Callable
from typing import Any, NamedTuple

WorkerInfo = namedtuple("WorkerInfo", "id num_workers seed dataset")
WorkerInfo.__doc__ = "A worker's number, the number of workers, its seed, its copy of the dataset."

_worker_info: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """Within a worker process: which worker this is. Elsewhere: None.

    An iterable dataset reads `id` and `num_workers` from it to yield only its own share.
    """
    return _worker_info


def become_worker(info: WorkerInfo) -> None:
    """From now on this process is that worker."""
    global _worker_info
    _worker_info = info


class Job(NamedTuple):
    """What all workers of a loader have in common."""

    dataset: Any
    auto_collation: bool
    collate_fn: Callable
    drop_last: bool
    worker_init_fn: Callable | None
    num_workers: int
    base_seed: int


class Task(NamedTuple):
    """One batch to fetch. Every task is answered, in order, by an `Answer`."""

    epoch: int  # which pass over the dataset
    number: int  # which batch of the pass
    index: Any  # what the sampler yielded


class Answer(NamedTuple):
    """The batch of a task; or a `Failure`; or `End`."""

    epoch: int
    number: int
    data: Any


class End:
    """Says that a worker's iterable dataset has come to its end."""


class KeyErrorMessage(str):
    """A text that a KeyError prints as it is, not quoted."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class Failure:
    """An exception on its way to another process: its class and its traceback as text."""

    def __init__(self, where: str):
        import traceback

        kind, error, trace = sys.exc_info()
        self.kind: Any = kind
        self.text = "".join(traceback.format_exception(kind, error, trace))
        self.where = where

    def without_class(self) -> Failure:
        """The same failure for a receiver that cannot know the class."""
        self.text = f"{self.kind.__qualname__}: {self.text}"
        self.kind = RuntimeError
        return self

    def reraise(self) -> None:
        """Raises the original class with the original traceback as its text."""
        text = f"Caught {self.kind.__name__} {self.where}.\nOriginal {self.text}"
        if self.kind is KeyError:
            raise KeyError(KeyErrorMessage(text))
        try:
            error = self.kind(message=text) if hasattr(self.kind, "message") else self.kind(text)
        except Exception:  # a class that wants other arguments than a text
            raise RuntimeError(text) from None
        raise error
