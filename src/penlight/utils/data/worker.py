"""What runs in a loader's worker process."""

from __future__ import annotations

import os
import random
import signal
from multiprocessing.connection import wait
from socket import socket
from typing import Any

import numpy as np

from ...core.random import manual_seed
from ...core.threads import set_num_threads
from .dataset import IterableDataset
from .fetch import fetcher
from .messages import Answer, End, Failure, Job, WorkerInfo, become_worker
from .transport import receive, send

WATCH_INTERVAL = 5.0  # seconds between two looks whether the other process is still there


def work(job: Job, worker_id: int, end: socket, foreign_ends: tuple[socket, ...]) -> None:
    """The life of a worker: answers tasks until the loader closes its end of the socket.

    `foreign_ends` are the loader's ends, which a forked process inherits and must not keep open.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the loader, which stops us
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # not the main program's handler
    set_num_threads(1)  # the workers are the parallelism
    for foreign in foreign_ends:
        foreign.close()
    try:
        _answer_tasks(job, worker_id, end)
    except (EOFError, ConnectionError):
        pass  # the loader is gone or wants no more
    finally:
        end.close()


def _answer_tasks(job: Job, worker_id: int, end: socket) -> None:
    where = f"in DataLoader worker process {worker_id}"
    broken = _prepare(job, worker_id, where)
    parent = os.getppid()
    epoch = None
    while _task_arrives(end, parent):
        task = receive(end)
        data: Any = broken
        try:
            if broken is None:
                if task.epoch != epoch:
                    fetch = fetcher(job.dataset, job.auto_collation, job.collate_fn, job.drop_last)
                    epoch = task.epoch
                data = fetch(task.index)
        except Exception as error:
            ended = isinstance(error, StopIteration) and isinstance(job.dataset, IterableDataset)
            data = End() if ended else Failure(where)
        _answer(end, Answer(task.epoch, task.number, data), where)


def _prepare(job: Job, worker_id: int, where: str) -> Failure | None:
    """Seeds the random generators and runs the user's preparation."""
    seed = job.base_seed + worker_id
    random.seed(seed)
    manual_seed(seed)
    words = [worker_id, job.base_seed & 0xFFFFFFFF, job.base_seed >> 32, 0]
    np.random.seed(np.random.SeedSequence(words).generate_state(4))
    become_worker(WorkerInfo(worker_id, job.num_workers, seed, job.dataset))
    try:
        if job.worker_init_fn is not None:
            job.worker_init_fn(worker_id)
    except Exception:
        return Failure(where)
    return None


def _task_arrives(end: socket, parent: int) -> bool:
    """True once something can be received; False if the process that started us is no more."""
    while not wait([end], WATCH_INTERVAL):
        if os.getppid() != parent:
            return False
    return True


def _answer(end: socket, answer: Answer, where: str) -> None:
    try:
        send(end, answer)
    except ConnectionError:
        raise
    except Exception:  # what cannot be pickled
        data = answer.data
        failure = data.without_class() if isinstance(data, Failure) else Failure(where)
        send(end, answer._replace(data=failure))
