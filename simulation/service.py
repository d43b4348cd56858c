"""One table of DynamoDB in this process: its rows, its index, and the bill.

Laws:

1. Writes are decided as rows stand; what is read through the index is a moment old (`index`).
2. A write is charged as DynamoDB charges it, and throttled where its partitions have no units left (`limits`).
3. Every request is answered at once. How long it travels, and whether it arrives, is a matter of the `network`.

It understands the requests that the product's own store sends (`language`), no others.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

from botocore.exceptions import ClientError

from pyanamo_async.core.items import Item, State
from pyanamo_async.core.queue_lanes import WorkerKind, lane_of
from pyanamo_async.core.stored.record import decode
from pyanamo_async.store.dynamodb import schema
from pyanamo_async.store.dynamodb.codec import marshal_row, unmarshal_row
from pyanamo_async.store.dynamodb.lanes import LAST_ATTEMPTS_AFTER
from pyanamo_async.store.dynamodb.rows import stored
from simulation import language
from simulation.facts import PARTITION_WRITES, WRITE_UNIT_BYTES
from simulation.index import Entry, IndexLag, QueueIndex, row_bytes
from simulation.language import KEY, Change, Row
from simulation.limits import Charge, Partitions, take
from simulation.virtual_time import NOON

UNLIMITED = 1e12
DONE = f"{State.DONE}#"
THROTTLED = "ThrottlingError"
EXCEPTIONS = {"ConditionalCheckFailed": "ConditionalCheckFailedException", THROTTLED: "ThrottlingException"}


@dataclass
class Bill:
    """Requests by operation and what they cost; `losses` holds for each lost claim how many were won before it."""

    requests: Counter[str] = field(default_factory=Counter)
    writes: float = 0.0
    reads: float = 0.0
    throttled: int = 0
    won: int = 0
    losses: list[int] = field(default_factory=list)


def ignore_write(sender: str, key: str, old: Row | None, new: Row | None) -> None:
    """Observe nothing."""


class Service:
    """One table. `on_write` observes every write that takes effect: its sender, and the row before and after."""

    def __init__(
        self,
        *,
        shards: int,
        rng: random.Random,
        capacity: float = UNLIMITED,
        per_partition: float = PARTITION_WRITES,
        lag: IndexLag = IndexLag(),  # noqa: B008 # frozen
        on_write: Callable[[str, str, Row | None, Row | None], None] = ignore_write,
    ) -> None:
        self.shards, self._rng, self._lag, self._on_write = shards, rng, lag, on_write
        self.rows: dict[str, Row] = {}
        self._units: dict[str, int] = {}
        self._entries: dict[str, Entry | None] = {}
        self._versions: Counter[str] = Counter()
        self.index = QueueIndex()
        limited = capacity < UNLIMITED
        self._base, self._indexed = (Partitions(capacity, per_partition) if limited else None for _ in range(2))
        self.bill = Bill()
        self._settled_s: list[float] = []
        self._date = (-1, "")
        self._put(marshal_row(schema.table_row(shards)))

    def seed(self, items: Iterable[Item], *, last_attempts_after: int | None = None) -> None:
        """Put items, and a setting, that have always been there."""
        if last_attempts_after is not None:
            self._put(marshal_row({**schema.table_row(self.shards), LAST_ATTEMPTS_AFTER: last_attempts_after}))
        for item in items:
            self._put(marshal_row(stored(item, shards=self.shards, tiebreak=f"{self._rng.getrandbits(32):08x}")))

    def states(self) -> Counter[str]:
        """Count the items by state, as their rows have it."""
        return Counter(row["ItemState"]["S"] for row in self.rows.values() if "ItemState" in row)

    def states_by_item(self, kind: WorkerKind) -> dict[str, str]:
        """Return the states of items, without those in lanes that a worker of a kind does not take."""
        items = ((key, decode(unmarshal_row(row))) for key, row in self.rows.items() if "ItemState" in row)
        return {key: item.state for key, item in items if kind.takes(lane_of(item))}

    def attempts_held_by(self, worker: str) -> list[tuple[str, int]]:
        """Return the items that a worker holds, with the number of its attempt at each."""
        items = ((key, unmarshal_row(row)) for key, row in self.rows.items() if "ItemState" in row)
        return [
            (key, row["Attempt"])
            for key, row in items
            if (row["ItemState"], row.get("InstanceID")) == ("locked", worker)
        ]

    def settling_rate(self, share: float) -> float:
        """Return at how many a second this share of all items that are done were settled."""
        number = round(len(self._settled_s) * share)
        return number / self._settled_s[number - 1]

    def answer(self, operation: str, asked: dict[str, Any], *, sender: str = "") -> dict[str, Any]:
        """Answer one request, which has arrived now.

        Raises:
            ClientError: the condition of a write is not met, or its partition is out of units.
        """
        self.bill.requests[operation] += 1
        match operation:
            case "get_item":
                answer = self._get_item(asked)
            case "batch_get_item":
                answer = self._batch_get_item(asked)
            case "query":
                answer = self._query(asked)
            case "batch_execute_statement":
                answer = {"Responses": [self._statement(each, sender) for each in asked["Statements"]]}
            case _:
                answer = self._write_alone(operation, getattr(language, operation)(asked), sender)
        return answer | self._metadata()

    def _get_item(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.bill.reads += 1
        row = self.rows.get(asked["Key"][KEY]["S"])
        return {"Item": row} if row else {}

    def _batch_get_item(self, asked: dict[str, Any]) -> dict[str, Any]:
        [(table, wanted)] = asked["RequestItems"].items()
        keys = [key[KEY]["S"] for key in wanted["Keys"]]
        self.bill.reads += len(keys)
        return {"Responses": {table: [self.rows[key] for key in keys if key in self.rows]}}

    def _query(self, asked: dict[str, Any]) -> dict[str, Any]:
        values = {name: value["S"] for name, value in asked["ExpressionAttributeValues"].items()}
        low, high = language.key_bounds(asked["KeyConditionExpression"], values)
        after = asked.get("ExclusiveStartKey")
        forward = asked.get("ScanIndexForward", True)
        rows, more, units = self.index.query(values[":queue"], low, high, after, asked.get("Limit"), forward=forward)
        self.bill.reads += units
        answer: dict[str, Any] = {"Items": rows, "Count": len(rows), "ScannedCount": len(rows)}
        if more:
            answer["LastEvaluatedKey"] = (rows[-1]["Queue_Key"]["S"], rows[-1][KEY]["S"])
        return answer

    def _statement(self, asked: dict[str, Any], sender: str) -> dict[str, Any]:
        code, row = self._attempt(language.statement(asked), sender)
        reply: dict[str, Any] = {"Error": {"Code": code, "Message": code}} if code else {}
        if row is not None:
            (reply["Error"] if code else reply)["Item"] = row
        return reply

    def _write_alone(self, operation: str, change: Change, sender: str) -> dict[str, Any]:
        code, row = self._attempt(change, sender)
        if code:
            error: Any = {"Error": {"Code": EXCEPTIONS[code], "Message": code}} | self._metadata()
            raise ClientError(error | ({"Item": row} if row else {}), operation)
        return {"Attributes": row} if row else {}

    def _metadata(self) -> dict[str, Any]:
        now_s = int(asyncio.get_running_loop().time())
        if self._date[0] != now_s:
            self._date = now_s, format_datetime(NOON + timedelta(seconds=now_s), usegmt=True)
        return {"ResponseMetadata": {"HTTPStatusCode": 200, "HTTPHeaders": {"date": self._date[1]}}}

    def _attempt(self, change: Change, sender: str) -> tuple[str, Row | None]:
        """Carry a write out, if it is allowed and there is room for it; else return why not."""
        key = change.key
        old = self.rows.get(key)
        if not change.allowed(old):
            if not self._charge(key, self._units.get(key, 1), []):
                return THROTTLED, None
            if change.is_claim:
                self.bill.losses.append(self.bill.won)
            return "ConditionalCheckFailed", old
        new = change.apply(old)
        units = _units(row_bytes(new)) if new else 1
        entry = Entry.of(new)
        if not self._charge(key, max(units, self._units.get(key, 1)), _moved(self._entries.get(key), entry)):
            return THROTTLED, None
        self._write(key, new, units, entry)
        self._on_write(sender, key, old, new)
        if entry and entry.queue.startswith(DONE):
            self._settled_s.append(asyncio.get_running_loop().time())
        self.bill.won += change.is_claim
        return "", new if change.returning else old if change.returning_old else None

    def _charge(self, key: str, units: int, entries: list[Entry]) -> bool:
        """Take what a write needs of the table and its index; return False when one of them is full."""
        moves = [(entry.queue, _units(entry.size_bytes)) for entry in entries]
        if self._base and self._indexed:
            wanted: list[Charge] = [(self._base.of(key), units)]
            wanted += [(self._indexed.of(queue), units) for queue, units in moves]
            if not take(wanted, asyncio.get_running_loop().time()):
                self.bill.throttled += 1
                return False
        self.bill.writes += units + sum(each for _, each in moves)
        return True

    def _write(self, key: str, row: Row | None, units: int, entry: Entry | None) -> None:
        if row is None:
            self.rows.pop(key, None)  # it may have been deleted before
        else:
            self.rows[key] = row
        self._units[key], self._entries[key] = units, entry
        self._versions[key] += 1
        self._show_later(key, self._versions[key], entry)

    def _show_later(self, key: str, version: int, entry: Entry | None) -> None:
        loop = asyncio.get_running_loop()
        gone_s, there_s = self._lag.draw(self._rng)
        if gone_s < there_s:  # in between it stands nowhere
            loop.call_later(gone_s, self.index.show, key, version - 0.5, None)
        loop.call_later(there_s, self.index.show, key, version, entry)

    def _put(self, row: Row) -> None:
        """Put a row that was always there."""
        key, entry = row[KEY]["S"], Entry.of(row)
        self.rows[key], self._units[key], self._entries[key] = row, _units(row_bytes(row)), entry
        self._versions[key] = 1
        self.index.show(key, 1, entry)


def _moved(old: Entry | None, new: Entry | None) -> list[Entry]:
    """List the rows of the index that a write deletes, puts or changes, at their larger size."""
    if old and new and (old.queue, old.key) == (new.queue, new.key):
        return [] if old.row == new.row else [max(old, new, key=lambda entry: entry.size_bytes)]
    return [entry for entry in (old, new) if entry]


def _units(size_bytes: int) -> int:
    return max(1, math.ceil(size_bytes / WRITE_UNIT_BYTES))
