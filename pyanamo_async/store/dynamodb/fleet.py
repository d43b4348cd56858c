"""Worker rows: heartbeats, and the orders of people. They live beside the items, in queues of their own.

1. A worker that ends moves its row to a queue of its own: the query for the silent does not read all that ever ended.
2. A heartbeat never makes a row younger, brings none back that was deleted, and leaves a mark of death alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from pyanamo_async.core.output_tail import TaskRef
from pyanamo_async.core.stored.queue_key import format_time, parse_time
from pyanamo_async.core.stored.task_record import Row
from pyanamo_async.core.stored.worker_row import decode_worker, encode_worker
from pyanamo_async.core.workers import Desired, Orders, Worker, WorkerState
from pyanamo_async.errors import Fenced, ItemMissing
from pyanamo_async.ports import WorkerRegistry
from pyanamo_async.store.dynamodb.codec import marshal, marshal_row
from pyanamo_async.store.dynamodb.opening import OpenedTable
from pyanamo_async.store.dynamodb.rows import QUEUE_INDEX
from pyanamo_async.store.dynamodb.table import Table
from pyanamo_async.store.dynamodb.writes import KEY, Path, Update

WORKER_ROW = "#worker#"
RUNNING_QUEUE, ENDED_QUEUE = "worker#0", "worker-ended#0"
FIRST, LAST = " ", "~"  # before and after all times

IN_TIME = "#Queue_Key <= :Queue_Key"  # it may have come late
UNMARKED = "attribute_not_exists(Dead)"
CONDITIONS = {
    False: f"attribute_not_exists({KEY}) OR {UNMARKED} AND {IN_TIME}",
    True: f"attribute_exists({KEY}) AND {UNMARKED} AND {IN_TIME}",
}


class DynamoWorkers(OpenedTable, WorkerRegistry):
    """The workers of a table."""

    _service_time: Callable[[datetime], datetime]

    def service_time(self, *, now: datetime) -> datetime:
        return self._service_time(now)

    async def heartbeat(self, worker: Worker, *, registered: bool = False) -> Orders:
        await self._open()
        row = _row(worker)
        sets = ", ".join(f"#{name} = :{name}" for name in row)
        values = {f":{name}": value for name, value in row.items()} | {":nobody": {}}
        request: dict[str, Any] = {
            "TableName": self._table.name,
            "Key": {KEY: marshal(row_id(worker.worker_id))},
            "UpdateExpression": f"SET {sets}, Following = if_not_exists(Following, :nobody)",
            "ConditionExpression": CONDITIONS[registered],
            "ExpressionAttributeNames": {f"#{name}": name for name in row},
            "ExpressionAttributeValues": marshal_row(values),
            "ReturnValues": "ALL_NEW",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        reply = await self._table.write_alone(self._table.urgent, "update_item", request)
        known = None if reply.row is None else _worker(reply.row)
        if known is None or known.state is WorkerState.DEAD:
            raise Fenced(f"worker '{worker.worker_id}' was given up for dead in {self._table.what}")
        return Orders(known.desired, known.following)

    async def mark_dead(self, worker: Worker) -> bool:
        await self._open()
        heartbeat = format_time(worker.heartbeat)
        seen = {"Queue": RUNNING_QUEUE, "Queue_Key": heartbeat}
        return (await self._table.send_alone(Update(row_id(worker.worker_id), seen, {("Dead",): heartbeat}))).met

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
            found += [
                (item[KEY]["S"].removeprefix(WORKER_ROW), parse_time(item["Queue_Key"]["S"])) for item in page["Items"]
            ]
            if most is not None and len(found) >= most:
                break
        return dict(reversed(found[:most]))

    async def order(self, worker_id: str, desired: Desired) -> None:
        await self._open()
        await self._change_worker(worker_id, {("Desired",): str(desired)})

    async def workers(self, *, of: Collection[str] | None = None) -> list[Worker]:
        await self._open()
        keys = [row_id(worker_id) for worker_id in of] if of is not None else await _all_keys(self._table)
        known = [_worker(row) for row in await self._table.get_many(keys)]
        return sorted(known, key=lambda worker: (worker.heartbeat, worker.worker_id))

    async def _change_worker(self, worker_id: str, sets: Mapping[Path, object], removes: Sequence[Path] = ()) -> None:
        """Change a worker's row; raise `ItemMissing` when there is none."""
        key = row_id(worker_id)
        if not (await self._table.send_alone(Update(key, {KEY: key}, sets, removes))).met:
            raise ItemMissing(
                f"there is no worker '{worker_id}' in {self._table.what}", hint="`pyanamo workers` lists them"
            )


async def _all_keys(table: Table) -> list[str]:
    return [
        item[KEY]["S"]
        for queue in (RUNNING_QUEUE, ENDED_QUEUE)
        async for page in table.pages(_query("Queue = :queue", {":queue": queue}))
        for item in page["Items"]
    ]


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


def _worker(row: Mapping[str, Any]) -> Worker:
    heartbeat = parse_time(row["Queue_Key"])
    subscriptions = row.get("Following", {}).items()
    following = sorted(TaskRef.read(text) for text, until in subscriptions if parse_time(until) > heartbeat)
    worker_id = row[KEY].removeprefix(WORKER_ROW)
    return decode_worker(row, worker_id, heartbeat=heartbeat, state=_state(row), following=tuple(following))


def _state(row: Mapping[str, Any]) -> WorkerState:
    if row["Queue"] == ENDED_QUEUE:
        return WorkerState.ENDED
    return WorkerState.DEAD if row.get("Dead") else WorkerState.RUNNING
