"""Let all workers drain when too many items of the table are failed.

1. A worker looks before its first claim, and after items of its own failed, so the cost grows with what fails. Only a
   limit in percent needs a count of all items, and only once something has failed.
2. A worker that finds the limit reached orders all living workers to drain. Those that start later find it themselves.
"""

from __future__ import annotations

from contextlib import suppress

from pyanamo_async.core.halting import FailedLimit, failed_reason
from pyanamo_async.core.items import State
from pyanamo_async.core.workers import Desired
from pyanamo_async.errors import ItemMissing
from pyanamo_async.fleet.membership import list_workers, living
from pyanamo_async.ports import Clock, Processes, Store


class FailedItems:
    """The failed items of a table, for one worker."""

    def __init__(self, store: Store, limit: FailedLimit, *, clock: Clock, processes: Processes) -> None:
        self._store, self._limit = store, limit
        self._clock, self._processes = clock, processes
        self._total: int | None = None

    async def too_many(self) -> str:
        """Return why nothing more is to be claimed; empty while the limit is not reached."""
        if not await self._count(1):
            return ""
        if self._limit.percent is None:
            least = self._limit.least(0)
            return failed_reason(least, None) if await self._count(least) == least else ""
        if self._total is None:
            self._total = (await self._store.counts()).total
        if await self._count(least := self._limit.least(self._total)) < least:
            return ""
        counts = await self._store.counts()  # items may have come since
        self._total, failed = counts.total, counts.items[State.FAILED]
        return failed_reason(failed, counts.total) if failed >= self._limit.least(counts.total) else ""

    async def drain_all(self) -> None:
        """Order all workers that live to drain."""
        for worker in living(await list_workers(self._store, now=self._clock.now(), processes=self._processes)):
            with suppress(ItemMissing):  # it has gone meanwhile
                await self._store.order(worker.worker_id, Desired.DRAIN)

    async def _count(self, most: int) -> int:
        found = 0
        async for _ in self._store.summaries(state=State.FAILED):
            found += 1
            if found >= most:
                break
        return found
