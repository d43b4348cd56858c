"""Find work: take a slot, then claim, as long as there may be something to claim.

Laws: slot before claim. Items others left at their wall time come when nothing is `todo`. An empty answer is not the
end: items in their backoff, those our own running attempts may give back, and those of workers that perhaps vanished,
are waited for. A claim whose reply never came is looked for among what the worker holds, or it would be locked for as
long as the worker lives. An item that would be buried for one more crash runs alone, so that none is for another's.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from pyanamo_async.core import transitions
from pyanamo_async.core.items import CLAIMABLE, Item, State
from pyanamo_async.core.workers import FleetState
from pyanamo_async.errors import Fenced, PyanamoError, Unavailable
from pyanamo_async.fleet.drain_check import DrainCheck
from pyanamo_async.fleet.idle_policy import IdlePolicy
from pyanamo_async.fleet.notifications import NotificationListener
from pyanamo_async.host.waiting import elapsed
from pyanamo_async.worker.attempt import Attempt, Tools
from pyanamo_async.worker.launch_backoff import LaunchBackoff
from pyanamo_async.worker.stop import Level, Stop

T = TypeVar("T")

MOST_AT_ONCE = 25  # what one batch of DynamoDB takes
FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 15.0
LISTENS_FROM_S = 1.5  # pauses that are worth it
HEARD_PAUSE_S = 1.0  # at first, when items were announced: an index may show them late
RECENT = 1024  # tokens of claims that came: an answer about what is held may be older than their settle
SEARCHES = 3  # for a lost claim, while there is other work
INDEX_LAG_S = 20.0  # how far the index by which it is found may be behind: nobody goes home before


class Claims:
    """Claims items for free slots. Whoever iterates over it gives each slot back with `done_with_slot`."""

    def __init__(
        self,
        tools: Tools,
        stop: Stop,
        *,
        slots: int,
        idle_policy: IdlePolicy,
        attempts: Collection[Attempt],
        fleet_state: Callable[[timedelta], Awaitable[FleetState]],
    ) -> None:
        self._tools = tools
        self._stop = stop
        self._slots = asyncio.Semaphore(slots)
        self._most_attempts = 2 * slots  # half of them done with their scripts and being settled
        self._ask_fleet_state = fleet_state
        self._attempts = attempts
        self._ended = asyncio.Event()
        self._pause_s = FIRST_PAUSE_S
        self._is_staying = False
        self._searches_left = 0
        self.leaving = DrainCheck(
            tools.clock, idle_policy, look_around=self._look_around, next_due=partial(self._next_due, consistent=True)
        )
        self._listening = NotificationListener(tools.store, tools.clock, late=idle_policy.sure_after)
        self.rest = LaunchBackoff(tools.clock, stop)
        self.trouble: PyanamoError | None = None
        self._lost_s: float | None = None  # when a claim was last sent and never answered
        self._one_at_a_time = False
        self._recent: deque[str] = deque(maxlen=RECENT)

    def done_with_slot(self) -> None:
        """Give a slot back, when its scripts have ended."""
        self._slots.release()

    def look_again(self) -> None:
        """Say that an attempt was settled, or that the worker is to stop: nobody need wait any longer."""
        self._ended.set()

    async def items(self) -> AsyncIterator[Item]:
        """Yield claimed items, each with a slot taken, until drained or told to stop."""
        while not self._stop.draining:
            await self.rest.over()
            taken = await self._take_slots()
            items = await self._without_company(await self._claim(taken)) if self._may_start() else []
            for _ in range(taken - len(items)):
                self._slots.release()
            for item in items:
                self._recent.append(item.token)
                yield item
            if not items and not await self._worth_waiting():
                return
            if items:
                self._pause_s = FIRST_PAUSE_S
                self.leaving.put_off()

    async def _without_company(self, items: list[Item]) -> list[Item]:
        """Keep one item on its last chance if it would be alone; give back others, to come again one at a time."""
        last = [item for item in items if self._tools.policy.is_last_chance(item.crashes)]
        self._one_at_a_time = bool(last)
        if not last:
            return items
        first = [item for item in items if item not in last]
        run = first or ([] if self._attempts else last[:1])
        for item in last:
            if item not in run:
                await self._give_back(item)
        return run

    async def _give_back(self, item: Item) -> None:
        with suppress(Fenced):
            await self._ask(partial(self._tools.store.save, item, transitions.release_unused(item)))

    def _may_start(self) -> bool:
        if not self._tools.keeper.fits(self._tools.elapsed_s()):
            self._stop.request(Level.DRAIN, "wall time")
        return not self._stop.draining

    async def _take_slots(self) -> int:
        while len(self._attempts) >= (1 if self._one_at_a_time else self._most_attempts) and not self._stop.draining:
            await self._until_attempt_ends(None)
        await self._slots.acquire()
        taken = 1
        while not self._one_at_a_time and taken < MOST_AT_ONCE and not self._slots.locked():
            await self._slots.acquire()
            taken += 1
        return taken

    async def _claim(self, limit: int) -> list[Item]:
        for state in CLAIMABLE:
            items = await self._ask(partial(self._claim_in, state, limit))
            if items:
                return items
        return []

    async def _claim_in(self, state: State, limit: int) -> list[Item]:
        tools = self._tools
        if self._searches_left:
            found = await self._lost_claims()
            if found:
                return found[:limit]
        try:
            won = await tools.store.claim(tools.worker, limit=limit, now=tools.clock.now(), state=state)
            return self._unknown(won)  # a claim that was looked for and found may be answered after all
        except Unavailable as trouble:
            if not trouble.throttled:
                self._searches_left, self._lost_s = SEARCHES, tools.clock.monotonic()
            raise

    async def _lost_claims(self) -> list[Item]:
        """Look for items that were claimed for us in an answer that never came."""
        held = await self._tools.store.held(self._tools.worker)
        self._searches_left -= 1
        return self._unknown(held)

    def _unknown(self, items: list[Item]) -> list[Item]:
        known = {attempt.item.token for attempt in self._attempts}
        return [item for item in items if item.token not in known and item.token not in self._recent]

    async def _ask(self, question: Callable[[], Awaitable[T]]) -> T | None:
        """Ask the store; None when told to stop while it was away, or when it refuses: then nothing more is claimed."""
        try:
            return await self._tools.patience.call(question, given_up=self._stop.drain)
        except Unavailable:
            return None
        except PyanamoError as trouble:  # what runs comes to its end; then the worker says so
            self.trouble = trouble
            self._stop.request(Level.DRAIN, str(trouble))
            return None

    async def _worth_waiting(self) -> bool:
        """Wait for what may become claimable; False when nothing will, or when told to stop."""
        if self._stop.draining:
            return False
        due = await self._next_due()
        if due is None and not self._attempts and await self.leaving.is_time():
            return False
        if due is not None or self._attempts:
            self.leaving.put_off()
        await self._until_something_comes(self._pause(due))
        return not self._stop.draining

    async def _look_around(self, idle: timedelta) -> FleetState:
        """Ask what others may bring back, and whether a claim whose answer never came was won."""
        lost_lately = FleetState(may_come_back=True) if self._lost_lately() else None
        fleet_state = lost_lately or await self._ask(partial(self._ask_fleet_state, idle)) or FleetState()
        if fleet_state.may_come_back and not self._is_staying:
            self._tools.event_log.note("waiting for others", reason="they hold items and may have vanished")
        self._is_staying = fleet_state.may_come_back
        if fleet_state.may_come_back and self._lost_s is not None:
            self._searches_left = max(1, self._searches_left)  # what is held may be ours
        may_go = not fleet_state.may_come_back and fleet_state.all_settled is None
        return (
            FleetState(may_come_back=True) if may_go and await self._ask(self._listening.heard_lately) else fleet_state
        )

    def _lost_lately(self) -> bool:
        return self._lost_s is not None and self._tools.clock.monotonic() - self._lost_s < INDEX_LAG_S

    async def _next_due(self, *, consistent: bool = False) -> datetime | None:
        """Tell when the next item may be claimed, in whichever state; None when there is none at all."""
        look = partial(self._tools.store.next_due, consistent=consistent)
        moments = [await self._ask(partial(look, state=state)) for state in CLAIMABLE]
        return min((moment for moment in moments if moment is not None), default=None)

    def _pause(self, due: datetime | None) -> float:
        """Choose how long to wait: until something is due, else ever longer, scattered among workers."""
        pause_s = self._pause_s * (0.5 + self._tools.rng.random())
        self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)
        now = self._tools.clock.now()
        if due is not None and due > now:
            return min((due - now).total_seconds(), pause_s)
        return self.leaving.pause_s() or pause_s

    async def _until_something_comes(self, seconds: float) -> None:
        """Wait so long, but no longer than until an attempt ends, or somebody announces items."""
        parts = max(1, round(seconds / self._listening.every_s))
        for _ in range(parts):
            if self._stop.draining or not await elapsed(self._ended, seconds / parts):
                break
            if seconds >= LISTENS_FROM_S and await self._listening.hears():
                self._pause_s = min(self._pause_s, HEARD_PAUSE_S)
                break
        self._ended.clear()

    async def _until_attempt_ends(self, seconds: float | None) -> None:
        if not self._stop.draining:
            await elapsed(self._ended, seconds)
        self._ended.clear()  # not before: what ended while we looked is worth another look
