"""Worker rows: heartbeats, and the orders of people. They live beside the items, in queues of their own.

1. A worker that ends moves its row to a queue of its own: the query for the silent does not read all that ever ended.
2. A heartbeat never makes a row younger, brings none back that was deleted, and leaves a mark of death alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from pyanamo_async.core.stored.columns import Row
from pyanamo_async.core.stored.queue_key import format_time
from pyanamo_async.core.stored.worker_row import encode_worker, heartbeat_at, read_orders, read_worker
from pyanamo_async.core.workers import Desired, Orders, Worker, WorkerState, is_later
from pyanamo_async.errors import BadRow, Fenced, ItemMissing
from pyanamo_async.ports import WorkerRegistry
from pyanamo_async.store.dynamodb.codec import marshal, marshal_row
from pyanamo_async.store.dynamodb.opening import OpenedTable
from pyanamo_async.store.dynamodb.rows import QUEUE_INDEX, WORKER_ROW
from pyanamo_async.store.dynamodb.table import Table
from pyanamo_async.store.dynamodb.writes import KEY, Path, Update

RUNNING_QUEUE, ENDED_QUEUE = "worker#0", "worker-ended#0"
RELEASE = "To_Release"  # a set of the tokens of claims to let go
FIRST, LAST = "\0", "\U0010ffff"  # before and after all texts

UNMARKED = "attribute_not_exists(Dead)"
IN_TIME = f"{UNMARKED} AND #Queue_Key <= :Queue_Key"  # it may have come late
CONDITIONS = {False: f"attribute_not_exists({KEY}) OR {IN_TIME}", True: f"attribute_exists({KEY}) AND {IN_TIME}"}


class DynamoWorkers(OpenedTable, WorkerRegistry):
    """The workers of a table."""

    _service_time: Callable[[datetime], datetime]

    def service_time(self, *, now: datetime) -> datetime:
        return self._service_time(now)

    async def heartbeat(self, worker: Worker, *, registered: bool = False) -> Orders:
        await self._open()
        known, stamp = await self._send_heartbeat(worker, CONDITIONS[registered]), format_time(worker.heartbeat)
        if known and _state(known) is not WorkerState.DEAD:
            seen = known.get("Queue_Key")
            if seen != stamp and not is_later(heartbeat_at(seen), worker):
                is_there = "#Queue_Key = :seen" if seen else "attribute_not_exists(#Queue_Key)"
                known = await self._send_heartbeat(worker, f"{UNMARKED} AND {is_there}", seen=seen)
        if known is None or _state(known) is WorkerState.DEAD:
            raise Fenced(f"worker '{worker.worker_id}' was given up for dead in {self._table.what}")
        following, written = following_of(known, stamp), known.get("Queue_Key") == stamp
        return read_orders(known.get("Desired", Desired.RUN), following, known.get(RELEASE, ()), written=written)

    async def _send_heartbeat(self, worker: Worker, condition: str, *, seen: str | None = None) -> Row | None:
        """Write a heartbeat; return the row as it is then, or as it is because the condition is not met."""
        row = _row(worker)
        sets = ", ".join(f"#{name} = :{name}" for name in row)
        values = (
            {f":{name}": value for name, value in row.items()} | {":nobody": {}} | ({":seen": seen} if seen else {})
        )
        request: dict[str, Any] = {
            "TableName": self._table.name,
            "Key": {KEY: marshal(row_id(worker.worker_id))},
            "UpdateExpression": f"SET {sets}, Following = if_not_exists(Following, :nobody)",
            "ConditionExpression": condition,
            "ExpressionAttributeNames": {f"#{name}": name for name in row},
            "ExpressionAttributeValues": marshal_row(values),
            "ReturnValues": "ALL_NEW",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        return (await self._table.write_alone(self._table.urgent, "update_item", request)).row

    async def mark_dead(self, worker: Worker) -> bool:
        await self._open()
        heartbeat, key = format_time(worker.heartbeat), row_id(worker.worker_id)
        seen: dict[str, object] = {"Queue": RUNNING_QUEUE, "Queue_Key": heartbeat}
        if worker.problem:
            seen = {KEY: key, "Queue_Key": worker.stamp or None}
        return (await self._table.send_alone(Update(key, seen, {("Dead",): heartbeat}))).met

    async def heartbeats(
        self, *, since: datetime | None = None, until: datetime | None = None, most: int | None = None
    ) -> Mapping[str, datetime]:
        await self._open()
        values = {
            ":queue": RUNNING_QUEUE,
            ":since": format_time(since) if since else FIRST,
            ":until": format_time(until) if until else LAST,
        }
        asked = _query("Queue = :queue AND Queue_Key BETWEEN :since AND :until", values)
        asked |= {"ScanIndexForward": False} | ({} if most is None else {"Limit": most})
        found: list[tuple[str, datetime]] = []
        async for page in self._table.pages(asked):
            found += [(item[KEY]["S"], heartbeat_at(item["Queue_Key"]["S"])) for item in page["Items"]]
            if most is not None and len(found) >= most:
                break
        return {key.removeprefix(WORKER_ROW): heartbeat for key, heartbeat in reversed(found[:most]) if _is_ours(key)}

    async def order(self, worker_id: str, desired: Desired) -> None:
        await self._open()
        await self._change_worker(worker_id, {("Desired",): str(desired)})

    async def order_release(self, worker_id: str, tokens: Collection[str], *, withdrawn: bool = False) -> None:
        await self._open()
        key = row_id(worker_id)
        request: dict[str, Any] = {
            "TableName": self._table.name,
            "Key": {KEY: marshal(key)},
            "UpdateExpression": f"{'DELETE' if withdrawn else 'ADD'} {RELEASE} :tokens",
            "ConditionExpression": f"attribute_exists({KEY})",
            "ExpressionAttributeValues": {":tokens": {"SS": sorted(tokens)}},
        }
        if (
            tokens
            and not (await self._table.write_alone(self._table.client, "update_item", request)).met
            and not withdrawn
        ):
            raise _missing(worker_id, self._table)

    async def workers(self, *, of: Collection[str] | None = None) -> list[Worker]:
        await self._open()
        keys = [row_id(worker_id) for worker_id in of] if of is not None else await _all_keys(self._table)
        known = [_worker(row, self.bad_rows.note) for row in await self._table.get_many(keys)]
        return sorted(known, key=lambda worker: (worker.heartbeat, worker.worker_id))

    async def _change_worker(self, worker_id: str, sets: Mapping[Path, object], removes: Sequence[Path] = ()) -> None:
        """Change a worker's row; raise `ItemMissing` when there is none."""
        key = row_id(worker_id)
        if not (await self._table.send_alone(Update(key, {KEY: key}, sets, removes))).met:
            raise _missing(worker_id, self._table)


