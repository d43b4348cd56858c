"""Decide what may start beside what runs, within a budget of memory and CPUs.

1. An item starts when its need fits beside what runs. What runs takes what it needs, or what it uses if that is more.
2. One that fits into no budget runs alone.
3. One claimed item waits for room, while smaller ones fill gaps. When it has waited for a minute, nothing else starts
   before it: so it starts when what runs now has ended, if not earlier.
4. When memory runs short, the youngest ends, so that the least work is lost; never the only one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from pyanamo_async.core.memory.needs import Need
from pyanamo_async.core.values import Value

PATIENCE_S = 60.0  # of an item that waits for room


class Occupant(Value):
    """What one running item takes: what it needs, and what it uses now; `order` is that of the starts."""

    need: Need
    order: int
    used_bytes: int = 0

    @property
    def memory_bytes(self) -> int:
        """Return what is not there for others."""
        return max(self.need.memory_bytes, self.used_bytes)


class Budget(Value):
    """What a worker may use; without `memory_bytes` nothing is known of the machine, and memory is no limit."""

    memory_bytes: int | None
    cpus: int

    def fits(self, need: Need, running: Sequence[Occupant]) -> bool:
        """Return whether an item may start beside these."""
        if not running:
            return True
        if need.cpus + sum(each.need.cpus for each in running) > self.cpus:
            return False
        taken = sum(each.memory_bytes for each in running)
        return self.memory_bytes is None or need.memory_bytes + taken <= self.memory_bytes

    def may_start(self, need: Need, running: Sequence[Occupant], *, waiting_s: float | None) -> bool:
        """Return whether an item may start, while another has waited so long (None: none waits)."""
        return (waiting_s is None or waiting_s < PATIENCE_S) and self.fits(need, running)

    def to_end(self, running: Iterable[Occupant]) -> Occupant | None:
        """Return what has to end because more is used than there is; None when nothing has."""
        occupants = sorted(running, key=lambda each: each.order)
        if self.memory_bytes is None or sum(each.used_bytes for each in occupants) <= self.memory_bytes:
            return None
        return occupants[-1] if len(occupants) > 1 else None


NO_LIMIT = Budget(None, sys.maxsize)
