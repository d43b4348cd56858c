"""Let a worker claim nothing more when too much fails: `core.halting` has the rules."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import suppress

from pyanamo_async.core.halting import FailureStreak, streak_reason
from pyanamo_async.core.items import Item, State, TaskRecord
from pyanamo_async.core.outcomes import InterruptReason
from pyanamo_async.errors import Unavailable
from pyanamo_async.host.waiting import elapsed
from pyanamo_async.worker.attempt import Attempt
from pyanamo_async.worker.context import AttemptContext, Plan
from pyanamo_async.worker.stop import Level, Stop


class Halting:
    """Watches what fails, here and in the table; `reason` says why this worker halted, if it did."""

    def __init__(self, plan: Plan, context: AttemptContext, stop: Stop, *, attempts: Collection[Attempt]) -> None:
        self._failed_items, self._every_s = plan.failed_items, plan.heartbeat.total_seconds()
        self._policy, self._stop = context.tasks.failure_policy, stop
        self._attempts, self.reason = attempts, ""
        self._streak = FailureStreak(plan.halt_after)
        self._item_failed, self._look_now = asyncio.Event(), asyncio.Event()

    def task_ended(self, item: Item, record: TaskRecord) -> None:
        """Count how a task ended, and halt after too many failures in a row."""
        self._streak.observe(record.outcome, policy=self._policy)
        if self._streak.reached:
            self._halt(streak_reason(self._streak.failures, item.item_id, record.reason))

    def settled(self, item: Item) -> None:
        """Have the table looked at if an item failed for good."""
        if item.state is State.FAILED and self._failed_items is not None:
            self._item_failed.set()
            if self._failed_items.failed_here():
                self._look_now.set()

    async def look(self) -> None:
        """Halt, and order all workers to drain, if too many items of the table are failed."""
        if self._failed_items is not None and not self._stop.draining:
            with suppress(Unavailable):  # the heartbeats say so
                if reason := await self._failed_items.too_many():
                    self._halt(reason)
                    await self._failed_items.drain_all()

    async def watch(self) -> None:
        """Look again after items failed here: once a heartbeat, or at once when those may be too many."""
        while self._failed_items is not None:
            await self._item_failed.wait()
            self._item_failed.clear()
            self._look_now.clear()
            await self.look()
            await elapsed(self._look_now, self._every_s)

    def _halt(self, reason: str) -> None:
        """Claim nothing more and start no further task; what runs comes to its own end."""
        if not self._stop.draining:
            self.reason = reason
            self._stop.request(Level.DRAIN, reason)
        for attempt in self._attempts:
            attempt.start_no_more(InterruptReason.HALT)
