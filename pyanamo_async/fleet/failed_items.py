"""Let all workers drain when too many items of the table are failed.

1. A worker looks before its first claim and after its own items failed, so the cost grows with the number of failures.
   Only a limit in percent needs a count of all items, and only once an item has failed.
2. On a broken host all items of a table may fail within seconds. So a worker looks at once when its failures since the
   last look, together with the number seen then, would reach the limit. It also looks each time the number of its own
   failures has doubled, because items fail on other workers, too. The number of looks grows with the logarithm of the
   limit.
3. A worker that finds the limit reached orders all living workers to drain. Those that start later find it themselves.
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
        self._rest = 1  # how many more may fail before a look, according to the last one
        self._own = self._own_seen = 0  # items that failed here, in all and when the last look began

    def failed_here(self) -> bool:
        """Count an item that failed here; return whether to look at the table at once."""
        self._own += 1
        return self._own - self._own_seen >= min(self._rest, self._own_seen)

    async def too_many(self) -> str:
        """Return why no more items should be claimed; empty while the limit is not reached."""
        self._own_seen = self._own  # what fails during the look counts as later
        failed, least = await self._failed()
        self._rest = least - failed
        return failed_reason(failed, self._total) if self._rest <= 0 else ""

    async def _failed(self) -> tuple[int, int]:
        """Return how many items have failed, counted up to the limit, and how many are too many."""
        if not await self._count(1):
            return 0, self._limit.least(self._total or 0)
        if self._limit.percent is None:
            least = self._limit.least(0)
            return await self._count(least), least
        if self._total is None:
            self._total = (await self._store.counts()).total
        least = self._limit.least(self._total)
        if (failed := await self._count(least)) < least:
            return failed, least
        counts = await self._store.counts()  # items may have come since
        self._total = counts.total
        return counts.items[State.FAILED], self._limit.least(counts.total)

    async def drain_all(self) -> None:
        """Order all living workers to drain."""
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
