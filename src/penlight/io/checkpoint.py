"""`save` and `load`: PyTorch's .pt files, both ways, without running what a file says.

A .pt file is a zip archive: `data.pkl` describes the value, `data/0`, `data/1`, ... hold the
storages of its tensors. Saving to a path is atomic.

Source: https://docs.pytorch.org/docs/stable/notes/serialization.html
"""

import os
import sys
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from pickle import UnpicklingError
from typing import IO, Any

import numpy as np

from ..core.device import device
from ..core.dtype import dtype
from ..core.size import Size
from ..core.tensor import Tensor
from ..nn.parameter import Buffer, Parameter
from .archive import ALIGNMENT, ArchiveReader, ArchiveWriter
from .atomic import atomic_write
from .legacy import load_legacy
from .locations import MapLocation, locator
from .names import NAMES, STORAGE_NAMES
from .pickler import Call, Description, Elsewhere, Name, dumps
from .storage import Storage, StoragePlan, StorageType
from .unpickler import Unpickler, type_names

Path = str | os.PathLike

# What penlight itself notes on a tensor, and no file should hold.
_OWN_ATTRIBUTES = frozenset(("_inference", "persistent"))


def save(
    obj: Any,
    f: Path | IO[bytes],
    pickle_module: None = None,
    pickle_protocol: int = 2,
    _use_new_zipfile_serialization: bool = True,
) -> None:
    """Save tensors and plain Python values to a path or a file that PyTorch's `torch.load` reads.

    Tensors that share memory share it in the file. Under a path, the old file stays whole until the
    new one is complete. Raises `PicklingError` for what no checkpoint can hold, such as a Module:
    save its `state_dict()`.

    >>> import io, penlight as torch
    >>> file = io.BytesIO()
    >>> torch.save({"step": 3, "weight": torch.ones(2)}, file)
    >>> _ = file.seek(0)
    >>> torch.load(file)
    {'step': 3, 'weight': tensor([1., 1.])}
    """
    if pickle_module is not None or not _use_new_zipfile_serialization:
        raise ValueError("penlight writes PyTorch's zip format itself: drop this argument")
    if pickle_protocol not in range(2, 6):
        raise ValueError(f"pickle_protocol must be 2 to 5, got {pickle_protocol}")
    if not isinstance(f, Path):
        if not hasattr(f, "write"):
            raise AttributeError(
                "expected 'f' to be string, path, or a file-like object with a 'write' attribute"
            )
        _write(obj, f, "archive")
        return
    folder = os.path.dirname(os.path.realpath(f))
    if not os.path.isdir(folder):
        raise RuntimeError(f"Parent directory {os.path.dirname(os.fspath(f))} does not exist.")
    name = os.path.splitext(os.path.basename(f))[0]
    with atomic_write(f) as file:
        _write(obj, file, name if name.isascii() else "archive")


def _write(obj: Any, file: IO[bytes], folder: str) -> None:
    tensors: list[Tensor] = []

    def collect(value: Any) -> Description | None:
        if isinstance(value, Tensor):
            tensors.append(value)
        return _describe(value, lambda *_: ())

    dumps(obj, collect)
    plan = StoragePlan(tensors)
    program = dumps(obj, lambda value: _describe(value, partial(_parts, plan)))
    archive = ArchiveWriter(file, folder)
    archive.add("data.pkl", program)
    archive.add(".format_version", b"1")
    archive.add(".storage_alignment", str(ALIGNMENT).encode())
    archive.add("byteorder", sys.byteorder.encode())
    for saved in plan.storages.values():
        archive.add(f"data/{saved.key}", saved.data())
    archive.add("version", b"3\n")
    archive.finish()


def _parts(plan: StoragePlan, tensor: Tensor, requires_grad: bool) -> tuple:
    """The arguments of `_rebuild_tensor_v2`, or of v3 where no storage class has the dtype."""
    saved, offset, stride = plan.place(tensor)
    typed = STORAGE_NAMES.get(tensor.dtype)
    count = saved.end - saved.start
    if typed is None:
        kind = Name("torch.storage", "UntypedStorage")
    else:
        kind = Name("torch", typed)
        count //= tensor.dtype.itemsize
    storage = Elsewhere(("storage", kind, str(saved.key), "cpu", count))
    hooks: OrderedDict = OrderedDict()  # never saved, but PyTorch expects their table
    form = (storage, offset, tuple(tensor.shape), stride, requires_grad, hooks)
    return form if typed is not None else (*form, tensor.dtype)


def _describe(value: Any, parts: Callable[[Tensor, bool], tuple]) -> Description | None:
    """How a value of penlight's own is written, in the words of PyTorch's rebuild functions."""
    kind = type(value)
    if kind is dtype:
        return Name("torch", value.name)
    if kind is Size:
        return Call(Name("torch", "Size"), (tuple(value),))
    if kind is device:
        place = (value.type,) if value.index is None else (value.type, value.index)
        return Call(Name("torch", "device"), place)
    if kind not in (Tensor, Parameter, Buffer):
        return None
    form = parts(value, value.requires_grad and kind is not Parameter)
    rebuild = Name("torch._utils", f"_rebuild_tensor_v{2 if len(form) < 7 else 3}")
    attributes = {k: v for k, v in value.__dict__.items() if k not in _OWN_ATTRIBUTES}
    if kind is Parameter:
        data = Call(rebuild, form)
        hooks: OrderedDict = OrderedDict()
        wrapped = (data, value.requires_grad, hooks)
        if attributes:
            return Call(
                Name("torch._utils", "_rebuild_parameter_with_state"), (*wrapped, attributes)
            )
        return Call(Name("torch._utils", "_rebuild_parameter"), wrapped)
    if attributes:
        return Call(
            Name("torch._tensor", "_rebuild_from_type_v2"),
            (rebuild, Name("torch", "Tensor"), form, attributes),
        )
    return Call(rebuild, form)


