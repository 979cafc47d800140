"""Checkpoints in both directions: what PyTorch saves loads here, what is saved here loads there."""

import collections
import io
import os
import pathlib
import pickle
import stat
import zipfile

import ml_dtypes
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import penlight
from penlight.core import dtype as dtypes
from penlight.core.tensor import Tensor, wrap
from penlight.io import archive, atomic_write
from penlight.io import safetensors as pl_safetensors
from penlight.io.pickler import dumps
from penlight.io.unpickler import Unpickler
from penlight.nn.parameter import Parameter, UninitializedParameter

COMMON = [d for d in dtypes.ALL if hasattr(torch, d.name)]


def saved(obj):
    file = io.BytesIO()
    penlight.save(obj, file)
    return file.getvalue()


def torch_saved(obj, **how):
    file = io.BytesIO()
    torch.save(obj, file, **how)
    return file.getvalue()


def here(data, **how):
    return penlight.load(io.BytesIO(data), **how)


def there(data):
    return torch.load(io.BytesIO(data), weights_only=True)


def raw(tensor):
    """The bytes of a tensor of either package, in C order."""
    if isinstance(tensor, Tensor):
        return np.ascontiguousarray(tensor._array).tobytes()
    flat = tensor.detach().contiguous().reshape(-1)
    return bytes(flat.view(torch.uint8).numpy()) if flat.numel() else b""


def torch_tensor(dtype, shape=(3, 4)):
    element = getattr(torch, dtype.name)
    values = torch.arange(int(np.prod(shape)), dtype=torch.float32).reshape(shape) - 2
    return (
        values.abs().to(element)
        if dtype.name.startswith(("u", "float8_e8"))
        else values.to(element)
    )


@pytest.mark.filterwarnings("ignore:ComplexHalf support is experimental")
@pytest.mark.parametrize("dtype", COMMON, ids=repr)
@pytest.mark.parametrize("shape", [(3, 4), (), (0, 2)], ids=str)
def test_every_dtype_goes_both_ways(dtype, shape):
    theirs = torch_tensor(dtype, shape) if shape else torch_tensor(dtype, (1,))[0]
    ours = here(torch_saved(theirs))
    assert (ours.dtype, tuple(ours.shape)) == (dtype, shape)
    assert raw(ours) == raw(theirs)
    back = there(saved(ours))
    assert (back.dtype, back.shape) == (theirs.dtype, theirs.shape)
    assert raw(back) == raw(theirs)


def test_shared_memory_is_shared_both_ways():
    base = torch.arange(12.0).reshape(3, 4)
    theirs = {"base": base, "row": base[1], "turned": base.t(), "step": base[:, ::2], "again": base}
    ours = here(torch_saved(theirs))
    back = there(saved(ours))
    for name in theirs:
        assert raw(ours[name]) == raw(theirs[name]) == raw(back[name])
        assert back[name].stride() == theirs[name].stride()
        assert back[name].storage_offset() == theirs[name].storage_offset()
    assert ours["again"] is ours["base"] and back["again"] is back["base"]
    ours["row"]._array[:] = -1
    back["row"][:] = -1
    assert (ours["turned"]._array[:, 1] == -1).all() and (back["turned"][:, 1] == -1).all()


def test_a_view_brings_the_whole_storage_of_its_base():
    large = penlight.arange(1, 1000)
    small = large[0:5]
    assert there(saved(small)).untyped_storage().nbytes() == 999 * 8
    assert there(saved(small.clone())).untyped_storage().nbytes() == 5 * 8


def test_from_numpy_of_a_slice_saves_the_slice_only():
    memory = np.arange(1000.0)
    first, second = wrap(memory[2:4]), wrap(memory[3:6])
    assert there(saved(first)).untyped_storage().nbytes() == 16
    both = there(saved([first, second]))
    both[1][0] = -1
    assert both[0].tolist() == [2, -1] and both[0].untyped_storage().nbytes() == 32


def test_strides_that_no_torch_tensor_has_are_copied():
    backwards = wrap(np.arange(6.0).reshape(2, 3)[::-1, ::-1])
    assert there(saved(backwards)).tolist() == [[5, 4, 3], [2, 1, 0]]


def test_expanded_tensors_stay_small():
    assert there(saved(wrap(np.broadcast_to(np.float32(2), (1000, 1000))))).sum() == 2e6
    theirs = torch_saved(torch.ones(1).expand(10**6))
    assert len(theirs) < 5000 and here(theirs)._array.strides == (0,)


