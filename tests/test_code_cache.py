"""Compiled code on disk: whole or made anew, whatever happens to the disk and the process."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from kernels_for_tests import Add
from penlight.cli.commands import penlight as command
from penlight.compiler import cache, code, native, runtime
from penlight.core.folders import cache_folder

HERE = Path(__file__).parent
CONTENT = bytes(range(256)) * 3


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The entries' folder, empty: the runtime is loaded already."""
    native.functions()
    monkeypatch.setenv("PENLIGHT_CACHE_DIR", str(tmp_path))
    cache._trim.cache_clear()
    return tmp_path / "code"


class Maker:
    """Makes content and counts how often."""

    def __init__(self, content: bytes = CONTENT):
        self.content, self.times = content, 0

    def __call__(self) -> bytes:
        self.times += 1
        return self.content


def only(folder: Path) -> Path:
    (found,) = folder.iterdir()
    return found


def test_made_once(folder):
    make = Maker()
    for _ in range(3):
        assert cache.keep("a", make) == CONTENT
    assert make.times == 1
    assert cache.usage() == (1, only(folder).stat().st_size)
    assert cache.keep("b", Maker(b"other")) == b"other"
    assert cache.keep("a", make) == CONTENT
    assert cache.usage()[0] == 2


def test_every_flipped_bit_is_found(folder):
    cache.keep("a", Maker())
    path = only(folder)
    whole = path.read_bytes()
    chosen = random.Random(0)
    places = [*range(cache.HEAD), *chosen.sample(range(cache.HEAD, len(whole)), 100)]
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << chosen.randrange(8)
        path.write_bytes(damaged)
        make = Maker()
        assert cache.keep("a", make) == CONTENT
        assert make.times == 1
        assert path.read_bytes() == whole


def test_every_length_but_the_right_one_is_found(folder):
    cache.keep("a", Maker())
    path = only(folder)
    whole = path.read_bytes()
    for length in (0, 1, len(cache.MAGIC), cache.HEAD - 1, cache.HEAD, len(whole) - 1):
        path.write_bytes(whole[:length])
        make = Maker()
        assert cache.keep("a", make) == CONTENT
        assert make.times == 1
    path.write_bytes(whole + b"\0")
    make = Maker()
    assert cache.keep("a", make) == CONTENT
    assert make.times == 1


def test_entry_under_another_name_is_foreign(folder):
    cache.keep("a", Maker(b"of a"))
    of_a = only(folder)
    cache.keep("b", Maker(b"of b"))
    (of_b,) = set(folder.iterdir()) - {of_a}
    of_b.write_bytes(of_a.read_bytes())
    assert cache.keep("b", Maker(b"of b")) == b"of b"
    assert cache.keep("a", Maker(b"new")) == b"of a"


def test_host_and_version_are_part_of_the_key(folder, monkeypatch):
    make = Maker()
    cache.keep("a", make)
    monkeypatch.setattr(cache, "host", lambda: "another machine")
    cache.keep("a", make)
    monkeypatch.setattr(cache, "_version", lambda: "another version")
    cache.keep("a", make)
    assert make.times == 3


# ---------------------------------------------------------------- disks


