"""20,000 damaged or hostile checkpoints: none runs anything, crashes, or takes memory out of scale.

Every file is made and read in memory. While one is read, an audit hook watches for imports, calls
into the system and opened files, and tracemalloc for memory beyond the file's own scale.
"""

import collections
import contextlib
import io
import pickle
import random
import struct
import sys
import tracemalloc
import zipfile

import numpy as np
import pytest
import torch

import penlight
from penlight.core.tensor import Tensor
from penlight.io.archive import ArchiveReader, ArchiveWriter
from penlight.io.pickler import Call, Elsewhere, Name, dumps

ERRORS = (RuntimeError, ValueError, pickle.UnpicklingError, EOFError)
SCALE, SPARE = 256, 100_000  # bytes of memory allowed per byte of the file, and in any case

WATCHED = (
    *("import", "exec", "compile", "open", "pickle.find_class", "ctypes", "socket", "subprocess"),
    *("os.", "shutil", "code.", "marshal", "sys._getframe", "builtins.input"),
)
watching, heard = False, []


def listen(event, arguments):
    if watching and event.startswith(WATCHED):
        heard.append((event, arguments))


sys.addaudithook(listen)
ran = []  # what a payload would append to, could it run


def payload(*_):
    ran.append(1)


class Plant:
    """Pickles into a call."""

    def __reduce__(self):
        return payload, ()


def attempt(data):
    """Load `data` under watch: ("value", what came) or ("error", the error)."""
    global watching
    file, load = io.BytesIO(data), penlight.load  # found before anybody listens
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    watching = True
    try:
        outcome = "value", load(file)
    except ERRORS as error:
        outcome = "error", error
    finally:
        watching = False
    peak = tracemalloc.get_traced_memory()[1] - before
    assert peak < SCALE * len(data) + SPARE, f"{peak} bytes of memory for a file of {len(data)}"
    noise = heard[:]
    heard.clear()
    assert not noise and not ran
    if outcome[0] == "error":
        assert len(str(outcome[1])) > 15  # it says something
    return outcome


@pytest.fixture(autouse=True, scope="module")
def traced():
    for data in files():  # what is imported late is imported now
        penlight.load(io.BytesIO(data))
        with contextlib.suppress(*ERRORS):
            penlight.load(io.BytesIO(data[:-1]))
    tracemalloc.start()
    yield
    tracemalloc.stop()


def value():
    base = torch.arange(12.0).reshape(3, 4)
    state = collections.OrderedDict(
        weight=base, row=base[1], bias=torch.nn.Parameter(torch.ones(2))
    )
    return {
        "model": state,
        "optimizer": {"state": {0: {"step": 3, "avg": base.t()}}, "param_groups": [{"lr": 0.1}]},
        "other": [torch.ones(3, dtype=torch.bfloat16), torch.zeros(2, dtype=torch.uint16)],
        "plain": (1, 2.5, "text", None, True, {1, 2}, b"bytes", 1j, torch.Size([1, 2])),
        "torch": (torch.float32, torch.device("cuda:1")),
    }


def files():
    """Good files: the zip format, a newer protocol, and the format before version 1.6."""
    kept = files.__dict__.setdefault("kept", [])
    if not kept:
        for how in ({}, {"pickle_protocol": 5}, {"_use_new_zipfile_serialization": False}):
            file = io.BytesIO()
            obj = value()
            if len(how) and "pickle_protocol" not in how:
                obj["other"].pop()  # the old format has no untyped storages
            torch.save(obj, file, **how)
            kept.append(file.getvalue())
    return kept


def fingerprint(obj):
    """Text that two equal values share, bits included."""
    if isinstance(obj, Tensor):
        return f"{obj.dtype}{tuple(obj.shape)}{obj.requires_grad}{obj._array.tobytes()}"
    if isinstance(obj, dict):
        return f"{type(obj)}{[(repr(k), fingerprint(v)) for k, v in obj.items()]}"
    if isinstance(obj, list | tuple):
        return f"{type(obj)}{[fingerprint(v) for v in obj]}"
    return repr(obj)