def test_parameters_gradients_flags_and_attributes():
    parameter = torch.nn.Parameter(torch.ones(2), requires_grad=False)
    noted = torch.nn.Parameter(torch.ones(2))
    noted.tag = "head"
    tensor = torch.ones(2, requires_grad=True)
    tensor.tag = ["tail"]
    ours = here(torch_saved([parameter, noted, tensor]))
    back = there(saved(ours))
    for loaded, kind in ((ours, Parameter), (back, torch.nn.Parameter)):
        assert [type(t) is kind for t in loaded] == [True, True, False]
        assert [t.requires_grad for t in loaded] == [False, True, True]
        assert (loaded[1].tag, loaded[2].tag) == ("head", ["tail"])


def test_a_computed_tensor_comes_back_as_a_leaf():
    x = penlight.ones(2, requires_grad=True)
    back = here(saved(x * 3))
    assert back.is_leaf and back.requires_grad and back.tolist() == [3, 3]


def test_conjugate_and_negative_bits_are_resolved():
    z = torch.tensor([1 + 2j, 3 - 1j])
    ours = here(torch_saved([z.conj(), z.clone().conj().imag]))
    assert ours[0]._array.tolist() == [1 - 2j, 3 + 1j]
    assert ours[1]._array.tolist() == [-2, 1]


def plain_values():
    state = collections.OrderedDict(b=1, a=2)
    state._metadata = collections.OrderedDict({"": {"version": 1}})
    shared = [1]
    return {
        "numbers": [0, 255, 256, 65535, 65536, -1, 2**31, -(2**31) - 1, 2**70, -(2**70), 1.5, -0.0],
        "odd": [None, True, False, float("inf"), 1j, "", "größe \ud800 数", 7],
        "bytes": [b"ab\xff", bytearray(b"xy"), bytearray()],
        "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)],
        "sets": {1, "a", (2, 3)},
        "long": list(range(2500)),
        "wide": {i: str(i) for i in range(1500)},
        "state": state,
        "count": collections.Counter("abca"),
        "twice": [shared, shared],
        3: {None: 1, 2.5: 2, (1, ("a",)): 3, False: 4},
    }


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_values_from_any_protocol(protocol):
    values = plain_values()
    loaded = here(torch_saved(values, pickle_protocol=protocol))
    assert repr(loaded) == repr(values)
    assert loaded["state"]._metadata == values["state"]._metadata
    assert type(loaded["state"]) is collections.OrderedDict
    assert loaded["twice"][0] is loaded["twice"][1]


def test_plain_values_to_torch():
    values = plain_values()
    loaded = there(saved(values))
    assert repr(loaded) == repr(values)
    assert loaded["state"]._metadata == values["state"]._metadata
    assert loaded["twice"][0] is loaded["twice"][1]


def test_torchs_own_values():
    theirs = [
        torch.Size([2, 3]),
        torch.device("cuda:1"),
        torch.device("cpu"),
        torch.bfloat16,
        torch.bool,
    ]
    ours = here(torch_saved(theirs))
    assert repr(ours) == repr(theirs) and isinstance(ours[0], penlight.Size)
    assert there(saved(ours)) == theirs


def test_a_value_that_contains_itself():
    cycle = {"list": []}
    cycle["list"].append(cycle)
    loaded = here(saved(cycle))
    assert loaded["list"][0] is loaded
    assert here(torch_saved(cycle))["list"][0] is not None


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**100), 2**100) | st.floats(allow_nan=False)
    | st.text(max_size=5) | st.binary(max_size=5) | st.complex_numbers(allow_nan=False),
    lambda inner: st.lists(inner, max_size=4) | st.tuples(inner, inner)
    | st.dictionaries(st.text(max_size=3) | st.integers(-9, 9), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(plain)
def test_pickles_are_pythons(value):
    program = dumps(value)
    assert repr(pickle.loads(program)) == repr(value)
    assert repr(here(saved(value))) == repr(value)
    names = {"builtins.complex", "_codecs.encode", "builtins.bytes"}
    table = {name: penlight.io.names.NAMES[name] for name in names}
    for protocol in (2, 4):
        theirs = pickle.dumps(value, protocol)
        assert repr(Unpickler(theirs, table).load()) == repr(value)


def test_the_archive_is_pytorchs_to_the_byte():
    state = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2)).state_dict()
    theirs = torch_saved(state)
    ours = saved(here(theirs))
    directory = zipfile.ZipFile(io.BytesIO(ours)).start_dir
    assert ours[:directory] == theirs[:directory]
    names = zipfile.ZipFile(io.BytesIO(ours)).namelist()
    assert "archive/.data/serialization_id" not in names  # a fingerprint that torch.load ignores


