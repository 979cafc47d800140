"""Reading a pickle without running it.

A pickle is a program for a small stack machine; Python's own reader imports and calls whatever the
program names. This one knows a closed list of opcodes, and the names in a file are only looked up
in a closed table. Everything else is an `UnpicklingError` that says what was met and what may be
there. What it builds is bounded by a multiple of the pickle's own length.

Source: Python's `pickletools` describes every opcode.
"""

import pickle
import struct
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from pickle import UnpicklingError
from typing import Any

MAX_DEPTH = 1000  # containers inside one another
_MAX_KEY_PARTS = 1000  # values in a tuple that is a dictionary's key
_COPIES = 16  # bytes that constructors may copy, per byte of the pickle

_MISSING = object()
_MAPPINGS = (dict, OrderedDict, Counter)
_CONTAINERS = (dict, list, tuple, set, frozenset)


class Part:
    """What lives inside the machine only: it may not be left in the finished value."""

    __slots__ = ()


class Constructor(Part):
    """A name that a pickle may call: `build` gets the arguments and checks them."""

    __slots__ = ("build", "name")

    def __init__(self, name: str, build: Callable) -> None:
        self.name = name
        self.build = build

    def __repr__(self) -> str:
        return self.name


_WALKED = (*_CONTAINERS, Part)


class Unpickler:
    """Builds the value that a pickle describes.

    `names` maps "module.name" to a value, or to a `Constructor` that may be called.
    `persistent_load` gets the id of what the pickle keeps elsewhere (a tensor's storage).
    After `load`, `position` is the first byte behind the pickle.

    >>> Unpickler(pickle.dumps({"a": [1, 2.5]}), {}).load()
    {'a': [1, 2.5]}
    """

    def __init__(
        self,
        data: bytes,
        names: Mapping[str, Any],
        persistent_load: Callable[[Any], Any] | None = None,
        position: int = 0,
    ) -> None:
        self.position = position
        self._data = data
        self._names = names
        self._persistent_load = persistent_load
        self._stack: list[Any] = []
        self._marks: list[list[Any]] = []  # the stacks below each open mark
        self._memo: dict[int, Any] = {}
        self._budget = _COPIES * len(data) + 4096

    def load(self) -> Any:
        """Run the program to its STOP and hand back what it leaves."""
        while True:
            opcode = self._take(1)
            if opcode == pickle.STOP:
                break
            step = _STEPS.get(opcode)
            if step is None:
                raise UnpicklingError(_unknown_opcode(opcode, self.position - 1))
            step(self)
        value = self._pop()
        if self._stack or self._marks:
            raise UnpicklingError("the pickle ends with values left over")
        _check_value(value)
        return value

    # the bytes

    def _take(self, count: int) -> bytes:
        end = self.position + count
        if end > len(self._data):
            raise UnpicklingError(
                f"the pickle ends early: {count} bytes wanted at byte {self.position}, "
                f"{len(self._data) - self.position} are left"
            )
        taken = self._data[self.position : end]
        self.position = end
        return taken

    def _number(self, layout: str) -> Any:
        return struct.unpack(layout, self._take(struct.calcsize(layout)))[0]

    def _line(self) -> str:
        end = self._data.find(b"\n", self.position)
        if end < 0:
            raise UnpicklingError("the pickle ends inside a name")
        return _text(self._take(end + 1 - self.position)[:-1])

    # the stack

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _pop(self) -> Any:
        if not self._stack:
            raise UnpicklingError("the pickle takes a value from an empty stack")
        return self._stack.pop()

    def _top(self, *types: type) -> Any:
        if not self._stack or type(self._stack[-1]) not in types:
            wanted = " or ".join(kind.__name__ for kind in types)
            found = type(self._stack[-1]).__name__ if self._stack else "nothing"
            raise UnpicklingError(f"the pickle adds to a {wanted}, but got {found}")
        return self._stack[-1]

    def _pop_mark(self) -> list[Any]:
        if not self._marks:
            raise UnpicklingError("the pickle closes a mark that it never opened")
        items, self._stack = self._stack, self._marks.pop()
        return items

    # the steps, one for each opcode or family of opcodes

    def _protocol(self) -> None:
        if (protocol := self._number("B")) > pickle.HIGHEST_PROTOCOL:
            raise UnpicklingError(f"unsupported pickle protocol: {protocol}")

    def _frame(self) -> None:
        if self._number("<Q") > len(self._data) - self.position:
            raise UnpicklingError("the pickle ends early: a frame is longer than the file")

    def _mark(self) -> None:
        if len(self._marks) >= MAX_DEPTH:
            raise UnpicklingError(f"containers are nested more than {MAX_DEPTH} deep")
        self._marks.append(self._stack)
        self._stack = []

    def _tuple(self, count: int) -> None:
        items = [self._pop() for _ in range(count)]
        self._push(tuple(reversed(items)))

    def _append(self) -> None:
        item = self._pop()
        self._top(list).append(item)

    def _appends(self) -> None:
        items = self._pop_mark()
        self._top(list).extend(items)

    def _add_items(self) -> None:
        items = self._pop_mark()
        self._top(set).update(map(check_key, items))

    def _set_item(self) -> None:
        value, key = self._pop(), self._pop()
        self._top(*_MAPPINGS)[check_key(key)] = value

    def _set_items(self) -> None:
        items = self._pop_mark()
        if len(items) % 2:
            raise UnpicklingError("a dictionary's key has no value")
        target = self._top(*_MAPPINGS)
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[check_key(key)] = value

    def _integer(self) -> None:
        self._push(int.from_bytes(self._take(self._number("B")), "little", signed=True))

    def _remember(self, index: int) -> None:
        if not self._stack:
            raise UnpicklingError("the pickle remembers a value of an empty stack")
        self._memo[index] = self._stack[-1]

    def _recall(self, index: int) -> None:
        value = self._memo.get(index, _MISSING)
        if value is _MISSING:
            raise UnpicklingError(f"the pickle recalls value {index}, which it never remembered")
        self._push(value)

    def _global(self, module: Any, name: Any) -> None:
        if type(module) is not str or type(name) is not str:
            raise UnpicklingError("the name of a global must be text")
        module = {"__builtin__": "builtins"}.get(module, module)  # protocol 2 has Python 2's name
        value = self._names.get(f"{module}.{name}", _MISSING)
        if value is _MISSING:
            raise UnpicklingError(_unknown_global(f"{module}.{name}"))
        self._push(value)

    def _named_by_lines(self) -> None:
        self._global(self._line(), self._line())

    def _named_by_stack(self) -> None:
        name, module = self._pop(), self._pop()
        self._global(module, name)

    def _reduce(self) -> None:
        arguments, constructor = self._pop(), self._pop()
        if type(constructor) is not Constructor or type(arguments) is not tuple:
            raise UnpicklingError(
                f"Trying to call reduce for unrecognized function {type(constructor).__name__}"
            )
        self._charge(arguments)
        self._push(call(constructor, arguments))

    def _charge(self, arguments: tuple) -> None:
        """Constructors copy their arguments, and a short pickle can pass a long one again."""
        for argument in arguments:
            if isinstance(argument, str | bytes | bytearray):
                self._budget -= len(argument)
            elif isinstance(argument, list | tuple | dict | set):
                self._budget -= 8 * len(argument)
        if self._budget < 0:
            raise UnpicklingError(
                f"the pickle asks for more than {_COPIES} times its own length in copies"
            )

    def _build(self) -> None:
        """Give an OrderedDict its attributes: a state_dict carries `_metadata`."""
        state = self._pop()
        target = self._top(OrderedDict)
        if type(state) is not dict:
            raise UnpicklingError(f"attributes must be a dict, but got {type(state).__name__}")
        for name, value in state.items():
            if type(name) is not str or hasattr(OrderedDict, name):
                raise UnpicklingError(f"an OrderedDict may not get an attribute {name!r}")
            target.__dict__[name] = value

    def _persistent(self) -> None:
        if self._persistent_load is None:
            raise UnpicklingError("the pickle refers to a storage outside of it")
        self._push(self._persistent_load(self._pop()))


