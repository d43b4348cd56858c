"""A table in an SQLite file, behind the store's port.

Values are written to rows on the event loop, where a failure meets only its caller; the engine runs the SQL.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from pyanamo_async.core.items import Counts, Item, State, Summary
from pyanamo_async.core.output_tail import OutputTail, TaskRef
from pyanamo_async.core.workers import Desired, Orders, Worker
from pyanamo_async.errors import ItemMissing, UsageError
from pyanamo_async.ports import AddResult, Description, Store
from pyanamo_async.store.sqlite import fleet, items, schema
from pyanamo_async.store.sqlite.engine import Engine

PATIENCE = timedelta(seconds=5)
ADD_PAGE = 1000  # one transaction: long enough to be fast, short enough for a claim to come in between
LIST_PAGE = 500
WHOLE_PAGE = 50  # rows of up to 400 KB


class SqliteStore(Store):
    """A table in the file `path`, which several processes may open.

    A lock held by another process is waited for as long as `busy_timeout`, then the call raises `Unavailable`. `token`
    is the dice that name claims.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        busy_timeout: timedelta = PATIENCE,
        token: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self.path = Path(path).absolute()
        self._patience = busy_timeout
        self._token = token
        self._engine = Engine(self.path, partial(schema.open_table, self.path, busy_timeout))

    async def create(self, *, shards: int, indexes: Sequence[Mapping[str, object]] = ()) -> bool:
        if indexes:
            raise UsageError("a table in an SQLite file takes no further indexes", hint="leave --indexes out")
        return await self._engine.alone(partial(schema.create_table, self.path, self._patience, shards=shards))

    async def describe(self) -> Description:
        return await self._engine.read(partial(schema.describe, path=self.path))

    async def drop(self) -> None:
        await self._engine.alone(partial(schema.drop_table, self.path, self._patience))

    async def close(self) -> None:
        await self._engine.close()

    async def add(self, items_: Sequence[Item], *, replace: bool = False) -> list[AddResult]:
        results: list[AddResult] = []
        for start in range(0, len(items_), ADD_PAGE):
            page = [items.values_of(item) for item in items_[start : start + ADD_PAGE]]
            results += await self._engine.write(partial(items.add, page=page, replace=replace))
        return results

    async def existing(self, item_ids: Sequence[str]) -> set[str]:
        found: set[str] = set()
        for start in range(0, len(item_ids), ADD_PAGE):
            page = item_ids[start : start + ADD_PAGE]
            found |= await self._engine.read(partial(items.existing, item_ids=page))
        return found

    async def claim(self, worker: str, *, limit: int, now: datetime, state: State = State.TODO) -> list[Item]:
        return await self._engine.write(
            partial(items.claim, worker=worker, limit=limit, now=now, state=state, token=self._token), brief=True
        )

    async def next_due(
        self,
        *,
        state: State = State.TODO,
        consistent: bool = False,  # noqa: ARG002 # it always is
    ) -> datetime | None:
        return await self._engine.read(partial(items.next_due, state=state), brief=True)

    async def save(self, before: Item, after: Item) -> None:
        values, fence = items.values_of(after), items.fence_of(after)
        work = partial(items.save, before=items.fence_of(before), values=values, after=fence)
        await self._engine.write(work, brief=True)

    async def remove(self, before: Item) -> None:
        await self._engine.write(partial(items.remove, item_id=before.item_id, before=items.fence_of(before)))

    notifications_every_s = 1.0

    async def notify(self, *, now: datetime) -> None:
        pass  # it shows

    async def notifications(self, *, now: datetime, consistent: bool = False) -> bool:  # noqa: ARG002 # it always is
        return await self._engine.read(partial(items.any_due, now=now), brief=True)

    async def read(self, item_id: str) -> Item:
        item = await self._engine.read(partial(items.read, item_id=item_id))
        if item is None:
            raise ItemMissing(f"there is no item {item_id} in {self.path}", hint="`pyanamo list` shows what there is")
        return item

    async def summaries(self, *, state: State | None = None, sample: str | None = None) -> AsyncIterator[Summary]:
        for each in [state] if state else State:
            place = items.START
            while page := await self._page(each, sample, place):
                for place, summary in page:  # noqa: B007 # the last place is where the next page starts
                    yield summary

    async def _page(self, state: State, sample: str | None, after: items.Place) -> list[tuple[items.Place, Summary]]:
        work = partial(items.summaries, state=state, sample=sample, after=after, limit=LIST_PAGE)
        return await self._engine.read(work)

    async def items(self, *, state: State | None = None, sample: str | None = None) -> AsyncIterator[Item]:
        position = 0
        while page := await self._engine.read(
            partial(items.whole, state=state, sample=sample, after=position, limit=WHOLE_PAGE)
        ):
            for position, item in page:  # noqa: B007 # the last position is where the next page starts
                yield item

    async def counts(self) -> Counts:
        return await self._engine.read(items.counts)

    def service_time(self, *, now: datetime) -> datetime:
        return now  # whoever opens the file is on its machine

    async def heartbeat(self, worker: Worker, *, again: bool = False) -> Orders:
        return await self._engine.write(partial(fleet.heartbeat, worker=worker, again=again), brief=True)

    async def mark_dead(self, worker: Worker) -> bool:
        return await self._engine.write(partial(fleet.mark_dead, worker=worker))

    async def heartbeats(
        self, *, since: datetime | None = None, until: datetime | None = None, most: int | None = None
    ) -> Mapping[str, datetime]:
        return await self._engine.read(partial(fleet.heartbeats, since=since, until=until, most=most))

    async def order(self, worker_id: str, desired: Desired) -> None:
        await self._engine.write(partial(fleet.order, worker_id=worker_id, desired=desired))

    async def follow(self, worker_id: str, feed: TaskRef, *, until: datetime | None) -> None:
        await self._engine.write(partial(fleet.follow, worker_id=worker_id, task=feed, until=until))

    async def followed(self, worker_id: str, *, now: datetime) -> Sequence[TaskRef] | None:
        return await self._engine.read(partial(fleet.followed, worker_id=worker_id, now=now), brief=True)

    async def publish(self, feed: TaskRef, live: OutputTail, *, now: datetime) -> bool:
        return await self._engine.write(partial(fleet.publish, task=feed, tail=live, now=now), brief=True)

    async def published(self, feed: TaskRef) -> OutputTail | None:
        return await self._engine.read(partial(fleet.published, task=feed))

    async def workers(self, *, of: Collection[str] | None = None) -> list[Worker]:
        return await self._engine.read(partial(fleet.workers, of=of))

    async def forget(self, worker_id: str) -> None:
        await self._engine.write(partial(fleet.forget, worker_id=worker_id))

    async def held(self, worker_id: str) -> list[Item]:
        return await self._engine.read(partial(items.held, worker_id=worker_id))
