"""Read items: one, those that a worker holds, listings and counts."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from pyanamo_async.core.counts import QUARTERS, Counted, Counts, Ledgers
from pyanamo_async.core.items import SETTLED, Item, State, Summary, latest
from pyanamo_async.core.queue_lanes import EVERYBODY, Lane
from pyanamo_async.core.stored.bad_rows import BadRows, read_row, sort_rows
from pyanamo_async.core.stored.columns import MOST, Row
from pyanamo_async.core.stored.queue_key import DELAYED, LANES, format_time, lane_bounds
from pyanamo_async.core.stored.record import summarise
from pyanamo_async.core.values import replace
from pyanamo_async.errors import BadRow, ItemMissing
from pyanamo_async.ports import ItemReader, LaneReader
from pyanamo_async.store.sqlite.engine import Engine
from pyanamo_async.store.sqlite.ranges import WITHIN, lane_ranges
from pyanamo_async.store.sqlite.rows import SELECT, raw, read_held, read_item, read_placed, to_row
from pyanamo_async.store.sqlite.schema import HAS_LEDGERS
from pyanamo_async.store.sqlite.schema import LEDGERS as LEDGER_COLUMNS

LIST_PAGE = 500
FULL_PAGE = 50  # rows of up to 400 KB

EXISTING = "SELECT itemID FROM items WHERE itemID IN (SELECT value FROM json_each(?))"
READ_MANY = f"{SELECT} WHERE itemID IN (SELECT value FROM json_each(?))"  # noqa: S608 - constants only
HOLDERS = "SELECT Queue_Key FROM items WHERE ItemState = 'locked'"
HELD = f"{SELECT} WHERE ItemState = 'locked' AND Queue_Key = CAST(? AS TEXT) ORDER BY Position"
# In two halves: for `(Queue_Key, Position) > (?, ?)` SQLite walks the index from the key through all its positions.
LISTED = (
    "Queue_Key",
    "Position",
    "itemID",
    "taskID",
    "Nested_Tasks",
    "Log_Length",
    "Attempt",
    "Failures",
    "Crashes",
    "Interruptions",
    "Seconds_Lost",
    "Reason",
)
LIST = f"""SELECT {", ".join(LISTED)} FROM items
    WHERE ItemState = ?1 AND (?4 IS NULL OR taskID = ?4)"""  # noqa: S608 - constants only
SUMMARIES = f"""{LIST} AND Queue_Key = CAST(?2 AS TEXT) AND Position > ?3
    UNION ALL {LIST} AND Queue_Key > CAST(?2 AS TEXT) ORDER BY Queue_Key, Position LIMIT ?5"""
WHOLE = f"{SELECT} WHERE Position > ?1 AND (?2 IS NULL OR taskID = ?2) ORDER BY Position LIMIT ?3"
COUNT_LANE = f"SELECT count(*) FROM items WHERE ItemState = 'todo' AND {WITHIN}"  # noqa: S608 - constants only
IN_LANE = f"{SELECT} WHERE ItemState = 'todo' AND {WITHIN} LIMIT ?"
LAST = f"""SELECT {", ".join(LISTED)} FROM items
    WHERE ItemState = ? ORDER BY Queue_Key DESC, Position DESC LIMIT ?"""  # noqa: S608 - constants only
READ = f"{SELECT} WHERE itemID = ?"
NESTED = f"Nested_Tasks BETWEEN 1 AND {MOST}"  # other numbers are nobody's count, and may be too large to add up
STATES = ", ".join(f"'{each}'" for each in State)
SETTLED_STATES = ", ".join(f"'{each}'" for each in SETTLED)
OFF_QUEUE = ", ".join(f"'{each}'" for each in State if each not in {State.TODO, State.LOCKED})
EVERYTHING = f"items WHERE ItemState IN ({STATES})"
_COUNTED = "SELECT ItemState, Queue_Key, Nested_Tasks, Log_Length FROM items"  # what the index has
MOVING = f"""({_COUNTED} WHERE ItemState = 'locked'
    UNION ALL {_COUNTED} WHERE ItemState IN ({OFF_QUEUE}) AND Queue_Key >= ?) WHERE true"""
RETRYING = f"Queue_Key >= '{DELAYED}' AND (Queue_Key < '{LANES}' OR Queue_Key GLOB '{LANES}{'[0-9]' * 5}{DELAYED}*')"
COUNTS = f"""SELECT ItemState, count(*), sum(iif({NESTED}, Nested_Tasks, 1)),
    sum(iif({NESTED}, max(0, min(Log_Length, Nested_Tasks)), ItemState = 'done')),
    sum(ItemState = 'todo' AND {RETRYING}), sum({NESTED})"""
SETTLED_SINCE = f", sum(ItemState IN ({SETTLED_STATES}) AND Queue_Key >= ?)"
NESTED_COUNTS = f"""SELECT ItemState, CASE WHEN Log_Length <= 0 THEN 0
    WHEN Log_Length >= Nested_Tasks THEN {len(QUARTERS) - 1}
    ELSE 1 + (max(1, 100 * Log_Length / Nested_Tasks) - 1) / 25 END, count(*)"""  # as `core.counts.quarter`
CPUS = f"max(0, min(Cpus, {MOST}))"
CRASHES, INTERRUPTIONS, LOST, SAVED = (f"max(0, min({name}, {MOST}))" for name in LEDGER_COLUMNS)
LEDGERS = f"""SELECT sum({CRASHES}), sum({INTERRUPTIONS}), sum({LOST}), sum({SAVED}), sum({LOST} * {CPUS}),
    sum({SAVED} * {CPUS}) FROM items WHERE {HAS_LEDGERS}"""  # noqa: S608 - constants only


class SqliteReader(ItemReader, LaneReader):
    """Reads the items of a table in a file."""

    path: Path
    bad_rows: BadRows
    _engine: Engine

    async def read(self, item_id: str) -> Item:
        row = await self._engine.read(lambda connection: connection.execute(READ, (item_id,)).fetchone())
        if row is None:
            raise ItemMissing(f"there is no item {item_id} in {self.path}", hint="`pyanamo list` shows the items")
        return read_row(to_row(row), read_item)

    async def existing(self, item_ids: Sequence[str]) -> set[str]:
        return await self._engine.read(partial(existing, item_ids=item_ids))

    async def read_many(self, item_ids: Sequence[str]) -> list[Item]:
        return self.bad_rows.skip(map(to_row, await self._rows(READ_MANY, json.dumps(item_ids))), read_item)

    async def holders(self) -> AsyncIterator[str]:
        for [holder] in await self._rows(HOLDERS):
            yield holder

    async def held(self, worker_id: str) -> list[Item | BadRow]:
        good, bad = sort_rows(map(to_row, await self._rows(HELD, raw(worker_id))), partial(read_held, worker=worker_id))
        return [*good, *bad]

    async def summaries(self, *, state: State | None = None, sample: str | None = None) -> AsyncIterator[Summary]:
        for each in [state] if state else State:
            async for summary in self._listed(each, sample):
                yield summary

    async def retrying(self, *, sample: str | None = None) -> AsyncIterator[Summary]:
        async for listed in self._listed(State.TODO, sample, first=DELAYED):
            if listed.is_retrying:
                yield listed

    async def _listed(self, state: State, sample: str | None, *, first: str = "") -> AsyncIterator[Summary]:
        key, position = first, 0
        while page := await self._rows(SUMMARIES, state.value, raw(key), position, sample, LIST_PAGE):
            key, position, *_ = page[-1]
            for summary in self._summarised(page, state):
                yield summary

    def _summarised(self, listed: Sequence[tuple[Any, ...]], state: State) -> list[Summary]:
        rows = (dict(zip(LISTED, each, strict=True)) for each in listed)
        return self.bad_rows.skip(rows, partial(_summary, state=state))

    async def items(self, *, sample: str | None = None) -> AsyncIterator[Item]:
        async for page in self._pages(sample):
            for item in self.bad_rows.skip(page, read_item):
                yield item

    async def bad_items(self) -> AsyncIterator[BadRow]:
        """Find the items whose rows cannot be read."""
        async for page in self._pages(None):
            for bad in sort_rows(page, read_placed)[1]:
                yield bad

    async def _pages(self, sample: str | None) -> AsyncIterator[list[Row]]:
        position = 0
        while page := await self._rows(WHOLE, position, sample, FULL_PAGE):
            position = page[-1][0]
            yield [to_row(values) for values in page]

    async def counts(self, *, since: Sequence[datetime] = ()) -> Counts:
        times = [format_time(each) for each in since]

        def work(connection: sqlite3.Connection) -> Counts:
            lost = Ledgers(*(each or 0 for each in connection.execute(LEDGERS).fetchone()))
            return replace(_count(EVERYTHING, connection, since=times), ledgers=Ledgers.total([lost]))

        return await self._engine.read(work)

    async def moving_counts(self, *, since: datetime) -> Counts:
        return await self._engine.read(partial(_count, MOVING, values=[format_time(since)]))

    async def lane_counts(self) -> Mapping[Lane, int]:
        def work(connection: sqlite3.Connection) -> Mapping[Lane, int]:
            return {
                lane: connection.execute(COUNT_LANE, found).fetchone()[0]
                for lane, found in lane_ranges(connection)
                if lane != EVERYBODY
            }

        return await self._engine.read(work)

    async def in_lane(self, lane: Lane, *, most: int) -> list[Item]:
        first, end = map(raw, lane_bounds(lane))
        return self.bad_rows.skip(map(to_row, await self._rows(IN_LANE, first, end, most)), read_item)

    async def last_settled(self, *, most: int) -> list[Summary]:
        found = [self._summarised(await self._rows(LAST, state.value, most), state) for state in SETTLED]
        return latest(chain(*found), most=most)

    async def _rows(self, query: str, *values: str | bytes | int | None) -> list[tuple[Any, ...]]:
        return await self._engine.read(lambda connection: connection.execute(query, values).fetchall())


def existing(connection: sqlite3.Connection, item_ids: Sequence[str]) -> set[str]:
    """Return which of these ids are in the table."""
    return {item_id for [item_id] in connection.execute(EXISTING, (json.dumps(item_ids),))}


def _count(
    source: str, connection: sqlite3.Connection, values: Sequence[str] = (), since: Sequence[str] = ()
) -> Counts:
    """Count the items of a source, which takes `values`; nested ones again by how far they are, if there are any."""
    query = f"{COUNTS}{SETTLED_SINCE * len(since)} FROM {source} GROUP BY ItemState"
    parts, nested = [], 0
    for state, items, tasks, done, retrying, are_nested, *settled in connection.execute(query, (*since, *values)):
        parts.append(Counted(State(state), items, tasks, done, retrying, settled_since=tuple(settled)))
        nested += are_nested
    if nested:
        query = f"{NESTED_COUNTS} FROM {source} AND {NESTED} GROUP BY 1, 2"
        for state, how_far, items in connection.execute(query, values):
            counted = tuple(items if number == how_far else 0 for number in range(len(QUARTERS)))
            parts.append(Counted(State(state), 0, 0, 0, nested=counted))
    return Counts.add_up(parts, times=len(since))


def _summary(row: Mapping[str, Any], state: State) -> Summary:
    return summarise(row, state=state, key=row["Queue_Key"])
