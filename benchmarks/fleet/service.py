"""DynamoDB in this process, for the product's own store, on the time of the loop it runs on.

Requests take time, what is read through the index is a moment old, and writes are decided as rows are. It charges what
DynamoDB charges and throttles what its partitions do not take (`limits`), statement by statement; a request of one
write is sent three times, as botocore's standard mode has it. It speaks what our store asks (`language`), no more.
"""

# ruff: noqa: ANN401 - requests and replies are whatever botocore has

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from benchmarks.fleet import language
from benchmarks.fleet.facts import INDEX_LAG_S, LATENCY_S, PARTITION_WRITES, WRITE_UNIT_BYTES
from benchmarks.fleet.index import MAX_KEY, Entry, QueueIndex, row_bytes
from benchmarks.fleet.language import KEY, Change, Row
from benchmarks.fleet.limits import Charge, Partitions, take
from pyanamo_async.core.items import Item, State
from pyanamo_async.store.dynamodb import schema
from pyanamo_async.store.dynamodb.codec import marshal_row
from pyanamo_async.store.dynamodb.rows import stored

TAIL = 0.5  # sigma of the lognormal latency
SENDINGS = 3
UNLIMITED = 1e12
DONE = f"{State.DONE}#"


@dataclass
class Bill:
    """What was asked, by operation, and what it cost; `losses` tells of each lost claim how many were won before."""

    requests: Counter[str] = field(default_factory=Counter)
    writes: float = 0.0
    reads: float = 0.0
    throttled: int = 0
    won: int = 0
    losses: list[int] = field(default_factory=list)


