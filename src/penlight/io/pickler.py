"""Writing plain values as a pickle, protocol 2, byte for byte as Python would.

Only what `unpickler` and PyTorch's `weights_only=True` can read is written; everything else is a
`PicklingError` that names the place inside the value.
"""

import pickle
import struct
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pickle import PicklingError
from typing import Any, NamedTuple

import numpy as np

_BATCH = 1000  # items between two marks


class Name(NamedTuple):
    """A global: the reader looks it up in its table."""

    module: str
    name: str


class Call(NamedTuple):
    """A value that the reader makes by calling a name."""

    function: Name
    arguments: tuple


class Elsewhere(NamedTuple):
    """A value kept outside the pickle, under an id."""

    id: tuple


Description = Name | Call | Elsewhere


def dumps(value: Any, describe: Callable[[Any], Description | None] = lambda value: None) -> bytes:
    """Pickle `value`; `describe` says how to write what is not a plain Python value.

    >>> pickle.loads(dumps({"a": (1, 2.5)}))
    {'a': (1, 2.5)}
    """
    pickler = _Pickler(describe)
    try:
        pickler.write(value)
    except RecursionError:
        raise PicklingError(
            f"cannot save {pickler.place()[:80]}...: it is nested too deeply, or contains itself"
        ) from None
    return b"".join([pickle.PROTO, b"\2", *pickler.pieces, pickle.STOP])


class _Pickler:
    def __init__(self, describe: Callable[[Any], Description | None]) -> None:
        self.pieces: list[bytes] = []
        self._describe = describe
        self._memo: dict[Any, tuple[int, Any]] = {}  # the value too: an id is unique while it lives
        self._trail: list[str] = []

    def place(self) -> str:
        """Where in the value the writer is: "obj['model'][3]"."""
        return "obj" + "".join(self._trail)

    def write(self, value: Any) -> None:
        key = value if type(value) is Name else id(value)
        known = self._memo.get(key)
        if known is not None:
            self._numbered(pickle.BINGET, pickle.LONG_BINGET, known[0])
            return
        step = _STEPS.get(type(value))
        if step is not None:
            step(self, value)
            return
        recipe = _RECIPES.get(type(value), self._describe)
        described = recipe(value)
        if described is None:
            raise self._refusal(f"a {_full_name(type(value))}. {_advice(value)}")
        self.write(described)
        if type(described) is Call:
            self._remember(key, value)

    def _put(self, *pieces: bytes) -> None:
        self.pieces += pieces

    def _remember(self, key: Any, value: Any) -> None:
        index = len(self._memo)
        self._memo[key] = (index, value)
        self._numbered(pickle.BINPUT, pickle.LONG_BINPUT, index)

    def _numbered(self, short: bytes, long: bytes, number: int) -> None:
        if number < 256:
            self._put(short, bytes([number]))
        else:
            self._put(long, struct.pack("<I", number))

    def _refusal(self, why: str) -> PicklingError:
        return PicklingError(f"cannot save {self.place()}: {why}")

    def _int(self, value: int) -> None:
        if 0 <= value < 256:
            self._put(pickle.BININT1, bytes([value]))
        elif 0 <= value < 65536:
            self._put(pickle.BININT2, struct.pack("<H", value))
        elif -(2**31) <= value < 2**31:
            self._put(pickle.BININT, struct.pack("<i", value))
        else:
            data = pickle.encode_long(value)
            if len(data) > 255:
                raise self._refusal(f"an integer of {len(data)} bytes")
            self._put(pickle.LONG1, bytes([len(data)]), data)

    def _str(self, value: str) -> None:
        data = value.encode("utf-8", "surrogatepass")
        if len(data) >= 2**32:
            raise self._refusal(f"a text of {len(data)} bytes")
        self._put(pickle.BINUNICODE, struct.pack("<I", len(data)), data)
        self._remember(id(value), value)

    def _tuple(self, value: tuple) -> None:
        if not value:
            self._put(pickle.EMPTY_TUPLE)
            return
        close = _SHORT_TUPLES.get(len(value))
        if close is None:
            self._put(pickle.MARK)
        for index, item in enumerate(value):
            self._inside(f"[{index}]", item)
        self._put(close or pickle.TUPLE)
        self._remember(id(value), value)

    def _list(self, value: list) -> None:
        self._put(pickle.EMPTY_LIST)
        self._remember(id(value), value)
        steps = ((f"[{index}]", item) for index, item in enumerate(value))
        for batch in _batches(steps):
            with_mark = len(batch) > 1
            if with_mark:
                self._put(pickle.MARK)
            for step, item in batch:
                self._inside(step, item)
            self._put(pickle.APPENDS if with_mark else pickle.APPEND)

    def _dict(self, value: dict) -> None:
        self._put(pickle.EMPTY_DICT)
        self._remember(id(value), value)
        self._items(value)

    def _ordered_dict(self, value: OrderedDict) -> None:
        self.write(Call(Name("collections", "OrderedDict"), ()))
        self._remember(id(value), value)
        self._items(value)
        if attributes := vars(value):  # a state_dict's _metadata
            self._inside(".__dict__", attributes)
            self._put(pickle.BUILD)

    def _items(self, value: dict) -> None:
        for batch in _batches(value.items()):
            with_mark = len(batch) > 1
            if with_mark:
                self._put(pickle.MARK)
            for key, item in batch:
                self.write(key)
                self._inside(f"[{key!r}]", item)
            self._put(pickle.SETITEMS if with_mark else pickle.SETITEM)

    def _inside(self, step: str, value: Any) -> None:
        self._trail.append(step)
        self.write(value)
        self._trail.pop()

    def _name(self, name: Name) -> None:
        self._put(pickle.GLOBAL, f"{name.module}\n{name.name}\n".encode("ascii"))
        self._remember(name, name)

    def _call(self, call: Call) -> None:
        self.write(call.function)
        self.write(call.arguments)
        self._put(pickle.REDUCE)

    def _elsewhere(self, elsewhere: Elsewhere) -> None:
        self.write(elsewhere.id)
        self._put(pickle.BINPERSID)


