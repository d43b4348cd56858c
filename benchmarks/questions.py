"""How long a large table takes to answer: `python -m benchmarks.questions [--items N] [--rounds N]`.

`pyanamo status`, and the first match of `list --where`, as a person types them, start-up included: on DynamoDB Local
with so many items, and on SQLite with ten times as many. On DynamoDB Local `status` stands beside the pages of the
queue index alone, one query after the other for each state and shard, in a process of its own.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

from benchmarks.course import Course, run_alone
from benchmarks.processes import Usage, measured
from benchmarks.report import Goal, Section, Table
from harness.dynamodb import DynamoStore, dynamo_client
from harness.program import ROOT, Program
from pyanamo_async.core.items import Item, State, Task, TaskState
from pyanamo_async.core.values import replace
from pyanamo_async.ports import Store
from pyanamo_async.store.sqlite import SqliteStore

ITEMS, MORE_ON_SQLITE = 100_000, 10
SHARDS = 16
PAGE = 10_000
STATUS_S, LIST_S, MOST_MB, TIMES_BARE = 3.0, 2.0, 150.0, 2.0
MB = 1e6
STATUS, LIST = ("status",), ("list", "--where", "missing(exit)", "--limit", "1")
BARE = """
import asyncio, os, sys
import aioboto3

async def main():
    async with aioboto3.Session().client("dynamodb") as client:
        for state in ("todo", "locked", "done", "failed", "Wall_Time_Exceeded"):
            for shard in range(16):
                query = dict(TableName=sys.argv[1], IndexName="QueueIndex", KeyConditionExpression="Queue = :queue",
                             ExpressionAttributeValues={":queue": {"S": f"{state}#{shard}"}})
                while True:
                    page = await client.query(**query)
                    if "LastEvaluatedKey" not in page:
                        break
                    query["ExclusiveStartKey"] = page["LastEvaluatedKey"]

asyncio.run(main())
"""


def items(count: int, now: datetime) -> Iterator[Item]:
    """Make items of a workflow halfway: most to do or done, some nested, one in a hundred failed."""
    for number in range(count):
        nested = number % 10 == 0
        scripts = [f"bash call.sh sample-{number // 25:06} chr{each}" for each in range(10 if nested else 1)]
        done = number // 10 % 11 if nested else 0
        tasks = tuple(
            Task(f"Task_{each}", script, TaskState.DONE if each < done else TaskState.TODO)
            for each, script in enumerate(scripts)
        )
        item = Item(f"sample-{number // 25:06}-{number % 25}", f"sample-{number // 25:06}", tasks, nested=nested)
        ended = now - timedelta(milliseconds=number * 20)
        if number % 100 == 7:
            item = replace(item, state=State.FAILED, done_at=ended, reason=f"attempt 3: exit status {number % 300}")
        elif number % 2 and not nested:
            item = replace(item, state=State.DONE, done_at=ended, attempt=1)
        yield item


def measure(course: Course) -> Section:
    """Fill the tables, and ask each some times."""
    return asyncio.run(_measure(course))


async def _measure(course: Course) -> Section:
    rounds = course.rounds
    rows: list[tuple[str, ...]] = []
    goals: list[Goal] = []
    with course.folder() as folder:
        program = course.on_sqlite(folder)
        count = course.items * MORE_ON_SQLITE
        store = SqliteStore(folder / "step.db")
        await _fill(store, count)
        await store.close()
        status, first = (_ask(program, words, rounds) for words in (STATUS, LIST))
        rows += [_row(f"status, {count:,} on SQLite", status), _row(f"list --where, {count:,} on SQLite", first)]
        goals += [
            Goal.at_most("status on SQLite, s", STATUS_S, _seconds(status)),
            Goal.at_most("status on SQLite, MB", MOST_MB, _mb(status), "{:.0f}"),
            Goal.at_most("list --where on SQLite, s", LIST_S, _seconds(first)),
        ]
    with course.folder() as folder:
        program = course.on_dynamodb(folder)
        async with dynamo_client(course.servers.dynamodb()) as client:
            remote = DynamoStore(folder.name, client)
            await _fill(remote, course.items)
            bare = [_bare(program, folder.name) for _ in range(rounds)]
            status, first = (_ask(program, words, rounds) for words in (STATUS, LIST))
            await remote.drop()
            await remote.close()
        name = f"{course.items:,} on DynamoDB Local"
        rows += [_row(f"its pages alone, {name}", bare), _row(f"status, {name}", status)]
        rows.append(_row(f"list --where, {name}", first))
        goals += [
            Goal.at_most("status on DynamoDB, of its pages", TIMES_BARE, _seconds(status) / _seconds(bare)),
            Goal.at_most("status on DynamoDB, MB", MOST_MB, _mb(status), "{:.0f}"),
            Goal.at_most("list --where on DynamoDB, s", LIST_S, _seconds(first)),
        ]
    return Section(Table("Asking a large table", ("", "median", "most", "CPU", "peak"), tuple(rows)), tuple(goals))


async def _fill(store: Store, count: int) -> None:
    await store.create(shards=SHARDS)
    made = items(count, datetime.now(UTC))
    while page := list(islice(made, PAGE)):
        await store.add(page)


def _ask(program: Program, words: tuple[str, ...], rounds: int) -> list[Usage]:
    return [measured(program.command(*words), cwd=program.folder, env=program.env) for _ in range(rounds)]


def _bare(program: Program, table: str) -> Usage:
    return measured([sys.executable, "-c", BARE, table], cwd=ROOT, env=program.env)


def _row(name: str, used: list[Usage]) -> tuple[str, ...]:
    most = max(each.seconds for each in used)
    cpu = statistics.median(each.cpu_seconds for each in used)
    return name, f"{_seconds(used):.2f} s", f"{most:.2f} s", f"{cpu:.2f} s", f"{_mb(used):.0f} MB"


def _seconds(used: list[Usage]) -> float:
    return statistics.median(each.seconds for each in used)


def _mb(used: list[Usage]) -> float:
    return max(each.peak_rss_bytes for each in used) / MB


if __name__ == "__main__":
    run_alone(measure, __doc__, ITEMS)