def entries(data):
    reader = ArchiveReader(io.BytesIO(data))
    names = [n.split("/", 1)[1] for n in zipfile.ZipFile(io.BytesIO(data)).namelist()]
    return {name: reader.read(name).tobytes() for name in names}


def packed(parts):
    """An archive, checksums right, with these entries."""
    file = io.BytesIO()
    writer = ArchiveWriter(file, "archive")
    for name, data in parts.items():
        writer.add(name, data)
    writer.finish()
    return file.getvalue()


def damaged(data, rng):
    """One of the ways in which files break."""
    data = bytearray(data)
    kind = rng.randrange(5)
    at = rng.randrange(len(data))
    if kind == 0:
        del data[at:]
    elif kind == 1:
        data[at : at + rng.randrange(1, 200)] = b""
    elif kind == 2:
        width = rng.randrange(1, 200)
        data[at : at + width] = bytes(len(data[at : at + width]))
    elif kind == 3:
        data[at:at] = rng.randbytes(rng.randrange(1, 100))
    else:
        other = rng.randrange(len(data))
        width = rng.randrange(1, 100)
        data[at : at + width] = data[other : other + width]
    return bytes(data)


@pytest.mark.parametrize("seed", range(4))
def test_6000_bit_flips_in_archives_never_change_a_value(seed):
    rng = random.Random(seed)
    for data in files()[:2]:
        want = fingerprint(penlight.load(io.BytesIO(data)))
        for _ in range(750):
            changed = bytearray(data)
            for _ in range(rng.choice((1, 1, 1, 2, 8))):
                changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            kind, got = attempt(bytes(changed))
            # a flip in the padding, or in a date, says nothing about the values
            assert kind == "error" or fingerprint(got) == want


@pytest.mark.parametrize("seed", range(2))
def test_3000_truncations_and_torn_files(seed):
    rng = random.Random(seed)
    for data in files()[:2]:
        want = fingerprint(penlight.load(io.BytesIO(data)))
        for _ in range(750):
            kind, got = attempt(damaged(data, rng))
            assert kind == "error" or fingerprint(got) == want


@pytest.mark.parametrize("seed", range(4))
def test_6000_forged_pickles_with_right_checksums(seed):
    rng = random.Random(seed)
    opcodes = [getattr(pickle, name) for name in pickle.__all__ if name.isupper()]
    opcodes = [opcode for opcode in opcodes if isinstance(opcode, bytes)]
    for data in files()[:2]:
        parts = entries(data)
        program = parts["data.pkl"]
        for _ in range(750):
            changed = bytearray(program)
            for _ in range(rng.choice((1, 1, 2, 5))):
                at = rng.randrange(len(changed))
                if rng.random() < 0.5:
                    changed[at : at + 1] = rng.choice(opcodes)
                elif rng.random() < 0.5:
                    changed[at] = rng.randrange(256)
                else:
                    changed = bytearray(damaged(changed, rng)) or bytearray(b".")
            attempt(packed({**parts, "data.pkl": bytes(changed)}))


def test_2000_damaged_files_of_the_old_format():
    rng = random.Random(0)
    data = files()[2]
    for number in range(2000):
        changed = bytearray(data)
        if number % 2:
            changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        else:
            changed = damaged(data, rng)
        attempt(bytes(changed))  # it has no checksums: the damaged value may come


CODE = [
    *(
        "os.system",
        "posix.system",
        "nt.system",
        "subprocess.Popen",
        "builtins.eval",
        "builtins.exec",
    ),
    *(
        "__builtin__.eval",
        "builtins.__import__",
        "builtins.getattr",
        "builtins.open",
        "runpy.run_path",
    ),
    *("importlib.import_module", "pickle.loads", "torch.load", "torch.hub.load", "shutil.rmtree"),
    *("operator.attrgetter", "functools.partial", "types.FunctionType", "types.CodeType"),
    *("torch.storage._load_from_bytes", "numpy.load", "code.interact", "webbrowser.open"),
    *("torch._utils._rebuild_tensor_v2.__globals__", "collections.OrderedDict.__init__"),
    *("torch.nn.modules.linear.Linear", "copyreg._reconstructor", "copy_reg._reconstructor"),
    *("penlight.load", "penlight.io.checkpoint.save", "__main__.payload", "ctypes.CDLL"),
    *("builtins.setattr", "builtins.compile", "builtins.breakpoint", "builtins.input", "sys.exit"),
    *(
        "builtins.object",
        "builtins.type",
        "builtins.print",
        "builtins.memoryview",
        "builtins.range",
    ),
]


