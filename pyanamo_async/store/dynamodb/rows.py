"""Items as rows of the table: their place in the queue index, and the writes that change them.

Only this module decides what `Queue` and `Queue_Key` of a row are. Nothing here knows a client.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pyanamo_async.core.counts import Ledgers
from pyanamo_async.core.items import Item, State, Summary
from pyanamo_async.core.stored.bad_rows import burial, read_row
from pyanamo_async.core.stored.columns import Row, count, read_as, seconds
from pyanamo_async.core.stored.queue_key import format_time, queue, queue_key, shard_of, state_in
from pyanamo_async.core.stored.record import KNOWN, decode, decode_held, encode, summarise
from pyanamo_async.core.values import Value, replace
from pyanamo_async.errors import BadRow
from pyanamo_async.store.dynamodb.writes import KEY, Path, Update

QUEUE_INDEX = "QueueIndex"
TABLE_ROW, WORKER_ROW, TAIL_ROW = "#table", "#worker#", "#tail#"  # how the keys of other rows begin
PROJECTED = (
    "taskID",
    "ItemState",
    "Nested_Tasks",
    "Log_Length",
    "Attempt",
    "Failures",
    "Crashes",
    "Interruptions",
    "Seconds_Lost",
    "Seconds_Saved",
    "Cpus",
    "Reason",
)
"""What listings, counts and claims read from the index: small, so that an index row stays within one write unit."""

NO_KEY = "-"  # a key of the index cannot be empty; sorts before every time
BY_TASK = ("TaskScript", "Log")  # maps with a member for each task of a nested item
MOST_MEMBERS = 40  # changed one by one; with more the whole map goes, and the text of a change stays short


class Candidate(Value):
    """An item seen in the index, and the token with which it will be claimed.

    `unanswered`: a claim was sent and its reply was lost, so it may be claimed already; `throttled`: the reply was that
    the service did not try. `bad`: what the index shows cannot be read, so that it is buried instead.
    """

    item_id: str
    queue: str
    queue_key: str
    attempt: int
    token: str
    unanswered: bool = False
    throttled: bool = False
    bad: BadRow | None = None


def candidate(row: Mapping[str, Any], *, token: str) -> Candidate:
    """Return a row of the index as a candidate."""
    seen = Candidate(row[KEY], row["Queue"], row["Queue_Key"], 0, token)
    try:
        return replace(seen, attempt=read_row(row, _attempt))
    except BadRow as bad:
        return replace(seen, bad=bad)


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
    """Return the write that locks exactly what was seen, as `core.transitions.claim` defines it.

    The place is its condition, for every change of an item but that of its holder gives it another; and the state, for
    another program may change that alone. A row that cannot be read is buried where it was seen, whatever it says.
    """
    if seen.bad:
        return burying(seen.bad, now=now)
    return Update(
        key=seen.item_id,
        expected={"Queue": seen.queue, "Queue_Key": seen.queue_key, "ItemState": state_in(seen.queue)},
        sets={
            ("ItemState",): str(State.LOCKED),
            ("Queue",): f"{State.LOCKED}#{_shard(seen.queue)}",
            ("Queue_Key",): worker,
            ("InstanceID",): worker,
            ("lockID",): seen.token,
            ("Lock_Date",): format_time(now),
            ("Attempt",): seen.attempt + 1,
        },
        removes=(("Done_Date",), ("Not_Before",)),
        returning=True,
    )


def moved_by_another(row: Mapping[str, Any]) -> str:
    """Return why a row of the index is not what its queue says: another program changed its state alone."""
    state, place = row.get("ItemState"), str(row["Queue"])
    return "" if state == state_in(place) else f"ItemState is {state!r}, and Queue {place!r}: `pyanamo table adopt`"


def adopting(row: Mapping[str, Any], item: Item, *, shards: int, tiebreak: str) -> Update:
    """Return the write that gives a row of another program its place as an item of ours, if it is as it was seen.

    Attributes that we do not know stay.
    """
    new = stored(item, shards=shards, tiebreak=tiebreak)
    return Update(
        item.item_id,
        {name: row.get(name) for name in ("ItemState", "Queue", "Queue_Key", "lockID", "Attempt")},
        {(name,): value for name, value in new.items() if name != KEY and row.get(name) != value},
        [(name,) for name in row if name in KNOWN and name not in new],
    )


def burying(bad: BadRow, *, now: datetime, has_room: bool = True) -> Update:
    """Return the write that buries a row which cannot be read, where it was seen, and under its holder.

    Without `has_room` it says neither when nor why, and the row becomes smaller.
    """
    place = {name: bad.row.get(name) for name in ("Queue", "Queue_Key")}
    seen = str(place["Queue"])
    held = {name: bad.row.get(name) for name in ("lockID", "InstanceID")} if state_in(seen) == State.LOCKED else {}
    expected = place | {name: value for name, value in held.items() if isinstance(value, str)}
    sets = burial(bad, now=now) if has_room else {"ItemState": str(State.FAILED), "Queue_Key": NO_KEY}
    sets |= {"Queue": f"{State.FAILED}#{_shard(seen)}"}
    return Update(str(bad.row[KEY]), expected, {(name,): value for name, value in sets.items()})


def is_buried(row: Mapping[str, Any] | None, bad: BadRow, *, now: datetime) -> bool:
    """Return whether a row was buried for this reason, by an earlier sending or another worker."""
    reasons = ("ItemState", "Reason")
    return row is not None and all(row.get(name) == burial(bad, now=now)[name] for name in reasons)


def read_placed(row: Mapping[str, Any], shards: int) -> Item:
    """Return the item of a row in whatever state; any error means that it, or its place, cannot be read."""
    item = decode(row)
    queues = {queue(item.state, shard) for shard in range(shards)}
    if "Queue_Key" not in row:
        raise ValueError("Queue_Key is missing")
    if row.get("Queue") not in queues:
        raise ValueError(f"Queue is {row.get('Queue')!r}, not {queue(item.state, shard_of(item.item_id, shards))}")
    return decode_held(row, row["Queue_Key"]) if item.state is State.LOCKED else item


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
        if before.nested and after.nested and name in BY_TASK and isinstance(known, dict):
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
    """Return one line of a listing from a row of the index; any error means that it cannot be read."""
    key, state = row["Queue_Key"], State(state_in(row["Queue"]))
    if why := moved_by_another(row):
        raise ValueError(why)
    return summarise(row, state=state, key="" if key == NO_KEY else key)


def counted(row: Mapping[str, Any]) -> tuple[int, int, bool]:
    """Return how many tasks an item has, how many are done, and whether it is nested; one task if that is not told."""
    try:
        tasks, done = (read_as(count, name, row.get(name, 0)) for name in ("Nested_Tasks", "Log_Length"))
    except ValueError:
        return 1, 0, False
    return max(tasks, 1), min(tasks, done), tasks > 0


def ledgers(row: Mapping[str, Any]) -> Ledgers:
    """Return the ledgers of an item; empty ones if they cannot be read."""
    try:
        crashes, interruptions = (read_as(count, name, row.get(name, 0)) for name in ("Crashes", "Interruptions"))
        lost_s, saved_s = (read_as(seconds, name, row.get(name, 0.0)) for name in ("Seconds_Lost", "Seconds_Saved"))
        return Ledgers.of(crashes, interruptions, lost_s, saved_s, cpus=read_as(count, "Cpus", row.get("Cpus", 1)))
    except ValueError:
        return Ledgers()


def _attempt(row: Mapping[str, Any]) -> int:
    return read_as(count, "Attempt", row.get("Attempt", 0))


def _shard(queue: str) -> str:
    return queue.rpartition("#")[2]
