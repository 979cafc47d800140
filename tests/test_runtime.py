"""Kernels and programs as Python calls them: arguments, threads, forks, the end of a process."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import penlight
from kernels_for_tests import Add, Constant, Fail, Fill, Mirror, Slow, Team
from penlight.compiler import code, pool, runtime
from penlight.compiler.background import Background
from penlight.compiler.runtime import Command

HERE = Path(__file__).parent


@pytest.fixture
def threads():
    """A function that sets the number of threads, undone afterwards."""
    before = penlight.get_num_threads()
    yield penlight.set_num_threads
    penlight.set_num_threads(before)


def arrays(n: int, count: int = 3) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.standard_normal(n).astype(np.float32) for _ in range(count)]


def in_process(body: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs Python in a process of its own, with `Add` and its kin imported."""
    head = "import numpy as np, os, signal, sys, threading, time\nimport penlight\n"
    head += "from kernels_for_tests import *\nfrom penlight.compiler import code, pool, runtime\n"
    env = {**os.environ, "PYTHONPATH": str(HERE), **environment}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", head + body],
        capture_output=True, text=True, timeout=60, env=env,
    )  # fmt: skip


# ---------------------------------------------------------------- arguments


def test_kernel_adds():
    a, b, c = arrays(100)
    assert runtime.kernel(Add(100))(a, b, c) is None
    np.testing.assert_array_equal(c, a + b)


def test_specs_that_are_equal_but_not_the_same():
    assert Constant(0.0) == Constant(-0.0)
    out = np.zeros(1)
    for value in (0.0, -0.0, 1.0, float("nan")):
        runtime.kernel(Constant(value))(out)
        assert out.tobytes() == np.float64(value).tobytes()


class Sub(np.ndarray):
    pass


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((), "expected 3 arrays and 0 numbers, got 0 arguments"),
        ((1, 2, 3, 4), "expected 3 arrays and 0 numbers, got 4 arguments"),
        (("a", 2, None), "argument 0 must be exactly a numpy.ndarray, not str"),
        ((*arrays(4, 2), None), "argument 2 must be exactly a numpy.ndarray, not NoneType"),
        ((*arrays(4, 2), np.zeros(4).view(Sub)), "argument 2 .* not Sub"),
    ],
)
def test_wrong_arguments(arguments, text):
    with pytest.raises(TypeError, match=text):
        runtime.kernel(Add(4))(*arguments)


def test_keywords_are_refused():
    with pytest.raises(TypeError, match="keyword"):
        runtime.kernel(Add(4))(*arrays(4, 2), c=arrays(4, 1)[0])


def test_numbers():
    fill, out = runtime.kernel(Fill()), np.zeros(5)
    fill(out, 3, 2.5)
    assert out.tolist() == [2.5, 2.5, 2.5, 0, 0]
    fill(out, -1, 7.0)
    fill(out, True, -0.0)
    assert np.signbit(out).tolist() == [True, False, False, False, False]
    fill(out, np.int64(5), float("nan"))
    assert np.isnan(out).all()


@pytest.mark.parametrize(
    ("number", "error"),
    [("3", TypeError), (None, TypeError), (2**63, OverflowError), (np.float32(1), TypeError)],
)
def test_wrong_numbers(number, error):
    out = np.zeros(5)
    with pytest.raises(error):
        runtime.kernel(Fill())(out, number, 1.0)
    assert not out.any()


def test_calls_leak_nothing():
    a, b, c = arrays(8)
    kernel = runtime.kernel(Add(8))
    run = chain(8, 1)[0]
    before, references = resident(), [sys.getrefcount(x) for x in (a, b, c, None)]
    for _ in range(100_000):
        kernel(a, b, c)
        run(a, b, c)
    assert [sys.getrefcount(x) for x in (a, b, c)] == references[:3]
    assert abs(sys.getrefcount(None) - references[3]) < 1000
    assert resident() - before < 2**20


def test_callables_are_freed():
    kernel = runtime.kernel(Add(8))
    references = sys.getrefcount(kernel.__self__.__class__)
    before = resident()
    for _ in range(10_000):
        kernel = runtime.kernel(Add(8))
    del kernel
    gc.collect()
    assert sys.getrefcount(runtime.State) <= references
    assert resident() - before < 2**20


def resident() -> int:
    """Bytes of memory in use now."""
    if not os.path.exists("/proc/self/statm"):
        return 0
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# ---------------------------------------------------------------- programs


def chain(n: int, workers: int, release: bool = False):
    """Four kernels, each of which reads backwards what the one before wrote; and their buffer."""
    add, middle = code.address(Mirror(n, workers)), np.zeros(n, np.float32)
    steps = [(1, 2, 4), (4, 2, 3), (3, 2, 4), (4, 2, 3)]
    commands = [Command(add, slots, workers) for slots in steps]
    fixed = {4: middle.ctypes.data}
    return runtime.program(commands, 5, fixed, (1, 2, 3), release=release, keep=middle), middle