def code_running_programs():
    """Each name, called by each opcode that can call, import or set a state."""
    text = pickle.BINUNICODE + struct.pack("<I", 12) + b"echo 'owned'"
    for full in CODE:
        module, name = full.rsplit(".", 1)
        by_line = f"{module}\n{name}\n".encode()
        short = [pickle.SHORT_BINUNICODE + bytes([len(t)]) + t.encode() for t in (module, name)]
        named = pickle.GLOBAL + by_line
        stacked = short[0] + short[1] + pickle.STACK_GLOBAL
        for get in (named, stacked):
            yield get + text + pickle.TUPLE1 + pickle.REDUCE
            yield get + text + pickle.TUPLE1 + pickle.NEWOBJ
            yield get + text + pickle.TUPLE1 + pickle.EMPTY_DICT + pickle.NEWOBJ_EX
            yield pickle.MARK + get + text + pickle.OBJ
            yield get + pickle.EMPTY_DICT + pickle.BUILD
            yield get
        yield pickle.MARK + text + pickle.INST + by_line
        yield pickle.PERSID + by_line
        yield text + pickle.BINPERSID
        yield from (pickle.EXT1 + b"\1", pickle.EXT2 + b"\1\0", pickle.EXT4 + b"\1\0\0\0")
        yield pickle.MARK + named + pickle.DICT
        yield pickle.STRING + b"'text'\n" + named
        # behind honest values, and with honest constructors
        yield (
            pickle.EMPTY_DICT + text + named + text + pickle.TUPLE1 + pickle.REDUCE + pickle.SETITEM
        )
        honest = pickle.GLOBAL + b"collections\nOrderedDict\n" + pickle.EMPTY_TUPLE + pickle.REDUCE
        yield honest + text + named + pickle.SETITEM
        yield honest + pickle.EMPTY_DICT + short[1] + named + pickle.SETITEM + pickle.BUILD


def test_every_code_running_opcode_and_name():
    count = 0
    for body in code_running_programs():
        for protocol in (b"\2", b"\4"):
            program = pickle.PROTO + protocol + body + pickle.STOP
            kind, error = attempt(packed({"data.pkl": program}))
            assert kind == "error" and isinstance(error, pickle.UnpicklingError), body
            count += 1
    assert count > 1500


def test_pickles_of_planted_objects():
    for protocol in range(6):
        for plant in (Plant(), [Plant()], {"a": Plant()}, (1, {2: [Plant()]})):
            kind, error = attempt(packed({"data.pkl": pickle.dumps(plant, protocol)}))
            assert kind == "error"
            if protocol >= 2:
                assert "payload was not an allowed global" in str(error)
    assert not ran
    pickle.loads(pickle.dumps(Plant()))  # in Python's own reader it does run
    assert ran.pop()


def rebuild(count, offset, size, stride, storage="FloatStorage", requires_grad=False, **parts):
    """A file with one tensor that claims these numbers over a storage of 8 floats."""
    place = Elsewhere(("storage", Name("torch", storage), "0", "cpu", count))
    hooks = collections.OrderedDict()
    form = (place, offset, size, stride, requires_grad, hooks)
    program = dumps(Call(Name("torch._utils", "_rebuild_tensor_v2"), form))
    return packed({"data.pkl": program, "data/0": np.ones(8, np.float32).view(np.uint8), **parts})


