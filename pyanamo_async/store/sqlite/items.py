"""The SQL of items.

A page of items is added by one statement. Python releases the GIL for every step of a statement, and gets it back from
a thread that is busy parsing a task file only after 5 ms: row by row, an import would wait that long for each item.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from functools import cache, partial
from itertools import chain
from pathlib import Path
from typing import Any

import orjson

from pyanamo_async.core import transitions
from pyanamo_async.core.items import CLAIMABLE, Counts, Item, State, Summary
from pyanamo_async.core.stored.queue_key import DELAYED, due, format_time, queue_key
from pyanamo_async.core.stored.record import decode, encode, summarise
from pyanamo_async.errors import Fenced, ItemMissing, StoreError
from pyanamo_async.ports import AddResult, ItemQueue, ItemReader, Notifications
from pyanamo_async.store.sqlite.engine import Engine

Values = tuple[str | int, ...]
Fence = tuple[str, int, str]
ADD_PAGE = 1000  # one transaction: large enough to be fast, small enough for claims to run in between
LIST_PAGE = 500
FULL_PAGE = 50  # rows of up to 400 KB
AFTER_ALL_TIMES = "~"

COLUMNS = "itemID, taskID, ItemState, Queue_Key, InstanceID, lockID, Attempt, Nested_Tasks, Log_Length, Reason, Row"
CHANGES = """taskID = ?2, ItemState = ?3, Queue_Key = ?4, InstanceID = ?5, lockID = ?6, Nested_Tasks = ?8,
    Log_Length = ?9, Reason = ?10"""
UPDATE = f"UPDATE items SET {CHANGES}, Attempt = ?7, Row = ?11 WHERE itemID = ?1"  # noqa: S608 - constants only
REPLACE = f"""UPDATE items SET {CHANGES}, Row = iif(Attempt, json_set(?11, '$.Attempt', Attempt), ?11)
    WHERE itemID = ?1 AND ItemState <> 'locked'"""  # noqa: S608 - constants only
EXISTING = "SELECT itemID FROM items WHERE itemID IN (SELECT value FROM json_each(?))"
READ_MANY = "SELECT Row FROM items WHERE itemID IN (SELECT value FROM json_each(?))"
SAVE = f"{UPDATE} AND ItemState = ?12 AND Attempt = ?13 AND lockID = ?14"
CANDIDATES = """SELECT Row FROM items WHERE ItemState = ? AND Queue_Key <= ? ORDER BY Queue_Key, Position LIMIT ?"""
HELD = "SELECT Row FROM items WHERE ItemState = 'locked' AND Queue_Key = ? ORDER BY Position"
# In two halves: for `(Queue_Key, Position) > (?, ?)` SQLite walks the index from the key through all its positions.
LISTED = ("itemID", "taskID", "Nested_Tasks", "Log_Length", "Attempt", "Reason")
LIST = f"""SELECT Queue_Key, Position, {", ".join(LISTED)} FROM items
    WHERE ItemState = ?1 AND (?4 IS NULL OR taskID = ?4)"""  # noqa: S608 - constants only
SUMMARIES = f"""{LIST} AND Queue_Key = ?2 AND Position > ?3 UNION ALL {LIST} AND Queue_Key > ?2
    ORDER BY Queue_Key, Position LIMIT ?5"""
WHOLE = """SELECT Position, Row FROM items WHERE Position > ?1 AND (?2 IS NULL OR ItemState = ?2)
    AND (?3 IS NULL OR taskID = ?3) ORDER BY Position LIMIT ?4"""
READ = "SELECT Row FROM items WHERE itemID = ?"
NEXT = "SELECT min(Queue_Key) FROM items WHERE ItemState = ?"
COUNTS = """SELECT ItemState, count(*), sum(ItemState = 'todo' AND Queue_Key >= ?),
    sum(max(Nested_Tasks, 1)), sum(iif(Nested_Tasks > 0, Log_Length, ItemState = 'done'))
    FROM items GROUP BY ItemState"""


class SqliteItems(ItemQueue, ItemReader, Notifications):
    """The items of a table in a file."""

    path: Path
    _engine: Engine
    _token: Callable[[], str]

    async def add(self, items: Sequence[Item], *, replace: bool = False) -> list[AddResult]:
        results: list[AddResult] = []
        for start in range(0, len(items), ADD_PAGE):
            page = [_values(item) for item in items[start : start + ADD_PAGE]]
            results += await self._engine.write(partial(_add, page=page, replace=replace))
        return results

    async def claim(self, worker: str, *, limit: int, now: datetime, state: State = State.TODO) -> list[Item]:
        latest = DELAYED + format_time(now) if state is State.TODO else AFTER_ALL_TIMES

        def work(connection: sqlite3.Connection) -> list[Item]:
            rows = connection.execute(CANDIDATES, (state.value, latest, limit)).fetchall()
            claims = [transitions.claim(_item(row), worker=worker, token=self._token(), now=now) for row in rows]
            connection.executemany(UPDATE, map(_values, claims))
            return claims

        return await self._engine.write(work)

    async def next_due(
        self,
        *,
        state: State = State.TODO,
        consistent: bool = False,  # noqa: ARG002 # it always is
    ) -> datetime | None:
        return await self._engine.read(partial(_next_due, state=state))

    async def save(self, before: Item, after: Item) -> None:
        values = _values(after) + _fence(before)

        def work(connection: sqlite3.Connection) -> None:
            if not connection.execute(SAVE, values).rowcount:
                _require(connection, after)  # an earlier call may have written it

        await self._engine.write(work)

    async def remove(self, before: Item) -> None:
        def work(connection: sqlite3.Connection) -> None:
            _require(connection, before)
            connection.execute("DELETE FROM items WHERE itemID = ?", (before.item_id,))

        await self._engine.write(work)

    notifications_every_s = 1.0

    async def notify(self, *, now: datetime) -> None:
        pass  # `notifications` looks at the items themselves

    async def notifications(self, *, now: datetime, consistent: bool = False) -> bool:  # noqa: ARG002 # it always is
        def work(connection: sqlite3.Connection) -> bool:
            times = (_next_due(connection, state) for state in CLAIMABLE)
            return any(time is not None and time <= now for time in times)

        return await self._engine.read(work)

    async def read(self, item_id: str) -> Item:
        row = await self._engine.read(lambda connection: connection.execute(READ, (item_id,)).fetchone())
        if row is None:
            raise ItemMissing(f"there is no item {item_id} in {self.path}", hint="`pyanamo list` shows the items")
        return _item(row)

    async def existing(self, item_ids: Sequence[str]) -> set[str]:
        return await self._engine.read(partial(_existing, item_ids=item_ids))

    async def read_many(self, item_ids: Sequence[str]) -> list[Item]:
        return [_item((row,)) for [row] in await self._rows(READ_MANY, json.dumps(item_ids))]

    async def held(self, worker_id: str) -> list[Item]:
        return await self._engine.read(
            lambda connection: [_item(row) for row in connection.execute(HELD, (worker_id,))]
        )

    async def summaries(self, *, state: State | None = None, sample: str | None = None) -> AsyncIterator[Summary]:
        for each in [state] if state else State:
            key, position = "", 0
            while page := await self._rows(SUMMARIES, each.value, key, position, sample, LIST_PAGE):
                for key, position, *listed in page:  # noqa: B007 # the next page starts after the last
                    yield summarise(dict(zip(LISTED, listed, strict=True)), state=each, key=key)

    async def items(self, *, state: State | None = None, sample: str | None = None) -> AsyncIterator[Item]:
        position = 0
        while page := await self._rows(WHOLE, position, state and state.value, sample, FULL_PAGE):
            for position, row in page:  # noqa: B007 # the next page starts after the last
                yield _item((row,))

    async def counts(self) -> Counts:
        return Counts.add_up((State(name), *counted) for name, *counted in await self._rows(COUNTS, DELAYED))

    async def _rows(self, query: str, *values: str | int | None) -> list[tuple[Any, ...]]:
        return await self._engine.read(lambda connection: connection.execute(query, values).fetchall())


def _values(item: Item) -> Values:
    """Return an item as the values of its columns."""
    row = encode(item)
    try:
        text = orjson.dumps(row).decode()
    except TypeError as error:
        raise StoreError(
            f"item {item.item_id!r} cannot be stored: {error}", hint="is its text valid Unicode?"
        ) from error
    return (
        item.item_id,
        item.sample,
        row["ItemState"],
        queue_key(item, ""),
        item.worker,
        item.token,
        item.attempt,
        row.get("Nested_Tasks", 0),
        row.get("Log_Length", 0),
        item.reason,
        text,
    )


def _fence(item: Item) -> Fence:
    """Return what must be unchanged for a write to be allowed."""
    return item.state.value, item.attempt, item.token


def _add(connection: sqlite3.Connection, page: Sequence[Values], *, replace: bool) -> list[AddResult]:
    """Add items; with `replace`, overwrite those that no worker holds, which keep their attempt number."""
    item_ids = [values[0] for values in page]
    if len(set(item_ids)) < len(page):
        return [result for values in page for result in _add(connection, [values], replace=replace)]
    known = _existing(connection, item_ids)
    if new := [values for values in page if values[0] not in known]:
        connection.execute(_insertion(len(new)), tuple(chain.from_iterable(new)))
    return [_add_existing(connection, values, replace) if values[0] in known else AddResult.ADDED for values in page]


def _add_existing(connection: sqlite3.Connection, values: Values, replace: bool) -> AddResult:
    if not replace:
        return AddResult.SKIPPED
    return AddResult.REPLACED if connection.execute(REPLACE, values).rowcount else AddResult.LOCKED


def _existing(connection: sqlite3.Connection, item_ids: Sequence[str | int]) -> set[str]:
    return {item_id for [item_id] in connection.execute(EXISTING, (json.dumps(item_ids),))}


@cache
def _insertion(rows: int) -> str:
    one = f"({', '.join('?' * (COLUMNS.count(',') + 1))})"
    return f"INSERT INTO items ({COLUMNS}) VALUES {', '.join([one] * rows)}"  # noqa: S608 - constants only


def _next_due(connection: sqlite3.Connection, state: State) -> datetime | None:
    [key] = connection.execute(NEXT, (state.value,)).fetchone()
    return None if key is None else due(key)


def _require(connection: sqlite3.Connection, item: Item) -> None:
    """Refuse when the stored item differs from this one in its fence."""
    query = "SELECT ItemState, Attempt, lockID FROM items WHERE itemID = ?"
    if connection.execute(query, (item.item_id,)).fetchone() != _fence(item):
        raise Fenced(f"item {item.item_id} is no longer as it was seen")


def _item(row: tuple[str]) -> Item:
    return decode(orjson.loads(row[0]))