@pytest.mark.parametrize("name", ["write_bytes", "replace", "mkdir"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_disk_that_refuses(folder, monkeypatch, name, number):
    def refuse(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, name, refuse)
    make = Maker()
    assert cache.keep("a", make) == CONTENT
    assert cache.keep("a", make) == CONTENT
    assert make.times == 2
    monkeypatch.undo()
    assert not folder.exists() or not list(folder.iterdir())


def test_disk_that_fills_in_the_middle(folder, monkeypatch):
    write = Path.write_bytes

    def half(path, data):
        write(path, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", half)
        assert cache.keep("a", Maker()) == CONTENT
    assert list(folder.iterdir()) == []
    make = Maker()
    assert cache.keep("a", make) == CONTENT
    assert cache.keep("a", make) == CONTENT
    assert make.times == 1


def test_file_where_the_folder_should_be(folder):
    folder.write_text("in the way")
    assert cache.keep("a", Maker()) == CONTENT
    assert cache.usage() == (0, 0)


def test_no_home(monkeypatch):
    for name in ("PENLIGHT_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)

    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    assert cache.keep("a", Maker()) == CONTENT
    assert (cache.usage(), cache.clear()) == ((0, 0), 0)
    shown = CliRunner().invoke(command, ["info"])
    assert "none: no home folder" in shown.output


def test_folder_by_environment(monkeypatch, tmp_path):
    monkeypatch.delenv("PENLIGHT_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "penlight"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache_folder() == Path.home() / ".cache" / "penlight"
    monkeypatch.setenv("PENLIGHT_CACHE_DIR", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"


def test_oldest_go_first(folder, monkeypatch):
    for age, key in enumerate("abcd"):
        before = set(folder.iterdir()) if folder.exists() else set()
        cache.keep(key, Maker())
        (path,) = set(folder.iterdir()) - before
        os.utime(path, (time.time() - 100 * age,) * 2)
    size = path.stat().st_size
    (folder / "x.1.1.part").write_bytes(b"left by a killed process")
    os.utime(folder / "x.1.1.part", (0, 0))
    monkeypatch.setattr(cache, "LIMIT", 2 * size)
    cache._trim.cache_clear()
    cache.keep("e", Maker())
    known = {key: Maker() for key in "abcde"}
    assert cache.usage() == (3, 3 * size)
    for key in "abe":
        cache.keep(key, known[key])
    assert [make.times for make in known.values()] == [0, 0, 0, 0, 0]
    for key in "cd":
        cache.keep(key, known[key])
    assert [make.times for make in known.values()] == [0, 0, 1, 1, 0]


# ---------------------------------------------------------------- processes

FILL = """
import sys
from penlight.compiler import cache
for i in range(int(sys.argv[1])):
    content = str(i % 100).encode() * 5000
    if cache.keep(str(i % 100), lambda: content) != content:
        sys.exit("wrong content")
    if i % 7 == 0:
        cache.clear()
print("filled")
"""


def filler(folder: Path, turns: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", FILL, str(turns)],
        env={**os.environ, "PENLIGHT_CACHE_DIR": str(folder.parent)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_processes_at_once(folder):
    processes = [filler(folder, 500) for _ in range(3)]
    for process in processes:
        assert process.communicate(timeout=60) == ("filled\n", "")


def test_killed_while_writing(folder):
    process = filler(folder, 10**9)
    chosen = random.Random(0)
    try:
        for _ in range(5):
            while not folder.exists() or not any(folder.iterdir()):
                time.sleep(0.001)
            time.sleep(0.05 * chosen.random())
            process.send_signal(signal.SIGKILL)
            process.communicate()
            for i in range(100):
                expected = str(i).encode() * 5000
                assert cache.keep(str(i), Maker(expected)) == expected
            cache.clear()
            process = filler(folder, 10**9)
    finally:
        process.kill()
        process.communicate()


# ---------------------------------------------------------------- kernels


def add(n: int) -> np.ndarray:
    x, y, z = np.arange(3 * n, dtype=np.float32).reshape(3, n)
    runtime.kernel(Add(n))(x, y, z)
    np.testing.assert_array_equal(z, x + y)
    return z


def test_kernel_from_disk(folder, monkeypatch):
    add(77)
    assert cache.usage()[0] == 1
    code._addresses.clear()

    def compile_again(text):
        raise AssertionError("compiled again")

    monkeypatch.setattr(code.llvm, "assemble", compile_again)
    add(77)


def test_damaged_kernel(folder):
    add(78)
    path = only(folder)
    data = bytearray(path.read_bytes())
    data[-100:] = bytes(100)
    path.write_bytes(data)
    code._addresses.clear()
    add(78)
    code._addresses.clear()
    assert path.read_bytes() != data


def test_info_shows_and_clears(folder):
    add(79)
    run = CliRunner().invoke
    shown = run(command, ["info"])
    assert (shown.exit_code, "code cache   1 entries" in shown.output) == (0, True), shown.output
    cleared = run(command, ["info", "--clear-cache"])
    assert cleared.output == "removed 1 entries of compiled code\n"
    assert list(folder.iterdir()) == []
    assert "code cache   0 entries (0.0 MiB)" in run(command, ["info"]).output
    assert run(command, ["info", "--clear-cache"]).exit_code == 0