@pytest.mark.parametrize("unit", [1, 7, 64, 100])
def test_entries_are_aligned(unit):
    data = saved([wrap(np.arange(unit + i).astype(np.int8)) for i in range(5)])
    reader = archive.ArchiveReader(io.BytesIO(data))
    assert [reader.entry(f"data/{i}").offset % 64 for i in range(5)] == [0] * 5


def test_sizes_beyond_32_bits(monkeypatch):
    monkeypatch.setattr(archive, "_LIMIT32", 3000)  # so that 3000 bytes count as 4 GiB
    monkeypatch.setattr(archive, "_LIMIT16", 3)
    file = io.BytesIO()
    writer = archive.ArchiveWriter(file, "large")
    parts = {"a": os.urandom(10), "b": os.urandom(5000), "c": b"", "d": os.urandom(64)}
    for name, data in parts.items():
        writer.add(name, data)
    pieces = file.getvalue()
    assert [pieces.find(data) % 64 for data in parts.values() if data] == [0, 0, 0]


def test_paths_files_and_folders_inside_the_archive(tmp_path):
    for path in (tmp_path / "model.pt", str(tmp_path / "größe.pt")):
        penlight.save([1], path)
        folder = "model" if isinstance(path, pathlib.Path) else "archive"
        assert zipfile.ZipFile(path).namelist()[0] == f"{folder}/data.pkl"
        assert penlight.load(path) == torch.load(path) == [1]
    with open(tmp_path / "open.pt", "wb") as file:
        penlight.save([2], file)
    with open(tmp_path / "open.pt", "rb") as file:
        assert penlight.load(file) == [2]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["größe.pt", "model.pt", "open.pt"]


def test_a_file_that_only_writes_and_an_archive_behind_other_bytes():
    class Pipe:
        data = b"before"

        def write(self, piece):
            self.data += bytes(piece)

    pipe = Pipe()
    penlight.save({"a": wrap(np.ones(3))}, pipe)
    file = io.BytesIO(pipe.data)
    file.seek(6)
    assert penlight.load(file)["a"].tolist() == [1, 1, 1]


def test_a_file_without_readinto():
    class Plain:
        def __init__(self, data):
            self.inner = io.BytesIO(data)
            self.seek, self.tell, self.seekable = self.inner.seek, self.inner.tell, lambda: True

        def read(self, count=-1):
            return self.inner.read(min(count, 7) if count >= 0 else count)  # a slow one

    assert penlight.load(Plain(saved(wrap(np.arange(100))))).tolist() == list(range(100))


def test_mmap(tmp_path):
    path = tmp_path / "m.pt"
    torch.save({"a": torch.arange(5.0), "b": torch.ones(2, dtype=torch.bfloat16)}, path)
    before = path.read_bytes()
    ours = penlight.load(path, mmap=True)
    assert ours["a"].tolist() == [0, 1, 2, 3, 4] and ours["b"].dtype is penlight.bfloat16
    ours["a"]._array[0] = 9
    assert ours["a"].tolist()[0] == 9 and path.read_bytes() == before
    penlight.save(ours, path)  # over the file that is mapped
    assert torch.load(path, mmap=True)["a"].tolist() == [9, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="f must be a file path in order to use the mmap argument"):
        here(before, mmap=True)


def test_files_without_checksums():
    torch.serialization.set_crc32_options(False)
    try:
        data = torch_saved(torch.arange(3))
    finally:
        torch.serialization.set_crc32_options(True)
    assert here(data).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "values", [np.arange(5, dtype=">f4"), np.array([1 + 2j, 3j], ">c16")], ids=str
)
def test_files_of_the_other_byte_order(values):
    program = saved(wrap(values.astype(values.dtype.newbyteorder("<"))))
    source = archive.ArchiveReader(io.BytesIO(program))
    file = io.BytesIO()
    writer = archive.ArchiveWriter(file, "archive")
    writer.add("data.pkl", source.read("data.pkl"))
    writer.add("byteorder", b"big")
    writer.add("data/0", values.view(np.uint8))
    writer.finish()
    assert here(file.getvalue()).tolist() == values.tolist()


