"""One pass over a loader's batches, fetched in this process or by workers."""

from __future__ import annotations

import copy
import warnings
import weakref
from collections.abc import Iterator
from itertools import cycle
from typing import TYPE_CHECKING, Any

from .fetch import fetcher
from .messages import End, Failure, Job, Task
from .sampler import draw_seed

if TYPE_CHECKING:
    from .dataloader import DataLoader

_MOST_TASKS = 128  # per worker: that many small messages fit into a socket


class _BaseDataLoaderIter:
    """What both ways of loading share: the order of indices, the worker seed, the count."""

    def __init__(self, loader: DataLoader) -> None:
        self._loader = copy.copy(loader)  # the loader may hold its iterator: no cycle
        self._sampler_iter: Iterator = iter(loader._index_sampler)
        self._base_seed = draw_seed(loader.generator)
        self._announced = loader._IterableDataset_len_called
        self._num_yielded = 0
        if loader.pin_memory:
            _warn_about_pinning(loader)

    def __iter__(self) -> _BaseDataLoaderIter:
        return self

    def __len__(self) -> int:
        return len(self._loader._index_sampler)

    def __next__(self) -> Any:
        data = self._next_data()
        self._num_yielded += 1
        if self._announced is not None and self._num_yielded > self._announced:
            self._warn_about_length()
        return data

    def _next_data(self) -> Any:
        raise NotImplementedError

    def _warn_about_length(self) -> None:
        text = (
            f"Length of IterableDataset {self._loader.dataset} was reported to be {self._announced}"
            f"(when accessing len(dataloader)), but {self._num_yielded} samples have been fetched. "
        )
        if self._loader.num_workers > 0:
            text += (
                "For multiprocessing data-loading, this could be caused by not properly "
                "configuring the IterableDataset replica at each worker. Please see "
                "https://pytorch.org/docs/stable/data.html#torch.utils.data.IterableDataset "
                "for examples."
            )
        warnings.warn(text, stacklevel=3)

    def __getstate__(self) -> Any:
        raise NotImplementedError("{} cannot be pickled", type(self).__name__)


def _warn_about_pinning(loader: DataLoader) -> None:
    if loader.pin_memory_device:
        warnings.warn(
            "pin_memory_device is deprecated, the current accelerator will be used as the device,"
            f"ignore pin_memory_device='{loader.pin_memory_device}'.",
            stacklevel=4,
        )
    warnings.warn(
        "'pin_memory' argument is set as true but no accelerator is found, "
        "then device pinned memory won't be used.",
        stacklevel=4,
    )


class _SingleProcessDataLoaderIter(_BaseDataLoaderIter):
    """Fetches each batch when it is asked for."""

    def __init__(self, loader: DataLoader) -> None:
        super().__init__(loader)
        if loader.timeout != 0:
            raise AssertionError("_SingleProcessDataLoaderIter requires timeout == 0")
        self._fetch = fetcher(
            loader.dataset, loader._auto_collation, loader.collate_fn, loader.drop_last
        )

    def _next_data(self) -> Any:
        return self._fetch(next(self._sampler_iter))


