"""Find work: take a slot, then claim, as long as there may be something to claim.

1. Slot before claim. Items that others left at their wall time come when nothing is `todo`.
2. An empty answer is not the end: items in their backoff, and those that our own running attempts may put back, are
   waited for, as are those that a person's order is about to change. When nothing is left that can be waited for, the
   fleet's rule decides (`fleet.going_home`).
3. A claim whose reply was lost is looked for among what the worker holds, or it would be locked for as long as the
   worker lives (`worker.lost_claims`).
4. An item that would be buried for one more crash runs alone, so that none is buried for another's.
5. An item that needs a larger worker goes to the lane of its memory class, where this one looks no more. Workers that
   wait are notified of it, as of any that another kind of worker is to take.
6. An item that finds no room, while another waits for it, is put back for a few seconds (`worker.room`).
7. While this machine cannot start scripts, claims pause ever longer, and not for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from pyanamo_async.core import transitions
from pyanamo_async.core.items import CLAIMABLE, Item, State
from pyanamo_async.core.outcomes import NotStarted
from pyanamo_async.core.queue_lanes import EVERYBODY, lane_of
from pyanamo_async.errors import Fenced, PyanamoError, Unavailable
from pyanamo_async.fleet.going_home import GoingHome
from pyanamo_async.host.waiting import elapsed
from pyanamo_async.worker.context import AttemptContext
from pyanamo_async.worker.lost_claims import LostClaims
from pyanamo_async.worker.memory_watch import MemoryWatch
from pyanamo_async.worker.releases import ReleaseOrders
from pyanamo_async.worker.room import NO_ROOM_S, Entry
from pyanamo_async.worker.stop import Level, Stop

T = TypeVar("T")

MOST_AT_ONCE = 25  # what one batch of DynamoDB takes
FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 15.0
POLLS_FROM_S = 1.5  # pauses that are worth it
NOTIFIED_PAUSE_S = 1.0  # at first, after a notification: an index may show the items late
FIRST_REFUSED_S = 0.5
MOST_REFUSALS = 10  # pauses without a script started: about two minutes


class Claimer:
    """Claims items for free slots. Whoever iterates over it puts each slot back into `slots`."""

    def __init__(
        self,
        context: AttemptContext,
        stop: Stop,
        slots: int,
        *,
        releases: ReleaseOrders,
        going_home: GoingHome,
        memory: MemoryWatch,
    ) -> None:
        self._worker, self._store = context.worker, context.adapters.store
        self._clock, self._rng = context.runtime.clock, context.runtime.rng
        self._policy, self._wall_time, self._calls = context.tasks.failure_policy, context.wall_time, context.calls
        self._stop, self._releases, self._going_home, self._room = stop, releases, going_home, memory.room
        memory.look_again = self.look_again
        self.slots: asyncio.PriorityQueue[int] = asyncio.PriorityQueue()  # the lowest free one is taken first
        for slot in range(slots):
            self.slots.put_nowait(slot)
        self._most_attempts = 2 * slots  # half of them done with their scripts and being settled
        self._attempts = releases.attempts
        self._changed = asyncio.Event()
        self._pause_s = FIRST_PAUSE_S
        self._lost = LostClaims(context, releases.attempts)
        self._one_at_a_time = False
        self._refusals, self._refused_until_s = 0, 0.0
        self.put_back = 0  # items that it found to be claimed when it claimed no more
        self.trouble: PyanamoError | None = None

    def look_again(self) -> None:
        """End a pause: an attempt was settled, items were taken over, or the worker is to stop."""
        self._changed.set()

    def launched(self, refusal: NotStarted | None) -> str:
        """Learn whether this machine started a script, or why not; return why when it has not for too long."""
        now_s = self._clock.monotonic()
        if refusal is None:
            self._refusals = 0
            return ""
        if now_s >= self._refused_until_s:
            self._refused_until_s = now_s + min(FIRST_REFUSED_S * 2**self._refusals, LONGEST_PAUSE_S)
            self._refusals += 1
        return refusal.why if self._refusals > MOST_REFUSALS else ""

    async def settled(self, before: Item, after: Item) -> None:
        """Learn what became of an item; notify others if it waits for another kind of worker from now on."""
        self._releases.settled(after)
        is_moved = after.state is State.TODO and lane_of(after) not in {EVERYBODY, lane_of(before)}
        if is_moved and not self._stop.draining:  # a worker that is stopped does so once, at its end
            await self._going_home.notifications.notify()

    async def claims(self) -> AsyncIterator[tuple[Item, int]]:
        """Yield claimed items, each with the slot taken for it, until drained or told to stop."""
        while not self._stop.draining:
            if self._refusals:
                await elapsed(self._stop.drain, self._refused_until_s - self._clock.monotonic())
            slots = await self._take_slots()
            items = await self._isolate_last_chance(await self._claim(len(slots))) if self._may_start() else []
            items = await self._with_room(items)
            for slot in slots[len(items) :]:
                self.slots.put_nowait(slot)
            for item, slot in zip(items, slots, strict=False):
                self._lost.answered(item)
                yield item, slot
            if items:
                self._pause_s = FIRST_PAUSE_S
                self._going_home.found_work()
            elif not await self._wait_for_work():
                break
        self.put_back = await self._lost.put_back(self._stop, index_lag_s=self._going_home.index_lag_s)

    async def _isolate_last_chance(self, items: list[Item]) -> list[Item]:
        """Keep one item on its last chance if it would be alone; put back others, to come again one at a time."""
        last = [item for item in items if self._policy.is_last_chance(item.crashes)]
        self._one_at_a_time = bool(last)
        others = [item for item in items if item not in last]
        chosen = others or ([] if self._attempts else last[:1])
        for item in last:
            if item not in chosen:
                await self._save(item, transitions.release_unused(item))
        return chosen

    async def _with_room(self, items: list[Item]) -> list[Item]:
        """Take room for items; put back those that find neither room nor a place to wait, or are too large."""
        claimed = len(items)
        items = [item for item in items if not await self._put_back_too_large(item)]
        if len(items) < claimed:
            await self._going_home.notifications.notify()
        entries = [(item, self._room.enter(item)) for item in items]
        for item, entry in entries:
            if entry is Entry.REFUSED:
                again = self._clock.now() + timedelta(seconds=NO_ROOM_S * (0.5 + self._rng.random()))
                await self._save(item, transitions.release_unused(item, until=again))
        return [item for item, entry in entries if entry is not Entry.REFUSED]

    async def _put_back_too_large(self, item: Item) -> bool:
        if back := self._room.too_large(item, largest_class=self._store.kind.largest_class):
            await self._save(item, back)
        return back is not None

    async def _save(self, item: Item, after: Item) -> None:
        with suppress(Fenced):
            await self._ask(partial(self._store.save, item, after))

    def _may_start(self) -> bool:
        if not self._wall_time.fits(self._clock.monotonic()):
            self._stop.request(Level.DRAIN, "wall time")
        return not self._stop.draining

    async def _take_slots(self) -> list[int]:
        while not self._stop.draining and not self._may_claim():
            await elapsed(self._changed, NO_ROOM_S if self._room.is_limited else None)
            self._changed.clear()  # not before: what ended while we looked is worth another look
        taken = [await self.slots.get()]
        most = 1 if self._one_at_a_time else self._room.places(MOST_AT_ONCE)
        while len(taken) < most and not self.slots.empty():
            taken.append(self.slots.get_nowait())
        return taken

    def _may_claim(self) -> bool:
        most = 1 if self._one_at_a_time else self._most_attempts
        return len(self._attempts) < most and self._room.places(1) > 0

    async def _claim(self, limit: int) -> list[Item]:
        for state in CLAIMABLE:
            if items := await self._ask(partial(self._claim_in, state, limit)):
                return items
        return []

    async def _claim_in(self, state: State, limit: int) -> list[Item]:
        if lost := await self._lost.search():
            return lost[:limit]
        try:
            won = await self._store.claim(self._worker, limit=limit, now=self._clock.now(), state=state)
            if self._store.has_unanswered_claims:
                self._lost.unanswered()
            return self._lost.unknown(won)  # a claim that was looked for and found may be answered after all
        except Unavailable as trouble:
            if not trouble.throttled:
                self._lost.unanswered()
            raise

    async def _ask(self, question: Callable[[], Awaitable[T]]) -> T | None:
        """Ask the store; None when told to stop while it was away, or when it refuses: then nothing more is claimed."""
        try:
            return await self._calls.call(question, give_up=self._stop.drain)
        except Unavailable:
            self._lost.unanswered()  # it may have been what puts a claim back
            return None
        except PyanamoError as trouble:  # what runs comes to its end; then the worker says so
            self.trouble = trouble
            self._stop.request(Level.DRAIN, trouble.what)
            return None

    async def _wait_for_work(self) -> bool:
        """Wait for what may become claimable; return False when nothing will, or when told to stop."""
        if self._stop.draining:
            return False
        due = await self._next_due()
        if due is not None or self._attempts or await self._ask(self._releases.expects_change):
            self._going_home.found_work()
        else:
            if await self._ask(partial(self._going_home.may_go_home, unanswered_claim_s=self._lost.unanswered_s)):
                return False
            if self._going_home.holds_unknown_item:
                self._lost.search_again()
        await self._pause(self._pause_until(due))
        return not self._stop.draining

    async def _next_due(self) -> datetime | None:
        """Return when the next item may be claimed, in whichever state; None when there is none at all."""
        times = [await self._ask(partial(self._store.next_due, state=state)) for state in CLAIMABLE]
        return min((time for time in times if time is not None), default=None)

    def _pause_until(self, due: datetime | None) -> float:
        """Choose how long to wait: until something is due, else ever longer, scattered among workers."""
        pause_s = self._pause_s * (0.5 + self._rng.random())
        self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)
        now = self._clock.now()
        if due is not None and due > now:
            return min((due - now).total_seconds(), pause_s)
        asked_s = self._going_home.pause_s()
        return pause_s if asked_s is None else asked_s

    async def _pause(self, seconds: float) -> None:
        """Wait so long, but no longer than until something changes, or a notification comes."""
        notifications = self._going_home.notifications
        parts = max(1, round(seconds / notifications.every_s))
        for _ in range(parts):
            if self._stop.draining or not await elapsed(self._changed, seconds / parts):
                break
            if seconds >= POLLS_FROM_S and await notifications.poll():
                self._pause_s = min(self._pause_s, NOTIFIED_PAUSE_S)
                break
        self._changed.clear()
