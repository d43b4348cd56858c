"""Read rows of other programs: the original PyAnamo's, and ours where its manager changed them.

1. `NULL` means nothing. Times like `26/11/2026-15:30:24` are taken for UTC: the original wrote the local time of its
   machine, which is UTC on AWS.
2. An item that it put back to `todo` counts as reset: what is not done runs again, and the ledgers begin anew.
3. An item that it parked, as `Pending`, is held as ours are: `unhold` returns it to the queue in which it was.
4. It marks an item that could not be started as done, at a date that begins with `Error-`: that failed.
5. Its records say that a script ended, not how: they count as success. Where it put output away, the record says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from pyanamo_async.core.holding import hold
from pyanamo_async.core.items import CLAIMABLE, Item, State
from pyanamo_async.core.orders import reset
from pyanamo_async.core.stored.columns import Row, mapping, read_as, text
from pyanamo_async.core.stored.queue_key import format_time, state_in
from pyanamo_async.core.stored.record import decode
from pyanamo_async.core.stored.row_size import STATUS_BYTES
from pyanamo_async.core.stored.task_record import OUTCOMES

NOTHING = "NULL"
DATES = ("Lock_Date", "Done_Date")
MAY_BE_NOTHING = (*DATES, "lockID", "InstanceID")
DATE = "%d/%m/%Y-%H:%M:%S"
ERROR = "Error-"
NOT_STARTED = "Execution Failed"
DONE = "Done"
IN_BUCKET = "s3://"
PLACE = ("Queue", "Queue_Key", "lockID")


def adopted(row: Mapping[str, Any], *, now: datetime) -> Item | None:
    """Return the item that a row of another program means; None if that cannot be told."""
    try:
        return _read(row, now)
    except Exception:  # noqa: BLE001 - as in `bad_rows`: a row may hold anything
        return None


def _read(row: Mapping[str, Any], now: datetime) -> Item:
    for name in PLACE:
        read_as(text, name, row.get(name, ""))  # a write is conditional on it
    known = {name: value for name, value in row.items() if not (name in MAY_BE_NOTHING and value == NOTHING)}
    could_not_start = str(known.get("Done_Date", "")).startswith(ERROR) and known["ItemState"] == State.DONE
    known |= {name: _time(known[name]) for name in DATES if name in known}
    log = read_as(mapping, "Log", known.get("Log", {}))
    is_nested = isinstance(known["TaskScript"], Mapping)
    known["Log"] = {task: _record(each) for task, each in log.items()} if is_nested else _record(log)
    if could_not_start:
        known |= {"ItemState": str(State.FAILED), "Reason": NOT_STARTED}
    is_parked = known["ItemState"] == State.PENDING and "Held" not in known
    if is_parked:
        known["ItemState"] = _parked_from(row)
    item = decode(known)
    if is_parked:
        return hold(item, now=now)
    return reset(item) if item.state is State.TODO else item


def _parked_from(row: Mapping[str, Any]) -> State:
    """Return the state in which another program parked an item, by its queue; what was done stays done."""
    return next(
        (s for s in (*CLAIMABLE, State.FAILED, State.DONE) if s == state_in(str(row.get("Queue", "")))), State.TODO
    )


def _time(value: object) -> str:
    """Return a time as we write it; one that is in no form of the original's is left as it is."""
    date = read_as(text, "a date", value)
    with suppress(ValueError):
        return format_time(datetime.strptime(date.removeprefix(ERROR), DATE).replace(tzinfo=UTC))
    return date


def _record(log: object) -> Row:
    """Return a task record that the original PyAnamo wrote, with the attributes of this schema."""
    record = dict(read_as(mapping, "a record", log))
    status = record.get("Status")
    if not record or status in OUTCOMES:
        return record
    where, stdout, stderr = (read_as(text, name, record.get(name, "")) for name in ("Status", "stdout", "stderr"))
    if status == NOT_STARTED:
        return {"Status": "Failed", "Detail": NOT_STARTED}
    ended = {"Status": "Succeeded", "Exit_Code": 0}
    if status == DONE:
        return ended | _stream("stdout", stdout) | _stream("stderr", stderr)
    if IN_BUCKET in where:
        return ended | {"stdout_at": where[where.index(IN_BUCKET) :]}
    tags = {} if stdout in {"", where} else {"stdout": stdout, "Tags": stdout.count("\n") + 1}
    return ended | tags | {"Log_Status": where[:STATUS_BYTES]}


def _stream(name: str, printed: str) -> Row:
    size = {f"{name}_bytes": len(printed.encode()), f"{name}_lines": len(printed.splitlines())}
    return {name: printed, **size} if printed else {}
