"""Where loaded storages go: the `map_location` of `load`."""

from collections.abc import Callable
from typing import Any

from ..core.device import device, resolve
from .storage import Storage

MapLocation = str | device | dict[str, str] | Callable[[Storage, str], Storage | None] | None
Locator = Callable[[Storage, str], Storage]


def locator(map_location: MapLocation) -> Locator:
    """The function that takes a storage and the location in the file, and puts it in its place."""
    if map_location is None:
        return _put
    if isinstance(map_location, dict):
        return lambda storage, location: _put(storage, map_location.get(location, location))
    if isinstance(map_location, str | device):
        return lambda storage, location: _put(storage, str(map_location))
    if not callable(map_location):
        raise TypeError(
            "map_location must be a str, a device, a dict or a function, "
            f"got {type(map_location).__name__}"
        )

    def ask(storage: Storage, location: str) -> Storage:
        answer = map_location(storage, location)
        if answer is None:
            return _put(storage, location)
        if answer is not storage:
            raise TypeError(
                f"map_location(storage, location) must return the storage or None, "
                f"got {type(answer).__name__}"
            )
        return storage

    return ask


def _put(storage: Storage, location: Any) -> Storage:
    kind = str(location).partition(":")[0]
    if kind == "cuda":
        raise RuntimeError(
            "Attempting to deserialize object on a CUDA device but torch.cuda.is_available() is "
            "False. If you are running on a CPU-only machine, please use torch.load with "
            "map_location=torch.device('cpu') to map your storages to the CPU."
        )
    resolve(location)
    return storage