def test_files_from_before_version_1_6():
    values = plain_values()
    base = torch.arange(6.0)
    values["tensors"] = [base, base[2:4], torch.ones(2, 2, dtype=torch.int16).t()]
    values["parameter"] = torch.nn.Parameter(torch.zeros(3))
    loaded = here(torch_saved(values, _use_new_zipfile_serialization=False))
    first, second, third = loaded.pop("tensors")
    assert (first.tolist(), second.tolist()) == (base.tolist(), [2, 3])
    assert np.shares_memory(first._array, second._array)
    assert third.tolist() == [[1, 1], [1, 1]] and third.dtype is penlight.int16
    assert isinstance(loaded.pop("parameter"), Parameter)
    del values["tensors"], values["parameter"]
    assert repr(loaded) == repr(values)


def test_optimizer_state_goes_both_ways():
    weight = torch.nn.Parameter(torch.ones(3))
    theirs = torch.optim.Adam([weight], lr=0.1)
    weight.sum().backward()
    theirs.step()
    state = here(torch_saved(theirs.state_dict()))
    other = torch.optim.Adam([weight], lr=0.5)
    other.load_state_dict(there(saved(state)))
    assert repr(other.state_dict()) == repr(theirs.state_dict())


def test_training_goes_on_in_the_other_package():
    """A model and its optimizer, saved after three steps here, take the fourth step in both."""
    ours = penlight.nn.Sequential(penlight.nn.Linear(4, 3), penlight.nn.BatchNorm1d(3)).double()
    theirs = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3)).double()
    our_optimizer = penlight.optim.AdamW(ours.parameters(), lr=0.01)
    their_optimizer = torch.optim.AdamW(theirs.parameters(), lr=0.5)

    def step(model, optimizer, x):
        optimizer.zero_grad()
        (model(x) ** 2 + model(x)).sum().backward()
        optimizer.step()

    for _ in range(3):
        step(ours, our_optimizer, penlight.randn(5, 4).double())
    saved_here = there(
        saved([ours.state_dict(), our_optimizer.state_dict(), penlight.get_rng_state()])
    )
    theirs.load_state_dict(saved_here[0])
    their_optimizer.load_state_dict(saved_here[1])
    torch.set_rng_state(saved_here[2])
    x = torch.randn(5, 4).double()
    step(theirs, their_optimizer, x)
    step(ours, our_optimizer, penlight.randn(5, 4).double())
    for w, g in zip(theirs.parameters(), ours.parameters(), strict=True):
        np.testing.assert_allclose(g.numpy(force=True), w.numpy(force=True), atol=1e-9)
    back = here(torch_saved([theirs.state_dict(), their_optimizer.state_dict()]))
    ours.load_state_dict(back[0])
    our_optimizer.load_state_dict(back[1])
    assert repr(back[0]._metadata) == repr(theirs.state_dict()._metadata)


def test_map_location():
    data = saved([wrap(np.ones(2))])
    for place in ("cpu", penlight.device("cpu"), {"cpu": "cpu"}, lambda s, _: s, lambda *_: None):
        assert here(data, map_location=place)[0].tolist() == [1, 1]
    on_cuda = data.replace(b"X\x03\0\0\0cpu", b"X\x06\0\0\0cuda:0")
    with pytest.raises(RuntimeError):  # the sizes in the archive no longer fit
        here(on_cuda)
    with pytest.raises(RuntimeError, match="Attempting to deserialize object on a CUDA device"):
        here(data, map_location="cuda")
    with pytest.raises(TypeError, match="must return the storage or None"):
        here(data, map_location=lambda *_: 3)
    with pytest.raises(TypeError, match="map_location must be"):
        here(data, map_location=3)


def on_cuda():
    """A file whose storages were on a GPU."""
    source = archive.ArchiveReader(io.BytesIO(saved(wrap(np.ones(2)))))
    program = source.read("data.pkl").tobytes()
    file = io.BytesIO()
    writer = archive.ArchiveWriter(file, "archive")
    writer.add("data.pkl", program.replace(b"X\x03\0\0\0cpu", b"X\x06\0\0\0cuda:0"))
    writer.add("data/0", source.read("data/0"))
    writer.finish()
    return file.getvalue()


