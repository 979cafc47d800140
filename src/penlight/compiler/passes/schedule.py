"""Kernels in an order, with barriers between them, and one arena for all their memory.

Takes launches and what must come before what; promises an order in which nothing is read before it
is written or overwritten before it is read, and places in memory that no two values share while
both are needed. Leaves the kernels as they are.

Threads walk the list of kernels side by side and meet at barriers only, so what counts is not the
place in the list but the *epoch*, the number of barriers passed: memory that is freed in one epoch
is used again in a later one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..lower import Launch, Memory

ALIGN = 64  # bytes: a cache line, and the widest vector


@dataclass
class Order:
    """What runs when: steps are launches or numbers of groups that Python runs."""

    steps: list[Launch | int] = field(default_factory=list)
    barriers: list[bool] = field(default_factory=list)  # before each step

    def epochs(self) -> list[int]:
        """The epoch of each step."""
        found, now = [], 0
        for barrier in self.barriers:
            now += barrier
            found.append(now)
        return found


def schedule(
    launches: Sequence[Launch], hosts: Sequence[int], before: dict[int, int],
    touches: dict[int, tuple[set[Memory], set[Memory]]],
) -> Order:  # fmt: skip
    """An order of groups that keeps `before` (group -> bits of groups), with few barriers.

    `hosts` are groups that Python runs; `touches` says what memory each of them reads and writes.
    """
    of_group: dict[int, list[Launch]] = {}
    for launch in launches:
        of_group.setdefault(launch.group, []).append(launch)
    waiting = sorted({*of_group, *hosts})
    done, order, state = 0, Order(), _Traffic()
    present = sum(1 << g for g in waiting)
    while waiting:
        ready = [g for g in waiting if not before[g] & present & ~done]
        chosen = next((g for g in ready if g in of_group and state.free(of_group[g][0])), ready[0])
        waiting.remove(chosen)
        done |= 1 << chosen
        if chosen in hosts:
            order.steps.append(chosen)
            order.barriers.append(True)
            state.clear()
            state.note(*touches[chosen])
            continue
        for launch in of_group[chosen]:
            barrier = not state.free(launch)
            if barrier:
                state.clear()
            order.steps.append(launch)
            order.barriers.append(barrier)
            state.note({m for m, _ in launch.reads()}, {m for m, _ in launch.writes()})
    return order


class _Traffic:
    """What was read and written since the last barrier."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Begins a new epoch."""
        self.read: set[Memory] = set()
        self.written: set[Memory] = set()

    def note(self, read: set[Memory], written: set[Memory]) -> None:
        """Adds what a step does."""
        self.read |= read
        self.written |= written

    def free(self, launch: Launch) -> bool:
        """Whether a kernel may run beside what ran since the last barrier.

        Errors do not disturb each other; but nothing is written to an input beside a kernel that
        may report one.
        """
        reads = {m for m, _ in launch.reads()}
        writes = {m for m, _ in launch.writes()} - {("error",)}
        if any(m[0] == "input" for m in writes):
            reads.add(("error",))
        return not (self.written & (reads | writes) or self.read & writes)


def plan(sizes: dict[Memory, int], lives: dict[Memory, tuple[int, int]]) -> tuple[dict, int]:
    """Offsets into one arena, and its length: memory that lives from epoch to epoch, first fit."""
    placed: list[tuple[int, int, int, int]] = []  # start, end, first epoch, last epoch
    offsets: dict[Memory, int] = {}
    for memory in sorted(sizes, key=lambda m: (-sizes[m], lives[m])):
        length = -(-max(sizes[memory], 1) // ALIGN) * ALIGN
        first, last = lives[memory]
        at = 0
        for start, end, begins, ends in sorted(placed):
            if begins <= last and first <= ends and start < at + length and at < end:
                at = end
        offsets[memory] = at
        placed.append((at, at + length, first, last))
    return offsets, max((end for _, end, _, _ in placed), default=0)
