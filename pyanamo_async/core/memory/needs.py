"""How much memory, and how many CPUs, an item needs while it runs.

1. What an item is known to need outranks what others needed: its column `Memory`, and what it had reached when it was
   ended for want of memory.
2. Otherwise it is what the step has shown: more than nine in ten of the recent peaks, and a margin.
3. Before anything is shown, each gets an equal share of the budget, so that nothing is overcommitted.
4. An item that declares its need teaches nothing about those that do not.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field

from pyanamo_async.core.items import Item
from pyanamo_async.core.values import Value

RECENT = 50  # peaks
ENOUGH = 3  # peaks, to go by them
PERCENTILE, MARGIN = 0.95, 1.1


class Need(Value):
    """What an item takes of a worker."""

    memory_bytes: int = 0
    cpus: int = 1


@dataclass(slots=True)
class PeakHistory:
    """The peaks of tasks that did not declare what they need."""

    _recent: deque[int] = field(default_factory=lambda: deque(maxlen=RECENT))

    def observe(self, peak_bytes: int) -> None:
        """Add the peak of a task that has ended."""
        self._recent.append(peak_bytes)

    @property
    def typical_bytes(self) -> int | None:
        """Return what a task may be expected to need; None before enough is known."""
        if len(self._recent) < ENOUGH:
            return None
        return round(MARGIN * quantile(self._recent, PERCENTILE))


def quantile(sizes: Collection[int], share: float) -> int:
    """Return the least of the sizes that a share of them does not exceed."""
    return sorted(sizes)[math.ceil(share * len(sizes)) - 1]


def tasks_at_once(item: Item, nests: int) -> int:
    """Return how many of an item's tasks run at a time where `nests` may."""
    return max(1, min(nests, len(item.todo)))


def known_need_bytes(item: Item) -> int:
    """Return what a task of an item is known to need; 0 when nothing is known."""
    return max(item.memory_bytes or 0, item.memory_need_bytes)


def need_of(item: Item, *, typical_bytes: int, nests: int) -> Need:
    """Return what an item needs, of whose tasks `nests` run at a time.

    `typical_bytes` is what a task of the step needs of which nothing is known.
    """
    at_once = tasks_at_once(item, nests)
    own = typical_bytes if item.memory_bytes is None else item.memory_bytes
    return Need(at_once * max(own, item.memory_need_bytes), at_once * item.cpus)
