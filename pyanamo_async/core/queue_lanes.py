"""Lanes of the queue: items that only some workers may run wait in lanes of their own, where others do not look.

1. An item that needs a larger worker waits in the lane of its memory class (`core.memory.classes`).
2. An item that has lost its machine as often as the table's setting says waits in the lane of last attempts, for a
   worker that was started to take those, on a machine that nobody takes away. A memory class outranks this, because few
   workers have so much memory: any worker that is large enough takes the item.
3. Workers that take such lanes take all other items as well. A worker that is too small, or takes no last attempts,
   never sees them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from pyanamo_async.core.items import Item, State
from pyanamo_async.core.memory.classes import EVERY_CLASS, class_of, least_budget
from pyanamo_async.core.memory.needs import known_need_bytes
from pyanamo_async.core.text.byte_sizes import GIB, show_size
from pyanamo_async.core.text.plural import plural
from pyanamo_async.core.values import Value, replace

LAST_ATTEMPTS_AFTER = 3  # lost machines, unless a person says another number


class Lane(Value):
    """A part of the queue of `todo`: of a memory class in GiB, of last attempts, or with neither, of everybody."""

    memory_class: int = 0
    last_attempts: bool = False


EVERYBODY, LAST_ATTEMPTS = Lane(), Lane(last_attempts=True)


class WorkerKind(Value):
    """Which lanes a worker looks into: those of memory classes up to the largest, in GiB, and that of last attempts."""

    largest_class: int = EVERY_CLASS
    last_attempts: bool = True

    def takes(self, lane: Lane) -> bool:
        """Return whether it looks into a lane."""
        return lane.memory_class <= self.largest_class and (self.last_attempts or not lane.last_attempts)


TAKES_ALL = WorkerKind()


def lane_of(item: Item) -> Lane:
    """Return the lane in which an item waits while it is in `todo`."""
    if item.memory_class:
        return Lane(item.memory_class)
    return LAST_ATTEMPTS if item.last_attempts else EVERYBODY


def left_to_last_attempts(item: Item, after: int | None) -> Item:
    """Leave an item that has just lost its machine to workers that take last attempts, if that happened often enough.

    `after` is how often that may happen; None if nothing is left to them.
    """
    if after is None or item.state is not State.TODO or item.evictions < after:
        return item
    return replace(item, last_attempts=True)


def left_by(counted: Mapping[Lane, int], kinds: Iterable[WorkerKind]) -> dict[Lane, int]:
    """Return what workers of these kinds leave of items counted by lane: last attempts, then the smallest class."""
    able = [*kinds]
    lanes = sorted(counted, key=lambda lane: lane.memory_class)
    return {lane: counted[lane] for lane in lanes if not any(kind.takes(lane) for kind in able)}


class OutOfReach(Value):
    """Items of a lane that no living worker looks into, and the memory that a worker has to have for them.

    `least_bytes` and `most_bytes` are of those `seen`, which may be fewer than all; 0 if none was, or of last attempts.
    As a text it is a sentence.
    """

    lane: Lane
    items: int
    seen: int = 0
    least_bytes: int = 0
    most_bytes: int = 0

    def __str__(self) -> str:
        """Return a sentence, without its end."""
        if self.lane.last_attempts:
            wait = "waits" if self.items == 1 else "wait"
            return (
                f"{plural(self.items, 'item')} {wait} for a worker with `last_attempts`, and no living worker has that"
            )
        need = "needs" if self.items == 1 else "need"
        return f"{plural(self.items, 'item')} {need} {self.memory}, and no living worker has that"

    @property
    def memory(self) -> str:
        """Return how much memory they need: exactly, if all were seen, or else at most."""
        return show_need(self._sizes, self.most_bytes, self.lane.memory_class)

    @property
    def _sizes(self) -> str:
        least, most = show_size(self.least_bytes), show_size(self.most_bytes)
        if self.seen < self.items:
            return f"up to {show_size(self.class_bytes)}" + (f" (one of them {most})" if self.seen else "")
        unit = most.rpartition(" ")[2]
        return most if least == most else f"{least.removesuffix(f' {unit}')} to {most}"

    @property
    def class_bytes(self) -> int:
        """Return the most that an item of the lane's memory class needs."""
        return self.lane.memory_class * GIB


def show_need(sizes: str, most_bytes: int, memory_class: int) -> str:
    """Return how much memory items need, and how much a worker has to have to take their class, where that is more."""
    gigabytes = math.ceil(least_budget(memory_class) / GIB)
    more = f" (a worker with {gigabytes:,} GB or more)" if 0 < most_bytes < least_budget(memory_class) else ""
    return f"{sizes} of memory{more}"


def out_of_reach(lane: Lane, items: int, seen: Iterable[Item] = ()) -> OutOfReach:
    """Return so many items of a lane, of which these were `seen`."""
    needs = [worker_need_bytes(each) for each in seen if lane.memory_class]
    return OutOfReach(lane, items, len(needs), min(needs, default=0), max(needs, default=0))


def worker_need_bytes(item: Item) -> int:
    """Return how much memory a worker has to have for an item of a memory class.

    That is what its tasks need, each; or all of its class, where several that ran at a time needed more together.
    """
    need_bytes = known_need_bytes(item)
    return need_bytes if class_of(need_bytes) >= item.memory_class else item.memory_class * GIB
