"""Rows of items as they come from the file, and what they are read as.

1. Columns outrank what `Row` says of the same: they are what writes are conditional on.
2. Text that is no valid Unicode comes as it is, and never goes back as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from pyanamo_async.core.items import Item, State
from pyanamo_async.core.stored.columns import Row, mapping, read_as
from pyanamo_async.core.stored.record import decode, decode_held

COLUMNS = {
    "itemID": "TEXT",
    "taskID": "TEXT",
    "ItemState": "TEXT",
    "Queue_Key": "TEXT",
    "InstanceID": "TEXT",
    "lockID": "TEXT",
    "Attempt": "INTEGER",
    "Nested_Tasks": "INTEGER",
    "Log_Length": "INTEGER",
    "Failures": "INTEGER",
    "Crashes": "INTEGER",
    "Interruptions": "INTEGER",
    "Seconds_Lost": "REAL",
    "Seconds_Saved": "REAL",
    "Cpus": "INTEGER",
    "Mark": "TEXT",
    "Reason": "TEXT",
    "Row": "TEXT",
}
"""The columns of an item, and what they hold."""

WORKER_COLUMNS = {
    "InstanceID": "TEXT",
    "Heartbeat": "TEXT",
    "State": "TEXT",
    "Host": "TEXT",
    "Job": "TEXT",
    "Process": "TEXT",
    "Started": "TEXT",
    "Lease": "REAL",
    "Slots": "INTEGER",
    "Running": "INTEGER",
    "Done": "INTEGER",
    "RSS": "INTEGER",
    "Last_Attempts": "INTEGER",
    "Stopped_By": "TEXT",
    "Platform": "TEXT",
    "Waiting": "TEXT",
}
"""The columns of a worker but its orders: key, heartbeat and state, and those of `encode_worker`."""

NAMES = ("Position", *COLUMNS)
SELECT = f"SELECT {', '.join(NAMES)} FROM items"  # noqa: S608 - constants only


def to_row(values: tuple[Any, ...]) -> Row:
    """Return what `SELECT` found as a row."""
    return dict(zip(NAMES, values, strict=True))


def read_item(row: Mapping[str, Any]) -> Item:
    """Return the item of a row; any error means that it cannot be read."""
    return decode(_whole(row))


def read_held(row: Mapping[str, Any], worker: str) -> Item:
    """Return the item of a row that `worker` holds; any error means that it cannot be read."""
    return decode_held(_whole(row), worker)


def read_placed(row: Mapping[str, Any]) -> Item:
    """Return the item of a row in whatever state; any error means that it cannot be read."""
    return read_held(row, row["Queue_Key"]) if row["ItemState"] == State.LOCKED else read_item(row)


def raw(text: str) -> bytes:
    """Return a text as it is stored."""
    return text.encode(errors="surrogateescape")


def is_unicode(text: str) -> bool:
    """Return whether a text can be bound to a statement."""
    return text.isascii() or not any("\ud800" <= each <= "\udfff" for each in text)


def _whole(row: Mapping[str, Any]) -> Row:
    return {**read_as(mapping, "Row", orjson.loads(row["Row"])), **row}