_STEPS: dict[type, Callable[[_Pickler, Any], None]] = {
    type(None): lambda p, value: p._put(pickle.NONE),
    bool: lambda p, value: p._put(pickle.NEWTRUE if value else pickle.NEWFALSE),
    int: _Pickler._int,
    float: lambda p, value: p._put(pickle.BINFLOAT, struct.pack(">d", value)),
    str: _Pickler._str,
    tuple: _Pickler._tuple,
    list: _Pickler._list,
    dict: _Pickler._dict,
    OrderedDict: _Pickler._ordered_dict,
    Name: _Pickler._name,
    Call: _Pickler._call,
    Elsewhere: _Pickler._elsewhere,
}

_SHORT_TUPLES = {1: pickle.TUPLE1, 2: pickle.TUPLE2, 3: pickle.TUPLE3}


def _builtin(kind: type, *arguments: Any) -> Call:
    return Call(Name("__builtin__", kind.__name__), arguments)  # as Python 2 called the module


# Plain values that protocol 2 has no opcode for.
_RECIPES: dict[type, Callable[[Any], Call]] = {
    complex: lambda value: _builtin(complex, value.real, value.imag),
    set: lambda value: _builtin(set, list(value)),
    frozenset: lambda value: _builtin(frozenset, list(value)),
    bytes: lambda value: Call(Name("_codecs", "encode"), (value.decode("latin1"), "latin1")),
    bytearray: lambda value: _builtin(bytearray, *([bytes(value)] if value else [])),
    Counter: lambda value: Call(Name("collections", "Counter"), (dict(value),)),
}


def _batches(items: Iterable[tuple]) -> Iterator[list[tuple]]:
    iterator = iter(items)
    while batch := list(islice(iterator, _BATCH)):
        yield batch


def _full_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _advice(value: Any) -> str:
    if isinstance(value, np.generic):
        return "Save the Python number: value.item()"
    if isinstance(value, np.ndarray):
        return "Save a tensor: torch.from_numpy(array)"
    if hasattr(value, "state_dict"):
        return (
            "Save its state_dict(), and load with load_state_dict(): penlight never runs code "
            "from a file, and a whole object could only be loaded by running its class"
        )
    return (
        "A checkpoint holds tensors, Parameters, numbers, text, bytes, bool, None, list, tuple, "
        "dict, set, OrderedDict, Counter, torch.Size, dtypes and devices"
    )
