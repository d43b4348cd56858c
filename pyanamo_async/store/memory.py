"""A table in memory, for one event loop: the reference that the other stores are held to.

No method awaits anything, so each is atomic. First in, first out within a priority: a dict keeps the order in which
items came, also of those that are overwritten. It holds values, so no row is ever bad.
"""

from __future__ import annotations

import heapq
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime

from pyanamo_async.core import transitions
from pyanamo_async.core.counts import Counts, count, is_moving
from pyanamo_async.core.items import CLAIMABLE, SETTLED, Item, State, Summary, latest
from pyanamo_async.core.queue_lanes import EVERYBODY, TAKES_ALL, Lane, lane_of
from pyanamo_async.core.stored.bad_rows import BadRows
from pyanamo_async.core.stored.queue_key import due, queue_key
from pyanamo_async.core.stored.record import encode, summarise
from pyanamo_async.core.values import replace
from pyanamo_async.errors import BadRow, Fenced, ItemMissing, StoreError, TableMissing
from pyanamo_async.ports import NO_OPTIONS, AddResult, Creation, Description, Indexes, Store, TableOptions
from pyanamo_async.store.memory_workers import MemoryTable, MemoryWorkers

SCHEMA_VERSION = 1


class MemoryStore(MemoryWorkers, Store):
    """A store that forgets when the process ends; `token` makes the tokens of claims."""

    def __init__(self, *, token: Callable[[], str] = lambda: secrets.token_hex(8)) -> None:
        self.bad_rows = BadRows()
        self.kind = TAKES_ALL
        self._token = token
        self._created: MemoryTable | None = None

    @property
    def _table(self) -> MemoryTable:
        if self._created is None:
            raise TableMissing("there is no table in memory", hint="create it first")
        return self._created

    async def create(self, *, shards: int, indexes: Indexes = (), options: TableOptions = NO_OPTIONS) -> Creation:  # noqa: ARG002 - of DynamoDB
        if indexes:
            raise StoreError("a table in memory takes no extra indexes")
        if self._created is not None:
            return Creation.FOUND
        self._created = MemoryTable(shards)
        return Creation.CREATED

    async def describe(self) -> Description:
        return Description("memory", "memory", ("itemID",), (), self._table.shards, SCHEMA_VERSION, billing="free")

    async def drop(self) -> None:
        self._table.items.clear()
        self._created = None

    async def close(self) -> None:
        pass

    async def add(self, items: Sequence[Item], *, replace: bool = False) -> list[AddResult]:
        return [self._add(item, replace) for item in items]

    def _add(self, item: Item, overwrite: bool) -> AddResult:
        items, old = self._table.items, self._table.items.get(item.item_id)
        if old and not overwrite:
            return AddResult.SKIPPED
        if old and old.state is State.LOCKED:
            return AddResult.LOCKED
        items[item.item_id] = replace(item, attempt=old.attempt, mark=old.mark or item.mark) if old else item
        return AddResult.REPLACED if old else AddResult.ADDED

    async def existing(self, item_ids: Sequence[str]) -> set[str]:
        return self._table.items.keys() & set(item_ids)

    async def read_many(self, item_ids: Sequence[str]) -> list[Item]:
        return [self._table.items[item_id] for item_id in await self.existing(item_ids)]

    async def claim(self, worker: str, *, limit: int, now: datetime, state: State = State.TODO) -> list[Item]:
        claimable = [item for item in self._visible(state) if item.not_before is None or item.not_before <= now]
        claims = [
            transitions.claim(item, worker=worker, token=self._token(), now=now)
            for item in heapq.nsmallest(limit, claimable, key=_order)
        ]
        self._table.items |= {claim.item_id: claim for claim in claims}
        return claims

    async def next_due(self, *, state: State = State.TODO, consistent: bool = False) -> datetime | None:  # noqa: ARG002
        return min((due(_place(item)) for item in self._visible(state)), default=None)

    async def save(self, before: Item, after: Item) -> None:
        if self._passes_fence(before):
            self._table.items[after.item_id] = after
        elif not self._passes_fence(after):
            raise Fenced(f"item {before.item_id} is no longer as it was seen")

    async def remove(self, before: Item) -> None:
        if not self._passes_fence(before):
            raise Fenced(f"item {before.item_id} is no longer as it was seen")
        del self._table.items[before.item_id]

    async def bury(self, bad: BadRow, *, now: datetime) -> bool:  # noqa: ARG002 # there is none
        return False

    notifications_every_s = 1.0

    async def notify(self, *, now: datetime) -> None:
        pass  # it shows

    async def notifications(self, *, now: datetime, consistent: bool = False) -> bool:  # noqa: ARG002 # it always is
        return any(due(_place(item)) <= now for state in CLAIMABLE for item in self._visible(state))

    async def read(self, item_id: str) -> Item:
        if item_id not in self._table.items:
            raise ItemMissing(f"there is no item {item_id} in memory")
        return self._table.items[item_id]

    async def summaries(self, *, state: State | None = None, sample: str | None = None) -> AsyncIterator[Summary]:
        for each in [state] if state else State:
            for item in sorted(self._in_state(each), key=_place):
                if sample is None or item.sample == sample:
                    yield summarise(encode(item), state=each, key=_place(item))

    async def retrying(self, *, sample: str | None = None) -> AsyncIterator[Summary]:
        async for each in self.summaries(state=State.TODO, sample=sample):
            if each.is_retrying:
                yield each

    async def items(self, *, sample: str | None = None) -> AsyncIterator[Item]:
        for item in list(self._table.items.values()):
            if sample in (None, item.sample):
                yield item

    async def counts(self, *, since: Sequence[datetime] = ()) -> Counts:
        return count(self._table.items.values(), since=since)

    async def moving_counts(self, *, since: datetime) -> Counts:
        return count(item for item in self._table.items.values() if is_moving(item, since=since))

    async def lane_counts(self) -> Mapping[Lane, int]:
        return Counter(lane for item in self._in_state(State.TODO) if (lane := lane_of(item)) != EVERYBODY)

    async def in_lane(self, lane: Lane, *, most: int) -> list[Item]:
        return [item for item in self._in_state(State.TODO) if lane_of(item) == lane][:most]

    async def last_attempts_after(self) -> int | None:
        return self._table.last_attempts_after

    async def leave_last_attempts(self, after: int | None) -> None:
        self._table.last_attempts_after = after

    async def last_settled(self, *, most: int) -> list[Summary]:
        return latest([each for state in SETTLED async for each in self.summaries(state=state)], most=most)

    async def unreadable(self) -> AsyncIterator[BadRow]:
        for bad in list[BadRow]():
            yield bad

    async def holders(self) -> AsyncIterator[str]:
        for item in self._in_state(State.LOCKED):
            yield item.worker

    async def held(self, worker_id: str) -> list[Item | BadRow]:
        return [item for item in self._in_state(State.LOCKED) if item.worker == worker_id]

    def _in_state(self, state: State) -> list[Item]:
        return [item for item in self._table.items.values() if item.state is state]

    def _visible(self, state: State) -> list[Item]:
        items = self._in_state(state)
        return [item for item in items if state is not State.TODO or self.kind.takes(lane_of(item))]

    def another(self) -> MemoryStore:
        """Return another store of the same table, as another worker has it."""
        other = MemoryStore(token=self._token)
        other._created = self._table
        return other

    def _passes_fence(self, item: Item) -> bool:
        known = self._table.items.get(item.item_id)
        return known is not None and (known.state, known.attempt, known.token) == (item.state, item.attempt, item.token)


def _order(item: Item) -> tuple[int, bool, str]:
    """Return a key that sorts items as they are claimed: lanes of few workers first."""
    lane = lane_of(item)
    return -lane.memory_class, not lane.last_attempts, _place(item)


def _place(item: Item) -> str:
    return queue_key(item, "")
