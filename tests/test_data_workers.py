"""The loader's worker processes: order, seeds, errors, deaths, and that nothing is left behind."""

import gc
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.utils.data as oracle

import penlight
from penlight.utils import data


@pytest.fixture(autouse=True)
def nothing_is_left():
    """No process, open file or shared segment survives a test."""
    gc.collect()
    before = _resources()
    yield
    gc.collect()
    deadline = time.monotonic() + 10
    while _resources() != before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _resources() == before


def _resources():
    children = subprocess.run(
        ["ps", "--ppid", str(os.getpid()), "-o", "comm="], capture_output=True, text=True
    ).stdout.split()
    files = len(os.listdir("/proc/self/fd"))
    return [c for c in children if c != "ps"], files, sorted(os.listdir("/dev/shm"))


class Numbers(data.Dataset):
    """Sample i is (image full of i, i)."""

    def __init__(self, n=20, size=(3, 40, 40)):
        self.n, self.size = n, size

    def __getitem__(self, i):
        return penlight.full(self.size, float(i)), i

    def __len__(self):
        return self.n


class Shared(data.IterableDataset):
    """0, 1, ..., n - 1, split among the workers."""

    def __init__(self, n):
        self.n = n

    def __iter__(self):
        info = data.get_worker_info()
        return iter(range(info.id, self.n, info.num_workers))


class Calls(data.Dataset):
    """Sample i is action(i)."""

    def __init__(self, action, n=8):
        self.action, self.n = action, n

    def __getitem__(self, i):
        return self.action(i)

    def __len__(self):
        return self.n


def tens(i):
    return 10 * i


# ---------------------------------------------------------------- what comes, and in which order


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("options", [{}, {"prefetch_factor": 5}, {"persistent_workers": True}])
def test_batches_in_order(workers, options):
    loader = data.DataLoader(Numbers(), 3, num_workers=workers, timeout=60, **options)
    for _ in range(2):
        seen = list(loader)
        assert [y.tolist() for _, y in seen] == [
            list(range(20))[i : i + 3] for i in range(0, 20, 3)
        ]
        assert all((x[:, 1, 2, 3] == y).all() for x, y in seen)
        x = seen[0][0]
        x += 1  # the memory is ours to write
        assert x.shape == (3, 3, 40, 40) and x[0, 0, 0, 0] == 1


def test_numbers_are_pytorchs():
    x = np.arange(50.0)
    penlight.manual_seed(3)
    torch.manual_seed(3)
    ours = data.DataLoader(data.TensorDataset(penlight.tensor(x)), 4, shuffle=True, num_workers=2)
    theirs = oracle.DataLoader(
        oracle.TensorDataset(torch.tensor(x)), 4, shuffle=True, num_workers=2
    )
    for _ in range(2):
        assert [a.tolist() for (a,) in ours] == [b.tolist() for (b,) in theirs]
    assert penlight.rand(1).item() == torch.rand(1).item()


def draw_ours(_):
    import random

    seed = data.get_worker_info().seed
    return [seed % 2**40, random.random(), penlight.rand(1).item(), np.random.rand()]


def draw_theirs(_):
    import random

    seed = oracle.get_worker_info().seed
    return [seed % 2**40, random.random(), torch.rand(1).item(), np.random.rand()]


def test_workers_are_seeded_as_pytorch_does():
    ours = data.DataLoader(
        Calls(draw_ours), num_workers=2, generator=penlight.Generator().manual_seed(9)
    )
    theirs = oracle.DataLoader(
        Calls(draw_theirs), num_workers=2, generator=torch.Generator().manual_seed(9)
    )
    a = [[float(v) for v in batch] for batch in ours]
    b = [[float(v) for v in batch] for batch in theirs]
    assert a == b


def test_kinds_of_data_survive_the_journey():
    sample = {
        "big": np.arange(5000.0).reshape(50, 100).T,
        "half": penlight.ones(3000, dtype=penlight.bfloat16),
        "zero": penlight.zeros(0, 3),
        "scalar": penlight.tensor(2.5),
        "grad": penlight.ones(2, requires_grad=True),
        "text": "Licht",
        "view": penlight.arange(4000).view(40, 100).t(),
        "long": list(range(3000)),
    }
    loader = data.DataLoader([sample], batch_size=None, num_workers=1, collate_fn=lambda s: s)
    (got,) = loader
    assert (got["big"] == sample["big"]).all() and got["text"] == "Licht"
    assert got["half"].dtype is penlight.bfloat16 and bool((got["half"] == 1).all())
    assert got["zero"].shape == (0, 3) and got["scalar"].item() == 2.5
    assert got["grad"].requires_grad and got["grad"].is_leaf
    assert bool((got["view"] == sample["view"]).all()) and got["long"] == sample["long"]