def chained(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    for _ in range(4):
        x = x[::-1] + y
    return x


@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize("release", [False, True])
def test_program_on_threads(threads, count, release):
    threads(count)
    for n in (1, 5, 1000):
        x, y, out = arrays(n)
        program, _ = chain(n, 8, release)
        for _ in range(50):
            out[:] = 0
            assert program(x, y, out) == 0
            np.testing.assert_array_equal(out, chained(x, y))


def test_commands_wake_as_many_as_are_worth_it(threads):
    threads(3)
    seen = np.zeros((4, 8), np.int64)
    sizes = (1, 2, 3, 8)
    commands = [Command(code.address(Team(n)), (i,), n) for i, n in enumerate(sizes, 1)]
    fixed = {i: row.ctypes.data for i, row in enumerate(seen, 1)}
    runtime.program(commands, 5, fixed, (), keep=seen)()
    assert seen.tolist() == [
        [1, 0, 0, 0, 0, 0, 0, 0],
        [2, 2, 0, 0, 0, 0, 0, 0],
        [3, 3, 3, 0, 0, 0, 0, 0],
        [3, 3, 3, 0, 0, 0, 0, 0],
    ]


def test_program_tells_errors():
    program = runtime.program([Command(code.address(Fail(7)), (0,))], 1, {}, ())
    assert program() == 7
    assert program.__self__.error.tolist() == [7, 8, 9, 10]
    own = np.zeros(4, np.int64)
    program = runtime.program([Command(code.address(Fail(3)), (0,))], 1, {0: own.ctypes.data}, ())
    assert program() == 3
    assert own.tolist() == [3, 4, 5, 6]
    assert runtime.program([], 1, {0: own.ctypes.data}, ())() == 0, "the code is of the last run"


@pytest.mark.parametrize("count", [1, 2, 3])
def test_error_leaves_out_what_is_behind_a_barrier(threads, count):
    threads(count)
    team, fail = code.address(Team(3)), code.address(Fail(5))
    commands = [Command(fail, (0,)), Command(team, (1,), 3, barrier=False), Command(team, (2,), 3)]
    program = runtime.program(commands, 3, {}, (1, 2))
    seen, unseen = np.zeros((2, 3), np.int64)
    assert program(seen, unseen) == 5
    assert (seen.tolist(), unseen.tolist()) == ([count] * count + [0] * (3 - count), [0, 0, 0])


def test_program_takes_numbers():
    fill = Command(code.address(Fill()), (1, 2))
    program = runtime.program([fill], 3, {}, (1,), numbers=(2, 2))
    out = np.zeros(3)
    assert program(out, 2, 0.5) == 0
    assert out.tolist() == [0.5, 0.5, 0]
    with pytest.raises(TypeError, match="expected 1 arrays and 2 numbers, got 1"):
        program(out)


@pytest.mark.parametrize(
    ("slots", "fixed", "external", "text"),
    [
        ((1, 2, 3), {}, (1, 2), "command 0 reads slot 3"),
        ((1, 2, 9), {9: 64}, (1, 2), "command 0 reads slot 9"),
        ((1, 2, 3), {3: 64}, (1, 2, 3), "slot 3 is both external and fixed"),
        ((1, 2, 3), {}, (0, 1, 2, 3), "slot 0 is both"),
    ],
)
def test_wrong_programs(slots, fixed, external, text):
    with pytest.raises(ValueError, match=text):
        runtime.program([Command(64, slots)], 4, fixed, external)


# ---------------------------------------------------------------- threads


def test_set_num_threads_steers_the_pool(threads):
    seen = np.zeros(8, np.int64)
    team = runtime.kernel(Team(8))
    for count in (1, 2, 4, 3):
        threads(count)
        seen[:] = 0
        team(seen)
        assert seen.tolist() == [count] * count + [0] * (8 - count)
    assert pool.started() >= 4


def test_threads_of_python_enter_together(threads):
    threads(2)
    wrong = []

    def work(seed: int) -> None:
        x, y, out = arrays(5000)
        x += seed
        own, _ = chain(5000, 2, release=True)
        for _ in range(100):
            out[:] = 0
            own(x, y, out)
            if not np.array_equal(out, chained(x, y)):
                wrong.append(seed)

    together(work, 6)
    assert not wrong


def test_one_program_in_many_threads(threads):
    threads(2)
    program, _ = chain(3000, 2, release=True)
    wrong = []

    def work(seed: int) -> None:
        x, y, out = arrays(3000)
        x += seed
        for _ in range(100):
            program(x, y, out)
            if not np.array_equal(out, chained(x, y)):
                wrong.append(seed)

    together(work, 4)
    assert not wrong


def together(work, count: int) -> None:
    members = [threading.Thread(target=work, args=(i,)) for i in range(count)]
    for member in members:
        member.start()
    for member in members:
        member.join(60)
        assert not member.is_alive()


def test_released_gil_lets_others_run():
    slow, out = runtime.kernel(Slow(100_000_000), release=True), np.zeros(1)
    ticks = []

    def tick() -> None:
        while not ticks or ticks[-1] is not None:
            ticks.append(time.perf_counter())
            time.sleep(0.001)

    other = threading.Thread(target=tick)
    other.start()
    start = time.perf_counter()
    slow(out)
    end = time.perf_counter()
    inside = sum(start < t < end for t in ticks)
    ticks.append(None)
    other.join()
    assert out[0] == 1
    assert inside > 10


FORK = """
penlight.set_num_threads(3)
team, seen = runtime.kernel(Team(8)), np.zeros(8, np.int64)
def check():
    seen[:] = 0
    team(seen)
    assert seen.tolist() == [3, 3, 3, 0, 0, 0, 0, 0], seen
    assert pool.started() == 3
"""


def test_fork():
    done = in_process(FORK + """
for generation in range(3):
    check()
    child = os.fork()
    if child == 0:
        assert pool.started() == 1
        check()
        grandchild = os.fork()
        check()
        os._exit(0 if grandchild == 0 else os.waitpid(grandchild, 0)[1])
    check()
    assert os.waitpid(child, 0)[1] == 0
""", OPENBLAS_NUM_THREADS="1")  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_fork_in_the_middle_of_a_program():
    done = in_process(FORK + """
address, out = code.address(Slow(30_000_000)), np.zeros(1)
slow = runtime.program([runtime.Command(address, (1,))], 2, {}, (1,), release=True)
threading.Thread(target=slow, args=(out,)).start()
while slow.__self__[5] == 0:
    time.sleep(0.001)
child = os.fork()
if child == 0:
    check()
    own = np.zeros(1)
    slow(own)
    os._exit(int(own[0] != 1))
check()
assert os.waitpid(child, 0)[1] == 0
""", OPENBLAS_NUM_THREADS="1")  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_exit_while_threads_compute():
    done = in_process(FORK + """
check()
def forever():
    slow, out = runtime.kernel(Slow(1_000_000, 2), release=True), np.zeros(1)
    while True:
        slow(out)
for _ in range(3):
    threading.Thread(target=forever, daemon=True).start()
code.compile_soon([Add(n) for n in range(1000, 1200)], print)
time.sleep(0.2)
print("end")
""")  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "end\n", "")


