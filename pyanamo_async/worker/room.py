"""The room of one worker: running items take memory and CPUs, and the next one starts when enough is free.

`core.memory.admission` has the rules; this module applies them to the items of a worker.

1. An item enters when it is claimed, and leaves when its scripts have ended.
2. At most one item waits. One that is claimed meanwhile and does not fit either is to be put back.
3. Without a budget of memory, and with as many CPUs as slots, everything fits.
4. An item that a heartbeat named as waiting starts only after a heartbeat was written that does not name it. So what
   the row of a dead worker names has not started, and whoever takes it over charges it nothing.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from pyanamo_async.core.items import Item, TaskRecord
from pyanamo_async.core.memory.admission import Budget, Occupant
from pyanamo_async.core.memory.needs import NOTHING, Need, PeakHistory, need_of
from pyanamo_async.core.memory.placing import too_large
from pyanamo_async.core.memory.room_wait import NOTHING_WAITS, RoomWait
from pyanamo_async.core.outcomes import Interrupted, InterruptReason
from pyanamo_async.core.values import replace

NO_ROOM_S = 5.0  # how long nothing is claimed after an item found no room, and the item is left to other workers
RECENT = 25  # needs of claimed items, to guess those of the next


class Entry(Enum):
    """What becomes of an item that is claimed."""

    STARTS = auto()
    WAITS = auto()
    REFUSED = auto()


@dataclass(slots=True)
class Waiting:
    """The item that waits, since when, and the event that lets it start.

    One that `was_named` by a heartbeat and `has_room` starts when another heartbeat was written.
    """

    item: Item
    since_s: float
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    was_named: bool = False
    has_room: bool = False


class Room:
    """The room of one worker, which runs `nests` tasks of an item; an unknown need counts as `share_bytes` at first."""

    def __init__(self, budget: Budget, *, nests: int, share_bytes: int, monotonic: Callable[[], float]) -> None:
        self._budget, self._nests, self._monotonic = budget, nests, monotonic
        self._peaks = PeakHistory(share_bytes)
        self._running: dict[str, Occupant] = {}  # by token
        self._takes: dict[str, Need] = {}  # what each of these takes, as was last seen
        self._taken = NOTHING  # by all together
        self._waiting: Waiting | None = None
        self._unstarted = ""  # token of the item that left its place to wait last, and never started
        self._named = ""  # token in the latest heartbeat that was sent
        self.send_heartbeat: Callable[[], None] = lambda: None  # now, because an item that was named has room
        self._needs: deque[Need] = deque()
        self._counts = Counter[Need]()  # most are alike
        self._starts = 0
        self._shared: set[str] = set()  # tokens of what runs, and did not always run alone
        self._refused_s: float | None = None

    @property
    def is_limited(self) -> bool:
        """Return whether something waits for room, or was refused."""
        return self._waiting is not None or self._refused_s is not None

    def places(self, most: int) -> int:
        """Return how many items may be claimed now, up to `most`, if they are as small as the smallest of late."""
        each = self._expected()
        if not self._may_start(each):
            return 0
        if self._holds(each * most):
            return most
        return bisect_left(range(2, most), x=True, key=lambda count: not self._holds(each * count)) + 1

    @property
    def wait(self) -> RoomWait:
        """Return what the waiting item lacks, if one waits."""
        if self._waiting is None or self._waiting.has_room:
            return NOTHING_WAITS
        item, taken, budget_bytes = self._waiting.item, self._taken, self._budget.memory_bytes
        need, wait = need_of(item, self._peaks, nests=self._nests), RoomWait(item.token)
        if need.cpus > (free_cpus := self._budget.cpus - taken.cpus):
            wait = replace(wait, cpus=need.cpus, free_cpus=max(0, free_cpus))
        if budget_bytes is None or self._peaks.fits(taken + need, budget_bytes):
            return wait
        taken_bytes = self._peaks.expected_bytes(taken)
        more_bytes = self._peaks.expected_bytes(taken + need) - taken_bytes
        return replace(wait, memory_bytes=more_bytes, free_bytes=max(0, budget_bytes - taken_bytes))

    def name_wait(self) -> RoomWait:
        """Return what a heartbeat that is about to be sent names: the item that waits, or the last that never started.

        The latter may be lost to this worker, and held in its name still.
        """
        wait = self.wait
        if wait is NOTHING_WAITS:
            wait = RoomWait(self._unstarted)
        elif self._waiting is not None:
            self._waiting.was_named = True
        self._named = wait.token
        return wait

    def heartbeat_written(self) -> bool:
        """Let an item start that has room, if the heartbeat sent last does not name it; return whether one may."""
        waiting = self._waiting
        if waiting is None or not waiting.has_room or waiting.item.token == self._named:
            return False
        self._waiting = None
        waiting.gate.set()
        return True

    def enter(self, item: Item) -> Entry:
        """Take room for a claimed item, or the place to wait; nothing is kept of an item that is refused."""
        need = need_of(item, self._peaks, nests=self._nests)
        self._remember(need)
        if item.token == self._unstarted:  # it could not be put back, was found again, and may be named
            return Entry.REFUSED
        if self._may_start(need):
            self._start(item.token, need)
            return Entry.STARTS
        if self._waiting is None:
            self._waiting = Waiting(item, self._monotonic())
            return Entry.WAITS
        self._refused_s = self._monotonic()
        return Entry.REFUSED

    def too_large(self, item: Item, *, largest_class: int) -> Item | None:
        """Return a claimed item as it is to be put back for a larger worker; None if it may run here."""
        return too_large(item, budget_bytes=self._budget.memory_bytes, largest_class=largest_class)

    def gate(self, item: Item) -> asyncio.Event | None:
        """Return the event that lets a waiting item start; None when it need not wait."""
        return self._waiting.gate if self._waiting is not None and self._waiting.item is item else None

    def leave(self, item: Item) -> bool:
        """Give back what an item took, or its place to wait; return whether it always ran alone."""
        if self._waiting is not None and self._waiting.item.token == item.token:
            self._waiting, self._unstarted = None, item.token
        if self._running.pop(item.token, None) is not None:
            self._taken -= self._takes.pop(item.token)
        self._refused_s = None
        self._admit()
        was_alone = item.token not in self._shared
        self._shared.discard(item.token)
        return was_alone

    def observe(self, item: Item, record: TaskRecord) -> None:
        """Learn from a task that came to its own end, or was ended because memory ran short.

        Of a task whose peak is unknown, what it did not exceed is learnt: others like it never get less than they need.
        """
        is_told = not isinstance(record.outcome, Interrupted) or record.outcome.reason is InterruptReason.MEMORY
        if record.most_bytes and item.memory_bytes is None and is_told:
            self._peaks.observe(record.most_bytes)

    def update(self, used_bytes: Mapping[str, int]) -> list[str]:
        """Learn what runs uses now, by token; return the tokens of what has to end because memory runs short."""
        for token, used in used_bytes.items():
            if each := self._running.get(token):
                grown = max(0, used - each.used_bytes) if each.used_bytes else 0  # to begin with is not to grow
                self._running[token] = each = replace(each, used_bytes=used, grown_bytes=grown)
                self._takes[token] = each.takes(self._peaks)
        self._taken = sum(self._takes.values(), start=NOTHING)
        ending = self._budget.to_end(self._running.values(), self._peaks)
        if not ending:
            self._admit()
        return [token for token, each in self._running.items() if each in ending]

    def _admit(self) -> None:
        """Let the item that waits take room if there is enough, and start, unless the worker's row may name it."""
        if (waiting := self._waiting) is None or waiting.has_room:
            return
        need = need_of(waiting.item, self._peaks, nests=self._nests)
        if not self._budget.fits(need, self._taken, self._peaks):
            return
        self._start(waiting.item.token, need)
        waiting.has_room = True
        if waiting.was_named:
            self.send_heartbeat()
        else:
            self._waiting = None
            waiting.gate.set()

    def _start(self, token: str, need: Need) -> None:
        self._starts += 1
        if self._running:
            self._shared |= {*self._running, token}
        self._running[token], self._takes[token] = Occupant(need, self._starts), need
        self._taken += need

    def _may_start(self, need: Need) -> bool:
        waiting_s = None if self._waiting is None else self._monotonic() - self._waiting.since_s
        if self._refused_s is not None and self._monotonic() - self._refused_s < NO_ROOM_S:
            return False
        return self._budget.may_start(need, self._taken, self._peaks, waiting_s=waiting_s)

    def _holds(self, need: Need) -> bool:
        return self._budget.holds(self._taken + need, self._peaks)

    def _expected(self) -> Need:
        """Return what one of the smaller items took lately; the next may differ."""
        if not self._needs:
            return Need(unknown=1)
        usual, different = self._peaks.usual_bytes, self._counts
        smallest = min(different, key=lambda each: each.memory_bytes + each.unknown * usual)
        return smallest if len(different) == 1 else replace(smallest, cpus=min(each.cpus for each in different))

    def _remember(self, need: Need) -> None:
        self._needs.append(need)
        self._counts[need] += 1
        if len(self._needs) > RECENT:
            oldest = self._needs.popleft()
            self._counts[oldest] -= 1
            if not self._counts[oldest]:
                del self._counts[oldest]