def test_1500_wrong_sizes_and_huge_counts():
    assert attempt(rebuild(8, 0, (8,), (1,)))[1]._array.tolist() == [1] * 8
    numbers = (-(2**63), -1, 0, 1, 7, 8, 9, 2**31, 2**40, 2**62, 2**63 - 1, 2**63, 2**64, 2**100)
    rng = random.Random(0)
    for _ in range(1500):
        rank = rng.randrange(4)
        size = tuple(rng.choice(numbers) for _ in range(rank))
        stride = tuple(rng.choice(numbers) for _ in range(rank + (rng.random() < 0.1)))
        count = rng.choice((8, 8, 8, *numbers))
        kind, got = attempt(rebuild(count, rng.choice((0, 0, *numbers)), size, stride))
        if kind == "value":
            low, high = np.lib.array_utils.byte_bounds(got._array) if got._array.size else (0, 0)
            assert high - low <= 32 and count == 8


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ((9, 0, (9,), (1,)), "should have 9 elements of 4 bytes, but the file has 32 bytes"),
        ((10**12, 0, (10**12,), (1,)), "should have 1000000000000 elements"),
        ((8, 0, (9,), (1,)), "out of bounds for storage of size 32"),
        ((8, 1, (8,), (1,)), "out of bounds for storage of size 32"),
        ((8, 0, (2, 2), (7, 2)), "out of bounds for storage of size 32"),
        ((8, -1, (8,), (1,)), "none negative"),
        ((8, 0, (-8,), (1,)), "none negative"),
        ((8, 7, (8,), (-1,)), "none negative"),
        ((8, 0, (8,), (1, 1)), "mismatch in length of strides and shape"),
        ((8, 0, (8.0,), (1,)), "must be integers"),
        ((8, 0, (True,), (1,)), "must be integers"),
        ((8, 0, [8], (1,)), "expected tuple or Size, got list"),
        ((8, 0, (2**62, 2**62), (0, 0)), "got wrong arguments"),
        ((8, 0, (1,) * 100, (1,) * 100), "got wrong arguments"),
        ((8, 0, (8,), (1,), "LongStorage"), "should have 8 elements of 8 bytes"),
        ((8, 0, (8,), (1,), "FloatTensor"), "GLOBAL torch.FloatTensor was not an allowed global"),
        ((8, 0, (8,), (1,), "FloatStorage", 1), "expected bool, got int"),
        ((32, 0, (32,), (1,), "ByteStorage", True), "can require gradients"),
    ],
    ids=str,
)
def test_what_a_wrong_tensor_is_told(form, words):
    kind, error = attempt(rebuild(*form))
    assert kind == "error" and words in str(error)


def program(*pieces):
    return packed({"data.pkl": b"\x80\2" + b"".join(pieces) + b".", "data/0": b""})


def binput(index):
    return pickle.LONG_BINPUT + struct.pack("<I", index)