def test_files_from_a_gpu():
    with pytest.raises(
        RuntimeError, match=r"map_location=torch.device\('cpu'\) to map your storages"
    ):
        here(on_cuda())
    for place in ("cpu", {"cuda:0": "cpu"}, lambda storage, location: storage):
        assert here(on_cuda(), map_location=place).tolist() == [1, 1]


class Foreign:
    pass


class Stateful:
    """As a Module is: it has a state to save instead."""

    def state_dict(self):
        return {}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"a": [1, Foreign()]}, r"cannot save obj\['a'\]\[1\]: a .*Foreign\. A checkpoint holds"),
        (Stateful(), r"Save its state_dict\(\).*never runs code"),
        (np.float64(3), r"numpy.float64. Save the Python number: value.item\(\)"),
        (np.ones(2), r"Save a tensor: torch.from_numpy\(array\)"),
        (lambda: 1, "function"),
        (print, "builtin_function"),
        (Foreign, "type"),
        (2**3000, "an integer of 376 bytes"),
        (UninitializedParameter(), "UninitializedParameter"),
    ],
)
def test_what_cannot_be_saved(value, words, tmp_path):
    path = tmp_path / "old.pt"
    penlight.save("old", path)
    with pytest.raises(pickle.PicklingError, match=words):
        penlight.save(value, path)
    assert penlight.load(path) == "old"
    assert os.listdir(tmp_path) == ["old.pt"]


def test_other_errors(tmp_path):
    deep = []
    for _ in range(2000):
        deep = [deep]
    with pytest.raises(pickle.PicklingError, match="nested too deeply"):
        saved(deep)
    shared = np.ones(4, np.float32)
    with pytest.raises(RuntimeError, match="view the same data as different types"):
        saved([wrap(shared), wrap(shared.view(np.int32))])
    with pytest.raises(RuntimeError, match=r"Parent directory .*nowhere does not exist\."):
        penlight.save(1, tmp_path / "nowhere" / "a.pt")
    with pytest.raises(AttributeError, match="a file-like object with a 'write' attribute"):
        penlight.save(1, 5)
    with pytest.raises(FileNotFoundError):
        penlight.load(tmp_path / "none.pt")
    with pytest.raises(EOFError, match="Ran out of input"):
        here(b"")
    with pytest.raises(AttributeError, match="a file that is seekable"):
        penlight.load(object())
    with pytest.raises(ValueError, match="pickle_protocol must be 2 to 5"):
        penlight.save(1, io.BytesIO(), pickle_protocol=0)
    with pytest.raises(RuntimeError, match="explicit pickle_module"):
        here(saved(1), pickle_module=pickle)
    with pytest.raises(RuntimeError, match="TorchScript"):
        file = io.BytesIO()
        torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), file)
        here(file.getvalue())


def test_whole_modules_are_refused_on_loading_too():
    data = torch_saved(torch.nn.Linear(1, 1))
    for weights_only in (None, True, False):
        with pytest.raises(pickle.UnpicklingError) as caught:
            here(data, weights_only=weights_only)
        assert "GLOBAL torch.nn.modules.linear.Linear was not an allowed global" in str(
            caught.value
        )
        assert "penlight never runs code" in str(caught.value)
        assert "model.state_dict()" in str(caught.value)


def test_safe_globals():
    with penlight.serialization.safe_globals([collections.OrderedDict, (set, "builtins.set")]):
        pass
    assert penlight.Size in penlight.serialization.get_safe_globals()
    with pytest.raises(RuntimeError, match=r"cannot load .*Foreign"):
        penlight.serialization.add_safe_globals([Foreign])