def load(
    f: Path | IO[bytes],
    map_location: MapLocation = None,
    pickle_module: None = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
) -> Any:
    """Load what `save`, or PyTorch's `torch.save`, wrote.

    Only tensors and plain Python values come back, with `weights_only=False` too: penlight never
    runs code from a file. With `mmap` the tensors' bytes stay in the file until they are used, and
    their checksums are not compared; writing to such a tensor does not change the file. Raises
    RuntimeError for a damaged archive and `UnpicklingError` for what may not be in a checkpoint.
    """
    if pickle_module is not None:
        raise RuntimeError("Can not safely load weights when explicit pickle_module is specified")
    if isinstance(f, Path):
        if os.fspath(f).endswith(".safetensors"):
            return _load_safetensors(f, map_location)
        with open(f, "rb") as file:
            return _load(file, map_location, np.memmap(f, np.uint8, "c") if mmap else None)
    if mmap:
        raise ValueError("f must be a file path in order to use the mmap argument")
    if not hasattr(f, "seek") or not f.seekable():
        raise AttributeError(
            "You can only torch.load from a file that is seekable. Please pre-load the data into a "
            "buffer like io.BytesIO and try to load from it instead."
        )
    return _load(f, map_location, None)


def _load_safetensors(path: Path, map_location: MapLocation) -> dict[str, Tensor]:
    from .safetensors import load_file

    if map_location is None:
        return load_file(path)
    if not isinstance(map_location, str | device):
        kind = "dict" if isinstance(map_location, dict) else "callable"
        raise RuntimeError(
            f"Loading safetensors file with {kind} map_location is not supported. "
            "Use a device string or torch.device instead."
        )
    return load_file(path, map_location)


def _load(file: IO[bytes], map_location: MapLocation, mapped: np.ndarray | None) -> Any:
    start = file.tell()
    signature = file.read(4)
    file.seek(start)
    try:
        if signature == b"PK\3\4":
            return _load_archive(ArchiveReader(file), map_location, mapped)
        if mapped is not None:
            raise RuntimeError(
                "mmap can only be used with files saved with "
                "`torch.save(_use_new_zipfile_serialization=True)`"
            )
        return load_legacy(file.read(), locator(map_location))
    except UnpicklingError as error:
        raise UnpicklingError(f"Weights only load failed. {error}") from None


def _load_archive(
    archive: ArchiveReader, map_location: MapLocation, mapped: np.ndarray | None
) -> Any:
    if "constants.pkl" in archive:
        raise RuntimeError(
            "Cannot use ``weights_only=True`` with TorchScript archives passed to ``torch.load``. "
            "In PyTorch, load it with torch.jit.load and save its state_dict()."
        )
    order = archive.read("byteorder").tobytes() if "byteorder" in archive else b"little"
    if order not in (b"little", b"big"):
        raise ValueError(f"Unknown endianness type: {order[:20]!r}")
    locate = locator(map_location)
    storages: dict[str, Storage] = {}

    def find(identity: Any) -> Storage:
        kind, key, location, count = _storage_id(identity)
        known = storages.get(key)
        if known is not None:
            if known.dtype is not kind.dtype:
                raise UnpicklingError(f"storage {key} is used with two different types")
            return known
        itemsize = 1 if kind.dtype is None else kind.dtype.itemsize
        entry = archive.entry(f"data/{key}")
        if entry.size != count * itemsize:
            raise UnpicklingError(
                f"storage {key} should have {count} elements of {itemsize} bytes, but the file has "
                f"{entry.size} bytes of it"
            )
        if mapped is None:
            data = archive.read(f"data/{key}")
        else:
            data = np.asarray(mapped[entry.offset : entry.offset + entry.size])
        if order.decode() != sys.byteorder:
            if kind.dtype is None:
                raise UnpicklingError("an untyped storage of the other byte order cannot be read")
            data = data.view(kind.dtype.np).byteswap().view(np.uint8)
        storages[key] = locate(Storage(data, kind.dtype), location)
        return storages[key]

    return Unpickler(archive.read("data.pkl").tobytes(), NAMES, find).load()


def _storage_id(identity: Any) -> tuple[StorageType, str, str, int]:
    if (
        type(identity) is tuple
        and [type(part) for part in identity] == [str, StorageType, str, str, int]
        and identity[0] == "storage"
        and identity[4] >= 0
    ):
        return identity[1:]
    raise UnpicklingError(
        "a storage is named ('storage', type, key, location, count); "
        f"the file has {type_names(identity)}"
    )
