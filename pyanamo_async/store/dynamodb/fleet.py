"""Worker rows: heartbeats, and the orders of people. They live beside the items, in queues of their own.

1. A worker that ends moves its row to a queue of its own: the query for the silent does not read all that ever ended.
2. A heartbeat never makes a row younger, brings none back that was deleted, and leaves a mark of death alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from pyanamo_async.core.output_tail import TaskRef
from pyanamo_async.core.stored.columns import Row
from pyanamo_async.core.stored.queue_key import format_time, parse_time
from pyanamo_async.core.workers import Desired, Orders, Worker, WorkerState
from pyanamo_async.errors import Fenced, ItemMissing
from pyanamo_async.store.dynamodb.codec import marshal, marshal_row, unmarshal_row
from pyanamo_async.store.dynamodb.rows import QUEUE_INDEX
from pyanamo_async.store.dynamodb.table import Table
from pyanamo_async.store.dynamodb.writes import KEY

WORKER_ROW = "#worker#"
RUNNING_QUEUE, ENDED_QUEUE = "worker#0", "worker-ended#0"
FIRST, LAST = " ", "~"  # before and after all times

IN_TIME = "#Queue_Key <= :Queue_Key"  # it may have come late
UNMARKED = "attribute_not_exists(Dead)"
CONDITIONS = {
    False: f"attribute_not_exists({KEY}) OR {UNMARKED} AND {IN_TIME}",
    True: f"attribute_exists({KEY}) AND {UNMARKED} AND {IN_TIME}",
}


async def heartbeat(table: Table, worker: Worker, *, registered: bool) -> Orders:
    """Write a worker's row, except what a person orders, and read those orders from the reply."""
    row = _row(worker)
    sets = ", ".join(f"#{name} = :{name}" for name in row)
    request: dict[str, Any] = {
        "TableName": table.name,
        "Key": _key(worker.worker_id),
        "UpdateExpression": f"SET {sets}, Following = if_not_exists(Following, :nobody)",
        "ConditionExpression": CONDITIONS[registered],
        "ExpressionAttributeNames": {f"#{name}": name for name in row},
        "ExpressionAttributeValues": marshal_row({f":{name}": value for name, value in row.items()} | {":nobody": {}}),
        "ReturnValues": "ALL_NEW",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    reply = await table.write_alone(table.urgent, "update_item", request)
    known = None if reply.row is None else _worker(reply.row)
    if known is None or known.state is WorkerState.DEAD:
        raise Fenced(f"worker '{worker.worker_id}' was given up for dead in {table.what}")
    return Orders(known.desired, known.following)


async def mark_dead(table: Table, worker: Worker) -> bool:
    """Mark a worker dead if its last heartbeat is still this one."""
    request: dict[str, Any] = {
        "TableName": table.name,
        "Key": _key(worker.worker_id),
        "UpdateExpression": "SET Dead = :heartbeat",
        "ConditionExpression": "Queue = :running AND Queue_Key = :heartbeat",
        "ExpressionAttributeValues": marshal_row(
            {":running": RUNNING_QUEUE, ":heartbeat": format_time(worker.heartbeat)}
        ),
    }
    return (await table.write_alone(table.client, "update_item", request)).met


async def heartbeats(
    table: Table, since: datetime | None, until: datetime | None, most: int | None
) -> dict[str, datetime]:
    """Read the last heartbeats of workers that have not ended from the index, oldest first."""
    values = {
        ":queue": RUNNING_QUEUE,
        ":since": format_time(since) if since else FIRST,
        ":until": format_time(until) if until else LAST,
    }
    asked = _query("Queue = :queue AND Queue_Key BETWEEN :since AND :until", values)
    asked |= {"ScanIndexForward": False} | ({} if most is None else {"Limit": most})
    found: list[tuple[str, datetime]] = []
    async for page in table.pages(asked):
        found += [
            (item[KEY]["S"].removeprefix(WORKER_ROW), parse_time(item["Queue_Key"]["S"])) for item in page["Items"]
        ]
        if most is not None and len(found) >= most:
            break
    return dict(reversed(found[:most]))


async def order(table: Table, worker_id: str, desired: Desired) -> None:
    """Leave an order in a worker's row."""
    await change_worker(table, worker_id, "SET Desired = :desired", {":desired": str(desired)}, {})


async def workers(table: Table, of: Collection[str] | None) -> list[Worker]:
    """Read the rows of all workers, or of those with these ids."""
    keys = [f"{WORKER_ROW}{worker_id}" for worker_id in of] if of is not None else await _all_keys(table)
    known = [_worker(row) for row in await table.get_many(keys)]
    return sorted(known, key=lambda worker: (worker.heartbeat, worker.worker_id))


async def _all_keys(table: Table) -> list[str]:
    return [
        item[KEY]["S"]
        for queue in (RUNNING_QUEUE, ENDED_QUEUE)
        async for page in table.pages(_query("Queue = :queue", {":queue": queue}))
        for item in page["Items"]
    ]


async def forget(table: Table, worker_id: str) -> list[TaskRef]:
    """Delete a worker's row; return the tasks that somebody followed."""
    answer = await table.call(
        table.client.delete_item(TableName=table.name, Key=_key(worker_id), ReturnValues="ALL_OLD")
    )
    row = unmarshal_row(answer.get("Attributes", {}))
    return [TaskRef.read(text) for text in row.get("Following", {})]


async def change_worker(
    table: Table, worker_id: str, update: str, values: dict[str, str], names: dict[str, str]
) -> None:
    """Change a worker's row; raises `ItemMissing` when there is none."""
    request: dict[str, Any] = {
        "TableName": table.name,
        "Key": _key(worker_id),
        "UpdateExpression": update,
        "ConditionExpression": f"attribute_exists({KEY})",
    }
    if values:
        request["ExpressionAttributeValues"] = marshal_row(values)
    if names:
        request["ExpressionAttributeNames"] = names
    reply = await table.write_alone(table.client, "update_item", request)
    if not reply.met:
        raise ItemMissing(f"there is no worker '{worker_id}' in {table.what}", hint="`pyanamo workers` lists them")


def _query(condition: str, values: dict[str, str]) -> dict[str, Any]:
    return {
        "IndexName": QUEUE_INDEX,
        "KeyConditionExpression": condition,
        "ExpressionAttributeValues": marshal_row(values),
        "ProjectionExpression": f"{KEY}, Queue_Key",
    }


def _key(worker_id: str) -> dict[str, Any]:
    return {KEY: marshal(f"{WORKER_ROW}{worker_id}")}


def _row(worker: Worker) -> Row:
    return {
        "Queue": ENDED_QUEUE if worker.state is WorkerState.ENDED else RUNNING_QUEUE,
        "Queue_Key": format_time(worker.heartbeat),
        "Host": worker.host,
        "Started": format_time(worker.started),
        "Lease": worker.lease.total_seconds(),
        "Job": worker.job,
        "Process": worker.process,
        "Slots": worker.slots,
        "Running": worker.running,
        "Done": worker.done,
        "RSS": worker.rss_bytes,
    }


def _worker(row: Mapping[str, Any]) -> Worker:
    heartbeat = parse_time(row["Queue_Key"])
    return Worker(
        worker_id=row[KEY][len(WORKER_ROW) :],
        host=row["Host"],
        started=parse_time(row["Started"]),
        heartbeat=heartbeat,
        lease=timedelta(seconds=float(row["Lease"])),
        job=row["Job"],
        process=row["Process"],
        slots=row["Slots"],
        running=row["Running"],
        done=row["Done"],
        rss_bytes=row["RSS"],
        desired=Desired(row.get("Desired", Desired.RUN)),
        following=tuple(
            sorted(
                TaskRef.read(text) for text, until in row.get("Following", {}).items() if parse_time(until) > heartbeat
            )
        ),
        state=_state(row),
    )


def _state(row: Mapping[str, Any]) -> WorkerState:
    if row["Queue"] == ENDED_QUEUE:
        return WorkerState.ENDED
    return WorkerState.DEAD if row.get("Dead") else WorkerState.RUNNING
