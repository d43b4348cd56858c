"""The floor below a worker: batched claim, spawn, batched settle, nothing else: `python -m benchmarks.floors TABLE`.

It works on a table that `pyanamo import` made, and starts scripts as the worker does. It keeps no output, sends no
heartbeats, retries nothing, and loses everything when anything goes wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sqlite3
import time
from asyncio.subprocess import DEVNULL
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Protocol

from pyanamo_async.execution import find_shell, run

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient

SQLITE = "sqlite:"
MOST = 25  # statements of one request
NOBODY = "floor"

Claimed = tuple[str, str]
"""An item's id and its script."""


class Ledger(Protocol):
    """What is to run, and what ran."""

    async def claim(self, limit: int) -> list[Claimed]:
        """Lock up to so many items in one go; none when nothing is left."""
        ...

    async def settle(self, done: Sequence[str]) -> None:
        """Write down in one go that items are done."""
        ...


class Sqlite:
    """A file, in the loop's own thread."""

    def __init__(self, path: str) -> None:
        self._file = sqlite3.connect(path, isolation_level=None)
        self._file.execute("PRAGMA synchronous = NORMAL")

    async def claim(self, limit: int) -> list[Claimed]:
        rows = self._file.execute(
            "SELECT itemID, Row ->> 'TaskScript' FROM items WHERE ItemState = 'todo' ORDER BY Position LIMIT ?",
            (limit,),
        ).fetchall()
        self._write(
            "UPDATE items SET ItemState = 'locked', lockID = ?2, Attempt = 1 WHERE itemID = ?1 AND ItemState = 'todo'",
            [(item, NOBODY) for item, _ in rows],
        )
        return rows

    async def settle(self, done: Sequence[str]) -> None:
        self._write(
            "UPDATE items SET ItemState = 'done', Queue_Key = ?3 WHERE itemID = ?1 AND lockID = ?2",
            [(item, NOBODY, str(time.time())) for item in done],
        )

    def _write(self, statement: str, rows: Sequence[tuple[str, ...]]) -> None:
        self._file.execute("BEGIN IMMEDIATE")
        self._file.executemany(statement, rows)
        self._file.execute("COMMIT")


class Dynamo:
    """A table of DynamoDB, by batches of conditional statements."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client, self._table = client, table
        self._queues: dict[str, str] = {}
        self._todo: list[str] = []

    async def look(self) -> None:
        """Read once what is to run."""
        pages = self._client.get_paginator("scan").paginate(TableName=self._table, ProjectionExpression="itemID, Queue")
        async for page in pages:
            self._queues |= {row["itemID"]["S"]: row["Queue"]["S"] for row in page["Items"] if "Queue" in row}
        self._queues = {item: queue for item, queue in self._queues.items() if queue.startswith("todo#")}
        self._todo = list(self._queues)

    async def claim(self, limit: int) -> list[Claimed]:
        taken, self._todo = self._todo[:limit], self._todo[limit:]
        rows = await self._all(
            "SET ItemState='locked' SET Queue=? SET Queue_Key=? SET lockID=? SET Attempt=1"
            " WHERE itemID=? AND ItemState='todo' RETURNING ALL NEW *",
            [(self._queue("locked", item), NOBODY, NOBODY, item) for item in taken],
        )
        return [(row["Item"]["itemID"]["S"], row["Item"]["TaskScript"]["S"]) for row in rows]

    async def settle(self, done: Sequence[str]) -> None:
        await self._all(
            "SET ItemState='done' SET Queue=? SET Queue_Key=? WHERE itemID=? AND lockID=?",
            [(self._queue("done", item), str(time.time()), item, NOBODY) for item in done],
        )

    def _queue(self, state: str, item: str) -> str:
        return self._queues[item].replace("todo", state)

    async def _all(self, change: str, rows: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
        statement = f'UPDATE "{self._table}" {change}'
        answers: list[Any] = []
        for at in range(0, len(rows), MOST):
            batch = [
                {"Statement": statement, "Parameters": [{"S": each} for each in row]} for row in rows[at : at + MOST]
            ]
            answers += (await self._client.batch_execute_statement(Statements=batch))["Responses"]  # type: ignore[arg-type]
        assert not [answer for answer in answers if "Error" in answer], answers
        return answers


class Bare:
    """The loop itself: one request for claims and one for settles under way at a time, scripts in all slots."""

    def __init__(self, ledger: Ledger, slots: int) -> None:
        self._ledger = ledger
        self._free = slots
        self._ended = asyncio.Event()
        self._done: list[str] = []
        self._is_settling = False
        self._shell, self._null = find_shell(), os.open(os.devnull, os.O_WRONLY)

    async def run(self) -> None:
        """Run all there is."""
        async with asyncio.TaskGroup() as tasks:
            while claimed := await self._ledger.claim(self._free):
                self._free -= len(claimed)
                for item, script in claimed:
                    tasks.create_task(self._one(item, script, tasks))
                if not self._free:
                    self._ended.clear()
                    await self._ended.wait()

    async def _one(self, item: str, script: str, tasks: asyncio.TaskGroup) -> None:
        process = await asyncio.create_subprocess_shell(
            script,
            executable=self._shell,
            stdin=DEVNULL,
            stdout=self._null,
            stderr=self._null,
            close_fds=False,
            start_new_session=True,
        )
        assert await process.wait() == 0
        self._free += 1
        self._ended.set()
        self._done.append(item)
        if not self._is_settling:
            self._is_settling = True
            tasks.create_task(self._settle())

    async def _settle(self) -> None:
        while self._done:
            batch, self._done = self._done, []
            await self._ledger.settle(batch)
        self._is_settling = False


async def work(table: str, slots: int) -> None:
    """Run all items of a table."""
    async with AsyncExitStack() as stack:
        if table.startswith(SQLITE):
            await Bare(Sqlite(table.removeprefix(SQLITE)), slots).run()
            return
        from aiobotocore.session import get_session

        client = await stack.enter_async_context(get_session().create_client("dynamodb"))
        ledger = Dynamo(client, table)
        await ledger.look()
        await Bare(ledger, slots).run()


def main() -> None:
    """Work on a table until nothing is left."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", help="sqlite:PATH, or a table of DynamoDB")
    parser.add_argument("--slots", type=int, default=8)
    asked = parser.parse_args()
    run(work(asked.table, asked.slots))


if __name__ == "__main__":
    main()
