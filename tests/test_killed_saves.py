"""200 saves killed at random moments: the old file or the new one is there each time, whole."""

import json
import subprocess
import sys

import pytest

# One process imports penlight and then forks a saver for each round, which is killed while it saves
# again and again. Save number n writes tensors full of n, so a mixture of two saves would show.
SCRIPT = r"""
import json, os, random, signal, sys, time
import numpy as np
from penlight.core.tensor import wrap
from penlight.io import atomic_write, load, safetensors, save

kind, folder, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
path = os.path.join(folder, "checkpoint." + kind)

def write(number):
    tensors = {name: wrap(np.full((200, 300), number)) for name in "abc"}
    if kind == "pt":
        save({"number": number, **tensors}, path)
    elif kind == "safetensors":
        safetensors.save_file(tensors, path, {"number": str(number)})
    else:
        with atomic_write(path, "w") as file:
            for _ in range(1000):
                file.write(f"{number:9d}\n" * 100)

def read():
    if kind == "txt":
        with open(path) as file:
            lines = file.read().splitlines()
        values = {int(line) for line in lines}
        assert len(lines) == 100_000
    else:
        value = load(path)
        values = {value.pop("number")} if kind == "pt" else set()
        assert sorted(value) == ["a", "b", "c"]
        for tensor in value.values():
            values.update(np.unique(tensor._array).tolist())
    assert len(values) == 1, values
    return values.pop()

rng = random.Random(kind)
start = time.perf_counter()
write(0)
usual = time.perf_counter() - start
number = interrupted = replaced = 0
for _ in range(rounds):
    child = os.fork()
    if child == 0:
        while True:
            number += 1
            write(number)
    time.sleep(rng.uniform(0, 3 * usual))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    found = read()
    assert found >= number
    replaced += found > number
    number = found
    interrupted += any(name.endswith(".tmp") for name in os.listdir(folder))
write(number + 1)
assert read() == number + 1
print(json.dumps([interrupted, replaced, sorted(os.listdir(folder))]))
"""


@pytest.mark.parametrize(("kind", "rounds"), [("pt", 120), ("safetensors", 40), ("txt", 40)])
def test_200_kills(tmp_path, kind, rounds):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, kind, str(tmp_path), str(rounds)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    interrupted, replaced, names = json.loads(done.stdout)
    assert interrupted >= rounds // 4  # the kills did fall into saves,
    assert replaced >= rounds // 10  # and others after one
    assert names == [f"checkpoint.{kind}"]  # what the killed left behind is gone
