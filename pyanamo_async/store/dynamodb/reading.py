"""Read what status and listings need from the queue index, and whole items from the table."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from pyanamo_async.core.counts import Counted, Counts
from pyanamo_async.core.items import SETTLED, Item, State, Summary, latest
from pyanamo_async.core.queue_lanes import Lane, lane_of
from pyanamo_async.core.stored.bad_rows import read_row, sort_rows
from pyanamo_async.core.stored.columns import Row
from pyanamo_async.core.stored.queue_key import DELAYED, format_time, lane_bounds, queue
from pyanamo_async.core.stored.record import decode, decode_held
from pyanamo_async.errors import BadRow, ItemMissing
from pyanamo_async.ports import ItemReader, LaneReader
from pyanamo_async.store.dynamodb.candidate_pages import candidate_page, within_keys
from pyanamo_async.store.dynamodb.codec import marshal_row, unmarshal_row
from pyanamo_async.store.dynamodb.counting import count_all, count_lane, count_moving, index_query
from pyanamo_async.store.dynamodb.fleet import bad_workers
from pyanamo_async.store.dynamodb.opening import OpenedTable
from pyanamo_async.store.dynamodb.rows import (
    TABLE_ROW,
    TAIL_ROW,
    WORKER_ROW,
    moved_by_another,
    read_placed,
    summary,
)
from pyanamo_async.store.dynamodb.table import Table, gather_all
from pyanamo_async.store.dynamodb.writes import KEY

FIRST_ROWS = 200  # of a scan: what a person asks for is often among them, and a page of 1 MB takes a second


class DynamoReader(OpenedTable, ItemReader, LaneReader):
    """Reads the items of a table."""

    async def read(self, item_id: str) -> Item:
        await self._open()
        row = await self._table.get(item_id)
        if row is None or "ItemState" not in row:
            raise ItemMissing(f"there is no item '{item_id}' in {self._table.what}", hint="`pyanamo list` shows them")
        return read_row(row, decode)

    async def existing(self, item_ids: Sequence[str]) -> set[str]:
        await self._open()
        return {str(row[KEY]) for row in await self._table.get_many(item_ids, only=KEY)}

    async def read_many(self, item_ids: Sequence[str]) -> list[Item]:
        await self._open()
        return self.bad_rows.skip(await self._table.get_many(item_ids), decode)

    async def summaries(self, *, state: State | None = None, sample: str | None = None) -> AsyncIterator[Summary]:
        for each in [state] if state else State:
            async for listed in self._listed(each, sample):
                yield listed

    async def retrying(self, *, sample: str | None = None) -> AsyncIterator[Summary]:
        async for listed in self._listed(State.TODO, sample, first=DELAYED):
            if listed.is_retrying:
                yield listed

    async def _listed(self, state: State, sample: str | None, *, first: str | None = None) -> AsyncIterator[Summary]:
        condition, values = within_keys(first, None)
        filters = {} if sample is None else {"FilterExpression": "taskID = :sample"}
        wanted = values | ({} if sample is None else {":sample": sample})
        for shard in range(await self._shards()):
            query = index_query({":queue": queue(state, shard)} | wanted) | filters
            query["KeyConditionExpression"] += condition
            async for page in self._table.pages(query):
                for listed in self.bad_rows.skip(map(unmarshal_row, page["Items"]), summary):
                    yield listed

    async def items(self, *, sample: str | None = None) -> AsyncIterator[Item]:
        await self._open()
        query: dict[str, Any] = {
            "FilterExpression": "attribute_exists(ItemState)",
            "ConsistentRead": True,
        }  # items only
        if sample is not None:
            query["FilterExpression"] += " AND taskID = :sample"
            query["ExpressionAttributeValues"] = marshal_row({":sample": sample})
        async for page in self._table.pages(query, scan=True, first=FIRST_ROWS):
            for item in self.bad_rows.skip(map(unmarshal_row, page["Items"]), decode):
                yield item

    async def unreadable(self) -> AsyncIterator[BadRow]:
        read_item = partial(read_placed, shards=await self._shards())
        async for page in self._table.pages({"ConsistentRead": True}, scan=True):
            rows = [unmarshal_row(item) for item in page["Items"]]
            for bad in bad_workers(rows):
                yield bad
            items = (row for row in rows if not row[KEY].startswith((WORKER_ROW, TABLE_ROW, TAIL_ROW)))
            for bad in sort_rows(items, read_item)[1]:
                yield bad

    async def counts(self, *, since: Sequence[datetime] = ()) -> Counts:
        times = [format_time(each) for each in since]
        lanes = await self._lanes()
        counted = await self._count_shards(lambda shard: count_all(self._table, shard, times, lanes))
        return Counts.add_up(counted, times=len(times))

    async def moving_counts(self, *, since: datetime) -> Counts:
        start = format_time(since)
        return Counts.add_up(await self._count_shards(lambda shard: count_moving(self._table, shard, start)))

    async def lane_counts(self) -> Mapping[Lane, int]:
        found: Counter[Lane] = Counter()
        for each in await self._lanes():
            shards = await self._count_shards(partial(count_lane, self._table, each))
            found[each] = sum(counted.items for counted in shards)
        return +found

    async def in_lane(self, lane: Lane, *, most: int) -> list[Item]:
        shards = range(await self._shards())
        pages = await gather_all(
            candidate_page(self._table, State.TODO, shard, bad_rows=self.bad_rows, limit=most, keys=lane_bounds(lane))
            for shard in shards
        )
        found = await self.read_many([str(row[KEY]) for page in pages for row in page][:most])
        return [item for item in found if item.state is State.TODO and lane_of(item) == lane]  # the index may be late

    async def last_settled(self, *, most: int) -> list[Summary]:
        shards = await self._shards()
        queues = [queue(state, shard) for state in SETTLED for shard in range(shards)]
        found = await gather_all(_last_rows(self._table, each, -(-most // shards)) for each in queues)
        return latest((each for rows in found for each in self.bad_rows.skip(rows, summary)), most=most)

    async def _count_shards(self, count: Callable[[int], Coroutine[Any, Any, list[Counted]]]) -> list[Counted]:
        shards = await gather_all(map(count, range(await self._shards())))
        return [part for shard in shards for part in shard]

    async def holders(self) -> AsyncIterator[str]:
        for shard in range(await self._shards()):
            query = index_query({":queue": queue(State.LOCKED, shard)}) | {
                "ProjectionExpression": "Queue, Queue_Key, ItemState"
            }
            async for page in self._table.pages(query):
                for row in map(unmarshal_row, page["Items"]):
                    if not moved_by_another(row):
                        yield row["Queue_Key"]

    async def held(self, worker_id: str) -> list[Item | BadRow]:
        shards = range(await self._shards())  # the index names candidates, the table decides
        candidates = await gather_all(_held_ids(self._table, shard, worker_id) for shard in shards)
        rows = await self._table.get_many(item_id for ids in candidates for item_id in ids)
        queues = {queue(State.LOCKED, shard) for shard in shards}
        placed = [row for row in rows if row.get("Queue") in queues and row.get("Queue_Key") == worker_id]
        held = [row for row in placed if not moved_by_another(row)]
        good, bad = sort_rows(held, partial(decode_held, worker=worker_id))
        return [*good, *bad]


async def _held_ids(table: Table, shard: int, worker: str) -> list[str]:
    query = index_query({":queue": queue(State.LOCKED, shard), ":worker": worker}) | {
        "KeyConditionExpression": "Queue = :queue AND Queue_Key = :worker",
        "ProjectionExpression": "itemID",
    }
    return [item["itemID"]["S"] async for page in table.pages(query) for item in page["Items"]]


async def _last_rows(table: Table, queue: str, most: int) -> list[Row]:
    async for page in table.pages(index_query({":queue": queue}) | {"ScanIndexForward": False, "Limit": most}):
        return [unmarshal_row(item) for item in page["Items"]]
    return []
