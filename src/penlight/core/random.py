"""Random generators that draw PyTorch's numbers, and the default one.

The source of all numbers is the Mersenne Twister MT19937 (Matsumoto and Nishimura, 1998), seeded as
in the original program: `manual_seed(s)` gives the stream that PyTorch has on the CPU after it.
See https://docs.pytorch.org/docs/stable/random.html
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from .device import CPU, device, resolve
from .tensor import Tensor, wrap
from .watch import refuse

DEFAULT_SEED = 67280421310721
WORDS = 624  # 32-bit words of the twister's state
STATE = np.dtype(
    [  # PyTorch's layout of a saved generator
        ("seed", "<u8"), ("left", "<i4"), ("seeded", "<i4"), ("next", "<u8"),
        ("words", "<u8", WORDS),
        ("normal_x", "<f8"), ("normal_y", "<f8"), ("normal_rho", "<f8"),
        ("has_normal", "<i4"), ("_", "<i4"),
        ("float_normal", "<f4"), ("has_float_normal", "?"), ("__", "V3"),
    ]
)  # fmt: skip


class Generator:
    """A source of random numbers with its own state.

    >>> import penlight as torch
    >>> g = torch.Generator().manual_seed(0)
    >>> torch.rand(3, generator=g)
    tensor([0.4963, 0.7682, 0.0885])
    >>> g.initial_seed()
    0
    """

    def __init__(self, device: device | str = CPU):
        self.device = resolve(device)
        self._bits: np.random.MT19937 | None = None  # made at the first draw: its import is slow
        self.next_normal: float | None = None  # a normal deviate that was drawn along with another
        self._next_float: float | None = None  # unused on the CPU, but part of a saved state
        self._reseed(DEFAULT_SEED)

    def _reseed(self, seed: int) -> None:
        refuse("a random generator is seeded")
        self._seed = seed
        self._fresh = True
        self.next_normal = self._next_float = None
        if self._bits is not None:
            self._bits._legacy_seeding(seed & 0xFFFFFFFF)

    def _engine(self) -> np.random.MT19937:
        if self._bits is None:
            self._bits = np.random.MT19937(0)
            self._bits._legacy_seeding(self._seed & 0xFFFFFFFF)
        return self._bits

    # ------------------------------------------------------------ seeds

    def manual_seed(self, seed: int) -> Generator:
        """Restarts the stream at `seed`, an integer of at most 64 bits; returns the generator."""
        if type(seed) is not int:
            raise RuntimeError(f"manual_seed expected a long, but got {type(seed).__name__}")
        if not -(2**63) <= seed < 2**64:
            raise ValueError("Overflow when unpacking long long")
        self._reseed(seed % 2**64)
        return self

    def seed(self) -> int:
        """Restarts the stream at a seed nobody can foresee, and returns that seed."""
        self._reseed(int.from_bytes(os.urandom(8), "little"))
        return self._seed

    def initial_seed(self) -> int:
        """The seed the stream was last started with."""
        return self._seed

    # ------------------------------------------------------------ state

    def get_state(self) -> Tensor:
        """The whole state as a tensor of bytes, in PyTorch's format."""
        refuse("the state of a random generator is read")
        twister = self._engine().state["state"]
        state = np.zeros((), STATE)
        state["seed"] = self._seed
        state["seeded"] = 1
        state["words"] = twister["key"]
        used = 0 if self._fresh else int(twister["pos"])
        state["next"] = used
        state["left"] = 1 if self._fresh else WORDS + 1 - used
        if self.next_normal is not None:
            state["normal_y"], state["has_normal"] = self.next_normal, 1
        if self._next_float is not None:
            state["float_normal"], state["has_float_normal"] = self._next_float, True
        return wrap(np.frombuffer(bytearray(state.tobytes()), np.uint8))

    def set_state(self, new_state: Tensor) -> None:
        """Continues from a state that `get_state` returned, here or in PyTorch."""
        if not isinstance(new_state, Tensor):
            raise TypeError(f"expected a torch.ByteTensor, but got {type(new_state).__name__}")
        raw = new_state._array
        if raw.dtype != np.uint8:
            raise TypeError("RNG state must be a torch.ByteTensor")
        if raw.size != STATE.itemsize:
            raise RuntimeError(
                f"Expected a CPUGeneratorImplState of size {STATE.itemsize} "
                f"but found the input RNG state size to be {raw.size}"
            )
        state = np.frombuffer(raw.tobytes(), STATE)[0]
        used, left = int(state["next"]), int(state["left"])
        fresh = used == 0 and left == 1
        if state["seeded"] != 1 or used > WORDS or not (fresh or left == WORDS + 1 - used):
            raise RuntimeError("Invalid mt19937 state")
        self._reseed(int(state["seed"]))
        self._fresh = fresh
        words = state["words"].astype(np.uint32)
        self._engine().state = {
            "bit_generator": "MT19937",
            "state": {"key": words, "pos": WORDS if fresh else used},
        }
        if state["has_normal"]:
            self.next_normal = float(state["normal_y"])
        if state["has_float_normal"]:
            self._next_float = float(state["float_normal"])

    def clone_state(self) -> Generator:
        """Another generator that goes on from the same state."""
        twin = Generator(self.device)
        twin.set_state(self.get_state())
        return twin

    def get_offset(self) -> int:
        """Raises: only the generators of accelerators count an offset."""
        raise RuntimeError("CPU Generator does not use offset")

    def set_offset(self, offset: int) -> None:
        """Raises: only the generators of accelerators count an offset."""
        raise RuntimeError("CPU Generator does not use offset")

    def __reduce__(self) -> tuple:
        return Generator, (self.device,), (self._seed, None, self.get_state())

    def __setstate__(self, state: tuple) -> None:
        self.set_state(state[2])

    # ------------------------------------------------------------ numbers

    def words(self, n: int) -> np.ndarray:
        """The next n words of 32 random bits, each in a uint64."""
        self._fresh = self._fresh and n == 0
        return self._engine().random_raw(n)

    def long_words(self, n: int) -> np.ndarray:
        """The next n words of 64 random bits; the first half drawn is the upper one."""
        pairs = self.words(2 * n)
        return pairs[::2] << np.uint64(32) | pairs[1::2]

    @contextlib.contextmanager
    def doubles(self) -> Iterator[Iterator[float]]:
        """An endless iterator of numbers in [0, 1); only those taken from it count as drawn."""
        engine = self._engine()
        before, taken = engine.state, 0

        def stream() -> Iterator[float]:
            nonlocal taken
            while True:
                for word in self.long_words(256).tolist():
                    taken += 1
                    yield (word & (2**53 - 1)) * 2.0**-53

        try:
            yield stream()
        finally:
            engine.state = before
            engine.random_raw(2 * taken, output=False)