def test_interrupt():
    done = in_process("""
penlight.set_num_threads(2)
program, out = runtime.kernel(Slow(1_000_000, 2)), np.zeros(1)
threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    while True:
        program(out)
except KeyboardInterrupt:
    program(out)
    print("interrupted")
""")  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "interrupted\n", "")


def test_loader_workers_use_one_thread():
    done = in_process("""
from penlight.utils.data import DataLoader, Dataset
class Teams(Dataset):
    def __len__(self):
        return 4
    def __getitem__(self, i):
        seen = np.zeros(8, np.int64)
        runtime.kernel(Team(8))(seen)
        return penlight.from_numpy(seen)
penlight.set_num_threads(2)
assert Teams()[0].tolist() == [2, 2, 0, 0, 0, 0, 0, 0]
for seen in DataLoader(Teams(), num_workers=2):
    assert seen[0].tolist() == [1, 0, 0, 0, 0, 0, 0, 0], seen
""", OPENBLAS_NUM_THREADS="1")  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_system_without_threads():
    done = in_process("""
from penlight.compiler import native
find = native._address
native._address = lambda library, name: 0 if "pthread" in name else find(library, name)
penlight.set_num_threads(4)
seen = np.zeros(8, np.int64)
runtime.kernel(Team(8))(seen)
assert seen.tolist() == [1, 0, 0, 0, 0, 0, 0, 0], seen
assert os.fork() >= 0
""", OPENBLAS_NUM_THREADS="1")  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


# ---------------------------------------------------------------- in the background


def test_compile_soon():
    done = threading.Event()
    specs = [Add(n) for n in range(301, 305)]
    code.compile_soon(specs, lambda error: (answers.append(error), done.set()))
    answers: list[Exception | None] = []
    assert done.wait(30)
    assert answers == [None]
    for n in range(301, 305):
        a, b, c = arrays(n)
        runtime.kernel(Add(n))(a, b, c)
        np.testing.assert_array_equal(c, a + b)


class Broken(Add):
    def emit(self, e):
        raise ArithmeticError("no such kernel")


def test_compile_soon_tells_errors():
    done, answers = threading.Event(), []
    code.compile_soon([Broken(3)], lambda error: (answers.append(error), done.set()))
    assert done.wait(30)
    assert str(answers[0]) == "no such kernel"


def test_background_keeps_order_and_ends():
    background, seen = Background(), []
    for i in range(100):
        background.add(lambda i=i: seen.append(i))
    deadline = time.monotonic() + 10
    while background.thread is not None and time.monotonic() < deadline:
        time.sleep(0.001)
    assert seen == list(range(100))
    assert background.thread is None


def test_background_in_a_forked_process():
    done = in_process("""
ended = threading.Event()
code.compile_soon([Add(n) for n in range(1000, 1040)], lambda error: None)
child = os.fork()
if child == 0:
    code.compile_soon([Add(7)], lambda error: ended.set())
    os._exit(not ended.wait(20))
assert os.waitpid(child, 0)[1] == 0
""", OPENBLAS_NUM_THREADS="1")  # fmt: skip
    assert done.returncode == 0, done.stderr
