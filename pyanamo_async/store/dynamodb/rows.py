"""Items as rows of the table: their place in the queue index, and the writes that change them.

Only this module decides what `Queue` and `Queue_Key` of a row are. Nothing here knows a client.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pyanamo_async.core.items import Item, State, Summary
from pyanamo_async.core.stored.queue_key import format_time, queue, queue_key, shard_of
from pyanamo_async.core.stored.record import encode, summarise
from pyanamo_async.core.stored.task_record import Row
from pyanamo_async.core.values import Value
from pyanamo_async.store.dynamodb.writes import Path, Update

QUEUE_INDEX = "QueueIndex"
PROJECTED = ("taskID", "Nested_Tasks", "Log_Length", "Attempt", "Reason")
"""What listings, counts and claims read from the index: small, so that an index row stays within one write unit."""

NO_KEY = "-"  # a key of the index cannot be empty; sorts before every time
BY_TASK = ("TaskScript", "Log")  # maps with a member for each task of a nested item
MOST_MEMBERS = 40  # changed one by one; with more the whole map goes, and the text of a change stays short


class Candidate(Value):
    """An item seen in the index, and the token with which it will be claimed.

    `unanswered`: a claim was sent and its reply was lost, so it may be claimed already.
    """

    item_id: str
    queue: str
    queue_key: str
    attempt: int
    token: str
    unanswered: bool = False


def stored(item: Item, *, shards: int, tiebreak: str) -> Row:
    """Return an item as a row, with its place in the index."""
    return encode(item) | place(item, shards=shards, tiebreak=tiebreak)


def place(item: Item, *, shards: int, tiebreak: str) -> Row:
    """Return the attributes that place an item in the index."""
    return {
        "Queue": queue(item.state, shard_of(item.item_id, shards)),
        "Queue_Key": queue_key(item, tiebreak) or NO_KEY,
    }


def claiming(seen: Candidate, *, worker: str, now: datetime) -> Update:
    """Return the write that locks exactly what was seen, as `core.transitions.claim` defines it."""
    shard = seen.queue.rpartition("#")[2]
    return Update(
        key=seen.item_id,
        expected={"Queue": seen.queue, "Queue_Key": seen.queue_key, "Attempt": seen.attempt or None},
        sets={
            ("ItemState",): str(State.LOCKED),
            ("Queue",): f"{State.LOCKED}#{shard}",
            ("Queue_Key",): worker,
            ("InstanceID",): worker,
            ("lockID",): seen.token,
            ("Lock_Date",): format_time(now),
            ("Attempt",): seen.attempt + 1,
        },
        removes=(("Done_Date",), ("Not_Before",)),
        returning=True,
    )


def fence(item: Item) -> dict[str, object]:
    """Return the attributes a row must still have for a write that follows from `item`."""
    return {"ItemState": str(item.state), "Attempt": item.attempt or None, "lockID": item.token or None}


def passes_fence(row: Mapping[str, Any], item: Item) -> bool:
    """Return whether a row passes the fence of `item`."""
    return all(row.get(name) == value for name, value in fence(item).items())


def change(before: Item, after: Item, *, shards: int, tiebreak: str) -> Update:
    """Return the write of what differs between two forms of an item, conditional on the fence of the first."""
    old, new = encode(before), encode(after)
    sets: dict[Path, object] = {}
    removes: list[Path] = [(name,) for name in old if name not in new]
    for name, value in new.items():
        known = old.get(name)
        if value == known:
            continue
        if before.nested and name in BY_TASK and isinstance(known, dict):
            sets |= _members(name, known, value)
        else:
            sets[(name,)] = value
    if after.state is not State.LOCKED or before.state is not State.LOCKED:
        sets |= {(name,): value for name, value in place(after, shards=shards, tiebreak=tiebreak).items()}
    unchanged: dict[Path, object] = {("ItemState",): str(after.state)}
    return Update(before.item_id, fence(before), sets or unchanged, removes)


def _members(name: str, old: Row, new: Row) -> dict[Path, object]:
    """Return only the members of a map that changed, or the whole map when many changed or some are gone."""
    changed: dict[Path, object] = {(name, task): value for task, value in new.items() if value != old.get(task)}
    return changed if len(changed) <= MOST_MEMBERS and old.keys() <= new.keys() else {(name,): new}


def summary(row: Mapping[str, Any]) -> Summary:
    """Return one line of a listing from a row of the index."""
    key = row["Queue_Key"]
    return summarise(row, state=State(row["Queue"].rpartition("#")[0]), key="" if key == NO_KEY else key)