# ---------------------------------------------------------------- the default generator

default_generator = Generator()


def manual_seed(seed: int) -> Generator:
    """Restarts the default generator at `seed`; returns it.

    >>> import penlight as torch
    >>> _ = torch.manual_seed(0)
    >>> torch.randn(2)
    tensor([ 1.5410, -0.2934])
    """
    return default_generator.manual_seed(int(seed))


def seed() -> int:
    """Restarts the default generator at a seed nobody can foresee, and returns that seed."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed the default generator was last started with."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """The default generator's state, a tensor of bytes."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Continues the default generator from a state that `get_rng_state` returned."""
    default_generator.set_state(new_state)


@contextlib.contextmanager
def fork_rng(
    devices: Iterable | None = None, enabled: bool = True, device_type: str | None = None
) -> Iterator[None]:
    """Inside, random numbers are drawn as usual; afterwards the stream goes on as if none had been.

    >>> import penlight as torch
    >>> _ = torch.manual_seed(1)
    >>> with torch.random.fork_rng():
    ...     inside = torch.rand(3)
    >>> torch.equal(inside, torch.rand(3))
    True
    """
    if not enabled:
        yield
        return
    for place in devices or ():
        resolve(f"{device_type or 'cuda'}:{place}" if isinstance(place, int) else place)
    state = get_rng_state()
    try:
        yield
    finally:
        set_rng_state(state)


def check_generator(generator: Any) -> Generator:
    """The generator to draw from: the given one, or the default one for None."""
    if generator is None:
        return default_generator
    if not isinstance(generator, Generator):
        raise TypeError(
            f"argument 'generator' must be torch.Generator, not {type(generator).__name__}"
        )
    return generator