class Service:
    """One table. It is the client, as far as our store knows."""

    def __init__(
        self,
        *,
        shards: int,
        rng: random.Random,
        capacity: float = UNLIMITED,
        per_partition: float = PARTITION_WRITES,
        latency_s: float = LATENCY_S,
        lag_s: float = INDEX_LAG_S,
    ) -> None:
        self.shards, self._rng = shards, rng
        self._latency_s, self._lag_s = latency_s, lag_s
        self._rows: dict[str, Row] = {}
        self._units: dict[str, int] = {}
        self._entries: dict[str, Entry | None] = {}
        self._versions: Counter[str] = Counter()
        self.index = QueueIndex()
        limited = capacity < UNLIMITED
        self._base, self._indexed = (Partitions(capacity, per_partition) if limited else None for _ in range(2))
        self.bill = Bill()
        self._settled_s: list[float] = []
        self._put(marshal_row(schema.table_row(shards)))

    def seed(self, items: Iterable[Item]) -> None:
        """Put items that have always been there."""
        for item in items:
            self._put(marshal_row(stored(item, shards=self.shards, tiebreak=f"{self._rng.getrandbits(32):08x}")))

    def rate_of_settling(self, share: float) -> float:
        """Tell at how many a second this share of all items that are done were settled."""
        number = round(len(self._settled_s) * share)
        return number / self._settled_s[number - 1]

    async def get_item(self, **asked: Any) -> dict[str, Any]:
        await self._journey("GetItem")
        self.bill.reads += 1
        row = self._rows.get(asked["Key"][KEY]["S"])
        return await self._answer({"Item": row} if row else {})

    async def batch_get_item(self, **asked: Any) -> dict[str, Any]:
        await self._journey("BatchGetItem")
        [(table, wanted)] = asked["RequestItems"].items()
        keys = [key[KEY]["S"] for key in wanted["Keys"]]
        self.bill.reads += len(keys)
        return await self._answer({"Responses": {table: [self._rows[key] for key in keys if key in self._rows]}})

    async def query(self, **asked: Any) -> dict[str, Any]:
        await self._journey("Query")
        values = {name: value["S"] for name, value in asked["ExpressionAttributeValues"].items()}
        low, high = _bounds(asked["KeyConditionExpression"], values)
        after = asked.get("ExclusiveStartKey")
        forward = asked.get("ScanIndexForward", True)
        rows, more, units = self.index.query(values[":queue"], low, high, after, asked.get("Limit"), forward=forward)
        self.bill.reads += units
        answer: dict[str, Any] = {"Items": rows, "Count": len(rows), "ScannedCount": len(rows)}
        if more:
            answer["LastEvaluatedKey"] = (rows[-1]["Queue_Key"]["S"], rows[-1][KEY]["S"])
        return await self._answer(answer)

    async def put_item(self, **asked: Any) -> dict[str, Any]:
        return await self._alone("PutItem", language.put(asked))

    async def update_item(self, **asked: Any) -> dict[str, Any]:
        return await self._alone("UpdateItem", language.update(asked))

    async def delete_item(self, **asked: Any) -> dict[str, Any]:
        return await self._alone("DeleteItem", language.delete(asked))

    async def batch_execute_statement(self, **asked: Any) -> dict[str, Any]:
        await self._journey("BatchExecuteStatement")
        replies = []
        for change in map(language.statement, asked["Statements"]):
            code, row = self._attempt(change)
            reply: dict[str, Any] = {"Error": {"Code": code, "Message": code}} if code else {}
            if row is not None:
                (reply["Error"] if code else reply)["Item"] = row
            replies.append(reply)
        return await self._answer({"Responses": replies})

    async def _alone(self, operation: str, change: Change) -> dict[str, Any]:
        for sending in range(SENDINGS):
            await self._journey(operation)
            code, row = self._attempt(change)
            if code != "ThrottlingError" or sending + 1 == SENDINGS:
                break
            await asyncio.sleep(self._rng.random() * 2**sending)  # botocore's standard mode
        if code:
            told = {"ConditionalCheckFailed": "ConditionalCheckFailedException"}.get(code, "ThrottlingException")
            answer: Any = {"Error": {"Code": told, "Message": told}, "ResponseMetadata": {}} | (
                {"Item": row} if row else {}
            )
            raise ClientError(answer, operation)
        return await self._answer({"Attributes": row} if row else {})

    def _attempt(self, change: Change) -> tuple[str, Row | None]:
        """Carry a write out, if it is allowed and there is room for it; else tell why not."""
        key = change.key
        old = self._rows.get(key)
        if not change.allowed(old):
            if not self._charge(key, self._units.get(key, 1), []):
                return "ThrottlingError", None
            if change.is_claim:
                self.bill.losses.append(self.bill.won)
            return "ConditionalCheckFailed", old
        new = change.apply(old)
        units = _units(row_bytes(new)) if new else 1
        entry = Entry.of(new)
        if not self._charge(key, max(units, self._units.get(key, 1)), _moved(self._entries.get(key), entry)):
            return "ThrottlingError", None
        self._write(key, new, units, entry)
        if entry and entry.queue.startswith(DONE):
            self._settled_s.append(asyncio.get_running_loop().time())
        self.bill.won += change.is_claim
        return "", new if change.returning else None

    def _charge(self, key: str, units: int, entries: list[Entry]) -> bool:
        """Take what a write needs of the table and its index; False when one of them is full."""
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
            self._rows.pop(key, None)  # it may have been deleted before
        else:
            self._rows[key] = row
        self._units[key], self._entries[key] = units, entry
        self._versions[key] += 1
        self.show_later(key, self._versions[key], entry)

    def show_later(self, key: str, version: int, entry: Entry | None) -> None:
        """Let the index show a write when its time has come."""
        lag_s = self._rng.expovariate(1 / self._lag_s) if self._lag_s else 0.0
        asyncio.get_running_loop().call_later(lag_s, self.index.show, key, version, entry)

    def _put(self, row: Row) -> None:
        """Put a row that was always there."""
        key, entry = row[KEY]["S"], Entry.of(row)
        self._rows[key], self._units[key], self._entries[key] = row, _units(row_bytes(row)), entry
        self._versions[key] = 1
        self.index.show(key, 1, entry)

    async def _journey(self, operation: str) -> None:
        self.bill.requests[operation] += 1
        await asyncio.sleep(self._latency_s / 2 * self._rng.lognormvariate(-TAIL * TAIL / 2, TAIL))

    async def _answer(self, answer: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(self._latency_s / 2 * self._rng.lognormvariate(-TAIL * TAIL / 2, TAIL))
        return answer | {"ResponseMetadata": {}}


def _bounds(condition: str, values: dict[str, str]) -> tuple[tuple[str, str], tuple[str, str]]:
    match condition.removeprefix("Queue = :queue").split():
        case []:
            return ("", ""), (MAX_KEY, "")
        case ["AND", "Queue_Key", "BETWEEN", start, "AND", end]:
            return (values[start], ""), (values[end], MAX_KEY)
        case ["AND", "Queue_Key", "<", then]:
            return ("", ""), (values[then], "")
        case ["AND", "Queue_Key", "=", key]:
            return (values[key], ""), (values[key], MAX_KEY)
    raise NotImplementedError(condition)


def _moved(old: Entry | None, new: Entry | None) -> list[Entry]:
    """List the rows of the index that a write deletes, puts or changes, at their larger size."""
    if old and new and (old.queue, old.key) == (new.queue, new.key):
        return [] if old.row == new.row else [max(old, new, key=lambda entry: entry.size_bytes)]
    return [entry for entry in (old, new) if entry]


def _units(size_bytes: int) -> int:
    return max(1, math.ceil(size_bytes / WRITE_UNIT_BYTES))
