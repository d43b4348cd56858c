"""The store's port over an SQLite file.

Items are encoded on the event loop, where a failure concerns only its caller; the engine runs the SQL.
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

BUSY_TIMEOUT = timedelta(seconds=5)
ADD_PAGE = 1000  # one transaction: large enough to be fast, small enough for claims to run in between
LIST_PAGE = 500
FULL_PAGE = 50  # rows of up to 400 KB


class SqliteStore(Store):
    """A table in the file `path`, which several processes may open.

    A call waits up to `busy_timeout` for a lock that another process holds, then raises `Unavailable`. `token` returns
    the random tokens of claims.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        busy_timeout: timedelta = BUSY_TIMEOUT,
        token: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self.path = Path(path).absolute()
        self._busy_timeout = busy_timeout
        self._token = token
        self._engine = Engine(self.path, partial(schema.open_table, self.path, busy_timeout))

    async def create(self, *, shards: int, indexes: Sequence[Mapping[str, object]] = ()) -> bool:
        if indexes:
            raise UsageError("a table in an SQLite file takes no extra indexes", hint="leave `indexes` out")
        return await self._engine.exclusive(partial(schema.create_table, self.path, self._busy_timeout, shards=shards))

    async def describe(self) -> Description:
        return await self._engine.read(partial(schema.describe, path=self.path))

    async def drop(self) -> None:
        await self._engine.exclusive(partial(schema.drop_table, self.path, self._busy_timeout))

    async def close(self) -> None:
        await self._engine.close()

    async def add(self, items_: Sequence[Item], *, replace: bool = False) -> list[AddResult]:
        results: list[AddResult] = []
        for start in range(0, len(items_), ADD_PAGE):
            page = [items.to_values(item) for item in items_[start : start + ADD_PAGE]]
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
            partial(items.claim, worker=worker, limit=limit, now=now, state=state, token=self._token)
        )

    async def next_due(
        self,
        *,
        state: State = State.TODO,
        consistent: bool = False,  # noqa: ARG002 # it always is
    ) -> datetime | None:
        return await self._engine.read(partial(items.next_due, state=state))

    async def save(self, before: Item, after: Item) -> None:
        values, fence = items.to_values(after), items.fence_of(after)
        work = partial(items.save, before=items.fence_of(before), values=values, after=fence)
        await self._engine.write(work)

    async def remove(self, before: Item) -> None:
        await self._engine.write(partial(items.remove, item_id=before.item_id, before=items.fence_of(before)))

    notifications_every_s = 1.0

    async def notify(self, *, now: datetime) -> None:
        pass  # `notifications` looks at the items themselves

    async def notifications(self, *, now: datetime, consistent: bool = False) -> bool:  # noqa: ARG002 # it always is
        return await self._engine.read(partial(items.any_due, now=now))

    async def read(self, item_id: str) -> Item:
        item = await self._engine.read(partial(items.read, item_id=item_id))
        if item is None:
            raise ItemMissing(f"there is no item {item_id} in {self.path}", hint="`pyanamo list` shows the items")
        return item

    async def summaries(self, *, state: State | None = None, sample: str | None = None) -> AsyncIterator[Summary]:
        for each in [state] if state else State:
            cursor = items.START
            while page := await self._page(each, sample, cursor):
                for cursor, summary in page:  # noqa: B007 # the last cursor is where the next page starts
                    yield summary

    async def _page(self, state: State, sample: str | None, after: items.Cursor) -> list[tuple[items.Cursor, Summary]]:
        work = partial(items.summaries, state=state, sample=sample, after=after, limit=LIST_PAGE)
        return await self._engine.read(work)

    async def items(self, *, state: State | None = None, sample: str | None = None) -> AsyncIterator[Item]:
        position = 0
        while page := await self._engine.read(
            partial(items.full_items, state=state, sample=sample, after=position, limit=FULL_PAGE)
        ):
            for position, item in page:  # noqa: B007 # the last position is where the next page starts
                yield item

    async def counts(self) -> Counts:
        return await self._engine.read(items.counts)

    def service_time(self, *, now: datetime) -> datetime:
        return now  # whoever opens the file is on its machine

    async def heartbeat(self, worker: Worker, *, registered: bool = False) -> Orders:
        return await self._engine.write(partial(fleet.heartbeat, worker=worker, registered=registered))

    async def mark_dead(self, worker: Worker) -> bool:
        return await self._engine.write(partial(fleet.mark_dead, worker=worker))

    async def heartbeats(
        self, *, since: datetime | None = None, until: datetime | None = None, most: int | None = None
    ) -> Mapping[str, datetime]:
        return await self._engine.read(partial(fleet.heartbeats, since=since, until=until, most=most))

    async def order(self, worker_id: str, desired: Desired) -> None:
        await self._engine.write(partial(fleet.order, worker_id=worker_id, desired=desired))

    async def follow(self, worker_id: str, task: TaskRef, *, until: datetime | None) -> None:
        await self._engine.write(lambda connection: fleet.follow(connection, worker_id, task, until))

    async def followed(self, worker_id: str, *, now: datetime) -> Sequence[TaskRef] | None:
        return await self._engine.read(partial(fleet.followed, worker_id=worker_id, now=now))

    async def publish(self, task: TaskRef, tail: OutputTail, *, now: datetime) -> bool:
        return await self._engine.write(lambda connection: fleet.publish(connection, task, tail, now))

    async def published(self, task: TaskRef) -> OutputTail | None:
        return await self._engine.read(lambda connection: fleet.published(connection, task))

    async def workers(self, *, of: Collection[str] | None = None) -> list[Worker]:
        return await self._engine.read(partial(fleet.workers, of=of))

    async def forget(self, worker_id: str) -> None:
        await self._engine.write(partial(fleet.forget, worker_id=worker_id))

    async def held(self, worker_id: str) -> list[Item]:
        return await self._engine.read(partial(items.held, worker_id=worker_id))
