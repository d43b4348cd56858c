"""The SQL of items. Each function is the work of one job of the engine, and refuses before it writes.

A page of items is added by one statement. Python releases the GIL for every step of a statement, and gets it back from
a thread that is busy parsing a task file only after 5 ms: row by row, an import would wait that long for each item.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from itertools import chain

import orjson

from pyanamo_async.core import transitions
from pyanamo_async.core.items import CLAIMABLE, Counts, Item, State, Summary, TaskState
from pyanamo_async.core.stored.queue_key import DELAYED, due, format_time, queue_key
from pyanamo_async.core.stored.record import decode, encode, summarise
from pyanamo_async.errors import Fenced, StoreError
from pyanamo_async.ports import AddResult

Values = tuple[str | int, ...]
Fence = tuple[str, int, str]
Cursor = tuple[str, int]  # Queue_Key and Position of the last item of a page
START: Cursor = ("", 0)
AFTER_ALL_TIMES = "~"

COLUMNS = "itemID, taskID, ItemState, Queue_Key, InstanceID, lockID, Attempt, Nested_Tasks, Log_Length, Reason, Row"
CHANGES = """taskID = ?2, ItemState = ?3, Queue_Key = ?4, InstanceID = ?5, lockID = ?6, Nested_Tasks = ?8,
    Log_Length = ?9, Reason = ?10"""
UPDATE = f"UPDATE items SET {CHANGES}, Attempt = ?7, Row = ?11 WHERE itemID = ?1"  # noqa: S608 - constants only
REPLACE = f"""UPDATE items SET {CHANGES}, Row = iif(Attempt, json_set(?11, '$.Attempt', Attempt), ?11)
    WHERE itemID = ?1 AND ItemState <> 'locked'"""  # noqa: S608 - constants only
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
NEXT = "SELECT min(Queue_Key) FROM items WHERE ItemState = ?"
COUNTS = """SELECT ItemState, count(*), sum(max(Nested_Tasks, 1)),
    sum(iif(Nested_Tasks > 0, Log_Length, ItemState = 'done')) FROM items GROUP BY ItemState"""


def to_values(item: Item) -> Values:
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


def fence_of(item: Item) -> Fence:
    """Return what must be unchanged for a write to be allowed."""
    return item.state.value, item.attempt, item.token


def add(connection: sqlite3.Connection, page: Sequence[Values], *, replace: bool) -> list[AddResult]:
    """Add items; with `replace`, overwrite those that no worker holds, which keep their attempt number."""
    item_ids = [values[0] for values in page]
    if len(set(item_ids)) < len(page):
        return [result for values in page for result in add(connection, [values], replace=replace)]
    known = existing(connection, item_ids)
    if new := [values for values in page if values[0] not in known]:
        connection.execute(_insertion(len(new)), tuple(chain.from_iterable(new)))
    return [_add_existing(connection, values, replace) if values[0] in known else AddResult.ADDED for values in page]


def _add_existing(connection: sqlite3.Connection, values: Values, replace: bool) -> AddResult:
    if not replace:
        return AddResult.SKIPPED
    return AddResult.REPLACED if connection.execute(REPLACE, values).rowcount else AddResult.LOCKED


def existing(connection: sqlite3.Connection, item_ids: Sequence[str | int]) -> set[str]:
    """Return which of these ids are in the table."""
    marks = ", ".join("?" * len(item_ids))
    found = connection.execute(f"SELECT itemID FROM items WHERE itemID IN ({marks})", item_ids)  # noqa: S608
    return {item_id for [item_id] in found}


@cache
def _insertion(rows: int) -> str:
    one = f"({', '.join('?' * (COLUMNS.count(',') + 1))})"
    return f"INSERT INTO items ({COLUMNS}) VALUES {', '.join([one] * rows)}"  # noqa: S608 - constants only


def claim(
    connection: sqlite3.Connection, worker: str, *, limit: int, now: datetime, state: State, token: Callable[[], str]
) -> list[Item]:
    """Lock the first claimable items: those without a delay by priority, then those whose delay is over."""
    latest = DELAYED + format_time(now) if state is State.TODO else AFTER_ALL_TIMES
    rows = connection.execute(CANDIDATES, (state.value, latest, limit)).fetchall()
    claims = [transitions.claim(_item(row), worker=worker, token=token(), now=now) for row in rows]
    connection.executemany(UPDATE, map(to_values, claims))
    return claims


def next_due(connection: sqlite3.Connection, state: State) -> datetime | None:
    """Return when the first item of a state may be claimed; None when there is none."""
    [key] = connection.execute(NEXT, (state.value,)).fetchone()
    return None if key is None else due(key)


def any_due(connection: sqlite3.Connection, now: datetime) -> bool:
    """Return whether any item may be claimed now; takes no write lock."""
    times = (next_due(connection, state) for state in CLAIMABLE)
    return any(time is not None and time <= now for time in times)


def save(connection: sqlite3.Connection, before: Fence, values: Values, after: Fence) -> None:
    """Write an item if it is unchanged since `before`; if it is already as in `after`, an earlier call wrote it."""
    if not connection.execute(SAVE, values + before).rowcount and _current(connection, values[0]) != after:
        raise _fenced(values[0])


def remove(connection: sqlite3.Connection, item_id: str, before: Fence) -> None:
    """Delete an item if it is unchanged since `before`."""
    if _current(connection, item_id) != before:
        raise _fenced(item_id)
    connection.execute("DELETE FROM items WHERE itemID = ?", (item_id,))


def read(connection: sqlite3.Connection, item_id: str) -> Item | None:
    """Read one item; return None when there is none."""
    row = connection.execute("SELECT Row FROM items WHERE itemID = ?", (item_id,)).fetchone()
    return _item(row) if row else None


def held(connection: sqlite3.Connection, worker_id: str) -> list[Item]:
    """Read the items a worker holds."""
    return [_item(row) for row in connection.execute(HELD, (worker_id,))]


def summaries(
    connection: sqlite3.Connection, state: State, sample: str | None, *, after: Cursor, limit: int
) -> list[tuple[Cursor, Summary]]:
    """Return the page of a state's queue after a cursor, each item with its own cursor."""
    rows = connection.execute(SUMMARIES, (state.value, *after, sample, limit))
    return [
        ((key, position), summarise(dict(zip(LISTED, listed, strict=True)), state=state, key=key))
        for key, position, *listed in rows
    ]