class _MultiProcessingDataLoaderIter(_BaseDataLoaderIter):
    """Keeps up to `prefetch_factor` tasks per worker under way.

    Tasks are numbered in the sampler's order and given to the workers in turn, so that what a pass
    yields does not depend on who is faster.
    """

    def __init__(self, loader: DataLoader) -> None:
        super().__init__(loader)
        from .pool import WorkerPool

        prefetch = loader.prefetch_factor or 0
        if prefetch <= 0:
            raise AssertionError(
                "prefetch_factor must be greater than 0 for MultiProcessingDataLoaderIter"
            )
        job = Job(
            loader.dataset, loader._auto_collation, loader.collate_fn, loader.drop_last,
            loader.worker_init_fn, loader.num_workers, self._base_seed,
        )  # fmt: skip
        self._pool = WorkerPool(job, loader.multiprocessing_context or default_context())
        self._shutdown_workers = weakref.finalize(self, self._pool.close)
        self._most = prefetch * loader.num_workers
        self._epoch = 0
        self._pending = 0  # how many tasks are not answered yet
        self._begin()

    def _reset(self, loader: DataLoader) -> None:
        """Begins another pass with the same workers, once they are done with an unfinished one."""
        self._epoch += 1
        while self._pending:
            self._collect()  # answers of an earlier epoch are dropped
        self._announced = loader._IterableDataset_len_called
        self._num_yielded = 0
        self._begin()

    def _begin(self) -> None:
        loader = self._loader
        # made anew even for the first pass, as in PyTorch: a sampler may draw random numbers here
        self._sampler_iter = iter(loader._index_sampler)
        self._sent = 0  # how many tasks the pass has given out
        self._owner: dict[int, int] = {}  # whose task it is, of those not yet returned; ascending
        self._answers: dict[int, Any] = {}  # what has arrived, of those
        self._load = [0] * loader.num_workers  # how many tasks each worker has
        self._active = [True] * loader.num_workers  # whose dataset has not come to its end
        self._turn = cycle(range(loader.num_workers))
        for _ in range(self._most):
            self._give_task()

    @property
    def _finished(self) -> bool:
        """Whether the workers are gone."""
        return not self._shutdown_workers.alive

    def _give_task(self) -> None:
        worker_id = self._next_worker()
        if worker_id is None:
            return
        try:
            index = next(self._sampler_iter)
        except StopIteration:
            return
        self._pool.send(worker_id, Task(self._epoch, self._sent, index))
        self._pending += 1
        self._owner[self._sent] = worker_id
        self._load[worker_id] += 1
        self._sent += 1

    def _next_worker(self) -> int | None:
        """The next worker in turn that has room for a task."""
        room = _MOST_TASKS
        if not self._loader.in_order and any(self._active):
            room = min(room, self._most // sum(self._active))
        for _ in self._active:
            worker_id = next(self._turn)
            if self._active[worker_id] and self._load[worker_id] < room:
                return worker_id
        return None

    def _next_data(self) -> Any:
        try:
            return self._next_answer()
        except KeyboardInterrupt:  # a message may be half read or written
            self._abandon()
            raise

    def _abandon(self) -> None:
        self._owner.clear()
        self._pending = 0
        self._shutdown_workers()

    def _next_answer(self) -> Any:
        while self._owner:
            number = self._next_number()
            while number not in self._answers:
                self._collect()
                number = self._next_number()
            data = self._answers.pop(number)
            worker_id = self._owner.pop(number)
            self._load[worker_id] -= 1
            if isinstance(data, End):
                self._active[worker_id] = False
            self._give_task()
            if isinstance(data, Failure):
                data.reraise()
            if not isinstance(data, End):
                return data
        if not self._loader.persistent_workers:
            self._shutdown_workers()
        raise StopIteration

    def _next_number(self) -> int:
        """The task to return next: the oldest; with in_order=False, the first that is answered."""
        if not self._loader.in_order and self._answers:
            return next(iter(self._answers))
        return next(iter(self._owner))

    def _collect(self) -> None:
        timeout = self._loader.timeout
        try:
            answers = self._pool.receive(timeout if timeout > 0 else None)
        except Exception:
            self._abandon()
            raise
        if not answers:
            raise RuntimeError(f"DataLoader timed out after {timeout} seconds")
        self._pending -= len(answers)
        for answer in answers:
            if answer.epoch == self._epoch:
                self._answers[answer.number] = answer.data


def default_context() -> Any:
    """The interpreter's own way of starting processes, but fork on Linux unless told otherwise.

    Newer Pythons start fresh interpreters, which cannot see what a notebook or `python -` defined.
    """
    import multiprocessing
    import sys

    chosen = multiprocessing.get_start_method(allow_none=True)
    if chosen is None and sys.platform == "linux":
        chosen = "fork"
    return multiprocessing.get_context(chosen)
