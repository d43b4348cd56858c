"""Find the items that this worker holds and never heard of: the reply to their claim was lost.

1. After a claim without an answer the next ones begin with a look at what the worker holds: what it did not know of is
   as good as claimed now.
2. A worker that claims no more looks again, and puts back what it finds. Otherwise those items would be locked until
   others take them over, at the price of a crash.
3. A list of what is held shows a claim late where an index lags. So the last looks are several, but take seconds: a
   worker that is stopped has little time. What shows even later is left to the others, as is all while the store is
   away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import suppress
from functools import partial

from pyanamo_async.core import transitions
from pyanamo_async.core.items import Item
from pyanamo_async.errors import BadRow, Fenced, PyanamoError
from pyanamo_async.host.waiting import elapsed
from pyanamo_async.ports import INDEX_LAG_AT_MOST
from pyanamo_async.worker.attempt import Attempt
from pyanamo_async.worker.context import AttemptContext
from pyanamo_async.worker.stop import Stop

RECENT = 1024  # tokens of claims that were answered: a late list of what is held may still show them
SEARCHES = 3  # while there is other work, and at the end
PUT_BACK_WITHIN_S = 10.0


class LostClaims:
    """The claims of one worker that got no answer; `attempts` are those it knows of and has not settled."""

    def __init__(self, context: AttemptContext, attempts: Collection[Attempt]) -> None:
        self._worker, self._store, self._calls = context.worker, context.adapters.store, context.calls
        self._runtime, self._attempts = context.runtime, attempts
        self._answered: dict[str, None] = {}  # the latest last
        self._searches_left = 0
        self.unanswered_s: float | None = None  # when a claim was last sent and never answered

    def answered(self, item: Item) -> None:
        """Remember a claim that was answered."""
        self._answered[item.token] = None
        if len(self._answered) > RECENT:
            del self._answered[next(iter(self._answered))]

    def unanswered(self) -> None:
        """Note that a claim was sent and never answered."""
        self._searches_left, self.unanswered_s = SEARCHES, self._runtime.clock.monotonic()

    def search_again(self) -> None:
        """Search before the next claim: the table shows that this worker holds an item."""
        self._searches_left = max(1, self._searches_left)

    async def search(self) -> list[Item]:
        """Return the items that lost claims won, if there may be any."""
        if not self._searches_left:
            return []
        found = await self._held_unknown()
        self._searches_left -= 1
        return found

    async def put_back(self, stop: Stop, *, index_lag_s: float) -> int:
        """Put back the items that lost claims won, when nothing more is claimed; return how many were."""
        if self.unanswered_s is None:
            return 0
        age_s = self._runtime.clock.monotonic() - self.unanswered_s
        shows_late = index_lag_s > 0 and age_s < INDEX_LAG_AT_MOST.total_seconds()
        back = 0
        try:
            async with asyncio.timeout(PUT_BACK_WITHIN_S):
                for look in range(SEARCHES if shows_late else 1):
                    if look and not await elapsed(stop.now, look * index_lag_s):
                        break
                    for item in await self._calls.call(self._held_unknown, give_up=stop.now):
                        back += await self._put_back(item, stop)
        except (PyanamoError, TimeoutError) as trouble:
            said = str(trouble) or "no answer in time"
            self._runtime.event_log.note("claims without an answer left to other workers", trouble=said)
        return back

    def unknown(self, items: list[Item]) -> list[Item]:
        """Return the items that were claimed for this worker in an answer that never came."""
        known = {attempt.item.token for attempt in self._attempts}
        return [item for item in items if item.token not in known and item.token not in self._answered]

    async def _put_back(self, item: Item, stop: Stop) -> bool:
        with suppress(Fenced):
            after = transitions.release_unused(item)
            await self._calls.call(partial(self._store.save, item, after), give_up=stop.now)
            self._runtime.event_log.note("item put back", item=item.item_id, reason="its claim got no answer")
            return True
        return False

    async def _held_unknown(self) -> list[Item]:
        """Return what this worker holds and never heard of; bury what of it cannot be read."""
        held = await self._store.held(self._worker)
        running = {attempt.item.item_id for attempt in self._attempts}
        for each in held:
            if isinstance(each, BadRow) and each.row_id not in running:
                buried = await self._store.bury(each, now=self._runtime.clock.now())
                self._store.bad_rows.buried += buried
        return self.unknown([each for each in held if isinstance(each, Item)])