def full_items(
    connection: sqlite3.Connection, state: State | None, sample: str | None, *, after: int, limit: int
) -> list[tuple[int, Item]]:
    """Return the page of items after a position in the table, each with its own position."""
    rows = connection.execute(WHOLE, (after, state and state.value, sample, limit))
    return [(position, decode(orjson.loads(row))) for position, row in rows]


def counts(connection: sqlite3.Connection) -> Counts:
    """Count items and tasks from the index alone."""
    counted = Counts(dict.fromkeys(State, 0), dict.fromkeys(TaskState, 0))
    for name, items, tasks, done in connection.execute(COUNTS):
        state = State(name)
        counted.items[state] = items
        counted.tasks[TaskState.DONE] += done
        counted.tasks[TaskState.FAILED if state is State.FAILED else TaskState.TODO] += tasks - done
    return counted


def _current(connection: sqlite3.Connection, item_id: object) -> Fence | None:
    fence: Fence | None = connection.execute(
        "SELECT ItemState, Attempt, lockID FROM items WHERE itemID = ?", (item_id,)
    ).fetchone()
    return fence


def _fenced(item_id: object) -> Fenced:
    return Fenced(f"item {item_id} is no longer as it was seen")


def _item(row: tuple[str]) -> Item:
    return decode(orjson.loads(row[0]))
