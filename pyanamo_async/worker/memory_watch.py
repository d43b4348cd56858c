"""Watch how much memory the attempts of a worker use, and end some when it runs short.

1. No more are ended than necessary: with TERM, then with KILL if one is still there when the next sample shows too
   much.
2. The item is put back as an interruption, and counts as needing what it had reached.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping

from pyanamo_async.core.items import Item
from pyanamo_async.core.outcomes import InterruptReason
from pyanamo_async.core.text.byte_sizes import show_size
from pyanamo_async.core.workers import Orders
from pyanamo_async.worker.attempt import Attempt
from pyanamo_async.worker.context import AttemptContext, Plan
from pyanamo_async.worker.room import Room


class MemoryWatch:
    """Keeps the attempts of one worker within its room; `look_again` is called when there may be room again."""

    def __init__(self, plan: Plan, context: AttemptContext, attempts: Collection[Attempt]) -> None:
        nests, monotonic = context.tasks.nests, context.runtime.clock.monotonic
        self.room = Room(plan.budget, nests=nests, share_bytes=plan.share_bytes, monotonic=monotonic)
        self.look_again: Callable[[], None] = lambda: None
        self._samples, self._attempts, self._note = plan.memory, attempts, context.runtime.event_log.note
        self._ending: list[Attempt] = []

    async def run(self) -> None:
        """Watch until cancelled; without samples there is nothing to watch."""
        while self._samples is not None:
            self.see(await self._samples())

    def see(self, used: Mapping[int, int]) -> None:
        """Learn what each script uses, by its process id, and end an attempt if that is too much."""
        by_token = {each.item.token: sum(used.get(pid, 0) for pid in each.pids) for each in self._attempts}
        tokens = self.room.update(by_token)
        self._end([each for each in self._attempts if each.item.token in tokens], sum(by_token.values()))
        if tokens:
            return
        if self.room.is_limited:
            self.look_again()

    def gate(self, item: Item) -> asyncio.Event | None:
        """Return the event that lets an item that waits for room start; None when it need not wait."""
        gate = self.room.gate(item)
        if gate is not None:
            self._note("item waits for room", item=item.item_id)
        return gate

    def heard(self, orders: Orders) -> None:
        """Let an item start that waited and has room, if the reply says that the worker's row does not name it."""
        if orders.written and self.room.heartbeat_written():
            self.look_again()

    def leave(self, attempt: Attempt) -> None:
        """Give back the room of an attempt whose scripts have ended."""
        was_limited = self.room.is_limited
        attempt.was_alone = self.room.leave(attempt.item)
        if was_limited:
            self.look_again()

    def end_waiting(self, reason: InterruptReason) -> None:
        """End what waits for room."""
        for attempt in self._attempts:
            if attempt.is_waiting:
                attempt.end(reason)

    def _end(self, attempts: list[Attempt], used_bytes: int) -> None:
        for each in attempts:
            if each in self._ending:
                each.end(InterruptReason.MEMORY, at_once=True)
            else:
                self._note("memory runs short", item=each.item.item_id, used_by_all=show_size(used_bytes))
                each.end(InterruptReason.MEMORY)
        self._ending = attempts