def _missing(worker_id: str, table: Table) -> ItemMissing:
    return ItemMissing(f"there is no worker '{worker_id}' in {table.what}", hint="`pyanamo workers` lists them")


async def _all_keys(table: Table) -> list[str]:
    return [
        item[KEY]["S"]
        for queue in (RUNNING_QUEUE, ENDED_QUEUE)
        async for page in table.pages(_query("Queue = :queue", {":queue": queue}))
        for item in page["Items"]
        if _is_ours(item[KEY]["S"])
    ]


def _is_ours(key: str) -> bool:
    """Return whether a row in the queue of workers is one of a worker."""
    return key.startswith(WORKER_ROW)


def bad_workers(rows: Iterable[Row]) -> list[BadRow]:
    """Return those of workers among rows that cannot be read."""
    bad: list[BadRow] = []
    for row in rows:
        if _is_ours(row[KEY]):
            _worker(row, bad.append)
    return bad


def _query(condition: str, values: dict[str, str]) -> dict[str, Any]:
    return {
        "IndexName": QUEUE_INDEX,
        "KeyConditionExpression": condition,
        "ExpressionAttributeValues": marshal_row(values),
        "ProjectionExpression": f"{KEY}, Queue_Key",
    }


def row_id(worker_id: str) -> str:
    """Return the key of a worker's row."""
    return f"{WORKER_ROW}{worker_id}"


def _row(worker: Worker) -> Row:
    return {
        "Queue": ENDED_QUEUE if worker.state is WorkerState.ENDED else RUNNING_QUEUE,
        "Queue_Key": format_time(worker.heartbeat),
        **encode_worker(worker),
    }


def _worker(row: Row, note: Callable[[BadRow], None]) -> Worker:
    stamp = row.get("Queue_Key")
    return read_worker(
        row,
        row[KEY].removeprefix(WORKER_ROW),
        stamp=stamp,
        state=_state(row),
        following=following_of(row, str(stamp)),
        note=note,
    )


def following_of(row: Mapping[str, Any], now: str) -> list[str]:
    """Return the tasks of a worker's row that somebody follows at a time, as they are stored."""
    subscriptions = row.get("Following", {})
    if not isinstance(subscriptions, Mapping):
        return [repr(subscriptions)]  # no task is called so
    return [task for task, until in subscriptions.items() if not isinstance(until, str) or until > now]


def _state(row: Mapping[str, Any]) -> object:
    """Return a worker's state; of a row at a strange place, that place."""
    queue = row.get("Queue")
    if queue == ENDED_QUEUE:
        return WorkerState.ENDED
    if queue != RUNNING_QUEUE:
        return queue
    return WorkerState.DEAD if row.get("Dead") else WorkerState.RUNNING