TEXT = pickle.BINUNICODE + struct.pack("<I", 5000) + b"a" * 5000
ENCODE = pickle.GLOBAL + b"_codecs\nencode\n"
LATIN1 = pickle.BINUNICODE + struct.pack("<I", 6) + b"latin1"
REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n("
STORED = b"(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\x000X\3\0\0\0cpuK\0t"
LAUGHS = b")" + (binput(9) + b"h\x09\x86") * 60  # each tuple holds the one before twice


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (program(pickle.BINUNICODE + b"\xff\xff\xff\xff" + b"abc"), "ends early: 4294967295 bytes"),
        (program(pickle.BINUNICODE8 + b"\xff" * 8 + b"abc"), "the pickle ends early"),
        (program(pickle.BINBYTES8 + b"\xff" * 7 + b"\x7f" + b"abc"), "the pickle ends early"),
        (program(pickle.BYTEARRAY8 + b"\0\0\0\0\0\1\0\0"), "the pickle ends early"),
        (program(pickle.FRAME + b"\xff" * 8 + b"N"), "a frame is longer than the file"),
        (program(pickle.LONG4 + b"\xff\xff\xff\x7f"), "Unsupported operand 139 (LONG4)"),
        (program(pickle.LONG + b"9" * 10000 + b"L\n"), "Unsupported operand 76 (LONG)"),
        (program(b"(" * 5000), "nested more than 1000 deep"),
        (program(b")" + b"\x85" * 5000), "nested more than 1000 deep"),
        (program(b"]" * 5000 + b"a" * 4999), "nested more than 1000 deep"),
        (program(TEXT, ENCODE, binput(1), b"0"), "Unsupported operand 48 (POP)"),
        (program(TEXT, binput(2), ENCODE, binput(1), LATIN1, binput(3), b"(",
                 *[b"h\1h\2h\3\x86R"] * 1000, b"l"), "more than 16 times its own length in copies"),
        (program(b"}", LAUGHS, b"Ns"), "a dictionary's key has more than 1000 parts"),
        (program(b"\x8f(", LAUGHS, b"\x90"), "a dictionary's key has more than 1000 parts"),
        (program(LAUGHS, b"Q"), "a storage is named ('storage', type, key, location, count)"),
        (program(LAUGHS, b"R"), "takes a value from an empty stack"),
        (program(b"ctorch\nSize\n", LAUGHS, b"R"), "torch.Size got wrong arguments"),
        (program(b"ctorch\nSize\n", LAUGHS, b"\x85R"), "torch.Size got wrong arguments"),
        (program(b"ctorch\ndevice\n", LAUGHS, b"\x85R"), "torch.device got wrong arguments"),
        (program(b"ccollections\nOrderedDict\n)R}", LAUGHS, b"Nsb"), "more than 1000 parts"),
        (program(REBUILD, STORED, b"QK\0", LAUGHS, b")\x89NtR"), "must be integers"),
        (program(b"}]Ns"), "a dictionary's key cannot be a list"),
        (program(b"}\x8a\x09" + b"\xff" * 8 + b"\x01Ns"), "integer of more than 64 bits"),
        (program(b"}(Nu"), "a dictionary's key has no value"),
        (program(b"]Ns"), "adds to a dict or OrderedDict or Counter, but got nothing"),
        (program(b"a"), "takes a value from an empty stack"),
        (program(b"NNa"), "adds to a list, but got NoneType"),
        (program(b"NNNs"), "adds to a dict or OrderedDict or Counter, but got NoneType"),
        (program(b"e"), "closes a mark that it never opened"),
        (program(b"h\7"), "recalls value 7, which it never remembered"),
        (program(b"q\7"), "remembers a value of an empty stack"),
        (program(b"NN"), "ends with values left over"),
        (program(b"(N"), "ends with values left over"),
        (program(b"N}b"), "adds to a OrderedDict, but got NoneType"),
        (program(b"\x80\x09N"), "unsupported pickle protocol: 9"),
        (program(b"ctorch\nFloatStorage\n"), "holds torch.FloatStorage itself"),
        (program(b"ctorch\nSize\n"), "holds torch.Size itself"),
        (program(b"ctorch\nSize\n(K\1K\2tR"), "torch.Size got wrong arguments"),
        (program(b"ctorch\ndevice\nX\3\0\0\0abc\x85R"), "Expected one of cpu"),
        (program(b"ctorch\nSize\nNR"), "Trying to call reduce for unrecognized function"),
        (program(b"N)R"), "Trying to call reduce for unrecognized function NoneType"),
        (program(b"c__builtin__\ncomplex\nX\1\0\0\x001\x85R"), "complex got wrong arguments"),
        (program(b"ccollections\nCounter\nX\1\0\0\x001\x85R"), "Counter got wrong arguments"),
        (program(b"ccollections\nOrderedDict\n)R}X\5\0\0\0itemsNsb"), "may not get an attribute"),
        (program(b"X\2\0\0\0\xff\xff"), "a text is not UTF-8"),
        (program(b"cos"), "ends inside a name"),
        (program(b"\xff"), "Unsupported operand 255 (no opcode) at byte 2"),
        (packed({"data.pkl": b""}), "the pickle ends early"),
        (packed({"other": b""}), "file not found: archive/data.pkl"),
        (packed({"data.pkl": b"N.", "byteorder": b"middle"}), "Unknown endianness type"),
        (rebuild(8, 0, (8,), (1,)).replace(b"data/0", b"data/1"), "file not found"),
        (b"PK\3\4" + b"\0" * 100, "failed finding central directory"),
        (b"not a checkpoint", "Unsupported operand 110"),
    ],
)  # fmt: skip
def test_what_a_forged_pickle_is_told(data, words):
    kind, error = attempt(data)
    assert kind == "error" and words in str(error)


