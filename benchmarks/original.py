"""What the original PyAnamo's protocol costs on DynamoDB, beside ours: `python -m benchmarks.original [--quick]`.

For each item it reads the state, writes its lock, sleeps 1 to 4 s, reads the lock back to see whether it is still its
own, runs the script, writes the log, and sleeps 1 to 4 s again; four indexes carry everything. That is re-enacted here
request by request, without the sleeps, and without the Query of all todo items that each process begins with. Ours is
the store as it is, one item at a time, so that no request is shared. Speed cannot be compared: theirs is the sleeps.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from benchmarks.course import Course, run_alone
from benchmarks.report import Goal, Section, Table
from harness.dynamodb import DynamoStore, dynamo_client
from pyanamo_async.aws.meter import Meter
from pyanamo_async.core import transitions
from pyanamo_async.core.failure_policy import FailurePolicy
from pyanamo_async.core.items import Item, Output, Task, TaskRecord
from pyanamo_async.core.outcomes import Succeeded

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.client import DynamoDBClient

ITEMS, QUICK_ITEMS = 20, 3
SLEEPS, MEAN_SLEEP_S = 2, 2.5
MOST_UNITS = 8
SHARDS = 16
WORKER = "job-3f6c1e5a-1:ab12cd34"
SCRIPT = "bash align.sh sample-0001 --threads 4"
INDEXES = {
    "ItemStateIndex": "itemID",
    "TaskStateIndex": "taskID",
    "InstanceStateIndex": "InstanceID",
    "LoggingIndex": "Log_Length",
}

Lives = Callable[["DynamoDBClient", int], Awaitable[None]]
"""What so many items go through, one after the other, from import to done."""


def measure(course: Course) -> Section:
    """Count what items of both cost from import to done."""
    return asyncio.run(_measure(course.servers.dynamodb(), QUICK_ITEMS if course.quick else ITEMS))


async def _measure(endpoint: str, items: int) -> Section:
    async with dynamo_client(endpoint) as client:
        await client.create_table(**_creation())
        theirs = await _cost(endpoint, _originals, items)
        await client.delete_table(TableName=_TABLE)
        store = DynamoStore(_OURS, client)
        await store.create(shards=SHARDS)
        ours = await _cost(endpoint, _today, items)
        await store.drop()
        await store.close()
    rows = (
        ("original PyAnamo", *theirs, f"{SLEEPS * MEAN_SLEEP_S:.0f}"),
        ("pyanamo", *ours, "0"),
    )
    columns = ("one item, import to done", "writes", "write units", "reads", "read units", "asleep, s")
    goal = Goal.at_most("write units of a small item", MOST_UNITS, float(ours[1]), "{:.0f}")
    return Section(Table("Cost of the protocol on DynamoDB Local, per item", columns, rows), (goal,))


async def _cost(endpoint: str, lives: Lives, items: int) -> tuple[str, str, str, str]:
    """Count the requests and units of each item."""
    meter, requests = Meter(), Counter[bool]()

    def count(model: Any, **_: object) -> None:  # noqa: ANN401 - botocore's
        requests[model.name in {"PutItem", "UpdateItem"}] += 1

    async with dynamo_client(endpoint) as client:
        meter.attach(client)
        client.meta.events.register("before-call.dynamodb", count)
        await lives(client, items)
    return tuple(  # type: ignore[return-value]
        f"{figure / items:.1f}" for figure in (requests[True], meter.units.write, requests[False], meter.units.read)
    )


async def _originals(client: DynamoDBClient, items: int) -> None:
    for number in range(items):
        await _original(client, str(number))


async def _original(client: DynamoDBClient, item: str) -> None:
    new = {"itemID": item, "taskID": "sample-0001", "TaskScript": SCRIPT, "ItemState": "todo"}
    new |= dict.fromkeys(("lockID", "Lock_Date", "Done_Date"), "NULL")
    row: dict[str, Any] = {name: {"S": value} for name, value in new.items()}
    await client.put_item(TableName=_TABLE, Item=row | {"Log": {"M": {}}, "Log_Length": {"N": "0"}})
    await _look(client, item, "ItemState")
    lock = {"lockID": "x" * 30, "ItemState": "locked", "Lock_Date": "01/01/2022-12:00:00", "InstanceID": "i-0123456789"}
    await _update(client, item, {name: {"S": value} for name, value in lock.items()})
    await _look(client, item, "lockID")
    log = {"Status": {"S": "Execution Successful"}, "stdout": {"S": "a line\n"}, "stderr": {"S": ""}}
    date = {"S": "01/01/2022-12:00:05"}
    await _update(
        client, item, {"ItemState": {"S": "done"}, "Done_Date": date, "Log_Length": {"N": "2"}, "Log": {"M": log}}
    )


async def _today(client: DynamoDBClient, items: int) -> None:
    store = DynamoStore(_OURS, client)
    for number in range(items):
        await store.add([Item(f"item-{number:04}", "sample-0001", (Task("Task_0", SCRIPT),))])
    for _ in range(items):
        [held] = await store.claim(WORKER, limit=1, now=datetime.now(UTC))
        await store.save(held, _done(held))


def _done(item: Item) -> Item:
    now = datetime.now(UTC)
    record = TaskRecord(
        Succeeded(), now, now, 0.001, item.attempt, WORKER, stdout=Output("a line\n", size_bytes=7, lines=1)
    )
    return transitions.settle(
        item, {item.tasks[0].name: record}, interrupted_by=None, now=now, policy=FailurePolicy(), jitter=0.0
    )


async def _look(client: DynamoDBClient, item: str, what: str) -> None:
    await client.query(
        TableName=_TABLE,
        ProjectionExpression=what,
        KeyConditionExpression="itemID = :item",
        ExpressionAttributeValues={":item": {"S": item}},
    )


async def _update(client: DynamoDBClient, item: str, changes: dict[str, Any]) -> None:
    places = {f"#{number}": name for number, name in enumerate(changes)}
    await client.update_item(
        TableName=_TABLE,
        Key={"itemID": {"S": item}},
        UpdateExpression="SET " + ", ".join(f"{place} = :{place[1:]}" for place in places),
        ExpressionAttributeNames=places,
        ExpressionAttributeValues={f":{number}": value for number, value in enumerate(changes.values())},
    )


def _creation() -> dict[str, Any]:
    """Write the original's table: an index for each of four attributes beside the state, each with everything."""
    kinds = {"itemID": "S", "ItemState": "S", "taskID": "S", "InstanceID": "S", "Log_Length": "N"}
    return {
        "TableName": _TABLE,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{"AttributeName": "itemID", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": kind} for name, kind in kinds.items()],
        "GlobalSecondaryIndexes": [
            {
                "IndexName": index,
                "KeySchema": [
                    {"AttributeName": "ItemState", "KeyType": "HASH"},
                    {"AttributeName": name, "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
            for index, name in INDEXES.items()
        ],
    }


_TABLE = "original"
_OURS = "ours"


if __name__ == "__main__":
    run_alone(measure, __doc__)
