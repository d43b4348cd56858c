"""Publish what tasks print while somebody follows them: about once a second, what is new, and nothing otherwise.

1. Without followers nothing is kept and nothing is asked of a store where asking costs.
2. A new follower is noticed with the next heartbeat, sooner where the store can say between heartbeats.
3. Trouble with publishing costs followers alone, and is said once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable

from pyanamo_async.core.output_tail import OutputTail, TaskRef
from pyanamo_async.core.workers import Orders
from pyanamo_async.errors import PyanamoError, TableReplaced
from pyanamo_async.worker.attempt import Attempt
from pyanamo_async.worker.context import AttemptContext
from pyanamo_async.worker.trouble_log import TroubleLog

PAUSE_S = 1.0
NOTHING = OutputTail()


class Publisher:
    """Publishes for one worker; `run` goes on until it is cancelled."""

    def __init__(self, context: AttemptContext, attempts: Collection[Attempt]) -> None:
        self._worker, self._tails, self._attempts = context.worker, context.adapters.store, attempts
        self._clock = context.runtime.clock
        self._trouble = TroubleLog(context.runtime.event_log, "publishing failed")
        self._followed: set[TaskRef] = set()
        self._published: dict[TaskRef, OutputTail] = {}

    def follow_anew(self, orders: Orders) -> None:
        """Learn from the reply to a heartbeat which tasks are followed."""
        self._published.clear()  # a new subscriber needs the whole tail
        self._follow(orders.following)

    async def run(self) -> None:
        """Publish for as long as somebody follows."""
        while True:
            try:
                # between heartbeats a store says who follows where that costs nothing, elsewhere None
                followed = await self._tails.followed(self._worker, now=self._clock.now()) if self._attempts else None
                if followed is not None:
                    self._follow(followed)
                if any([await self._publish(task) for task in sorted(self._followed)]):
                    self._trouble.over()
            except TableReplaced:  # the heartbeats say so
                return
            except PyanamoError as trouble:
                self._trouble.note(trouble)
                self._follow(())  # until the next heartbeat
            await asyncio.sleep(PAUSE_S)

    async def _publish(self, task: TaskRef) -> bool:
        """Publish what is new of a task; return whether there was something."""
        tail = self._tail(task)
        if tail is None or tail == self._published.get(task, NOTHING):
            return False
        if await self._tails.publish(task, tail, now=self._clock.now()):
            self._published[task] = tail
        else:
            self._follow(self._followed - {task})
        return True

    def _tail(self, task: TaskRef) -> OutputTail | None:
        for attempt in self._attempts:
            if (attempt.item.item_id, attempt.item.attempt) == (task.item_id, task.attempt):
                return attempt.watch(task.task)
        return None

    def _follow(self, tasks: Iterable[TaskRef]) -> None:
        self._followed = set(tasks)
        if not self._followed:
            self._published.clear()