def test_an_iterable_dataset_is_shared_out():
    loader = data.DataLoader(Shared(11), batch_size=2, num_workers=2)
    seen = [b.tolist() for b in loader]
    assert seen == [[0, 2], [1, 3], [4, 6], [5, 7], [8, 10], [9]]
    loader = data.DataLoader(Shared(11), batch_size=2, num_workers=2, persistent_workers=True)
    assert [b.tolist() for b in loader] == seen and [b.tolist() for b in loader] == seen


def test_first_come_first_served():
    def slow_start(i):
        time.sleep(0.5 if i == 0 else 0.0)
        return i

    loader = data.DataLoader(Calls(slow_start), num_workers=2, in_order=False)
    seen = [b.item() for b in loader]
    assert sorted(seen) == list(range(8)) and seen[0] != 0


def test_more_tasks_than_a_socket_holds():
    loader = data.DataLoader(Calls(tens, 3000), num_workers=1, prefetch_factor=5000)
    assert [b.item() for b in loader] == [10 * i for i in range(3000)]


def test_large_indices_do_not_block():
    sampler = [list(range(100_000))] * 12
    loader = data.DataLoader(
        range(100_000), batch_sampler=sampler, num_workers=2, prefetch_factor=6, collate_fn=len
    )
    assert list(loader) == [100_000] * 12


def test_more_batches_may_be_kept_than_files_opened():
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, limits[1]))
    try:
        kept = list(data.DataLoader(Numbers(300, (300,)), 1, num_workers=2))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert [y.item() for _, y in kept] == list(range(300))
    assert all((x == y).all() for x, y in kept)


def initialize(worker_id):
    os.environ["LOADER_WORKER"] = str(worker_id)


def test_worker_init_fn_and_info():
    def who(_):
        info = data.get_worker_info()
        return int(os.environ["LOADER_WORKER"]), info.id, info.num_workers, len(info.dataset)

    seen = [[int(v) for v in b] for b in data.DataLoader(
        Calls(who), num_workers=2, worker_init_fn=initialize)]  # fmt: skip
    assert seen == [[0, 0, 2, 8], [1, 1, 2, 8]] * 4
    assert data.get_worker_info() is None


# ---------------------------------------------------------------- what goes wrong


class Odd(Exception):
    """An exception that wants two arguments."""

    def __init__(self, a, b):
        super().__init__(a, b)


def fail_with(error):
    def action(i):
        if i == 3:
            raise error
        return i

    return Calls(action)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ValueError("bad file"), ValueError),
        (KeyError("bad file"), KeyError),
        (Odd("bad file", 1), RuntimeError),
    ],
    ids=["ValueError", "KeyError", "two arguments"],
)  # fmt: skip
def test_an_exception_comes_with_class_and_traceback(error, kind):
    iterator = iter(data.DataLoader(fail_with(error), num_workers=2))
    assert [next(iterator).item() for _ in range(3)] == [0, 1, 2]
    with pytest.raises(kind) as caught:
        next(iterator)
    text = str(caught.value)
    assert text.startswith(f"Caught {type(error).__name__} in DataLoader worker process 1.\n")
    assert "Original Traceback (most recent call last):\n" in text
    assert "in action\n" in text and "bad file" in text
    assert [b.item() for b in iterator] == [4, 5, 6, 7]  # one bad sample is not the end


def test_a_local_exception_class_keeps_its_name():
    class Local(Exception):
        pass

    with pytest.raises(RuntimeError, match="Local: Traceback"):
        list(data.DataLoader(fail_with(Local("here")), num_workers=1))


def test_worker_init_fn_may_fail():
    def refuse(_):
        raise OSError("no disk")

    with pytest.raises(OSError, match="Caught OSError in DataLoader worker process 0"):
        list(data.DataLoader(Numbers(), num_workers=2, worker_init_fn=refuse))


def test_unpicklable_samples():
    loader = data.DataLoader(
        Calls(lambda i: lambda: i), num_workers=1, batch_size=None, collate_fn=lambda s: s
    )
    with pytest.raises(Exception, match="in DataLoader worker process 0") as caught:
        list(loader)
    assert "pickle" in str(caught.value)


def test_non_leaf_tensors_are_refused():
    loader = data.DataLoader(
        Calls(lambda i: penlight.ones(2, requires_grad=True) * 2),
        num_workers=1, batch_size=None, collate_fn=lambda s: s,
    )  # fmt: skip
    with pytest.raises(RuntimeError, match="Cowardly refusing to serialize non-leaf tensor"):
        list(loader)


@pytest.mark.parametrize("how", ["kill", "exit"])
def test_a_dead_worker_is_reported(how):
    def die(i):
        if i == 5:
            if how == "exit":
                os._exit(7)
            os.kill(os.getpid(), signal.SIGKILL)
        return i

    iterator = iter(data.DataLoader(Calls(die), num_workers=2))
    assert [next(iterator).item() for _ in range(3)] == [0, 1, 2]
    with pytest.raises(RuntimeError, match=r"DataLoader worker \(pid\(s\) \d+\) exited unexp") as e:
        list(iterator)
    assert ("signal: Killed" if how == "kill" else "exit code 7") in str(e.value)
    assert list(iterator) == []