class TestAtomicWrite:
    def test_new_content_or_old(self, tmp_path):
        path = tmp_path / "a.txt"
        with atomic_write(path, "w", encoding="utf-8") as file:
            file.write("größe")
            assert not path.exists()
        with pytest.raises(KeyError), atomic_write(path) as file:
            file.write(b"half")
            raise KeyError
        assert path.read_text("utf-8") == "größe"
        assert os.listdir(tmp_path) == ["a.txt"]

    def test_rights_are_those_of_an_ordinary_file(self, tmp_path):
        with open(tmp_path / "plain", "wb"):
            pass
        with atomic_write(tmp_path / "new"):
            pass
        modes = [stat.S_IMODE(os.stat(tmp_path / name).st_mode) for name in ("plain", "new")]
        assert modes[0] == modes[1]
        os.chmod(tmp_path / "new", 0o640)
        with atomic_write(tmp_path / "new"):
            pass
        assert stat.S_IMODE(os.stat(tmp_path / "new").st_mode) == 0o640

    def test_links_devices_and_long_names(self, tmp_path):
        (tmp_path / "real").write_bytes(b"old")
        os.symlink(tmp_path / "real", tmp_path / "link")
        with atomic_write(tmp_path / "link") as file:
            file.write(b"new")
        assert os.path.islink(tmp_path / "link") and (tmp_path / "real").read_bytes() == b"new"
        with atomic_write(os.devnull) as file:
            file.write(b"away")
        with atomic_write(tmp_path / ("n" * 250)) as file:
            file.write(b"long")
        assert (tmp_path / ("n" * 250)).read_bytes() == b"long"

    def test_leftovers_go_and_open_files_stay(self, tmp_path):
        path = tmp_path / "a"
        (tmp_path / ".a.0badcafe.tmp").write_bytes(b"of a killed writer")
        (tmp_path / ".b.0badcafe.tmp").write_bytes(b"of another file")
        with atomic_write(path) as first:
            first.write(b"1")
            with atomic_write(path) as second:  # must not sweep the first one's file away
                second.write(b"2")
            assert path.read_bytes() == b"2"
        assert path.read_bytes() == b"1"
        assert sorted(os.listdir(tmp_path)) == [".b.0badcafe.tmp", "a"]

    def test_errors(self, tmp_path):
        with pytest.raises(ValueError, match="mode must be"), atomic_write(tmp_path / "a", "a"):
            pass
        with (
            pytest.raises(FileNotFoundError, match="nowhere"),
            atomic_write(tmp_path / "nowhere/a"),
        ):
            pass
        with pytest.raises(IsADirectoryError), atomic_write(tmp_path):
            pass


class TestSafetensors:
    def everything(self):
        kinds = [d for d in COMMON if d.name not in ("complex32", "complex128")]
        state = {
            f"{d.name}.{i}": torch_tensor(d, s) for d in kinds for i, s in enumerate([(2, 3), (0,)])
        }
        state["0d"] = torch.tensor(3.0)
        return state

    def test_both_ways(self, tmp_path):
        import safetensors.torch as theirs

        state = self.everything()
        ours = pl_safetensors.load(theirs.save(state, {"made": "by torch"}))
        assert {k: (repr(t.dtype), tuple(t.shape), raw(t)) for k, t in ours.items()} == {
            k: (repr(t.dtype), tuple(t.shape), raw(t)) for k, t in state.items()
        }
        assert pl_safetensors.save(ours, {"made": "by torch"}) == theirs.save(
            state, {"made": "by torch"}
        )
        path = tmp_path / "m.safetensors"
        pl_safetensors.save_file(ours, path)
        back = penlight.load(path)
        assert back.keys() == state.keys()
        back["0d"]._array[...] = 4  # what was loaded may be written
        assert penlight.load(path, map_location="cpu").keys() == state.keys()
        with pytest.raises(RuntimeError, match="dict map_location is not supported"):
            penlight.load(path, map_location={})

    def test_errors(self, tmp_path):
        from safetensors import SafetensorError

        one = wrap(np.ones((2, 3), np.float32))
        for value, error, words in [
            ([one], ValueError, r"Expected a dict of \[str, torch.Tensor\] but received"),
            ({"a": 3}, ValueError, "Key `a` is invalid, expected torch.Tensor but received"),
            ({"a": one.t()}, ValueError, "non contiguous tensor: `a`"),
            ({"a": one, "b": one[1]}, RuntimeError, "Some tensors share memory.*{'[ab]', '[ab]'}"),
            ({"a": wrap(np.ones(1, complex))}, ValueError, "no dtype torch.complex128"),
        ]:
            with pytest.raises(error, match=words):
                pl_safetensors.save_file(value, tmp_path / "m.safetensors")
        assert not os.listdir(tmp_path)
        good = pl_safetensors.save({"a": one})
        for cut in range(0, len(good), 5):
            with pytest.raises(SafetensorError):
                pl_safetensors.load(good[:cut])


def test_ml_dtypes_keep_their_bits():
    every_byte = np.arange(256, dtype=np.uint8)
    for kind in (ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2, ml_dtypes.float8_e8m0fnu):
        assert raw(here(saved(wrap(every_byte.view(kind))))) == every_byte.tobytes()