def test_1000_zip_bombs_and_forged_directories():
    rng = random.Random(0)
    zeros = bytes(50_000_000)
    with_method = []
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", method) as archive:
            archive.writestr("archive/data.pkl", b"N.")
            archive.writestr("archive/data/0", zeros)
        with_method.append(file.getvalue())
    for bomb in with_method:
        kind, error = attempt(bomb)
        assert kind == "error" and "stored plain" in str(error)
    honest = rebuild(8, 0, (8,), (1,))
    start = zipfile.ZipFile(io.BytesIO(honest)).start_dir
    starts = [at for at in range(start, len(honest)) if honest[at : at + 4] == b"PK\1\2"]
    # of a directory record: flags, method, checksum, two sizes, three lengths, header's offset
    fields = [(8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (30, 2), (32, 2), (42, 4)]
    ends = [(b"PK\5\6", 8, 2), (b"PK\5\6", 10, 2), (b"PK\5\6", 12, 4), (b"PK\5\6", 16, 4),
            (b"PK\5\6", 20, 2), (b"PK\6\6", 24, 8), (b"PK\6\6", 40, 8), (b"PK\6\6", 48, 8),
            (b"PK\6\7", 8, 8)]  # fmt: skip
    for number in range(1000):
        data = bytearray(honest)
        for _ in range(rng.choice((1, 1, 2, 3))):
            if number % 3:
                offset, width = rng.choice(fields)
                at = rng.choice(starts) + offset
            else:
                mark, offset, width = rng.choice(ends)
                at = honest.rfind(mark) + offset
            top = 256**width
            new = rng.choice((0, 1, 63, 64, top - 1, top - 2, top // 2, rng.randrange(top)))
            data[at : at + width] = new.to_bytes(width, "little")
        kind, got = attempt(bytes(data))
        assert kind == "error" or got._array.tolist() == [1] * 8


def test_overlapping_entries_are_refused():
    """Many directory records over the same bytes: a bomb without compression."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", b"N.")
        archive.writestr("archive/data/0", bytes(10_000))
        original = archive.infolist()[1]
        for number in range(1, 500):
            twin = zipfile.ZipInfo(f"archive/data/{number}")
            for field in ("header_offset", "file_size", "compress_size", "CRC"):
                setattr(twin, field, getattr(original, field))
            archive.filelist.append(twin)
            archive.NameToInfo[twin.filename] = twin
    kind, error = attempt(file.getvalue())
    assert kind == "error" and "another name" in str(error)
    data = file.getvalue()
    same = data.replace(b"archive/data/1PK", b"archive/data/0PK")
    kind, error = attempt(same)
    assert kind == "error"


def test_nested_entries_are_refused():
    """An entry inside another entry's bytes, header and all."""
    inner = packed({"data.pkl": b"N."})
    honest = packed({"data/0": inner, "data.pkl": b"N."})
    start = zipfile.ZipFile(io.BytesIO(honest)).start_dir
    record = honest.index(b"PK\1\2", start + 1)
    data = bytearray(honest)
    struct.pack_into("<I", data, record + 42, honest.index(inner))
    kind, error = attempt(bytes(data))
    assert kind == "error" and "overlap" in str(error)


def test_the_allocation_check_can_fail():
    with pytest.raises(AssertionError, match="bytes of memory"):
        data = packed({"data.pkl": b"N."})
        original, penlight.load = penlight.load, lambda file: np.ones(10**7)
        try:
            attempt(data)
        finally:
            penlight.load = original
