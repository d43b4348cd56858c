"""Memory classes: in which class an item waits for a larger worker, and which classes a worker takes.

1. An item whose known need is more than its worker may use gets a class, in GiB: the least that holds the need. It
   waits in the lane of that class, and keeps the class until a person changes its need.
2. A worker takes a class of which it may use all but a reserve: a machine of 64 GiB offers some 60 to scripts, and
   takes the class of 64. An item within its class that needs more than its budget runs alone (`admission`).
3. Classes are powers of two, and one and a half times those, as machines are sold. So twice what a task had when memory
   ran out is at most two classes more.
4. A worker whose memory is unknown takes every class.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import chain

from pyanamo_async.core.text.byte_sizes import GIB

EVERY_CLASS = 99_999  # GiB: what five digits can say
CLASSES = (1, *chain.from_iterable((1 << power, 3 << (power - 1)) for power in range(1, 16)), 1 << 16, EVERY_CLASS)
OFFERED = 0.85  # of a machine at least: what it says less what its system, its agents and the reserve take


def class_of(need_bytes: int) -> int:
    """Return the class of a need, in GiB."""
    return CLASSES[min(bisect_left(CLASSES, need_bytes / GIB), len(CLASSES) - 1)]


def largest_class(budget_bytes: int | None) -> int:
    """Return the largest class that a worker takes, in GiB; 0 for one that is too small for any."""
    if budget_bytes is None:
        return EVERY_CLASS
    return max((each for each in CLASSES if least_budget(each) <= budget_bytes), default=0)


def least_budget(memory_class: int) -> float:
    """Return how many bytes a worker has to offer at least to take a class."""
    return memory_class * GIB * OFFERED


def class_above(budget_bytes: int) -> int:
    """Return the least class that such a worker does not take, in GiB."""
    return CLASSES[min(bisect_right(CLASSES, largest_class(budget_bytes)), len(CLASSES) - 1)]


def class_beyond(need_bytes: int, budget_bytes: int | None) -> int:
    """Return the class in which an item has to wait for a larger worker than this one; 0 if this one may run it."""
    if budget_bytes is None or need_bytes <= budget_bytes:
        return 0
    needed = class_of(need_bytes)
    return needed if needed > largest_class(budget_bytes) else 0
