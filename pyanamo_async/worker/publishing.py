"""Publish what tasks print while somebody follows them: about once a second, what is new, and nothing otherwise.

Laws: without followers nothing is kept and nothing is asked of a store where asking costs. Whoever begins to follow is
heard of with the next beat, sooner where the store can tell between beats. What trouble there is costs followers alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable

from pyanamo_async.core.output_tail import OutputTail, TaskRef
from pyanamo_async.core.workers import Orders
from pyanamo_async.errors import PyanamoError
from pyanamo_async.ports import Clock, EventLog, Store
from pyanamo_async.worker.attempt import Attempt

PAUSE_S = 1.0
NOTHING = OutputTail()


class Publisher:
    """Publishes for one worker. `hear` is told the reply to each beat; `run` goes on until it is cancelled."""

    def __init__(
        self, worker: str, attempts: Collection[Attempt], *, store: Store, clock: Clock, event_log: EventLog
    ) -> None:
        self._worker, self._attempts = worker, attempts
        self._store, self._clock, self._event_log = store, clock, event_log
        self._followed: set[TaskRef] = set()
        self._shown: dict[TaskRef, OutputTail] = {}
        self._someone_follows = asyncio.Event()

    def hear(self, orders: Orders) -> None:
        """Learn from the reply to a beat what is followed."""
        self._shown.clear()  # whoever began anew, in the very moment when another ended, sees it all once more
        self._follow(orders.following)

    async def run(self) -> None:
        """Publish for as long as somebody asks."""
        while True:
            try:
                await self._look()
                for feed in sorted(self._followed):
                    await self._publish(feed)
            except PyanamoError as trouble:
                self._event_log.note("publishing failed", trouble=str(trouble))
                self._follow(())  # until we hear of them again
            await asyncio.sleep(PAUSE_S)

    async def _look(self) -> None:
        """Learn between beats what is followed, where the store can tell; elsewhere wait for the beat that does."""
        if not self._attempts:
            return
        followed = await self._store.followed(self._worker, now=self._clock.now())
        if followed is None:
            await self._someone_follows.wait()
        else:
            self._follow(followed)

    async def _publish(self, feed: TaskRef) -> None:
        live = self._watch(feed)
        if live is None or live == self._shown.get(feed, NOTHING):
            return
        if await self._store.publish(feed, live, now=self._clock.now()):
            self._shown[feed] = live
        else:
            self._follow(self._followed - {feed})

    def _watch(self, feed: TaskRef) -> OutputTail | None:
        for attempt in self._attempts:
            if (attempt.item.item_id, attempt.item.attempt) == (feed.item_id, feed.attempt):
                return attempt.watch(feed.task)
        return None

    def _follow(self, feeds: Iterable[TaskRef]) -> None:
        self._followed = set(feeds)
        if self._followed:
            self._someone_follows.set()
        else:
            self._someone_follows.clear()
            self._shown.clear()
