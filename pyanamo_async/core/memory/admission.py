"""Decide what may start beside what runs, within a budget of memory and CPUs.

1. An item starts when its need fits beside what runs. A running item takes what it needs, or what it uses if that is
   more.
2. An item that needs more than the whole budget runs alone.
3. One claimed item waits for room, while smaller ones fill the gaps. When it has waited for a minute, nothing else
   starts before it. So it starts when what runs now has ended, if not earlier.
4. Memory runs short when more is used than there is, or will be at the next look if the items that have outgrown their
   need go on growing as fast. Then the youngest of those are ended, or if there is none, the youngest of all. So the
   least work is lost, and items that keep to their need go on. The oldest is never ended, so that some work always goes
   on.
"""

from __future__ import annotations

import sys
from collections.abc import Collection

from pyanamo_async.core.memory.needs import NOTHING, Need, PeakHistory
from pyanamo_async.core.values import Value

RESERVES_AFTER_S = 60.0  # an item that has waited this long for room keeps others from starting


class Occupant(Value):
    """A running item: what it needs, what it uses now, and how much that has grown since the last look.

    `order` grows with each start: the youngest has the greatest.
    """

    need: Need
    order: int
    used_bytes: int = 0
    grown_bytes: int = 0

    def has_outgrown(self, peaks: PeakHistory) -> bool:
        """Return whether it uses more than it was expected to need."""
        return self.used_bytes > self.need.memory_bytes + self.need.unknown * peaks.usual_bytes

    def takes(self, peaks: PeakHistory) -> Need:
        """Return what it takes from others."""
        if not self.has_outgrown(peaks):
            return self.need
        return Need(peaks.likely_bytes(self.used_bytes) if self.need.unknown else self.used_bytes, self.need.cpus)

    def soon_bytes(self, peaks: PeakHistory) -> int:
        """Return what it uses at the next look if it grows on; one that keeps to a known need does not exceed that."""
        soon = self.used_bytes + self.grown_bytes
        return soon if self.need.unknown or self.has_outgrown(peaks) else min(soon, self.need.memory_bytes)


class Budget(Value):
    """What the scripts of a worker may use together; None means that the machine's memory is unknown, so no limit."""

    memory_bytes: int | None
    cpus: int

    def holds(self, taken: Need, peaks: PeakHistory) -> bool:
        """Return whether this much fits into the budget."""
        return taken.cpus <= self.cpus and (self.memory_bytes is None or peaks.fits(taken, self.memory_bytes))

    def fits(self, need: Need, taken: Need, peaks: PeakHistory) -> bool:
        """Return whether an item may start beside those that together take `taken`; alone, any item may."""
        return taken == NOTHING or self.holds(taken + need, peaks)

    def may_start(self, need: Need, taken: Need, peaks: PeakHistory, *, waiting_s: float | None) -> bool:
        """Return whether an item may start, while another has waited for `waiting_s` (None: none waits)."""
        return (waiting_s is None or waiting_s < RESERVES_AFTER_S) and self.fits(need, taken, peaks)

    def to_end(self, running: Collection[Occupant], peaks: PeakHistory) -> list[Occupant]:
        """Return what has to end because memory runs short, in the order in which to end it."""
        if self.memory_bytes is None:
            return []
        others = sorted(running, key=lambda each: each.order)[1:]  # never the oldest
        outgrown = [each for each in others if each.has_outgrown(peaks)]
        ending = list[Occupant]()
        used = sum(each.used_bytes for each in running)
        soon = sum(each.soon_bytes(peaks) for each in running)
        while outgrown and soon > self.memory_bytes:
            ending.append(each := outgrown.pop())
            others.remove(each)
            used, soon = used - each.used_bytes, soon - each.soon_bytes(peaks)
        while others and used > self.memory_bytes:
            ending.append(each := others.pop())
            used -= each.used_bytes
        return ending


NO_LIMIT = Budget(None, sys.maxsize)