def _sized(layout: str, make: Callable[[bytes], Any]) -> Callable[[Unpickler], None]:
    """The step that reads a length and as many bytes."""
    return lambda machine: machine._push(make(machine._take(machine._number(layout))))


def _fixed(layout: str) -> Callable[[Unpickler], None]:
    """The step that reads one number."""
    return lambda machine: machine._push(machine._number(layout))


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        raise UnpicklingError(f"a text is not UTF-8: {error}") from None


_STEPS: dict[bytes, Callable[[Unpickler], None]] = {
    pickle.PROTO: Unpickler._protocol,
    pickle.FRAME: Unpickler._frame,
    # constants
    pickle.NONE: lambda m: m._push(None),
    pickle.NEWTRUE: lambda m: m._push(True),
    pickle.NEWFALSE: lambda m: m._push(False),
    pickle.BININT: _fixed("<i"),
    pickle.BININT1: _fixed("<B"),
    pickle.BININT2: _fixed("<H"),
    pickle.BINFLOAT: _fixed(">d"),
    pickle.LONG1: Unpickler._integer,
    pickle.SHORT_BINSTRING: _sized("<B", _text),
    pickle.SHORT_BINUNICODE: _sized("<B", _text),
    pickle.BINUNICODE: _sized("<I", _text),
    pickle.BINUNICODE8: _sized("<Q", _text),
    pickle.SHORT_BINBYTES: _sized("<B", bytes),
    pickle.BINBYTES: _sized("<I", bytes),
    pickle.BINBYTES8: _sized("<Q", bytes),
    pickle.BYTEARRAY8: _sized("<Q", bytearray),
    # containers
    pickle.EMPTY_TUPLE: lambda m: m._push(()),
    pickle.EMPTY_LIST: lambda m: m._push([]),
    pickle.EMPTY_DICT: lambda m: m._push({}),
    pickle.EMPTY_SET: lambda m: m._push(set()),
    pickle.MARK: Unpickler._mark,
    pickle.TUPLE: lambda m: m._push(tuple(m._pop_mark())),
    pickle.TUPLE1: lambda m: m._tuple(1),
    pickle.TUPLE2: lambda m: m._tuple(2),
    pickle.TUPLE3: lambda m: m._tuple(3),
    pickle.FROZENSET: lambda m: m._push(frozenset(map(check_key, m._pop_mark()))),
    pickle.APPEND: Unpickler._append,
    pickle.APPENDS: Unpickler._appends,
    pickle.ADDITEMS: Unpickler._add_items,
    pickle.SETITEM: Unpickler._set_item,
    pickle.SETITEMS: Unpickler._set_items,
    # the memo
    pickle.BINPUT: lambda m: m._remember(m._number("<B")),
    pickle.LONG_BINPUT: lambda m: m._remember(m._number("<I")),
    pickle.MEMOIZE: lambda m: m._remember(len(m._memo)),
    pickle.BINGET: lambda m: m._recall(m._number("<B")),
    pickle.LONG_BINGET: lambda m: m._recall(m._number("<I")),
    # names from the closed table, and the calls to them
    pickle.GLOBAL: Unpickler._named_by_lines,
    pickle.STACK_GLOBAL: Unpickler._named_by_stack,
    pickle.REDUCE: Unpickler._reduce,
    pickle.BUILD: Unpickler._build,
    pickle.BINPERSID: Unpickler._persistent,
}