def test_persistent_workers_come_back_after_a_death():
    def die(i):
        if i == 1 and penlight.rand(1).item() < 2 and os.path.exists(flag):
            os.remove(flag)
            os.kill(os.getpid(), signal.SIGKILL)
        return i

    flag = f"/tmp/penlight-test-{os.getpid()}"
    Path(flag).touch()
    loader = data.DataLoader(Calls(die), num_workers=1, persistent_workers=True)
    with pytest.raises(RuntimeError, match="exited unexpectedly"):
        list(loader)
    assert [b.item() for b in loader] == list(range(8))


def test_timeout():
    def sleep(i):
        time.sleep(30 if i == 1 else 0)
        return i

    iterator = iter(data.DataLoader(Calls(sleep), num_workers=1, timeout=0.3))
    assert next(iterator).item() == 0
    start = time.monotonic()
    with pytest.raises(RuntimeError, match=r"DataLoader timed out after 0.3 seconds"):
        next(iterator)
    assert time.monotonic() - start < 5
    iterator._pool._processes[0].kill()


def test_break_and_forget():
    for options in ({}, {"persistent_workers": True}):
        loader = data.DataLoader(Numbers(200), 2, num_workers=2, **options)
        for _ in loader:
            break
        assert [y[0].item() for _, y in loader][:3] == [0, 2, 4]  # and again from the start
        del loader, _


def test_many_unfinished_passes():
    loader = data.DataLoader(
        Numbers(500), 1, num_workers=2, persistent_workers=True, prefetch_factor=20
    )
    for _ in range(20):
        assert next(iter(loader))[1].item() == 0
    assert [y.item() for _, y in loader] == list(range(500))


# ---------------------------------------------------------------- whole programs

PROGRAM = """
import os, sys, time
import penlight as torch
from penlight.utils.data import DataLoader, Dataset

class Squares(Dataset):
    def __getitem__(self, i):
        return torch.full((50, 50), i * i)
    def __len__(self):
        return 6

{body}
"""


def start(body, *, script=None, **options):
    """A fresh interpreter that runs the program, from a file or from standard input."""
    program = PROGRAM.format(body=body)
    if script is not None:
        script.write_text(program)
    return subprocess.Popen(
        [sys.executable, "-" if script is None else str(script)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options,
    ), ("" if script is not None else program)  # fmt: skip


def finish(process, text):
    out, err = process.communicate(text, timeout=60)
    return process.returncode, out, err


def test_from_standard_input():
    code, out, err = finish(
        *start("print([b[0, 0, 0].item() for b in DataLoader(Squares(), num_workers=2)])")
    )
    assert (code, out, err) == (0, "[0, 1, 4, 9, 16, 25]\n", "")


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_other_ways_to_start(method, tmp_path):
    body = f"""
if __name__ == "__main__":
    loader = DataLoader(Squares(), num_workers=2, multiprocessing_context="{method}")
    print([b[0, 0, 0].item() for b in loader])
"""
    code, out, err = finish(*start(body, script=tmp_path / "program.py"))
    assert (code, out, err) == (0, "[0, 1, 4, 9, 16, 25]\n", "")


def test_leaving_in_the_middle():
    body = """
loader = DataLoader(Squares(), num_workers=2, persistent_workers=True)
for batch in loader:
    print("one", flush=True)
    sys.exit(3)
"""
    began = time.monotonic()
    assert finish(*start(body)) == (3, "one\n", "")
    assert time.monotonic() - began < 20


def _alive(pids):
    """Those of the processes that exist and are not only waiting to be reaped."""
    stats = [Path(f"/proc/{pid}/stat") for pid in pids]
    return [s for s in stats if s.exists() and s.read_text().rsplit(")", 1)[1].split()[0] != "Z"]


@pytest.mark.parametrize("how", ["INT", "KILL"])
def test_the_main_program_is_interrupted_or_killed(how, tmp_path):
    body = """
iterator = iter(DataLoader(Squares(), num_workers=2, persistent_workers=True))
next(iterator)
print(*[p.pid for p in iterator._pool._processes], flush=True)
time.sleep(60)
"""
    process, _ = start(body, script=tmp_path / "program.py", start_new_session=True)
    workers = process.stdout.readline().split()
    assert len(_alive(workers)) == 2
    # Ctrl-C reaches the whole group, SIGKILL only the main program
    (os.killpg if how == "INT" else os.kill)(process.pid, getattr(signal, f"SIG{how}"))
    _, err = process.communicate(timeout=30)
    assert process.returncode == (-signal.SIGINT if how == "INT" else -signal.SIGKILL)
    assert err.count("Traceback") == (1 if how == "INT" else 0)  # the workers say nothing
    deadline = time.monotonic() + 10
    while _alive(workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _alive(workers) == []
