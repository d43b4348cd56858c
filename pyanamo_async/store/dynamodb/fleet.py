"""Worker rows: signs of life, and what people order. They live beside the items, in a queue of their own."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from pyanamo_async.core.output_tail import TaskRef
from pyanamo_async.core.stored.queue_key import format_time, parse_time
from pyanamo_async.core.stored.task_record import Row
from pyanamo_async.core.workers import Desired, Orders, Worker, latest, read_farewell, write_farewell
from pyanamo_async.errors import ItemMissing, Unavailable
from pyanamo_async.store.dynamodb.codec import marshal, marshal_row, unmarshal_row
from pyanamo_async.store.dynamodb.rows import QUEUE_INDEX
from pyanamo_async.store.dynamodb.table import Table
from pyanamo_async.store.dynamodb.writes import KEY

WORKER_ROW = "#worker#"
QUEUE = "worker#0"


async def heartbeat(table: Table, worker: Worker) -> Orders:
    """Write a worker's row, except what a person orders, and read those orders from the reply."""
    row = _row(worker)
    sets = ", ".join(f"#{name} = :{name}" for name in row)
    request: dict[str, Any] = {
        "TableName": table.name,
        "Key": _key(worker.worker_id),
        "UpdateExpression": f"SET {sets}, Following = if_not_exists(Following, :nobody)",
        "ConditionExpression": "attribute_not_exists(#Queue_Key) OR #Queue_Key <= :Queue_Key",  # it may have come late
        "ExpressionAttributeNames": {f"#{name}": name for name in row},
        "ExpressionAttributeValues": marshal_row({f":{name}": value for name, value in row.items()} | {":nobody": {}}),
        "ReturnValues": "ALL_NEW",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    reply = await table.write_alone(table.urgent, "update_item", request)
    if reply.row is None:
        raise Unavailable(f"{table.what} did not tell what it holds of worker '{worker.worker_id}'")
    known = _worker(reply.row)
    return Orders(known.desired, known.following)


async def order(table: Table, worker_id: str, desired: Desired) -> None:
    """Leave an order in a worker's row."""
    await change_worker(table, worker_id, "SET Desired = :desired", {":desired": str(desired)}, {})


async def workers(
    table: Table, heartbeat_before: datetime | None, most: int | None, of: Collection[str] | None
) -> list[Worker]:
    """Read the rows of all workers, or of those that were silent since, or of the latest of them."""
    keys = (
        await _seen(table, heartbeat_before, most) if of is None else [f"{WORKER_ROW}{worker_id}" for worker_id in of]
    )
    known = [_worker(row) for row in await table.get_many(keys)]
    late = [
        worker for worker in known if heartbeat_before is None or worker.heartbeat < heartbeat_before
    ]  # the index lags
    return latest(sorted(late, key=lambda worker: (worker.heartbeat, worker.worker_id)), most)


async def _seen(table: Table, heartbeat_before: datetime | None, most: int | None) -> list[str]:
    asked = _asked(heartbeat_before) | ({} if most is None else {"ScanIndexForward": False, "Limit": most})
    keys: list[str] = []
    async for page in table.pages(asked):
        keys += [item[KEY]["S"] for item in page["Items"]]
        if most is not None and len(keys) >= most:
            break
    return keys


async def forget(table: Table, worker_id: str) -> list[TaskRef]:
    """Delete a worker's row, and tell what was asked of it."""
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


def _asked(heartbeat_before: datetime | None) -> dict[str, Any]:
    silent, values = "", {":queue": QUEUE}
    if heartbeat_before is not None:
        silent, values = " AND Queue_Key < :then", values | {":then": format_time(heartbeat_before)}
    return {
        "IndexName": QUEUE_INDEX,
        "KeyConditionExpression": f"Queue = :queue{silent}",
        "ExpressionAttributeValues": marshal_row(values),
        "ProjectionExpression": KEY,
    }


def _key(worker_id: str) -> dict[str, Any]:
    return {KEY: marshal(f"{WORKER_ROW}{worker_id}")}


def _row(worker: Worker) -> Row:
    return {
        "Queue": QUEUE,
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
        "Gone": write_farewell(worker),
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
        gone=bool(row["Gone"]),
        all_settled=read_farewell(int(row["Gone"])),
    )