def call(constructor: Constructor, arguments: tuple) -> Any:
    """Build a value; whatever is wrong with the arguments becomes an UnpicklingError."""
    try:
        return constructor.build(*arguments)
    except (TypeError, ValueError, OverflowError, AttributeError) as error:
        raise UnpicklingError(f"{constructor.name} got wrong arguments: {error}") from error


def type_names(value: Any) -> str:
    """What a value is made of, for errors: a few shared tuples can make an endless `repr`."""
    if type(value) is not tuple:
        return type(value).__name__
    return f"({', '.join(type(part).__name__ for part in value[:10])})"


def check_key(key: Any) -> Any:
    """Let a dictionary's key pass: hashing tuples of tuples could take exponential time."""
    left, parts = [key], 1
    while left:
        part = left.pop()
        if isinstance(part, tuple | frozenset):
            parts += len(part)
            if parts > _MAX_KEY_PARTS:
                raise UnpicklingError(f"a dictionary's key has more than {_MAX_KEY_PARTS} parts")
            left.extend(part)
        elif type(part).__hash__ is None or isinstance(part, Part):
            raise UnpicklingError(f"a dictionary's key cannot be a {type(part).__name__}")
        elif type(part) is int and part.bit_length() > 64:  # chosen ones would all collide
            raise UnpicklingError("a dictionary's key cannot be an integer of more than 64 bits")
    return key


def _check_value(value: Any) -> None:
    """Refuse depth that would exhaust the stack of whoever walks the value, and bare names."""
    seen, left = set(), [(value, 1)]
    while left:
        part, depth = left.pop()
        if isinstance(part, Part):
            raise UnpicklingError(f"the file holds {part} itself, not a value made with it")
        if not isinstance(part, _CONTAINERS) or id(part) in seen:
            continue
        if depth > MAX_DEPTH:
            raise UnpicklingError(f"containers are nested more than {MAX_DEPTH} deep")
        seen.add(id(part))
        for child in part.values() if isinstance(part, dict) else part:
            if isinstance(child, _WALKED):
                left.append((child, depth + 1))


def _unknown_opcode(opcode: bytes, position: int) -> str:
    names = {
        getattr(pickle, name): name
        for name in pickle.__all__
        if name.isupper() and isinstance(getattr(pickle, name), bytes)
    }
    known = ", ".join(names[step] for step in _STEPS)
    return (
        f"Unsupported operand {opcode[0]} ({names.get(opcode, 'no opcode')}) at byte {position}. "
        f"penlight builds plain values and tensors only; it knows these opcodes: {known}"
    )


def _unknown_global(name: str) -> str:
    return (
        f"Unsupported global: GLOBAL {name.removeprefix('builtins.')} was not an allowed global by "
        "default. penlight never runs code from a file: a checkpoint may hold tensors, Parameters, "
        "numbers, text, bytes, bool, None, list, tuple, dict, set, OrderedDict, Counter, "
        "torch.Size, dtypes and devices. If you trust the file, open it where it was made and save "
        "its values alone, as in torch.save(model.state_dict(), path)."
    )
