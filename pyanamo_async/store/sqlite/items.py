"""Add, claim, save and remove items.

A page of items is added by one statement. Python releases the GIL for every step of a statement, and gets it back from
a thread that is busy parsing a task file only after 5 ms: row by row, an import would wait that long for each item.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache, partial
from itertools import chain
from pathlib import Path

import orjson

from pyanamo_async.core import transitions
from pyanamo_async.core.items import CLAIMABLE, Item, State
from pyanamo_async.core.queue_lanes import WorkerKind
from pyanamo_async.core.stored.bad_rows import BadRows, burial, sort_rows
from pyanamo_async.core.stored.columns import MOST, Row
from pyanamo_async.core.stored.queue_key import due, queue_key
from pyanamo_async.core.stored.record import encode
from pyanamo_async.errors import BadRow, Fenced, StoreError
from pyanamo_async.ports import AddResult, ItemQueue, Notifications
from pyanamo_async.store.sqlite.engine import Engine
from pyanamo_async.store.sqlite.ranges import WITHIN, queue_ranges
from pyanamo_async.store.sqlite.reading import existing
from pyanamo_async.store.sqlite.rows import COLUMNS, SELECT, raw, read_item, to_row

Values = tuple[str | int | float, ...]
Fence = tuple[str, int, str]
ADD_PAGE = 1000  # one transaction: large enough to be fast, small enough for claims to run in between

NEW = {name: f"?{number}" for number, name in enumerate(COLUMNS, start=1)}
KEPT = {
    "Attempt": f"iif(Attempt BETWEEN 0 AND {MOST}, Attempt, 0)",
    "Mark": f"iif(Mark = '', {NEW['Mark']}, Mark)",
    "Row": f"""json_patch({NEW["Row"]}, json_object('Attempt', iif(Attempt BETWEEN 1 AND {MOST}, Attempt, NULL),
        'Mark', iif(Mark = '', json_extract({NEW["Row"]}, '$.Mark'), Mark)))""",
}
"""What an item keeps when it is imported again. A NULL in a patch removes, or leaves out."""


def _changing(new: Mapping[str, str]) -> str:
    changes = ", ".join(f"{name} = {value}" for name, value in new.items() if name != "itemID")
    return f"UPDATE items SET {changes} WHERE itemID = {NEW['itemID']}"  # noqa: S608 - constants only


UPDATE = _changing(NEW)
REPLACE = f"{_changing(NEW | KEPT)} AND ItemState <> 'locked'"
SAVE = f"{UPDATE} AND ItemState = ?{len(NEW) + 1} AND Attempt = ?{len(NEW) + 2} AND lockID = ?{len(NEW) + 3}"
BURY = """UPDATE items SET ItemState = ?1, Queue_Key = ?2, Reason = ?3, Row = iif(json_valid(Row),
    json_set(Row, '$.ItemState', ?1, '$.Done_Date', ?2, '$.Reason', ?3), Row) WHERE Position = ?4
    AND ItemState = CAST(?5 AS TEXT) AND Queue_Key = CAST(?6 AS TEXT)
    AND InstanceID = CAST(?7 AS TEXT) AND lockID = CAST(?8 AS TEXT)"""
SEEN = ("ItemState", "Queue_Key", "InstanceID", "lockID")
CANDIDATES = f"{SELECT} WHERE ItemState = ? AND {WITHIN} ORDER BY Queue_Key, Position LIMIT ?"
NEXT = f"SELECT min(Queue_Key) FROM items WHERE ItemState = ? AND {WITHIN}"  # noqa: S608 - constants only


class SqliteItems(ItemQueue, Notifications):
    """The items of a table in a file."""

    path: Path
    bad_rows: BadRows
    kind: WorkerKind
    _engine: Engine
    _token: Callable[[], str]

    async def add(self, items: Sequence[Item], *, replace: bool = False) -> list[AddResult]:
        results: list[AddResult] = []
        for start in range(0, len(items), ADD_PAGE):
            page = [_values(item) for item in items[start : start + ADD_PAGE]]
            results += await self._engine.write(partial(_add, page=page, replace=replace))
        return results

    async def claim(self, worker: str, *, limit: int, now: datetime, state: State = State.TODO) -> list[Item]:
        def work(connection: sqlite3.Connection) -> tuple[list[Item], list[BadRow]]:
            claims: list[Item] = []
            buried: list[BadRow] = []
            while (most := limit - len(claims)) > 0:
                rows = _due(connection, state, most, now, kind=self.kind)
                good, bad = sort_rows(rows, read_item)
                won = [transitions.claim(item, worker=worker, token=self._token(), now=now) for item in good]
                if won and connection.executemany(UPDATE, map(_values, won)).rowcount != len(won):
                    raise StoreError(f"claims in the table {self.path} had no effect")
                claims += won
                gone = [each for each in bad if _bury(connection, each, now)]
                buried += gone
                if not gone:
                    break
            return claims, buried

        claims, buried = await self._engine.write(work)
        self.bad_rows.buried += len(buried)
        for each in buried:
            self.bad_rows.note(each)
        return claims

    async def next_due(
        self,
        *,
        state: State = State.TODO,
        consistent: bool = False,  # noqa: ARG002 # it always is
    ) -> datetime | None:
        return await self._engine.read(partial(_next_due, state=state, kind=self.kind))

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

    async def bury(self, bad: BadRow, *, now: datetime) -> bool:
        self.bad_rows.note(bad)
        return await self._engine.write(partial(_bury, bad=bad, now=now))

    notifications_every_s = 1.0

    async def notify(self, *, now: datetime) -> None:
        pass  # `notifications` looks at the items themselves

    async def notifications(self, *, now: datetime, consistent: bool = False) -> bool:  # noqa: ARG002 # it always is
        def work(connection: sqlite3.Connection) -> bool:
            times = (_next_due(connection, state, self.kind) for state in CLAIMABLE)
            return any(time is not None and time <= now for time in times)

        return await self._engine.read(work)


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
        row.get("Failures", 0),
        item.crashes,
        item.interruptions,
        item.seconds_lost,
        item.seconds_saved,
        item.cpus,
        item.mark,
        item.reason,
        text,
    )


def _fence(item: Item) -> Fence:
    """Return what must be unchanged for a write to be allowed."""
    return item.state.value, item.attempt, item.token


def _add(connection: sqlite3.Connection, page: Sequence[Values], *, replace: bool) -> list[AddResult]:
    """Add items; with `replace`, overwrite those that no worker holds, which keep their attempt number."""
    item_ids = [str(values[0]) for values in page]
    if len(set(item_ids)) < len(page):
        return [result for values in page for result in _add(connection, [values], replace=replace)]
    known = existing(connection, item_ids)
    if new := [values for values in page if values[0] not in known]:
        connection.execute(_insertion(len(new)), tuple(chain.from_iterable(new)))
    return [_add_existing(connection, values, replace) if values[0] in known else AddResult.ADDED for values in page]


def _add_existing(connection: sqlite3.Connection, values: Values, replace: bool) -> AddResult:
    if not replace:
        return AddResult.SKIPPED
    return AddResult.REPLACED if connection.execute(REPLACE, values).rowcount else AddResult.LOCKED


@cache
def _insertion(rows: int) -> str:
    one = f"({', '.join('?' * len(COLUMNS))})"
    return f"INSERT INTO items ({', '.join(COLUMNS)}) VALUES {', '.join([one] * rows)}"  # noqa: S608 - constants only


def _next_due(connection: sqlite3.Connection, state: State, kind: WorkerKind) -> datetime | None:
    ranges = queue_ranges(connection, state, kind)
    heads = (connection.execute(NEXT, (state.value, *each)).fetchone() for each in ranges)
    return min((due(key) for [key] in heads if key is not None), default=None)


def _require(connection: sqlite3.Connection, item: Item) -> None:
    """Refuse when the stored item differs from this one in its fence."""
    query = "SELECT ItemState, Attempt, lockID FROM items WHERE itemID = ?"
    if connection.execute(query, (item.item_id,)).fetchone() != _fence(item):
        raise Fenced(f"item {item.item_id} is no longer as it was seen")


def _due(connection: sqlite3.Connection, state: State, most: int, now: datetime, *, kind: WorkerKind) -> list[Row]:
    """Return the first rows of a queue, as far as they are due."""
    found: list[Row] = []
    for each in queue_ranges(connection, state, kind):
        rows = map(to_row, connection.execute(CANDIDATES, (state.value, *each, most - len(found))).fetchall())
        found += [row for row in rows if due(row["Queue_Key"]) <= now]
        if len(found) >= most:
            break
    return found


def _bury(connection: sqlite3.Connection, bad: BadRow, now: datetime) -> bool:
    burying = burial(bad, now=now)
    values = burying["ItemState"], burying["Queue_Key"], burying["Reason"], bad.row["Position"]
    seen = [raw(str(bad.row[name])) for name in SEEN]
    return connection.execute(BURY, (*values, *seen)).rowcount > 0
